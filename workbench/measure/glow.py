"""How the amp glow grows with exposure: from the means of tiles that glow against those of tiles that do not.

Whatever the camera adds to or subtracts from a whole frame, drift and optical-black clamp, is in both and cancels; no
gain is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, optimize, stats

from workbench.errors import NotMeasurableError
from workbench.measure.glow_mask import GlowMask, find_glow
from workbench.measure.numbers import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.scaling import Tiles

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_FEWEST = 3  # exposures
_BRIGHT = 0.15  # of the brightest tile: where the glow of an exponential fall stands best out of noise
_CLEAR = 5.0  # standard errors of the glow at the longest exposure, below which an exponent says nothing
_MISFIT_P = 0.01
_UNDECIDED = 2.0  # of AICc
_EXPONENTS = (-2.0, 8.0)


@dataclass(frozen=True)
class PowerFit:
    """``G = A (t / t_longest)^p``: ``height`` A and ``exponent`` p with their errors, covariance, chi2 and its dof."""

    height: float
    height_error: float
    exponent: float
    exponent_error: float
    chi2: float
    dof: int


@dataclass(frozen=True)
class PolynomialFit:
    """``G = alpha t + beta t^2``: ``coefficients`` alpha and beta, their ``covariance``, chi2 and its dof."""

    coefficients: FloatArray
    covariance: FloatArray
    chi2: float
    dof: int


@dataclass(frozen=True)
class GlowGrowth:
    """The glow against exposure.

    Parameters
    ----------
    exposures
        Beyond that of the bias, shape (exposures,) [s].
    glow, covariance
        Mean of dark minus bias over the tiles that glow minus that over those that do not, shape (exposures,) [adu],
        and its covariance: temporal noise; the bias, common to all; the thermal pattern, in proportion to exposure.
    power, polynomial
        Both laws fitted to it.
    exponent
        Of the power law, effective over these exposures, with its error.
    aicc
        Corrected Akaike criterion of ``power`` and ``polynomial``; None with 3 exposures.
    exponents, exponent_errors
        Shape (16, 16): exponent of every tile; NaN where it does not glow enough to tell.
    current
        Mean glow over the frame per second at the longest exposure: [electron/s] with a gain, else [adu/s].
    tiles
        Shape (16, 16), bool: the tiles whose glow was averaged.
    mask
        Where the sensor glows, and where not [adu].
    n_frames
        Darks.
    notes
        What a reader must know.
    """

    exposures: FloatArray
    glow: FloatArray
    covariance: FloatArray
    power: PowerFit
    polynomial: PolynomialFit
    exponent: AffineScalarFunc
    aicc: dict[str, float | None]
    exponents: FloatArray
    exponent_errors: FloatArray
    current: AffineScalarFunc
    tiles: BoolArray
    mask: GlowMask
    n_frames: int
    notes: tuple[str, ...]

    def record(self, **conditions: Any) -> dict[str, Any]:
        """Return the record of the fits for ``results.json``."""
        power, polynomial = self.power, self.polynomial
        return {
            **conditions,
            "exposures": self.exposures.tolist(),
            "glow": self.glow.tolist(),
            "glow_errors": np.sqrt(np.diag(self.covariance)).tolist(),
            "power": {
                "height": power.height,
                "height_error": power.height_error,
                "exponent": power.exponent,
                "exponent_error": power.exponent_error,
                "chi2": power.chi2,
                "dof": power.dof,
            },
            "polynomial": {
                "coefficients": dict(zip(("alpha", "beta"), polynomial.coefficients.tolist(), strict=True)),
                "covariance": polynomial.covariance.tolist(),
                "chi2": polynomial.chi2,
                "dof": polynomial.dof,
            },
            "aicc": self.aicc,
            "n_tiles": int(self.tiles.sum()),
            "notes": list(self.notes),
        }


def glow_growth(bias: Tiles, darks: Sequence[Tiles], gain: AffineScalarFunc | None = None) -> GlowGrowth:
    """Measure how the glow grows with exposure.

    Parameters
    ----------
    bias, darks
        Masters over the same tiles, hot pixels left out of all; one entry an exposure.
    gain
        K [electron/adu], for the glow's current alone.

    Raises
    ------
    NotMeasurableError
        With fewer than 3 exposures, or where no part of the sensor glows.

    Notes
    -----
    The tiles are chosen at the longest exposure: those that glow for sure and at least 0.15 of the brightest. What is
    left of the glow in the tiles far from it grows alike and changes no exponent. Both laws are fitted by generalised
    least squares. The thermal pattern of the glowing tiles against the others does not average out and grows in
    proportion to exposure; its size is the scatter between tiles that temporal noise does not explain.
    """
    ordered = sorted((one for one in darks if one.exposure > bias.exposure), key=lambda one: one.exposure)
    if len(ordered) < _FEWEST:
        raise NotMeasurableError(f"darks of {len(ordered)} exposures above the bias; shoot 3 or more, better 8")
    t = np.array([one.exposure - bias.exposure for one in ordered])
    signals = np.array([one.means - bias.means for one in ordered])
    longest = ordered[-1]
    errors = np.hypot(longest.errors, bias.errors)
    mask = find_glow(signals[-1], errors)
    above = np.where(mask.glow, signals[-1] - mask.level, 0.0)
    if not mask.glow.any():
        raise NotMeasurableError(
            f"no part of the sensor glows at {longest.exposure:g} s; if it should, shoot longer darks, or more of them"
        )
    bright = mask.glow & (above >= _BRIGHT * above.max()) & (above > 0)
    if not bright.any():
        raise NotMeasurableError(f"the glow at {longest.exposure:g} s drowns in noise; shoot longer darks, or more")
    seen = _Contrast(t, signals, np.array([one.errors for one in ordered]), bias.errors, mask)
    glow, covariance = seen.of(bright)
    power = fit_power(t, glow, covariance)
    if power.height < _CLEAR * power.height_error:
        raise NotMeasurableError(
            f"no part of the sensor glows enough at {longest.exposure:g} s to tell how it grows; shoot longer darks, "
            "or more of them"
        )
    polynomial = fit_polynomial(t, glow, covariance)
    aicc = {name: _aicc(fit.chi2, len(t)) for name, fit in (("power", power), ("polynomial", polynomial))}
    exponents, exponent_errors = seen.exponents()
    return GlowGrowth(
        t,
        glow,
        covariance,
        power,
        polynomial,
        number(power.exponent, power.exponent_error),
        aicc,
        exponents,
        exponent_errors,
        _current(longest, bias, signals[-1], errors, mask) * (gain if gain is not None else 1.0),
        bright,
        mask,
        sum(one.n_frames for one in ordered),
        _notes(power, polynomial, aicc, mask),
    )


class _Contrast:
    """Means of dark minus bias over some tiles against those over the free ones, at every exposure."""

    def __init__(
        self, t: FloatArray, signals: FloatArray, errors: FloatArray, bias_errors: FloatArray, mask: GlowMask
    ) -> None:
        self._t, self._mask = t, mask
        self._signals, self._variances, self._bias = signals, errors**2, bias_errors**2
        self._free = self._mean(mask.free)

    def _mean(self, tiles: BoolArray) -> tuple[FloatArray, FloatArray, float, float]:
        """Mean over tiles, its variance, that of the bias, and that of the pattern at the longest exposure."""
        n = int(tiles.sum())
        means, variances = self._signals[:, tiles].mean(axis=1), self._variances[:, tiles].sum(axis=1) / n**2
        return means, variances, float(self._bias[tiles].sum()) / n**2, self._mask.scatter**2 / n

    def of(self, tiles: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return the glow at every exposure and its covariance."""
        (mean, variance, bias, pattern), free = self._mean(tiles), self._free
        growth = self._t / self._t[-1]
        covariance = np.diag(variance + free[1]) + bias + free[2] + (pattern + free[3]) * np.outer(growth, growth)
        return mean - free[0], covariance

    def exponents(self) -> tuple[FloatArray, FloatArray]:
        """Fit the power law to every tile that glows; NaN elsewhere, and where its own glow is not clear."""
        found, errors = (np.full(self._mask.glow.shape, np.nan) for _ in range(2))
        for place in zip(*np.nonzero(self._mask.glow), strict=True):
            one = np.zeros_like(self._mask.glow)
            one[place] = True
            glow, covariance = self.of(one)
            if glow[-1] < _CLEAR * covariance[-1, -1] ** 0.5:
                continue
            fit = fit_power(self._t, glow, covariance)
            if fit.height > _CLEAR * fit.height_error:
                found[place], errors[place] = fit.exponent, fit.exponent_error
        return found, errors


def fit_power(t: FloatArray, glow: FloatArray, covariance: FloatArray) -> PowerFit:
    """Fit ``A (t / t_longest)^p`` by generalised least squares.

    Parameters
    ----------
    t, glow, covariance
        Shapes (exposures,), (exposures,) and (exposures, exposures); ``t`` ascends.
    """
    growth = t / t[-1]
    whiten = linalg.inv(linalg.cholesky(covariance, lower=True))
    values = whiten @ glow

    def chi2(p: FloatArray | float) -> FloatArray:
        shapes = whiten @ growth[:, None] ** np.atleast_1d(p)
        heights = values @ shapes / (shapes**2).sum(axis=0)
        return np.asarray(((values[:, None] - heights * shapes) ** 2).sum(axis=0))

    grid = np.linspace(*_EXPONENTS, 41)
    best = int(np.argmin(chi2(grid)))
    around = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    p = float(optimize.fminbound(lambda p: float(chi2(p)[0]), *around, xtol=1e-7))
    one = whiten @ growth**p
    height = float(one @ values) / float(one @ one)
    slope = whiten @ (height * growth**p * np.log(growth))
    inverse = linalg.pinvh(np.array([[one @ one, one @ slope], [one @ slope, slope @ slope]]))
    errors = np.sqrt(np.diag(inverse))
    return PowerFit(height, float(errors[0]), p, float(errors[1]), float(chi2(p)[0]), len(t) - 2)


def fit_polynomial(t: FloatArray, glow: FloatArray, covariance: FloatArray) -> PolynomialFit:
    """Fit ``alpha t + beta t^2`` by generalised least squares; parameters as for :func:`fit_power`."""
    root = linalg.cholesky(covariance, lower=True)
    scales = np.array([t[-1], t[-1] ** 2])
    design = linalg.solve_triangular(root, np.stack([t, t**2], axis=1) / scales, lower=True)
    values = linalg.solve_triangular(root, glow, lower=True)
    inverse = linalg.inv(design.T @ design)
    found = inverse @ (design.T @ values)
    residuals = values - design @ found
    return PolynomialFit(found / scales, inverse / np.outer(scales, scales), float(residuals @ residuals), len(t) - 2)


def _aicc(chi2: float, n: int) -> float | None:
    return chi2 + 4 + 12 / (n - 3) if n > _FEWEST else None


def _current(longest: Tiles, bias: Tiles, signal: FloatArray, errors: FloatArray, mask: GlowMask) -> AffineScalarFunc:
    """Mean glow over the used pixels per second [adu/s]."""
    known = np.isfinite(signal)
    pixels = np.where(known, longest.sigma**2 / (longest.n_frames * longest.errors**2), 0.0)
    share = pixels / pixels.sum() - mask.free / mask.free.sum()
    total = np.hypot(errors, mask.scatter)[known]
    glow = float((share[known] * signal[known]).sum()) + mask.residual
    error = float(np.hypot(np.linalg.norm(share[known] * total), mask.residual_error))
    return number(glow, error) / (longest.exposure - bias.exposure)


def _notes(
    power: PowerFit, polynomial: PolynomialFit, aicc: dict[str, float | None], mask: GlowMask
) -> tuple[str, ...]:
    notes = []
    if stats.chi2.sf(power.chi2, power.dof) < _MISFIT_P:
        notes.append(
            f"no single power fits (chi2/dof {power.chi2 / power.dof:.3g}): the exponent is an average over the "
            "exposures measured, and others would give another"
        )
    one, other = aicc["power"], aicc["polynomial"]
    if one is not None and other is not None and abs(one - other) > _UNDECIDED:
        better = "alpha t + beta t^2" if other < one else "a power of t"
        notes.append(f"{better} fits better (AICc {min(one, other):.3g} against {max(one, other):.3g})")
    if mask.everywhere:
        notes.append("glow is all over the sensor: its current is counted from the darkest part, by extrapolation")
    if polynomial.coefficients[1] < 0 and polynomial.coefficients[1] < -3 * polynomial.covariance[1, 1] ** 0.5:
        notes.append("the glow slows down: its source cools, or the temperature fell as the exposure grew")
    return tuple(notes)
