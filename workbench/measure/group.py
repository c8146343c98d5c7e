"""One camera in one mode: are its frames raw, what steps do its values take, where do they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import FrameError, InputError
from workbench.frames.evidence import pixel_evidence
from workbench.measure.area import AreaSurvey
from workbench.measure.record import Record
from workbench.measure.sets import areas, exposure_sets, single
from workbench.measure.values import StoredValues, ValueRange
from workbench.results import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.measure.options import Options
    from workbench.results import Results, Verdict

_SETTINGS = ("camera", "gain_setting", "offset_setting", "readout_mode", "binning")


class GroupSurvey:
    """The survey of one group.

    Parameters
    ----------
    group
        Its id.
    rows
        Its usable frames.
    results
        What is found is written here.
    options
        The caller's decisions.
    advance
        Called once for each frame that was read.
    """

    def __init__(
        self, group: str, rows: pd.DataFrame, results: Results, options: Options, advance: Callable[[], object]
    ) -> None:
        self.group, self.options, self.advance = group, options, advance
        settings = {key: single(rows, key) for key in ("gain_setting", "offset_setting")}
        self.record = Record(results).under(group=group, **settings)
        self.rows = self._timed(rows)

    def run(self) -> dict[str, dict[str, Verdict]]:
        """Measure, and return the verdicts of each area, by region; the whole frame has an empty name.

        Raises
        ------
        InputError
            When no frame of the group is left that looks raw, or an option does not fit its frames.
        """
        self.rows = self.rows[~self.rows["file"].isin(self._refused())]
        values = self._values()
        if not len(self.rows):
            raise InputError(self.group, "no frame is left that looks raw", "see the problems named, or pass --accept")
        self._describe(values)
        limits = ValueRange(values.lattice, self._saturation(values))
        shape = (int(self.rows["height"].iloc[0]), int(self.rows["width"].iloc[0]))
        pattern = single(self.rows, "bayer_pattern")
        verdicts = {}
        for area in areas(shape, self.options.regions, pattern, per_bayer=self.options.per_bayer):
            record = self.record.under(**area.conditions)
            verdicts[area.region or ""] = AreaSurvey(area, self.rows, record, self.options, limits).run()
        return verdicts

    def _timed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out darks and flats without an exposure; a bias without one is one of no exposure."""
        unknown = rows["exposure"].isna()
        for row in rows[unknown].itertuples():
            action = "taken as 0 s, for it is a bias" if row.kind == "bias" else "left out; set it in workbench.toml"
            self.record.problem(row.file, "has no exposure time", action)
        rows = rows[~unknown | (rows["kind"] == "bias")]
        return self._warm(rows.assign(exposure=rows["exposure"].fillna(0.0)))

    def _warm(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out darks without any temperature among darks that have one: they belong to no series."""
        darks = rows["kind"] == "dark"
        known = rows["temperature"].notna() | rows["set_temperature"].notna()
        if not known[darks].any() or known[darks].all():
            return rows
        for file in rows["file"][darks & ~known]:
            self.record.problem(file, "has no temperature, unlike other darks", "left out; set it in workbench.toml")
        return rows[~darks | known]

    def _refused(self) -> set[str]:
        """Name the frames whose pixels do not look raw; with ``accept`` they are named and used."""
        refused: set[str] = set()
        for _, rows in self.rows.groupby("kind"):
            for one in exposure_sets(rows):
                refused |= self._judged(one.rows)
        return refused

    def _judged(self, rows: pd.DataFrame) -> set[str]:
        """Judge a set by two frames that can be read and hold more than one value."""
        broken: set[str] = set()
        sound: list[tuple[Any, NDArray[Any]]] = []
        for row in rows.itertuples():
            try:
                pixels = row.source.read() if len(sound) < 2 else None
            except FrameError as error:
                self.record.problem(row.file, error.rule, "left out")
                broken.add(row.file)
                continue
            if pixels is not None and pixels.min() != pixels.max():
                sound.append((row, pixels))
        if not sound:
            return broken
        first, pixels = sound[0]
        # stars move between two lights: what is left of them is no noise of neighbours
        second = sound[1][1] if len(sound) > 1 and first.kind != "light" else None
        found = pixel_evidence(first.file, pixels, second, first.bayer_pattern)
        for problem in found:
            action = "used, because it was accepted" if self.options.accept else "the set is left out; --accept uses it"
            self.record.problem(f"{problem.file} and its set of {len(rows)}", problem.rule, action)
        return set(rows["file"]) if found and not self.options.accept else broken

    def _values(self) -> StoredValues:
        """Read every frame once; files that turn out broken or blank only now are named and left out."""
        values = StoredValues()
        dropped = set()
        for row in self.rows.itertuples():
            self.advance()
            try:
                pixels = row.source.read()
            except FrameError as error:
                self.record.problem(row.file, error.rule, "left out")
                dropped.add(row.file)
                continue
            if not np.isfinite(pixels).any() or np.nanmin(pixels) == np.nanmax(pixels):
                self.record.problem(row.file, f"has the value {pixels.flat[0]} in every pixel", "left out")
                dropped.add(row.file)
            else:
                values.add(pixels)
        self.rows = self.rows[~self.rows["file"].isin(dropped)]
        return values

    def _describe(self, values: StoredValues) -> None:
        results, record = self.record.results, self.record
        regions = [
            {"name": one.name, "role": one.role, "rows": list(one.rows), "columns": list(one.columns)}
            for one in self.options.regions
        ]
        first = self.rows.iloc[0]
        described = {key: single(self.rows, key) for key in _SETTINGS}
        shape = [int(first["height"]), int(first["width"])]
        counted = {"shape": shape, "lattice": values.lattice, "regions": regions, "n_frames": len(self.rows)}
        results.groups.append({"id": self.group, **described, **counted})
        if values.lattice is None:
            record.missing("lattice", "the values are not whole numbers; save raw frames as integers")
            return
        n_frames = len(self.rows)
        record.add(Measurement("lattice", values.lattice, 0.0, "adu", "greatest common divisor", n_frames=n_frames))

    def _saturation(self, values: StoredValues) -> float | None:
        """Record the measured saturation, and return the value from which on pixels do not count."""
        record = self.record
        with record.attempt("saturation", "full_well", "dynamic_range"):
            level = values.pile()
            record.add(Measurement("saturation", level, 0.0, "adu", "pile-up", n_frames=len(self.rows)))
            return level
        claim = single(self.rows, "saturation_claim")
        if claim is None:
            return values.ceiling
        return self._claimed(float(claim), values)

    def _claimed(self, claim: float, values: StoredValues) -> float | None:
        """Believe a header's full scale where no pixel exceeds it; it may count the ADC's own steps."""
        top = float(values.levels[-1]) if len(values.levels) else None
        for believed in (claim, claim * (values.lattice or 1)):
            if top is None or top <= believed:
                return believed
        rule = f"the headers claim a full scale of {claim:g} adu, and pixels hold {top:g}"
        self.record.problem(f"frames of {self.group}", rule, "the claim is not believed")
        return values.ceiling
