"""One pass over all pixels of mapped 16-bit frames, nearly as fast as memory hands them over.

Numba takes a while to import, so that only what is about to run a kernel imports this module.

A block of pixels stays in the processor's first caches, together with the few values that are kept of each. Pixels that
do not count are filled with their frame's reference there, which leaves zeros in all sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled_in_any_order
from workbench.stack.pixel_loops import (
    ZERO,
    add_first_pair,
    add_pair,
    add_pair_exactly,
    fill,
    mark,
    pixels_at,
    spread,
    sum_and_range,
    write_maps,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int32]
    Pixels = NDArray[np.uint16]

__all__ = ["look", "measure", "scratch"]

_BLOCK = 2048  # pixels
_RUN = 2  # blocks of one frame that are summed at once
_CHUNK = 24  # blocks of one frame that are read in a row, for the processor to fetch what follows
_EXACT_POWER = 2.0**61 / _BLOCK  # sum d^4 below which sum d^2 < 2^31, since (sum d^2)^2 <= n sum d^4


@compiled_in_any_order
def _add_block(
    frames: NDArray[np.uint64], size: int, pairs: NDArray[np.int64], shift: Integers, work: tuple[Any, ...], sums: Any
) -> None:
    """Add a block of all frames to the sums over pixels."""
    squares, powers, variances = sums
    twice, run, total, square = work[0][:size], work[1][:size], work[2][:size], work[3][:size]
    n = len(frames)
    found = np.empty((len(pairs), 2), np.int64)
    one, two = pixels_at(frames[0], size), pixels_at(frames[pairs[0, 1]], size)
    d2, d3, d4 = add_first_pair(one, two, twice, run, total, square, shift[pairs[0, 1]])
    found[0] = d2
    powers[0] += np.array([d3, d4, d3, d4])
    exact = d4 < _EXACT_POWER
    for j in range(1, len(pairs)):
        k, m = pairs[j]
        one, two = pixels_at(frames[k], size), pixels_at(frames[m], size)
        d2, c2, d3, d4, c3, c4 = add_pair(
            one, two, twice, run, total, square, np.int32(shift[k] + shift[m]), np.int32(shift[k] - shift[m])
        )
        found[j, 0], found[j, 1] = d2, c2
        powers[j, 0] += d3
        powers[j, 1] += d4
        powers[j, 2] += c3
        powers[j, 3] += c4
        exact &= (d4 < _EXACT_POWER) & (c4 < _EXACT_POWER)
    all_squares, totals, variance_squares, inexact = spread(total, square, n)
    if not exact or inexact:  # a cosmic ray, as a rule
        all_squares = 0.0
        far = np.zeros(size, np.int64)
        for j in range(len(pairs)):
            k, m = pairs[j]
            one, two = pixels_at(frames[k], size), pixels_at(frames[m], size)
            found[j, 0], found[j, 1], both = add_pair_exactly(
                one, two, twice, far, shift[k] + shift[m], shift[k] - shift[m]
            )
            all_squares += both
    squares += found
    variances[0] += all_squares
    variances[1] += totals
    variances[2] += variance_squares


@compiled_in_any_order
def look(
    frames: NDArray[np.uint64], start: int, stop: int, top: int, out: NDArray[np.bool_], sums: NDArray[np.int64]
) -> None:
    """Add the pixels ``start`` to ``stop - 1`` of each frame to its sum, and mark those that are 0 or reach ``top``."""
    for k in range(len(frames)):
        frame = pixels_at(frames[k], stop)
        for first in range(start, stop, _RUN * _BLOCK):
            block = slice(first, min(first + _RUN * _BLOCK, stop))
            total, low, high = sum_and_range(frame[block])
            sums[k] += total
            if low == ZERO or high >= top:
                mark(frame[block], top, out[block])


@compiled_in_any_order
def _read(
    frames: NDArray[np.uint64], start: int, stop: int, top: int, suspect: NDArray[np.bool_], sums: NDArray[np.int64]
) -> None:
    """Add pixels of each frame to its sum, and tell the runs of blocks that hold a pixel out of range."""
    suspect[:] = False
    for k in range(len(frames)):
        frame = pixels_at(frames[k], stop)
        for r, first in enumerate(range(start, stop, _RUN * _BLOCK)):
            total, low, high = sum_and_range(frame[first : min(first + _RUN * _BLOCK, stop)])
            sums[k] += total
            suspect[r] |= low == ZERO or high >= top


@compiled_in_any_order
def _mask(
    frames: NDArray[np.uint64],
    excluded: NDArray[np.bool_],
    out: NDArray[np.bool_],
    block: slice,
    top: int,
    suspect: bool,  # noqa: FBT001 - compiled functions take no keywords here
    mask: NDArray[np.bool_],
) -> int:
    """Mask the pixels of a block that do not count, and return how many there are."""
    if not excluded.size and not (out.size and suspect):
        return 0
    mask[:] = False
    if excluded.size:
        mask[:] = excluded[block]
    if out.size and suspect:
        for k in range(len(frames)):
            mark(pixels_at(frames[k], mask.size), top, out[block])
        mask |= out[block]
    return int(mask.sum())


@compiled_in_any_order
def measure(
    frames: NDArray[np.uint64],
    start: int,
    stop: int,
    references: tuple[NDArray[np.int64], Integers, Floats, Pixels],
    excluded: NDArray[np.bool_],
    top: int,
    out: NDArray[np.bool_],
    maps: Floats,
    work: tuple[Any, ...],
    sums: tuple[NDArray[np.int64], tuple[NDArray[Any], ...]],
) -> int:
    """Add the pixels ``start`` to ``stop - 1`` to all sums, and return how many of them count.

    Parameters
    ----------
    frames
        Addresses of the frames' first pixels.
    start, stop
        Pixels, counted through the rows.
    references
        The two frames of each pair, shape (pair, 2), the last of an odd number paired with the first; how far each
        frame's reference lies above the first's, in whole adu and the fraction beyond; the references as stored.
    excluded
        Pixels that do not count; empty for none.
    top
        The stored value from which on a pixel does not count.
    out
        Where to mark the pixels that are 0 or reach ``top``, which then do not count; empty to count them.
    maps
        Where to write mean and variance of each pixel, shape (2, pixel); empty to write none.
    work
        What :func:`scratch` gives.
    sums
        Of each frame's stored values, shape (frame,); and what ``_add_block`` adds to.
    """
    pairs, shift, fraction, blank = references
    n, counted = len(frames), 0
    here, there = np.empty(n, np.uint64), np.empty(n, np.uint64)
    filled = np.empty((n, _BLOCK), np.uint16)
    for k in range(n):
        there[k] = filled[k].ctypes.data
    suspect, mask = np.empty(_CHUNK // _RUN, np.bool_), np.empty(_BLOCK, np.bool_)
    for chunk in range(start, stop, _CHUNK * _BLOCK):
        end = min(chunk + _CHUNK * _BLOCK, stop)
        _read(frames, chunk, end, top, suspect, sums[0])
        for b, first in enumerate(range(chunk, end, _BLOCK)):
            block = slice(first, min(first + _BLOCK, end))
            size = block.stop - first
            for k in range(n):
                here[k] = frames[k] + np.uint64(2 * first)
            n_masked = _mask(here, excluded, out, block, top, suspect[b // _RUN], mask[:size])
            counted += size - n_masked
            if maps.size:
                write_maps(here, shift, fraction, maps[0, block], maps[1, block])
            if n_masked:
                for k in range(n):
                    sums[0][k] -= fill(pixels_at(here[k], size), mask, blank[k], filled[k])
                    here[k] = there[k]
            if n_masked < size:
                _add_block(here, size, pairs, shift, work, sums[1])
    return counted


def scratch() -> tuple[NDArray[Any], ...]:
    """Return room for what is kept of each pixel of a block, aligned with the lines of the processor's cache."""
    room = np.zeros(4 * 4 * _BLOCK + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    rows = room[start : start + 4 * 4 * _BLOCK].reshape(4, -1)
    return tuple(row.view(kind) for row, kind in zip(rows, (np.int32, np.int32, np.int32, np.float32), strict=True))
