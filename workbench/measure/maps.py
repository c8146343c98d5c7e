"""Small pictures of what a survey saw, for plots; they are not written to ``results.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from workbench.units import set_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE = 256  # pixels of a picture


def picture(values: NDArray[np.floating], unit: str, long_name: str) -> xr.DataArray:
    """Average blocks of pixels so that the longer side has at most 256.

    Parameters
    ----------
    values
        Shape (y, x).
    unit, long_name
        Of the values.

    Returns
    -------
    xarray.DataArray
        Dims ``y, x``; coordinates are the centres of the blocks in pixels of the frame.
    """
    block = max(1, -(-max(values.shape) // _SIDE))
    height, width = (side // block * block for side in values.shape)
    blocks = values[:height, :width].reshape(height // block, block, width // block, block)
    means = blocks.mean(axis=(1, 3))
    coords = {name: np.arange(n) * block + (block - 1) / 2 for name, n in zip(("y", "x"), means.shape, strict=True)}
    return set_units(xr.DataArray(means, dims=("y", "x"), coords=coords), unit, long_name=long_name)


def grid(values: NDArray[np.floating], shape: tuple[int, int], unit: str, long_name: str) -> xr.DataArray:
    """Return a grid of tiles over a frame of that shape; coordinates are the centres of the tiles in pixels."""
    sides = zip(("y", "x"), values.shape, shape, strict=True)
    coords = {name: (np.arange(n) + 0.5) * side / n - 0.5 for name, n, side in sides}
    return set_units(xr.DataArray(values, dims=("y", "x"), coords=coords), unit, long_name=long_name)
