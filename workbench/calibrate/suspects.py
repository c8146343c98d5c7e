"""Frames that would spoil a master: odd in temperature or level, torn while they were read, there twice, or blank.

Looked at is a sample: a few short runs of columns of every row, which is enough to weigh each row of each frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.frames.entries import ACCEPTED
from workbench.frames.evidence import ACTION
from workbench.frames.suitability import CLUSTER_GAP
from workbench.results import Problem
from workbench.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.frames.identity import Identity
    from workbench.frames.source import FrameSource

    FloatArray = NDArray[np.float64]
    Sample = NDArray[np.float32]

__all__ = ["Suspects", "find_suspects"]

_RUNS, _RUN = 4, 32  # runs of neighbouring columns that are sampled, and columns in each
_BAND = 512  # rows read at once
_REFERENCES = 7  # frames whose median tells what a pixel should hold
_FEWEST = 3  # frames, of which one can be the odd one out
_LEVEL = 0.5  # of the noise of a pixel: what a frame's level may be off whatever the others do
_STEP = 0.3  # likewise for the rows of a frame
_SIGMAS = 8.0  # robust standard deviations, besides
_WINDOW, _EDGE = 16, 4  # rows on either side of a tear that are compared, and of these the nearest
_SHARP = 0.5  # of a tear's height, that the nearest rows must show; a slope shows a quarter
_CLIP = 4.0  # noises beyond which a pixel counts no further: hot pixels and cosmic rays are no levels
_LOST = "left out; the first of them is used"


@dataclass
class Suspects:
    """What was found, and the files that stay out."""

    problems: list[Problem] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)

    def name(self, file: str, rule: str, *, accept: bool) -> None:
        """Note what is odd about a frame, and leave it out unless its user accepts it."""
        self.problems.append(Problem(file, rule, ACCEPTED if accept else ACTION))
        if not accept:
            self.left_out.add(file)

    def drop(self, file: str, rule: str, action: str) -> None:
        """Leave a frame out whatever its user accepts."""
        self.problems.append(Problem(file, rule, action))
        self.left_out.add(file)


def find_suspects(
    rows: pd.DataFrame, identities: Sequence[Identity], *, accept: bool = False, threads: int | None = None
) -> Suspects:
    """Name the frames of a set that would spoil its master.

    Parameters
    ----------
    rows
        Of a catalogue: raw frames of one kind, exposure and setting.
    identities
        Of their files, in the same order.
    accept
        Name them, but let them enter; frames that are there twice and blank ones stay out all the same.
    threads
        How many at once; as many as there are processors by default.

    Returns
    -------
    Suspects
        A frame is left out when its temperature stands more than 3 K from all others; when its level is off that of the
        set by over 8 robust standard deviations of the levels and half the noise of a pixel; or when rows from one on
        stand at another level than those before, by over 8 robust standard deviations of such steps and 0.3 of the
        noise of a pixel, within four rows. Levels of flats count as ratios, and only one off by a factor of two is odd.
        With fewer than three frames nobody can tell which is the odd one.

    Raises
    ------
    FrameError
        When a file has gone or was cut since its header was read.
    """
    found = Suspects()
    _twice(rows, identities, found)
    kept = rows[~rows["file"].isin(found.left_out)]
    if kept["kind"].iloc[0] != "flat":
        _temperatures(kept, found, accept=accept)
    _pixels(kept, found, accept=accept, threads=threads)
    return found


def _twice(rows: pd.DataFrame, identities: Sequence[Identity], found: Suspects) -> None:
    """Find frames with the pixels of another one under another header: their noise is not averaged."""
    first: dict[int, Any] = {}
    for row, identity in zip(rows.itertuples(), identities, strict=True):
        twin = first.setdefault(identity.datasum, row)
        if twin is not row and np.array_equal(
            twin.source.read(), row.source.read(), equal_nan=twin.source.blank is None
        ):
            found.drop(row.file, f"has the very pixels of {twin.file} under another header", _LOST)


def _temperatures(rows: pd.DataFrame, found: Suspects, *, accept: bool) -> None:
    known = rows[rows["temperature"].notna()]
    if len(known) < _FEWEST:
        return
    values = known["temperature"].to_numpy(np.float64)
    for file, value in zip(known["file"], values, strict=True):
        others = np.abs(np.delete(values, np.flatnonzero(values == value)[0]) - value)
        if others.min() > CLUSTER_GAP:
            rule = f"its temperature {value:g} deg C is {others.min():.1f} K from that of any other frame"
            found.name(str(file), rule, accept=accept)


# ---- levels and tears -----------------------------------------------------------------------------------------------


def _pixels(rows: pd.DataFrame, found: Suspects, *, accept: bool, threads: int | None) -> None:
    files, sources = [str(file) for file in rows["file"]], list(rows["source"])
    flats = rows["kind"].iloc[0] == "flat"
    chosen = np.unique(np.linspace(0, len(sources) - 1, min(len(sources), _REFERENCES)).astype(int))
    samples = np.array(list(in_threads(_sample, (sources[place] for place in chosen), threads)))
    reference = np.median(samples, axis=0)
    noise = _noise(samples)
    looks = list(in_threads(lambda source: _look(_sample(source), reference, noise, flat=flats), sources, threads))
    blank = [one is None for one in looks]
    for file, source, lost in zip(files, sources, blank, strict=True):
        if lost:
            found.drop(file, f"has the value {source.read_rows(0, 1).flat[0]} in every pixel looked at", "left out")
    seen = [(file, look) for file, look in zip(files, looks, strict=True) if look is not None]
    if len(seen) < _FEWEST:
        return
    names = [file for file, _ in seen]
    odd = dict(_odd_levels(names, np.array([look.level for _, look in seen]), noise, flats=flats))
    torn = dict(_tears(names, np.array([look.rows for _, look in seen]), noise))
    for file in names:
        rule = torn.get(file) or odd.get(file)  # what is torn has no level
        if rule:
            found.name(file, rule, accept=accept)


@dataclass(frozen=True)
class _Look:
    """A frame against the reference [adu; of a flat, of the reference's level]: its level, and the rest of each row."""

    level: float
    rows: FloatArray


def _sample(source: FrameSource) -> Sample:
    """Read a few runs of columns of all rows, in bands, so that a frame that is cut meanwhile is told and not met."""
    rows, width = source.shape
    step = max(width // _RUNS, 1)
    starts = range(max((step - _RUN) // 2, 0), width, step)
    columns = np.unique(np.concatenate([np.arange(start, min(start + _RUN, width)) for start in starts]))
    whole = None if source.mappable else source.read()
    parts = []
    for start in range(0, rows, _BAND):
        stop = min(start + _BAND, rows)
        band = source.read_rows(start, stop) if whole is None else whole[start:stop]
        parts.append(band[:, columns].astype(np.float32))
    return np.concatenate(parts)


def _noise(samples: NDArray[np.float32]) -> float:
    """Return the noise of a pixel in a frame [adu], from one frame to the next: what is fixed cancels."""
    spreads = []
    for first, second in pairwise(samples):
        difference = first - second
        off = np.abs(difference - np.nanmedian(difference))
        spreads.append(1.4826 * float(np.nanmedian(off)) or float(np.nanstd(difference)))
    return float(np.nanmedian(spreads)) / 2**0.5 or 1.0  # frames without noise differ by whole adu or not at all


def _look(sample: Sample, reference: Sample, noise: float, *, flat: bool) -> _Look | None:
    if np.nanmin(sample) == np.nanmax(sample) or not np.isfinite(sample).any():
        return None
    scale = float(np.nanmedian(sample) / np.nanmedian(reference)) if flat else 1.0
    difference = sample / np.float32(scale or 1.0) - reference
    whole = bool(np.isfinite(difference).all())
    middles = (np.median if whole else np.nanmedian)(difference, axis=1, keepdims=True)
    rest = np.clip(difference - middles, -_CLIP * noise, _CLIP * noise)
    rows = np.nan_to_num(middles[:, 0] + _mean(rest, axis=1))
    typical = float(np.median(rows))  # rows of a torn part must not move the level of the rest
    return _Look(scale if flat else typical, rows - typical)


def _mean(values: Sample, axis: int) -> FloatArray:
    """Average what is there, in float64; NaN where nothing is."""
    count = np.isfinite(values).sum(axis=axis)
    return np.asarray(np.nansum(values, axis=axis, dtype=np.float64) / np.where(count, count, np.nan))


def _odd_levels(files: Sequence[str], levels: FloatArray, noise: float, *, flats: bool) -> Iterator[tuple[str, str]]:
    middle = float(np.median(levels))
    if flats:
        for file, level in zip(files, levels / middle, strict=True):
            if not 0.5 < level < 2:
                yield file, f"its level is {level:.3g} times the median of its set"
        return
    allowed = max(_SIGMAS * _spread(levels), _LEVEL * noise)
    for file, off in zip(files, levels - middle, strict=True):
        if abs(off) > allowed:
            side = "above" if off > 0 else "below"
            yield file, f"its level is {abs(off):.1f} adu {side} the median of its set, {allowed:.1f} are allowed"


def _tears(files: Sequence[str], rows: FloatArray, noise: float) -> Iterator[tuple[str, str]]:
    """Find rows from which on a frame stands at another level: means of rows before and after, [frame, row]."""
    if rows.shape[1] < 3 * _WINDOW:
        return
    wide, near = _steps(rows, _WINDOW), _steps(rows, _EDGE)
    allowed = max(_SIGMAS * _spread(wide), _STEP * noise)
    sharp = (np.abs(wide) > allowed) & (near * np.sign(wide) > _SHARP * np.abs(wide))
    for file, steps, where in zip(files, wide, sharp, strict=True):
        if where.any():
            row = int(np.argmax(np.abs(steps) * where))
            side = "above" if steps[row] > 0 else "below"
            rest = f"rows from {row} on stand {abs(steps[row]):.1f} adu {side} those before"
            yield file, f"is torn: {rest}, against the other frames"


def _steps(rows: FloatArray, window: int) -> FloatArray:
    """Return, at each row, the mean of so many rows from it on less that of as many before; 0 near the edges."""
    sums = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1)], axis=1)
    means = (sums[:, window:] - sums[:, :-window]) / window
    steps = np.zeros_like(rows)
    steps[:, window : rows.shape[1] - window + 1] = means[:, window:] - means[:, :-window]
    return steps


def _spread(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
