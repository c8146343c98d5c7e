"""A series of darks at one temperature: its mean against exposure, its noise against exposure, its dark current."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.confounding import confounded
from workbench.measure.cosmic_rays import METHOD, cosmic_ray_rate, masked_rate
from workbench.measure.dark_current import convergence, mean_difference, variance_rates, variance_slope
from workbench.measure.dark_mean import exposure_means, fit_dark_mean
from workbench.measure.exposures import measure_exposures
from workbench.measure.lines import line_record
from workbench.measure.maps import pictures_of, scaling_pictures
from workbench.measure.noise import hidden_by_rounding
from workbench.measure.scaling import although_below, judge_scaling, not_judged, predictions
from workbench.measure.sets import exposure_sets, mean_temperature, pixel_pitch, single
from workbench.measure.verdicts import dark_below_bias
from workbench.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_current import Rate
    from workbench.measure.dark_mean import ExposureMeans
    from workbench.measure.exposures import MeasuredSet, Reference
    from workbench.measure.options import Options
    from workbench.measure.record import Record
    from workbench.measure.sets import Area
    from workbench.measure.values import ValueRange
    from workbench.stack.variance import Estimate

_FEWEST_SLOPE = 2  # exposures
_APART = 4.0  # standard errors between the bias and the darks' curve at no exposure


class DarkSeries:
    """The survey of one series of darks in one area; parameters as for ``AreaSurvey``."""

    def __init__(
        self,
        record: Record,
        area: Area,
        rows: pd.DataFrame,
        reference: Reference | None,
        gain: AffineScalarFunc | None,
        values: ValueRange,
        options: Options,
    ) -> None:
        self.area, self.reference, self.gain, self.options = area, reference, gain, options
        self.values = values
        self.temperature = mean_temperature(rows)
        # a set point is no measured temperature, but better said than nothing
        self.record = (
            record if self.temperature is not None else record.under(set_temperature=single(rows, "set_temperature"))
        )
        self.rows = rows

    def run(self, *, main: bool) -> dict[str, Verdict]:
        """Measure, and return the verdicts; ``main`` keeps pictures of this series."""
        self.found = measure_exposures(self.record, self.area, exposure_sets(self.rows), self.reference, self.values)
        sets = self.found.sets
        moved = self._confounded(sets)
        n_lost = self.found.n_lost
        lost = f"{n_lost} pixels that saturate or clip at zero in some dark are left out"
        warm = f"the temperature moved with the exposure ({moved})"
        self._caveats = [note for note, holds in ((lost, n_lost), (warm, moved)) if holds]
        means, below = self._dark_mean(sets)
        for one in sets:
            self._one_exposure(one, means, clamped=bool(below.value))
        self._slope(sets)
        self._cosmic_rays(sets)
        if self.gain is None:
            reason = "no gain is known; pass --gain, or add pairs of flats. In adu see dark_variance_rate"
            self.record.under(temperature=self.temperature).missing("dark_current", reason)
        self._odd(sets)
        if main:
            self._pictures()
        scaling = self._scaling(sets, means, moved, main=main)
        return {"dark_below_bias": below, "dark_scaling": although_below(scaling, below)}

    def _pictures(self) -> None:
        found, zero = self.found, None if self.reference is None else self.reference.moments
        title = f"of {found.longest_frames.n_frames} darks of {found.longest_frames.exposure:g} s"
        self.record.results.maps.update(pictures_of(found.longest, zero, self.record.place, title))

    def _scaling(self, sets: Sequence[MeasuredSet], means: ExposureMeans | None, moved: str, *, main: bool) -> Verdict:
        """Let the masters predict each other; the drift of the level is that of all darks together."""
        bias = None if self.reference is None else self.reference.tiles(self.found.tiled_without)
        if bias is None or means is None:
            return not_judged("no pair of bias frames to scale above; shoot 20 at the darks' settings")
        darks = [
            replace(one.tiles, level_error=means.frame_sigma / one.moments.n_frames**0.5)
            for one in sets
            if one.tiles is not None and one.frames.exposure > bias.exposure
        ]
        gain = None if self.gain is None else float(self.gain.nominal_value)
        found = predictions(bias, darks)
        for one in found:
            self.record.row("scaling", temperature=self.temperature, **one.record())
        verdict = judge_scaling(found, len(darks), gain)
        pair = verdict.details["exposure"], verdict.details["reference_exposure"]
        for one in found:
            if main and (one.exposure, one.reference) == pair:
                shape = self.found.excluded.shape
                self.record.results.maps.update(scaling_pictures(one, shape, self.record.place, gain))
        if moved and verdict.value == "match":
            reason = f"{verdict.reason}. Their temperature moved as well ({moved}): a part of this may be its doing"
            verdict = replace(verdict, reason=reason)
        return verdict

    def _dark_mean(self, sets: Sequence[MeasuredSet]) -> tuple[ExposureMeans | None, Verdict]:
        record = self.record.under(temperature=self.temperature)
        unknown = Verdict(
            None, "the frame-to-frame error of the darks' mean is unknown; shoot 4 or more of each exposure"
        )
        # a mean whose noise spreads over less than a step of the lattice is rounded to that step
        rounded = [reason for one in sets if (reason := self._rounded(one)) is not None]
        sets = [one for one in sets if self._rounded(one) is None]
        if not sets:
            record.missing("dark_mean", rounded[0])
            return None, replace(unknown, reason=rounded[0])
        exposures = np.concatenate([np.full(one.moments.n_frames, one.frames.exposure) for one in sets])
        means = np.concatenate([one.frame_means for one in sets])
        dates = np.concatenate([one.frames.rows["date"].to_numpy(dtype="datetime64[ns]") for one in sets])
        bias = self.reference.moments.frame_means if self.reference is not None else np.array([])
        with record.attempt("dark_mean"):
            table = exposure_means(exposures, means)
            for one, mean, error in zip(sets, table.mean, table.std_error, strict=True):
                row = {
                    "temperature": one.frames.temperature,
                    "exposure": one.frames.exposure,
                    "n_frames": one.moments.n_frames,
                }
                self.record.row("dark_mean", **row, mean=float(mean), std_error=float(error))
            with record.under(method="polynomial of exposure").attempt("dark_mean"):
                self._fit(exposures, means, dates)
            return table, dark_below_bias(table, bias.tolist())
        return None, unknown

    def _rounded(self, one: MeasuredSet) -> str | None:
        """Say why the noise of an exposure is not to be trusted; None where it is, or where there is none to judge."""
        return None if one.moments.temporal is None else hidden_by_rounding(one.temporal, self.values.lattice)

    def _fit(self, exposures: NDArray[np.float64], means: NDArray[np.float64], dates: NDArray[np.datetime64]) -> None:
        uses_bias = self.options.use_bias and self.reference is not None
        if uses_bias and self.reference is not None:
            zero = self.reference.moments
            exposures = np.concatenate([np.full(zero.n_frames, self.reference.exposure), exposures])
            means = np.concatenate([zero.frame_means, means])
            taken = self.reference.frames.rows["date"].to_numpy(dtype="datetime64[ns]")
            dates = np.concatenate([taken, dates])
        fit = fit_dark_mean(exposures, means, dates, uses_bias=uses_bias)
        record = fit.record(temperature=self.temperature)
        if self.reference is not None and self.reference.moments.n_frames > 1 and not uses_bias:
            zero_means = self.reference.moments.frame_means
            at_zero = self.reference.exposure
            offset = float(zero_means.mean()) - float(fit.line.predict(at_zero))
            error = float(np.hypot(zero_means.std(ddof=1) / len(zero_means) ** 0.5, fit.line.predict_error(at_zero)))
            record |= {"bias_minus_fit": offset, "bias_minus_fit_error": error}
            if abs(offset) > _APART * error:
                apart = f"{abs(offset):.1f} +/- {error:.1f} adu {'above' if offset > 0 else 'below'}"
                record["notes"].append(
                    f"the bias stands {apart} the darks' curve at no exposure: read in another mode or at another "
                    "offset, it is no dark of no exposure"
                )
        self.record.fit("dark_mean", record)

    def _one_exposure(self, one: MeasuredSet, means: ExposureMeans | None, *, clamped: bool) -> None:
        """Record the variance, and the dark current by every method of one exposure."""
        frames, moments = one.frames, one.moments
        record = self.record.under(temperature=frames.temperature, exposure=frames.exposure)
        row = {"temperature": frames.temperature, "exposure": frames.exposure, "n_frames": moments.n_frames}
        with record.attempt("dark_variance_rate" if self.gain is None else "dark_current"):
            variance = moments.temporal
            if variance is None:
                raise NotMeasurableError("one dark of this exposure: its noise needs a pair, better 14")
            extra = {"n_pixels": moments.n_pixels, "n_excluded": moments.n_excluded}
            self.record.row("variance", **row, variance=variance.value, std_error=variance.std_error, **extra)
            reference = self.reference
            if reference is None or reference.moments.temporal is None:
                reason = "no pair of bias frames to subtract the read noise with; the slope of variance needs none"
                raise NotMeasurableError(reason)
            bias, t = reference.moments.temporal, frames.exposure - reference.exposure
            if t <= 0:
                raise NotMeasurableError("no longer than the zero-light frames")
            hidden = hidden_by_rounding(variance, self.values.lattice) or reference.rounded
            if hidden is not None:
                raise NotMeasurableError(hidden)
            if means is not None:
                level = reference.moments.frame_means
                self._add(record, mean_difference(moments.frame_means, level, means.frame_sigma, t, clamped=clamped))
            for rate in variance_rates(moments, bias, t, self.gain):
                self._add(record, rate)
            with record.under(method=METHOD).attempt("dark_variance_rate" if self.gain is None else "dark_current"):
                self._add(record, self._masked(one, bias, t))
            if moments.n_frames >= 4:
                for n, rate in convergence(moments, bias, t, self.gain).items():
                    self.record.row("convergence", **{**row, "n_frames": n}, **self._electrons(rate))

    def _masked(self, one: MeasuredSet, bias: Estimate, exposure: float) -> Rate:
        if one.masked is None:
            n = one.moments.n_frames
            raise NotMeasurableError(f"{n} darks: a cosmic ray is told by three other frames; shoot 4 or more")
        return masked_rate(one.masked, bias, exposure, self.gain)

    def _add(self, record: Record, rate: Rate) -> None:
        if rate.power == 2:
            rate = replace(rate, notes=(*rate.notes, *self._caveats))
        for measurement in rate.measurements(self.gain, gain_given=self.options.gain is not None):
            record.add(measurement)

    def _electrons(self, rate: Rate) -> dict[str, float]:
        in_adu = {"dark_variance_rate": rate.value, "dark_variance_rate_error": rate.std_error}
        if self.gain is None:
            return in_adu
        number = rate.in_electrons(self.gain)
        return {"dark_current": number.nominal_value, "std_error": number.std_dev, **in_adu}

    def _slope(self, sets: Sequence[MeasuredSet]) -> None:
        noisy = [one for one in sets if one.moments.temporal is not None]
        reasons = [self._rounded(one) for one in noisy]
        usable = [one for one, why in zip(noisy, reasons, strict=True) if why is None]
        record = self.record.under(temperature=self.temperature)
        names = ["dark_variance_rate"] + ["dark_current"] * (self.gain is not None)
        with record.under(method="variance_slope").attempt(*names):
            hidden = [why for why in reasons if why is not None]
            if hidden and len(usable) < _FEWEST_SLOPE:
                raise NotMeasurableError(hidden[0])
            n_frames = sum(one.moments.n_frames for one in usable)
            exposures = [one.frames.exposure for one in usable]
            slope = variance_slope(exposures, [one.temporal for one in usable], n_frames)
            self._add(record, slope.rate)
            for weights, line in {"weighted": slope.weighted, "unweighted": slope.unweighted}.items():
                if line is not None:
                    self.record.fit("variance", line_record(line, temperature=self.temperature, weights=weights))

    def _cosmic_rays(self, sets: Sequence[MeasuredSet]) -> None:
        record = self.record.under(temperature=self.temperature)
        with record.attempt("cosmic_ray_rate"):
            found = [(one.frames.exposure, one.hits) for one in sets if one.hits is not None]
            if not found:
                raise NotMeasurableError("no exposure has four darks: a ray is told by three other frames")
            record.add(cosmic_ray_rate(found, pixel_pitch(self.rows), self.gain))

    def _odd(self, sets: Sequence[MeasuredSet]) -> None:
        odd = [f"{one.frames.exposure:g}" for one in sets if one.moments.n_frames % 2 and one.moments.n_frames > 2]
        if odd:
            where = self.record.under(temperature=self.temperature, method="composite of all frames")
            reason = f"an odd number of darks at {', '.join(odd)} s: pairs and composites leave the last one out"
            where.missing("dark_variance_rate", f"{reason}; shoot one more of each")

    def _confounded(self, sets: Sequence[MeasuredSet]) -> str:
        """Name a temperature that moved with the exposure, and return by how much, in words; "" where it did not."""
        known = [(one.frames.exposure, one.frames.temperature) for one in sets if one.frames.temperature is not None]
        found = confounded([one[0] for one in known], [one[1] for one in known])
        if found is None:
            return ""
        self.record.problem(
            f"darks of {self.record.conditions['group']}",
            found.rule,
            "used; what looks like an effect of the exposure may be one of the temperature (about 10 % of the dark "
            "current per kelvin): cool the camera, or shoot the exposures in shuffled order",
        )
        return found.moved
