"""The noise of a single image: how much its pixels scatter where there is nothing but noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.stack.prepared_image import prepared_image
from workbench.stack.starlet import layer_noise, least_side, smoothed

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from workbench.stack.prepared_image import PreparedImage

    Image = NDArray[np.float32]
    BoolArray = NDArray[np.bool_]

__all__ = ["NoiseEvaluation", "k_sigma_noise", "mrs_noise"]

_CLIP = 3.0  # standard deviations
# standard deviation that 3-sigma clipping leaves of Gaussian noise: where s = SD(x given |x| < 3 s) stands still
_K_SIGMA_LEFT = 0.984846
# the same for multiresolution support of 4, 3, 2 layers: from simulated noise, to 0.0001
_MRS_LEFT = {4: 0.9785, 3: 0.9742, 2: 0.9555}
# variance of log sigma times the number of pixels that are noise, which would be 1/2 without clipping and correlation
_K_SIGMA_SPREAD = 0.66
_MRS_SPREAD = {4: 0.61, 3: 0.615, 2: 0.64}
_K_SIGMA_PASSES, _K_SIGMA_CHANGE = 50, 1e-6
_MRS_PASSES, _MRS_CHANGE = 17, 1e-4
_LEAST_SHARE = 0.01  # of the pixels that must be noise


@dataclass(frozen=True)
class NoiseEvaluation:
    """The noise of an image.

    Parameters
    ----------
    sigma
        Standard deviation of the noise of a pixel [adu].
    std_error
        Its standard error [adu], if the noise is Gaussian and pixels are independent. What else is in the image, such
        as stars too faint to be told from noise, is no part of it.
    method
        ``"mrs"`` or ``"k_sigma"``: what found it, which need not be what was asked for.
    layers
        How many layers of detail were looked at.
    share
        Of the pixels that have a value, those that were found to be noise.
    """

    sigma: float
    std_error: float
    method: str
    layers: int
    share: float


def k_sigma_noise(
    image: NDArray[Any],
    *,
    mask: BoolArray | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    bayer: bool = False,
) -> NoiseEvaluation:
    r"""Evaluate the noise of an image by clipping its finest layer of detail.

    Parameters
    ----------
    image
        Shape (y, x) [adu]. NaN and infinity are no values.
    mask
        Shape (y, x), True where a pixel is left out.
    low, high
        Only pixels of a value between them count [adu].
    bayer
        Whether neighbours have different filters: squares of 2 x 2 pixels are averaged first, and ``sigma`` is the rms
        over the four.

    Returns
    -------
    NoiseEvaluation

    Raises
    ------
    NotMeasurableError
        When the image is too small, has too few pixels that count, or is constant.

    Notes
    -----
    The finest layer of the starlet transform is clipped at 3 standard deviations about zero until its standard
    deviation s stands still; then :math:`\sigma = s / (0.8908 \cdot 0.9848)`: white noise of 1 adu has 0.8908 adu in
    that layer, and clipping leaves 0.9848 of a Gaussian's standard deviation. PixInsight stops at a change of 1 %, and
    leaves out the second factor: its values are 1.5 % lower.
    """
    noise = _k_sigma(prepared_image(image, mask, (low, high), bayer=bayer))
    return _of_pixels(noise, bayer=bayer)


def mrs_noise(
    image: NDArray[Any],
    *,
    mask: BoolArray | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    bayer: bool = False,
) -> NoiseEvaluation:
    r"""Evaluate the noise of an image by multiresolution support: where no layer of detail holds anything.

    Parameters
    ----------
    image, mask, low, high, bayer
        As for :func:`k_sigma_noise`.

    Returns
    -------
    NoiseEvaluation
        By four layers, else three, else two; else, ``method`` says it, by :func:`k_sigma_noise`. Fewer layers are
        taken when the noise does not settle within 17 passes, or in less than 1 % of the pixels; or when the image is
        too small.

    Raises
    ------
    NotMeasurableError
        As for :func:`k_sigma_noise`.

    Notes
    -----
    Starck and Murtagh (1998, PASP 110, 193). A pixel is noise if :math:`|w_j| \le 3 \sigma k_j` in all layers, where
    :math:`k_j` is the standard deviation of the layer of white noise of 1 adu
    (:func:`workbench.stack.starlet.layer_noise`). Sigma is the standard deviation, over these pixels, of the image less
    its smooth rest, again and again until it changes by less than 0.0001 of itself. It is divided by what this leaves
    of Gaussian noise, found by simulation: 0.974 for four layers, as in PixInsight, and its own factor for fewer.
    """
    prepared = prepared_image(image, mask, (low, high), bayer=bayer)
    first = _k_sigma(prepared)
    for layers in (4, 3, 2):
        if min(prepared.image.shape) >= least_side(layers):
            found = _mrs(prepared, layers, first.sigma)
            if found is not None:
                return _of_pixels(found, bayer=bayer)
    return _of_pixels(first, bayer=bayer)


def _k_sigma(prepared: PreparedImage) -> NoiseEvaluation:
    from workbench.stack.starlet_loops import clipped_moments  # imports Numba  # noqa: PLC0415

    detail = smoothed(prepared.image, 0)
    np.subtract(prepared.image, detail, out=detail)
    if prepared.outside is not None:
        detail[prepared.outside] = np.inf
    limit, last = math.inf, math.inf
    for _ in range(_K_SIGMA_PASSES):
        count, spread = _count_and_spread(clipped_moments(detail, limit))
        if spread == 0:
            rule = "its finest detail is the same in nearly all of its pixels that count"
            raise NotMeasurableError(f"the image has no noise: {rule}")
        if abs(last - spread) <= _K_SIGMA_CHANGE * spread:
            break
        limit, last = _CLIP * spread, spread
    sigma = spread / (layer_noise(0) * _K_SIGMA_LEFT)
    std_error = sigma * math.sqrt(_K_SIGMA_SPREAD / count)
    return NoiseEvaluation(sigma, std_error, "k_sigma", 1, count / prepared.n_pixels)


def _mrs(prepared: PreparedImage, layers: int, sigma: float) -> NoiseEvaluation | None:
    """Return the noise by so many layers; None where it does not settle, or in too few pixels."""
    from workbench.stack.starlet_loops import moments_where  # imports Numba  # noqa: PLC0415

    detail, significance = _support(prepared, layers)
    for _ in range(_MRS_PASSES):
        last = sigma
        count, sigma = _count_and_spread(moments_where(detail, significance, _CLIP * last))
        if sigma == 0 or count < _LEAST_SHARE * prepared.n_pixels:
            return None
        if abs(last - sigma) < _MRS_CHANGE * sigma:
            found = sigma / _MRS_LEFT[layers]
            std_error = found * math.sqrt(_MRS_SPREAD[layers] / count)
            return NoiseEvaluation(found, std_error, "mrs", layers, count / prepared.n_pixels)
    return None


def _support(prepared: PreparedImage, layers: int) -> tuple[Image, Image]:
    """Return the image less its smooth rest, and in units of sigma the most that any layer holds of each pixel."""
    from workbench.stack.starlet_loops import keep_greatest  # imports Numba  # noqa: PLC0415

    image = prepared.image
    significance = np.zeros_like(image)
    if prepared.outside is not None:
        significance[prepared.outside] = np.inf
    buffers = np.empty_like(image), np.empty_like(image)
    fine = image
    for layer in range(layers):
        coarse = smoothed(fine, layer, buffers[layer % 2])
        keep_greatest(fine, coarse, layer_noise(layer), significance)
        fine = coarse
    return np.subtract(image, fine, out=buffers[layers % 2]), significance


def _count_and_spread(moments: tuple[int, float, float]) -> tuple[int, float]:
    """Return the number and the standard deviation of what has this number, sum and sum of squares."""
    count, total, squares = moments
    if count < 2:
        return count, 0.0
    return count, math.sqrt(max(squares - total**2 / count, 0.0) / (count - 1))


def _of_pixels(noise: NoiseEvaluation, *, bayer: bool) -> NoiseEvaluation:
    """Return the noise of pixels, where the image was one of means of four."""
    return replace(noise, sigma=2 * noise.sigma, std_error=2 * noise.std_error) if bayer else noise
