"""The automatic stretch: how a linear image whose light is all in its first percent is made visible, and nothing else.

The stretch is for looking only; numbers are always taken from the linear image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import NotMeasurableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["Stretch", "auto_stretch", "midtones_transfer"]

_MAD = 1.4826
_SHADOWS = -2.80  # robust standard deviations from the median
_BACKGROUND = 0.25  # where the median goes
_BOOSTED = 0.75, 2.0  # times the two


def midtones_transfer(midtones: float, x: Any) -> Any:
    """Return the midtones transfer function: 0 at 0, 1/2 at ``midtones``, 1 at 1.

    Parameters
    ----------
    midtones
        Between 0 and 1.
    x
        A number or an array between 0 and 1.

    Notes
    -----
    ``(m - 1) x / ((2 m - 1) x - m)`` (PixInsight, ScreenTransferFunctionInterface.cpp).

    Examples
    --------
    >>> float(midtones_transfer(0.1, 0.1)), float(midtones_transfer(0.5, 0.3))
    (0.5, 0.3)
    """
    x = np.asarray(x, np.float64)
    if midtones <= 0:  # the limit: all that is above black is white
        return (x > 0).astype(np.float64)
    if midtones >= 1:
        return (x >= 1).astype(np.float64)
    return (midtones - 1) * x / ((2 * midtones - 1) * x - midtones)


@dataclass(frozen=True)
class Stretch:
    """A stretch that can be applied to other images too, so that they can be compared.

    Parameters
    ----------
    low, high
        What becomes 0 and what 1, in units of the image.
    shadows, midtones, highlights
        The three numbers of the screen transfer function, on the scale from ``low`` to ``high``.
    """

    low: float
    high: float
    shadows: float
    midtones: float
    highlights: float = 1.0

    def __call__(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return the image between 0 and 1; NaN stays NaN."""
        x = (np.asarray(image, np.float64) - self.low) / (self.high - self.low)
        width = max(self.highlights - self.shadows, np.finfo(np.float64).tiny)
        return np.asarray(midtones_transfer(self.midtones, np.clip((x - self.shadows) / width, 0, 1)), np.float32)


def auto_stretch(image: NDArray[Any], *, low: float, high: float, boosted: bool = False) -> Stretch:
    """Choose a stretch by the median and the spread of an image.

    Parameters
    ----------
    image
        Any shape, linear; NaN is left aside.
    low, high
        The range that the reference program calls 0 to 1, in units of the image: 0 and 65535 adu for a raw frame.
    boosted
        A darker black and a brighter background.

    Returns
    -------
    Stretch

    Raises
    ------
    NotMeasurableError
        When the image has no finite value, or the range is empty.

    Notes
    -----
    With med and MADN = 1.4826 MAD on the scale from 0 to 1: shadows = med - 2.8 MADN (0 where MADN is 0), midtones
    such that the median becomes 0.25, highlights 1. Where the median is above 1/2 the same from the bright end
    (PixInsight, ScreenTransferFunctionInterface.cpp, channels unlinked).
    """
    values = np.asarray(image, np.float64)
    values = (values[np.isfinite(values)] - low) / (high - low) if high > low else values[:0]
    if not values.size:
        raise NotMeasurableError("there is no pixel between the limits of the stretch: nothing to look at")
    median = float(np.median(values))
    spread = _MAD * float(np.median(np.abs(values - median)))
    clip, target = (_SHADOWS * _BOOSTED[0], _BACKGROUND * _BOOSTED[1]) if boosted else (_SHADOWS, _BACKGROUND)
    if median < 0.5:
        shadows = float(np.clip(median + clip * spread, 0, 1)) if spread > 0 else 0.0
        return Stretch(low, high, shadows, float(midtones_transfer(target, median - shadows)))
    highlights = float(np.clip(median - clip * spread, 0, 1)) if spread > 0 else 1.0
    return Stretch(low, high, 0.0, float(midtones_transfer(highlights - median, target)), highlights)
