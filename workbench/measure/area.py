"""One area of the sensor: zero-light frames, gain, read noise, full well, and each series of darks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure import gain as photon
from workbench.measure.exposures import MOST_EXCLUDED, Reference
from workbench.measure.noise import bias_noise, hidden_by_rounding, level_and_drift, read_noise
from workbench.measure.numbers import number
from workbench.measure.patterns import PatternSurvey
from workbench.measure.series import DarkSeries
from workbench.measure.sets import exposure_sets, flat_pairs, mean_temperature, temperature_series, zero_light
from workbench.measure.temperature_survey import TemperatureSurvey
from workbench.results import Measurement
from workbench.stack.row_noise import row_noise, with_row_noise
from workbench.stack.variance import Estimate, difference_moments, equalised_difference, levels

if TYPE_CHECKING:
    import pandas as pd
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_typical import Typical
    from workbench.measure.noise import BiasNoise
    from workbench.measure.options import Options
    from workbench.measure.record import Record
    from workbench.measure.sets import Area
    from workbench.measure.values import ValueRange
    from workbench.results import Verdict

_NEAR = 3.0  # K between darks and the bias frames that serve them: more is named
_BLIND = 0.99  # of the pixels of a pair of flats saturate: too few are left to measure
_NO_ZERO_LIGHT = (
    "no bias frames; shoot 20, or name a short dark as zero-light reference (zero_light = true in workbench.toml)"
)


class AreaSurvey:
    """The survey of one area of one group.

    Parameters
    ----------
    area
        Where on the sensor.
    rows
        The group's frames.
    record
        Where findings are written.
    options
        The caller's decisions.
    values
        Step of the stored values, and the value from which on pixels do not count [adu].
    """

    def __init__(
        self,
        area: Area,
        rows: pd.DataFrame,
        record: Record,
        options: Options,
        values: ValueRange,
    ) -> None:
        self.area, self.rows, self.record, self.options, self.values = area, rows, record, options, values

    def run(self) -> dict[str, Verdict]:
        """Measure, and return the verdicts on the longest series of darks; none where there are no darks."""
        references = self._references()
        reference = references[0] if references else None
        noise = self._bias(reference)
        measured = self._gain(reference)
        gain = measured if self.options.gain is None else self.options.gain
        self._camera(reference, noise, gain)
        darks = self.rows[(self.rows["kind"] == "dark") & ~self.rows["zero_light"].astype(bool)]
        if not len(darks):
            all_zero = (self.rows["kind"] == "dark").any()
            reason = "every dark serves as the zero-light reference; add longer darks" if all_zero else "no darks here"
            self.record.missing("dark_current", reason)
            return {}
        verdicts: dict[str, Verdict] = {}
        warmth = TemperatureSurvey(self.record, self.area, gain)
        for rows in temperature_series(darks):
            nearest = self._nearest(references, mean_temperature(rows))
            series = DarkSeries(self.record, self.area, rows, nearest, gain, self.values, self.options)
            with self.record.attempt("dark_mean", "dark_current"):
                found = series.run(main=not verdicts)
                warmth.add(series, self._patterns(series, main=not verdicts))
                verdicts = verdicts or found
        warmth.run()
        return verdicts

    def _patterns(self, series: DarkSeries, *, main: bool) -> Typical | None:
        """Record what the longest darks show pixel by pixel; of other series than the main one the typical value."""
        record = series.record.under(temperature=series.temperature)
        reference = series.reference
        if reference is None or reference.moments.temporal is None:
            for name in ("dark_current_typical", "hot_pixel_fraction", "glow_exponent", "telegraph_fraction"):
                record.missing(name, _NO_ZERO_LIGHT if reference is None else "one zero-light frame; shoot 20")
            return None
        patterns = PatternSurvey(record, self.area, series.found, reference, series.gain, self.values)
        typical = patterns.typical(pictures=main)
        if main:
            glow = patterns.glow()
            flats = self.rows[self.rows["kind"] == "flat"]
            classes = patterns.classes(flats, None if typical is None else float(typical.electrons.nominal_value))
            patterns.budget(glow, classes)
            patterns.popular()
        return typical

    def _references(self) -> list[Reference]:
        """Measure the zero-light frames of each temperature, most frames first; of exposures the most frequent."""
        rows = zero_light(self.rows)
        references = []
        for same in temperature_series(rows) if len(rows) else []:
            chosen = max(exposure_sets(same), key=lambda one: one.n_frames)
            if chosen.n_frames < len(same):
                action = f"the {chosen.n_frames} of {chosen.exposure:g} s are used"
                self.record.problem("zero-light frames", "differ in exposure", action)
            stack = self.area.load(chosen.rows)
            look = levels(stack, self.values.saturation)
            lost = float(look.out_of_range[~self.area.excluded].mean())
            if lost > MOST_EXCLUDED:
                rule = f"{lost:.0%} of the pixels of the zero-light frames saturate or clip at zero"
                self.record.problem(f"zero-light frames of {self.record.conditions['group']}", rule, "left out")
                continue
            moments = difference_moments(stack, look.frame_means, look.out_of_range | self.area.excluded, maps=True)
            rounded = None if moments.temporal is None else hidden_by_rounding(moments.temporal, self.values.lattice)
            excluded = look.out_of_range | self.area.excluded
            shared = row_noise(stack, moments, excluded)
            moments = with_row_noise(moments, shared, excluded)
            references.append(Reference(chosen, moments, rounded, look.out_of_range, shared))
        return references

    def _nearest(self, references: list[Reference], temperature: float | None) -> Reference | None:
        """Choose the zero-light frames nearest in temperature, and name a distance that matters."""
        known = [one for one in references if one.temperature is not None]
        if temperature is None or not known:
            return references[0] if references else None
        nearest = min(known, key=lambda one: abs(float(one.temperature or 0.0) - temperature))
        if abs(float(nearest.temperature or 0.0) - temperature) > _NEAR:
            rule = f"no bias frames at the temperature of the darks ({temperature:.1f} deg C)"
            self.record.problem(
                f"darks of {self.record.conditions['group']}", rule, f"those at {nearest.temperature} serve"
            )
        return nearest

    def _bias(self, reference: Reference | None) -> BiasNoise | None:
        """Record level, drift and the variance terms of the zero-light frames."""
        record = self.record
        if reference is None:
            for name in ("bias_level", "offset_drift", "read_noise"):
                record.missing(name, _NO_ZERO_LIGHT)
            return None
        n = reference.moments.n_frames
        with record.attempt("bias_level", "offset_drift"):
            if reference.rounded is not None:
                raise NotMeasurableError(reference.rounded)
            level, drift = level_and_drift(reference.moments.frame_means)
            here = record.under(temperature=reference.temperature)
            here.measured("bias_level", level, "mean of frame means", n)
            here.measured("offset_drift", drift, "rms of frame means", n)
        with record.attempt("read_noise"):
            return bias_noise(reference.moments, self.values.lattice)
        return None

    def _gain(self, reference: Reference | None) -> AffineScalarFunc | None:
        record = self.record
        with record.attempt("gain", "native_gain", "linearity_error"):
            found = photon.photon_transfer(self._flat_levels(reference))
            self._compare(found.gain)
            n_frames = 2 * sum(level.linear for level in found.levels)
            record.measured("gain", found.gain, "photon transfer", n_frames, (*found.notes, *self._claims(found.gain)))
            bow = self._linearity(found)
            off_line = {} if bow is None else dict(zip(bow.means, bow.residuals, strict=True))
            for level in found.levels:
                residual = level.variance / (level.mean / found.gain.nominal_value) - 1
                record.row("gain_levels", **vars(level), residual=residual, linearity_residual=off_line.get(level.mean))
            if self.values.lattice is not None:
                record.measured("native_gain", found.gain * self.values.lattice, "photon transfer", n_frames)
            return found.gain
        return None

    def _flat_levels(self, reference: Reference | None) -> list[photon.FlatLevel]:
        flats = self.rows[self.rows["kind"] == "flat"]
        if len(flats) < 2:
            raise NotMeasurableError(
                f"{len(flats) or 'no'} usable flat{'s' * (len(flats) != 1)}; shoot pairs of flats at 4 or more levels"
            )
        if reference is None or reference.moments.temporal is None:
            raise NotMeasurableError(
                _NO_ZERO_LIGHT if reference is None else "one zero-light frame: its noise needs two"
            )
        means = levels(self.area.load(flats)).frame_means
        level, drift = level_and_drift(reference.moments.frame_means)
        lit = means > level.nominal_value + 5 * drift.nominal_value + 1
        for file in flats["file"][~lit]:
            self.record.problem(str(file), "is a flat no brighter than the bias: was the lamp off?", "left out")
        flats = flats[lit]
        pairs = flat_pairs(flats, means[lit].tolist())
        if not pairs:
            raise NotMeasurableError("no two flats of equal exposure and level; shoot pairs under a steady lamp")
        found = [self._flat_level(exposure, pair, reference) for exposure, pair in pairs]
        return [level for level in found if level is not None]

    def _flat_level(self, exposure: float, pair: pd.DataFrame, reference: Reference) -> photon.FlatLevel | None:
        """Measure one pair of flats; one that saturates nearly everywhere is named, and the other levels go on."""
        stack, moments = self.area.load(pair), reference.moments
        out = levels(stack, self.values.saturation).out_of_range | self.area.excluded
        zero = moments.temporal
        if zero is None or out.mean() > _BLIND:
            files = " and ".join(pair["file"])
            self.record.problem(files, "saturate nearly everywhere", "left out of the gain; they tell the saturation")
            return None
        if reference.rounded is not None:  # of a variance that rounding hides not even the size is known
            zero = Estimate(zero.value, max(zero.value, (self.values.lattice or 0) ** 2 / 12))
        level, drift = level_and_drift(moments.frame_means)
        difference = equalised_difference(stack, level.nominal_value, moments.mean_map, out)
        top = sum(difference.means) / 2 + level.nominal_value
        truncated = difference.n_excluded > int(self.area.excluded.sum()) + 1e-3 * difference.n_pixels
        linear = not truncated and (
            self.values.saturation is None or top <= photon.LINEAR_SHARE * self.values.saturation
        )
        level_error = float(np.hypot(drift.nominal_value / 2**0.5, level.std_dev))
        return photon.flat_level(difference, zero, exposure, level_error, linear=linear)

    def _claims(self, gain: AffineScalarFunc) -> tuple[str, ...]:
        claims = [
            value
            for value in self.rows["claimed_gain"].dropna().unique()
            if abs(value - gain.nominal_value) > 3 * gain.std_dev
        ]
        return tuple(f"the headers claim {value:g} electron / adu; the measured gain is used" for value in claims)

    def _compare(self, measured: AffineScalarFunc) -> None:
        """Name a given gain that the flats contradict."""
        given = self.options.gain
        if given is None or abs((given - measured).nominal_value) <= 3 * (given - measured).std_dev:
            return
        rule = f"the given gain {given.nominal_value:g} contradicts the measured {Measurement.of('gain', measured, '')}"
        self.record.problem(f"flats of {self.record.conditions['group']}", rule, "the given one converts all numbers")

    def _linearity(self, found: photon.PhotonTransfer) -> photon.Linearity | None:
        with self.record.attempt("linearity_error"):
            filters = self.rows.loc[self.rows["kind"] == "flat", "filter"].dropna().unique()
            if len(filters) > 1:
                raise NotMeasurableError(f"the flats are taken through {len(filters)} filters; use one")
            bow = photon.linearity(found.levels)
            note = "supposes a steady lamp: a lamp that drifts along the exposures looks the same"
            self.record.measured(
                "linearity_error", bow.bow, "bow of the mean over exposure", 2 * len(bow.means), (note,)
            )
            return bow
        return None

    def _camera(self, reference: Reference | None, noise: BiasNoise | None, gain: AffineScalarFunc | None) -> None:
        record = self.record
        if gain is None:
            for name in ("read_noise", "full_well", "dynamic_range"):
                reason = "no gain is known; pass --gain, or add pairs of flats and bias frames"
                record.missing(name, reason)
            return
        if noise is None or reference is None:
            return
        notes = ("converted with the gain that was given",) if self.options.gain is not None else ()
        with record.attempt("read_noise", "dynamic_range"):
            electrons = read_noise(noise, gain)
            record.under(temperature=reference.temperature).measured(
                "read_noise", electrons, noise.method, noise.n_frames, notes
            )
            saturation = next(record.results.select("saturation", group=record.conditions["group"]), None)
            if saturation is None:
                return
            level, _ = level_and_drift(reference.moments.frame_means)
            well = (number(saturation.value, saturation.std_error) - level) * gain
            record.measured("full_well", well, "saturation above the bias level", saturation.n_frames, notes)
            record.measured("dynamic_range", well / electrons, "full well over read noise", saturation.n_frames, notes)
