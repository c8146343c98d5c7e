"""One camera in one mode: are its frames raw, what steps do its values take, where do they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import FrameError, InputError, NotMeasurableError
from workbench.frames.evidence import pixel_evidence
from workbench.measure.area import AreaSurvey
from workbench.measure.gain import saturation_level
from workbench.measure.record import Record
from workbench.measure.sets import areas, exposure_sets, single
from workbench.results import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.measure.options import Options
    from workbench.results import Results, Verdict


@dataclass(frozen=True)
class Values:
    """The distinct stored values of a group, ascending, how often each occurs, and what follows."""

    values: NDArray[Any]
    counts: NDArray[np.int64]
    lattice: int | None

    @property
    def ceiling(self) -> float | None:
        """The greatest value that the type and the lattice allow [adu]; None for float values."""
        if self.lattice is None:
            return None
        return float(np.iinfo(self.values.dtype).max // self.lattice * self.lattice)


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
        self.rows = self._readable(rows)

    def run(self) -> dict[str, dict[str, Verdict]]:
        """Measure, and return the verdicts of each area, by region; the whole frame has an empty name."""
        self.rows = self.rows[~self.rows["file"].isin(self._refused())]
        values = self._values()
        self._describe(values)
        saturation = self._saturation(values)
        shape = (int(self.rows["height"].iloc[0]), int(self.rows["width"].iloc[0]))
        pattern = single(self.rows, "bayer_pattern")
        parts = areas(shape, self.options.regions, pattern, per_bayer=self.options.per_bayer)
        verdicts = {}
        for area in parts:
            survey = AreaSurvey(
                area, self.rows, self.record.under(**area.conditions), self.options, values.lattice, saturation
            )
            verdicts[area.region or ""] = survey.run()
        return verdicts

    def _readable(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Read every frame once: some files turn out broken, or without a finite value, only then."""
        self._histogram: dict[str, tuple[NDArray[Any], NDArray[np.int64]]] = {}
        rows = self._timed(rows)
        for row in rows.itertuples():
            try:
                self._histogram[row.file] = _count(row.source.read())
            except FrameError as error:
                self.record.problem(row.file, error.rule, "left out")
            self.advance()
        return rows[rows["file"].isin(self._histogram)]

    def _timed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Leave out darks and flats without an exposure; a bias without one is one of no exposure."""
        unknown = rows["exposure"].isna()
        for row in rows[unknown].itertuples():
            action = "taken as 0 s, for it is a bias" if row.kind == "bias" else "left out; set it in workbench.toml"
            self.record.problem(row.file, "has no exposure time", action)
        rows = rows[~unknown | (rows["kind"] == "bias")]
        return rows.assign(exposure=rows["exposure"].fillna(0.0))

    def _refused(self) -> set[str]:
        """Name the frames whose pixels do not look raw; with ``accept`` they are named and used."""
        refused: set[str] = set()
        for _, rows in self.rows.groupby("kind"):
            for one in exposure_sets(rows):
                first, second = (one.rows.iloc[k] for k in (0, min(1, one.n_frames - 1)))
                second_pixels = None if one.n_frames == 1 else second["source"].read()
                found = pixel_evidence(first["file"], first["source"].read(), second_pixels, first["bayer_pattern"])
                for problem in found:
                    action = (
                        "used, because it was accepted"
                        if self.options.accept
                        else "the set is left out; --accept uses it"
                    )
                    self.record.problem(f"{problem.file} and its set of {one.n_frames}", problem.rule, action)
                if found and not self.options.accept:
                    refused.update(one.rows["file"])
        return refused

    def _values(self) -> Values:
        parts = [self._histogram[file] for file in self.rows["file"]]
        if not parts:
            raise InputError(self.group, "no frame is left that looks raw", "see the problems named, or pass --accept")
        values, index = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        counts = np.bincount(index, weights=np.concatenate([part[1] for part in parts])).astype(np.int64)
        whole = np.issubdtype(values.dtype, np.integer)
        return Values(values, counts, int(np.gcd.reduce(values)) or 1 if whole else None)

    def _describe(self, values: Values) -> None:
        results, record = self.record.results, self.record
        regions = [
            {"name": one.name, "role": one.role, "rows": list(one.rows), "columns": list(one.columns)}
            for one in self.options.regions
        ]
        first = self.rows.iloc[0]
        described = {
            key: single(self.rows, key)
            for key in ("camera", "gain_setting", "offset_setting", "readout_mode", "binning")
        }
        shape = [int(first["height"]), int(first["width"])]
        counted = {"shape": shape, "lattice": values.lattice, "regions": regions, "n_frames": len(self.rows)}
        results.groups.append({"id": self.group, **described, **counted})
        if values.lattice is None:
            record.missing("lattice", "the values are not whole numbers; save raw frames as integers")
            return
        record.add(
            Measurement("lattice", values.lattice, 0.0, "adu", "greatest common divisor", n_frames=len(self.rows))
        )

    def _saturation(self, values: Values) -> float | None:
        """Record the measured saturation, and return the value from which on pixels do not count."""
        record = self.record
        with record.attempt("saturation", "full_well", "dynamic_range"):
            if values.lattice is None:
                raise NotMeasurableError("the values are not whole numbers: no pile-up can be told")
            level = saturation_level(values.values, values.counts, values.lattice)
            step = values.lattice / 12**0.5
            record.add(Measurement("saturation", level, step, "adu", "pile-up", n_frames=len(self.rows)))
            return level
        claim = single(self.rows, "saturation_claim")
        return values.ceiling if claim is None else float(claim)


def _count(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if pixels.dtype == np.uint16:
        counts = np.bincount(pixels.ravel(), minlength=0)
        values = np.flatnonzero(counts).astype(np.uint16)
        return values, counts[values]
    values, counts = np.unique(pixels, return_counts=True)
    return values, counts
