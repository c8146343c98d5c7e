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
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from workbench.errors import ManifestError
from workbench.frames.manifest_values import VALUES, VOCABULARY
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
class FrameRule:
    """One ``[[frames]]`` entry: the files that it means, and what it says of them.

    Parameters
    ----------
    match
        A glob over paths relative to the folder of frames.
    values
        Quantity of the vocabulary -> value.
    zero_light
        Whether these darks serve as the zero-light reference, as a bias would.
    """

    match: str
    values: Mapping[str, Any]
    zero_light: bool | None = None

    def matches(self, file: str) -> bool:
        """Tell whether the rule means a file, given by its path relative to the folder of frames, with slashes.

        Examples
        --------
        >>> FrameRule("led/*_0480[34]*", {}).matches("led/ESIS1_04803.fit.gz")
        True
        >>> FrameRule("*.fit", {}).matches("deep/er/one.fit"), FrameRule("deep/*.fit", {}).matches("deep/er/one.fit")
        (True, False)
        """
        whole = file if "/" in self.match else PurePosixPath(file).name
        return _pattern(self.match).fullmatch(whole) is not None


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
    """

    path: Path | None = None
    name: str | None = None
    gain: float | None = None
    gain_error: float | None = None
    frames: tuple[FrameRule, ...] = ()
    regions: tuple[Region, ...] = ()


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """Translate a glob whose ``*`` stops at a slash and whose ``**`` does not."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", glob, re.DOTALL)
    return re.compile("".join(pieces.get(token) or _one_character(token) for token in tokens), re.DOTALL)


def _one_character(token: str) -> str:
    if len(token) == 1:
        return re.escape(token)
    inside = token[1:-1].replace("\\", r"\\").replace("[", r"\[")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"


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
        self.known(content, ("name", "gain", "gain_error", "frames", "regions"), "")
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
        return Manifest(self.path, frames=frames, regions=regions, **top)

    def entries(self, content: Mapping[str, Any], key: str) -> list[Any]:
        entries = content.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.refuse(f"key {key!r} is no list of tables", f"write [[{key}]]")
        return entries

    def known(self, content: Iterable[str], legal: Iterable[str], where: str) -> None:
        legal = list(legal)
        for key in content:
            if key not in legal:
                near = difflib.get_close_matches(key.lower(), legal, n=1)
                advice = f"did you mean {near[0]!r}?" if near else f"the keys here are {', '.join(legal)}"
                raise self.refuse(f"{where} has an unknown key {key!r}", advice)

    def value(self, key: str, where: str, value: Any) -> Any:
        check, wanted = VALUES[key]
        checked = check(value)
        if checked is None:
            near = difflib.get_close_matches(value, wanted.split(", "), n=1) if isinstance(value, str) else []
            advice = f"did you mean {near[0]!r}?" if near else f"it is {wanted}"
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
            _pattern(match)
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
