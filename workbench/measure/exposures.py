"""The exposures of a series of darks, measured over the pixels that every dark of the series holds in range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.scaling import Tiles, tiles_of
from workbench.stack.hits import FEWEST_FRAMES, Hits, find_hits
from workbench.stack.masked import MaskedMoments, masked_variance
from workbench.stack.variance import DifferenceMoments, Estimate, Levels, difference_moments, levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from workbench.measure.record import Record
    from workbench.measure.sets import Area, FrameSet

MOST_EXCLUDED = 0.05  # of the pixels: an exposure that loses more is left out, not the pixels of all


@dataclass(frozen=True)
class Reference:
    """The zero-light frames: exposure [s], temperature [deg_C], moments [adu], dates, and why their noise is no use."""

    exposure: float
    temperature: float | None
    moments: DifferenceMoments
    dates: NDArray[np.datetime64]
    rounded: str | None

    def tiles(self, excluded: NDArray[np.bool_]) -> Tiles | None:
        """Average the maps over the grid of tiles; None where there is one frame."""
        return _tiles(self.moments, excluded, self.exposure)


@dataclass(frozen=True)
class MeasuredSet:
    """One exposure: its frames, their moments, and the master over the grid of tiles where maps were asked for.

    ``hits`` and ``masked`` are its cosmic rays and the moments without them; None with fewer than four frames.
    """

    frames: FrameSet
    moments: DifferenceMoments
    tiles: Tiles | None = None
    hits: Hits | None = None
    masked: MaskedMoments | None = None

    @property
    def temporal(self) -> Estimate:
        """Temporal variance of one frame [adu2].

        Raises
        ------
        NotMeasurableError
            For one frame.
        """
        if self.moments.temporal is None:
            raise NotMeasurableError("one dark has no temporal variance")
        return self.moments.temporal


@dataclass(frozen=True)
class MeasuredSeries:
    """All exposures of a series, shortest first; ``excluded`` [y, x] are the pixels left out of all of them.

    ``n_lost`` counts those that saturate or clip at zero in some dark; ``longest`` are the moments of the longest
    exposure with their maps, cosmic rays left out, where maps were asked for.
    """

    sets: tuple[MeasuredSet, ...]
    excluded: NDArray[np.bool_]
    n_lost: int
    longest: DifferenceMoments | None


def measure_exposures(
    record: Record, area: Area, sets: Sequence[FrameSet], saturation: float | None, *, maps: bool
) -> MeasuredSeries:
    """Measure every exposure over the same pixels, else those that saturate late would bend the mean.

    Parameters
    ----------
    record
        Where exposures that saturate are named.
    area, sets
        The frames, shortest exposure first.
    saturation
        The value from which on a pixel does not count [adu].
    maps
        Whether to keep tiles of every exposure and the maps of the longest.

    Raises
    ------
    NotMeasurableError
        When every exposure saturates.
    """
    usable, looks = _in_range(record, area, sets, saturation)
    excluded = np.logical_or.reduce([look.out_of_range for look in looks]) | area.excluded
    measured: list[MeasuredSet] = []
    longest = None
    for one, look in zip(usable, looks, strict=True):
        stack = area.load(one.rows)
        moments = difference_moments(stack, look.frame_means, excluded, maps=maps)
        hits, masked = _without_rays(stack, look, area, excluded, maps=maps)
        if masked is not None and maps:
            moments = replace(moments, mean_map=masked.mean_map, variance_map=masked.variance_map)
        if maps and one is usable[-1]:
            longest = moments if masked is None else replace(moments, temporal=masked.temporal)
        # the maps of all exposures would fill the memory
        tiles = _tiles(moments, excluded, one.exposure)
        bare = replace(moments, mean_map=None, variance_map=None)
        if masked is not None:
            masked = replace(masked, mean_map=None, variance_map=None)
        measured.append(MeasuredSet(one, bare, tiles, hits, masked))
    return MeasuredSeries(tuple(measured), excluded, int((excluded & ~area.excluded).sum()), longest)


def _without_rays(
    stack: xr.DataArray, look: Levels, area: Area, excluded: NDArray[np.bool_], *, maps: bool
) -> tuple[Hits | None, MaskedMoments | None]:
    """Find the cosmic rays, also in pixels that they saturate, and measure the rest."""
    if stack.shape[0] < FEWEST_FRAMES:
        return None, None
    hits = find_hits(stack, look.frame_means, area.excluded)
    return hits, masked_variance(stack, look.frame_means, excluded, hits, maps=maps)


def _in_range(
    record: Record, area: Area, sets: Sequence[FrameSet], saturation: float | None
) -> tuple[list[FrameSet], list[Levels]]:
    """Leave out, by name, the exposures that saturate or clip over a good part of the sensor."""
    kept: list[tuple[FrameSet, Levels]] = []
    for one in sets:
        look = levels(area.load(one.rows), saturation)
        lost = float(look.out_of_range[~area.excluded].mean())
        if lost <= MOST_EXCLUDED:
            kept.append((one, look))
            continue
        where = f"darks of {one.exposure:g} s of {record.conditions['group']}"
        record.problem(where, f"{lost:.0%} of their pixels saturate or clip at zero in some frame", "left out")
    if not kept:
        reason = "every exposure saturates or clips over a good part of the sensor; shoot shorter darks"
        raise NotMeasurableError(reason)
    return [one for one, _ in kept], [look for _, look in kept]


def _tiles(moments: DifferenceMoments, excluded: NDArray[np.bool_], exposure: float) -> Tiles | None:
    if moments.mean_map is None or moments.variance_map is None or moments.n_frames < 2:
        return None
    n = moments.n_frames
    level_error = float(moments.frame_means.std(ddof=1)) / n**0.5
    maps = moments.mean_map, moments.variance_map
    return tiles_of(*maps, excluded, exposure=exposure, n_frames=n, level_error=level_error)
