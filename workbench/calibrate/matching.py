"""Which dark belongs to a light, and why: a criterion, a tolerance and a reason each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.calibrate.match_criteria import (
    SAME,
    dark_criteria,
    exposure_tolerance,
    in_words,
    missing,
    same_settings,
    shape_of,
    tolerances,
)
from workbench.frames.suitability import CLUSTER_GAP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.calibrate.match_criteria import Criterion, Row
    from workbench.results import Measurement

__all__ = ["Match", "match_dark", "match_flat"]


@dataclass(frozen=True)
class Match:
    """The frames that belong to a light, or the nearest that do not.

    Parameters
    ----------
    chosen
        Index labels of the rows that match, of one set: as many frames as agree in all criteria. Empty when none does.
    criteria
        Of the set that was chosen, or of the nearest.
    nearest
        Index labels of the nearest set where none matches; else those that were chosen.
    reason
        In a line: what was chosen and why, or what would match and what is nearest.
    notes
        What to know: an assumed doubling temperature, values that headers do not say.
    """

    chosen: tuple[Any, ...]
    criteria: tuple[Criterion, ...]
    nearest: tuple[Any, ...]
    reason: str
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a match."""
        return bool(self.chosen)


def match_dark(
    light: Row,
    candidates: pd.DataFrame,
    *,
    doubling_temperature: Measurement | float | None = None,
    scalable: bool = False,
) -> Match:
    """Find the darks that belong to a light.

    Parameters
    ----------
    light
        Row of a catalogue.
    candidates
        Rows of a catalogue: darks, or master darks.
    doubling_temperature
        See :func:`tolerances`.
    scalable
        Whether darks longer than the light serve too, to be scaled down: only where the verdict is ``scale``.

    Returns
    -------
    Match
        Of the sets of darks that agree in all criteria the one nearest in exposure and temperature. A value that a
        header does not hold forbids nothing, and is noted.

    Notes
    -----
    Exposures agree within 1 % or 1 ms. Temperatures agree where the dark current differs by less than 5 %: within
    ``T_d log2(1.05)``, but never closer than headers tell, 0.1 K.
    """
    allowed = tolerances(doubling_temperature)
    sets = [_Set(rows, tuple(dark_criteria(light, rows, allowed, scalable=scalable))) for rows in _sets(candidates)]
    found = _chosen(light, sets, "dark")
    notes = [allowed.source] if allowed.guess and any(one.name == "temperature" for one in found.criteria) else []
    notes += [one.reason for one in found.criteria if one.ok is None]
    return Match(found.chosen, found.criteria, found.nearest, found.reason, tuple(notes))


def match_flat(light: Row, candidates: pd.DataFrame) -> Match:
    """Find the flats that belong to a light: of its camera, shape, binning, readout mode, gain setting and filter.

    Of several sets the one shot nearest in time is chosen; a filter that only one of both names does not match.
    """
    same = (*SAME, "filter")
    sets = [_Set(rows, tuple(same_settings(same, light, rows.iloc[0]))) for rows in _sets(candidates)]
    return _chosen(light, sets, "flat")


# ---- sets of like frames --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Set:
    """Frames that would make one master, and how they stand to the light."""

    rows: pd.DataFrame
    criteria: tuple[Criterion, ...]

    @property
    def ok(self) -> bool:
        return all(one.ok is not False for one in self.criteria)

    def rank(self, light: Row) -> tuple[float, ...]:
        """Return what the least of is the nearest: impossible things, tolerances missed, unknowns, days apart."""
        impossible = sum(math.isinf(one.miss) for one in self.criteria)
        missed = sum(one.miss for one in self.criteria if math.isfinite(one.miss))
        unknown = sum(one.ok is None for one in self.criteria)
        days = (self.rows["date"] - light["date"]).abs().median() / pd.Timedelta(days=1) if "date" in self.rows else 0.0
        return impossible, missed, unknown, 1e9 if pd.isna(days) else days

    @property
    def words(self) -> str:
        n, first = len(self.rows), str(self.rows["file"].iloc[0])
        return first if n == 1 else f"{n} frames such as {first}"


def _sets(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the frames that agree among themselves; a master is a set of its own."""
    if not len(rows):
        return
    ordered = rows.sort_values(["exposure", "temperature"], kind="stable")
    keys, steps = [], {"exposure": -1, "temperature": -1}
    last: dict[str, float | None] = {"exposure": None, "temperature": None}
    for number, (_, row) in enumerate(ordered.iterrows()):
        for name in ("exposure", "temperature"):
            value = None if missing(row[name]) else float(row[name])
            before = last[name]
            same = value == before if value is None or before is None else abs(value - before) <= _gap(name, value)
            steps[name] += not same or steps[name] < 0
            last[name] = value
        told = [
            shape_of(row) if name == "shape" else row.get(name)
            for name in (*SAME, "set_temperature", "filter", "overscan")
        ]
        own = number if bool(row.get("master", False)) else -1
        keys.append((*("" if missing(one) else str(one) for one in told), steps["exposure"], steps["temperature"], own))
    for _, members in ordered.groupby(pd.Series(keys, index=ordered.index), sort=False):
        yield members.sort_values("file", kind="stable")


def _gap(name: str, value: float) -> float:
    return exposure_tolerance(value) if name == "exposure" else CLUSTER_GAP


def _chosen(light: Row, sets: list[_Set], kind: str) -> Match:
    if not sets:
        return Match((), (), (), f"{light['file']}: there are no {kind}s; {_wanted(light, kind)} would match")
    best = min(sets, key=lambda one: (not one.ok, *one.rank(light)))
    labels = tuple(best.rows.index)
    if best.ok:
        agree = ", ".join(one.name.replace("_", " ") for one in best.criteria if one.ok and not one.miss)
        also = "".join(f"; {one.reason}" for one in best.criteria if one.miss)
        return Match(labels, best.criteria, labels, f"{light['file']}: {best.words} agree in {agree}{also}")
    why = "; ".join(one.reason for one in best.criteria if one.ok is False)
    reason = f"{light['file']}: no {kind} matches; {_wanted(light, kind)} would; nearest are {best.words}, but {why}"
    return Match((), best.criteria, labels, reason)


def _wanted(light: Row, kind: str) -> str:
    apart = ("exposure", "temperature") if kind == "dark" else ("filter",)
    names = ("camera", "gain_setting", "offset_setting", "binning", *apart)
    units = {"exposure": " s", "temperature": " deg C"}
    told = [f"{name.replace('_', ' ')} {in_words(light[name])}{units.get(name, '')}" for name in names]
    return f"{kind}s of " + ", ".join(one for one in told if not one.endswith("not known"))
