"""What bias frames tell: read noise, quantisation, level and its drift from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from uncertainties import umath

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.stack.variance import DifferenceMoments, Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from uncertainties.core import AffineScalarFunc


@dataclass(frozen=True)
class BiasNoise:
    """Temporal variances of one bias frame [adu2]: all of it, quantisation, and what is left for the read-out."""

    temporal: Estimate
    quantisation: float
    method: str
    n_frames: int

    @property
    def read(self) -> Estimate:
        """Read noise variance, telegraph and row noise included, quantisation taken out [adu2]."""
        return Estimate(self.temporal.value - self.quantisation, self.temporal.std_error)


_ROUNDED = 0.65  # of a lattice step, rounding included: above it q^2/12 holds to 0.3 %


def hidden_by_rounding(variance: Estimate, lattice: int | None) -> str | None:
    """Say why a temporal variance [adu2] is not to be trusted on a lattice [adu] this coarse; None where it is.

    Notes
    -----
    Rounding adds ``q^2 / 12`` only where the noise spreads over several steps. By simulation the variance is off by
    -45, -14, -2.4 and -0.2 % at a noise of 0.3, 0.4, 0.5 and 0.6 steps.
    """
    sigma, q = max(variance.value, 0.0) ** 0.5, lattice or 0
    if sigma >= _ROUNDED * q:
        return None
    return (
        f"the noise ({sigma:.2g} adu, rounding included) is under {_ROUNDED:g} of a lattice step ({q} adu): rounding "
        "hides it; raise the gain setting"
    )


def bias_noise(moments: DifferenceMoments, lattice: int | None) -> BiasNoise:
    """Split the temporal variance of bias frames.

    Parameters
    ----------
    moments
        Of the bias frames.
    lattice
        Step of the stored values [adu]; None for values without one (float frames).

    Raises
    ------
    NotMeasurableError
        With fewer than two frames, or where rounding hides the noise: see :func:`hidden_by_rounding`.

    Notes
    -----
    Rounding to a step ``q`` adds ``q^2 / 12`` as long as the noise spreads over the steps (physics of quantisation,
    e.g. Janesick, Photon Transfer, 2007, section 5.2).
    """
    if moments.temporal is None:
        raise NotMeasurableError("one bias frame: read noise needs a pair, better 20")
    q = lattice or 0
    reason = hidden_by_rounding(moments.temporal, lattice)
    if reason is not None:
        raise NotMeasurableError(reason)
    return BiasNoise(
        moments.temporal, q**2 / 12, "temporal_variance" if moments.n_frames > 2 else "pair", moments.n_frames
    )


def read_noise(noise: BiasNoise, gain: AffineScalarFunc) -> AffineScalarFunc:
    """Return ``K sqrt(var - q^2/12)`` [electron], rms per pixel and read.

    Parameters
    ----------
    noise
        Of the bias frames [adu2].
    gain
        K [electron/adu] with its error; correlated with whatever else it enters.

    Raises
    ------
    NotMeasurableError
        When no variance is left after the quantisation.
    """
    left = noise.read
    if left.value <= 0:
        raise NotMeasurableError("the variance of the bias is that of rounding alone; raise the gain setting")
    return gain * umath.sqrt(number(left.value, left.std_error, "bias variance"))


def level_and_drift(frame_means: ArrayLike) -> tuple[AffineScalarFunc, AffineScalarFunc]:
    """Return the mean level and the frame-to-frame rms of the level, both [adu].

    Parameters
    ----------
    frame_means
        Shape (frame,) [adu].

    Raises
    ------
    NotMeasurableError
        With fewer than two frames.

    Notes
    -----
    The error of the level is ``drift / sqrt(n)``, that of the drift ``drift / sqrt(2 (n - 1))`` (normal scatter).
    """
    means = np.asarray(frame_means, dtype=np.float64)
    n = len(means)
    if n < 2:
        raise NotMeasurableError("one bias frame: the frame-to-frame error of its level is unknown; shoot 20")
    drift = float(means.std(ddof=1))
    return number(float(means.mean()), drift / n**0.5), number(drift, drift / (2 * (n - 1)) ** 0.5)
