"""The header of a FITS file: its blocks of 80-character cards, and how its units follow one another.

Read here and not by astropy, for two reasons: all cards of a thousand files are read in a fraction of the time, and a
value that breaks the standard (``3,2E-05``, a missing quote) must reach the user as it stands instead of raising.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from workbench.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 2880
COPY_AGAIN = "leave it out or copy it again from the camera"
WRITE_AGAIN = "leave it out or write it again as standard FITS"
_CARD = 80
_FIRST_READ = 3 * BLOCK
_LONGEST_HEADER = 1000 * BLOCK
_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
_QUOTED = re.compile(r"'((?:[^']|'')*)'\s*(?:/(.*))?$")
_BADLY_QUOTED = re.compile(r"'(.*)'\s*(?:/(.*))?$")
# NUL is the blank of careless C programs; other control characters could steer a terminal
_CONTROLS = dict.fromkeys((*range(1, 32), *range(127, 160)), "\ufffd") | {0: " "}


class Card(NamedTuple):
    """One line of a header: its key, the text of its value without quotes, its comment.

    ``HISTORY`` and ``COMMENT`` carry their line as text.
    """

    key: str
    text: str
    comment: str


class HeaderUnit(NamedTuple):
    """One header-data unit of a FITS file and where its data stand."""

    hdu: int
    cards: tuple[Card, ...]
    header: bytes
    offset: int
    axes: tuple[int, ...]
    bitpix: int
    data_size: int

    def first(self, key: str) -> str | None:
        """Return the text of the first card of that key."""
        return next((card.text for card in self.cards if card.key == key), None)

    @property
    def compressed(self) -> bool:
        """Whether this is a table that holds a tile-compressed image."""
        return self.first("ZIMAGE") == "T"

    @property
    def has_image(self) -> bool:
        """Whether there are pixels in this unit."""
        plain = self.hdu == 0 or self.first("XTENSION") == "IMAGE"
        return self.compressed or (plain and bool(self.axes) and all(self.axes))


def whole_number(file: object, key: str, text: str | None, *, signed: bool = False) -> int:
    """Read a card on which the layout of the file depends.

    Raises
    ------
    FrameError
        When the card is missing, is no whole number or is negative where a length is meant.
    """
    if text is None:
        raise FrameError(file, f"its header has no {key}", WRITE_AGAIN)
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
    if number is None or (number < 0 and not signed):
        raise FrameError(file, f"its header has {key} = {text[:20]!r}, which is no whole number that fits", WRITE_AGAIN)
    return number


def parse_cards(header: bytes) -> tuple[Card, ...]:
    """Split the bytes of a header, END included or not, into its cards.

    Long strings are joined with their ``CONTINUE`` cards, ``HIERARCH`` is dropped from a key, repeated keys are kept in
    order.

    Examples
    --------
    >>> parse_cards(b"EXPTIME =              3,2E-05 / Total Exposure Time (s)".ljust(80))
    (Card(key='EXPTIME', text='3,2E-05', comment='Total Exposure Time (s)'),)
    """
    cards: list[Card] = []
    for start in range(0, len(header), _CARD):
        card = _parse_card(_decoded(header[start : start + _CARD]))
        if card.key == "END" and not card.text:
            break
        if card.key == "CONTINUE" and cards and cards[-1].text.endswith("&"):
            before = cards.pop()
            card = Card(before.key, before.text[:-1] + card.text, f"{before.comment} {card.comment}".strip())
        if card != ("", "", ""):
            cards.append(card)
    return tuple(cards)


def _decoded(card: bytes) -> str:
    try:
        text = card.decode("utf-8")
    except UnicodeDecodeError:
        text = card.decode("latin-1")
    return text if text.isprintable() else text.translate(_CONTROLS)


def _parse_card(line: str) -> Card:
    key = line[:8].strip().upper()
    if key in _COMMENTARY:
        return Card(key, line[8:].rstrip(), "")
    if line[8:9] == "=":
        return Card(key, *_split_value(line[9:]))
    if key == "CONTINUE":
        return Card(key, *_split_value(line[8:]))
    if key == "HIERARCH" and "=" in line:
        name, _, rest = line[8:].partition("=")
        return Card(" ".join(name.split()).upper(), *_split_value(rest))
    return Card(key, line[8:].strip(), "")


def _split_value(rest: str) -> tuple[str, str]:
    rest = rest.strip()
    if not rest.startswith("'"):
        value, _, comment = rest.partition("/")
        return value.rstrip(), comment.strip()
    quoted = _QUOTED.match(rest)
    if quoted:
        return quoted[1].replace("''", "'").rstrip(), (quoted[2] or "").strip()
    # an apostrophe that should have been doubled, or a closing quote that is missing
    quoted = _BADLY_QUOTED.match(rest)
    return (quoted[1].rstrip(), (quoted[2] or "").strip()) if quoted else (rest[1:].rstrip(), "")


def header_units(stream: BinaryIO, file: object) -> Iterator[HeaderUnit]:
    """Walk through the units of a FITS stream, reading headers and stepping over data.

    Parameters
    ----------
    stream
        An open file, plain or decompressing.
    file
        Its name, for messages.

    Raises
    ------
    FrameError
        When a header has no END, or its cards do not say how long its data are.
    """
    offset = 0
    for index in range(1000):
        stream.seek(offset)
        header = _read_header(stream, file, index)
        if not header:
            return
        offset += -(-len(header) // BLOCK) * BLOCK
        unit = _header_unit(file, index, header, offset)
        yield unit
        offset += -(-unit.data_size // BLOCK) * BLOCK


def _read_header(stream: BinaryIO, file: object, index: int) -> bytes:
    header, scanned = b"", 0
    while len(header) < _LONGEST_HEADER:
        more = stream.read(_FIRST_READ)
        if not header and not more.startswith((b"SIMPLE", b"XTENSION")):
            return b""  # nothing, or what some programs leave behind the last unit
        header += more
        for start in range(scanned, len(header) - _CARD + 1, _CARD):
            if header[start : start + 8].rstrip(b" \0") == b"END":
                return header[: start + _CARD]
            scanned = start + _CARD
        if len(more) < _FIRST_READ:
            break
    where = "its header" if index == 0 else f"the header of its HDU {index}"
    raise FrameError(file, f"{where} has no END card", COPY_AGAIN)


def _header_unit(file: object, index: int, header: bytes, offset: int) -> HeaderUnit:
    cards = parse_cards(header)
    first: dict[str, str] = {}
    for card in cards:
        first.setdefault(card.key, card.text)
    bitpix = whole_number(file, "BITPIX", first.get("BITPIX"), signed=True)
    axes = _axes(file, first, "NAXIS")
    extra = whole_number(file, "PCOUNT", first.get("PCOUNT", "0"))
    groups = whole_number(file, "GCOUNT", first.get("GCOUNT", "1"))
    data_size = abs(bitpix) // 8 * groups * (extra + math.prod(axes)) if axes else 0
    return HeaderUnit(index, cards, header, offset, axes, bitpix, data_size)


def _axes(file: object, first: dict[str, str], name: str) -> tuple[int, ...]:
    count = whole_number(file, name, first.get(name))
    if count > 999:
        raise FrameError(file, f"its header has {name} = {count}; FITS allows 999", WRITE_AGAIN)
    return tuple(whole_number(file, f"{name}{axis}", first.get(f"{name}{axis}")) for axis in range(1, count + 1))


def image_layout(unit: HeaderUnit, file: object) -> tuple[tuple[int, ...], int]:
    """Return the axes (fastest first) and the BITPIX of an image, tile-compressed or not.

    Raises
    ------
    FrameError
        When the cards of a compressed image do not say so.
    """
    if not unit.compressed:
        return unit.axes, unit.bitpix
    first = {card.key: card.text for card in reversed(unit.cards)}
    return _axes(file, first, "ZNAXIS"), whole_number(file, "ZBITPIX", first.get("ZBITPIX"), signed=True)
