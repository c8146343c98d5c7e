"""A bank of small simulated cameras, as different from each other as cameras are, each with a plan to measure it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from workbench.camera.plans import FrameSet, Plan
from workbench.camera.sensor import Sensor
from workbench.camera.specimen import arrhenius

SHAPE = (128, 160)
TEMPERATURE = -20.0  # deg_C
WARMER = (0.0, 15.0)  # deg_C: far enough for faint dark currents to be seen, and to be seen growing
N_BIAS = 20
N_DARKS = 4  # of each exposure
SHARES = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the longest exposure
FLAT_EXPOSURES = (0.5, 1.5, 3.0, 6.0)  # s, under a lamp that fills the range in 10 s

_SEED = 20261122
_STEP = 0.1  # K, of the headers' temperatures
_SPREAD_OVER = 0.65  # ADC steps of read noise at least: below, the survey rightly refuses
_DARK_SHARE = 0.05  # of the ADC's range: what the dark signal takes at most
_FAULTS = ("coarse", "overexposed", "clipped")
_FAULT_RATES = (0.025, 0.015, 0.01)


def fault_of(number: int) -> str:
    """Tell what makes a camera of the bank unmeasurable on purpose; "" for most.

    ``coarse``: the read noise is under half a lattice step. ``overexposed``: every flat saturates. ``clipped``: an
    offset so low that the bias frames clip at zero.
    """
    return str(_rng(number, 1).choice(["", *_FAULTS], p=[1 - sum(_FAULT_RATES), *_FAULT_RATES]))


def bank_camera(number: int) -> tuple[Sensor, Plan]:
    """Return one camera of the bank and the plan of its session.

    Gain 0.03 to 5 electron/adu, read noise 1 to 10 electron, dark current 1e-4 to 1 electron/s, 12, 14 or 16 bits;
    with and without clamp, glow (in proportion to the exposure, or bent), drift, cosmic rays, telegraph pixels of both
    kinds. The plan: bias frames, darks of 6 exposures, warmer darks at two more temperatures, pairs of flats.

    Parameters
    ----------
    number
        Which; the same number is always the same camera.

    Examples
    --------
    >>> sensor, plan = bank_camera(1)
    >>> 0.03 <= sensor.gain <= 5, sum(one.count for one in plan.sets)
    (True, 60)
    """
    rng, fault = _rng(number, 0), fault_of(number)
    bits = int(rng.choice([12, 14, 16]))
    lattice = 2 ** (16 - bits)
    read_noise = float(np.exp(rng.uniform(0, np.log(10))))
    gain = _log_uniform(rng, 0.03, min(5.0, read_noise / _SPREAD_OVER / lattice))
    if fault == "coarse":
        bits, lattice = 12, 16
        gain = read_noise / rng.uniform(0.2, 0.45) / lattice
    dark_current = _log_uniform(rng, 1e-4, 1.0)
    longest = _exposure(float(rng.choice([60, 300, 600])), gain, dark_current)
    noise = read_noise / gain  # adu
    sensor = Sensor(
        name=f"bank camera {number}",
        shape=SHAPE,
        pixel_size=float(rng.choice([3.8, 9.0, 24.0])),
        adc_bits=bits,
        native_gain=gain * lattice,
        pixel_pattern=0.5 * noise,
        column_pattern=0.2 * noise,
        drift=float(noise * 10 ** rng.uniform(-1.5, -0.3)) if rng.random() < 0.8 else 0.0,
        clamp_share=float(rng.random() < 0.5),
        read_noise=read_noise,
        read_noise_spread=0.15,
        reference_temperature=TEMPERATURE,
        dark_current=dark_current,
        dark_spread=0.3,
        hot_fraction=0.003,
        hot_current=20 * dark_current,
        hot_spread=0.8,
        prnu=0.01,
        vignetting=0.2,
        **_energies(rng),
        **_glow(rng, dark_current, longest),
        **_telegraph(rng, read_noise, dark_current),
        cosmic_ray_rate=_log_uniform(rng, 0.3, 3.0) if rng.random() < 0.3 else 0.0,
    )
    sensor = replace(sensor, bias_level=0.5 * noise if fault == "clipped" else _offset(sensor, noise, longest))
    lamp = (sensor.adc_top - sensor.bias_level) * gain / (0.5 if fault == "overexposed" else 10.0)
    return sensor, _plan(sensor, longest, lamp, _rng(number, 2))


def _rng(number: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([_SEED, number, stream])


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _exposure(wanted: float, gain: float, dark_current: float) -> float:
    """Shorten an exposure [s] to what the ADC's range allows."""
    return float(f"{min(wanted, _DARK_SHARE * 65535 * gain / dark_current):.3g}")


def _energies(rng: np.random.Generator) -> dict[str, Any]:
    energy = float(rng.uniform(0.5, 0.75))
    return {"dark_energy": energy, "hot_energy": energy}


def _glow(rng: np.random.Generator, dark_current: float, longest: float) -> dict[str, Any]:
    """Half of the cameras glow, half of these faster than in proportion to the exposure."""
    mean, bent = float(rng.uniform(0.3, 1.0)) * dark_current, 0.5 * (rng.random() < 0.5)
    if rng.random() < 0.5:
        return {}
    rates = {"glow_linear": (1 - bent) * mean, "glow_quadratic": bent * mean / longest}
    return {**rates, "glow_shielded": 1.5, "glow_reach": 0.3}


def _telegraph(rng: np.random.Generator, read_noise: float, dark_current: float) -> dict[str, Any]:
    read, dark = rng.random(2) < (0.3, 0.2)
    terms: dict[str, Any] = {}
    if read:
        terms |= {
            "read_telegraph_fraction": float(rng.uniform(5e-4, 2e-3)),
            "read_telegraph_amplitude": 5 * read_noise,
            "read_telegraph_three_levels": 0.2,
        }
    if dark:
        terms |= {"dark_telegraph_fraction": 1e-3, "dark_telegraph_current": 10 * dark_current}
    return terms


def _offset(sensor: Sensor, noise: float, longest: float) -> float:
    """Place the offset [adu] so high that no pixel clips at zero, not where a clamp lowers cold, glow-free pixels."""
    electrons = _DARK_SHARE * (sensor.adc_top + 1) * sensor.gain  # of the warmest darks, at most
    glow = sensor.glow_linear * longest + sensor.glow_quadratic * longest**2
    lowered = electrons + sensor.glow_shielded * glow
    return float(12 * noise + sensor.clamp_share * lowered / sensor.gain)


def _plan(sensor: Sensor, longest: float, lamp: float, rng: np.random.Generator) -> Plan:
    sets = [FrameSet("bias", N_BIAS, 5e-5, TEMPERATURE)]
    sets += [FrameSet("dark", N_DARKS, float(f"{share * longest:.3g}"), TEMPERATURE) for share in SHARES]
    sets += [FrameSet("flat", 2, exposure, TEMPERATURE, lamp, block=2) for exposure in FLAT_EXPOSURES]
    for block, warmth in enumerate(WARMER, start=3):
        current = sensor.dark_current * arrhenius(sensor.dark_energy, warmth, TEMPERATURE)
        # headers tell temperatures to 0.1 K: the sensor's own is anywhere within that step
        real = warmth + float(rng.uniform(-_STEP / 2, _STEP / 2))
        sets.append(FrameSet("dark", N_DARKS, _exposure(longest, sensor.gain, current), real, block=block))
    return Plan("bank", tuple(sets))
