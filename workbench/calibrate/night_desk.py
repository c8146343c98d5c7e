"""The desk of a night's plan: lights are matched one by one, and of each master one plan is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.calibrate.master_header import MADE_BY
from workbench.calibrate.matching import Match, match_dark, match_flat
from workbench.errors import InputError
from workbench.frames.formats import read_frame_file
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.calibrate.night_scaling import Scaling
    from workbench.frames.overscan import Overscan
    from workbench.results import Measurement

__all__ = ["SAME_SETTINGS", "Desk", "LightPlan", "MasterPlan", "safe_name"]

SAME_SETTINGS = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning", "height", "width")
_LEFT_OUT = "left out"
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
    overscan
        What is subtracted from each of its frames first; None where nothing is, or a master is there.
    """

    file: str
    kind: str
    rows: pd.DataFrame
    bias: MasterPlan | None = None
    ready: bool = False
    overscan: Overscan | None = None


@dataclass(frozen=True, eq=False)
class LightPlan:
    """A light, the masters that calibrate it, and why these.

    Parameters
    ----------
    row
        Of the catalogue.
    name
        What its results are called.
    dark, dark_match
        The dark, and why this one.
    flat, flat_match
        The flat, and why this one; None without flats.
    bias, scaling
        Where the dark is to be scaled, what is subtracted from it before, and how; else None.
    overscan
        What is subtracted from the light first; None where nothing is.
    """

    row: pd.Series
    name: str
    dark: MasterPlan
    dark_match: Match
    flat: MasterPlan | None
    flat_match: Match | None
    bias: MasterPlan | None = None
    scaling: Scaling | None = None
    overscan: Overscan | None = None

    @property
    def file(self) -> str:
        """File of the light, as the catalogue names it."""
        return str(self.row["file"])


class Desk:
    """Matches lights one by one, and keeps one plan for each master.

    Parameters
    ----------
    frames
        A catalogue with the column ``overscan``.
    overscans
        What that column's words mean.
    doubling_temperature, use_flats, scaling
        As for :func:`workbench.calibrate.night_plan.plan_night`.
    """

    def __init__(
        self,
        frames: pd.DataFrame,
        overscans: Mapping[str, Overscan],
        doubling_temperature: Measurement | float | None,
        *,
        use_flats: bool,
        scaling: Scaling | None,
    ) -> None:
        raw = frames["usable"] & ~frames["master"].astype(bool)
        ours = frames["master"].astype(bool) & frames["software"].fillna("").str.startswith(MADE_BY)
        self.frames = frames[(raw | ours) & frames["source"].notna()]
        self.overscans, self.doubling_temperature = overscans, doubling_temperature
        self.use_flats, self.scaling = use_flats, scaling
        self.masters: dict[tuple[Any, ...], MasterPlan] = {}
        self.names: set[str] = set()
        self.problems: list[Problem] = []
        self.unmatched: list[str] = []

    def light(self, row: pd.Series) -> LightPlan | None:
        """Plan a light; None when no dark matches it."""
        match, refusal = self._dark_of(row)
        frames = None
        if not refusal and _is_scaled(match):
            frames = self._bias_frames(row)
            refusal = "" if frames else "its dark is longer, and no bias frames are there to scale what is above them"
        if refusal:
            self.unmatched.append(f"{row['file']}: {refusal}")
            self.problems.append(Problem(str(row["file"]), refusal, _LEFT_OUT))
            return None
        dark, bias = self._master("dark", match), self._master("bias", frames) if frames else None
        found = flat = None
        if self.use_flats and len(flats := self._of("flat")):
            found = match_flat(row, flats)
            if not found.ok:
                raise InputError(str(row["file"]), found.reason.partition(": ")[2], _NO_FLAT)
            flat = self._flat(found)
        scaling, overscan = self.scaling if bias else None, self._overscan(row)
        return LightPlan(row, self._name(row), dark, match, flat, found, bias, scaling, overscan)

    def _dark_of(self, row: pd.Series) -> tuple[Match, str]:
        """Find the dark of a light, and why it has none; a longer one where darks may be scaled."""
        darks, doubling = self._of("dark"), self.doubling_temperature
        asked, refused = self.scaling is not None, self.scaling.refusal if self.scaling else ""
        match = match_dark(row, darks, doubling_temperature=doubling, scalable=asked and not refused)
        if match.ok:
            return match, "" if self._enough(match) else "its dark is a single raw frame, and needs more"
        reason = match.reason.partition(": ")[2]
        if refused and match_dark(row, darks, doubling_temperature=doubling, scalable=True).ok:
            reason = f"{reason}; {refused}"
        return match, reason

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
            overscan = None if ready else self._overscan(rows.iloc[0])
            self.masters[match.chosen] = MasterPlan(file, kind, rows, bias, ready, overscan)
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
        frames = self._bias_frames(flat)
        if frames is None:
            rule = "neither darkflats of these flats nor bias frames of their camera and settings are there"
            step = "shoot darkflats as long as the flats, or bias frames; --no-flat goes on without flats"
            raise InputError(str(flat["file"]), rule if not len(short) else f"{rule} ({_why(match)})", step)
        return self._master("bias", frames)

    def _bias_frames(self, row: pd.Series) -> Match | None:
        """Return the bias frames of a frame's camera and settings, or a master of such; None where there is none."""
        rows = self._of("bias")
        for name in (*SAME_SETTINGS, "overscan"):
            rows = rows[(rows[name] == row[name]) | (rows[name].isna() & pd.isna(row[name]))]
        ready = rows["master"].astype(bool)
        chosen = rows[~ready] if np.count_nonzero(~ready) > 1 else rows[ready].iloc[:1]
        labels = tuple(chosen.index)
        return Match(labels, (), labels, f"{len(labels)} bias frames") if labels else None

    def _overscan(self, row: pd.Series) -> Overscan | None:
        return None if pd.isna(row["overscan"]) else self.overscans[row["overscan"]]

    def _name(self, row: pd.Series) -> str:
        """Name a light's results after its file, with its folder where two have one name."""
        path = Path(str(row["path"]))
        stem = path.name.removesuffix(".gz").removesuffix(".fz").rpartition(".")[0] or path.name
        return self._unused(safe_name(stem), safe_name(f"{path.parent.name}-{stem}"))

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


def _is_scaled(match: Match) -> bool:
    """Tell whether a dark that was chosen is longer than its light."""
    return any(one.name == "exposure" and one.miss > 0 for one in match.criteria)


def _master_name(kind: str, rows: pd.DataFrame) -> str:
    parts = [f"master_{kind}"]
    exposure, temperature = rows["exposure"].median(), rows["temperature"].median()
    if kind in ("dark", "darkflat") and pd.notna(exposure):
        parts.append(f"{exposure:g}s")
    if kind == "dark" and pd.notna(temperature):
        parts.append(f"{temperature:.0f}C")
    if kind == "flat" and isinstance(rows["filter"].iloc[0], str):
        parts.append(rows["filter"].iloc[0])
    return safe_name("_".join(parts))


def safe_name(text: str) -> str:
    """Return text as a file can be called, whatever a header says.

    Examples
    --------
    >>> safe_name("../M 31: H-alpha"), safe_name("***")
    ('M_31_H-alpha', 'frame')
    """
    return _UNSAFE.sub("_", text).strip("._") or "frame"
