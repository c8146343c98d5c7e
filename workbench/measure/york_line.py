"""A straight line through points with errors in both coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MISFIT_P = 0.01


@dataclass(frozen=True)
class TwoErrorLine:
    """``y = intercept + slope x`` with errors in both; ``slope_error`` is that of the stated errors."""

    slope: float
    slope_error: float
    intercept: float
    chi2: float
    dof: int

    @property
    def scaled_error(self) -> float:
        """The slope's error, grown with the square root of chi2/dof where the points scatter more (p < 0.01)."""
        return self.slope_error * (self.chi2 / self.dof) ** 0.5 if self.misfit else self.slope_error

    @property
    def misfit(self) -> bool:
        """Whether the points scatter more about the line than their errors allow."""
        return bool(self.dof and stats.chi2.sf(self.chi2, self.dof) < _MISFIT_P)


def two_error_line(
    x: ArrayLike, x_error: ArrayLike, y: ArrayLike, y_error: ArrayLike, covariance: ArrayLike = 0.0
) -> TwoErrorLine:
    """Fit a straight line to points with errors in both coordinates.

    Parameters
    ----------
    x, x_error, y, y_error
        Shape (points,); of the two errors of a point one may be 0.
    covariance
        Of the errors of x and y.

    Raises
    ------
    NotMeasurableError
        With fewer than two points, or where the line stands upright.

    Notes
    -----
    York et al. 2004 (Am. J. Phys. 72, 367), equations 13, iterated: greatest likelihood for normal errors.
    """
    x, x_error, y, y_error = (np.asarray(one, dtype=np.float64) for one in (x, x_error, y, y_error))
    shared = np.broadcast_to(np.asarray(covariance, dtype=np.float64), x.shape)
    if len(x) < 2:
        raise NotMeasurableError("one point makes no line")
    slope = float(np.polynomial.polynomial.polyfit(x, y, 1, w=1 / np.hypot(y_error, y_error.max() * 1e-9))[1])
    for _ in range(100):
        weight = 1 / (y_error**2 + slope**2 * x_error**2 - 2 * slope * shared)
        u, v = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
        beta = weight * (u * y_error**2 + slope * v * x_error**2 - (slope * u + v) * shared)
        before, slope = slope, float((weight * beta * v).sum() / (weight * beta * u).sum())
        if abs(slope - before) <= 1e-10 * abs(slope):
            break
    else:
        raise NotMeasurableError("no line through these points: neither coordinate grows with the other")
    centre_x, centre_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = beta - np.average(beta, weights=weight)
    chi2 = float((weight * (y - centre_y - slope * (x - centre_x)) ** 2).sum())
    error = float((weight * spread**2).sum() ** -0.5)
    return TwoErrorLine(slope, error, float(centre_y - slope * centre_x), chi2, len(x) - 2)
