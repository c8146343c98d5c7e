"""Variances of a stack and of differences of its frames, and their errors, from nothing but sums over pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean variance [adu2] and its standard error [adu2], for *these* pixels."""

    value: float
    std_error: float


def difference_variance(sums: Sequence[float], n_pixels: int, n_frames: int) -> Estimate:
    """Return ``var(D) / n`` of a difference D of n frames over its pixels, whatever level D has.

    Parameters
    ----------
    sums
        Sums over pixels of D, D^2, D^3, D^4 [powers of the unit of D]; they add up, so that a few pixels that change
        can be taken out of them and put in again.
    n_pixels
        Pixels N that were summed.
    n_frames
        Frames n of ``D = D1 - D2 + ... - Dn``; 2 for a pair.

    Notes
    -----
    ``var(D) = sum (D - m)^2 / (N - 1)`` with m the mean of D. The error is ``Var = sum (2/3) x^2 / N^2`` with
    ``x = (D - m)^2 / n``, since ``E[x^2] = 3 s^4`` and ``Var[x] = 2 s^4`` where D is Gaussian: it leaves the spread
    between pixels out. A mean far from zero costs digits, (m / s)^4 of the sixteen.
    """
    first, second, third, fourth = sums
    mean = first / n_pixels
    squares = second - first * mean
    powers = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * n_pixels * mean**4
    powers = max(powers, squares**2 / n_pixels)  # what it cannot be below: rounding may
    return Estimate(squares / (n_pixels - 1) / n_frames, (2 / 3 * powers) ** 0.5 / n_frames / n_pixels)


@dataclass(frozen=True)
class StackSums:
    """What one pass over a stack of n frames adds up over its used pixels, some reference removed from each frame.

    Parameters
    ----------
    n_pixels
        Pixels that entered.
    references
        What was removed from each frame [adu], near its mean, shape (frame,).
    totals
        Of each frame, the sum of what was left [adu], shape (frame,).
    pairs, composites
        Sums of powers 2, 3 and 4 of ``D1 - D2`` of each disjoint pair, and of ``D1 - D2 + ... - Dn`` for n = 2, 4, ...,
        shape (n // 2, 3).
    variances
        Sum over pixels of the variance over frames (ddof 1) [adu2], and of its square.
    mean_map, variance_map
        Of every pixel, shape (y, x), each frame's mean removed; None unless asked for.
    out_of_range
        Pixels that the pass itself left out, shape (y, x); None where it was not asked to look.
    """

    n_pixels: int
    references: FloatArray
    totals: FloatArray
    pairs: FloatArray
    composites: FloatArray
    variances: tuple[float, float]
    mean_map: NDArray[np.float32] | None = None
    variance_map: NDArray[np.float32] | None = None
    out_of_range: NDArray[np.bool_] | None = None

    @property
    def frame_means(self) -> FloatArray:
        """Mean of each frame over the used pixels [adu]."""
        return self.references + self.totals / self.n_pixels

    def differences(self) -> tuple[tuple[Estimate, ...], dict[int, Estimate]]:
        """Estimate the variances of the pairs, and those of the composites by their number of frames."""
        first = self.totals * np.resize([1.0, -1.0], len(self.totals))
        pairs, composites = [], {}
        for k, (pair, composite) in enumerate(zip(self.pairs, self.composites, strict=True)):
            n = 2 * k + 2
            pairs.append(difference_variance((first[n - 2 : n].sum(), *pair), self.n_pixels, 2))
            composites[n] = difference_variance((first[:n].sum(), *composite), self.n_pixels, n)
        return tuple(pairs), composites

    def temporal(self) -> Estimate | None:
        """Estimate the mean over pixels of the variance over frames, each frame's mean removed; None for one frame.

        Notes
        -----
        With r a pixel's values above its frame's mean and d what the references were off by, its variance came out as
        ``v + 2 cov(r, d) + var(d)`` for v. The sum of the covariances over pixels is zero; that of their squares is
        ``var(d) / (n - 1) sum(v)``, exact only on average, which suffices for the error.
        """
        n = len(self.totals)
        if n < 2:
            return None
        first, second = self.variances
        shift = float((self.totals / self.n_pixels).var(ddof=1))
        total = first - self.n_pixels * shift
        squares = second - self.n_pixels * shift**2 - 2 * shift * total * (1 + 2 / (n - 1))
        squares = max(squares, total**2 / self.n_pixels)  # what it cannot be below
        return Estimate(total / (self.n_pixels - 1), (2 / (n + 1) * squares) ** 0.5 / self.n_pixels)
