"""The last step of a night: the registered lights of a target as one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.calibrate.integrate import integrate
from workbench.calibrate.light_header import light_header
from workbench.calibrate.master_files import write_master
from workbench.calibrate.master_header import master_header, text_card
from workbench.calibrate.night_files import set_sky
from workbench.calibrate.night_record import made_from
from workbench.calibrate.night_registration import brightness_problem
from workbench.errors import NotMeasurableError
from workbench.frames.formats import read_frame_file
from workbench.frames.identity import identities_of
from workbench.frames.load import load_stack
from workbench.stack.noise_evaluation import mrs_noise

if TYPE_CHECKING:
    from workbench.calibrate.integrate import Integration
    from workbench.calibrate.night_registration import Calibrated
    from workbench.calibrate.night_steps import Workshop
    from workbench.stack.noise_evaluation import NoiseEvaluation

__all__ = ["MEAN_SCALE", "Registered", "integrate_target"]

MEAN_SCALE = "on the mean scale of the lights (geometric mean of their factors is 1)"
_SHORT = 34  # characters of a text that leave room for a comment
_WINDOW = 2048  # pixels a side of what the noise is evaluated on


@dataclass(frozen=True, eq=False)
class Registered:
    """A light that is registered: its calibrated self, its file, and what was found out on the way."""

    light: Calibrated
    file: str
    facts: dict[str, Any]


def integrate_target(shop: Workshop, name: str, lights: list[Registered]) -> dict[str, Any]:
    """Integrate the registered lights of a target, unless that is done, and return the facts.

    Raises
    ------
    InputError
        When fewer than two lights are there, or one has nothing in common with the reference.
    """
    file = f"{name}.fits"
    options = {"recipe": shop.options.recipe.to_dict(), "compress": shop.options.compress}
    reference = str(lights[0].facts["reference"])
    why = shop.reasons[reference]
    names = [reference, *(one.light.plan.file for one in lights)]  # header and facts hold them
    told = [[one.facts[name] for name in ("factor", "factor_error")] + [one.light.facts["noise"]] for one in lights]
    key = made_from("integrate", [options, told, why, names], [shop.record.sha256(one.file) for one in lights])
    facts = shop.known(file, key)
    if facts is not None:
        return facts
    rows = pd.DataFrame([one.light.plan.row for one in lights]).reset_index(drop=True)
    rows["source"] = [read_frame_file(shop.out / one.file).source for one in lights]
    found = integrate(
        load_stack(rows),
        [one.facts["factor"] for one in lights],
        [one.light.facts["noise"] for one in lights],
        reference=_reference(lights),
        recipe=shop.options.recipe,
    )
    data, frames = found.combination.data, found.combination.frames
    noise = _noise(data["signal"].to_numpy())
    inputs = _inputs(shop, lights, rows, found)
    cards = _cards(lights, rows, weighed=found.recipe.method == "mean")
    header = master_header(rows, found.recipe, cards, bias_inside=False, verdict=None, noise=noise)
    for line in _history(lights, why):
        header["HISTORY"] = text_card(line)
    set_sky(header, light_header(rows["source"].iloc[0]))  # registered lights have the sky of what they lie on
    write_master(shop.out / file, data, inputs, header, compress=shop.options.compress)
    coverage = data["coverage"].to_numpy()
    return shop.finish(
        file,
        key,
        {
            "n_lights": len(lights),
            "reference": reference,
            "reference_reason": why,
            "level_of": lights[_reference(lights)].light.plan.file,
            "total_exposure": float(rows["exposure"].sum()),
            "words": shop.options.recipe.words + (", weights by noise" if found.recipe.method == "mean" else ""),
            "noise": None if noise is None else noise.sigma,
            "noise_error": None if noise is None else noise.std_error,
            "full_coverage": float(np.mean(coverage == len(lights))),
            "no_value": int(np.count_nonzero(coverage == 0)),
            "frames": {
                one.light.plan.file: {
                    "weight": float(row["weight"]),
                    "offset": float(row["output_offset"]),
                    "share_low": float(row["share_low"]),
                    "share_high": float(row["share_high"]),
                }
                for one, row in zip(lights, frames.to_dict("records"), strict=True)
            },
        },
    )


def _reference(lights: list[Registered]) -> int:
    """Return which light gives the image its level: that all are registered to, else the first."""
    files = [one.light.plan.file for one in lights]
    named = str(lights[0].facts["reference"])
    return files.index(named) if named in files else 0


def _noise(signal: np.ndarray) -> NoiseEvaluation | None:
    starts = (max(size - _WINDOW, 0) // 2 for size in signal.shape)
    try:
        return mrs_noise(signal[tuple(slice(start, start + _WINDOW) for start in starts)])
    except NotMeasurableError:
        return None


def _inputs(shop: Workshop, lights: list[Registered], rows: pd.DataFrame, found: Integration) -> pd.DataFrame:
    known: dict[str, Any] = {
        "file": [one.file for one in lights],
        "sha256": [shop.record.sha256(one.file) for one in lights],
        "datasum": [str(one.datasum) for one in identities_of(list(rows["source"]))],
        "date": ["" if pd.isna(date) else date.isoformat(timespec="milliseconds") for date in rows["date"]],
        "exposure": rows["exposure"].to_numpy(np.float64),
        "temperature": rows["temperature"].to_numpy(np.float64),
    }
    frames = found.combination.frames
    return pd.DataFrame(known | {str(name): frames[name].to_numpy() for name in frames.columns if name not in known})


def _cards(lights: list[Registered], rows: pd.DataFrame, *, weighed: bool) -> dict[str, tuple[Any, str]]:
    cards: dict[str, tuple[Any, str]] = {"TOTALEXP": (float(rows["exposure"].sum()), "[s] all exposures together")}
    names = rows["object"].dropna().unique()
    if len(names) == 1:
        cards["OBJECT"] = (text_card(str(names[0]))[:58], "object")
    said = [_status(path) for path in rows["source"].map(lambda source: source.path)]
    every = "".join(one for one in "BDF" if all(one in status for status in said))
    cards["CALSTAT"] = (every, "all lights calibrated by bias, dark, flat")
    reference = text_card(str(lights[0].facts["reference"]))[-60:]
    cards["REGREF"] = (reference, "light that all are registered to" if len(reference) < _SHORT else "")
    # the recipe combines frames that are brought to one level before: it knows nothing of that
    cards["NORMOUT"] = cards["NORMREJ"] = ("stars", "factor by stars, offset by background")
    if weighed:
        cards["WEIGHTS"] = ("noise", "1 / (factor x noise of the light)^2")
    return cards


def _status(path: str) -> str:
    return next((card.text for card in read_frame_file(path).cards if card.key == "CALSTAT"), "")


def _history(lights: list[Registered], why: str) -> list[str]:
    dim = [one.light.plan.file for one in lights if brightness_problem(one.light, one.facts) is not None]
    return [
        *(f"its stars are too few to tell its factor, which is that of the exposures: {file}" for file in dim),
        "each light x became f x + o before: output_factor and output_offset of INPUTS",
        f"brightness: {MEAN_SCALE}",
        f"level: the background of {lights[_reference(lights)].light.plan.file}",
        f"registered to {lights[0].facts['reference']}: {why}",
    ]
