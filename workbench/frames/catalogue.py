"""A folder of frames as a table: one row a file, what it is, where that is known from, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.frames.entries import TEXTS, columns_of, read_entry
from workbench.frames.listing import listed
from workbench.frames.manifests import check_regions, find_manifest
from workbench.frames.suitability import judge
from workbench.results import Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from workbench.frames.entries import Entry
    from workbench.frames.manifests import Manifest

COLUMNS = (
    "file",
    "path",
    "kind",
    "master",
    "exposure",
    "temperature",
    "set_temperature",
    "gain_setting",
    "offset_setting",
    "claimed_gain",
    "camera",
    "readout_mode",
    "binning",
    "bayer_pattern",
    "filter",
    "date",
    "stack_count",
    "software",
    "pixel_size",
    "saturation_claim",
    "height",
    "width",
    "object",
    "group",
    "usable",
    "zero_light",
    "problems",
    "header",
    "source",
)
_GROUPED_BY = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")


def catalogue(
    path: str | os.PathLike[str],
    *,
    names: Collection[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    accept: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Read the headers of a folder of frames, its folders included, into a table of one row a file.

    Parameters
    ----------
    path
        A folder, or a single file.
    names
        Only these files of the folder, whatever they are called.
    manifest
        A ``workbench.toml``; without one, that beside the frames is used if there is one.
    accept
        Let frames that are not raw, or whose cooler dropped out, enter measurements.
    progress
        Show a bar on a terminal when it takes over a second.

    Returns
    -------
    pandas.DataFrame
        Sorted by file, with the columns :data:`COLUMNS`: ``exposure`` [s], ``temperature`` and ``set_temperature``
        [deg_C], ``claimed_gain`` [electron / adu], ``pixel_size`` [um], ``saturation_claim`` [adu], ``date`` (UTC),
        ``height`` and ``width`` in pixels. What is not known is None, NaN or NaT. ``usable`` says whether the frame may
        enter measurements, ``problems`` what is wrong with it, ``header`` where each value comes from, ``source`` where
        the pixels are. ``attrs`` holds ``manifest``, ``root`` and ``problems`` (those that belong to no single file).

    Raises
    ------
    InputError
        When the folder is missing or holds no frames.
    ManifestError
        When the manifest breaks a rule, or names a region beyond a frame.
    """
    given = Path(path)
    root = (given if given.is_dir() else given.parent).resolve()  # "." has no name
    closed: list[Problem] = []
    files = listed(given, names, closed)
    said = find_manifest(root, manifest)
    entries = [read_entry(root, file, said) for file in _with_progress(files, show=progress)]
    judge(entries, accept=accept)
    for entry in entries:
        if entry.usable and entry.frame:
            check_regions(said, entry.file, entry.frame.source.shape)
    table = _table(entries)
    table.attrs = {"manifest": said, "root": root, "problems": (*closed, *_idle_rules(said, entries))}
    return table


def _with_progress(files: list[str], *, show: bool) -> Iterable[str]:
    if not show:
        return files
    from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

    return tqdm(files, desc="reading headers", unit="file", disable=None, delay=1, leave=False)


def _idle_rules(manifest: Manifest, entries: list[Entry]) -> tuple[Problem, ...]:
    idle = [rule.match for rule in manifest.frames if not any(rule.matches(entry.file) for entry in entries)]
    name = manifest.path.name if manifest.path else ""
    return tuple(Problem(name, f"match = {match!r} matches no frame", "correct it or take it out") for match in idle)


# ---- the table ------------------------------------------------------------------------------------------------------


def _table(entries: list[Entry]) -> pd.DataFrame:
    groups = _groups(entries)
    shapes = [entry.frame.source.shape if entry.frame else (None, None) for entry in entries]
    columns: dict[str, Any] = columns_of(entries)
    columns |= {name: pd.Series(columns[name], dtype=object) for name in TEXTS}  # else pandas makes None NaN
    columns |= {
        "height": pd.Series([shape[0] for shape in shapes], dtype=object),
        "width": pd.Series([shape[1] for shape in shapes], dtype=object),
        "group": pd.Series([groups.get(_group_key(entry)) for entry in entries], dtype=object),
        "usable": [entry.usable for entry in entries],
        "zero_light": [entry.zero_light for entry in entries],
        "problems": pd.Series([tuple(entry.problems) for entry in entries], dtype=object),
        "header": pd.Series([entry.header for entry in entries], dtype=object),
        "source": pd.Series([entry.frame.source if entry.frame else None for entry in entries], dtype=object),
    }
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _group_key(entry: Entry) -> tuple[Any, ...] | None:
    """Frames may be compared when camera, readout mode, settings, binning, shape and type of values are the same."""
    if entry.frame is None:
        return None
    source = entry.frame.source
    return (*(entry.get(name) for name in _GROUPED_BY), source.shape, source.values_dtype.str)


def _groups(entries: list[Entry]) -> dict[tuple[Any, ...] | None, str]:
    """Give each group its number: most usable frames first, ties by the first file."""
    usable = Counter(_group_key(entry) for entry in entries if entry.usable)
    keys = dict.fromkeys(key for entry in entries if (key := _group_key(entry)) is not None)
    order = sorted(keys, key=lambda key: -usable[key])  # stable: ties stay in the order of the files
    return {key: f"g{number}" for number, key in enumerate(order, 1)}
