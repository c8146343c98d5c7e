"""Loops over the levels of a frame, compiled by Numba: what :mod:`workbench.stack.scale_estimators` is made of.

``values`` ascend, in float32 or float64; ``up_to`` counts the values up to and with each of them. Sums are in float64,
in the order of the levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

__all__ = ["biweight_sums", "nearest_deviation", "pair_difference", "window_deviations"]


@compiled
def nearest_deviation(values: Floats, up_to: Integers, centre: float, rank: int) -> float:
    """Return the ``rank``-th smallest distance from ``centre``, counted from 1: a walk outwards from there."""
    above = np.searchsorted(values, centre)
    below = above - 1
    counted, distance = 0, 0.0
    while counted < rank:
        up = np.float64(values[above]) - centre if above < values.size else np.inf
        down = centre - np.float64(values[below]) if below >= 0 else np.inf
        if down <= up:
            counted += up_to[below] - (up_to[below - 1] if below > 0 else 0)
            distance = down
            below -= 1
        else:
            counted += up_to[above] - (up_to[above - 1] if above > 0 else 0)
            distance = up
            above += 1
    return distance


@compiled
def biweight_sums(values: Floats, up_to: Integers, centre: float, width: float) -> tuple[float, float]:
    """Return the two sums of the biweight midvariance over the values within ``width`` of ``centre``."""
    over, under, before = 0.0, 0.0, 0
    for i in range(values.size):
        count = up_to[i] - before
        before = up_to[i]
        distance = np.float64(values[i]) - centre
        square = (distance / width) ** 2
        if square < 1:
            inside = 1 - square
            over += count * (distance * distance * inside**4)
            under += count * (inside * (1 - 5 * square))
    return over, under


@compiled
def window_deviations(values: Floats, up_to: Integers, width: int) -> Floats:
    """Return for each level the distance of the ``width``-th nearest value, itself the first.

    The nearest values of a level are neighbours in rank, and move up as it does: both ends of the window pass through
    the levels once.
    """
    n_levels, n = values.size, up_to[-1]
    found = np.empty(n_levels)
    start, first, after = (
        0,
        0,
        np.searchsorted(up_to, width, "right"),
    )  # ranks start.. start + width - 1; levels of both
    for i in range(n_levels):
        centre = np.float64(values[i])
        while start + width < n and centre - np.float64(values[first]) > np.float64(values[after]) - centre:
            start += min(up_to[first] - start, up_to[after] - (start + width))
            if start == up_to[first]:
                first += 1
            if start + width == up_to[after]:
                after += 1
        begins = up_to[after - 1] if after > 0 else 0
        last = after if after < n_levels and start + width > begins else after - 1
        found[i] = max(centre - np.float64(values[first]), np.float64(values[last]) - centre)
    return found


@compiled
def _pairs_within(values: Floats, up_to: Integers, distance: float) -> tuple[int, float, float]:
    """Count the pairs of values that are no further apart; return also their greatest and the others' least."""
    found, j, before, within, beyond = 0, 0, 0, 0.0, np.inf
    for i in range(values.size):
        value = np.float64(values[i])
        while j + 1 < values.size and np.float64(values[j + 1]) - value <= distance:
            j += 1
        count = up_to[i] - before
        before = up_to[i]
        found += count * (count - 1) // 2 + count * (up_to[j] - up_to[i])
        within = max(within, np.float64(values[j]) - value)
        if j + 1 < values.size:
            beyond = min(beyond, np.float64(values[j + 1]) - value)
    return found, within, beyond


@compiled
def pair_difference(values: Floats, up_to: Integers, rank: int) -> float:
    """Return the ``rank``-th smallest difference of two values, counted from 1.

    It is searched for among all float64 from zero to the range, by what share of the pairs each step leaves on either
    side: where pairs are many, their number grows evenly. Every other step goes as far again beyond, so that the answer
    is soon closed in from both sides; every fourth halves what is left. Where no difference falls, no step is lost.
    """
    number = np.zeros(1)
    bits = number.view(np.int64)  # as integers, numbers that are not negative stand in the same order
    n_low, _, beyond = _pairs_within(values, up_to, 0.0)
    if n_low >= rank:
        return 0.0
    number[0] = beyond
    low = bits[0] - 1  # the answer is above it
    number[0] = np.float64(values[-1]) - np.float64(values[0])
    high = bits[0]  # and not above that
    n_high = up_to[-1] * (up_to[-1] - 1) // 2
    step = 0
    while high - low > 1:
        step += 1
        middle = low + (high - low) // 2
        if step % 4 > 0:
            bits[0] = low
            least = number[0]
            bits[0] = high
            number[0] = least + (number[0] - least) * ((rank - n_low) / (n_high - n_low))
            guess = bits[0]
            if step % 2 == 0:
                guess += guess - low if guess - low < high - guess else guess - high
            middle = min(max(guess, low + 1), high - 1)
        bits[0] = middle
        found, within, beyond = _pairs_within(values, up_to, number[0])
        if found >= rank:
            number[0] = within
            high, n_high = bits[0], found
        else:
            number[0] = beyond
            low, n_low = bits[0] - 1, found
    bits[0] = high
    return float(number[0])
