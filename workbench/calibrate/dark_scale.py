"""The factor k of a dark that is scaled to a light: from the exposures, from the noise, from hot pixels, from the glow.

``light`` and ``dark`` stand on one level here: of both the bias is removed, unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize

from workbench.errors import NotMeasurableError
from workbench.stack.starlet import starlet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["DarkScale", "exposure_scale", "glow_scale", "hot_pixel_scale", "hot_pixels_of", "noise_scale"]

_MAD = 1.4826  # times the median absolute deviation is the standard deviation of a Gaussian
_STANDS_OUT = 20.0  # noises of the dark above its neighbours: the noise then biases k by 1/400 at most
_FEWEST = 30  # pixels that carry the pattern
_HUBER = 1.5  # standard deviations beyond which a pixel counts less: stars, cosmic rays
_OUTLIER = 6.0  # robust standard deviations off the median of a tile
_PASSES = 50
_STANDS_STILL = 1e-9
_CLIPPED = 16.0  # variances beyond which the square of a residual tells nothing of them
_NEIGHBOURS = 2  # pixels each way around one whose neighbourhood tells its level


@dataclass(frozen=True)
class DarkScale:
    """A factor for a dark.

    Parameters
    ----------
    k, std_error
        What the dark above bias is multiplied with, and its standard error: 0 where exposures tell it, None where
        nobody knows.
    method
        How it was found.
    n
        Pixels, or tiles, that tell it; 0 where exposures do.
    notes
        What to know of it.
    """

    k: float
    std_error: float | None
    method: str
    n: int
    notes: tuple[str, ...] = ()


def exposure_scale(light_exposure: float, dark_exposure: float) -> DarkScale:
    """Return the ratio of the exposures [s]: right where dark minus bias is linear in time, at one temperature.

    Raises
    ------
    NotMeasurableError
        When the dark has no exposure, or the light is the longer one: scaled up, a dark's noise grows too.
    """
    if not dark_exposure > 0:
        raise NotMeasurableError(
            f"a dark of {dark_exposure:g} s has no exposure to scale by; name it in workbench.toml"
        )
    if light_exposure > dark_exposure:
        raise NotMeasurableError(
            f"the light's {light_exposure:g} s are longer than the dark's {dark_exposure:g} s: a dark is never scaled "
            "up; shoot darks at least as long"
        )
    return DarkScale(light_exposure / dark_exposure, 0.0, "exposure ratio", 0)


def noise_scale(
    light: FloatArray, dark: FloatArray, *, dark_noise: float | None = None, brightest: float = np.inf
) -> DarkScale:
    r"""Find the k that leaves the least pattern of the dark in the finest detail of the light.

    Parameters
    ----------
    light, dark
        Shape (y, x), bias removed [adu].
    dark_noise
        Standard deviation of the dark's own noise [adu], such as the median of a master's ``std_error``; where not
        given, that of its finest detail, which the fixed pattern makes too large.
    brightest
        Pixels of the dark above this level are left out with their neighbours [adu]: they saturate in the frames.

    Raises
    ------
    NotMeasurableError
        When too few pixels of the dark stand out of its noise.

    Notes
    -----
    With :math:`u, v` the finest starlet layers of light and dark, k minimises :math:`\sum \rho((u - k v) / s)` over
    the pixels where v exceeds 20 noises; rho is Huber's (squares up to 1.5 s, lines beyond), so that stars and cosmic
    rays hardly count, and s^2 a constant and a part that grows as v, for electrons come in shots. The
    reference program thresholds the dark before and keeps values above the threshold, not their excess: its k is low.
    The error follows from the residuals themselves (a sandwich estimate, Huber 1981, chapter 7).
    """
    u, v = (starlet(image, 1)[0] for image in (light, dark))
    noise = _MAD * float(np.median(np.abs(v.astype(np.float64)))) if dark_noise is None else 0.89 * dark_noise
    reach = np.full((5, 5), fill_value=True)  # of the layer's kernel
    saturated = ndimage.binary_dilation(dark > brightest, reach)
    used = (v > np.float64(_STANDS_OUT * noise)) & ~saturated
    return _fitted(u[used].astype(np.float64), v[used].astype(np.float64), "least noise of the finest detail")


def hot_pixel_scale(light: FloatArray, dark: FloatArray, *, brightest: float = np.inf) -> DarkScale:
    """Find k from the hot pixels: how far each stands above its neighbours in the light, and in the dark.

    Parameters
    ----------
    light, dark
        Shape (y, x), bias removed [adu].
    brightest
        Pixels of the dark above this level are left out [adu]: they saturate in the frames.

    Raises
    ------
    NotMeasurableError
        When there are too few hot pixels.

    Notes
    -----
    The line through the origin of the light's excess on the dark's, both above the median of the 5 x 5 pixels around,
    by Huber's function as for :func:`noise_scale`. Glow does not enter: it is the same among neighbours.
    """
    hot = hot_pixels_of(dark) & (dark < brightest)
    rows, columns = np.nonzero(hot)
    _enough(len(rows), "hot pixels")
    return _fitted(_excess(light, rows, columns), _excess(dark, rows, columns), "hot pixels")


def hot_pixels_of(dark: FloatArray) -> BoolArray:
    """Mark the pixels of a dark that stand 20 noises above their neighbourhood, shape (y, x)."""
    detail = starlet(dark, 1)[0]
    return np.asarray(detail > _STANDS_OUT * _MAD * float(np.median(np.abs(detail))), dtype=bool)


def glow_scale(light: FloatArray, dark: FloatArray, *, tile: int = 32) -> DarkScale:
    """Find k from the glow: how much brighter a tile of pixels is than the others, in the light and in the dark.

    Parameters
    ----------
    light, dark
        Shape (y, x), bias removed [adu]. Of a light whose sky is even; the glow is what the tiles of the dark tell.
    tile
        Pixels on a side.

    Raises
    ------
    NotMeasurableError
        When there are too few tiles, or they are all alike.

    Notes
    -----
    The line, with a constant for the sky, of the light's means over tiles on the dark's, by Huber's function.
    """
    y, x = (_tile_means(image, tile) for image in (light, dark))
    _enough(len(x), f"tiles of {tile} x {tile} pixels")
    if np.ptp(x) == 0:
        raise NotMeasurableError("the dark is the same everywhere: it holds no glow to tell k by")
    return _fitted(y - np.median(y), x - np.median(x), "glow over tiles", constant=True)


def _tile_means(image: FloatArray, tile: int) -> FloatArray:
    """Average over tiles what is no star, hot pixel or cosmic ray there; a median would bend with the glow's slope."""
    height, width = (size // tile * tile for size in image.shape)
    tiles = image[:height, :width].reshape(height // tile, tile, width // tile, tile)
    values = tiles.swapaxes(1, 2).reshape(-1, tile * tile)
    away = np.abs(values - np.median(values, axis=1, keepdims=True))
    kept = away <= _OUTLIER * _MAD * np.median(away, axis=1, keepdims=True)
    return np.asarray(np.mean(values, axis=1, where=kept), np.float64)


def _excess(image: FloatArray, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> FloatArray:
    padded = np.pad(image, _NEIGHBOURS, mode="reflect")
    steps = [
        (i, j) for i in range(2 * _NEIGHBOURS + 1) for j in range(2 * _NEIGHBOURS + 1) if (i, j) != (_NEIGHBOURS,) * 2
    ]
    around = np.stack([padded[rows + i, columns + j] for i, j in steps])
    return np.asarray(image[rows, columns] - np.median(around, axis=0), np.float64)


def _enough(number: int, what: str) -> None:
    if number < _FEWEST:
        raise NotMeasurableError(f"{number} {what} tell how much dark is in the light; {_FEWEST} are needed")


def _fitted(y: FloatArray, x: FloatArray, method: str, *, constant: bool = False) -> DarkScale:
    """Fit y = k x by Huber's function, the points' variance growing with x as that of electrons does."""
    _enough(len(x), "pixels that stand out")
    offset, k = 0.0, float(np.median(y[x != 0] / x[x != 0]))
    for _ in range(_PASSES):
        residual = y - offset - k * x
        variance = _variance(residual, np.abs(x))
        near = np.abs(residual) <= _HUBER * np.sqrt(variance)
        weight = np.where(near, 1.0, _HUBER * np.sqrt(variance) / np.maximum(np.abs(residual), 1e-300)) / variance
        mean_x, mean_y = (float(weight @ one / weight.sum()) if constant else 0.0 for one in (x, y))
        arm = x - mean_x
        new = float(weight @ (arm * (y - mean_y)) / (weight @ arm**2))
        offset, moved, k = mean_y - new * mean_x, abs(new - k), new
        if moved < _STANDS_STILL * max(1.0, abs(k)):
            break
    score = weight * (y - offset - k * x) * arm
    error = float(np.sqrt(score @ score) / ((near / variance) @ arm**2))
    return DarkScale(k, error, method, len(x))


def _variance(residual: FloatArray, x: FloatArray) -> FloatArray:
    """Return a + b x, both at least 0, that describes the squares of the residuals, those of stars clipped."""
    level = np.square(_MAD * np.median(np.abs(residual)))
    tiny = 1e-24 * float(np.square(x).max())
    found = np.full(len(x), max(level, tiny))
    terms = np.column_stack([np.ones(len(x)), x])
    for _ in range(10):
        square = np.minimum(np.square(residual), _CLIPPED * found) / found
        (a, b), _ = optimize.nnls(terms / found[:, None], square)
        found = np.maximum(a + b * x, tiny)
    return np.asarray(found, np.float64)
