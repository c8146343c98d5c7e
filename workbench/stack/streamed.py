"""One pass over any stack, band by band, with NumPy: whatever its files are, and whatever type its values have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.bands import bands
from workbench.stack.power_sums import StackSums

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["gross_shifts", "power_sums", "streamed_sums"]

_ENOUGH = 100  # pixels, to tell whether frame means are off
_GROSS = 0.05  # of the pixels' own variance


def streamed_sums(stack: xr.DataArray, frame_means: FloatArray, keep: BoolArray, *, maps: bool) -> StackSums:
    """Add up what the pixels ``keep`` of a stack tell, ``frame_means`` [adu] or better references removed.

    Raises
    ------
    ValueError
        When a pixel that counts has no finite value.
    """
    n = stack.shape[0]
    means, first = frame_means, True
    totals, variances = np.zeros(n), np.zeros(2)
    pairs, composites = np.zeros((n // 2, 3)), np.zeros((n // 2, 3))
    mean_map, variance_map = (np.zeros(stack.shape[1:], dtype=np.float32) if maps else None for _ in range(2))
    for rows, values in bands(stack):
        kept = keep[rows]
        centred = values.astype(np.float64) - means[:, None, None]
        if values.dtype.kind == "f":
            centred[~np.isfinite(centred)] = np.nan
        used = centred[:, kept]
        if first and used.size:
            shifts, first = gross_shifts(used), False
            means, centred, used = means + shifts, centred - shifts[:, None, None], used - shifts[:, None]
        totals += used.sum(axis=1)
        spread = (centred if maps else used).var(axis=0, ddof=min(1, n - 1))
        if mean_map is not None and variance_map is not None:
            mean_map[rows] = centred.mean(axis=0) + means.mean()
            variance_map[rows] = spread
            spread = spread[kept]
        variances += spread.sum(), np.einsum("i,i", spread, spread)
        _add_differences(used, pairs, composites)
    if not np.isfinite(totals).all():
        frame = int(np.argmin(np.isfinite(totals)))
        raise ValueError(f"frame {frame} has no finite value at a pixel that is not left out: levels() tells which")
    return StackSums(
        n_pixels=int(keep.sum()),
        references=means,
        totals=totals,
        pairs=pairs,
        composites=composites,
        variances=(float(variances[0]), float(variances[1])),
        mean_map=mean_map,
        variance_map=variance_map,
    )


def gross_shifts(used: FloatArray) -> FloatArray:
    """Return by how much the means that were removed are off by the first pixels that count, if that is a lot.

    Pixels left out may have carried the means far off: the sums would lose their digits. Else the means over the whole
    frame are better than those of its first rows.
    """
    shifts: FloatArray = used.mean(axis=1)
    n, n_pixels = used.shape
    gross = n > 1 and n_pixels >= _ENOUGH and shifts.var(ddof=1) > _GROSS * used.var(axis=0, ddof=1).mean()
    return shifts if gross else np.zeros(n)


def power_sums(x: FloatArray) -> FloatArray:
    """Sum the second, third and fourth powers."""
    square = x * x
    # not BLAS, whose threads wait on small arrays
    return np.array([np.einsum("i,i", one, two) for one, two in ((x, x), (square, x), (square, square))])


def _add_differences(used: FloatArray, pairs: FloatArray, composites: FloatArray) -> None:
    running = np.zeros(used.shape[1])
    for k in range(len(pairs)):
        difference = used[2 * k] - used[2 * k + 1]
        running += difference
        pairs[k] += power_sums(difference)
        composites[k] += power_sums(running)
