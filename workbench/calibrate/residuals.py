"""What a calibration leaves of the dark: in the corner of the glow, at the hot pixels, in the middle of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.dark_scale import hot_pixels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["PLACES", "PlaceResidual", "place_residuals", "places_of"]

PLACES = ("glow corner", "hot pixels", "centre")
_TILE = 32  # pixels on a side of the glow's corner
_CLIP = 4.0  # robust standard deviations: stars and cosmic rays are no residual of the dark
_MAD = 1.4826


@dataclass(frozen=True)
class PlaceResidual:
    """The mean of what is left at one place, and its standard error [adu], over n pixels.

    ``noise`` is the standard deviation of a pixel there [adu], which holds the pattern that is left.
    """

    place: str
    value: float
    std_error: float
    noise: float
    n: int

    @property
    def sigma(self) -> float:
        """The residual in standard errors."""
        return self.value / self.std_error


def places_of(dark: FloatArray) -> dict[str, BoolArray]:
    """Mark the pixels of each place, from a dark above bias [adu], shape (y, x).

    The corner is the tile of 32 x 32 pixels with the highest median; the centre the middle half each way, without the
    hot pixels.
    """
    height, width = dark.shape
    hot = hot_pixels_of(dark)
    tiles = [
        (slice(y, y + _TILE), slice(x, x + _TILE))
        for y in range(0, max(1, height - _TILE + 1), _TILE)
        for x in range(0, max(1, width - _TILE + 1), _TILE)
    ]
    corner, centre = np.zeros(dark.shape, bool), np.zeros(dark.shape, bool)
    corner[max(tiles, key=lambda tile: float(np.median(dark[tile])))] = True
    centre[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return {"glow corner": corner & ~hot, "hot pixels": hot & ~corner, "centre": centre & ~hot & ~corner}


def place_residuals(image: FloatArray, places: dict[str, BoolArray], *, sky: float = 0.0) -> list[PlaceResidual]:
    """Average an image over places, stars and cosmic rays clipped.

    Parameters
    ----------
    image
        Shape (y, x): a light less its dark [adu]; NaN is left aside.
    places
        Name -> pixels, as :func:`places_of` gives.
    sky
        What should be left everywhere [adu].
    """
    found = []
    for name, where in places.items():
        values = image[where & np.isfinite(image)]
        if values.size < 2:
            continue
        middle = np.median(values)
        spread = _MAD * np.median(np.abs(values - middle))
        kept = values[np.abs(values - middle) <= _CLIP * spread]
        kept = kept if kept.size > 1 else values
        noise = float(kept.std(ddof=1))
        found.append(
            PlaceResidual(name, float(kept.mean()) - sky, noise / kept.size**0.5, float(values.std(ddof=1)), kept.size)
        )
    return found
