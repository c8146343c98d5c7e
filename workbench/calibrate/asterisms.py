"""Which star of one list is which of another: triangles that look alike propose, the largest agreement decides.

Triangles of the brightest stars are compared by two ratios of sides and their sense of turning, which no shift,
rotation or scale changes (Groth 1986; Valdes et al. 1995). Pairs of stars gather votes from all triangles that look
alike; the triangles whose pairs have most votes each propose a transformation, and the one that most stars agree with
wins. That is RANSAC (Fischler and Bolles 1981) with its samples taken in the order of their promise instead of at
random, so that the same lists always give the same answer.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.projective import apply, fit_similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

__all__ = ["PROPOSALS", "nearest_pairs", "propose"]

PROPOSALS = 200  # transformations that are tried
_BRIGHTEST = 25, 60  # stars whose triangles are compared; more, where the fewer do not agree
_TESTED = 200  # stars that a proposal is tested on
_ALIKE = 0.004  # distance between the ratios of sides of triangles that look alike
_LOOKS = 6  # triangles that a triangle is compared with, the nearest
_SHORTEST = 0.1  # of the longest side: below this a side's direction, and so the triangle, says little
_SIDES_APART = 0.01  # relative difference of sides below which it is not sure which of them is longer
_TURN = 10.0  # keeps triangles apart that turn the other way
_NEAR = 6.0  # pixels that a star may be off where a proposal puts it: few stars span a small triangle
_ENOUGH = 0.5  # of the stars tested: so many agree with nothing but the truth


def propose(reference: Floats, frame: Floats) -> Floats | None:
    """Return the similarity (3 x 3) from reference to frame that most stars agree with; None where there is none.

    Parameters
    ----------
    reference, frame
        Stars as (x, y) [pixel], shape (star, 2), the brightest first.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415 - only those wait for it who match stars

    tree, tested = KDTree(frame), reference[:_TESTED]
    best, most = None, 0
    for n in _BRIGHTEST:
        for matrix in _proposals(reference[:n], frame[:n]):
            _, nearest = tree.query(apply(matrix, tested), distance_upper_bound=_NEAR)
            agree = len(np.unique(nearest)) - int(np.any(nearest == len(frame)))
            if agree > most:
                best, most = matrix, agree
            if most >= _ENOUGH * min(len(tested), len(frame)):
                return best
    return best


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


def _proposals(reference: Floats, frame: Floats) -> Floats:
    """Return similarities, the most promising first, shape (proposal, 3, 3)."""
    from scipy.spatial import KDTree  # noqa: PLC0415 - see above

    ours, our_shapes = _triangles(reference)
    theirs, their_shapes = _triangles(frame)
    if not len(ours) or not len(theirs):
        return np.empty((0, 3, 3))
    _, alike = KDTree(their_shapes).query(our_shapes, k=_LOOKS, distance_upper_bound=_ALIKE)
    found = np.asarray(alike)
    one, rank = np.nonzero(found < len(theirs))
    p, q = ours[one], theirs[found[one, rank]]
    votes = np.zeros((len(reference), len(frame)), dtype=np.int64)
    np.add.at(votes, (p, q), 1)
    order = np.argsort(-votes[p, q].min(axis=1), kind="stable")[:PROPOSALS]
    return fit_similarity(reference[p[order]], frame[q[order]])


def _triangles(points: Floats) -> tuple[Indices, Floats]:
    """Return triangles and what they look like.

    Returns
    -------
    tuple
        Indices of the vertices opposite the shortest, the middle and the longest side, shape (triangle, 3); ratios of
        these sides to the longest and the sense of turning, shape (triangle, 3).
    """
    if len(points) < 3:
        return np.empty((0, 3), dtype=np.intp), np.empty((0, 3))
    vertices = np.array(list(combinations(range(len(points)), 3)))
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
