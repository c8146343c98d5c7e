"""The share of pixels above 5 times the typical dark current, with what noise adds to it and takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, stats

from workbench.errors import NotMeasurableError
from workbench.measure.dark_typical import HOT
from workbench.measure.grid import each_tile, smooth_rows
from workbench.measure.numbers import number
from workbench.measure.scaling import GRID

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_map import DarkMap
    from workbench.measure.dark_typical import Typical

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_CLEAR = 3.0  # standard errors of a pixel between the typical dark current and the limit
_BAND = 2.0  # standard errors of a pixel: width of the two bands above the limit that tell the density there
_CHANCE = 1e-4  # that a pixel's variance exceeds what its frames' noise allows


@dataclass(frozen=True)
class HotPixels:
    """Pixels above 5 times the typical dark current, glow apart.

    Parameters
    ----------
    fraction
        Share of the pixels, with its error: that of misclassification by noise, since these pixels are no sample.
    mask
        Shape (y, x): the pixels found to be hot, those that saturate included; by noise, a few of them are not.
    limit
        5 times the typical dark current over the exposure [electron].
    pixel_error
        Standard error of a pixel at the limit [electron].
    found, false, n_pixels
        Pixels found above the limit, the number of them expected to be there by noise alone (less those that noise
        hides), pixels counted.
    notes
        What a reader must know.
    """

    fraction: AffineScalarFunc
    mask: BoolArray
    limit: float
    pixel_error: float
    found: int
    false: float
    n_pixels: int
    notes: tuple[str, ...]


def hot_pixels(dark: DarkMap, typical: Typical, outside: BoolArray | None = None) -> HotPixels:
    """Find the pixels above 5 times the typical dark current, and count them free of what noise does to the count.

    Parameters
    ----------
    dark, typical
        Of the longest exposure.
    outside
        Excluded pixels that are no pixels of the image, shape (y, x): overscan, another region. The other excluded ones
        saturate or clip: one whose mean is above the limit is hot for sure. None: all excluded ones are left out.

    Raises
    ------
    NotMeasurableError
        Where 5 times the typical dark current is within 3 standard errors of a pixel.

    Notes
    -----
    Noise is even: as many ordinary pixels pass the limit by noise as fall as far below the typical dark current, where
    no pixel can be, and those are counted. At the limit itself the noise exchanges ``sigma / sqrt(pi)`` pixels per
    electron with the other side at random, and ``sigma^2 / 2`` times the slope of their density for good. One hit in n
    frames moves the mean by what it adds to the root of the mean's variance: a candidate of which no more is left when
    that is taken off was hit, and is not hot.
    """
    middle = float(typical.electrons.nominal_value)
    limit = HOT * middle
    ordinary = dark.pixel_error**2
    darks = dark.n_frames[0]
    sigma = (ordinary + max(limit - middle, 0.0) / darks) ** 0.5
    if limit - middle <= _CLEAR * sigma:
        raise NotMeasurableError(_too_short(dark, middle, sigma))
    glow, counted = _glow(dark, limit - middle, sigma)
    used = ~dark.excluded
    image = used if outside is None else ~outside
    mask = np.zeros(dark.excluded.shape, dtype=bool)
    n = whole = found = 0
    above = np.zeros(2)  # pixels in the two bands above the limit, less those that noise alone brings there
    spoiled = np.zeros(2)
    mirrored = 0
    width = _BAND * sigma
    height, columns = dark.excluded.shape
    for place, tile in each_tile((height, columns)):
        values = _without_hits(dark, tile, smooth_rows(glow, (height, columns), tile[0])[:, tile[1]], limit)
        mask[tile] = (values > limit) & image[tile]
        here = values[used[tile]]
        whole += int(image[tile].sum())
        if not counted[place]:
            continue
        n += int(image[tile].sum())
        found += int(mask[tile].sum())
        mirrored += int((here < 2 * middle - limit).sum())
        above += np.histogram(here - limit, 2, (0.0, 2 * width))[0]
        spoiled += np.histogram(2 * middle - limit - here, 2, (0.0, 2 * width))[0]
    if n == 0:
        raise NotMeasurableError("the glow hides hot pixels everywhere; shoot shorter darks, or cool the camera")
    density, gained, gained_error = _exchange(np.maximum(above - spoiled, 0.0), width, sigma)
    false = mirrored + gained
    share = min(max((found - false) / n, 0.0), 1.0)
    variance = (
        sigma / np.pi**0.5 * density  # exchanged at the limit
        + 2 * mirrored
        + gained_error**2
        + (density * HOT * float(typical.electrons.std_dev)) ** 2
        + n * share * (1 - share) * (1 - n / whole)  # those that are not counted
        + 0.25  # pixels are whole
    )
    notes = []
    if n < whole:
        notes.append(f"counted over {n / whole:.0%} of the pixels: the rest glows too much, or is too noisy")
    if abs(false) > 0.1 * found:
        notes.append(f"{found} pixels are above the limit, {false:.0f} of them by noise, which are taken off")
    return HotPixels(
        number(share, float(variance) ** 0.5 / n), mask, limit, sigma, found, float(false), n, tuple(notes)
    )


def _exchange(above: FloatArray, width: float, sigma: float) -> tuple[float, float, float]:
    """Density of pixels at the limit [1/electron], how many more noise lifts over it than it hides, and their error.

    From the pixels in two bands above the limit, where those that are not hot play no part: their density falls as
    ``exp(-k x)``, and noise shifts what it counts by ``sigma^2 / 2`` times its slope ``k n``.
    """
    fall = max(0.0, float(np.log((above[0] + 0.5) / (above[1] + 0.5)))) / width
    fall_error = float(np.sqrt((1 / (above + 0.5)).sum())) / width
    lost = -np.expm1(-fall * width) / fall if fall else width
    density = float(above[0] / lost)
    height = sigma**2 / 2 * density
    return (
        density,
        height * fall,
        float(np.hypot(height * (1 + fall * width) * fall_error, height * fall / (above[0] + 0.5) ** 0.5)),
    )


def _too_short(dark: DarkMap, middle: float, sigma: float) -> str:
    reason = (
        f"5 times the typical dark current is {max(middle, 0.0) * HOT:.2g} electron at {dark.exposure:g} s, within the "
        f"noise of a pixel of the map ({sigma:.2g} electron)"
    )
    if middle <= 0:
        return f"{reason}; shoot longer darks"
    longer = _CLEAR * sigma / ((HOT - 1) * middle)
    return f"{reason}; shoot darks {max(longer, 1.1):.2g} times as long, or {max(longer**2, 1.2):.2g} times as many"


def _glow(dark: DarkMap, above: float, sigma: float) -> tuple[FloatArray, BoolArray]:
    """Return the glow of every tile [electron], and the tiles in which hot pixels stand out of it and of its noise."""
    means = dark.tiles.means
    known = np.isfinite(means)
    glow = np.where(known & ~dark.glow.free, np.maximum(means - dark.glow.level, 0.0), 0.0)
    if not dark.glow.glow.any():
        glow = np.zeros((GRID, GRID))
    # what the straight lines between the tiles' centres miss
    bend = (ndimage.maximum_filter(glow, 3) - ndimage.minimum_filter(glow, 3)) / 4
    return glow, known & (above > _CLEAR * np.sqrt(sigma**2 + glow / dark.n_frames[0]) + bend)


def _without_hits(
    dark: DarkMap, tile: tuple[slice, slice], glow: NDArray[np.float32], limit: float
) -> NDArray[np.float32]:
    """Return the map of a tile above the glow, candidates lowered by the one hit that their variance allows."""
    values = dark.electrons[tile] - glow
    candidates = np.nonzero(values > limit)
    shot = (dark.electrons[tile][candidates] - float(dark.level.nominal_value)) / dark.n_frames[0]
    expected = dark.pixel_error**2 + np.maximum(shot, 0.0)
    noise = dark.noise[tile][candidates]
    degrees = dark.n_frames[0] - 1
    hit = noise > expected * float(stats.chi2.isf(_CHANCE, degrees)) / degrees
    values[candidates] -= np.where(hit, np.sqrt(np.maximum(noise - expected, 0.0)), 0.0).astype(np.float32)
    return np.asarray(values)
