"""Loops over the pixels of a light, compiled by Numba: bytes to values, calibration, values to bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.compiling import compiled

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
    below = 0
    for y in range(light.shape[0]):
        from_row, to_row = light[y], out[y]
        one, two = first[y if with_first else 0], second[y if with_second else 0]
        response = flat[y if with_flat else 0]
        for x in range(from_row.size):  # the compiler takes what is not given out of the loop
            value = np.float64(from_row[x])
            if with_first:
                value -= a * one[x]
            if with_second:
                value -= b * two[x]
            if with_flat:
                gathered = np.float64(response[x])
                value = value * mean / (gathered if gathered > 0 else np.nan)
            value += pedestal
            below += int(value < 0)
            to_row[x] = 0.0 if clip and value < 0 else value
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
