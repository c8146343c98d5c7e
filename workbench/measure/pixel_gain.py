"""Gain from the pixels of one dark exposure: the way to take a gain from darks that a clamp cannot reach.

The clamp is one constant of each frame. Pixels with more dark electrons (hot ones, those near the amp glow) lie higher
and are noisier, by ``1 / K`` adu2 per adu, whatever was subtracted from all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.measure.york_line import TwoErrorLine, two_error_line

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.stack.variance import DifferenceMoments

    FloatArray = NDArray[np.float64]
    Labels = NDArray[np.int16]

_SEEN = 5.0  # standard errors of the slope, below which there is nothing to divide by
_FEWEST_PIXELS = 30  # of a group
_FEWEST_GROUPS = 4
_GROUPS = 64
_APART = 4.0  # standard errors by which a group may be noisier than the line
_ROUNDS = 5
_CLIP_P = 1e-5  # of good pixels lost: their variance is missed by less than 1e-4


@dataclass(frozen=True)
class GainFromPixels:
    """The gain from the pixels of one exposure.

    Parameters
    ----------
    gain
        K [electron/adu].
    mean, variance
        Of each group of pixels, dark minus bias [adu, adu2], shape (groups,).
    mean_error, variance_error
        Their standard errors.
    n_pixels, n_clipped
        Pixels that entered, and those left out because they are far noisier than their group.
    chi2, dof
        Of the straight line.
    notes
        What a reader must know.
    """

    gain: AffineScalarFunc
    mean: FloatArray
    mean_error: FloatArray
    variance: FloatArray
    variance_error: FloatArray
    n_pixels: int
    n_clipped: int
    chi2: float
    dof: int
    notes: tuple[str, ...]


def level_groups(
    selector: NDArray[np.floating], excluded: NDArray[np.bool_] | None = None, *, bulk: float = 6.0
) -> Labels:
    """Sort pixels into groups of like level: ordinary ones in one group, those with more electrons in up to 64.

    Parameters
    ----------
    selector
        Shape (y, x): a map that grows with the dark electrons, such as the mean of other darks minus that of short
        ones. It must share no frame with what is then measured: a pixel chosen because its noise was high looks
        brighter than it is (K comes out too large).
    excluded
        Pixels without a group, shape (y, x).
    bulk
        Ordinary is what lies less than this many robust sigmas above the median of the selector. Offsets of pixels
        wander from one hour to the next, by the same amount in darks taken together; among pixels of nearly the same
        dark current that wandering passes for electrons.

    Returns
    -------
    numpy.ndarray
        Group of each pixel, shape (y, x); 0 ordinary, -1 none.

    Notes
    -----
    On a real camera (ASI178MC, gain 0.2345 +/- 0.001 electron/adu by its flats) groups all through the bulk gave
    0.286 +/- 0.004, those above it 0.242 +/- 0.003.
    """
    keep = np.isfinite(selector) if excluded is None else np.isfinite(selector) & ~excluded
    labels = np.where(keep, 0, -1).astype(np.int16)
    values = selector[keep]
    if not values.size:
        return labels
    sample = values[:: max(1, values.size // 2**20)]  # enough for a median
    median = float(np.median(sample))
    sigma = float(np.median(np.abs(sample - median))) / float(stats.norm.isf(0.25))
    bright = keep & (selector > median + bulk * sigma)
    n_groups = min(_GROUPS, int(bright.sum()) // (2 * _FEWEST_PIXELS))
    if n_groups:
        values = selector[bright]
        edges = np.quantile(values, np.arange(1, n_groups) / n_groups)
        labels[bright] = 1 + np.searchsorted(edges, values, side="right")
    return labels


def tile_groups(shape: tuple[int, int], excluded: NDArray[np.bool_] | None = None, side: int = 16) -> Labels:
    """Sort pixels into a grid of ``side`` x ``side`` tiles: for a camera whose amp glow differs over the frame."""
    row, column = (np.arange(n) * side // n for n in shape)
    labels = (row[:, None] * side + column).astype(np.int16)
    if excluded is not None:
        labels[excluded] = -1
    return labels


@dataclass(frozen=True)
class _Groups:
    """Over groups: pixels, mean of dark minus bias, variance of either, mean square over squared mean of that."""

    n: FloatArray
    mean: FloatArray
    dark: FloatArray
    bias: FloatArray
    spread: FloatArray
    n_clipped: int

    def of(self, chosen: NDArray[np.bool_]) -> _Groups:
        """Return some of the groups."""
        columns = ("n", "mean", "dark", "bias", "spread")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


def gain_from_pixels(bias: DifferenceMoments, dark: DifferenceMoments, groups: Labels) -> GainFromPixels:
    """Take the gain from the pixels of one exposure: ``d variance / d mean = 1 / K`` over groups of pixels.

    Parameters
    ----------
    bias, dark
        Moments with their maps: mean [adu] and variance [adu2] of every pixel; two frames or more of each.
    groups
        Group of each pixel (:func:`level_groups`, :func:`tile_groups`), -1 for pixels that do not count.

    Raises
    ------
    NotMeasurableError
        Without maps, or where the electrons of the pixels differ too little: the slope is less than 5 standard errors.

    Notes
    -----
    Drift and clamp are one constant of each frame: they move the intercept. In a group, pixels are left out whose
    variance is so far above its median (in chi-squared, n - 1 degrees of freedom) that one good pixel in 100 000 is:
    cosmic rays and telegraph pixels; then whole groups that are noisier than the line. Telegraph pixels that hide among
    their like make K too small: by simulation 1 % where they are a quarter of the bright pixels. Errors are those of
    normal noise plus Poisson's, of the fitted and not the found variance (a group that came out low by chance would
    weigh more).
    """
    members = _members(groups)
    if len(members) < _FEWEST_GROUPS:
        raise NotMeasurableError(
            f"too few pixels have more electrons than the rest (groups of {_FEWEST_PIXELS}: {len(members)}, needed: "
            f"{_FEWEST_GROUPS}); shoot longer or warmer darks, or pairs of flats"
        )
    found = _group_sums(bias, dark, members, 0.0)
    reason = (
        f"the electrons of the pixels differ too little (their groups spread over {np.ptp(found.mean):.2g} adu): their "
        "noise tells no gain; shoot longer or warmer darks, and more of them, or pairs of flats"
    )
    try:
        rough, _, _ = _fit(found, bias.n_frames, dark.n_frames)
        found = _group_sums(bias, dark, members, max(rough.slope, 0.0))
        sums, line, x_error, y_error = _fit_quiet(found, bias.n_frames, dark.n_frames)
    except NotMeasurableError as error:
        raise NotMeasurableError(reason) from error
    if line.slope < _SEEN * line.scaled_error:
        raise NotMeasurableError(reason)
    notes = [f"{sums.n_clipped} pixels far noisier than their like are left out (cosmic rays, telegraph pixels)"]
    if sums.n.size < found.n.size:
        notes.append(f"{found.n.size - sums.n.size} of {found.n.size} groups, noisier than the line, are left out too")
    if line.misfit:
        notes.append(
            f"the groups lie on no line (chi2/dof {line.chi2 / line.dof:.3g}: telegraph pixels, or bias frames of "
            "another noise); the error is scaled up"
        )
    return GainFromPixels(
        gain=1 / number(line.slope, line.scaled_error),
        mean=sums.mean,
        mean_error=x_error,
        variance=sums.dark - sums.bias,
        variance_error=y_error,
        n_pixels=int(sums.n.sum()),
        n_clipped=sums.n_clipped,
        chi2=line.chi2,
        dof=line.dof,
        notes=tuple(notes),
    )


def _maps(bias: DifferenceMoments, dark: DifferenceMoments) -> list[NDArray[np.float32]]:
    maps = [bias.mean_map, dark.mean_map, bias.variance_map, dark.variance_map]
    known = [one for one in maps if one is not None]
    if len(known) < len(maps) or min(bias.n_frames, dark.n_frames) < 2:
        raise NotMeasurableError("no maps of mean and variance of two or more darks and two or more bias frames")
    return known


def _fit(sums: _Groups, n_bias: int, n: int) -> tuple[TwoErrorLine, FloatArray, FloatArray]:
    """Fit variance against mean; errors from the fitted variances, so repeated. Returns those of mean and variance."""
    y, read = sums.dark - sums.bias, float(np.average(sums.bias, weights=sums.n))
    slope, level = 0.0, np.full_like(y, max(float(np.average(y, weights=sums.n)), 0.0))
    for _ in range(4):
        total = read + level
        x_error = ((total / n + read / n_bias) / sums.n) ** 0.5
        chance = 2 * sums.spread * (total**2 / (n - 1) + read**2 / (n_bias - 1))
        y_error = ((chance + slope**2 * level / n) / sums.n) ** 0.5
        line = two_error_line(sums.mean, x_error, y, y_error, slope * level / n / sums.n)
        slope, level = line.slope, np.maximum(line.intercept + line.slope * sums.mean, 0.0)
    return line, x_error, y_error


def _fit_quiet(sums: _Groups, n_bias: int, n: int) -> tuple[_Groups, TwoErrorLine, FloatArray, FloatArray]:
    """Fit without the groups that are noisier than the line: among hot pixels many switch. At least half stay."""
    fewest = 1 + sums.n.size // 2
    line, x_error, y_error = _fit(sums, n_bias, n)
    for _ in range(_ROUNDS):
        above = sums.dark - sums.bias - line.intercept - line.slope * sums.mean
        quiet = above <= _APART * np.hypot(y_error, line.slope * x_error)
        if quiet.all() or quiet.sum() < fewest:
            break
        sums = sums.of(quiet)
        line, x_error, y_error = _fit(sums, n_bias, n)
    return sums, line, x_error, y_error


def _members(groups: Labels) -> list[NDArray[np.intp]]:
    """Return the pixels of each group that has enough of them, as indices into the flattened frame."""
    order = np.argsort(groups, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(groups.ravel().astype(np.int64) + 1)).tolist()
    return [order[first:last] for first, last in pairwise(ends) if last - first >= _FEWEST_PIXELS]


def _group_sums(
    bias: DifferenceMoments, dark: DifferenceMoments, members: list[NDArray[np.intp]], slope: float
) -> _Groups:
    """Average group by group, without the pixels whose variance no normal noise explains.

    With ``slope`` [adu2/adu] a pixel that lies higher than its group may be noisier than it.
    """
    limits = [float(stats.chi2.isf(_CLIP_P, n - 1) / stats.chi2.median(n - 1)) for n in (bias.n_frames, dark.n_frames)]
    maps = [np.ravel(one) for one in _maps(bias, dark)]
    rows, n_clipped = [], 0
    for group in members:
        level, mean, read, noise = (one[group].astype(np.float64) for one in maps)
        mean -= level
        allowed = np.median(noise) + np.maximum(slope * (mean - np.median(mean)), 0.0)
        good = (read <= limits[0] * np.median(read)) & (noise <= limits[1] * allowed)
        n_clipped += int(good.size - good.sum())
        mean, noise, read = mean[good], noise[good], read[good]
        expected = np.maximum(noise.mean() + slope * (mean - mean.mean()), read.mean())
        unlike = _spread(expected)  # of the pixels' true variances, as their means tell
        rows.append((noise.size, mean.mean(), noise.mean(), read.mean(), unlike, _spread(noise)))
    n, means, noises, reads, unlike, found = np.array(rows).T
    # what the means do not tell: pixels of unlike read noise; chi-squared has a spread of its own
    further = float(np.median(found / unlike)) / (1 + 2 / (dark.n_frames - 1))
    return _Groups(n, means, noises, reads, unlike * max(1.0, further), n_clipped)


def _spread(values: FloatArray) -> float:
    return float((values**2).mean() / values.mean() ** 2)
