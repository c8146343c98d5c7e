"""Sections of a frame as FITS headers write them: ``BIASSEC = '[1:16,1:520]'``, columns first, counted from 1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.frames.fits_header import Card

__all__ = ["SECTIONS", "header_sections", "parse_section"]

SECTIONS = ("BIASSEC", "TRIMSEC", "DATASEC")
_SECTION = re.compile(r"\[\s*(\*|-?\d+\s*:\s*-?\d+)\s*,\s*(\*|-?\d+\s*:\s*-?\d+)\s*\]")


def parse_section(text: str, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the index ``[y, x]`` of a section written as IRAF does: columns first, both ends counted from 1 and meant.

    Parameters
    ----------
    text
        Such as ``[17:528,1:520]``; ``*`` means all.
    shape
        (rows, columns) of the frame.

    Raises
    ------
    ValueError
        When it is no section, or not one of this frame; the message is the rule that it breaks.

    Examples
    --------
    >>> parse_section("[  17: 528,   1: 520]", (520, 536))
    (slice(0, 520, None), slice(16, 528, None))
    """
    found = _SECTION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text.strip()!r} is no section such as [first:last,first:last]")
    columns, rows = (_span(part, length) for part, length in zip(found.groups(), shape[::-1], strict=True))
    for axis, span, length in (("columns", columns, shape[1]), ("rows", rows, shape[0])):
        if not 1 <= span[0] <= span[1] <= length:
            raise ValueError(f"{axis} {span[0]} to {span[1]} are none of a frame with {length} {axis}")
    return slice(rows[0] - 1, rows[1]), slice(columns[0] - 1, columns[1])


def _span(part: str, length: int) -> tuple[int, int]:
    if part == "*":
        return 1, length
    first, last = part.split(":")
    return int(first), int(last)


def header_sections(
    file: str, cards: Iterable[Card], shape: tuple[int, int]
) -> tuple[dict[str, tuple[slice, slice]], list[Problem]]:
    """Read the sections that a header names; one that cannot be meant is named and ignored, not obeyed.

    Parameters
    ----------
    file
        What problems name.
    cards
        Of the header.
    shape
        (rows, columns) of the frame.

    Returns
    -------
    sections : dict
        Keyword -> index ``[y, x]``, of those of :data:`SECTIONS` that are there and legal.
    problems : list of Problem
        The others.
    """
    sections: dict[str, tuple[slice, slice]] = {}
    problems = []
    for card in cards:
        if card.key not in SECTIONS or not card.text.strip():
            continue
        try:
            sections[card.key] = parse_section(card.text, shape)
        except ValueError as error:
            problems.append(Problem(file, f"{card.key}: {error}", "ignored; name the regions in workbench.toml"))
    return sections, problems
