"""A race of rejection methods on samples whose truth is known: what was added, and what each method left in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.camera.events import cosmic_ray_hits
from workbench.stack.rejection import KEPT, loop_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from workbench.stack.rejection import Rejection

    FloatArray = NDArray[np.float64]
    States = NDArray[np.uint8]

__all__ = ["clear_hits", "draw_hits", "mean_of_kept", "race", "reject_samples", "share_left"]

CLEAR = 5.0  # sigmas: a hit of so many is one that nobody wants to keep
_PIXELS = 65_536  # at a time, for the sake of memory


def draw_hits(
    shape: tuple[int, int, int],
    *,
    pixel_size: float,
    exposure: float,
    rate: float,
    gain: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the cosmic rays of a stack.

    Parameters
    ----------
    shape
        Frames, rows, columns.
    pixel_size
        Pixel pitch [um].
    exposure
        Of each frame [s].
    rate
        Hits per cm2 and minute.
    gain
        In electron / adu.
    rng
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        (frame, y, x): what to add to the samples [adu], zero where nothing hit.
    """
    hits = np.zeros(shape)
    for frame in hits:
        rows, columns, electrons = cosmic_ray_hits(shape[1:], pixel_size, exposure, rate, rng)
        np.add.at(frame, (rows, columns), electrons / gain)
    return hits


def reject_samples(values: ArrayLike, rejection: Rejection) -> States:
    """Say which samples of a stack a method rejects, by the loops that combine frames.

    Parameters
    ----------
    values
        (frame, ...), finite, any unit.
    rejection
        The method.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape: ``KEPT``, ``LOW`` or ``HIGH`` of :mod:`workbench.stack.rejection`.
    """
    stack = np.asarray(values)
    n_frames = stack.shape[0]
    columns = stack.reshape(n_frames, -1)
    states = np.empty(columns.shape, dtype=np.uint8)
    kernel, parameters = loop_of(rejection, n_frames)
    for start in range(0, columns.shape[1], _PIXELS):
        some = np.ascontiguousarray(columns[:, start : start + _PIXELS].T, dtype=np.float64)
        order = np.argsort(some, axis=1, kind="stable")
        of_sorted = np.empty(some.shape, dtype=np.uint8)
        kernel(np.take_along_axis(some, order, axis=1), np.full(len(some), n_frames), parameters, of_sorted)
        in_order = np.empty_like(of_sorted)
        np.put_along_axis(in_order, order, of_sorted, axis=1)
        states[:, start : start + _PIXELS] = in_order.T
    return states.reshape(stack.shape)


def mean_of_kept(values: FloatArray, states: States) -> FloatArray:
    """Return the mean over the frames of the samples that are kept, and the median of all where none is."""
    kept = states == KEPT
    count = kept.sum(axis=0)
    mean = np.divide((values * kept).sum(axis=0), count, out=np.zeros(count.shape), where=count > 0)
    return np.where(count > 0, mean, np.median(values, axis=0)) if (count == 0).any() else mean


def clear_hits(hits: FloatArray, sigma: float) -> NDArray[np.bool_]:
    """Tell which samples are hit by so much that they should go: at least 5 sigma."""
    return hits >= CLEAR * sigma


def race(
    clean: FloatArray,
    hits: FloatArray,
    rejections: Mapping[str, Rejection],
    *,
    truth: float | FloatArray,
    sigma: float,
    jumps: FloatArray | None = None,
) -> pd.DataFrame:
    """Combine a stack by the mean after each method of rejection, and hold the result against what is known.

    Parameters
    ----------
    clean
        (frame, y, x): samples without hits [adu], with the jumps of telegraph pixels.
    hits
        (frame, y, x): what hits add to them [adu].
    rejections
        The methods by the names that they are to have.
    truth
        Expected value of the pixels that do not jump [adu]: one, or (y, x).
    sigma
        Standard deviation of the clean samples of one pixel [adu].
    jumps
        (frame, y, x): what telegraph pixels were raised by in ``clean`` [adu]; None where there are none.

    Returns
    -------
    pandas.DataFrame
        A row a method, by its name. ``hits_left``: share of the hits of 5 sigma and more that were kept.
        ``good_lost``: share of the samples of quiet pixels, never hit by anything and never jumping, that were
        rejected. ``bias`` and ``bias_error`` [adu]: mean over those pixels of what rejection changed in them.
        ``noise``: standard deviation of those pixels about the truth, over that of a mean of all, sigma / sqrt(n).
        ``residue`` [adu]: mean of what is left of hits in the pixels that were hit clearly.
        ``jumps_lost``: share of the raised samples of telegraph pixels that were rejected, and ``jump_bias`` [adu]:
        mean over these pixels of what rejection changed in them; both of samples and pixels not hit, NaN without any.
    """
    values = clean + hits
    clear, raised = clear_hits(hits, sigma), np.zeros(clean.shape, bool) if jumps is None else jumps > 0
    jumping = raised.any(axis=0)
    unhit = ~(hits > 0).any(axis=0)
    quiet, only_jumping = unhit & ~jumping, unhit & jumping
    struck = clear.any(axis=0) & ~jumping
    expected = np.broadcast_to(np.asarray(truth, dtype=np.float64), quiet.shape)
    plain = clean.mean(axis=0)
    rows = {}
    for name, rejection in rejections.items():
        states = reject_samples(values, rejection)
        result = mean_of_kept(values, states)
        change = (result - plain)[quiet]
        rows[name] = {
            "hits_left": _share(states[clear] == KEPT),
            "good_lost": _share(states[:, quiet] != KEPT),
            "bias": change.mean(),
            "bias_error": change.std(ddof=1) / np.sqrt(change.size),
            "noise": (result - expected)[quiet].std() / (sigma / np.sqrt(len(values))),
            "residue": (result - plain)[struck].mean() if struck.any() else np.nan,
            "jumps_lost": _share(states[:, unhit][raised[:, unhit]] != KEPT),
            "jump_bias": (result - plain)[only_jumping].mean() if only_jumping.any() else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def share_left(states: States, hits: FloatArray, sigma: float, edges: ArrayLike) -> pd.DataFrame:
    """Return which share of the hits between some heights were kept.

    Parameters
    ----------
    states
        As :func:`reject_samples` gives them.
    hits
        Of the same shape: what hits added [adu].
    sigma
        Standard deviation of the samples without hits [adu].
    edges
        Heights between which hits are counted together [sigma], ascending.

    Returns
    -------
    pandas.DataFrame
        A row for each two neighbouring edges: ``height`` [sigma], their geometric mean, ``share`` kept, ``n`` hits.
    """
    edges = np.asarray(edges, dtype=np.float64)
    hit = hits > 0
    place, kept = np.digitize(hits[hit] / sigma, edges), states[hit] == KEPT
    rows = [
        {"height": np.sqrt(edges[k - 1] * edges[k]), "share": _share(kept[place == k]), "n": int((place == k).sum())}
        for k in range(1, edges.size)
    ]
    return pd.DataFrame(rows)


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if found.size else float("nan")
