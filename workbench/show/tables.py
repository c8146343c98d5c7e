"""What a survey found, as tables of HTML for the camera report; every text is escaped on its way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.results import Results, Verdict, rounded
from workbench.show.markup import Html, beneath, joined, table, tag
from workbench.show.selection import (
    OF_COLUMN,
    Column,
    column_of,
    column_title,
    columns,
    found_at,
    given_gain,
    hidden_conditions,
    in_nomenclature_order,
    in_order,
    key_measurements,
    side_by_side,
)
from workbench.show.words import (
    METHODS,
    conditions_in_words,
    definition,
    meaning,
    places_in_words,
    sentence,
    unit_in_words,
    verdict_in_words,
)
from workbench.units import NOMENCLATURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.results import Measurement


# no report is complete without them, or the reason why they are missing
_ASKED = ("gain", "read_noise", "dark_current")
_NOTHING = "Nothing could be measured; the reasons are below."


def value_html(one: Measurement) -> Html:
    """Write a value with its error and unit so that it does not break over lines."""
    unit = unit_in_words(one.unit)
    return tag("span", _number(one), f" {unit}" if unit else "", class_="value")


def _number(one: Measurement) -> str:
    value, error = rounded(one.value, one.std_error)
    return f"{value} ± {error}" if one.std_error else value


def _where(conditions: Mapping[str, Any]) -> str:
    return _units(conditions_in_words(conditions, without=OF_COLUMN))


def _units(words: str) -> str:
    return words.replace(" deg C", "\u00a0°C").replace(" s", "\u00a0s")


def summary_html(results: Results) -> Html:
    """Show the numbers that most owners want, one line of meaning each, and the verdicts.

    Returns
    -------
    Html
        A table with a row for each quantity and a column for each group and region, its notes, then the verdicts.
        What every owner asks for has a row even where it could not be measured, with the reason.
    """
    places = side_by_side(results)
    known: dict[str, dict[Column, Measurement]] = {}
    for one in key_measurements(results):
        known.setdefault(one.name, {})[column_of(one)] = one
    asked = {one.name for one in results.not_measured} & set(_ASKED)
    notes: dict[str, int] = {}
    rows = [
        [quantity_html(name), *(_summary_cell(results, name, place, known.get(name, {}), notes) for place in places)]
        for name in in_nomenclature_order(known.keys() | asked)
    ]
    head = ["quantity", *(column_title(place, results) for place in places)]
    numbers = table(head, rows) if places and rows else tag("p", _NOTHING, class_="absent")
    return joined([numbers, _footnotes(notes), verdict_html(results)])


def quantity_html(name: str) -> Html:
    """Write a quantity's name with what it is."""
    return joined([tag("strong", name.replace("_", " ")), beneath(definition(name))])


def _summary_cell(
    results: Results, name: str, place: Column, known: Mapping[Column, Measurement], notes: dict[str, int]
) -> Html:
    one = found_at(place, known)
    if one is not None:
        parts = [value_html(one), _marks(one, notes), beneath(meaning(one))]
        return joined([*parts, beneath(_where(one.conditions), class_="where")])
    given = given_gain(results)
    if name == "gain" and given:
        value = tag("span", given.replace("+/-", "±"), class_="value")
        return joined([value, beneath("Given, and used for all electrons.")])
    reasons = {column_of(other): other.reason for other in reversed(results.not_measured) if other.name == name}
    return joined([tag("span", "not measured", class_="absent"), beneath(found_at(place, reasons) or "")])


def measurements_html(results: Results) -> Html:
    """Show every measurement, with its error, method, conditions and frames; the notes stand below, once each.

    What was measured once stands in one table, groups and regions side by side; what was measured at several exposures
    has a table of its own, methods side by side.
    """
    if not results.measurements:
        return tag("p", _NOTHING, class_="absent")
    notes: dict[str, int] = {}
    ordered = in_order(results.measurements)
    many = dict.fromkeys(one.name for one in ordered if "exposure" in one.conditions)
    parts = [_measured_once(results, [one for one in ordered if one.name not in many], notes)]
    for name in many:
        parts += [tag("h3", _title(name)), tag("p", definition(name))]
        parts.append(_measured_often(results, [one for one in ordered if one.name == name], notes))
    return joined([*parts, _footnotes(notes)])


def _measured_once(results: Results, ones: Sequence[Measurement], notes: dict[str, int]) -> Html:
    places = side_by_side(results)
    rows: dict[tuple[str, str, str], dict[Column, Measurement]] = {}
    for one in ones:
        where = _where(one.conditions)
        rows.setdefault((one.name, one.method, where), {})[column_of(one)] = one
    head = ["quantity", *(column_title(place, results) for place in places), "how", "where"]
    body = [
        [name.replace("_", " "), *(_value_cell(found_at(place, found), notes) for place in places), _how(method), where]
        for (name, method, where), found in rows.items()
    ]
    return table(head, body) if body else Html()


def _measured_often(results: Results, ones: Sequence[Measurement], notes: dict[str, int]) -> Html:
    several = len(columns(results)) > 1
    methods = list(dict.fromkeys(one.method for one in ones))
    rows: dict[tuple[str, str], dict[str, Measurement]] = {}
    for one in ones:
        column = column_title(column_of(one), results) if several else ""
        where = _where(one.conditions)
        rows.setdefault((column, where), {})[one.method] = one
    head = [*(["of"] if several else []), "where", *(_how(method) for method in methods)]
    body = [
        [
            *([column] if several else []),
            where,
            *(_value_cell(found.get(method), notes, unit=False) for method in methods),
        ]
        for (column, where), found in rows.items()
    ]
    return table(head, body)


def _title(name: str) -> str:
    unit = unit_in_words(NOMENCLATURE[name].unit) if name in NOMENCLATURE else ""
    return name.replace("_", " ").capitalize() + (f" [{unit}]" if unit else "")


def _how(method: str) -> str:
    return METHODS.get(method, method.replace("_", " "))


def _value_cell(one: Measurement | None, notes: dict[str, int], *, unit: bool = True) -> Html:
    if one is None:
        return tag("span", "-", class_="absent")
    frames = f"{one.n_frames} frames" if one.n_frames else ""
    value = value_html(one) if unit else tag("span", _number(one), class_="value")
    return joined([value, _marks(one, notes), beneath(frames)])


def _marks(one: Measurement, notes: dict[str, int]) -> Html:
    """Return the marks of a measurement's notes, numbered in the order in which they first occur."""
    marks = [str(notes.setdefault(note, len(notes) + 1)) for note in one.notes]
    return tag("sup", ", ".join(marks)) if marks else Html()


def _footnotes(notes: Mapping[str, int]) -> Html:
    return tag("ol", *(tag("li", sentence(note)) for note in notes), class_="notes") if notes else Html()


def verdict_html(results: Results) -> Html:
    """Show each verdict as a question, its answer and the reason in words."""
    parts = []
    for name, verdict in results.verdicts.items():
        question, answer = verdict_in_words(name, verdict)
        each = verdict.details.get("by_group", [])
        differ = len({(one["value"], one["reason"]) for one in each}) > 1
        parts += [
            tag("dt", question),
            tag("dd", tag("strong", answer), " ", sentence(verdict.reason)),
            *(_one_verdict(name, one) for one in each if differ),
        ]
    return tag("dl", *parts, class_="verdicts") if parts else Html()


def _one_verdict(name: str, one: Mapping[str, Any]) -> Html:
    where = conditions_in_words({key: one[key] for key in ("group", "region") if key in one})
    answer = verdict_in_words(name, Verdict(one["value"], one["reason"]))[1]
    return tag("dd", where, ": ", tag("strong", answer), " ", sentence(str(one["reason"])))


def not_measured_html(results: Results) -> Html:
    """Show what the frames could not tell, why, and what to shoot; the same reason is given once."""
    if not results.not_measured:
        return tag("p", "Everything that the workbench knows how to measure was measured.")
    reasons: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in results.not_measured:
        reasons.setdefault((one.name, one.reason), []).append(one.conditions)
    without = hidden_conditions(results)
    rows = [
        [quantity_html(name), sentence(reason), _units(places_in_words(places, without=without)) or "everywhere"]
        for (name, reason), places in reasons.items()
    ]
    return table(["quantity", "why not", "where"], rows)
