"""What winsorized sigma clipping keeps of one pixel, and its combination, compiled by Numba: see :mod:`.fast` for why.

Values are integers in ascending order, and what is kept is a run of them, given by where it starts and stops. All that
is measured from a median is doubled, so that it is an integer too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled, compiled_in_place
from workbench.stack.pixel_loops import pixels_at
from workbench.stack.planes import ALL_REJECTED
from workbench.stack.recipe import METHODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.int32]
    Run = tuple[Any, Any]

__all__ = ["CLAMP", "WINSORIZED", "finish", "settle", "spread", "swap", "tally", "tally_outside"]

MEAN, MEDIAN, SUM, MINIMUM, MAXIMUM = (METHODS.index(name) for name in ("mean", "median", "sum", "min", "max"))

_u16, _i64, _f64 = np.uint16, np.int64, np.float64
_HALF = _u16(0x8000)  # what FITS, which knows no unsigned 16-bit integers, takes off every value
WINSORIZED, CLAMP, _STEADY = 1.134, 1.5, 0.0005  # the rule's numbers
_MARGIN = 1e-7  # what a decision must be clear by; rounding comes to a tenth of it ...
_LEAST = 2 * 0.1  # ... where the standard deviation, doubled, is no less [adu]
_STEPS = 30  # ... and the steps are no more
_SHRINKS = 0.98  # from step to step, by this at least, down to nothing
_UNCLEAR = _i64(0), _i64(0)


@compiled
def swap(stored: Any) -> Any:
    """Turn what a FITS file stores into the value that it stands for."""
    swapped = _u16(_u16(stored >> _u16(8)) | _u16(stored << _u16(8)))
    return _u16(swapped ^ _HALF)


@compiled
def _clamped(column: Column, run: Run, twice: Any, bound: float, inside: Any) -> Any:
    """Clamp a run to a bound on either side of its median, and return (n - 1) times its variance, and what is inside.

    ``inside`` is what is inside wider bounds: where it starts and stops, what its values and their squares add up to.
    """
    first, last, total, square = inside
    while first < last and 2 * column[first] - twice < -bound:
        d = _i64(2 * column[first] - twice)
        total, square, first = total - d, square - d * d, first + 1
    while first < last and 2 * column[last - 1] - twice > bound:
        d = _i64(2 * column[last - 1] - twice)
        total, square, last = total - d, square - d * d, last - 1
    n, low, high = run[1] - run[0], first - run[0], run[1] - last
    away = _f64(total) + (high - low) * bound
    squares = _f64(square) + (high + low) * (bound * bound)
    return max(squares - away * away * (1 / n), 0.0), (first, last, total, square)


@compiled
def _within(column: Column, run: Run, twice: Any, below: float, above: float) -> Run:
    """Return a run without what is farther from the median."""
    first, last = run
    while first < last and twice - 2 * column[first] > below:
        first += 1
    while first < last and 2 * column[last - 1] - twice > above:
        last -= 1
    return first, last


@compiled
def _stays(column: Column, run: Run, kept: Run, twice: Any, state: tuple[Any, Any], limits: Any) -> bool:
    """Tell whether it is clear that s stays above what would reject one of the values that are kept so far."""
    least, inside = state
    if kept[0] == kept[1] or least < _LEAST:
        return False
    below, above = twice - 2 * column[kept[0]], 2 * column[kept[1] - 1] - twice
    farthest = max(below / limits[0], above / limits[1])
    enough = farthest * (1 + _MARGIN)
    if not 0 < enough <= least:
        return False
    squares, _ = _clamped(column, run, twice, CLAMP * farthest, inside)
    return bool(WINSORIZED * WINSORIZED * squares >= enough * enough * (run[1] - run[0] - 1))


@compiled
def _clip(column: Column, run: Run, sums: tuple[Any, Any], limits: tuple[float, float]) -> Run:
    """Return what a round leaves of a run whose values and their squares add up to ``sums``; (0, 0) if not clear."""
    n = run[1] - run[0]
    twice = _i64(column[run[0] + (n - 1) // 2] + column[run[0] + n // 2])
    total, square = 2 * sums[0] - n * twice, 4 * sums[1] - 4 * twice * sums[0] + n * twice * twice
    inside, kept = (run[0], run[1], total, square), run
    sigma = np.sqrt((_f64(square) - _f64(total) * _f64(total) / n) / (n - 1))
    least, per_square = sigma, WINSORIZED * WINSORIZED / (n - 1)
    if n < len(column) and _stays(column, run, kept, twice, (least, inside), limits):
        return run
    for i in range(1, _STEPS + 1):
        squares, inside = _clamped(column, run, twice, CLAMP * least, inside)
        now = np.sqrt(squares * per_square)
        if inside[3] == 0 and now < _SHRINKS * least:
            return run
        change, few = abs(sigma - now), _STEADY * sigma
        if min(sigma, now) < _LEAST or (i > 1 and abs(change - few) < _MARGIN * sigma):
            return _UNCLEAR
        sigma, least, before = now, min(least, now), kept
        below, above = limits[0] * sigma, limits[1] * sigma
        kept = _within(column, kept, twice, below * (1 + _MARGIN), above * (1 + _MARGIN))
        if i > 1 and change < few:
            nearly = _within(column, kept, twice, below * (1 - _MARGIN), above * (1 - _MARGIN))
            return kept if nearly == kept else _UNCLEAR
        if (i == 1 or kept != before) and _stays(column, run, kept, twice, (least, inside), limits):
            return kept
    return _UNCLEAR


@compiled
def settle(column: Column, limits: tuple[float, float]) -> Run:
    """Return which run of a pixel's sorted values is kept, or an empty one where a decision was not clear."""
    start, stop = _i64(0), _i64(len(column))
    total, square = _i64(0), _i64(0)
    for k in range(len(column)):
        x = _i64(column[k])
        total += x
        square += x * x
    while stop - start >= 3 and column[start] < column[stop - 1]:
        first, last = _clip(column, (start, stop), (total, square), limits)
        if last == first or last - first == stop - start:
            return first, last
        while start < first:
            x = _i64(column[start])
            total, square, start = total - x, square - x * x, start + 1
        while stop > last:
            x = _i64(column[stop - 1])
            total, square, stop = total - x, square - x * x, stop - 1
    return start, stop


@compiled_in_place
def tally(source: tuple[Any, ...], pixel: Any, column: Column, index: Any, counts: NDArray[np.int64]) -> None:
    """Count a sample of a sorted column for the frame it is from: of equal ones, the earlier frame's comes first."""
    addresses, swapped = source
    equal = 0
    while index - equal > 0 and column[index - equal - 1] == column[index]:
        equal += 1
    sought = _u16(column[index])
    if swapped:
        sought = _u16(swap(_u16(sought ^ _HALF)) ^ _HALF)  # as it is stored
    found = -1
    for k in range(len(addresses)):  # to the end: what ends anywhere cannot be foreseen, and costs more
        here = pixels_at(addresses[k], pixel + 1)[pixel] == sought
        found = k if here and equal == 0 else found
        equal -= here
    counts[found] += 1


@compiled_in_place
def tally_outside(source: tuple[Any, ...], pixel: Any, column: Column, run: Run, counts: NDArray[np.int64]) -> None:
    """Count the samples outside of the run that is kept for the frames they are from."""
    for k in range(run[0]):
        tally(source, pixel, column, k, counts[1])
    for k in range(run[1], len(column)):
        tally(source, pixel, column, k, counts[2])


@compiled
def spread(away: Any, square: Any, n: Any) -> Any:
    """Return the standard deviation (n - 1) of values from what they and their squares add up to."""
    return np.sqrt(max(square - away * away / n, 0.0) / (n - 1))


@compiled
def _combined(column: Column, run: Run, method: Any, total: Any) -> float:
    """Combine the values of a run, which is not empty, and which add up to ``total``."""
    start, stop = run
    n, n_frames = stop - start, len(column)
    if method == MEAN:
        return float(total / n)
    if method == SUM:
        return float(total) if n == n_frames else float(total / n * n_frames)
    if method == MEDIAN:
        return float((column[start + (n - 1) // 2] + column[start + n // 2]) / 2)
    return float(column[start] if method == MINIMUM else column[stop - 1])


@compiled_in_place
def finish(pixel: Any, column: Column, run: Run, how: Any, planes: Any) -> None:
    """Combine the run of a pixel's sorted values that is kept, or take the median of all where none is.

    What is outside of the run was rejected; if the run is not empty, only how much of it there is matters.

    Arguments are those of :func:`workbench.stack.fast_loops.combine_tiles`.
    """
    method, factors = how
    signal, std_error, n_kept, n_low, n_high, flags, _ = planes
    start, stop = run
    n, n_frames = stop - start, len(column)
    if flags.size:
        n_kept[pixel], n_low[pixel], n_high[pixel] = n, start, n_frames - stop
        flags[pixel] = 0 if n else ALL_REJECTED
    if n == 0:
        middle = _combined(column, (_i64(0), _i64(n_frames)), _i64(MEDIAN), _i64(0))
        signal[pixel] = middle * (n_frames if method == SUM else 1)
        if std_error.size:
            std_error[pixel] = np.nan
        return
    total = _i64(0)
    for i in range(start, stop):
        total += column[i]
    signal[pixel] = _combined(column, run, method, total)
    if std_error.size:
        low, square = _i64(column[start + (n - 1) // 2]), _i64(0)
        for i in range(start, stop):
            d = column[i] - low
            square += d * d
        std_error[pixel] = spread(_f64(total - n * low), _f64(square), n) * factors[n]
