"""An image made ready for the starlet transform: its middle at zero, its holes filled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.stack.starlet import least_side, smoothed

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    BoolArray = NDArray[np.bool_]

__all__ = ["PreparedImage", "prepared_image"]

_EXACT = 2  # bytes of an integer that float32 holds


@dataclass(frozen=True)
class PreparedImage:
    """An image whose noise can be evaluated.

    Parameters
    ----------
    image
        Shape (y, x), float32, finite, its middle about zero [adu].
    outside
        Shape (y, x), True where a pixel does not count; None where all do.
    """

    image: Image
    outside: BoolArray | None

    @property
    def n_pixels(self) -> int:
        """How many pixels count."""
        return self.image.size - (0 if self.outside is None else int(self.outside.sum()))


def prepared_image(
    image: NDArray[Any], mask: BoolArray | None, limits: tuple[float, float], *, bayer: bool
) -> PreparedImage:
    """Make an image ready.

    Parameters
    ----------
    image
        Shape (y, x) [adu]; NaN and infinity are holes.
    mask
        Shape (y, x), True where there is a hole; None for none.
    limits
        A pixel counts whose value is between them [adu]. Others are no holes: what they hold is seen.
    bayer
        Whether to average squares of 2 x 2 pixels; one that has a hole is a hole.

    Raises
    ------
    NotMeasurableError
        When the image is too small for a layer of detail, or less than two pixels count.
    """
    holes = _either(mask, ~np.isfinite(image) if image.dtype.kind == "f" else None)
    outside = _either(holes, _beyond(image, limits))
    centred = _centred(image, holes)
    if bayer:
        centred = _squares(centred).mean(axis=(1, 3), dtype=np.float32)
        holes, outside = _any_of_squares(holes), _any_of_squares(outside)
    least = least_side(1)
    if min(centred.shape) < least:
        size = f"{image.shape[0]} x {image.shape[1]} pixels"
        raise NotMeasurableError(f"an image of {size} is too small: {least * (2 if bayer else 1)} each way are needed")
    found = PreparedImage(centred, outside)
    if found.n_pixels < 2:
        raise NotMeasurableError(f"{found.n_pixels} pixels have a value between the limits: two are needed")
    if holes is not None and holes.any():
        _fill(centred, holes)
    return found


def _either(first: BoolArray | None, second: BoolArray | None) -> BoolArray | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _beyond(image: NDArray[Any], limits: tuple[float, float]) -> BoolArray | None:
    below = image <= limits[0] if limits[0] > -math.inf else None
    above = image >= limits[1] if limits[1] < math.inf else None
    return _either(below, above)


def _centred(image: NDArray[Any], holes: BoolArray | None) -> Image:
    """Return the image less about its median, 0 in its holes: float32 then tells the finest steps of the noise."""
    step = tuple(max(1, side // 512) for side in image.shape)  # a sample tells where the middle is
    sample = np.s_[:: step[0], :: step[1]]
    values = image[sample] if holes is None else image[sample][~holes[sample]]
    middle = float(np.median(values)) if values.size else 0.0
    if image.dtype.kind in "iu" and image.dtype.itemsize <= _EXACT:
        centred = image.astype(np.float32)
        centred -= np.float32(round(middle))
    else:
        centred = np.subtract(image, middle, dtype=np.float64).astype(np.float32)
    if holes is not None:
        centred[holes] = 0
    return centred


def _squares(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return a view of the pixels as squares of 2 x 2, shape (rows, 2, columns, 2); a last odd one is left out."""
    height, width = (side // 2 for side in pixels.shape)
    return pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2)


def _any_of_squares(pixels: BoolArray | None) -> BoolArray | None:
    return None if pixels is None else np.asarray(_squares(pixels).any(axis=(1, 3)))


def _fill(image: Image, holes: BoolArray) -> None:
    """Fill holes with the weighted mean of what has a value around them, as near as there is any."""
    remaining = holes.copy()
    sums, weights = image, (~holes).astype(np.float32)
    layer = 0
    while remaining.any() and min(image.shape) >= least_side(layer + 1):
        sums, weights = smoothed(sums, layer), smoothed(weights, layer)
        reached = remaining & (weights > 0)
        image[reached] = sums[reached] / weights[reached]
        remaining &= ~reached
        layer += 1
