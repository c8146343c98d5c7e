"""A night's plan and what became of it, as text for a terminal and as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.results import rounded
from workbench.show.words import digits, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workbench.calibrate.night import Image, Night
    from workbench.calibrate.night_plan import LightPlan, MasterPlan, NightPlan, Target
    from workbench.results import Problem

__all__ = [
    "agreement",
    "in_minutes",
    "kept_line",
    "night_json",
    "night_text",
    "plan_json",
    "plan_text",
    "problem_lines",
    "with_error",
]

_LISTED = 30  # problems that get a line each


def plan_text(plan: NightPlan) -> str:
    """Describe a plan: each target, its masters, and why these."""
    lines: list[str] = []
    for target in plan.targets:
        lines += [f"{printable(target.name)}: {_lights(target)}"]
        for lights in _alike(target):
            first = lights[0]
            which = f" ({len(lights)} lights)" if len(lights) < len(target.lights) else ""
            lines.append(f"  dark{which}: {_master(first.dark)}")
            lines += [f"    {printable(one)}" for one in agreement(first)]
            lines.append(f"  flat{which}: {_master(first.flat)}" if first.flat else f"  flat{which}: none")
    lines += problem_lines(plan.problems)
    return "\n".join(lines)


def plan_json(plan: NightPlan) -> dict[str, Any]:
    """Describe a plan for a program."""
    return {
        "root": str(plan.root),
        "masters": [
            {
                "file": one.file,
                "kind": one.kind,
                "ready": one.ready,
                "bias": one.bias.file if one.bias else None,
                "frames": [str(file) for file in one.rows["file"]],
            }
            for one in plan.masters
        ],
        "targets": [
            {"name": one.name, "colour": one.colour, "lights": [_light_json(light) for light in one.lights]}
            for one in plan.targets
        ],
        "problems": [asdict(one) for one in plan.problems],
    }


def night_text(night: Night, log: Path) -> str:
    """Describe what became of a night: images, what stayed out, how much was there already."""
    lines = []
    for image in night.images:
        facts = image.facts
        lines.append(f"{printable(image.name)}: {facts['n_lights']} lights, {facts['total_exposure']:g} s in all")
        lines += [f"  {words}" for words in _image_lines(image)]
        lines.append(f"  {night.out / image.name}.fits")
    only = len(night.calibrated) - len(night.registered)
    if only:
        lines.append(f"{only} lights are calibrated, and not registered")
    lines += problem_lines(one for one in night.problems if one not in night.plan.problems)
    if night.kept:
        lines.append(kept_line(night))
    return "\n".join([*lines, str(log)])


def night_json(night: Night, log: Path) -> dict[str, Any]:
    """Describe what became of a night for a program."""
    return {
        "out": str(night.out),
        "log": str(log),
        "plan": plan_json(night.plan),
        "masters": night.masters,
        "calibrated": {one.plan.file: {"file": one.file, **one.facts} for one in night.calibrated},
        "registered": {one.light.plan.file: {"file": one.file, **one.facts} for one in night.registered},
        "images": {one.name: {"file": f"{one.name}.fits", **one.facts} for one in night.images},
        "problems": [asdict(one) for one in night.problems],
        "made": list(night.made),
        "kept": list(night.kept),
        "made_on": night.made_on,
    }


def agreement(light: LightPlan) -> list[str]:
    """Say in which things a light and its dark agree, within which tolerances, and what is done to them first."""
    reasons = [one.reason for one in light.dark_match.criteria if one.ok]
    return [", ".join(reasons), *light.dark_match.notes, *_steps(light)]


def _steps(light: LightPlan) -> Iterator[str]:
    if light.overscan is not None:
        yield f"overscan, of every frame: {light.overscan.words}"
    if light.scaling is not None and light.bias is not None:
        exposures = float(light.row["exposure"]), float(light.dark.rows["exposure"].median())
        yield light.scaling.words(*exposures, len(light.bias.rows))


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """List problems, a line each, as many as can be read."""
    every = list(problems)
    lines = [f"  {printable(one)}" for one in every[:_LISTED]]
    rest = len(every) - len(lines)
    return lines + ([f"  and {rest} more; --json lists all"] if rest else [])


def _image_lines(image: Image) -> Iterator[str]:
    facts = image.facts
    yield facts["words"]
    others = [one.facts for one in image.lights if one.facts["rms"] > 1e-6]
    if others:
        worst = max(others, key=lambda one: one["rms"])
        rms = with_error(worst["rms"], worst["rms_error"])
        yield f"registered: stars lie within {rms} pixel (rms) of the reference's, or closer"
    if facts["noise"] is not None:
        single = min(one.light.facts["noise"] for one in image.lights)
        noise = with_error(facts["noise"], facts["noise_error"])
        yield f"noise: {noise} adu from pixel to pixel, {digits(single, 3)} in the best light"
    yield f"coverage: {100 * facts['full_coverage']:.3g} % of the pixels by all lights"


def with_error(value: float, std_error: float) -> str:
    """Write a value with its standard error, both as far as the error tells.

    Examples
    --------
    >>> with_error(0.12345, 0.0031), with_error(1369.21, 1.44)
    ('0.123 +/- 0.003', '1369.2 +/- 1.4')
    """
    return " +/- ".join(rounded(value, std_error))


def kept_line(night: Night) -> str:
    """Say how much was there already and since when, and how much was made."""
    times = sorted(when for file in night.kept if (when := night.made_on[file]) is not None)
    since = f", made from {in_minutes(times[0])} to {in_minutes(times[-1])} UTC" if times else ""
    return f"{len(night.kept)} files were there and intact{since}; {len(night.made)} were made"


def in_minutes(when: str) -> str:
    """Write a time to the minute.

    Examples
    --------
    >>> in_minutes("2017-11-12T03:04:05+00:00")
    '2017-11-12 03:04'
    """
    return when[:16].replace("T", " ")


def _lights(target: Target) -> str:
    row = target.lights[0].row
    exposures = sorted({float(light.row["exposure"]) for light in target.lights})
    said = f"{len(target.lights)} lights of {', '.join(f'{one:g}' for one in exposures)} s"
    return said + (f", {printable(row['filter'])}" if isinstance(row["filter"], str) else "")


def _alike(target: Target) -> Iterator[list[LightPlan]]:
    """Yield the lights that have the same masters."""
    groups: dict[tuple[int, int], list[LightPlan]] = {}
    for light in target.lights:
        groups.setdefault((id(light.dark), id(light.flat)), []).append(light)
    yield from groups.values()


def _master(plan: MasterPlan) -> str:
    if plan.ready:
        return f"{printable(plan.file)}, as it is"
    of = f"{len(plan.rows)} frames such as {printable(plan.rows['file'].iloc[0])}"
    return of if plan.bias is None else f"{of}; less {len(plan.bias.rows)} {_KINDS[plan.bias.kind]}"


_KINDS = {"bias": "bias frames", "darkflat": "darkflats"}


def _light_json(light: LightPlan) -> dict[str, Any]:
    criteria = [
        {"name": one.name, "ok": one.ok, "tolerance": one.tolerance, "reason": one.reason}
        for one in light.dark_match.criteria
    ]
    return {
        "file": light.file,
        "dark": light.dark.file,
        "dark_criteria": criteria,
        "notes": list(light.dark_match.notes),
        "flat": light.flat.file if light.flat else None,
        "overscan": light.overscan.words if light.overscan else None,
        "bias": light.bias.file if light.bias else None,
        "scaled_by": light.scaling.by if light.scaling else None,
    }
