"""The two methods of rejection that need room to work in: linear fit, and winsorizing with a cutoff.

Their loops are as those of :mod:`workbench.stack.reject_loops`, and use some of its functions: see there about what
Numba's cache does not see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.reject_loops import _HIGH, _LOW, clip, compiled, median_of, negligible, spread, write_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    States = NDArray[np.uint8]
    Run = tuple[int, int]

__all__ = ["linear_fit", "winsorized_with_cutoff"]


@compiled
def cut_spread(values: Floats, first: int, stop: int, centre: float, cutoff: float, work: Floats) -> float:
    """Winsorize a copy of the survivors; values clamped from beyond the cutoff become the centre."""
    n = stop - first
    for k in range(n):
        work[k] = values[first + k]
    scale, zero = spread(work, 0, n), negligible(values, first, stop)
    iteration = 0
    while scale > zero:
        bottom, top = centre - 1.5 * scale, centre + 1.5 * scale
        lowest, highest = centre - cutoff * scale, centre + cutoff * scale
        for k in range(n):
            if work[k] < bottom:
                work[k] = bottom if work[k] > lowest else centre
            elif work[k] > top:
                work[k] = top if work[k] < highest else centre
        before = scale
        scale = 1.134 * spread(work, 0, n)
        iteration += 1
        if iteration > 1 and abs(before - scale) / before < 0.0005:
            break
    return scale


@compiled
def winsorized_with_cutoff(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Winsorized sigma clipping, with a cutoff in the first pass."""
    work = np.empty(columns.shape[1])
    for p in range(len(counts)):
        values = columns[p]
        first, stop, left = 0, counts[p], counts[p] + 1
        cutoff = parameters[2]
        while 3 <= stop - first < left:
            left = stop - first
            centre = median_of(values, first, stop)
            scale = cut_spread(values, first, stop, centre, cutoff, work)
            if not scale > negligible(values, first, stop):
                break
            first, stop = clip(values, (first, stop), centre, scale, parameters)
            cutoff = np.inf
        write_run(states[p], counts[p], first, stop)


@compiled
def nth(values: Floats, n: int, rank: int) -> float:
    """Return the value of a rank among the first ``n``, which are left partly sorted about it (Hoare's selection)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return float(values[rank])


@compiled
def halves(kept: Floats, n: int, slope: float, above: Floats, work: Floats) -> tuple[float, float]:
    """Write the values above a line of this slope, and part them at their median (one of them is left out if n is odd).

    Returns the sums of ``kept``, and of the ranks, over the upper half minus those over the lower half: the sum of
    absolute deviations is the first minus ``slope`` times the second.
    """
    for k in range(n):
        above[k] = work[k] = kept[k] - slope * k
    half = n // 2
    lower, upper = nth(work, n, half - 1), nth(work, n, n - half)  # the ends of the two halves
    more_below, more_above = half, half
    for k in range(n):
        more_below -= above[k] < lower
        more_above -= above[k] > upper
    level, tilt = 0.0, 0.0
    for k in range(n):
        if above[k] < lower or (above[k] == lower and more_below > 0):
            more_below -= above[k] == lower
            level -= kept[k]
            tilt -= k
        elif above[k] > upper or (above[k] == upper and more_above > 0):
            more_above -= above[k] == upper
            level += kept[k]
            tilt += k
    return level, tilt


@compiled
def least_slope(kept: Floats, n: int, above: Floats, work: Floats) -> float:
    """Return the least of the slopes b that make the sum of abs(kept[k] - a - b k) least, ``kept`` ascending.

    With the best a, the sum is a convex chain of straight pieces: level - b tilt, both sums over halves of the values
    (:func:`halves`), and tilt a whole number. Where the pieces known so far below and above the minimum cross is either
    the minimum, or on a piece between them; so the end is reached after at most as many steps as there are pieces, in
    practice a handful, and the slope is a ratio of two sums: no tolerance is involved.
    """
    half = n // 2
    level, tilt = 0.0, 0.0
    for k in range(half):
        level += kept[n - half + k] - kept[k]
        tilt += n - half
    low_level, low_tilt = level, tilt  # of slope 0; those of a slope beyond all are the same, negative
    high_level, high_tilt = -level, -tilt
    while True:
        slope = (low_level - high_level) / (low_tilt - high_tilt)
        level, tilt = halves(kept, n, slope, above, work)
        if not high_tilt < tilt < low_tilt:
            return slope
        if tilt > 0:
            low_level, low_tilt = level, tilt
        else:
            high_level, high_tilt = level, tilt


@compiled
def fit(kept: Floats, n: int, above: Floats, work: Floats) -> float:
    """Write by how much the values are above the line of least absolute deviation; return their mean deviation."""
    slope = least_slope(kept, n, above, work)
    for k in range(n):
        work[k] = kept[k] - slope * k
    centre = nth(work, n, n // 2)
    if n % 2 == 0:
        centre = 0.5 * (nth(work, n, n // 2 - 1) + centre)
    total = 0.0
    for k in range(n):
        above[k] = kept[k] - (centre + slope * k)
        total += abs(above[k])
    return total / n


@compiled
def linear_fit(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Clip about the line of least absolute deviation through the sorted values."""
    kept, above, work = np.empty(columns.shape[1]), np.empty(columns.shape[1]), np.empty(columns.shape[1])
    where = np.empty(columns.shape[1], dtype=np.int64)
    for p in range(len(counts)):
        n = counts[p]
        write_run(states[p], n, 0, n)
        for k in range(n):
            kept[k], where[k] = columns[p, k], k
        left = n + 1 if n >= 5 else n
        while 3 <= n < left:
            left = n
            scale = 2.0 * fit(kept, n, above, work)
            if not scale > negligible(kept, 0, n):
                break
            n = 0
            for k in range(left):
                if above[k] < 0 and -above[k] / scale >= parameters[0]:
                    states[p, where[k]] = _LOW
                elif above[k] >= 0 and above[k] / scale >= parameters[1]:
                    states[p, where[k]] = _HIGH
                else:
                    kept[n], where[n] = kept[k], where[k]
                    n += 1
