"""What is usual where a pixel stands: the median of its neighbourhood, and the spread of variances there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, stats
from scipy.optimize import brentq

from workbench.errors import NotMeasurableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatMap = NDArray[np.floating]
    BoolMap = NDArray[np.bool_]
    FloatArray = NDArray[np.float64]

TILE = 32  # pixels: a thousand of them give a median to 4 % of their spread
_CERTAIN = 1e4  # degrees of freedom from which on a prior leaves no spread
_WEAKEST = 2.0


@dataclass(frozen=True)
class Usual:
    """The medians of a grid of tiles that covers a frame of ``shape``; in between, straight lines."""

    tiles: FloatArray
    shape: tuple[int, int]

    @cached_property
    def _across(self) -> FloatArray:
        """The tiles with every column between them, shape (tile, x)."""
        place = _places(np.arange(self.shape[1]), self.tiles.shape[1], self.shape[1])
        return np.array([np.interp(place, np.arange(one.size), one) for one in self.tiles])

    def at(self, rows: slice) -> FloatArray:
        """Return the usual value of every pixel of some rows, shape (rows, x)."""
        n = self.tiles.shape[0]
        place = np.clip(_places(np.arange(self.shape[0])[rows], n, self.shape[0]), 0, n - 1)
        above = np.minimum(place.astype(int), max(n - 2, 0))
        share = (place - above)[:, None]
        found: FloatArray = (1.0 - share) * self._across[above] + share * self._across[np.minimum(above + 1, n - 1)]
        return found

    def of(self, pixels: NDArray[np.intp]) -> FloatArray:
        """Return the usual value of some pixels, given as flat indices."""
        sides = zip(np.unravel_index(pixels, self.shape), self.tiles.shape, self.shape, strict=True)
        places = [_places(place, n, side) for place, n, side in sides]
        found: FloatArray = ndimage.map_coordinates(self.tiles, places, order=1, mode="nearest")
        return found


def _places(pixels: NDArray[np.intp], n_tiles: int, side: int) -> FloatArray:
    """Return where pixels along one side stand among the centres of the tiles."""
    return (pixels + 0.5) * n_tiles / side - 0.5


def usual(values: FloatMap, keep: BoolMap, tile: float = TILE) -> Usual:
    """Return the medians of the pixels to keep in tiles of about that side.

    Parameters
    ----------
    values
        Shape (y, x).
    keep
        Pixels that count where their values are finite; a tile without any takes the median of all tiles.
    tile
        Side of a tile [pixel].

    Raises
    ------
    NotMeasurableError
        Where no pixel is left.
    """
    edges = [np.linspace(0, side, max(1, round(side / tile)) + 1).astype(int) for side in values.shape]
    tiles = np.full((len(edges[0]) - 1, len(edges[1]) - 1), np.nan)
    for i, (top, bottom) in enumerate(zip(edges[0][:-1], edges[0][1:], strict=True)):
        for j, (left, right) in enumerate(zip(edges[1][:-1], edges[1][1:], strict=True)):
            part = values[top:bottom, left:right]
            here = part[keep[top:bottom, left:right] & np.isfinite(part)]
            if here.size:
                tiles[i, j] = np.median(here)
    if np.isnan(tiles).all():
        reason = "no pixel with finite values is left to tell what is usual; leave out the frames that lack values"
        raise NotMeasurableError(reason)
    tiles[np.isnan(tiles)] = np.nanmedian(tiles)
    return Usual(tiles, (values.shape[0], values.shape[1]))


@dataclass(frozen=True)
class Pool:
    """How the variances over frames of a neighbourhood's pixels spread: a prior for each of them.

    Parameters
    ----------
    level
        The variance that is usual at every place [adu2].
    dof
        Degrees of freedom of one pixel's own variance: frames minus one.
    prior_dof
        How many more the neighbourhood is worth: many where all pixels are alike.
    bounds
        The lowest and the highest ratio of a pixel's own variance to the level that plain pixels have.
    """

    level: Usual
    dof: int
    prior_dof: float
    bounds: tuple[float, float]

    def moderated(self, variances: FloatArray, pixels: NDArray[np.intp]) -> tuple[FloatArray, float]:
        """Return the variances of some pixels drawn to the level of their neighbourhood, and their degrees of freedom.

        ``s~^2 = (d0 s0^2 + d s^2) / (d0 + d)`` (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3, 2004).
        """
        total = self.prior_dof + self.dof
        return (self.prior_dof * self.level.of(pixels) + self.dof * variances) / total, total


def pool(variance_map: FloatMap, keep: BoolMap, n_frames: int, share: float = 0.02) -> Pool:
    """Describe the variances over n frames of the pixels to keep.

    Parameters
    ----------
    variance_map
        Shape (y, x) [adu2], ddof 1.
    keep
        Pixels that count, shape (y, x).
    n_frames
        How many frames the variances come from.
    share
        Which share of plain pixels may lie beyond either of the ``bounds``.

    Raises
    ------
    NotMeasurableError
        Where half of the pixels of a tile do not change, or no pixel is left.

    Notes
    -----
    Where the true variances of plain pixels follow a scaled inverse chi-squared distribution of d0 degrees of freedom,
    their estimates over the level are distributed as ``F(n - 1, d0)``; d0 makes the distance between its quartiles
    that of the logarithms of the ratios found, so that outliers have no say.
    """
    dof = n_frames - 1
    medians = usual(variance_map, keep)
    if not (medians.tiles > 0).all():
        raise NotMeasurableError("half of the pixels do not change from frame to frame: rounding hides the noise")
    logs = []
    step = max(1, TILE * 8)
    for top in range(0, variance_map.shape[0], step):
        rows = slice(top, min(top + step, variance_map.shape[0]))
        ratio = (variance_map[rows] / medians.at(rows))[keep[rows]]
        logs.append(np.log(ratio[ratio > 0])[:: max(1, keep.size // 1_000_000)])
    quartiles = np.quantile(np.concatenate(logs), [0.25, 0.75])
    prior_dof = _prior_dof(float(quartiles[1] - quartiles[0]), dof)
    spread = stats.f(dof, prior_dof)
    level = Usual(medians.tiles / spread.median(), medians.shape)
    return Pool(level, dof, prior_dof, (float(spread.ppf(share)), float(spread.ppf(1.0 - share))))


def _prior_dof(distance: float, dof: int) -> float:
    """Return the d0 at which the quartiles of ``ln F(dof, d0)`` lie this far apart."""

    def excess(log_dof: float) -> float:
        quartiles = stats.f(dof, np.exp(log_dof)).ppf([0.25, 0.75])
        return float(np.log(quartiles[1] / quartiles[0])) - distance

    low, high = np.log(_WEAKEST), np.log(_CERTAIN)
    if excess(low) <= 0:
        return _WEAKEST
    return _CERTAIN if excess(high) >= 0 else float(np.exp(brentq(excess, low, high)))
