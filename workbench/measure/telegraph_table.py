"""Telegraph pixels as a table, one row each, and the share of the pixels that jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.measure.numbers import number
from workbench.measure.telegraph import FOUND, recall

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.switching import Switching
    from workbench.measure.telegraph import ReadTelegraph

    Pixels = NDArray[np.intp]

TELEGRAPH_COLUMNS: dict[str, str] = {
    "row": "",
    "column": "",
    "kind": "",
    "n_levels": "",
    "level_1": "adu",
    "level_2": "adu",
    "level_3": "adu",
    "jump": "adu",
    "jump_electrons": "electron",
    "jump_current": "electron / s",
    "noise": "adu",
    "upper_share": "1",
    "transitions": "",
    "jumps_per_read": "1",
    "probability": "1",
}
"""Columns and their units. Kind ``read`` jumps from read to read, between levels above the pixel's mean; kind ``dark``
switches its dark current, by ``jump_current`` at least. What a kind does not have is NaN, or 0 where it is a count."""


def read_rows(found: ReadTelegraph, pixels: Pixels, width: int, gain: float | None) -> pd.DataFrame:
    """Return the pixels that jump from read to read.

    Parameters
    ----------
    found
        One entry a pixel that was looked at.
    pixels
        Their flat indices.
    width
        Columns of the frame.
    gain
        K [electron / adu] or None.
    """
    chosen = found.probability > FOUND
    jump = found.jump[chosen]
    table = {
        "row": pixels[chosen] // width,
        "column": pixels[chosen] % width,
        "kind": "read",
        "n_levels": found.n_levels[chosen],
        **{f"level_{k + 1}": found.levels[chosen, k] for k in range(3)},
        "jump": jump,
        "jump_electrons": jump * (np.nan if gain is None else gain),
        "noise": found.noise[chosen],
        "upper_share": found.upper_share[chosen],
        "transitions": found.transitions[chosen],
        "jumps_per_read": found.jump_rate[chosen],
        "probability": found.probability[chosen],
    }
    return telegraph_table(pd.DataFrame(table))


def switching_rows(found: Switching, pixels: Pixels, width: int) -> pd.DataFrame:
    """Return the pixels whose dark current switches; parameters as for :func:`read_rows`."""
    chosen = found.found
    table = {
        "row": pixels[chosen] // width,
        "column": pixels[chosen] % width,
        "kind": "dark",
        "jump_current": found.jump[chosen],
        "probability": found.probability[chosen],
    }
    return telegraph_table(pd.DataFrame(table))


def telegraph_table(*parts: pd.DataFrame) -> pd.DataFrame:
    """Put rows together, with all columns of :data:`TELEGRAPH_COLUMNS` and their types, ordered by row and column."""
    filled = [part for part in parts if len(part)]
    table = pd.concat([part.dropna(axis="columns", how="all") for part in filled]) if filled else pd.DataFrame()
    table = table.reindex(columns=list(TELEGRAPH_COLUMNS))
    for name in TELEGRAPH_COLUMNS:
        if name in ("row", "column", "n_levels", "transitions"):
            table[name] = table[name].fillna(0).astype(np.int64)
        elif name != "kind":
            table[name] = table[name].astype(np.float64)
    table["kind"] = table["kind"].astype(object)
    return table.sort_values(["row", "column", "kind"], ignore_index=True)


def least_read_jump(n_frames: int, prior_dof: float, least_ratio: float) -> float:
    """Return the height of a jump, in read noises, at which half of the pixels would be found."""
    heights, shares = recall(n_frames, prior_dof, least_ratio)
    rising = np.maximum.accumulate(shares)
    return float(np.interp(0.5, rising, heights)) if rising[-1] > 0.5 else float(heights[-1])


def read_share(found: ReadTelegraph, n_judged: int) -> AffineScalarFunc:
    """Return the share of the pixels that jump from read to read, as far as it can be told from noise.

    Parameters
    ----------
    found
        One entry a pixel that was looked at.
    n_judged
        Pixels in all.

    Notes
    -----
    Every pixel found counts by its probability p. The variance is ``sum p (1 - p)`` over these, and one pixel at
    least; and the square of what probability is left in the others: how many of them do jump hangs on how frequent low
    jumps are. Jumps that the noise hides are not in it: see :func:`least_read_jump`.
    """
    called = found.probability > FOUND
    p, left = found.probability[called], float(found.probability[~called].sum())
    error = (float((p * (1.0 - p)).sum()) + left**2 + 1.0) ** 0.5
    return number(float(p.sum()) / n_judged, error / n_judged, "telegraph pixels")
