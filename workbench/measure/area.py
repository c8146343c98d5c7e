"""One area of the sensor: zero-light frames, gain, read noise, full well, and each series of darks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.frames.load import load_stack
from workbench.measure import gain as photon
from workbench.measure.noise import bias_noise, level_and_drift, read_noise
from workbench.measure.numbers import number
from workbench.measure.scaling import not_judged
from workbench.measure.series import DarkSeries, Reference
from workbench.measure.sets import exposure_sets, flat_pairs, temperature_series, zero_light
from workbench.results import Verdict
from workbench.stack.variance import difference_moments, equalised_difference, levels

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.noise import BiasNoise
    from workbench.measure.options import Options
    from workbench.measure.record import Record
    from workbench.measure.sets import Area

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
    lattice
        Step of the stored values [adu], None for float values.
    saturation
        The value [adu] from which on pixels do not count.
    """

    def __init__(
        self,
        area: Area,
        rows: pd.DataFrame,
        record: Record,
        options: Options,
        lattice: int | None,
        saturation: float | None,
    ) -> None:
        self.area, self.rows, self.record, self.options = area, rows, record, options
        self.lattice, self.saturation = lattice, saturation

    def run(self) -> dict[str, Verdict]:
        """Measure, and return the verdicts on the longest series of darks."""
        reference = self._reference()
        noise = self._bias(reference)
        measured = self._gain(reference)
        gain = self.options.gain or measured
        self._camera(reference, noise, gain)
        darks = self.rows[(self.rows["kind"] == "dark") & ~self.rows["zero_light"].astype(bool)]
        if not len(darks):
            self.record.missing("dark_current", "every dark serves as the zero-light reference; add longer darks")
            reason = "every dark serves as the zero-light reference"
            return {"dark_below_bias": Verdict(None, reason), "dark_scaling": not_judged(reason)}
        verdicts = [
            DarkSeries(self.record, self.area, rows, reference, gain, self.saturation, self.options).run(maps=first)
            for rows, first in zip(temperature_series(darks), (True, *[False] * len(darks)), strict=False)
        ]
        return verdicts[0]

    def _stack(self, rows: pd.DataFrame) -> xr.DataArray:
        rows_slice, columns_slice = self.area.slices
        return load_stack(rows)[:, rows_slice, columns_slice]

    def _reference(self) -> Reference | None:
        """Measure the zero-light frames: of several temperatures or exposures, those of which there are most."""
        rows = zero_light(self.rows)
        if not len(rows):
            return None
        chosen = max(exposure_sets(temperature_series(rows)[0]), key=lambda one: one.n_frames)
        if chosen.n_frames < len(rows):
            action = f"the {chosen.n_frames} at {chosen.exposure:g} s and {chosen.temperature} deg C are used"
            self.record.problem("zero-light frames", "differ in exposure or temperature", action)
        stack = self._stack(chosen.rows)
        look = levels(stack, self.saturation)
        moments = difference_moments(stack, look.frame_means, look.out_of_range | self.area.excluded, maps=True)
        return Reference(chosen.exposure, chosen.temperature, moments)

    def _bias(self, reference: Reference | None) -> BiasNoise | None:
        """Record level, drift and the variance terms of the zero-light frames."""
        record = self.record
        if reference is None:
            for name in ("bias_level", "offset_drift", "read_noise"):
                record.missing(name, _NO_ZERO_LIGHT)
            return None
        n = reference.moments.n_frames
        with record.attempt("bias_level", "offset_drift"):
            level, drift = level_and_drift(reference.moments.frame_means)
            here = record.under(temperature=reference.temperature)
            here.measured("bias_level", level, "mean of frame means", n)
            here.measured("offset_drift", drift, "rms of frame means", n)
        with record.attempt("read_noise"):
            noise = bias_noise(reference.moments, self.lattice)
            self._noise_rows(noise)
            return noise
        return None

    def _noise_rows(self, noise: BiasNoise) -> None:
        terms = {
            "temporal variance of a bias": (noise.temporal.value, noise.temporal.std_error),
            "quantisation": (noise.quantisation, 0.0),
            "read noise": (noise.read.value, noise.read.std_error),
        }
        for term, (variance, error) in terms.items():
            self.record.row("noise_budget", term=term, variance=variance, std_error=error, n_frames=noise.n_frames)

    def _gain(self, reference: Reference | None) -> AffineScalarFunc | None:
        record = self.record
        with record.attempt("gain", "native_gain", "linearity_error"):
            found = photon.photon_transfer(self._flat_levels(reference))
            n_frames = 2 * sum(level.linear for level in found.levels)
            record.measured("gain", found.gain, "photon transfer", n_frames, (*found.notes, *self._claims(found.gain)))
            for level in found.levels:
                predicted = level.mean / found.gain.nominal_value
                shown = {key: value for key, value in vars(level).items() if key != "linear"}
                record.row("gain_levels", **shown, linear=level.linear, residual=level.variance / predicted - 1)
            if self.lattice is not None:
                record.measured("native_gain", found.gain * self.lattice, "photon transfer", n_frames)
            self._linearity(found)
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
        pairs = flat_pairs(flats, levels(self._stack(flats)).frame_means.tolist())
        if not pairs:
            raise NotMeasurableError("no two flats of equal exposure and level; shoot pairs under a steady lamp")
        return [self._flat_level(exposure, pair, reference) for exposure, pair in pairs]

    def _flat_level(self, exposure: float, pair: pd.DataFrame, reference: Reference) -> photon.FlatLevel:
        stack, moments = self._stack(pair), reference.moments
        out = levels(stack, self.saturation).out_of_range | self.area.excluded
        if moments.temporal is None or out.mean() > 0.99:
            raise NotMeasurableError("a flat saturates nearly everywhere; shoot it at half of saturation")
        level, drift = level_and_drift(moments.frame_means)
        difference = equalised_difference(stack, level.nominal_value, moments.mean_map, out)
        top = sum(difference.means) / 2 + level.nominal_value
        truncated = difference.n_excluded > int(self.area.excluded.sum()) + 1e-3 * difference.n_pixels
        linear = not truncated and (self.saturation is None or top <= photon.LINEAR_SHARE * self.saturation)
        level_error = float(np.hypot(drift.nominal_value / 2**0.5, level.std_dev))
        return photon.flat_level(difference, moments.temporal, exposure, level_error, linear=linear)

    def _claims(self, gain: AffineScalarFunc) -> tuple[str, ...]:
        claims = [
            value
            for value in self.rows["claimed_gain"].dropna().unique()
            if abs(value - gain.nominal_value) > 3 * gain.std_dev
        ]
        return tuple(f"the headers claim {value:g} electron / adu; the measured gain is used" for value in claims)

    def _linearity(self, found: photon.PhotonTransfer) -> None:
        with self.record.attempt("linearity_error"):
            filters = self.rows.loc[self.rows["kind"] == "flat", "filter"].dropna().unique()
            if len(filters) > 1:
                raise NotMeasurableError(f"the flats are taken through {len(filters)} filters; use one")
            bow = photon.linearity(found.levels)
            note = "supposes a steady lamp: a lamp that drifts along the exposures looks the same"
            self.record.measured(
                "linearity_error", bow.bow, "bow of the mean over exposure", 2 * len(bow.exposures), (note,)
            )

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
