"""Sections of headers: columns first, counted from 1, and not always to be trusted."""

import pytest

from workbench.frames.fits_header import Card
from workbench.frames.sections import header_sections, parse_section

SHAPE = (520, 536)


def test_a_section_is_columns_first_counted_from_one_with_both_ends():
    assert parse_section("[4:13,1:520]", SHAPE) == (slice(0, 520), slice(3, 13))
    assert parse_section("[*,2:3]", SHAPE) == (slice(1, 3), slice(0, 536))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("4:13,1:520", "is no section"),
        ("[0:13,1:520]", "columns 0 to 13 are none of a frame with 536 columns"),
        ("[1:537,1:520]", "columns 1 to 537"),
        ("[1:536,1:521]", "rows 1 to 521 are none of a frame with 520 rows"),
        ("[13:4,1:520]", "columns 13 to 4"),
    ],
)
def test_what_is_no_section_of_the_frame_says_which_rule_it_breaks(text, rule):
    with pytest.raises(ValueError, match=rule.replace("[", r"\[")):
        parse_section(text, SHAPE)


def test_a_bad_section_is_named_and_ignored():
    cards = [Card("BIASSEC", "[4:13,1:520]", ""), Card("TRIMSEC", "[17:600,1:520]", ""), Card("DATASEC", "", "")]
    sections, problems = header_sections("a.fits", cards, SHAPE)
    assert sections == {"BIASSEC": (slice(0, 520), slice(3, 13))}
    (problem,) = problems
    assert str(problem).startswith("a.fits: TRIMSEC: columns 17 to 600 are none of a frame with 536 columns; ignored")
