"""A dark longer than its light, scaled down to it: only where its user asks for it and no verdict speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.calibrate.dark_scale import DarkScale, exposure_scale, hot_pixel_scale, noise_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.calibrate.master_frame import MasterFrame
    from workbench.results import Verdict

    ScaleBy = Literal["exposure", "noise", "hot-pixels"]

__all__ = ["Scaling", "scale_of"]

_METHODS = {
    "exposure": "the ratio of the exposures",
    "noise": "the least noise of the finest detail",
    "hot-pixels": "its hot pixels",
}
_BRIGHTEST = 0.9  # of the dark's brightest pixel, which may saturate


@dataclass(frozen=True)
class Scaling:
    """How darks are scaled, if at all.

    Parameters
    ----------
    by
        What tells the factor: ``exposure``, ``noise`` or ``hot-pixels``.
    verdict
        May these darks be scaled, such as ``Results.verdicts["dark_scaling"]``; None where nobody has judged.
    """

    by: ScaleBy = "exposure"
    verdict: Verdict | None = None

    @property
    def refusal(self) -> str:
        """Why no dark may be scaled; empty where it may."""
        judged = [] if self.verdict is None else [(self.verdict.value, self.verdict.reason)]
        if self.verdict is not None:  # of several cameras or settings each is judged by itself
            judged += [(one["value"], one["reason"]) for one in self.verdict.details.get("by_group", ())]
        reasons = [reason for value, reason in judged if value == "match"]
        return f"longer darks may not be scaled: {reasons[0]}" if reasons else ""

    def words(self, light_exposure: float, dark_exposure: float, n_bias: int) -> str:
        """Say what is done, in a line."""
        k = f" {light_exposure / dark_exposure:.4g}" if self.by == "exposure" else ""
        how = f"dark scaled down by{k} ({_METHODS[self.by]}), less the bias ({n_bias} frames)"
        if self.verdict is None:
            return f"{how}; nobody has judged whether it may: name the results.json of a report"
        return f"{how}; {self.verdict.reason}"


def scale_of(
    light: NDArray[Any], bias: MasterFrame, dark: MasterFrame, by: ScaleBy, exposures: tuple[float, float]
) -> DarkScale:
    """Find the factor of a dark.

    Parameters
    ----------
    light
        Shape (y, x) [adu], its bias inside, less its overscan where masters are.
    bias, dark
        The masters.
    by
        See :class:`Scaling`.
    exposures
        Of light and dark [s].

    Raises
    ------
    NotMeasurableError
        When the light is longer, or too few pixels tell.
    """
    scale = exposure_scale(*exposures)
    if by == "exposure":
        return scale
    base = bias.signal if dark.bias_inside else np.float32(0)
    above = np.subtract(dark.signal, base, dtype=np.float64)
    less = np.subtract(light, bias.signal, dtype=np.float64)
    brightest = _BRIGHTEST * float(np.nanmax(above))
    if by == "hot-pixels":
        return hot_pixel_scale(less, above, brightest=brightest)
    noise = None
    if dark.std_error is not None and bias.std_error is not None:
        noise = float(np.hypot(np.nanmedian(dark.std_error), np.nanmedian(bias.std_error)))
    return noise_scale(less, above, dark_noise=noise, brightest=brightest)
