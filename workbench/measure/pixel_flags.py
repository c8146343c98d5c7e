"""The classes of pixels as bits of one map: what each bit means, and how well a map agrees with the truth."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PixelFlag(IntFlag):
    """Bits of the map; a pixel may have several."""

    HOT = 1
    HOT_NONLINEAR = 2
    TELEGRAPH_2_LEVELS = 4
    TELEGRAPH_3_LEVELS = 8
    TELEGRAPH_DARK = 16
    DEAD = 32
    SATURATED = 64
    NOT_JUDGED = 128
    COPIED = 256


class FlagMeaning(NamedTuple):
    """One bit: its value, the name of its class and what it says."""

    flag: PixelFlag
    name: str
    meaning: str


FLAG_MEANINGS: tuple[FlagMeaning, ...] = (
    FlagMeaning(PixelFlag.HOT, "hot", "dark current above 5 times the typical, linear with exposure"),
    FlagMeaning(PixelFlag.HOT_NONLINEAR, "hot_nonlinear", "as hot, but bends or saturates with exposure"),
    FlagMeaning(PixelFlag.TELEGRAPH_2_LEVELS, "telegraph_2_levels", "jumps between two levels from read to read"),
    FlagMeaning(PixelFlag.TELEGRAPH_3_LEVELS, "telegraph_3_levels", "jumps between three levels from read to read"),
    FlagMeaning(PixelFlag.TELEGRAPH_DARK, "telegraph_dark", "dark current switches between levels"),
    FlagMeaning(PixelFlag.DEAD, "dead", "no response to light, or one value in every frame"),
    FlagMeaning(PixelFlag.SATURATED, "saturated", "saturates in darks"),
    FlagMeaning(PixelFlag.NOT_JUDGED, "not_judged", "excluded, or no finite value"),
    FlagMeaning(PixelFlag.COPIED, "copied", "has the values of a pixel near by: the camera replaced one of them"),
)

ANY_HOT = PixelFlag.HOT | PixelFlag.HOT_NONLINEAR
ANY_TELEGRAPH = PixelFlag.TELEGRAPH_2_LEVELS | PixelFlag.TELEGRAPH_3_LEVELS | PixelFlag.TELEGRAPH_DARK
BAD = ANY_HOT | ANY_TELEGRAPH | PixelFlag.DEAD | PixelFlag.SATURATED


class Score(NamedTuple):
    """How well one class was found: ``precision`` of the pixels found are true, ``recall`` of the true ones found.

    A share of nothing is None.
    """

    name: str
    n_true: int
    n_found: int
    precision: float | None
    recall: float | None


def counts(flags: NDArray[np.uint16]) -> dict[str, int]:
    """Count the pixels of every class.

    Examples
    --------
    >>> counts(np.array([[1, 5], [0, 4]], dtype=np.uint16))["telegraph_2_levels"]
    2
    """
    return {one.name: int(np.count_nonzero(flags & one.flag)) for one in FLAG_MEANINGS}


def score_classes(
    found: NDArray[np.uint16], truth: NDArray[np.uint16], groups: dict[str, int] | None = None
) -> list[Score]:
    """Hold a map of classes against the true one.

    Parameters
    ----------
    found, truth
        Shape (y, x), bits of :class:`PixelFlag`; pixels not judged in either are left out.
    groups
        Names of classes and their bits, any of which counts; the single classes that occur where not given.

    Examples
    --------
    >>> found, truth = (np.array([[bits]], dtype=np.uint16) for bits in ([1, 1, 0], [1, 0, 1]))
    >>> score_classes(found, truth, {"hot": PixelFlag.HOT})
    [Score(name='hot', n_true=2, n_found=2, precision=0.5, recall=0.5)]
    """
    judged = ((found | truth) & PixelFlag.NOT_JUDGED) == 0
    if groups is None:
        groups = {one.name: int(one.flag) for one in FLAG_MEANINGS if one.flag != PixelFlag.NOT_JUDGED}
        groups = {name: bits for name, bits in groups.items() if ((found | truth)[judged] & bits).any()}
    scores = []
    for name, bits in groups.items():
        mine, theirs = ((flags[judged] & bits) != 0 for flags in (found, truth))
        both, n_found, n_true = (int(np.count_nonzero(which)) for which in (mine & theirs, mine, theirs))
        precision, recall = (both / n if n else None for n in (n_found, n_true))
        scores.append(Score(name, n_true, n_found, precision, recall))
    return scores


def truth_flags(telegraph_class: NDArray[np.uint8], rate: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return the map of classes that a simulated camera should be found to have.

    Parameters
    ----------
    telegraph_class
        0 steady, 1 and 2 that many traps, 3 switching dark current; shape (y, x).
    rate
        Thermal dark current of every pixel [electron / s].
    """
    typical = float(np.median(rate))
    typical = float(np.median(rate[rate <= 5.0 * typical]))
    bits = np.array([0, PixelFlag.TELEGRAPH_2_LEVELS, PixelFlag.TELEGRAPH_3_LEVELS, PixelFlag.TELEGRAPH_DARK])
    flags: NDArray[np.uint16] = bits[telegraph_class].astype(np.uint16)
    flags[rate > 5.0 * typical] |= np.uint16(PixelFlag.HOT)
    return flags
