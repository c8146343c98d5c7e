"""A few pixels out of every frame of a stack: what a closer look needs, in one pass and little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.bands import bands

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


def gather(stack: xr.DataArray, pixels: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the values of some pixels in every frame, in the order of time where the frames have dates.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    pixels
        Which pixels, shape (y, x).

    Returns
    -------
    numpy.ndarray
        Shape (frame, pixel), of the stack's own type; the pixels row by row, as ``numpy.flatnonzero`` gives them.
    """
    found = np.empty((stack.shape[0], int(pixels.sum())), dtype=stack.dtype)
    start = 0
    for rows, values in bands(stack):
        chosen = values[:, pixels[rows]]
        found[:, start : start + chosen.shape[1]] = chosen
        start += chosen.shape[1]
    return found[time_order(stack)]


def time_order(stack: xr.DataArray) -> NDArray[np.intp]:
    """Return the order of the frames in time; as they stand where a frame has no date."""
    if "date" in stack.coords:
        dates = np.asarray(stack["date"].to_numpy(), dtype="datetime64[ns]")
        if not np.isnat(dates).any():
            return np.argsort(dates, kind="stable")
    return np.arange(stack.shape[0])


def mean_frame(stack: xr.DataArray) -> NDArray[np.float32]:
    """Return the mean over the frames of every pixel [adu], shape (y, x)."""
    mean = np.empty(stack.shape[1:], dtype=np.float32)
    for rows, values in bands(stack):
        mean[rows] = values.mean(axis=0, dtype=np.float64)
    return mean
