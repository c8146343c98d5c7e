"""Readers: from one card, in sight of the whole header, to the value of a quantity.

A reader returns None where the card says nothing of its quantity, and raises ``UnreadableError`` where what it says is
impossible.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.frames.kinds import kind_of_text
from workbench.frames.readings import (
    Reading,
    UnreadableError,
    before,
    celsius,
    is_nothing,
    number_of,
    plain_number,
    seconds,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.frames.formats import Card


class Header:
    """The cards of a file by keyword, and what was resolved of them so far."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._cards: dict[str, list[Card]] = {}
        for card in cards:
            self._cards.setdefault(card.key, []).append(card)
        self.exposure: float | None = None

    def all(self, key: str) -> list[Card]:
        """Return the cards of a keyword that hold something, in the order of the file."""
        return [card for card in self._cards.get(key, ()) if card.text.strip()]

    def text(self, key: str) -> str:
        """Return the text of the first card of a keyword that holds something, or an empty one."""
        return next((card.text.strip() for card in self._cards.get(key, ()) if card.text.strip()), "")


Reader = Callable[["Card", Header], Reading | None]

BAYER_PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
_ELECTRONS = re.compile(r"\be(?:lectrons?|l)?-?\s*(?:/|per)\s*(?:adu|dn|counts?|a/?d)\b", re.IGNORECASE)


def text(card: Card, _header: Header) -> Reading | None:
    """Read a text as it stands."""
    return None if is_nothing(card.text) and card.text.strip().lower() != "none" else Reading(card.text.strip())


def kind(card: Card, _header: Header) -> Reading | None:
    """Read the kind of frame from a keyword made for it."""
    if is_nothing(card.text):
        return None
    found = kind_of_text(card.text.strip()).kind
    if found is None:
        raise UnreadableError("names no kind of frame that is known")
    return Reading(found)


def loose_kind(card: Card, _header: Header) -> Reading | None:
    """Read the kind from a keyword that some programs use for other things, such as ``FRAME`` for a running number."""
    found = kind_of_text(card.text.strip()).kind
    return Reading(found) if found else None


def integration(card: Card, _header: Header) -> Reading | None:
    """Astro Pixel Processor writes ``INTEGRAT`` into integrations of light frames, and into nothing else."""
    return Reading("light") if card.text.strip().lower() == "integration" else None


def master(card: Card, _header: Header) -> Reading | None:
    """Tell whether a keyword for the kind calls the frame a master."""
    said = card.key == "INTEGRAT" or kind_of_text(card.text.strip()).master
    return Reading(value=True) if said else None


def exposure_s(card: Card, _header: Header) -> Reading | None:
    """Read an exposure in seconds, unless the card says another unit."""
    return None if is_nothing(card.text) else seconds(card.text, card.comment, "s")


def exposure_ms(card: Card, _header: Header) -> Reading | None:
    """Read an exposure in milliseconds, unless the card says another unit."""
    return None if is_nothing(card.text) else seconds(card.text, card.comment, "ms")


def exposure_us(card: Card, _header: Header) -> Reading | None:
    """Read an exposure in microseconds, unless the card says another unit."""
    return None if is_nothing(card.text) else seconds(card.text, card.comment, "us")


def temperature(card: Card, _header: Header) -> Reading | None:
    """Read a temperature in deg_C."""
    return None if is_nothing(card.text) else celsius(card.text, card.comment)


def temperature_kelvin(card: Card, _header: Header) -> Reading | None:
    """Read a temperature from a keyword that says kelvin."""
    return None if is_nothing(card.text) else celsius(card.text, card.comment, kelvin=True)


def setting(card: Card, _header: Header) -> Reading | None:
    """Read a number of the driver; a negative one is how drivers say that there is none."""
    if is_nothing(card.text):
        return None
    value = plain_number(card.text)
    return Reading(value) if value >= 0 else None


def _gain_is_claim(card: Card, header: Header) -> Reading | None:
    """Tell whether ``GAIN`` is a physical gain: by its comment's unit or, as a guess, beside a read noise."""
    if _ELECTRONS.search(card.comment) or _ELECTRONS.search(card.text):
        return Reading(value=True)
    if not any(header.text(key) for key in ("RDNOISE", "READNOIS", "RON")):
        return None
    whole = number_of(card.text)[0].is_integer()
    return None if whole else Reading(value=True, guess=True)


def gain_setting(card: Card, header: Header) -> Reading | None:
    """Read the driver's gain, unless the card holds electrons per adu."""
    if is_nothing(card.text) or _gain_is_claim(card, header):
        return None
    return setting(card, header)


def gain_claim(card: Card, header: Header) -> Reading | None:
    """Read electrons per adu from ``GAIN`` where it holds them: professional CCD headers do so."""
    claimed = None if is_nothing(card.text) else _gain_is_claim(card, header)
    return Reading(_positive(number_of(card.text)[0]), claimed.guess) if claimed else None


def claim(card: Card, _header: Header) -> Reading | None:
    """Read a claimed gain in electron / adu."""
    return None if is_nothing(card.text) else Reading(_positive(number_of(card.text)[0]))


def positive(card: Card, _header: Header) -> Reading | None:
    """Read a number above zero."""
    return None if is_nothing(card.text) else Reading(_positive(plain_number(card.text)))


def _positive(value: float) -> float:
    if value <= 0:
        raise UnreadableError("is not above zero")
    return value


def _by_indigo(header: Header) -> bool:
    """INDIGO puts the driver's setting where the XISF specification wants electrons per DN."""
    keys = ("XISF:CreatorApplication", "XISF:CreatorModule", "SWCREATE", "CREATOR", "PROGRAM")
    return any("indigo" in header.text(key).lower() for key in keys)


def gain_property_setting(card: Card, header: Header) -> Reading | None:
    """Read the XISF camera gain where INDIGO wrote the driver's setting into it."""
    return setting(card, header) if _by_indigo(header) else None


def gain_property_claim(card: Card, header: Header) -> Reading | None:
    """Read the XISF camera gain in electron / DN, as its specification says."""
    return None if _by_indigo(header) else claim(card, header)


_OTHER_AXIS = {
    "XBINNING": "YBINNING",
    "CCDXBIN": "CCDYBIN",
    "BINX": "BINY",
    "XBIN": "YBIN",
    "CCDBINX": "CCDBINY",
    "Instrument:Camera:XBinning": "Instrument:Camera:YBinning",
}


def binning(card: Card, header: Header) -> Reading | None:
    """Read the binning of both axes; where only one is written the other is guessed to be equal."""
    if is_nothing(card.text):
        return None
    second = header.text(_OTHER_AXIS[card.key])
    return Reading(_pair(_bin(card.text), _bin(second or card.text)), guess=not second)


def binning_text(card: Card, _header: Header) -> Reading | None:
    """Read a binning such as ``2*2``, ``2x2``, ``2 2`` or ``2``."""
    numbers = re.findall(r"\d+", card.text)
    if not 1 <= len(numbers) <= 2:
        raise UnreadableError("is no binning")
    return Reading(_pair(_bin(numbers[0]), _bin(numbers[-1])), guess=len(numbers) == 1)


def _bin(written: str) -> int:
    value = plain_number(written)
    if not value.is_integer() or not 1 <= value <= 64:
        raise UnreadableError("is no binning")
    return int(value)


def _pair(across: int, down: int) -> str:
    return f"{across}x{down}"


def bayer(card: Card, header: Header) -> Reading | None:
    """Read the colours of the first 2 x 2 pixels, moved by ``XBAYROFF`` and ``YBAYROFF`` where they are odd."""
    pattern = card.text.strip().upper()
    if is_nothing(card.text) or pattern in {"NO", "MONO", "MONOCHROME", "AUTO"}:
        return None
    if pattern not in BAYER_PATTERNS:
        raise UnreadableError(f"is none of {', '.join(BAYER_PATTERNS)}")
    if _odd(header.text("XBAYROFF")):
        pattern = pattern[1] + pattern[0] + pattern[3] + pattern[2]
    if _odd(header.text("YBAYROFF")):
        pattern = pattern[2:] + pattern[:2]
    return Reading(pattern)


def _odd(written: str) -> bool:
    return bool(written) and plain_number(written) % 2 == 1


def bayer_elsewhere(card: Card, header: Header) -> Reading | None:
    """Guess the pattern from a keyword for something else that holds one, such as ``FILTER = 'RGGB'``."""
    if card.text.strip().upper() not in BAYER_PATTERNS:
        return None
    found = bayer(card, header)
    return Reading(found.value, guess=True) if found else None


def date_obs(card: Card, header: Header) -> Reading | None:
    """Read the start of the exposure in UTC; Dwarf III writes its end, and says so in the comment."""
    if is_nothing(card.text):
        return None
    moment = utc(card.text, header.text("TIME-OBS") or header.text("UT") or header.text("UTSTART"))
    at_end = re.search(r"\bend\b", card.comment, re.IGNORECASE)
    return Reading(before(moment, header.exposure, 1) if at_end else moment)


def date_avg(card: Card, header: Header) -> Reading | None:
    """Read the middle of the exposure and go back half of it."""
    return None if is_nothing(card.text) else Reading(before(utc(card.text), header.exposure, 0.5))


def date_end(card: Card, header: Header) -> Reading | None:
    """Read the end of the exposure and go back all of it."""
    return None if is_nothing(card.text) else Reading(before(utc(card.text), header.exposure, 1))


def count(card: Card, _header: Header) -> Reading | None:
    """Read how many frames were combined; 0 is how programs say that they did not count."""
    if is_nothing(card.text):
        return None
    value = plain_number(card.text)
    if value < 0 or not value.is_integer():
        raise UnreadableError("is no number of frames")
    return Reading(int(value)) if value else None


def count_above_one(card: Card, header: Header) -> Reading | None:
    """Read a count from a keyword whose 0 and 1 are a flag."""
    found = count(card, header)
    return found if found and found.value != 1 else None


def generated_by(card: Card, _header: Header) -> Reading | None:
    """Read the program from a remark such as ``Generated by INDI``."""
    match = re.search(r"\bgenerated by (\w[\w.+-]*)", card.text, re.IGNORECASE)
    return Reading(match[1]) if match else None


def size(card: Card, header: Header) -> Reading | None:
    """Read the size of a pixel of the file, binning included, in um."""
    return positive(card, header)


def unbinned_size(card: Card, header: Header) -> Reading | None:
    """Read the size of a pixel of the sensor in um, and multiply it by the binning."""
    found = positive(card, header)
    across = header.text("XBINNING") or header.text("CCDXBIN") or "1"
    return Reading(plain_number(card.text) * _bin(across)) if found else None


def full_scale(card: Card, header: Header) -> Reading | None:
    """Read ``DATAMAX`` as the full scale, unless it stands among statistics of this one frame."""
    statistics = any(header.text(key) for key in ("DATAMIN", "MEAN1", "MEDIAN1", "DATAMEAN"))
    return None if statistics else positive(card, header)
