"""The folder of a night's results: one run at a time, and nothing that a run that was killed left half-written."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_out", "results_folder"]

_FOLDERS = ("masters", "calibrated", "registered")
_LEFT = re.compile(r"\..+\.\d+\.part")  # what whole_file and lights about to be packed are called
_LOCK = ".night.lock"  # it stays: removed, two runs could each lock a file of that name


def check_out(out: str | os.PathLike[str]) -> Path:
    """Return the folder of the results, which need not be there yet, and make nothing.

    Raises
    ------
    InputError
        When it is a file, or cannot be made.
    """
    folder = Path(out).absolute()
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        rule = "is a file" if there == folder else f"cannot be made ({there} is a file)"
        raise InputError(folder, rule, "name a folder for the results")
    if not os.access(there, os.W_OK | os.X_OK):
        rule = "cannot be written" if there == folder else "cannot be made"
        raise InputError(folder, f"{rule} (Permission denied)", "choose a folder that you may write")
    return folder


@contextmanager
def results_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Make the folder of the results with its own, and give it to one run; what a killed run left half-written goes.

    Raises
    ------
    InputError
        As :func:`check_out`; when it cannot be made, or another run is at work there.
    """
    folder = check_out(out)
    try:
        for name in ("", *_FOLDERS):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})", "choose a folder that you may write") from error
    with _held(folder) as held:
        if held:  # else another run may be at work there
            _sweep(folder)
        yield folder


def _sweep(folder: Path) -> None:
    for place in (folder, *(folder / name for name in _FOLDERS)):
        for left in [one for one in place.glob(".*.part") if _LEFT.fullmatch(one.name)]:
            with suppress(OSError):  # somebody else's
                left.unlink()


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Lock a folder, where the system can, until the process ends however it does; tell whether it is locked."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and there files that are open cannot be removed
    except ImportError:
        yield False
        return
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)  # network folders lock what may be written
    except OSError as error:
        raise InputError(
            folder, f"cannot be written ({error.strerror})", "choose a folder that you may write"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError as error:
            step = "wait until it has ended, or name another folder"
            raise InputError(folder, "another run is at work there", step) from error
        except OSError:  # some network folders know no locks
            held = False
        yield held
    finally:
        os.close(handle)
