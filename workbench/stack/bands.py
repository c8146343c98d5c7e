"""A stack, band by band: every file is read once a pass, and what is in memory at a time does not grow with the stack.

Uncompressed frames are read a band of rows at a time, as :func:`workbench.frames.load.load_stack` cuts them. A frame
that is compressed comes whole or not at all: a stack of those which is too large to be held at once is unpacked into a
temporary file without a name, and read from there.
"""

from __future__ import annotations

import math
import tempfile
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.errors import InputError
from workbench.threads import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da
    import xarray as xr
    from numpy.typing import NDArray

_READ_VALUES = 4_000_000  # values read at once: few, large reads
_BAND_VALUES = 250_000  # values worked on at once: 2 MB in float64 stay in the processor's cache
_HELD_BYTES = 128 * 2**20  # what may be read at once; of whole frames no more than this is kept in memory
_UNPACK_BYTES = 256 * 2**20  # what unpacking may take: some three times the frames that are unpacked at a time


def bands(stack: xr.DataArray) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield ``(rows, values)`` of a ``frame, y, x`` stack, band by band; values have shape (frame, rows, x).

    Raises
    ------
    FrameError
        When a file has gone, or is damaged.
    InputError
        When the folder of temporary files has no room for a large stack of compressed frames.
    """
    rows = max(1, _BAND_VALUES // (stack.shape[0] * stack.shape[2]))
    start = 0
    with _reader(stack) as (read, ends):
        for end in ends:
            values = read(start, end)
            for first in range(0, end - start, rows):
                last = min(first + rows, end - start)
                yield slice(start + first, start + last), values[:, first:last]
            del values  # else it stays while the next is read
            start = end


@contextmanager
def _reader(stack: xr.DataArray) -> Iterator[tuple[Callable[[int, int], NDArray[Any]], list[int]]]:
    """Give a function that reads the rows ``start`` to ``stop - 1`` of all frames, and where each read ends."""
    n_frames, height, width = stack.shape
    rows = max(1, _READ_VALUES // (n_frames * width))
    anywhere = [*range(rows, height, rows), height]
    if stack.chunks is None:
        yield lambda start, stop: stack.to_numpy()[:, start:stop], anywhere
    elif n_frames * max(stack.chunks[1]) * width * stack.dtype.itemsize <= _HELD_BYTES:
        ends = np.cumsum(stack.chunks[1])
        # the last chunk end within each multiple of `rows`; a chunk larger than that is read by itself
        last = {int(end - 1) // rows: int(end) for end in ends}
        yield lambda start, stop: np.asarray(stack[:, start:stop].data), sorted({*last.values(), height})
    else:
        with tempfile.TemporaryFile() as file:
            spool = _Spool(file, stack.shape, stack.dtype)
            spool.fill(stack.data)
            yield spool.read, anywhere


class _Spool:
    """A stack in a file, frame after frame. Written and read, not mapped: a full disk is an error and not a crash."""

    def __init__(self, file: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._file, self._shape, self._dtype = file, shape, dtype
        self._lock = Lock()

    def fill(self, stack: da.Array) -> None:
        """Unpack every chunk once, a few at a time."""
        from dask.array import store  # imported long ago by whoever made the stack  # noqa: PLC0415

        whole = stack.rechunk({2: -1})  # type: ignore[no-untyped-call]
        chunk = math.prod(map(max, whole.chunks)) * self._dtype.itemsize
        workers = max(1, min(processors(), _UNPACK_BYTES // (3 * chunk)))
        store(whole, cast("Any", self), lock=False, scheduler="threads", num_workers=workers)

    def __setitem__(self, key: tuple[slice, slice, slice], block: NDArray[Any]) -> None:
        frames, rows, _ = key
        for frame, values in zip(range(frames.start, frames.stop), block, strict=True):
            with self._lock:
                try:
                    self._file.seek(self._place(frame, rows.start))
                    self._file.write(np.ascontiguousarray(values))
                except OSError as error:
                    size = math.prod(self._shape) * self._dtype.itemsize / 2**20
                    rule = f"cannot hold the {size:.0f} MiB that these compressed frames unpack to ({error.strerror})"
                    raise InputError(
                        tempfile.gettempdir(), rule, "make room, or set TMPDIR to another folder"
                    ) from error

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read a band of all frames."""
        values = np.empty((self._shape[0], stop - start, self._shape[2]), self._dtype)
        for frame, band in enumerate(values):
            self._file.seek(self._place(frame, start))
            self._file.readinto(band)
        return values

    def _place(self, frame: int, row: int) -> int:
        return (frame * self._shape[1] + row) * self._shape[2] * self._dtype.itemsize
