"""``workbench.toml``: what the user of a folder knows better than its headers.

An example, with every kind of entry::

    name = "my camera"
    gain = 0.25                # electron / adu, measured elsewhere
    gain_error = 0.01

    [[frames]]                 # later rules win
    match = "led/*_0480[34]*"  # * and ? stay within a folder, ** goes through folders; without a slash: in any folder
    kind = "flat"
    exposure = 2.0             # s; every quantity of the vocabulary can be set

    [[frames]]
    match = "led/*_0486[01]*"
    kind = "dark"
    zero_light = true          # these short darks serve as the bias

    [[regions]]
    name = "tap 1"
    rows = [0, 520]            # start, stop (exclusive) and, if not 1, step; zero-based, the first row of the file is 0
    columns = [50, 1074]
    role = "tap"               # or "overscan", "optical_black", "inactive"

    [overscan]                 # for calibration; else regions of that role serve the whole frame, else BIASSEC does
    level = "median"           # or "mean"
    image = { rows = [0, 520], columns = [50, 1074] }           # what is kept
    strips = [                 # up to 4; those of one target share it
      { source = { rows = [0, 520], columns = [0, 50] }, target = { rows = [0, 520], columns = [0, 1100] } },
    ]
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from workbench.errors import InputError, ManifestError, did_you_mean
from workbench.frames.frame_rules import FrameRule, pattern_of
from workbench.frames.manifest_values import VALUES, VOCABULARY
from workbench.frames.overscan import Overscan, OverscanStrip
from workbench.frames.regions import Region, bayer_regions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = [
    "MANIFEST_NAME",
    "FrameRule",
    "Manifest",
    "Region",
    "bayer_regions",
    "check_regions",
    "find_manifest",
    "read_manifest",
]

MANIFEST_NAME = "workbench.toml"


@dataclass(frozen=True)
class Manifest:
    """What a ``workbench.toml`` says; with no file, nothing.

    Parameters
    ----------
    path
        The file, or None.
    name
        What reports call the camera or session.
    gain, gain_error
        In electron / adu.
    frames
        Rules, in the order of the file.
    regions
        Parts of the frame that are measured apart.
    overscan
        What calibration subtracts; None where nothing is said of it.
    """

    path: Path | None = None
    name: str | None = None
    gain: float | None = None
    gain_error: float | None = None
    frames: tuple[FrameRule, ...] = ()
    regions: tuple[Region, ...] = ()
    overscan: Overscan | None = None


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a ``workbench.toml`` and check every key and value in it.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ManifestError
        When the file is missing or no TOML, or has an unknown key, a wrong type or an impossible value.
    """
    source = Path(path)
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(source, f"cannot be read ({error.strerror})", f"name a {MANIFEST_NAME}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(source, f"is no TOML: {error}", "correct it") from error
    return _Reader(source).manifest(content)


def find_manifest(folder: Path, named: str | os.PathLike[str] | None = None) -> Manifest:
    """Read the manifest that the user named, or the one beside the frames, or return an empty one."""
    if named is not None:
        return read_manifest(named)
    beside = folder / MANIFEST_NAME
    return read_manifest(beside) if beside.is_file() else Manifest()


def check_regions(manifest: Manifest, file: str, shape: tuple[int, int]) -> None:
    """Refuse regions that reach beyond a frame.

    Parameters
    ----------
    manifest
        With its regions.
    file, shape
        Of the frame: its name for the message, ``(rows, columns)``.

    Raises
    ------
    ManifestError
        When a region has rows or columns that the frame has not.
    """
    for region in manifest.regions:
        for axis, span, length in (("rows", region.rows, shape[0]), ("columns", region.columns, shape[1])):
            if span[1] > length:
                rule = f"region {region.name!r} has {axis} up to {span[1]}, but {file} has {length} {axis}"
                raise ManifestError(manifest.path, rule, f"let the {axis} end at {length} or before")


class _Reader:
    """Turns the content of one file into a manifest; every message names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, rule: str, next_step: str) -> ManifestError:
        return ManifestError(self.path, rule, next_step)

    def manifest(self, content: Mapping[str, Any]) -> Manifest:
        self.known(content, ("name", "gain", "gain_error", "frames", "regions", "overscan"), "")
        top = {key: self.value(key, key, content[key]) for key in ("name", "gain", "gain_error") if key in content}
        if "gain_error" in top and "gain" not in top:
            raise self.refuse("gain_error stands without a gain", "give the gain too")
        frames = tuple(
            self.rule(entry, f"frames[{number}]") for number, entry in enumerate(self.entries(content, "frames"))
        )
        regions = tuple(
            self.region(entry, f"regions[{number}]") for number, entry in enumerate(self.entries(content, "regions"))
        )
        names = [region.name for region in regions]
        for name in names:
            if names.count(name) > 1:
                raise self.refuse(f"two regions are called {name!r}", "give each its own name")
        overscan = self.overscan(content["overscan"]) if "overscan" in content else None
        return Manifest(self.path, frames=frames, regions=regions, overscan=overscan, **top)

    def entries(self, content: Mapping[str, Any], key: str) -> list[Any]:
        entries = content.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.refuse(f"key {key!r} is no list of tables", f"write [[{key}]]")
        return entries

    def known(self, content: Iterable[str], legal: Iterable[str], where: str) -> None:
        legal = list(legal)
        for key in content:
            if key not in legal:
                advice = did_you_mean(key.lower(), legal, f"the keys here are {', '.join(legal)}")
                raise self.refuse(f"{where} has an unknown key {key!r}", advice)

    def value(self, key: str, where: str, value: Any) -> Any:
        check, wanted = VALUES[key]
        checked = check(value)
        if checked is None:
            advice = did_you_mean(value, wanted.split(", ") if isinstance(value, str) else (), f"it is {wanted}")
            raise self.refuse(f"{where} = {value!r} is not allowed", advice)
        return checked

    def rule(self, entry: Mapping[str, Any], where: str) -> FrameRule:
        self.known(entry, ("match", "zero_light", *VOCABULARY), where)
        match = entry.get("match")
        if not isinstance(match, str) or not match.strip():
            raise self.refuse(f"{where} has no match", 'say which files it means, such as match = "darks/*.fits"')
        if (
            match.startswith("/")
            or "\\" in match
            or ".." in PurePosixPath(match).parts
            or re.match(r"[A-Za-z]:", match)
        ):
            raise self.refuse(
                f"{where}.match = {match!r} leaves the folder", "name files below the folder, with forward slashes"
            )
        try:
            pattern_of(match)
        except re.error as error:
            raise self.refuse(f"{where}.match = {match!r} is no glob ({error})", "use *, ?, ** and [abc]") from error
        values = {key: self.value(key, f"{where}.{key}", entry[key]) for key in entry if key in VOCABULARY}
        zero_light = (
            self.value("zero_light", f"{where}.zero_light", entry["zero_light"]) if "zero_light" in entry else None
        )
        if zero_light and values.get("kind", "dark") != "dark":
            raise self.refuse(
                f"{where}.zero_light is said of a {values['kind']}", "only a dark can serve as the zero-light reference"
            )
        if not values and zero_light is None:
            raise self.refuse(f"{where} says nothing of {match!r}", 'add what these frames are, such as kind = "dark"')
        return FrameRule(match, values, zero_light)

    def region(self, entry: Mapping[str, Any], where: str) -> Region:
        keys = ("name", "rows", "columns", "role")
        self.known(entry, keys, where)
        for key in keys:
            if key not in entry:
                raise self.refuse(f"{where} has no {key}", f"a region has {', '.join(keys)}")
        return Region(**{key: self.value(key, f"{where}.{key}", entry[key]) for key in keys})

    def overscan(self, entry: Any) -> Overscan:
        table = self.table(entry, "overscan", ("level", "image", "strips"))
        strips = [
            OverscanStrip(*(self.place(one[key], f"{where}.{key}") for key in ("source", "target")))
            for where, one in self.strips(table.get("strips"))
        ]
        image = self.place(table["image"], "overscan.image") if "image" in table else None
        level = self.value("level", "overscan.level", table.get("level", "median"))
        try:
            return Overscan(tuple(strips), image, level, self.path.name)
        except InputError as error:
            raise self.refuse(error.rule, error.next_step) from error

    def strips(self, entries: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
        if not isinstance(entries, list) or not entries:
            raise self.refuse("overscan has no list of strips", "write strips = [{ source = ..., target = ... }]")
        for number, entry in enumerate(entries):
            where = f"overscan.strips[{number}]"
            yield where, self.table(entry, where, ("source", "target"), all_of_them=True)

    def place(self, entry: Any, where: str) -> tuple[slice, slice]:
        table = self.table(entry, where, ("rows", "columns"), all_of_them=True)
        rows, columns = (self.value(key, f"{where}.{key}", table[key]) for key in ("rows", "columns"))
        if rows[2] != 1 or columns[2] != 1:
            raise self.refuse(f"{where} has a step", "give start and stop")
        return slice(*rows[:2]), slice(*columns[:2])

    def table(self, entry: Any, where: str, keys: tuple[str, ...], *, all_of_them: bool = False) -> Mapping[str, Any]:
        if not isinstance(entry, dict):
            raise self.refuse(f"{where} is no table", f"its keys are {', '.join(keys)}")
        self.known(entry, keys, where)
        missing = [key for key in keys if all_of_them and key not in entry]
        if missing:
            raise self.refuse(f"{where} has no {missing[0]}", f"it has {' and '.join(keys)}")
        return entry
