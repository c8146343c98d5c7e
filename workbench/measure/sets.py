"""Which frames belong together: exposures of one temperature, pairs of flats, zero-light frames; areas of a sensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError
from workbench.frames.load import load_stack
from workbench.frames.manifests import bayer_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from workbench.frames.manifests import Region

EXPOSURE_TOLERANCE = 0.005  # relative: 1.999 s and 2 s are one exposure
_SERIES_GAP = 3.0  # K: an uncooled sensor drifts within a series, another season or set point is another series


@dataclass(frozen=True)
class FrameSet:
    """Frames of one kind, exposure [s] and temperature [deg_C] (None where no header tells it)."""

    exposure: float
    temperature: float | None
    rows: pd.DataFrame

    @property
    def n_frames(self) -> int:
        """How many."""
        return len(self.rows)


@dataclass(frozen=True)
class Area:
    """A part of the sensor that is measured by itself.

    ``slices`` cut it out of a frame; ``excluded`` [y, x] marks pixels of the cut that do not count (overscan, ...).
    """

    region: str | None
    slices: tuple[slice, slice]
    excluded: NDArray[np.bool_] = field(repr=False)

    def load(self, rows: pd.DataFrame) -> xr.DataArray:
        """Return the lazy stack of these frames, cut to the area."""
        return load_stack(rows, region=self.slices)

    @property
    def conditions(self) -> dict[str, str]:
        """The region's name, where there is one."""
        return {} if self.region is None else {"region": self.region}


def mean_temperature(rows: pd.DataFrame) -> float | None:
    """Return the mean measured temperature [deg_C] to 0.01 K; None where nothing was measured."""
    known = rows["temperature"].dropna().astype(float)
    return round(float(known.mean()), 2) if len(known) else None


def exposure_sets(rows: pd.DataFrame) -> list[FrameSet]:
    """Split rows into sets of equal exposure (within 0.5 %), shortest first, frames in order of time."""
    ordered = rows.sort_values(["exposure", "date", "file"], kind="stable")
    exposures = ordered["exposure"].to_numpy(dtype=np.float64)
    jumps = np.flatnonzero(np.diff(exposures) > EXPOSURE_TOLERANCE * exposures[1:]) + 1
    sets = []
    for part in np.split(np.arange(len(ordered)), jumps):
        members = ordered.iloc[part].sort_values(["date", "file"], kind="stable")
        exposure = float(f"{np.median(members['exposure'].to_numpy(dtype=np.float64)):.6g}")
        sets.append(FrameSet(exposure, mean_temperature(members), members))
    return sets


def temperature_series(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Split rows into series of one set point; without set points, where measured temperatures leave a gap of 3 K.

    The longest series (most frames) comes first.
    """
    temperature = rows["set_temperature"].astype(float)
    if temperature.isna().any():
        temperature = rows["temperature"].astype(float)
    if temperature.isna().any():
        return [rows]
    order = np.argsort(temperature.to_numpy(), kind="stable")
    sorted_values = temperature.to_numpy()[order]
    gap = _SERIES_GAP if rows["set_temperature"].isna().any() else 0.5
    parts = np.split(order, np.flatnonzero(np.diff(sorted_values) > gap) + 1)
    return sorted((rows.iloc[np.sort(part)] for part in parts), key=len, reverse=True)


def zero_light(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the frames that serve as the zero-light reference: those a manifest names, else the bias frames."""
    named = rows[rows["zero_light"].astype(bool)]
    return named if len(named) else rows[rows["kind"] == "bias"]


def flat_pairs(rows: pd.DataFrame, means: Sequence[float]) -> list[tuple[float, pd.DataFrame]]:
    """Pair flats of one filter and exposure by level, brightest with next brightest: ``(exposure [s], two rows)``.

    Parameters
    ----------
    rows
        The flats.
    means
        Their frame means [adu], in the same order.

    Notes
    -----
    A pair whose levels differ by more than a tenth is left out: the light changed, and with it perhaps its pattern.
    """
    levels = dict(zip(rows.index, means, strict=True))
    pairs = []
    for _, same in rows.groupby(rows["filter"].fillna("").astype(str), sort=True):
        for one in exposure_sets(same):
            order = sorted(one.rows.index, key=lambda index: -levels[index])
            for first, second in zip(order[::2], order[1::2], strict=False):
                if levels[second] > 0.9 * levels[first]:
                    pairs.append((one.exposure, rows.loc[[first, second]]))
    return pairs


def areas(
    shape: tuple[int, int], regions: Sequence[Region], bayer_pattern: str | None, *, per_bayer: bool
) -> list[Area]:
    """Return the areas to measure: taps of the manifest, or the planes of the colour mosaic, or the whole frame.

    Raises
    ------
    InputError
        When colour planes are asked for and the frames name no Bayer pattern, or taps are measured already.
    """
    taps = [region for region in regions if region.role == "tap"]
    outside = np.zeros(shape, dtype=bool)
    for region in regions:
        if region.role != "tap":
            outside[region.slices()] = True
    if per_bayer:
        if taps:
            raise InputError("--per-bayer", "the manifest names taps", "measure one or the other")
        if bayer_pattern is None:
            raise InputError("--per-bayer", "the frames name no Bayer pattern", "set bayer_pattern in workbench.toml")
        taps = list(bayer_regions(shape, bayer_pattern))
    if not taps:
        return [Area(None, (slice(None), slice(None)), outside)]
    return [Area(tap.name, tap.slices(), outside[tap.slices()]) for tap in taps]


def single(rows: pd.DataFrame, column: str) -> Any:
    """Return the one value of a column that all rows share; None where it is missing, or where they differ."""
    known = rows[column].dropna().unique().tolist()  # plain Python values: they end up in JSON
    if len(known) != 1:
        return None
    return int(known[0]) if isinstance(known[0], float) and known[0].is_integer() else known[0]


def pixel_pitch(rows: pd.DataFrame) -> float | None:
    """Return the pixel size [um]; None where it is unknown, or binning may or may not be counted in it."""
    binning = single(rows, "binning")
    size = single(rows, "pixel_size")
    return None if size is None or binning not in (None, "1x1") else float(size)
