"""Temporal variance of a stack whose cosmic rays are left out: every pixel over the frames that it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.bands import bands
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from workbench.stack.hits import Hits

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    Integers = NDArray[np.int64]


@dataclass(frozen=True)
class MaskedMoments:
    """Variance of one stack of n equal frames over its used pixels, frame means removed, masked samples left out.

    Parameters
    ----------
    n_frames, n_pixels, n_excluded
        Frames, pixels that entered, pixels left out.
    frame_means
        Mean of each frame over the used pixels, shape (frame,) [adu]: a masked sample is taken to be as far above its
        frame's mean as the pixel is in the frames that it keeps.
    temporal
        Mean over pixels, all of one weight, of the variance over the frames that each keeps (ddof 1) [adu2].
    frames
        The same told by each frame alone: mean over pixels of ``(y - m_i)^2 n_i / (n_i - 1)`` [adu2].
    n_masked, n_hit_pixels
        Samples that were masked in used pixels, and in how many pixels.
    n_events, events_per_frame
        Rays that the mask is made of, wherever they fell, and those of each frame.
    threshold
        What a sample of a ray exceeds the other frames by in a typical tile [adu].
    mean_map, variance_map
        Mean [adu] and variance [adu2] of every pixel over the frames that it keeps, float32, shape (y, x); None unless
        asked for. NaN where fewer than two frames are kept.
    """

    n_frames: int
    n_pixels: int
    n_excluded: int
    frame_means: FloatArray
    temporal: Estimate
    frames: tuple[Estimate, ...]
    n_masked: int
    n_hit_pixels: int
    n_events: int
    events_per_frame: tuple[int, ...]
    threshold: float
    mean_map: NDArray[np.float32] | None = None
    variance_map: NDArray[np.float32] | None = None


class _Sums:
    """Running sums over pixels of their variances, and over samples of their squares."""

    def __init__(self, n_frames: int) -> None:
        self.n_pixels = self.n_hit_pixels = 0
        self.means = self.variances = self.squares = 0.0
        self.masked = np.zeros(n_frames, dtype=np.int64)
        self.powers = np.zeros((3, n_frames))  # of r, x and x^2, with r the residuals and x = r^2 n_i / (n_i - 1)

    def add(
        self, residuals: FloatArray, kept: Integers, means: FloatArray, variances: FloatArray, frames: Integers
    ) -> None:
        """Add pixels: ``residuals`` (frame, pixel) are 0 where masked, in ``frames``; ``kept`` frames each."""
        n = len(residuals)
        self.n_pixels += len(kept)
        self.means += float(means.sum())
        self.masked += np.bincount(frames, minlength=n)
        self.n_hit_pixels += int((kept < n).sum())
        self.variances += float(variances.sum())
        self.squares += float(np.einsum("i,i,i", variances, variances, 2 / (kept + 1)))
        x = residuals * residuals
        x *= kept / (kept - 1)
        self.powers += residuals.sum(axis=1), x.sum(axis=1), np.einsum("fi,fi->f", x, x)

    def frame_shifts(self) -> FloatArray:
        """Return by how much the mean of each frame lies above the one that was removed [adu]."""
        shifts: FloatArray = self.means / self.n_pixels + self.powers[0] / (self.n_pixels - self.masked)
        return shifts

    def temporal(self) -> Estimate:
        """Mean variance, had the frames' own means been removed, which lie above those that were by some offsets.

        With ``d`` the offsets, a pixel's variance came out as ``v + 2 cov(r, d) + var(d)`` for v: the covariances sum
        to zero over pixels, their squares to ``var(d) / (n - 1) sum(v)`` on average.
        """
        n, n_pixels = len(self.masked), self.n_pixels
        shift = float((self.powers[0] / (n_pixels - self.masked)).var(ddof=1))
        total = self.variances - n_pixels * shift
        extra = n_pixels * shift**2 + 2 * shift * total * (1 + 2 / (n - 1))
        squares = max(self.squares - 2 / (n + 1) * extra, 2 / (n + 1) * total**2 / n_pixels)  # what it cannot be below
        return Estimate(total / (n_pixels - 1), squares**0.5 / n_pixels)

    def frames(self) -> tuple[Estimate, ...]:
        """Mean square of each frame's residuals, likewise."""
        n, number = len(self.masked), self.n_pixels - self.masked
        offset, mean, square = self.powers / number
        means = (mean - offset**2 * n / (n - 1)) * number / (number - 1)
        errors = np.sqrt(2 / 3 * square / number)
        return tuple(Estimate(*one) for one in zip(means.tolist(), errors.tolist(), strict=True))


def masked_variance(
    stack: xr.DataArray,
    frame_means: FloatArray,
    excluded: BoolArray | None,
    hits: Hits,
    *,
    maps: bool = False,
) -> MaskedMoments:
    """Measure the temporal variance of a stack without the samples that cosmic rays spoil.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    frame_means
        Mean of each frame [adu], shape (frame,): what the used samples differ by from it is corrected.
    excluded
        Pixels to leave out, shape (y, x), those that saturate or clip among them.
    hits
        What :func:`workbench.stack.hits.find_hits` found in this stack.
    maps
        Whether to keep the maps of mean and variance.

    Raises
    ------
    ValueError
        When no pixel is left.

    Notes
    -----
    Conditional on these pixels, ``Var = sum 2 s_i^4 / (n_i + 1) / N^2`` for Gaussian noise, with ``n_i`` the frames
    that pixel i keeps; pixels that keep fewer than two are left out. Of one frame, ``Var = sum (2/3) x_i^2 / N^2``.
    """
    n = stack.shape[0]
    keep = np.ones(stack.shape[1:], dtype=bool) if excluded is None else ~excluded
    sums = _Sums(n)
    mean_map, variance_map = (np.zeros(stack.shape[1:], dtype=np.float32) if maps else None for _ in range(2))
    for rows, values in bands(stack):
        used, left = keep[rows].copy(), np.full(values.shape[1:], n)
        frame, row, column = hits.within(rows)
        np.subtract.at(left, (row, column), 1)
        used &= left > 1
        r = values.astype(np.float64)
        r -= frame_means[:, None, None]
        r[frame, row, column] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):  # pixels that keep too few frames become NaN
            mean = r.sum(axis=0) / left
            r -= mean
            r[frame, row, column] = 0.0
            variances = np.einsum("fyx,fyx->yx", r, r) / (left - 1)
        if mean_map is not None and variance_map is not None:
            mean_map[rows], variance_map[rows] = mean + frame_means.mean(), variances
        frames = frame[used[row, column]]
        if used.all():  # as it mostly is: then nothing is copied
            sums.add(r.reshape(n, -1), left.ravel(), mean.ravel(), variances.ravel(), frames)
        else:
            sums.add(r[:, used], left[used], mean[used], variances[used], frames)
    if sums.n_pixels < 2:
        raise ValueError(f"{sums.n_pixels} pixels are left of {keep.size}: nothing to measure")
    return MaskedMoments(
        n_frames=n,
        n_pixels=sums.n_pixels,
        n_excluded=keep.size - sums.n_pixels,
        frame_means=frame_means + sums.frame_shifts(),
        temporal=sums.temporal(),
        frames=sums.frames(),
        n_masked=int(sums.masked.sum()),
        n_hit_pixels=sums.n_hit_pixels,
        n_events=hits.n_events,
        events_per_frame=tuple(hits.per_frame.tolist()),
        threshold=hits.threshold,
        mean_map=mean_map,
        variance_map=variance_map,
    )
