"""Combining that begins before it is known whether the frames may be combined.

A quick combination of twenty frames takes half a second, and to import what judges their headers takes as long: both go
on at once. Whoever has judged compares what was begun with what is wanted, and drops it where they differ.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.frames.formats import read_frame_file
from workbench.frames.listing import by_folder, listed
from workbench.frames.stack_files import StackFiles
from workbench.stack.assembly import Assembly, Mask, combine_here, warm_up
from workbench.stack.columns import Plan
from workbench.stack.normalisation import Coefficients
from workbench.stack.recipe import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

__all__ = ["Ahead", "begun"]

_BAND_BYTES = 16 * 2**20  # read at once: threads wait for Python less often while it is busy importing


@dataclass(frozen=True)
class Ahead:
    """A combination under way.

    Parameters
    ----------
    files, plan
        What is combined, and how.
    future
        Of the result.
    """

    files: StackFiles
    plan: Plan
    future: Future[Assembly]

    def result(self, files: StackFiles, plan: Plan) -> Assembly | None:
        """Wait for the combination if it is that of these files by this plan; else, or if it was stopped, return None.

        Raises
        ------
        FrameError
            When a file has gone, or is damaged.
        """
        same = files.sources == self.files.sources and plan.plain and plan.maps == self.plan.maps
        if not same or plan.recipe != self.plan.recipe:
            return None
        try:
            return self.future.result()
        except CancelledError:
            return None


@contextmanager
def begun(
    paths: Sequence[Path],
    *,
    maps: bool = False,
    threads: int | None = None,
    progress: bool = False,
    **options: Any,
) -> Iterator[Ahead | None]:
    """Begin to combine all frames of some files and folders; what goes on when it is left is stopped.

    Parameters
    ----------
    paths
        Files and folders, as for :func:`workbench.frames.paths.catalogue_of`.
    maps, threads, progress
        As for :func:`workbench.stack.combine.combine`.
    options
        Fields of the recipe.

    Yields
    ------
    Ahead or None
        None where it does not pay, or where something is wrong: who judges the headers will say what.
    """
    try:
        plan, files = _prepared(paths, maps=maps, **options)
    except WorkbenchError:
        plan = files = None
    if plan is None or files is None:
        yield None
        return
    stopped, pool = Event(), ThreadPoolExecutor(1, thread_name_prefix="combine-ahead")
    try:
        warm_up(files, plan, Mask(None))
        how: dict[str, Any] = {"threads": threads, "progress": progress, "band_bytes": _BAND_BYTES, "stopped": stopped}
        yield Ahead(files, plan, pool.submit(combine_here, files, plan, Mask(None), **how))
    finally:
        stopped.set()
        pool.shutdown()


def _prepared(paths: Sequence[Path], *, maps: bool, **options: Any) -> tuple[Plan | None, StackFiles | None]:
    """Return the plan and the files, where they are such as take the exact loops for 16-bit integers."""
    recipe = recipe_of(**options)
    sources = tuple(read_frame_file(path).source for path in _listed(paths))
    unchanged = Coefficients.unchanged(len(sources))
    plan, files = Plan(recipe, unchanged, unchanged, np.ones(len(sources)), maps), StackFiles(sources, {})
    alike = {(source.shape, source.values_dtype, source.mappable) for source in sources}
    fits = len(sources) > 1 and len(alike) == 1 and sources[0].mappable
    return (plan, files) if fits and plan.is_fast(files.dtype, masked=False) else (None, None)


def _listed(paths: Sequence[Path]) -> Iterator[Path]:
    """List the frames in the order of their catalogue."""
    for folder, names in by_folder(paths).items():
        root = folder.resolve()
        yield from (root / name for name in listed(folder, names, []))
