"""The simulated camera: it exposes frames, and it knows the truth behind them.

A pixel of a frame is ``y = O + b + [Q + r - C] / K``, rounded to the ADC's step: offset with fixed pattern, drift of
the frame, electrons (thermal, glow, light, hits), read noise, and the optical-black clamp, one constant per frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.camera.events import cosmic_ray_hits, slow_wander, telegraph_state, upper_share
from workbench.camera.parameters import Sensor
from workbench.camera.specimen import Specimen

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KINDS", "Camera", "Sensor"]

KINDS = ("bias", "dark", "darkflat", "flat", "light")


class Camera(Specimen):
    """One realised camera: ``Camera(sensor, seed)``; :class:`workbench.camera.specimen.Specimen` holds its truth."""

    def expose(
        self,
        kind: str,
        exposure: float,
        temperature: float,
        rng: np.random.Generator,
        *,
        light: float | NDArray[np.float64] = 0.0,
        drift: float | None = None,
    ) -> NDArray[np.uint16]:
        """Take one frame.

        Parameters
        ----------
        kind
            ``bias``, ``dark``, ``darkflat``, ``flat`` or ``light``.
        exposure
            Exposure time [s].
        temperature
            Temperature of the sensor [deg_C].
        rng
            Source of all randomness.
        light
            Light before vignetting, dust and PRNU [electron / s]: a number for an even one, lamp or sky, or a map of
            the light-sensitive pixels; flats and lights only.
        drift
            The frame's own step of the ADC reference [adu]; drawn independently where not given (:meth:`drifts` draws
            the correlated ones of a session).

        Returns
        -------
        numpy.ndarray
            uint16, shape ``sensor.frame_shape`` [adu].

        Raises
        ------
        ValueError
            When the kind is none of these, the exposure or the light is negative, or a closed shutter is to gather
            light.
        """
        _check_request(kind, exposure, light)
        sensor = self.sensor
        step = sensor.drift * rng.standard_normal() if drift is None else drift

        signal = rng.standard_normal(sensor.frame_shape, dtype=np.float32)
        signal *= self._read_noise
        sensitive = signal[:, : sensor.shape[1]]
        rows, columns, jumps = self._telegraph_jumps(rng)
        sensitive[rows, columns] += jumps

        expected = self._expected_in_darkness(exposure, temperature, rng)
        if kind in ("flat", "light"):
            expected = expected + self.light_electrons(exposure, light)
        electrons = self._draw_electrons(expected, exposure, rng)
        np.minimum(electrons, np.float32(sensor.well_capacity), out=electrons)
        electrons -= np.float32(self.clamp_electrons(exposure, temperature))
        sensitive += electrons
        if sensor.row_noise:  # drawn last, and only then: without it every frame stays what it was
            signal += np.float32(sensor.row_noise) * rng.standard_normal((signal.shape[0], 1), dtype=np.float32)

        signal *= np.float32(1.0 / sensor.native_gain)  # now in steps of the ADC
        signal += self._offset_steps
        signal += np.float32(step / sensor.lattice)
        np.rint(signal, out=signal)
        np.clip(signal, 0, 2**sensor.adc_bits - 1, out=signal)
        frame = signal.astype(np.uint16)
        frame *= np.uint16(sensor.lattice)
        return frame

    def drifts(self, n_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the drift of a whole session [adu], shape ``(n_frames,)``: a stationary first-order autoregression."""
        return self.sensor.drift * slow_wander(n_frames, self.sensor.drift_correlation, rng)

    def _expected_in_darkness(
        self, exposure: float, temperature: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Give the expected electrons of one dark: those of the truth, and this exposure's switching."""
        expected, switching = self.dark_electrons(exposure, temperature), self._telegraph[3]
        if not switching.size:
            return expected
        duty, dwell = self.sensor.dark_telegraph_duty, self.sensor.dark_telegraph_dwell
        share = upper_share(switching.size, duty, dwell, exposure, rng)
        surplus = (share - duty) * self._switching_current(temperature) * exposure
        expected = expected.copy()
        expected.flat[switching] = np.maximum(expected.flat[switching] + surplus, 0.0)  # rounding may reach below 0
        return expected

    def _draw_electrons(
        self, expected: NDArray[np.float64], exposure: float, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Draw the electrons of every light-sensitive pixel, cosmic rays included."""
        sensor = self.sensor
        electrons = (rng.poisson(expected) if expected.any() else expected).astype(np.float32)
        if sensor.cosmic_ray_rate:
            rows, columns, charge = cosmic_ray_hits(
                sensor.shape, sensor.pixel_size, exposure, sensor.cosmic_ray_rate, rng
            )
            np.add.at(electrons, (rows, columns), charge.astype(np.float32))
        electrons[self.dead] = 0.0
        return electrons

    def _telegraph_jumps(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Draw this read's jumps [electron], about the mean of the levels, so that the offset stays what it is."""
        pixels, amplitude, traps, _ = self._telegraph
        duty = self.sensor.read_telegraph_duty
        upper = telegraph_state(pixels.size, duty, rng).astype(np.int64)
        second = telegraph_state(pixels.size, duty, rng) & (traps == 2)
        rows, columns = np.unravel_index(pixels, self.sensor.shape)
        return rows, columns, (amplitude * (upper + second - traps * duty)).astype(np.float32)


def _check_request(kind: str, exposure: float, light: float | NDArray[np.float64]) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r} is no kind of frame; choose from {', '.join(KINDS)}")
    least, greatest = float(np.min(light)), float(np.max(light))
    if exposure < 0 or least < 0:
        raise ValueError(f"exposure = {exposure} s, light = {least} electron / s: neither may be negative")
    if greatest and kind not in ("flat", "light"):
        raise ValueError(f"light = {greatest} electron / s in a {kind} frame; its shutter is closed, leave light at 0")
