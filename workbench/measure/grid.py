"""The grid of 16 x 16 tiles over a frame: where they lie, and a smooth map between their centres."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from workbench.measure.scaling import GRID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


def tile_rows(height: int) -> list[slice]:
    """Return the rows of the frame that each row of tiles covers."""
    edges = [-(-tile * height // GRID) for tile in range(GRID + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def each_tile(shape: tuple[int, int]) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Yield ``(row, column)`` in the grid and the slices of the frame of every tile that holds a pixel.

    Examples
    --------
    >>> dict(each_tile((32, 48)))[0, 15]
    (slice(0, 2, None), slice(45, 48, None))
    """
    for row, rows in enumerate(tile_rows(shape[0])):
        for column, columns in enumerate(tile_rows(shape[1])):
            if rows.start < rows.stop and columns.start < columns.stop:
                yield (row, column), (rows, columns)


def smooth_rows(grid: FloatArray, shape: tuple[int, int], rows: slice) -> NDArray[np.float32]:
    """Interpolate a grid of tiles linearly between their centres, over some rows of the frame; flat beyond the last.

    Parameters
    ----------
    grid
        Shape (16, 16), finite.
    shape
        Of the frame (y, x).
    rows
        Which rows of it.
    """
    y, x = (np.clip((np.arange(n) + 0.5) * GRID / n - 0.5, 0, GRID - 1) for n in shape)
    y = y[rows]
    below = np.minimum(y.astype(int), GRID - 2)
    share = (y - below)[:, None]
    across = np.array([np.interp(x, np.arange(GRID), line) for line in grid])
    smooth: FloatArray = (1 - share) * across[below] + share * across[below + 1]
    return smooth.astype(np.float32)
