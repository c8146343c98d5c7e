"""Noise that the pixels of a row share: what it adds to errors that count pixels as independent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.stack.bands import bands
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from workbench.stack.masked import MaskedMoments
    from workbench.stack.variance import DifferenceMoments

    BoolArray = NDArray[np.bool_]

_SEEN = 4.0  # standard errors: less is taken for none


def row_noise(stack: xr.DataArray, moments: DifferenceMoments, excluded: BoolArray) -> float:
    """Return the variance in time that all pixels of a row share [adu2]; 0 where none is seen.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    moments
        Of the same stack; the noise of the pixels is taken from them.
    excluded
        Pixels that do not count, shape (y, x).

    Notes
    -----
    Means of W pixels of a row, frame means removed, vary in time by ``sigma_row^2 + sigma^2 / W``.
    """
    n, keep = moments.n_frames, ~excluded
    widths = keep.sum(axis=1)
    used = widths > 0
    if n < 2 or moments.temporal is None or used.sum() < 2:
        return 0.0
    means = np.empty((n, len(widths)))
    for rows, values in bands(stack):
        kept = np.where(keep[rows], values, 0)  # where a pixel does not count its value may be no number
        means[:, rows] = kept.sum(axis=2, dtype=np.float64) / np.maximum(widths[rows], 1)
    means = means[:, used] - moments.frame_means[:, None]
    seen = means.var(axis=0, ddof=1)
    own = float((1 / widths[used]).mean()) * moments.temporal.value
    shared, error = float(seen.mean()) - own, float(seen.mean()) * (2 / (n - 1) / used.sum()) ** 0.5
    return shared if shared > _SEEN * error else 0.0


def with_row_noise(moments: DifferenceMoments, variance: float, excluded: BoolArray) -> DifferenceMoments:
    """Add to the errors of variances what row noise adds: the pixels of a row are no independent witnesses of it.

    Parameters
    ----------
    moments
        Whose errors count every pixel by itself.
    variance
        Of the row noise [adu2], from :func:`row_noise`.
    excluded
        Pixels that do not count, shape (y, x).

    Notes
    -----
    With R rows the mean over pixels of a variance over n frames has ``2 sigma_row^4 / (R (n - 1))`` on top; the
    variance of one difference, however many frames it is made of, ``2 sigma_row^4 / R``.
    """
    if not variance or moments.temporal is None:
        return moments
    extra = _extra(variance, excluded)
    return replace(
        moments,
        temporal=_wider(moments.temporal, extra / (moments.n_frames - 1) ** 0.5),
        pairs=tuple(_wider(one, extra) for one in moments.pairs),
        composites={number: _wider(one, extra) for number, one in moments.composites.items()},
    )


def masked_with_row_noise(masked: MaskedMoments, variance: float, excluded: BoolArray) -> MaskedMoments:
    """Do the same where cosmic rays are left out; parameters as for :func:`with_row_noise`."""
    if not variance:
        return masked
    extra = _extra(variance, excluded)
    return replace(
        masked,
        temporal=_wider(masked.temporal, extra / (masked.n_frames - 1) ** 0.5),
        frames=tuple(_wider(one, extra) for one in masked.frames),
    )


def _extra(variance: float, excluded: BoolArray) -> float:
    n_rows = int((~excluded).any(axis=1).sum())
    return float(variance * (2 / n_rows) ** 0.5)


def _wider(one: Estimate, extra: float) -> Estimate:
    return Estimate(one.value, float(np.hypot(one.std_error, extra)))
