"""Frames of a catalogue as one lazy stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.errors import InputError, MixedStackError
from workbench.frames.source import FrameSource
from workbench.frames.stack_files import StackFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

_MUST_AGREE = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
_NOT_FOR_COORDS = frozenset({"source", "problems", "header", "path", "height", "width"})


def files_of_stack(rows: pd.DataFrame) -> StackFiles:
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
    return StackFiles(sources, about)


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
    stack = files_of_stack(rows).lazy()
    return stack if region is None else stack.isel(y=region[0], x=region[1])


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


def _plain(column: pd.Series[Any]) -> np.ndarray:
    """Return a column as NumPy knows it: pandas' own text and nullable types become objects, None is kept."""
    values = column.to_numpy()
    return values if values.dtype.kind in "biufM" else np.array([*column, None], object)[:-1]
