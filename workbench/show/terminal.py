"""The numbers of a report as aligned text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.show.selection import (
    OF_COLUMN,
    Column,
    column_of,
    column_title,
    columns,
    given_gain,
    hidden_conditions,
    longest_exposures,
)
from workbench.show.words import conditions_in_words, places_in_words, printable, sentence, verdict_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from workbench.results import Measurement, Results


def results_table(results: Results) -> str:
    """Write what was measured at the longest exposures, what was not and why, the verdicts, and how many faults.

    Returns
    -------
    str
        Lines without colours or control characters; columns are separated by two blanks.
    """
    data = results.dataset
    lines = [f"{printable(data['name'])}: {data['n_used']} of {data['n_frames']} frames used"]
    given = given_gain(results)
    lines += [f"converted with the given gain, {given}"] if given else []
    for place in columns(results):
        lines += ["", *_numbers(results, place)]
    lines += _not_measured(results)
    for name, verdict in results.verdicts.items():
        question, answer = verdict_in_words(name, verdict)
        lines += ["", f"{question} {answer} {printable(sentence(verdict.reason))}"]
    if results.problems:
        count = len(results.problems)
        lines += ["", f"{count} fault{' is' if count == 1 else 's are'} listed in the report"]
    return "\n".join(lines)


def _numbers(results: Results, place: Column) -> list[str]:
    rows = [
        [one.name, str(one), one.method + _doubt(one), conditions_in_words(one.conditions, without=OF_COLUMN)]
        for one in longest_exposures(results)
        if column_of(one) == place
    ]
    title = column_title(place, results)
    return ([] if title == "value" else [f"{printable(title)}:"]) + aligned(rows)


def _doubt(one: Measurement) -> str:
    return " (meaningless)" if any(note.startswith("meaningless") for note in one.notes) else ""


def _not_measured(results: Results) -> list[str]:
    if not results.not_measured:
        return []
    without = hidden_conditions(results)
    places: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in results.not_measured:
        places.setdefault((one.name, one.reason), []).append(one.conditions)
    names: dict[tuple[str, str], list[str]] = {}
    for (name, reason), where in places.items():
        names.setdefault((places_in_words(where, without=without), reason), []).append(name)
    rows = (f"  {', '.join(ones)}{f' ({where})' if where else ''}: {reason}" for (where, reason), ones in names.items())
    return ["", "not measured:", *(printable(row) for row in rows)]


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Pad the cells of each column to one width.

    Examples
    --------
    >>> aligned([["gain", "0.25"], ["read_noise", "1.4"]])
    ['gain        0.25', 'read_noise  1.4']
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
