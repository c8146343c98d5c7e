"""One pass over memory-mapped 16-bit frames that measures all there is to measure, as fast as they can be read."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from workbench.frames.stack_files import whole_frames
from workbench.stack.power_sums import StackSums
from workbench.stack.streamed import gross_shifts
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["fused_levels", "fused_sums", "mapped_frames"]

_WORTHWHILE = 4_000_000  # values, below which NumPy is done before Numba is imported
_MOST_FRAMES = 256  # the composite of more may reach 2**24 adu, from where on float32 leaves integers out
_PART = 2**20  # pixels handed to a thread at a time
_HALF = 32768  # value = stored + this
_SAMPLE = 16, 512  # runs of neighbouring pixels that tell the level of a frame, and pixels in each


def mapped_frames(stack: xr.DataArray) -> list[NDArray[np.int16]] | None:
    """Map the files of a stack, as stored; None where they are not such as the kernels read.

    Those are uncompressed, of unsigned 16-bit integers, and whole: a stack as ``load_stack`` gives it, uncut.
    """
    if not 0 < stack.shape[0] <= _MOST_FRAMES or stack.size < _WORTHWHILE or sys.byteorder != "little":
        return None
    sources = whole_frames(stack)
    if sources is None or stack.dtype != np.uint16 or any(one.dtype != ">i2" or not one.mappable for one in sources):
        return None
    return [np.asarray(source.stored_rows(0, source.shape[0])).reshape(-1) for source in sources]


def fused_levels(
    frames: list[NDArray[np.int16]], saturation: float | None, threads: int | None
) -> tuple[FloatArray, BoolArray]:
    """Return each frame's mean [adu], and which of the pixels, counted through the rows, reach 0 or ``saturation``."""
    from workbench.stack import kernels  # imports Numba, which only those wait for who need it  # noqa: PLC0415

    out = np.zeros(frames[0].size, dtype=bool)
    addresses = _addresses(frames)

    def look(start: int, stop: int) -> NDArray[np.int64]:
        sums = np.zeros(len(addresses), dtype=np.int64)
        kernels.look(addresses, start, stop, _top(saturation), out, sums)
        return sums

    sums = np.sum(_in_parts(look, frames, threads), axis=0)
    return sums / out.size + _HALF, out


def fused_sums(
    frames: list[NDArray[np.int16]],
    frame_means: FloatArray | None,
    excluded: BoolArray | None,
    *,
    shape: tuple[int, int],
    saturation: float | None,
    maps: bool,
    threads: int | None,
) -> StackSums:
    """Add up what a stack tells; without ``frame_means`` it finds its own, and leaves out pixels out of range.

    The powers of differences are exact up to the second, and so are the sums of variances.
    """
    from workbench.stack import kernels  # see above  # noqa: PLC0415

    n, size = len(frames), frames[0].size
    means, level = _rough_means(frames, frame_means, excluded)
    shift = np.rint(means - means[0]).astype(np.int32)
    fraction = (means - means[0] - shift).astype(np.float32)
    references = np.clip(round(level), -shift.min(), 2 * _HALF - 1 - shift.max()) + shift
    fill = (references - _HALF).astype(">i2").view(np.uint16)
    pairs = np.resize(np.arange(n), (n // 2, 2)) if n % 2 == 0 else np.append(np.arange(n), 0).reshape(-1, 2)
    out = np.zeros(size if frame_means is None else 0, dtype=bool)
    written = np.empty((2, size if maps else 0), dtype=np.float32)
    left_out = np.empty(0, dtype=bool) if excluded is None else np.ascontiguousarray(excluded).reshape(-1)
    addresses = _addresses(frames)

    def measure(start: int, stop: int) -> tuple[Any, ...]:
        values, squares = np.zeros(n, dtype=np.int64), np.zeros((len(pairs), 2), dtype=np.int64)
        powers, spread = np.zeros((len(pairs), 4)), np.zeros(3)
        counted = kernels.measure(
            addresses,
            start,
            stop,
            (pairs, shift, fraction, fill),
            left_out,
            _top(saturation),
            out,
            written,
            kernels.scratch(),
            (values, (squares, powers, spread)),
        )
        return counted, values, squares, powers, spread

    parts = zip(*_in_parts(measure, frames, threads), strict=True)
    n_pixels, values, squares, powers, spread = (np.sum(part, axis=0) for part in parts)
    twice, totals, square = spread.tolist()
    dof = max(n - 1, 1)
    mean_map, variance_map = written.reshape(2, *shape) if maps else (None, None)
    return StackSums(
        n_pixels=int(n_pixels),
        references=references.astype(np.float64),
        totals=(values - n_pixels * (references - _HALF)).astype(np.float64),
        pairs=np.column_stack([squares[:, 0], powers[:, :2]])[: n // 2],
        composites=np.column_stack([squares[:, 1], powers[:, 2:]])[: n // 2],
        variances=((twice / 2 - totals / n) / dof, square / dof**2),
        mean_map=mean_map,
        variance_map=variance_map,
        out_of_range=out.reshape(shape) if frame_means is None else None,
    )


def _in_parts(work: Callable[[int, int], Any], frames: list[NDArray[np.int16]], threads: int | None) -> list[Any]:
    """Call ``work`` with where each part of the frames starts and stops, in threads, and then unmap the frames.

    The kernels run without Python's lock, and so does what it takes to unmap a frame: a tenth of the time.
    """
    size = frames[0].size
    starts = range(0, size, _PART)

    def unmap(_: int) -> None:
        frames.pop()

    n_threads = min(threads or processors(), len(starts))
    found = list(in_threads(lambda start: work(start, min(start + _PART, size)), starts, n_threads))
    list(in_threads(unmap, range(len(frames)), n_threads))
    return found


def _addresses(frames: Sequence[NDArray[np.int16]]) -> NDArray[np.uint64]:
    return np.array([frame.ctypes.data for frame in frames], dtype=np.uint64)


def _top(saturation: float | None) -> int:
    """Return the stored value from which on a pixel does not count, or one that none reaches."""
    return _HALF if saturation is None else int(np.clip(math.ceil(saturation), 0, 2 * _HALF)) - _HALF


def _rough_means(
    frames: Sequence[NDArray[np.int16]], frame_means: FloatArray | None, excluded: BoolArray | None
) -> tuple[FloatArray, float]:
    """Return what to remove from each frame [adu], and the level of the first: from a sample of the pixels that count.

    Means that were given are kept unless they are far off.
    """
    size = frames[0].size
    runs, length = _SAMPLE
    where = (np.linspace(0, size - length, runs).astype(np.intp)[:, None] + np.arange(length)).reshape(-1)
    if excluded is not None:
        keep = ~excluded.reshape(-1)
        where = where[keep[where]] if keep[where].sum() > where.size // 2 else np.flatnonzero(keep)[: runs * length]
    used = np.array([frame[where] for frame in frames], dtype=np.float64) + _HALF
    found: FloatArray = used.mean(axis=1)
    means = found if frame_means is None else frame_means + gross_shifts(used - frame_means[:, None])
    return means, float(found[0])
