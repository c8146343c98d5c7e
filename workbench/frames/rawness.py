"""What the pixels of a raw frame have, and processing destroys: a lattice of values, even codes, white temporal noise.

Pure functions on plain arrays; :mod:`workbench.frames.evidence` puts what they find into words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW = 512
_FARTHEST = 16
_FEWEST_VALUES = 16
_FEWEST_COUNTS = 1000


def lattice(values: NDArray[Any]) -> int:
    """Return the step of the stored values: 16 for a camera that keeps 12 bits in 16.

    It is exact: the greatest common divisor of the differences between all values. The lowest and the highest value are
    left aside, for a limit (0, or 65535 where 12 bits in 16 end at 65520) need not stand on the lattice.

    Parameters
    ----------
    values
        Whole numbers of any type and shape [adu]; NaN is left aside.

    Returns
    -------
    int
        The step [adu]; 0 where the values are no whole numbers or too few to tell.

    Examples
    --------
    >>> lattice(np.array([160, 176, 208, 4000, 65535], np.uint16))
    16
    """
    return step_of(histogram(values)[0])


def histogram(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the pixels at each value: two empty arrays where the values are not all whole numbers.

    Parameters
    ----------
    values
        Any type and shape [adu]; NaN and infinity are left aside.
    """
    flat = values.ravel()
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
        if np.any(flat != np.rint(flat)) or np.any(np.abs(flat) > 2.0**53):
            return np.empty(0, np.int64), np.empty(0, np.int64)
    if flat.dtype in (np.uint8, np.uint16):
        counts = np.bincount(flat)
        levels = np.flatnonzero(counts)
        return levels, counts[levels]
    levels, counts = np.unique(flat.astype(np.int64), return_counts=True)
    return levels, counts


def step_of(levels: NDArray[np.int64]) -> int:
    """Return the :func:`lattice` of sorted distinct values."""
    inner = levels[1:-1] if levels.size > 4 else levels
    return int(np.gcd.reduce(np.diff(inner))) if inner.size > 1 else 0


def uneven_codes(levels: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[int, int]:
    """Count the codes that hold far more or fewer pixels than their neighbours: the trace of a rescaling.

    Multiplying whole numbers and rounding leaves gaps (factor above 1) or doubled codes (below 1). With n the pixels of
    neighbouring codes, ``s = ln n[k-1] - 2 ln n[k] + ln n[k+1]`` is near a constant for a smooth distribution
    (-1 / sigma^2 for a Gaussian); a doubled code gives -2 ln 2, a missing one far more.

    Only the dense middle of the histogram is judged: at least 8 codes of at least 1000 pixels and a twentieth of the
    fullest. A code counts as uneven when s is off the median by 5 of its Poisson errors plus 1.2, that is when it is
    wider than 1.8 or narrower than 0.55 of its neighbours. Converters without missing codes stay inside.

    Returns
    -------
    tuple of int
        Uneven codes, and codes judged (0 where there are too few).
    """
    step = step_of(levels)
    if not step or levels.size < _FEWEST_VALUES:
        return 0, 0
    places = (levels[1:-1] - levels[1]) // step
    if not 9 <= places[-1] < 2**24:
        return 0, 0
    dense = np.zeros(places[-1] + 1)
    dense[places] = counts[1:-1]
    smooth = np.convolve(dense, np.ones(9) / 9, "same")
    thin = np.flatnonzero(smooth < max(_FEWEST_COUNTS, smooth.max() / 20))
    top = int(smooth.argmax())
    core = dense[thin[thin < top].max(initial=-1) + 1 : thin[thin > top].min(initial=dense.size)]
    if core.size < 8:
        return 0, 0
    bend = np.diff(np.log(core + 0.5), 2)
    error = np.sqrt(2 * (1 / (core[:-2] + 1) + 4 / (core[1:-1] + 1) + 1 / (core[2:] + 1)))
    uneven = np.abs(bend - np.median(bend)) > 1.2 + 5 * error
    return int(uneven.sum()), int(core.size)


def window_of(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a frame, at most 512 x 512 pixels: enough for a correlation to 0.002."""
    rows, columns = (slice((size - min(size, _WINDOW)) // 2, (size + min(size, _WINDOW)) // 2) for size in frame.shape)
    return frame[rows, columns]


def noise_correlation(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float, float]:
    """Correlate neighbouring pixels of the difference of two frames of the same exposure.

    The difference holds temporal noise alone: fixed pattern and glow cancel. In raw frames it is white, but for what a
    readout adds to whole rows (means of rows and columns are removed, even and odd pixels apart) and for interference,
    which is seen as well at large distances. A filter acts on rows and columns alike and ends after a few pixels.

    Parameters
    ----------
    first, second
        ``(rows, columns)`` [adu]; only the middle of them is used.

    Returns
    -------
    near
        The larger, for pixels 1 and 2 apart (2: the same colour), of the correlation that both directions share.
    far
        The same for pixels 5 to 16 apart, the largest in size: what is not the work of a filter.
    error
        Standard error of one correlation of white noise, ``1 / sqrt(pixels)``.
    """
    noise = window_of(first).astype(np.float64) - window_of(second)
    noise = noise - np.nanmedian(noise)
    spread = 1.4826 * np.nanmedian(np.abs(noise)) or np.nanstd(noise)
    used = np.abs(noise) < 4 * spread  # cosmic rays, telegraph and hot pixels are no noise of neighbours
    if min(noise.shape) <= 2 * _FARTHEST or used.sum() < noise.size / 2:
        return 0.0, 0.0, 1.0
    noise = np.where(used, noise, 0.0)
    for i in (0, 1):
        for j in (0, 1):
            _remove_means(noise[i::2, j::2], used[i::2, j::2])
    shared = np.array([_correlations(noise, used, lag) for lag in range(1, _FARTHEST + 1)])
    return float(shared[:2].min(axis=1).max()), float(np.abs(shared[4:]).min(axis=1).max()), float(used.sum() ** -0.5)


def _remove_means(noise: NDArray[np.float64], used: NDArray[np.bool_]) -> None:
    for axis in (1, 0):
        noise -= noise.sum(axis, keepdims=True) / np.maximum(used.sum(axis, keepdims=True), 1)
        noise *= used


def _correlations(noise: NDArray[np.float64], used: NDArray[np.bool_], lag: int) -> tuple[float, float]:
    variance = np.square(noise).sum() / used.sum()
    if variance == 0:  # equal frames: no noise, and no correlation of it
        return 0.0, 0.0
    pairs = (
        (noise[lag:] * noise[:-lag], used[lag:] & used[:-lag]),
        (noise[:, lag:] * noise[:, :-lag], used[:, lag:] & used[:, :-lag]),
    )
    down, along = (float(product.sum() / max(both.sum(), 1) / variance) for product, both in pairs)
    return down, along


def extremes(frame: NDArray[Any], distance: int) -> tuple[float, float]:
    """Return which share of the pixels stands above, and which below, all eight neighbours at this distance.

    Noise of any distribution gives nearly 1/9 each (ties make it less), hot pixels add to the first. A camera or a
    program that lowers each pixel to its highest neighbour (hot pixel suppression) leaves none above.

    Parameters
    ----------
    frame
        ``(rows, columns)`` [adu]; only the middle of it is used.
    distance
        1 for neighbours, 2 for those of the same colour.
    """
    window = window_of(frame)
    height, width = (size - 2 * distance for size in window.shape)
    if min(height, width) < 1:
        return 0.0, 0.0
    places = (0, distance, 2 * distance)
    centre = window[distance : distance + height, distance : distance + width]
    around = [window[i : i + height, j : j + width] for i in places for j in places if (i, j) != (distance, distance)]
    above = np.logical_and.reduce([centre > one for one in around])
    below = np.logical_and.reduce([centre < one for one in around])
    return float(above.mean()), float(below.mean())


def share_at_zero(frame: NDArray[Any]) -> float:
    """Return which share of the pixels is exactly 0; rows and columns that are 0 throughout (masked) are left aside."""
    zero = frame == 0
    zero = zero[~zero.all(axis=1)]
    zero = zero[:, ~zero.all(axis=0)] if zero.size else zero
    return float(zero.mean()) if zero.size else 1.0
