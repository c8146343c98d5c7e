"""Loops over tiles of 16-bit pixels, compiled by Numba: what :mod:`workbench.stack.fast` is made of.

A tile holds a few dozen neighbouring pixels of all frames, ``[frame][pixel]``, in the processor's first caches. Loops
run over its pixels, many at a time. What a pixel gives does not depend on where its tile begins, nor on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled
from workbench.stack.kept_run import MEAN, MEDIAN, MINIMUM, SUM, finish, settle, spread, swap, tally, tally_outside
from workbench.stack.pixel_loops import pixels_at
from workbench.stack.rejection import KEPT, LOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Tile = NDArray[np.uint16]

__all__ = ["combine_kept", "combine_tiles", "sorted_columns"]

WIDTH = 128  # pixels of a tile
_WINSORIZED, _CLAMP = 1.134, 1.5  # the rule's numbers, see fast.py
_COARSE = 1e-3  # what the first look must be clear by: it is in float32

_u16, _i32, _f32, _i64, _f64, _u64 = np.uint16, np.int32, np.float32, np.int64, np.float64, np.uint64


@compiled
def _load(address: Any, width: int, swapped: bool, row: Tile) -> None:  # noqa: FBT001 - as all flags of kernels
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
def _sort(tile: Tile, network: NDArray[np.int32]) -> None:
    """Sort each pixel's values, lowest first."""
    for c in range(len(network)):
        one, two = _row(tile, _i64(network[c, 0])), _row(tile, _i64(network[c, 1]))
        for p in range(WIDTH):
            low, high = min(one[p], two[p]), max(one[p], two[p])
            one[p], two[p] = low, high


@compiled
def _add(tile: Tile, total: NDArray[np.int32]) -> None:
    """Sum each pixel's values."""
    total[:] = 0
    for k in range(len(tile)):
        row = _row(tile, k)
        for p in range(WIDTH):
            total[p] += _i32(row[p])


@compiled
def _screen(
    tile: Tile,
    total: NDArray[np.int32],
    limits: tuple[float, float],
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
            bound = _f32(_CLAMP) * least[p]
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
        settled[p] = (variance >= enough) & (winsorized * _f32(_WINSORIZED * _WINSORIZED) >= enough)


@compiled
def _keep_all(tile: Tile, total: NDArray[np.int32], width: int, method: int, signal: Singles) -> None:
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
def _spread_all(tile: Tile, total: NDArray[np.int32], width: int, factor: float, std_error: Singles) -> None:
    """Write the standard error of all values of a tile's pixels."""
    n = len(tile)
    low, square = _row(tile, (n - 1) // 2), np.zeros(WIDTH)
    for k in range(n):
        row = _row(tile, k)
        for p in range(WIDTH):
            d = _f64(_i32(row[p]) - _i32(low[p]))
            square[p] += d * d
    for p in range(width):
        std_error[p] = spread(_f64(total[p] - n * _i32(low[p])), square[p], n) * factor


@compiled
def combine_tiles(
    source: tuple[NDArray[np.uint64], bool],
    size: int,
    network: NDArray[np.int32],
    limits: tuple[float, float],
    how: tuple[int, Floats],
    planes: tuple[Any, ...],
    unclear: NDArray[np.int32],
) -> int:
    """Combine pixels by winsorized sigma clipping, and return of how many it was not clear what is to be rejected.

    Parameters
    ----------
    source
        Addresses of the frames' first pixels; whether these are stored as a FITS file stores unsigned integers.
    size
        Pixels of each frame.
    network
        The exchanges that sort a column; empty for values in any order.
    limits
        As the rule has them; ``inf`` on either side rejects nothing there.
    how
        One of the constants above; what the standard deviation of k samples is multiplied by for the standard error.
    planes
        ``(signal, std_error, n_kept, n_low, n_high, flags, frames)`` to fill, as :class:`Planes` has them; those that
        are not wanted are empty, the counts and flags are those of pixels that lose nothing.
    unclear
        Where to write the pixels that are left to do, shape (pixel,).
    """
    addresses, swapped = source
    n, count = len(addresses), 0
    screens = np.isfinite(limits[0]) or np.isfinite(limits[1])
    tile, column = np.empty((n, WIDTH), np.uint16), np.empty(n, np.int32)
    total, settled = np.empty(WIDTH, np.int32), np.ones(WIDTH, np.bool_)
    sums = np.empty((5, WIDTH), np.float32)
    signal, std_error = planes[0], planes[1]
    for first in range(0, size, WIDTH):
        width = min(WIDTH, size - first)
        for k in range(n):
            _load(addresses[k] + _u64(2 * first), width, swapped, tile[k])
        _add(tile, total)
        _sort(tile, network)
        _keep_all(tile, total, width, how[0], signal[first:])
        if std_error.size:
            _spread_all(tile, total, width, how[1][n], std_error[first:])
        if not screens:
            continue
        _screen(tile, total, limits, settled, sums)
        for p in range(width):
            if settled[p]:
                continue
            for k in range(n):
                column[k] = tile[k, p]
            start, stop = settle(column, limits)
            if start == stop:
                unclear[count] = first + p
                count += 1
            elif stop - start < n:
                tally_outside(source, first + p, column, (start, stop), planes[-1])
                finish(first + p, column, (start, stop), how, planes)
    return count


@compiled
def sorted_columns(
    source: tuple[NDArray[np.uint64], bool], pixels: NDArray[np.int32], network: NDArray[np.int32], columns: Floats
) -> None:
    """Write the values of some pixels, sorted, as the loops that reject want them: shape (pixel, frame)."""
    addresses, swapped = source
    n = len(addresses)
    gathered, tile = np.empty(WIDTH, np.uint16), np.empty((n, WIDTH), np.uint16)
    for first in range(0, len(pixels), WIDTH):
        width = min(WIDTH, len(pixels) - first)
        for k in range(n):
            stored = pixels_at(addresses[k], pixels[-1] + 1)
            for p in range(width):
                gathered[p] = stored[pixels[first + p]]
            _load(_u64(gathered.ctypes.data), width, swapped, tile[k])
        _sort(tile, network)
        for p in range(width):
            for k in range(n):
                columns[first + p, k] = tile[k, p]


@compiled
def combine_kept(
    source: tuple[NDArray[np.uint64], bool],
    pixels: NDArray[np.int32],
    columns: Floats,
    states: NDArray[np.uint8],
    how: tuple[int, Floats],
    planes: tuple[Any, ...],
) -> None:
    """Combine what a loop that rejects has kept of some pixels' sorted values."""
    n = columns.shape[1]
    column, kept = np.empty(n, np.int32), np.empty(n, np.int32)
    for j in range(len(pixels)):
        pixel, count, low = _i64(pixels[j]), _i64(0), _i64(0)
        for k in range(n):
            column[k] = _i32(columns[j, k])
            low += states[j, k] == LOW
        for k in range(n):
            if states[j, k] == KEPT:
                kept[low + count] = column[k]
                count += 1
            else:
                tally(source, pixel, column, k, planes[-1][1 if states[j, k] == LOW else 2])
        finish(pixel, kept if count else column, (low, low + count), how, planes)
