"""From a file's header to the vocabulary: one resolver for every capture program, which keeps what it found and where.

Nothing is decided in silence: a value keeps its raw text, its keyword and its source. Two keywords that disagree, a
name against the header, a card that cannot be read: all are told, with what was used instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workbench.frames.names import values_in_path
from workbench.frames.readers import Header
from workbench.frames.readings import UnreadableError
from workbench.frames.spellings import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePath

    from workbench.frames.formats import Card
    from workbench.frames.names import NameValue
    from workbench.frames.spellings import Spelling


@dataclass(frozen=True)
class HeaderValue:
    """A quantity of one file, and where it comes from.

    Parameters
    ----------
    name
        A name of the vocabulary.
    value
        In the unit of the vocabulary: s, deg_C, electron / adu, um; a date is UTC.
    raw
        The text as it stands in the header, or the part of the path that was read.
    key
        The keyword, or empty for a name.
    source
        ``"header"``, ``"file name"``, ``"folder name"``, ``"manifest"`` or ``"command line"``.
    guess
        Whether reading it took a guess.
    """

    name: str
    value: Any
    raw: str
    key: str
    source: str
    guess: bool = False


@dataclass(frozen=True)
class Conflict:
    """A contradiction in a header, or between header and name: about which quantity, what it is, and what was done."""

    name: str
    rule: str
    action: str


@dataclass(frozen=True)
class Resolved:
    """What a header says: quantity -> value, and what contradicts itself in it."""

    values: dict[str, HeaderValue]
    conflicts: tuple[Conflict, ...]

    def override(self, said: Mapping[str, Any], source: str) -> Resolved:
        """Return a copy in which what the user said stands; the header's raw text stays, its conflicts are settled.

        Parameters
        ----------
        said
            Quantity -> value.
        source
            ``"manifest"`` or ``"command line"``.
        """
        values = dict(self.values)
        for name, value in said.items():
            old = values.get(name)
            values[name] = HeaderValue(name, value, old.raw if old else "", old.key if old else "", source)
        count, master = self.values.get("stack_count"), values.get("master")
        if count and master and "stack_count" in said and "master" not in said and master.key == count.key:
            del values["master"]  # it was a master for its count alone
        _add_master(values)
        return Resolved(values, tuple(one for one in self.conflicts if one.name not in said))


# how far two spellings may differ and still agree: a part of the greater one, and an amount in the vocabulary's unit
TOLERANCES: dict[str, tuple[float, float]] = {
    "exposure": (0.01, 1e-6),
    "temperature": (0.0, 1.0),
    "set_temperature": (0.0, 1.0),
    "claimed_gain": (0.01, 0.0),
    "pixel_size": (0.02, 0.0),
}
DATE_TOLERANCE = 2.0  # s
# names are rounded by those who write them, and a bias called 0s has the shortest exposure of its camera
NAME_TOLERANCES: dict[str, tuple[float, float]] = {"exposure": (0.05, 0.005)}
_COMPARED_WITH_NAMES = ("kind", "exposure", "gain_setting")


def resolve(cards: Iterable[Card], path: PurePath) -> Resolved:
    """Read every quantity of the vocabulary that a header and a path hold.

    Parameters
    ----------
    cards
        Of the header, in the order of the file; XISF properties are cards whose key is the property's id.
    path
        Of the file, relative to the folder that its user named: what stands above that folder says nothing.

    Returns
    -------
    Resolved
        A quantity that is nowhere to be found is absent; names count only where the header is silent, and are guesses.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> from workbench.frames.formats import Card
    >>> found = resolve([Card("EXPTIME", "3,2E-05", ""), Card("EXPOSURE", "30", "")], PurePosixPath("Dark/one.fit"))
    >>> found.values["exposure"].value, found.values["kind"].value, found.values["kind"].source
    (3.2e-05, 'dark', 'folder name')
    >>> print(found.conflicts[0].rule)
    EXPTIME = 3,2E-05 but EXPOSURE = 30
    """
    header = Header(cards)
    values: dict[str, HeaderValue] = {}
    conflicts: list[Conflict] = []
    for name, spellings in SPELLINGS.items():
        found, faults = _read(name, spellings, header)
        if found:
            values[name] = found[0]
            conflicts += [
                _disagreement(name, found[0], other)
                for other in found[1:]
                if not agree(name, found[0].value, other.value)
            ]
        conflicts += [Conflict(name, fault, _instead(name, found)) for fault in faults]
        if name == "exposure" and found:
            header.exposure = found[0].value
    conflicts += _claims_a_setting(values)
    conflicts += _add_names(values, values_in_path(path))
    _add_master(values)
    return Resolved(values, tuple(conflicts))


def _read(name: str, spellings: Iterable[Spelling], header: Header) -> tuple[list[HeaderValue], list[str]]:
    """Read all spellings of one quantity: the values to be compared, the best first, and the faults of other cards."""
    found: list[HeaderValue] = []
    faults: list[str] = []
    for key, reader, compared in spellings:
        if found and not compared:
            continue
        for card in header.all(key):
            try:
                reading = reader(card, header)
            except UnreadableError as error:
                faults.append(f"{key} = {card.text.strip()} {error}")
                continue
            if reading is not None:
                found.append(HeaderValue(name, reading.value, card.text, key, "header", reading.guess))
                if not compared:
                    break
    return found, faults


def agree(name: str, one: Any, other: Any, tolerances: Mapping[str, tuple[float, float]] = TOLERANCES) -> bool:
    """Tell whether two values of a quantity are equal within its tolerance.

    Examples
    --------
    >>> agree("exposure", 300.0, 300.04), agree("exposure", 300.0, 30.0)
    (True, False)
    """
    if isinstance(one, datetime):
        return bool(abs((one - other).total_seconds()) <= DATE_TOLERANCE)
    if name in tolerances:
        relative, absolute = tolerances[name]
        return bool(abs(one - other) <= max(absolute, relative * max(abs(one), abs(other))))
    return bool(one == other)


def _disagreement(name: str, used: HeaderValue, other: HeaderValue) -> Conflict:
    rule = f"{used.key} = {used.raw.strip()} but {other.key} = {other.raw.strip()}"
    return Conflict(name, rule, f"{name} taken from {used.key}")


def _instead(name: str, found: list[HeaderValue]) -> str:
    return f"{name} taken from {found[0].key}" if found else f"{name} not taken from it"


def _claims_a_setting(values: Mapping[str, HeaderValue]) -> list[Conflict]:
    """Name an EGAIN into which its program wrote the driver's setting: equal numbers above 1 are no accident."""
    claim, setting = values.get("claimed_gain"), values.get("gain_setting")
    if not claim or not setting or claim.value != setting.value or claim.value <= 1 or claim.key == setting.key:
        return []
    rule = f"{claim.key} = {claim.raw.strip()} is the gain setting once more, not electrons per adu"
    return [Conflict("claimed_gain", rule, "do not trust the claim")]


def _add_names(values: dict[str, HeaderValue], said: Mapping[str, NameValue]) -> list[Conflict]:
    conflicts = []
    counted = "stack_count" in values
    for name, (_, value, part, source) in said.items():
        known = values.get(name)
        if known is None:
            if name != "master" or not counted:  # a count in the header outranks a name
                values[name] = HeaderValue(name, value, part, "", source, guess=True)
        elif name in _COMPARED_WITH_NAMES and not _fits(name, known.value, value):
            rule = f"the {source} {part} says {name} {_plain(value)} but {known.key} = {known.raw.strip()}"
            conflicts.append(Conflict(name, rule, f"{name} taken from {known.key}"))
    return conflicts


def _fits(name: str, known: Any, said: Any) -> bool:
    if name == "kind" and known == "darkflat":
        return said in {"dark", "flat", "darkflat"}  # they are kept with either
    return agree(name, known, said, NAME_TOLERANCES)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _add_master(values: dict[str, HeaderValue]) -> None:
    """Call a combined frame a master, whatever it is called itself."""
    count = values.get("stack_count")
    if count and count.value > 1 and "master" not in values:
        values["master"] = HeaderValue("master", True, count.raw, count.key, count.source, count.guess)  # noqa: FBT003
