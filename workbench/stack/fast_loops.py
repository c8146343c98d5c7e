"""Loops over tiles of 16-bit pixels, compiled by Numba: what :mod:`workbench.stack.fast` is made of.

A tile holds a few dozen neighbouring pixels of all frames, ``[frame][pixel]``, in the processor's first caches. Loops
run over its pixels, many at a time. What a pixel gives does not depend on where its tile begins, nor on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba.np.numpy_support import carray

from workbench.stack.compiling import compiled
from workbench.stack.kept_run import MEAN, MEDIAN, MINIMUM, SUM, finish, settle, spread, swap, tally, tally_outside
from workbench.stack.pixel_loops import array_at, pixels_at
from workbench.stack.reject_winsorized import winsorized_run
from workbench.stack.rejection import KEPT, LOW
from workbench.stack.tile_job import TILE_WIDTH as WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Tile = NDArray[np.uint16]

__all__ = ["combine_kept", "combine_tiles", "sorted_columns"]

_WINSORIZED, _CLAMP = 1.134, 1.5  # the rule's numbers, see fast.py
_COARSE = 1e-3  # what the first look must be clear by: it is in float32

_u8, _u16, _u64, _i32, _i64 = np.uint8, np.uint16, np.uint64, np.int32, np.int64
_f32, _f64 = np.float32, np.float64


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
def _spread_all(tile: Tile, total: NDArray[np.int32], width: int, factor: float, out: tuple[Floats, Singles]) -> None:
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


def combine_tiles(jobs: Any) -> int:
    """Combine pixels by winsorized sigma clipping, or all of their values.

    Parameters
    ----------
    jobs
        Pointer to a record of :data:`workbench.stack.tile_job.TILE_JOB`. The counts and flags that it names are those
        of pixels that lose nothing.

    Returns
    -------
    int
        Of how many pixels the literal loop had to tell what is rejected.
    """
    job = carray(jobs, 1)[0]
    source = (array_at(job.addresses, (job.n_frames,), _u64), job.swapped != 0)
    network = array_at(job.network, (job.n_exchanges, 2), _i32)
    how = (job.method, array_at(job.factors, (job.n_frames + 1,), _f64))
    return _combine(source, job.size, network, array_at(job.limits, (2,), _f64), how, _planes(job), _workspace(job))


@compiled
def _planes(job: Any) -> tuple[Any, ...]:
    """Give the planes to fill; those that are not wanted are empty."""
    errors, counts = job.size * (job.std_error != 0), job.size * (job.n_kept != 0)
    return (
        array_at(job.signal, (job.size,), _f32),
        array_at(job.std_error, (errors,), _f32),
        array_at(job.n_kept, (counts,), _u16),
        array_at(job.rejected_low, (counts,), _u16),
        array_at(job.rejected_high, (counts,), _u16),
        array_at(job.flags, (counts,), _u8),
        array_at(job.frames, (3, job.n_frames), _i64),
    )


@compiled
def _workspace(job: Any) -> tuple[Any, ...]:
    """Cut a job's workspace into a tile, columns of integers and of floats, and sums of a tile's pixels."""
    n, squares = job.n_frames, _u64(job.workspace)
    values = squares + _u64(8 * WIDTH)
    column = values + _u64(8 * n)
    total = column + _u64(4 * n)
    sums = total + _u64(4 * WIDTH)
    tile = sums + _u64(4 * 5 * WIDTH)
    settled = tile + _u64(2 * WIDTH * n)
    return (
        array_at(tile, (n, WIDTH), _u16),
        array_at(column, (n,), _i32),
        array_at(values, (n,), _f64),
        array_at(total, (WIDTH,), _i32),
        array_at(sums, (5, WIDTH), _f32),
        array_at(squares, (WIDTH,), _f64),
        array_at(settled, (WIDTH,), np.bool_),
    )


@compiled
def _clip(
    where: tuple[Any, Any],
    columns: tuple[Any, Floats],
    limits: Floats,
    how: tuple[int, Floats],
    planes: tuple[Any, ...],
) -> bool:
    """Combine a pixel that may lose something, and tell whether only the literal loop could say what."""
    (source, pixel), (column, values) = where, columns
    n = len(column)
    run = settle(column, (limits[0], limits[1]))
    literally = run[0] == run[1]
    if literally:
        for k in range(n):
            values[k] = column[k]
        run = winsorized_run(values, n, limits)
    if run[1] - run[0] < n:
        tally_outside(source, pixel, column, run, planes[-1])
        finish(pixel, column, run, how, planes)
    return bool(literally)


@compiled
def _combine(
    source: tuple[NDArray[np.uint64], bool],
    size: int,
    network: NDArray[np.int32],
    limits: Floats,
    how: tuple[int, Floats],
    planes: tuple[Any, ...],
    workspace: tuple[Any, ...],
) -> int:
    """Combine pixels tile by tile; the names are those of a job."""
    addresses, swapped = source
    n, literally = len(addresses), 0
    screens = np.isfinite(limits[0]) or np.isfinite(limits[1])
    tile, column, values, total, sums, squares, settled = workspace
    signal, std_error = planes[0], planes[1]
    for first in range(0, size, WIDTH):
        width = min(WIDTH, size - first)
        for k in range(n):
            _load(addresses[k] + _u64(2 * first), width, swapped, tile[k])
        _add(tile, total)
        _sort(tile, network)
        _keep_all(tile, total, width, how[0], signal[first:])
        if std_error.size:
            _spread_all(tile, total, width, how[1][n], (squares, std_error[first:]))
        if not screens:
            continue
        _screen(tile, total, limits, settled, sums)
        for p in range(width):
            if not settled[p]:
                for k in range(n):
                    column[k] = tile[k, p]
                literally += _clip((source, first + p), (column, values), limits, how, planes)
    return literally


@compiled
def sorted_columns(
    source: tuple[NDArray[np.uint64], bool], start: int, network: NDArray[np.int32], columns: Floats
) -> None:
    """Write the values of pixels from ``start`` on, sorted, as loops that reject want them: shape (pixel, frame)."""
    addresses, swapped = source
    n, size = len(addresses), len(columns)
    tile = np.empty((n, WIDTH), np.uint16)
    for first in range(0, size, WIDTH):
        width = min(WIDTH, size - first)
        for k in range(n):
            _load(addresses[k] + _u64(2 * (start + first)), width, swapped, tile[k])
        _sort(tile, network)
        for p in range(width):
            for k in range(n):
                columns[first + p, k] = tile[k, p]


@compiled
def combine_kept(
    source: tuple[NDArray[np.uint64], bool],
    start: int,
    columns: Floats,
    states: NDArray[np.uint8],
    how: tuple[int, Floats],
    planes: tuple[Any, ...],
) -> None:
    """Combine what a loop that rejects has kept of the sorted values of pixels from ``start`` on."""
    n = columns.shape[1]
    column, kept = np.empty(n, np.int32), np.empty(n, np.int32)
    for j in range(len(columns)):
        pixel, count, low = _i64(start + j), _i64(0), _i64(0)
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
