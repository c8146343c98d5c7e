"""Dead pixels: those that do not respond to light, and those that hold one value in every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.errors import NotMeasurableError
from workbench.measure.neighbourhood import usual
from workbench.measure.pixel_flags import PixelFlag
from workbench.measure.pixel_stacks import Finding, Judged, PixelStack, row_bands
from workbench.stack.gather import mean_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    BoolMap = NDArray[np.bool_]
    Pixels = NDArray[np.intp]

RESPONSE = 0.5  # of its neighbours': below it a pixel is dead
_CLEAR = 20.0  # times the error of a pixel's mean: what the light must leave in it
_CELL = 2  # pixels of one colour stand this far apart on a colour sensor
_SLACK = 0.1  # of the variance of the frame means, which are those of slightly different pixels
_STILL = 1e-3  # of the usual variance: below it a pixel may be stuck
_ROUNDED = 1e-6  # relative: the map of the means is of single precision
_COMMON = 1e-3  # of the pixels: as many still ones come from rounding


def find_dead(judged: Judged, darks: Sequence[PixelStack], flats: PixelStack | None) -> Finding:
    """Find the pixels that hold one value in every frame and, where there are flats, those that do not respond.

    Raises
    ------
    NotMeasurableError
        When neither can be told.
    """
    found, notes = [], []
    looks: tuple[Callable[[], Pixels], ...] = (lambda: stuck(judged, darks), lambda: unresponsive(judged, flats))
    for look in looks:
        try:
            found.append(look())
        except NotMeasurableError as error:
            notes.append(error.reason)
    if not found:
        raise NotMeasurableError("; ".join(notes))
    pixels = np.unique(np.concatenate(found))
    rows = pd.DataFrame({"row": pixels // judged.width, "column": pixels % judged.width})
    return Finding({PixelFlag.DEAD: pixels}, rows, None, tuple(notes))


def unresponsive(judged: Judged, flats: PixelStack | None) -> Pixels:
    """Return the pixels whose response to light is below half of that of their neighbours of the same colour.

    Parameters
    ----------
    judged
        The pixels and their bias frames.
    flats
        Frames under an even light, or None.

    Returns
    -------
    numpy.ndarray
        Flat indices, ascending.

    Raises
    ------
    NotMeasurableError
        Without flats, or when their light is too faint to tell, or no pixel of a colour has a value in all of them.
    """
    if flats is None:
        raise NotMeasurableError("without flats no pixel can be seen not to respond to light")
    bias_mean, keep = judged.bias.maps()[0], judged.keep
    bias_variance = float(np.median(judged.pool.level.tiles))
    response = mean_frame(flats.stack) - bias_mean
    dead = np.zeros(response.shape, dtype=bool)
    error = (bias_variance / flats.n_frames) ** 0.5
    for top in range(_CELL):
        for left in range(_CELL):
            colour = slice(top, None, _CELL), slice(left, None, _CELL)
            if not keep[colour].any():
                continue
            light = usual(response[colour], keep[colour])  # of the pixels that have a value in every flat
            if not np.median(light.tiles) > _CLEAR * error:
                reason = "the flats are too faint to tell dead pixels; shoot flats at a third of saturation"
                raise NotMeasurableError(reason)
            part = response[colour]
            found = np.zeros(part.shape, dtype=bool)
            for rows in row_bands(part.shape[0]):
                found[rows] = part[rows] < RESPONSE * light.at(rows)
            dead[colour] = found
    pixels = np.flatnonzero(dead & keep)
    return pixels[_below_neighbours(response, keep, pixels, _CLEAR * error)]


def _below_neighbours(response: NDArray[np.float32], keep: BoolMap, pixels: Pixels, clear: float) -> BoolMap:
    """Tell which pixels lie below half of what three quarters of the pixels of their colour around them reach.

    That must be ``clear`` [adu] at least. A dark region, such as the shadow of a mask, is none of dead pixels: not even
    its corners, where the median is light.
    """
    if not pixels.size:
        return np.zeros(0, dtype=bool)
    row, column = np.unravel_index(pixels, response.shape)
    near = []
    for down in range(-2 * _CELL, 2 * _CELL + 1, _CELL):
        for across in range(-2 * _CELL, 2 * _CELL + 1, _CELL):
            y, x = row + down, column + across
            inside = (y >= 0) & (y < response.shape[0]) & (x >= 0) & (x < response.shape[1])
            y, x = np.where(inside, y, row), np.where(inside, x, column)
            near.append(np.where(inside & keep[y, x], response[y, x], np.nan))
    light = np.nanquantile(near, 0.25, axis=0)
    found: BoolMap = (light > clear) & (response.flat[pixels] < RESPONSE * light)
    return found


def stuck(judged: Judged, darks: Sequence[PixelStack]) -> Pixels:
    """Return the pixels that hold one and the same value in every bias frame and every dark, as flat indices.

    Those that saturate in every frame are none: they are hot.

    Raises
    ------
    NotMeasurableError
        When so many pixels move so little that rounding, drift or few frames must be the reason.
    """
    bias = judged.bias
    mean, variance = bias.maps()
    # the frames' means were removed, so that a pixel which stays has their scatter
    drift = (1.0 + _SLACK) * float(np.var(bias.frame_means, ddof=1))
    still = (variance <= drift + _STILL * float(np.median(judged.pool.level.tiles))) & judged.keep
    if judged.saturation is not None:
        still &= mean < (1.0 - _ROUNDED) * judged.saturation
    pixels = np.flatnonzero(still)
    if pixels.size > max(1.0, _COMMON * judged.n_pixels):
        reason = "too many pixels scatter as little as stuck ones do: shoot 20 bias frames at a higher gain setting"
        raise NotMeasurableError(reason)
    first = bias.values(pixels)[:1]
    for one in (bias, *darks):
        if pixels.size:
            same = (one.values(pixels) == first).all(axis=0)
            pixels, first = pixels[same], first[:, same]
    return pixels
