"""What surrounds the numbers of a report: the frames and their faults, fitted curves, convergence, how to repeat it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from workbench.results import Results, rounded
from workbench.show.markup import Html, joined, table, tag
from workbench.show.words import number, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from workbench.show.selection import Column

_OPTIONS = {"gain": "--gain", "gain_error": "--gain-error", "manifest": "--manifest"}
_FLAGS = {"accept": "--accept", "per_bayer": "--per-bayer", "use_bias": "--use-bias"}


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
        Which keys to show, and the title of each column; what no record fills is left out, as
        the group is where there is but one.
    """
    shown = {key: title for key, title in titles.items() if any(row.get(key) is not None for row in rows)}
    if len({row.get("group") for row in rows}) == 1:
        shown.pop("group", None)
    if not rows or not shown:
        return Html()
    return table(list(shown.values()), ([number(row.get(key)) for key in shown] for row in rows), caption=caption)


def fits_html(results: Results) -> Html:
    """Show the curves fitted to the dark mean: the preferred model, its coefficients, how well it fits, the drop."""
    fits = results.fits.get("dark_mean", [])
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
        "bias": "bias minus the fit [adu]",
    }
    notes = list(dict.fromkeys(note for fit in fits for note in fit["notes"]))
    remarks = tag("ul", *(tag("li", sentence(note)) for note in notes), class_="notes") if notes else Html()
    return joined([rows_html([_fit_row(fit) for fit in fits], titles), remarks])


def _fit_row(fit: Mapping[str, Any]) -> dict[str, Any]:
    errors = fit["std_errors"]
    terms = (f"{name} = {' ± '.join(rounded(value, errors[name]))}" for name, value in fit["coefficients"].items())
    scores = (f"{model} {score:.1f}" for model, score in fit["aicc"].items() if score is not None)
    figures = {key: f"{fit[key]:.3g}" for key in ("f_test_p", "onset") if fit[key] is not None}
    bias = "in the fit" if fit["uses_bias"] else None
    if "bias_minus_fit" in fit:
        bias = " ± ".join(rounded(fit["bias_minus_fit"], fit["bias_minus_fit_error"]))
    return {
        **fit,
        **figures,
        "coefficients": "; ".join(terms),
        "chi2": f"{fit['chi2']:.4g} / {fit['dof']}",
        "aicc": ", ".join(scores) or None,
        "drop": " ± ".join(rounded(fit["drop"], fit["drop_error"])),
        "bias": bias,
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
