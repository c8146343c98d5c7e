"""Registration: the projective transformation from a reference frame to another one, from their stars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.asterisms import alike_pairs, nearest_pairs
from workbench.calibrate.projective import PARAMETERS, ProjectiveFit, apply, fit_projective
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["FEWEST_STARS", "Registration", "RegistrationError", "register"]

FEWEST_STARS = 8  # twice what determines the transformation
_FLOOR = 0.02  # pixel, that no centroid is better than: what the pixels make of a star's shape
_TRIALS = 500  # transformations that RANSAC tries, unless it is sure before
_SURE = 1 - 1e-6
_AGREES = 2.0  # pixel, that a star may be off where four others put it
_WIDE = 6.0  # pixel, within which stars are paired that RANSAC did not see
_SIGMAS = 4.0  # beyond which a pair is wrong: a cosmic ray, a neighbour, a variable pixel under a star
_TIGHTEST = 0.1  # pixel, within which a pair is never wrong
_ROUNDS = 10
_CHANCE = 1e-4  # that so many stars agree where nothing is to be matched


class RegistrationError(InputError):
    """A frame that cannot be matched to the reference: too few stars, or other stars."""


@dataclass(frozen=True)
class Registration:
    """How a frame lies upon the reference.

    Parameters
    ----------
    matrix
        3 x 3; maps (x, y, 1) of the reference to the frame [pixel], both zero at the centre of the first pixel.
    n_matched
        Stars that the transformation was fitted to.
    rms, rms_error
        Distance [pixel] of a star from where it is mapped to, weighted as in the fit, and its standard error.
    worst_error
        Standard error [pixel] of the transformation itself at the worst corner of the reference.
    shape
        (rows, columns) of the reference.
    """

    matrix: Floats
    n_matched: int
    rms: float
    rms_error: float
    worst_error: float
    shape: tuple[int, int]

    @property
    def _slopes(self) -> tuple[Floats, Floats]:
        """The reference's centre, and the derivatives of the mapped point there."""
        centre = np.array([[(self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2]])
        near = apply(self.matrix, centre + np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]]))
        return near[0] - centre[0], np.column_stack([near[1] - near[2], near[3] - near[4]])

    @property
    def shift(self) -> tuple[float, float]:
        """Where the reference's centre lies in the frame, less where it lies in the reference: (x, y) [pixel]."""
        x, y = self._slopes[0]
        return float(x), float(y)

    @property
    def rotation(self) -> float:
        """Angle [degree] by which the frame's stars are turned, from x towards y, at the centre."""
        slopes = self._slopes[1]
        return math.degrees(math.atan2(slopes[1, 0] - slopes[0, 1], slopes[0, 0] + slopes[1, 1]))

    @property
    def scale(self) -> float:
        """Lengths in the frame over lengths in the reference, at the centre."""
        return float(math.sqrt(abs(np.linalg.det(self._slopes[1]))))


def register(
    stars: pd.DataFrame, reference_stars: pd.DataFrame, shape: tuple[int, int], *, file: object = "the frame"
) -> Registration:
    """Find the projective transformation from a reference to a frame from the stars of both.

    Parameters
    ----------
    stars, reference_stars
        As :func:`workbench.calibrate.stars.find_stars` gives them, the brightest first.
    shape
        (rows, columns) of the reference.
    file
        The frame's name, for the error.

    Raises
    ------
    RegistrationError
        When either list is too short, or no transformation puts more of the stars upon each other than chance does.

    Notes
    -----
    :mod:`workbench.calibrate.asterisms` proposes pairs of stars, of which RANSAC (Fischler and Bolles 1981;
    :func:`skimage.measure.ransac`, seeded) finds those that agree on a projective transformation. All stars are then
    paired by it, and the transformation fitted by weighted least squares, with its covariance, to pairs within 4 robust
    standard deviations until these no longer change. ``n`` pairs are accepted when a Poisson law of as many chance
    pairs as the density of stars and the area searched let expect, times the transformations tried, makes ``n - 4`` of
    them less likely than 1e-4.
    """
    for table, name in ((stars, file), (reference_stars, "the reference")):
        if len(table) < FEWEST_STARS:
            raise RegistrationError(
                name,
                f"shows {len(table)} stars, and registration needs {FEWEST_STARS}",
                "leave it out, or look for fainter stars (a lower sigma)",
            )
    reference, frame = (table[["x", "y"]].to_numpy(dtype=np.float64) for table in (reference_stars, stars))
    start = _consensus(reference, frame)
    fit, tolerance = (None, 0.0) if start is None else _grow(start, _errors(reference_stars), reference, frame, stars)
    n = 0 if fit is None else len(fit.residuals)
    if fit is None or n < FEWEST_STARS or _by_chance(n, tolerance, fit.matrix, reference, frame) > _CHANCE:
        raise RegistrationError(
            file,
            f"its {len(stars)} stars cannot be matched with the reference's {len(reference)}: no more than {n} agree,"
            " as they may by chance",
            "leave it out, or check that it shows the same field",
        )
    height, width = shape
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=np.float64)
    rms_error = fit.rms / math.sqrt(2 * (2 * n - PARAMETERS))
    return Registration(fit.matrix, n, fit.rms, rms_error, float(fit.error(corners).max()), (height, width))


def _errors(stars: pd.DataFrame) -> Floats:
    return np.asarray(np.hypot(stars["position_error"].to_numpy(dtype=np.float64), _FLOOR))


def _consensus(reference: Floats, frame: Floats) -> Floats | None:
    """Return the transformation (3 x 3) that most of the proposed pairs agree with; None where there is none."""
    from skimage.measure import ransac  # noqa: PLC0415 - only those wait for it who match stars
    from skimage.transform import ProjectiveTransform  # noqa: PLC0415 - likewise

    ours, theirs = alike_pairs(reference, frame)
    if len(ours) <= PARAMETERS // 2:  # with no more than these any frame is in agreement
        return None
    model, _ = ransac(
        (reference[ours], frame[theirs]),
        ProjectiveTransform,
        min_samples=PARAMETERS // 2,
        residual_threshold=_AGREES,
        max_trials=_TRIALS,
        stop_probability=_SURE,
        rng=0,  # the same lists always give the same answer
    )
    mirrored = model is None or not np.linalg.det(model.params[:2, :2]) > 0
    return None if mirrored else np.asarray(model.params, dtype=np.float64)


def _grow(
    matrix: Floats, reference_errors: Floats, reference: Floats, frame: Floats, stars: pd.DataFrame
) -> tuple[ProjectiveFit | None, float]:
    """Pair all stars, ever more closely; return the fit that its own pairs lead to, and how close these are."""
    errors = _errors(stars)
    before: Any = None
    distance = _WIDE
    for _ in range(_ROUNDS):
        ours, theirs = nearest_pairs(matrix, reference, frame, distance)
        if len(ours) < FEWEST_STARS:
            return None, 0.0
        weights = 1 / (reference_errors[ours] ** 2 + errors[theirs] ** 2)
        fit = fit_projective(reference[ours], frame[theirs], weights)
        if before is not None and np.array_equal(before, ours):
            break
        before, matrix = ours, fit.matrix
        middle = float(np.median(np.hypot(*fit.residuals.T)))
        distance = min(max(_SIGMAS * middle / math.sqrt(2 * math.log(2)), _TIGHTEST), _WIDE)
    return fit, distance


def _by_chance(n: int, distance: float, matrix: Floats, reference: Floats, frame: Floats) -> float:
    """Return how often one of the transformations tried would make so many pairs of stars that are strewn at random."""
    from scipy.special import pdtrc  # noqa: PLC0415 - only those wait for it who match stars

    low, high = frame.min(axis=0), frame.max(axis=0)
    mapped = apply(matrix, reference)
    searched = int(np.all((mapped >= low) & (mapped <= high), axis=1).sum())
    expected = searched * len(frame) * math.pi * distance**2 / max(float(np.prod(high - low)), 1.0)
    return float(_TRIALS * pdtrc(n - PARAMETERS // 2 - 1, expected))
