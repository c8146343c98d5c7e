"""The starlet transform: an image as layers of detail, each of twice the size of the one before."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

__all__ = ["KERNEL", "layer_noise", "least_side", "smoothed", "starlet"]

KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def least_side(layers: int) -> int:
    """Return how many pixels high and wide an image must be for so many layers: its mirror image holds the kernel."""
    return (1 << layers) + 1


def smoothed(image: Image, layer: int, out: Image | None = None) -> Image:
    """Return the image convolved with the kernel, its taps ``2**layer`` pixels apart, borders mirrored.

    Parameters
    ----------
    image
        Shape (y, x), at least ``2 * 2**layer + 1`` pixels each way.
    layer
        From 0.
    out
        Where to write it, another array than ``image``.
    """
    from workbench.stack.starlet_loops import smooth  # imports Numba  # noqa: PLC0415

    if min(image.shape) < least_side(layer + 1):
        raise ValueError(f"layer {layer} of an image of {image.shape[0]} x {image.shape[1]} pixels")
    target = np.empty_like(image) if out is None else out
    smooth(image, 2**layer, target)
    return target


def starlet(image: NDArray[np.floating], layers: int) -> NDArray[np.float32]:
    r"""Return the layers of detail of an image, and what is left.

    Parameters
    ----------
    image
        Shape (y, x), finite [adu].
    layers
        How many, J.

    Returns
    -------
    numpy.ndarray
        Shape (layers + 1, y, x), float32 [adu]: the layers from the finest on, then the smooth rest. They add up to
        the image.

    Raises
    ------
    ValueError
        When the image has less than :func:`least_side` pixels each way.

    Notes
    -----
    :math:`w_j = c_j - c_{j+1}`, where :math:`c_0` is the image and :math:`c_{j+1}` is :math:`c_j` convolved with
    :math:`(1, 4, 6, 4, 1) / 16` in both directions, taps :math:`2^j` pixels apart (Starck and Murtagh 1998, PASP 110,
    193). Borders are mirrored about the outermost pixels.
    """
    found = np.empty((layers + 1, *image.shape), dtype=np.float32)
    found[0] = image
    for layer in range(layers):
        smoothed(found[layer], layer, found[layer + 1])
        found[layer] -= found[layer + 1]
    return found


@cache
def layer_noise(layer: int) -> float:
    r"""Return the standard deviation of a layer of white noise of standard deviation 1, away from the borders.

    Notes
    -----
    Exact: the layer is the noise convolved with :math:`K_j K_j^T - K_{j+1} K_{j+1}^T`, :math:`K_j` the kernels of the
    passes so far convolved with each other, and the noise is the root of the sum of its squares,
    :math:`(K_j \cdot K_j)^2 - 2 (K_j \cdot K_{j+1})^2 + (K_{j+1} \cdot K_{j+1})^2`. It gives 0.8908, 0.2007, 0.0855,
    0.0412 for the first four layers.
    """
    fine, coarse = _passes(layer), _passes(layer + 1)
    padded = np.pad(fine, (coarse.size - fine.size) // 2)
    return math.sqrt((fine @ fine) ** 2 - 2 * (padded @ coarse) ** 2 + (coarse @ coarse) ** 2)


def _passes(number: int) -> NDArray[np.float64]:
    kernel = np.ones(1)
    for step in range(number):
        taps = np.zeros(4 * 2**step + 1)
        taps[:: 2**step] = KERNEL
        kernel = np.convolve(kernel, taps)
    return kernel
