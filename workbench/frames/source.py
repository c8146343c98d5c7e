"""Where the pixels of a frame stand in a file, and how what is stored there becomes values.

Values follow the FITS rules: the unsigned conventions (BZERO 32768 and its kin) give exact unsigned integers, any other
BSCALE or BZERO gives floating point numbers, and a BLANK card makes the values of integers floating point too, with NaN
for the pixels that were never measured.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import FrameError
from workbench.frames.containers import read_gzip, read_raw, read_tiles, read_xisf
from workbench.frames.fits_header import COPY_AGAIN


@dataclass(frozen=True)
class FrameSource:
    """Where the pixels of one frame stand, and how they are stored.

    Parameters
    ----------
    path
        Absolute path of the file.
    hdu
        Index of the image's HDU; 0 for XISF and camera raws.
    offset
        Where the pixels begin in the FITS file, in bytes, unpacked if gzipped; 0 where that has no meaning.
    dtype
        Stored NumPy type, such as ``">i2"``.
    bscale, bzero
        value = bscale * stored + bzero (FITS standard 4.0, section 4.4.2.5).
    shape
        (rows, columns).
    container
        ``"fits"``, ``"fits.gz"``, ``"fits.fz"``, ``"xisf"`` or ``"raw"``.
    blank
        The stored integer that means "no value", if the header names one.
    """

    path: str
    hdu: int
    offset: int
    dtype: str
    bscale: float
    bzero: float
    shape: tuple[int, int]
    container: str
    blank: int | None = None

    @property
    def mappable(self) -> bool:
        """Whether bands of rows can be read alone: the pixels of an uncompressed FITS file can be memory-mapped."""
        return self.container == "fits"

    @property
    def values_dtype(self) -> np.dtype:
        """The native type of the values: unsigned integers stay what they are."""
        stored = np.dtype(self.dtype)
        if stored.kind == "f":
            return stored.newbyteorder("=")
        if self.blank is None and self._flips_sign:
            return np.dtype(f"{'i' if stored.kind == 'u' else 'u'}{stored.itemsize}")
        if self.blank is None and (self.bscale, self.bzero) == (1, 0):
            return stored.newbyteorder("=")
        return np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)

    @property
    def _flips_sign(self) -> bool:
        """Whether BZERO is the one that stands for the other signedness: -128 for bytes, 2**15, 2**31, 2**63 else."""
        stored = np.dtype(self.dtype)
        half = float(2 ** (8 * stored.itemsize - 1))
        return self.bscale == 1 and self.bzero == (-half if stored.kind == "u" else half) and stored.kind in "iu"

    def read(self) -> np.ndarray:
        """Read the whole frame.

        Returns
        -------
        numpy.ndarray
            ``(rows, columns)`` in :attr:`values_dtype`, native byte order, the first row of the file first.

        Raises
        ------
        FrameError
            When the file has gone, or is damaged.
        """
        return self.read_rows(0, self.shape[0])

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        """Read the rows ``start`` to ``stop - 1``: cheap where :attr:`mappable`, else a part of a whole read.

        Raises
        ------
        FrameError
            When the file has gone, or is damaged.
        ValueError
            When there are no such rows.
        """
        return self._values(self.read_stored(start, stop) if self.mappable else self.stored_rows(start, stop))

    def read_stored(
        self, start: int, stop: int, out: np.ndarray | None = None, descriptor: int | None = None
    ) -> np.ndarray:
        """Read the rows ``start`` to ``stop - 1`` as they are stored, where :attr:`mappable`, into ``out`` if given.

        Slower than a map by one copy, and proof against files that are cut while they are read: to touch a map of what
        is no longer there ends the process.

        Parameters
        ----------
        start, stop
            Rows.
        out
            Contiguous array of the stored type that holds them; None for a new one, of shape (rows, columns).
        descriptor
            Of the file, where it is open already; any number of threads may read by it at once.

        Raises
        ------
        FrameError
            When the file has gone, or is shorter than its header promised.
        ValueError
            When there are no such rows, or ``out`` has another size or gaps.
        """
        if not 0 <= start < stop <= self.shape[0]:
            raise ValueError(f"rows {start} to {stop} of a frame with {self.shape[0]} rows")
        stored = np.empty((stop - start, self.shape[1]), self.dtype) if out is None else out
        width = self.shape[1] * stored.itemsize
        if stored.nbytes != (stop - start) * width or not stored.flags.c_contiguous:
            raise ValueError(f"{stored.nbytes} bytes, or with gaps, for {stop - start} rows of {width} bytes")
        left = stored.reshape(-1).view(np.uint8).data
        try:
            if descriptor is not None:
                place = self.offset + start * width
                while left and (got := os.preadv(descriptor, [left], place)):
                    left, place = left[got:], place + got
            else:
                with Path(self.path).open("rb", buffering=0) as file:
                    file.seek(self.offset + start * width)
                    while left and (got := file.readinto(left)):
                        left = left[got:]
        except OSError as error:
            raise self._unreadable(error) from error
        if left:
            raise self._truncated()
        return stored

    def stored_rows(self, start: int, stop: int) -> np.ndarray:
        """Give the rows as they are stored, in the file's byte order: a memory map where :attr:`mappable`.

        Raises
        ------
        FrameError
            When the file has gone, or is damaged.
        ValueError
            When there are no such rows.
        """
        if not 0 <= start < stop <= self.shape[0]:
            raise ValueError(f"rows {start} to {stop} of a frame with {self.shape[0]} rows")
        try:
            stored = self._stored(start, stop)
        except OSError as error:
            raise self._unreadable(error) from error
        if stored.shape != (stop - start, self.shape[1]):
            raise FrameError(self.path, f"its pixels have the shape {stored.shape}, not that of its header", COPY_AGAIN)
        return stored

    def _stored(self, start: int, stop: int) -> np.ndarray:
        if self.container == "fits":
            return self._mapped(start, stop)
        if self.container == "fits.gz":
            data = read_gzip(self.path, self.offset, math.prod(self.shape) * np.dtype(self.dtype).itemsize)
            return np.frombuffer(data, self.dtype).reshape(self.shape)[start:stop]
        if self.container == "fits.fz":
            return read_tiles(self.path, self.hdu, slice(start, stop)).astype(self.dtype, copy=False)
        return (read_xisf if self.container == "xisf" else read_raw)(self.path)[start:stop]

    def _mapped(self, start: int, stop: int) -> np.ndarray:
        row = self.shape[1] * np.dtype(self.dtype).itemsize
        try:
            return np.memmap(self.path, self.dtype, "r", self.offset + start * row, (stop - start, self.shape[1]))
        except ValueError as error:  # NumPy's word for a file that is shorter than the map
            raise self._truncated() from error

    def _unreadable(self, error: OSError) -> FrameError:
        return FrameError(self.path, f"cannot be read ({error.strerror or error})", "put it back as it was")

    def _truncated(self) -> FrameError:
        return FrameError(self.path, "is truncated: it was cut after its header was read", COPY_AGAIN)

    def _values(self, stored: np.ndarray) -> np.ndarray:
        kind = self.values_dtype
        if self.blank is None and self._flips_sign:
            unsigned = stored.view(stored.dtype.str.replace("i", "u"))
            values = unsigned.astype(unsigned.dtype.newbyteorder("="))
            values ^= values.dtype.type(1 << (8 * values.itemsize - 1))
            return values.view(kind)
        if (self.bscale, self.bzero) == (1, 0):
            values = stored.astype(kind)
        else:
            values = (stored * np.float64(self.bscale) + self.bzero).astype(kind)
        if self.blank is not None:
            values[np.asarray(stored) == self.blank] = np.nan
        return np.asarray(values)
