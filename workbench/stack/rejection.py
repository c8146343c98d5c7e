"""Rejection of outliers in a stack: a method by its name, its compiled loop, and what it does to one pixel.

The rules of the methods are in :mod:`workbench.stack.rejection_methods`.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError, did_you_mean
from workbench.stack.rejection_methods import (
    AveragedSigmaClip,
    GeneralisedESD,
    LinearFit,
    MADClip,
    MinMax,
    NoRejection,
    Percentile,
    Rejection,
    SigmaClip,
    WinsorizedSigmaClip,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Kernel = Callable[[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]], None]

__all__ = [
    "HIGH",
    "KEPT",
    "LOW",
    "MISSING",
    "REJECTIONS",
    "AveragedSigmaClip",
    "GeneralisedESD",
    "LinearFit",
    "MADClip",
    "MinMax",
    "NoRejection",
    "Percentile",
    "Rejection",
    "SigmaClip",
    "WinsorizedSigmaClip",
    "loop_of",
    "reject_column",
    "rejection",
]

KEPT, LOW, HIGH, MISSING = 0, 1, 2, 3

_MOST_FRAMES = 16_384  # for whose number the critical values of the ESD test are made ready, unless asked for more


REJECTIONS: dict[str, type[Rejection]] = {
    method.name: method
    for method in (
        NoRejection,
        MinMax,
        Percentile,
        SigmaClip,
        WinsorizedSigmaClip,
        AveragedSigmaClip,
        LinearFit,
        GeneralisedESD,
        MADClip,
    )
}


def rejection(name: str, low: float | None = None, high: float | None = None, **options: Any) -> Rejection:
    """Return a method of rejection by its name.

    Parameters
    ----------
    name
        A key of ``REJECTIONS``.
    low, high
        Its limits; those left out are the method's own.
    **options
        Its other parameters: ``cutoff`` of winsorized, ``fraction`` and ``alpha`` of esd.

    Raises
    ------
    InputError
        There is no such method, it has no such parameter, or the value cannot be one.

    Examples
    --------
    >>> rejection("winsorized", high=2.5).words
    'winsorized sigma clipping, 4 low, 2.5 high'
    """
    if name not in REJECTIONS:
        step = did_you_mean(name, REJECTIONS, f"use one of {', '.join(REJECTIONS)}")
        raise InputError(f"rejection = {name!r}", "is no method of rejection", step)
    method = REJECTIONS[name]
    given = {key: value for key, value in {"low": low, "high": high, **options}.items() if value is not None}
    known = [field.name for field in fields(method)]
    for key in given:
        if key not in known:
            rule = f"rejection {name!r} has no such parameter"
            raise InputError(key, rule, f"it takes {', '.join(known)}" if known else "leave it out")
    return method(**given)


def loop_of(rejection: Rejection, n_frames: int = _MOST_FRAMES) -> tuple[Kernel, NDArray[np.float64]]:
    """Return the compiled loop of a method, and the parameters to call it with.

    Imports Numba; the loop is compiled when it is first called, or read from Numba's cache on disk.

    Parameters
    ----------
    rejection
        The method.
    n_frames
        The most values that a stack will have; only the ESD test needs to know.

    Returns
    -------
    kernel, parameters
        To be called as ``kernel(columns, counts, parameters, states)``, see :mod:`workbench.stack.reject_loops`.
    """
    # these import Numba, for which others need not wait
    from workbench.stack import reject_fit, reject_loops, reject_winsorized  # noqa: PLC0415

    parameters = np.array(rejection.parameters, dtype=np.float64)
    if isinstance(rejection, GeneralisedESD):
        return reject_fit.esd, _critical_values(rejection.fraction, rejection.alpha, n_frames)
    if isinstance(rejection, WinsorizedSigmaClip):
        with_cutoff = rejection.cutoff is not None
        return reject_winsorized.winsorized_with_cutoff if with_cutoff else reject_winsorized.winsorized, parameters
    if isinstance(rejection, LinearFit):
        return reject_fit.linear_fit, parameters
    kernel: Kernel = getattr(reject_loops, rejection.name)
    return kernel, parameters


def reject_column(values: ArrayLike, rejection: Rejection) -> NDArray[np.uint8]:
    """Say which values of one pixel's stack are rejected, by the loop that whole stacks go through.

    Parameters
    ----------
    values
        (frame,), any unit; what is not finite is missing.
    rejection
        The method.

    Returns
    -------
    numpy.ndarray
        uint8 (frame,): ``KEPT``, ``LOW``, ``HIGH`` or ``MISSING`` in the order of the frames.

    Examples
    --------
    >>> reject_column([10, 12, 11, 90, 12, float("nan"), 10, 11], MinMax(0, 1)).tolist()
    [0, 0, 0, 2, 0, 3, 0, 0]
    """
    stack = np.array(values, dtype=np.float64).reshape(-1)
    stack[~np.isfinite(stack)] = np.nan  # sorts behind all values
    order = np.argsort(stack, kind="stable")
    counts = np.array([np.isfinite(stack).sum()], dtype=np.int64)
    states = np.empty((1, stack.size), dtype=np.uint8)
    kernel, parameters = loop_of(rejection, stack.size)
    kernel(stack[order][None, :], counts, parameters, states)
    in_order: NDArray[np.uint8] = np.empty(stack.size, dtype=np.uint8)
    in_order[order] = states[0]
    return in_order


@lru_cache(maxsize=8)
def _critical_values(fraction: float, alpha: float, n_frames: int) -> NDArray[np.float64]:
    """Return ``fraction``, then, from index 3 on, Rosner's critical value where so many values are left."""
    from scipy import stats  # takes a while to import, and only this method needs it  # noqa: PLC0415

    left = np.arange(3, max(n_frames, 3) + 1, dtype=np.float64)
    t = stats.t.isf(alpha / (2 * left), left - 2)
    values: NDArray[np.float64] = np.full(left.size + 3, np.inf)
    values[0] = fraction
    values[3:] = t * (left - 1) / np.sqrt((left - 2 + t**2) * left)
    values.setflags(write=False)
    return values
