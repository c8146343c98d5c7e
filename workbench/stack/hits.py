"""Cosmic rays in a stack of equal darks: which samples to leave out, told from the noise of the frames themselves.

A ray leaves its charge in a few adjacent pixels of one frame. A sample is compared with what the *other* frames hold in
its pixel, in units of that pixel's temporal noise. The signal is not asked: a clamp hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from workbench.errors import NotMeasurableError
from workbench.stack.outliers import Samples, Strip, joined, median_factor, strips

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]
    Integers = NDArray[np.int64]

FEWEST_FRAMES = 4
THRESHOLD = 6.0  # sigma: what a core exceeds
TOTAL = 4.0  # times the threshold: what the samples of one ray exceed in sum


@dataclass(frozen=True)
class Hits:
    """The samples of a stack that cosmic rays spoil, one entry a sample, sorted by frame, row and column.

    Parameters
    ----------
    shape
        (frames, rows, columns) of the stack.
    frame, row, column
        Where: integers.
    event
        Number of the ray, from 0 on: pixels of one frame that touch, corners included. -1 for the neighbours that are
        left out with it.
    excess
        Value above the median of the other frames [adu]; 0 for neighbours.
    threshold
        What a sample must exceed that median by in a typical tile [adu].
    n_searched
        Pixels that were searched.
    n_mirrored
        Events that the same search finds *below* the median of the other frames, where no ray can be: how many false
        ones symmetric noise, telegraph pixels among it, is to be expected to give.
    """

    shape: tuple[int, int, int]
    frame: Integers
    row: Integers
    column: Integers
    event: Integers
    excess: FloatArray
    threshold: float
    n_searched: int
    n_mirrored: int

    @property
    def core(self) -> BoolArray:
        """Which samples are the rays' own; the others are their neighbours."""
        return self.event >= 0

    @property
    def n_events(self) -> int:
        """Rays that were found."""
        return int(self.event.max(initial=-1)) + 1

    @cached_property
    def charges(self) -> FloatArray:
        """Charge of every event [adu], of the samples that stand out."""
        core = self.core
        return np.bincount(self.event[core], self.excess[core], minlength=self.n_events).astype(np.float64)

    @cached_property
    def per_frame(self) -> Integers:
        """Rays in every frame."""
        first = np.unique(self.event[self.core], return_index=True)[1]
        return np.bincount(self.frame[self.core][first], minlength=self.shape[0])

    def within(self, rows: slice) -> tuple[Integers, Integers, Integers]:
        """Return frame, row counted from the first of ``rows``, and column of the samples in a band."""
        here = (self.row >= rows.start) & (self.row < rows.stop)
        return self.frame[here], self.row[here] - rows.start, self.column[here]


def find_hits(
    stack: xr.DataArray,
    frame_means: FloatArray,
    excluded: BoolArray | None = None,
    *,
    lattice: float | None = None,
    threshold: float = THRESHOLD,
) -> Hits:
    """Find the cosmic rays in a stack of n >= 4 equal darks.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    frame_means
        Mean of each frame [adu], shape (frame,): removed first.
    excluded
        Pixels where no ray is looked for, shape (y, x): overscan, inactive columns. Pixels that saturate belong to the
        search, since a ray may be what saturates them.
    lattice
        Step of the stored values [adu], where it is known: the noise is never taken to be less than that of rounding.
    threshold
        What a core must exceed, in units of the noise. What touches one, directly or through others, and exceeds 3.5
        belongs to the same ray.

    Returns
    -------
    Hits
        The rays' own samples and all their eight neighbours: a condition on the neighbours' values would cut
        the noise off.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 frames.

    Notes
    -----
    A sample stands out by ``T = y - median(others)``, in units of ``sigma^2 = max(tile, c s^2) (1 + pi / (2 m))``, with
    ``s^2`` the variance of the m other frames, ``c`` what makes that of the lowest m of n normal values unbiased, and
    ``tile`` the mean of ``c s^2`` over 64 x 64 pixels, its upper tenth cut. The factor is the variance of the median.
    With few frames ``s^2`` is a poor estimate, and a telegraph pixel that is up in one frame looks like a faint ray:
    what exceeds must sum up to four times the threshold over the pixels of a ray, and neither a hot pixel nor one that
    stands out in two frames is a core. Rays cover several pixels, telegraph and hot pixels stand by themselves.
    """
    n, height, width = stack.shape
    if n < FEWEST_FRAMES:
        raise NotMeasurableError(
            f"{n} darks of one exposure: a cosmic ray is told by three other frames; shoot {FEWEST_FRAMES} or more"
        )
    shape = (n, height, width)
    keep = np.ones((height, width), dtype=bool) if excluded is None else ~excluded
    least = (lattice or 0.0) ** 2 / 12
    upward, downward, noise = [], [], []
    n_searched = 0
    for first, values, used in strips(stack, frame_means, keep):
        strip = Strip(values, used, first, shape, least)
        n_searched += int(used.sum())
        noise.append(strip.noise[np.isfinite(strip.noise)])
        upward.append(strip.standing_out(1.0))
        downward.append(strip.standing_out(-1.0))
    rays, event = _events(joined(upward), shape, threshold)
    mirrored = _events(joined(downward), shape, threshold)[1]
    known = np.concatenate(noise)
    typical = float(np.median(known)) if len(known) else 0.0
    return Hits(
        shape,
        **_with_neighbours(rays, event, shape),
        threshold=threshold * (typical * median_factor(n - 1)) ** 0.5,
        n_searched=n_searched,
        n_mirrored=int(mirrored.max(initial=-1)) + 1,
    )


def _events(samples: Samples, shape: tuple[int, ...], threshold: float) -> tuple[Samples, Integers]:
    """Return the samples of rays, sorted by place, and the number of each one's ray."""
    samples = samples.take(np.argsort(samples.place))
    label = _touching(samples.place, shape)
    core = samples.single & (samples.ratio > threshold)
    n_labels = int(label.max(initial=-1)) + 1
    cores, total = (np.bincount(label, one, minlength=n_labels) for one in (core, samples.ratio))
    ray = (cores > 0) & (total > TOTAL * threshold)
    kept = ray[label]
    number = np.cumsum(ray) - 1
    return samples.take(kept), number[label[kept]]


def _touching(place: Integers, shape: tuple[int, ...]) -> Integers:
    """Give each sample the number of its group: those of a frame that touch, corners included; ``place`` is sorted."""
    _, row, column = np.unravel_index(place, shape)
    pairs = []
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        inside = np.flatnonzero((row + down < shape[1]) & (column + right >= 0) & (column + right < shape[2]))
        wanted = place[inside] + down * shape[2] + right
        at = np.minimum(np.searchsorted(place, wanted), len(place) - 1)
        there = place[at] == wanted
        pairs.append((inside[there], at[there]))
    first, second = (np.concatenate(one) for one in zip(*pairs, strict=True))
    links = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(len(place), len(place)))
    label: Integers = sparse.csgraph.connected_components(links, directed=False)[1].astype(np.int64)
    return label


def _with_neighbours(rays: Samples, event: Integers, shape: tuple[int, ...]) -> dict[str, Any]:
    """Add the eight neighbours of every sample."""
    frame, row, column = np.unravel_index(rays.place, shape)
    steps = np.array([(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)])
    rows, columns = row[:, None] + steps[:, 0], column[:, None] + steps[:, 1]
    inside = (rows >= 0) & (rows < shape[1]) & (columns >= 0) & (columns < shape[2])
    place = np.unique(((frame[:, None] * shape[1] + rows) * shape[2] + columns)[inside])
    events, excess = np.full(len(place), -1), np.zeros(len(place))
    own = np.searchsorted(place, rays.place)
    events[own], excess[own] = event, rays.excess
    where = dict(zip(("frame", "row", "column"), np.unravel_index(place, shape), strict=True))
    return {**where, "event": events, "excess": excess}
