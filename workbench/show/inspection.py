"""What ``workbench inspect`` prints: the catalogue in groups, then conflicts and faults, file by file."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.show.words import printable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pandas as pd

    from workbench.frames.headers import HeaderValue
    from workbench.results import Problem

WIDTH = 100
_LONGEST = 300  # characters of a rule that are shown: it may quote a header
_SETTINGS = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
_LISTED = 20  # files of one fault that get a line each


def inspection_text(table: pd.DataFrame) -> str:
    """Describe a catalogue for a terminal of 100 columns.

    Parameters
    ----------
    table
        From :func:`workbench.catalogue`.

    Returns
    -------
    str
        How many frames of which camera, settings, kind, exposure and temperature there are; which values are guesses
        and where they come from; then every file that has a conflict or a fault.
    """
    usable = int(table["usable"].sum())
    name = table.attrs["root"].name if "root" in table.attrs else "frames"
    head = f"{name}: {_count(len(table), 'file')}, {usable} may be measured"
    blocks = [[printable(head)], *(_group_lines(rows) for rows in _groups(table)), _guess_lines(table)]
    blocks += [_unread_lines(table), _problem_lines(table)]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def inspection_json(table: pd.DataFrame) -> dict[str, Any]:
    """Describe a catalogue for a program: its groups, its files with the source of each value, and its problems.

    Parameters
    ----------
    table
        From :func:`workbench.catalogue`.
    """
    manifest = table.attrs.get("manifest")
    return {
        "root": str(table.attrs.get("root", "")),
        "manifest": str(manifest.path) if manifest and manifest.path else None,
        "n_files": len(table),
        "n_usable": int(table["usable"].sum()),
        "groups": [_group_record(rows) for rows in _groups(table)],
        "files": [_file_record(row) for row in table.to_dict(orient="records")],
        "problems": [asdict(one) for one in _all_problems(table)],
    }


def _file_record(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    record = {str(key): _plain(value) for key, value in row.items() if key not in ("header", "source", "problems")}
    record["date"] = record["date"] and record["date"].isoformat()
    record["header"] = {name: _origin_record(known) for name, known in row["header"].items()}
    record["problems"] = [{"rule": one.rule, "action": one.action} for one in row["problems"]]
    return record


def _origin_record(known: HeaderValue) -> dict[str, Any]:
    return {"raw": known.raw, "key": known.key, "source": known.source, "guess": known.guess}


# ---- groups ---------------------------------------------------------------------------------------------------------


def _groups(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Split a catalogue into its groups, g1 first."""
    names = sorted(table["group"].dropna().unique(), key=lambda name: int(name[1:]))
    return [table[table["group"] == name] for name in names]


def _group_record(rows: pd.DataFrame) -> dict[str, Any]:
    first = rows.iloc[0]
    return {
        "id": first["group"],
        **{key: _plain(first[key]) for key in (*_SETTINGS, "height", "width")},
        "n_files": len(rows),
        "n_usable": int(rows["usable"].sum()),
        "sets": [_set_record(members) for members in _sets(rows)],
    }


def _set_record(members: pd.DataFrame) -> dict[str, Any]:
    """Describe frames of one kind, exposure and set point; exposure and temperature are [least, greatest] or None."""
    first = members.iloc[0]
    return {
        "kind": _plain(first["kind"]),
        "master": bool(first["master"]),
        "exposure": _span(members["exposure"]),
        "temperature": _span(members["temperature"]),
        "set_temperature": _plain(first["set_temperature"]),
        "n_files": len(members),
        "n_usable": int(members["usable"].sum()),
    }


def _sets(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Split a group by kind, master, set point and exposure (those within 0.5 % of the next one are one)."""
    ordered = rows.sort_values(["master", "kind", "set_temperature", "exposure"], kind="stable")
    starts: list[int] = []
    before: tuple[Any, float] | None = None
    for number, row in enumerate(ordered.itertuples()):
        key, exposure = (row.kind, row.master, str(row.set_temperature)), float(row.exposure)
        near = before and before[0] == key and (exposure <= before[1] * 1.005 or str(exposure) == str(before[1]))
        if not near:
            starts.append(number)
        before = (key, exposure)
    return [ordered.iloc[start:stop] for start, stop in zip(starts, [*starts[1:], len(ordered)], strict=True)]


def _group_lines(rows: pd.DataFrame) -> list[str]:
    record = _group_record(rows)
    settings = [f"{key.replace('_', ' ')} {_word(record[key])}" for key in _SETTINGS[1:] if record[key] is not None]
    camera = record["camera"] or "camera unknown"
    title = ", ".join([f"{record['id']}  {camera}", f"{record['width']} x {record['height']} pixels", *settings])
    head = ("kind", "exposure [s]", "temperature [deg C]", "set point", "gain setting", "files", "usable")
    lines = [head, *(_set_cells(one, record) for one in record["sets"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    table = [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return [*_wrapped(printable(title), "    "), *table]


def _set_cells(one: dict[str, Any], group: dict[str, Any]) -> tuple[str, ...]:
    kind = f"{'master ' if one['master'] else ''}{one['kind'] or 'unknown'}"
    spans = (_span_words(one["exposure"]), _span_words(one["temperature"]))
    numbers = (str(one["n_files"]), str(one["n_usable"]))
    return (kind, *spans, _word(one["set_temperature"]), _word(group["gain_setting"]), *numbers)


def _span(values: pd.Series[float]) -> list[float] | None:
    known = values.dropna()
    return None if known.empty else [float(known.min()), float(known.max())]


def _span_words(span: list[float] | None) -> str:
    if span is None:
        return "unknown"
    low, high = (f"{value:.6g}" for value in span)
    return low if low == high else f"{low} to {high}"


def _plain(value: Any) -> Any:
    """Return what JSON can hold: None for what is missing."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the only number that differs from itself
        return None
    return value


def _word(value: Any) -> str:
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else printable(value)


# ---- guesses and faults ---------------------------------------------------------------------------------------------


def _guess_lines(table: pd.DataFrame) -> list[str]:
    """Count the values that are guesses, by quantity and source."""
    read = table[table["group"].notna()]
    guessed = Counter(
        (known.name, _origin(known)) for header in read["header"] for known in header.values() if known.guess
    )
    lines = [f"    {name} from {origin}: {_count(number, 'file')}" for (name, origin), number in guessed.items()]
    return ["Guesses, which a workbench.toml beside the frames can correct:", *lines] if lines else []


def _origin(known: HeaderValue) -> str:
    return f"the {known.source}" if known.source != "header" else f"the header's {printable(known.key)}"


def _unread_lines(table: pd.DataFrame) -> list[str]:
    unread = table[table["group"].isna()]
    kinds = Counter(str(kind or "unknown kind") for kind in unread["kind"])
    words = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    return [f"Not readable: {_count(len(unread), 'file')} (by name: {words})"] if len(unread) else []


def _all_problems(table: pd.DataFrame) -> list[Problem]:
    return [*table.attrs.get("problems", ()), *(one for problems in table["problems"] for one in problems)]


def _problem_lines(table: pd.DataFrame) -> list[str]:
    problems = _all_problems(table)
    if not problems:
        return ["No conflicts, no faults."]
    same: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        same.setdefault((one.rule, one.action), []).append(one)
    alike: dict[str, list[list[Problem]]] = {}
    for ones in same.values():
        alike.setdefault(re.sub(r"[-\d.]+", "#", ones[0].rule), []).append(ones)
    lines = [f"{_count(len(problems), 'conflict or fault', 'conflicts and faults')}:"]
    for runs in alike.values():
        merged = [[one for run in runs for one in run]] if len(runs) > _LISTED else runs
        lines += [line for run in merged for line in _run_lines(run)]
    return lines


def _run_lines(run: Sequence[Problem]) -> list[str]:
    """Name every file of a run with one fault: by itself, or under the fault (or the first, where numbers differ)."""
    first = run[0]
    if len(run) <= 2:
        return [line for one in run for line in _wrapped(f"  {printable(one.file)}: {_what(one)}", "      ")]
    alike = all(one.rule == first.rule for one in run)
    how_many = f"  {len(run)} files" if alike else f"  {len(run)} files, the first of them"
    head = _wrapped(f"{how_many}: {_what(first)}", "      ")
    names = [printable(one.file) for one in run]
    if len(run) <= _LISTED:
        return [*head, *(f"      {name}" for name in names)]
    return [*head, *_wrapped("      " + ", ".join(names), "      ")]


def _what(one: Problem) -> str:
    rule = one.rule if len(one.rule) <= _LONGEST else one.rule[: _LONGEST - 3] + "..."
    return printable(f"{rule}; {one.action}")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
