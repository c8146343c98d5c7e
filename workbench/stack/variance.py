"""Temporal variance of a stack, and of the differences of its frames: two streaming passes, no full-size float copy.

The first pass (:func:`levels`) finds each frame's mean and the pixels that saturate or clip; the second
(:func:`difference_moments`) removes the frame means and sums the squares that every dark current method needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_READ_VALUES = 4_000_000  # values read at once: few, large reads
_BAND_VALUES = 250_000  # values worked on at once: 2 MB in float64 stay in the processor's cache


@dataclass(frozen=True)
class Levels:
    """One look at a stack: ``frame_means`` [adu], shape (frame,), over all pixels, and the pixels out of range."""

    frame_means: FloatArray
    out_of_range: BoolArray


@dataclass(frozen=True)
class Estimate:
    """A mean variance [adu2] and its standard error [adu2], for *these* pixels."""

    value: float
    std_error: float


@dataclass(frozen=True)
class DifferenceMoments:
    """Variances of one stack of n equal frames over its used pixels, each frame's mean removed first.

    Parameters
    ----------
    n_frames, n_pixels, n_excluded
        Frames, pixels that entered, pixels left out.
    frame_means
        Mean of each frame over the used pixels [adu], shape (frame,).
    temporal
        Mean over pixels of the variance over frames (ddof 1) [adu2]; None for one frame.
    pairs
        ``var(D1 - D2) / 2`` of each disjoint pair [adu2].
    composites
        ``var(D1 - D2 + ... - Dn) / n`` for n = 2, 4, ... [adu2].
    mean_map, variance_map
        Mean [adu] and variance [adu2] over frames of every pixel, float32, shape (y, x); None unless asked for.
    """

    n_frames: int
    n_pixels: int
    n_excluded: int
    frame_means: FloatArray
    temporal: Estimate | None
    pairs: tuple[Estimate, ...]
    composites: dict[int, Estimate]
    mean_map: NDArray[np.float32] | None = None
    variance_map: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class EqualisedDifference:
    """``F1 - r F2`` of two flats over their used pixels, ``r = m1 / m2`` the ratio of their means above the zero level.

    ``means`` [adu] are those of the two frames above the zero level; ``spread`` is the variance of the difference
    [adu2].
    """

    means: tuple[float, float]
    spread: Estimate
    n_pixels: int
    n_excluded: int


def bands(stack: xr.DataArray) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield ``(rows, values)`` of a ``frame, y, x`` stack, band by band; values have shape (frame, rows, x).

    A lazy stack is cut where its own chunks end, so that no file is decoded twice.
    """
    if stack.chunks is not None and len(stack.chunks[1]) == 1:
        stack = stack.compute()  # whole-frame chunks are compressed files: decode each of them once
    rows = max(1, _BAND_VALUES // (stack.shape[0] * stack.shape[2]))
    start = 0
    for end in _read_ends(stack):
        values = np.asarray(stack[:, start:end].data)
        for first in range(0, end - start, rows):
            last = min(first + rows, end - start)
            yield slice(start + first, start + last), values[:, first:last]
        start = end


def _read_ends(stack: xr.DataArray) -> list[int]:
    n_frames, height, width = stack.shape
    rows = max(1, _READ_VALUES // (n_frames * width))
    if stack.chunks is None:
        return [*range(rows, height, rows), height]
    ends = np.cumsum(stack.chunks[1])
    # the last chunk end within each multiple of `rows`; a chunk larger than that is read by itself
    last = {int(end - 1) // rows: int(end) for end in ends}
    return sorted({*last.values(), height})


def levels(stack: xr.DataArray, saturation: float | None = None) -> Levels:
    """Return each frame's mean [adu] and the pixels that reach ``saturation`` or 0 in any frame.

    Parameters
    ----------
    stack
        Dims ``frame, y, x``; values as stored [adu].
    saturation
        The value [adu] from which on a pixel no longer counts; None where the camera has none.
    """
    sums = np.zeros(stack.shape[0])
    out = np.zeros(stack.shape[1:], dtype=bool)
    for rows, values in bands(stack):
        sums += values.sum(axis=(1, 2), dtype=np.float64)
        low = values.min(axis=0)
        out[rows] = low == 0
        if saturation is not None:
            out[rows] |= values.max(axis=0) >= saturation
    return Levels(sums / out.size, out)


class _Sums:
    """Running sums of one quantity x per pixel: x and x squared."""

    def __init__(self) -> None:
        self.first = 0.0
        self.second = 0.0

    def add(self, x: FloatArray) -> None:
        self.first += float(x.sum())
        self.second += float(np.einsum("i,i", x, x))  # not BLAS, whose threads wait for each other on small arrays


def difference_moments(
    stack: xr.DataArray, frame_means: FloatArray, excluded: BoolArray | None = None, *, maps: bool = False
) -> DifferenceMoments:
    """Measure the temporal variance, the pair variances and the composite variances of a stack.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    frame_means
        Mean of each frame [adu], shape (frame,): removed before anything is squared, since drift of the level is no
        noise of the pixel. Means over all pixels will do; what the used pixels differ by is corrected exactly.
    excluded
        Pixels to leave out, shape (y, x).
    maps
        Whether to keep the maps of mean and variance.

    Raises
    ------
    ValueError
        When no pixel is left.

    Notes
    -----
    With ``x_i`` a pixel's variance estimate, the error of the mean over *these* pixels is, for Gaussian noise,
    ``Var = sum 2 s_i^4 / (n + 1) / N^2`` for the temporal variance and ``sum (2/3) x_i^2 / N^2`` for a pair or a
    composite: both follow from ``E[x^2]`` of a chi-squared variable, and leave the spread between pixels out.
    """
    n = stack.shape[0]
    keep = np.ones(stack.shape[1:], dtype=bool) if excluded is None else ~excluded
    n_pixels = int(keep.sum())
    if n_pixels < 2:
        raise ValueError(f"{n_pixels} pixels are left of {keep.size}: nothing to measure")
    offsets = np.zeros(n)
    temporal, pairs, composites = _Sums(), [_Sums() for _ in range(n // 2)], [_Sums() for _ in range(n // 2)]
    mean_map, variance_map = (np.zeros(stack.shape[1:], dtype=np.float32) if maps else None for _ in range(2))
    level = float(frame_means.mean())
    for rows, values in bands(stack):
        centred = values.astype(np.float64) - frame_means[:, None, None]
        if mean_map is not None and variance_map is not None:
            mean_map[rows] = centred.mean(axis=0) + level
            variance_map[rows] = centred.var(axis=0, ddof=min(1, n - 1))
        used = centred[:, keep[rows]]
        offsets += used.sum(axis=1)
        if n > 1:
            temporal.add(used.var(axis=0, ddof=1))
        _add_differences(used, pairs, composites)
    offsets /= n_pixels
    return DifferenceMoments(
        n_frames=n,
        n_pixels=n_pixels,
        n_excluded=keep.size - n_pixels,
        frame_means=frame_means + offsets,
        temporal=_temporal(temporal, offsets, n_pixels) if n > 1 else None,
        pairs=tuple(_difference(sums, offsets[2 * k : 2 * k + 2], n_pixels) for k, sums in enumerate(pairs)),
        composites={2 * k + 2: _difference(sums, offsets[: 2 * k + 2], n_pixels) for k, sums in enumerate(composites)},
        mean_map=mean_map,
        variance_map=variance_map,
    )


def _add_differences(used: FloatArray, pairs: list[_Sums], composites: list[_Sums]) -> None:
    running = np.zeros(used.shape[1])
    for k in range(len(pairs)):
        difference = used[2 * k] - used[2 * k + 1]
        running += difference
        pairs[k].add(difference**2 / 2)
        composites[k].add(running**2 / (2 * k + 2))


def _temporal(sums: _Sums, offsets: FloatArray, n_pixels: int) -> Estimate:
    n = len(offsets)
    # the frames' own means over the used pixels, where they differ from the means that were removed
    value = sums.first / n_pixels - offsets.var(ddof=1)
    return Estimate(float(value) * n_pixels / (n_pixels - 1), (2 / (n + 1) * sums.second) ** 0.5 / n_pixels)


def _difference(sums: _Sums, offsets: FloatArray, n_pixels: int) -> Estimate:
    signs = np.resize([1.0, -1.0], len(offsets))
    mean = float(np.dot(signs, offsets))
    value = (sums.first / n_pixels - mean**2 / len(offsets)) * n_pixels / (n_pixels - 1)
    return Estimate(value, (2 / 3 * sums.second) ** 0.5 / n_pixels)


def equalised_difference(
    pair: xr.DataArray, zero_level: float, zero_map: NDArray[np.floating] | None, excluded: BoolArray
) -> EqualisedDifference:
    """Return the variance of the difference of two flats, the second brought to the level of the first.

    Parameters
    ----------
    pair
        Two frames, dims ``frame, y, x`` [adu].
    zero_level
        Mean of the zero-light frames [adu].
    zero_map
        Their mean at every pixel [adu], shape (y, x), or None: keeps the offset's fixed pattern out where r is not 1.
    excluded
        Pixels to leave out, shape (y, x).

    Raises
    ------
    ValueError
        When no pixel is left, or a frame is not above the zero level.

    Notes
    -----
    The fixed pattern of the light cancels whatever r is, since both frames hold it in proportion to their level.
    """
    keep = ~excluded
    n = int(keep.sum())
    if n < 2:
        raise ValueError(f"{n} pixels are left of {keep.size}: nothing to measure")
    sums = np.zeros(2)
    for rows, values in bands(pair):
        sums += values[:, keep[rows]].sum(axis=1, dtype=np.float64)
    means = sums / n - zero_level
    if not (means > 0).all():
        raise ValueError(
            f"a flat of mean {means.min() + zero_level:.1f} adu is not above the zero level {zero_level:.1f} adu"
        )
    ratio = means[0] / means[1]
    squares = _Sums()
    for rows, values in bands(pair):
        zero = zero_level if zero_map is None else zero_map[rows][keep[rows]]
        first, second = values[:, keep[rows]].astype(np.float64) - zero
        squares.add((first - ratio * second) ** 2)
    spread = Estimate(squares.first / (n - 1), (2 / 3 * squares.second) ** 0.5 / n)
    return EqualisedDifference((float(means[0]), float(means[1])), spread, n, keep.size - n)
