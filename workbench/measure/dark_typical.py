"""The typical dark current: the median over the pixels, hot ones and glow left out, as if their map had no noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize
from scipy.special import ndtr

from workbench.errors import NotMeasurableError
from workbench.measure.grid import each_tile
from workbench.measure.numbers import number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_map import DarkMap

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

HOT = 5.0  # times the typical dark current, as the vocabulary has it
_FAR = 6.0  # widths of the map above its median: no ordinary pixel
_FEWEST = 100  # pixels
_SPREADS = np.linspace(0.0, 1.2, 41)  # of ln(dark current)
_Z = np.linspace(-5.0, 5.0, 61)  # of a normal variable
_Z_WEIGHT = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()
_SMOOTH = 0.5  # of a pixel's error: the map of few frames has steps, which the median must not fall on
_BINS = 2**11
_FIFTHS = np.array([-1.2816, -0.5244, 0.0, 0.5244, 1.2816])  # medians of the fifths of a normal variable


@dataclass(frozen=True)
class Typical:
    """Median dark current, glow and hot pixels left out.

    Parameters
    ----------
    rate
        [electron/s], with its error.
    electrons
        The same over the exposure [electron].
    correction
        What was added to the median of the map because its noise blurs the skewness of the dark current [electron].
    spread
        Standard deviation of ln(dark current) over these pixels.
    n_pixels
        Pixels that entered.
    notes
        What a reader must know.
    """

    rate: AffineScalarFunc
    electrons: AffineScalarFunc
    correction: float
    spread: float
    n_pixels: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Sample:
    """The map over the pixels that enter: their number, median, mean, variance and its error, mean noise, cut.

    The median is that of values each smeared by a Gaussian of the rms ``smoothing``.
    """

    n: int
    median: float
    mean: float
    variance: float
    variance_error: float
    noise: float
    noise_error: float
    cut: float
    smoothing: float


def typical(dark: DarkMap, *, hot: BoolArray | None = None) -> Typical:
    """Measure the median dark current over the pixels that neither glow nor are hot.

    Parameters
    ----------
    dark
        The map of one exposure, best the longest.
    hot
        Pixels known to be hot from longer darks, shape (y, x); else those above 5 times the median are left out, where
        they stand out of the noise.

    Raises
    ------
    NotMeasurableError
        When fewer than 100 pixels are left.

    Notes
    -----
    Noise is even, dark currents are skewed: the more noise, the nearer the median of the map comes to the mean. What
    the noise did to the median is taken out with a model, log-normal dark currents under Gaussian and Poisson noise,
    whose spread is such that the map scatters as it does: ``var(map) - noise``. Without noise the correction is zero,
    whatever the distribution. The error is that of the map's noise, of the level, of the correction, and of the pixels
    that glow standing for themselves; that other pixels would have another median is no error.
    """
    sample = _take(dark, hot)
    darks = dark.n_frames[0]
    model = _Model(sample, dark.noise_spread, darks, known=hot is not None)
    correction, correction_error = model.correction()
    notes = []
    whole = int((~dark.excluded).sum())
    error = float(np.hypot(model.median_error(whole), correction_error))
    left = number(dark.glow.residual, dark.glow.residual_error)
    electrons = dark.above_level(sample.median, error) + correction - left
    if abs(correction) > float(electrons.std_dev):
        notes.append(
            f"the median of the map is corrected by {correction:.2g} electron for the map's noise, which hides that "
            f"dark currents are skewed (log-normal, spread {model.spread:.2g})"
        )
    if dark.glow.everywhere:
        notes.append(
            f"glow is all over the sensor; {dark.glow.residual:.2g} +/- {dark.glow.residual_error:.1g} electron of it, "
            "an extrapolation, is taken off"
        )
    return Typical(electrons / dark.exposure, electrons, correction, model.spread, sample.n, tuple(notes))


def _take(dark: DarkMap, hot: BoolArray | None) -> _Sample:
    """Gather the free tiles' pixels, and cut off the hot ones."""
    usable, noise, bias_squared = [], [], 0.0
    for place, tile in each_tile(dark.electrons.shape):
        if dark.glow.free[place]:
            keep = ~dark.excluded[tile] if hot is None else ~(dark.excluded[tile] | hot[tile])
            usable.append(dark.electrons[tile][keep])
            noise.append(dark.noise[tile][keep])
    values, noises = np.concatenate(usable), np.concatenate(noise)
    if values.size < _FEWEST:
        raise NotMeasurableError(
            f"{values.size} pixels neither glow nor are hot nor saturate; shoot shorter darks, or cool the camera"
        )
    low, median, high = (float(one) for one in np.quantile(values, (0.1587, 0.5, 0.8413)))
    cut = median + _FAR * max(high - median, median - low)
    if hot is None:
        cut = max(HOT * median, cut)
    keep = values < cut
    values, noises = values[keep], noises[keep]
    n = values.size
    mean = float(values.mean(dtype=np.float64))
    square = np.square(values - np.float32(mean))
    variance = float(square.sum(dtype=np.float64)) / (n - 1)
    fourth = float(np.square(square).mean(dtype=np.float64))
    bias_squared = float(np.square(noises).mean(dtype=np.float64))
    frames = min(dark.n_frames)
    smoothing = _SMOOTH * dark.pixel_error
    return _Sample(
        n,
        _smooth_median(values, smoothing, median),
        mean,
        variance,
        max(fourth - variance**2, 0.0) ** 0.5 / n**0.5,
        float(noises.mean(dtype=np.float64)),
        (2 / (frames + 1) * bias_squared / n) ** 0.5,
        cut,
        smoothing,
    )


def _smooth_median(values: NDArray[np.float32], smoothing: float, median: float) -> float:
    """Median of values each smeared by a Gaussian: few frames of a coarse lattice have but few different means."""
    if smoothing <= 0:
        return median
    reach = 8 * smoothing
    counts, edges = np.histogram(values, _BINS, (median - 2 * reach, median + 2 * reach))
    below = int((values < edges[0]).sum())
    centres = (edges[1:] + edges[:-1]) / 2

    def excess(limit: float) -> float:
        return below + float(counts @ ndtr((limit - centres) / smoothing)) - values.size / 2

    return float(optimize.brentq(excess, median - reach, median + reach))


class _Model:
    """Log-normal dark currents under the noise of the map, fitted to the mean and the variance of a sample."""

    def __init__(self, sample: _Sample, noise_spread: float, darks: int, *, known: bool) -> None:
        self._sample, self._darks, self._known = sample, darks, known
        read = max(sample.noise - max(sample.mean, 0.0) / darks, 0.1 * sample.noise)
        logs = np.log1p(noise_spread**2) ** 0.5 * _FIFTHS
        factors = np.exp(logs)
        self._read = read * factors / factors.mean()  # variance of a pixel without its shot noise [electron2]
        self._excess = sample.variance - sample.noise
        self.spread, self._median = self._fit(abs(self._excess))

    def correction(self) -> tuple[float, float]:
        """Return what the true median is above that of the map [electron], and its error from that of the spread."""
        error = float(np.hypot(self._sample.variance_error, self._sample.noise_error))
        here, above, below = (self._blur(self._excess + step) for step in (0.0, error, -error))
        return here, max(abs(above - here), abs(below - here))

    def _blur(self, excess: float) -> float:
        spread, median = self._fit(abs(excess))
        currents = self._currents(spread, median)
        blurred = self._median_of_map(currents)
        ordinary = _Z_WEIGHT * (currents < HOT * median)
        # the middle of what is not hot
        middle = (
            float(np.interp(ordinary.sum() / 2, np.cumsum(ordinary) - ordinary / 2, currents)) if spread else median
        )
        return float(np.copysign(1.0, excess)) * (middle - blurred)

    def _fit(self, excess: float) -> tuple[float, float]:
        """Spread of ln(dark current) and median [electron] that give the sample's mean and intrinsic variance."""
        mean = self._sample.mean
        if mean <= 0 or excess <= 0:
            return 0.0, mean
        spread, median = 0.0, mean
        factors = np.exp(_SPREADS[:, None] * _Z)
        for _ in range(4):
            kept = _Z_WEIGHT * self._kept(median * factors, median)
            kept /= kept.sum(axis=1, keepdims=True)
            means = (kept * factors).sum(axis=1)
            variances = (kept * factors**2).sum(axis=1) - means**2
            top = int(np.argmax(variances / means**2))  # the cut limits how much a sample can scatter
            spread = float(np.interp(excess / mean**2, (variances / means**2)[: top + 1], _SPREADS[: top + 1]))
            median = mean / float(np.interp(spread, _SPREADS, means))
        return spread, median

    @staticmethod
    def _currents(spread: float, median: float) -> FloatArray:
        return np.asarray(median * np.exp(spread * _Z))

    def _sigma(self, currents: FloatArray) -> FloatArray:
        """Noise of the map, shape (..., 5): one of each fifth of the pixels."""
        return np.asarray(np.sqrt(self._read + np.maximum(currents, 0.0)[..., None] / self._darks))

    def _kept(self, currents: FloatArray, median: float) -> FloatArray:
        """Share of pixels of these dark currents that enter the sample."""
        shares: FloatArray = self._below(self._sample.cut, currents)
        return shares * (currents < HOT * median) if self._known and median > 0 else shares

    def _below(self, limit: float, currents: FloatArray, smoothing: float = 0.0) -> FloatArray:
        sigma = np.hypot(self._sigma(currents), smoothing)
        z = (limit - currents[..., None]) / sigma
        skewness = np.maximum(currents, 0.0)[..., None] / self._darks**2 / sigma**3
        shares = ndtr(z) - skewness / 6 * (z**2 - 1) * np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5
        return np.asarray(shares.mean(axis=-1))

    def _median_of_map(self, currents: FloatArray) -> float:
        kept = _Z_WEIGHT * self._kept(currents, float(np.median(currents)))
        reach = 6 * float(self._sigma(currents).max())
        half = float(kept.sum()) / 2
        known = self._known

        def excess(limit: float) -> float:
            inside = _Z_WEIGHT * self._below(limit, currents, self._sample.smoothing)
            if known:
                inside = inside * (currents < HOT * float(np.median(currents)))
            return float(inside.sum()) - half

        low, high = float(currents.min()) - reach, float(currents.max()) + reach
        return float(optimize.brentq(excess, low, high))

    def median_error(self, whole: int) -> float:
        """Error of the median of the map as one of these pixels', for a sensor of ``whole`` pixels [electron].

        A pixel moves the median by ``(1/2 - [x < m]) / f(m)``, once in the map and once in truth; what it moves both
        is no error. Its noise moves the mean as well, from which the level is counted.
        """
        currents = self._currents(self.spread, self._median)
        middle = self._median_of_map(currents)
        sigma = self._sigma(currents)
        z = (middle - currents[:, None]) / sigma
        bell = np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5
        per_density = 1 / float((_Z_WEIGHT * (bell / sigma).mean(axis=1)).sum())
        true_per_density = self.spread * self._median * (2 * np.pi) ** 0.5
        below = ndtr(z).mean(axis=1)
        half = np.where(currents == self._median, 0.5, currents < self._median)
        both = float((_Z_WEIGHT * half * below).sum()) - 0.25
        moved = float((_Z_WEIGHT * (bell * sigma).mean(axis=1)).sum())
        noise = self._sample.noise
        n = self._sample.n
        one = per_density**2 / 4 + true_per_density**2 / 4 - 2 * both * per_density * true_per_density
        share = n / whole
        one += share**2 * noise - 2 * share * moved * per_density + share * (1 - share) * noise
        others = true_per_density**2 / 4 * (1 - share)
        return float(np.sqrt((max(one, 0.0) + others) / n))
