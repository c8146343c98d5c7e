"""The classes of pixels in files: a FITS image of flags with its tables, and Siril's list of bad pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from astropy.io import fits

from workbench import __version__
from workbench.errors import InputError
from workbench.frames.whole_file import whole_file
from workbench.measure.hot_search import HOT_COLUMNS
from workbench.measure.pixel_flags import BAD, FLAG_MEANINGS, PixelFlag
from workbench.measure.telegraph_table import TELEGRAPH_COLUMNS, telegraph_table

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.measure.pixels import PixelClasses

_WHEN = "of this data unit"  # instead of the time of writing, so that equal maps make equal files
_NEXT = "name a map of pixels that this workbench wrote"
_KIND_WIDTH = 4  # of "read" and "dark"


@dataclass(frozen=True)
class PixelMap:
    """What a file of pixel classes holds: the flags, the table of telegraph pixels and that of hot pixels."""

    flags: NDArray[np.uint16]
    telegraph: pd.DataFrame
    hot: pd.DataFrame


def write_pixel_map(
    path: str | os.PathLike[str], classes: PixelClasses | PixelMap, cards: Mapping[str, Any] | None = None
) -> Path:
    """Write the classes of pixels as FITS, whole or not at all.

    Parameters
    ----------
    path
        Where to; its folder must exist.
    classes
        Flags and tables.
    cards
        What the primary header should say of camera and conditions: keywords and values.

    Returns
    -------
    pathlib.Path
        The file: an empty primary unit; ``DQ``, the flags, uint16, first row first as in the frames; ``TELEGRAPH`` and
        ``HOT``, tables whose rows and columns count from zero, first FITS row first. The bits of DQ are named in its
        header, ``MSKNUM`` of them: ``MSKVALnn`` is a bit's value and ``MSKNAMnn`` its name.

    Raises
    ------
    InputError
        When the folder cannot be written.
    """
    primary = fits.PrimaryHDU(header=fits.Header({**(cards or {}), "PROGRAM": f"dark-frame workbench {__version__}"}))
    units = [primary, _image(classes.flags)]
    units.append(_table(classes.telegraph, TELEGRAPH_COLUMNS, "TELEGRAPH"))
    units.append(_table(classes.hot, HOT_COLUMNS, "HOT"))
    whole = fits.HDUList(units)
    whole.update_extend()  # else writing would, and change what the checksum was taken of
    for unit in whole:
        unit.add_checksum(when=_WHEN)
    with whole_file(Path(path)) as part:
        whole.writeto(part, overwrite=True)
    return Path(path)


def read_pixel_map(path: str | os.PathLike[str]) -> PixelMap:
    """Read what :func:`write_pixel_map` wrote.

    Raises
    ------
    InputError
        When the file is missing, damaged or another kind of file.
    """
    try:
        with fits.open(path, memmap=False) as units:
            flags = np.array(units["DQ"].data, dtype=np.uint16)
            telegraph, hot = (_frame(units[name].data) for name in ("TELEGRAPH", "HOT"))
            names = {card: units["DQ"].header[card] for card in ("MSKNUM", "MSKNAM00")}
    except KeyError as error:
        raise InputError(path, f"is no map of pixels ({error.args[0]})", _NEXT) from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(path, f"cannot be read ({error})", _NEXT) from error
    if names != {"MSKNUM": len(FLAG_MEANINGS), "MSKNAM00": FLAG_MEANINGS[0].name}:
        raise InputError(path, "gives its bits other meanings", _NEXT)
    return PixelMap(flags, telegraph_table(telegraph), hot)


def write_siril_list(path: str | os.PathLike[str], flags: NDArray[np.uint16], classes: PixelFlag | int = BAD) -> Path:
    """Write the pixels of some classes as a list of bad pixels for Siril, whole or not at all.

    Parameters
    ----------
    path
        Where to; Siril expects the ending ``.lst``.
    flags
        Bits of :class:`workbench.measure.pixel_flags.PixelFlag`, shape (y, x).
    classes
        Which bits make a pixel bad.

    Notes
    -----
    One line a pixel, ``P x y H`` or ``P x y C``: Siril replaces a hot one by the mean of its neighbours and a cold
    one, here a dead one, by their median. Both coordinates count from zero; y counts from the *last* FITS row, whatever
    the header's ROWORDER says: ``y = rows - 1 - row``. Found with Siril 1.0.6, which writes and applies such lists so.
    """
    rows, columns = np.nonzero(flags & np.uint16(classes))
    height = flags.shape[0]
    letters = np.where(flags[rows, columns] & PixelFlag.DEAD, "C", "H")
    lines = [
        f"# {len(rows)} bad pixels of a sensor of {flags.shape[1]} x {height}; dark-frame workbench {__version__}",
        *(f"P {x} {height - 1 - y} {letter}" for y, x, letter in zip(rows, columns, letters, strict=True)),
    ]
    with whole_file(Path(path)) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")
    return Path(path)


def write_pixel_files(classes: Mapping[str, PixelClasses], folder: str | os.PathLike[str]) -> list[Path]:
    """Write the pixel maps of every group and region into a folder, which is made; nothing where there are none.

    Parameters
    ----------
    classes
        By group and region, as in ``Results.pixel_classes``.
    folder
        Gets ``g1.fits`` and, for a whole frame, ``g1.lst`` for Siril; a region's rows and columns count within it.
    """
    written: list[Path] = []
    for place, one in classes.items():
        group, _, region = place.partition("/")
        stem = "_".join([group, *re.findall(r"\w+", region)])
        Path(folder).mkdir(parents=True, exist_ok=True)
        # FITS cards hold ASCII alone
        cards = {"GROUP": group, "REGION": region.encode("ascii", "replace").decode() or "whole frame"}
        written.append(write_pixel_map(Path(folder, f"{stem}.fits"), one, cards))
        if not region:
            written.append(write_siril_list(Path(folder, f"{stem}.lst"), one.flags))
    return written


def read_siril_list(path: str | os.PathLike[str], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read the single pixels of Siril's list of bad pixels as a map.

    Parameters
    ----------
    path
        The list.
    shape
        (rows, columns) of the frames, which the list does not tell.

    Raises
    ------
    InputError
        When the file is missing, a line is none of a list, or a pixel lies outside the frame.
    """
    bad = np.zeros(shape, dtype=bool)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"cannot be read ({error})", "name a list of bad pixels of Siril") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] != "P" or len(words) not in (3, 4) or not all(word.isdecimal() for word in words[1:3]):
            rule = f"line {number} ({line[:40]}) is not of the form P x y H"
            raise InputError(path, rule, "only single pixels can be read: take lines of rows and columns out")
        column, row = int(words[1]), shape[0] - 1 - int(words[2])
        if row < 0 or column >= shape[1]:
            rule = f"line {number} names a pixel outside {shape[1]} x {shape[0]}"
            raise InputError(path, rule, "name the list of this camera, or frames without binning")
        bad[row, column] = True
    return bad


def _image(flags: NDArray[np.uint16]) -> fits.ImageHDU:
    """Make the image of flags, whose header says what every bit means."""
    image = fits.ImageHDU(np.ascontiguousarray(flags, dtype=np.uint16), name="DQ")
    image.header["MSKNUM"] = (len(FLAG_MEANINGS), "named bits")
    for number, one in enumerate(FLAG_MEANINGS):
        image.header[f"MSKNAM{number:02d}"] = (one.name, "class")
        image.header[f"MSKVAL{number:02d}"] = (int(one.flag), "value of its bit")
    for one in FLAG_MEANINGS:
        image.header["COMMENT"] = f"{one.name}: {one.meaning}"
    return image


def _table(table: pd.DataFrame, units: Mapping[str, str], name: str) -> fits.BinTableHDU:
    columns = []
    for column, unit in units.items():
        values = table[column].to_numpy()
        if column == "kind":
            columns.append(fits.Column(column, f"{_KIND_WIDTH}A", array=values.astype(f"U{_KIND_WIDTH}")))
            continue
        kind = {"b": "L", "i": "K"}.get(values.dtype.kind, "D")
        wanted = {"L": bool, "K": np.int64, "D": np.float64}[kind]
        columns.append(fits.Column(column, kind, unit=unit if unit != "1" else None, array=values.astype(wanted)))
    return fits.BinTableHDU.from_columns(columns, name=name)


def _frame(records: fits.FITS_rec) -> pd.DataFrame:
    """Turn the rows of a FITS table into a pandas table, in the byte order of this machine."""
    columns = {}
    for name in records.names:
        values = np.asarray(records[name])
        columns[name] = values.astype(values.dtype.newbyteorder("="))
    return pd.DataFrame(columns)
