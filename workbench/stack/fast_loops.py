"""Loops over tiles of 16-bit pixels, compiled by Numba: what :mod:`workbench.stack.fast` is made of.

A tile holds a few dozen neighbouring pixels of all frames, ``[frame][pixel]``, in the processor's first caches. Loops
run over its pixels, many at a time. What a pixel gives does not depend on where its tile begins, nor on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba.np.numpy_support import carray

from workbench.stack.compiling import compiled, compiled_in_place
from workbench.stack.kept_run import finish, settle, tally, tally_outside
from workbench.stack.pixel_loops import array_at
from workbench.stack.reject_winsorized import winsorized_run
from workbench.stack.rejection import KEPT, LOW
from workbench.stack.tile_job import TILE_WIDTH as WIDTH
from workbench.stack.tile_loops import add_up, keep_all, load, screen, sort, spread_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

__all__ = ["combine_kept", "combine_tiles", "sorted_columns"]

_u8, _u16, _u64, _i32, _i64 = np.uint8, np.uint16, np.uint64, np.int32, np.int64
_f32, _f64 = np.float32, np.float64
# a plain number is a type of its own, for which what takes it would be compiled once more
_WIDTH, _TWO, _THREE, _FIVE = _i64(WIDTH), _i64(2), _i64(3), _i64(5)


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
    network = array_at(job.network, (job.n_exchanges, _TWO), _i32)
    how = (job.method, array_at(job.factors, (job.n_frames + 1,), _f64))
    return _combine(source, job.size, network, array_at(job.limits, (_TWO,), _f64), how, _planes(job), _workspace(job))


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
        array_at(job.frames, (_THREE, job.n_frames), _i64),
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
        array_at(tile, (n, _WIDTH), _u16),
        array_at(column, (n,), _i32),
        array_at(values, (n,), _f64),
        array_at(total, (_WIDTH,), _i32),
        array_at(sums, (_FIVE, _WIDTH), _f32),
        array_at(squares, (_WIDTH,), _f64),
        array_at(settled, (_WIDTH,), np.bool_),
    )


@compiled_in_place
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
            load(addresses[k] + _u64(2 * first), width, swapped, tile[k])
        add_up(tile, total)
        sort(tile, network)
        keep_all(tile, total, width, how[0], signal[first:])
        if std_error.size:
            spread_all(tile, total, width, how[1][n], (squares, std_error[first:]))
        if not screens:
            continue
        screen(tile, total, limits, settled, sums)
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
            load(addresses[k] + _u64(2 * (start + first)), width, swapped, tile[k])
        sort(tile, network)
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
