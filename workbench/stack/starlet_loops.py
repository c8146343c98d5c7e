"""Loops over the pixels of an image, compiled by Numba: what the starlet and the noise are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

__all__ = ["clipped_moments", "keep_greatest", "moments_where", "smooth"]

_f32 = np.float32
_OUTER, _INNER, _CENTRE = _f32(1 / 16), _f32(4 / 16), _f32(6 / 16)


@compiled
def _mirrored(index: int, size: int) -> int:
    """Return where an index beyond the border stands in the mirror, which is the outermost pixel itself."""
    if index < 0:
        return -index
    return 2 * (size - 1) - index if index >= size else index


@compiled
def smooth(image: Image, step: int, smoothed: Image) -> None:
    """Convolve with 1 4 6 4 1, the taps ``step`` pixels apart, in both directions."""
    height, width = image.shape
    column = np.empty(width, dtype=np.float32)
    for y in range(height):
        far_up, up = image[_mirrored(y - 2 * step, height)], image[_mirrored(y - step, height)]
        far_down, down = image[_mirrored(y + 2 * step, height)], image[_mirrored(y + step, height)]
        here, out = image[y], smoothed[y]
        for x in range(width):
            column[x] = _CENTRE * here[x] + _INNER * (up[x] + down[x]) + _OUTER * (far_up[x] + far_down[x])
        inner = min(2 * step, width), max(width - 2 * step, min(2 * step, width))
        for x in range(inner[0], inner[1]):
            near = column[x - step] + column[x + step]
            out[x] = _CENTRE * column[x] + _INNER * near + _OUTER * (column[x - 2 * step] + column[x + 2 * step])
        for edge in range(inner[0] + width - inner[1]):
            x = edge if edge < inner[0] else inner[1] + edge - inner[0]
            near = column[_mirrored(x - step, width)] + column[_mirrored(x + step, width)]
            far = column[_mirrored(x - 2 * step, width)] + column[_mirrored(x + 2 * step, width)]
            out[x] = _CENTRE * column[x] + _INNER * near + _OUTER * far


@compiled
def clipped_moments(layer: Image, limit: float) -> tuple[int, float, float]:
    """Return number, sum and sum of squares of what is nearer to zero than ``limit``; NaN and infinity are not."""
    count, total, squares = 0, 0.0, 0.0
    for y in range(layer.shape[0]):
        for x in range(layer.shape[1]):
            value = np.float64(layer[y, x])
            if abs(value) < limit:
                count += 1
                total += value
                squares += value * value
    return count, total, squares


@compiled
def moments_where(detail: Image, significance: Image, limit: float) -> tuple[int, float, float]:
    """Return number, sum and sum of squares of the pixels that are no more significant than ``limit``."""
    count, total, squares = 0, 0.0, 0.0
    for y in range(detail.shape[0]):
        for x in range(detail.shape[1]):
            if significance[y, x] <= limit:
                value = np.float64(detail[y, x])
                count += 1
                total += value
                squares += value * value
    return count, total, squares


@compiled
def keep_greatest(fine: Image, coarse: Image, unit: float, significance: Image) -> None:
    """Raise the significance to the size of ``fine - coarse`` over ``unit`` where that is greater."""
    per_unit = _f32(1 / unit)
    for y in range(fine.shape[0]):
        for x in range(fine.shape[1]):
            significance[y, x] = max(significance[y, x], abs(fine[y, x] - coarse[y, x]) * per_unit)
