"""Winsorized sigma clipping, by the rules of 2017 and with the cutoff of 2019.

The loops are as those of :mod:`workbench.stack.reject_loops`, and use some of its functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.compiling import compiled
from workbench.stack.reject_loops import START, clip, median_of, negligible, spread, write_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    States = NDArray[np.uint8]
    Run = tuple[int, int]

__all__ = ["winsorized", "winsorized_run", "winsorized_spread", "winsorized_with_cutoff"]


@compiled
def clamped_spread(values: Floats, first: int, stop: int, bottom: float, top: float) -> float:
    """Return what :func:`spread` returns of values clamped to [bottom, top]."""
    n = stop - first
    total = 0.0
    for k in range(first, stop):
        value = values[k]
        total += bottom if value < bottom else min(value, top)
    mean = total / n
    squares, rest = 0.0, 0.0
    for k in range(first, stop):
        value = values[k]
        deviation = (bottom if value < bottom else min(value, top)) - mean
        squares += deviation * deviation
        rest += deviation
    return math.sqrt(max(squares - rest * rest / n, 0.0) / (n - 1))


@compiled
def nearest(values: Floats, first: int, stop: int, centre: float) -> float:
    """Return the distance from the centre of the value nearest to it that is not the same."""
    left = (first + stop) // 2
    right = left
    while left >= first and values[left] >= centre:
        left -= 1
    while right < stop and values[right] <= centre:
        right += 1
    below = centre - values[left] if left >= first else math.inf
    above = values[right] - centre if right < stop else math.inf
    return float(min(below, above))


@compiled
def winsorized_spread(values: Floats, first: int, stop: int, centre: float) -> float:
    """Iterate sigma = 1.134 SD(values clamped to centre -+ 1.5 sigma).

    Clamping what was clamped before is clamping to the narrowest bounds so far, to the bit, so that no copy is needed.
    Once all values but the centre's own are clamped, sigma changes by the same factor each time: one below 0.9995 leads
    to zero, in up to thousands of steps, which are not waited for. On coarse lattices that is the common case.
    """
    scale, zero, gap = (
        spread(values, first, stop),
        negligible(values, first, stop),
        nearest(values, first, stop, centre),
    )
    width = math.inf
    iteration = 0
    while scale > zero:
        shut = width < gap
        width = min(width, 1.5 * scale)
        before = scale
        scale = 1.134 * clamped_spread(values, first, stop, centre - width, centre + width)
        iteration += 1
        if iteration > 1 and abs(before - scale) / before < 0.0005:
            break
        if shut and scale < before:
            return 0.0
    return scale


@compiled
def winsorized_run(values: Floats, n: int, limits: Floats) -> Run:
    """Return the survivors of winsorized sigma clipping."""
    first, stop, left = START, n, n + 1
    while 3 <= stop - first < left:
        left = stop - first
        centre = median_of(values, first, stop)
        scale = winsorized_spread(values, first, stop, centre)
        if not scale > negligible(values, first, stop):
            break
        first, stop = clip(values, (first, stop), centre, scale, limits)
    return first, stop


@compiled
def winsorized(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Winsorized sigma clipping by the rules of 2017."""
    for p in range(len(counts)):
        first, stop = winsorized_run(columns[p], counts[p], parameters)
        write_run(states[p], counts[p], first, stop)


@compiled
def cut_spread(values: Floats, first: int, stop: int, centre: float, cutoff: float, work: Floats) -> float:
    """Winsorize a copy of the survivors; values clamped from beyond the cutoff become the centre.

    As in ``winsorized_spread``, steps that lead nowhere but to zero are not waited for.
    """
    n = stop - first
    for k in range(n):
        work[k] = values[first + k]
    scale, zero, gap = spread(work, 0, n), negligible(values, first, stop), nearest(values, first, stop, centre)
    width = math.inf
    iteration = 0
    while scale > zero:
        shut = width < gap
        width = 1.5 * scale
        bottom, top = centre - width, centre + width
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
        if shut and scale < before:
            return 0.0
    return scale


@compiled
def winsorized_with_cutoff(columns: Floats, counts: Counts, parameters: Floats, states: States) -> None:
    """Winsorized sigma clipping, with a cutoff in the first pass."""
    work = np.empty(columns.shape[1])
    for p in range(len(counts)):
        values = columns[p]
        first, stop, left = START, counts[p], counts[p] + 1
        while 3 <= stop - first < left:
            centre = median_of(values, first, stop)
            if left > counts[p]:
                scale = cut_spread(values, first, stop, centre, parameters[2], work)
            else:
                scale = winsorized_spread(values, first, stop, centre)
            left = stop - first
            if not scale > negligible(values, first, stop):
                break
            first, stop = clip(values, (first, stop), centre, scale, parameters)
        write_run(states[p], counts[p], first, stop)
