"""Which files are frames, of those that are named or stand in a folder that is named; none is opened for its header."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.errors import InputError
from workbench.frames.formats import is_frame_name
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["by_folder", "listed"]

_MAGIC = (b"SIMPLE  =", b"XISF0100")


def by_folder(named: Sequence[Path]) -> dict[Path, list[str] | None]:
    """Tell which files of which folder are meant: None for all of them."""
    folders: dict[Path, list[str] | None] = {path: None for path in named if path.is_dir()}
    for path in named:
        if not path.is_dir():
            files = folders.setdefault(path.parent, [])
            if files is not None:
                files.append(path.name)
    return folders


def listed(folder: Path, names: Collection[str] | None, closed: list[Problem]) -> list[str]:
    """List frames of a folder, all or those named, each once and sorted; note folders that may not be read."""
    return _frame_files(folder, closed) if names is None else sorted(set(names))


def _frame_files(given: Path, closed: list[Problem]) -> list[str]:
    """List what is or looks like a frame, relative to the folder, sorted; note folders that may not be read."""
    advice = "name a folder with FITS, XISF or raw frames"
    if not given.exists():
        raise InputError(given, "does not exist", advice)
    if not given.is_dir():
        return [given.name]
    found = (file for file in _walk(given, closed) if _looks_like_frame(file))
    files = sorted(PurePosixPath(file.relative_to(given)).as_posix() for file in found)
    if not files:
        state = closed[0].rule if closed else "holds no frames" if any(given.iterdir()) else "is empty"
        raise InputError(given / closed[0].file if closed else given, state, advice)
    return files


def _walk(root: Path, closed: list[Problem]) -> Iterator[Path]:
    """Yield every file below a folder, hidden ones left out; each folder once, however many links lead to it."""

    def note(error: OSError) -> None:
        folder = Path(error.filename).relative_to(root).as_posix()
        closed.append(Problem(folder, f"cannot be read ({error.strerror})", "left out; check its permissions"))

    seen = {root.resolve()}
    for parent, folders, names in os.walk(root, onerror=note, followlinks=True):
        new = {Path(parent, name).resolve(): name for name in sorted(folders, reverse=True) if not name.startswith(".")}
        folders[:] = sorted(name for place, name in new.items() if place not in seen)
        seen.update(new)
        for name in names:
            if not name.startswith("."):
                yield Path(parent, name)


def _looks_like_frame(file: Path) -> bool:
    """Tell by its name, or where that has no suffix that is known, by its first bytes."""
    if file.exists() and not file.is_file():  # a pipe would never answer
        return False
    if is_frame_name(file):
        return True
    try:
        with file.open("rb") as stream:
            return stream.read(9).startswith(_MAGIC)
    except OSError:  # unreadable, or a link to nowhere: it does not look like a frame
        return False
