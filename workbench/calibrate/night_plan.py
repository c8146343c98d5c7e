"""The plan of a night: which lights go together, which masters they need, of which frames, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.calibrate.master_header import MADE_BY
from workbench.calibrate.matching import Match, match_dark, match_flat
from workbench.errors import InputError
from workbench.frames.formats import read_frame_file
from workbench.results import Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from workbench.results import Measurement

__all__ = ["LightPlan", "MasterPlan", "NightPlan", "Target", "plan_night"]

_SAME = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning", "height", "width")
_LEFT_OUT = "left out"
_SHOOT = "shoot them, or name a folder that has them"
_NO_FLAT = "give flats of this filter, or --no-flat to go on without"
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")


@dataclass(frozen=True, eq=False)
class MasterPlan:
    """A master to be made, or one that is there already.

    Parameters
    ----------
    file
        Where it will be, from the output folder on; of one that is there, its path.
    kind
        Of its frames.
    rows
        Of the catalogue: its frames.
    bias
        What is subtracted from flats: a master of their darkflats, or of bias frames.
    ready
        Whether it is there already.
    """

    file: str
    kind: str
    rows: pd.DataFrame
    bias: MasterPlan | None = None
    ready: bool = False


@dataclass(frozen=True, eq=False)
class LightPlan:
    """A light, the masters that calibrate it, and why these."""

    row: pd.Series
    name: str
    dark: MasterPlan
    dark_match: Match
    flat: MasterPlan | None
    flat_match: Match | None

    @property
    def file(self) -> str:
        """File of the light, as the catalogue names it."""
        return str(self.row["file"])


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
    problems = [one for ones in frames["problems"] for one in ones]
    lights = frames[(frames["kind"] == "light") & frames["usable"]]
    if not len(lights):
        seen = [one for one, kind in zip(frames["problems"], frames["kind"], strict=True) if kind == "light" and one]
        rule = f"no light can be used: {seen[0][0].rule}" if seen else "holds no light frames"
        raise InputError(frames.attrs.get("root", "frames"), rule, "name a folder with lights; see `workbench inspect`")
    desk = _Desk(frames, doubling_temperature, use_flats=use_flats)
    planned = [one for one in (desk.light(row) for _, row in lights.iterrows()) if one is not None]
    problems += desk.problems
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


class _Desk:
    """Matches lights one by one, and keeps one plan for each master."""

    def __init__(
        self, frames: pd.DataFrame, doubling_temperature: Measurement | float | None, *, use_flats: bool
    ) -> None:
        raw = frames["usable"] & ~frames["master"].astype(bool)
        ours = frames["master"].astype(bool) & frames["software"].fillna("").str.startswith(MADE_BY)
        self.frames = frames[(raw | ours) & frames["source"].notna()]
        self.doubling_temperature, self.use_flats = doubling_temperature, use_flats
        self.masters: dict[tuple[Any, ...], MasterPlan] = {}
        self.names: set[str] = set()
        self.problems: list[Problem] = []
        self.unmatched: list[str] = []

    def light(self, row: pd.Series) -> LightPlan | None:
        """Plan a light; None when no dark matches it."""
        match = match_dark(row, self._of("dark"), doubling_temperature=self.doubling_temperature)
        if not match.ok or not self._enough(match):
            reason = match.reason if not match.ok else f"{row['file']}: its dark is a single raw frame, and needs more"
            self.unmatched.append(reason)
            self.problems.append(Problem(str(row["file"]), reason.partition(": ")[2], _LEFT_OUT))
            return None
        dark = self._master("dark", match)
        flats = self._of("flat")
        if not self.use_flats or not len(flats):
            return LightPlan(row, self._name(row), dark, match, None, None)
        found = match_flat(row, flats)
        if not found.ok:
            raise InputError(str(row["file"]), found.reason.partition(": ")[2], _NO_FLAT)
        return LightPlan(row, self._name(row), dark, match, self._flat(found), found)

    def _of(self, kind: str) -> pd.DataFrame:
        return self.frames[self.frames["kind"] == kind]

    def _enough(self, match: Match) -> bool:
        rows = self.frames.loc[list(match.chosen)]
        return len(rows) > 1 or bool(rows["master"].iloc[0])

    def _master(self, kind: str, match: Match, bias: MasterPlan | None = None) -> MasterPlan:
        if match.chosen not in self.masters:
            rows = self.frames.loc[list(match.chosen)]
            ready = bool(rows["master"].iloc[0])
            file = str(rows["path"].iloc[0]) if ready else f"masters/{self._unused(_master_name(kind, rows))}.fits"
            self.masters[match.chosen] = MasterPlan(file, kind, rows, bias, ready)
        return self.masters[match.chosen]

    def _flat(self, match: Match) -> MasterPlan:
        if match.chosen in self.masters:
            return self.masters[match.chosen]
        row = self.frames.loc[match.chosen[0]]
        if not self._enough(match):
            raise InputError(str(row["file"]), "one flat makes no master", _NO_FLAT)
        free = bool(row["master"]) and not _holds_bias(str(row["path"]))
        return self._master("flat", match, None if free else self._bias_of(row))

    def _bias_of(self, flat: pd.Series) -> MasterPlan:
        """Return what is subtracted from flats: their darkflats, else bias frames."""
        short = self._of("darkflat")
        match = match_dark(flat, short, doubling_temperature=self.doubling_temperature)
        if match.ok and self._enough(match):
            return self._master("darkflat", match)
        rows = self._of("bias")
        for name in _SAME:
            rows = rows[(rows[name] == flat[name]) | (rows[name].isna() & pd.isna(flat[name]))]
        if len(rows) < 2:
            rule = "neither darkflats of these flats nor bias frames of their camera and settings are there"
            step = "shoot darkflats as long as the flats, or bias frames; --no-flat goes on without flats"
            raise InputError(str(flat["file"]), rule if not len(short) else f"{rule} ({_why(match)})", step)
        return self._master("bias", _all_of(rows))

    def _name(self, row: pd.Series) -> str:
        """Name a light's results after its file, with its folder where two have one name."""
        path = Path(str(row["path"]))
        stem = path.name.removesuffix(".gz").removesuffix(".fz").rpartition(".")[0] or path.name
        return self._unused(_safe(stem), _safe(f"{path.parent.name}-{stem}"))

    def _unused(self, *names: str) -> str:
        number = 1
        for name in names:
            if name not in self.names:
                break
        else:
            while (name := f"{names[-1]}-{number}") in self.names:
                number += 1
        self.names.add(name)
        return name


def _holds_bias(master: str) -> bool:
    return any(card.key == "BIASIN" and card.text.strip() == "T" for card in read_frame_file(master).cards)


def _why(match: Match) -> str:
    return "; ".join(one.reason for one in match.criteria if one.ok is False)


def _all_of(rows: pd.DataFrame) -> Match:
    labels = tuple(rows.index)
    return Match(labels, (), labels, f"{len(rows)} bias frames")


def _master_name(kind: str, rows: pd.DataFrame) -> str:
    parts = [f"master_{kind}"]
    exposure, temperature = rows["exposure"].median(), rows["temperature"].median()
    if kind in ("dark", "darkflat") and pd.notna(exposure):
        parts.append(f"{exposure:g}s")
    if kind == "dark" and pd.notna(temperature):
        parts.append(f"{temperature:.0f}C")
    if kind == "flat" and isinstance(rows["filter"].iloc[0], str):
        parts.append(rows["filter"].iloc[0])
    return _safe("_".join(parts))


def _safe(text: str) -> str:
    """Return text as a file can be called, whatever a header says.

    Examples
    --------
    >>> _safe("../M 31: H-alpha"), _safe("***")
    ('M_31_H-alpha', 'frame')
    """
    return _UNSAFE.sub("_", text).strip("._") or "frame"


def _targets(lights: list[LightPlan]) -> Iterator[Target]:
    """Put lights together that make one image."""
    groups: dict[tuple[str, ...], list[LightPlan]] = {}
    for light in lights:
        row = light.row
        key = tuple("" if pd.isna(row[name]) else str(row[name]) for name in ("object", "filter", *_SAME))
        groups.setdefault(key, []).append(light)
    names: set[str] = set()
    for key, members in groups.items():
        known = _safe("_".join(part for part in key[:2] if part)) if any(key[:2]) else "lights"
        name = known if known not in names else f"{known}-{len(names) + 1}"
        names.add(name)
        # without a name of the object nobody knows that two filters show one field
        field = "/".join((key[0], *key[2:])) if key[0] else "/".join(key)
        ordered = sorted(members, key=lambda light: (pd.isna(light.row["date"]), str(light.row["date"]), light.file))
        yield Target(name, field, tuple(ordered), colour=isinstance(ordered[0].row["bayer_pattern"], str))
