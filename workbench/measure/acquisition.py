"""What to shoot to measure what a report is missing: how many frames, which exposures, in which order, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.measure.dark_plans import dark_shots, light_shots, temperature_shots
from workbench.measure.holdings import holdings
from workbench.measure.shots import BETTER, LIGHTS, MISSING, SAME_CAMERA, Shots

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.measure.holdings import Holdings
    from workbench.results import Results

_BIAS, _FEWEST_BIAS = 20, 10
_OF_THE_MAP = ("dark_current_typical", "hot_pixel_fraction")
_LEVELS = (5, 17, 29, 41, 53, 65)  # % of saturation
_FAR = 3.0  # K between darks and the bias frames that serve them
_FILES = {
    "copy it again": ("copy again", "truncated: the frames are lost as they are"),
    "set its kind": ("name in workbench.toml", "nothing says what kind of frames they are"),
}


def acquisition_plan(results: Results, *, seed: int = 20171111) -> list[Shots]:
    """Tell what to shoot to measure what a report is missing.

    Parameters
    ----------
    results
        From a survey, or read from ``results.json``.
    seed
        Of the shuffled order of exposures.

    Returns
    -------
    list of Shots
        What is missing first, then what makes it better, then what lights will need.
    """
    rng = np.random.default_rng(seed)
    rows = list(_files(results))
    for group in results.groups:
        held = holdings(results, group["id"])
        found = [
            *_bias(held),
            *_flats(held),
            *dark_shots(held, rng),
            *temperature_shots(held),
            *light_shots(held),
        ]
        rows += [*found, *_rest(held, found)]
    return sorted(rows, key=lambda one: (MISSING, BETTER, LIGHTS).index(one.need))


def headline(plan: Sequence[Shots]) -> str:
    """Say in a sentence what a plan asks for."""
    missing, better, lights = ([one for one in plan if one.need == need] for need in (MISSING, BETTER, LIGHTS))
    if missing:
        what = ", ".join(dict.fromkeys(name for one in missing for name in one.enables))
        return f"{len(missing)} thing{'s are' if len(missing) > 1 else ' is'} missing{f', for {what}' if what else ''}"
    rest = ["nothing is missing"]
    if better:
        rest.append(f"{len(better)} set{'s' * (len(better) != 1)} of frames would make the numbers more certain")
    if lights:
        rest.append(f"your lights need {lights[0].kind}s of their own")
    return "; ".join(rest)


def _files(results: Results) -> Iterator[Shots]:
    for mark, (what, why) in _FILES.items():
        files = [one.file for one in results.problems if mark in one.action]
        if files:
            shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
            yield Shots(MISSING, "", what, (len(files),), why, (), how=shown)


def _bias(held: Holdings) -> Iterator[Shots]:
    names = (
        "bias_level",
        "offset_drift",
        "read_noise",
        "dark_current",
        "dark_below_bias",
        "dark_scaling",
        "glow_exponent",
        "telegraph_fraction",
        *_OF_THE_MAP,
    )
    how = f"shortest exposure, shutter closed; {SAME_CAMERA} and temperature as the darks"
    drift = f"offset drift to {100 / (2 * (_BIAS - 1)) ** 0.5:.0f} %"
    if held.n_bias < _FEWEST_BIAS:
        few = held.n_bias > 1
        why = f"{held.n_bias or 'no'} bias frames: " + (
            "level and drift are uncertain" if few else "nothing tells the noise of reading"
        )
        need = BETTER if few else MISSING
        yield Shots(need, held.group, "bias", (_BIAS - held.n_bias,), why, names, how=how, precision=drift)
    known = held.bias_temperatures
    far = [
        one.temperature
        for one in held.series
        if one.temperature is not None and known and min(abs(one.temperature - at) for at in known) > _FAR
    ]
    if far:
        why = "the bias frames were taken at another temperature than these darks, and read noise may have changed"
        enables = ("dark_current", "doubling_temperature", "activation_energy")
        yield Shots(BETTER, held.group, "bias", (_FEWEST_BIAS,), why, enables, how=how, temperatures=tuple(far))


def _flats(held: Holdings) -> Iterator[Shots]:
    enables: tuple[str, ...] = (
        "gain",
        "native_gain",
        "linearity_error",
        "read_noise",
        "dark_current",
        "full_well",
        "dynamic_range",
    )
    enables += _OF_THE_MAP
    levels = ", ".join(str(level) for level in _LEVELS)
    how = f"pairs of flats at {levels} % of saturation, steady lamp, one exposure a pair; {SAME_CAMERA}"
    precision = f"gain to {100 * (2 / (held.n_pixels * len(_LEVELS))) ** 0.5:.1g} %"
    if held.find("gain") is None:
        why = held.reason("gain") or "no gain is measured"
        need = BETTER if held.gain_given else MISSING
        if held.gain_given:
            why = f"the gain was given, not measured ({why})"
        counts = (2 * len(_LEVELS),)
        yield Shots(need, held.group, "flat", counts, why, enables, how=how, precision=precision)
    elif held.n_flat_levels < 4:
        why = f"{held.n_flat_levels} levels of flats below saturation: nothing tests that the sensor is linear"
        more = 2 * (len(_LEVELS) - held.n_flat_levels)
        yield Shots(BETTER, held.group, "flat", (more,), why, enables[:3], how=how, precision=precision)
    if held.find("saturation") is None:
        why = held.reason("saturation") or "no frame saturates"
        top = ("saturation", "full_well", "dynamic_range")
        yield Shots(MISSING, held.group, "flat", (2,), why, top, how="overexposed until every pixel is at its top")


def _rest(held: Holdings, planned: Sequence[Shots]) -> Iterator[Shots]:
    """Yield what no line of the plan serves yet; the reasons of the report say what to shoot."""
    served = {name for one in planned for name in one.enables}
    by_reason: dict[str, list[str]] = {}
    for one in held.missing:
        if one.name not in served:
            by_reason.setdefault(one.reason, []).append(one.name)
    for name, verdict in held.verdicts.items():
        if name not in served and verdict["value"] in (None, "not_judged"):
            by_reason.setdefault(str(verdict["reason"]), []).append(name)
    for reason, names in by_reason.items():
        measured = all(held.find(name) is not None for name in names)
        yield Shots(BETTER if measured else MISSING, held.group, "see why", (), reason, tuple(dict.fromkeys(names)))
