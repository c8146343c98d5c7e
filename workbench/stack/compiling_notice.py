"""Word that loops are being compiled, so that nobody thinks the program hangs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workbench.stack.code_folder import code_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["announced", "compiling_starts"]

_waiting: list[str] = []  # what is to be said should a loop have to be compiled


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Have it said once, on stderr, if something has to be compiled meanwhile and was not found on disk."""
    later = "once, about 10 s: later runs find them on disk"
    if code_folder() is None:
        later = "about 10 s, as every run does: no folder for the code can be written, set NUMBA_CACHE_DIR to one"
    line = f"compiling {what}, {later}\n"
    _waiting.append(line)
    try:
        yield
    finally:
        if line in _waiting:
            _waiting.remove(line)


def compiling_starts() -> None:
    """Say it, if nobody has."""
    while _waiting:
        sys.stderr.write(_waiting.pop())
