"""The folder of a night's results: one run at a time, and nothing that a run that was killed left half-written."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_out", "results_folder"]

_FOLDERS = ("masters", "calibrated", "registered")
_LEFT = ("*/.*.part", ".*.part", "calibrated/.*.fits")  # what is being written, and lights about to be packed


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
    with _held(folder):
        for left in [one for pattern in _LEFT for one in folder.glob(pattern)]:
            with suppress(OSError):  # a folder that may not be written is named by what is written first
                left.unlink()
        yield folder


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock a folder, where the system can, until the process ends however it does."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and there files that are open cannot be removed
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network folders know no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                step = "wait until it has ended, or name another folder"
                raise InputError(folder, "another run is at work there", step) from error
        yield
    finally:
        os.close(handle)
