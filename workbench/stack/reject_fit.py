"""The methods of rejection that need room to work in: linear fit clipping and the generalised ESD test.

Their loops are as those of :mod:`workbench.stack.reject_loops`, and use some of its functions: see there about what
Numba's cache does not see.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.compiling import compiled
from workbench.stack.reject_loops import _HIGH, _LOW, median_of, negligible, write_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    States = NDArray[np.uint8]
    Run = tuple[int, int]

__all__ = ["esd", "linear_fit"]


@compiled
def gathered(values: Floats, first: int, stop: int, pivot: float, equal: int) -> int:
    """Exchange values until those below the pivot, and with ``equal`` = 1 those equal to it, stand first.

    Returns where they stop. No branch depends on a value: those are guessed wrong half of the time.
    """
    end = first
    for k in range(first, stop):
        value = values[k]
        values[k] = values[end]
        values[end] = value
        end += int(value < pivot) + equal * int(value == pivot)
    return end


@compiled
def nth(values: Floats, n: int, rank: int) -> float:
    """Return the value of a rank among the first ``n``; nothing before it will be above it, nothing behind below."""
    first, stop = 0, n
    while True:
        one, two, three = values[first], values[(first + stop) // 2], values[stop - 1]
        pivot = max(min(one, two), min(max(one, two), three))
        end = gathered(values, first, stop, pivot, 0)
        if rank < end:
            stop = end
            continue
        first = gathered(values, end, stop, pivot, 1)
        if rank < first:
            return float(pivot)


@compiled
def halves(kept: Floats, n: int, slope: float, work: Floats) -> tuple[float, int]:
    """Part the values at the median of what they are above a line of this slope; if n is odd, one is left out.

    Returns the sums of ``kept``, and of the ranks, over the upper half minus those over the lower half: the sum of
    absolute deviations is the first minus ``slope`` times the second.
    """
    for k in range(n):
        work[k] = kept[k] - slope * k
    half = n // 2
    lower = nth(work, n, half - 1)
    upper = np.inf
    for k in range(half, n):
        upper = min(upper, work[k])
    if n % 2 == 1:
        upper = nth(work[half:], n - half, 1)
    more_below, more_above = half, half
    level, tilt = 0.0, 0
    for k in range(n):
        value = kept[k] - slope * k
        below, above = int(value < lower), int(value > upper)
        more_below -= below
        more_above -= above
        tilt += k * (above - below)
        level += kept[k] if above else (-kept[k] if below else 0.0)
    for k in range(n):  # of the values where a half ends, as many as it takes
        value = kept[k] - slope * k
        if value == lower and more_below > 0:
            more_below -= 1
            tilt -= k
            level -= kept[k]
        elif value == upper and more_above > 0:
            more_above -= 1
            tilt += k
            level += kept[k]
    return level, tilt


@compiled
def least_slope(kept: Floats, n: int, work: Floats) -> float:
    """Return the least of the slopes b that make the sum of abs(kept[k] - a - b k) least, ``kept`` ascending.

    With the best a, the sum is a convex chain of straight pieces: level - b tilt, both sums over halves of the values
    (:func:`halves`), and tilt a whole number. Where the pieces known so far below and above the minimum cross is either
    the minimum, or on a piece between them; so the end is reached after at most as many steps as there are pieces, in
    practice a handful, and the slope is a ratio of two sums: no tolerance is involved.
    """
    half = n // 2
    level, tilt = 0.0, 0
    for k in range(half):
        level += kept[n - half + k] - kept[k]
        tilt += n - half
    low_level, low_tilt = level, tilt  # of slope 0; those of a slope beyond all are the same, negative
    high_level, high_tilt = -level, -tilt
    while True:
        slope = (low_level - high_level) / (low_tilt - high_tilt)
        level, tilt = halves(kept, n, slope, work)
        if not high_tilt < tilt < low_tilt:
            return slope
        if tilt > 0:
            low_level, low_tilt = level, tilt
        else:
            high_level, high_tilt = level, tilt


@compiled
def fit(kept: Floats, n: int, above: Floats, work: Floats) -> float:
    """Write by how much the values are above the line of least absolute deviation; return their mean deviation."""
    slope = least_slope(kept, n, work)
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


@compiled
def sums_outwards(values: Floats, n: int, centre: float, sums: Floats) -> None:
    """Add up deviations from the centre, and their squares, from the middle outwards: over [k, middle), [middle, k)."""
    middle = n // 2
    sums[:, middle] = 0.0
    for k in range(middle - 1, -1, -1):
        deviation = values[k] - centre
        sums[0, k] = sums[0, k + 1] + deviation
        sums[1, k] = sums[1, k + 1] + deviation * deviation
    for k in range(middle, n):
        deviation = values[k] - centre
        sums[0, k + 1] = sums[0, k] + deviation
        sums[1, k + 1] = sums[1, k] + deviation * deviation


@compiled
def esd_run(values: Floats, n: int, parameters: Floats, sums: Floats) -> Run:
    """Return the survivors of Rosner's test.

    Mean and spread of what is left come from sums about the median that grow outwards from the middle: what has been
    removed never was in them, so that nothing is lost to rounding.
    """
    centre = median_of(values, 0, n)
    sums_outwards(values, n, centre, sums)
    first, stop, kept = 0, n, (0, n)
    for _ in range(min(max(int(parameters[0] * n), 1), n - 2)):
        left = stop - first
        total = sums[0, first] + sums[0, stop]
        squares = sums[1, first] + sums[1, stop] - total * total / left
        scale = math.sqrt(max(squares, 0.0) / (left - 1))
        if not scale > negligible(values, first, stop):
            break
        below = total / left - (values[first] - centre)
        above = (values[stop - 1] - centre) - total / left
        if above >= below:
            stop -= 1
        else:
            first += 1
        if max(below, above) / scale > parameters[left]:
            kept = first, stop
    return kept


@compiled
def esd(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Generalised ESD test; ``parameters[m]``, from 3 on, is the critical value where m values are left."""
    if columns.shape[1] >= len(parameters):
        raise ValueError("more frames than critical values")
    sums = np.empty((2, columns.shape[1] + 1))
    for p in range(len(counts)):
        first, stop = 0, counts[p]
        if stop > 2:
            first, stop = esd_run(columns[p], stop, parameters, sums)
        write_run(states[p], counts[p], first, stop)
