"""Gain from darks of several exposures, as textbooks take it: variance against mean, which a clamp spoils.

The mean of a clamped camera falls with exposure while its variance rises: a negative gain. Variance against *time*
stays right, and so does variance against mean over the pixels of one exposure (:mod:`workbench.measure.pixel_gain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_current import variance_slope
from workbench.measure.lines import fit_line
from workbench.measure.numbers import number
from workbench.measure.york_line import two_error_line
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_current import Rate

_SEEN = 5.0  # standard errors of the growth of the variance, below which there is nothing to divide by
NEGATIVE = (
    "no camera has a negative gain: the mean falls while the noise grows, so something (an optical-black clamp) is "
    "subtracted from the mean"
)
UNPROVEN = "true only where nothing is subtracted from the dark: a clamp that hides a part of the mean lowers it unseen"


@dataclass(frozen=True)
class NoiseAndMean:
    """Darks of one exposure [s]: mean [adu] with its frame-to-frame error, temporal variance [adu2] with its error."""

    exposure: float
    mean: float
    mean_error: float
    variance: float
    variance_error: float
    n_frames: int = 0


@dataclass(frozen=True)
class GainFromDarks:
    """The textbook gain from darks, and what each axis says against time.

    Parameters
    ----------
    gain
        ``d mean / d variance`` [electron/adu]; negative where the mean falls.
    mean_rate
        Growth of the mean with exposure [adu/s].
    variance_rate
        Growth of the variance with exposure [adu2/s]: right whatever is subtracted from the mean.
    chi2, dof
        Of the line of mean and variance.
    notes
        What a reader must know.
    """

    gain: AffineScalarFunc
    mean_rate: AffineScalarFunc
    variance_rate: Rate
    chi2: float
    dof: int
    notes: tuple[str, ...]


def gain_from_darks(points: Sequence[NoiseAndMean]) -> GainFromDarks:
    """Take the gain from darks of several exposures as textbooks do: ``1 / K = d variance / d mean``.

    Parameters
    ----------
    points
        One for each exposure, two or more.

    Raises
    ------
    NotMeasurableError
        With one exposure, or where the variance does not grow with it.

    Notes
    -----
    Fitted as ``mean = m0 + K variance`` with errors in both: the variance grows in every camera, the mean does not,
    and the same line read the other way would divide by nothing.
    """
    t = np.array([one.exposure for one in points])
    mean, mean_error = np.array([one.mean for one in points]), np.array([one.mean_error for one in points])
    noise = [Estimate(one.variance, one.variance_error) for one in points]
    rate = variance_slope(t, noise, sum(one.n_frames for one in points)).rate
    if rate.value < _SEEN * rate.std_error:
        raise NotMeasurableError(
            f"the noise of the darks does not grow with the exposure ({rate.value:.2g} +/- {rate.std_error:.2g} "
            "adu2 / s): there is no gain in it; shoot longer darks"
        )
    variances = [one.value for one in noise], [one.std_error for one in noise]
    line = two_error_line(*variances, mean, mean_error)
    drift = fit_line(t, mean, mean_error, degree=1)
    mean_rate = number(float(drift.coefficients[1]), float(drift.std_errors[1]))
    notes = [NEGATIVE if line.slope < 0 else UNPROVEN]
    if line.misfit:
        notes.append(f"mean and variance lie on no line (chi2/dof {line.chi2 / line.dof:.3g}); the error is scaled up")
    if not line.dof:
        notes.append("two exposures: nothing tests that mean and variance grow together")
    return GainFromDarks(number(line.slope, line.scaled_error), mean_rate, rate, line.chi2, line.dof, tuple(notes))
