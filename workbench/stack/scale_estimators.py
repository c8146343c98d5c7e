"""Where the values of a frame stand, and how far they spread, by estimators that a few wild pixels hardly move.

All are exact, over all values: these are sorted, or counted where they are 16-bit integers, and no sample is drawn.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["SCALE_ESTIMATORS", "Levels", "levels_of", "location_and_scale", "location_and_scale_of_levels"]

SCALE_ESTIMATORS = ("mad", "biweight", "iksigma", "sn", "qn")

# what makes the estimators those of a Gaussian's standard deviation
_MAD = 1.4826022185056018  # 1 / Phi^-1(3/4)
_IKSIGMA = 0.991
_SN = 1.19259855312321  # 1 / c with Phi(Phi^-1(3/4) + c) - Phi(Phi^-1(3/4) - c) = 1/2
_QN = 2.2191444659850756  # 1 / (sqrt(2) Phi^-1(5/8))
_COUNTED = 2  # bytes of an integer, up to which its values are counted rather than sorted


@dataclass(frozen=True)
class Levels:
    """Values in ascending order, and how often each occurs.

    Parameters
    ----------
    values
        Ascending [adu], in the type in which they came; equal ones may stand side by side.
    up_to
        How many values there are up to and with each of them, int64.
    """

    values: NDArray[Any]
    up_to: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.up_to[-1]) if self.up_to.size else 0

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two middle ones."""
        middle = np.searchsorted(self.up_to, [(self.n - 1) // 2, self.n // 2], "right")
        low, high = self.values[middle].astype(np.float64).tolist()
        return float(low + (high - low) / 2)

    def within(self, low: float, high: float) -> Levels:
        """Return the levels from ``low`` to ``high``, both included."""
        # NumPy would round the limits to the values' own type
        start, stop = bisect_left(self.values, np.float64(low)), bisect_right(self.values, np.float64(high))
        before = self.up_to[start - 1] if start else 0
        return Levels(self.values[start:stop], self.up_to[start:stop] - before)


def levels_of(parts: Iterable[NDArray[Any]]) -> Levels:
    """Sort or count the values of a frame that comes in parts, in any shapes.

    Parameters
    ----------
    parts
        Of one type [adu]. NaN and infinity are no values.

    Returns
    -------
    Levels
        Of no values, where there are none.
    """
    kept: list[NDArray[Any]] = []
    counts = np.zeros(0, dtype=np.int64)
    lowest = 0
    for part in parts:
        if part.dtype.kind in "iu" and part.dtype.itemsize <= _COUNTED:
            lowest = int(np.iinfo(part.dtype).min)
            flat = part.reshape(-1) if lowest == 0 else part.reshape(-1).astype(np.int64) - lowest
            found = np.bincount(flat, minlength=1 << 8 * part.dtype.itemsize)
            counts = found + (counts if counts.size else 0)
        else:
            flat = part.reshape(-1)
            kept.append(flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat.astype(np.float64))
    if counts.size:
        present = np.flatnonzero(counts)
        return Levels((present + lowest).astype(np.float64), np.cumsum(counts[present]))
    values = np.sort(kept[0] if len(kept) == 1 else np.concatenate(kept or [np.empty(0)]))
    return Levels(values, np.arange(1, values.size + 1, dtype=np.int64))


def location_and_scale(values: ArrayLike, estimator: str = "biweight") -> tuple[float, float]:
    r"""Return where values stand and how far they spread.

    Parameters
    ----------
    values
        Any shape and type [adu]; NaN and infinity are left aside, zero is a value like any other.
    estimator
        One of :data:`SCALE_ESTIMATORS`.

    Returns
    -------
    location, scale
        [adu]. The location is the median, but that of ``"iksigma"``. A scale of zero is what the estimator says of
        values of which more than half, or for ``"qn"`` and ``"sn"`` about half, are equal.

    Raises
    ------
    InputError
        When there is no such estimator, or no value.

    Notes
    -----
    With the median :math:`m` of :math:`n` values, :math:`h = \lfloor n/2 \rfloor + 1`:

    - ``mad``: :math:`1.4826\, \mathrm{med} |x - m|`. Of whole numbers it knows few values: the steps of a 12-bit
      camera in 16 bits are 16 adu, those of its scale 24 adu. The others, ``sn`` and ``qn`` apart, tell finer.
    - ``biweight``: :math:`\sqrt{n \sum (x-m)^2 (1-y^2)^4} / |\sum (1-y^2)(1-5y^2)|` over :math:`|y| < 1`, with
      :math:`y = (x-m) / (9\,\mathrm{med}|x-m|)` (Beers, Flynn and Gebhardt 1990, AJ 100, 32). It has no factor for
      Gaussian values, for which it gives 1.009 standard deviations.
    - ``iksigma``: median and biweight scale of the values within 4 scales of the median, again and again until the
      scale shrinks by less than a millionth; times 0.991. The location is the last median. (PixInsight's IKSS, without
      its limits of the values.)
    - ``sn``: :math:`1.1926\, \mathrm{lomed}_i\, \mathrm{himed}_j |x_i - x_j|`.
    - ``qn``: :math:`2.2191` times the :math:`h(h-1)/2`-th smallest :math:`|x_i - x_j|, i < j` (both Rousseeuw and
      Croux 1993, JASA 88, 1273). Neither has their corrections for few values: frames have many.
    """
    _check_estimator(estimator)
    return location_and_scale_of_levels(levels_of([np.asarray(values)]), estimator)


def location_and_scale_of_levels(levels: Levels, estimator: str) -> tuple[float, float]:
    """Return what :func:`location_and_scale` does, of values that are sorted already.

    Raises
    ------
    InputError
        When there is no such estimator, or no value.
    """
    _check_estimator(estimator)
    if not levels.n:
        raise InputError("values", "there are none that are finite", "give at least one")
    if estimator == "iksigma":
        return _iksigma(levels)
    median = levels.median
    scale = {"mad": _mad, "biweight": _biweight, "sn": _sn, "qn": _qn}[estimator]
    return median, scale(levels, median)


def _check_estimator(estimator: str) -> None:
    if estimator not in SCALE_ESTIMATORS:
        hint = did_you_mean(estimator, SCALE_ESTIMATORS, f"take one of {', '.join(SCALE_ESTIMATORS)}")
        raise InputError("scale", f"{estimator!r} is no estimator", hint)


def _plain_mad(levels: Levels, median: float) -> float:
    from workbench.stack.scale_loops import nearest_deviation  # imports Numba  # noqa: PLC0415

    ranks = {(levels.n + 1) // 2, levels.n // 2 + 1}
    return float(np.mean([nearest_deviation(levels.values, levels.up_to, median, rank) for rank in ranks]))


def _mad(levels: Levels, median: float) -> float:
    return _MAD * _plain_mad(levels, median)


def _biweight(levels: Levels, median: float) -> float:
    from workbench.stack.scale_loops import biweight_sums  # imports Numba  # noqa: PLC0415

    mad = _plain_mad(levels, median)
    if mad == 0:
        return 0.0
    over, under = biweight_sums(levels.values, levels.up_to, median, 9 * mad)
    return math.sqrt(levels.n * over) / abs(under)


def _iksigma(levels: Levels) -> tuple[float, float]:
    last = math.inf
    while True:
        median = levels.median
        scale = _biweight(levels, median)
        if scale == 0 or last - scale < 1e-6 * last < math.inf:
            return median, _IKSIGMA * scale
        levels, last = levels.within(median - 4 * scale, median + 4 * scale), scale


def _sn(levels: Levels, _: float) -> float:
    from workbench.stack.scale_loops import window_deviations  # imports Numba  # noqa: PLC0415

    deviations = window_deviations(levels.values, levels.up_to, levels.n // 2 + 1)
    rank = (levels.n + 1) // 2  # the low median
    if levels.n == deviations.size:
        return _SN * float(np.partition(deviations, rank - 1)[rank - 1])
    order = np.argsort(deviations)
    up_to = np.cumsum(np.diff(levels.up_to, prepend=0)[order])
    return _SN * float(deviations[order[np.searchsorted(up_to, rank)]])


def _qn(levels: Levels, _: float) -> float:
    from workbench.stack.scale_loops import pair_difference  # imports Numba  # noqa: PLC0415

    half = levels.n // 2 + 1
    if levels.n == 1:
        return 0.0
    return _QN * float(pair_difference(levels.values, levels.up_to, half * (half - 1) // 2))
