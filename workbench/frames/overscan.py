"""Overscan: which pixels no light reaches, which were read with them, and what is left as the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.errors import InputError
from workbench.frames.sections import header_sections
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.frames.fits_header import Card
    from workbench.frames.regions import Region

    Place = tuple[slice, slice]
    Level = Literal["mean", "median"]

__all__ = ["LEVELS", "MOST_STRIPS", "Overscan", "OverscanStrip", "check_overscan", "header_overscan", "region_overscan"]

LEVELS = ("median", "mean")
MOST_STRIPS = 4  # as many as the reference program knows


@dataclass(frozen=True)
class OverscanStrip:
    """Where a level is read, and where it is subtracted.

    Parameters
    ----------
    source, target
        Index ``[y, x]``: of the pixels that no light reaches, and of those that were read as they were.
    """

    source: Place
    target: Place


@dataclass(frozen=True)
class Overscan:
    """Up to four strips, and the image that is left.

    Parameters
    ----------
    strips
        Those of one target share it: the mean of their levels is subtracted.
    image
        Index ``[y, x]`` of what is kept; None keeps all.
    level
        ``"median"`` or ``"mean"`` of a source's pixels. The median holds against cosmic rays and hot columns.
    origin
        What said so: ``"workbench.toml"``, ``"BIASSEC and TRIMSEC"``, ...

    Raises
    ------
    InputError
        With more than four strips, or targets that overlap without being the same.
    """

    strips: tuple[OverscanStrip, ...] = ()
    image: Place | None = None
    level: Level = "median"
    origin: str = ""

    def __post_init__(self) -> None:
        if len(self.strips) > MOST_STRIPS:
            rule = f"{len(self.strips)} overscan strips; there are at most {MOST_STRIPS}"
            raise InputError(self.origin or "overscan", rule, "name those that serve the image")
        for k, one in enumerate(self.targets):
            for other in self.targets[k + 1 :]:
                if _overlap(one, other):
                    rule = f"the targets {_words(one)} and {_words(other)} overlap: a pixel has one level"
                    raise InputError(self.origin or "overscan", rule, "let targets be equal, or apart")

    @property
    def targets(self) -> list[Place]:
        """Every target once."""
        found: list[Place] = []
        for strip in self.strips:
            if strip.target not in found:
                found.append(strip.target)
        return found

    @property
    def places(self) -> str:
        """Say what is done, whoever asked for it."""
        parts = [f"{self.level} of {_words(one.source)} from {_words(one.target)}" for one in self.strips]
        if self.image is not None:
            parts.append(f"cut to {_words(self.image)}")
        return "; ".join(parts)

    @property
    def words(self) -> str:
        """Say what is done and who asked for it, in a line."""
        return self.places + (f" ({self.origin})" if self.origin else "")

    def left(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return rows and columns of the image that is left of a frame of this shape."""
        if self.image is None:
            return shape
        rows, columns = self.image
        return rows.stop - rows.start, columns.stop - columns.start


def header_overscan(file: str, cards: Iterable[Card], shape: tuple[int, int]) -> tuple[Overscan | None, list[Problem]]:
    """Take BIASSEC as the source, TRIMSEC (else DATASEC) as the image; a bad one is named and ignored, not obeyed.

    Parameters
    ----------
    file
        What problems name.
    cards, shape
        Of the frame's header, and its (rows, columns).

    Returns
    -------
    overscan
        None without a legal BIASSEC that lies outside of the image.
    problems
        What was ignored, and why.
    """
    sections, problems = header_sections(file, cards, shape)
    if sections.get("BIASSEC") == _whole(shape):
        rule = "BIASSEC is the whole frame: nothing would be left of it"
        problems.append(Problem(file, rule, "ignored; name the regions in workbench.toml"))
        del sections["BIASSEC"]
    keys = ["BIASSEC", *(key for key in ("TRIMSEC", "DATASEC") if key in sections)][:2]
    source, image = sections.get("BIASSEC"), sections.get(keys[-1])
    if source is None:
        return None, problems
    if len(keys) == 1:
        image = None
    elif image is not None and _overlap(source, image):
        rule = f"BIASSEC ({_words(source)}) reaches into {keys[-1]} ({_words(image)})"
        return None, [*problems, Problem(file, rule, "both ignored; name the regions in workbench.toml")]
    return Overscan((OverscanStrip(source, _whole(shape)),), image, origin=" and ".join(keys)), problems


def region_overscan(regions: Sequence[Region], shape: tuple[int, int]) -> Overscan | None:
    """Take the regions of role ``overscan`` as the sources of the whole frame; what is left beside them is the image.

    Strips that reach from edge to edge are cut off, as far as they stand at an edge. None without such regions.

    Raises
    ------
    InputError
        With more than four of them, or when they leave no image.
    """
    sources = [(slice(*one.rows[:2]), slice(*one.columns[:2])) for one in regions if one.role == "overscan"]
    if not sources:
        return None
    whole = _whole(shape)
    left = [[0, shape[0]], [0, shape[1]]]
    for source in sources:
        for axis in (0, 1):
            other = 1 - axis
            if (source[other].start, source[other].stop) != (0, shape[other]):
                continue
            if source[axis].start == 0:
                left[axis][0] = max(left[axis][0], source[axis].stop)
            elif source[axis].stop == shape[axis]:
                left[axis][1] = min(left[axis][1], source[axis].start)
    if left[0][0] >= left[0][1] or left[1][0] >= left[1][1]:
        rule = "the regions of role overscan leave no pixel of the frame"
        raise InputError("workbench.toml", rule, "correct their rows and columns; they count from 0")
    image = slice(*left[0]), slice(*left[1])
    strips = tuple(OverscanStrip(source, whole) for source in sources)
    return Overscan(strips, None if image == whole else image, origin="regions of workbench.toml")


def check_overscan(overscan: Overscan, file: str, shape: tuple[int, int]) -> None:
    """Refuse strips, targets or an image that reach beyond a frame.

    Parameters
    ----------
    overscan
        What is to be subtracted.
    file, shape
        Of the frame: its name for the message, (rows, columns).

    Raises
    ------
    InputError
        When one of them has rows or columns that the frame has not.
    """
    places = [place for one in overscan.strips for place in (one.source, one.target)]
    for place in [*places, *([overscan.image] if overscan.image else [])]:
        if place[0].stop > shape[0] or place[1].stop > shape[1]:
            rule = f"the overscan's {_words(place)} are not all in {file}, which has {shape[0]} x {shape[1]} pixels"
            raise InputError(overscan.origin or "overscan", rule, "correct the rows and columns; they count from 0")


def _whole(shape: tuple[int, int]) -> Place:
    return slice(0, shape[0]), slice(0, shape[1])


def _overlap(one: Place, other: Place) -> bool:
    return all(max(a.start, b.start) < min(a.stop, b.stop) for a, b in zip(one, other, strict=True))


def _words(place: Place) -> str:
    rows, columns = place
    return f"rows {rows.start}-{rows.stop - 1}, columns {columns.start}-{columns.stop - 1}"
