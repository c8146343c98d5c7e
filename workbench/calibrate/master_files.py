"""Masters in files: FITS with the pixels first, so that every program opens them, and behind them what is known."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import astropy.table  # noqa: F401 - what writing a table imports: here nobody waits for it with the pixels in hand
import numpy as np
from astropy.io import fits

from workbench.calibrate.master_header import MADE_BY
from workbench.errors import InputError
from workbench.frames.formats import read_frame_file
from workbench.frames.identity import identity_of
from workbench.frames.whole_file import whole_file
from workbench.results import Problem
from workbench.stack.planes import ALL_REJECTED, NO_VALUE
from workbench.units import set_units

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["check_inputs", "read_master", "write_master"]

_WHEN = "of this data unit"  # instead of the time of writing, so that equal frames make equal files
_NEXT = "name a master that `workbench combine` wrote"
_PRINTABLE = "".join(chr(code) for code in range(33, 127) if chr(code) != "%") + " "
# extension, variable, unit, comment
_PLANES = (
    ("ERR", "std_error", "adu", "standard error of the pixels in SCI"),
    ("NREJL", "rejected_low", "", "samples rejected as too low"),
    ("NREJH", "rejected_high", "", "samples rejected as too high"),
    ("NKEPT", "n_kept", "", "samples that were kept"),
    ("COVERAGE", "coverage", "", "frames that have a value"),
    ("DQ", "flags", "", "what is wrong with a pixel"),
)
_FLAGS = (
    (ALL_REJECTED, "ALL_REJECTED", "no sample was kept: the pixel is the median of all"),
    (NO_VALUE, "NO_VALUE", "no frame has a value there, or none that counts: NaN"),
)
_TEXTS = ("file", "sha256", "datasum", "date")


def write_master(
    path: str | os.PathLike[str],
    data: Mapping[str, Any] | xr.Dataset,
    inputs: Mapping[str, NDArray[Any]] | pd.DataFrame,
    header: fits.Header,
    *,
    compress: bool = False,
) -> Path:
    """Write a master as FITS, whole or not at all.

    Parameters
    ----------
    path
        Where to; its folder must exist. A file that is there is replaced.
    data
        ``Combination.data`` or its arrays, shape (y, x): ``signal`` and, where they are there, ``std_error``,
        ``rejected_low``, ``rejected_high``, ``n_kept`` and ``flags``.
    inputs
        An entry a frame: ``file``, ``sha256``, ``datasum`` and numbers.
    header
        Of the primary unit, from :func:`workbench.calibrate.master_header.master_header`.
    compress
        Pack the counts and flags, without loss; pixels and errors, which would hardly shrink, stay as they are.

    Returns
    -------
    pathlib.Path
        The file: the primary unit holds the pixels, float32, first row first as in the frames; ``ERR``, float32, of
        shape (1, y, x), because Siril refuses files with a second image just like the first; ``NREJL``, ``NREJH``,
        ``NKEPT``, counts; ``DQ``, whose bits its header names; the table ``INPUTS``. Every unit
        carries CHECKSUM and DATASUM.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    units: list[Any] = [fits.PrimaryHDU(np.asarray(data["signal"], dtype=np.float32), header=header)]
    for name, variable, unit, comment in _PLANES:
        if variable in data:
            units.append(_plane(np.asarray(data[variable]), name, unit, comment, compress=compress))
    units.append(_table(inputs))
    whole = fits.HDUList(units)
    whole.update_extend()  # else writing would, and change what the checksum was taken of
    for one in whole:
        one.add_checksum(when=_WHEN)
    with whole_file(Path(path)) as part:
        whole.writeto(part, overwrite=True)
    return Path(path)


def read_master(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what :func:`write_master` wrote, and check it against its own DATASUMs.

    Returns
    -------
    xarray.Dataset
        Dims ``y, x``: ``signal`` [adu], and ``std_error`` [adu], ``rejected_low``, ``rejected_high``, ``n_kept``,
        ``flags`` where the file has them. Dim ``input``: the table of inputs, a variable a column. ``attrs``: the
        cards of the header that belong to no array, ``RECIPE`` as a dictionary.

    Raises
    ------
    InputError
        When the file is missing, damaged, or no master of this workbench.
    """
    import xarray as xr  # which who writes does without: it takes a while  # noqa: PLC0415

    try:
        with fits.open(path, memmap=False) as units:
            if not str(units[0].header.get("PROGRAM", "")).startswith(MADE_BY) or "INPUTS" not in units:
                raise InputError(path, "is no master of this workbench", _NEXT)
            found = xr.Dataset({"signal": _array(units[0].data)})
            for name, variable, _, _ in _PLANES:
                if name in units:
                    found[variable] = _array(units[name].data)
            for column, values in _inputs(units["INPUTS"].data).items():
                found[str(column)] = ("input", values.to_numpy())
            found.attrs = _attributes(units[0].header)
        _check_sums(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(path, f"cannot be read ({error})", _NEXT) from error
    for name in ("signal", "std_error"):
        if name in found:
            found[name] = set_units(found[name], "adu", long_name=name.replace("_", " "))
    return found


def check_inputs(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[Problem]:
    """Compare the frames that went into a master with those in a folder.

    Parameters
    ----------
    path
        A master.
    folder
        Where its frames are: what ``workbench combine`` was given, or the folder that all of it had in common.

    Returns
    -------
    list of Problem
        One for each frame that is missing, changed, or has the same pixels under another header; empty when all are
        the very files.
    """
    master = read_master(path)
    found = []
    if not all(master["sha256"].to_numpy()):
        return [Problem(str(path), "keeps no hashes of its frames: it was made in haste", "combine it without --quick")]
    for file, sha256, datasum in zip(*(master[name].to_numpy() for name in ("file", "sha256", "datasum")), strict=True):
        place = Path(folder, file)
        if not place.is_file():
            found.append(Problem(str(file), "is not there", "look for it by its sha256, which the table INPUTS holds"))
            continue
        identity = identity_of(read_frame_file(place).source)
        if identity.sha256 == sha256:
            continue
        if identity.datasum == int(datasum):
            found.append(Problem(str(file), "has another header, but the same pixels", "it may be used"))
        else:
            found.append(Problem(str(file), "has other pixels than the frame that was combined", "combine it anew"))
    return found


def _plane(values: Any, name: str, unit: str, comment: str, *, compress: bool) -> Any:
    if values.dtype.kind == "f":
        image = fits.ImageHDU(np.ascontiguousarray(values)[np.newaxis], name=name)
    elif compress:
        image = fits.CompImageHDU(values, name=name, compression_type="RICE_1")
    else:
        image = fits.ImageHDU(np.ascontiguousarray(values), name=name)
    if unit:
        image.header["BUNIT"] = unit
    image.header["COMMENT"] = comment
    if name == "DQ":
        image.header["MSKNUM"] = (len(_FLAGS), "named bits")
        for number, (bit, flag, meaning) in enumerate(_FLAGS):
            image.header[f"MSKNAM{number:02d}"] = (flag, "class")
            image.header[f"MSKVAL{number:02d}"] = (bit, "value of its bit")
            image.header["COMMENT"] = f"{flag}: {meaning}"
    return _as_table(image) if isinstance(image, fits.CompImageHDU) else image


def _as_table(image: fits.CompImageHDU) -> fits.BinTableHDU:
    """Return a packed image as the table that the file will hold: a checksum can be taken of that alone."""
    packed = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(packed)
    packed.seek(0)
    return fits.open(packed, disable_image_compression=True)[1]


def _table(inputs: Mapping[str, NDArray[Any]] | pd.DataFrame) -> fits.BinTableHDU:
    columns = []
    for name, column in inputs.items():
        values = np.asarray(column)
        if name in _TEXTS:
            texts = [quote(str(value), safe=_PRINTABLE, errors="surrogateescape") for value in values]
            width = max([1, *map(len, texts)])
            columns.append(fits.Column(name, f"{width}A", array=np.array(texts, dtype=f"U{width}")))
        else:
            columns.append(fits.Column(name, "D", unit=_UNITS.get(name), array=values.astype(np.float64)))
    table = fits.BinTableHDU.from_columns(columns, name="INPUTS")
    table.header["COMMENT"] = "file: percent-encoded where it is not printable ASCII; temperature: deg C"
    table.header["COMMENT"] = "datasum: of the image as a FITS data unit, which edits of a header leave as it is"
    return table


_UNITS = dict.fromkeys(("location", "scale", "noise", "rejection_offset", "output_offset"), "adu") | {"exposure": "s"}


def _inputs(records: fits.FITS_rec) -> pd.DataFrame:
    import pandas as pd  # see above  # noqa: PLC0415

    columns: dict[str, Any] = {}
    for name in records.names:
        values = np.asarray(records[name])
        if values.dtype.kind in "SU":
            columns[name] = [unquote(str(value), errors="surrogateescape") for value in values]
        else:
            columns[name] = values.astype(values.dtype.newbyteorder("="))
    return pd.DataFrame(columns)


def _array(values: Any) -> xr.DataArray:
    import xarray as xr  # see above  # noqa: PLC0415

    plane = values.reshape(values.shape[-2:])
    return xr.DataArray(plane.astype(plane.dtype.newbyteorder("="), copy=False), dims=("y", "x"))


def _check_sums(path: str | os.PathLike[str]) -> None:
    with fits.open(path, memmap=False, disable_image_compression=True) as units:
        for one in units:
            if one.verify_datasum() != 1:
                raise InputError(path, f"is damaged: the DATASUM of {one.name} is another", "combine the frames anew")


def _attributes(header: fits.Header) -> dict[str, Any]:
    structure = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CHECKSUM", "DATASUM", "EXTNAME", "HISTORY", "COMMENT")
    found: Mapping[str, Any] = {
        key: None if isinstance(value, fits.card.Undefined) else value
        for key, value in header.items()
        if not key.startswith(structure)
    }
    return {**found, "RECIPE": json.loads(header["RECIPE"])}
