"""One frame out of many: combination over the frame axis, with rejection, normalisation and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.stack.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Combination", "Recipe"]


@dataclass(frozen=True)
class Combination:
    """The frames of a stack, combined.

    Parameters
    ----------
    data
        Dims ``y, x``. ``signal``, float32 [adu]. With maps also ``std_error``, float32 [adu], of a mean, a median or a
        sum; ``n_kept``, ``rejected_low`` and ``rejected_high``, how many samples were kept, rejected as too low and as
        too high, of the smallest unsigned integers that hold the number of frames; ``flags``, uint8: 1 where rejection
        left no sample and the signal is the median of all, 2 where no frame has a value and the signal is NaN.
    frames
        A row a frame, in the order of the stack: ``file``, ``exposure``, ``temperature`` where the stack knows them;
        ``weight``; ``location``, ``scale``, ``noise`` [adu] where they were used; ``rejection_factor``,
        ``rejection_offset``, ``output_factor``, ``output_offset``, such that normalised = factor * stored + offset;
        ``share_low``, ``share_high``, the shares of the frame's samples that were rejected.
    recipe
        How they were combined.
    """

    data: xr.Dataset
    frames: pd.DataFrame
    recipe: Recipe
