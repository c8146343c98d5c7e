"""What a frame is: bias, dark, flat, darkflat or light, read from the words that programs and people use.

Only whole words count: a "darkroom" is no dark. Words are also split at capitals: "masterDark" is a master and a dark.
A darkflat is decided before dark and flat, for both of its words are in it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

KINDS = ("bias", "dark", "flat", "darkflat", "light")


class Kind(NamedTuple):
    """A kind of frame, and whether the words call it a master."""

    kind: str | None
    master: bool


_STRONG = {
    "bias": "bias",
    "dark": "dark",
    "flat": "flat",
    "skyflat": "flat",
    "domeflat": "flat",
    "twilightflat": "flat",
    "darkflat": "darkflat",
    "flatdark": "darkflat",
    "light": "light",
}
# words that are also used for other things; they count where no strong word stands
_WEAK = {
    "offset": "bias",
    "zero": "bias",
    "object": "light",
    "science": "light",
    "sci": "light",
    "expose": "light",
    "tricolor": "light",
}
_WORD = re.compile(
    r"(?P<master>master|super)?(?P<core>"
    + "|".join([*_STRONG, *_WEAK])
    + r")(?:e?s)?(?:frames?|fields?)?(?P<last>master)?"
)
_MASTER = re.compile(r"masters?|superbias|superdark|superflat")


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words; a word that has capitals inside is split there unless it is known whole.

    Examples
    --------
    >>> words_of("masterDark_100sec-frame0001")
    ['masterdark', 'sec', 'frame']
    >>> words_of("myDarkFrames")
    ['my', 'dark', 'frames']
    """
    found: list[str] = []
    for word in re.findall(r"[A-Za-z]+", text):
        whole = word.lower()
        if _WORD.fullmatch(whole):
            found.append(whole)
        else:
            found += [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word)]
    return found


@lru_cache(maxsize=4096)
def kind_of_text(text: str) -> Kind:
    """Read the kind from a header's word for it, such as ``Dark Frame``, ``FLATDARK`` or ``masterBias``.

    Parameters
    ----------
    text
        The value of ``IMAGETYP`` or of one of its cousins.

    Returns
    -------
    Kind
        With ``kind`` None where the text names no kind, or more than one.

    Examples
    --------
    >>> kind_of_text("Master Dark")
    Kind(kind='dark', master=True)
    >>> kind_of_text("Dark Flat Frames").kind
    'darkflat'
    >>> kind_of_text("darkroom").kind is None
    True
    """
    words = words_of(text)
    strong, weak, master = _kinds_in(words)
    return Kind(_one_of(strong or weak), master)


@lru_cache(maxsize=4096)
def kind_of_name(name: str) -> Kind:
    """Read the kind from one part of a path: the name of a file without its suffix, or of a folder.

    Stricter than :func:`kind_of_text`: "offset" or "object" count only as the first word (``dark_offset50`` is a dark,
    ``M13_offset50`` nothing), and "dark" and "flat" make a darkflat only side by side.

    Examples
    --------
    >>> kind_of_name("Offset_0001").kind
    'bias'
    >>> kind_of_name("M13_gain100_offset50").kind is None
    True
    >>> kind_of_name("flats_and_darks").kind is None
    True
    """
    words = [word for word in words_of(name) if word not in {"frame", "frames", "field"}]
    strong, _, master = _kinds_in(words)
    if set(strong) == {"dark", "flat"} and not _side_by_side(words):
        return Kind(None, master)
    if strong:
        return Kind(_one_of(strong), master)
    opening = [word for word in words if not _MASTER.fullmatch(word)][:1]
    return Kind(_one_of(_kinds_in(opening)[1]), master)


def _kinds_in(words: list[str]) -> tuple[list[str], list[str], bool]:
    strong: list[str] = []
    weak: list[str] = []
    master = any(_MASTER.fullmatch(word) for word in words)
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            continue
        core = match["core"]
        master = master or bool(match["master"] or match["last"])
        (strong if core in _STRONG else weak).append(_STRONG.get(core) or _WEAK[core])
    return strong, weak, master


def _one_of(kinds: list[str]) -> str | None:
    different = set(kinds)
    if different in ({"dark", "flat"}, {"darkflat", "dark"}, {"darkflat", "flat"}, {"darkflat", "dark", "flat"}):
        return "darkflat"
    return different.pop() if len(different) == 1 else None


def _side_by_side(words: list[str]) -> bool:
    return any(set(_kinds_in(list(pair))[0]) == {"dark", "flat"} for pair in pairwise(words))
