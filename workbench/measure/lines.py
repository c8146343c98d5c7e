"""Weighted least squares of a polynomial, with covariance, the one way it is done here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A fitted polynomial, lowest power first; ``covariance`` is that of the stated errors, not scaled by chi2."""

    coefficients: FloatArray
    covariance: FloatArray
    chi2: float
    dof: int

    @property
    def std_errors(self) -> FloatArray:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.covariance))

    def predict(self, x: ArrayLike) -> FloatArray:
        """Return the polynomial at ``x``."""
        at = np.asarray(x, dtype=np.float64)
        return np.asarray(np.polynomial.polynomial.polyval(at, self.coefficients), dtype=np.float64)

    def predict_error(self, x: float) -> float:
        """Return the standard error of the polynomial at ``x``."""
        powers = x ** np.arange(len(self.coefficients))
        return float(np.sqrt(powers @ self.covariance @ powers))


def fit_line(x: ArrayLike, y: ArrayLike, error: ArrayLike, degree: int) -> Line:
    """Fit a polynomial of that degree by weighted least squares.

    Parameters
    ----------
    x, y, error
        Shape (points,); ``error`` is the standard error of ``y``, greater than 0.
    degree
        0 constant, 1 linear, 2 quadratic.

    Raises
    ------
    ValueError
        With fewer points than coefficients, or an error that is not positive.

    Notes
    -----
    ``x`` is scaled to its greatest value while solving: exposures of 10 to 600 s squared would spoil the condition.
    """
    x, y, error = (np.asarray(one, dtype=np.float64) for one in (x, y, error))
    if len(x) <= degree:
        raise ValueError(f"{len(x)} points cannot fix the {degree + 1} coefficients of a polynomial")
    if not (error > 0).all():
        raise ValueError("every error must be greater than 0")
    scale = float(np.abs(x).max()) or 1.0
    design = np.vander(x / scale, degree + 1, increasing=True) / error[:, None]
    u, singular, vt = np.linalg.svd(design, full_matrices=False)
    inverse = vt.T / singular
    powers = scale ** -np.arange(degree + 1.0)
    coefficients = inverse @ (u.T @ (y / error)) * powers
    covariance = inverse @ inverse.T * np.outer(powers, powers)
    residuals = (y - np.polynomial.polynomial.polyval(x, coefficients)) / error
    return Line(coefficients, covariance, float(residuals @ residuals), len(x) - degree - 1)


def line_record(line: Line, **conditions: Any) -> dict[str, Any]:
    """Return the record of a fitted straight line ``a + b x`` for ``results.json``."""
    return {
        **conditions,
        "model": "linear",
        "coefficients": dict(zip("ab", line.coefficients.tolist(), strict=True)),
        "std_errors": dict(zip("ab", line.std_errors.tolist(), strict=True)),
        "chi2": line.chi2,
        "dof": line.dof,
    }
