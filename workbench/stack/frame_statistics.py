"""Location, scale and noise of whole frames, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from workbench.errors import InputError, NotMeasurableError
from workbench.frames.stack_files import whole_frames
from workbench.stack.noise_evaluation import mrs_noise
from workbench.stack.scale_estimators import levels_of, location_and_scale_of_levels
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["FrameStatistics", "frame_statistics", "has_bayer_pattern"]

_MOST_BYTES = 2**30  # what the frames that are worked on at a time may take
_COUNTED_BYTES, _SORTED_BYTES, _NOISE_BYTES = 8, 32, 24  # per pixel: of counted values, of sorted ones, for the noise


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


def frame_statistics(
    stack: xr.DataArray,
    estimator: str = "biweight",
    *,
    noise: bool,
    mask: BoolArray | xr.DataArray | None = None,
    bayer: bool | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> FrameStatistics:
    """Find location and scale of every frame of a stack, over all of its pixels, and its noise if asked for.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu]. NaN and infinity are no values.
    estimator
        One of :data:`workbench.stack.scale_estimators.SCALE_ESTIMATORS`.
    noise
        Whether to evaluate the noise, by multiresolution support.
    mask
        Shape (y, x) or (frame, y, x), True where a pixel is left out.
    bayer
        Whether neighbours have different filters, for the noise; None: where all frames have a ``bayer_pattern``.
    threads
        How many frames at a time; fewer where they would take more than a GiB.
    progress
        Whether to show a bar on a terminal.

    Returns
    -------
    FrameStatistics

    Raises
    ------
    FrameError
        When a file has gone, or is damaged.
    InputError
        When there is no such estimator; when a frame has no value that counts, or no noise that can be evaluated: the
        frame is named.
    """
    from tqdm import tqdm  # only a terminal needs it  # noqa: PLC0415

    names = _names(stack)
    mosaic = has_bayer_pattern(stack) if bayer is None else bayer
    sources = whole_frames(stack)

    def look(index: int) -> tuple[float, float, float]:
        values = stack[index].to_numpy() if sources is None else sources[index].read()
        return _of_one(names[index], values, _left_out(mask, index), estimator, noise=noise, bayer=mosaic)

    rows = in_threads(look, range(len(names)), _at_a_time(stack, threads, noise=noise))
    bar = tqdm(rows, "statistics of frames", len(names), unit="frame", disable=None if progress else True, leave=False)
    location, scale, sigma = np.array(list(bar)).reshape(-1, 3).T
    return FrameStatistics(names, location, scale, sigma if noise else None)


def has_bayer_pattern(stack: xr.DataArray) -> bool:
    """Return whether all frames of a stack say that neighbours have different filters."""
    if "bayer_pattern" not in stack.coords:
        return False
    return not bool(pd.isna(np.atleast_1d(stack["bayer_pattern"].to_numpy())).any())


def _names(stack: xr.DataArray) -> tuple[str, ...]:
    if "file" in stack.coords:
        return tuple(str(file) for file in np.atleast_1d(stack["file"].to_numpy()))
    return tuple(f"frame {number}" for number in range(1, stack.shape[0] + 1))


def _at_a_time(stack: xr.DataArray, threads: int | None, *, noise: bool) -> int:
    pixel = (_COUNTED_BYTES if stack.dtype.itemsize <= 2 else _SORTED_BYTES) + (_NOISE_BYTES if noise else 0)
    room = _MOST_BYTES // max(1, pixel * stack.shape[1] * stack.shape[2])
    return max(1, min(threads or processors(), stack.shape[0], room))


def _left_out(mask: BoolArray | xr.DataArray | None, index: int) -> BoolArray | None:
    if mask is None:
        return None
    one = mask if mask.ndim == 2 else mask[index]
    return one.to_numpy() if isinstance(one, xr.DataArray) else one


def _of_one(
    name: str, values: NDArray[Any], mask: BoolArray | None, estimator: str, *, noise: bool, bayer: bool
) -> tuple[float, float, float]:
    """Return location, scale, and noise [adu]: NaN when it is not asked for."""
    levels = levels_of([values if mask is None else values[~mask]])
    if not levels.n:
        raise InputError(name, "has no pixel with a value that counts", "leave the frame out, or mask less of it")
    location, scale = location_and_scale_of_levels(levels, estimator)
    if not noise:
        return location, scale, np.nan
    del levels  # of floating point values it is large
    try:
        return location, scale, mrs_noise(values, mask=mask, bayer=bayer).sigma
    except NotMeasurableError as error:
        rule = f"its noise cannot be evaluated: {error.reason}"
        raise InputError(name, rule, "leave the frame out, or weigh frames otherwise") from error
