"""May this camera's darks be scaled? Masters predict each other, tile by tile, and the misses are weighed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from workbench.results import Verdict, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

GRID = 16  # tiles a side
_FAMILY_P = 0.01  # chance of one false alarm among all tiles of all pairs of exposures
TOLERANCE = 0.1  # of one light frame's noise: a smaller mistake drowns in it
_FEWEST = 3  # exposures


@dataclass(frozen=True)
class Tiles:
    """A master dark (or bias) as means over a grid of tiles.

    Parameters
    ----------
    exposure
        [s]
    n_frames
        Frames in the master.
    means, errors
        Shape (16, 16): mean of the master over the tile's used pixels and its standard error from temporal noise
        [adu]; NaN for a tile without a used pixel.
    sigma
        Shape (16, 16): noise of one pixel of one frame, rms over the tile [adu].
    level_error
        Standard error of the master's level from the drift between frames [adu], the same for all tiles.
    """

    exposure: float
    n_frames: int
    means: FloatArray
    errors: FloatArray
    sigma: FloatArray
    level_error: float


@dataclass(frozen=True)
class Prediction:
    """How well the master at ``reference`` [s], scaled by ``k``, predicts that at ``exposure`` [s].

    ``residuals`` and ``errors`` [adu] have the shape of the grid, the common offset taken out; ``offset`` [adu] is it,
    with its frame-to-frame error. ``k_fitted`` is the factor that fits the tiles best, ``fitted_residuals`` [adu] what
    such a factor leaves in tiles that were not used to fit it, ``light_sigma`` [adu] the noise of one frame in each
    tile.
    """

    exposure: float
    reference: float
    k: float
    k_fitted: float
    k_fitted_error: float
    residuals: FloatArray
    errors: FloatArray
    offset: float
    offset_error: float
    fitted_residuals: FloatArray
    light_sigma: FloatArray

    @property
    def in_light_frames(self) -> FloatArray:
        """Residuals in units of one light frame's noise."""
        return self.residuals / self.light_sigma

    @property
    def fitted_in_light_frames(self) -> float:
        """Largest residual that the best factor leaves, in units of one light frame's noise."""
        return float(np.nanmax(np.abs(self.fitted_residuals / self.light_sigma)))

    @property
    def significance(self) -> FloatArray:
        """Residuals in standard errors."""
        return self.residuals / self.errors

    @property
    def worst(self) -> tuple[int, int]:
        """Row and column of the tile with the most significant residual."""
        row, column = np.unravel_index(np.nanargmax(np.abs(self.significance)), self.residuals.shape)
        return int(row), int(column)

    def record(self) -> dict[str, Any]:
        """Return a row of the table of predictions."""
        place = self.worst
        return {
            "exposure": self.exposure,
            "reference_exposure": self.reference,
            "k": self.k,
            "k_fitted": self.k_fitted,
            "k_fitted_error": self.k_fitted_error,
            "offset": self.offset,
            "offset_error": self.offset_error,
            "max_residual": float(self.residuals[place]),
            "max_residual_error": float(self.errors[place]),
            "max_residual_light": float(self.in_light_frames[place]),
            "max_residual_fitted_light": self.fitted_in_light_frames,
            "tile": list(place),
        }


def tiles_of(
    mean_map: NDArray[np.floating],
    variance_map: NDArray[np.floating],
    excluded: BoolArray,
    *,
    exposure: float,
    n_frames: int,
    level_error: float,
    row_noise: float = 0.0,
) -> Tiles:
    """Average a master over a grid of 16 x 16 tiles.

    Parameters
    ----------
    mean_map, variance_map
        Mean over frames [adu] and temporal variance of one frame [adu2] of every pixel, shape (y, x).
    excluded
        Pixels that do not count, shape (y, x).
    exposure, n_frames, level_error
        As in :class:`Tiles`.
    row_noise
        Variance in time that the pixels of a row share [adu2]: a tile averages it over its rows, not over its pixels.
    """
    height, width = mean_map.shape
    column_tile = np.arange(width) * GRID // width
    counts, sums, variances = (np.zeros((GRID, GRID)) for _ in range(3))
    for row in range(GRID):  # a row of tiles at a time: an index of every pixel would be larger than the maps
        band = slice(-(-row * height // GRID), -(-(row + 1) * height // GRID))
        keep = ~excluded[band]
        tile = np.broadcast_to(column_tile, keep.shape)[keep]
        counts[row] = np.bincount(tile, minlength=GRID)
        sums[row] = np.bincount(tile, weights=mean_map[band][keep], minlength=GRID)
        variances[row] = np.bincount(tile, weights=variance_map[band][keep], minlength=GRID)
    with np.errstate(invalid="ignore", divide="ignore"):  # a tile without pixels is NaN, and said to be so
        means, errors, sigma = sums / counts, np.sqrt(variances / n_frames) / counts, np.sqrt(variances / counts)
    errors = np.hypot(errors, (row_noise / n_frames * GRID / height) ** 0.5)
    return Tiles(exposure, n_frames, means, errors, sigma, level_error)


def predict(bias: Tiles, dark: Tiles, reference: Tiles) -> Prediction:
    """Predict a master dark from the bias and a longer dark: ``B + k (D_ref - B)`` with ``k = t / t_ref``.

    Notes
    -----
    The median residual over the tiles is the common offset: drift of the level from frame to frame enters it and no
    tile. A tile's error is that of the temporal noise of the three masters,
    ``e_t^2 + k^2 e_ref^2 + (1 - k)^2 e_bias^2``. A constant that the camera subtracts, however it grows with the
    exposure, is in the offset alone: it does not forbid scaling.
    """
    k = (dark.exposure - bias.exposure) / (reference.exposure - bias.exposure)
    signal, longer = dark.means - bias.means, reference.means - bias.means
    errors = np.sqrt(dark.errors**2 + (k * reference.errors) ** 2 + ((1 - k) * bias.errors) ** 2)
    raw = signal - k * longer
    offset = float(np.nanmedian(raw))
    levels = (dark.level_error, k * reference.level_error, (1 - k) * bias.level_error)
    weights = np.where(np.isfinite(raw), errors, np.inf) ** -2.0
    k_fitted, k_error = _best_factor(signal, longer, weights)
    return Prediction(
        dark.exposure,
        reference.exposure,
        k,
        k_fitted,
        k_error,
        raw - offset,
        errors,
        offset,
        float(np.linalg.norm(levels)),
        _held_out(signal, longer, weights),
        dark.sigma,
    )


def _best_factor(signal: FloatArray, longer: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Fit ``signal = offset + k longer`` over the tiles: k and its error."""
    centred = [np.nan_to_num(one - np.nansum(one * weights) / weights.sum()) for one in (signal, longer)]
    power = float((weights * centred[1] ** 2).sum())
    return float((weights * centred[0] * centred[1]).sum()) / power, power**-0.5


def _held_out(signal: FloatArray, longer: FloatArray, weights: FloatArray) -> FloatArray:
    """Fit the factor on the black fields of a chessboard of tiles and judge it on the white ones, and the reverse."""
    black = np.indices(signal.shape).sum(axis=0) % 2 == 0
    residuals = np.empty_like(signal)
    for judged in (black, ~black):
        k, _ = _best_factor(signal, longer, np.where(judged, 0.0, weights))
        left = signal - k * longer
        residuals[judged] = left[judged] - np.nanmedian(left[~judged])
    return residuals


def predictions(bias: Tiles, darks: Sequence[Tiles]) -> list[Prediction]:
    """Let every dark be predicted from every longer one; a dark is never scaled up."""
    ordered = sorted(darks, key=lambda one: one.exposure)
    return [predict(bias, dark, longer) for i, dark in enumerate(ordered) for longer in ordered[i + 1 :]]


def judge_scaling(found: Sequence[Prediction], n_exposures: int, gain: float | None) -> Verdict:
    """Say whether darks may be scaled.

    Parameters
    ----------
    found
        From :func:`predictions`.
    n_exposures
        Distinct exposures behind them.
    gain
        K [electron/adu], or None: then the residual is not given in electrons.

    Returns
    -------
    Verdict
        ``match`` where a tile's residual is significant among all tiles and pairs (family-wise p < 0.01) and above
        0.1 of one light frame's noise; ``scale`` where the test could have seen that much and did not; else
        ``not_judged`` with what to shoot. ``max_residual_sigma`` in standard errors, ``max_residual_light`` in units
        of one light frame's noise, ``tile`` row and column in the grid.
    """
    if n_exposures < _FEWEST:
        reason = f"{n_exposures} dark exposure{'s' * (n_exposures != 1)}; shoot darks of 3 or more, better 8"
        return not_judged(reason)
    n_tests = sum(int(np.isfinite(one.residuals).sum()) for one in found)
    critical = float(stats.norm.isf(-np.expm1(np.log1p(-_FAMILY_P) / n_tests) / 2))
    guilty = [one for one in found if _is_large(one, critical)]
    if guilty:
        worst = max(guilty, key=lambda one: float(np.nanmax(np.abs(one.in_light_frames))))
        return Verdict("match", _why_match(worst, gain), _details(worst, gain))
    strongest = max(found, key=lambda one: abs(float(one.significance[one.worst])))
    power = critical * max(float(np.nanmax(one.errors / one.light_sigma)) for one in found)
    if power > TOLERANCE:
        reason = (
            f"the darks are too few to see a mistake of {TOLERANCE:g} of one light frame's noise in a tile (they show "
            f"{power:.2g}); shoot {(power / TOLERANCE) ** 2:.1f} times as many of each exposure"
        )
        return Verdict("not_judged", reason, _details(strongest, gain))
    reason = (
        f"darks of {n_exposures} exposures predict each other in every part of the sensor within {TOLERANCE:g} of one "
        "light frame's noise: dark minus bias grows in proportion to the exposure"
    )
    return Verdict("scale", reason, _details(strongest, gain))


def _is_large(one: Prediction, critical: float) -> bool:
    large = np.abs(one.in_light_frames) > TOLERANCE
    return bool((large & (np.abs(one.significance) > critical)).any())


def _why_match(worst: Prediction, gain: float | None) -> str:
    place = worst.worst
    residual = float(worst.residuals[place])
    value, error = rounded(abs(residual), float(worst.errors[place]))
    side = "too little" if residual > 0 else "too much"
    electrons = "" if gain is None else f", {abs(residual) * gain:.2g} electron"
    k, k_error = rounded(worst.k_fitted, worst.k_fitted_error)
    best = worst.fitted_in_light_frames
    fitted = f", which still leaves {best:.2g} of one frame's noise in some tile" if best > TOLERANCE else ""
    return (
        f"the dark of {worst.reference:g} s scaled to {worst.exposure:g} s takes {side} away in the tile at row "
        f"{place[0]}, column {place[1]} of {GRID} x {GRID}, by {value} +/- {error} adu{electrons}: "
        f"{abs(float(worst.in_light_frames[place])):.2g} of one frame's noise, in every light frame alike. Dark minus "
        f"bias is not in proportion to the exposure: the factor that fits the pattern is {k} +/- {k_error}, not "
        f"{worst.k:.3g}{fitted}. Match darks to the lights in exposure and temperature"
    )


def although_below(verdict: Verdict, below: Verdict) -> Verdict:
    """Say why darks below the bias may be scaled all the same."""
    if verdict.value != "scale" or below.value is not True:
        return verdict
    why = (
        "They lie below the bias, and that is no contradiction: what the camera subtracts grows in proportion to the "
        "exposure as well, one level for all pixels. Only what bends forbids scaling, not what is negative"
    )
    return replace(verdict, reason=f"{verdict.reason}. {why}")


def not_judged(reason: str) -> Verdict:
    """Return the verdict of darks that were not even compared."""
    names = (
        "max_residual_sigma",
        "max_residual_electron",
        "max_residual_light",
        "tile",
        "exposure",
        "reference_exposure",
    )
    return Verdict("not_judged", reason, dict.fromkeys(names))


def _details(one: Prediction, gain: float | None) -> dict[str, Any]:
    place = one.worst
    residual = float(one.residuals[place])
    return {
        "max_residual_sigma": float(one.significance[place]),
        "max_residual_electron": None if gain is None else residual * gain,
        "max_residual_light": float(one.in_light_frames[place]),
        "tile": list(place),
        "exposure": one.exposure,
        "reference_exposure": one.reference,
    }
