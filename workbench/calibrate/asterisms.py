"""Which star of one list may be which of another: triangles that look alike propose, RANSAC decides afterwards.

Triangles of the brightest stars are compared by two ratios of sides and their sense of turning, which no shift,
rotation or scale changes (Groth 1986; Valdes et al. 1995). Pairs of stars gather votes from all triangles that look
alike; the pairs that are each other's first choice are handed on.

Astroalign does all of this and the consensus after it, but refuses frames of the same field: of 15 simulated pairs of
30 to 400 stars, 15 % of them missing in either and every fifth a false one, it gave up on 5 (few stars, a tilt, half
an overlap) each time of 12, on three of them after seconds; with what is here :func:`skimage.measure.ransac` matches
all 15. Other fields, which it refuses too, take it up to 6 s, and it draws from a generator without a seed.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.projective import apply

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

__all__ = ["alike_pairs", "nearest_pairs"]

_BRIGHTEST = 50  # stars whose triangles are compared
_ALIKE = 0.004  # distance between the ratios of sides of triangles that look alike
_LOOKS = 6  # triangles that a triangle is compared with, the nearest
_SHORTEST = 0.1  # of the longest side: below this a side's direction, and so the triangle, says little
_SIDES_APART = 0.01  # relative difference of sides below which it is not sure which of them is longer
_TURN = 10.0  # keeps triangles apart that turn the other way


def alike_pairs(reference: Floats, frame: Floats) -> tuple[Indices, Indices]:
    """Return the indices of the stars that are each other's first choice by the triangles that they belong to.

    Parameters
    ----------
    reference, frame
        Stars as (x, y) [pixel], shape (star, 2), the brightest first.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415 - only those wait for it who match stars

    (ours, our_shapes), (theirs, their_shapes) = (_triangles(points[:_BRIGHTEST]) for points in (reference, frame))
    if not len(ours) or not len(theirs):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    _, alike = KDTree(their_shapes).query(our_shapes, k=_LOOKS, distance_upper_bound=_ALIKE)
    found = np.asarray(alike)
    one, rank = np.nonzero(found < len(theirs))
    votes = np.zeros((_BRIGHTEST, _BRIGHTEST), dtype=np.int64)
    np.add.at(votes, (ours[one], theirs[found[one, rank]]), 1)
    first = votes.argmax(axis=1)
    pairs = np.flatnonzero((votes.max(axis=1) > 0) & (votes.argmax(axis=0)[first] == np.arange(_BRIGHTEST)))
    return pairs, first[pairs]


def nearest_pairs(matrix: Floats, reference: Floats, frame: Floats, distance: float) -> tuple[Indices, Indices]:
    """Return the indices of the stars that are each other's nearest and no farther apart than ``distance``."""
    from scipy.spatial import KDTree  # noqa: PLC0415 - see above

    mapped = apply(matrix, reference)
    there, nearest = KDTree(frame).query(mapped, distance_upper_bound=distance)
    _, back = KDTree(mapped).query(frame)
    pairs = np.flatnonzero(np.isfinite(there))
    partners = np.asarray(nearest)[pairs]
    mutual = np.asarray(back)[partners] == pairs
    return pairs[mutual], partners[mutual]


def _triangles(points: Floats) -> tuple[Indices, Floats]:
    """Return triangles and what they look like.

    Returns
    -------
    tuple
        Indices of the vertices opposite the shortest, the middle and the longest side, shape (triangle, 3); ratios of
        these sides to the longest and the sense of turning, shape (triangle, 3).
    """
    vertices = _triples(len(points))
    if not len(vertices):
        return vertices, np.empty((0, 3))
    corners = points[vertices]
    sides = np.hypot(*(np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)).transpose(2, 0, 1))
    order = np.argsort(sides, axis=1)
    vertices = np.take_along_axis(vertices, order, axis=1)
    short, middle, long = np.take_along_axis(sides, order, axis=1).T
    clear = (short > _SHORTEST * long) & (short < (1 - _SIDES_APART) * middle) & (middle < (1 - _SIDES_APART) * long)
    vertices = vertices[clear]
    a, b, c = points[vertices].transpose(1, 2, 0)
    turn = np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    return vertices, np.column_stack([(short / long)[clear], (middle / long)[clear], _TURN * turn])


@cache
def _triples(n: int) -> Indices:
    """Return all choices of three of ``n``, shape (choice, 3)."""
    return np.array(list(combinations(range(n), 3)), dtype=np.intp).reshape(-1, 3)
