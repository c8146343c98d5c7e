"""Where a sensor glows, where it surely does not, and what is left of the glow there: from the means of tiles alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from workbench.errors import NotMeasurableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_SIGNIFICANT = 4.0  # standard errors of the mean of 3 x 3 tiles: a false alarm in one sensor of a hundred
_HARMLESS = 0.3  # of the error of the mean of the free tiles: glow below it is left where it is
_FEWEST_FREE = 16  # tiles, a sixteenth of the sensor
_INSIDE = 2.5  # tiles of the glow's rim whose fall tells its reach
_REACHES = np.geomspace(0.4, 8.0, 30)  # tiles


@dataclass(frozen=True)
class GlowMask:
    """Where a sensor glows.

    Parameters
    ----------
    glow, free
        Shape (16, 16), bool: tiles that glow for sure; tiles so far from them that the glow left there drowns. Between
        them, and where no pixel is used, neither.
    level, level_error
        Of a tile without glow, with its standard error; in the unit of the means.
    residual, residual_error
        Mean glow that is left in the free tiles by the fall of the glow towards them.
    scatter
        Rms of a tile's mean about the smooth map beyond its temporal noise: pixels differ for good.
    everywhere
        Whether the glow reaches all parts of the sensor, so that ``residual`` does not drown.
    """

    glow: BoolArray
    free: BoolArray
    level: float
    level_error: float
    residual: float
    residual_error: float
    scatter: float
    everywhere: bool


def find_glow(means: FloatArray, errors: FloatArray) -> GlowMask:
    """Tell the tiles that glow from those that do not.

    Parameters
    ----------
    means, errors
        Shape (16, 16): mean of dark minus bias over a tile, hot pixels left out, and its standard error from temporal
        noise; any unit; NaN for a tile without a used pixel.

    Raises
    ------
    NotMeasurableError
        When fewer than 16 tiles hold used pixels.

    Notes
    -----
    Thermal background is the same in every part of the sensor but for the pixels' own differences, whose scatter over
    tiles is taken from second differences between neighbours; glow is smooth and adds. Tiles whose mean with their
    neighbours stands 4 errors above the rest glow. At their rim and beyond, the means are fitted with
    ``level + a exp(-d / h)``, d the distance from the rim, over all reaches h, each with the weight of its fit: so the
    choice of the free tiles hangs on their place and not on their noise, and the glow left in them is known.
    """
    known = np.isfinite(means) & (errors > 0)
    if known.sum() < _FEWEST_FREE:
        raise NotMeasurableError(
            f"{known.sum()} tiles of {known.size} hold pixels that can be used; shoot darks that saturate or clip less"
        )
    scatter = _scatter(means, errors, known)
    total = np.where(known, np.hypot(errors, scatter), np.inf)
    glow = _glowing(np.where(known, means, 0.0), total, known)
    weights = np.where(known & ~glow, total, np.inf) ** -2.0
    if not glow.any():
        level = float(np.nansum(weights * np.where(known, means, 0.0)) / weights.sum())
        return GlowMask(glow, known, level, float(weights.sum() ** -0.5), 0.0, 0.0, scatter, everywhere=False)
    inside, outside = ndimage.distance_transform_edt(glow), ndimage.distance_transform_edt(~glow)
    distance = np.where(glow, 1.0 - inside, outside)
    rim = known & (distance > -_INSIDE)
    fall = _Fall(distance[rim], means[rim], total[rim])
    free, residual, residual_error, everywhere = _free(fall, distance, total, known & ~glow)
    return GlowMask(glow, free, fall.level, fall.level_error, residual, residual_error, scatter, everywhere)


def _scatter(means: FloatArray, errors: FloatArray, known: BoolArray) -> float:
    """Rms of the tiles beyond their temporal noise, from the median of second differences: glow is smooth."""
    values = np.where(known, means, np.nan)
    bends = [one[:, 1:-1] - (one[:, :-2] + one[:, 2:]) / 2 for one in (values, values.T)]
    bend = np.concatenate([one[np.isfinite(one)] for one in bends])
    if bend.size < _FEWEST_FREE:
        return 0.0
    spread = float(np.median(np.abs(bend))) / 0.6745 / 1.5**0.5
    return float(np.sqrt(max(0.0, spread**2 - float(np.median(errors[known])) ** 2)))


def _glowing(means: FloatArray, total: FloatArray, known: BoolArray) -> BoolArray:
    """Mark the tiles whose surroundings stand above the rest; the level starts low and climbs to that of the rest."""
    count = _box(known.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        smooth = _box(means * known) / count
        error = np.sqrt(_box(np.where(known, total, 0.0) ** 2)) / count
    level = float(np.quantile(smooth[known], 0.1))
    glow = np.zeros_like(known)
    for _ in range(50):
        found = known & (smooth - level > _SIGNIFICANT * error)
        rest = known & ~found
        if rest.sum() < _FEWEST_FREE or (found == glow).all():
            break
        glow = found
        level = float(np.average(means[rest], weights=total[rest] ** -2.0))
    return glow


def _box(values: FloatArray) -> FloatArray:
    summed: FloatArray = ndimage.convolve(values, np.ones((3, 3)), mode="constant")
    return summed


class _Fall:
    """``level + a exp(-d / h)`` with a not negative, for every reach h, and the weight of each."""

    def __init__(self, distance: FloatArray, means: FloatArray, errors: FloatArray) -> None:
        fits = [self._fit(np.exp(-distance / reach), means, errors) for reach in _REACHES]
        self._levels, level_variances, self._heights, self._height_variances, chi2 = np.array(fits).T
        self._weights = np.exp(-(chi2 - chi2.min()) / 2)
        self._weights /= self._weights.sum()
        self.level, self.level_error = self._average(self._levels, level_variances)

    @staticmethod
    def _fit(shape: FloatArray, means: FloatArray, errors: FloatArray) -> tuple[float, float, float, float, float]:
        w = errors**-2.0
        mean_shape, mean = float(np.average(shape, weights=w)), float(np.average(means, weights=w))
        power = float((w * (shape - mean_shape) ** 2).sum())
        height = max(0.0, float((w * (shape - mean_shape) * means).sum()) / power)
        level = mean - height * mean_shape
        chi2 = float((w * (means - level - height * shape) ** 2).sum())
        return level, 1 / float(w.sum()) + mean_shape**2 / power, height, 1 / power, chi2

    def _average(self, values: FloatArray, variances: FloatArray) -> tuple[float, float]:
        mean = float((self._weights * values).sum())
        return mean, float((self._weights * (variances + (values - mean) ** 2)).sum()) ** 0.5

    def left(self, distance: FloatArray) -> tuple[float, float]:
        """Return the mean glow at these distances and its error."""
        shapes = np.exp(-distance[:, None] / _REACHES).mean(axis=0)
        return self._average(self._heights * shapes, self._height_variances * shapes**2)


def _free(
    fall: _Fall, distance: FloatArray, total: FloatArray, candidates: BoolArray
) -> tuple[BoolArray, float, float, bool]:
    """Choose the nearest distance from which on the glow drowns; else the one where it matters least."""
    choices: list[tuple[float, BoolArray, float, float]] = []
    for nearest in np.unique(distance[candidates]):
        free = candidates & (distance >= nearest)
        n = int(free.sum())
        if choices and n < _FEWEST_FREE:
            break
        noise = float(np.linalg.norm(total[free])) / n
        residual, error = fall.left(distance[free])
        error = max(error, residual / 2)  # the shape of the fall is assumed
        choices.append((float(np.hypot(residual, noise)), free, residual, error))
        if residual < _HARMLESS * noise:
            return free, residual, error, False
    _, free, residual, error = min(choices, key=lambda one: one[0])
    return free, residual, max(error, residual), True  # glow on all sides: less of the fall is seen
