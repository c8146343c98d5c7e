"""Combination of a run of pixels, whatever type their values have, in float64 and block by block.

Integers that need nothing but rejection take the exact loops of :mod:`workbench.stack.fast`; which of the two a run
takes depends on the plan and the type of its values alone, so that every process decides alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.stack.fast import fast_planes, takes
from workbench.stack.planes import ALL_REJECTED, NO_VALUE, Planes, count_type, standard_error_factors
from workbench.stack.recipe import METHODS
from workbench.stack.rejection import loop_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stack.normalisation import Coefficients
    from workbench.stack.recipe import Recipe

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

__all__ = ["Plan", "combine_values"]

_BLOCK_VALUES = 32_768  # samples worked on at once: what they need in float64 stays in the processor's cache


@dataclass(frozen=True)
class Plan:
    """All that whoever combines a band has to know beside its values: the recipe, and what was found of whole frames.

    Parameters
    ----------
    recipe
        How the frames are combined.
    rejecting, output
        How frames are normalised before samples are compared, and in the result.
    weights
        Of each frame, shape (frame,).
    maps
        Whether more than the signal is wanted.
    """

    recipe: Recipe
    rejecting: Coefficients
    output: Coefficients
    weights: FloatArray
    maps: bool

    @property
    def n_frames(self) -> int:
        """How many frames are combined."""
        return self.weights.size

    @property
    def plain(self) -> bool:
        """Whether stored values are all that counts."""
        recipe = self.recipe
        return (
            recipe.normalisation == recipe.rejection_normalisation == recipe.weights == "none"
            and recipe.range_low is None
            and recipe.range_high is None
        )

    def is_fast(self, dtype: np.dtype, *, masked: bool) -> bool:
        """Whether values of a type take the exact loops for integers of 16 bits."""
        return self.plain and not masked and dtype == np.uint16 and takes(self.n_frames)


def combine_values(values: NDArray[Any], missing: BoolArray | None, plan: Plan, *, stored: bool = False) -> Planes:
    """Combine the frames of a run of pixels.

    Parameters
    ----------
    values
        Shape (frame, pixel) [adu].
    missing
        Samples to leave out: shape (pixel,) or (frame, pixel); None for none.
    plan
        How.
    stored
        Whether values are big-endian int16, as a FITS file stores unsigned integers.

    Returns
    -------
    Planes
        The same for each pixel however pixels were cut into runs.
    """
    if stored or plan.is_fast(values.dtype, masked=missing is not None):
        return fast_planes(values, plan.recipe.rejection, method=plan.recipe.method, maps=plan.maps)
    planes = _empty(plan, values.shape[1])
    step = max(1, _BLOCK_VALUES // len(values))
    combine = _Columns(plan, step)
    for start in range(0, values.shape[1], step):
        run = slice(start, start + step)
        block = values[:, run].astype(np.float64)
        if missing is not None:
            block[np.broadcast_to(missing[..., run], block.shape)] = np.nan
        combine(block, planes, run)
    return planes


def _empty(plan: Plan, size: int) -> Planes:
    has_error = plan.maps and plan.recipe.method not in ("min", "max")
    counts = [np.empty(size, count_type(plan.n_frames)) if plan.maps else None for _ in range(3)]
    return Planes(
        signal=np.empty(size, dtype=np.float32),
        std_error=np.empty(size, dtype=np.float32) if has_error else None,
        n_kept=counts[0],
        rejected_low=counts[1],
        rejected_high=counts[2],
        flags=np.empty(size, dtype=np.uint8) if plan.maps else None,
        frames=np.zeros((3, plan.n_frames), dtype=np.int64),
    )


class _Columns:
    """The loops, with the memory that they need for blocks of so many pixels."""

    def __init__(self, plan: Plan, size: int) -> None:
        from workbench.stack import column_loops  # imports Numba, which only those wait for who need it  # noqa: PLC0415

        recipe, n = plan.recipe, plan.n_frames
        self._loops = column_loops
        self._reject, self._parameters = loop_of(recipe.rejection, n)
        limits = (np.nan if limit is None else float(limit) for limit in (recipe.range_low, recipe.range_high))
        self._rules = (plan.rejecting.factor, plan.rejecting.offset, *limits)
        self._sorts = recipe.rejection.name != "none"
        self._output = (plan.output.factor, plan.output.offset, plan.weights)
        factors = standard_error_factors(recipe.method, n)
        has_errors = plan.maps and factors.size > 0
        self._how = (METHODS.index(recipe.method), has_errors, factors if recipe.weights == "none" else np.empty(0))
        self._median, self._times = recipe.method == "median", n if recipe.method == "sum" else 1
        self._floats, self._states = np.empty((2, size, n)), np.empty((2, size, n), dtype=np.uint8)
        self._filled = np.empty((2, size))
        self._counts, self._flags = np.empty((4, size), dtype=np.int64), np.empty(size, dtype=np.uint8)

    def __call__(self, block: FloatArray, planes: Planes, run: slice) -> None:
        size = block.shape[1]
        stored, samples = self._floats[:, :size]
        states, found = self._states[:, :size]
        signal, std_error = self._filled[:, :size]
        counts, *kept_low_high = self._counts[:, :size]
        flags = self._flags[:size]
        columns = (stored, samples, states, counts)
        self._loops.gather_columns(block, self._rules, columns)
        if self._sorts:
            samples.sort(axis=1)
        self._reject(samples, counts, self._parameters, found)
        filled = (signal, std_error, *kept_low_high, flags)
        self._loops.combine_columns(columns, found, self._rules, self._output, self._how, (*filled, planes.frames))
        rows = flags != NO_VALUE if self._median else flags == ALL_REJECTED
        if rows.any():
            signal[rows] = _medians(stored[rows]) * self._times
        wanted = ("signal", "std_error", "n_kept", "rejected_low", "rejected_high", "flags")
        for name, values in zip(wanted, filled, strict=True):
            plane = getattr(planes, name)
            if plane is not None:
                plane[run] = values


def _medians(samples: FloatArray) -> FloatArray:
    """Return the median of the finite samples of each row, of which there are some."""
    samples.sort(axis=1)
    n = np.isfinite(samples).sum(axis=1)[:, None]
    low, high = (np.take_along_axis(samples, middle, axis=1)[:, 0] for middle in ((n - 1) // 2, n // 2))
    return (low + high) / 2
