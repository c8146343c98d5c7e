"""What a night's folder holds and what it was made of, so that a later run does again only what is not there."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workbench import __version__
from workbench.errors import InputError
from workbench.frames.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = ["RECORD", "NightRecord", "made_from", "sha256_of"]

RECORD = "night.json"
_SCHEMA = "workbench-night/1"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises
    ------
    InputError
        When it has gone or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "put it back and start again") from error


def made_from(step: str, options: object, inputs: Sequence[str]) -> str:
    """Return one hash for all that determines a result: the step, its options, its inputs' hashes, this version."""
    text = json.dumps([__version__, step, options, list(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class NightRecord:
    """The record of a folder: for each file its SHA-256, what it was made from and when, and what was found out.

    Parameters
    ----------
    folder
        Of the results. A record that is there is read.

    Raises
    ------
    InputError
        When the record is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / RECORD
        self._files: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._files = _read(self._path)

    def known(self, file: str, key: str) -> dict[str, Any] | None:
        """Return the facts of a file that is there, intact, and was made from just this; None where it is not.

        Parameters
        ----------
        file
            From the folder on.
        key
            From :func:`made_from`.
        """
        entry = self._files.get(file)
        path = self._folder / file
        if entry is None or entry["made_from"] != key or not path.is_file():
            return None
        if path.stat().st_size != entry["size"] or sha256_of(path) != entry["sha256"]:
            return None
        facts: dict[str, Any] = entry["facts"]
        return facts

    def sha256(self, file: str) -> str:
        """Return the hash of a file that was recorded."""
        return str(self._files[file]["sha256"])

    def left_over(self, used: Collection[str]) -> list[str]:
        """Return the files of earlier runs that are there and are none of those used."""
        return sorted(file for file in self._files if file not in used and (self._folder / file).is_file())

    def made_on(self, file: str) -> str | None:
        """Return when a file was made, UTC; None where an earlier version of the workbench did not note it."""
        when = self._files[file].get("made_on")
        return None if when is None else str(when)

    def add(self, file: str, key: str, facts: dict[str, Any]) -> None:
        """Record a file that was written, and put the record on the disk.

        Raises
        ------
        InputError
            When the file has gone, or the record cannot be written.
        """
        path = self._folder / file
        digest = sha256_of(path)
        self._files[file] = {
            "sha256": digest,
            "size": path.stat().st_size,
            "made_from": key,
            "made_on": datetime.now(UTC).isoformat(timespec="seconds"),
            "facts": facts,
        }
        record = {"schema": _SCHEMA, "workbench": __version__, "files": self._files}
        with whole_file(self._path) as part:
            part.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    step = "remove it: all is then made anew"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", step) from error
    except ValueError as error:
        raise InputError(path, f"is not JSON ({error})", step) from error
    wanted = {"sha256": str, "size": int, "made_from": str, "facts": dict}
    files = record.get("files") if isinstance(record, dict) and record.get("schema") == _SCHEMA else None
    if not isinstance(files, dict) or not all(
        isinstance(one, dict) and all(isinstance(one.get(key), kind) for key, kind in wanted.items())
        for one in files.values()
    ):
        raise InputError(path, f"is no record of the kind {_SCHEMA}", step)
    return files
