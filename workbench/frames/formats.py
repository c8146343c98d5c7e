"""Pixels have one way in: reading the header of a file, whatever its format, gives a ``FrameSource``."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import FrameError
from workbench.frames.containers import (
    WrappedImage,
    check_gzip_length,
    open_gzip,
    read_raw_header,
    read_xisf_header,
)
from workbench.frames.fits_header import (
    COPY_AGAIN,
    WRITE_AGAIN,
    Card,
    HeaderUnit,
    header_units,
    image_layout,
    whole_number,
)
from workbench.frames.source import FrameSource

__all__ = ["Card", "FrameFile", "FrameSource", "is_frame_name", "read_frame_file"]

_RAW_NAMES = "3fr arw cr2 cr3 crw dcr dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw"
_RAW_SUFFIXES = frozenset(f".{name}" for name in _RAW_NAMES.split())
_FITS_SUFFIXES = frozenset({".fit", ".fits", ".fts"})
_STORED = {8: "|u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MOST_PIXELS = 2**29  # four times the largest single sensor


@dataclass(frozen=True)
class FrameFile:
    """What the header of one file tells: its cards, where its pixels are, its size and a hash of the header.

    ``cards`` are those of the image's HDU, followed by the primary HDU's own where the image stands in an extension.
    """

    cards: tuple[Card, ...]
    source: FrameSource
    size: int
    fingerprint: str


def is_frame_name(path: str | Path) -> bool:
    """Tell by its name whether a file may hold a frame: FITS (also gzipped or tile-compressed), XISF, a camera's raw.

    Examples
    --------
    >>> [is_frame_name(name) for name in ("dark_01.FIT", "dark.fits.gz", "notes.txt", "._dark.fits")]
    [True, True, False, False]
    """
    path = Path(path)
    if path.name.startswith("."):
        return False  # macOS leaves a "._" shadow of each file on foreign disks
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    last = suffixes[-1] if suffixes else ""
    if last == ".gz":
        return suffixes[0] in _FITS_SUFFIXES
    return last in _FITS_SUFFIXES or last in (".fz", ".xisf") or last in _RAW_SUFFIXES


def read_frame_file(path: str | Path) -> FrameFile:
    """Read the header of a frame, never its pixels.

    A file is what its first bytes say, whatever its name. Of several images the first is the frame.

    Parameters
    ----------
    path
        A file for which :func:`is_frame_name` holds.

    Raises
    ------
    FrameError
        When the file cannot be read, is empty, truncated, no frame format, or its image is not two-dimensional.
    """
    absolute = Path(path).absolute()
    file = str(absolute)
    try:
        size = absolute.stat().st_size
        with absolute.open("rb") as stream:
            start = stream.read(8)
        if not size:
            raise FrameError(file, "is empty", COPY_AGAIN)
        return _read(file, start, size)
    except OSError as error:
        raise FrameError(file, f"cannot be read ({error.strerror or error})", "check its permissions") from error


def _read(file: str, start: bytes, size: int) -> FrameFile:
    if start.startswith(b"SIMPLE"):
        return _read_fits(file, size)
    if start.startswith(b"\x1f\x8b"):
        return _read_fits(file, size, gzipped=True)
    if start == b"XISF0100":
        return _wrapped(file, read_xisf_header(file, size), size, "xisf")
    if Path(file).suffix.lower() in _RAW_SUFFIXES:
        return _wrapped(file, read_raw_header(file), size, "raw")
    raise FrameError(file, f"is no FITS file: it begins with {start.decode('latin-1')!r}", "leave it out")


def _wrapped(file: str, image: WrappedImage, size: int, container: str) -> FrameFile:
    _check_shape(file, image.shape[::-1])
    source = FrameSource(file, 0, 0, image.dtype, 1.0, 0.0, image.shape, container)
    return FrameFile(image.cards, source, size, _fingerprint(image.header))


def _read_fits(file: str, size: int, *, gzipped: bool = False) -> FrameFile:
    primary: HeaderUnit | None = None
    with open_gzip(file) if gzipped else Path(file).open("rb") as stream:
        for unit in header_units(stream, file):
            primary = primary or unit
            if unit.has_image:
                break
        else:
            raise FrameError(file, "holds no image", "leave it out")
    source = _fits_source(file, unit, gzipped=gzipped)
    promised = unit.offset + unit.data_size
    if gzipped:
        check_gzip_length(file, promised, size)
    elif promised > size:
        raise FrameError(file, f"is truncated: its header promises {promised} bytes, the file has {size}", COPY_AGAIN)
    cards, header = unit.cards, unit.header
    if primary is not unit:
        cards += tuple(card for card in primary.cards if not _is_structure(card.key))
        header += primary.header
    return FrameFile(cards, source, size, _fingerprint(header))


def _fits_source(file: str, unit: HeaderUnit, *, gzipped: bool) -> FrameSource:
    axes, bitpix = image_layout(unit, file)
    if bitpix not in _STORED:
        raise FrameError(file, f"its header has BITPIX = {bitpix}, which FITS does not know", WRITE_AGAIN)
    shape = _check_shape(file, axes)
    blank = unit.first("BLANK") if bitpix > 0 else None
    return FrameSource(
        path=file,
        hdu=unit.hdu,
        offset=0 if unit.compressed else unit.offset,
        dtype=_STORED[bitpix],
        bscale=_real(file, unit, "BSCALE", 1.0),
        bzero=_real(file, unit, "BZERO", 0.0),
        shape=shape,
        container="fits.fz" if unit.compressed else "fits.gz" if gzipped else "fits",
        blank=None if not blank else whole_number(file, "BLANK", blank, signed=True),
    )


def _check_shape(file: str, axes: tuple[int, ...]) -> tuple[int, int]:
    """Return (rows, columns) of axes given fastest first; a third axis of length 1 is none."""
    real = len(axes)
    while real > 2 and axes[real - 1] == 1:
        real -= 1
    if real != 2:
        lengths = " x ".join(map(str, axes[:8]))
        raise FrameError(file, f"its image has {real} axes ({lengths}); a frame has two", "leave it out or split it up")
    if not 0 < math.prod(axes) <= _MOST_PIXELS:
        raise FrameError(file, f"its header promises {axes[0]} x {axes[1]} pixels, which no sensor has", WRITE_AGAIN)
    return axes[1], axes[0]


def _real(file: str, unit: HeaderUnit, key: str, default: float) -> float:
    text = unit.first(key)
    if not text:
        return default
    try:
        number = float(text.upper().replace("D", "E").replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (key == "BSCALE" and number == 0):
        raise FrameError(file, f"its header has {key} = {text[:20]!r}, which scales no pixel", WRITE_AGAIN)
    return number


def _is_structure(key: str) -> bool:
    return key in ("SIMPLE", "BITPIX", "EXTEND", "CHECKSUM", "DATASUM") or key.startswith("NAXIS")


def _fingerprint(header: bytes) -> str:
    return hashlib.blake2b(header, digest_size=16).hexdigest()
