"""Answers in a word, with the reason in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.results import Verdict, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.measure.dark_mean import ExposureMeans

_FAMILY_P = 0.01  # chance of calling one of the exposures darker, or brighter, when none is


def dark_below_bias(darks: ExposureMeans, bias_means: Sequence[float]) -> Verdict:
    """Say whether the darks are darker than the bias, and what that means.

    Parameters
    ----------
    darks
        From :func:`exposure_means`.
    bias_means
        Frame means of the bias [adu].
    """
    bias = np.asarray(bias_means, dtype=np.float64)
    if len(bias) == 0:
        return Verdict(None, "no bias frames to compare the darks with; shoot 20 at the darks' settings")
    scatter = float(bias.std(ddof=1)) if len(bias) > 1 else darks.frame_sigma
    difference = darks.mean - float(bias.mean())
    error = np.hypot(darks.scatter, max(scatter, darks.frame_sigma) / len(bias) ** 0.5)
    dof = darks.frame_dof + len(bias) - 1
    critical = float(stats.t.isf(-np.expm1(np.log1p(-_FAMILY_P) / len(difference)) / 2, max(dof, 1)))
    below, above = difference < -critical * error, difference > critical * error
    lowest = int(np.argmin(difference / error))
    value, spread = rounded(abs(float(difference[lowest])), float(error[lowest]))
    n = len(difference)
    details = {"n_exposures": n, "n_below": int(below.sum()), "n_above": int(above.sum())}
    if below.any():
        which = "every dark lies" if below.all() else f"the darks at {int(below.sum())} of {n} exposures lie"
        reason = (
            f"{which} below the bias, by {value} +/- {spread} adu at {darks.exposure[lowest]:g} s: the camera "
            "subtracts more than the dark signal adds (an optical-black clamp near the amp glow does so, or an "
            "offset that differs between bias and darks); the mean of a dark does not measure its dark current, its "
            "noise does"
        )
        return Verdict(value=True, reason=reason, details=details)
    if above.any():
        reason = (
            f"no dark lies below the bias; {int(above.sum())} of {n} exposures lie above it. That alone does not prove "
            "that the mean measures the dark current: a clamp may hide a part of it"
        )
        return Verdict(value=False, reason=reason, details=details)
    return Verdict(
        None,
        f"no exposure differs from the bias by more than {critical:.1f} standard errors "
        f"(largest: {value} +/- {spread} adu); shoot longer darks, and more of them",
        details,
    )
