"""What cannot be told apart: an exposure and a temperature that moved with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEADY = 0.5  # K: less changes the dark current by some 5 %
_CORRELATED = 0.6  # rank correlation


@dataclass(frozen=True)
class Confounding:
    """``moved`` says from which temperature to which; ``rule`` the whole of it, in words."""

    moved: str
    rule: str


def confounded(exposures: Sequence[float], temperatures: Sequence[float]) -> Confounding | None:
    """Tell whether the temperature moved along with the exposure.

    Parameters
    ----------
    exposures, temperatures
        One entry an exposure: [s], rising, and the mean temperature of its darks [deg_C].

    Returns
    -------
    Confounding or None
        None with fewer than 3 exposures, a temperature steady to 0.5 K, or a rank correlation below 0.6.
    """
    exposure, temperature = (np.asarray(one, dtype=np.float64) for one in (exposures, temperatures))
    if len(exposure) < 3 or np.ptp(temperature) < _STEADY:
        return None
    correlation = float(stats.spearmanr(exposure, temperature).statistic)
    if abs(correlation) < _CORRELATED:
        return None
    low, high = float(temperature.min()), float(temperature.max())
    verb, first, last = ("fell", high, low) if correlation < 0 else ("rose", low, high)
    moved = f"from {first:.1f} to {last:.1f} deg C"
    rule = (
        f"temperature is confounded with exposure: it {verb} {moved} as the exposure grew from {exposure[0]:g} to "
        f"{exposure[-1]:g} s (rank correlation {correlation:.2f})"
    )
    return Confounding(moved, rule)
