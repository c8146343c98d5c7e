"""The two methods of rejection that need room to work in: linear fit, and winsorizing with a cutoff.

Their loops are as those of :mod:`workbench.stack.reject_loops`, and use some of its functions: see there about Numba's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.reject_loops import clip, compiled_exactly, median_of, negligible, spread, write_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    States = NDArray[np.uint8]
    Run = tuple[int, int]

__all__ = ["linear_fit", "winsorized_with_cutoff"]


@compiled_exactly
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


@compiled_exactly
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
