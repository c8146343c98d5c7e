"""Loops over the pixels of a block of 16-bit frames, compiled by Numba: what :mod:`workbench.stack.kernels` is made of.

They hold no branch and hardly a 64-bit number, so that LLVM runs sixteen pixels at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from workbench.stack.compiling import compiled_in_any_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int32]
    Pixels = NDArray[np.uint16]

__all__ = [
    "EXACT_SQUARE",
    "ZERO",
    "add_first_pair",
    "add_pair",
    "add_pair_exactly",
    "array_at",
    "fill",
    "mark",
    "pixels_at",
    "spread",
    "sum_and_range",
    "write_maps",
]

ZERO = -32768  # how FITS, which knows no unsigned 16-bit integers, stores the value 0
EXACT_SQUARE = 2.0**24  # integers up to here are exact in float32

_i16, _u16, _i32, _f32, _i64, _f64 = np.int16, np.uint16, np.int32, np.float32, np.int64, np.float64


def _pointer(_typing: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    """Turn an address into a pointer: Numba takes no list of arrays whose length it does not know when it compiles."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), generate


_pointer_to = cast("Callable[[Any], Any]", intrinsic(_pointer))


@compiled_in_any_order
def array_at(address: Any, shape: tuple[Any, ...], dtype: Any) -> NDArray[Any]:
    """Give the array that begins at an address, row after row."""
    return carray(_pointer_to(address), shape, dtype)


@compiled_in_any_order
def pixels_at(address: Any, size: int) -> Pixels:
    """Give the pixels that begin at an address, as they are stored."""
    return array_at(address, (size,), _u16)


@compiled_in_any_order
def native(stored: Any) -> Any:
    """Swap the bytes of a big-endian value."""
    return _i16((stored >> _u16(8)) | (stored << _u16(8)))


@compiled_in_any_order
def sum_and_range(frame: Pixels) -> tuple[Any, ...]:
    """Sum the stored values of at most 2**16 pixels, and find the lowest and the highest."""
    total, low, high = _i32(0), _i16(32767), _i16(-32768)
    for p in range(frame.size):
        value = native(frame[p])
        total = _i32(total + value)
        low, high = min(low, value), max(high, value)
    return total, low, high


@compiled_in_any_order
def mark(frame: Pixels, top: Any, out: NDArray[np.bool_]) -> None:
    """Mark the pixels that are 0 or reach ``top``."""
    for p in range(frame.size):
        value = _i32(native(frame[p]))
        out[p] |= (value == ZERO) | (value >= top)


@compiled_in_any_order
def fill(frame: Pixels, excluded: NDArray[np.bool_], value: Any, filled: Pixels) -> Any:
    """Copy a frame's pixels, those that are excluded filled, and return the sum of these as they were."""
    total = _i32(0)
    for p in range(frame.size):
        filled[p] = value if excluded[p] else frame[p]
        total = _i32(total + (native(frame[p]) if excluded[p] else _i16(0)))
    return total


@compiled_in_any_order
def add_first_pair(
    one: Pixels, two: Pixels, twice: Integers, run: Integers, total: Integers, square: Floats, rise: Any
) -> tuple[Any, ...]:
    """Begin with two frames: as :func:`add_pair`, where the composite so far is the difference itself."""
    square_d, third, fourth = _i32(0), _f32(0), _f32(0)
    for p in range(twice.size):
        a, b = _i32(native(one[p])), _i32(native(two[p]))
        s = _i32(_i32(b - a) - rise)
        twice[p], run[p], total[p] = _i32(a + a), _i32(-s), s
        square_d = _i32(square_d + s * s)
        x = _f32(s)
        xx = x * x
        third -= xx * x
        fourth += xx * xx
        square[p] = xx + xx
    return square_d, third, fourth


@compiled_in_any_order
def add_pair(
    one: Pixels, two: Pixels, twice: Integers, run: Integers, total: Integers, square: Floats, rise: Any, drop: Any
) -> tuple[Any, ...]:
    """Add two frames: the sums of powers 2 of their difference and of the composite so far, then powers 3 and 4.

    ``twice`` is twice the first frame's value, ``rise`` what the references of the two add up to above it and ``drop``
    what the reference falls by from one to two; ``run`` becomes the composite, ``total`` the sum of all values above
    the first frame's, ``square`` twice the sum of their squares: of (a, b) it is (a + b)^2 + (a - b)^2.
    """
    square_d, square_c = _i32(0), _i32(0)
    third_d, fourth_d, third_c, fourth_c = _f32(0), _f32(0), _f32(0), _f32(0)
    for p in range(twice.size):
        a, b = _i32(native(one[p])), _i32(native(two[p]))
        s = _i32(_i32(_i32(a + b) - twice[p]) - rise)
        d = _i32(_i32(a - b) - drop)
        c = _i32(run[p] + d)
        run[p] = c
        total[p] = _i32(total[p] + s)
        square_d = _i32(square_d + d * d)
        square_c = _i32(square_c + c * c)
        x, y = _f32(d), _f32(s)
        xx = x * x
        third_d += xx * x
        fourth_d += xx * xx
        square[p] += xx + y * y
        x = _f32(c)
        xx = x * x
        third_c += xx * x
        fourth_c += xx * xx
    return square_d, square_c, third_d, fourth_d, third_c, fourth_c


@compiled_in_any_order
def add_pair_exactly(
    one: Pixels, two: Pixels, twice: Integers, run: NDArray[np.int64], rise: Any, drop: Any
) -> tuple[Any, ...]:
    """Add two frames where values are too far apart for 32 bits: sums of d^2, of c^2, and of s^2 + d^2."""
    square_d, square_c, both = _i64(0), _i64(0), _i64(0)
    for p in range(twice.size):
        a, b = _i64(native(one[p])), _i64(native(two[p]))
        s, d = a + b - twice[p] - rise, a - b - drop
        run[p] += d
        square_d += d * d
        square_c += run[p] * run[p]
        both += s * s + d * d
    return square_d, square_c, both


@compiled_in_any_order
def spread(total: Integers, square: Floats, n: int) -> tuple[Any, ...]:
    """Sum ``square``, ``total`` squared, (n - 1) times the variance squared; count the ``square`` that lost digits."""
    squares, totals, variances, inexact = _f64(0), _f64(0), _f64(0), _i64(0)
    per_frame = 1 / n
    for p in range(total.size):
        t, s = _f64(total[p]), _f64(square[p])
        t *= t
        v = s / 2 - t * per_frame
        squares += s
        totals += t
        variances += v * v
        inexact += s >= EXACT_SQUARE
    return squares, totals, variances, inexact


@compiled_in_any_order
def write_maps(frames: NDArray[np.uint64], shift: Integers, fraction: Floats, means: Floats, variances: Floats) -> None:
    """Write mean and variance of every pixel, each frame's ``shift + fraction`` above the first removed before."""
    n, size = len(frames), len(means)
    first = pixels_at(frames[0], size)
    means[:], variances[:] = _f32(0), _f32(0)
    far = _i64(0)
    for k in range(1, n):
        frame, above, beyond = pixels_at(frames[k], size), shift[k], fraction[k]
        far += above
        for p in range(size):
            value = _i32(_i32(_i32(native(frame[p])) - _i32(native(first[p]))) - above)
            means[p] += _f32(value)
            centred = _f32(value) - beyond
            variances[p] += centred * centred
    near = fraction.sum()
    for p in range(size):
        total = _f64(means[p])
        means[p] = _f64(native(first[p])) - ZERO + (total + far) / n
        spread = _f64(variances[p]) - (total - near) ** 2 / n
        variances[p] = max(spread, 0.0) / max(n - 1, 1)
