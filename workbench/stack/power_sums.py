"""Variance of a difference of frames, and its error, from nothing but the sums of its powers over pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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
