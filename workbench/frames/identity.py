"""What tells a file from all others: sha256 of the whole, and the DATASUM of its pixels, which header edits keep."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import FrameError
from workbench.frames.fits_header import BLOCK, COPY_AGAIN
from workbench.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.frames.source import FrameSource

_CHUNK = 4 * 2**20  # bytes; stays in the cache from hashing to summing
_WORD = 2**32


@dataclass(frozen=True)
class Identity:
    """What a file was when it was read.

    Parameters
    ----------
    sha256
        Of the whole file, in hexadecimal digits.
    datasum
        Of its image as a FITS data unit: what the DATASUM card of an uncompressed file says (FITS standard 4.0,
        appendix J).
    size, modified
        Bytes, and the time of the last change [ns].
    """

    sha256: str
    datasum: int
    size: int
    modified: int


def identity_of(source: FrameSource) -> Identity:
    """Read a file once and tell what identifies it.

    Raises
    ------
    FrameError
        When the file has gone, or cannot be read to the end of its pixels.
    """
    try:
        with Path(source.path).open("rb", buffering=0) as stream:
            state = os.fstat(stream.fileno())
            if source.container == "fits":
                digest, total = _hash_and_sum(stream, source)
            else:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                total = _sum_of_pixels(source)
    except OSError as error:
        raise FrameError(source.path, f"cannot be read ({error.strerror or error})", "put it back as it was") from error
    return Identity(digest, total, state.st_size, state.st_mtime_ns)


def identities_of(
    sources: Sequence[FrameSource], threads: int | None = None, advance: Callable[[], Any] = lambda: None
) -> list[Identity]:
    """Return :func:`identity_of` each, read by several threads; ``advance`` is called after each file."""

    def look(source: FrameSource) -> Identity:
        found = identity_of(source)
        advance()
        return found

    return list(in_threads(look, sources, threads))


def check_unchanged(source: FrameSource, identity: Identity) -> None:
    """Refuse a file that was changed, replaced or removed since its identity was taken.

    Raises
    ------
    FrameError
        When size or time of change differ, or the file has gone.
    """
    try:
        state = Path(source.path).stat()
    except OSError as error:
        rule = f"has gone while it was being read ({error.strerror})"
        raise FrameError(source.path, rule, "put it back and start again") from error
    if state.st_size < identity.size:
        raise FrameError(source.path, "is truncated: it was cut while it was being read", COPY_AGAIN)
    if (state.st_size, state.st_mtime_ns) != (identity.size, identity.modified):
        raise FrameError(source.path, "was changed while it was being read", "let nothing write there and start again")


def datasum(words: NDArray[np.uint8], total: int = 0) -> int:
    """Sum bytes as FITS does: big-endian 32-bit words in ones' complement (FITS standard 4.0, appendix J).

    Parameters
    ----------
    words
        Bytes in the order of the file; a multiple of 4, or the end of the data, which zeros fill up. They are
        overwritten.
    total
        The sum of what stands before them.

    Examples
    --------
    >>> datasum(np.array([255, 255, 255, 255, 0, 0, 0, 1], np.uint8))
    1
    """
    if words.size % 4:
        words = np.append(words, np.zeros(-words.size % 4, np.uint8))
    numbers = words.view(np.uint32)
    if sys.byteorder == "little":
        numbers.byteswap(inplace=True)  # five times faster than summing a big-endian array
    total += int(numbers.sum(dtype=np.uint64))
    while total >= _WORD:
        total = total % _WORD + total // _WORD
    return total


def _hash_and_sum(stream: Any, source: FrameSource) -> tuple[str, int]:
    """Read a plain FITS file once for both; the blanks that fill up the data unit belong to it."""
    digest, total, place = hashlib.sha256(), 0, 0
    rows, columns = source.shape
    size = rows * columns * np.dtype(source.dtype).itemsize
    start, stop = source.offset, source.offset + -(-size // BLOCK) * BLOCK
    buffer = memoryview(bytearray(_CHUNK))
    chunk = np.frombuffer(buffer, np.uint8)
    while read := stream.readinto(buffer):
        while read % 4 and (more := stream.readinto(buffer[read:])):  # words must not fall apart
            read += more
        digest.update(buffer[:read])
        pixels = chunk[max(start - place, 0) : min(max(stop - place, 0), read)]
        total = datasum(pixels, total) if pixels.size else total
        place += read
    if place < source.offset + size:
        raise FrameError(source.path, "is truncated: it was cut after its header was read", COPY_AGAIN)
    return digest.hexdigest(), total


def _sum_of_pixels(source: FrameSource) -> int:
    """Sum what the pixels of a packed file would be as a FITS data unit."""
    stored = source.stored_rows(0, source.shape[0])
    whole = np.array(stored, dtype=stored.dtype.newbyteorder(">"), order="C", copy=True)
    return datasum(whole.reshape(-1).view(np.uint8))
