"""What the longest darks of a series show pixel by pixel: map, typical dark current, glow, classes, noise budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_map import dark_map
from workbench.measure.dark_typical import typical
from workbench.measure.frame_noise import frame_noise
from workbench.measure.glow import glow_growth
from workbench.measure.hot_fraction import hot_pixels
from workbench.measure.maps import grid, picture
from workbench.measure.noise import hidden_by_rounding
from workbench.measure.noise_budget import bias_budget, dark_budget, switching_noise
from workbench.measure.numbers import number
from workbench.measure.pixel_flags import FLAG_MEANINGS, PixelFlag
from workbench.measure.pixel_stacks import PixelStack
from workbench.measure.pixels import PixelClasses, classify_pixels
from workbench.measure.popular_survey import ExposedStack, popular_rows
from workbench.measure.read_noise_map import read_noise_distribution, read_noise_map
from workbench.results import Measurement
from workbench.stack.power_sums import Estimate
from workbench.stack.variance import levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_map import DarkMap
    from workbench.measure.dark_typical import Typical
    from workbench.measure.exposures import MeasuredSeries, Reference
    from workbench.measure.frame_noise import FrameNoise
    from workbench.measure.glow import GlowGrowth
    from workbench.measure.noise_budget import NoiseTerm
    from workbench.measure.record import Record
    from workbench.measure.sets import Area
    from workbench.measure.values import ValueRange

_NO_GAIN = "no gain is known; pass --gain, or add pairs of flats"
_RATIO = "two_exposure_ratio"
_WHATEVER = "meaningless: a ratio where a difference belongs, it returns about the same whatever the dark current is"
_STRAIGHT = 0.02  # relative
_PER_KELVIN = 0.11  # relative growth of a dark current
_READ_JUMPS = PixelFlag.TELEGRAPH_2_LEVELS | PixelFlag.TELEGRAPH_3_LEVELS


@dataclass
class PatternSurvey:
    """The survey of the patterns of one series.

    Parameters
    ----------
    record
        Where findings are written: under group, region and temperature.
    area
        Where on the sensor.
    found
        The exposures of the series.
    reference
        The zero-light frames, which have a pair at least.
    gain
        K [electron/adu], or None.
    values
        Step of the stored values, and the value from which on pixels do not count [adu].
    """

    record: Record
    area: Area
    found: MeasuredSeries
    reference: Reference
    gain: AffineScalarFunc | None
    values: ValueRange

    def typical(self, *, pictures: bool) -> Typical | None:
        """Record the typical dark current and the share of hot pixels; None where there is none."""
        longest = self.found.longest_frames
        record = self.record.under(exposure=longest.exposure, temperature=longest.temperature)
        with record.attempt("dark_current_typical", "hot_pixel_fraction"):
            dark = self._map()
            first = typical(dark)
            with record.attempt("hot_pixel_fraction"):
                hot = hot_pixels(dark, first, outside=self.area.excluded)
                notes = (*dark.notes, *hot.notes)
                record.measured("hot_pixel_fraction", hot.fraction, "map of the longest darks", longest.n_frames, notes)
            notes = (*dark.notes, *first.notes)
            record.measured("dark_current_typical", first.rate, "median of the map", longest.n_frames, notes)
            if pictures:
                self._pictures(dark)
            return first
        return None

    def _map(self) -> DarkMap:
        if self.gain is None:
            raise NotMeasurableError(_NO_GAIN)
        moments, longest = self.reference.moments, self.found.longest
        hidden = self.reference.rounded
        if hidden is None and longest.temporal is not None:
            hidden = hidden_by_rounding(longest.temporal, self.values.lattice)
        if hidden is not None:
            raise NotMeasurableError(hidden)
        exposure = self.found.longest_frames.exposure - self.reference.exposure
        return dark_map(longest, moments, self.found.excluded, self.gain, exposure=exposure)

    def _pictures(self, dark: DarkMap) -> None:
        maps, place, t = self.record.results.maps, self.record.place, dark.exposure
        rates = np.where(dark.excluded, np.nan, dark.electrons / np.float32(t))
        title = f"of {dark.n_frames[0]} darks of {t:g} s"
        maps[f"{place}/dark_current"] = picture(rates, "electron / s", f"dark current {title}, level by noise")
        tiles = grid(dark.tiles.electrons / t, dark.excluded.shape, "electron / s", f"dark current {title}, by noise")
        maps[f"{place}/dark_current_tiles"] = tiles

    def glow(self) -> GlowGrowth | None:
        """Record how the glow grows with exposure; None where there is none to measure."""
        record = self.record
        with record.attempt("glow_exponent"):
            bias = self.reference.tiles(self.found.outliers)
            darks = [one.ordinary for one in self.found.sets if one.ordinary is not None]
            if bias is None:
                raise NotMeasurableError("one bias frame: glow is seen above two or more; shoot 20")
            glow = glow_growth(bias, darks, self.gain)
            record.measured("glow_exponent", glow.exponent, "power of exposure", glow.n_frames, glow.notes)
            record.fit("glow", glow.record(**_temperature(record)))
            title = "exponent of the glow's growth"
            exponents = grid(glow.exponents, self.found.excluded.shape, "1", title)
            record.results.maps[f"{self.record.place}/glow_exponent"] = exponents
            return glow
        return None

    def popular(self) -> None:
        """Record what the popular methods say of these darks, and whether it may be believed."""
        record, zero, last = self.record, self.reference, self.found.longest_frames
        bias = ExposedStack(zero.exposure, self.area.load(zero.frames.rows), zero.moments)
        darks = [
            ExposedStack(one.frames.exposure, self.area.load(one.frames.rows), one.moments)
            for one in self.found.sets
            if one.frames.exposure <= last.exposure
        ]
        warmth = record.conditions.get("temperature")
        excluded, lattice = self.found.excluded, self.values.lattice
        for row in popular_rows(bias, darks, self.gain, excluded=excluded, lattice=lattice, temperature=warmth):
            record.row("popular_methods", **row)
            if row["method"] == _RATIO and row["value"] is not None and self.gain is not None:
                record.add(_of_two_exposures(row))

    def classes(self, flats: pd.DataFrame, typical_electrons: float | None) -> PixelClasses | None:
        """Record the classes of the pixels; None where they cannot be told."""
        record = self.record
        with record.attempt("telegraph_fraction"):
            darks = self._dark_stacks()
            lit = None
            if len(flats):
                stack = self.area.load(flats)
                lit = PixelStack(stack, levels(stack).frame_means, float(flats["exposure"].max()))
            bias = PixelStack.of(
                self.area.load(self.reference.frames.rows), self.reference.moments, self.reference.exposure
            )
            found = classify_pixels(
                bias,
                darks,
                flats=lit,
                excluded=self.area.excluded,
                saturation=self.values.saturation,
                tolerance=self._bend(),
                gain=None if self.gain is None else float(self.gain.nominal_value),
                dark_signal=typical_electrons,
            )
            self._class_rows(found)
            record.results.pixel_classes[self.record.place] = found
            if found.telegraph_fraction is None:
                raise NotMeasurableError(found.refused["telegraph_2_levels"])
            n_frames = bias.n_frames + darks[-1].n_frames
            record.measured(
                "telegraph_fraction", found.telegraph_fraction, "levels of each pixel", n_frames, found.notes
            )
            return found
        return None

    def _bend(self) -> float:
        """Bend of a hot pixel's growth that proves nothing: 2 %, and what a temperature that moved does to it."""
        known = [one.frames.temperature for one in self.found.sets if one.frames.temperature is not None]
        return max(_STRAIGHT, _PER_KELVIN * (max(known) - min(known))) if known else _STRAIGHT

    def _dark_stacks(self) -> list[PixelStack]:
        """Return the stacks of all exposures up to the longest that has a pair, which has its maps."""
        last, zero = self.found.longest_frames, self.reference.exposure
        stacks = [
            PixelStack(self.area.load(one.frames.rows), one.moments.frame_means, one.frames.exposure - zero)
            for one in self.found.sets
            if zero < one.frames.exposure < last.exposure
        ]
        return [*stacks, PixelStack.of(self.area.load(last.rows), self.found.longest, last.exposure - zero)]

    def _class_rows(self, found: PixelClasses) -> None:
        for one in FLAG_MEANINGS:
            why = found.refused.get(one.name)
            n = None if why else found.counts[one.name]
            share = None if n is None else n / found.n_judged
            self.record.row(
                "pixel_classes", pixel_class=one.name, n_pixels=n, share=share, meaning=one.meaning, why_not=why
            )

    def budget(self, glow: GlowGrowth | None, classes: PixelClasses | None) -> None:
        """Record the noise budgets of a bias frame and of one of the longest darks."""
        record, lattice, longest = self.record, self.values.lattice, self.found.longest_frames
        with record.attempt("noise_budget"):
            excluded = self.found.excluded
            bias = frame_noise(self.area.load(self.reference.frames.rows), self.reference.moments, excluded)
            self._read_noise(bias)
            flags = None if classes is None or classes.telegraph_fraction is None else classes.flags
            jumping = None if flags is None else (flags & _READ_JUMPS) != 0
            self._rows("bias", self.reference.exposure, bias.n_frames, bias_budget(bias, lattice, jumping))
            dark = frame_noise(self.area.load(longest.rows), self.found.longest, excluded)
            known = {}
            if self.gain is not None and glow is not None:
                variance = glow.current * (longest.exposure - self.reference.exposure) / self.gain**2
                known["glow shot noise"] = Estimate(float(variance.nominal_value), float(variance.std_dev))
            if self.gain is not None and flags is not None:
                switching = (flags & PixelFlag.TELEGRAPH_DARK) != 0
                known["dark-current telegraph"] = switching_noise(dark, bias, switching, self.gain)
            self._rows("dark", longest.exposure, dark.n_frames, dark_budget(dark, bias, lattice, jumping, known))

    def _read_noise(self, bias: FrameNoise) -> None:
        """Record how the read noise differs from pixel to pixel; without a gain in adu."""
        record, lattice, zero = self.record, self.values.lattice, self.reference.moments
        if zero.variance_map is None:
            return
        scale = number(1.0, 0.0) if self.gain is None else self.gain
        unit = "adu" if self.gain is None else "electron"
        maps, shared = (zero.variance_map, zero.n_frames, self.found.excluded), bias.temporal.shared
        spread = read_noise_distribution(*maps, lattice, scale, common=shared)
        found = {name: getattr(spread, name) for name in ("median", "spread", "tail")}
        figures = {name: float(one.nominal_value) for name, one in found.items()}
        errors = {name: float(one.std_dev) for name, one in found.items()}
        fit = {"chi2": spread.chi2, "dof": spread.dof, "n_pixels": spread.n_pixels, "n_frames": spread.n_frames}
        record.fit("read_noise", {**_temperature(record), "unit": unit, **figures, "std_errors": errors, **fit})
        values = np.where(self.found.excluded, np.nan, read_noise_map(maps[0], lattice, float(scale.nominal_value)))
        record.results.maps[f"{record.place}/read_noise"] = picture(values, unit, f"read noise, {maps[1]} bias frames")

    def _rows(self, frames: str, exposure: float, n_frames: int, terms: Iterable[NoiseTerm]) -> None:
        for one in terms:
            in_electrons = None if self.gain is None else one.noise(self.gain)
            self.record.row(
                "noise_budget",
                **_temperature(self.record),
                frames=frames,
                exposure=exposure,
                term=one.term,
                kind=one.kind,
                variance=one.variance,
                std_error=one.std_error,
                noise=None if in_electrons is None else float(in_electrons.nominal_value),
                noise_error=None if in_electrons is None else float(in_electrons.std_dev),
                n_frames=n_frames,
            )


def _of_two_exposures(row: Mapping[str, Any]) -> Measurement:
    short, long = row["exposures"]
    return Measurement(
        row["quantity"],
        row["value"],
        row["std_error"],
        row["unit"],
        _RATIO,
        conditions={"exposure": long, "short_exposure": short},
        n_frames=3,
        notes=(
            "a ratio where a difference belongs: it returns about the same whatever the dark current is",
            row["reason"],
        ),
    )


def _temperature(record: Record) -> dict[str, float | None]:
    return {"temperature": record.conditions.get("temperature")}
