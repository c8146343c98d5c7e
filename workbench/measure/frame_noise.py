"""The noise of the frames of one stack, in time and over the sensor, each in its parts of pixels, rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.line_parts import Lines, Parts, parts_of
from workbench.stack.bands import bands
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from workbench.stack.variance import DifferenceMoments

    FloatArray = NDArray[np.float64]
    FloatMap = NDArray[np.float32]
    BoolArray = NDArray[np.bool_]

_BAND = 250_000  # pixels worked on at once
_SHOWS = 3.0  # standard errors of a pixel's mean above which its pattern shows


@dataclass(frozen=True)
class FrameNoise:
    """The noise in time of a stack of n frames over its used pixels, and what is needed of its mean frame.

    Parameters
    ----------
    n_frames
        Frames n.
    lines
        The used pixels.
    temporal
        Mean temporal variance of a pixel, each frame's mean removed [adu2], in its parts.
    mean_map, variance_map
        Of every pixel [adu], [adu2], shape (y, x).
    squared_errors
        Square of the standard error of every pixel's variance [adu4], shape (y, x).
    row_means, column_means
        Means of the mean frame's rows and columns above its mean [adu].
    row_noise, column_noise
        Variance in time of each row's mean times its number of pixels [adu2], and of each column's.
    """

    n_frames: int
    lines: Lines
    temporal: Parts
    mean_map: FloatMap
    variance_map: FloatMap
    squared_errors: FloatMap
    row_means: FloatArray
    column_means: FloatArray
    row_noise: FloatArray
    column_noise: FloatArray


@dataclass(frozen=True)
class Pattern:
    """Spatial variance of a mean frame, or of the difference of two: without and with the noise left in it [adu2].

    ``sums`` are the sums of squares [adu2] of what rows and columns leave, of the rows and of the columns.
    """

    fixed: Parts
    noisy: Parts
    sums: FloatArray


def frame_noise(stack: xr.DataArray, moments: DifferenceMoments, excluded: BoolArray) -> FrameNoise:
    """Measure the noise of a stack, in one pass over its files.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    moments
        Of the same stack, with its maps.
    excluded
        Pixels to leave out, shape (y, x); they count neither as pixels nor in rows and columns.

    Raises
    ------
    NotMeasurableError
        With one frame, or fewer than 4 rows or columns.

    Notes
    -----
    The square of the error of a pixel's variance is the unbiased ``(2 n k2^2 + (n - 1) k4) / (n (n + 1))`` of its
    k-statistics (Kenney and Keeping, Mathematics of Statistics II, 1951), which holds for jumps, hits and few
    electrons too; with 2 or 3 frames its Gaussian form ``2 k2^2 / (n + 1)``. Row and column noise is shared, so that
    its error goes with the number of rows and columns.
    """
    n = stack.shape[0]
    if n < 2 or moments.mean_map is None or moments.variance_map is None:
        raise NotMeasurableError("one frame: its noise in time needs a second; shoot 20")
    lines = Lines.of(excluded)
    look = _Look(lines, moments)
    for rows, values in bands(stack):
        look.add(rows, values)
    levels = look.rows.sum(axis=1) / lines.n_pixels
    row_means, row_noise = _line_noise(look.rows[:, lines.rows], lines.row_counts, levels)
    column_means, column_noise = _line_noise(look.columns[:, lines.columns], lines.column_counts, levels)
    in_frames = float(look.squares.sum() - lines.n_pixels * (levels @ levels))
    in_map = _map_squares(lines, moments.mean_map)
    sums = np.array([(in_frames - n * in_map) / (n - 1), row_noise.sum(), column_noise.sum()])
    errors = np.array(
        [
            look.squared_errors[lines.keep].sum(dtype=np.float64),
            *(2 / (n + 1) * (noise @ noise) for noise in (row_noise, column_noise)),
        ]
    )
    # what a pixel shares with its row or column is not its own
    common = parts_of(lines, sums, errors).shared
    errors[0] = max(errors[0] - 2 / (n - 1) * common * (2 * sums[0] - lines.n_pixels * common), 0.0)
    return FrameNoise(
        n_frames=n,
        lines=lines,
        temporal=parts_of(lines, sums, errors),
        mean_map=moments.mean_map,
        variance_map=moments.variance_map,
        squared_errors=look.squared_errors,
        row_means=row_means,
        column_means=column_means,
        row_noise=row_noise,
        column_noise=column_noise,
    )


def pattern(noise: FrameNoise, zero: FrameNoise | None = None) -> Pattern:
    """Split the spatial variance of a mean frame, above that of the zero-light frames where they are given.

    Parameters
    ----------
    noise, zero
        Over the same pixels.

    Notes
    -----
    ``s^2 - sigma^2 / n`` for the variance s^2 of the mean frame and the temporal variance sigma^2, part by
    part: the noise of rows is taken out of the rows. The errors are those of the noise alone: it is the pattern of
    *these* pixels.
    """
    stacks = [noise] if zero is None else [noise, zero]
    lines, sign = noise.lines, [1.0, -1.0]
    row_means = sum(s * one.row_means for s, one in zip(sign, stacks, strict=False))
    column_means = sum(s * one.column_means for s, one in zip(sign, stacks, strict=False))
    left, own_error, squares = _own_squares(lines, stacks, np.asarray(row_means), np.asarray(column_means))
    sums = [squares]
    errors = [own_error]
    for means, counts, name in (
        (row_means, lines.row_counts, "row_noise"),
        (column_means, lines.column_counts, "column_noise"),
    ):
        weighted = counts * np.asarray(means) ** 2
        in_means = np.asarray(sum(getattr(one, name) / one.n_frames for one in stacks))
        chance = np.asarray(sum(2 / (one.n_frames + 1) * (getattr(one, name) / one.n_frames) ** 2 for one in stacks))
        sums.append(float(weighted.sum()))
        errors.append(max(float(4 * weighted @ in_means - 2 * (in_means**2 - chance).sum()), 0.0))
    noisy = parts_of(lines, np.array(sums), np.array(errors))
    fixed = noisy
    for one in stacks:
        fixed = fixed.minus(one.temporal, one.n_frames)
    return Pattern(fixed, noisy, np.array([left, *sums[1:]]))


def single_frame(noise: FrameNoise, of: Pattern) -> Estimate:
    """Return the variance over the pixels of one frame [adu2], mean over the frames: ``s^2 + (1 - 1/n) sigma^2``."""
    share = 1 - 1 / noise.n_frames
    value = of.noisy.values.sum() + share * noise.temporal.values.sum()
    error = (of.noisy.covariance + share**2 * noise.temporal.covariance).sum()
    return Estimate(float(value), float(max(error, 0.0) ** 0.5))


class _Look:
    """What one pass over a stack gathers: sums of rows, columns and squares of every frame, errors of the variances."""

    def __init__(self, lines: Lines, moments: DifferenceMoments) -> None:
        if moments.mean_map is None or moments.variance_map is None:
            raise NotMeasurableError("no maps of mean and variance")
        self._keep, self._mean, self._variance = lines.keep, moments.mean_map, moments.variance_map
        self._drift = moments.frame_means - moments.frame_means.mean()
        self._level = float(self._mean[lines.keep].mean(dtype=np.float64))
        n, (height, width) = moments.n_frames, lines.keep.shape
        self.rows, self.columns, self.squares = np.zeros((n, height)), np.zeros((n, width)), np.zeros(n)
        self.squared_errors = np.zeros((height, width), np.float32)

    def add(self, rows: slice, values: NDArray[np.generic]) -> None:
        above = np.where(self._keep[rows], values.astype(np.float64) - self._level, 0.0)
        self.rows[:, rows] = above.sum(axis=2)
        self.columns += above.sum(axis=1)
        self.squares += np.einsum("fyx,fyx->f", above, above)
        above -= (self._mean[rows] - self._level) + self._drift[:, None, None]
        above *= above
        self.squared_errors[rows] = _squared_error(
            self._variance[rows].astype(np.float64), np.einsum("fyx,fyx->yx", above, above), len(values)
        )


def _squared_error(k2: FloatArray, fourth: FloatArray, n: int) -> FloatArray:
    """Square of the error of a variance k2 of n values, with the sum of the fourth powers of their deviations."""
    if n < 4:
        return 2 * k2**2 / (n + 1)
    k4 = n * ((n + 1) * fourth - 3 * (n - 1) ** 3 / n * k2**2) / ((n - 1) * (n - 2) * (n - 3))
    return (2 * n * k2**2 + (n - 1) * k4) / (n * (n + 1))


def _line_noise(sums: FloatArray, counts: FloatArray, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means of lines over the frames, and their variance in time times their number of pixels."""
    means = sums / counts - levels[:, None]
    return means.mean(axis=0), counts * means.var(axis=0, ddof=1)


def _map_squares(lines: Lines, mean_map: FloatMap) -> float:
    """Sum of squares of the mean frame about its mean."""
    used = mean_map[lines.keep]
    level = used.mean(dtype=np.float64)
    return float(sum(((used[k : k + _BAND] - level) ** 2).sum() for k in range(0, used.size, _BAND)))


def _own_squares(
    lines: Lines, stacks: list[FrameNoise], row_means: FloatArray, column_means: FloatArray
) -> tuple[float, float, float]:
    """Sum over the pixels of a mean frame, or of a difference of two.

    Returns
    -------
    left, error, squares
        Sum of squares of what rows and columns leave, the square of its error, and the sum of squares about the mean.
    """
    keep, shape = lines.keep, lines.keep.shape
    down, across = np.zeros(shape[0]), np.zeros(shape[1])
    down[lines.rows], across[lines.columns] = row_means, column_means
    level = stacks[0].mean_map[keep].mean(dtype=np.float64)
    if len(stacks) > 1:
        level -= stacks[1].mean_map[keep].mean(dtype=np.float64)
    shared = sum(one.temporal.shared / one.n_frames for one in stacks)
    left = error = squares = 0.0
    faint = np.zeros(3)  # pixels whose own pattern does not show: number, pattern, noise
    step = max(1, _BAND // shape[1])
    for start in range(0, shape[0], step):
        rows = slice(start, start + step)
        kept = keep[rows]
        above = stacks[0].mean_map[rows].astype(np.float64) - level
        if len(stacks) > 1:
            above -= stacks[1].mean_map[rows]
        squares += float((above[kept] ** 2).sum())
        own = ((above - down[rows, None] - across)[kept]) ** 2
        noise, chance = np.zeros((2, own.size)) - [[shared], [0.0]]
        for one in stacks:
            noise += one.variance_map[rows][kept] / one.n_frames
            chance += one.squared_errors[rows][kept] / one.n_frames**2
        left += float(own.sum())
        shows = own > _SHOWS**2 * noise
        error += float((4 * (own - noise) * noise)[shows].sum() + 2 * (noise**2 - chance).sum())
        faint += ~shows @ np.stack([np.ones_like(own), own - noise, noise], axis=1)
    # one by one these would make errors that are small wherever the noise happens to hide the pattern
    error += 4 * max(float(faint[1]), 0.0) * float(faint[2]) / max(float(faint[0]), 1.0)
    return left, max(error, 0.0), squares
