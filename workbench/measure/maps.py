"""Small pictures of what a survey saw, for plots; they are not written to ``results.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from workbench.units import set_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.measure.scaling import Prediction
    from workbench.stack.variance import DifferenceMoments

_SIDE = 256  # pixels of a picture


def picture(values: NDArray[np.floating], unit: str, long_name: str) -> xr.DataArray:
    """Average blocks of pixels, those that have a value, so that the longer side has at most 256.

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
    known = np.isfinite(blocks)
    counts = known.sum(axis=(1, 3))
    sums = np.where(known, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    means = np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    coords = {name: np.arange(n) * block + (block - 1) / 2 for name, n in zip(("y", "x"), means.shape, strict=True)}
    return set_units(xr.DataArray(means, dims=("y", "x"), coords=coords), unit, long_name=long_name)


def pictures_of(
    moments: DifferenceMoments, zero: DifferenceMoments | None, where: str, title: str
) -> dict[str, xr.DataArray]:
    """Return the pictures of one stack of darks: mean minus the bias [adu] and temporal variance [adu2].

    Parameters
    ----------
    moments, zero
        Of the darks and of the bias frames, with their maps; what is missing is left out.
    where
        Prefix of the names: group and region.
    title
        Which darks.
    """
    found = {}
    if moments.mean_map is not None and zero is not None and zero.mean_map is not None:
        difference = moments.mean_map - zero.mean_map
        found[f"{where}/dark_minus_bias"] = picture(difference, "adu", f"mean {title} minus the bias")
    if moments.variance_map is not None:
        found[f"{where}/variance"] = picture(moments.variance_map, "adu2", f"temporal variance {title}")
    return found


def grid(values: NDArray[np.floating], shape: tuple[int, int], unit: str, long_name: str) -> xr.DataArray:
    """Return a grid of tiles over a frame of that shape; coordinates are the centres of the tiles in pixels."""
    sides = zip(("y", "x"), values.shape, shape, strict=True)
    coords = {name: (np.arange(n) + 0.5) * side / n - 0.5 for name, n, side in sides}
    return set_units(xr.DataArray(values, dims=("y", "x"), coords=coords), unit, long_name=long_name)


def scaling_pictures(
    one: Prediction, shape: tuple[int, int], where: str, gain: float | None
) -> dict[str, xr.DataArray]:
    """Return what a scaled dark leaves in each tile: in standard errors, in light frames' noise, in electrons.

    Parameters
    ----------
    one
        The prediction to show.
    shape
        Rows and columns of the frame.
    where
        Prefix of the names: group and region.
    gain
        K [electron/adu]; without it the third map is in adu.
    """
    title = f"{one.exposure:g} s minus {one.reference:g} s scaled"
    size = (one.residuals, "adu") if gain is None else (one.residuals * gain, "electron")
    found = {"significance": (one.significance, "1"), "in_light_frames": (one.in_light_frames, "1"), "size": size}
    return {f"{where}/scaling_{name}": grid(values, shape, unit, title) for name, (values, unit) in found.items()}
