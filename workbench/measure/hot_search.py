"""Where hot pixels are: from the map of the longest darks to the growth of every one with the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from workbench.measure.hot_pixels import HOT, TOLERANCE, Growth, HotNoise, HotSignal, growth
from workbench.measure.neighbourhood import TILE, Usual, usual
from workbench.measure.numbers import number
from workbench.measure.pixel_flags import PixelFlag
from workbench.measure.pixel_stacks import DarkMaps, Finding, Judged, PixelStack, capped
from workbench.measure.switching import without_hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    Pixels = NDArray[np.intp]

HOT_COLUMNS: dict[str, str] = {
    "row": "",
    "column": "",
    "current": "electron / s",
    "current_error": "electron / s",
    "rate": "adu / s",
    "rate_error": "adu / s",
    "chi2": "1",
    "dof": "",
    "bent": "",
    "saturated": "",
}
"""Columns and their units; ``rate`` is that above the neighbourhood, ``current`` all of it (NaN without a gain)."""

_CANDIDATE = 0.7  # of what makes a pixel hot: looked at closely from here on
_OUTLIER = 6.0  # robust standard deviations of the pattern: hot, where no gain tells electrons
_LATTICE = 250_000  # pixels that tell the surroundings of all, at least
_OWN_SCATTER = 4  # frames from which on a pixel's own scatter counts
_CERTAIN = 0.5  # pixels of all that noise alone may lift above the threshold


def find_hot(
    judged: Judged,
    maps: DarkMaps,
    darks: Sequence[PixelStack],
    dark_signal: float | None,
    tolerance: float = TOLERANCE,
) -> Finding:
    """Find hot and saturating pixels, and tell whether they fill in proportion to the exposure.

    Parameters
    ----------
    judged, maps
        The pixels, and the longest darks.
    darks
        One stack an exposure, ascending; the last is that of ``maps``.
    dark_signal
        Of a typical pixel in the longest darks, glow apart [electron]; from the noise where None.
    tolerance
        See :func:`workbench.measure.hot_pixels.growth`.

    Raises
    ------
    NotMeasurableError
        Where the darks of an exposure have no pixel with a value in every frame.
    """
    least, typical, notes = _threshold(judged, maps, dark_signal)
    mean, variance = maps.dark.maps()
    chosen = np.zeros(maps.dark.shape, dtype=bool)
    for rows, excess in maps.bands():
        chosen[rows] = excess > _CANDIDATE * least
    if judged.saturation is not None:
        chosen |= mean >= 0.5 * judged.saturation
    pixels, lost = capped(chosen & judged.keep, mean)
    signal = maps.signal.of(pixels) / maps.dark.exposure
    noise = HotNoise(
        judged.pool.level.of(pixels), signal, 1.0 / judged.gain if judged.gain else _per_adu(maps, pixels, variance)
    )
    sampling = Sampling.of(pixels, judged.keep)
    signals = [hot_signal(dark, judged, sampling, noise) for dark in darks]
    saturated = np.logical_or.reduce([one.saturated for one in signals])
    hot = (signals[-1].signal > least) | saturated
    found = pixels[hot]
    read, _ = judged.pool.moderated(judged.bias.maps()[1].flat[found].astype(np.float64), found)
    grown = growth([one.at(hot) for one in signals], np.sqrt(read / judged.bias.n_frames), tolerance)
    bits = {
        PixelFlag.HOT: found[~grown.bent],
        PixelFlag.HOT_NONLINEAR: found[grown.bent],
        PixelFlag.SATURATED: pixels[saturated],
    }
    table = _table(grown, found, saturated[hot], judged, typical, maps.dark.exposure)
    # with another threshold than 5 times the typical current it would be another number
    share = None if notes else _share(signals[-1], least, saturated, judged.n_pixels)
    return Finding(bits, table, share, notes + lost)


def _threshold(
    judged: Judged, maps: DarkMaps, dark_signal: float | None
) -> tuple[float, float | None, tuple[str, ...]]:
    """Return the excess [adu] that makes a pixel hot, the typical signal [electron] if known, and notes."""
    certain = judged.at_odds(_CERTAIN) * maps.mean_error
    if judged.gain is None:
        spread = _pattern(judged, maps)
        note = "no gain is known: pixels are hot that stand out of the pattern, whatever the typical dark current is"
        return max(_OUTLIER * spread, certain), None, (note,)
    typical = maps.typical_signal(judged.gain) if dark_signal is None else dark_signal
    least = (HOT - 1.0) * typical / judged.gain
    if least >= certain:
        return least, typical, ()
    limit = (certain * judged.gain + typical) / maps.dark.exposure
    certain = max(certain, _OUTLIER * _pattern(judged, maps))
    note = f"5 times the typical dark current is lost in the noise; pixels are hot from {limit:.2g} electron / s on"
    return certain, typical, (note,)


def _pattern(judged: Judged, maps: DarkMaps) -> float:
    """Return the robust standard deviation of the excess [adu]."""
    parts = [excess[judged.keep[rows]][:: max(1, judged.n_pixels // 1_000_000)] for rows, excess in maps.bands()]
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _per_adu(maps: DarkMaps, pixels: Pixels, variance: NDArray[np.float32]) -> float:
    """Return by how much the variance of bright pixels grows with their signal [adu]: one over the gain."""
    if not pixels.size:
        return 0.0
    more = variance.flat[pixels] - maps.dark_pool.level.of(pixels)
    return max(0.0, float(np.median(more / maps.excess(pixels))))


def _share(signal: HotSignal, least: float, saturated: BoolArray, n_pixels: int) -> AffineScalarFunc:
    """Return the share of hot pixels; a pixel near the threshold counts by its probability to lie above."""
    p = np.where(saturated, 1.0, ndtr((signal.signal - least) / np.maximum(signal.error, 1e-12)))
    spread = float((p * (1.0 - p)).sum())
    return number(float(p.sum()) / n_pixels, (spread + 1.0) ** 0.5 / n_pixels, "hot pixels")


@dataclass(frozen=True)
class Sampling:
    """Which pixels of every stack of darks are read: ``hot`` ones, and a lattice of all for their surroundings.

    All are ascending flat indices into frames of ``shape``; ``keep`` tells which of the lattice count, shape (y, x) of
    the lattice.
    """

    hot: Pixels
    lattice: Pixels
    keep: BoolArray
    shape: tuple[int, int]

    @classmethod
    def of(cls, hot: Pixels, keep: BoolArray) -> Sampling:
        """Lay a lattice of some 10^5 to 10^6 pixels over the frame."""
        step = int(np.clip(np.sqrt(keep.size / _LATTICE), 1, 4))
        place = np.zeros(keep.shape, dtype=bool)
        place[::step, ::step] = True
        return cls(hot, np.flatnonzero(place), keep[::step, ::step], (keep.shape[0], keep.shape[1]))

    def background(self, difference: FloatArray) -> FloatArray:
        """Return what is usual about the hot pixels from a quantity at every pixel of the lattice."""
        grid = difference.reshape(*self.keep.shape)
        step = self.shape[0] / grid.shape[0]
        tiles = usual(grid, self.keep, TILE if step < 2 else 2 * TILE / step).tiles
        return Usual(tiles, self.shape).of(self.hot)


def hot_signal(dark: PixelStack, judged: Judged, sampling: Sampling, noise: HotNoise) -> HotSignal:
    """Measure the signal of the hot pixels at one exposure, hits left out; one pass over the stack.

    Parameters
    ----------
    dark
        The darks.
    judged
        The pixels and their bias frames.
    sampling
        Which pixels.
    noise
        Of one frame.
    """
    chosen = np.zeros(dark.shape, dtype=bool)
    chosen.flat[sampling.hot] = chosen.flat[sampling.lattice] = True
    pixels = np.flatnonzero(chosen)
    raw = dark.values(pixels)
    at_lattice = np.searchsorted(pixels, sampling.lattice)
    zero = judged.bias.maps()[0].flat
    background = sampling.background(
        raw[:, at_lattice].mean(axis=0, dtype=np.float64) - zero[sampling.lattice].astype(np.float64)
    )
    values = raw[:, np.searchsorted(pixels, sampling.hot)]
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, np.nan)  # no signal, rather than an infinite one
    saturated = np.zeros(sampling.hot.size, dtype=bool)
    if judged.saturation is not None:
        saturated = (values >= judged.saturation).mean(axis=0) >= 0.5
    above = dark.centred(values) + float(dark.frame_means.mean()) - zero[sampling.hot].astype(np.float64)[:, None]
    above -= background[:, None]
    keep = without_hits(above, noise.variance(np.median(above, axis=1), dark.exposure))
    n = keep.sum(axis=1)
    signal = np.where(keep, above, 0.0).sum(axis=1) / n
    variance = noise.variance(signal, dark.exposure)
    if dark.n_frames >= _OWN_SCATTER:  # a pixel that switches scatters by more than it should
        squares = np.where(keep, (above - signal[:, None]) ** 2, 0.0).sum(axis=1)
        variance = np.maximum(variance, squares / (n - 1))
    return HotSignal(dark.exposure, signal, np.sqrt(variance / n), saturated)


def _table(
    grown: Growth, pixels: Pixels, saturated: BoolArray, judged: Judged, typical: float | None, exposure: float
) -> pd.DataFrame:
    gain = np.nan if judged.gain is None else judged.gain
    usual_current = np.nan if typical is None else typical / exposure
    columns = {
        "row": pixels // judged.width,
        "column": pixels % judged.width,
        "current": grown.rate * gain + usual_current,
        "current_error": grown.rate_error * gain,
        "rate": grown.rate,
        "rate_error": grown.rate_error,
        "chi2": grown.chi2,
        "dof": grown.dof,
        "bent": grown.bent,
        "saturated": saturated,
    }
    return pd.DataFrame(columns, columns=list(HOT_COLUMNS))


def no_hot_pixels() -> pd.DataFrame:
    """Return the table of a camera whose hot pixels could not be told."""
    return pd.DataFrame(columns=list(HOT_COLUMNS))
