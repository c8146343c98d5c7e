"""Calibrated lights in files: read, calibrated, and written a band of rows at a time, as fast as files are written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from astropy.io import fits
from tqdm import tqdm

from workbench.calibrate.light_header import begun_header, header_unit, light_header
from workbench.calibrate.light_rules import check_level, check_shape
from workbench.calibrate.overscan import trimmed
from workbench.calibrate.uncertainty import light_sigma
from workbench.errors import InputError
from workbench.frames.fits_header import BLOCK
from workbench.frames.whole_file import whole_file
from workbench.threads import processors

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator, Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray

    from workbench.calibrate.calibration import Calibration
    from workbench.calibrate.uncertainty import ErrorModel
    from workbench.frames.overscan import Overscan
    from workbench.frames.source import FrameSource

    Plane = NDArray[Any]

__all__ = ["WrittenLight", "write_light", "write_lights"]

_BAND = 2**17  # pixels: a band stays in the cache from reading to writing
_TOGETHER = 5  # lights that are calibrated in turns, and files that are open at a time
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
    return _finished(_writing(source, Path(out), calibration, header, overscan, errors))


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
        How many share the work; by default twice as many as there are processors, for half of them wait for the disk.
    progress
        Show a bar on stderr when that is a terminal.

    Returns
    -------
    list
        In the order of ``sources``: what was written, or the error of a light that could not be; the rest goes on.
    """
    bar = tqdm(total=len(sources), desc="calibrating", unit="light", delay=1, leave=False, disable=not progress or None)

    def write(places: Sequence[int]) -> list[tuple[int, WrittenLight | InputError]]:
        """Calibrate several lights in turns, a band of each: the masters' band stays in the cache for all."""
        running = {
            place: _writing(sources[place], Path(outs[place]), calibration, None, overscan, errors) for place in places
        }
        found: list[tuple[int, WrittenLight | InputError]] = []
        while running:
            for place, work in list(running.items()):
                try:
                    next(work)
                except StopIteration as end:
                    found.append((place, end.value))
                except InputError as error:
                    found.append((place, error))
                else:
                    continue
                del running[place]
                bar.update()
        return found

    n = threads or 2 * processors()
    share = min(_TOGETHER, max(1, -(-len(sources) // n)))
    groups = [range(start, min(start + share, len(sources))) for start in range(0, len(sources), share)]
    with bar, ThreadPoolExecutor(n) as pool:
        done = dict(one for group in pool.map(write, groups) for one in group)
    return [done[place] for place in range(len(sources))]


def _finished(work: Generator[None, None, WrittenLight]) -> WrittenLight:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return cast("WrittenLight", end.value)


def _writing(
    source: FrameSource,
    target: Path,
    calibration: Calibration,
    header: fits.Header | None,
    overscan: Overscan | None,
    errors: ErrorModel | None,
) -> Generator[None, None, WrittenLight]:
    """Write a calibrated light, with a rest after every band."""
    whole = trimmed(source.read(), overscan) if overscan else None if source.mappable else source.read()
    rows, columns = source.shape if whole is None else whole.shape
    check_shape(source.path, (rows, columns), calibration)
    start, stop = max(0, (rows - _LOOKED_AT) // 2), min(rows, (rows + _LOOKED_AT) // 2 + 1)
    looked_at = source.read_rows(start, stop) if whole is None else whole[start:stop]
    check_level(looked_at, calibration, start, source.path)
    begun = begun_header(light_header(source) if header is None else header, (rows, columns), calibration, overscan)
    with whole_file(target) as part, part.open("wb", buffering=0) as file:
        file.seek(len(header_unit(begun)))
        below = total = 0
        out = np.empty((min(max(1, _BAND // columns), rows), columns), np.float32)
        for first, light in _bands(source, whole, len(out)):
            negative, words = _write_band(file, light, first, calibration, out[: len(light)])
            below, total = below + negative, total + words
            yield
        _write_all(file, bytes(-4 * rows * columns % BLOCK))
        while total >> 32:
            total = (total & 0xFFFFFFFF) + (total >> 32)
        counts = below, below if calibration.clip else 0
        file.seek(0)
        _write_all(file, header_unit(begun, counts, total))
        if errors is not None:
            file.seek(0, 2)
            _write_all(file, _error_unit(source.read() if whole is None else whole, calibration, errors))
    n_masked = 0 if calibration.flat is None else calibration.flat.n_masked
    return WrittenLight(target, n_masked, *counts, total)


def _write_band(
    file: BinaryIO, light: Plane, start: int, calibration: Calibration, out: NDArray[np.float32]
) -> tuple[int, int]:
    """Write calibrated rows; return how many pixels are below 0, and the sum of their words."""
    from workbench.calibrate.light_loops import encode_floats  # imports Numba  # noqa: PLC0415

    below = calibration.rows(light, start, out)
    total = int(encode_floats(out.view(np.uint32).reshape(-1)))
    _write_all(file, out)
    return below, total


def _bands(source: FrameSource, whole: Plane | None, step: int) -> Iterator[tuple[int, Plane]]:
    """Yield the first row and the values of each band; the same memory serves all bands of raw frames."""
    from workbench.calibrate.light_loops import decode_unsigned  # imports Numba  # noqa: PLC0415

    rows, columns = source.shape if whole is None else whole.shape
    raw = whole is None and source.dtype == ">i2" and source.values_dtype == np.uint16
    room = np.empty((min(step, rows), columns), ">i2") if raw else None
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        if room is not None:
            stored = source.read_stored(start, stop, room[: stop - start]).view(np.uint16)
            decode_unsigned(stored.reshape(-1))
            yield start, stored
        else:
            yield start, source.read_rows(start, stop) if whole is None else whole[start:stop]


def _write_all(file: BinaryIO, data: Any) -> None:
    """Write all of it, however much the system takes at a time."""
    left = memoryview(data).cast("B")
    while left:
        left = left[file.write(left) :]


def _error_unit(light: Plane, calibration: Calibration, errors: ErrorModel) -> bytes:
    unit = fits.ImageHDU(light_sigma(light, calibration, errors)[np.newaxis], name="ERR")
    unit.header["BUNIT"] = "adu"
    unit.header["COMMENT"] = "uncertainty of the pixels in SCI, one standard deviation"
    unit.add_checksum(when="of this data unit")
    values = unit.data.astype(">f4").tobytes()
    return bytes(unit.header.tostring().encode("ascii") + values + bytes(-len(values) % BLOCK))
