"""The plan of a night: which lights go together, which masters they need, of which frames, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.calibrate.night_desk import SAME_SETTINGS, Desk, LightPlan, MasterPlan, safe_name
from workbench.calibrate.night_overscan import with_overscan
from workbench.calibrate.night_record import RECORD
from workbench.errors import InputError
from workbench.results import Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from workbench.calibrate.night_scaling import Scaling
    from workbench.results import Measurement

__all__ = ["LightPlan", "MasterPlan", "NightPlan", "Target", "plan_night"]

_LEFT_OUT = "left out"  # what is done with masters, unless they serve
_SHOOT = "shoot them, or name a folder that has them"


@dataclass(frozen=True, eq=False)
class Target:
    """Lights that are integrated: of one object, filter, camera and setting.

    Parameters
    ----------
    name
        What its image will be called.
    field
        Targets of one field, such as several filters of one object, are registered to one light.
    lights
        In order of time.
    colour
        Whether the sensor has a Bayer pattern: such lights are calibrated, and neither registered nor integrated.
    """

    name: str
    field: str
    lights: tuple[LightPlan, ...]
    colour: bool


@dataclass(frozen=True, eq=False)
class NightPlan:
    """What will be done with the frames of a night; :func:`workbench.calibrate.night.run_night` does it."""

    root: Path
    masters: tuple[MasterPlan, ...]
    targets: tuple[Target, ...]
    problems: tuple[Problem, ...]

    @property
    def lights(self) -> Iterator[LightPlan]:
        """All lights, target by target."""
        return (light for target in self.targets for light in target.lights)


def plan_night(
    frames: pd.DataFrame,
    *,
    out: str | os.PathLike[str] | None = None,
    doubling_temperature: Measurement | float | None = None,
    use_flats: bool = True,
    use_overscan: bool = True,
    scaling: Scaling | None = None,
) -> NightPlan:
    """Decide what goes with what.

    Parameters
    ----------
    frames
        A catalogue: lights, darks, flats, and darkflats or bias frames; masters that `workbench combine` made serve in
        place of frames.
    out
        The folder of the results; what is below it is no frame of the night.
    doubling_temperature
        For how near in temperature a dark has to be, see :func:`workbench.calibrate.matching.tolerances`.
    use_flats
        Whether to divide by flats.
    use_overscan
        Whether to subtract the overscan that ``workbench.toml`` or headers name, and to cut frames to the image.
    scaling
        How a light without a dark of its own exposure gets a longer one, scaled down; None scales none. A dark that
        matches is always preferred, and a shorter one is never taken.

    Returns
    -------
    NightPlan
        Lights that cannot be read, or that no dark matches, are not in it; its ``problems`` name them.

    Raises
    ------
    InputError
        When there are no lights, no dark matches any of them, there are flats but none that matches, or flats whose
        bias nothing can remove.
    """
    frames = frames[_outside(frames["path"], out)] if out is not None else frames
    frames, earlier = _without_results(frames)
    seen = [(path, one) for path, ones in zip(frames["path"], frames["problems"], strict=True) for one in ones]
    lights = frames[(frames["kind"] == "light") & frames["usable"]]
    if not len(lights):
        why = [one for one, kind in zip(frames["problems"], frames["kind"], strict=True) if kind == "light" and one]
        rule = f"no light can be used: {why[0][0].rule}" if why else "holds no light frames"
        raise InputError(frames.attrs.get("root", "frames"), rule, "name a folder with lights; see `workbench inspect`")
    frames, overscans, named = with_overscan(frames, use=use_overscan)
    lights = frames[(frames["kind"] == "light") & frames["usable"]]
    if not len(lights):
        raise InputError(named[-1].file, named[-1].rule, named[-1].action.partition("; ")[2])
    desk = Desk(frames, overscans, doubling_temperature, use_flats=use_flats, scaling=scaling)
    planned = [one for one in (desk.light(row) for _, row in lights.iterrows()) if one is not None]
    serve = {str(path) for one in desk.masters.values() if one.ready for path in one.rows["path"]}
    problems = [*earlier, *(one for path, one in seen if path not in serve or not one.action.startswith(_LEFT_OUT))]
    problems += [*named, *desk.problems]
    if not planned:
        file, _, rule = desk.unmatched[0].partition(": ")
        raise InputError(file, rule, _SHOOT)
    if not len(frames[frames["kind"] == "flat"]) and use_flats:
        problems.append(Problem("flats", "are none", "lights are not divided: vignetting and dust stay in them"))
    return NightPlan(
        Path(frames.attrs.get("root", ".")), tuple(desk.masters.values()), tuple(_targets(planned)), tuple(problems)
    )


def _outside(paths: pd.Series[Any], out: str | os.PathLike[str]) -> list[bool]:
    folder = Path(out).resolve()
    return [not Path(path).resolve().is_relative_to(folder) for path in paths]


def _without_results(frames: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out what an earlier run made, but for its masters, and say so once a folder."""
    root = Path(frames.attrs.get("root", "."))
    made: dict[Path, bool] = {}
    skipped: dict[Path, int] = {}
    keep = []
    for path in map(Path, frames["path"]):
        above = [one for one in path.parents if one.is_relative_to(root)]
        for one in above:
            if one not in made:
                made[one] = (one / RECORD).is_file()
        folder = next((one for one in above if made[one]), None)
        keep.append(folder is None or path.is_relative_to(folder / "masters"))
        if folder is not None and not keep[-1]:
            skipped[folder] = skipped.get(folder, 0) + 1
    rule = f"holds results of an earlier run ({RECORD})"
    problems = [
        Problem(
            str(folder.relative_to(root)) if folder != root else folder.name,
            rule,
            f"{count} files skipped, not its masters",
        )
        for folder, count in skipped.items()
    ]
    return frames[keep], problems


def _targets(lights: list[LightPlan]) -> Iterator[Target]:
    """Put lights together that make one image."""
    groups: dict[tuple[str, ...], list[LightPlan]] = {}
    for light in lights:
        row = light.row
        key = tuple("" if pd.isna(row[name]) else str(row[name]) for name in ("object", "filter", *SAME_SETTINGS))
        groups.setdefault(key, []).append(light)
    names: set[str] = set()
    for key, members in groups.items():
        known = safe_name("_".join(part for part in key[:2] if part)) if any(key[:2]) else "lights"
        name = known if known not in names else f"{known}-{len(names) + 1}"
        names.add(name)
        # without a name of the object nobody knows that two filters show one field
        field = "/".join((key[0], *key[2:])) if key[0] else "/".join(key)
        ordered = sorted(members, key=lambda light: (pd.isna(light.row["date"]), str(light.row["date"]), light.file))
        yield Target(name, field, tuple(ordered), colour=isinstance(ordered[0].row["bayer_pattern"], str))
