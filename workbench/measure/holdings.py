"""What a report holds of one group: which frames there are, as far as the results tell, and what they could not say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.results import Measurement, NotMeasured, Results

_GAP = 1.5  # K between temperatures that somebody chose
_ONE_DARK = "one dark of this exposure"
_ADVICE = "shuffled order"
_BIAS_TERM = "temporal variance of a bias"


@dataclass(frozen=True)
class Series:
    """Darks of one temperature [deg_C] (None where no header tells it): how many of each exposure [s].

    ``wander`` is by how much the temperature differs between its exposures [K].
    """

    temperature: float | None
    wander: float
    sets: dict[float, int]

    @property
    def longest(self) -> float:
        """Its longest exposure [s]."""
        return max(self.sets)


@dataclass(frozen=True)
class Holdings:
    """One group of a report.

    ``n_pixels`` and ``n_flat_levels`` are those of the region that has fewest; ``series`` of darks longer than 0 s,
    that of most frames first; ``bias_variance`` of one bias frame [adu2]; ``verdicts`` on this
    group by their names; ``missing`` are the quantities that were not measured, those of the other series left out.
    """

    group: str
    n_pixels: int
    n_bias: int
    bias_temperatures: tuple[float, ...]
    n_flat_levels: int
    gain_given: bool
    series: tuple[Series, ...]
    bias_variance: float | None
    verdicts: Mapping[str, Mapping[str, Any]]
    missing: tuple[NotMeasured, ...]
    out_of_order: tuple[str, ...]
    measured: tuple[Measurement, ...] = field(repr=False)

    def find(self, name: str, method: str | None = None, **conditions: Any) -> Measurement | None:
        """Return the first measurement of that name, method and conditions; None where there is none."""
        for one in self.measured:
            same = all(one.conditions.get(key) == value for key, value in conditions.items())
            if one.name == name and method in (None, one.method) and same:
                return one
        return None

    def reason(self, name: str) -> str | None:
        """Return why a quantity was not measured; None where that is not said."""
        return next((one.reason for one in self.missing if one.name == name), None)


def holdings(results: Results, group: str) -> Holdings:
    """Collect what a report holds of one group.

    Parameters
    ----------
    results
        From a survey, or read from ``results.json``.
    group
        Its id.
    """
    measured = tuple(one for one in results.measurements if one.conditions.get("group") == group)
    missing = [one for one in results.not_measured if one.conditions.get("group") == group]
    series = _series(_dark_sets(results, group, missing))
    others = {exact for one in series[1:] for exact in _readings(results, group, one)}
    budget = [one for one in results.tables.get("noise_budget", []) if one.get("group") == group]
    bias = [one["variance"] for one in budget if one["term"] == _BIAS_TERM]
    levels_measured = [one for one in measured if one.name == "bias_level"]
    return Holdings(
        group=group,
        n_pixels=_n_pixels(results, group),
        n_bias=max(_bias_counts(measured, budget), default=0),
        bias_temperatures=tuple(
            one.conditions["temperature"] for one in levels_measured if "temperature" in one.conditions
        ),
        n_flat_levels=_n_flat_levels(results, group),
        gain_given=results.parameters.get("gain") is not None,
        series=series,
        bias_variance=float(bias[0]) if bias else None,
        verdicts=_verdicts(results, group),
        missing=tuple(one for one in missing if one.conditions.get("temperature") not in others),
        out_of_order=_out_of_order(results, group),
        measured=measured,
    )


def _n_pixels(results: Results, group: str) -> int:
    """Return the pixels of the smallest tap, of a plane of the colour mosaic, or of the frame."""
    described = next(one for one in results.groups if one["id"] == group)
    height, width = (int(one) for one in described["shape"])
    taps = [one for one in described.get("regions", []) if one["role"] == "tap"]
    if taps:
        sides = ((range(height)[slice(*one["rows"])], range(width)[slice(*one["columns"])]) for one in taps)
        return min(len(rows) * len(columns) for rows, columns in sides)
    return height * width // (4 if results.parameters.get("per_bayer") else 1)


def _bias_counts(measured: Sequence[Measurement], budget: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Yield every count of bias frames that the results tell; a budget needs four of them."""
    yield from (one.n_frames for one in measured if one.name in ("bias_level", "read_noise"))
    yield from (one["n_frames"] for one in budget if one.get("frames") == "bias" and one.get("n_frames"))


def _n_flat_levels(results: Results, group: str) -> int:
    """Return how many levels of flats tell the gain, in the region that has fewest."""
    rows = [one for one in results.tables.get("gain_levels", []) if one.get("group") == group]
    regions = {one.get("region") for one in rows}
    return min((sum(one["linear"] for one in rows if one.get("region") == region) for region in regions), default=0)


def _verdicts(results: Results, group: str) -> dict[str, Mapping[str, Any]]:
    """Return the first verdict of each name on the group, be it of the whole frame or of a region."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, verdict in results.verdicts.items():
        for one in verdict.details.get("by_group", []):
            if one.get("group") == group:
                found.setdefault(name, one)
    return found


def _dark_sets(results: Results, group: str, missing: Sequence[NotMeasured]) -> dict[tuple[float | None, float], int]:
    """Return how many darks there are of each temperature [deg_C] and exposure [s]; those of 0 s hold no dark."""
    sets: dict[tuple[float | None, float], int] = {}
    for table in ("dark_mean", "variance"):
        for row in results.tables.get(table, []):
            if row.get("group") == group:
                sets[row.get("temperature"), row["exposure"]] = row["n_frames"]
    for one in missing:
        if one.reason.startswith(_ONE_DARK) and "exposure" in one.conditions:
            sets.setdefault((one.conditions.get("temperature"), one.conditions["exposure"]), 1)
    return {(temperature, exposure): n for (temperature, exposure), n in sets.items() if exposure > 0}


def _series(sets: Mapping[tuple[float | None, float], int]) -> tuple[Series, ...]:
    """Split the sets where temperatures leave a gap of 1.5 K; without temperatures they are one series."""
    known = sorted({temperature for temperature, _ in sets if temperature is not None})
    parts: list[list[float | None]] = [[None]] if any(temperature is None for temperature, _ in sets) else []
    for k, temperature in enumerate(known):
        if k and temperature - known[k - 1] <= _GAP:
            parts[-1].append(temperature)
        else:
            parts.append([temperature])
    found = []
    for part in parts:
        inside = {exposure: n for (temperature, exposure), n in sets.items() if temperature in part}
        degrees = [one for one in part if one is not None]
        mean = round(sum(degrees) / len(degrees), 1) if degrees else None
        found.append(Series(mean, max(degrees) - min(degrees) if degrees else 0.0, inside))
    return tuple(sorted(found, key=lambda one: -sum(one.sets.values())))


def _readings(results: Results, group: str, series: Series) -> set[float]:
    """Return the very temperatures [deg_C] under which the results speak of that series."""
    known = {
        row["temperature"]
        for row in results.tables.get("variance", [])
        if row.get("group") == group and row.get("temperature") is not None
    }
    centre = series.temperature
    return set() if centre is None else {one for one in known if abs(one - centre) <= series.wander + _GAP / 2}


def _out_of_order(results: Results, group: str) -> tuple[str, ...]:
    """Return why the order of the exposures spoils what they tell: a temperature or a drift that went along with it."""
    found = [one.rule for one in results.problems if one.file == f"darks of {group}" and "confounded" in one.rule]
    for fit in results.fits.get("dark_mean", []):
        if fit.get("group") == group:
            notes = [note for note in fit.get("notes", []) if _ADVICE in note]
            found += [re.split("[;:] [^;:]*" + _ADVICE, note)[0] for note in notes]
    return tuple(found)
