"""The truth of a simulated session as a record for a file: what a measurement of its frames should find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.camera.specimen import BOLTZMANN, ZERO_CELSIUS
from workbench.units import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.camera.session_truth import SessionTruth
    from workbench.camera.sky import Sky
    from workbench.camera.specimen import Specimen

SCHEMA = "workbench-truth/1"
_HOT = 5.0  # times the typical dark current, as the vocabulary defines hot pixels


def truth_record(truth: SessionTruth) -> dict[str, Any]:
    """Collect the scalar truths of a camera, and the expected values of every set of darks and bias frames in a plan.

    Parameters
    ----------
    truth
        Of the session.

    Returns
    -------
    dict
        ``values`` under the names and units of the vocabulary, at the plan's first temperature;
        ``darks`` with, for each exposure and temperature: the expected mean [adu], the mean over the pixels of the
        temporal variance [adu2], and the electrons behind them: thermal, glow, clamp; for a session with a target
        ``sky``: its stars in the reference light, and for every light the transform from there and the air. Ready for
        JSON.
    """
    specimen, plan = truth.camera, truth.plan
    sensor = specimen.sensor
    temperature = plan.sets[0].temperature
    values = scalar_truth(specimen, temperature)
    conditions = sorted({(item.temperature, item.exposure) for item in plan.sets if item.kind in ("bias", "dark")})
    record = {
        "schema": SCHEMA,
        "dataset": plan.name,
        "camera": sensor.name,
        "seed": specimen.seed,
        "shape": list(sensor.frame_shape),
        "temperature": temperature,
        "values": {name: {"value": value, "unit": unit_of(name)} for name, value in values.items()},
        "dark_mean_coefficients": dict(zip("abc", specimen.dark_mean_coefficients(temperature), strict=True)),
        "darks": [_dark_truth(specimen, exposure, warmth) for warmth, exposure in conditions],
    }
    return record if truth.sky is None else record | {"sky": _sky_truth(truth, truth.sky)}


def truth_arrays(truth: SessionTruth) -> dict[str, NDArray[np.float32 | np.float64]]:
    """Collect the maps of a session with a target, and where its stars stand in every light.

    Returns
    -------
    dict
        ``flat_field`` (mean one), ``dark_electrons`` of the first light, and ``nebula`` in the reference light through
        clear still air [electron / s], each ``[y, x]`` float32; ``star_x`` and ``star_y`` [pixel], lights by stars;
        ``star_flux`` [electron / s].
    """
    if truth.sky is None:
        raise ValueError(f"the session {truth.plan.name} has no target")
    first = truth.frame(truth.lights[0])
    positions = np.array([truth.sky.positions(file) for file in truth.lights])
    return {
        "flat_field": truth.flat_field.astype(np.float32),
        "dark_electrons": truth.camera.dark_electrons(first.exposure, first.temperature).astype(np.float32),
        "nebula": truth.sky.nebula().astype(np.float32),
        "star_x": positions[:, 0],
        "star_y": positions[:, 1],
        "star_flux": truth.sky.stars[:, 2],
    }


def scalar_truth(specimen: Specimen, temperature: float) -> dict[str, float]:
    """Return the truths that are one number each, under the vocabulary's names, at one temperature [deg_C].

    ``dark_current`` is the mean over the pixels without glow, ``dark_current_typical`` the median over those that are
    not hot; ``hot_pixel_fraction`` counts pixels above 5 times the typical dark current, glow apart.
    """
    sensor = specimen.sensor
    rate = specimen.thermal_rate(temperature)
    typical = float(np.median(rate))
    hot = rate > _HOT * typical
    typical = float(np.median(rate[~hot])) if not hot.all() else typical
    kelvin = temperature + ZERO_CELSIUS
    return {
        "gain": specimen.gain,
        "native_gain": specimen.native_gain,
        "lattice": float(specimen.lattice),
        "bias_level": specimen.bias_level,
        "offset_drift": sensor.drift,
        "read_noise": specimen.read_noise,
        "saturation": specimen.saturation,
        "full_well": specimen.full_well,
        "dark_current": float(rate.mean()),
        "dark_current_typical": typical,
        "hot_pixel_fraction": float(np.mean(rate > _HOT * typical)) if typical else 0.0,
        "telegraph_fraction": float(np.mean(specimen.telegraph_class > 0)),
        "cosmic_ray_rate": sensor.cosmic_ray_rate,
        "activation_energy": sensor.dark_energy,
        "doubling_temperature": BOLTZMANN * kelvin**2 * float(np.log(2.0)) / sensor.dark_energy,
    }


def _sky_truth(truth: SessionTruth, sky: Sky) -> dict[str, Any]:
    return {
        "target": sky.target.name,
        "flat_mean": truth.flat_mean,
        "units": {"x": "pixel", "y": "pixel", "flux": "electron / s", "fwhm": "pixel", "background": "electron / s"},
        "matrix": "takes (x, y, 1) of the reference light, the first one, to this light's pixel",
        "stars": [dict(zip(("x", "y", "flux"), star, strict=True)) for star in sky.stars.tolist()],
        "lights": [
            {
                "file": file,
                "night": truth.frame(file).night,
                "matrix": view.matrix.tolist(),
                "fwhm": view.fwhm,
                "transparency": view.transparency,
                "background": truth.frame(file).light * view.sky_level,
            }
            for file, view in sky.views.items()
        ],
    }


def _dark_truth(specimen: Specimen, exposure: float, temperature: float) -> dict[str, float]:
    electrons = float(specimen.dark_electrons(exposure, temperature).mean())
    glow = float(specimen.glow_electrons(exposure).mean())
    return {
        "temperature": temperature,
        "exposure": exposure,
        "mean": specimen.dark_mean(exposure, temperature),
        "variance": float(specimen.variance(exposure, temperature).mean()),
        "dark_electrons": electrons,
        "thermal_electrons": electrons - glow,
        "glow_electrons": glow,
        "clamp_electrons": specimen.clamp_electrons(exposure, temperature),
    }
