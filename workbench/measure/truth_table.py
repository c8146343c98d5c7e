"""Truth against method: small simulated cameras of known dark current, measured by every method, popular and corrected.

The table of notebook 03. Each method gets what it asks for, and the gain without an error, so that a number which is
off is the method's own doing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.agreement import contradicts, errors_apart
from workbench.measure.dark_current import mean_difference, variance_rates, variance_slope
from workbench.measure.dark_gain import NoiseAndMean, gain_from_darks
from workbench.measure.dark_mean import exposure_means
from workbench.measure.numbers import number
from workbench.measure.pixel_gain import gain_from_pixels, level_groups
from workbench.measure.popular import (
    recommended_pair,
    script_choice,
    two_exposure_difference,
    two_exposure_ratio,
)
from workbench.stack.variance import difference_moments, levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_mean import ExposureMeans
    from workbench.stack.variance import DifferenceMoments, Estimate

    Number = Callable[[], AffineScalarFunc]

_GLOW = 0.3  # of the dark electrons of the clamped camera
_TEMPERATURE = -20.0
_NOISE_METHODS = ("pair", "composite", "temporal_variance")
_QUIET = ("dark_telegraph", "cosmic_rays", "well")  # what every method below would take for dark current, or lose


def contrasting_cameras(gain: float = 0.5, shape: tuple[int, int] = (512, 512)) -> dict[str, Sensor]:
    """Return the two cameras of the table: one with nothing in it that misleads, and one like that of the paper.

    Parameters
    ----------
    gain
        K [electron/adu]; 16 bits, and patterns and drift as many electrons as in the paper's camera.
    shape
        (rows, columns).
    """
    like = Sensor.from_manifest("qhy163m_like")
    adu = like.gain / gain
    clamped = replace(
        like.without(*_QUIET),
        name="clamped CMOS with glow",
        shape=shape,
        adc_bits=16,
        native_gain=gain,
        pixel_pattern=like.pixel_pattern * adu,
        column_pattern=like.column_pattern * adu,
        drift=like.drift * adu,
    )
    plain = clamped.without("clamp", "glow", "hot_pixels", "dark_spread", "read_telegraph")
    return {"plain CCD": replace(plain, name="plain CCD"), clamped.name: clamped}


def with_dark_current(sensor: Sensor, current: float) -> Sensor:
    """Return this model with a mean of ``current`` [electron/s], hot pixels in proportion.

    Of a camera that glows, 0.3 of it is glow, in proportion to the exposure: the truth then is one number.
    """
    glow = _GLOW if sensor.glow_linear or sensor.glow_quadratic else 0.0
    hot = sensor.hot_fraction * sensor.hot_current * float(np.exp(sensor.hot_spread**2 / 2))
    factor = (1 - glow) * current / (sensor.dark_current + hot)
    return replace(
        sensor,
        dark_current=sensor.dark_current * factor,
        hot_current=sensor.hot_current * factor,
        glow_linear=glow * current,
        glow_quadratic=0.0,
    )


def truth_table(
    dark_currents: Sequence[float] = (0.001, 0.01, 0.1, 1.0),
    cameras: Mapping[str, Sensor] | None = None,
    *,
    exposures: Sequence[float] = (30.0, 120.0, 300.0),
    n_frames: int = 6,
    seed: int = 30300,
) -> pd.DataFrame:
    """Simulate each camera at each dark current, measure it by every method, and hold the numbers against the truth.

    Parameters
    ----------
    dark_currents
        Mean dark currents to simulate [electron/s].
    cameras
        Name and model of each; :func:`contrasting_cameras` if None.
    exposures
        Of the darks, three or more [s].
    n_frames
        Of each exposure, and of the bias; four or more.
    seed
        Of all randomness.

    Returns
    -------
    pandas.DataFrame
        One row a camera, dark current and method: ``camera``, ``dark_current`` (asked for), ``quantity``, ``method``,
        ``true`` (of this specimen, over the pixels that stay in range), ``value``, ``std_error``, ``unit``,
        ``off_errors`` (value minus truth in standard errors), ``off_percent``, ``lies`` and ``reason`` (why there is no
        value). A number lies when it :func:`~workbench.measure.agreement.contradicts` the truth: it is off by more than
        4 of its own standard errors and by more than 10 %.
    """
    rows = []
    for name, sensor in (contrasting_cameras() if cameras is None else cameras).items():
        for step, current in enumerate(dark_currents):
            rng = np.random.default_rng([seed, step])
            bench = _TableBench(Camera(with_dark_current(sensor, current), seed), sorted(exposures), n_frames, rng)
            for quantity, method, true, measure in bench.methods():
                rows.append(
                    {"camera": name, "dark_current": current, "quantity": quantity, "method": method, "true": true}
                    | _judged(true, measure)
                    | {"unit": "electron / s" if quantity == "dark_current" else "electron / adu"}
                )
    columns = ("camera", "dark_current", "quantity", "method", "true", "value", "std_error", "unit")
    return pd.DataFrame(rows)[[*columns, "off_errors", "off_percent", "lies", "reason"]]


def _judged(true: float, measure: Number) -> dict[str, object]:
    """Hold a number against the truth; one that cannot be measured does not lie."""
    try:
        found = measure()
    except NotMeasurableError as refusal:
        blank = dict.fromkeys(("value", "std_error", "off_errors", "off_percent"), np.nan)
        return {**blank, "lies": False, "reason": refusal.reason}
    truth = number(true, 0.0)
    return {
        "value": float(found.nominal_value),
        "std_error": float(found.std_dev),
        "off_errors": errors_apart(found, truth),
        "off_percent": 100 * (float(found.nominal_value) / true - 1),
        "lies": contradicts(found, truth),
        "reason": "",
    }


@dataclass(frozen=True)
class _Shot:
    """The frames of one exposure [adu], shape (frame, y, x), and their moments with maps."""

    frames: NDArray[np.uint16]
    moments: DifferenceMoments

    @property
    def variance(self) -> Estimate:
        if self.moments.temporal is None:
            raise NotMeasurableError("one frame has no temporal variance")
        return self.moments.temporal


class _TableBench:
    """One camera on the bench: its frames, and every method on them."""

    def __init__(self, camera: Camera, exposures: Sequence[float], n_frames: int, rng: np.random.Generator) -> None:
        self.gain = number(camera.gain, 0.0)
        frames = {
            t: np.stack([camera.expose("dark" if t else "bias", t, _TEMPERATURE, rng) for _ in range(n_frames)])
            for t in (0.0, *exposures)
        }
        stacks = {t: xr.DataArray(one, dims=("frame", "y", "x")) for t, one in frames.items()}
        looks = {t: levels(stack, camera.saturation) for t, stack in stacks.items()}
        self.out = np.logical_or.reduce([look.out_of_range for look in looks.values()])
        moments = {t: difference_moments(stacks[t], looks[t].frame_means, self.out, maps=True) for t in stacks}
        shots = {t: _Shot(frames[t], moments[t]) for t in stacks}
        self.bias, self.darks = shots.pop(0.0), shots
        self.longest = max(exposures)
        self.true = float(camera.dark_electrons(self.longest, _TEMPERATURE)[~self.out].mean()) / self.longest
        self.means = self._means()

    def _means(self) -> ExposureMeans:
        each = [np.full(len(one.frames), t) for t, one in self.darks.items()]
        return exposure_means(
            np.concatenate(each), np.concatenate([one.moments.frame_means for one in self.darks.values()])
        )

    def methods(self) -> Iterator[tuple[str, str, float, Number]]:
        """Yield quantity, method, truth, and what measures it."""
        dark, gain = self.true, float(self.gain.nominal_value)
        yield "dark_current", "mean_difference", dark, self._mean_difference
        yield "dark_current", "two_exposure_ratio", dark, self._ratio
        yield "dark_current", "script_choice", dark, self._script
        yield "dark_current", "two_exposure_difference", dark, self._difference
        rates = variance_rates(self.darks[self.longest].moments, self.bias.variance, self.longest, self.gain)
        for rate in rates:
            if rate.method in _NOISE_METHODS:
                yield "dark_current", rate.method, dark, partial(rate.in_electrons, self.gain)
        yield "dark_current", "variance_slope", dark, self._slope
        yield "gain", "gain_from_darks", gain, self._gain_from_darks
        yield "gain", "gain_from_pixels", gain, self._gain_from_pixels

    def _mean_difference(self) -> AffineScalarFunc:
        darks, biases = (one.moments.frame_means for one in (self.darks[self.longest], self.bias))
        rate = mean_difference(darks, biases, self.means.frame_sigma, self.longest, clamped=False)
        return rate.in_electrons(self.gain)

    @property
    def _trio(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16], tuple[float, float]]:
        """One bias and one dark of either exposure that comes nearest to what the script recommends."""
        pair = recommended_pair(self.darks)
        return self.bias.frames[0], self.darks[pair[0]].frames[0], self.darks[pair[1]].frames[0], pair

    @property
    def _whole(self) -> tuple[slice, slice]:
        """The whole frame: small as it is, its central third would leave the script too few pixels."""
        return slice(0, self.out.shape[0]), slice(0, self.out.shape[1])

    def _ratio(self) -> AffineScalarFunc:
        return two_exposure_ratio(*self._trio, self.gain, area=self._whole).value

    def _script(self) -> AffineScalarFunc:
        shown = script_choice(*self._trio, self.gain, frame_sigma=self.means.frame_sigma, area=self._whole)
        return number(shown.value, shown.std_error)

    def _difference(self) -> AffineScalarFunc:
        pair = recommended_pair(self.darks)
        first, second = (self.darks[t].moments for t in pair)
        return two_exposure_difference(first, second, pair, self.gain).in_electrons(self.gain)

    def _slope(self) -> AffineScalarFunc:
        rate = variance_slope(list(self.darks), [one.variance for one in self.darks.values()], 0).rate
        return rate.in_electrons(self.gain)

    def _gain_from_darks(self) -> AffineScalarFunc:
        points = [
            NoiseAndMean(t, float(mean), float(error), one.variance.value, one.variance.std_error, len(one.frames))
            for (t, one), mean, error in zip(self.darks.items(), self.means.mean, self.means.std_error, strict=True)
        ]
        return gain_from_darks(points).gain

    def _gain_from_pixels(self) -> AffineScalarFunc:
        short, *_, other, longest = self.darks.values()
        if short.moments.mean_map is None or other.moments.mean_map is None:
            raise NotMeasurableError("no maps of the darks")
        groups = level_groups(other.moments.mean_map - short.moments.mean_map, self.out)
        return gain_from_pixels(self.bias.moments, longest.moments, groups).gain
