"""A master of the pixels alone, as fast as its frames are read: for frames that are alike beyond doubt.

What judges frames by tables takes as long to import as twenty frames take to combine. Here a doubt is no error: frames
that differ in more than their dates and a little in temperature are left to
:func:`workbench.calibrate.masters.make_master`, which names what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.made_master import Master, few_frames, input_columns, not_looked_at, target_of, write_down
from workbench.calibrate.master_header import row_order
from workbench.frames.entries import Entry, columns_of, read_entry
from workbench.frames.listing import by_folder, listed
from workbench.frames.manifests import find_manifest
from workbench.frames.stack_files import StackFiles
from workbench.frames.suitability import STEADY, judge
from workbench.stack.combine import combine
from workbench.stack.recipe import default_recipe, recipe_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.results import Problem
    from workbench.stack.ahead import Ahead

__all__ = ["quick_master"]

_KINDS = ("bias", "dark", "darkflat")  # flats differ in level
_MAY_DIFFER = frozenset({"date", "temperature"})


def quick_master(
    paths: Sequence[Path],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    threads: int | None = None,
    ahead: Ahead | None = None,
    progress: bool = False,
    **options: Any,
) -> Master | None:
    """Combine frames whose headers leave nothing to ask, and write the pixels with their header and inputs.

    Parameters
    ----------
    paths
        Files of one folder, or the folder.
    out, overwrite, threads, progress
        As for :func:`workbench.calibrate.masters.make_master`.
    ahead
        What :func:`workbench.stack.ahead.begun` gave.
    options
        Fields of the recipe other than those of :func:`workbench.stack.recipe.default_recipe`.

    Returns
    -------
    Master or None
        None where anything is to be asked: nothing is written then.

    Raises
    ------
    InputError
        When an option does not exist, or the file cannot be written.
    FrameError
        When a file goes, or is cut meanwhile.
    """
    entries = _alike(paths)
    if entries is None:
        return None
    rows = columns_of(entries)
    rows["row_order"] = np.array([row_order(entry.frame.cards) for entry in entries if entry.frame], dtype=object)
    target, kind = target_of(out, rows["path"], overwrite=overwrite), str(rows["kind"][0])
    recipe = recipe_of(**{**default_recipe(kind), **options})
    sources = tuple(entry.frame.source for entry in entries if entry.frame)
    stack = StackFiles(sources, {name: rows[name] for name in ("file", "exposure", "temperature")})
    combination = combine(stack, recipe, maps=False, threads=threads, ahead=ahead, progress=progress)
    problems = not_looked_at(len(entries)), *few_frames(recipe, len(entries))
    master = Master(target, kind, combination, input_columns(rows, (), combination), None, problems)
    write_down(master, rows, bias_inside=True, verdict=None)
    return master


def _alike(paths: Sequence[Path]) -> list[Entry] | None:
    """Read the headers, and return them if all are raw frames of one kind that agree in all they say."""
    folders = by_folder(paths)
    if len(folders) != 1 or not all(path.exists() for path in paths):
        return None
    (folder, names), *_ = folders.items()
    root = folder.resolve()
    manifest = find_manifest(root)
    if manifest.path is not None:
        return None
    closed: list[Problem] = []
    entries = [read_entry(root, file, manifest) for file in listed(folder, names, closed)]
    judge(entries, accept=False)
    first = _said(entries[0])
    fit = (
        not closed and first["kind"] in _KINDS and all(_is_plain(entry) and _said(entry) == first for entry in entries)
    )
    return entries if fit and len(entries) > 1 and _steady(entries) else None


def _is_plain(entry: Entry) -> bool:
    return entry.usable and not entry.problems and not entry.get("master") and entry.frame is not None


def _said(entry: Entry) -> dict[str, Any]:
    """Return all that a header says of a frame and that all frames of a master have in common."""
    said = {name: one.value for name, one in entry.header.items() if name not in _MAY_DIFFER}
    source = entry.frame.source if entry.frame else None
    return said | {"kind": entry.get("kind"), "pixels": source and (source.shape, source.values_dtype)}


def _steady(entries: Sequence[Entry]) -> bool:
    """Tell whether the cooler held: all temperatures are known and near to each other, or none is."""
    known = [entry.get("temperature") for entry in entries if entry.get("temperature") is not None]
    return not known or (len(known) == len(entries) and float(np.ptp(known)) <= STEADY)
