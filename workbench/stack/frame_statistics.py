"""Location, scale and noise of whole frames, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["FrameStatistics"]


@dataclass(frozen=True)
class FrameStatistics:
    """What whole frames tell of their level and spread.

    Parameters
    ----------
    files
        The name of each frame: its file, or ``frame 1`` and so on where the stack does not tell.
    location, scale
        Shape (frame,) [adu].
    noise
        Standard deviation of the noise, shape (frame,) [adu]; None when it was not asked for.
    """

    files: tuple[str, ...]
    location: FloatArray
    scale: FloatArray
    noise: FloatArray | None = None
