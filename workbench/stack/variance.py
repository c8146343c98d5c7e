"""Temporal variance of a stack, and of the differences of its frames: no full-size float copy, one pass or two.

The first pass (:func:`levels`) finds each frame's mean and the pixels that saturate or clip; the second
(:func:`difference_moments`) removes the frame means and sums the squares that every dark current method needs. The
second may look for itself. Frames that can be memory-mapped take the fused pass, any others the streamed one, which
say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.bands import bands
from workbench.stack.fused import fused_levels, fused_sums, mapped_frames
from workbench.stack.power_sums import Estimate, StackSums, difference_variance
from workbench.stack.streamed import power_sums, streamed_sums

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]


__all__ = [
    "DifferenceMoments",
    "EqualisedDifference",
    "Estimate",
    "Levels",
    "difference_moments",
    "equalised_difference",
    "levels",
]


@dataclass(frozen=True)
class Levels:
    """One look at a stack.

    ``frame_means`` [adu], shape (frame,), are over all finite pixels, NaN for a frame that has none; ``out_of_range``,
    shape (y, x), are the pixels that saturate, clip or have no finite value in any frame.
    """

    frame_means: FloatArray
    out_of_range: BoolArray


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
    out_of_range
        Pixels that were left out because they saturate, clip or have no finite value in any frame, shape (y, x); None
        unless the pass looked for them itself.
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
    out_of_range: BoolArray | None = None


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


def levels(stack: xr.DataArray, saturation: float | None = None, *, threads: int | None = None) -> Levels:
    """Return each frame's mean [adu] and the pixels that reach ``saturation`` or 0, or are not finite, in any frame.

    Parameters
    ----------
    stack
        Dims ``frame, y, x``; values as stored [adu].
    saturation
        The value [adu] from which on a pixel no longer counts; None where the camera has none.
    threads
        How many may share the work where files can be memory-mapped; None for as many as there are processors.
    """
    frames = mapped_frames(stack)
    if frames is not None:
        means, reached = fused_levels(frames, saturation, threads)
        return Levels(means, reached.reshape(stack.shape[1:]))
    sums = np.zeros(stack.shape[0])
    missing = np.zeros(stack.shape[0])
    out = np.zeros(stack.shape[1:], dtype=bool)
    for rows, values in bands(stack):
        counted = values
        if values.dtype.kind == "f":
            lost = ~np.isfinite(values)
            missing += lost.sum(axis=(1, 2))
            out[rows] = lost.any(axis=0)
            counted = np.where(lost, 0, values)
        sums += counted.sum(axis=(1, 2), dtype=np.float64)
        out[rows] |= values.min(axis=0) == 0
        if saturation is not None:
            out[rows] |= values.max(axis=0) >= saturation
    finite = out.size - missing
    return Levels(np.divide(sums, finite, out=np.full(sums.size, np.nan), where=finite > 0), out)


def difference_moments(
    stack: xr.DataArray,
    frame_means: FloatArray | None = None,
    excluded: BoolArray | None = None,
    *,
    saturation: float | None = None,
    maps: bool = False,
    threads: int | None = None,
) -> DifferenceMoments:
    """Measure the temporal variance, the pair variances and the composite variances of a stack.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    frame_means
        Mean of each frame [adu], shape (frame,): removed before anything is squared, since drift of the level is no
        noise of the pixel. Means over all pixels will do: what the used pixels differ by is corrected, exactly in all
        values and in the errors of differences, on average in the error of the temporal variance. None finds them in
        the same pass, and leaves out the pixels that reach ``saturation`` or 0, or are not finite, in any frame.
    excluded
        Pixels to leave out, shape (y, x).
    saturation
        The value [adu] from which on a pixel does not count, where ``frame_means`` are not given.
    maps
        Whether to keep the maps of mean and variance.
    threads
        As for :func:`levels`.

    Raises
    ------
    ValueError
        When no pixel is left, or a pixel that is not left out has no finite value.

    Notes
    -----
    With ``x_i`` a pixel's variance estimate, the error of the mean over *these* pixels is, for Gaussian noise,
    ``Var = sum 2 s_i^4 / (n + 1) / N^2`` for the temporal variance and ``sum (2/3) x_i^2 / N^2`` for a pair or a
    composite: both follow from ``E[x^2]`` of a chi-squared variable, and leave the spread between pixels out.
    """
    frames = mapped_frames(stack)
    if frames is None:
        sums = _streamed(stack, frame_means, excluded, saturation, maps=maps)
    else:
        if excluded is not None:
            _count(~excluded)
        height, width = stack.shape[1:]
        sums = fused_sums(
            frames,
            frame_means,
            excluded,
            shape=(height, width),
            saturation=saturation,
            maps=maps,
            threads=threads,
        )
    size = stack[0].size
    n_pixels = _enough(sums.n_pixels, size)
    pairs, composites = sums.differences()
    return DifferenceMoments(
        n_frames=stack.shape[0],
        n_pixels=n_pixels,
        n_excluded=size - n_pixels,
        frame_means=sums.frame_means,
        temporal=sums.temporal(),
        pairs=pairs,
        composites=composites,
        mean_map=sums.mean_map,
        variance_map=sums.variance_map,
        out_of_range=sums.out_of_range,
    )


def _streamed(
    stack: xr.DataArray,
    frame_means: FloatArray | None,
    excluded: BoolArray | None,
    saturation: float | None,
    *,
    maps: bool,
) -> StackSums:
    keep = np.ones(stack.shape[1:], dtype=bool) if excluded is None else ~excluded
    look = None
    if frame_means is None:
        look = levels(stack, saturation)
        frame_means, keep = look.frame_means, keep & ~look.out_of_range
    _count(keep)
    sums = streamed_sums(stack, frame_means, keep, maps=maps)
    return sums if look is None else replace(sums, out_of_range=look.out_of_range)


def _count(keep: BoolArray) -> int:
    return _enough(int(keep.sum()), keep.size)


def _enough(n_pixels: int, size: int) -> int:
    if n_pixels < 2:
        raise ValueError(f"{n_pixels} pixels are left of {size}: nothing to measure")
    return n_pixels


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
        Pixels to leave out, shape (y, x); those without a finite value in ``zero_map`` are left out as well.

    Raises
    ------
    ValueError
        When no pixel is left, or a frame is not above the zero level.

    Notes
    -----
    The fixed pattern of the light cancels whatever r is, since both frames hold it in proportion to their level.
    """
    keep = ~excluded if zero_map is None else ~excluded & np.isfinite(zero_map)
    n = _count(keep)
    sums = np.zeros(2)
    for rows, values in bands(pair):
        sums += values[:, keep[rows]].sum(axis=1, dtype=np.float64)
    means = sums / n - zero_level
    if not (means > 0).all():
        raise ValueError(
            f"a flat of mean {means.min() + zero_level:.1f} adu is not above the zero level {zero_level:.1f} adu"
        )
    ratio = means[0] / means[1]
    powers = np.zeros(3)
    for rows, values in bands(pair):
        zero = zero_level if zero_map is None else zero_map[rows][keep[rows]]
        first, second = values[:, keep[rows]].astype(np.float64) - zero
        powers += power_sums(first - ratio * second)
    # the means are equal by construction: there is none to remove
    spread = difference_variance((0.0, *powers), n, 1)
    return EqualisedDifference((float(means[0]), float(means[1])), spread, n, keep.size - n)
