"""What combining a run of pixels gives: plain arrays, which :mod:`workbench.stack.combine` labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ALL_REJECTED", "NO_VALUE", "Planes", "count_type", "standard_error_factors"]

ALL_REJECTED = 1  # flag: rejection left no sample of this pixel, the signal is the median of all
NO_VALUE = 2  # flag: no frame has a value of this pixel, or what is kept has no weight; the signal is NaN
_COUNTS = ("n_kept", "rejected_low", "rejected_high")


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

    def counted_as(self, kind: np.dtype) -> Planes:
        """Return the same with counts of another type."""
        if self.n_kept is None or self.n_kept.dtype == kind:
            return self
        return replace(self, **{name: getattr(self, name).astype(kind) for name in _COUNTS})


def standard_error_factors(method: str, n_frames: int) -> NDArray[np.float64]:
    r"""Return what the standard deviation of k kept samples is multiplied by to give the combination's standard error.

    Parameters
    ----------
    method
        ``"mean"``, ``"median"``, ``"sum"``, ``"min"`` or ``"max"``.
    n_frames
        Frames of the stack.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames + 1,), by k; NaN below two samples, which tell no error. Empty for the extremes: their error
        depends on the tails of the distribution, not on its standard deviation alone.

    Notes
    -----
    The mean has :math:`1 / \sqrt k`, and the sum, which is the mean times n, :math:`n / \sqrt k`. The median of
    Gaussian samples has :math:`\sqrt{\pi / (2 k + c)}`, where c = 0.86 + 0.42 / k for an odd k and 2.84 - 1.24 / k for
    an even one: fitted to the integrals over its order statistics, 5e-4 off at most; of two it is the mean. That is
    1.2533 times the error of the mean for large k (H. Cramer, Mathematical Methods of Statistics, 1946, 28.5).
    """
    if method in ("min", "max"):
        return np.empty(0)
    k = np.arange(2, n_frames + 1, dtype=np.float64)
    if method == "median":
        offset = np.where(k % 2 == 1, 0.86 + 0.42 / k, 2.84 - 1.24 / k)
        known = np.where(k == 2, np.sqrt(0.5), np.sqrt(np.pi / (2 * k + offset)))
    else:
        known = (n_frames if method == "sum" else 1) / np.sqrt(k)
    return np.concatenate([np.full(min(2, n_frames + 1), np.nan), known])
