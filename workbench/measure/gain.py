"""Gain by photon transfer: the variance of flats against their mean; saturation, full well and linearity with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.measure.lines import fit_line
from workbench.measure.numbers import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uncertainties.core import AffineScalarFunc

    from workbench.stack.variance import EqualisedDifference, Estimate

LINEAR_SHARE = 0.7  # of saturation: above it the variance of many sensors bends down before the mean does
_MISFIT_P = 0.01
_KNEE = 0.1  # of the variance missing: no gain error or lamp does that


@dataclass(frozen=True)
class FlatLevel:
    """One pair of equally exposed flats over its used pixels.

    Parameters
    ----------
    exposure
        [s]
    mean
        Mean of the two frames above the zero-light level [adu], with its error.
    variance
        Temporal variance of one frame without that of the zero-light frames, reduced to ``mean`` [adu2].
    linear
        Whether the level is low enough to enter the fit.
    """

    exposure: float
    mean: float
    mean_error: float
    variance: float
    variance_error: float
    n_excluded: int
    linear: bool = True


@dataclass(frozen=True)
class PhotonTransfer:
    """``variance = mean / K``: the gain K [electron/adu], and how well the levels fit."""

    gain: AffineScalarFunc
    chi2: float
    dof: int
    levels: tuple[FlatLevel, ...]
    notes: tuple[str, ...]


def flat_level(
    pair: EqualisedDifference, zero_variance: Estimate, exposure: float, level_error: float, *, linear: bool
) -> FlatLevel:
    """Return the shot variance of a pair of flats at its mean level.

    Parameters
    ----------
    pair
        The equalised difference of the two flats.
    zero_variance
        Temporal variance of one zero-light frame [adu2].
    exposure
        [s]
    level_error
        Standard error of the mean level above zero light [adu] from the frame-to-frame drift; the shot noise of the
        mean is added.
    linear
        Whether the level is low enough to enter the fit.

    Notes
    -----
    With ``r = m1 / m2`` and shot noise of gain K,
    ``var(F1 - r F2) = (m1 + r^2 m2) / K + (1 + r^2) var0 = (1 + r) m1 / K + (1 + r^2) var0``.
    """
    r = pair.means[0] / pair.means[1]
    middle = sum(pair.means) / 2
    to_middle = middle / pair.means[0] / (1 + r)
    shot = (pair.spread.value - (1 + r**2) * zero_variance.value) * to_middle
    error = float(np.hypot(pair.spread.std_error, (1 + r**2) * zero_variance.std_error)) * to_middle
    shot_noise_of_mean = (pair.spread.value / pair.n_pixels) ** 0.5 / 2
    mean_error = float(np.hypot(level_error, shot_noise_of_mean))
    return FlatLevel(exposure, middle, mean_error, shot, error, pair.n_excluded, linear)


def below_the_knee(levels: Sequence[FlatLevel]) -> list[FlatLevel]:
    """Mark as not linear what lies above the level at which the variance first falls below the line.

    Wells that fill up spread their limit over pixels and leave no pile of equal values, but they lose variance.
    """
    ordered = sorted(levels, key=lambda level: level.mean)
    for k in range(2, len(ordered)):
        lower, level = ordered[:k], ordered[k]
        expected = level.mean * sum(one.variance for one in lower) / sum(one.mean for one in lower)
        missing = expected - level.variance
        if missing > _KNEE * expected and missing > 5 * level.variance_error:
            return [*lower, *(replace(one, linear=False) for one in ordered[k:])]
    return ordered


def photon_transfer(levels: Sequence[FlatLevel]) -> PhotonTransfer:
    """Fit ``variance = mean / K`` to the levels in the linear range.

    Raises
    ------
    NotMeasurableError
        When no level is in the linear range, or the variance does not grow with the mean.

    Notes
    -----
    Line through the origin, since the zero-light level and variance are subtracted; a level's error in the mean
    enters through the slope. From the level on whose variance falls below the line through the lower ones, pixels
    saturate, and the levels are left out. Where the others scatter more than their errors (p < 0.01) the error grows
    with the square root of chi2/dof.
    """
    levels = below_the_knee(levels)
    linear = [level for level in levels if level.linear]
    if not linear:
        raise NotMeasurableError(f"no flat pair lies below {LINEAR_SHARE:.0%} of saturation; shoot flats at half of it")
    mean = np.array([level.mean for level in linear])
    variance = np.array([level.variance for level in linear])
    slope = float(variance.sum() / mean.sum())
    error = np.hypot(
        [level.variance_error for level in linear], slope * np.array([level.mean_error for level in linear])
    )
    weights = mean**2 / error**2
    slope = float(np.average(variance / mean, weights=weights))
    if slope <= 0:
        raise NotMeasurableError(
            "the variance of the flats does not grow with their mean; are they raw, and equally lit?"
        )
    slope_error = float(weights.sum() ** -0.5)
    chi2, dof = float((((variance - slope * mean) / error) ** 2).sum()), len(linear) - 1
    notes = []
    if dof and stats.chi2.sf(chi2, dof) < _MISFIT_P:
        slope_error *= (chi2 / dof) ** 0.5
        notes.append(f"the levels scatter more than their errors (chi2/dof {chi2 / dof:.1f}); the error is scaled up")
    if not dof:
        notes.append("one level of flats: nothing tests that variance and mean are proportional")
    return PhotonTransfer(1 / number(slope, slope_error, "gain"), chi2, dof, tuple(levels), tuple(notes))


@dataclass(frozen=True)
class Linearity:
    """Greatest bow of signal against exposure; means [adu] of the levels and residuals from a line, relative."""

    bow: AffineScalarFunc
    means: tuple[float, ...]
    residuals: tuple[float, ...]


def linearity(levels: Sequence[FlatLevel]) -> Linearity:
    """Measure how far the flat signal bows off a straight line under a constant lamp.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 levels of different exposure.

    Notes
    -----
    ``mean = p + q t + c t^2`` is fitted with the levels' own errors; the bow is ``c T^2 / 4`` over the fitted range of
    signal: the greatest distance of the parabola from its chord over the range ``T`` of exposures. Signed, so that a
    perfect camera gives zero within its error. Residuals are those of the straight line, relative to the signal.
    """
    linear = [level for level in levels if level.linear]
    t = np.array([level.exposure for level in linear])
    if len(np.unique(t)) < 4:
        raise NotMeasurableError(
            f"{len(np.unique(t))} flat exposures in the linear range; shoot pairs at 4 or more under a steady lamp"
        )
    mean = np.array([level.mean for level in linear])
    error = np.array([level.mean_error for level in linear])
    parabola = fit_line(t, mean, error, degree=2)
    misfit = parabola.dof and stats.chi2.sf(parabola.chi2, parabola.dof) < _MISFIT_P
    scale = (parabola.chi2 / parabola.dof) ** 0.5 if misfit else 1.0
    factor = np.ptp(t) ** 2 / 4 / np.ptp(mean)
    bow = number(parabola.coefficients[2] * factor, parabola.std_errors[2] * factor * scale)
    line = fit_line(t, mean, error, degree=1)
    residuals = mean / line.predict(t) - 1
    return Linearity(bow, tuple(mean.tolist()), tuple(residuals.tolist()))
