"""What frames come wrapped in: gzip, tile-compressed FITS, XISF and the raw files of cameras."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast
from xml.etree import ElementTree as ET  # entities, the danger of XML, are refused in _xisf_root

import numpy as np

from workbench.errors import FrameError
from workbench.frames.fits_header import BLOCK, COPY_AGAIN, Card

if TYPE_CHECKING:
    from collections.abc import Iterator

_XISF_TYPES = {"UInt8": "|u1", "UInt16": "<u2", "UInt32": "<u4", "Float32": "<f4", "Float64": "<f8"}
_XISF_LONGEST_HEADER = 64 * 2**20
_DEFLATE_RATIO = 1032  # zlib packs no tighter than this


class WrappedImage(NamedTuple):
    """The header of a container: its cards, and the layout of the pixels that its reader will deliver."""

    cards: tuple[Card, ...]
    header: bytes
    shape: tuple[int, int]
    dtype: str


@contextmanager
def _named(path: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a decoder raises on broken input into one line that names the file."""
    try:
        yield
    except errors as error:
        raise FrameError(path, f"its pixels cannot be decoded ({error or type(error).__name__})", COPY_AGAIN) from error


# ---- gzip -----------------------------------------------------------------------------------------------------------


def check_gzip_length(path: str, promised: int, size: int) -> None:
    """Refuse a gzip file that ends before the pixels do.

    The length that gzip keeps in its last four bytes tells, without unpacking. Only where it is not the expected one
    (the file is cut, or has more behind the image, or was packed in several members) is the file unpacked to see.

    Raises
    ------
    FrameError
        When fewer than ``promised`` bytes come out.
    """
    if promised > (size + BLOCK) * _DEFLATE_RATIO:
        rule = f"is truncated: its header promises {promised} bytes, more than its {size} bytes can unpack to"
        raise FrameError(path, rule, COPY_AGAIN)
    with Path(path).open("rb") as stream:
        stream.seek(-4, 2)
        kept = int.from_bytes(stream.read(4), "little")
    if kept in (promised % 2**32, -(-promised // BLOCK) * BLOCK % 2**32):
        return
    read_gzip(path, promised - 1, 1)


@contextmanager
def open_gzip(path: str) -> Iterator[BinaryIO]:
    """Open a gzip file; whatever is wrong with it, now or while it is read, is one error.

    Raises
    ------
    FrameError
        When the file is truncated or damaged.
    """
    try:
        with gzip.open(path, "rb") as stream:
            yield cast("BinaryIO", stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FrameError(path, f"is truncated or damaged: gzip says {error}", COPY_AGAIN) from error


def read_gzip(path: str, offset: int, length: int) -> bytes:
    """Unpack ``length`` bytes from ``offset`` on, and what may pad the last block, for gzip checks its sum at the end.

    Raises
    ------
    FrameError
        When the file is truncated or damaged.
    """
    with open_gzip(path) as stream:
        stream.seek(offset)
        found = stream.read(length)
        unpacked = stream.tell()
        stream.read(2 * BLOCK)
    if len(found) < length:
        rule = f"is truncated: its header promises {offset + length} bytes, it unpacks to {unpacked}"
        raise FrameError(path, rule, COPY_AGAIN)
    return found


# ---- tile-compressed FITS -------------------------------------------------------------------------------------------


def read_tiles(path: str, hdu: int, rows: slice) -> np.ndarray:
    """Decompress the tiles that hold these rows; values as stored, before BZERO.

    Raises
    ------
    FrameError
        When a tile is damaged.
    """
    from astropy.io import fits  # noqa: PLC0415 - a third of a second that plain FITS files need not wait for

    with (
        _named(path, OSError, ValueError, RuntimeError, KeyError, TypeError, zlib.error),
        fits.open(path, memmap=False, do_not_scale_image_data=True) as units,
    ):
        image = units[hdu]
        degenerate = (0,) * (len(image.shape) - 2)
        stored: np.ndarray = image.section[(*degenerate, rows)]
    return stored


# ---- XISF -----------------------------------------------------------------------------------------------------------


def read_xisf_header(path: str, size: int) -> WrappedImage:
    """Read the XML header of an XISF file; its properties become cards whose key is the property's id.

    Raises
    ------
    FrameError
        When the image is missing, truncated, of several channels, or of a kind that the ``xisf`` package cannot read.
    """
    header = _xisf_bytes(path, size)
    root = _xisf_root(path, header)
    image = root.find("{*}Image")
    if image is None:
        raise FrameError(path, "holds no image", "leave it out")
    shape = _xisf_shape(path, image)
    sample = image.get("sampleFormat", "")
    if sample not in _XISF_TYPES or image.get("byteOrder", "little") != "little":
        rule = f"holds {image.get('byteOrder', 'little')}-endian {sample[:20]} pixels, which cannot be read"
        raise FrameError(path, rule, "save it as FITS in the program that wrote it")
    length = shape[0] * shape[1] * np.dtype(_XISF_TYPES[sample]).itemsize
    _check_xisf_location(path, image, length, size)
    _import_xisf(path)
    described = tuple(Card(key, image.get(key, ""), "") for key in ("sampleFormat", "bounds") if key in image.attrib)
    cards = (
        *described,
        *_xisf_cards(image),
        *(card for part in root.iterfind("{*}Metadata") for card in _xisf_cards(part)),
    )
    return WrappedImage(cards, header, shape, _XISF_TYPES[sample])


def _xisf_bytes(path: str, size: int) -> bytes:
    with Path(path).open("rb") as stream:
        start = stream.read(16)
        length = int.from_bytes(start[8:12], "little")
        if 16 + length > size:
            raise FrameError(path, f"is truncated: its header has {length} bytes, the file {size}", COPY_AGAIN)
        if length > _XISF_LONGEST_HEADER:
            raise FrameError(path, f"has a header of {length} bytes; 64 MiB are the most", "leave it out")
        return stream.read(length).rstrip(b"\0")


def _xisf_root(path: str, header: bytes) -> ET.Element:
    if b"<!DOCTYPE" in header or b"<!ENTITY" in header:
        raise FrameError(path, "declares XML entities, which no XISF file needs", "leave it out")
    try:
        return ET.fromstring(header)  # noqa: S314 - nothing to expand is left
    except ET.ParseError as error:
        raise FrameError(path, f"its XISF header is no XML ({error})", COPY_AGAIN) from error


def _xisf_shape(path: str, image: ET.Element) -> tuple[int, int]:
    geometry = image.get("geometry", "").split(":")
    if not all(part.isascii() and part.isdigit() for part in geometry):
        raise FrameError(path, f"its geometry is {':'.join(geometry)[:40]!r}", "leave it out")
    lengths = [int(part) for part in geometry]
    if len(lengths) != 3 or lengths[2] != 1:
        rule = f"has {' x '.join(map(str, lengths))} pixels; a raw frame has two axes and one channel"
        raise FrameError(path, rule, "leave it out or save one channel by itself")
    return lengths[1], lengths[0]


def _check_xisf_location(path: str, image: ET.Element, length: int, size: int) -> None:
    method, *place = image.get("location", "").split(":")
    if method in ("embedded", "inline"):
        rule = f"its pixels are {method} in the XML header, which the xisf package cannot read"
        raise FrameError(path, rule, "save it again with its pixels attached, or as FITS")
    if method != "attachment" or len(place) != 2 or not all(part.isascii() and part.isdigit() for part in place):
        raise FrameError(
            path, f"its pixels are at {image.get('location', '')[:40]!r}", "save it again as one file or as FITS"
        )
    end = int(place[0]) + int(place[1])
    if end > size:
        raise FrameError(path, f"is truncated: its header promises {end} bytes, the file has {size}", COPY_AGAIN)
    compression = image.get("compression")
    unpacked = compression.split(":")[1:2] if compression else place[1:]
    if unpacked != [str(length)]:
        rule = f"its geometry needs {length} bytes, its pixels have {':'.join(unpacked) or 'none'}"
        raise FrameError(path, rule, COPY_AGAIN)


def _import_xisf(path: str) -> Any:
    try:
        import xisf  # noqa: PLC0415 - an extra
    except ImportError as error:
        rule = "is an XISF file, which needs the extra package xisf"
        raise FrameError(path, rule, 'python -m pip install "dark-frame-workbench[xisf]"') from error
    return xisf


def _xisf_cards(parent: ET.Element) -> Iterator[Card]:
    for keyword in parent.iterfind("{*}FITSKeyword"):
        key = keyword.get("name", "").strip().upper()
        value, comment = keyword.get("value", "").strip(), keyword.get("comment", "")
        if key in ("HISTORY", "COMMENT"):
            yield Card(key, f"{value.strip(chr(39))}{comment}".strip(), "")
        else:
            yield Card(key, value.removeprefix("'").removesuffix("'").rstrip(), comment)
    for entry in parent.iterfind("{*}Property"):
        text = entry.get("value") or entry.text
        if text and "location" not in entry.attrib:
            yield Card(entry.get("id", ""), text.strip(), entry.get("comment", ""))


def read_xisf(path: str) -> np.ndarray:
    """Read the pixels of the first image of an XISF file.

    Raises
    ------
    FrameError
        When the package ``xisf`` is missing or cannot decode them.
    """
    xisf = _import_xisf(path)
    broken = (OSError, ValueError, RuntimeError, KeyError, NotImplementedError, zlib.error, xisf.zstandard.ZstdError)
    with _named(path, *broken):
        pixels: np.ndarray = xisf.XISF(path).read_image(0)[:, :, 0]
    return pixels


# ---- raw files of cameras -------------------------------------------------------------------------------------------


def read_raw_header(path: str) -> WrappedImage:
    """Read what a camera's raw file says of itself; the frame is its visible area, undemosaiced.

    Raises
    ------
    FrameError
        When ``rawpy`` is missing, does not know the file, or the sensor has several layers.
    """
    with _opened_raw(path) as raw:
        if raw.raw_type.name != "Flat":
            raise FrameError(path, "its pixels have several colours each; a frame has one", "leave it out")
        sizes = raw.sizes
        cards = [Card("SATURATE", str(raw.white_level), "white level of the raw file")]
        if raw.raw_pattern is not None and raw.raw_pattern.shape == (2, 2):
            colours = raw.color_desc.decode("ascii")
            cards.append(Card("BAYERPAT", "".join(colours[index] for index in raw.raw_pattern.ravel()), ""))
        # rawpy tells the exposure from 0.25 on
        other = getattr(raw, "other", None)
        if other is not None:
            cards.append(Card("EXPTIME", f"{other.shutter_speed:.9g}", "[s]"))
            cards.append(Card("GAIN", f"{other.iso_speed:.9g}", "ISO"))
            cards.append(Card("DATE-LOC", other.timestamp.isoformat(), "clock of the camera"))
    header = repr((sizes, cards)).encode()
    return WrappedImage(tuple(cards), header, (sizes.height, sizes.width), "<u2")


def read_raw(path: str) -> np.ndarray:
    """Read the visible area of a camera's raw file, undemosaiced.

    Raises
    ------
    FrameError
        When ``rawpy`` is missing or the file is damaged.
    """
    with _opened_raw(path) as raw:
        return np.array(raw.raw_image_visible, np.uint16)


@contextmanager
def _opened_raw(path: str) -> Iterator[Any]:
    try:
        import rawpy  # noqa: PLC0415 - an extra
    except ImportError as error:
        rule = "is a camera's raw file, which needs the extra package rawpy"
        raise FrameError(path, rule, 'python -m pip install "dark-frame-workbench[raw]"') from error
    try:
        with rawpy.imread(path) as raw:
            yield raw
    except rawpy.LibRawError as error:
        raise FrameError(path, f"is no raw file that LibRaw can read ({error})", "save it as FITS") from error
