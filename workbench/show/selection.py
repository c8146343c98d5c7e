"""Which numbers stand side by side, and which one of several methods a summary names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from workbench.units import NOMENCLATURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from workbench.results import Measurement, NotMeasured, Results

_Entry = TypeVar("_Entry")
Column = tuple[str, str]  # group and region, "" where there is none
# conditions that a column's title or the table of groups tells already
OF_COLUMN = frozenset({"group", "region", "gain_setting", "offset_setting"})

# methods whose number is a dark current on any camera; those that ask the mean of a dark are not among them
_BY_NOISE = frozenset(
    ("temporal_variance_masked", "temporal_variance", "mean_of_pairs", "composite", "pair", "variance_slope")
)
_MASKED = "temporal_variance_masked"
_RATES = frozenset(("dark_current", "dark_variance_rate"))
_DRIFT = 3.0  # K
_ORDER = {name: place for place, name in enumerate(NOMENCLATURE)}


def column_of(one: Measurement | NotMeasured) -> Column:
    """Return the column in which a number stands: its group and its region."""
    return str(one.conditions.get("group") or ""), str(one.conditions.get("region") or "")


def columns(results: Results) -> list[Column]:
    """List the groups, and the regions in them, in the order in which they were measured."""
    return list(dict.fromkeys(column_of(one) for one in results.measurements))


def hidden_conditions(results: Results) -> frozenset[str]:
    """Name the conditions that need no saying: the settings of a group, and the group itself where there is one."""
    return OF_COLUMN - {"region"} - ({"group"} if len(results.groups) > 1 else set())


def side_by_side(results: Results) -> list[Column]:
    """List the columns of a table: a group that has regions is shown by its regions alone."""
    places = columns(results)
    divided = {group for group, region in places if region}
    return [(group, region) for group, region in places if region or group not in divided]


def found_at(place: Column, by_place: Mapping[Column, _Entry]) -> _Entry | None:
    """Look a column's entry up; what holds for a whole group holds for its regions."""
    return by_place.get(place, by_place.get((place[0], "")))


def column_title(column: Column, results: Results) -> str:
    """Name a column by what tells it from the others: ``g1``, or ``g1, region E``."""
    group, region = column
    words = [group] if group and len(results.groups) > 1 else []
    words += [f"region {region}"] if region else []
    return ", ".join(words) or "value"


def given_gain(results: Results) -> str:
    """Write the gain that was given, with its error if that is known; nothing where none was given."""
    gain, error = (results.parameters.get(key) for key in ("gain", "gain_error"))
    if gain is None:
        return ""
    return f"{gain:g} {f'+/- {error:g} ' if error else ''}electron / adu"


def in_order(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Sort by the order of the nomenclature, keeping the survey's order within a name."""
    return sorted(measurements, key=lambda one: _ORDER.get(one.name, len(_ORDER)))


def in_nomenclature_order(names: Iterable[str]) -> list[str]:
    """Sort names of quantities, those that the nomenclature does not know last."""
    return sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def key_measurements(results: Results) -> list[Measurement]:
    """Choose one measurement of each quantity, group and region.

    Of the dark current at the temperature of most frames, the method and exposure with the smallest error; one that
    asks the mean of a dark is never chosen, for a clamp makes it meaningless. Of anything else, that of most frames.
    """
    rivals: dict[tuple[str, Column], list[Measurement]] = {}
    for one in _without_doubles(results):
        meaningless = any(note.startswith("meaningless") for note in one.notes)
        if not meaningless and (one.name not in _RATES or one.method in _BY_NOISE):
            rivals.setdefault((one.name, column_of(one)), []).append(one)
    return [_best(name, ones) for (name, _), ones in rivals.items()]


def _best(name: str, rivals: list[Measurement]) -> Measurement:
    most = max(rivals, key=lambda one: (one.n_frames, _exposure(one)))
    if name not in _RATES:
        return most
    alike = [one for one in rivals if _are_warm_alike(one, most)]
    masked = {_exposure(one) for one in alike if one.method == _MASKED}
    # where cosmic rays were looked for, the variance with them inside is no rival
    alike = [one for one in alike if one.method == _MASKED or _exposure(one) not in masked]
    return min(alike, key=lambda one: one.std_error)


def longest_exposures(results: Results) -> list[Measurement]:
    """Choose, for each quantity, method, temperature and column, the measurement at the longest exposure."""
    chosen: list[Measurement] = []
    for one in _without_doubles(results):
        rivals = [place for place, other in enumerate(chosen) if _are_alike(one, other)]
        if not rivals:
            chosen.append(one)
        elif _exposure(one) > _exposure(chosen[rivals[0]]):
            chosen[rivals[0]] = one
    return chosen


def _are_alike(one: Measurement, other: Measurement) -> bool:
    """Tell whether two measurements differ in nothing but the exposure, and in what an uncooled sensor drifts by."""
    if (one.name, one.method, column_of(one)) != (other.name, other.method, column_of(other)):
        return False
    return _are_warm_alike(one, other)


def _are_warm_alike(one: Measurement, other: Measurement) -> bool:
    first, second = one.conditions.get("temperature"), other.conditions.get("temperature")
    return first is None or second is None or abs(first - second) < _DRIFT


def _without_doubles(results: Results) -> list[Measurement]:
    """Leave out rates in adu where the same stands there in electrons."""
    known = {column_of(one) for one in results.measurements if one.name == "dark_current"}
    ordered = in_order(results.measurements)
    return [one for one in ordered if one.name != "dark_variance_rate" or column_of(one) not in known]


def _exposure(one: Measurement) -> float:
    return float(one.conditions.get("exposure") or 0.0)


def rows_of(results: Results, name: str, group: str | None, region: str | None) -> pd.DataFrame:
    """Return the rows of a table of one group (the first where none is named) and region."""
    table = results.table(name)
    if not len(table) or "group" not in table:
        return table
    table = table[table["group"] == (group or table["group"].iloc[0])]
    if "region" not in table or not len(table):
        return table
    wanted = region or table["region"].iloc[0]
    # another group may have regions where this one has none
    return table[table["region"] == wanted if isinstance(wanted, str) else table["region"].isna()]


def fits_of(results: Results, name: str, group: str | None, region: str | None) -> list[dict[str, Any]]:
    """Return the fits of that name of one group (the first where none is named) and region."""
    found = results.fits.get(name, [])
    group = group or (found[0]["group"] if found else None)
    found = [fit for fit in found if fit["group"] == group]
    region = region or (found[0].get("region") if found else None)
    return [fit for fit in found if fit.get("region") == region]


def first_group(results: Results) -> str:
    """Name the first group that has a map."""
    return next(iter(results.maps), "/").split("/", maxsplit=1)[0]
