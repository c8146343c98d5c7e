"""A step of a night: lights calibrated by their masters, and their stars looked for."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.flat_field import LEAST_RESPONSE, LEAST_SURE, flat_field
from workbench.calibrate.frame_variance import frame_variance
from workbench.calibrate.light_files import write_light
from workbench.calibrate.lights import default_calibration, matched_calibration
from workbench.calibrate.made_master import middle_of
from workbench.calibrate.night_files import header_of, name_of, pack
from workbench.calibrate.night_record import made_from, sha256_of
from workbench.calibrate.night_scaling import scale_of
from workbench.calibrate.overscan import overscan_levels, trimmed
from workbench.calibrate.stars import find_stars
from workbench.calibrate.uncertainty import ErrorModel
from workbench.errors import InputError
from workbench.frames.formats import read_frame_file
from workbench.stack.noise_evaluation import mrs_noise

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.calibrate.calibration import Calibration
    from workbench.calibrate.dark_scale import DarkScale
    from workbench.calibrate.night_plan import LightPlan
    from workbench.calibrate.night_steps import Workshop

__all__ = ["calibrate_light", "look_for_stars", "prepare"]

_LARGE = 6_000_000  # pixels of a frame, from where on stars are looked for in bins of 2 x 2
_PILED = 3  # pixels at the very highest value, from where on that is saturation
_FLAT_TOP = 0.8  # of saturation: stars that reach it have no centre that can be trusted


def calibrate_light(shop: Workshop, light: LightPlan) -> tuple[str, str, dict[str, Any] | None, bool]:
    """Calibrate a light and look for its stars, unless that is done; return file, key, facts, and whether it was done.

    Raises
    ------
    InputError
        When the light cannot be read, or does not fit its masters.
    """
    options = shop.options
    file = f"calibrated/{name_of(light.name, '_c', compress=options.compress)}"
    masters = [shop.masters[one.file]["sha256"] for one in (light.dark, light.flat, light.bias) if one]
    told: dict[str, Any] = {"pedestal": options.pedestal, "gain": options.gain, "compress": options.compress}
    told |= {name: str(light.row[name]) for name in ("exposure", "temperature", "filter", "object", "camera")}
    told |= {
        "overscan": light.overscan.places if light.overscan else None,
        "scaled": light.scaling.by if light.scaling else None,
        "masked_below": [LEAST_RESPONSE, LEAST_SURE] if light.flat else None,
    }
    inputs = [sha256_of(shop.out / light.row["path"]), *masters]
    key = made_from("calibrate", told, inputs)
    facts = shop.record.known(file, key)
    if facts is not None:
        return file, key, facts, False
    source = light.row["source"]
    pixels = source.read()
    calibration, scale = _calibration_of(shop, light, pixels)
    errors = None if options.gain is None else ErrorModel(options.gain)
    plain = shop.out / (f"calibrated/.{light.name}.fits.{os.getpid()}.part" if options.compress else file)
    header = header_of(light.row)
    written = write_light(source, plain, calibration, header=header, overscan=light.overscan, errors=errors)
    values = read_frame_file(plain).source.read()
    if options.compress:
        try:
            pack(plain, shop.out / file)
        finally:
            plain.unlink(missing_ok=True)
    saturation = _saturation(pixels, calibration, _overscan_level(pixels, light))
    stars = shop.stars[file] = look_for_stars(values, saturation)
    middle = middle_of(values)
    facts = {
        "n_stars": len(stars),
        "fwhm": float(stars["fwhm"].median()) if len(stars) else None,
        "level": float(np.nanmedian(middle)),
        "noise": mrs_noise(middle, bayer=isinstance(light.row["bayer_pattern"], str)).sigma,
        "n_masked": written.n_masked,
        "n_negative": written.n_negative,
        "saturation": saturation,
        "k": None if scale is None else scale.k,
        "k_error": None if scale is None else scale.std_error,
    }
    return file, key, facts, True


def prepare(shop: Workshop, lights: Iterable[LightPlan]) -> None:
    """Read the masters once, and look at their noise, before threads share them."""
    for light in lights:
        calibration = _calibration(shop, light)
        for _, master in calibration.masters if shop.options.gain is not None else ():
            with suppress(InputError):  # which each of its lights will say
                frame_variance(master)


def _calibration(shop: Workshop, light: LightPlan) -> Calibration:
    """Return the calibration by a light's masters; of a dark that is scaled, with the factor 1."""
    key = light.dark.file, light.flat.file if light.flat else "", light.bias.file if light.bias else ""
    if key not in shop.calibrations:
        field = flat_bias = None
        if light.flat is not None:
            if light.flat.ready and light.flat.bias is not None:  # its bias is still inside
                flat_bias = shop.masters[light.flat.bias.file]["path"]
            field = flat_field(shop.masters[light.flat.file]["path"], bias=flat_bias)
        dark, pedestal = shop.masters[light.dark.file]["path"], shop.options.pedestal
        if light.bias is None:
            shop.calibrations[key] = matched_calibration(dark, field, pedestal=pedestal)
        else:
            bias = shop.masters[light.bias.file]["path"]
            shop.calibrations[key] = default_calibration(bias, dark, 1.0, field, pedestal=pedestal)
    return shop.calibrations[key]


def _calibration_of(shop: Workshop, light: LightPlan, pixels: NDArray[Any]) -> tuple[Calibration, DarkScale | None]:
    """Return how one light is calibrated, and by which factor its dark is scaled."""
    whole = _calibration(shop, light)
    if light.scaling is None:
        return whole, None
    (_, bias), (_, dark) = whole.masters
    values = pixels if light.overscan is None else trimmed(pixels, light.overscan)
    exposures = float(light.row["exposure"]), float(light.dark.rows["exposure"].median())
    scale = scale_of(values, bias, dark, light.scaling.by, exposures)
    verdict = light.scaling.verdict
    options: dict[str, Any] = {"pedestal": whole.pedestal, "verdict": verdict}
    return default_calibration(bias, dark, scale.k, whole.flat, **options), scale


def _overscan_level(pixels: NDArray[Any], light: LightPlan) -> float:
    """Return what the overscan takes away from the brightest pixels, at most."""
    return 0.0 if light.overscan is None else max(level for _, level, _ in overscan_levels(pixels, light.overscan))


def _saturation(pixels: NDArray[Any], calibration: Calibration, level: float) -> float | None:
    """Return from which calibrated value on a star's top is not to be trusted; None where nothing piles up."""
    top = pixels.max()
    if pixels.dtype.kind == "f" or np.count_nonzero(pixels == top) < _PILED:
        return None
    base = sum(weight * float(np.nanmedian(master.signal)) for weight, master in calibration.masters)
    return _FLAT_TOP * (float(top) - level - base)


def look_for_stars(values: NDArray[np.float32], saturation: float | None) -> pd.DataFrame:
    """Find the stars of a calibrated light, in bins of 2 x 2 pixels where it is large."""
    return find_stars(values, bin=2 if values.size > _LARGE else 1, saturation=saturation)
