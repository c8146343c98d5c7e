"""One frame out of many: combination over the frame axis, with rejection, normalisation and weights."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError
from workbench.frames.stack_files import StackFiles
from workbench.stack.assembly import Assembly, Mask, combine_here, warm_up
from workbench.stack.columns import Plan
from workbench.stack.normalisation import Coefficients, coefficients
from workbench.stack.recipe import Recipe, recipe_of
from workbench.stack.weights import frame_weights
from workbench.units import set_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd
    import xarray as xr
    from distributed import Client
    from numpy.typing import NDArray

    from workbench.stack.ahead import Ahead
    from workbench.stack.frame_statistics import FrameStatistics

    BoolArray = NDArray[np.bool_]

__all__ = ["Combination", "Recipe", "combine"]

_ABOUT_FRAMES = ("file", "exposure", "temperature")
_LONG_NAMES = {
    "signal": "combined signal",
    "std_error": "standard error of the combined signal",
    "n_kept": "samples kept",
    "rejected_low": "samples rejected as too low",
    "rejected_high": "samples rejected as too high",
    "flags": "1: all samples rejected, the signal is their median; 2: no frame has a value that counts",
}


@dataclass(frozen=True)
class Combination:
    """The frames of a stack, combined.

    Parameters
    ----------
    arrays
        Shape (y, x); ``data`` holds them as a dataset, with units. ``signal``, float32 [adu]. With maps also
        ``std_error``, float32 [adu], of a mean, a median or a sum; ``n_kept``, ``rejected_low`` and ``rejected_high``,
        how many samples were kept, rejected as too low and as too high, of the smallest unsigned integers that hold the
        number of frames; ``flags``, uint8: 1 where rejection left no sample and the signal is the median of all, 2
        where no frame has a value, or none of weight, and the signal is NaN.
    of_frames
        An entry a frame, in the order of the stack; ``frames`` holds them as a table: ``file``, ``exposure``,
        ``temperature`` where the stack knows them; ``weight``; ``location``, ``scale``, ``noise`` [adu] where they were
        used; ``rejection_factor``, ``rejection_offset``, ``output_factor``, ``output_offset``, such that
        normalised = factor * stored + offset; ``share_low``, ``share_high``, the shares of the frame's samples that
        were rejected.
    recipe
        How they were combined.
    coords
        Of the stack's rows and columns, where it has any.
    """

    arrays: Mapping[str, NDArray[Any]]
    of_frames: Mapping[str, NDArray[Any]]
    recipe: Recipe
    coords: Mapping[Hashable, xr.DataArray] = field(default_factory=dict)

    @cached_property
    def frames(self) -> pd.DataFrame:
        """What is known of the frames, a row each."""
        import pandas as pd  # see below  # noqa: PLC0415

        return pd.DataFrame(dict(self.of_frames))

    @cached_property
    def data(self) -> xr.Dataset:
        """The pixels, with their units."""
        import xarray as xr  # which masters do without: it takes a while  # noqa: PLC0415

        found = xr.Dataset(coords=self.coords)
        for name, values in self.arrays.items():
            unit = "adu" if name in ("signal", "std_error") else "1"
            found[name] = set_units(xr.DataArray(values, dims=("y", "x")), unit, long_name=_LONG_NAMES[name])
        if len(self.arrays) > 1 and "std_error" not in self.arrays:
            method = self.recipe.method
            found.attrs["std_error"] = f"none: that of a {method} is no matter of the standard deviation alone"
        return found


def combine(
    stack: xr.DataArray | StackFiles,
    recipe: Recipe | None = None,
    *,
    maps: bool = True,
    mask: BoolArray | xr.DataArray | None = None,
    threads: int | None = None,
    client: Client | str | None = None,
    ahead: Ahead | None = None,
    progress: bool = False,
    **options: Any,
) -> Combination:
    r"""Combine the frames of a stack into one, pixel by pixel.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu], of any size: what :func:`workbench.frames.load.load_stack` gives, any lazy array
        made of it, or an array in memory; or the files themselves, from
        :func:`workbench.frames.load.files_of_stack`. What is not finite is missing; zero is a value.
    recipe
        How; see :class:`workbench.stack.recipe.Recipe`.
    maps
        Whether standard errors, counts and flags are wanted beside the signal.
    mask
        Samples to leave out, True where: shape (y, x) for all frames, or (frame, y, x). They count as missing.
    threads
        How many share the work on this machine; None for as many as there are processors.
    client
        A ``distributed.Client``, or the address of a scheduler such as ``"tcp://10.0.0.1:8786"``: its workers then
        share the work, and read the files themselves, under the same names.
    ahead
        What :func:`workbench.stack.ahead.begun` gave: taken where it is this combination, ignored where it is not.
    progress
        Whether to show a progress bar, on a terminal.
    **options
        Fields of the recipe instead of one, such as ``rejection="winsorized", low=4, high=3, method="mean"``.

    Returns
    -------
    Combination
        The same to the bit however many threads or workers there are, and wherever the stack stands.

    Raises
    ------
    InputError
        When the stack, the mask, an option or the scheduler cannot be used; when a frame cannot be normalised.
    FrameError
        When a file has gone or is damaged, also if that happens meanwhile.

    Notes
    -----
    The order of work at each pixel: samples beyond ``range_low`` and ``range_high`` are rejected by their stored
    values; the rest is normalised for comparison, and rejection applied; what is kept, normalised for the result, is
    combined in the order of the frames in float64. Nothing is ever rescaled, clipped or wrapped. The rules of
    rejection stand with each method in :mod:`workbench.stack.rejection`.

    The standard error of the mean of k samples is their standard deviation (k - 1) over :math:`\sqrt k`; of a weighted
    mean :math:`m` it is :math:`\sqrt{\frac{k}{k-1} \sum w_i^2 (x_i - m)^2} / \sum w_i`; of others see
    :func:`workbench.stack.planes.standard_error_factors`. It tells how the samples scatter, so that rejection of what
    was no outlier makes it too small, and NaN where fewer than two are left.

    Examples
    --------
    A master dark as the paper makes it::

        darks = load_stack(table[table["kind"] == "dark"])
        master = combine(darks, rejection="winsorized", low=4, high=3).data["signal"]
    """
    if recipe is not None and options:
        raise InputError(next(iter(options)), "stands beside a recipe", "give a recipe or its options, not both")
    chosen = recipe_of(**options) if recipe is None else recipe
    _check_stack(stack, threads)
    if isinstance(stack, StackFiles) and (client is not None or mask is not None or chosen.looks_at_frames):
        stack = stack.lazy()
    about = _about(stack)
    left_out = Mask(None) if isinstance(stack, StackFiles) else _mask(stack, mask)
    if client is not None and not isinstance(stack, StackFiles):
        from workbench.stack.workers import combine_there, connected  # imports dask  # noqa: PLC0415

        with connected(client) if isinstance(client, str) else nullcontext(client) as workers:
            statistics = _statistics(stack, chosen, left_out, workers, progress=progress)
            plan = _plan(about, stack.shape[0], chosen, statistics, maps=maps)
            whole = combine_there(workers, stack, plan, left_out, progress=progress)
    else:
        statistics = None
        if not isinstance(stack, StackFiles):
            statistics = _statistics(stack, chosen, left_out, None, progress=progress)
        plan = _plan(about, stack.shape[0], chosen, statistics, maps=maps)
        begun = ahead.result(stack, plan) if ahead is not None and isinstance(stack, StackFiles) else None
        whole = begun or _combine_here(stack, plan, left_out, threads=threads, progress=progress)
    coords = {} if isinstance(stack, StackFiles) else {n: one for n, one in stack.coords.items() if _of_pixels(one)}
    return Combination(whole.arrays, _frames(about, whole, plan, statistics), chosen, coords)


def _combine_here(
    stack: xr.DataArray | StackFiles, plan: Plan, mask: Mask, *, threads: int | None, progress: bool
) -> Assembly:
    warm_up(stack, plan, mask)
    return combine_here(stack, plan, mask, threads=threads, progress=progress)


def _check_stack(stack: xr.DataArray | StackFiles, threads: int | None) -> None:
    if stack.dims != ("frame", "y", "x") or 0 in stack.shape:
        rule = f"has the dims {', '.join(map(str, stack.dims))} and the shape {stack.shape}"
        raise InputError("stack", rule, "give one with frames, dims (frame, y, x), as load_stack does")
    if stack.dtype.kind not in "iuf":
        raise InputError("stack", f"has values of type {stack.dtype}", "give integers or floating point numbers")
    if threads is not None and threads < 1:
        raise InputError("threads", f"is {threads}", "give 1 or more, or leave it out")


def _mask(stack: xr.DataArray, mask: BoolArray | xr.DataArray | None) -> Mask:
    if mask is None:
        return Mask(None)
    import xarray as xr  # see above  # noqa: PLC0415

    dims = ("frame", "y", "x")[-mask.ndim :]
    wanted = tuple(stack.sizes[dim] for dim in dims)
    found = mask.transpose(*dims) if isinstance(mask, xr.DataArray) and set(mask.dims) == set(dims) else mask
    if mask.ndim not in (2, 3) or found.shape != wanted or mask.dtype != np.bool_:
        rule = f"has the shape {mask.shape} and the type {mask.dtype}, the stack the shape {stack.shape}"
        raise InputError("mask", rule, "give booleans of shape (y, x) or (frame, y, x), True for what is left out")
    return Mask(xr.DataArray(found.data if isinstance(found, xr.DataArray) else found, dims=dims))


def _statistics(
    stack: xr.DataArray, recipe: Recipe, mask: Mask, workers: Client | None, *, progress: bool
) -> FrameStatistics | None:
    noise = recipe.weights == "noise"
    if not recipe.looks_at_frames:
        return None
    if workers is not None:
        from workbench.stack.workers import statistics_there  # imports dask  # noqa: PLC0415

        return statistics_there(workers, stack, recipe.scale, mask, noise=noise, progress=progress)
    from workbench.stack.frame_statistics import frame_statistics  # imports pandas  # noqa: PLC0415

    return frame_statistics(stack, recipe.scale, noise=noise, mask=mask.samples, progress=progress)


def _plan(
    about: Mapping[str, NDArray[Any]], n: int, recipe: Recipe, statistics: FrameStatistics | None, *, maps: bool
) -> Plan:
    output = _coefficients(statistics, recipe.normalisation, n)
    weights = frame_weights(
        recipe.weights,
        n,
        files=[str(file) for file in about["file"]] if "file" in about else None,
        exposures=_exposures(about),
        statistics=statistics,
        factors=output.factor,
    )
    return Plan(recipe, _coefficients(statistics, recipe.rejection_normalisation, n), output, weights, maps)


def _coefficients(statistics: FrameStatistics | None, normalisation: str, n_frames: int) -> Coefficients:
    if statistics is None:
        return Coefficients.unchanged(n_frames)
    return coefficients(statistics, normalisation)


def _exposures(about: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    if "exposure" not in about:
        return None
    if about["exposure"].dtype.kind in "iuf":
        return about["exposure"].astype(np.float64)
    import pandas as pd  # see above  # noqa: PLC0415

    exposures: NDArray[np.float64] = pd.to_numeric(pd.Series(about["exposure"])).to_numpy(np.float64, na_value=np.nan)
    return exposures


def _about(stack: xr.DataArray | StackFiles) -> Mapping[str, NDArray[Any]]:
    """Return what is known of the frames: name -> an entry a frame."""
    if isinstance(stack, StackFiles):
        return stack.about
    return {str(name): one.to_numpy() for name, one in stack.coords.items() if one.dims == ("frame",)}


def _of_pixels(coord: xr.DataArray) -> bool:
    return bool(coord.dims) and set(coord.dims) <= {"y", "x"}


def _frames(
    about: Mapping[str, NDArray[Any]], whole: Assembly, plan: Plan, statistics: FrameStatistics | None
) -> Mapping[str, NDArray[Any]]:
    table = {name: about[name] for name in _ABOUT_FRAMES if name in about}
    table["weight"] = plan.weights
    if statistics is not None:
        table |= {"location": statistics.location, "scale": statistics.scale}
        table |= {} if statistics.noise is None else {"noise": statistics.noise}
    table |= {"rejection_factor": plan.rejecting.factor, "rejection_offset": plan.rejecting.offset}
    table |= {"output_factor": plan.output.factor, "output_offset": plan.output.offset}
    valid, low, high = whole.frames
    none = np.full(valid.size, np.nan)  # a frame without a value has no share of them
    table["share_low"] = np.divide(low, valid, out=none.copy(), where=valid > 0)
    table["share_high"] = np.divide(high, valid, out=none.copy(), where=valid > 0)
    return table
