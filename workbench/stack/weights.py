"""How much each frame counts in a mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.stack.frame_statistics import FrameStatistics

    FloatArray = NDArray[np.float64]

__all__ = ["WEIGHTS", "frame_weights"]

WEIGHTS = ("none", "exposure", "noise")


def frame_weights(
    weights: str | Sequence[float],
    n_frames: int,
    *,
    files: Sequence[str] | None = None,
    exposures: Sequence[float] | FloatArray | None = None,
    statistics: FrameStatistics | None = None,
    factors: FloatArray | None = None,
) -> FloatArray:
    r"""Return how much each frame counts, with mean 1.

    Parameters
    ----------
    weights
        ``"none"``, ``"exposure"``, ``"noise"``, or a number a frame.
    n_frames
        How many frames there are.
    files
        Their names, for messages; those of ``statistics`` where these are not given, else ``frame 1`` and so on.
    exposures
        Exposure time of each frame [s], for ``"exposure"``.
    statistics
        With the noise of each frame [adu], for ``"noise"``.
    factors
        What each frame is multiplied by before the mean is taken, for ``"noise"``: ``Coefficients.factor`` of the
        normalisation of the output; None where there is none.

    Returns
    -------
    numpy.ndarray
        Shape (frame,), none negative.

    Raises
    ------
    InputError
        When there are no such weights; when an exposure time or a noise is missing, zero or negative (the frame is
        named); when given weights are too few, too many, negative, not finite, or all zero.

    Notes
    -----
    ``"noise"`` is the inverse variance of what is averaged, :math:`w_i = 1 / (s_i \sigma_i)^2`, where :math:`s_i` is
    the factor that the normalisation applies. PixInsight's ImageIntegration takes :math:`s_i = d_0 / d_i` whether or
    not the output is scaled; the two agree for additive normalisation with scaling.
    """
    names = _names(files, statistics, n_frames)
    if not isinstance(weights, str):
        return _given(np.asarray(weights, dtype=np.float64), n_frames)
    if weights == "none":
        return np.ones(n_frames)
    if weights == "exposure":
        missing = np.full(n_frames, np.nan)
        times = missing if exposures is None else np.asarray(exposures, dtype=np.float64)
        _check_positive(times, names, "exposure time", "s")
        return _mean_one(times)
    if weights == "noise":
        if statistics is None or statistics.noise is None:
            raise ValueError("weights by noise need frame statistics with the noise")
        _check_positive(statistics.noise, names, "noise", "adu")
        scaled = statistics.noise * (1.0 if factors is None else np.abs(factors))
        return _mean_one((scaled.min() / scaled) ** 2)  # of the least noise, so that no square overflows
    hint = did_you_mean(weights, WEIGHTS, f"take one of {', '.join(WEIGHTS)}, or give a number a frame")
    raise InputError("weights", f"{weights!r} is none", hint)


def _names(files: Sequence[str] | None, statistics: FrameStatistics | None, n_frames: int) -> list[str]:
    if files is not None:
        return [str(file) for file in files]
    if statistics is not None:
        return list(statistics.files)
    return [f"frame {number}" for number in range(1, n_frames + 1)]


def _given(weights: FloatArray, n_frames: int) -> FloatArray:
    if weights.shape != (n_frames,):
        rule = f"{weights.size} numbers were given for {n_frames} frames"
        raise InputError("weights", rule, "give one number a frame, in the order of the frames")
    for number, weight in enumerate(weights, 1):
        if not (np.isfinite(weight) and weight >= 0):
            raise InputError("weights", f"that of frame {number} is {weight:g}", "give finite numbers, none negative")
    if not weights.any():
        raise InputError("weights", "all are zero", "give at least one frame a weight above zero")
    return _mean_one(weights)


def _check_positive(values: FloatArray, names: Sequence[str], what: str, unit: str) -> None:
    for name, value in zip(names, values, strict=True):
        if not (np.isfinite(value) and value > 0):
            known = f"{value:g} {unit}" if np.isfinite(value) else "not known"
            raise InputError(
                name, f"its {what} is {known}, which cannot weigh it", "leave the frame out, or weigh otherwise"
            )


def _mean_one(weights: FloatArray) -> FloatArray:
    return np.asarray(weights / weights.mean())
