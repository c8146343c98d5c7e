"""Interpolation under a projective transformation, compiled by Numba: what :mod:`workbench.calibrate.resample` runs.

``taps`` is a table of weights, float32, shape (phase, 6): row ``p`` holds the weights of the six pixels from two before
to three after the one left of a position that is ``p / (len(taps) - 1)`` of a pixel beyond it. They add up to one,
and the second and the fifth are never positive, the others never negative. Between phases they are interpolated
linearly.

Coordinates are taken in float64, values in float32: six by six products of them, whose sums need no more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Weights = tuple[Any, ...]

__all__ = ["interpolate_rows", "propagate_rows"]

_f32 = np.float32
_ZERO, _ONE = np.float32(0), np.float32(1)
_0, _1, _2, _3, _4, _5 = (np.uint64(k) for k in range(6))
_NEEDED = np.float32(0.1)  # a pixel of this weight must have a value; without lighter ones the others make do


@compiled
def _weights(taps: Image, phase: float) -> Weights:
    """Return the six weights of a position."""
    steps = phase * (len(taps) - 1)
    p = np.uint64(min(int(steps), len(taps) - 2))  # unsigned: else every index is looked at for being negative
    beyond, low, high = _f32(steps - p), taps[p], taps[p + np.uint64(1)]
    return (
        low[_0] + beyond * (high[_0] - low[_0]),
        low[_1] + beyond * (high[_1] - low[_1]),
        low[_2] + beyond * (high[_2] - low[_2]),
        low[_3] + beyond * (high[_3] - low[_3]),
        low[_4] + beyond * (high[_4] - low[_4]),
        low[_5] + beyond * (high[_5] - low[_5]),
    )


@compiled
def _part(ratio: Any, clamping: Any) -> Any:
    """Return the part of the negative contributions that is kept where they are ``ratio`` of the positive ones."""
    if not ratio > clamping or clamping >= _ONE:
        return _ONE
    if ratio >= _ONE:
        return _ZERO
    excess = (ratio - clamping) / (_ONE - clamping)
    return _ONE - excess * excess


@compiled
def _clamped(positive: Any, negative: Any, above: Any, below: Any, clamping: Any) -> Any:
    """Return what the contributions of positive and negative weight give; ``above`` and ``below`` add these up."""
    if clamping >= _ONE:
        return (positive - negative) / (above - below)
    if positive <= _ZERO:
        return _ZERO
    part = _part(negative / positive, clamping)
    return (positive - part * negative) / (above - part * below)


@compiled
def _mirrored(index: int, length: int) -> int:
    """Return the index that mirrors one beyond the edge, the edge lying between two pixels."""
    if index < 0:
        index = -index - 1
    if index >= length:
        index = 2 * length - 1 - index
    return min(max(index, 0), length - 1)


@compiled
def _patch(image: Image, row: int, column: int, wy: Weights, wx: Weights, patch: Image) -> bool:
    """Copy 6 x 6 pixels, those beyond the edges mirrored; False where one has no value that is needed."""
    height, width = image.shape
    for i in range(6):
        for j in range(6):
            value = image[_mirrored(row + i, height), _mirrored(column + j, width)]
            patch[i, j] = value
            if math.isnan(value) and abs(wy[i] * wx[j]) > _NEEDED:
                return False
    return True


@compiled
def _careful(patch: Image, wy: Weights, wx: Weights, floor: Any, clamping: Any) -> Any:
    """Interpolate in 6 x 6 pixels some of which have no value."""
    positive, negative, above, below = _ZERO, _ZERO, _ZERO, _ZERO
    for i in range(6):
        for j in range(6):
            weight, value = wy[i] * wx[j], patch[i, j]
            if weight == _ZERO or math.isnan(value):
                continue
            if weight < _ZERO:
                negative -= weight * (value - floor)
                below -= weight
            else:
                positive += weight * (value - floor)
                above += weight
    return _clamped(positive, negative, above, below, clamping)


@compiled
def _sides(pixels: Image, at: Any, w: Weights, floor: Any) -> Any:
    """Return the sums of the contributions of positive and of negative weight along a row, both taken positive."""
    ends = w[0] * (pixels[at] - floor) + w[5] * (pixels[at + _5] - floor)
    middle = w[2] * (pixels[at + _2] - floor) + w[3] * (pixels[at + _3] - floor)
    return ends + middle, -(w[1] * (pixels[at + _1] - floor) + w[4] * (pixels[at + _4] - floor))


@compiled
def _quick(pixels: Image, at: Any, width: Any, wy: Weights, wx: Weights, floor: Any, clamping: Any) -> Any:
    """Interpolate well inside the frame, ``at`` being the first of 6 x 6 pixels; NaN where one has no value."""
    high_0, low_0 = _sides(pixels, at, wx, floor)
    high_1, low_1 = _sides(pixels, at + width, wx, floor)
    high_2, low_2 = _sides(pixels, at + _2 * width, wx, floor)
    high_3, low_3 = _sides(pixels, at + _3 * width, wx, floor)
    high_4, low_4 = _sides(pixels, at + _4 * width, wx, floor)
    high_5, low_5 = _sides(pixels, at + _5 * width, wx, floor)
    positive = wy[0] * high_0 + wy[2] * high_2 + wy[3] * high_3 + wy[5] * high_5 - wy[1] * low_1 - wy[4] * low_4
    negative = wy[0] * low_0 + wy[2] * low_2 + wy[3] * low_3 + wy[5] * low_5 - wy[1] * high_1 - wy[4] * high_4
    if math.isnan(positive + negative):
        return positive + negative
    below_y, below_x = -(wy[1] + wy[4]), -(wx[1] + wx[4])
    below = below_x + below_y + _f32(2) * below_x * below_y  # of weights that add up to one along each axis
    return _clamped(positive, negative, _ONE + below, below, clamping)


@compiled
def interpolate_rows(
    image: Image, matrix: Floats, taps: Image, first: int, out: Image, floor: float, clamping: float
) -> None:
    """Write the rows from ``first`` on of an image under a transformation; NaN where the frame has no value.

    Parameters
    ----------
    image
        Frame, shape (y, x).
    matrix
        3 x 3, maps (x, y, 1) of ``out`` to the frame.
    taps
        See the module.
    first
        Row of the reference that is the first of ``out``.
    out
        Written.
    floor
        Subtracted from every value before, added afterwards: contributions are positive or negative beside it.
    clamping
        From which ratio of negative to positive contributions on the negative ones are held back; 1 for never.
    """
    height, width = image.shape
    low, limit, pixels = _f32(floor), _f32(clamping), image.reshape(-1)
    patch = np.empty((6, 6), _f32)
    for y in range(out.shape[0]):
        line = out[y]
        at = first + y
        for x in range(out.shape[1]):
            below = matrix[2, 0] * x + matrix[2, 1] * at + matrix[2, 2]
            there = (matrix[0, 0] * x + matrix[0, 1] * at + matrix[0, 2]) / below
            down = (matrix[1, 0] * x + matrix[1, 1] * at + matrix[1, 2]) / below
            if not (-0.5 <= there < width - 0.5 and -0.5 <= down < height - 0.5):
                line[x] = np.nan
                continue
            column, row = math.floor(there), math.floor(down)
            wx, wy = _weights(taps, there - column), _weights(taps, down - row)
            value = _f32(np.nan)
            if 2 <= column < width - 3 and 2 <= row < height - 3:
                value = _quick(pixels, np.uint64((row - 2) * width + column - 2), np.uint64(width), wy, wx, low, limit)
            if math.isnan(value) and _patch(image, row - 2, column - 2, wy, wx, patch):
                value = _careful(patch, wy, wx, low, limit)
            line[x] = value + low


@compiled
def propagate_rows(variance: Image, matrix: Floats, taps: Image, first: int, out: Image, clamping: float) -> None:
    """Write the variances of what :func:`interpolate_rows` writes of a background much above the floor.

    The pixels have the variances given and are not correlated.
    """
    height, width = variance.shape
    limit = _f32(clamping)
    patch = np.empty((6, 6), _f32)
    for y in range(out.shape[0]):
        line = out[y]
        at = first + y
        for x in range(out.shape[1]):
            below = matrix[2, 0] * x + matrix[2, 1] * at + matrix[2, 2]
            there = (matrix[0, 0] * x + matrix[0, 1] * at + matrix[0, 2]) / below
            down = (matrix[1, 0] * x + matrix[1, 1] * at + matrix[1, 2]) / below
            line[x] = np.nan
            if not (-0.5 <= there < width - 0.5 and -0.5 <= down < height - 0.5):
                continue
            column, row = math.floor(there), math.floor(down)
            wx, wy = _weights(taps, there - column), _weights(taps, down - row)
            if _patch(variance, row - 2, column - 2, wy, wx, patch):
                line[x] = _variance(patch, wy, wx, limit)


@compiled
def _variance(patch: Image, wy: Weights, wx: Weights, clamping: Any) -> Any:
    """Return the variance of what is interpolated of 6 x 6 pixels with these variances."""
    high, low, above, below = _ZERO, _ZERO, _ZERO, _ZERO
    for i in range(6):
        for j in range(6):
            weight, value = wy[i] * wx[j], patch[i, j]
            if weight == _ZERO or math.isnan(value):
                continue
            if weight < _ZERO:
                low += weight * weight * value
                below -= weight
            else:
                high += weight * weight * value
                above += weight
    part = _part(below / above, clamping)
    total = above - part * below
    return (high + part * part * low) / (total * total)
