"""Loops over the pixels of a tile, compiled by Numba: each pixel's values sorted, summed, screened and combined.

A tile holds a few dozen neighbouring pixels of all frames, ``[frame][pixel]``, in the processor's first caches. Loops
run over its pixels, many at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled
from workbench.stack.kept_run import CLAMP, MEAN, MEDIAN, MINIMUM, SUM, WINSORIZED, spread, swap
from workbench.stack.pixel_loops import pixels_at
from workbench.stack.tile_job import TILE_WIDTH as WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Tile = NDArray[np.uint16]

__all__ = ["add_up", "keep_all", "load", "screen", "sort", "spread_all"]

_COARSE = 1e-3  # what the first look must be clear by: it is in float32

_i32, _i64, _u64, _f32, _f64 = np.int32, np.int64, np.uint64, np.float32, np.float64


@compiled
def load(address: Any, width: int, swapped: bool, row: Tile) -> None:  # noqa: FBT001 - as all flags of kernels
    """Copy pixels of a frame into a row of a tile, as values; the rest of the row becomes zeros."""
    stored = pixels_at(address, width)
    if swapped:
        for p in range(width):
            row[p] = swap(stored[p])
    else:
        for p in range(width):
            row[p] = stored[p]
    for p in range(width, WIDTH):
        row[p] = 0


@compiled
def _row(tile: Tile, frame: Any) -> Tile:
    """Give a row of a tile as long as the compiler knows it to be."""
    return pixels_at(_u64(tile.ctypes.data) + _u64(2 * WIDTH) * _u64(frame), WIDTH)


@compiled
def sort(tile: Tile, network: NDArray[np.int32]) -> None:
    """Sort each pixel's values, lowest first."""
    for c in range(len(network)):
        one, two = _row(tile, _i64(network[c, 0])), _row(tile, _i64(network[c, 1]))
        for p in range(WIDTH):
            low, high = min(one[p], two[p]), max(one[p], two[p])
            one[p], two[p] = low, high


@compiled
def add_up(tile: Tile, total: NDArray[np.int32]) -> None:
    """Sum each pixel's values."""
    total[:] = 0
    for k in range(len(tile)):
        row = _row(tile, k)
        for p in range(WIDTH):
            total[p] += _i32(row[p])


@compiled
def screen(
    tile: Tile,
    total: NDArray[np.int32],
    limits: Floats,
    settled: NDArray[np.bool_],
    sums: Singles,
) -> None:
    """Mark the pixels of a sorted tile of which it is plain that nothing is rejected: see fast.py.

    Standard deviations are compared as squares, and in float32: with a margin that makes up for it.
    """
    n = len(tile)
    square, least, clamped, clamped_square, middle = sums[0], sums[1], sums[2], sums[3], sums[4]
    per_low, per_high = _f32(1 / limits[0]), _f32(1 / limits[1])
    slack = _f32(1 + _COARSE + 1e-6 * n)
    first, last, one, two = _row(tile, _i64(0)), _row(tile, n - 1), _row(tile, (n - 1) // 2), _row(tile, n // 2)
    for p in range(WIDTH):
        middle[p] = _f32(_i32(one[p]) + _i32(two[p])) * _f32(0.5)
        least[p] = max((middle[p] - _f32(first[p])) * per_low, (_f32(last[p]) - middle[p]) * per_high)
        square[p], clamped[p], clamped_square[p] = _f32(0), _f32(0), _f32(0)
    for k in range(n):
        row = _row(tile, k)
        for p in range(WIDTH):
            d = _f32(row[p]) - middle[p]
            bound = _f32(CLAMP) * least[p]
            c = max(min(d, bound), -bound)
            square[p] += d * d
            clamped[p] += c
            clamped_square[p] += c * c
    per_frame, per_dof = _f32(1 / n), _f32(1 / max(n - 1, 1))
    for p in range(WIDTH):
        away = _f32(2 * total[p] - n * (_i32(one[p]) + _i32(two[p]))) * _f32(0.5)
        variance = (square[p] - away * away * per_frame) * per_dof
        winsorized = (clamped_square[p] - clamped[p] * clamped[p] * per_frame) * per_dof
        enough = least[p] * least[p] * slack * slack
        settled[p] = (variance >= enough) & (winsorized * _f32(WINSORIZED * WINSORIZED) >= enough)


@compiled
def keep_all(tile: Tile, total: NDArray[np.int32], width: int, method: int, signal: Singles) -> None:
    """Combine all values of a tile's pixels; for order statistics it has been sorted."""
    n = len(tile)
    first, low, high, last = _row(tile, _i64(0)), _row(tile, (n - 1) // 2), _row(tile, n // 2), _row(tile, n - 1)
    if method == MEAN:
        for p in range(width):
            signal[p] = total[p] / n
    elif method == SUM:
        for p in range(width):
            signal[p] = total[p]
    elif method == MEDIAN:
        for p in range(width):
            signal[p] = (_i32(low[p]) + _i32(high[p])) * 0.5
    else:
        for p in range(width):
            signal[p] = first[p] if method == MINIMUM else last[p]


@compiled
def spread_all(tile: Tile, total: NDArray[np.int32], width: int, factor: float, out: tuple[Floats, Singles]) -> None:
    """Write the standard error of all values of a tile's pixels; the sums of their squares come before it."""
    n = len(tile)
    low, (square, std_error) = _row(tile, (n - 1) // 2), out
    square[:] = 0
    for k in range(n):
        row = _row(tile, k)
        for p in range(WIDTH):
            d = _f64(_i32(row[p]) - _i32(low[p]))
            square[p] += d * d
    for p in range(width):
        std_error[p] = spread(_f64(total[p] - n * _i32(low[p])), square[p], n) * factor
