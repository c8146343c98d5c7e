"""Overscan: the level of columns that no light reaches, subtracted from the pixels that were read with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from workbench.errors import InputError
from workbench.units import set_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.frames.overscan import Overscan

    Place = tuple[slice, slice]

__all__ = ["OVERSCAN", "overscan_card", "overscan_levels", "subtract_overscan", "trimmed"]

OVERSCAN = "OVERSCAN"  # keyword of a master
_MEDIAN_ERROR = math.sqrt(math.pi / 2)  # of a median of Gaussian values, over that of their mean


def overscan_levels(frame: NDArray[Any], overscan: Overscan) -> list[tuple[Place, float, float]]:
    """Return each target with its level and the level's standard error [adu].

    Parameters
    ----------
    frame
        Shape (y, x) [adu]; NaN is left aside.
    overscan
        Strips and level.

    Raises
    ------
    InputError
        When a source has no value.

    Notes
    -----
    The error is ``sd / sqrt(n)`` of a mean and 1.2533 times that of a median, noise being white and Gaussian; the
    levels of strips that share a target are averaged, each of one weight, as the reference program does. Medians
    lie between the steps of the ADC (Parzen's mid-distribution), unlike the reference's.
    """
    found = []
    for target in overscan.targets:
        told = [_level(frame[one.source], overscan.level) for one in overscan.strips if one.target == target]
        error = math.hypot(*(error for _, error in told)) / len(told)
        found.append((target, sum(value for value, _ in told) / len(told), error))
    return found


def _level(values: NDArray[Any], level: str) -> tuple[float, float]:
    flat = np.asarray(values, np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        raise InputError("overscan", "a strip of it has no finite value in this frame", "leave the frame out")
    error = float(flat.std(ddof=1)) / flat.size**0.5 if flat.size > 1 else math.nan
    return (float(flat.mean()), error) if level == "mean" else (_median(flat), _MEDIAN_ERROR * error)


def _median(flat: NDArray[np.float64]) -> float:
    """Return the median between the steps of the ADC, where its mid-distribution function is a half.

    Of values that are all different it is the usual median. That of stored values is one of the ADC's steps itself,
    and off by 0.29 of a step (rms) however many values there are.

    Examples
    --------
    >>> _median(np.array([4.0, 5.0, 5.0, 6.0, 6.0, 6.0]))
    5.4
    """
    values, counts = np.unique(flat, return_counts=True)
    return float(np.interp(0.5, (np.cumsum(counts) - counts / 2) / flat.size, values))


def trimmed(frame: NDArray[Any], overscan: Overscan) -> NDArray[np.float64]:
    """Return one frame less its levels, cut to the image, in float64 [adu]; what is below 0 stays below 0.

    Parameters
    ----------
    frame
        Shape (y, x) [adu]; it is not changed.
    overscan
        Strips, level and image.

    Raises
    ------
    InputError
        When a source has no value.

    Examples
    --------
    >>> from workbench.frames.overscan import Overscan, OverscanStrip
    >>> frame = np.full((4, 6), 900.0)
    >>> frame[:, 4:] = 500.0
    >>> everywhere, strip = (slice(0, 4), slice(0, 6)), (slice(0, 4), slice(4, 6))
    >>> trimmed(frame, Overscan((OverscanStrip(strip, everywhere),), (slice(0, 4), slice(0, 4))))[0]
    array([400., 400., 400., 400.])
    """
    values = np.array(frame, np.float64)
    for target, level, _ in overscan_levels(frame, overscan):
        values[target] -= level
    return values if overscan.image is None else values[overscan.image]


def subtract_overscan(stack: xr.DataArray, overscan: Overscan) -> xr.DataArray:
    """Subtract the overscan of every frame of a stack: levels are read at once, the other pixels when they are used.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    overscan
        Strips, level and image.

    Returns
    -------
    xarray.DataArray
        Float64 [adu], cut to the image, lazy where the stack is; the coordinates of its frames are kept.

    Raises
    ------
    InputError
        When a source has no value.
    """
    levels = np.array([[level for _, level, _ in overscan_levels(frame, overscan)] for frame in stack.data])

    def each(frames: NDArray[Any], block_info: Any = None) -> NDArray[np.float64]:
        first, *corner = (0, 0, 0) if block_info is None else [place[0] for place in block_info[0]["array-location"]]
        values = frames.astype(np.float64)
        for number, target in enumerate(overscan.targets):
            rows, columns = (
                slice(max(0, place.start - start), max(0, place.stop - start))
                for place, start in zip(target, corner, strict=True)
            )
            values[:, rows, columns] -= levels[first : first + len(frames), number, None, None]
        return values

    if stack.chunks is None:
        values: Any = each(stack.to_numpy())
    else:
        values = stack.data.map_blocks(each, dtype=np.float64, meta=np.empty((0, 0, 0)))
    if overscan.image is not None:
        values = values[(slice(None), *overscan.image)]
    coords = {name: one for name, one in stack.coords.items() if set(one.dims) <= {"frame"}}
    result = xr.DataArray(values, dims=stack.dims, coords=coords, name="signal")
    return set_units(result, "adu", long_name="signal above the overscan")


def overscan_card(overscan: Overscan | None) -> dict[str, tuple[Any, str]]:
    """Return the card by which a master says what was subtracted from its frames; none where nothing was."""
    return {} if overscan is None else {OVERSCAN: (overscan.places, "")}
