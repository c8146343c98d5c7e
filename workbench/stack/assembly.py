"""The frames of a stack combined on this machine: bands of rows in threads, each into its place in the whole."""

from __future__ import annotations

import os
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from workbench.errors import FrameError
from workbench.frames.stack_files import StackFiles, whole_frames
from workbench.stack.bands import bands
from workbench.stack.columns import combine_values
from workbench.stack.compiling_notice import announced
from workbench.stack.planes import Planes, count_type
from workbench.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    import xarray as xr
    from numpy.typing import NDArray

    from workbench.frames.source import FrameSource
    from workbench.stack.columns import Plan

    BoolArray = NDArray[np.bool_]

__all__ = ["Assembly", "Mask", "combine_files", "combine_here", "files_of", "row_bands", "warm_up"]

_MOST_OPEN = 256  # files: systems allow 1024 or more
_BAND_BYTES = 4 * 2**20  # of what is read at once: many small tasks, which stay in the processor's cache


class Assembly:
    """A combination in the making, shape (y, x), and what was counted for each frame."""

    def __init__(self, shape: tuple[int, int], plan: Plan) -> None:
        counts = count_type(plan.n_frames)
        has_error = plan.maps and plan.recipe.method not in ("min", "max")
        types: dict[str, Any] = {"signal": np.float32}
        types |= {"std_error": np.float32} if has_error else {}
        if plan.maps:
            types |= {"n_kept": counts, "rejected_low": counts, "rejected_high": counts, "flags": np.uint8}
        self.arrays = {name: np.empty(shape, dtype) for name, dtype in types.items()}
        self.frames = np.zeros((3, plan.n_frames), dtype=np.int64)
        self._lock = Lock()

    def add(self, rows: slice, planes: Planes) -> None:
        """Put a band of whole rows in its place; any thread may."""
        for name, array in self.arrays.items():
            band = array[rows]
            band[...] = getattr(planes, name).reshape(band.shape)
        with self._lock:
            self.frames += planes.frames


@dataclass(frozen=True)
class Mask:
    """Samples to leave out: shape (y, x), or (frame, y, x), and then possibly lazy; or none at all."""

    samples: xr.DataArray | None

    def band(self, rows: slice) -> BoolArray | None:
        """Return those of a band, shape (pixel,) or (frame, pixel)."""
        if self.samples is None:
            return None
        band: BoolArray = self.samples.isel(y=rows).to_numpy()
        return band.reshape(-1) if band.ndim == 2 else band.reshape(len(band), -1)

    def frame(self, number: int) -> BoolArray | None:
        """Return those of a frame, shape (y, x)."""
        if self.samples is None:
            return None
        frame: BoolArray = (self.samples.isel(frame=number) if self.samples.ndim == 3 else self.samples).to_numpy()
        return frame


def files_of(stack: xr.DataArray | StackFiles) -> tuple[FrameSource, ...] | None:
    """Return where the frames of a stack stand, if any band of them can be read by itself; else None."""
    sources = stack.sources if isinstance(stack, StackFiles) else whole_frames(stack)
    return sources if sources is not None and all(source.mappable for source in sources) else None


def row_bands(shape: tuple[int, ...], itemsize: int, band_bytes: int = _BAND_BYTES) -> Iterator[slice]:
    """Cut the rows of a (frame, y, x) stack into bands of so many bytes, but a row at least."""
    rows = max(1, band_bytes // (shape[0] * shape[2] * itemsize))
    for start in range(0, shape[1], rows):
        yield slice(start, min(start + rows, shape[1]))


class OpenFiles:
    """The files of frames, kept open from band to band: to open one takes longer than to read two rows of it.

    Where the system knows no reading at a place, none is.
    """

    def __init__(self, sources: Sequence[FrameSource]) -> None:
        self._sources = sources[:_MOST_OPEN] if hasattr(os, "preadv") else ()
        self._stack = ExitStack()

    def __enter__(self) -> tuple[int | None, ...]:
        """Give the descriptor of each file; None of those that are to be opened each time."""
        numbers: list[int | None] = []
        for source in self._sources:
            with suppress(OSError):  # too many, or gone: whoever reads it will say so
                number = os.open(source.path, os.O_RDONLY)
                self._stack.callback(os.close, number)
                numbers.append(number)
                continue
            numbers.append(None)
        return tuple(numbers)

    def __exit__(self, *_: object) -> None:
        """Close them all."""
        self._stack.close()


def combine_files(
    sources: Sequence[FrameSource],
    rows: slice,
    missing: BoolArray | None,
    plan: Plan,
    descriptors: Sequence[int | None] = (),
) -> Planes:
    """Read a band of every frame, by descriptors of the first ones if any, and combine it.

    Raises
    ------
    FrameError
        When a file has gone, or has been cut.
    """
    stored = _as_stored(sources, plan, masked=missing is not None)
    first = sources[0]
    shape = len(sources), (rows.stop - rows.start) * first.shape[1]
    values = np.empty(shape, ">i2" if stored else first.values_dtype)
    for source, band, descriptor in zip_longest(sources, values, descriptors):
        if stored:
            source.read_stored(rows.start, rows.stop, band, descriptor)
        else:
            band[:] = source.read_rows(rows.start, rows.stop).reshape(-1)
    return combine_values(values, missing, plan, stored=stored)


def _in_a_row(values: NDArray[Any]) -> NDArray[Any]:
    """Return a band with the pixels of a frame next to each other: one colour of many has others between."""
    return np.ascontiguousarray(values.reshape(len(values), -1))


def _as_stored(sources: Sequence[FrameSource], plan: Plan, *, masked: bool) -> bool:
    """Tell whether the loops take the files' own bytes."""
    return plan.is_fast(sources[0].values_dtype, masked=masked) and {source.dtype for source in sources} == {">i2"}


def warm_up(stack: xr.DataArray | StackFiles, plan: Plan, mask: Mask) -> None:
    """Have the loops ready that a stack needs, by a pixel without meaning; say so if they have to be compiled."""
    sources, masked = files_of(stack), mask.samples is not None
    stored = sources is not None and _as_stored(sources, plan, masked=masked)
    pixel = np.zeros((plan.n_frames, 1), ">i2" if stored else stack.dtype)
    with announced(f"the loops for rejection {plan.recipe.rejection.name!r}"):
        combine_values(pixel, np.zeros(1, dtype=np.bool_) if masked else None, plan, stored=stored)


def combine_here(
    stack: xr.DataArray | StackFiles,
    plan: Plan,
    mask: Mask,
    *,
    threads: int | None,
    progress: bool,
    band_bytes: int = _BAND_BYTES,
    stopped: Event | None = None,
) -> Assembly:
    """Combine a stack in threads.

    Raises
    ------
    CancelledError
        When ``stopped`` is set before the end.
    FrameError
        When a file has gone, or is damaged.
    """
    _, height, width = stack.shape
    whole = Assembly((height, width), plan)
    sources = files_of(stack)
    with OpenFiles(sources or ()) as descriptors:

        def from_files(sources: Sequence[FrameSource], rows: slice) -> slice:
            whole.add(rows, combine_files(sources, rows, mask.band(rows), plan, descriptors))
            return rows

        def from_memory(values: NDArray[Any], rows: slice) -> slice:
            whole.add(rows, combine_values(_in_a_row(values), mask.band(rows), plan))
            return rows

        if sources is not None:
            cut = row_bands(stack.shape, stack.dtype.itemsize, band_bytes)
            calls: Iterator[Any] = ((from_files, sources, rows) for rows in cut)
        else:
            whole_stack = stack.lazy() if isinstance(stack, StackFiles) else stack
            calls = ((from_memory, values, rows) for rows, values in bands(whole_stack))
        with tqdm(total=height, unit="row", desc="combining", disable=None if progress else True, leave=False) as bar:
            wanted = takewhile(lambda _: stopped is None or not stopped.is_set(), calls)
            for rows in in_threads(lambda call: call[0](*call[1:]), wanted, threads, name="combine"):
                bar.update(rows.stop - rows.start)
    if stopped is not None and stopped.is_set():
        raise CancelledError
    _check_there(sources or ())
    return whole


def _check_there(sources: Sequence[FrameSource]) -> None:
    """Refuse files that have gone: what is open can be read to the end, but what a master is made of must be there."""
    for source in sources:
        try:
            Path(source.path).stat()
        except OSError as error:
            rule = f"has gone while it was being read ({error.strerror})"
            raise FrameError(source.path, rule, "put it back and start again") from error
