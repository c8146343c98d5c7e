"""What the name of a file, or of the folders above it, says about a frame. Always a guess, and labelled as one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.frames.kinds import kind_of_name
from workbench.frames.readings import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath


class NameValue(NamedTuple):
    """A value that a name holds: of which quantity, and which part of the path says it."""

    name: str
    value: object
    part: str
    source: str  # "file name" or "folder name"


_SUFFIX = re.compile(r"(\.(fits?|fts|fz|gz|xisf))+$|\.[a-z][a-z0-9]{1,3}$", re.IGNORECASE | re.ASCII)
# a number with a unit of time; no leading zero (a counter), nothing glued in front (M33s would be one)
_LENGTH = re.compile(
    r"(?<![A-Za-z0-9.,])(0|0[.,]\d+|[1-9]\d*(?:[.,]\d+)?) ?(us|\u00b5s|ms|secs?|seconds?|s|min)(?![A-Za-z])",
    re.IGNORECASE | re.ASCII,
)
_EXP = re.compile(
    r"(?<![A-Za-z])exp(?:osure|time)?[ _=-]?(0(?![\d.,])|0[.,]\d+|[1-9]\d*(?:[.,]\d+)?)(?![\d.,]*[A-Za-z])",
    re.IGNORECASE | re.ASCII,
)
_GAIN = re.compile(r"(?<![A-Za-z])gain[ _=-]?(\d+)(?![\d.,])", re.IGNORECASE | re.ASCII)
_TEMPERATURE = re.compile(r"(?:^|[_ ])(-?\d{1,3}(?:\.\d+)?) ?(?:\u00b0|deg)?C(?![A-Za-z0-9])", re.ASCII)
_STACK = re.compile(r"(?<![A-Za-z])stack(?:ed)?[ _-](\d+)(?!\d)", re.IGNORECASE | re.ASCII)


def values_in_path(path: PurePath) -> dict[str, NameValue]:
    """Read kind, master, exposure, gain_setting, temperature and stack_count from a path, the nearest part first.

    Parameters
    ----------
    path
        Of the file; give it relative to the folder that its user named, so that nothing above that folder counts.

    Returns
    -------
    dict
        Quantity -> value, where a part of the path names exactly one.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> found = values_in_path(PurePosixPath("CALI_FRAME/dark/cam_0/dark_exp_60.000000_gain_60_bin_1_20C_stack_8.fits"))
    >>> {name: said.value for name, said in found.items()}
    {'kind': 'dark', 'exposure': 60.0, 'gain_setting': 60.0, 'temperature': 20.0, 'stack_count': 8}
    """
    stem = _SUFFIX.sub("", path.name)
    parts = [(stem, "file name"), *((part, "folder name") for part in reversed(path.parts[:-1]))]
    found: dict[str, NameValue] = {}
    for part, source in parts:
        for name, value in values_in_part(part):
            found.setdefault(name, NameValue(name, value, part, source))
    return found


@lru_cache(maxsize=4096)
def values_in_part(part: str) -> tuple[tuple[str, object], ...]:
    """Read what one part of a path says: a file's name without its suffix, or a folder's."""
    return tuple(_read_part(part))


def _read_part(part: str) -> Iterator[tuple[str, object]]:
    kind, master = kind_of_name(part)
    if kind:
        yield "kind", kind
    if master:
        yield "master", True
    lengths = {float(match[1].replace(",", ".")) for match in _EXP.finditer(part)}
    lengths |= {seconds_of(match[1], match[2]) for match in _LENGTH.finditer(part)}
    yield from _single("exposure", lengths)
    yield from _single("gain_setting", {float(match[1]) for match in _GAIN.finditer(part)})
    degrees = {float(match[1]) for match in _TEMPERATURE.finditer(part)}
    yield from _single("temperature", {value for value in degrees if -100 < value < 80})
    yield from _single("stack_count", {int(match[1]) for match in _STACK.finditer(part) if int(match[1]) > 1})


def _single(name: str, values: set[Any]) -> Iterator[tuple[str, object]]:
    """Yield the value where there is just one: two different ones say nothing."""
    if len(values) == 1:
        yield name, values.pop()
