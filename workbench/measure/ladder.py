"""The ladder of dark current estimators, each against the truth of a simulated camera, and what one cosmic ray does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from workbench.camera.sensor import Camera
from workbench.errors import NotMeasurableError
from workbench.measure.cosmic_rays import masked_rate
from workbench.measure.dark_current import convergence, mean_difference, variance_rates, variance_slope
from workbench.measure.numbers import number
from workbench.measure.popular import two_exposure_difference, two_exposure_ratio
from workbench.stack.hits import find_hits
from workbench.stack.masked import masked_variance
from workbench.stack.variance import difference_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.camera.sensor import Sensor
    from workbench.stack.power_sums import Estimate
    from workbench.stack.variance import DifferenceMoments

    Found = dict[tuple[str, int], AffineScalarFunc]

_BIAS_EXPOSURE = 5e-5  # s
_SHARES = (0.1, 0.5)  # of the exposure: the shorter darks of the methods that need several exposures
_SAFE = 8.0  # sigma that a pixel stays away from both ends of the ADC
METHODS = (
    "mean_difference",
    "two_exposure_ratio",
    "pair",
    "composite",
    "mean_of_pairs",
    "temporal_variance",
    "temporal_variance_masked",
    "two_exposure_difference",
    "variance_slope",
)


def estimator_ladder(
    sensor: Sensor,
    exposure: float,
    *,
    n_frames: int = 14,
    n_bias: int = 20,
    n_trials: int = 200,
    seed: int = 1,
    shape: tuple[int, int] = (64, 64),
) -> pd.DataFrame:
    """Measure the dark current of one small camera many times over, by every method, and compare with the truth.

    Each trial exposes bias frames and ``n_frames`` darks at the exposure, and as many at a tenth and at half of it for
    the methods that need several. The pixels are the same in all trials, as the standard errors suppose, and the gain
    is taken as known.

    Parameters
    ----------
    sensor
        The model of camera; only its shape is replaced.
    exposure
        [s]
    n_frames, n_bias
        Darks of each exposure, an even number from 4 on, and bias frames.
    n_trials
        At least 2; a scatter is known to ``1 / sqrt(2 n_trials)``.
    seed
        Of the specimen and of all frames.
    shape
        (rows, columns) of the frames.

    Returns
    -------
    pandas.DataFrame
        Index ``method, n_frames``, the composite for every even number; columns ``mean``, ``bias`` and ``bias_error``,
        ``scatter`` and ``scatter_error`` (the empirical standard error), ``std_error`` (the mean of those stated), all
        [electron/s]; ``ratio`` of scatter to stated error; ``efficiency``; ``n_trials`` that gave a number. ``attrs``
        holds the ``truth`` and the ``ideal`` standard error.

    Raises
    ------
    ValueError
        When ``n_frames`` is odd or below 4, or ``n_trials`` below 2.

    Notes
    -----
    The truth is the mean of the expected electrons over the exposure, glow included: where the glow bends, methods that
    compare exposures measure another thing. ``efficiency`` is the ideal variance over the squared scatter, bias apart;
    ideal is a temporal variance of Gaussian noise with Poisson electrons,
    ``[2 <s^4> / (N (n - 1)) + <lambda> / (N n) + 2 <s_0^4> / (N (n_0 - 1))] / t^2``. A mean may exceed 1: it asks the
    level and not the noise.
    """
    if n_frames % 2 or n_frames < 4 or n_trials < 2:
        raise ValueError(f"n_frames = {n_frames}, n_trials = {n_trials}: give an even number from 4 on, and 2 or more")
    bench = _LadderBench(sensor, exposure, n_frames, n_bias, shape, seed)
    trials = [bench.trial(np.random.default_rng([seed, k])) for k in range(n_trials)]
    keys = sorted({key for one in trials for key in one}, key=lambda key: (METHODS.index(key[0]), key[1]))
    rows = []
    for key in keys:
        numbers = [one[key] for one in trials if key in one]
        values = np.array([one.nominal_value for one in numbers])
        stated = float(np.mean([one.std_dev for one in numbers]))
        n, scatter = len(values), float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        rows.append(
            {
                "method": key[0],
                "n_frames": key[1],
                "mean": float(values.mean()),
                "bias": float(values.mean()) - bench.truth,
                "bias_error": scatter / n**0.5,
                "scatter": scatter,
                "scatter_error": scatter / (2 * (n - 1)) ** 0.5 if n > 1 else float("nan"),
                "std_error": stated,
                "ratio": scatter / stated,
                "efficiency": (bench.ideal / scatter) ** 2,
                "n_trials": n,
            }
        )
    table = pd.DataFrame(rows).set_index(["method", "n_frames"])
    table.attrs = {"truth": bench.truth, "ideal": bench.ideal, "unit": "electron / s"}
    return table


class _LadderBench:
    """One camera, its truth over the pixels that keep away from the ends of the ADC, and a trial of every method."""

    def __init__(
        self, sensor: Sensor, exposure: float, n_frames: int, n_bias: int, shape: tuple[int, int], seed: int
    ) -> None:
        self.camera = Camera(replace(sensor, shape=shape, overscan_columns=0), seed)
        self.gain = number(self.camera.gain, 0.0)
        self.exposures = (*(share * exposure for share in _SHARES), exposure)
        self.n_frames, self.n_bias = n_frames, n_bias
        self.temperature = sensor.reference_temperature
        camera, warmth = self.camera, self.temperature
        electrons = camera.dark_electrons(exposure, warmth)
        noise = camera.variance(exposure, warmth)
        level = camera.offset_map + (electrons - camera.clamp_electrons(exposure, warmth)) / camera.gain
        margin = _SAFE * np.sqrt(noise) + 5 * sensor.drift
        self.excluded = (level - margin <= 0) | (level + margin >= camera.saturation)
        used = ~self.excluded
        self.truth = float(electrons[used].mean()) / exposure
        squares = [float(np.mean((one[used] * camera.gain**2) ** 2)) for one in (noise, camera.variance(0.0, warmth))]
        variance = 2 * squares[0] / (n_frames - 1) + electrons[used].mean() / n_frames + 2 * squares[1] / (n_bias - 1)
        self.ideal = float((variance / used.sum()) ** 0.5) / exposure

    def trial(self, rng: np.random.Generator) -> Found:
        """Expose all frames once, and return the dark current by every method that gives one [electron / s]."""
        bias = self._stack("bias", _BIAS_EXPOSURE, self.n_bias, rng)
        darks = [self._stack("dark", exposure, self.n_frames, rng) for exposure in self.exposures]
        zero, *moments = (self._moments(stack) for stack in (bias, *darks))
        if zero.temporal is None:
            raise NotMeasurableError("one bias frame: its noise needs two")
        found = self._of_longest(moments[-1], zero, zero.temporal, darks[-1])
        return found | self._of_several(moments) | self._popular(bias, darks)

    def _stack(self, kind: str, exposure: float, n: int, rng: np.random.Generator) -> xr.DataArray:
        frames = [self.camera.expose(kind, exposure, self.temperature, rng) for _ in range(n)]
        return xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))

    def _moments(self, stack: xr.DataArray) -> DifferenceMoments:
        return difference_moments(stack, _frame_means(stack), self.excluded)

    def _of_longest(
        self, moments: DifferenceMoments, zero: DifferenceMoments, floor: Estimate, stack: xr.DataArray
    ) -> Found:
        """Methods of one exposure and the bias frames."""
        t = self.exposures[-1]
        sigma = float(moments.frame_means.std(ddof=1))
        rates = [
            mean_difference(moments.frame_means, zero.frame_means, sigma, t, clamped=False),
            *variance_rates(moments, floor, t, self.gain),
            *convergence(moments, floor, t, self.gain).values(),
        ]
        means = _frame_means(stack)
        hits = find_hits(stack, means, self.excluded)
        masked = masked_rate(masked_variance(stack, means, self.excluded, hits), floor, t, self.gain)
        return {(rate.method, rate.n_frames): rate.in_electrons(self.gain) for rate in [*rates, masked]}

    def _of_several(self, moments: Sequence[DifferenceMoments]) -> Found:
        """Methods that need several exposures and no bias."""
        variances = [one.temporal for one in moments if one.temporal is not None]
        slope = variance_slope(self.exposures, variances, self.n_frames * len(moments)).rate
        ends = self.exposures[0], self.exposures[-1]
        difference = two_exposure_difference(moments[0], moments[-1], ends, self.gain)
        return {(rate.method, rate.n_frames): rate.in_electrons(self.gain) for rate in (slope, difference)}

    def _popular(self, bias: xr.DataArray, darks: Sequence[xr.DataArray]) -> Found:
        """Run the script's second method on single frames; it gives none where a dark scatters less than the bias."""
        frames = bias[0].to_numpy(), darks[0][0].to_numpy(), darks[-1][0].to_numpy()
        try:
            ratio = two_exposure_ratio(*frames, (self.exposures[0], self.exposures[-1]), self.gain)
        except NotMeasurableError:
            return {}
        return {("two_exposure_ratio", 2): ratio.value}


def _frame_means(stack: xr.DataArray) -> NDArray[np.float64]:
    return np.asarray(stack.to_numpy().mean(axis=(1, 2), dtype=np.float64))


def one_ray(
    electrons: float, *, n_pixels: int, exposure: float, n_frames: int, sigma: float, track: int = 1
) -> pd.DataFrame:
    """Return what one cosmic ray in one frame adds to a dark current, exactly.

    Parameters
    ----------
    electrons
        Its charge [electron], shared evenly by ``track`` pixels.
    n_pixels
        Pixels N of the frame.
    exposure
        [s]
    n_frames
        Frames n, an even number; the ray is in one of them.
    sigma
        Noise of one pixel of one frame [electron], for the method's own standard error.
    track
        Pixels that it crosses.

    Returns
    -------
    pandas.DataFrame
        Index ``method``; ``frames`` used, ``rise`` [electron/s], ``std_error`` of the method [electron/s] without the
        ray and the bias's part, ``sigmas`` (rise over error), and ``chance`` that the ray is in the frames used.

    Raises
    ------
    ValueError
        When ``n_frames`` is odd or below 2.

    Notes
    -----
    A charge E in one pixel adds ``E^2 / N`` to the variance over pixels of any signed sum of frames, since
    ``[E^2 - E^2 / N] / (N - 1) = E^2 / N``, and ``E^2 / n`` to that pixel's variance over n frames. So every
    method that uses n frames has ``E^2 / (n N t)``, a hit pair (n = 2) the most, and none dilutes better than another;
    the mean has ``E / (n N t)``. A track of m pixels divides the square by m, but for a part ``m / N``.

    Examples
    --------
    >>> table = one_ray(2700, n_pixels=16_398_432, exposure=600, n_frames=14, sigma=2.4)
    >>> print(f"{table.loc['pair', 'rise']:.2g} {table.loc['composite', 'rise']:.2g}")
    0.00037 5.3e-05
    """
    if n_frames % 2 or n_frames < 2:
        raise ValueError(f"n_frames = {n_frames} is no even number from 2 on")
    squared = electrons**2 / track / n_pixels / exposure
    single = sigma**2 * (2 / n_pixels) ** 0.5 / exposure
    n = n_frames
    rows = [
        ("mean_difference", n, electrons / n / n_pixels / exposure, sigma / (n * n_pixels) ** 0.5 / exposure),
        ("pair", 2, squared / 2, single),
        ("composite", n, squared / n, single),
        ("mean_of_pairs", n, squared / n, single / (n / 2) ** 0.5),
        ("temporal_variance", n, squared / n, single / (n - 1) ** 0.5),
    ]
    table = pd.DataFrame(rows, columns=["method", "frames", "rise", "std_error"]).set_index("method")
    return table.assign(sigmas=table["rise"] / table["std_error"], chance=table["frames"] / n)
