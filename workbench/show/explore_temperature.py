"""Explorer of notebook 12: dark current against temperature, and what a dark of the wrong temperature leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from workbench.camera.specimen import BOLTZMANN, ZERO_CELSIUS, arrhenius
from workbench.show.canvas import BLACK, BLUE, GREY, ORANGE, VERMILION, dress, legend, new_picture, nice_limits
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_REFERENCE = -20.0  # deg_C: the currents of the sliders hold there
_RANGE = (-30.0, 30.0)  # deg_C
_GRID = np.linspace(*_RANGE, 121)
_MISMATCH = np.linspace(-5.0, 5.0, 81)  # K
_HOT = 20.0  # times the normal current, at the reference
_SIZE = (9.6, 3.7)

KNOBS = (
    Knob("dark_current", "dark current at -20 deg C [10⁻³ electron/s]", 0.5, 40, 0.5, 5, "of normal pixels", 1e-3),
    Knob("energy", "energy, normal pixels [0.01 eV]", 40, 110, 1, 60, "how steeply their current grows", 0.01),
    Knob("hot_energy", "energy, hot pixels [0.01 eV]", 40, 110, 1, 55, "often lower: their defects help", 0.01),
    Knob("temperature", "temperature of the lights [deg C]", -30, 30, 1, -10, "at which the mismatch is judged"),
    Knob("mismatch", "darks warmer by [K]", -5, 5, 0.125, 1, "than the lights"),
    Knob("exposure", "exposure [s]", 10, 1200, 10, 300, "of lights and darks"),
)


def doubling_temperature(energy: float, temperature: float) -> float:
    """Return the warming that doubles a dark current [K] at a temperature [deg_C]: ``k T^2 ln 2 / E``.

    Examples
    --------
    >>> round(doubling_temperature(0.60, -20.0), 1), round(doubling_temperature(0.60, -10.0), 1)
    (6.4, 6.9)
    """
    kelvin = temperature + ZERO_CELSIUS
    return float(BOLTZMANN * kelvin**2 * np.log(2.0) / energy)


class TemperatureScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_temperature"
    knobs = KNOBS
    hint = "Set the mismatch to 0.5 K, then warm the camera: the same half kelvin costs more electrons."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        left, right = figure.subplots(1, 2)
        curves = self._build_currents(left)
        self._mismatch_axes = right
        misses = self._build_mismatch(right)
        self.scales = (right,)
        self.moving = (*curves, *misses)

    def _build_currents(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Dark current", x="temperature [°C]", y="dark current [electron/s]")
        (self._hot,) = axes.plot([], [], "--", color=ORANGE, lw=1.5, label=f"a hot pixel, {_HOT:g} times at -20 °C")
        (self._normal,) = axes.plot([], [], "-", color=VERMILION, lw=2, label="normal pixels")
        (self._doubled,) = axes.plot([], [], "o-", color=BLUE, ms=6, lw=1, label="one doubling")
        self._here = axes.axvline(0, color=GREY, lw=1)
        axes.set_yscale("log")
        axes.set_xlim(*_RANGE)
        axes.set_ylim(1e-5, 1e4)
        axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(axes, "upper left")
        return [self._hot, self._normal, self._here, self._doubled]

    def _build_mismatch(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Darks of another temperature", x="darks warmer by [K]", y="left in the light [electron]")
        (self._hot_miss,) = axes.plot([], [], "--", color=ORANGE, lw=1.5, label="by the energy of hot pixels")
        (self._miss,) = axes.plot([], [], "-", color=VERMILION, lw=2, label="normal pixels")
        (self._point,) = axes.plot([], [], "o", color=BLUE, ms=7, label="this mismatch")
        (self._within,) = axes.plot([], [], ":", color=BLACK, lw=1.2, label="5 % of the dark signal")
        axes.set_xlim(_MISMATCH[0], _MISMATCH[-1])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(axes, "lower left")
        return [self._within, self._hot_miss, self._miss, self._point]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_temperature_model`."""
        at, by, energy = values["temperature"], values["mismatch"], values["energy"]
        current = _currents(values["dark_current"], energy, _GRID)
        self._normal.set_data(_GRID, current)
        self._hot.set_data(_GRID, _currents(_HOT * values["dark_current"], values["hot_energy"], _GRID))
        self._here.set_xdata([at, at])
        doubling = doubling_temperature(energy, at)
        ends = np.array([at, at + doubling])
        self._doubled.set_data(ends, _currents(values["dark_current"], energy, ends))
        here = float(_currents(values["dark_current"], energy, np.array([at]))[0])
        signal = here * values["exposure"]
        left = signal * _left(energy, at, np.append(_MISMATCH, by))
        self._miss.set_data(_MISMATCH, left[:-1])
        self._hot_miss.set_data(_MISMATCH, signal * _left(values["hot_energy"], at, _MISMATCH))
        self._point.set_data([by], left[-1:])
        ends = np.array([_MISMATCH[0], _MISMATCH[-1], np.nan])
        self._within.set_data(np.tile(ends, 2), 0.05 * signal * np.repeat([1.0, -1.0], 3))
        low, high = float(left.min()), float(left.max())
        self._mismatch_axes.set_ylim(nice_limits(low - 0.6 * (high - low), high))  # room for the legend below
        within = BOLTZMANN * (at + ZERO_CELSIUS) ** 2 / energy
        return (
            f"At {at:g} °C normal pixels gather {here:.4g} electron/s, doubling every {doubling:.2f} K: 1 K is "
            f"{100 / within:.1f} %, so match to {0.05 * within:.2f} K for 5 %.\n"
            f"Darks {abs(by):g} K {'warmer' if by >= 0 else 'colder'} leave {100 * left[-1] / signal:+.1f} % of it in "
            f"the light: {left[-1]:+.3g} electron in {values['exposure']:g} s."
        )


def _currents(reference: float, energy: float, temperatures: FloatArray) -> FloatArray:
    return np.array([reference * arrhenius(energy, float(one), _REFERENCE) for one in temperatures])


def _left(energy: float, temperature: float, mismatch: FloatArray) -> FloatArray:
    """Share of the light's dark signal that a dark warmer by ``mismatch`` [K] leaves; below 0 it takes too much."""
    return np.array([1 - arrhenius(energy, temperature + float(one), temperature) for one in mismatch])


def plot_temperature_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``dark_current`` at -20 deg C [electron / s], ``energy`` and ``hot_energy`` [eV], ``temperature`` [deg_C],
        ``mismatch`` [K] and ``exposure`` [s].

    Returns
    -------
    matplotlib.figure.Figure
        Dark current [electron / s] against temperature, and what mismatched darks leave [electron], the numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(TemperatureScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_temperature() -> widgets.VBox:
    """Show dark current against temperature on sliders: current, energies, temperature, mismatch, exposure."""
    return Explorer(TemperatureScene(new_picture(*_SIZE))).box()
