"""Loops over the pixels of a light, compiled by Numba: bytes to values, calibration, values to bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.reject_loops import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[Any]

__all__ = ["calibrate_rows", "decode_unsigned", "encode_floats"]

_SIGN = np.uint16(0x8000)


@compiled
def decode_unsigned(stored: NDArray[np.uint16]) -> None:
    """Make values of what FITS stores as big-endian int16 with BZERO 32768, in place."""
    for i in range(stored.size):
        word = stored[i]
        stored[i] = ((word >> np.uint16(8)) | (word << np.uint16(8))) ^ _SIGN


@compiled
def calibrate_rows(
    light: Plane,
    first: Plane,
    second: Plane,
    flat: Plane,
    numbers: tuple[float, float, float, float],
    given: tuple[bool, bool, bool, bool],
    out: Plane,
) -> int:
    """Write ``(light - a first - b second) mean / flat + pedestal`` and return how many pixels are below 0.

    Parameters
    ----------
    light, first, second, flat
        Of one shape (rows, columns); planes that are not ``given`` are not read.
    numbers
        a, b, mean, pedestal.
    given
        Whether there is a first, a second plane and a flat; whether what is below 0 becomes 0.
    out
        Of the same shape, float32 or float64. Arithmetic is in float64; flats that are not above 0 give NaN.
    """
    a, b, mean, pedestal = numbers
    with_first, with_second, with_flat, clip = given
    rows, columns = light.shape
    row = np.empty(columns, dtype=np.float64)
    below = 0
    for y in range(rows):
        for x in range(columns):
            row[x] = light[y, x]
        if with_first:
            for x in range(columns):
                row[x] -= a * first[y, x]
        if with_second:
            for x in range(columns):
                row[x] -= b * second[y, x]
        if with_flat:
            for x in range(columns):
                response = np.float64(flat[y, x])
                row[x] = row[x] * mean / (response if response > 0 else np.nan)
        for x in range(columns):
            value = row[x] + pedestal
            below += value < 0
            out[y, x] = 0.0 if clip and value < 0 else value
    return below


@compiled
def encode_floats(words: NDArray[np.uint32]) -> np.uint64:
    """Turn the words of float32 values big-endian, in place, and return the sum of them: a part of a DATASUM."""
    total = np.uint64(0)
    for i in range(words.size):
        word = words[i]
        total += np.uint64(word)
        words[i] = (
            (word >> np.uint32(24))
            | ((word >> np.uint32(8)) & np.uint32(0xFF00))
            | ((word << np.uint32(8)) & np.uint32(0xFF0000))
            | (word << np.uint32(24))
        )
    return total
