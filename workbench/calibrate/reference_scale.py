"""The dark optimisation of the reference program as it was in 2017, to see what it finds and why."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.dark_scale import DarkScale
from workbench.errors import NotMeasurableError
from workbench.stack.starlet import starlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["reference_scale", "thresholded"]

_MAD = 1.4826
_GOLDEN = 1.618034
_SECTION = 0.61803399
_FARTHEST = 10.0  # steps of the bracket's first interval that a parabola may go
_TINY = 1e-20
_PRECISION = 0.0005  # of k
_PARTS = 4  # each way, of the window: how k scatters over them tells its error
_FEWEST_PARTS = 4  # that tell it: the error is then known to 40 %, of all sixteen to 18 %
_FEWEST = 16  # pixels above the threshold
_FEW = 1e-3  # of the pixels, below which the program warns
_UNRELATED = 0.005  # a k below which it warns of no correlation


def thresholded(dark: FloatArray, threshold: float = 3.0) -> FloatArray:
    """Return a dark with everything below ``median + threshold x 1.4826 MAD`` set to 0.

    What is above keeps its value, not its excess: that is what makes the k that follows too small.
    """
    middle = float(np.median(dark))
    least = max(0.0, middle + threshold * _MAD * float(np.median(np.abs(dark - middle))))
    return np.where(dark < least, 0.0, dark)


def reference_scale(light: FloatArray, dark: FloatArray, *, threshold: float = 3.0, window: int = 1024) -> DarkScale:
    r"""Find k as PixInsight's ImageCalibration did in 2017.

    Parameters
    ----------
    light
        Shape (y, x) [adu]; its bias does not matter, for the finest detail alone is looked at.
    dark
        Shape (y, x), bias removed [adu].
    threshold
        What is below the median plus so many robust standard deviations is set to 0.
    window
        Only the middle of so many pixels each way is looked at; 0 for the whole frame.

    Raises
    ------
    NotMeasurableError
        When fewer than 16 pixels are above the threshold: the program then does not optimise.

    Notes
    -----
    :math:`f(k)` is the k-sigma noise (3 standard deviations about zero, to 1 %, at most 10 passes) of the finest
    starlet layer of :math:`L - k D'`, with :math:`D'` the :func:`thresholded` dark. It is bracketed from (0.5, 2) as
    `mnbrak` of Numerical Recipes does and narrowed by golden sections to 0.0005 (PCL, ImageCalibrationInstance.cpp of
    January 2019). The program gives no error. What stands as one here is the scatter of k over 4 x 4 parts of the
    window, each searched by itself, over the root of their number: how far off other pixels of the sensor would put it,
    and not how far k is from the truth, which it is below. Parts with fewer than 16 pixels above the threshold do not
    count; with fewer than four that do the error is None, and a note says so.
    """
    kept = thresholded(dark, threshold)
    share = np.count_nonzero(kept) / kept.size
    if np.count_nonzero(kept) < _FEWEST:
        raise NotMeasurableError(f"{np.count_nonzero(kept)} pixels of the dark are above the threshold: nothing to fit")
    u, v = (starlet(_middle(image, window), 1)[0].astype(np.float64) for image in (light, kept))
    k = _least_noise(u, v)
    notes = [f"{share:.2%} of the pixels are above the threshold"] if share < _FEW else []
    if k <= _UNRELATED:
        notes.append("no correlation between light and dark")
    parts = [_least_noise(u[part], v[part]) for part in _parts(_middle(kept, window))]
    error = None
    if len(parts) < _FEWEST_PARTS:
        notes.append(f"its error is not known: {len(parts)} of {_PARTS**2} parts of the window have pixels that tell k")
    else:
        error = float(np.std(parts, ddof=1) / np.sqrt(len(parts)))
    return DarkScale(k, error, "reference optimiser (2017)", int(np.count_nonzero(v)), tuple(notes))


def _least_noise(u: FloatArray, v: FloatArray) -> float:
    """Return the k that the program finds for the finest layers of light and dark."""

    def noise(k: float) -> float:
        return _k_sigma((u - k * v).ravel())

    low, high = _golden_section(noise, *_bracket(noise, 0.5, 2.0))
    return max(0.0, low if noise(low) < noise(high) else high)


def _parts(kept: FloatArray) -> Iterator[tuple[slice, slice]]:
    """Yield the parts of the window with enough pixels above the threshold."""
    rows, columns = ([size * part // _PARTS for part in range(_PARTS + 1)] for size in kept.shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = slice(top, bottom), slice(left, right)
            if np.count_nonzero(kept[part]) >= _FEWEST:
                yield part


def _middle(image: FloatArray, window: int) -> FloatArray:
    if not window:
        return image
    rows, columns = (slice(max(0, (size - window) // 2), max(0, (size - window) // 2) + window) for size in image.shape)
    return image[rows, columns]


def _k_sigma(values: FloatArray) -> float:
    spread = float(values.std(ddof=1))
    for passes in range(1, 10):
        values = values[np.abs(values) < 3 * spread]
        before, spread = spread, float(values.std(ddof=1))
        if passes > 1 and (before - spread) / before < 0.01:
            break
    return spread


def _bracket(f: Callable[[float], float], a: float, b: float) -> tuple[float, float, float]:
    """Walk downhill until a minimum lies between a and c (Press et al., Numerical Recipes, section 10.1)."""
    fa, fb = f(a), f(b)
    if fb > fa:
        a, b, fa, fb = b, a, fb, fa
    c = b + _GOLDEN * (b - a)
    fc = f(c)
    while fb > fc:
        r, q = (b - a) * (fb - fc), (b - c) * (fb - fa)
        bottom = q - r
        u = b - ((b - c) * q - (b - a) * r) / (2 * (np.copysign(max(abs(bottom), _TINY), bottom)))
        limit = b + _FARTHEST * (c - b)
        if (b - u) * (u - c) > 0:
            fu = f(u)
            if fu < fc:
                return b, u, c
            if fu > fb:
                return a, b, u
            u = c + _GOLDEN * (c - b)
        elif (c - u) * (u - limit) > 0:
            if f(u) < fc:
                b, c, u = c, u, u + _GOLDEN * (u - c)
                fb, fc = fc, f(c)
        elif (u - limit) * (limit - c) >= 0:
            u = limit
        else:
            u = c + _GOLDEN * (c - b)
        a, b, c = b, c, u
        fa, fb, fc = fb, fc, f(u)
    return a, b, c


def _golden_section(f: Callable[[float], float], a: float, b: float, c: float) -> tuple[float, float]:
    left, right = a, c
    x, y = (b, b + (1 - _SECTION) * (c - b)) if abs(c - b) > abs(b - a) else (b - (1 - _SECTION) * (b - a), b)
    fx, fy = f(x), f(y)
    while abs(right - left) > _PRECISION:
        if fy < fx:
            left, x, y = x, y, _SECTION * y + (1 - _SECTION) * right
            fx, fy = fy, f(y)
        else:
            right, y, x = y, x, _SECTION * x + (1 - _SECTION) * left
            fy, fx = fx, f(x)
    return x, y
