"""In what a dark, or a flat, has to agree with a light, how far it may be off, and the reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from workbench.results import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from workbench.results import Measurement

    Row: TypeAlias = Mapping[str, Any] | pd.Series

__all__ = [
    "ASSUMED_DOUBLING",
    "SAME",
    "Criterion",
    "Tolerances",
    "dark_criteria",
    "exposure_tolerance",
    "in_words",
    "missing",
    "same_settings",
    "sameness",
    "shape_of",
    "tolerances",
]

ASSUMED_DOUBLING = 6.0  # K: of silicon near 0 deg C; a guess for any one camera
_SHARE = 0.05  # of the dark current, by which it may differ
_EXPOSURE_SHARE, _EXPOSURE_STEP = 0.01, 1e-3  # relative, and s
_ZERO = 273.15  # K at 0 deg C
_READING = 0.1  # K: the step of the headers' temperatures
# what has to be the same, in the order of how little can be done about it
SAME = ("camera", "binning", "shape", "readout_mode", "gain_setting", "offset_setting")


@dataclass(frozen=True)
class Tolerances:
    """How far a dark's temperature may be from the light's.

    Parameters
    ----------
    doubling_temperature
        Warming that doubles the dark current [K], at ``at`` [deg_C]; None where it does not depend on temperature.
    at
        Where that holds.
    share
        By how much the dark current may differ.
    guess
        Whether the doubling temperature is assumed and not measured.
    source
        Where it comes from, in words.
    """

    doubling_temperature: float
    at: float | None
    share: float
    guess: bool
    source: str

    def temperature(self, light_temperature: float) -> float:
        """Return the tolerance at a temperature [K]: ``T_d log2(1 + share)``, T_d growing as T^2."""
        doubling = self.doubling_temperature
        if self.at is not None:
            doubling *= ((light_temperature + _ZERO) / (self.at + _ZERO)) ** 2
        return max(doubling * math.log2(1 + self.share), _READING)


@dataclass(frozen=True)
class Criterion:
    """One thing in which a dark and a light should agree.

    Parameters
    ----------
    name
        Column of the catalogue.
    light, candidate
        Their values; None where not known.
    tolerance
        How far they may be from each other, None where they have to be the same.
    ok
        Whether they agree; None where one does not say, which does not forbid.
    reason
        All that in words.
    miss
        How far they are from each other in tolerances; infinite where nothing bridges it.
    """

    name: str
    light: Any
    candidate: Any
    tolerance: float | None
    ok: bool | None
    reason: str
    miss: float


def tolerances(doubling_temperature: Measurement | float | None = None, *, share: float = _SHARE) -> Tolerances:
    """Tell how near in temperature a dark has to be.

    Parameters
    ----------
    doubling_temperature
        As measured, ``results.find("doubling_temperature")``, or a number its user gives [K]; None assumes 6 K, and
        says that this is a guess.
    share
        By how much the dark current may differ.

    Examples
    --------
    >>> assumed = tolerances()
    >>> round(assumed.temperature(-10.0), 2), assumed.guess
    (0.42, True)
    """
    if doubling_temperature is None:
        measure = "a report on darks of 3 temperatures measures it: give its results.json"
        words = f"a guess: T_d = {ASSUMED_DOUBLING:g} K is assumed; {measure}"
        return Tolerances(ASSUMED_DOUBLING, None, share, guess=True, source=words)
    if isinstance(doubling_temperature, int | float):
        words = f"T_d = {doubling_temperature:g} K as given"
        return Tolerances(float(doubling_temperature), None, share, guess=False, source=words)
    at = doubling_temperature.conditions.get("temperature")
    value, error = rounded(doubling_temperature.value, doubling_temperature.std_error)
    where = "" if at is None else f" at {at:g} deg C"
    words = f"T_d = {value} +/- {error} K{where}, measured"
    return Tolerances(doubling_temperature.value, at, share, guess=False, source=words)


def exposure_tolerance(exposure: float) -> float:
    """Return by how much exposures may differ [s]: 1 %, or 1 ms."""
    return max(_EXPOSURE_STEP, _EXPOSURE_SHARE * exposure)


def dark_criteria(light: Row, rows: pd.DataFrame, allowed: Tolerances, *, scalable: bool) -> Iterator[Criterion]:
    """Yield how a set of darks stands to a light, criterion by criterion."""
    yield from same_settings(SAME, light, rows.iloc[0])
    yield _exposure(light, rows, scalable=scalable)
    yield _temperature(light, rows, allowed)


def same_settings(names: Iterable[str], light: Row, other: pd.Series) -> Iterator[Criterion]:
    """Yield how a set of frames stands to the light in what has to be the same, and in their overscan where one is."""
    yield from (sameness(name, light, other) for name in names)
    one, two = (None if missing(row.get("overscan")) else row["overscan"] for row in (light, other))
    if one == two:
        if one is not None:
            yield Criterion("overscan", one, two, None, ok=True, reason="overscan alike", miss=0.0)
        return
    reason = f"its overscan is {two or 'not subtracted'}, the light's {one or 'not subtracted'}"
    yield Criterion("overscan", one, two, None, ok=False, reason=reason, miss=math.inf)


def sameness(name: str, light: Row, other: pd.Series) -> Criterion:
    """Compare a value that has to be the same; what one side does not say forbids nothing, filters apart."""
    one, two = (shape_of(row) if name == "shape" else row.get(name) for row in (light, other))
    called, kind = name.replace("_", " "), other.get("kind") or "frame"
    if missing(one) and missing(two):
        return Criterion(name, None, None, None, None, f"neither light nor {kind} says its {called}", 0.0)
    if missing(one) or missing(two):
        who = "the light" if missing(one) else f"the {kind}"
        said = in_words(two if missing(one) else one)
        strict = name == "filter"
        reason = f"{who} does not say its {called} ({said} on the other side)"
        return Criterion(name, one, two, None, False if strict else None, reason, math.inf if strict else 0.0)
    same = bool(one == two)
    reason = f"{called} {in_words(one)}" if same else f"its {called} is {in_words(two)}, the light's {in_words(one)}"
    return Criterion(name, one, two, None, same, reason, 0.0 if same else math.inf)


def _exposure(light: Row, rows: pd.DataFrame, *, scalable: bool) -> Criterion:
    one, two = light["exposure"], rows["exposure"].median()
    if missing(one) or missing(two):
        return Criterion("exposure", one, two, None, ok=False, reason="an exposure is not known", miss=math.inf)
    allowed = exposure_tolerance(float(one))
    off = abs(float(two) - float(one))
    near, scaled = off <= allowed, scalable and bool(two > one)
    if near:
        reason = f"exposure {two:g} s, within {allowed:.3g} s"
    elif scaled:
        reason = f"exposure {two:g} s, to be scaled down by {one / two:.4g}"
    elif scalable:
        reason = f"its exposure is {two:g} s, the light's {one:g} s: a dark is never scaled up"
    else:
        reason = (
            f"its exposure is {two:g} s, the light's {one:g} s: {off:.3g} s off, more than the {allowed:.3g} s allowed"
        )
    return Criterion("exposure", one, two, allowed, near or scaled, reason, 0.0 if near else off / allowed)


def _temperature(light: Row, rows: pd.DataFrame, allowed: Tolerances) -> Criterion:
    one, two = light["temperature"], rows["temperature"].median()
    if missing(one) or missing(two):
        who = "the light" if missing(one) else "the darks"
        return Criterion("temperature", one, two, None, None, f"the temperature of {who} is not known", 0.0)
    limit = allowed.temperature(float(one))
    off = abs(float(two) - float(one))
    change = abs(math.expm1(off * math.log1p(allowed.share) / limit))
    guess = ", a guess" if allowed.guess else ""
    percent = f"{100 * change:.2g}" if change < 1 else f"{100 * change:.0f}"  # no powers of ten
    share = f"(dark current within {100 * allowed.share:g} %{guess})"
    ok = off <= limit + 1e-9
    if ok:
        reason = f"temperature {two:.4g} deg C, {off:.2g} K off; within {limit:.2g} K is allowed {share}"
    else:
        much = f"{off:.2g} K off ({percent} % of dark current), more than the {limit:.2g} K allowed {share}"
        reason = f"its temperature is {two:.4g} deg C, {much}"
    return Criterion("temperature", one, two, limit, ok, reason, 0.0 if ok else off / limit)


def shape_of(row: Row) -> tuple[int, int] | None:
    """Return rows and columns of a row of the catalogue."""
    height, width = row.get("height"), row.get("width")
    return None if height is None or width is None or missing(height) else (int(height), int(width))


def missing(value: Any) -> bool:
    """Tell whether a value of the catalogue is not known."""
    return value is None or (not isinstance(value, tuple) and bool(pd.isna(value)))


def in_words(value: Any) -> str:
    """Write a value as messages do."""
    if missing(value):
        return "not known"
    if isinstance(value, tuple):
        return f"{value[1]} x {value[0]}"
    return f"{value:g}" if isinstance(value, float) else str(value)
