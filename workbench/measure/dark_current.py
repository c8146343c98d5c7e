"""Dark current: from the mean, as textbooks do it, and from the noise of frame differences, which a clamp cannot hide.

Everything is measured in adu first, ``dark_mean_rate`` [adu/s] and ``dark_variance_rate`` [adu2/s]; with a gain K
[electron/adu] these become a ``dark_current`` [electron/s] times K and times K^2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.measure.lines import Line, fit_line
from workbench.measure.numbers import number
from workbench.results import Measurement
from workbench.stack.variance import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike
    from uncertainties.core import AffineScalarFunc

    from workbench.stack.variance import DifferenceMoments

_SCATTER_P = 0.01
_MISFIT_P = 0.01
UPPER_BOUND = "an upper bound: telegraph noise and cosmic rays are still inside, and glow electrons count"
CLAMPED = (
    "meaningless as a dark current: darks lie below the bias, so the camera subtracts a level that hides the "
    "dark signal from the mean"
)
GAIN_GIVEN = "converted with a gain that was given, not measured; its error is only what was given with it"


@dataclass(frozen=True)
class Rate:
    """A dark rate in adu and what belongs to it; :meth:`measurements` turns it into named numbers.

    ``power`` is that of the gain: 1 for a mean [adu/s], 2 for a variance [adu2/s].
    """

    method: str
    value: float
    std_error: float
    power: int
    n_frames: int
    notes: tuple[str, ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)

    def in_electrons(self, gain: AffineScalarFunc) -> AffineScalarFunc:
        """Return the dark current [electron/s]; the gain enters once."""
        return number(self.value, self.std_error) * gain**self.power

    def measurements(self, gain: AffineScalarFunc | None, *, gain_given: bool = False) -> Iterator[Measurement]:
        """Yield the rate in adu and, with a gain, the dark current in electrons."""
        rest = {"n_frames": self.n_frames, "conditions": self.conditions}
        name = "dark_mean_rate" if self.power == 1 else "dark_variance_rate"
        yield Measurement.of(name, number(self.value, self.std_error), self.method, notes=self.notes, **rest)
        if gain is not None:
            notes = (*self.notes, GAIN_GIVEN) if gain_given else self.notes
            yield Measurement.of("dark_current", self.in_electrons(gain), self.method, notes=notes, **rest)


def mean_difference(
    dark_means: ArrayLike, bias_means: ArrayLike, frame_sigma: float, exposure: float, *, clamped: bool
) -> Rate:
    """Measure ``mean(D - B) / t`` [adu/s], the popular method 1.

    Parameters
    ----------
    dark_means, bias_means
        Frame means [adu].
    frame_sigma
        Frame-to-frame rms of a dark's mean [adu], pooled.
    exposure
        Of the dark beyond that of the bias [s].
    clamped
        Whether this camera's darks lie below its bias: the number is then marked meaningless.

    Raises
    ------
    NotMeasurableError
        Without bias frames.
    """
    darks, biases = np.asarray(dark_means, dtype=np.float64), np.asarray(bias_means, dtype=np.float64)
    if len(biases) == 0:
        raise NotMeasurableError("no bias frames; shoot 20 at the darks' settings")
    scatter = float(biases.std(ddof=1)) if len(biases) > 1 else frame_sigma
    error = float(np.hypot(frame_sigma / len(darks) ** 0.5, scatter / len(biases) ** 0.5))
    rate = (float(darks.mean()) - float(biases.mean())) / exposure
    note = (
        CLAMPED if clamped else "true only where nothing is subtracted from the dark: no clamp, no drift of the offset"
    )
    return Rate("mean_difference", rate, error / exposure, 1, len(darks), (note,))


def variance_rates(
    moments: DifferenceMoments, bias: Estimate, exposure: float, gain: AffineScalarFunc | None = None
) -> list[Rate]:
    """Measure the dark current of one exposure from its noise: pair, composite, mean of pairs, temporal variance.

    Parameters
    ----------
    moments
        Of the darks, at least two frames.
    bias
        Temporal variance of one bias frame, quantisation included (it cancels) [adu2].
    exposure
        Of the darks beyond that of the bias [s].
    gain
        K [electron/adu], to add the Poisson part of the error of a variance.

    Returns
    -------
    list of Rate
        [adu2/s]; composite is that of the greatest even number of frames, from 4 on.

    Raises
    ------
    NotMeasurableError
        With one frame.

    Notes
    -----
    ``D_c <= [var(D1 - D2) / 2 - RON^2] / t`` (Buil, CMOS vs CCD; the paper's inequality), RON^2 from the bias frames.
    Poisson electrons add their excess kurtosis ``lambda`` to the variance of a variance: ``lambda / n`` for the
    temporal variance, of which ``2 / (n + 1)`` is in the Gaussian form already; ``lambda / n`` for a composite,
    two thirds of it in.
    """
    if moments.temporal is None:
        raise NotMeasurableError("one dark of this exposure: its noise needs a pair, better 14")
    pairs = moments.pairs
    n, n_pairs = moments.n_frames, len(pairs)
    poisson = poisson_variance(moments.temporal, bias, gain, moments.n_pixels)
    scatter = _pair_scatter(pairs)
    pairs_error = float(np.linalg.norm([pair.std_error for pair in pairs])) / n_pairs
    mean_of_pairs = Estimate(float(np.mean([pair.value for pair in pairs])), pairs_error)
    found = {"pair": (pairs[0], 2, 1 / 6)}
    if n_pairs > 1:  # of two or three frames they are the pair again
        found["composite"] = (moments.composites[2 * n_pairs], 2 * n_pairs, 1 / (6 * n_pairs))
        found["mean_of_pairs"] = (mean_of_pairs, 2 * n_pairs, 1 / (6 * n_pairs))
    found["temporal_variance"] = (moments.temporal, n, (n - 1) / (n * (n + 1)))
    rates = []
    for method, (variance, used, poisson_share) in found.items():
        error = float(np.sqrt(variance.std_error**2 + poisson * poisson_share))
        notes = [UPPER_BOUND]
        if scatter is not None:
            frames_error = scatter if method == "pair" else scatter / n_pairs**0.5
            error = max(error, frames_error)
            notes.append(
                "independent pairs scatter more than their noise allows (p < 0.01): hits, drift or telegraph pixels; "
                "the error is that of the scatter"
            )
        rates.append(_above_bias(method, Estimate(variance.value, error), bias, exposure, used, tuple(notes)))
    return rates


def _above_bias(
    method: str, variance: Estimate, bias: Estimate, exposure: float, n_frames: int, notes: tuple[str, ...]
) -> Rate:
    error = float(np.hypot(variance.std_error, bias.std_error)) / exposure
    return Rate(method, (variance.value - bias.value) / exposure, error, 2, n_frames, notes)


def poisson_variance(variance: Estimate, bias: Estimate, gain: AffineScalarFunc | None, n_pixels: int) -> float:
    """Excess kurtosis of Poisson electrons: mean(lambda) / N [electron^4], here in adu^4; 0 without a gain."""
    if gain is None:
        return 0.0
    return max(0.0, variance.value - bias.value) / float(gain.nominal_value) ** 2 / n_pixels


def _pair_scatter(pairs: Sequence[Estimate]) -> float | None:
    """Return the rms between independent pairs [adu2] where it exceeds what their errors allow, else None."""
    if len(pairs) < 2:
        return None
    values = np.array([pair.value for pair in pairs])
    errors = np.array([pair.std_error for pair in pairs])
    chi2 = float((((values - values.mean()) / errors) ** 2).sum())
    if stats.chi2.sf(chi2, len(pairs) - 1) >= _SCATTER_P:
        return None
    return float(values.std(ddof=1))


def convergence(
    moments: DifferenceMoments, bias: Estimate, exposure: float, gain: AffineScalarFunc | None = None
) -> dict[int, Rate]:
    """Return the composite of 2, 4, ..., n frames: the paper's convergence table [adu2/s].

    Parameters as for :func:`variance_rates`.
    """
    rates = {}
    scatter = _pair_scatter(moments.pairs)
    for n, variance in moments.composites.items():
        poisson = poisson_variance(variance, bias, gain, moments.n_pixels) / (3 * n)
        error = float(np.sqrt(variance.std_error**2 + poisson))
        if scatter is not None:
            error = max(error, scatter / (n / 2) ** 0.5)
        rates[n] = _above_bias("composite", Estimate(variance.value, error), bias, exposure, n, (UPPER_BOUND,))
    return rates


@dataclass(frozen=True)
class VarianceSlope:
    """Temporal variance against exposure: a weighted straight line, and an unweighted one from three points on."""

    weighted: Line
    unweighted: Line | None
    rate: Rate


def variance_slope(exposures: ArrayLike, variances: Sequence[Estimate], n_frames: int) -> VarianceSlope:
    """Fit ``var(t) = RON^2 + rate t``: needs no bias, since the intercept is the read noise.

    Parameters
    ----------
    exposures
        Shape (exposures,) [s], distinct.
    variances
        Temporal variance at each [adu2].
    n_frames
        In all.

    Raises
    ------
    NotMeasurableError
        With one exposure.
    """
    t = np.asarray(exposures, dtype=np.float64)
    if len(t) < 2:
        raise NotMeasurableError("no two exposures with two darks or more; shoot 3 exposures, better 8")
    value = [one.value for one in variances]
    weighted = fit_line(t, value, [one.std_error for one in variances], degree=1)
    unweighted = fit_line(t, value, np.ones(len(t)), degree=1)
    error = float(weighted.std_errors[1])
    if not weighted.dof:
        note = "two exposures: nothing tests that the variance grows in proportion"
        rate = Rate("variance_slope", float(weighted.coefficients[1]), error, 2, n_frames, (UPPER_BOUND, note))
        return VarianceSlope(weighted, None, rate)
    unweighted = replace(unweighted, covariance=unweighted.covariance * unweighted.chi2 / unweighted.dof)
    ratio = weighted.chi2 / weighted.dof
    notes = [UPPER_BOUND, f"chi2/dof {ratio:.3g}"]
    if stats.chi2.sf(weighted.chi2, weighted.dof) < _MISFIT_P:
        notes[1] = (
            f"the line does not fit (chi2/dof {ratio:.3g}: a glow that grows faster than the exposure, a temperature "
            f"that moved, or telegraph pixels); the formal error {error:.2g} adu2 / s is scaled up by {ratio**0.5:.2g}"
        )
        error *= ratio**0.5
    rate = Rate("variance_slope", float(weighted.coefficients[1]), error, 2, n_frames, tuple(notes))
    return VarianceSlope(weighted, unweighted, rate)
