"""Temporal variance of a stack, and of the differences of its frames: two streaming passes, no full-size float copy.

The first pass (:func:`levels`) finds each frame's mean and the pixels that saturate or clip; the second
(:func:`difference_moments`) removes the frame means and sums the squares that every dark current method needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.bands import bands
from workbench.stack.power_sums import Estimate, difference_variance

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

_ENOUGH = 100  # pixels, to tell whether frame means are off
_GROSS = 0.05  # of the pixels' own variance


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


def levels(stack: xr.DataArray, saturation: float | None = None) -> Levels:
    """Return each frame's mean [adu] and the pixels that reach ``saturation`` or 0, or are not finite, in any frame.

    Parameters
    ----------
    stack
        Dims ``frame, y, x``; values as stored [adu].
    saturation
        The value [adu] from which on a pixel no longer counts; None where the camera has none.
    """
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


class _Sums:
    """Running sums of one difference D over pixels: of its second, third and fourth power."""

    def __init__(self) -> None:
        self.powers = np.zeros(3)

    def add(self, x: FloatArray) -> None:
        square = x * x
        pairs = (x, x), (square, x), (square, square)
        self.powers += [np.einsum("i,i", *pair) for pair in pairs]  # not BLAS, whose threads wait on small arrays

    def estimate(self, first: float, n_pixels: int, n_frames: int) -> Estimate:
        """Estimate ``var(D) / n``; ``first`` is the sum of D itself."""
        return difference_variance((first, *self.powers.tolist()), n_pixels, n_frames)


class _PixelVariances:
    """Running sums of every pixel's variance over frames, and of its square."""

    def __init__(self) -> None:
        self.first = self.second = 0.0

    def add(self, variances: FloatArray) -> None:
        self.first += float(variances.sum())
        self.second += float(np.einsum("i,i", variances, variances))

    def estimate(self, offsets: FloatArray, n_pixels: int) -> Estimate:
        """Estimate their mean, had the frames' own means been removed, which lie ``offsets`` above those that were.

        With r a pixel's values above its frame's mean and ``d`` the offsets, its variance came out as
        ``v + 2 cov(r, d) + var(d)`` for v. The sum of the covariances over pixels is zero; that of their squares is
        ``var(d) / (n - 1) sum(v)``, exact only on average, which suffices for the error.
        """
        n, shift = len(offsets), float(offsets.var(ddof=1))
        total = self.first - n_pixels * shift
        squares = self.second - n_pixels * shift**2 - 2 * shift * total * (1 + 2 / (n - 1))
        squares = max(squares, total**2 / n_pixels)  # what it cannot be below
        return Estimate(total / (n_pixels - 1), (2 / (n + 1) * squares) ** 0.5 / n_pixels)


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
        noise of the pixel. Means over all pixels will do: what the used pixels differ by is corrected, exactly in all
        values and in the errors of differences, on average in the error of the temporal variance.
    excluded
        Pixels to leave out, shape (y, x).
    maps
        Whether to keep the maps of mean and variance.

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
    n = stack.shape[0]
    keep = np.ones(stack.shape[1:], dtype=bool) if excluded is None else ~excluded
    n_pixels = _count(keep)
    means, first = frame_means, True
    offsets = np.zeros(n)
    temporal, pairs, composites = _PixelVariances(), *([_Sums() for _ in range(n // 2)] for _ in range(2))
    mean_map, variance_map = (np.zeros(stack.shape[1:], dtype=np.float32) if maps else None for _ in range(2))
    for rows, values in bands(stack):
        kept = keep[rows]
        centred = values.astype(np.float64) - means[:, None, None]
        if values.dtype.kind == "f":
            centred[~np.isfinite(centred)] = np.nan
        used = centred[:, kept]
        if first and used.size:
            shifts, first = _gross_shifts(used), False
            means, centred, used = means + shifts, centred - shifts[:, None, None], used - shifts[:, None]
        offsets += used.sum(axis=1)
        variances = (centred if maps else used).var(axis=0, ddof=min(1, n - 1))
        if mean_map is not None and variance_map is not None:
            mean_map[rows] = centred.mean(axis=0) + means.mean()
            variance_map[rows] = variances
            variances = variances[kept]
        temporal.add(variances)
        _add_differences(used, pairs, composites)
    if not np.isfinite(offsets).all():
        frame = int(np.argmin(np.isfinite(offsets)))
        raise ValueError(f"frame {frame} has no finite value at a pixel that is not left out: levels() tells which")
    signed = offsets * np.resize([1.0, -1.0], n)
    offsets /= n_pixels
    return DifferenceMoments(
        n_frames=n,
        n_pixels=n_pixels,
        n_excluded=keep.size - n_pixels,
        frame_means=means + offsets,
        temporal=temporal.estimate(offsets, n_pixels) if n > 1 else None,
        pairs=tuple(one.estimate(float(signed[2 * k : 2 * k + 2].sum()), n_pixels, 2) for k, one in enumerate(pairs)),
        composites={
            m: one.estimate(float(signed[:m].sum()), n_pixels, m)
            for m, one in zip(range(2, n + 1, 2), composites, strict=True)
        },
        mean_map=mean_map,
        variance_map=variance_map,
    )


def _count(keep: BoolArray) -> int:
    n_pixels = int(keep.sum())
    if n_pixels < 2:
        raise ValueError(f"{n_pixels} pixels are left of {keep.size}: nothing to measure")
    return n_pixels


def _gross_shifts(used: FloatArray) -> FloatArray:
    """Return by how much the means that were removed are off by the first pixels that count, if that is a lot.

    Pixels left out may have carried the means far off: the sums would lose their digits. Else the means over the whole
    frame are better than those of its first rows.
    """
    shifts: FloatArray = used.mean(axis=1)
    n, n_pixels = used.shape
    gross = n > 1 and n_pixels >= _ENOUGH and shifts.var(ddof=1) > _GROSS * used.var(axis=0, ddof=1).mean()
    return shifts if gross else np.zeros(n)


def _add_differences(used: FloatArray, pairs: list[_Sums], composites: list[_Sums]) -> None:
    running = np.zeros(used.shape[1])
    for k in range(len(pairs)):
        difference = used[2 * k] - used[2 * k + 1]
        running += difference
        pairs[k].add(difference)
        composites[k].add(running)


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
    squares = _Sums()
    for rows, values in bands(pair):
        zero = zero_level if zero_map is None else zero_map[rows][keep[rows]]
        first, second = values[:, keep[rows]].astype(np.float64) - zero
        squares.add(first - ratio * second)
    # the means are equal by construction: there is none to remove
    return EqualisedDifference((float(means[0]), float(means[1])), squares.estimate(0.0, n, 1), n, keep.size - n)
