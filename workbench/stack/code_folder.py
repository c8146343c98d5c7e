"""Where the machine code of loops is kept until one of their sources changes.

Numba keeps code by the file of the function that was called, and does not see a change in the functions that this one
calls: a cache of its own would give old results after an update. The folder named here changes with every source, so
that nothing old is ever found.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["code_folder"]

_PACKAGE = Path(__file__).parents[1]
_WITH_LOOPS = ("stack", "calibrate")
_KEPT = 3  # folders of code: an older version of the package may still be at work


@cache
def code_folder() -> Path | None:
    """Return where compiled code is kept: None where no folder can be written, and every process compiles anew.

    ``$NUMBA_CACHE_DIR`` moves it; else it is beside the package, else in the user's cache folder.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(chosen)] if chosen else [_PACKAGE / "stack" / "__pycache__", user_cache_path("dark-frame-workbench")]
    name = f"loops-{_sources()}"
    for place in places:
        with suppress(OSError):
            (place / name).mkdir(parents=True, exist_ok=True)
            if os.access(place / name, os.W_OK):
                _forget_old(place, place / name)
                return place / name
    return None


def _sources() -> str:
    """Return a digest of the modules with compiled functions, and of those beside them, whose constants they hold."""
    digest = hashlib.sha256()
    for path in sorted(one for folder in _WITH_LOOPS for one in (_PACKAGE / folder).glob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _forget_old(place: Path, in_use: Path) -> None:
    """Remove code of sources that are gone, but for the last ones used."""
    with suppress(OSError):
        in_use.touch()
        folders = sorted(place.glob("loops-*"), key=lambda one: one.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT:]:
            if folder != in_use:
                shutil.rmtree(folder, ignore_errors=True)
