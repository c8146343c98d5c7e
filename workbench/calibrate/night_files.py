"""Lights of a night as files: their names, where the sky is in their headers, and how they are packed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
from astropy.io import fits

from workbench import __version__
from workbench.calibrate.light_header import light_header
from workbench.calibrate.master_header import MADE_BY, text_card
from workbench.frames.formats import read_frame_file
from workbench.frames.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["header_of", "name_of", "pack", "set_sky", "write_registered"]

_LONGEST = 60  # characters of a text that fit a card
# where the sky is: true of the pixels that it was found on
_SKY = re.compile(
    r"C(TYPE|RVAL|RPIX|DELT|ROTA|UNIT|RDER)\d|(CD|PC|PV)\d+_\d+|[AB]P?_(ORDER|DMAX|\d_\d)|WCSAXES|WCSNAME|L(ON|AT)POLE"
    r"|RADE(SYS|CSYS)|EQUINOX"
)
_WHEN = "of this data unit"  # instead of the time of writing, so that equal frames make equal files
# keyword, column, comment: said where the light's own header does not, as a manifest may
_KNOWN = (
    ("EXPTIME", "exposure", "[s] exposure"),
    ("CCD-TEMP", "temperature", "[degC] temperature of the sensor"),
    ("FILTER", "filter", "filter"),
    ("OBJECT", "object", "object"),
    ("INSTRUME", "camera", "camera"),
)


def name_of(name: str, suffix: str, *, compress: bool) -> str:
    """Return a file's name.

    Examples
    --------
    >>> name_of("light_001", "_c", compress=False), name_of("light_001", "_c_r", compress=True)
    ('light_001_c.fits', 'light_001_c_r.fits.fz')
    """
    return f"{name}{suffix}{'.fits.fz' if compress else '.fits'}"


def header_of(row: pd.Series) -> fits.Header:
    """Return the cards of a raw light that hold of the calibrated one too, and what a manifest knows better.

    Raises
    ------
    FrameError
        When the file has gone, or is damaged.
    """
    header = light_header(row["source"])
    for key, column, comment in _KNOWN:
        if key not in header and pd.notna(row[column]):
            value = row[column]
            header[key] = (text_card(value)[:_LONGEST] if isinstance(value, str) else float(value), comment)
    return header


def set_sky(header: fits.Header, reference: fits.Header) -> None:
    """Replace where the sky is in a header by where it is in that of the reference, whose pixels it then describes."""
    for key in [key for key in header if _SKY.fullmatch(key)]:
        del header[key]
    for key, value in reference.items():
        if _SKY.fullmatch(key):
            header[key] = value


def write_registered(
    target: Path,
    values: NDArray[np.float32],
    calibrated: Path,
    said: Mapping[str, tuple[Any, str]],
    reference: fits.Header,
    *,
    compress: bool = False,
) -> None:
    """Write a registered light as FITS, whole or not at all.

    Parameters
    ----------
    target
        The file; its folder must exist.
    values
        Shape (y, x), float32 [adu].
    calibrated
        The light before, whose header it takes over.
    said
        Keywords of what was done, with value and comment.
    reference
        Header of the light that it is registered to.
    compress
        See :func:`pack`.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    frame = read_frame_file(calibrated)
    header = light_header(frame.source)
    header["EXTNAME"] = ("SCI", "the registered light")
    header["BUNIT"] = ("adu", "as the frames are stored")
    header["CALSTAT"] = next((card.text for card in frame.cards if card.key == "CALSTAT"), "")
    for key, (value, comment) in said.items():
        header[key] = (text_card(value)[:_LONGEST] if isinstance(value, str) else value, comment)
    set_sky(header, reference)
    header["PROGRAM"] = (f"{MADE_BY} {__version__}", "what registered the light")
    _write(target, fits.HDUList([fits.PrimaryHDU(values, header)]), compress=compress)


def pack(plain: Path, target: Path) -> None:
    """Pack the images of a FITS file without loss: tiles by GZIP_2, not quantised."""
    with fits.open(plain, memmap=False, do_not_scale_image_data=True) as units:
        _write(target, units, compress=True)


def _write(target: Path, units: fits.HDUList, *, compress: bool) -> None:
    if compress:
        packed = [fits.CompImageHDU(one.data, one.header, compression_type="GZIP_2", quantize_level=0) for one in units]
        units = fits.HDUList([fits.PrimaryHDU(), *packed])
    else:
        units.update_extend()  # else writing would, and change what the checksum was taken of
        for one in units:
            one.add_checksum(when=_WHEN)
    with whole_file(target) as part:
        units.writeto(part, overwrite=True)
