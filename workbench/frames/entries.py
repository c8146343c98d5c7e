"""One file of a catalogue: its header read, its values resolved and overridden, its faults noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import FrameError
from workbench.frames.evidence import ACTION
from workbench.frames.formats import FrameFile, read_frame_file
from workbench.frames.headers import HeaderValue, Resolved, resolve
from workbench.frames.names import values_in_part
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.frames.manifests import Manifest

ACCEPTED = "used, because it was accepted"
NUMBERS = (
    "exposure",
    "temperature",
    "set_temperature",
    "gain_setting",
    "offset_setting",
    "claimed_gain",
    "stack_count",
    "pixel_size",
    "saturation_claim",
)
TEXTS = ("kind", "camera", "readout_mode", "binning", "bayer_pattern", "filter", "software", "object")


@dataclass(eq=False)
class Entry:
    """One file while the catalogue is being made."""

    file: str
    path: Path
    frame: FrameFile | None
    header: dict[str, HeaderValue]
    problems: list[Problem] = field(default_factory=list)
    usable: bool = True
    zero_light: bool = False

    def get(self, name: str) -> Any:
        """Return a resolved value, or None."""
        known = self.header.get(name)
        return known.value if known else None

    def report(self, rule: str, action: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.file, rule, action))

    def leave_out(self, rule: str, action: str) -> None:
        """Note why the frame may not be measured."""
        self.usable = False
        self.report(rule, action)

    def doubt(self, rule: str, *, accept: bool) -> None:
        """Note why the frame may not be measured, unless its user accepts it."""
        self.usable = self.usable and accept
        self.report(rule, ACCEPTED if accept else ACTION)


def read_entry(root: Path, file: str, manifest: Manifest) -> Entry:
    """Read the header of one file, never its pixels, and apply what the manifest says of it.

    Parameters
    ----------
    root, file
        The folder of frames (absolute), and the file relative to it, with slashes.
    manifest
        Its rules are applied in order; later ones win.
    """
    path = root / file
    fault: FrameError | None = None
    frame = None
    try:
        frame = read_frame_file(path)
    except FrameError as error:
        fault = error
    found = _with_root(resolve(frame.cards if frame else (), PurePosixPath(file)), root)
    zero_light = False
    for rule in manifest.frames:
        if rule.matches(file):
            found = found.override(rule.values, "manifest")
            zero_light = zero_light if rule.zero_light is None else rule.zero_light
    entry = Entry(file, path, frame, found.values, zero_light=zero_light)
    if fault:
        advice = fault.next_step.removeprefix("leave it out").removeprefix(" or ")
        entry.leave_out(fault.rule, f"left out; {advice}" if advice else "left out")
    for conflict in found.conflicts:
        entry.report(conflict.rule, conflict.action)
    return entry


def columns_of(entries: Sequence[Entry]) -> dict[str, NDArray[Any]]:
    """Return what is known of files as columns, an entry a file: float64, datetime64, bool, and objects for texts."""
    dates = [np.datetime64(entry.get("date") or "NaT", "us") for entry in entries]
    columns = {name: np.array([entry.get(name) for entry in entries], dtype=object) for name in TEXTS}
    columns |= {name: np.array([entry.get(name) for entry in entries], dtype=np.float64) for name in NUMBERS}
    columns |= {
        "file": np.array([entry.file for entry in entries], dtype=object),
        "path": np.array([str(entry.path) for entry in entries], dtype=object),
        "master": np.array([bool(entry.get("master")) for entry in entries], dtype=np.bool_),
        "date": np.array(dates, "datetime64[us]"),
    }
    return columns


def _with_root(found: Resolved, root: Path) -> Resolved:
    """Guess the kind from the name of the folder itself where nothing nearer says it."""
    name = root.name
    said = dict(values_in_part(name))
    if "kind" in found.values or "kind" not in said:
        return found
    guess = HeaderValue("kind", said["kind"], name, "", "folder name", guess=True)
    return Resolved(found.values | {"kind": guess}, found.conflicts)
