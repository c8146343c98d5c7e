"""What the loop over tiles of 16-bit pixels is told, as a record of numbers and addresses: it is called as C is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["TILE_JOB", "TILE_WIDTH", "tile_job"]

TILE_WIDTH = 128  # pixels of a tile
_PLANES = ("signal", "std_error", "n_kept", "rejected_low", "rejected_high", "flags", "frames")
_COUNTS = np.dtype(np.uint16)
_TYPES = {
    "addresses": np.dtype(np.uint64),
    "network": np.dtype(np.int32),
    "limits": np.dtype(np.float64),
    "factors": np.dtype(np.float64),
    "signal": np.dtype(np.float32),
    "std_error": np.dtype(np.float32),
    "n_kept": _COUNTS,
    "rejected_low": _COUNTS,
    "rejected_high": _COUNTS,
    "flags": np.dtype(np.uint8),
    "frames": np.dtype(np.int64),
}
# Numbers are int64, the rest are addresses, 0 of what is not wanted:
TILE_JOB = np.dtype(
    [(name, "i8") for name in ("n_frames", "size", "swapped", "n_exchanges", "method")]
    # of the frames' first pixels; exchanges that sort a column, none for values in any order; the rule's limits, inf on
    # a side that rejects nothing; what the standard deviation of k samples is multiplied by for the standard error
    + [(name, "u8") for name in ("addresses", "network", "limits", "factors")]
    + [(name, "u8") for name in (*_PLANES, "workspace")]
)


def tile_job(numbers: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], Sequence[Any]]:
    """Write a job, and return with it all that has to live until it is done.

    Parameters
    ----------
    numbers
        ``n_frames``, ``size`` (pixels of each frame), ``swapped`` (whether they are stored as a FITS file stores
        unsigned integers) and ``method`` (its place in :data:`workbench.stack.recipe.METHODS`).
    arrays
        ``addresses``, uint64, shape (frame,); ``network``, int32, shape (exchange, 2); ``limits``, float64, shape (2,);
        ``factors``, float64; and the planes to fill, as :class:`workbench.stack.planes.Planes` has them, their counts
        of type uint16.

    Raises
    ------
    TypeError
        When an array is of another type, or has gaps: the loop would read what is not there.
    """
    for name, array in arrays.items():
        if array.dtype != _TYPES[name] or not array.flags.c_contiguous:
            raise TypeError(f"{name} is of {array.dtype}, or has gaps; wanted is {_TYPES[name]}, without")
    n, width = numbers["n_frames"], TILE_WIDTH
    workspace = np.empty((8 + 4 + 4 * 5 + 1) * width + (8 + 4 + 2 * width) * n, dtype=np.uint8)
    whole = {**arrays, "workspace": workspace}
    job = np.zeros((), TILE_JOB)
    for name, number in {**numbers, "n_exchanges": len(arrays["network"])}.items():
        job[name] = number
    for name, array in whole.items():
        job[name] = array.ctypes.data
    return job, tuple(whole.values())
