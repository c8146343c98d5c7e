"""Hot pixels: how fast each fills, and whether it does so in proportion to the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

HOT = 5.0  # times the typical dark current, as the vocabulary defines hot pixels
LEAST_EXPOSURES = 3
TOLERANCE = 0.02  # of a pixel's signal: 0.2 K of temperature between the exposures
_FAMILY = 0.01  # probability that any of the straight pixels is called bent


@dataclass(frozen=True)
class HotSignal:
    """The signal of some pixels above their neighbourhood at one exposure; arrays have shape (pixel,).

    ``signal`` [adu] is the mean over the frames minus that of the bias, minus the same of the neighbourhood; ``error``
    [adu] leaves the error of the bias out, which all exposures share; ``saturated`` tells which pixels reach saturation
    in half of the frames. A signal that is NaN, of a pixel without a value in some frame, does not count.
    """

    exposure: float
    signal: FloatArray
    error: FloatArray
    saturated: BoolArray

    def at(self, chosen: BoolArray) -> HotSignal:
        """Return those of some of the pixels."""
        return HotSignal(self.exposure, self.signal[chosen], self.error[chosen], self.saturated[chosen])


@dataclass(frozen=True)
class HotNoise:
    """Variance of one frame [adu2]: ``read``, ``typical`` a second of exposure, and ``per_adu`` of a pixel's excess."""

    read: FloatArray
    typical: FloatArray
    per_adu: float

    def variance(self, signal: FloatArray, exposure: float) -> FloatArray:
        """Of pixels with that excess [adu]."""
        return self.read + self.typical * exposure + self.per_adu * np.maximum(signal, 0.0)


@dataclass(frozen=True)
class Growth:
    """How the signal of some pixels grows with the exposure; arrays have shape (pixel,).

    Parameters
    ----------
    rate, rate_error
        Above the neighbourhood [adu / s].
    chi2, dof
        Of the straight line through zero, and its degrees of freedom; 0 where it could not be tested.
    bent
        Whether the pixel departs from a straight line, or saturates.
    """

    rate: FloatArray
    rate_error: FloatArray
    chi2: FloatArray
    dof: NDArray[np.int64]
    bent: BoolArray


def growth(signals: Sequence[HotSignal], bias_error: FloatArray, tolerance: float = TOLERANCE) -> Growth:
    """Fit ``signal = rate * exposure`` to every pixel.

    Parameters
    ----------
    signals
        One an exposure.
    bias_error
        Standard error of each pixel's mean in the bias frames [adu]: common to all exposures.
    tolerance
        By which share the dark current may differ between exposures: that of 0.2 K where not given.

    Notes
    -----
    Generalised least squares with the covariance ``diag(e_j^2 + (tolerance s_j)^2) + e_bias^2`` (the inverse is that of
    Sherman and Morrison): the second term is what a temperature that differs makes of a dark current. A pixel
    is bent when chi-squared says so with a probability below 0.01 for all pixels together (Bonferroni).
    """
    exposure = np.array([one.exposure for one in signals])[:, None]
    signal = np.array([one.signal for one in signals])
    saturated = np.array([one.saturated for one in signals])
    used = ~saturated & np.isfinite(signal)
    signal = np.where(used, signal, 0.0)
    error = np.where(used, [one.error for one in signals], 1.0)
    # the tolerance comes from a straight line and not from each value, which would give low values more weight
    rough = signal.sum(axis=0) / np.maximum((exposure * used).sum(axis=0), 1e-300)
    weight = used / (error**2 + (tolerance * rough * exposure) ** 2)
    shrink = bias_error**2 / (1.0 + bias_error**2 * weight.sum(axis=0))

    def product(first: FloatArray, second: FloatArray) -> FloatArray:
        whole = (weight * first * second).sum(axis=0)
        found: FloatArray = whole - shrink * (weight * first).sum(axis=0) * (weight * second).sum(axis=0)
        return found

    times = np.broadcast_to(exposure, signal.shape)
    norm = product(times, times)
    known = norm > 0
    rate = np.divide(product(times, signal), norm, out=np.zeros(signal.shape[1]), where=known)
    chi2 = np.maximum(product(signal, signal) - rate**2 * norm, 0.0)
    dof = np.maximum(used.sum(axis=0) - 1, 0)
    tested = dof >= LEAST_EXPOSURES - 1
    surprise = np.where(tested, stats.chi2.sf(chi2, np.maximum(dof, 1)), 1.0)
    bent = (surprise < _FAMILY / max(1, signal.shape[1])) | saturated.any(axis=0)
    error_of = np.divide(1.0, norm, out=np.full(norm.shape, np.inf), where=known) ** 0.5
    return Growth(rate, error_of, np.where(tested, chi2, 0.0), np.where(tested, dof, 0), bent)
