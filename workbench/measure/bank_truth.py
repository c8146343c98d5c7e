"""What a survey of a simulated camera should have found: the truth behind every number, and how well it can be known.

A dark current refers to the pixels that were used, and counts glow: ``mean(lambda) / t`` over those that neither
saturate nor clip in any dark of the series.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from workbench.camera.specimen import BOLTZMANN, ZERO_CELSIUS
from workbench.camera.truth import scalar_truth
from workbench.measure.exposures import MOST_EXCLUDED
from workbench.measure.lines import fit_line
from workbench.measure.sets import exposure_sets

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from workbench.camera.sensor import Camera
    from workbench.results import Measurement

_ALONG_EXPOSURES = ("variance_slope", "two_exposure_difference")
_SCALAR = (
    "gain",
    "read_noise",
    "bias_level",
    "dark_current_typical",
    "cosmic_ray_rate",
    "activation_energy",
)


def not_claimed(one: Measurement, camera: Camera) -> str:
    """Say why a method does not claim the truth on this camera; "" where it does.

    The rule. What is measured from noise is ``mean(lambda) / t`` plus whatever else varies from dark to dark, and so
    an upper bound: with cosmic rays in the frames only the masked estimator is claimed, and with pixels whose dark
    current switches none is (telegraph noise of the read-out is in the bias as well, and cancels). A slope supposes
    electrons in proportion to the exposure, and so does a difference of two. A mean supposes that nothing is
    subtracted and nothing is added.
    """
    sensor = camera.sensor
    if one.name == "glow_exponent" and (sensor.glow_quadratic > 0 or not sensor.glow_linear):
        return "no single exponent"
    if one.name != "dark_current":
        return ""
    hits, method = sensor.cosmic_ray_rate > 0, one.method
    obstacles = {
        "a ratio of variances": method == "two_exposure_ratio",
        "clamp": method == "mean_difference" and sensor.clamp_share > 0,
        "switching dark current": method != "mean_difference" and sensor.dark_telegraph_fraction > 0,
        "cosmic rays": hits and method != "temporal_variance_masked",
        "glow bends the line": method in _ALONG_EXPOSURES and sensor.glow_quadratic > 0,
    }
    return next((obstacle for obstacle, holds in obstacles.items() if holds), "")


@dataclass(frozen=True)
class Bench:
    """One camera on the bench: the specimen, the catalogue of its frames, and the value at which pixels saturate."""

    camera: Camera
    frames: pd.DataFrame
    ceiling: float

    def truth(self, one: Measurement) -> float | None:
        """Return what should have been measured; None where that is not known."""
        sensor = self.camera.sensor
        temperature = float(one.conditions.get("temperature", sensor.reference_temperature))
        if one.name == "dark_current":
            exposure = float(one.conditions.get("exposure", self.exposures[-1]))
            return self.electrons(exposure) / exposure
        if one.name == "curvature":
            lit = float(self.camera.glow_shape[self.used].mean())
            return sensor.glow_quadratic * (lit - sensor.clamp_share * sensor.glow_shielded) / sensor.gain
        if one.name == "doubling_temperature":
            kelvin = temperature + ZERO_CELSIUS
            return BOLTZMANN * kelvin**2 * float(np.log(2.0)) / sensor.dark_energy
        plain = {"offset_drift": self.level_sigma(), "linearity_error": 0.0, "glow_exponent": 1.0}
        if one.name in _SCALAR:
            plain = scalar_truth(self.camera, temperature)
        return plain.get(one.name)

    def electrons(self, exposure: float) -> float:
        """Mean electrons of the used pixels in one dark at the reference temperature, glow included."""
        return float(self._dark_electrons(exposure)[self.used].mean())

    @cached_property
    def exposures(self) -> tuple[float, ...]:
        """Exposures of the darks at the reference temperature [s]."""
        return tuple(one.exposure for one in exposure_sets(self._darks))

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Pixels in range in all darks at the reference temperature, but for exposures that are left out whole."""
        used = np.ones(self.camera.sensor.frame_shape, dtype=bool)
        for one in exposure_sets(self._darks):
            stack = np.stack([row.source.read() for row in one.rows.itertuples()])
            within = ((stack > 0) & (stack < self.ceiling)).all(axis=0)
            if 1 - within.mean() <= MOST_EXCLUDED:
                used &= within
        return used

    def level_sigma(self, exposure: float = 0.0) -> float:
        """Rms of the level of bias frames or darks [adu]: drift, and what the noise of these few pixels adds."""
        own = float(np.mean(self.camera.variance(exposure, self._reference)[self.used])) / self._n_pixels
        return float(np.hypot(self.camera.sensor.drift, own**0.5))

    # ---- the best that could be done with these frames

    def ideal(self, one: Measurement) -> float | None:
        """Return the standard error [unit of the measurement] of an ideal estimator on the same frames, or None.

        Notes
        -----
        Variances from n frames of N pixels: ``2 sigma^4 / (N (n - 1))`` plus ``lambda / (N n)`` for Poisson electrons;
        levels from the drift; all of it propagated with the truth's own values.
        """
        n_bias = self._counts[("bias", 0.0)]
        if one.name == "gain":
            return float(self._gain_share * self.camera.gain)
        if one.name == "read_noise":
            own = self._variance_error(0.0) / self.camera.read_noise / 2
            return float(np.hypot(own, self.camera.read_noise * self._gain_share))
        if one.name in ("bias_level", "offset_drift"):
            return float(self.level_sigma() / (n_bias if one.name == "bias_level" else 2 * (n_bias - 1)) ** 0.5)
        if one.name == "curvature":
            errors = [self.level_sigma(t) / self._counts[("dark", t)] ** 0.5 for t in self.exposures]
            return float(fit_line(self.exposures, np.zeros(len(errors)), errors, degree=2).std_errors[2])
        known = one.name == "dark_current" and one.method != "two_exposure_difference"
        return self._ideal_dark_current(one.method) if known else None

    def _ideal_dark_current(self, method: str) -> float:
        """Of the longest exposure; of all exposures for the slope [electron / s]."""
        t = self.exposures[-1]
        if method == "mean_difference":
            n, n_bias = self._counts[("dark", t)], self._counts[("bias", 0.0)]
            both = self.level_sigma(t) ** 2 / n + self.level_sigma() ** 2 / n_bias
            return float(self.camera.gain * both**0.5 / t)
        if method == "variance_slope":
            errors = [self._variance_error(exposure) for exposure in self.exposures]
            own = float(fit_line(self.exposures, np.zeros(len(errors)), errors, degree=1).std_errors[1])
        else:
            own = float(np.hypot(self._variance_error(t), self._variance_error(0.0))) / t
        return float(np.hypot(own, 2 * self._gain_share * self.electrons(t) / t))

    def _variance_error(self, exposure: float) -> float:
        """Ideal standard error of the temporal variance of the darks, or of the bias frames at 0 s [electron2]."""
        n = self._counts[("dark" if exposure else "bias", exposure)]
        variance = self.camera.variance(exposure, self._reference)[self.used] * self.camera.gain**2
        electrons = self.electrons(exposure) if exposure else 0.0
        return float(((2 * np.mean(variance**2) / (n - 1) + electrons / n) / self._n_pixels) ** 0.5)

    @cached_property
    def _gain_share(self) -> float:
        """Ideal relative error of the gain from pairs of flats, each as good as ``sqrt(2 / N)`` of its variance."""
        floor = float(np.mean(self.camera.variance(0.0, self._reference))) * self.camera.gain**2
        precision = 0.0
        for _, pair in self.frames[self.frames["kind"] == "flat"].groupby("exposure"):
            level = float(np.mean([row.source.read().mean() for row in pair.itertuples()]))
            shot = (level - self.camera.bias_level) * self.camera.gain
            if level < 0.7 * self.ceiling:
                precision += self._n_pixels / 2 * (shot / (shot + floor)) ** 2
        return float(precision**-0.5) if precision else float("nan")

    def _dark_electrons(self, exposure: float) -> NDArray[np.float64]:
        return self.camera.dark_electrons(exposure, self._reference)

    @property
    def _reference(self) -> float:
        return self.camera.sensor.reference_temperature

    @property
    def _n_pixels(self) -> int:
        return int(np.prod(self.camera.sensor.shape))

    @cached_property
    def _darks(self) -> pd.DataFrame:
        rows = self.frames[self.frames["kind"] == "dark"]
        return rows[rows["set_temperature"] == self._reference]

    @cached_property
    def _counts(self) -> dict[tuple[str, float], int]:
        """How many frames of each kind and exposure; the bias frames stand under 0 s."""
        darks = {("dark", one.exposure): one.n_frames for one in exposure_sets(self._darks)}
        return {**darks, ("bias", 0.0): int((self.frames["kind"] == "bias").sum())}
