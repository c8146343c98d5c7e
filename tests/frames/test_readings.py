"""Numbers, units and dates as programs write them."""

# ruff: noqa: DTZ001 - dates of the vocabulary are UTC and carry no zone
from __future__ import annotations

from datetime import datetime

import pytest

from workbench.frames.readings import (
    UnreadableError,
    before,
    celsius,
    number_of,
    plain_number,
    seconds,
    seconds_of,
    utc,
)

GARBAGE = ["", " ", "abc", "'", "1..2", "--1", "0x10", "1e", "T", "nan", "inf", "1e999", "\x00", "1;2", "\u0661"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3,2E-05", 3.2e-5),
        ("1.5D+02", 150.0),
        ("10.", 10.0),
        (".5", 0.5),
        (" 7 ", 7.0),
        ("-10", -10.0),
        ("+1e-3", 1e-3),
        ("0,1", 0.1),
    ],
)
def test_a_number_is_read_however_it_is_written(text, value):
    assert number_of(text) == (value, "")


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_is_no_number_and_no_date(text):
    for read in (plain_number, utc, lambda given: seconds(given, "", "s"), lambda given: celsius(given, "")):
        with pytest.raises(UnreadableError):
            read(text)


@pytest.mark.parametrize(
    ("text", "comment", "unit", "value"),
    [
        ("300", "", "s", 300.0),
        ("32", "Exposure time in us", "us", 3.2e-5),
        ("1999", "Exposure (ms)", "ms", 1.999),
        ("1999", "Exposure (ms)", "s", 1.999),
        ("2", "[sec] Duration of exposure", "ms", 2.0),
        ("0.5", "[s] Exposure duration", "s", 0.5),
        ("100 ms", "", "s", 0.1),
        ("250 \N{MICRO SIGN}s", "", "s", 2.5e-4),
        ("2 min", "", "s", 120.0),
        ("30", "The total exposure time in seconds", "s", 30.0),
        ("30", "in the dome", "s", 30.0),
    ],
)
def test_the_unit_stands_behind_the_value_in_the_comment_or_in_the_keyword(text, comment, unit, value):
    assert seconds(text, comment, unit).value == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(("text", "words"), [("-1", "negative"), ("3 parsec", "parsec"), ("5 K", "'K'")])
def test_an_impossible_exposure_is_refused_with_the_reason(text, words):
    with pytest.raises(UnreadableError, match=words):
        seconds(text, "", "s")


@pytest.mark.parametrize(
    ("text", "comment", "value", "guess"),
    [
        ("-10.5", "[degC] CCD temperature", -10.5, False),
        ("13 C", "Celsius - From CR2", 13.0, False),
        ("11\N{DEGREE SIGN}C", "", 11.0, False),
        ("253.15 K", "", -20.0, False),
        ("253.15", "CCD temperature [K]", -20.0, False),
        ("253.15", "temperature in kelvin", -20.0, False),
        ("50", "detector temperature (K)", -223.15, False),
        ("180.2", "CCD Cu block temperature", -92.95, True),
        ("0", "", 0.0, False),
        ("99", "", 99.0, False),
    ],
)
def test_a_temperature_is_celsius_unless_it_says_or_must_be_kelvin(text, comment, value, guess):
    assert celsius(text, comment) == (pytest.approx(value, abs=1e-9), guess)


@pytest.mark.parametrize("text", ["-999", "999", "-273.15", "55 F", "1e6", "400 C"])
def test_an_impossible_temperature_is_refused(text):
    with pytest.raises(UnreadableError):
        celsius(text, "")


@pytest.mark.parametrize(
    ("text", "time", "moment"),
    [
        ("2020-05-30T00:22:49.0968820", "", datetime(2020, 5, 30, 0, 22, 49, 96882)),
        ("2017-07-12T18:32:31.951Z", "", datetime(2017, 7, 12, 18, 32, 31, 951000)),
        ("2017-07-12T20:32:31+02:00", "", datetime(2017, 7, 12, 18, 32, 31)),
        ("2013-07-13", "00:57:33", datetime(2013, 7, 13, 0, 57, 33)),
        ("2013-07-13", "", datetime(2013, 7, 13)),
        ("04/07/98", "14:03:03", datetime(1998, 7, 4, 14, 3, 3)),
        ("04/07/18", "", datetime(2018, 7, 4)),
    ],
)
def test_a_moment_is_utc_without_a_zone(text, time, moment):
    assert utc(text, time) == moment


@pytest.mark.parametrize("text", ["2020-13-01", "0001-01-01T00:00:00+14:00", "31/02/99", "2016-12-31T23:59:60"])
def test_a_moment_that_never_was_is_refused(text):
    with pytest.raises(UnreadableError, match="is no date"):
        utc(text)


def test_the_start_is_an_exposure_before_the_end():
    assert before(datetime(2025, 1, 1, 0, 1), 60.0, 1) == datetime(2025, 1, 1)
    for exposure in (None, 1e300):
        with pytest.raises(UnreadableError):
            before(datetime(2025, 1, 1), exposure, 1)


@pytest.mark.parametrize(("number", "unit", "value"), [("100", "ms", 0.1), ("2", "min", 120.0), ("0,5", "S", 0.5)])
def test_a_length_in_a_name_is_in_seconds(number, unit, value):
    assert seconds_of(number, unit) == value
