r"""Combination of frames of unsigned 16-bit integers: exact, and nearly as fast as the frames can be read.

Sums of integers are exact, and so is the order in which a fixed network of exchanges puts the values of many pixels at
once. What winsorized sigma clipping by the rules of 2017 keeps (:class:`workbench.stack.rejection.WinsorizedSigmaClip`
without ``cutoff``) is found without iterating over most pixels, and never differs from what its literal loop in float64
keeps: a pixel where rounding could decide anything is handed to that loop. Other methods sort by the network and then
run their loops.

**Pixels that lose nothing.** Let m be the median of n values x, c(x, s) the values clamped to m -+ 1.5 s, and
g(s) = 1.134 SD(c(x, s)). The literal loop starts at s_0 = SD(x) and clamps what it clamped before, which is clamping to
the narrowest bounds so far: s_(k+1) = g(min(s_0, ..., s_k)). Let t = max((m - min x) / low, (max x - m) / high).

1. g does not fall where s grows: the derivative of Var(c) / 2 is Cov(c, dc/ds), and dc/ds is -1.5, 0 or 1.5 in the
   order of c; the covariance of two quantities in the same order is not negative.
2. If s_0 >= t and g(t) >= t, then every s_k >= t, by induction: the narrowest bounds so far are not narrower than
   m -+ 1.5 t, so that s_(k+1) >= g(t) >= t.
3. Wherever the loop stops, then, (m - x) / s <= (m - min x) / t <= low, and above likewise: nothing is rejected, so
   that there is no second round either.

This is tested in float32 with a margin of 1e-3, many pixels at a time.

**Pixels that may lose something.** If s_1 <= s_0, then s falls in every step, by 1; else it stays at s_1. Either way it
stops at no more than s_k, for every k >= 1: what is farther from m than low s_k or high s_k is rejected. And with t
from the farthest of the other values, t <= s_0, ..., s_k and g(t) >= t, none of those is, by 2 and 3. Two or three
steps settle most rounds; where they do not, the iteration goes on until the rule stops it.

Sums are those of integers, exact: values are sorted, so that clamping takes values off either end of a run whose sum
and sum of squares are known. Each decision, to stop or to reject, has to be clear by 1e-7 of s, ten times what rounding
does to either computation:

1. The mean of values clamped about their median is within SD of it (as any mean is), so that squares about the median
   add up to at most twice those about the mean, and no more than a bit of the 53 is lost between them. The literal loop
   clamps to bounds that are rounded by up to 2**-38 adu, half the last bit of a value below 65536: where s is no less
   than 0.1 adu, a step puts it off by less than 4e-11 of itself.
2. An error of s grows by a factor of at most 9/8 in the next step. With v = c - m and its mean u, d log g / d log s =
   Cov(v, v [clamped]) / Var(v) = 1 - E[(v^2 - u v) [not clamped]] / Var(v). Now v^2 - u v >= -u^2 / 4, and it is below
   0 only for v between 0 and u: on one side of the median, for no more than half of the values. With u^2 <= Var(v)
   that makes 1 + 1/8.
3. In 30 steps errors come to less than 4e-11 * 8 (9/8)^30 = 1.1e-8 of s.

A pixel most of whose values are equal ends where all but those are clamped: from there on s falls by a constant factor
in each step, down to nothing, where the rule stops without rejecting.

All this holds for this rule alone: not where the centre moves, and not where the first round replaces values by the
centre.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.machine_code import MachineCode
from workbench.stack.planes import Planes, count_type, standard_error_factors
from workbench.stack.recipe import METHODS
from workbench.stack.rejection import NoRejection, WinsorizedSigmaClip, loop_of
from workbench.stack.sorting_network import sorting_network
from workbench.stack.tile_job import TILE_JOB, tile_job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stack.rejection import Rejection

__all__ = ["fast_planes", "takes"]

_MOST_FRAMES = 16_384  # from where on sums of squares of doubled integers, times their number, leave 64 bits
_BLOCK_VALUES = 2**18  # values in float64 for the loops that reject: 2 MiB
_COUNTS = np.dtype(np.uint16)  # of samples while pixels are combined: loops for one type only are compiled
_EMPTY = {"std_error": np.empty(0, np.float32), "flags": np.empty(0, np.uint8)} | dict.fromkeys(
    ("n_kept", "rejected_low", "rejected_high"), np.empty(0, _COUNTS)
)
_TILES = MachineCode("workbench.stack.fast_loops", "combine_tiles", TILE_JOB)


def takes(n_frames: int) -> bool:
    """Whether :func:`fast_planes` combines so many frames of 16-bit integers, on this machine."""
    return 0 < n_frames <= _MOST_FRAMES and sys.byteorder == "little"


def fast_planes(stored: NDArray[Any], rejection: Rejection, *, method: str = "mean", maps: bool = True) -> Planes:
    """Combine frames of unsigned 16-bit integers, each pixel by itself.

    Parameters
    ----------
    stored
        Shape (frame, pixel), each frame's pixels one after the other in memory: ``">i2"``, as a FITS file with
        BZERO 32768 stores them, or native ``uint16`` values [adu].
    rejection
        Which samples are left out.
    method
        ``"mean"``, ``"median"``, ``"sum"``, ``"min"`` or ``"max"`` of the samples that are kept; a sum is their mean
        times the number of frames.
    maps
        Whether more is wanted than the signal and the counts of the frames.

    Returns
    -------
    Planes
        What a pixel gives depends on its own samples alone: any cut of the frames into runs gives the same.

    Raises
    ------
    ValueError
        When the values are of another type or layout, or the frames too many.

    Notes
    -----
    Runs in the calling thread, mostly without Python's lock.
    """
    n, size = stored.shape
    if not takes(n) or stored.dtype not in (np.dtype(">i2"), np.dtype(np.uint16)):
        raise ValueError(f"{n} frames of {stored.dtype}: only 1 to {_MOST_FRAMES} frames of 16-bit integers are taken")
    if size > 1 and stored.strides[1] != stored.itemsize:
        raise ValueError("the pixels of a frame are not next to each other in memory")
    planes = _unrejected(n, size, method, maps=maps)
    limits = _screened(rejection)
    if limits is None:
        _reject(stored, rejection, method, planes)
    else:
        _combine_tiles(stored, limits, method, planes)
    return planes.counted_as(count_type(n))


def _combine_tiles(stored: NDArray[Any], limits: tuple[float, float], method: str, planes: Planes) -> None:
    """Combine pixels by what winsorized sigma clipping keeps."""
    n, size = stored.shape
    in_order = method in ("mean", "sum") and math.isinf(limits[0]) and math.isinf(limits[1])
    arrays: dict[str, NDArray[Any]] = {
        "addresses": _addresses(stored),
        "network": sorting_network(n)[: 0 if in_order else None],
        "limits": np.array(limits),
        "factors": standard_error_factors(method, n),
    }
    arrays |= {name: plane for name, plane in vars(planes).items() if plane is not None}
    numbers = {"n_frames": n, "size": size, "swapped": stored.dtype == ">i2", "method": METHODS.index(method)}
    job, _alive = tile_job(numbers, arrays)
    _TILES(job)


def _reject(stored: NDArray[Any], rejection: Rejection, method: str, planes: Planes) -> None:
    """Combine pixels by what the literal loop of a method keeps."""
    from workbench.stack import fast_loops  # imports Numba, which only those wait for who need it  # noqa: PLC0415

    n, size = stored.shape
    step = max(1, _BLOCK_VALUES // n)
    source = _addresses(stored), stored.dtype == ">i2"
    how = METHODS.index(method), standard_error_factors(method, n)
    filled = tuple(_EMPTY[name] if plane is None else plane for name, plane in vars(planes).items())
    loop, parameters = loop_of(rejection, n)
    for start in range(0, size, step):
        count = min(step, size - start)
        columns, states = np.empty((count, n)), np.empty((count, n), dtype=np.uint8)
        fast_loops.sorted_columns(source, start, sorting_network(n), columns)
        loop(columns, np.full(count, n), parameters, states)
        fast_loops.combine_kept(source, start, columns, states, how, filled)


def _addresses(stored: NDArray[Any]) -> NDArray[np.uint64]:
    """Return where each frame's pixels begin."""
    return (stored.ctypes.data + stored.strides[0] * np.arange(len(stored))).astype(np.uint64)


def _screened(rejection: Rejection) -> tuple[float, float] | None:
    """Return the limits of a rule that screening is proven for; no rejection is one without limits."""
    if isinstance(rejection, NoRejection):
        return math.inf, math.inf
    if isinstance(rejection, WinsorizedSigmaClip) and rejection.cutoff is None:
        return float(rejection.low), float(rejection.high)  # of integers another loop would be compiled
    return None


def _unrejected(n_frames: int, size: int, method: str, *, maps: bool) -> Planes:
    """Make the planes to fill, with the counts of pixels that lose nothing."""
    frames = np.zeros((3, n_frames), dtype=np.int64)
    frames[0] = size
    return Planes(
        signal=np.empty(size, dtype=np.float32),
        std_error=np.empty(size, dtype=np.float32) if maps and method not in ("min", "max") else None,
        n_kept=np.full(size, n_frames, dtype=_COUNTS) if maps else None,
        rejected_low=np.zeros(size, dtype=_COUNTS) if maps else None,
        rejected_high=np.zeros(size, dtype=_COUNTS) if maps else None,
        flags=np.zeros(size, dtype=np.uint8) if maps else None,
        frames=frames,
    )
