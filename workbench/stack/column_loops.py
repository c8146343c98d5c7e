"""Loops over the pixels of a block, compiled by Numba: line up the samples of each, and combine those that are kept.

All sums are taken in the order of the frames and in float64, without fast-math: what a pixel gives depends on its own
samples alone, wherever the block was cut and whichever process runs it. What is to be sorted is left to NumPy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled
from workbench.stack.planes import ALL_REJECTED, NO_VALUE
from workbench.stack.recipe import METHODS
from workbench.stack.rejection import HIGH, KEPT, LOW, MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    States = NDArray[np.uint8]

__all__ = ["combine_columns", "gather_columns"]

_SUM, _MINIMUM, _MAXIMUM = METHODS.index("sum"), METHODS.index("min"), METHODS.index("max")


@compiled
def gather_columns(values: Any, rules: Any, columns: Any) -> None:
    """Put the samples of every pixel in a row.

    Parameters
    ----------
    values
        Shape (frame, pixel) [adu]; what is not finite is missing.
    rules
        ``(factor, offset, lowest, highest)``: of each frame, before samples are compared; stored values at or below
        which, and at or above which, samples are rejected at once, NaN for none.
    columns
        To fill, shape (pixel, frame) each but the last: ``(stored, samples, states, counts)``: samples as stored, and
        normalised for comparison, infinite where they are not compared; their states so far; how many are compared.
    """
    factor, offset, lowest, highest = rules
    stored, samples, states, counts = columns
    n, size = values.shape
    for pixel in range(size):
        count = 0
        for frame in range(n):
            value = values[frame, pixel]
            stored[pixel, frame] = value
            samples[pixel, frame] = math.inf
            if not math.isfinite(value):
                states[pixel, frame] = MISSING
            elif value <= lowest:
                states[pixel, frame] = LOW
            elif value >= highest:
                states[pixel, frame] = HIGH
            else:
                states[pixel, frame] = KEPT
                samples[pixel, frame] = value * factor[frame] + offset[frame]
                count += 1
        counts[pixel] = count


@compiled
def _settle(columns: Any, found: States, pixel: int, rules: Any, seen: Integers) -> None:
    """Bring the states of sorted samples into the order of the frames; of equal ones the earlier stand lower."""
    stored, samples, states, counts = columns
    factor, offset, _, _ = rules
    count = counts[pixel]
    if not found[pixel, :count].any():
        return
    seen[:count] = 0
    for frame in range(states.shape[1]):
        if states[pixel, frame] == KEPT:
            sample = stored[pixel, frame] * factor[frame] + offset[frame]
            first, last = 0, count
            while first < last:  # to the first that is not below
                middle = (first + last) // 2
                if samples[pixel, middle] < sample:
                    first = middle + 1
                else:
                    last = middle
            states[pixel, frame] = found[pixel, first + seen[first]]
            seen[first] += 1


@compiled
def _tally(states: States, weights: Floats, frames: Integers) -> tuple[int, int, int, int]:
    """Count what is kept, and rejected as too low and as too high, also for the frames; and what kept has a weight."""
    kept, low, high, weighed = 0, 0, 0, 0
    for frame in range(states.size):
        state = states[frame]
        frames[0, frame] += state != MISSING
        frames[1, frame] += state == LOW
        frames[2, frame] += state == HIGH
        low += state == LOW
        high += state == HIGH
        if state == KEPT:
            kept += 1
            weighed += weights[frame] > 0
    return kept, low, high, weighed


@compiled
def _take(stored: Floats, states: States, most: int, output: Any) -> None:
    """Turn samples up to a state into those of the result, and the others into infinity."""
    factor, offset, _ = output
    for frame in range(states.size):
        if states[frame] <= most:
            stored[frame] = stored[frame] * factor[frame] + offset[frame]
        else:
            stored[frame] = math.inf


@compiled
def _result(taken: Floats, weights: Floats, n: int, method: int) -> tuple[float, float]:
    """Combine n samples in the order of the frames; also return their mean, which the error is about."""
    total, weight = 0.0, 0.0
    low, high = math.inf, -math.inf
    for frame in range(taken.size):
        sample = taken[frame]
        if sample < math.inf:
            total += weights[frame] * sample
            weight += weights[frame]
            low, high = min(low, sample), max(high, sample)
    mean = total / weight
    if method == _SUM:
        return (total if n == taken.size else mean * taken.size), mean
    if method == _MINIMUM:
        return low, mean
    return (high if method == _MAXIMUM else mean), mean


@compiled
def _scatter(taken: Floats, weights: Floats, n: int, mean: float, errors: Floats) -> float:
    """Return the standard error of what n samples were combined to; with ``errors`` empty, that of a weighted mean."""
    total, residue, weight = 0.0, 0.0, 0.0
    for frame in range(taken.size):
        if taken[frame] < math.inf:
            d = weights[frame] * (taken[frame] - mean)
            total += d * d
            residue += d
            weight += weights[frame]
    if errors.size == 0:
        error = math.sqrt(total * n / (n - 1)) / weight
    else:  # what rounding of the mean adds is taken off: the corrected two-pass algorithm
        error = math.sqrt(max(total - residue * residue / n, 0.0) / (n - 1)) * errors[n]
    return error


@compiled
def combine_columns(columns: Any, found: States, rules: Any, output: Any, how: Any, planes: Any) -> None:
    """Combine what is kept of every pixel.

    Parameters
    ----------
    columns, rules
        As :func:`gather_columns` filled them; ``samples`` sorted since. Leaves in ``stored`` the samples that were
        combined, infinite where there is none: of a pixel whose samples were all rejected, all of them.
    found
        The states of the sorted samples, shape (pixel, frame), from the loop that rejects.
    output
        ``(factor, offset, weight)`` of each frame in the result.
    how
        ``(method, has_errors, errors)``: its place in ``METHODS``, whose medians are left to do; whether standard
        errors are asked for; and what :func:`workbench.stack.planes.standard_error_factors` tells, or nothing where
        frames are weighed.
    planes
        ``(signal, std_error, n_kept, n_low, n_high, flags, frames)`` to fill, as in
        :class:`workbench.stack.planes.Planes`, the counts int64.

    Notes
    -----
    A frame of weight 0 takes part in rejection, and counts neither in the result nor in its standard error. A pixel of
    which nothing but such samples is kept has no value: the weighted mean is 0 / 0.
    """
    stored, _, states, counts = columns
    seen = np.empty(states.shape[1], dtype=np.int64)
    method, has_errors, errors = how
    signal, std_error, n_kept, n_low, n_high, flags, frames = planes
    for pixel in range(len(counts)):
        _settle(columns, found, pixel, rules, seen)
        kept, low, high, weighed = _tally(states[pixel], output[2], frames)
        result, error, flag = math.nan, math.nan, 0
        if weighed > 0:
            _take(stored[pixel], states[pixel], KEPT, output)
            result, mean = _result(stored[pixel], output[2], weighed, method)
            if has_errors and weighed > 1:  # a sample that does not count tells nothing of the scatter
                error = _scatter(stored[pixel], output[2], weighed, mean, errors)
        elif kept == 0 and low + high > 0:
            flag = ALL_REJECTED
            _take(stored[pixel], states[pixel], HIGH, output)
        else:
            flag = NO_VALUE
        signal[pixel], std_error[pixel], flags[pixel] = result, error, flag
        n_kept[pixel], n_low[pixel], n_high[pixel] = kept, low, high
