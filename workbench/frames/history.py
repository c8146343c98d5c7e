"""Does a line of a header tell that its frame was processed? Whole words count, in pairs, within one clause.

"Dark subtracted" does; "no dark subtraction", "frame for dark subtraction" and "shot in the darkroom" do not.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# a process whose name says all
_PROCESSES = _words(
    "imagecalibration imageintegration cosmeticcorrection drizzleintegration fastintegration staralignment pixelmath "
    "imcombine zerocombine darkcombine flatcombine lacosmic debayered demosaiced debayering demosaicing"
)
# two words, one of each set, in one clause
_PAIRS = (
    (
        _words("bias zero dark darks flat flats flatfield overscan hot cosmetic"),
        _words("subtracted subtraction corrected correction removed removal divided division suppressed suppression"),
    ),
    (_words("calibrated"), _words("bias dark darks flat flats frame frames image images light lights astap siril")),
    (
        _words("stacked stacking combined coadded integrated averaged"),
        _words("frames images exposures subs lights darks flats biases mean median sigma winsorized rejection"),
    ),
    (_words("flat flatfield"), _words("fielded applied")),
)
_NEGATIONS = _words("no not none never without off disabled skipped omitted false required needed pending failed")
_PLANS = _words("for to before needs use")  # "frame for dark subtraction" was not subtracted


def tells_of_processing(text: str) -> bool:
    """Tell whether a line names a calibration, a correction or a combination of frames that was done.

    Parameters
    ----------
    text
        The text of a ``HISTORY`` or ``COMMENT`` card.

    Examples
    --------
    >>> tells_of_processing("Calibrated with a master dark"), tells_of_processing("Dark subtraction: off")
    (True, False)
    """
    return any(_clause_tells(clause) for clause in re.split(r"[,;.]\s|\s/\s", text))


def _clause_tells(clause: str) -> bool:
    words = re.findall(r"[a-z]+", clause.lower())
    found = set(words)
    if found & _NEGATIONS:
        return False
    hits = [found & _PROCESSES]
    hits += [found & (one | other) for one, other in _PAIRS if found & one and found & other]
    starts = [min(words.index(word) for word in hit) for hit in hits if hit]
    return bool(starts) and not _PLANS.intersection(words[: min(starts)])
