"""The exposures of a series of darks, measured over the pixels that every dark of the series holds in range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.gain import LINEAR_SHARE
from workbench.measure.grid import each_tile
from workbench.measure.scaling import Tiles, tiles_of
from workbench.stack.hits import FEWEST_FRAMES, Hits, find_hits
from workbench.stack.masked import MaskedMoments, masked_variance
from workbench.stack.row_noise import masked_with_row_noise, with_row_noise
from workbench.stack.variance import DifferenceMoments, Estimate, Levels, difference_moments, levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.measure.record import Record
    from workbench.measure.sets import Area, FrameSet
    from workbench.measure.values import ValueRange

_APART = 6.0  # widths of a tile's pixels: further away no ordinary pixel lies
_ONE_SIGMA = 0.683  # share of the pixels within one width
MOST_EXCLUDED = 0.05  # of the pixels: an exposure that loses more is left out, not the pixels of all


@dataclass(frozen=True)
class Reference:
    """The zero-light frames: rows, exposure [s], temperature [deg_C], moments [adu], and why their noise is no use.

    ``out_of_range`` [y, x] are their pixels that saturate, clip or have no value; ``row_noise`` is the variance in time
    that the pixels of a row share [adu2].
    """

    frames: FrameSet
    moments: DifferenceMoments
    rounded: str | None
    out_of_range: NDArray[np.bool_]
    row_noise: float = 0.0

    @property
    def exposure(self) -> float:
        """Their exposure [s]."""
        return self.frames.exposure

    @property
    def temperature(self) -> float | None:
        """Their temperature [deg_C]."""
        return self.frames.temperature

    def tiles(self, excluded: NDArray[np.bool_]) -> Tiles | None:
        """Average the maps over the grid of tiles; None where there is one frame."""
        return _tiles(self.moments, excluded, self.exposure, self.row_noise)


@dataclass(frozen=True)
class MeasuredSet:
    """One exposure: its frames, their moments, and the master over the grid of tiles; None for one frame.

    ``ordinary`` is the same grid without the pixels that stand out of it in the longest darks. ``hits`` and ``masked``
    are its cosmic rays and the moments without them; None with fewer than four frames.
    """

    frames: FrameSet
    moments: DifferenceMoments
    tiles: Tiles | None = None
    ordinary: Tiles | None = None
    hits: Hits | None = None
    masked: MaskedMoments | None = None

    @property
    def frame_means(self) -> NDArray[np.float64]:
        """Mean of each frame [adu], without its cosmic rays where they can be told."""
        return self.moments.frame_means if self.masked is None else self.masked.frame_means

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

    ``tiled_without`` [y, x] are those, and the pixels too near to saturation in the longest darks to be linear;
    ``outliers`` the pixels that stand out of their tile in the longest darks, and those left out. ``n_lost``
    counts those that saturate or clip at zero in some dark; ``longest`` are the moments of the longest exposure with
    a pair of darks, with their maps, cosmic rays left out; ``longest_frames`` its frames.
    """

    sets: tuple[MeasuredSet, ...]
    excluded: NDArray[np.bool_]
    tiled_without: NDArray[np.bool_]
    outliers: NDArray[np.bool_]
    n_lost: int
    longest: DifferenceMoments
    longest_frames: FrameSet


def measure_exposures(
    record: Record,
    area: Area,
    sets: Sequence[FrameSet],
    reference: Reference | None,
    values: ValueRange,
) -> MeasuredSeries:
    """Measure every exposure over the same pixels, else those that saturate late would bend the mean.

    Parameters
    ----------
    record
        Where exposures that saturate are named.
    area, sets
        The frames, shortest exposure first.
    reference
        The zero-light frames; with them pixels that stand out are told.
    values
        Step of the stored values, and the value from which on a pixel does not count [adu].

    Raises
    ------
    NotMeasurableError
        When every exposure saturates.
    """
    usable, looks = _in_range(record, area, sets, values.saturation)
    lost = np.logical_or.reduce([look.out_of_range for look in looks]) & ~area.excluded
    excluded = lost | area.excluded
    if reference is not None:
        excluded |= reference.out_of_range
    shared = 0.0 if reference is None else reference.row_noise
    at = max((k for k, one in enumerate(usable) if one.n_frames > 1), default=len(usable) - 1)
    longest, told = _measured(area, usable[at], looks[at], excluded, values.lattice, shared)
    bent = excluded | _near_saturation(longest, values.saturation)
    outliers = _standing_out(longest, reference, excluded)
    measured = []
    for k, (one, look) in enumerate(zip(usable, looks, strict=True)):
        moments, rays = (longest, told) if k == at else _measured(area, one, look, excluded, values.lattice, shared)
        tiles, ordinary = (_tiles(moments, without, one.exposure, shared) for without in (bent, outliers))
        # the maps of all exposures would fill the memory
        measured.append(MeasuredSet(one, rays.unmasked, tiles, ordinary, rays.hits, rays.masked))
    return MeasuredSeries(tuple(measured), excluded, bent, outliers, int(lost.sum()), longest, usable[at])


@dataclass(frozen=True)
class _Rays:
    """What a stack is with its cosmic rays, and what was found of them; without maps."""

    unmasked: DifferenceMoments
    hits: Hits | None = None
    masked: MaskedMoments | None = None


def _measured(
    area: Area, one: FrameSet, look: Levels, excluded: NDArray[np.bool_], lattice: int | None, shared: float
) -> tuple[DifferenceMoments, _Rays]:
    """Return the moments with maps, cosmic rays left out, and what they are with the rays."""
    stack = area.load(one.rows)
    moments = with_row_noise(difference_moments(stack, look.frame_means, excluded, maps=True), shared, excluded)
    bare = replace(moments, mean_map=None, variance_map=None)
    if one.n_frames < FEWEST_FRAMES:
        return moments, _Rays(bare)
    hits = find_hits(stack, look.frame_means, area.excluded, lattice=lattice)  # also in pixels that they saturate
    masked = masked_variance(stack, look.frame_means, excluded, hits, maps=True)
    masked = masked_with_row_noise(masked, shared, excluded)
    return _masked_moments(moments, masked), _Rays(bare, hits, replace(masked, mean_map=None, variance_map=None))


def _masked_moments(moments: DifferenceMoments, masked: MaskedMoments) -> DifferenceMoments:
    """Put the maps without cosmic rays in place; a pixel that rays left nothing of keeps what it had."""
    maps = {}
    for name in ("mean_map", "variance_map"):
        whole, clean = getattr(moments, name), getattr(masked, name)
        np.copyto(clean, whole, where=np.isnan(clean))
        maps[name] = clean
    return replace(moments, temporal=masked.temporal, **maps)


def _near_saturation(longest: DifferenceMoments, saturation: float | None) -> NDArray[np.bool_]:
    """Mark the pixels above the range in which sensors are linear: one of them would speak for its whole tile."""
    if longest.mean_map is None or saturation is None:
        return np.zeros((), dtype=bool)
    return np.asarray(longest.mean_map > LINEAR_SHARE * saturation)


def _standing_out(
    longest: DifferenceMoments, reference: Reference | None, excluded: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the pixels whose mean above the bias stands out of their tile, hot pixels most of all; no gain is needed."""
    if reference is None or longest.mean_map is None or reference.moments.mean_map is None:
        return excluded
    difference = longest.mean_map - reference.moments.mean_map
    outliers = excluded.copy()
    for _, tile in each_tile(difference.shape):
        used = ~excluded[tile]
        if used.any():
            away = np.abs(difference[tile] - np.median(difference[tile][used]))
            outliers[tile] |= away > _APART * np.quantile(away[used], _ONE_SIGMA)
    return outliers


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


def _tiles(moments: DifferenceMoments, excluded: NDArray[np.bool_], exposure: float, row_noise: float) -> Tiles | None:
    if moments.mean_map is None or moments.variance_map is None or moments.n_frames < 2:
        return None
    n = moments.n_frames
    level_error = float(moments.frame_means.std(ddof=1)) / n**0.5
    maps = moments.mean_map, moments.variance_map
    rest = {"exposure": exposure, "level_error": level_error, "row_noise": row_noise}
    return tiles_of(*maps, excluded, n_frames=n, **rest)
