"""Rejection and combination of one pixel's stack as the definitions say it, in plain Python, one value after another.

Written from the published rules alone and without a look at the package, so that the two can disagree. Sums are
``math.fsum``: exact but for one rounding. Every decision notes how near it was to falling the other way, so that a
comparison can tell a tie from a fault.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

KEPT, LOW, HIGH = 0, 1, 2


@dataclass
class Outcome:
    """What became of the values of one pixel, in ascending order, and the narrowest decision on the way."""

    values: list[float]
    states: list[int]
    margin: float = math.inf

    @property
    def survivors(self) -> list[float]:
        return [value for value, state in zip(self.values, self.states, strict=True) if state == KEPT]


@dataclass
class Decisions:
    """Comparisons that remember the smallest relative distance from their limit."""

    margin: float = math.inf

    def note(self, distance: float) -> None:
        self.margin = min(self.margin, abs(distance))

    def exceeds(self, deviation: float, sigma: float, limit: float, *, or_equals: bool = False) -> bool:
        """Tell whether deviation / sigma > limit; a deviation of zero or to the other side never does."""
        if deviation <= 0 or math.isinf(limit):
            return False
        if sigma == 0:
            return True
        ratio = deviation / sigma
        self.note((ratio - limit) / max(limit, 1.0))
        return ratio >= limit if or_equals else ratio > limit


def mean(values):
    return math.fsum(values) / len(values)


def median(ascending):
    half = len(ascending) // 2
    return ascending[half] if len(ascending) % 2 else (ascending[half - 1] + ascending[half]) / 2


def deviation(values):
    """Standard deviation with n - 1, the mean's own rounding error corrected for."""
    centre = mean(values)
    differences = [value - centre for value in values]
    squares = math.fsum(d * d for d in differences) - math.fsum(differences) ** 2 / len(values)
    return math.sqrt(max(squares, 0.0) / (len(values) - 1))


def vanishes(sigma, values):
    """Tell whether a deviation is next to zero for values of this size."""
    return sigma <= 1e-12 * max(abs(values[0]), abs(values[-1]))


def run(below, above, n):
    """Return the states of ascending values of which those at both ends are rejected."""
    return [LOW] * below + [KEPT] * (n - below - above) + [HIGH] * above


def clip(values, scatter, low, high, decisions):
    """Reject by (centre, sigma) of the survivors, over and over, until none goes or fewer than three are left.

    ``scatter`` gives (centre, sigma) of an ascending list, or None where the pixel is to be left as it is.
    """
    first, last = 0, len(values)  # what survives is a run of the ascending values
    while last - first >= 3:
        found = scatter(values[first:last])
        if found is None:
            break
        centre, sigma = found
        below = sum(decisions.exceeds(centre - value, sigma, low) for value in values[first:last])
        above = sum(decisions.exceeds(value - centre, sigma, high) for value in values[first:last])
        if below + above == 0:
            break
        first, last = first + below, last - above
    return run(first, len(values) - last, len(values))


def none(values, decisions):  # noqa: ARG001
    return [KEPT] * len(values)


def minmax(values, decisions, low=1, high=1):  # noqa: ARG001
    below = min(low, len(values))
    return run(below, min(high, len(values) - below), len(values))


def percentile(values, decisions, low=0.2, high=0.1):
    centre = median(values)
    if len(values) < 2 or vanishes(abs(centre), values):
        return [KEPT] * len(values)
    below = sum(decisions.exceeds((centre - value) / centre, 1.0, low) for value in values if value < centre)
    above = sum(decisions.exceeds((value - centre) / centre, 1.0, high) for value in values if value > centre)
    return run(below, above, len(values))


def sigma(values, decisions, low=4.0, high=3.0):
    def scatter(kept):
        centre, sigma_ = median(kept), deviation(kept)
        return None if vanishes(sigma_, kept) else (centre, sigma_)

    return clip(values, scatter, low, high, decisions)


def mad(values, decisions, low=4.0, high=3.0):
    def scatter(kept):
        centre = median(kept)
        sigma_ = 1.4826 * median(sorted(abs(value - centre) for value in kept))
        return None if vanishes(sigma_, kept) else (centre, sigma_)

    return clip(values, scatter, low, high, decisions)


def averaged(values, decisions, low=4.0, high=3.0):
    if len(values) < 3 or median(values) <= 0 or vanishes(median(values), values):
        return [KEPT] * len(values)
    start = median(values)
    scale = math.sqrt(math.fsum((value - start) ** 2 / start for value in values) / (len(values) - 1))

    def scatter(kept):
        centre = median(kept)
        if centre <= 0 or vanishes(centre, kept):
            return None  # rejection above can bring the median down to where the model of the noise ends
        sigma_ = scale * math.sqrt(centre)
        return None if vanishes(sigma_, kept) else (centre, sigma_)

    return clip(values, scatter, low, high, decisions)


def winsor(values, cutoff, decisions):
    """Centre and consistent deviation: clamp to centre -+ 1.5 sigma again and again, until sigma settles."""
    centre, spread = median(values), deviation(values)
    clamped = list(values)
    turn = 0
    while not vanishes(spread, values):
        turn += 1
        bottom, top = centre - 1.5 * spread, centre + 1.5 * spread
        if cutoff is not None:
            far = cutoff * spread
            clamped = [centre if abs(value - centre) >= far else value for value in clamped]
        clamped = [min(max(value, bottom), top) for value in clamped]
        before, spread = spread, 1.134 * deviation(clamped)
        change = abs(before - spread) / before
        if turn >= 2:
            decisions.note(change - 0.0005)
            if change < 0.0005:
                break
    return centre, spread


def winsorized(values, decisions, low=4.0, high=3.0, cutoff=None):
    turns = 0

    def scatter(kept):
        nonlocal turns
        turns += 1
        centre, spread = winsor(kept, cutoff if turns == 1 else None, decisions)
        return None if vanishes(spread, kept) else (centre, spread)

    return clip(values, scatter, low, high, decisions)


def misses(heights, slope):
    """Return the least sum of absolute differences of a line with this slope, its start left free."""
    starts = np.sort(heights - slope * np.arange(len(heights)))
    return float(np.abs(starts - starts[(len(starts) - 1) // 2]).sum())


def least_absolute_slopes(values):
    """Return the lowest and the highest slope of the lines of least absolute deviation, and that deviation's sum.

    One of the best lines passes through two of the points. The least sum for a slope is a convex function of the
    slope, so that its minimum is found by halving among the slopes of all pairs.
    """
    heights = np.asarray(values)
    i, j = np.triu_indices(len(heights), 1)
    slopes = np.unique((heights[j] - heights[i]) / (j - i))
    small = 1e-13 * len(heights) * max(1e-300, float(np.abs(heights).max()))

    def first(condition):  # of the slopes, in order, for which it holds; the last one if for none
        low, high = 0, len(slopes) - 1
        while low < high:
            half = (low + high) // 2
            low, high = (low, half) if condition(half) else (half + 1, high)
        return low

    lowest = first(lambda k: misses(heights, slopes[k + 1]) - misses(heights, slopes[k]) > -small)
    highest = first(lambda k: misses(heights, slopes[k + 1]) - misses(heights, slopes[k]) > small)
    return float(slopes[lowest]), float(slopes[highest]), misses(heights, slopes[lowest])


def linear_fit(values, decisions, low=5.0, high=2.5):
    if len(values) < 5:
        return [KEPT] * len(values)
    states = [KEPT] * len(values)
    while states.count(KEPT) >= 3:
        places = [k for k, state in enumerate(states) if state == KEPT]
        kept = [values[k] for k in places]
        slope, _, total = least_absolute_slopes(kept)
        spread = 2 * total / len(kept)
        if vanishes(spread, kept):
            break
        start = median(sorted(value - slope * rank for rank, value in enumerate(kept)))
        for rank, place in enumerate(places):
            line = start + slope * rank
            if decisions.exceeds(line - kept[rank], spread, low, or_equals=True):
                states[place] = LOW
            elif decisions.exceeds(kept[rank] - line, spread, high, or_equals=True):
                states[place] = HIGH
        if states.count(KEPT) == len(places):
            break
    return states


@cache
def critical_value(n, i, alpha):
    """Lambda of the i-th step (from zero) of the generalised extreme Studentised deviate test (Rosner 1983)."""
    freedom = n - i - 2
    t = stats.t.isf(alpha / (2 * (n - i)), freedom)
    return float(t * (n - i - 1) / math.sqrt((freedom + t * t) * (n - i)))


def esd(values, decisions, fraction=0.3, alpha=0.05):
    n = len(values)
    if n < 3:
        return [KEPT] * n
    most = min(max(math.trunc(fraction * n), 1), n - 2)
    first, last = 0, n
    rejected = 0, 0
    for i in range(most):
        kept = values[first:last]
        middle, spread = mean(kept), deviation(kept)
        if vanishes(spread, kept):
            break
        below, above = middle - kept[0], kept[-1] - middle
        decisions.note((below - above) / spread)
        statistic = max(below, above) / spread
        if above >= below:
            last -= 1
        else:
            first += 1
        limit = critical_value(n, i, alpha)
        decisions.note((statistic - limit) / limit)
        if statistic > limit:
            rejected = first, n - last
    return run(*rejected, n)


METHODS = {
    "none": none,
    "minmax": minmax,
    "percentile": percentile,
    "sigma": sigma,
    "winsorized": winsorized,
    "averaged": averaged,
    "linear_fit": linear_fit,
    "esd": esd,
    "mad": mad,
}


def reject(values, method, **limits) -> Outcome:
    """Return what becomes of one pixel's values under a method of rejection with its limits."""
    ascending = sorted(float(value) for value in values)
    decisions = Decisions()
    states = METHODS[method](ascending, decisions, **limits)
    return Outcome(ascending, states, decisions.margin)


def combine(outcome: Outcome, method: str) -> float:
    """Return the signal of a pixel from its survivors; from the median of all where none survived."""
    survivors = outcome.survivors
    if not survivors:
        return median(outcome.values)
    return {
        "mean": mean,
        "median": median,
        "sum": lambda kept: mean(kept) * len(outcome.values),
        "min": min,
        "max": max,
    }[method](survivors)


def error_of_mean(outcome: Outcome) -> float:
    """Return the standard error of a pixel's mean; NaN where fewer than two survived."""
    survivors = outcome.survivors
    return deviation(survivors) / math.sqrt(len(survivors)) if len(survivors) > 1 else math.nan
