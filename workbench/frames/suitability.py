"""May a frame be measured? Not if it is not raw, was shot too warm, is there twice, or is of no kind that is known."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

from workbench.frames.entries import ACCEPTED
from workbench.frames.evidence import duplicate_frames, header_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.frames.entries import Entry

TOO_WARM = 10.0  # K above set point or median: the cooler dropped out
STEADY = 1.0  # K off the median of a set, beyond which its members are named
CLUSTER_GAP = 3.0  # K between temperatures that were chosen, where no set point tells them apart


def judge(entries: Iterable[Entry], *, accept: bool) -> None:
    """Set ``usable`` and ``problems`` of every entry whose header could be read.

    Parameters
    ----------
    entries
        All files of a catalogue; they are changed in place.
    accept
        Let frames that are not raw, or too warm, be used all the same.
    """
    readable = [entry for entry in entries if entry.frame]
    for entry in readable:
        _judge_kind(entry)
        _judge_rawness(entry, accept=accept)
    _judge_duplicates(readable)
    for members in _sets(entry for entry in readable if entry.usable and entry.get("temperature") is not None):
        _judge_temperatures(members, accept=accept)


def _judge_kind(entry: Entry) -> None:
    kind = entry.get("kind")
    if kind is None:
        entry.leave_out(
            "neither header nor name says what kind of frame it is", "left out; set its kind in workbench.toml"
        )
    elif kind in ("dark", "darkflat") and entry.get("exposure") is None:
        entry.leave_out(f"no exposure of this {kind} is known", "left out; set its exposure in workbench.toml")
    if entry.zero_light and kind not in (None, "dark"):
        entry.zero_light = False
        entry.report(f"zero_light is said of a {kind}", "not used as zero-light reference, which only a dark can be")


def _judge_rawness(entry: Entry, *, accept: bool) -> None:
    cards = entry.frame.cards if entry.frame else ()
    evidence = header_evidence(entry.file, cards, entry.get("stack_count"))
    for problem in evidence:
        entry.problems.append(replace(problem, action=ACCEPTED) if accept else problem)
    entry.usable = entry.usable and (accept or not evidence)
    if not evidence and entry.get("master"):
        said = entry.header["master"]
        where = f"{said.key} = {said.raw.strip()}" if said.key else f"the {said.source} {said.raw}"
        entry.doubt(f"is a master by {where}, not a raw frame", accept=accept)


def _judge_duplicates(entries: Iterable[Entry]) -> None:
    by_file = {entry.file: entry for entry in entries}
    pairs = [(entry.file, entry.frame) for entry in by_file.values() if entry.frame]
    for duplicate, first in duplicate_frames(pairs):
        by_file[duplicate].leave_out(f"is byte for byte the same as {first}", "left out; the first of them is used")


# ---- temperature ----------------------------------------------------------------------------------------------------


def _sets(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the frames that should have one temperature: same camera, settings, kind, exposure and set point."""
    keys = ("camera", "readout_mode", "gain_setting", "binning", "kind", "exposure", "set_temperature")
    sets: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        sets.setdefault(tuple(entry.get(key) for key in keys), []).append(entry)
    for key, members in sets.items():
        yield from [members] if key[-1] is not None else _clusters(members)


def _clusters(members: list[Entry]) -> Iterator[list[Entry]]:
    """Split a set without a set point: several frames at one steady temperature were meant to be there.

    A cooler that drops out warms up and lets the temperature wander; a series over temperature holds each one.
    """
    runs: list[list[Entry]] = []
    for entry in sorted(members, key=_temperature):
        if runs and _temperature(entry) - _temperature(runs[-1][-1]) <= CLUSTER_GAP:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    steady = [run for run in runs if len(run) > 1 and _temperature(run[-1]) - _temperature(run[0]) <= STEADY]
    rest = [entry for run in runs if run not in steady for entry in run]
    if len(steady) == 1:  # the rest strayed from the only temperature that was held
        yield steady[0] + rest
    else:
        yield from steady
        if rest:
            yield rest


def _judge_temperatures(members: list[Entry], *, accept: bool) -> None:
    middle = median(_temperature(entry) for entry in members)
    warm = [entry for entry in members if _judge_cooler(entry, middle, accept=accept)]
    steady = [entry for entry in members if entry not in warm]
    middle = median([_temperature(entry) for entry in steady] or [middle])
    for entry in steady:
        off = _temperature(entry) - middle
        if abs(off) > STEADY:
            rule = (
                f"its temperature {_temperature(entry):g} deg C is {abs(off):.1f} K {'above' if off > 0 else 'below'}"
            )
            entry.report(f"{rule} the median of its set", "used; a set should agree within 1 K")


def _judge_cooler(entry: Entry, middle: float, *, accept: bool) -> bool:
    measured, aim = _temperature(entry), entry.get("set_temperature")
    if aim is not None and measured - aim > TOO_WARM:
        words = f"{measured - aim:.1f} K above its set point {aim:g} deg C"
    elif measured - middle > TOO_WARM:
        words = f"{measured - middle:.1f} K above the median {middle:g} deg C of its set"
    else:
        return False
    rule = f"its temperature {measured:g} deg C is {words}: the cooler dropped out"
    entry.doubt(rule, accept=accept)
    return True


def _temperature(entry: Entry) -> float:
    return float(entry.get("temperature"))
