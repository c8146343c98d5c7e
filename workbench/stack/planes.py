"""What combining a run of pixels gives, as plain arrays: the kernels fill it, :mod:`workbench.stack.combine` labels it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALL_REJECTED", "NO_VALUE", "Planes", "count_type"]

ALL_REJECTED = 1  # flag: rejection left no sample of this pixel, the signal is the median of all
NO_VALUE = 2  # flag: no frame has a value of this pixel, the signal is NaN


def count_type(n_frames: int) -> np.dtype:
    """Return the smallest unsigned integer type that counts so many frames."""
    return np.min_scalar_type(n_frames)


@dataclass(frozen=True)
class Planes:
    """Pixels of a combination, counted through their rows, shape (pixel,).

    Parameters
    ----------
    signal
        The combined values [adu], float32.
    std_error
        Their standard errors [adu], float32; None where none were asked for or the method has none.
    n_kept, rejected_low, rejected_high
        How many samples of the pixel were kept, rejected as too low and as too high, of :func:`count_type`; None where
        no maps were asked for.
    flags
        :data:`ALL_REJECTED` and :data:`NO_VALUE`, uint8; None where no maps were asked for.
    frames
        How many samples of each frame had a value, were rejected as too low, and as too high: int64, shape (3, frame).
    """

    signal: NDArray[np.float32]
    std_error: NDArray[np.float32] | None
    n_kept: NDArray[np.unsignedinteger] | None
    rejected_low: NDArray[np.unsignedinteger] | None
    rejected_high: NDArray[np.unsignedinteger] | None
    flags: NDArray[np.uint8] | None
    frames: NDArray[np.int64]
