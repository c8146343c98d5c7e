"""From the text of a header card to a value: numbers, units, temperatures and dates, as programs really write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

ABSOLUTE_ZERO = -273.15  # deg_C
HOTTEST_SENSOR = 100.0  # deg_C; no camera works above it, so a greater number is in kelvin


class Reading(NamedTuple):
    """A value as read, and whether reading it took a guess."""

    value: object
    guess: bool = False


class UnreadableError(ValueError):
    """A card holds something that is not a value of its quantity; the message says what it should be."""


_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?)\s*(.*)", re.DOTALL)
_NOTHING = frozenset(
    {"", "-", "nan", "none", "null", "n/a", "na", "unknown", "undefined", "undef", "unspecified", "default"}
)
_PER_SECOND = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e3),
    **dict.fromkeys(
        ("us", "usec", "usecs", "microsecond", "microseconds", "\N{MICRO SIGN}s", "\N{GREEK SMALL LETTER MU}s"), 1e6
    ),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 1 / 60),
}
_CELSIUS = frozenset(
    {
        "c",
        "degc",
        "deg c",
        "deg_c",
        "celsius",
        "\N{DEGREE SIGN}c",
        "\N{DEGREE SIGN} c",
        "deg",
        "degrees c",
        "degrees celsius",
    }
)
_KELVIN = frozenset({"k", "kelvin", "degk", "deg k", "deg_k"})
_TIME_UNIT = re.compile(
    r"[\[(]\s*([a-z\u00b5\u03bc]+)\s*[\])]|\bin ([a-z\u00b5\u03bc]+)\b|\b(milliseconds?|microseconds?)\b", re.IGNORECASE
)
_KELVIN_COMMENT = re.compile(r"[\[(]\s*K\s*[\])]|\b[Kk]elvin\b|\bin K\b|\bdeg(?:rees)? K\b")


def is_nothing(text: str) -> bool:
    """Tell whether a text stands for a value that was not written."""
    return text.strip().lower() in _NOTHING


def number_of(text: str) -> tuple[float, str]:
    """Read a number and whatever stands behind it: decimal commas, Fortran exponents and trailing units are real.

    Raises
    ------
    UnreadableError
        When the text starts with no number.

    Examples
    --------
    >>> number_of("3,2E-05")
    (3.2e-05, '')
    >>> number_of("13 C")
    (13.0, 'C')
    >>> number_of("1.5D+02")
    (150.0, '')
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise UnreadableError("is no number")
    value = float(match[1].replace(",", ".").replace("d", "e").replace("D", "E"))
    if value in (float("inf"), float("-inf")):
        raise UnreadableError("is no finite number")
    return value, match[2].strip()


def plain_number(text: str) -> float:
    """Read a number without a unit.

    Raises
    ------
    UnreadableError
        When it is no number, or something stands behind it.
    """
    value, rest = number_of(text)
    if rest:
        raise UnreadableError("is no number")
    return value


def seconds(text: str, comment: str, unit: str) -> Reading:
    """Read an exposure time in seconds.

    Parameters
    ----------
    text, comment
        Value and comment of the card; a unit behind the value wins over one in the comment, that one over ``unit``.
    unit
        The unit that the keyword implies: ``"s"``, ``"ms"`` or ``"us"``.

    Raises
    ------
    UnreadableError
        When it is no number, negative, or of an unknown unit.

    Examples
    --------
    >>> seconds("1999", "Exposure (ms)", "ms").value
    1.999
    >>> seconds("32", "", "us").value
    3.2e-05
    """
    value, written = number_of(text)
    if written and written.lower() not in _PER_SECOND:
        raise UnreadableError(f"has the unit {written!r}, which is no unit of time that is known")
    if value < 0:
        raise UnreadableError("is no exposure time, for it is negative")
    return Reading(value / _PER_SECOND[written.lower() or _unit_in(comment) or unit])


def seconds_of(number: str, unit: str) -> float:
    """Return a number of a unit of time (one that :func:`seconds` knows) in seconds.

    Examples
    --------
    >>> seconds_of("1.5", "ms")
    0.0015
    """
    return plain_number(number) / _PER_SECOND[unit.lower()]


def _unit_in(comment: str) -> str | None:
    for match in _TIME_UNIT.finditer(comment):
        unit = (match[1] or match[2] or match[3]).lower()
        if unit in _PER_SECOND:
            return unit
    return None


def celsius(text: str, comment: str, *, kelvin: bool = False) -> Reading:
    """Read a temperature in deg_C; kelvin by unit, comment or keyword, or, as a guess, where deg_C is impossible.

    Raises
    ------
    UnreadableError
        When it is no temperature that a sensor can have.

    Examples
    --------
    >>> celsius("13 C", "")
    Reading(value=13.0, guess=False)
    >>> celsius("180.2", "CCD Cu block temperature")
    Reading(value=-92.95, guess=True)
    """
    value, written = number_of(text)
    unit = written.lower()
    if unit and unit not in _CELSIUS and unit not in _KELVIN:
        raise UnreadableError(f"has the unit {written!r}, which is neither deg C nor K")
    said = unit in _KELVIN or (not unit and (kelvin or bool(_KELVIN_COMMENT.search(comment))))
    guessed = not said and unit not in _CELSIUS and HOTTEST_SENSOR < value < HOTTEST_SENSOR - ABSOLUTE_ZERO
    if said or guessed:
        value = round(value + ABSOLUTE_ZERO, 6)
    if not ABSOLUTE_ZERO < value <= HOTTEST_SENSOR:
        raise UnreadableError("is no temperature of a sensor")
    return Reading(value, guessed)


_OLD_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})(?!\d)")


def utc(text: str, time: str = "") -> datetime:
    """Read a moment in UTC from an ISO text, or from a date and a separate time of day.

    Raises
    ------
    UnreadableError
        When it is no date.

    Examples
    --------
    >>> utc("2020-05-30T00:22:49.0968820")
    datetime.datetime(2020, 5, 30, 0, 22, 49, 96882)
    >>> utc("2013-07-13", "00:57:33")
    datetime.datetime(2013, 7, 13, 0, 57, 33)
    >>> utc("04/07/98", "14:03:03")
    datetime.datetime(1998, 7, 4, 14, 3, 3)
    """
    day = text.strip()
    old = _OLD_DATE.fullmatch(day)
    if old:  # day/month/year, the FITS form until 1999; no camera of this kind is older than 1970
        century = 19 if int(old[3]) >= 70 else 20
        day = f"{century}{old[3]}-{int(old[2]):02}-{int(old[1]):02}"
    if len(day) == 10 and not is_nothing(time):
        day = f"{day}T{time.strip()}"
    try:
        moment = datetime.fromisoformat(day)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError) as error:
        raise UnreadableError("is no date") from error


def before(moment: datetime, exposure: float | None, share: float) -> datetime:
    """Return the moment one exposure (or a share of it) earlier.

    Raises
    ------
    UnreadableError
        When the exposure is not known, or leads out of the calendar.
    """
    if exposure is None:
        raise UnreadableError("is not the start of the exposure, and the exposure is not known")
    try:
        return moment - timedelta(seconds=exposure * share)
    except OverflowError as error:
        raise UnreadableError("is no date that an exposure of this length can end at") from error
