"""Pixels that a camera replaced before it wrote the frame: two that hold the same values in every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.errors import NotMeasurableError
from workbench.measure.pixel_flags import PixelFlag
from workbench.measure.pixel_stacks import Finding, row_bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.measure.pixel_stacks import Judged

    BoolMap = NDArray[np.bool_]
    Pixels = NDArray[np.intp]

LEAST_FRAMES = 8  # fewer may agree by chance
_STEPS = ((0, 1), (1, 0), (0, 2), (2, 0))  # to the next pixel, and to the next of the same colour (rows, columns)
_MOST = 0.02  # of the pixels: more agree by chance where rounding leaves few values


def find_copies(judged: Judged) -> Finding:
    """Find pairs of near pixels that agree in every bias frame: one of the two is no pixel but a copy.

    Some cameras write a neighbour's value where they know of a defect. Which one is the copy nobody can tell, so both
    are flagged; the variance of neither is wrong, but the defect is hidden, and one noise counts twice.

    Raises
    ------
    NotMeasurableError
        With fewer than 8 bias frames, or where rounding leaves so few values that pixels agree by chance.
    """
    bias = judged.bias
    if bias.n_frames < LEAST_FRAMES:
        raise NotMeasurableError(f"{bias.n_frames} bias frames may agree in two pixels by chance; shoot {LEAST_FRAMES}")
    copies, notes = np.zeros(bias.shape, dtype=bool), []
    for down, across in _STEPS:
        first = _alike(judged, down, across)
        if first.size > _MOST * judged.n_pixels:
            raise NotMeasurableError("pixels agree by chance: rounding leaves few values; raise the gain setting")
        second = first + down * judged.width + across
        both = np.union1d(first, second)
        values = bias.values(both)
        same = (values[:, np.searchsorted(both, first)] == values[:, np.searchsorted(both, second)]).all(axis=0)
        copies.flat[first[same]] = copies.flat[second[same]] = True
        if same.any():
            where = " and ".join(f"{n} {name}" for n, name in ((down, "rows"), (across, "columns")) if n)
            notes.append(f"{same.sum()} pixels hold the values of the pixel {where} on: the camera replaces pixels")
    pixels = np.flatnonzero(copies)
    table = pd.DataFrame({"row": pixels // judged.width, "column": pixels % judged.width})
    return Finding({PixelFlag.COPIED: pixels}, table, None, tuple(notes))


def _alike(judged: Judged, down: int, across: int) -> Pixels:
    """Return the pixels whose mean and variance are those of the pixel so far on, as flat indices."""
    mean, variance = judged.bias.maps()
    height, width = judged.bias.shape
    alike: BoolMap = np.zeros((height, width), dtype=bool)
    left, right = slice(None, width - across), slice(across, None)
    for rows in row_bands(height - down):
        others = slice(rows.start + down, rows.stop + down)
        near = judged.keep[rows, left] & judged.keep[others, right] & (variance[rows, left] > 0)
        near &= np.isclose(mean[rows, left], mean[others, right], rtol=1e-6, atol=0.0)
        near &= np.isclose(variance[rows, left], variance[others, right], rtol=1e-4, atol=0.0)
        alike[rows, left] = near
    return np.flatnonzero(alike)
