"""What the popular methods would say of a user's own camera, and whether that may be believed.

Nobody knows the truth there. Each number is held against the noise of the very same exposures, which no clamp and no
fixed pattern changes; where both are far apart, the popular one is not to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.agreement import contradicts, errors_apart
from workbench.measure.dark_current import mean_difference, variance_rates
from workbench.measure.dark_gain import NoiseAndMean, gain_from_darks
from workbench.measure.dark_mean import exposure_means
from workbench.measure.noise import hidden_by_rounding
from workbench.measure.numbers import number
from workbench.measure.pixel_gain import gain_from_pixels, level_groups
from workbench.measure.popular import (
    recommended_pair,
    script_choice,
    two_exposure_difference,
    two_exposure_ratio,
)
from workbench.results import rounded
from workbench.stack.gather import mean_frame
from workbench.stack.variance import difference_moments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_current import Rate
    from workbench.measure.dark_mean import ExposureMeans
    from workbench.stack.power_sums import Estimate
    from workbench.stack.variance import DifferenceMoments

_SEEN = 4.0  # standard errors
_FEWEST = 3  # exposures
_NO_GAIN = "no gain: the mean falls or stands still while the noise grows, so something (a clamp) is subtracted from it"
_NO_BIAS = "no pair of bias frames; shoot 20 at the darks' settings"


@dataclass(frozen=True)
class ExposedStack:
    """Frames of one exposure [s]: the lazy stack, dims ``frame, y, x`` [adu], and its moments over the used pixels."""

    exposure: float
    stack: xr.DataArray
    moments: DifferenceMoments


@dataclass(frozen=True)
class Believed:
    """A number, and whether it may be believed: True, False, or None where nothing tells; the reason in a sentence."""

    value: AffineScalarFunc
    believable: bool | None
    reason: str


def popular_rows(
    bias: ExposedStack | None,
    darks: Sequence[ExposedStack],
    gain: AffineScalarFunc | None,
    *,
    excluded: NDArray[np.bool_],
    lattice: int | None = None,
    temperature: float | None = None,
) -> list[dict[str, Any]]:
    """Measure a series of darks by every popular method and by the corrected ones: the table ``popular_methods``.

    Parameters
    ----------
    bias
        Zero-light frames, two or more, with their maps; None where there are none.
    darks
        Of one temperature, each exposure once; maps are not needed.
    gain
        K [electron/adu]; without it the rates stay in adu (``two_exposure_ratio`` then is that of K = 1).
    excluded
        Pixels that do not count, shape (y, x), the same as in the moments. The script's own statistics take all.
    lattice
        Step of the stored values [adu].
    temperature
        Of the darks [deg_C].

    Returns
    -------
    list of dict
        Keys ``temperature``, ``method``, ``quantity``, ``exposures`` [s], ``value``, ``std_error``, ``unit``,
        ``verdict_ok`` (True, False, or None for not judged) and ``reason``. A number that cannot be had has no value,
        and its reason says why. Numbers contradict each other when they are more than 4 standard errors and more than
        10 % apart.

    Notes
    -----
    Reads, besides single frames, the darks of three exposures: for the gain from pixels.
    """
    return [{"temperature": temperature, **row} for row in _Survey(bias, darks, gain, excluded, lattice).rows()]


class _Survey:
    """The methods, each on the exposures that it asks for."""

    def __init__(
        self,
        bias: ExposedStack | None,
        darks: Sequence[ExposedStack],
        gain: AffineScalarFunc | None,
        excluded: NDArray[np.bool_],
        lattice: int | None,
    ) -> None:
        self.bias, self.gain, self.excluded, self.lattice = bias, gain, excluded, lattice
        self.darks = {one.exposure: one for one in sorted(darks, key=lambda one: one.exposure)}
        self.longest = max(self.darks)
        self.pixel_gain: AffineScalarFunc | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Run every method; the gain from pixels first, since it judges the one from darks."""
        level, noise = ("dark_mean_rate", "adu / s"), ("dark_variance_rate", "adu2 / s")
        if self.gain is not None:
            level = noise = ("dark_current", "electron / s")
        gain = ("gain", "electron / adu")
        every = list(self.darks)
        pair = list(recommended_pair(every)) if sum(t > 0 for t in every) > 1 else every
        pixels = _row("gain_from_pixels", gain, [self.longest], self._from_pixels)
        return [
            _row("mean_difference", level, [self.longest], self._mean),
            _row("two_exposure_ratio", level, pair, self._ratio),
            _row("script_choice", level, pair, self._script),
            _row("two_exposure_difference", noise, pair, self._difference),
            _row("gain_from_darks", gain, every, self._from_darks),
            pixels,
        ]

    # ---- what the methods share

    @property
    def _zero(self) -> ExposedStack:
        if self.bias is None or self.bias.moments.temporal is None:
            raise NotMeasurableError(_NO_BIAS)
        return self.bias

    @property
    def _unit_gain(self) -> AffineScalarFunc:
        return number(1.0, 0.0) if self.gain is None else self.gain

    def _in_electrons(self, rate: Rate) -> AffineScalarFunc:
        return number(rate.value, rate.std_error) if self.gain is None else rate.in_electrons(self.gain)

    def _means(self) -> ExposureMeans:
        means = [one.moments.frame_means for one in self.darks.values()]
        exposures = np.repeat(list(self.darks), [len(one) for one in means])
        return exposure_means(exposures, np.concatenate(means))

    def _noise(self, exposure: float) -> Rate:
        """Return the dark rate of one exposure by its temporal variance."""
        bias, beyond = self._variance(self._zero.moments), self._beyond(exposure)
        rates = variance_rates(self.darks[exposure].moments, bias, beyond, self.gain)
        return next(rate for rate in rates if rate.method == "temporal_variance")

    def _beyond(self, exposure: float) -> float:
        """Return by how much an exposure exceeds that of the bias [s]."""
        if exposure <= self._zero.exposure:
            raise NotMeasurableError("no dark is longer than the zero-light frames; shoot longer ones")
        return exposure - self._zero.exposure

    def _variance(self, moments: DifferenceMoments) -> Estimate:
        if moments.temporal is None:
            raise NotMeasurableError("one frame of an exposure: its noise needs a pair, better 14")
        reason = hidden_by_rounding(moments.temporal, self.lattice)
        if reason is not None:
            raise NotMeasurableError(reason)
        return moments.temporal

    # ---- dark current

    def _mean(self) -> Believed:
        t = self.longest
        levels = self.darks[t].moments.frame_means, self._zero.moments.frame_means
        rate = mean_difference(*levels, self._means().frame_sigma, self._beyond(t), clamped=False)
        return self._against_noise(self._in_electrons(rate), self._noise(t))

    def _against_noise(self, found: AffineScalarFunc, noise: Rate) -> Believed:
        """Judge a rate of the mean by that of the variance; without a gain by the gain that they imply."""
        right = self._in_electrons(noise)
        if self.gain is not None:
            return _compared(found, right, "the noise of the same darks", "electron / s")
        if noise.value < _SEEN * noise.std_error:
            reason = "no gain is known, and the noise does not grow: nothing to compare with"
            return Believed(found, believable=None, reason=reason)
        implied = found / right
        if implied.nominal_value > _SEEN * implied.std_dev:
            reason = f"no gain is known; true only if it is {_words(implied)} electron / adu"
            return Believed(found, believable=None, reason=reason)
        mean = "falls" if found.nominal_value < -_SEEN * found.std_dev else "does not grow"
        reason = f"the noise grows by {_words(right)} adu2 / s while the mean {mean}: something is subtracted from it"
        return Believed(found, believable=False, reason=reason)

    def _frames(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[float, float]]:
        """Return the first bias and the first dark of either exposure, and the exposures."""
        pair = recommended_pair(self.darks)
        shots = self._zero, *(self.darks[t] for t in pair)
        bias, first, second = (np.asarray(one.stack[0].data) for one in shots)
        return bias, first, second, pair

    def _ratio(self) -> Believed:
        found = two_exposure_ratio(*self._frames(), self._unit_gain)
        times = float((found.value / found.whatever).nominal_value)
        unit = "adu / s (at a gain of 1)" if self.gain is None else "electron / s"
        reason = (
            f"returns about {found.whatever.nominal_value:.3g} {unit} whatever the dark current, here {times:.2g} times"
        )
        if self.gain is not None:
            right = self._difference().value
            by_chance = "" if contradicts(found.value, right) else ", near it by chance"
            reason += f" that; the noise of the same darks says {_words(right)}{by_chance}"
        return Believed(found.value, believable=False, reason=reason)

    def _script(self) -> Believed:
        shown = script_choice(*self._frames(), self._unit_gain, frame_sigma=self._means().frame_sigma)
        if shown.method == "two_exposure_ratio":
            ratio = self._ratio()
            return replace(ratio, reason=f"takes two_exposure_ratio, which {ratio.reason}")
        short = recommended_pair(self.darks)[0]
        mean = self._against_noise(number(shown.value, shown.std_error), self._noise(short))
        return replace(mean, reason=f"takes mean_difference of single frames: {mean.reason}")

    def _difference(self) -> Believed:
        pair = recommended_pair(self.darks)
        first, second = (self.darks[t].moments for t in pair)
        for moments in (first, second):
            self._variance(moments)
        found = self._in_electrons(two_exposure_difference(first, second, pair, self.gain))
        if found.nominal_value < -_SEEN * found.std_dev:
            reason = "the noise falls with the exposure: are the frames raw, and of one temperature?"
            return Believed(found, believable=False, reason=reason)
        reason = "temporal variances: no clamp and no fixed pattern is in them; hits and telegraph pixels still are"
        return Believed(found, believable=True, reason=reason)

    # ---- gain

    def _from_darks(self) -> Believed:
        means = self._means()
        points = []
        for shots, mean, error in zip(self.darks.values(), means.mean, means.std_error, strict=True):
            n = shots.moments.n_frames
            if n > 1:
                noise = self._variance(shots.moments)
                level = float(mean), float(error)
                points.append(NoiseAndMean(shots.exposure, *level, noise.value, noise.std_error, n))
        found = gain_from_darks(points)
        if found.gain.nominal_value < _SEEN * found.gain.std_dev:
            return Believed(found.gain, believable=False, reason=_NO_GAIN)
        if self.gain is not None:
            return _compared(found.gain, self.gain, "the gain of this camera", "electron / adu")
        if self.pixel_gain is not None:
            return _compared(found.gain, self.pixel_gain, "the gain from the pixels", "electron / adu")
        return Believed(found.gain, believable=None, reason="no gain is known that could confirm it; shoot flats")

    def _from_pixels(self) -> Believed:
        zero, longest = self._zero, self.darks[self.longest]
        self._variance(zero.moments)
        if len(self.darks) < _FEWEST:
            raise NotMeasurableError(
                f"{len(self.darks)} exposures: the pixels are sorted by the darks of two others; shoot {_FEWEST}"
            )
        short, *_, other, _ = self.darks.values()
        groups = level_groups(mean_frame(other.stack) - mean_frame(short.stack), self.excluded)
        means = longest.moments.frame_means
        moments = difference_moments(longest.stack, means, self.excluded, maps=True)
        found = gain_from_pixels(zero.moments, moments, groups)
        self.pixel_gain = found.gain
        if self.gain is not None:
            return _compared(found.gain, self.gain, "the gain of this camera", "electron / adu")
        reason = f"no clamp reaches it, telegraph pixels may lower it; {'; '.join(found.notes)}"
        return Believed(found.gain, believable=True, reason=reason)


def _compared(found: AffineScalarFunc, right: AffineScalarFunc, what: str, unit: str) -> Believed:
    errors = errors_apart(found, right)
    if contradicts(found, right):
        reason = f"contradicts {what}, {_words(right)} {unit}, by {abs(errors):.3g} standard errors"
        return Believed(found, believable=False, reason=reason)
    return Believed(
        found, believable=True, reason=f"agrees with {what}, {_words(right)} {unit}: {errors:+.1f} standard errors"
    )


def _words(value: AffineScalarFunc) -> str:
    written = rounded(float(value.nominal_value), float(value.std_dev))
    return " +/- ".join(written) if value.std_dev else written[0]


def _row(
    method: str, quantity: tuple[str, str], exposures: Sequence[float], measure: Callable[[], Believed]
) -> dict[str, Any]:
    name, unit = quantity
    row: dict[str, Any] = {"method": method, "quantity": name, "exposures": list(exposures)}
    try:
        found = measure()
    except NotMeasurableError as refusal:
        return {**row, "value": None, "std_error": None, "unit": unit, "verdict_ok": None, "reason": refusal.reason}
    value = {"value": float(found.value.nominal_value), "std_error": float(found.value.std_dev), "unit": unit}
    return {**row, **value, "verdict_ok": found.believable, "reason": found.reason}
