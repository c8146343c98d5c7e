"""Calibrated lights in files: read, calibrated, and written a band of rows at a time, as fast as files are written."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from workbench.calibrate.light_header import begun_header, errors_header, filled_header, light_header, summed_header
from workbench.calibrate.light_rules import check_level, check_shape
from workbench.calibrate.overscan import trimmed
from workbench.calibrate.uncertainty import sigma_bands
from workbench.errors import InputError
from workbench.frames.fits_header import BLOCK
from workbench.frames.whole_file import whole_file
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from astropy.io import fits
    from numpy.typing import NDArray

    from workbench.calibrate.calibration import Calibration
    from workbench.calibrate.uncertainty import ErrorModel
    from workbench.frames.overscan import Overscan
    from workbench.frames.source import FrameSource

    Plane = NDArray[Any]

__all__ = ["WrittenLight", "write_light", "write_lights"]

_BAND = 2**18  # pixels: a band stays in the cache from reading to writing
_WAITING = 4  # threads a processor: while one calibrates, the others wait until the disk has their lights
_TURNS = BoundedSemaphore(processors())
_LOOKED_AT = 4  # rows in the middle that tell a light's level


@dataclass(frozen=True)
class WrittenLight:
    """A calibrated light that was written.

    Parameters
    ----------
    path
        The file.
    n_masked, n_negative, n_clipped
        Pixels without response, below 0, and set to 0 for it.
    datasum
        Of its image, as the card DATASUM says.
    """

    path: Path
    n_masked: int
    n_negative: int
    n_clipped: int
    datasum: int


def write_light(
    source: FrameSource,
    out: str | os.PathLike[str],
    calibration: Calibration,
    *,
    header: fits.Header | None = None,
    overscan: Overscan | None = None,
    errors: ErrorModel | None = None,
) -> WrittenLight:
    """Calibrate the light in one file into another, whole or not at all.

    Parameters
    ----------
    source
        Of a row of the catalogue.
    out
        Where to, FITS of float32 [adu]; its folder must exist. A file that is there is replaced.
    calibration
        From :mod:`workbench.calibrate.lights`.
    header
        Cards besides those that describe the array and its calibration; those of the light where not given.
    overscan
        Its level is subtracted and the image cut out before all else, as it was of the masters' frames.
    errors
        What its uncertainty is made of: written behind the image as ``ERR``, shape (1, y, x). None writes none.

    Returns
    -------
    WrittenLight
        Counts and sum. The image carries CHECKSUM and DATASUM.

    Raises
    ------
    InputError
        When the light does not belong to the masters, or the file cannot be written.
    FrameError
        When the light has gone, was cut or is damaged.
    """
    target = Path(out)
    with whole_file(target) as part, _TURNS:  # flushing is nobody's turn
        counts, total = _write(part, source, calibration, header, overscan, errors)
    n_masked = 0 if calibration.flat is None else calibration.flat.n_masked
    return WrittenLight(target, n_masked, *counts, total)


def write_lights(
    sources: Sequence[FrameSource],
    outs: Sequence[str | os.PathLike[str]],
    calibration: Calibration,
    *,
    overscan: Overscan | None = None,
    errors: ErrorModel | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> list[WrittenLight | InputError]:
    """Calibrate many lights alike; see :func:`write_light`.

    Parameters
    ----------
    sources, outs
        From where to where.
    calibration, overscan, errors
        For all of them.
    threads
        How many share the work; by default four times as many as there are processors, for most wait for the disk: no
        more than there are processors calibrate at a time.
    progress
        Show a bar on stderr when that is a terminal.

    Returns
    -------
    list
        In the order of ``sources``: what was written, or the error of a light that could not be; the rest goes on.
    """

    def attempt(place: int) -> WrittenLight | InputError:
        try:
            return write_light(sources[place], outs[place], calibration, overscan=overscan, errors=errors)
        except InputError as error:
            return error

    done = []
    shown = None if progress else True  # None: on a terminal
    with tqdm(total=len(sources), desc="calibrating", unit="light", delay=1, leave=False, disable=shown) as bar:
        for one in in_threads(attempt, range(len(sources)), threads or _WAITING * processors(), name="calibrate"):
            done.append(one)
            bar.update()
    return done


@dataclass(frozen=True)
class _Light:
    """A light that is open for reading, band by band where that can be; of others, all of its values."""

    source: FrameSource
    descriptor: int | None
    whole: Plane | None

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.source.shape if self.whole is None else self.whole.shape
        return rows, columns

    def rows(self, start: int, stop: int) -> Plane:
        """Return values of the rows ``start`` to ``stop - 1``."""
        return self.source.read_rows(start, stop) if self.whole is None else self.whole[start:stop]

    def bands(self, step: int) -> Iterator[tuple[int, Plane]]:
        """Yield the first row and the values of each band; the same memory serves all bands of raw frames."""
        from workbench.calibrate.light_loops import decode_unsigned  # imports Numba  # noqa: PLC0415

        rows, columns = self.shape
        raw = self.whole is None and self.source.dtype == ">i2" and self.source.values_dtype == np.uint16
        room = np.empty((min(step, rows), columns), ">i2") if raw else None
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            if room is None:
                yield start, self.rows(start, stop)
            else:
                stored = self.source.read_stored(start, stop, room[: stop - start], self.descriptor).view(np.uint16)
                decode_unsigned(stored.reshape(-1))
                yield start, stored


@contextmanager
def _opened(source: FrameSource, overscan: Overscan | None) -> Iterator[_Light]:
    if overscan is not None:
        yield _Light(source, None, trimmed(source.read(), overscan))
    elif not source.mappable:
        yield _Light(source, None, source.read())
    else:
        descriptor = None
        with suppress(OSError):  # it has gone: who reads it will say so
            descriptor = os.open(source.path, os.O_RDONLY) if hasattr(os, "preadv") else None
        try:
            yield _Light(source, descriptor, None)
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _write(
    part: Path,
    source: FrameSource,
    calibration: Calibration,
    header: fits.Header | None,
    overscan: Overscan | None,
    errors: ErrorModel | None,
) -> tuple[tuple[int, int], int]:
    """Write a light that belongs to the masters; return its counts and its DATASUM."""
    with _opened(source, overscan) as light:
        check_shape(source.path, light.shape, calibration)
        rows = light.shape[0]
        start, stop = max(0, (rows - _LOOKED_AT) // 2), min(rows, (rows + _LOOKED_AT) // 2 + 1)
        check_level(light.rows(start, stop), calibration, start, source.path)
        cards = light_header(source) if header is None else header
        begun = begun_header(cards, light.shape, calibration, overscan)
        with part.open("wb", buffering=0) as file:
            told = _write_image(file, light, calibration, begun)
            if errors is not None:
                _write_errors(file, light, calibration, errors)
    return told


def _write_image(file: BinaryIO, light: _Light, calibration: Calibration, begun: bytes) -> tuple[tuple[int, int], int]:
    """Write header and image; return how many pixels are below 0, how many were clipped, and the image's DATASUM."""
    from workbench.calibrate.light_loops import encode_floats  # imports Numba  # noqa: PLC0415

    rows, columns = light.shape
    below = total = 0
    room = np.empty((min(max(1, _BAND // columns), rows), columns), np.float32)
    file.seek(len(begun))
    for start, values in light.bands(len(room)):
        out = room[: len(values)]
        below += calibration.rows(values, start, out)
        total += int(encode_floats(out.view(np.uint32).reshape(-1)))
        _write_all(file, out)
    _write_all(file, bytes(-4 * rows * columns % BLOCK))
    total = _folded(total)
    counts = below, below if calibration.clip else 0
    file.seek(0)
    _write_all(file, filled_header(begun, counts, total))
    return counts, total


def _write_errors(file: BinaryIO, light: _Light, calibration: Calibration, errors: ErrorModel) -> None:
    """Write the uncertainties behind the image, their header last, for it holds their sum."""
    from workbench.calibrate.light_loops import encode_floats  # imports Numba  # noqa: PLC0415

    begun, place, total = errors_header(light.shape), file.seek(0, 2), 0
    file.seek(place + len(begun))
    for band in sigma_bands(light.rows, light.shape, calibration, errors):
        total += int(encode_floats(band.view(np.uint32).reshape(-1)))
        _write_all(file, band)
    _write_all(file, bytes(-4 * light.shape[0] * light.shape[1] % BLOCK))
    file.seek(place)
    _write_all(file, summed_header(begun, _folded(total)))


def _folded(total: int) -> int:
    """Return a sum in ones' complement of 32 bits."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _write_all(file: BinaryIO, data: Any) -> None:
    """Write all of it, however much the system takes at a time."""
    left = memoryview(data).cast("B")
    while left:
        left = left[file.write(left) :]
