"""Every pixel's class: hot, bent, jumping, switching, dead, saturated; from maps first, then from every frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.copied_pixels import find_copies
from workbench.measure.dead_pixels import find_dead
from workbench.measure.hot_pixels import LEAST_EXPOSURES, TOLERANCE
from workbench.measure.hot_search import find_hot, no_hot_pixels
from workbench.measure.pixel_flags import PixelFlag, counts
from workbench.measure.pixel_stacks import DarkMaps, Finding, Judged, PixelStack
from workbench.measure.telegraph_search import find_read_telegraph, find_switching
from workbench.measure.telegraph_table import telegraph_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    BoolMap = NDArray[np.bool_]

__all__ = ["PixelClasses", "PixelStack", "classify_pixels"]

_Found = TypeVar("_Found")
_HOT = ("hot", "hot_nonlinear", "saturated", "hot_pixel_fraction")
_OF_DARKS = (*_HOT, "telegraph_dark")


@dataclass(frozen=True)
class PixelClasses:
    """Every pixel's class.

    Parameters
    ----------
    flags
        Bits of :class:`workbench.measure.pixel_flags.PixelFlag`, uint16, shape (y, x).
    telegraph
        The telegraph pixels of both kinds, a row each; the columns are those of
        :data:`workbench.measure.telegraph_table.TELEGRAPH_COLUMNS`.
    hot
        The hot pixels and their currents, a row each: :data:`workbench.measure.hot_search.HOT_COLUMNS`.
    n_judged
        Pixels that were not excluded.
    telegraph_fraction, hot_pixel_fraction
        Shares of the pixels judged, with their errors; None where ``refused`` says why.
    notes
        What a reader must know before using the map.
    refused
        Classes, by their names, that these frames cannot tell, and why.
    """

    flags: NDArray[np.uint16]
    telegraph: pd.DataFrame
    hot: pd.DataFrame
    n_judged: int
    telegraph_fraction: AffineScalarFunc | None
    hot_pixel_fraction: AffineScalarFunc | None
    notes: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many pixels every class has."""
        return counts(self.flags)


def classify_pixels(
    bias: PixelStack,
    darks: Sequence[PixelStack],
    *,
    flats: PixelStack | None = None,
    excluded: BoolMap | None = None,
    saturation: float | None = None,
    gain: float | None = None,
    dark_signal: float | None = None,
    tolerance: float = TOLERANCE,
) -> PixelClasses:
    """Give every pixel its classes.

    Parameters
    ----------
    bias
        The bias frames with their maps; 20 of them tell telegraph pixels well, fewer than 8 not at all, nor do darks of
        more than a second in their place.
    darks
        One stack an exposure, all at one temperature; the longest with their maps. Hot pixels need one exposure of two
        frames, the test of their growth three exposures, switching pixels six frames of the longest.
    flats
        Frames under light, for pixels that do not respond; their maps are not needed.
    excluded
        Regions that are no pixels: overscan, optical black; shape (y, x). Hot, saturating and clipped pixels must not
        be among them: they are to be judged.
    saturation
        The value from which on a pixel saturates [adu].
    gain
        K [electron / adu]. Without it hot pixels are outliers of the pattern, and switching pixels are not judged.
    dark_signal
        Dark signal of a typical pixel in the longest darks, glow apart [electron]; where not given, that which the
        noise of the median pixel shows, glow included.
    tolerance
        By which share the dark current may differ between exposures without a pixel being called bent: 11 % a kelvin.

    Raises
    ------
    NotMeasurableError
        With fewer than two bias frames, or nothing but excluded pixels.
    ValueError
        Where a stack that needs maps has none.

    Notes
    -----
    Maps tell the pixels worth a closer look, one or two in a hundred; only their values are gathered from the frames,
    in one pass a stack. The closer looks are :mod:`workbench.measure.telegraph`, ``switching``, ``hot_pixels`` and
    ``dead_pixels``.
    """
    judged = Judged.of(bias, excluded, saturation, gain)
    look = _Look(np.where(judged.keep, 0, PixelFlag.NOT_JUDGED).astype(np.uint16))
    read = look.at(lambda: find_read_telegraph(judged), "telegraph_2_levels", "telegraph_3_levels")
    switching = hot = None
    if darks:
        ordered = sorted(darks, key=lambda one: one.exposure)
        maps = look.attempt(lambda: DarkMaps.of(judged, ordered[-1]), *_OF_DARKS)
        if maps is not None:
            hot = look.at(lambda: find_hot(judged, maps, ordered, dark_signal, tolerance), *_HOT)
            if hot is not None and hot.share is None:
                look.refused["hot_pixel_fraction"] = hot.notes[0]
            if len(darks) < LEAST_EXPOSURES:
                few = f"{len(darks)} exposures cannot show a bend; shoot darks of {LEAST_EXPOSURES} or more"
                look.refused["hot_nonlinear"] = few
            jumping = np.flatnonzero(look.flags & (PixelFlag.TELEGRAPH_2_LEVELS | PixelFlag.TELEGRAPH_3_LEVELS))
            switching = look.at(lambda: find_switching(judged, maps, jumping), "telegraph_dark")
    else:
        look.refused |= dict.fromkeys(_OF_DARKS, "no darks; shoot 6 or more of a long exposure")
    look.at(lambda: find_dead(judged, darks, flats), "dead")
    look.at(lambda: find_copies(judged), "copied")
    found = [one for one in (read, switching) if one is not None]
    # without those that jump from read to read, the most frequent, it would be another number
    shares = [] if read is None else [one.share for one in found if one.share is not None]
    return PixelClasses(
        look.flags,
        telegraph_table(*[one.table for one in found]),
        no_hot_pixels() if hot is None else hot.table,
        judged.n_pixels,
        sum(shares[1:], shares[0]) if shares else None,
        None if hot is None else hot.share,
        tuple(look.notes),
        look.refused,
    )


class _Look:
    """The map on its way: what a closer look finds enters it, what one cannot tell is kept with the reason."""

    def __init__(self, flags: NDArray[np.uint16]) -> None:
        self.flags = flags
        self.notes: list[str] = []
        self.refused: dict[str, str] = {}

    def attempt(self, find: Callable[[], _Found], *names: str) -> _Found | None:
        try:
            return find()
        except NotMeasurableError as error:
            self.refused |= dict.fromkeys(names, error.reason)
            return None

    def at(self, find: Callable[[], Finding], *names: str) -> Finding | None:
        finding = self.attempt(find, *names)
        if finding is None:
            return None
        for bit, pixels in finding.bits.items():
            self.flags.flat[pixels] |= np.uint16(bit)
        self.notes += finding.notes
        return finding
