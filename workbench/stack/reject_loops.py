"""Which values of each pixel's stack are rejected: one loop a method, compiled by Numba when that method is first used.

Every loop takes ``(columns, counts, parameters, states)``:

columns : float64 [pixel, frame]
    The values of each pixel in ascending order, finite, the valid ones first.
counts : int64 [pixel]
    How many of a pixel's values are valid.
parameters : float64
    As :func:`workbench.stack.rejection.loop_of` gives them.
states : uint8 [pixel, frame]
    Written: ``KEPT``, ``LOW``, ``HIGH`` of each value of ``columns``, ``MISSING`` beyond the valid ones.

The rules are those of :mod:`workbench.stack.rejection_methods`, taken literally in float64. Survivors are a run of
neighbours in the sorted column, so each method is a function that returns where its run starts and stops. Sums are
taken one value after the other in ascending order of the survivors, without fast-math, so that any code which adds in
that order gives the same bits. Nothing is allocated per pixel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from workbench.stack.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    States = NDArray[np.uint8]
    Run = tuple[int, int]

__all__ = [
    "START",
    "averaged",
    "clip",
    "compiled",
    "mad",
    "median_of",
    "minmax",
    "negligible",
    "none",
    "percentile",
    "sigma",
    "spread",
    "write_run",
]

_KEPT, _LOW, _HIGH, _MISSING = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)
# where a run starts: a plain 0 is a type of its own to Numba, and all that is called would be compiled for it too
START = cast("int", np.int64(0))
_NEGLIGIBLE = 1e-12  # of the largest magnitude: a spread, or a median, of no more than rounding is none


@compiled
def median_of(values: Floats, first: int, stop: int) -> float:
    """Return the middle value of a sorted run, or the mean of the two middle ones."""
    middle = (first + stop) // 2
    if (stop - first) % 2 == 1:
        return float(values[middle])
    return float(0.5 * (values[middle - 1] + values[middle]))


@compiled
def negligible(values: Floats, first: int, stop: int) -> float:
    """Return what counts as zero beside the values of a sorted run."""
    return _NEGLIGIBLE * max(abs(float(values[first])), abs(float(values[stop - 1])))


@compiled
def spread(values: Floats, first: int, stop: int) -> float:
    """Return the sample standard deviation (n - 1) of a run, by the corrected two-pass formula."""
    n = stop - first
    total = 0.0
    for k in range(first, stop):
        total += values[k]
    mean = total / n
    squares, rest = 0.0, 0.0
    for k in range(first, stop):
        deviation = values[k] - mean
        squares += deviation * deviation
        rest += deviation
    return math.sqrt(max(squares - rest * rest / n, 0.0) / (n - 1))


@compiled
def clip(values: Floats, run: Run, centre: float, scale: float, limits: Floats) -> Run:
    """Return what is left of a run without the values more than ``limits`` times ``scale`` away from its centre."""
    first, stop = run
    while first < stop and (centre - values[first]) / scale > limits[0]:
        first += 1
    while first < stop and (values[stop - 1] - centre) / scale > limits[1]:
        stop -= 1
    return first, stop


@compiled
def write_run(states: States, n: int, first: int, stop: int) -> None:
    """Write the states of a sorted column of ``n`` valid values, of which [first, stop) are kept."""
    states[:first] = _LOW
    states[first:stop] = _KEPT
    states[stop:n] = _HIGH
    states[n:] = _MISSING


@compiled
def none(_columns: Floats, counts: Counts, _parameters: Floats, states: States) -> None:
    """Keep all that is valid."""
    for p in range(len(counts)):
        write_run(states[p], counts[p], 0, counts[p])


@compiled
def minmax(_columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Reject so many lowest, then so many highest of what is left."""
    for p in range(len(counts)):
        n = counts[p]
        first = min(np.int64(parameters[0]), n)
        write_run(states[p], n, first, max(n - np.int64(parameters[1]), first))


@compiled
def percentile(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Reject, once, what is off the median by more than a fraction of it."""
    for p in range(len(counts)):
        values, n = columns[p], counts[p]
        first, stop = 0, n
        if n > 1:
            centre = median_of(values, 0, n)
            if abs(centre) > negligible(values, 0, n):
                first, stop = clip(values, (0, n), centre, centre, parameters)
        write_run(states[p], n, first, stop)


@compiled
def sigma_run(values: Floats, n: int, limits: Floats) -> Run:
    """Return the survivors of sigma clipping."""
    first, stop, left = START, n, n + 1
    while 3 <= stop - first < left:
        left = stop - first
        scale = spread(values, first, stop)
        if not scale > negligible(values, first, stop):
            break
        first, stop = clip(values, (first, stop), median_of(values, first, stop), scale, limits)
    return first, stop


@compiled
def sigma(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Sigma clipping about the median."""
    for p in range(len(counts)):
        first, stop = sigma_run(columns[p], counts[p], parameters)
        write_run(states[p], counts[p], first, stop)


@compiled
def deviation_of(values: Floats, first: int, stop: int, centre: float) -> float:
    """Return the median absolute deviation from the centre of a sorted run, walking outwards from its middle."""
    n = stop - first
    right = (first + stop) // 2
    left = right - 1
    before, last = 0.0, 0.0
    for _ in range(n // 2 + 1):
        before = last
        if right >= stop or (left >= first and centre - values[left] < values[right] - centre):
            last = centre - values[left]
            left -= 1
        else:
            last = values[right] - centre
            right += 1
    return last if n % 2 == 1 else 0.5 * (before + last)


@compiled
def mad(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Sigma clipping about the median with sigma = 1.4826 times the median absolute deviation."""
    for p in range(len(counts)):
        values = columns[p]
        first, stop, left = START, counts[p], counts[p] + 1
        while 3 <= stop - first < left:
            left = stop - first
            centre = median_of(values, first, stop)
            scale = 1.4826 * deviation_of(values, first, stop, centre)
            if not scale > negligible(values, first, stop):
                break
            first, stop = clip(values, (first, stop), centre, scale, parameters)
        write_run(states[p], counts[p], first, stop)


@compiled
def averaged_run(values: Floats, n: int, limits: Floats) -> Run:
    """Return the survivors of averaged sigma clipping."""
    first, stop, left = START, n, n + 1
    if n < 3 or not median_of(values, 0, n) > negligible(values, 0, n):
        return first, stop
    centre = median_of(values, 0, n)
    total = 0.0
    for k in range(n):
        deviation = values[k] - centre
        total += deviation * deviation / centre
    noise = math.sqrt(total / (n - 1))
    while 3 <= stop - first < left and centre > negligible(values, first, stop):
        left = stop - first
        scale = noise * math.sqrt(centre)
        if not scale > negligible(values, first, stop):
            break
        first, stop = clip(values, (first, stop), centre, scale, limits)
        centre = median_of(values, first, stop)
    return first, stop


@compiled
def averaged(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Sigma clipping with sigma = s sqrt(median), s from the whole stack."""
    for p in range(len(counts)):
        first, stop = averaged_run(columns[p], counts[p], parameters)
        write_run(states[p], counts[p], first, stop)
