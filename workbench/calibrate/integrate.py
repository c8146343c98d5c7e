r"""Registered lights integrated: brought to the level and brightness of one, weighed by their noise, outliers rejected.

How bright a frame is relative to another is told by their stars. The reference program takes the ratio of the frames'
scatter instead, which in frames of faint targets is the ratio of their noise, not of their light: star fluxes are then
off by as much, and resampled frames, smoother than the reference, are stretched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from workbench.calibrate.asterisms import nearest_pairs
from workbench.errors import InputError
from workbench.stack.combine import combine
from workbench.stack.recipe import Recipe, recipe_of
from workbench.units import set_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.calibrate.register import Registration
    from workbench.stack.combine import Combination

    Floats = NDArray[np.float64]

__all__ = ["FEWEST_TELLING", "Brightness", "Integration", "brightness", "integrate", "integration_recipe"]

_NEAR = 1.5  # pixel, within which a star of one frame is that of another
_SURE = 10.0  # of its error, that a star's flux is to count
FEWEST_TELLING = 5  # stars
_BRIGHT = 0.03  # of a star's flux, that is uncertain besides the background's noise: photons, blends, seeing
_CLIP = 3.5  # of its error, beyond which a star does not count: variable stars, cosmic rays
_ROUNDS = 10
_SAMPLE = 1_000_000  # pixels of a frame that tell its level


@dataclass(frozen=True)
class Brightness:
    """The factor that makes a frame as bright as the reference.

    Parameters
    ----------
    factor, std_error
        The factor and its standard error; None where too few stars tell it, and it is that of the exposures.
    n_stars
        That tell it, or would, were they not too few.
    """

    factor: float
    std_error: float | None
    n_stars: int


@dataclass(frozen=True)
class Integration:
    """Integrated lights.

    Parameters
    ----------
    combination
        Its ``data`` has ``coverage`` besides: how many frames have a value at each pixel. Values are those of the
        raw frames [adu]. In ``frames``, ``output_factor`` and ``output_offset`` say how each frame was brought there.
    recipe
        How frames were combined after that.
    """

    combination: Combination
    recipe: Recipe


def brightness(
    stars: pd.DataFrame,
    reference_stars: pd.DataFrame,
    registration: Registration,
    *,
    exposures: tuple[float, float] | None = None,
) -> Brightness:
    """Compare the fluxes of stars that a frame and the reference have in common.

    Parameters
    ----------
    stars, reference_stars
        From :func:`workbench.calibrate.stars.find_stars`.
    registration
        Of the frame upon the reference.
    exposures
        Of the frame and of the reference [s]; what tells the factor where stars are too few.

    Returns
    -------
    Brightness
        Of stars ten errors bright, without outliers. With fewer than :data:`FEWEST_TELLING` the ratio of the exposures,
        1 where they are not known: what a sky of the same transparency makes. No background is asked, for it holds the
        moon and the lamps of the town.

    Notes
    -----
    The ratio of weighted sums, reference over frame, where a star has the same weight in both, its mean flux over the
    variance of that: means of ratios, or weights that depend on one of the two, are biased by the noise of faint stars.
    It is times the area of a pixel of the reference in the frame, which resampling does not take into account.
    """
    there, here = (table[["x", "y"]].to_numpy(np.float64) for table in (reference_stars, stars))
    ours, theirs = nearest_pairs(registration.matrix, there, here, _NEAR)
    pair = reference_stars.iloc[ours], stars.iloc[theirs]
    flux = np.array([table["flux"].to_numpy(np.float64) for table in pair])
    error = np.array([table["flux_error"].to_numpy(np.float64) for table in pair])
    mean, variance = flux.mean(axis=0), (error**2).sum(axis=0)
    sure = (mean > _SURE * np.sqrt(variance)) & (flux[1] > 0)
    area = registration.scale**2
    if np.count_nonzero(sure) < FEWEST_TELLING:
        return Brightness(_by_exposure(exposures) * area, None, int(np.count_nonzero(sure)))
    weights = mean / (variance + (_BRIGHT * mean) ** 2)
    allowed = _CLIP * np.sqrt(variance + (_BRIGHT * mean) ** 2)
    ratio, kept = float(np.median(flux[0, sure] / flux[1, sure])), sure
    for _ in range(_ROUNDS):
        before = kept
        kept = sure & (np.abs(flux[0] - ratio * flux[1]) <= allowed * max(1.0, ratio))
        if np.count_nonzero(kept) < FEWEST_TELLING:
            return Brightness(_by_exposure(exposures) * area, None, int(np.count_nonzero(kept)))
        ratio = float(np.sum((weights * flux[0])[kept]) / np.sum((weights * flux[1])[kept]))
        if np.array_equal(before, kept):
            break
    weights, one, two = weights[kept], *flux[:, kept]
    left = weights * (one - ratio * two)
    std_error = float(np.sqrt(np.sum(left**2)) / np.sum(weights * two))
    return Brightness(ratio * area, std_error * area, int(np.count_nonzero(kept)))


def _by_exposure(exposures: tuple[float, float] | None) -> float:
    """Return how much longer the reference was exposed; 1 where that is not known."""
    if exposures is None or not all(np.isfinite(one) and one > 0 for one in exposures):
        return 1.0
    return exposures[1] / exposures[0]


def integration_recipe(**options: Any) -> Recipe:
    """Return how registered lights are combined: mean, winsorized sigma clipping with 4 and 3; ``options`` change it.

    Raises
    ------
    InputError
        For normalisations and weights, which :func:`integrate` finds by itself.
    """
    for name in ("normalisation", "rejection_normalisation", "weights"):
        if name in options:
            raise InputError(name, "is no option of an integration", "frames are brought to one level by their stars")
    return recipe_of(**({"method": "mean", "rejection": "winsorized"} | options))


def integrate(
    stack: xr.DataArray,
    factors: Sequence[float],
    noises: Sequence[float],
    *,
    reference: int = 0,
    recipe: Recipe | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Integration:
    r"""Integrate registered lights.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu], NaN where a frame has no value.
    factors
        Of each frame, from :func:`brightness`.
    noises
        Of each frame before it was registered [adu]: resampling smooths noise, and would earn a frame weight.
    reference
        The frame whose background the result has.
    recipe
        From :func:`integration_recipe`.
    threads, progress
        As for :func:`workbench.stack.combine.combine`.

    Returns
    -------
    Integration

    Raises
    ------
    InputError
        When a frame and the reference have no pixel in common, a factor or a noise is not above 0, or fewer than two
        frames are given.

    Notes
    -----
    A frame x becomes :math:`f x + o` with the offset :math:`o = \mathrm{median}(r - f x)` over the pixels that it has
    in common with the reference r, and the weight :math:`1 / (f \sigma)^2`: additive normalisation with scaling, whose
    scale is that of the stars. Differences are taken before the median so that a gradient or a nebula, of which a
    turned frame sees another part, does not shift its level. Factors are divided by their geometric mean: the result is
    as bright as the frames are in the mean, and the noise of the reference's own stars does not enter.
    """
    chosen = integration_recipe() if recipe is None else recipe
    f, sigma = (np.asarray(values, np.float64) for values in (factors, noises))
    _check(stack, f, sigma)
    f = f / np.exp(np.mean(np.log(f)))
    offsets = _offsets(stack, f, reference)
    weights = 1 / (f * sigma) ** 2
    weights /= weights.mean()
    factor, offset = (xr.DataArray(values.astype(np.float32), dims="frame") for values in (f, offsets))
    level = set_units(stack.astype(np.float32, copy=False) * factor + offset, "adu", long_name="signal")
    if chosen.method == "mean":
        chosen = Recipe.from_dict(chosen.to_dict() | {"weights": weights.tolist()})
    found = combine(level, chosen, maps=True, threads=threads, progress=progress)
    found.data["coverage"] = _coverage(found.data, stack.sizes["frame"])
    found.frames["output_factor"] = found.frames["rejection_factor"] = f
    found.frames["output_offset"] = found.frames["rejection_offset"] = offsets
    found.frames["noise"] = sigma
    return Integration(found, chosen)


def _check(stack: xr.DataArray, factors: Floats, noises: Floats) -> None:
    n = stack.sizes["frame"]
    if n < 2:
        raise InputError("lights", "are fewer than two", "integrate two or more")
    for name, values in (("factors", factors), ("noises", noises)):
        if values.shape != (n,) or not np.all(np.isfinite(values) & (values > 0)):
            raise InputError(name, "are not one number above 0 for each frame", f"give {n}")


def _offsets(stack: xr.DataArray, factors: Floats, reference: int) -> Floats:
    step = max(1, int(np.sqrt(stack.sizes["y"] * stack.sizes["x"] / _SAMPLE)))
    sample = stack[:, ::step, ::step]
    base = sample[reference].to_numpy().astype(np.float64)
    middle = np.nanmedian(base)
    base = factors[reference] * (base - middle) + middle
    offsets = np.empty(factors.size)
    for index, factor in enumerate(factors):
        difference = base - factor * sample[index].to_numpy()
        difference = difference[np.isfinite(difference)]
        if not difference.size:
            name = str(stack["file"].to_numpy()[index]) if "file" in stack.coords else f"frame {index}"
            raise InputError(name, "has no pixel in common with the reference", "leave it out")
        offsets[index] = np.median(difference)
    return offsets


def _coverage(data: xr.Dataset, n_frames: int) -> xr.DataArray:
    total = sum(data[name].astype(np.int64) for name in ("n_kept", "rejected_low", "rejected_high"))
    coverage = xr.DataArray(np.asarray(total).astype(np.min_scalar_type(n_frames)), dims=("y", "x"))
    return set_units(coverage, "1", long_name="frames that have a value")
