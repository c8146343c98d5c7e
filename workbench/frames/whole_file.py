"""Files that appear whole or not at all: written beside their place, and moved there when all is on the disk."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAY = 86400.0  # s
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a file beside the target to write to, which takes its place when all is written.

    What is there under the target's name stays as it is until then, and for good when writing fails or the process is
    killed. What a killed process has left beside the target is removed by the first that writes there a day later.

    Parameters
    ----------
    target
        Where the file will be; its folder must exist.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _sweep(target)
        yield part
        _flush(part)
        part.replace(target)
        with suppress(OSError):  # some network folders cannot be flushed: the file is there all the same
            _flush(target.parent)
    except OSError as error:
        # NumPy tells of a disk that is full without its number: "15360 requested and 7000 written"
        full = error.errno in _FULL or error.errno is None
        reason = error.strerror or f"no space left: {str(error).split('.')[0]}"
        step = "make room there" if full else "choose a folder that you may write"
        raise InputError(target, f"cannot be written ({reason})", step) from error
    finally:
        with suppress(OSError):  # a folder that has gone or become unreadable takes the part with it
            part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until the disk has it: a name that is there after a power cut must not stand for an empty file."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(target: Path) -> None:
    for old in target.parent.glob(f".{target.name}.*.part"):
        with suppress(OSError):  # its owner has just finished, or it is somebody else's
            if time.time() - old.stat().st_mtime > _DAY:
                old.unlink()
