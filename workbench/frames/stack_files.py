"""The files of frames that fit one stack: to be read band by band, or as a lazy stack.

To combine twenty frames takes as long as to import xarray and dask: they are imported when a lazy stack is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.units import NOMENCLATURE, set_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import dask.array as da
    import xarray as xr

    from workbench.frames.source import FrameSource

__all__ = ["StackFiles", "whole_frames"]

# a band of this size costs a few milliseconds to read: far more than dask's half a millisecond per task
_BAND_BYTES = 8 * 2**20
_STACK_BYTES = 96 * 2**20  # what a band of all frames may take: what reads it needs twice as much for a moment
_ORIGIN = "frames"  # key of a stack's encoding, where xarray keeps what it knows of the files


@dataclass(frozen=True)
class StackFiles:
    """Frames that fit one stack, for whoever reads the files without dask, which takes a while to import.

    Parameters
    ----------
    sources
        Where their pixels stand.
    about
        What is known of them: name -> an entry a frame.
    """

    sources: tuple[FrameSource, ...]
    about: Mapping[str, np.ndarray]

    dims = ("frame", "y", "x")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns)."""
        return len(self.sources), *self.sources[0].shape

    @property
    def dtype(self) -> np.dtype:
        """Of the values, as stored."""
        return self.sources[0].values_dtype

    def lazy(self) -> xr.DataArray:
        """Return them as :func:`load_stack` does."""
        import xarray as xr  # see above  # noqa: PLC0415

        lazy = _lazy(self.sources)
        frames: xr.DataArray = xr.DataArray(lazy, dims=self.dims, coords=_coords(self.about), name="signal")
        stack = set_units(frames, NOMENCLATURE["signal"].unit, long_name="signal")
        stack.encoding[_ORIGIN] = lazy.name, self.sources
        return stack


def whole_frames(stack: xr.DataArray) -> tuple[FrameSource, ...] | None:
    """Return where the frames of a stack stand that is as :func:`load_stack` made it, uncut; None of any other.

    Notes
    -----
    xarray keeps the encoding of what it has selected; dask names an array anew whatever is done to it.
    """
    name, sources = stack.encoding.get(_ORIGIN, (None, None))
    return sources if stack.chunks is not None and stack.data.name == name else None


def _lazy(sources: tuple[FrameSource, ...]) -> da.Array:
    import dask.array as da  # takes as long to import as a small stack to combine  # noqa: PLC0415

    first = sources[0]
    height, width = first.shape
    if all(source.mappable for source in sources):
        band_bytes = min(_BAND_BYTES, _STACK_BYTES // len(sources))
        band = max(1, min(height, band_bytes // (width * first.values_dtype.itemsize)))
    else:
        band = height  # what is compressed is read whole or not at all
    bands = (*([band] * (height // band)), *([height % band] if height % band else []))
    stack: da.Array = da.map_blocks(  # type: ignore[no-untyped-call]
        _read_block,
        sources=sources,
        band=band,
        chunks=((1,) * len(sources), bands, (width,)),
        dtype=first.values_dtype,
        meta=np.empty((0, 0, 0), first.values_dtype),
    )
    return stack


def _read_block(sources: Sequence[FrameSource], band: int, block_id: tuple[int, int, int]) -> np.ndarray:
    source = sources[block_id[0]]
    start = block_id[1] * band
    return source.read_rows(start, min(start + band, source.shape[0]))[np.newaxis]


def _coords(about: Mapping[str, np.ndarray]) -> Mapping[Hashable, Any]:
    """Return what is known of each frame as coordinates, with the unit where the vocabulary has one."""
    coords: dict[Hashable, Any] = {}
    for name, values in about.items():
        attrs = {"units": NOMENCLATURE[name].unit} if name in NOMENCLATURE else {}
        coords[name] = ("frame", values, attrs)
    return coords
