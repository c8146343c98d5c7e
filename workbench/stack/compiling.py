"""How loops over pixels are compiled by Numba.

Only modules that are about to run such a loop import this one: it imports Numba.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import config, njit
from numba.core import event

from workbench.stack.code_folder import code_folder
from workbench.stack.compiling_notice import compiling_starts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["compiled", "compiled_in_any_order", "compiled_in_place"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def compiled(function: _Function) -> _Function:
    """Have a function compiled when it is first called: IEEE arithmetic in the order written, without Python's lock.

    A division by zero gives infinity or NaN, as in NumPy, and no error.
    """
    return _compiled(function, error_model="numpy")


def compiled_in_place(function: _Function) -> _Function:
    """Have a function compiled into those that call it, as :func:`compiled` does: it has many arguments."""
    return _compiled(function, error_model="numpy", forceinline=True)


def compiled_in_any_order(function: _Function) -> _Function:
    """Have a function compiled whose sums may be taken in any order: what must be exact is made of integers."""
    return _compiled(function, fastmath={"reassoc", "nsz", "contract"})


def _compiled(function: _Function, **options: Any) -> _Function:
    with _kept_in(code_folder()) as kept:
        return cast("_Function", njit(nogil=True, cache=kept, **options)(function))


@contextmanager
def _kept_in(folder: Path | None) -> Iterator[bool]:
    settings: Any = config  # whose attributes Numba sets when it starts
    before = settings.CACHE_DIR
    if folder is not None:
        settings.CACHE_DIR = str(folder)  # a function remembers its folder from when it was declared
    try:
        yield folder is not None
    finally:
        settings.CACHE_DIR = before


class _Notice(event.Listener):
    """Tells when Numba compiles, which it does not where it finds code on disk."""

    def on_start(self, _: event.Event) -> None:
        compiling_starts()

    def on_end(self, _: event.Event) -> None:
        pass


event.register("numba:compile", _Notice())  # type: ignore[no-untyped-call]
