"""Which frames may enter a master: raw ones, of one camera, settings, kind, exposure and temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from workbench.errors import InputError, MixedStackError
from workbench.frames.entries import ACCEPTED
from workbench.frames.evidence import ACTION, header_evidence, pixel_evidence
from workbench.frames.formats import read_frame_file
from workbench.frames.headers import agree
from workbench.frames.suitability import CLUSTER_GAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workbench.results import Problem

__all__ = ["Admission", "admit", "check_pixels", "check_several"]

MASTER_KINDS = ("bias", "dark", "darkflat", "flat")
_LISTED = 5  # files that a message names
_BIAS_SPREAD = 0.05  # s: all exposures below are a camera's shortest, whatever its headers call it
_APART = "combine each kind of frame by itself: name its files, or its folder"
# a flat is as long, and as warm, as its light makes it
_TOLERANT: dict[str, tuple[str, ...]] = {
    "exposure": ("bias", "dark", "darkflat"),
    "set_temperature": ("bias", "dark", "darkflat"),
    "filter": ("flat",),
    "bayer_pattern": MASTER_KINDS,
}
_STRICT = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
_UNITS = {"exposure": " s", "set_temperature": " deg C"}


@dataclass(frozen=True)
class Admission:
    """The frames that may be combined, what is wrong with them and with those that may not, and whether all are raw."""

    rows: pd.DataFrame
    problems: tuple[Problem, ...]
    raw: bool


def admit(rows: pd.DataFrame, *, accept: bool) -> Admission:
    """Leave out what cannot be used, and refuse frames that do not make one master.

    Parameters
    ----------
    rows
        Of a catalogue.
    accept
        Take frames although they do not look raw, or their cooler dropped out.

    Returns
    -------
    Admission
        Truncated and otherwise unreadable files, and those that are there twice, are left out.

    Raises
    ------
    InputError
        When a frame is a master or processed, light or of no known kind, or fewer than two remain.
    MixedStackError
        When frames differ in what a master has but one of; the message names those that are fewer.
    """
    problems = tuple(one for ones in rows["problems"] for one in ones)
    readable = rows[[source is not None for source in rows["source"]]]
    processed = _processed(readable)
    if accept:
        problems = tuple(replace(one, action=ACCEPTED) if one.action == ACTION else one for one in problems)
    elif processed:
        _refuse_processed(processed)
    for row in readable.itertuples():
        if row.kind not in MASTER_KINDS:
            _refuse_kind(row.file, row.kind)
    used = readable[[_stays(row, accept=accept) for row in readable.itertuples()]]
    check_several(used, problems)
    _refuse_mixed(used)
    return Admission(used, problems, raw=not processed.keys() & set(used["file"]))


def check_pixels(rows: pd.DataFrame, *, accept: bool) -> tuple[Problem, ...]:
    """Look at the pixels of the first two frames for traces of processing.

    Raises
    ------
    InputError
        When there are any and they are not accepted.
    """
    first, second = rows.iloc[0], rows.iloc[1]
    # stars move between two lights: what is left of them is no noise of neighbours
    other = None if first["kind"] == "light" else second["source"].read()
    found = pixel_evidence(str(first["file"]), first["source"].read(), other, first["bayer_pattern"])
    if found and not accept:
        raise InputError(found[0].file, found[0].rule, "combine raw frames; --accept takes these all the same")
    return tuple(replace(one, action=ACCEPTED) for one in found)


def _names_in_words(names: Sequence[str]) -> str:
    """List a few files, and count the rest.

    Examples
    --------
    >>> _names_in_words(["a.fits", "b.fits"]), _names_in_words([f"{n}.fits" for n in range(9)])
    ('a.fits, b.fits', '0.fits, 1.fits, 2.fits, 3.fits, 4.fits and 4 more')
    """
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _stays(row: Any, *, accept: bool) -> bool:
    """Tell whether a readable frame is used: what is left out for good is so whatever its user accepts."""
    if row.usable:
        return True
    return accept and not any(one.action.startswith("left out") and one.action != ACTION for one in row.problems)


def _processed(rows: pd.DataFrame) -> dict[str, str]:
    """Tell which frames are masters or calibrated, by file, and what in their headers says so."""
    said: dict[str, str] = {}
    for row in rows.itertuples():
        doubts = [one.rule for one in row.problems if one.action in (ACTION, ACCEPTED)]
        if doubts:
            count = None if pd.isna(row.stack_count) else int(row.stack_count)
            found = header_evidence(row.file, read_frame_file(row.path).cards, count)
            if found or row.master:
                said[row.file] = found[0].rule if found else doubts[0]
    return said


def _refuse_processed(said: Mapping[str, str]) -> NoReturn:
    files = list(said)
    others = f" (so {'is' if len(files) == 2 else 'are'} {_names_in_words(files[1:])})" if len(files) > 1 else ""
    raise InputError(files[0], said[files[0]] + others, "combine raw frames; --accept takes these all the same")


def _refuse_kind(file: str, kind: str | None) -> NoReturn:
    if kind is None:
        rule = "neither header nor name says what kind of frame it is"
        raise InputError(file, rule, "set its kind in workbench.toml beside the frames")
    raise InputError(file, f"is a {kind} frame; masters are made of {', '.join(MASTER_KINDS)} frames", _APART)


def check_several(used: pd.DataFrame, problems: Sequence[Problem]) -> None:
    """Refuse fewer than two frames, and say of the first that was left out why.

    Raises
    ------
    InputError
        When there are fewer than two.
    """
    if len(used) > 1:
        return
    count = "one frame" if len(used) else "no frame"
    lost = [one for one in problems if one.action.startswith("left out")]
    if lost:
        why = f"{count} remains of those named: {lost[0].rule}" + (
            f" ({len(lost)} files are left out)" if len(lost) > 1 else ""
        )
        raise InputError(lost[0].file, why, "a master needs two frames or more; `workbench inspect` shows them all")
    name = str(used["file"].iloc[0]) if len(used) else "frames"
    raise InputError(name, f"{count} makes no master", "name two frames or more")


# ---- mixed frames ---------------------------------------------------------------------------------------------------


def _refuse_mixed(rows: pd.DataFrame) -> None:
    _refuse_differing("kind", rows, str)
    kind = str(rows["kind"].iloc[0])
    shapes = rows.assign(
        shape=[f"{source.shape[1]} x {source.shape[0]} pixels" for source in rows["source"]],
        stored_type=[str(source.values_dtype) for source in rows["source"]],
    )
    for fact in ("shape", "stored_type", *_STRICT):
        _refuse_differing(fact, shapes, _key_of)
    for fact, kinds in _TOLERANT.items():
        known = rows[rows[fact].notna()]  # a card that a program forgot contradicts nothing
        if kind in kinds and len(known):
            _refuse_differing(fact, known, _levels(fact, known, bias=kind == "bias"))
    if kind != "flat":
        _refuse_temperatures(rows)


def _key_of(value: Any) -> str:
    return "missing" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _levels(fact: str, known: pd.DataFrame, *, bias: bool) -> Callable[[Any], str]:
    """Give values that agree within the tolerance of their quantity one name, that of the least of them."""
    if known[fact].dtype.kind != "f":
        return _key_of
    starts: list[float] = []
    for value in sorted(known[fact]):
        near = starts and (agree(fact, starts[-1], value) or (bias and fact == "exposure" and value < _BIAS_SPREAD))
        if not near:
            starts.append(value)
    return lambda value: f"{max(start for start in starts if start <= value):g}{_UNITS.get(fact, '')}"


def _refuse_differing(fact: str, rows: pd.DataFrame, key_of: Callable[[Any], str]) -> None:
    """Refuse when not all values have one key; the frames named are those of the keys that are fewer."""
    keys = [key_of(value) for value in rows[fact]]
    counts = {key: keys.count(key) for key in dict.fromkeys(keys)}
    if len(counts) < 2:
        return
    most = max(counts, key=lambda key: counts[key])
    odd = [(str(file), key) for file, key in zip(rows["file"], keys, strict=True) if key != most]
    also = [file for file, _ in odd[1:]]
    word = fact.replace("_", " ")
    others = f" (others that differ: {_names_in_words(also)})" if also else ""
    frames = f"{counts[most]} other frames" if counts[most] > 1 else str(rows["file"].iloc[keys.index(most)])
    rule = f"its {word} is {odd[0][1]}, that of {frames} is {most}{others}; one master has one {word}"
    raise MixedStackError(odd[0][0], rule, _APART)


def _refuse_temperatures(rows: pd.DataFrame) -> None:
    """Refuse frames that were shot on purpose at several temperatures: two or more at each, and a gap between."""
    known = rows[rows["temperature"].notna()].sort_values("temperature", kind="stable")
    runs = [run for run in _temperature_runs(known["temperature"].to_numpy()) if len(run) > 1]
    if len(runs) < 2:
        return
    middles = [float(np.median(known["temperature"].iloc[run])) for run in runs]
    largest = max(range(len(runs)), key=lambda index: len(runs[index]))
    odd = next(index for index in range(len(runs)) if index != largest)
    files = [str(known["file"].iloc[place]) for place in runs[odd]]
    rule = (
        f"its temperature is {middles[odd]:.1f} deg C, as that of {_names_in_words(files[1:])}; "
        f"{len(runs[largest])} other frames have {middles[largest]:.1f} deg C; one master has one temperature"
    )
    raise MixedStackError(files[0], rule, _APART)


def _temperature_runs(ordered: np.ndarray) -> Iterator[list[int]]:
    """Split sorted temperatures where two are further apart than a cooler wanders."""
    edges = np.flatnonzero(np.diff(ordered) > CLUSTER_GAP) + 1
    yield from (list(map(int, run)) for run in np.split(np.arange(ordered.size), edges))
