"""A step of a night: calibrated lights laid upon one of them, by their stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.integrate import FEWEST_TELLING, brightness
from workbench.calibrate.light_header import light_header
from workbench.calibrate.night_files import name_of, write_registered
from workbench.calibrate.night_lights import look_for_stars
from workbench.calibrate.night_record import made_from
from workbench.calibrate.register import register
from workbench.calibrate.resample import mean_noise_factor, resample
from workbench.frames.formats import read_frame_file
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from workbench.calibrate.night_plan import LightPlan
    from workbench.calibrate.night_steps import Workshop

__all__ = ["Calibrated", "brightness_problem", "register_light", "stars_of"]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A light that is calibrated: its plan, its file, and what was found out about it."""

    plan: LightPlan
    file: str
    facts: dict[str, Any]


def stars_of(shop: Workshop, light: Calibrated) -> pd.DataFrame:
    """Return the stars of a calibrated light, looked for again where an earlier run did."""
    if light.file not in shop.stars:
        values = read_frame_file(shop.out / light.file).source.read()
        shop.stars[light.file] = look_for_stars(values, light.facts["saturation"])
    return shop.stars[light.file]


def register_light(
    shop: Workshop, light: Calibrated, reference: Calibrated, threads: int = 1
) -> tuple[str, str, dict[str, Any] | None, bool]:
    """Lay a calibrated light upon the reference, unless that is done; return as :func:`calibrate_light` does.

    Parameters
    ----------
    shop
        What the steps share.
    light, reference
        Of one field.
    threads
        That share the pixels of this light.

    Raises
    ------
    InputError
        When it cannot be matched.
    """
    file = f"registered/{name_of(light.plan.name, '_c_r', compress=shop.options.compress)}"
    options = shop.options
    inputs = [shop.record.sha256(one.file) for one in (light, reference)]
    exposures = float(light.plan.row["exposure"]), float(reference.plan.row["exposure"])
    told: dict[str, Any] = {"kernel": options.kernel, "clamping": options.clamping, "compress": options.compress}
    told |= {"exposures": [str(one) for one in exposures], "reference": reference.plan.name}  # REGREF names it
    key = made_from("register", told, inputs)
    facts = shop.record.known(file, key)
    if facts is not None:
        return file, key, facts | {"reference": reference.plan.file}, False  # it may be called otherwise by now
    values = read_frame_file(shop.out / light.file).source.read()
    shape = read_frame_file(shop.out / reference.file).source.shape
    stars, reference_stars = stars_of(shop, light), stars_of(shop, reference)
    found = register(stars, reference_stars, shape, file=light.plan.file)
    bright = brightness(stars, reference_stars, found, exposures=exposures)
    how: dict[str, Any] = {"kernel": options.kernel, "clamping": options.clamping}
    laid, covered = resample(values, found.matrix, shape, threads=threads, **how)
    cards: dict[str, tuple[Any, str]] = {
        "REGREF": (reference.plan.name, "light that it is registered to"),
        "REGSTARS": (found.n_matched, "stars matched"),
        "REGRMS": (float(f"{found.rms:.4g}"), "[pixel] rms of their distances"),
        "REGROT": (float(f"{found.rotation:.6g}"), "[degree] rotation against the reference"),
        "REGKERN": (options.kernel, "interpolation"),
    }
    base = light_header(read_frame_file(shop.out / reference.file).source)
    write_registered(shop.out / file, laid, shop.out / light.file, cards, base, compress=options.compress)
    facts = {
        "reference": reference.plan.file,
        "matrix": found.matrix.tolist(),
        "n_matched": found.n_matched,
        "rms": found.rms,
        "rms_error": found.rms_error,
        "worst_error": found.worst_error,
        "shift": list(found.shift),
        "rotation": found.rotation,
        "scale": found.scale,
        "factor": bright.factor,
        "factor_error": bright.std_error,
        "factor_stars": bright.n_stars,
        "noise_factor": mean_noise_factor(found.matrix, shape, options.kernel, options.clamping),
        "coverage": float(np.mean(covered)),
    }
    return file, key, facts, True


def brightness_problem(light: Calibrated, facts: Mapping[str, Any]) -> Problem | None:
    """Say of a registered light that too few stars tell how bright it is, and what is taken instead."""
    if facts["factor_error"] is not None or facts["reference"] == light.plan.file:
        return None
    n = facts["factor_stars"]
    rule = f"its brightness is not measured: {n} stars in common with {facts['reference']} are bright enough"
    known = "by its exposure" if np.isfinite(float(light.plan.row["exposure"])) else "as it is"
    action = f"integrated {known}, times {facts['factor']:.3g}; {FEWEST_TELLING} stars are needed to see clouds"
    return Problem(light.plan.file, rule, action)
