"""What a report tells beyond its numbers: noise budget, pixel classes, temperatures, popular methods, what to shoot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.results import Results, rounded
from workbench.show.facts import rows_html
from workbench.show.markup import Html, joined, tag
from workbench.show.words import METHODS, digits, number, sentence, unit_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KINDS = {
    "temporal": "changes from frame to frame",
    "fixed": "stays",
    "sum": "sum",
    "single frame": "measured",
    "residual": "left over",
}
_LAWS = {
    "doubling": "doubling",
    "arrhenius": "Arrhenius",
    "arrhenius_constant": "Arrhenius and a constant",
    "band_gap": "band gap of silicon",
}
_BELIEVE = {True: "yes", False: "no", None: "cannot be told"}
_POPULAR = {
    "script_choice": "what the script would choose",
    "two_exposure_difference": "difference of variances at two exposures",
    "gain_from_darks": "gain: variance of darks against their mean",
    "gain_from_pixels": "gain: variance of pixels against their mean",
}
_PLACE = {"group": "group", "region": "region"}


def budget_html(results: Results) -> Html:
    """Show the noise budgets: each term in adu and electrons, what they sum to, and what the frame itself has."""
    rows = results.tables.get("noise_budget", [])
    parts = []
    for frames, exposure in dict.fromkeys((row["frames"], row["exposure"]) for row in rows):
        title = "One bias frame" if frames == "bias" else f"One dark of {exposure:g} s"
        chosen = [_budget_row(row) for row in rows if (row["frames"], row["exposure"]) == (frames, exposure)]
        titles = {
            "term": "term",
            **_PLACE,
            "kind": "what it does",
            "variance": "variance [adu²]",
            "noise": "noise [electron]",
        }
        parts.append(rows_html(chosen, titles, caption=title))
    return joined([*parts, *(_read_noise(row) for row in results.fits.get("read_noise", []))])


def _read_noise(row: Mapping[str, Any]) -> Html:
    errors = row["std_errors"]
    median, spread, tail = (_with_error(row[name], errors[name]) for name in ("median", "spread", "tail"))
    return tag(
        "p",
        f"The median pixel has a read noise of {median} {row['unit']}; its natural logarithm scatters by {spread} over "
        f"the pixels. A share of {tail} of them is noisier than that leads to expect: telegraph pixels are among them.",
    )


def _budget_row(row: Mapping[str, Any]) -> dict[str, Any]:
    noise = None if row.get("noise") is None else _with_error(row["noise"], row["noise_error"])
    variance = _with_error(row["variance"], row["std_error"])
    return {**row, "kind": _KINDS[row["kind"]], "variance": variance, "noise": noise}


def classes_html(results: Results) -> Html:
    """Show how many pixels every class has, or why these frames cannot tell it."""
    rows = [
        {
            **row,
            "pixel_class": row["pixel_class"].replace("_", " "),
            "n_pixels": row["why_not"] or f"{row['n_pixels']:,}",
            "share": None if row["share"] is None else f"{digits(1e6 * row['share'], 3)} of a million",
        }
        for row in results.tables.get("pixel_classes", [])
    ]
    titles = {"pixel_class": "class", **_PLACE, "n_pixels": "pixels", "share": "share", "meaning": "meaning"}
    return rows_html(rows, titles)


def temperatures_html(results: Results) -> Html:
    """Show the typical dark current of each temperature, what a kelvin does there, the laws and the energies."""
    rows = [_temperature_row(row) for row in results.tables.get("temperature", [])]
    titles = {
        "temperature": "temperature [°C]",
        **_PLACE,
        "exposure": "exposure [s]",
        "n_frames": "darks",
        "dark_current": "typical dark current [electron / s]",
        "doubling_temperature": "doubles in [K]",
        "per_kelvin": "1 K is [%]",
        "match_5_percent": "for 5 % match to [K]",
        "match_1_percent": "for 1 % match to [K]",
    }
    laws = [_law_row(row) for row in results.fits.get("temperature", [])]
    of_laws = {
        "law": "law",
        **_PLACE,
        "coefficients": "coefficients",
        "chi2": "χ² / degrees of freedom",
        "aicc": "AICc",
        "weight": "weight of evidence",
    }
    return joined([rows_html(rows, titles), rows_html(laws, of_laws), _energies(results)])


def _temperature_row(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {**row, "dark_current": _with_error(row["dark_current"], row["std_error"])}
    for name in ("doubling_temperature", "match_5_percent", "match_1_percent"):
        if name in row:
            shown[name] = _with_error(row[name], row[f"{name}_error"])
    if "per_kelvin" in row:
        shown["per_kelvin"] = _with_error(100 * row["per_kelvin"], 100 * row["per_kelvin_error"])
    return shown


def _law_row(row: Mapping[str, Any]) -> dict[str, Any]:
    errors = row["std_errors"]
    terms = (f"{name} = {_with_error(value, errors[name])}" for name, value in row["coefficients"].items())
    return {
        **row,
        "law": _LAWS[row["model"]],
        "coefficients": "; ".join(terms),
        "chi2": f"{row['chi2']:.3g} / {row['dof']}",
        "aicc": None if row["aicc"] is None else f"{row['aicc']:.1f}",
        "weight": f"{row['weight']:.2f}",
    }


def _energies(results: Results) -> Html:
    sentences = []
    for row in results.fits.get("energies", []):
        errors = row["std_errors"]
        normal, hot, apart = (_with_error(row[name], errors[name]) for name in ("normal", "hot", "difference"))
        sentences.append(
            f"Normal pixels have an energy of {normal} eV, {row['n_hot']} hot pixels {hot} eV: they differ by {apart} "
            "eV. Where these differ, no one factor brings a dark of another temperature to fit both."
        )
    return joined(tag("p", one) for one in sentences)


def popular_html(results: Results) -> Html:
    """Show what the popular methods say of these darks, and whether it may be believed."""
    rows = [
        {
            **row,
            "method": METHODS.get(row["method"]) or _POPULAR.get(row["method"], row["method"]),
            "exposures": " and ".join(f"{one:g}" for one in row["exposures"][:: max(1, len(row["exposures"]) - 1)]),
            "value": "not measured" if row["value"] is None else _in_unit(row),
            "verdict_ok": _BELIEVE[row["verdict_ok"]] if row["value"] is not None else "",
            "reason": sentence(row["reason"]) if row["reason"] else None,
        }
        for row in results.tables.get("popular_methods", [])
    ]
    titles = {
        "method": "method",
        **_PLACE,
        "exposures": "exposures [s]",
        "value": "result",
        "verdict_ok": "to be believed",
        "reason": "why",
    }
    return rows_html(rows, titles)


def _in_unit(row: Mapping[str, Any]) -> str:
    return f"{_with_error(row['value'], row['std_error'])} {unit_in_words(row['unit'])}"


def plan_html(results: Results) -> Html:
    """Show what to shoot: what is missing, what would make it better, what the lights need."""
    plan = results.tables.get("acquisition_plan", [])
    if not plan:
        return tag("p", "Nothing is missing.")
    rows = [_plan_row(row) for row in plan]
    titles = {
        "need": "need",
        "group": "group",
        "what": "what to shoot",
        "how": "how",
        "why": "why",
        "enables": "what it tells",
        "precision": "how well",
    }
    return joined([rows_html(rows, titles), _orders(plan)])


def _plan_row(row: Mapping[str, Any]) -> dict[str, Any]:
    counts, exposures = row["counts"], row["exposures"]
    if exposures:
        what = ", ".join(f"{n} of {t:g} s" for n, t in zip(counts, exposures, strict=True))
        what = f"{row['kind']}: {what}"
    else:
        what = f"{sum(counts)} {row['kind']}"
    if row["temperatures"]:
        what += " at each of " + ", ".join(f"{one:g} °C" for one in row["temperatures"])
    shown = {key: sentence(row[key]) if row[key] else None for key in ("how", "why", "precision")}
    names = ", ".join(name.replace("_", " ") for name in row["enables"])
    return {**row, **shown, "group": row["group"] or None, "what": what, "enables": names or None}


def _orders(plan: Sequence[Mapping[str, Any]]) -> Html:
    lines = []
    for row in plan:
        if row["order"]:
            order = ", ".join(number(float(one)) for one in row["order"])
            lines.append(tag("details", tag("summary", f"Order of the {len(row['order'])} {row['kind']}s [s]"), order))
    return joined(lines)


def _with_error(value: float, error: float) -> str:
    return " ± ".join(rounded(value, error)) if error else f"{value:.4g}"
