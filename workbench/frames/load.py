"""Frames of a catalogue as one lazy stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from workbench.errors import InputError, MixedStackError
from workbench.frames.source import FrameSource
from workbench.units import NOMENCLATURE, set_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import dask.array as da

# a band of this size costs a few milliseconds to read: far more than dask's half a millisecond per task
_BAND_BYTES = 8 * 2**20
_STACK_BYTES = 96 * 2**20  # what a band of all frames may take: what reads it needs twice as much for a moment
_ORIGIN = "frames"  # key of a stack's encoding, where xarray keeps what it knows of the files
_MUST_AGREE = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
_NOT_FOR_COORDS = frozenset({"source", "problems", "header", "path", "height", "width"})


@dataclass(frozen=True)
class FrameFiles:
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
        lazy = _lazy(self.sources)
        frames: xr.DataArray = xr.DataArray(lazy, dims=self.dims, coords=_coords(self.about), name="signal")
        stack = set_units(frames, NOMENCLATURE["signal"].unit, long_name="signal")
        stack.encoding[_ORIGIN] = lazy.name, self.sources
        return stack


def frame_files(rows: pd.DataFrame) -> FrameFiles:
    """Check that the frames in these rows of a catalogue fit one stack; parameters and errors as of :func:`load_stack`.

    Raises
    ------
    InputError, MixedStackError
    """
    if not len(rows):
        raise InputError("stack", "has no frames", "widen the selection of catalogue rows")
    files = [str(file) for file in rows["file"]]
    sources = _sources(rows, files)
    _check_agreement(rows, files, sources)
    about = {str(name): _plain(rows[name]) for name in rows.columns if name not in _NOT_FOR_COORDS}
    return FrameFiles(sources, about)


def load_stack(rows: pd.DataFrame, region: tuple[slice, slice] | None = None) -> xr.DataArray:
    """Make a stack of the frames in these rows of a catalogue, without reading a pixel yet.

    Parameters
    ----------
    rows
        Rows of a :func:`workbench.frames.catalogue.catalogue`: any table with ``file`` and ``source`` columns.
        The columns that describe a frame become coordinates along ``frame``.
    region
        ``(rows, columns)`` to keep of every frame, such as ``Region.slices()`` gives; None keeps all.

    Returns
    -------
    xarray.DataArray
        dims ``(frame, y, x)``, first row of the file first, values as stored [adu]: uint16 stays uint16. Backed by
        dask: a chunk is a band of rows of one frame where the files can be memory-mapped, narrower the more frames
        there are, else a frame.

    Raises
    ------
    InputError
        When there are no rows, or a row has no pixels to read.
    MixedStackError
        When shape, stored type, camera, readout mode, gain setting, offset setting or binning differ between two.

    Examples
    --------
    The mean of the darks of one exposure, once it is asked for::

        table = workbench.catalogue("darks")
        load_stack(table[table["exposure"] == 300]).mean("frame").compute()
    """
    stack = frame_files(rows).lazy()
    return stack if region is None else stack.isel(y=region[0], x=region[1])


def whole_frames(stack: xr.DataArray) -> tuple[FrameSource, ...] | None:
    """Return where the frames of a stack stand that is as :func:`load_stack` made it, uncut; None of any other.

    Notes
    -----
    xarray keeps the encoding of what it has selected; dask names an array anew whatever is done to it.
    """
    name, sources = stack.encoding.get(_ORIGIN, (None, None))
    return sources if stack.chunks is not None and stack.data.name == name else None


def _sources(rows: pd.DataFrame, files: Sequence[str]) -> tuple[FrameSource, ...]:
    sources = tuple(rows["source"])
    for file, source in zip(files, sources, strict=True):
        if not isinstance(source, FrameSource):
            raise InputError(
                file, "has no pixels that can be read", "leave it out of the stack: the column `usable` tells"
            )
    return sources


def _check_agreement(rows: pd.DataFrame, files: Sequence[str], sources: Sequence[FrameSource]) -> None:
    facts: dict[str, Sequence[Any]] = {
        "shape": [f"{source.shape[0]} x {source.shape[1]}" for source in sources],
        "stored type": [str(source.values_dtype) for source in sources],
    }
    facts |= {column.replace("_", " "): list(rows[column]) for column in _MUST_AGREE if column in rows}
    for fact, values in facts.items():
        words = ["missing" if pd.isna(value) else _in_words(value) for value in values]
        for file, word in zip(files, words, strict=True):
            if word != words[0]:
                rule = f"its {fact} is {word}, that of {files[0]} is {words[0]}; one stack has one {fact}"
                raise MixedStackError(file, rule, "select by it, or stack each group of the catalogue by itself")


def _in_words(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)


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


def _plain(column: pd.Series[Any]) -> np.ndarray:
    """Return a column as NumPy knows it: pandas' own text and nullable types become objects, None is kept."""
    values = column.to_numpy()
    return values if values.dtype.kind in "biufM" else np.array([*column, None], object)[:-1]
