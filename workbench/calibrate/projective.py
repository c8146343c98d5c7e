"""Projective transformations of the plane: applied, and fitted to pairs of points with their covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["PARAMETERS", "ProjectiveFit", "apply", "fit_affine", "fit_projective", "normalisation"]

PARAMETERS = 8  # of a 3 x 3 matrix, whose last element is 1
_STEPS = 20
_SETTLED = 1e-13  # of the parameters, which are of order one


def apply(matrix: Floats, points: Floats) -> Floats:
    """Map points, shape (point, 2) as (x, y), by a 3 x 3 matrix."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def normalisation(points: Floats) -> Floats:
    """Return the matrix that shifts points to their centre and scales them to a mean distance of one."""
    centre = points.mean(axis=0)
    scale = max(float(np.mean(np.hypot(*(points - centre).T))), 1e-9)
    return np.array([[1 / scale, 0, -centre[0] / scale], [0, 1 / scale, -centre[1] / scale], [0, 0, 1]])


def fit_affine(points: Floats, images: Floats) -> Floats:
    """Return the 3 x 3 matrix of the affine transformation that maps points best."""
    solution, *_ = np.linalg.lstsq(np.column_stack([points, np.ones(len(points))]), images, rcond=None)
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class ProjectiveFit:
    """A projective transformation fitted to pairs of points.

    Parameters
    ----------
    matrix
        3 x 3, last element 1; maps (x, y, 1) of the points to their images.
    residuals
        Image less mapped point, shape (point, 2).
    rms
        Distance of an image of weight 1 from the mapped point: sqrt(sum(w d^2) / (n - 4)), the weights' mean being 1.
    """

    matrix: Floats
    residuals: Floats
    rms: float
    _fitted: Floats
    _frames: tuple[Floats, Floats]
    _covariance: Floats

    def error(self, points: Floats) -> Floats:
        """Return the standard errors of where points are mapped to (distance, shape (point,)), as the fit has them."""
        into, back = self._frames
        slopes = _jacobian(self._fitted, apply(into, points))
        variance = np.einsum("pai,ij,paj->p", slopes, self._covariance, slopes)
        return np.asarray(np.sqrt(variance) / back[0, 0])


def fit_projective(points: Floats, images: Floats, weights: Floats) -> ProjectiveFit:
    """Fit a projective transformation by weighted least squares of the distances in the image.

    Parameters
    ----------
    points, images
        Shape (point, 2) as (x, y) [pixel]; at least five, not on one line.
    weights
        Shape (point,), the inverse variance of each image but for a factor.

    Notes
    -----
    Gauss-Newton from the affine solution, in coordinates of order one (Hartley 1997). The covariance is that of the
    linearised problem, scaled by the residuals: (J' W J)^-1 sum(w d^2) / (2 n - 8).
    """
    into, back = normalisation(points), normalisation(images)
    p, q = apply(into, points), apply(back, images)
    root = np.asarray(np.sqrt(weights / weights.mean()))[:, None]
    fitted: Floats = fit_affine(p, q).reshape(-1)[:PARAMETERS]
    for _ in range(_STEPS):
        slopes = (_jacobian(fitted, p) * root[:, :, None]).reshape(-1, PARAMETERS)
        off = ((q - apply(_matrix(fitted), p)) * root).reshape(-1)
        step, *_ = np.linalg.lstsq(slopes, off, rcond=None)
        fitted = np.asarray(fitted + step, dtype=np.float64)
        if np.abs(step).max() < _SETTLED:
            break
    matrix = np.asarray(np.linalg.solve(back, _matrix(fitted) @ into), dtype=np.float64)
    matrix /= matrix[2, 2]
    residuals = images - apply(matrix, points)
    squares = float((root**2 * residuals**2).sum())
    n = len(points)
    scale = squares * back[0, 0] ** 2 / (2 * n - PARAMETERS)
    covariance = np.linalg.inv(slopes.T @ slopes) * scale
    return ProjectiveFit(matrix, residuals, (squares / (n - PARAMETERS / 2)) ** 0.5, fitted, (into, back), covariance)


def _matrix(parameters: Floats) -> Floats:
    return np.append(parameters, 1.0).reshape(3, 3)


def _jacobian(parameters: Floats, points: Floats) -> Floats:
    """Return the derivatives of the mapped points by the parameters, shape (point, 2, 8)."""
    below = np.column_stack([points, np.ones(len(points))]) @ np.append(parameters[6:], 1.0)
    x, y = apply(_matrix(parameters), points).T
    own = np.column_stack([points, np.ones(len(points))]) / below[:, None]
    slopes = np.zeros((len(points), 2, PARAMETERS))
    slopes[:, 0, 0:3], slopes[:, 1, 3:6] = own, own
    slopes[:, 0, 6:], slopes[:, 1, 6:] = -x[:, None] * own[:, :2], -y[:, None] * own[:, :2]
    return slopes
