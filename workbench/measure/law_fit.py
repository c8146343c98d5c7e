"""The fit of a law of the dark current by generalised least squares: errors that temperatures share enter once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats
from uncertainties import correlated_values

from workbench.measure.dark_laws import LawFit
from workbench.measure.numbers import covariance, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_laws import DarkPoint, Law

    FloatArray = NDArray[np.float64]

MISFIT_P = 0.01
_ENERGIES = np.linspace(0.1, 1.6, 11)  # eV
_SAME_FACTOR = 0.1  # relative: errors this nearly in proportion to the values are those of one common factor


def fit_law(points: Sequence[DarkPoint], law: Law, reference: float, offset: AffineScalarFunc | None = None) -> LawFit:
    """Fit one law to the dark currents by generalised least squares with their full covariance.

    Parameters
    ----------
    points
        At least as many as the law has coefficients, each with an error of its own.
    law
        Of :data:`LAWS`.
    reference
        T_ref [deg_C], as the sensor's thermometer reads.
    offset
        Common error of that thermometer [K], a number around 0; it shifts T_ref with the readings.

    Raises
    ------
    ValueError
        With fewer points than coefficients, or where points have no error of their own.

    Notes
    -----
    A common factor (the gain) is left out of the weights and put back into the amplitudes: kept in, it would pull
    ``I_ref`` low (R. W. Peelle's puzzle), and it cannot change ``g``. An error of a temperature enters as that of the
    dark current there, by the law's slope (effective variance); a common one is left out of the weights as well, else
    the fit would believe the law's slight curvature more than the thermometer.
    """
    if len(points) < law.n_coefficients:
        raise ValueError(f"{len(points)} points cannot fix the {law.n_coefficients} coefficients of {law.name}")
    problem = _Problem(points, law, reference, offset)
    theta = problem.start()
    for _ in range(problem.n_rounds):
        theta = problem.improved(theta)
    return problem.finished(theta)


class _Problem:
    """The points of one fit, its weights, and the model with its derivatives; ``theta`` is (I_ref, g, constant)."""

    def __init__(
        self, points: Sequence[DarkPoint], law: Law, reference: float, offset: AffineScalarFunc | None
    ) -> None:
        self.law, self.reference = law, reference
        self.offset = number(0.0, 0.0) if offset is None else offset
        self.currents = [point.dark_current for point in points]
        self.misreadings = [point.temperature - point.degrees for point in points]
        self.y = np.array([one.nominal_value for one in self.currents], dtype=np.float64)
        celsius = np.array([point.degrees for point in points])
        self.x = law.coordinate(celsius, reference)
        self.x_slope = law.slope(celsius, reference)
        self.x_offset = self.x_slope - law.slope(np.array(reference), reference)
        self.factors = _common_factors(self.currents, self.y)
        # the weights hang on the slope of the law where temperatures have errors
        self.n_rounds = 4 if any(one.std_dev for one in self.misreadings) else 1

    def model(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the law at the points, and its derivatives, shape (points, coefficients)."""
        growth = theta[1] if self.law.unit_growth is not None else 1.0
        shape = np.exp(growth * self.x)
        columns = [shape]
        if self.law.unit_growth is not None:
            columns.append(theta[0] * self.x * shape)
        value = theta[0] * shape
        if self.law.constant:
            columns.append(np.ones_like(shape))
            value = value + theta[-1]
        return value, np.column_stack(columns)

    def errors_in(self, theta: FloatArray, offset: AffineScalarFunc) -> list[AffineScalarFunc]:
        """Return the dark currents with the errors of their temperatures put into them."""
        growth = theta[1] if self.law.unit_growth is not None else 1.0
        rise = theta[0] * growth * np.exp(growth * self.x)
        return [
            current - float(slope) * misread - float(common) * offset
            for current, misread, slope, common in zip(
                self.currents, self.misreadings, rise * self.x_slope, rise * self.x_offset, strict=True
            )
        ]

    def whitening(self, theta: FloatArray) -> FloatArray:
        """Return the inverse root of the covariance, what is common to all points left out."""
        own = covariance(self.errors_in(theta, number(0.0, 0.0)))
        for factor, rest in self.factors:
            own += np.outer(rest, rest) - np.outer(factor, factor)
        try:
            return np.asarray(np.linalg.inv(np.linalg.cholesky(own)), dtype=np.float64)
        except np.linalg.LinAlgError:
            raise ValueError("every dark current needs an error of its own") from None

    def start(self) -> FloatArray:
        """Look for the growth among energies of 0.1 to 1.6 eV; amplitude and constant follow linearly."""
        unit = self.law.unit_growth
        trials = [np.ones(self.law.n_coefficients) for _ in range(1 if unit is None else len(_ENERGIES))]
        if unit is not None:
            for trial, energy in zip(trials, _ENERGIES, strict=True):
                trial[1] = energy * unit
        whiten = self.whitening(np.zeros(self.law.n_coefficients))
        linear = [0, -1] if self.law.constant else [0]
        misfits = []
        for trial in trials:
            design = whiten @ self.model(trial)[1][:, linear]
            trial[linear] = np.linalg.lstsq(design, whiten @ self.y, rcond=None)[0]
            misfits.append(float(((whiten @ self.y - design @ trial[linear]) ** 2).sum()))
        return trials[int(np.argmin(misfits))]

    def improved(self, theta: FloatArray) -> FloatArray:
        """Minimise chi2 with the weights that hold at ``theta``."""
        whiten = self.whitening(theta)

        def residuals(at: FloatArray) -> FloatArray:
            return np.asarray(whiten @ (self.model(at)[0] - self.y), dtype=np.float64)

        def derivatives(at: FloatArray) -> FloatArray:
            return np.asarray(whiten @ self.model(at)[1], dtype=np.float64)

        found = optimize.least_squares(
            residuals, theta, jac=derivatives, method="lm", x_scale="jac", xtol=1e-12, ftol=1e-12
        )
        return np.asarray(found.x, dtype=np.float64)

    def finished(self, theta: FloatArray) -> LawFit:
        """Propagate every error into the coefficients, and widen them where the law does not fit."""
        whiten = self.whitening(theta)
        value, columns = self.model(theta)
        design = whiten @ columns
        information = np.linalg.inv(design.T @ design)
        shares = information @ design.T @ whiten  # of each point in each coefficient
        chi2 = float(((whiten @ (self.y - value)) ** 2).sum())
        n, k = len(self.y), self.law.n_coefficients
        dof = n - k
        p = float(stats.chi2.sf(chi2, dof)) if dof else None
        departures = [one - one.nominal_value for one in self.errors_in(theta, self.offset)]
        found = [
            float(at) + sum(float(share) * departure for share, departure in zip(row, departures, strict=True))
            for at, row in zip(theta, shares, strict=True)
        ]
        stretch = 1.0
        if p is not None and p < MISFIT_P:
            stretch = (chi2 / dof) ** 0.5
            extra = correlated_values(np.zeros(k), (stretch**2 - 1) * information)
            found = [one + more for one, more in zip(found, extra, strict=True)]
        aicc = chi2 + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else None
        return LawFit(self.law.name, self.reference, self._named(found), chi2, dof, p, stretch, aicc)

    def _named(self, found: list[AffineScalarFunc]) -> dict[str, AffineScalarFunc]:
        named = {"I_ref": found[0]}
        if self.law.name == "doubling":
            named["T_d"] = np.log(2) / found[1]
        elif self.law.unit_growth is not None:
            named["E"] = found[1]
        if self.law.constant:
            named["constant"] = found[-1]
        return named


def _common_factors(currents: Sequence[AffineScalarFunc], y: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Return, for each shared variable whose errors are nearly in proportion to the values, these and what is not."""
    derivatives = [one.derivatives for one in currents]
    factors = []
    for variable in dict.fromkeys(variable for one in derivatives for variable in one):
        errors = np.array([one.get(variable, 0.0) * variable.std_dev for one in derivatives])
        rest = errors - float(errors @ y / (y @ y)) * y
        if np.count_nonzero(errors) > 1 and np.linalg.norm(rest) <= _SAME_FACTOR * np.linalg.norm(errors):
            factors.append((errors, rest))
    return factors
