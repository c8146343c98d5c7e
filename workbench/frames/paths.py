"""Frames that stand in several folders, or are named one by one, as one catalogue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from workbench.errors import InputError
from workbench.frames.catalogue import catalogue
from workbench.frames.listing import by_folder

if TYPE_CHECKING:
    from collections.abc import Sequence


def catalogue_of(
    paths: Sequence[str | os.PathLike[str]],
    *,
    manifest: str | os.PathLike[str] | None = None,
    accept: bool = False,
    progress: bool = False,
) -> pd.DataFrame:
    """Read the headers of frames that are named one by one, or by their folders, into one table.

    Parameters
    ----------
    paths
        Files and folders; what is named twice counts once.
    manifest, accept, progress
        As for :func:`workbench.frames.catalogue.catalogue`. Each folder's own ``workbench.toml`` serves its frames.

    Returns
    -------
    pandas.DataFrame
        As from :func:`workbench.frames.catalogue.catalogue`, in the order of the arguments; ``file`` counts from the
        folder that all have in common, which is ``attrs["root"]``. Groups are numbered in each folder by itself. Of
        several folders ``attrs["manifests"]`` holds the manifest of each, and ``attrs["manifest"]`` none.

    Raises
    ------
    InputError
        When a file or folder does not exist, or a folder holds no frames.
    """
    named = [Path(path) for path in paths]
    if not named:
        raise InputError("frames", "are none", "name files or folders")
    for path in named:
        if not path.exists():
            raise InputError(path, "does not exist", "name files and folders that are there")
    tables = [
        catalogue(path, names=files, manifest=manifest, accept=accept, progress=progress)
        for path, files in by_folder(named).items()
    ]
    if len(tables) == 1:
        return tables[0]
    root = Path(os.path.commonpath([table.attrs["root"] for table in tables]))
    problems = tuple(one for table in tables for one in table.attrs["problems"])
    manifests = {table.attrs["root"]: table.attrs["manifest"] for table in tables}
    for table in tables:
        table["file"] = [Path(path).relative_to(root).as_posix() for path in table["path"]]
        table.attrs = {}  # else pandas compares them
    whole = pd.concat(tables, ignore_index=True).drop_duplicates("path", ignore_index=True)
    whole.attrs = {"manifest": None, "manifests": manifests, "root": root, "problems": problems}
    return whole
