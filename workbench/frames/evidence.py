"""Is this raw? What headers and pixels say against it, as problems that name the file, the rule and what was done.

A frame that was stacked, calibrated, rescaled, clipped or filtered no longer has the noise of the camera; a measurement
on it would be wrong without looking so.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.frames.history import tells_of_processing
from workbench.frames.rawness import (
    extremes,
    histogram,
    noise_correlation,
    share_at_zero,
    step_of,
    uneven_codes,
    window_of,
)
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.frames.formats import Card, FrameFile

ACTION = "left out; --accept uses it"

# practical margins, added to what the estimators' own errors allow
MOST_CLIPPED = 1e-3  # share of pixels at zero: shifts the mean by less than a thousandth of the noise
MOST_CORRELATION = 0.03  # crosstalk between pixels stays below it; a blur that takes a quarter of the variance does not
FEWEST_PEAKS = 0.25  # of the share that noise has; suppression leaves below 0.22 even where it spares one sigma

_STACK_KEYS = ("STACKCNT", "NCOMBINE", "NUMFRAME", "SNAPSHOT", "RESTACK")
# what ccdproc, IRAF and the pipelines of observatories write when they have done it
_DONE_KEYS = frozenset(
    {
        *("SUBBIAS", "SUBDARK", "SUBOSCAN", "FLATCOR", "GAINCOR", "CRMEDIAN", "CRLACOSM"),
        *("ZEROCOR", "DARKCOR", "BIASCOR", "ILLUMCOR", "CCDPROC", "DARKCORR", "BIASCORR", "FLATCORR"),
    }
)
_NOT_DONE = frozenset({"", "F", "N", "NO", "NONE", "FALSE", "0", "OMIT", "PERFORM", "SKIPPED", "OFF"})
_NO_CALSTAT = frozenset({"", "NONE", "NO", "RAW", "N/A"})
_PROSE_KEYS = frozenset({"HISTORY", "COMMENT", "PROCESS", "PixInsight:ProcessingHistory"})


def header_evidence(file: str, cards: Sequence[Card], stack_count: int | None) -> list[Problem]:
    """Say what a header holds against its frame being raw.

    Parameters
    ----------
    file
        Its name, for the message.
    cards
        The header.
    stack_count
        How many frames were combined, as resolved from the header; None where it does not say.

    Returns
    -------
    list of Problem
        At most one for each kind of evidence: stack count, CALSTAT, processing keys, history, scale.
    """
    kinds = (_stacked(cards, stack_count), _calibrated(cards), _processed(cards), _told(cards), _rescaled(cards))
    return [Problem(file, rule, ACTION) for rule in kinds if rule]


def _stacked(cards: Sequence[Card], stack_count: int | None) -> str | None:
    counts = ((card.key, int(float(card.text))) for card in cards if card.key in _STACK_KEYS and _is_number(card.text))
    found = max(counts, key=lambda pair: pair[1], default=("", 0))
    if stack_count is not None and stack_count != found[1]:
        found = ("", stack_count)
    where = f" ({found[0]} = {found[1]})" if found[0] else ""
    return f"is a stack of {found[1]} frames{where}, not one raw frame" if found[1] > 1 else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,9}(\.\d*)?", text.strip()) is not None


def _calibrated(cards: Sequence[Card]) -> str | None:
    for card in cards:
        if card.key == "CALSTAT" and card.text.strip().upper() not in _NO_CALSTAT:
            return f"is calibrated already (CALSTAT = {_quoted(card.text)})"
    return None


def _processed(cards: Sequence[Card]) -> str | None:
    for card in cards:
        if card.key in _DONE_KEYS and card.text.strip().upper() not in _NOT_DONE:
            return f"is processed already ({card.key} = {_quoted(card.text)})"
    return None


def _told(cards: Sequence[Card]) -> str | None:
    for card in cards:
        if card.key in _PROSE_KEYS and tells_of_processing(card.text):
            return f"is processed already ({card.key}: {_quoted(card.text)})"
    return None


def _rescaled(cards: Sequence[Card]) -> str | None:
    first = {card.key: card.text for card in reversed(cards)}
    if first.get("sampleFormat", "").startswith("Float") and first.get("bounds") == "0:1":
        return "holds numbers scaled to [0, 1], not adu (bounds = 0:1)"
    return None


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"


def pixel_evidence(
    file: str, first: NDArray[Any], second: NDArray[Any] | None = None, bayer_pattern: object = None
) -> list[Problem]:
    """Say what the pixels of a frame, and of a second one like it, hold against their being raw.

    Parameters
    ----------
    file
        The name of the first, for the message.
    first, second
        ``(rows, columns)`` as stored [adu]: two frames of the same camera, kind and exposure. Without the second
        neither the lattice is compared nor the noise tested.
    bayer_pattern
        Such as ``"RGGB"`` for a colour sensor, whose neighbours of the same colour stand two pixels apart; anything
        that is no text for another.

    Returns
    -------
    list of Problem
        One for each kind of evidence: no value, [0, 1], fractions, clipping, lattice, codes, noise, peaks.

    Notes
    -----
    Each test allows 5 standard errors of its estimator and, besides, a practical margin: the constants of this module.
    """
    return [Problem(file, rule, ACTION) for rule in _pixel_rules(first, second, colour=isinstance(bayer_pattern, str))]


def _pixel_rules(first: NDArray[Any], second: NDArray[Any] | None, *, colour: bool) -> Iterator[str]:
    if first.dtype.kind == "f" and not np.isfinite(first).any():
        yield "has no pixel with a value"
        return
    levels, counts = histogram(first)
    if not levels.size:
        low, high = float(np.nanmin(first)), float(np.nanmax(first))
        inside = low >= 0 and high <= 1
        yield "holds numbers scaled to [0, 1], not adu" if inside else "holds fractions; raw values are whole numbers"
    elif levels.size == 1:
        yield f"has the value {levels[0]} in every pixel"
        return
    yield from _clipping(first, levels, counts)
    yield from _codes(levels, counts, second)
    yield from _peaks(first, distances=(1, 2) if colour else (1,))
    if second is not None and second.shape == first.shape:
        yield from _noise(first, second)


def _clipping(frame: NDArray[Any], levels: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[str]:
    if not levels.size or levels[0] != 0:
        return
    share = share_at_zero(frame)
    natural, variance = 0.0, share / frame.size
    if levels.size > 2 and levels[2] == 2 * levels[1] == 2 * step_of(levels):
        # a smooth flank falls faster and faster: n0 / n1 <= n1 / n2 for what would be there without clipping
        natural = counts[1] ** 2 / counts[2] / frame.size
        variance += natural**2 * (4 / counts[1] + 1 / counts[2])
    if share - natural - 5 * np.sqrt(variance) > MOST_CLIPPED:
        yield f"is clipped at zero: {share:.2%} of its pixels are exactly 0"


def _codes(levels: NDArray[np.int64], counts: NDArray[np.int64], second: NDArray[Any] | None) -> Iterator[str]:
    if levels.size < 16:
        return  # too few values to see their step
    step = step_of(levels)
    if second is not None:
        other_levels, _ = histogram(second)
        other = step_of(other_levels)
        if other_levels.size >= 16 and other != step:
            yield f"its values stand {step} adu apart, those of a frame like it {other} adu: one of them is processed"
            return
    uneven, judged = uneven_codes(levels, counts)
    if uneven >= 2:
        yield f"its values were rescaled: {uneven} of {judged} codes hold far more or fewer pixels than those beside"


def _peaks(frame: NDArray[Any], distances: Iterable[int]) -> Iterator[str]:
    window = window_of(frame)
    if np.mean(window == window.max()) > MOST_CLIPPED:
        return  # saturation levels the peaks as well
    if np.unique(window, return_counts=True)[1].max() > window.size / 2:
        return  # so does rounding, where the noise is well under one step
    for distance in distances:
        above, below = extremes(frame, distance)
        error = np.sqrt(max(above, 1 / frame.size) / min(frame.size, 2**18))
        if below > 0.01 and above + 5 * error < FEWEST_PEAKS * below:
            neighbours = "neighbours" if distance == 1 else "neighbours of its colour"
            yield (
                f"its hot pixels were suppressed: {above:.2%} of the pixels stand above all their {neighbours}, "
                f"{below:.2%} below"
            )
            return


def _noise(first: NDArray[Any], second: NDArray[Any]) -> Iterator[str]:
    near, far, error = noise_correlation(first, second)
    allowed = MOST_CORRELATION + far + 5 * error
    if near > allowed:
        yield f"was filtered: the noise of neighbours is correlated by {near:.2f}, raw noise by {allowed:.2f} at most"


def duplicate_frames(files: Sequence[tuple[str, FrameFile]]) -> list[tuple[str, str]]:
    """Find files that are byte for byte the same, reading little.

    Only files of equal size and equal header are compared: first 64 KiB from their middle, then a hash of all.

    Parameters
    ----------
    files
        ``(name, header)`` of each frame.

    Returns
    -------
    list of tuple
        ``(duplicate, first)``, by name, in the order given.
    """
    alike: list[list[tuple[str, FrameFile]]] = [list(files)]
    for key in (_outside, _sample, _whole):
        alike = [part for group in alike for part in _split(group, key)]
    position = {name: index for index, (name, _) in enumerate(files)}
    found = [(name, group[0][0]) for group in alike for name, _ in group[1:]]
    return sorted(found, key=lambda pair: position[pair[0]])


def _split(
    group: Sequence[tuple[str, FrameFile]], key: Callable[[FrameFile], Hashable]
) -> list[list[tuple[str, FrameFile]]]:
    """Return the parts of a group whose members share a key; who has it alone has no twin and is dropped."""
    parts: dict[Hashable, list[tuple[str, FrameFile]]] = {}
    for name, frame in group:
        parts.setdefault(key(frame), []).append((name, frame))
    return [part for part in parts.values() if len(part) > 1]


def _outside(frame: FrameFile) -> Hashable:
    return frame.size, frame.fingerprint


def _sample(frame: FrameFile) -> Hashable:
    return _digest(frame, frame.size // 2, 2**16)


def _whole(frame: FrameFile) -> Hashable:
    return _digest(frame, 0, frame.size)


def _digest(frame: FrameFile, start: int, length: int) -> Hashable:
    digest = hashlib.sha256()
    try:
        with Path(frame.source.path).open("rb") as stream:
            stream.seek(start)
            for done in range(0, length, 2**20):
                digest.update(stream.read(min(2**20, length - done)))
    except OSError:
        return frame.source.path  # a file that has gone has no twin; whoever reads its pixels will name it
    return digest.digest()
