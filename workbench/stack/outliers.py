"""Samples of a stack that stand out of the noise of their own pixel over the other frames, a row of tiles at a time."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workbench.stack.bands import bands

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    Integers = NDArray[np.int64]

JOINS = 3.5  # sigma: what a sample exceeds to be listed at all
_AGAIN = 4.5  # sigma: what a second sample of a pixel exceeds to tell that the pixel jumps
_HOT = 6.0  # sigma by which the other frames of a pixel stand above its tile: it fluctuates more than its tile does
_TILE = 64  # pixels a side
_SAMPLED = 3  # of this many pixels of a large tile one tells its noise; odd, lest it sees every other column only
_ENOUGH = 1000  # of them, then
_FEW = 64  # pixels of a tile that count: with fewer the whole strip tells the noise
_CLIP = 0.9  # share of a tile's variances that are taken as they are; the rest is cut down to that quantile
_REPEATS = 3  # frames in which one pixel may stand out, at most, that are looked for
_TRIALS = 40_000


class Samples(NamedTuple):
    """Samples that stand out: place in the stack as one number, excess [adu] and in sigma, whether it may be a core."""

    place: Integers
    excess: FloatArray
    ratio: FloatArray
    single: BoolArray

    def take(self, index: Integers | BoolArray) -> Samples:
        """Return some of them."""
        return Samples(self.place[index], self.excess[index], self.ratio[index], self.single[index])


class NoiseFactors(NamedTuple):
    """Expected variances of normal samples of variance one, the largest j of n left out."""

    lowest: FloatArray  # for j = 0, 1, 2, ...
    clipped: float  # mean over pixels for j = 1, the upper tenth cut down to the quantile


def median_factor(others: int) -> float:
    """Variance of "sample minus median of m others", in that of a sample."""
    return 1 + np.pi / (2 * others)


@lru_cache
def noise_factors(n_frames: int) -> NoiseFactors:
    """Find them by drawing normal samples, to half a percent."""
    values = np.sort(np.random.default_rng(0).standard_normal((n_frames, _TRIALS)), axis=0)
    lowest = [values[: n_frames - j].var(axis=0, ddof=1) for j in range(_most_repeats(n_frames) + 1)]
    cut = np.minimum(lowest[1], np.quantile(lowest[1], _CLIP))
    return NoiseFactors(np.array([one.mean() for one in lowest]), float(cut.mean()))


def _most_repeats(n_frames: int) -> int:
    return max(1, min(_REPEATS, (n_frames - 2) // 2))


def strips(stack: xr.DataArray, means: FloatArray, keep: BoolArray) -> Iterator[tuple[int, FloatArray, BoolArray]]:
    """Yield the first row, the values above the frame means, and the pixels to search, a row of tiles at a time."""
    held: list[FloatArray] = []
    used: list[BoolArray] = []
    first, height = 0, stack.shape[1]
    for rows, values in bands(stack):
        # where most frames clip at zero, one that does not is no event; nor can a pixel be told that lacks a value
        good = keep[rows] & ((values == 0).sum(axis=0) * 2 <= len(values))
        held.append(values.astype(np.float64) - means[:, None, None])
        if values.dtype.kind == "f":
            lost = ~np.isfinite(values).all(axis=0)
            held[-1][:, lost] = 0.0
            good &= ~lost
        used.append(good)
        if rows.stop == height or (rows.stop - first >= _TILE and height - rows.stop >= _TILE // 2):
            yield first, np.concatenate(held, axis=1), np.concatenate(used)
            held.clear()
            used.clear()
            first = rows.stop


class Strip:
    """A row of tiles: sums over frames of every pixel, and the noise and the level of every tile.

    ``values`` (frame, row, column) [adu] are those from row ``first`` on of a stack of this ``shape``, ``used`` the
    pixels to search, ``least`` the variance [adu2] below which none is believed.
    """

    def __init__(
        self, values: FloatArray, used: BoolArray, first: int, shape: tuple[int, ...], least: float = 0.0
    ) -> None:
        self.values, self.used, self.first, self.shape = values, used, first, shape
        self._sums = values.sum(axis=0)
        self._squares = np.einsum("fyx,fyx->yx", values, values)
        self._others = {1.0: self._without(values.max(axis=0)), -1.0: self._without(values.min(axis=0))}
        self.noise, self.level = self._tiles(least)

    def _without(self, extreme: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Variance of the other frames, and the most by which the extreme one can be away from their median.

        The median lies within one rms of the mean.
        """
        others = len(self.values) - 1
        mean = self._sums - extreme
        mean /= others
        variance = self._squares - extreme * extreme
        variance -= others * mean * mean
        np.maximum(variance, 0.0, out=variance)
        variance /= others - 1
        most = np.sqrt(variance * ((others - 1) / others))
        most += np.abs(extreme - mean)
        return variance, most

    def _tiles(self, least: float) -> tuple[FloatArray, FloatArray]:
        """Variance of a sample and level in the tile of every column, shape (columns,)."""
        variance, mean = self._others[1.0][0], self._sums
        width = self.used.shape[1]
        edges = np.linspace(0, width, max(1, round(width / _TILE)) + 1).astype(int)
        noise, level = np.full((2, width), np.inf)
        for start, stop in pairwise(edges):
            tile, here = (slice(None), slice(start, stop)), self.used[:, start:stop]
            if not here.any():
                continue
            if here.sum() < _FEW:
                tile, here = (slice(None), slice(None)), self.used
            each = _SAMPLED if here.sum() > _SAMPLED * _ENOUGH else 1
            noise[start:stop] = _clipped_mean(variance[tile][here][::each])
            level[start:stop] = np.median(mean[tile][here][::each]) / len(self.values)
        noise = np.maximum(noise / noise_factors(len(self.values)).clipped, least)
        noise[noise == 0] = np.inf  # rounding hides the noise: nothing can be told there
        return noise, level

    def standing_out(self, sign: float) -> Samples:
        """Return the samples that exceed the median of the other frames (sign -1: lie below it)."""
        n = len(self.values)
        variance, most = self._others[sign]
        sigma2 = np.maximum(self.noise, variance / noise_factors(n).lowest[1])
        sigma2 *= JOINS**2 * median_factor(n - 1)
        rows, columns = np.nonzero(self.used & (most * most > sigma2))
        return self._test(rows, columns, sign)

    def _test(self, rows: Integers, columns: Integers, sign: float) -> Samples:
        """Test the greatest values of some pixels, exactly; one that is alone in its pixel may be a core."""
        n, factors = len(self.values), noise_factors(len(self.values))
        candidates = sign * self.values[:, rows, columns]
        order = np.argsort(candidates, axis=0)
        ranked = np.take_along_axis(candidates, order, axis=0)
        tile, level = self.noise[columns], self.level[columns]
        found = []
        single = sign * np.median(ranked[:-1], axis=0) - level < _HOT * np.sqrt(tile)
        for j in range(_most_repeats(n), 0, -1):
            others = ranked[: n - j]
            own = others.var(axis=0, ddof=1) / factors.lowest[j]
            excess = ranked[n - j] - np.median(others, axis=0)
            ratio = excess / np.sqrt(np.maximum(tile, own) * median_factor(n - j))
            out = ratio > JOINS
            place = (order[n - j] * self.shape[1] + self.first + rows) * self.shape[2] + columns
            found.append(Samples(place, excess, ratio, single & (j == 1)).take(out))
            single &= ratio < _AGAIN
        return joined(found)


def _clipped_mean(values: FloatArray) -> float:
    return float(np.minimum(values, np.quantile(values, _CLIP)).mean())


def joined(parts: list[Samples]) -> Samples:
    """Join what several strips hold."""
    place, excess, ratio, single = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Samples(place, excess, ratio, single)
