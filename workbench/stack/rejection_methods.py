"""Rejection of outliers among the values that a pixel has in the frames of a stack: the methods, their exact rules.

The rules are those of PixInsight's ImageIntegration as it was in 2017 (with the exceptions named), in float64. In all:

* r_0 <= ... <= r_(n-1) are the survivors so far; their median is the middle one or the mean of the two middle ones; SD
  is their sample standard deviation (n - 1), by the corrected two-pass formula.
* A limit that is ``math.inf`` switches its side off.
* *Next to zero* means no more than 1e-12 times the largest magnitude among the survivors.
* Which of several equal values is rejected by a rank (:class:`MinMax`, :class:`GeneralisedESD`) goes by the order of
  the frames: the earlier one is the lower one.
* Values that are not finite are missing, which is not the same as rejected. Zero and negative values are values.

The compiled loops are in ``reject_loops.py`` and its like; :mod:`workbench.stack.rejection` leads to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from workbench.errors import InputError

__all__ = [
    "AveragedSigmaClip",
    "GeneralisedESD",
    "LinearFit",
    "MADClip",
    "MinMax",
    "NoRejection",
    "Percentile",
    "Rejection",
    "SigmaClip",
    "WinsorizedSigmaClip",
]


@dataclass(frozen=True)
class Rejection:
    """A method of rejection with its parameters; the base of all of them."""

    name: ClassVar[str]
    title: ClassVar[str]

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers that the compiled loop is given."""
        return tuple(float(getattr(self, field.name)) for field in fields(self))

    @property
    def words(self) -> str:
        """The method in words, as ``winsorized sigma clipping, 4 low, 3 high``."""
        return ", ".join([self.title, *self._limits_in_words()])

    def _limits_in_words(self) -> list[str]:
        return []


@dataclass(frozen=True)
class NoRejection(Rejection):
    """Nothing is rejected."""

    name = "none"
    title = "no rejection"


@dataclass(frozen=True)
class _TwoSided(Rejection):
    """A method with a limit below and one above."""

    def __post_init__(self) -> None:
        for side in ("low", "high"):
            _check_limit(self.name, side, getattr(self, side))

    def _limits_in_words(self) -> list[str]:
        limits = {side: getattr(self, side) for side in ("low", "high")}
        return [f"{side} kept" if math.isinf(limit) else f"{limit:g} {side}" for side, limit in limits.items()]


@dataclass(frozen=True)
class MinMax(_TwoSided):
    """Reject the ``low`` lowest values, then the ``high`` highest of those left; once.

    A stack of no more than ``low + high`` values loses them all. Source: ImageIntegration, January 2019.
    """

    low: int = 1
    high: int = 1
    name = "minmax"
    title = "min/max rejection"

    def __post_init__(self) -> None:
        for side in ("low", "high"):
            count = getattr(self, side)
            _check_limit(self.name, side, count)
            if math.isinf(count) or count != int(count):
                raise InputError(f"{side} = {count!r}", "minmax rejects a whole number of values", "use 0, 1, 2, ...")
            object.__setattr__(self, side, int(count))

    def _limits_in_words(self) -> list[str]:
        return [f"{self.low} lowest", f"{self.high} highest"]


@dataclass(frozen=True)
class Percentile(_TwoSided):
    """Reject values off the median m by more than a fraction of it; once, where n >= 2 and m is not next to zero.

    Low where (m - r) / m > ``low``, high where (r - m) / m > ``high``: a negative median rejects nothing.
    Source: ImageIntegration, January 2019.
    """

    low: float = 0.2
    high: float = 0.1
    name = "percentile"
    title = "percentile clipping"


@dataclass(frozen=True)
class SigmaClip(_TwoSided):
    """Sigma clipping about the median m; needs n >= 3.

    Repeat: stop where SD is next to zero; reject low where (m - r) / SD > ``low``, high where (r - m) / SD > ``high``;
    until none is rejected or n < 3. Source: ImageIntegration, January 2019.
    """

    low: float = 4.0
    high: float = 3.0
    name = "sigma"
    title = "sigma clipping"


@dataclass(frozen=True)
class WinsorizedSigmaClip(_TwoSided):
    """Sigma clipping with the standard deviation of winsorized values, as it was until September 2019; needs n >= 3.

    Repeat: m = median, s from winsorizing the survivors; stop where s is next to zero; reject low where
    (m - r) / s > ``low``, high where (r - m) / s > ``high``, r being the values as they are; until none is rejected
    or n < 3.

    Winsorizing: s = SD; v = r. Repeat, unless s is next to zero: clamp v (what was clamped before included) to
    m -+ 1.5 s; then s = 1.134 SD(v); stop when, from the second time on, s changed by less than 0.0005 of what it
    was. m stays what it is. 1.134 makes s the standard deviation of Gaussian values.

    Where most values are equal, s shrinks to nothing: such a stack keeps all it has, hits included. So it is where more
    than about two thirds are equal, or where there are two values, not half and half: coarse lattices defeat the rule.

    ``cutoff`` (September 2019 on, where its default is 5): in the first pass, whatever is clamped and at
    least ``cutoff`` s away from m (s being the one clamped with) becomes m itself.

    Source: ImageIntegration, January 2019 and, for the cutoff, core 1.8.7. Later versions begin with Sn and move m.
    """

    low: float = 4.0
    high: float = 3.0
    cutoff: float | None = None
    name = "winsorized"
    title = "winsorized sigma clipping"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cutoff is not None and not self.cutoff > 1.5:
            rule = "values are clamped at 1.5 sigma, so that the cutoff lies beyond"
            raise InputError(f"cutoff = {self.cutoff!r}", rule, "use 5, or None for the rule of 2017")

    @property
    def parameters(self) -> tuple[float, ...]:
        """The limits, and the cutoff where there is one."""
        return (self.low, self.high) if self.cutoff is None else (self.low, self.high, self.cutoff)

    def _limits_in_words(self) -> list[str]:
        cutoff = [] if self.cutoff is None else [f"cutoff {self.cutoff:g}"]
        return [*super()._limits_in_words(), *cutoff]


@dataclass(frozen=True)
class AveragedSigmaClip(_TwoSided):
    """Sigma clipping for values whose variance grows as they do; needs n >= 3.

    From the whole stack, s = sqrt(sum((r - m)^2 / m) / (n - 1)); then as :class:`SigmaClip` with s sqrt(m) in place of
    SD, m being the survivors' median. Where m is, or becomes, negative or next to zero, nothing more is rejected.
    Source: ImageIntegration, January 2019; it drops stacks whose median is zero, and its s is not averaged along rows.
    """

    low: float = 4.0
    high: float = 3.0
    name = "averaged"
    title = "averaged sigma clipping"


@dataclass(frozen=True)
class LinearFit(_TwoSided):
    """Reject values far from a straight line through the sorted values against their ranks 0 ... n - 1; needs n >= 5.

    Repeat: the line a + b k of least absolute deviation, and sigma = 2 mean(abs(r_k - a - b k)); stop where sigma is
    next to zero; reject low where (a + b k - r_k) / sigma >= ``low``, high where (r_k - a - b k) / sigma >= ``high``
    (*at* the limit too); number the survivors anew; until none is rejected or n < 3.

    Where several lines have the least deviation: b is the least of their slopes, a the median of r_k - b k. The
    survivors need not be neighbours. Source: ImageIntegration, January 2019 (from September 2019 on sigma has a factor
    sqrt(1 + b^2), and Siril fits by least squares). The choice among lines is ours.
    """

    low: float = 5.0
    high: float = 2.5
    name = "linear_fit"
    title = "linear fit clipping"


@dataclass(frozen=True)
class MADClip(_TwoSided):
    """As :class:`SigmaClip`, with 1.4826 median(abs(r - m)) in place of SD.

    Stacks of which more than half of the values are equal keep all they have. Source: Siril's MAD clipping, which
    leaves the factor out.
    """

    low: float = 4.0
    high: float = 3.0
    name = "mad"
    title = "MAD clipping"


@dataclass(frozen=True)
class GeneralisedESD(Rejection):
    """Rosner's generalised extreme Studentised deviate test for up to k outliers; needs n >= 3.

    k = trunc(``fraction`` n), at least 1 and at most n - 2; ``fraction`` is at most 0.5, as outliers are a minority.
    For i = 0 ... k - 1, of the m = n - i values left: R_i = max(abs(r - mean)) / SD, and the value where it is reached
    goes (the highest where the lowest is as far); the end is reached where SD is next to zero. The critical value is
    lambda_i = t (m - 1) / sqrt((m - 2 + t^2) m), t the upper ``alpha`` / (2 m) point of Student's t with m - 2 degrees
    of freedom. The outliers are those up to the largest i with R_i > lambda_i; low or high by the end of the sorted
    stack at which they were.

    Source: Rosner 1983, Technometrics 25, 165. (ImageIntegration, from November 2019 on, stops at the first i with
    R_i < lambda_i and trims the mean.)
    """

    fraction: float = 0.3
    alpha: float = 0.05
    name = "esd"
    title = "generalised ESD test"

    def __post_init__(self) -> None:
        for key, most in (("fraction", 0.5), ("alpha", 1.0)):
            if not 0 < getattr(self, key) <= most:
                rule, step = f"esd rejection takes what is above 0 and at most {most:g}", "leave it out for its default"
                raise InputError(f"{key} = {getattr(self, key)!r}", rule, step)

    def _limits_in_words(self) -> list[str]:
        return [f"at most {self.fraction:g} of the values", f"significance {self.alpha:g}"]


def _check_limit(name: str, side: str, limit: object) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or not limit >= 0:
        rule = f"a limit of {name} rejection is a number from 0 on"
        raise InputError(f"{side} = {limit!r}", rule, "use inf to switch one side off")
