"""What a survey found, as tables of HTML for the camera report; every text is escaped on its way in."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from workbench.results import Results, Verdict, rounded
from workbench.show.markup import Html, joined, table, tag
from workbench.show.selection import OF_COLUMN, Column, column_of, column_title, columns, in_order, key_measurements
from workbench.show.words import (
    METHODS,
    conditions_in_words,
    definition,
    meaning,
    number,
    unit_in_words,
    verdict_in_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from workbench.results import Measurement, NotMeasured

_OPTIONS = {"gain": "--gain", "gain_error": "--gain-error", "manifest": "--manifest"}
_FLAGS = {"accept": "--accept", "per_bayer": "--per-bayer", "use_bias": "--use-bias"}


def value_html(one: Measurement) -> Html:
    """Write a value with its error and unit so that it does not break over lines."""
    value, error = rounded(one.value, one.std_error)
    unit = unit_in_words(one.unit)
    return tag("span", f"{value} ± {error}", f" {unit}" if unit else "", class_="value")


def summary_html(results: Results) -> Html:
    """Show the numbers that most owners want, one line of meaning each, and the verdicts.

    Returns
    -------
    Html
        A table with a row for each quantity and a column for each group and region, then the verdicts.
    """
    chosen = key_measurements(results)
    places = columns(results)
    names = list(dict.fromkeys(one.name for one in chosen))
    by_place = {(one.name, column_of(one)): one for one in chosen}
    rows = [[_quantity(name), *(_summary_cell(by_place.get((name, place))) for place in places)] for name in names]
    head = ["quantity", *(column_title(place, results) for place in places)]
    numbers = (
        table(head, rows) if rows else tag("p", "Nothing could be measured; the reasons are below.", class_="absent")
    )
    return joined([numbers, verdict_html(results)])


def _quantity(name: str) -> Html:
    return joined([tag("strong", name.replace("_", " ")), tag("small", definition(name))])


def _summary_cell(one: Measurement | None) -> Html:
    if one is None:
        return tag("span", "not measured", class_="absent")
    where = conditions_in_words(one.conditions, without=OF_COLUMN)
    return joined([value_html(one), tag("small", meaning(one)), tag("small", where, class_="where")])


def measurements_html(results: Results) -> Html:
    """Show every measurement: value and error, method, conditions, frames, notes; groups and regions side by side."""
    places = columns(results)
    rows: dict[tuple[Any, ...], dict[Column, Measurement]] = {}
    for one in in_order(results.measurements):
        rest = tuple((key, value) for key, value in one.conditions.items() if key not in OF_COLUMN)
        rows.setdefault((one.name, one.method, rest), {})[column_of(one)] = one
    notes: dict[str, int] = {}
    body = []
    for (name, method, rest), found in rows.items():
        cells = [_value_cell(found.get(place), notes) for place in places]
        body.append([name.replace("_", " "), *cells, METHODS.get(method, method), conditions_in_words(dict(rest))])
    head = ["quantity", *(column_title(place, results) for place in places), "how", "where"]
    if not body:
        return tag("p", "Nothing could be measured; the reasons are below.", class_="absent")
    return joined([table(head, body), _footnotes(notes)])


def _value_cell(one: Measurement | None, notes: dict[str, int]) -> Html:
    if one is None:
        return tag("span", "-", class_="absent")
    marks = [str(notes.setdefault(note, len(notes) + 1)) for note in one.notes]
    frames = f"{one.n_frames} frames" if one.n_frames else ""
    return joined([value_html(one), *([tag("sup", ", ".join(marks))] if marks else []), tag("small", frames)])


def _footnotes(notes: Mapping[str, int]) -> Html:
    return tag("ol", *(tag("li", note) for note in notes), class_="notes") if notes else Html()


def verdict_html(results: Results) -> Html:
    """Show each verdict as a question, its answer and the reason in words, with the figures behind it."""
    parts = []
    for name, verdict in results.verdicts.items():
        question, answer = verdict_in_words(name, verdict)
        single = verdict.details.get("by_group", [])
        figures = conditions_in_words(
            {key: one for key, one in verdict.details.items() if isinstance(one, (int, float, str))}
        )
        parts += [
            tag("dt", question),
            tag("dd", tag("strong", answer), " ", verdict.reason, tag("small", figures) if figures else ""),
            *(_one_verdict(name, one) for one in single if len(single) > 1),
        ]
    return tag("dl", *parts, class_="verdicts") if parts else Html()


def _one_verdict(name: str, one: Mapping[str, Any]) -> Html:
    where = conditions_in_words({key: one[key] for key in ("group", "region") if key in one})
    answer = verdict_in_words(name, Verdict(one["value"], one["reason"]))[1]
    return tag("dd", where, ": ", tag("strong", answer), " ", str(one["reason"]))


def not_measured_html(results: Results) -> Html:
    """Show what the frames could not tell, why, and what to shoot; the same reason is given once."""
    if not results.not_measured:
        return tag("p", "Everything that the workbench knows how to measure was measured.")
    reasons: dict[tuple[str, str], list[NotMeasured]] = {}
    for one in results.not_measured:
        reasons.setdefault((one.name, one.reason), []).append(one)
    rows = [
        [_quantity(name), reason, joined((_place(one) for one in ones), "; ")]
        for (name, reason), ones in reasons.items()
    ]
    return table(["quantity", "why not", "where"], rows)


def _place(one: NotMeasured) -> str:
    return conditions_in_words(one.conditions, without={"gain_setting", "offset_setting"}) or "everywhere"


def problems_html(results: Results) -> Html:
    """Show file by file what is wrong with the frames and what was done about it."""
    if not results.problems:
        return tag("p", "No faults were found in the frames.")
    rows = [[one.file, one.rule, one.action] for one in results.problems]
    return table(["file", "what is wrong", "what was done"], rows)


def dataset_html(results: Results) -> Html:
    """Show which frames were measured, and the groups that they fall into."""
    data = results.dataset
    used = f"{data['n_used']} of {data['n_frames']} frames were used."
    facts = tag("p", tag("strong", str(data["name"])), ": ", used)
    head = [
        "group",
        "camera",
        "pixels",
        "lattice",
        "gain setting",
        "offset setting",
        "readout mode",
        "binning",
        "regions",
        "frames",
    ]
    rows = [_group_row(group) for group in results.groups]
    return joined([facts, table(head, rows)]) if rows else facts


def _group_row(group: Mapping[str, Any]) -> list[str]:
    height, width = group["shape"]
    regions = ", ".join(str(region.get("name", "")) for region in group["regions"])
    keys = ("lattice", "gain_setting", "offset_setting", "readout_mode", "binning")
    middle = [number(group[key]) or "-" for key in keys]
    return [
        group["id"],
        group["camera"] or "not named",
        f"{width} x {height}",
        *middle,
        regions or "-",
        str(group["n_frames"]),
    ]


def rows_html(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], *, caption: str = "") -> Html:
    """Show some columns of one of the results' tables.

    Parameters
    ----------
    rows
        Records as in ``Results.tables`` or ``Results.fits``.
    titles
        Which keys to show, and the title of each column; columns that no record fills are left out.
    """
    shown = {key: title for key, title in titles.items() if any(row.get(key) is not None for row in rows)}
    if not rows or not shown:
        return Html()
    return table(list(shown.values()), ([number(row.get(key)) for key in shown] for row in rows), caption=caption)


def fits_html(results: Results) -> Html:
    """Show the curves fitted to the dark mean: the preferred model, its coefficients, how well it fits, the drop."""
    rows = [_fit_row(fit) for fit in results.fits.get("dark_mean", [])]
    titles = {
        "group": "group",
        "region": "region",
        "temperature": "temperature [°C]",
        "model": "model",
        "coefficients": "coefficients [adu, adu/s, adu/s²]",
        "chi2": "χ² / degrees of freedom",
        "f_test_p": "F test p",
        "aicc": "AICc",
        "drop": "drop [adu]",
        "onset": "onset [s]",
        "uses_bias": "bias in the fit",
    }
    return rows_html(rows, titles)


def _fit_row(fit: Mapping[str, Any]) -> dict[str, Any]:
    errors = fit["std_errors"]
    terms = (
        " ± ".join((name + " = " + f"{value:.5g}", f"{errors.get(name, 0.0):.2g}"))
        for name, value in fit["coefficients"].items()
    )
    scores = (f"{model} {score:.1f}" for model, score in fit["aicc"].items() if score is not None)
    return {
        **fit,
        "coefficients": "; ".join(terms),
        "chi2": f"{fit['chi2']:.4g} / {fit['dof']}",
        "aicc": ", ".join(scores) or None,
        "uses_bias": "yes" if fit["uses_bias"] else "no",
    }


def convergence_html(results: Results, published: pd.DataFrame) -> Html:
    """Show the dark current from 2, 4, ... n darks of the longest exposure, beside a published column.

    Parameters
    ----------
    published
        Columns ``n_frames`` and ``dark_current`` [electron / s], as from ``published_convergence``.
    """
    longest: dict[Column, float] = {}
    for row in results.tables.get("convergence", []):
        place = (row["group"], row.get("region") or "")
        longest[place] = max(row["exposure"], longest.get(place, 0.0))
    beside = dict(zip(published["n_frames"], published["dark_current"], strict=True))
    rows = [
        {**row, **_rates(row), "published": beside.get(row["n_frames"])}
        for row in results.tables.get("convergence", [])
        if row["exposure"] == longest[row["group"], row.get("region") or ""]
    ]
    titles = {
        "group": "group",
        "region": "region",
        "temperature": "temperature [°C]",
        "exposure": "exposure [s]",
        "n_frames": "darks",
        "current": "dark current [electron / s]",
        "rate": "variance rate [adu² / s]",
        "published": "published [electron / s]",
    }
    return rows_html(rows, titles)


def _rates(row: Mapping[str, Any]) -> dict[str, str | None]:
    pairs = {"current": ("dark_current", "std_error"), "rate": ("dark_variance_rate", "dark_variance_rate_error")}
    return {
        title: " ± ".join(rounded(row[value], row[error])) if row.get(value) is not None else None
        for title, (value, error) in pairs.items()
    }


def repeat_html(results: Results, dataset: str, **parameters: Any) -> Html:
    """Show how to repeat the report: the command, the fingerprint of the frames, the versions.

    Parameters
    ----------
    dataset
        What was measured, as it was named to the report.
    **parameters
        The report's other parameters.
    """
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return joined(
        [
            tag("pre", command_line(dataset, parameters)),
            tag("p", "Frames (sha256 of what was read): ", tag("code", str(results.dataset["sha256"]))),
            tag("p", f"Workbench {results.workbench}; {versions}." if versions else f"Workbench {results.workbench}."),
        ]
    )


def command_line(dataset: str, parameters: Mapping[str, Any]) -> str:
    """Write the command that measures these frames again.

    Examples
    --------
    >>> command_line("my darks", {"gain": 0.25, "accept": True, "manifest": None})
    "workbench report 'my darks' --gain 0.25 --accept"
    """
    words = ["workbench", "report", dataset]
    for key, option in _OPTIONS.items():
        if parameters.get(key) is not None:
            words += [option, number(parameters[key])]
    words += [option for key, option in _FLAGS.items() if parameters.get(key)]
    return shlex.join(words)
