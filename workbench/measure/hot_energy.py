"""Hot pixels beside normal ones: how fast each kind grows with temperature, from mean maps that a clamp cannot spoil.

What a pixel has more than its neighbours needs no zero level: clamp, drift and glow are the same for all of them. So
the mean of the darks, whose level says nothing, still tells how the differences between pixels grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, stats

from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import DarkPoint
from workbench.measure.numbers import number
from workbench.measure.temperature import fit_temperature
from workbench.results import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.temperature import TemperatureFit

    FloatArray = NDArray[np.floating]
    BoolArray = NDArray[np.bool_]

_BOX = 15  # pixels a side of the neighbourhood
_HOT = 8.0  # robust sigma above the neighbours
_NORMAL = 5.0  # within these
_FEWEST = 10  # hot pixels


@dataclass(frozen=True)
class PatternMap:
    """Master dark minus master bias at one temperature.

    Parameters
    ----------
    temperature
        Reading of the thermometer [deg_C], see :func:`workbench.measure.dark_laws.reading`.
    exposure
        Of the darks beyond that of the bias [s].
    difference
        Master dark minus master bias [adu], shape (y, x).
    variance
        Noise of the master dark [adu2], shape (y, x): temporal variance over the number of frames.
    n_frames
        Darks in the master.
    """

    temperature: AffineScalarFunc
    exposure: float
    difference: FloatArray
    variance: FloatArray
    n_frames: int


@dataclass(frozen=True)
class PatternRates:
    """Rates that follow the dark currents of hot and of normal pixels [electron / s; adu / s without a gain].

    ``hot`` is the mean of what hot pixels have more than their neighbours; ``normal`` the contrast between normal
    pixels, in proportion to their dark current but not equal to it. ``threshold`` [adu] made a pixel hot in the
    selection.
    """

    hot: tuple[DarkPoint, ...]
    normal: tuple[DarkPoint, ...]
    n_hot: int
    n_normal: int
    threshold: float


def hot_and_normal_rates(
    selection: FloatArray,
    maps: Sequence[PatternMap],
    *,
    bias_variance: float,
    gain: AffineScalarFunc | None = None,
    excluded: BoolArray | None = None,
) -> PatternRates:
    """Measure how the patterns of hot and of normal pixels grow from temperature to temperature.

    Parameters
    ----------
    selection
        Master dark minus master bias [adu], shape (y, x), of frames of which none is in ``maps``: half of the darks of
        the warmest temperature, and half of the bias frames. Who selects and measures on the same noise finds too much.
    maps
        One a temperature.
    bias_variance
        Mean noise of the master bias in the maps [adu2]: temporal variance over its number of frames; common to all.
    gain
        K [electron/adu]; it changes no energy.
    excluded
        Pixels that saturate or clip in any frame of any temperature, and those that see no dark current, shape (y, x).

    Returns
    -------
    PatternRates

    Raises
    ------
    NotMeasurableError
        With fewer than 10 hot pixels.

    Notes
    -----
    Hot is what exceeds the mean of its neighbourhood of 15 x 15 pixels by 8 robust sigma in the selection. Normal
    pixels are weighted with their own departure in the selection, ``sum(w e) / sum(|w|)``: its noise is independent of
    that of the maps, so it adds nothing to the expectation. A linear gradient of the glow cancels in both.
    """
    counted = np.ones(selection.shape, dtype=bool) if excluded is None else ~excluded
    calm = counted & (np.abs(_first_look(selection, counted)) < _NORMAL)
    departure = _above_neighbours(selection, calm)
    sigma = _robust_sigma(departure[calm])
    threshold = _HOT * sigma
    hot = counted & (departure > threshold)
    n_hot = int(hot.sum())
    if n_hot < _FEWEST:
        raise NotMeasurableError(f"{n_hot} hot pixels stand out of the noise; shoot longer or warmer darks")
    calm &= np.abs(departure) < _NORMAL * sigma
    weights = departure[calm] / np.abs(departure[calm]).sum()
    power = float((weights.astype(np.float64) ** 2).sum())
    factor = number(1.0, 0.0) if gain is None else gain
    shared = {"hot": number(0.0, (bias_variance / n_hot) ** 0.5), "normal": number(0.0, (bias_variance * power) ** 0.5)}
    points: dict[str, list[DarkPoint]] = {"hot": [], "normal": []}
    for one in maps:
        above = _above_neighbours(one.difference, calm)
        spread = (float(one.variance[hot].mean()) / n_hot) ** 0.5
        noise = float((weights.astype(np.float64) ** 2 * one.variance[calm]).sum()) ** 0.5
        found = {
            "hot": number(float(above[hot].mean(dtype=np.float64)), spread),
            "normal": number(float((weights * above[calm]).sum(dtype=np.float64)), noise),
        }
        for kind, value in found.items():
            rate = (value + shared[kind]) / one.exposure * factor
            points[kind].append(DarkPoint(one.temperature, rate, one.n_frames))
    return PatternRates(tuple(points["hot"]), tuple(points["normal"]), n_hot, int(calm.sum()), threshold)


def _robust_sigma(values: FloatArray) -> float:
    """Return the sigma of a normal spread from its quartiles."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / (2 * float(stats.norm.ppf(0.75)))


def _first_look(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Return the departure from the median of the column of neighbours, in robust sigma; hot pixels do not move it."""
    departure = values - ndimage.median_filter(values, size=5)
    return departure / _robust_sigma(departure[counted])


def _above_neighbours(values: FloatArray, calm: BoolArray) -> FloatArray:
    """Subtract the mean of the calm pixels of the neighbourhood; where there are none, the mean of all calm pixels."""
    mean = float(values[calm].mean(dtype=np.float64))
    sums = ndimage.uniform_filter(np.where(calm, values - mean, 0.0).astype(np.float64), _BOX)
    counts = ndimage.uniform_filter(calm.astype(np.float64), _BOX)
    enough = counts > 0.5 / _BOX**2
    return np.asarray(values - mean - np.where(enough, sums / np.where(enough, counts, 1.0), 0.0))


@dataclass(frozen=True)
class EnergyComparison:
    """Activation energies of normal and hot pixels, and their difference [eV], normal minus hot."""

    normal: TemperatureFit
    hot: TemperatureFit
    difference: AffineScalarFunc
    significance: float
    p: float

    def record(self, **conditions: Any) -> dict[str, Any]:
        """Return the record for ``results.json``."""
        found = {"normal": self.normal.activation_energy, "hot": self.hot.activation_energy}
        found["difference"] = self.difference
        energies = {
            name: (float(one.nominal_value), float(one.std_dev)) for name, one in found.items() if one is not None
        }
        return {
            **conditions,
            "temperature": self.normal.temperature,
            **{name: value for name, (value, _) in energies.items()},
            "std_errors": {name: error for name, (_, error) in energies.items()},
            "significance": self.significance,
            "p": self.p,
        }

    def __str__(self) -> str:
        known = {"normal": self.normal.activation_energy, "hot": self.hot.activation_energy}
        words = [
            f"{name} pixels {' +/- '.join(rounded(float(one.nominal_value), float(one.std_dev)))} eV"
            for name, one in known.items()
            if one is not None
        ]
        value, error = rounded(float(self.difference.nominal_value), float(self.difference.std_dev))
        return (
            f"{', '.join(words)}: they differ by {value} +/- {error} eV ({abs(self.significance):.1f} standard errors)"
        )


def energies(
    normal_points: Sequence[DarkPoint],
    hot_points: Sequence[DarkPoint],
    *,
    glow_free: bool = True,
    reference: float | None = None,
    offset: AffineScalarFunc | None = None,
) -> EnergyComparison:
    """Compare how normal and hot pixels grow with temperature.

    Parameters
    ----------
    normal_points, hot_points
        From frames of the same temperatures; errors that both share cancel in the difference where they are the same
        numbers.
    glow_free, reference, offset
        As in :func:`fit_temperature`, for both.

    Raises
    ------
    NotMeasurableError
        With fewer than 3 temperatures, or where one of the two cannot be measured.
    """
    fits = [
        fit_temperature(points, glow_free=glow_free, reference=reference, offset=offset)
        for points in (normal_points, hot_points)
    ]
    normal, hot = fits
    if normal.activation_energy is None or hot.activation_energy is None:
        raise NotMeasurableError("two temperatures tell no energies to compare; shoot a third, 5 K from these")
    difference = normal.activation_energy - hot.activation_energy
    significance = float(difference.nominal_value / difference.std_dev)
    return EnergyComparison(normal, hot, difference, significance, float(2 * stats.norm.sf(abs(significance))))
