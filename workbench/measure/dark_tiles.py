"""Electrons of a dark tile by tile: by noise and by the mean, over ordinary pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, special, stats

from workbench.errors import NotMeasurableError
from workbench.measure.grid import each_tile
from workbench.measure.scaling import GRID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    FloatArray = NDArray[np.float64]
    FloatMap = NDArray[np.float32]
    BoolArray = NDArray[np.bool_]

_APART = 6.0  # widths of the map: a pixel further from its tile's median is hot, or was hit
_CHANCE = 1e-6  # that a pixel's variance exceeds what its frames' noise allows
_SPREAD = 2.5  # of an ordinary pixel's noise variance above the mean, and above that in its bias
_SAMPLE = 2**20  # pixels that tell the width


@dataclass(frozen=True)
class TileMap:
    """Electrons of a dark over a grid of tiles, hot pixels and hits left out: by noise, and by the mean.

    Parameters
    ----------
    electrons, errors
        Shape (16, 16): ``K^2 (var_D - var_B)``, from variance alone, and its standard error without that of the gain
        [electron]; NaN for a tile without such a pixel.
    means, mean_errors
        Shape (16, 16): the map's mean over the same pixels, and its standard error from temporal noise [electron].
    chi2, dof, p
        Of their difference; one degree of freedom is the level, which makes both means over the sensor equal.
    """

    electrons: FloatArray
    errors: FloatArray
    means: FloatArray
    mean_errors: FloatArray
    chi2: float
    dof: int
    p: float


@dataclass(frozen=True)
class TileSums:
    """Per tile, shape (16, 16), over the ordinary pixels: their number, and sums of the maps [adu and its powers]."""

    n: FloatArray
    difference: FloatArray
    dark: FloatArray
    bias: FloatArray
    dark_squared: FloatArray
    bias_squared: FloatArray
    bias_root: FloatArray


def sum_tiles(
    difference: FloatMap,
    dark: FloatMap,
    bias: FloatMap,
    excluded: BoolArray,
    n_frames: tuple[int, int],
    gain: float,
) -> TileSums:
    """Sum the maps over the ordinary pixels of every tile: no hot pixel, none that was hit.

    Parameters
    ----------
    difference, dark, bias
        Shape (y, x): mean of dark minus bias [adu], variance of one dark and of one bias frame [adu2].
    excluded
        Pixels that do not count, shape (y, x).
    n_frames
        Darks and bias frames.
    gain
        K [electron/adu], to tell how much glow widens the map.

    Raises
    ------
    NotMeasurableError
        When no pixel is left.
    """
    medians = np.full((GRID, GRID), np.nan)
    apart = []
    step = max(1, difference.size // _SAMPLE)
    for place, tile in each_tile(difference.shape):
        used = difference[tile][~excluded[tile]]
        if used.size:
            medians[place] = np.median(used)
            apart.append(np.abs(used[::step] - np.float32(medians[place])))
    if not apart:
        raise NotMeasurableError("no pixel is left to measure; shoot darks that saturate or clip less")
    width = float(np.quantile(np.concatenate(apart), 0.683))
    # where the sensor glows, its shot noise widens the map
    glow = np.maximum(medians - np.nanmedian(medians), 0.0)
    widths = np.sqrt(width**2 + glow / gain / n_frames[0])
    factor = _SPREAD * float(stats.chi2.isf(_CHANCE, n_frames[0] - 1)) / (n_frames[0] - 1)
    found = np.zeros((7, GRID, GRID))
    for place, tile in each_tile(difference.shape):
        keep = ~excluded[tile] & (np.abs(difference[tile] - medians[place]) <= _APART * widths[place])
        keep &= ~_hit(dark[tile], bias[tile], keep, factor)
        d, vd, vb = (one[tile][keep].astype(np.float64) for one in (difference, dark, bias))
        found[(slice(None), *place)] = (
            d.size,
            d.sum(),
            vd.sum(),
            vb.sum(),
            (vd * vd).sum(),
            (vb * vb).sum(),
            np.sqrt(vb).sum(),
        )
    return TileSums(*found)


def _hit(dark: FloatMap, bias: FloatMap, kept: BoolArray, factor: float) -> BoolArray:
    """Mark the pixels whose variance in the darks their noise does not allow, and their neighbours: a hit is a track.

    What a pixel's noise allows follows its own bias variance, so that telegraph pixels stay, or leave, in both.
    """
    hit = np.zeros(kept.shape, dtype=bool)
    for _ in range(5):
        ordinary = kept & ~hit
        if not ordinary.any():
            break
        mean, zero = (float(one[ordinary].mean(dtype=np.float64)) for one in (dark, bias))
        found = kept & (dark > factor * np.maximum(bias + (mean - zero), mean))
        if (found == hit).all():
            break
        hit = found
    if not hit.any():
        return hit
    grown: BoolArray = ndimage.binary_dilation(hit, np.ones((3, 3), dtype=bool))
    return grown


def noise_spread(sums: TileSums, n_bias: int) -> float:
    """Rms relative spread of the pixels' own noise variance, from the mean of its root: telegraph pixels hardly count.

    A variance over n frames has a root whose mean is ``sqrt(2 / (n - 1)) Gamma(n / 2) / Gamma((n - 1) / 2)``; that of a
    log-normal variance of spread s in its logarithm is ``exp(-s^2 / 8)``.
    """
    half = (n_bias - 1) / 2
    narrow = np.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / half**0.5
    n, total = float(sums.n.sum()), float(sums.bias.sum())
    if total <= 0:
        return 0.0
    root = float(sums.bias_root.sum()) / (n * total) ** 0.5 / narrow
    return float(np.sqrt(np.expm1(max(0.0, -8 * np.log(root)))))


def variance_error(sums: TileSums, n_frames: tuple[int, int], poisson: float) -> float:
    """Error of ``var_D - var_B`` over all tiles [adu2]; ``poisson`` is the electrons' excess kurtosis [adu4]."""
    n, (darks, biases) = float(sums.n.sum()), n_frames
    squares = 2 / (darks + 1) * float(sums.dark_squared.sum()) + 2 / (biases + 1) * float(sums.bias_squared.sum())
    return float((squares + n * poisson * (darks - 1) / (darks * (darks + 1))) ** 0.5 / n)


def tile_map(
    sums: TileSums,
    n_frames: tuple[int, int],
    gain: AffineScalarFunc,
    centre: float,
    excess: float,
    shifts: list[float],
) -> TileMap:
    """Compare noise and mean tile by tile.

    Parameters
    ----------
    sums
        Over the ordinary pixels.
    n_frames
        Darks and bias frames.
    gain
        K [electron/adu].
    centre, excess
        Over all tiles: mean of dark minus bias [adu], variance of a dark beyond that of the bias [adu2].
    shifts
        By how much the variances of darks and of the bias in the sums are too large [adu2].
    """
    k, (darks, biases) = float(gain.nominal_value), n_frames
    with np.errstate(invalid="ignore", divide="ignore"):  # a tile without pixels is NaN, and said to be so
        electrons = k**2 * ((sums.dark - sums.bias) / sums.n - shifts[0] + shifts[1])
        means = k * (sums.difference / sums.n - centre) + k**2 * excess
        expected = np.maximum(means, 0.0)
        squares = k**4 * (2 / (darks + 1) * sums.dark_squared + 2 / (biases + 1) * sums.bias_squared) / sums.n**2
        errors = np.sqrt(squares + expected * (darks - 1) / (darks * (darks + 1)) / sums.n)
        mean_errors = k * np.sqrt(sums.dark / darks + sums.bias / biases) / sums.n
        # a pixel's mean and variance share the skewness of its electrons; a wrong gain tilts one against the other
        together = expected / darks / sums.n
        tilt = float(gain.std_dev) / k * (means - k**2 * excess)
        spread = np.maximum(errors**2 + mean_errors**2 - 2 * together, 0.0) + tilt**2
        pulls = ((electrons - means) ** 2 / spread)[spread > 0]
    chi2, dof = float(pulls.sum()), max(pulls.size - 1, 1)
    return TileMap(electrons, errors, means, mean_errors, chi2, dof, float(stats.chi2.sf(chi2, dof)))
