"""One specimen of a camera: its fixed maps, and every expected value of the frames that it will take."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.special import ndtr

from workbench.camera import maps
from workbench.camera.events import upper_share_variance

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from workbench.camera.parameters import Sensor

    FloatMap = NDArray[np.float64]
    Array = TypeVar("Array", bound=NDArray[Any])

BOLTZMANN = 8.617333262e-5  # eV / K
ZERO_CELSIUS = 273.15  # K


def arrhenius(energy: float, temperature: float, reference: float) -> float:
    """Growth of a dark current from one temperature [deg_C] to another: ``exp[-E / k (1 / T - 1 / T_ref)]``.

    Examples
    --------
    >>> round(arrhenius(0.60, -13.6, -20.0), 2)
    1.97
    """
    inverse = 1.0 / (temperature + ZERO_CELSIUS) - 1.0 / (reference + ZERO_CELSIUS)
    return float(np.exp(-energy / BOLTZMANN * inverse))


class Specimen:
    """The truth of one camera: its fixed maps are drawn once, from a seed, when they are first needed.

    Expected values are those of the frames that the camera draws. They leave cosmic rays out, and all but
    :meth:`dark_mean` hold for pixels that neither saturate nor clip at zero. Maps cover the light-sensitive pixels
    ``[y, x]``, dead ones included, which gather nothing; they are shared, so they are read-only.

    Parameters
    ----------
    sensor
        The model of camera.
    seed
        The specimen.
    """

    def __init__(self, sensor: Sensor, seed: int) -> None:
        self.sensor = sensor
        self.seed = seed
        self._last_dark: tuple[tuple[float, float], FloatMap] | None = None

    # ---- maps

    @cached_property
    def _offset(self) -> FloatMap:
        return _read_only(maps.offset_map(self.sensor, self.seed))

    @cached_property
    def _offset_steps(self) -> NDArray[np.float32]:
        return (self._offset / self.sensor.lattice).astype(np.float32)

    @cached_property
    def _read_noise(self) -> NDArray[np.float32]:
        return maps.read_noise_map(self.sensor, self.seed).astype(np.float32)

    @cached_property
    def _telegraph(self) -> tuple[maps.Indices, FloatMap, maps.Indices, maps.Indices]:
        pixels, amplitude, traps, switching = maps.telegraph_pixels(self.sensor, self.seed)
        return pixels, amplitude, traps, switching[~self.dead.flat[switching]]

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Which pixels gather no electrons."""
        return _read_only(maps.dead_pixels(self.sensor, self.seed))

    @cached_property
    def _dark(self) -> FloatMap:
        return np.where(self.dead, 0.0, maps.dark_map(self.sensor, self.seed))

    @cached_property
    def _hot(self) -> FloatMap:
        """Currents that follow the energy of hot pixels, at the reference temperature [electron / s]."""
        hot = maps.hot_map(self.sensor, self.seed)
        hot.flat[self._telegraph[3]] += self.sensor.dark_telegraph_duty * self.sensor.dark_telegraph_current
        return np.where(self.dead, 0.0, hot)

    @cached_property
    def response(self) -> FloatMap:
        """Response of every pixel to light: PRNU, vignetting and dust; one at the centre on average."""
        return _read_only(np.where(self.dead, 0.0, maps.response_map(self.sensor, self.seed)))

    @cached_property
    def glow_shape(self) -> FloatMap:
        """Shape of the glow, mean one were no pixel dead."""
        return _read_only(np.where(self.dead, 0.0, maps.glow_shape(self.sensor)))

    @cached_property
    def _glow_share(self) -> float:
        """Give the mean of the glow's shape: exactly 1 where no pixel is dead."""
        return float(self.glow_shape.mean()) if self.dead.any() else 1.0

    @property
    def offset_map(self) -> FloatMap:
        """Offset of every pixel with its fixed pattern [adu]."""
        return self._offset[:, : self.sensor.shape[1]]

    @cached_property
    def read_noise_map(self) -> FloatMap:
        """Rms read noise of every pixel [electron], row noise and the jumps of read telegraph pixels included."""
        squared = self._read_noise[:, : self.sensor.shape[1]].astype(np.float64) ** 2 + self.sensor.row_noise**2
        pixels, amplitude, traps, _ = self._telegraph
        duty = self.sensor.read_telegraph_duty
        squared.flat[pixels] += traps * amplitude**2 * duty * (1.0 - duty)
        return _read_only(np.sqrt(squared))

    @cached_property
    def telegraph_class(self) -> NDArray[np.uint8]:
        """Class of every pixel: 0 steady, 1 or 2 that many traps (two or three levels), 3 switching dark current."""
        classes = np.zeros(self.sensor.shape, dtype=np.uint8)
        pixels, _, traps, switching = self._telegraph
        classes.flat[pixels] = traps
        classes.flat[switching] = 3
        return _read_only(classes)

    def thermal_rate(self, temperature: float) -> FloatMap:
        """Thermal dark current of every pixel [electron / s], without glow."""
        sensor = self.sensor
        cold = arrhenius(sensor.dark_energy, temperature, sensor.reference_temperature)
        return self._dark * cold + self._hot * arrhenius(sensor.hot_energy, temperature, sensor.reference_temperature)

    def glow_electrons(self, exposure: float) -> FloatMap:
        """Return the expected glow of every pixel [electron]: ``s (alpha t + beta t^2)``."""
        return self.glow_shape * self._mean_glow(exposure)

    def dark_electrons(self, exposure: float, temperature: float) -> FloatMap:
        """Return the expected electrons of every pixel in a dark [electron]: thermal and glow."""
        key, last = (exposure, temperature), self._last_dark
        if last is None or last[0] != key:
            total = self.thermal_rate(temperature) * exposure
            if self._mean_glow(exposure):
                total += self.glow_electrons(exposure)
            last = (key, _read_only(total))
            self._last_dark = last
        return last[1]

    def light_electrons(self, exposure: float, light: float | FloatMap) -> FloatMap:
        """Return the expected electrons that light, even or a map of it [electron / s], leaves in every pixel."""
        return self.response * (light * exposure)

    def variance(self, exposure: float, temperature: float) -> FloatMap:
        """Return the expected temporal variance of every pixel of a dark [adu2], with the q^2/12 of rounding."""
        sensor = self.sensor
        electrons = self.dark_electrons(exposure, temperature) + self.read_noise_map**2
        wander = upper_share_variance(sensor.dark_telegraph_duty, sensor.dark_telegraph_dwell, exposure)
        electrons.flat[self._telegraph[3]] += wander * (self._switching_current(temperature) * exposure) ** 2
        return electrons / self.gain**2 + self.lattice**2 / 12.0

    # ---- scalars

    @property
    def gain(self) -> float:
        """Electrons per adu of the file."""
        return self.sensor.gain

    @property
    def native_gain(self) -> float:
        """Electrons per step of the ADC."""
        return self.sensor.native_gain

    @property
    def lattice(self) -> int:
        """Step of the stored values [adu]."""
        return self.sensor.lattice

    @cached_property
    def bias_level(self) -> float:
        """Mean offset [adu]."""
        return float(self.offset_map.mean())

    @cached_property
    def read_noise(self) -> float:
        """Rms read noise over pixels and reads [electron], row noise and telegraph included, quantisation not."""
        return float(np.sqrt(np.mean(self.read_noise_map**2)))

    @property
    def saturation(self) -> float:
        """Where the average pixel stops counting [adu]: full well or the ADC's top, whichever comes first."""
        return float(min(self.sensor.adc_top, self.bias_level + self.sensor.well_capacity / self.gain))

    @property
    def full_well(self) -> float:
        """Electrons between the bias level and saturation."""
        return (self.saturation - self.bias_level) * self.gain

    def clamp_electrons(self, exposure: float, temperature: float) -> float:
        """Return what the optical-black clamp subtracts [electron]: a share of the shielded pixels' mean."""
        sensor = self.sensor
        if not sensor.clamp_share:
            return 0.0
        shielded = sensor.shielded_dark_ratio * self.mean_thermal_rate(temperature) * exposure
        return sensor.clamp_share * (shielded + sensor.glow_shielded * self._mean_glow(exposure))

    def mean_thermal_rate(self, temperature: float) -> float:
        """Mean thermal dark current over the pixels [electron / s]."""
        sensor = self.sensor
        cold, hot = self._mean_currents
        return cold * arrhenius(sensor.dark_energy, temperature, sensor.reference_temperature) + hot * arrhenius(
            sensor.hot_energy, temperature, sensor.reference_temperature
        )

    def dark_mean_coefficients(self, temperature: float) -> tuple[float, float, float]:
        """Return a [adu], b [adu / s] and c [adu / s2] of the dark mean ``a + b t + c t^2``, saturation apart."""
        sensor = self.sensor
        thermal = self.mean_thermal_rate(temperature) * (1.0 - sensor.clamp_share * sensor.shielded_dark_ratio)
        glow = self._glow_share - sensor.clamp_share * sensor.glow_shielded
        b = (thermal + sensor.glow_linear * glow) / self.gain
        return self.bias_level, b, sensor.glow_quadratic * glow / self.gain

    def dark_mean(self, exposure: float, temperature: float) -> float:
        """Return the expected mean of a dark frame [adu], pixels that saturate or clip at zero included.

        Their loss is that of Gaussian noise: where the offset is so low that half of the pixels clip, the skewness of
        few electrons moves it by some tenths of an adu.
        """
        sensor = self.sensor
        clamp = self.clamp_electrons(exposure, temperature)
        level = self.offset_map + (self.dark_electrons(exposure, temperature) - clamp) / self.gain
        top = np.minimum(sensor.adc_top, self.offset_map + (sensor.well_capacity - clamp) / self.gain)
        noise = np.sqrt(self.variance(exposure, temperature))
        step = self.lattice / noise
        return float(np.mean(level + noise * (_cut(-level / noise, step) - _cut((level - top) / noise, step))))

    @cached_property
    def _mean_currents(self) -> tuple[float, float]:
        return float(self._dark.mean()), float(self._hot.mean())

    def _mean_glow(self, exposure: float) -> float:
        return self.sensor.glow_linear * exposure + self.sensor.glow_quadratic * exposure**2

    def _switching_current(self, temperature: float) -> float:
        sensor = self.sensor
        growth = arrhenius(sensor.hot_energy, temperature, sensor.reference_temperature)
        return sensor.dark_telegraph_current * growth


def _cut(depth: FloatMap, step: FloatMap) -> FloatMap:
    """Mean of ``max(depth + z, 0)`` for a normal ``z`` that falls on a lattice of this step, all in units of its noise.

    The lattice's share ``step^2 / 12`` is the end term of Euler and Maclaurin's sum for a limit that lies on it.
    """
    density = np.exp(-(depth**2) / 2.0) / np.sqrt(2.0 * np.pi)
    mean: FloatMap = depth * ndtr(depth) + density * (1.0 - step**2 / 12.0)
    return mean


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
