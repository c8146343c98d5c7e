"""The dark current of every temperature, and how it grows from one to the next; hot pixels against normal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import DarkPoint, reading
from workbench.measure.hot_energy import PatternMap, energies, hot_and_normal_rates
from workbench.measure.temperature import fit_temperature, tolerance
from workbench.stack.variance import difference_moments, levels

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_typical import Typical
    from workbench.measure.record import Record
    from workbench.measure.series import DarkSeries
    from workbench.measure.sets import Area
    from workbench.measure.temperature import TemperatureFit
    from workbench.stack.variance import DifferenceMoments

_READING = 0.1  # K: the step of the headers' temperatures
_HALVES = 4  # frames: with fewer a half has no noise of its own
_ENERGY = "activation_energy"


@dataclass(frozen=True)
class _Warm:
    """One temperature: its longest darks, the pixels left out of them, and their typical dark current."""

    series: DarkSeries
    typical: Typical | None

    @property
    def rows(self) -> pd.DataFrame:
        return self.series.found.longest_frames.rows

    @property
    def temperature(self) -> AffineScalarFunc:
        """Of these very darks, not of the whole series: an uncooled sensor drifts [deg_C]."""
        readings = self.rows["temperature"].dropna().to_numpy(dtype=np.float64)
        scatter = float(readings.std(ddof=1)) / len(readings) ** 0.5 if len(readings) > 1 else 0.0
        return reading(round(float(readings.mean()), 2), resolution=_READING, scatter=scatter)

    @property
    def degrees(self) -> float:
        return float(self.temperature.nominal_value)


class TemperatureSurvey:
    """The survey of an area's temperatures; :meth:`add` every series, then :meth:`run`."""

    def __init__(self, record: Record, area: Area, gain: AffineScalarFunc | None) -> None:
        self.record, self.area, self.gain = record, area, gain
        self._warm: list[_Warm] = []

    def add(self, series: DarkSeries, typical: Typical | None) -> None:
        """Take in one series of darks; one without a measured temperature tells nothing here."""
        if series.found.longest_frames.temperature is not None:
            self._warm.append(_Warm(series, typical))

    def run(self) -> None:
        """Record the table of temperatures, the laws, and the energies of hot and normal pixels."""
        self._warm.sort(key=lambda one: one.degrees)
        fit = None
        with self.record.attempt("doubling_temperature", _ENERGY):
            if not self._warm:
                raise NotMeasurableError("no darks have a measured temperature; set it in workbench.toml")
            points = [self._point(one) for one in self._warm if one.typical is not None]
            if not points:
                raise NotMeasurableError("no typical dark current is known at any temperature; see its own reason")
            fit = fit_temperature(points, glow_free=True)
            for measurement in fit.measurements():
                self.record.add(measurement)
            for law in fit.records():
                self.record.fit("temperature", law)
        self._rows(fit)
        if fit is not None and fit.n_temperatures > 2:
            with self.record.under(pixels="hot").attempt(_ENERGY):
                self._hot_energy(fit.temperature)

    def _point(self, one: _Warm) -> DarkPoint:
        if one.typical is None:
            raise NotMeasurableError("no typical dark current is known here")
        return DarkPoint(one.temperature, one.typical.rate, len(one.rows))

    def _rows(self, fit: TemperatureFit | None) -> None:
        for one in self._warm:
            if one.typical is None:
                continue
            longest = one.series.found.longest_frames
            row = {
                "temperature": one.degrees,
                "temperature_error": float(one.temperature.std_dev),
                "exposure": longest.exposure,
                "n_frames": longest.n_frames,
                "dark_current": float(one.typical.rate.nominal_value),
                "std_error": float(one.typical.rate.std_dev),
            }
            if fit is not None:
                row |= tolerance(fit, one.degrees).row()
            self.record.row("temperature", **row)

    def _hot_energy(self, reference: float) -> None:
        """Compare hot with normal pixels; the hot ones are chosen on half of the warmest darks, measured on others."""
        warmest, zero = self._warm[-1], self._warm[-1].series.reference
        if zero is None or zero.frames.n_frames < _HALVES or len(warmest.rows) < _HALVES:
            raise NotMeasurableError(
                "hot pixels are chosen on half of the warmest darks and of the bias frames: shoot 4 of each, better 14"
            )
        excluded = np.logical_or.reduce([one.series.found.excluded for one in self._warm])
        first, second = (self._moments(zero.frames.rows.iloc[half::2], excluded) for half in (0, 1))
        chosen = self._moments(warmest.rows.iloc[::2], excluded)
        maps = []
        for one in self._warm:
            rows = one.rows.iloc[1::2] if one is warmest else one.rows
            maps.append(self._map(one, self._moments(rows, excluded), second, zero.exposure))
        noise = second.temporal
        found = hot_and_normal_rates(
            _difference(chosen, first),
            maps,
            bias_variance=0.0 if noise is None else noise.value / second.n_frames,
            gain=self.gain,
            excluded=excluded,
        )
        compared = energies(found.normal, found.hot, reference=reference)
        self.record.fit("energies", compared.record(n_hot=found.n_hot, n_normal=found.n_normal))
        energy = compared.hot.activation_energy
        if energy is not None:
            notes = (*compared.hot.notes, f"{found.n_hot} hot pixels; {compared}")
            record = self.record.under(pixels="hot", temperature=reference)
            record.measured(_ENERGY, energy, "pattern of hot pixels", compared.hot.n_frames, notes)

    def _moments(self, rows: pd.DataFrame, excluded: NDArray[np.bool_]) -> DifferenceMoments:
        stack = self.area.load(rows)
        return difference_moments(stack, levels(stack).frame_means, excluded, maps=True)

    def _map(self, one: _Warm, moments: DifferenceMoments, bias: DifferenceMoments, zero: float) -> PatternMap:
        if moments.variance_map is None or moments.n_frames < 2:
            raise NotMeasurableError(f"one dark at {one.degrees:g} deg C; shoot 4 or more")
        exposure = one.series.found.longest_frames.exposure - zero
        variance = moments.variance_map / np.float32(moments.n_frames)
        return PatternMap(one.temperature, exposure, _difference(moments, bias), variance, moments.n_frames)


def _difference(dark: DifferenceMoments, bias: DifferenceMoments) -> NDArray[np.float32]:
    if dark.mean_map is None or bias.mean_map is None:
        raise ValueError("moments without maps")
    return np.asarray(dark.mean_map - bias.mean_map)
