"""Which values a ``workbench.toml`` may give to which key: a check for each, and the words that say what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from workbench.frames.kinds import KINDS
from workbench.frames.overscan import LEVELS
from workbench.frames.readers import BAYER_PATTERNS
from workbench.frames.regions import ROLES

Check = tuple[Callable[[Any], Any], str]  # None where the value is not allowed; what would be


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _within(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[Any], float | None]:
    def check(value: Any) -> float | None:
        number = _number(value)
        return number if number is not None and (low < number if above else low <= number) and number <= high else None

    return check


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _one_of(*legal: str) -> Callable[[Any], str | None]:
    return lambda value: value if value in legal else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None


def _binning(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[1-9]\d?x[1-9]\d?", value) else None


def _date(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None  # noqa: DTZ001 - UTC by definition


def _span(value: Any) -> tuple[int, int, int] | None:
    whole = isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
    if not whole or len(value) not in (2, 3):
        return None
    start, stop, step = (*value, 1)[:3]
    return (start, stop, step) if 0 <= start < stop and step >= 1 else None


_SPAN_WORDS = "[start, stop] or [start, stop, step]: whole numbers from 0, start below stop, stop not included"
VOCABULARY: dict[str, Check] = {
    "kind": (_one_of(*KINDS), ", ".join(KINDS)),
    "master": (_flag, "true or false"),
    "exposure": (_within(0), "a number of seconds, 0 or more"),
    "temperature": (_within(-273.15, 100), "a number of deg C, without a unit"),
    "set_temperature": (_within(-273.15, 100), "a number of deg C, without a unit"),
    "gain_setting": (_within(0), "the driver's number, 0 or more"),
    "offset_setting": (_within(0), "the driver's number, 0 or more"),
    "claimed_gain": (_within(0, above=True), "a number of electron / adu above 0"),
    "camera": (_text, "a text"),
    "readout_mode": (_text, "a text"),
    "binning": (_binning, 'a text such as "1x1"'),
    "bayer_pattern": (_one_of(*BAYER_PATTERNS), ", ".join(BAYER_PATTERNS)),
    "filter": (_text, "a text"),
    "date": (_date, "a date and time in UTC, without quotation marks"),
    "stack_count": (_count, "a whole number, 1 or more"),
    "software": (_text, "a text"),
    "pixel_size": (_within(0, above=True), "a number of um above 0"),
    "saturation_claim": (_within(0, above=True), "a number of adu above 0"),
    "object": (_text, "a text"),
}
VALUES: dict[str, Check] = {
    **VOCABULARY,
    "zero_light": (_flag, "true or false"),
    "name": (_text, "a text"),
    "gain": (_within(0, above=True), "a number of electron / adu above 0"),
    "gain_error": (_within(0), "a number of electron / adu, 0 or more"),
    "rows": (_span, _SPAN_WORDS),
    "columns": (_span, _SPAN_WORDS),
    "role": (_one_of(*ROLES), ", ".join(ROLES)),
    "level": (_one_of(*LEVELS), ", ".join(LEVELS)),
}
