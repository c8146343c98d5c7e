"""The header of a calibrated light: what its camera said, as far as it still holds, and what was done to it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from workbench import __version__
from workbench.calibrate.flat_field import MASKED_CARD
from workbench.calibrate.master_header import MADE_BY, text_card
from workbench.frames.formats import read_frame_file
from workbench.frames.identity import datasum
from workbench.frames.sections import SECTIONS

if TYPE_CHECKING:
    from workbench.calibrate.calibration import Calibration
    from workbench.frames.overscan import Overscan
    from workbench.frames.source import FrameSource

__all__ = ["begun_header", "errors_header", "filled_header", "light_header", "summed_header"]

_KEY = re.compile(r"[A-Z0-9_-]{1,8}")
# of the stored array, or no longer true of calibrated pixels
_GONE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|BUNIT|END|CHECKSUM|DATASUM|EXTNAME|"
    r"DATAMIN|DATAMAX|SATURATE|CBLACK|CWHITE|PEDESTAL|CALSTAT|T(TYPE|FORM|FIELDS)\d*|Z[A-Z]+\d*|HISTORY|COMMENT|CONTINUE"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([ED][+-]?\d+)?")
_LONGEST = 60  # characters of a text: a card holds no more beside its keyword


def light_header(source: FrameSource) -> fits.Header:
    """Return the cards of a light that hold of the calibrated one too.

    Raises
    ------
    FrameError
        When the file has gone, or is damaged.
    """
    header = fits.Header()
    for card in read_frame_file(source.path).cards:
        if _KEY.fullmatch(card.key) and not _GONE.fullmatch(card.key) and card.key not in header:
            value = _value(card.text)
            room = max(0, 65 - len(str(value)))
            header[card.key] = (value, text_card(card.comment)[: room if room > 3 else 0])
    return header


def _value(text: str) -> Any:
    """Read what stands on a card: numbers and T or F are such, all else is text."""
    said = text.strip()
    if said in ("T", "F"):
        return said == "T"
    if _NUMBER.fullmatch(said):
        if said.lstrip("+-").isdigit():
            return int(said) if str(int(said)) == said.lstrip("+") else text_card(said)[:_LONGEST]
        number = float(said.replace("D", "E"))
        return number if np.isfinite(number) else text_card(said)[:_LONGEST]
    return text_card(said)[:_LONGEST]


def begun_header(
    cards: fits.Header, shape: tuple[int, int], calibration: Calibration, overscan: Overscan | None = None
) -> bytes:
    """Return the header unit of a calibrated light before its pixels are known: what they tell is 0.

    Parameters
    ----------
    cards
        What is known of the light.
    shape
        (rows, columns) of float32.
    calibration
        What is done.
    overscan
        What was done before: the cards are still those of the whole frame.
    """
    structure = [
        ("SIMPLE", True, "conforms to FITS standard"),
        ("BITPIX", -32, "float32"),
        ("NAXIS", 2),
        ("NAXIS1", shape[1], "columns"),
        ("NAXIS2", shape[0], "rows"),
        ("EXTEND", True),
        ("EXTNAME", "SCI", "the calibrated light"),
        ("BUNIT", "adu", "as the frames are stored"),
    ]
    header = fits.Header(structure)
    header.extend((cards if overscan is None else _cut_header(cards, overscan)).cards, update=True)
    header.extend([(key, *told) for key, told in _facts(calibration).items()], update=True)
    if overscan is not None:
        header["HISTORY"] = text_card(f"overscan: {overscan.words}")
    header["HISTORY"] = text_card(f"calibrated: {calibration.words}")
    header.extend([("DATASUM", "0", "of this data unit"), ("CHECKSUM", "0" * 16, "of this unit")])
    return bytes(header.tostring().encode("ascii"))


def _cut_header(cards: fits.Header, overscan: Overscan) -> fits.Header:
    """Take away the sections, which are those of the whole frame, and move the sky along with the image."""
    header = cards.copy()
    for key in SECTIONS:
        header.remove(key, ignore_missing=True)
    rows, columns = overscan.image or (slice(0), slice(0))
    for key, start in (("CRPIX1", columns.start or 0), ("CRPIX2", rows.start or 0)):
        if isinstance(header.get(key), int | float):
            header[key] -= start
    return header


def filled_header(begun: bytes, counts: tuple[int, int], total: int) -> bytes:
    """Fill in what the pixels tell, each in the place that its card has for it.

    Parameters
    ----------
    begun
        From :func:`begun_header`.
    counts
        Pixels below 0, and those of them that were clipped.
    total
        DATASUM of the image.
    """
    unit = begun
    for key, value in zip(("NNEGATIV", "NCLIPPED"), counts, strict=True):
        unit = _with_value(unit, key, f"{value:20}")
    return summed_header(unit, total)


def summed_header(unit: bytes, total: int) -> bytes:
    """Fill in DATASUM, which is ``total``, and the CHECKSUM that follows."""
    unit = _with_value(unit, "DATASUM", f"'{total:<8}'")
    checksum = _encoded(datasum(np.frombuffer(unit, np.uint8).copy(), total))
    return _with_value(unit, "CHECKSUM", f"'{checksum}'")


def errors_header(shape: tuple[int, int]) -> bytes:
    """Return the header of the uncertainties of a light of (rows, columns), sums to be filled in."""
    header = fits.ImageHDU(np.broadcast_to(np.float32(0), (1, *shape)), name="ERR").header
    header["BUNIT"] = "adu"
    header["COMMENT"] = "uncertainty of the pixels in SCI, one standard deviation"
    header["CHECKSUM"] = ("0" * 16, "of this data unit")
    header["DATASUM"] = ("0", "of this data unit")
    return bytes(header.tostring().encode("ascii"))


def _with_value(unit: bytes, key: str, value: str) -> bytes:
    """Replace a value of up to 20 characters, all that stand before the comment."""
    name = f"{key:8}=".encode("ascii")
    place = next(start for start in range(0, len(unit), 80) if unit.startswith(name, start)) + 10
    return unit[:place] + f"{value:20}".encode("ascii") + unit[place + 20 :]


def _facts(calibration: Calibration) -> dict[str, tuple[Any, str]]:
    kinds = [master.kind for _, master in calibration.masters]
    status = ("B" if kinds else "") + ("D" if {"dark", "darkflat"} & set(kinds) else "")
    facts: dict[str, tuple[Any, str]] = {}
    for _, master in calibration.masters:
        facts[f"{'DARK' if master.kind == 'darkflat' else master.kind.upper()}FILE"] = _named(master.name)
    if calibration.flat is not None:
        status += "F"
        facts["FLATFILE"] = _named(calibration.flat.name)
        facts["NMASKED"] = (calibration.flat.n_masked, MASKED_CARD)
    facts["DARKK"] = (float(f"{calibration.k:.7g}"), "factor of the dark above bias")
    facts["PEDESTAL"] = (calibration.pedestal, "[adu] added to all pixels")
    facts["NNEGATIV"] = (0, "pixels below 0")
    facts["NCLIPPED"] = (0, "of them set to 0")
    facts["CALSTAT"] = (status, "calibrated by bias, dark, flat")
    facts["PROGRAM"] = (f"{MADE_BY} {__version__}", "what calibrated the light")
    return facts


def _named(name: str) -> tuple[str, str]:
    return text_card(PurePath(name).name)[:_LONGEST], ""


def _encoded(total: int) -> str:
    """Write the complement of a sum as FITS does (FITS standard 4.0, appendix J).

    Examples
    --------
    >>> _encoded(868229149)
    'hcHjjc9ghcEghc9g'
    """
    value = ~total & 0xFFFFFFFF
    text = [""] * 16
    for place in range(4):
        part = value >> (24 - 8 * place) & 0xFF
        quarter, rest = divmod(part, 4)
        letters = [quarter + rest + 48] + [quarter + 48] * 3
        for pair in (0, 2):
            while any(58 <= one <= 64 or 91 <= one <= 96 for one in letters[pair : pair + 2]):
                letters[pair] += 1
                letters[pair + 1] -= 1
        for turn, letter in enumerate(letters):
            text[4 * turn + place] = chr(letter)
    return text[-1] + "".join(text[:-1])
