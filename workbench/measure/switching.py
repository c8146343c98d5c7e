"""Pixels whose dark current switches: darks that scatter more than reading and counting electrons allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

LEAST_DARKS = 6
FALSE_SHARE = 0.05  # of the pixels found that may be false, on average
STEADY = 0.01  # of a pixel's dark signal: what its temperature may make of it from frame to frame
_HIT = 4.5  # standard deviations of one frame above the others
_ENOUGH_HOT = 20  # pixels that tell how the dark current followed the temperature
_HOT_SIGNAL = 10.0  # times the typical scatter


@dataclass(frozen=True)
class Expected:
    """What a steady pixel's values in darks scatter by [adu2], and the degrees of freedom behind that figure.

    Parameters
    ----------
    read
        Variance of reading, drawn to its neighbourhood [adu2], and ``read_dof``, its degrees of freedom.
    electrons
        Dark signal of each pixel [electron].
    electrons_error
        Its standard error [electron].
    gain
        K [electron / adu].
    """

    read: FloatArray
    read_dof: FloatArray
    electrons: FloatArray
    electrons_error: FloatArray
    gain: float

    @property
    def variance(self) -> FloatArray:
        """Of one frame [adu2]."""
        signal = np.maximum(self.electrons, 0.0)
        return self.read + (signal + (STEADY * signal) ** 2) / self.gain**2

    @property
    def dof(self) -> FloatArray:
        """Degrees of freedom of the variance (Welch and Satterthwaite)."""
        wander = 2.0 * self.read**2 / self.read_dof + (self.electrons_error / self.gain**2) ** 2
        return 2.0 * self.variance**2 / wander

    def frame_dof(self, n_frames: NDArray[np.int64]) -> FloatArray:
        """Degrees of freedom of a variance over n frames: Poisson noise has a kurtosis, so that there are fewer."""
        kurtosis = np.maximum(self.electrons, 0.0) / self.gain**4 / self.variance**2
        return 2.0 / (2.0 / (n_frames - 1) + kurtosis / n_frames)


@dataclass(frozen=True)
class Switching:
    """Pixels of a stack of darks; arrays have one entry a pixel that was looked at.

    Parameters
    ----------
    found
        Whether its dark current switches.
    probability
        One minus the share of false pixels among those that stand out at least as much.
    jump
        The least step of the dark current that makes the scatter [electron / s]: twice its rms over the exposure. A
        pixel that switches within an exposure steps higher.
    jump_error
        Standard error of the jump from the number of frames [electron / s].
    hit
        Whether a single frame stands above all others: a cosmic ray, which does not count.
    """

    found: BoolArray
    probability: FloatArray
    jump: FloatArray
    jump_error: FloatArray
    hit: BoolArray

    @property
    def n_true(self) -> float:
        """Pixels found without those that are false among them, on average."""
        return float(self.found.sum() * self.probability[self.found].min(initial=1.0))

    @property
    def n_true_error(self) -> float:
        """Its standard error: of the number of false ones, and one pixel at least."""
        return float((self.found.sum() - self.n_true + 1.0) ** 0.5)


def without_hits(values: FloatArray, variance: FloatArray) -> BoolArray:
    """Tell for every pixel whether its greatest value is a cosmic ray: high in one frame, and in no other.

    Parameters
    ----------
    values
        Shape (pixel, frame) [adu].
    variance
        Of one frame, as expected [adu2], shape (pixel,).

    Returns
    -------
    numpy.ndarray
        True for the values to keep, shape (pixel, frame). A hit stands 4.5 standard deviations above the median of the
        others, and alone does so; the same pixel is hit in two of 14 darks of 600 s once in some 10^8 pixels.
    """
    keep = np.ones(values.shape, dtype=bool)
    n = values.shape[1]
    if n < 3:
        return keep
    ranked = np.sort(values, axis=1)
    middle, sigma = np.median(ranked[:, :-1], axis=1), np.sqrt(variance)
    alone = (ranked[:, -1] - middle > _HIT * sigma) & (ranked[:, -2] - middle < _HIT * sigma)
    top = np.argmax(values, axis=1)
    keep[np.flatnonzero(alone), top[alone]] = False
    return keep


def follow_temperature(values: FloatArray, electrons: FloatArray, gain: float, noise: float) -> FloatArray:
    """Take out what all hot pixels do together: their dark current follows the temperature from frame to frame.

    Parameters
    ----------
    values
        Shape (pixel, frame) [adu], frame means removed.
    electrons
        Dark signal of each pixel above the typical one [electron].
    gain
        K [electron / adu].
    noise
        Rms of a typical pixel in one frame [adu].
    """
    signal = electrons / gain
    hot = signal > _HOT_SIGNAL * noise
    if hot.sum() < _ENOUGH_HOT:
        return values
    middle = np.median(values[hot], axis=1, keepdims=True)
    factor = np.median((values[hot] - middle) / signal[hot, None], axis=0)
    followed: FloatArray = values - np.maximum(signal, 0.0)[:, None] * factor
    return followed


def switching(values: FloatArray, expected: Expected, exposure: float, n_judged: int) -> Switching:
    """Tell which pixels scatter in darks by more than steady ones do.

    Parameters
    ----------
    values
        Shape (pixel, frame) [adu], frame means removed.
    expected
        The scatter of steady pixels with their read noise and dark signal.
    exposure
        Of the darks [s].
    n_judged
        Pixels that these were chosen from, for their scatter; the others are steady.

    Raises
    ------
    NotMeasurableError
        With fewer than 6 frames.

    Notes
    -----
    The ratio of a pixel's variance to what is expected is held against an F distribution, and pixels are found so that
    a share of 5 % of them is false (Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289, 1995). On a camera without such
    pixels that means one false pixel in any twenty stacks.
    """
    n = values.shape[1]
    if n < LEAST_DARKS:
        raise NotMeasurableError(
            f"{n} darks of {exposure:g} s cannot tell a switching pixel; shoot {LEAST_DARKS} or more"
        )
    keep = without_hits(values, expected.variance)
    n_kept = keep.sum(axis=1)
    centre = np.where(keep, values, 0.0).sum(axis=1) / n_kept
    squares = np.where(keep, (values - centre[:, None]) ** 2, 0.0).sum(axis=1)
    variance = squares / (n_kept - 1)
    dof = expected.frame_dof(n_kept)
    surprise = np.asarray(stats.f.sf(variance / expected.variance, dof, expected.dof))
    false_share = _false_shares(surprise, n_judged)
    excess = np.sqrt(np.maximum(variance - expected.variance, 0.0)) * expected.gain
    error = np.divide(
        variance * expected.gain**2 * np.sqrt(2.0 / dof) / 2.0, excess, out=excess.copy(), where=excess > 0
    )
    return Switching(
        false_share <= FALSE_SHARE,
        1.0 - false_share,
        2.0 * excess / exposure,
        2.0 * np.minimum(error, np.maximum(excess, error * (excess == 0))) / exposure,
        n_kept < n,
    )


def least_jump(expected_variance: float, dof: float, n_frames: int, gain: float, exposure: float) -> float:
    """Return the jump [electron / s] below which a typical pixel of one in ten thousand would not be found."""
    ratio = float(stats.f.isf(FALSE_SHARE * 1e-4, n_frames - 1, dof))
    return 2.0 * gain * float(np.sqrt(expected_variance * (ratio - 1.0))) / exposure


def _false_shares(surprise: FloatArray, n_judged: int) -> FloatArray:
    """Return for every pixel which share of those at least as surprising is false, at most."""
    order = np.argsort(surprise)
    shares = surprise[order] * n_judged / np.arange(1, surprise.size + 1)
    found = np.empty(surprise.size)
    found[order] = np.minimum(np.minimum.accumulate(shares[::-1])[::-1], 1.0)
    return found
