"""How much one frame of a master scatters, pixel by pixel: looked at once a master, then told in bands of rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import special, stats

from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from workbench.calibrate.master_frame import MasterFrame

    FloatPlane = NDArray[np.float64]

__all__ = ["FrameVariance", "counts_of", "frame_variance", "temporal_variance"]

_TILE = 32  # pixels on a side, over which the noise of normal pixels is alike
_BAND = 2**18  # pixels that are looked at together
_MAD = 1.4826
_HOT = 8.0  # robust standard deviations above its tile, from where on a pixel is brighter by more than fixed pattern
_ODD = 1e-4  # chance of a variance so much above what is expected: then it is the pixel's own, as of telegraph pixels
_FEWEST_HOT = 30  # pixels that tell how variance grows with brightness
_FEWEST = 3  # frames, whose scatter says something of a pixel
_MOST_PRIOR = 1e6  # degrees of freedom that stand for a prior that is exact

_KNOWN: WeakKeyDictionary[MasterFrame, FrameVariance] = WeakKeyDictionary()
_LOCK = Lock()  # else threads that calibrate by one master would all look at it


def temporal_variance(master: MasterFrame) -> FloatPlane:
    r"""Return the variance of one frame of a master from frame to frame, pixel by pixel, shape (y, x) [adu2].

    Raises
    ------
    InputError
        When the master has no standard errors, no counts, fewer than three frames, or is no mean.

    Notes
    -----
    The scatter of 20 frames tells the variance of a pixel within a third only. What is expected of a pixel is
    therefore averaged in: the median variance of its tile, scaled to a mean, and for hot pixels the slope of variance
    over brightness that they show themselves. Both are weighed by their degrees of freedom, those of the expectation
    from how far variances scatter about it (Smyth 2004, empirical Bayes), except where a variance is larger than
    chance allows: telegraph pixels keep their own.
    """
    return frame_variance(master).rows(0, master.shape[0])


def frame_variance(master: MasterFrame) -> FrameVariance:
    """Look at a master, unless that was done; see :func:`temporal_variance`."""
    with _LOCK:
        if master not in _KNOWN:
            _KNOWN[master] = _looked_at(master)
        return _KNOWN[master]


def counts_of(master: MasterFrame, start: int, stop: int) -> FloatPlane:
    """Return how many frames the pixels of some rows are made of, 1 at least."""
    counts = np.broadcast_to(np.asarray(master.n_kept), master.shape)[start:stop]
    return np.maximum(counts.astype(np.float64), 1.0)


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Medians of tiles, interpolated between their centres."""

    centres: NDArray[np.float64]  # rows
    across: FloatPlane  # shape (tile, x)

    def rows(self, start: int, stop: int) -> FloatPlane:
        places = np.interp(np.arange(start, stop), self.centres, np.arange(len(self.centres), dtype=np.float64))
        above = places.astype(int)
        share = (places - above)[:, np.newaxis]
        below = np.minimum(above + 1, len(self.centres) - 1)
        return np.asarray((1.0 - share) * self.across[above] + share * self.across[below], np.float64)


@dataclass(frozen=True, eq=False)
class _Expectation:
    """What a pixel's variance should be: that of its tile; of hot pixels more, by how far they stand above theirs."""

    variances: _Tiles
    levels: _Tiles
    usual: float  # the median of a variance over its mean
    hottest: float = np.inf  # above the tile, from where on a pixel is hot [adu]
    slope: float = 0.0  # of variance over brightness [adu]

    def rows(self, start: int, stop: int, level: FloatPlane) -> FloatPlane:
        tile = self.variances.rows(start, stop) / self.usual
        if self.slope:
            excess = level - self.levels.rows(start, stop)
            hot = excess > self.hottest
            tile[hot] += self.slope * excess[hot]
        return tile


@dataclass(frozen=True)
class FrameVariance:
    """The variance of one frame of a master, told in bands of rows.

    Parameters
    ----------
    own
        From first and last row: the variance by the scatter of the frames alone [adu2].
    expected
        Likewise, what it should be [adu2].
    dof, prior
        Degrees of freedom of both.
    """

    own: Callable[[int, int], FloatPlane]
    expected: Callable[[int, int], FloatPlane]
    dof: float
    prior: float

    def rows(self, start: int, stop: int) -> FloatPlane:
        """Return the variance of the rows ``start`` to ``stop - 1`` [adu2]."""
        own, expected = self.own(start, stop), self.expected(start, stop)
        ratio = _ratio(own, expected)
        blended = (self.dof * ratio + self.prior) / (self.dof + self.prior) * expected
        return np.asarray(np.where(ratio > stats.f.isf(_ODD, self.dof, self.prior), own, blended), np.float64)


def _ratio(own: FloatPlane, expected: FloatPlane) -> FloatPlane:
    return np.divide(own, expected, out=np.ones_like(own), where=np.isfinite(own) & (expected > 0))


def _looked_at(master: MasterFrame) -> FrameVariance:
    errors, signal, shape = _checked(master), master.signal, master.shape
    dof = float(np.median(np.maximum(np.asarray(master.n_kept), 1))) - 1
    if dof < _FEWEST - 1:
        raise InputError(master.name, f"is made of {dof + 1:g} frames, which tell no noise", "combine 10 or more")
    counts = np.broadcast_to(np.asarray(master.n_kept), shape)  # not the master: it would keep itself known for ever

    def own(start: int, stop: int) -> FloatPlane:
        many = np.maximum(counts[start:stop].astype(np.float64), 1.0)
        return np.asarray(many * np.square(errors[start:stop].astype(np.float64)), np.float64)

    def level(start: int, stop: int) -> FloatPlane:
        return signal[start:stop].astype(np.float64)

    room = np.empty(shape[0] * shape[1])  # medians and quartiles need all values at once
    expectation = _expectation(own, level, shape, float(stats.chi2.median(dof) / dof), room)

    def expected(start: int, stop: int) -> FloatPlane:
        return expectation.rows(start, stop, level(start, stop))

    n = 0
    for start, stop in _bands(shape):
        ratio = _ratio(own(start, stop), expected(start, stop))
        logs = np.log(ratio[ratio > 0])
        room[n : n + logs.size] = logs
        n += logs.size
    return FrameVariance(own, expected, dof, _prior_dof(room[:n], dof))


def _checked(master: MasterFrame) -> NDArray[Any]:
    """Return the standard errors of a master that has them of a mean."""
    if master.std_error is None or master.n_kept is None:
        raise InputError(master.name, "has no standard errors of its pixels", "combine its frames with maps")
    if master.method not in (None, "mean"):
        rule = f"is a {master.method} of its frames, whose standard errors tell no variance of a frame"
        raise InputError(master.name, rule, "combine them by their mean")
    return master.std_error


def _expectation(
    own: Callable[[int, int], FloatPlane],
    level: Callable[[int, int], FloatPlane],
    shape: tuple[int, int],
    usual: float,
    room: FloatPlane,
) -> _Expectation:
    variances, levels = _tiles(own, shape), _tiles(level, shape)
    away = room.reshape(shape)
    for start, stop in _bands(shape):
        away[start:stop] = np.abs(level(start, stop) - levels.rows(start, stop))
    hottest = max(_HOT * _MAD * float(np.nanmedian(room, overwrite_input=True)), 1e-9)
    found = []
    for start, stop in _bands(shape):
        excess = level(start, stop) - levels.rows(start, stop)
        hot = excess > hottest
        found.append((own(start, stop) / usual - variances.rows(start, stop) / usual)[hot] / excess[hot])
    slopes = np.concatenate(found)
    slope = max(float(np.nanmedian(slopes)), 0.0) if slopes.size >= _FEWEST_HOT else 0.0
    return _Expectation(variances, levels, usual, hottest, slope)


def _bands(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    high = max(1, _BAND // shape[1])
    return ((start, min(start + high, shape[0])) for start in range(0, shape[0], high))


def _tiles(rows: Callable[[int, int], FloatPlane], shape: tuple[int, int]) -> _Tiles:
    down, across = (np.linspace(0, size, max(1, size // _TILE) + 1).astype(int) for size in shape)
    medians = []
    for top, bottom in pairwise(down):
        band = rows(int(top), int(bottom))
        tiles = [np.nanmedian(band[:, left:right]) for left, right in pairwise(across)]
        medians.append(np.interp(np.arange(shape[1]), _centres(across), tiles))
    return _Tiles(_centres(down), np.array(medians))


def _centres(edges: NDArray[np.int_]) -> NDArray[np.float64]:
    return np.asarray((edges[:-1] + edges[1:] - 1) / 2, np.float64)


def _prior_dof(logs: FloatPlane, dof: float) -> float:
    """Return the degrees of freedom of the expectation, from the scatter of log variances about it, which it sorts."""
    if not logs.size:
        return _MOST_PRIOR
    low, high = np.percentile(logs, [25, 75], overwrite_input=True)
    # quartiles, against those of the logarithm of a chi-squared variable: outliers do not count
    expected = np.diff(np.log(stats.chi2.ppf([0.25, 0.75], dof)))[0]
    beyond = special.polygamma(1, dof / 2) * (((high - low) / expected) ** 2 - 1)
    if beyond <= special.polygamma(1, _MOST_PRIOR / 2):
        return _MOST_PRIOR
    lower, upper = 1e-3, _MOST_PRIOR
    for _ in range(60):  # the trigamma function falls all the way
        middle = (lower * upper) ** 0.5
        lower, upper = (middle, upper) if special.polygamma(1, middle / 2) > beyond else (lower, middle)
    return float(middle)
