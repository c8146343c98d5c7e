"""Explorer of notebook 02: which noise is largest in one dark, and which takes over as the exposure grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from workbench.camera.events import upper_share_variance
from workbench.camera.sensor import Sensor
from workbench.show.canvas import BLACK, BLUE, GREY, SKY, VERMILION, dress, legend, new_picture
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LONGEST = 1200.0  # s
_GRID = np.geomspace(1.0, LONGEST, 121)
_LEAST, _MOST = 0.01, 200.0  # electron, the ends of the logarithmic axes
_SIZE = (9.6, 3.7)

KNOBS = (
    Knob("exposure", "exposure [s]", 10, LONGEST, 10, 600, "exposure time of the dark"),
    Knob("dark_current", "dark current [10⁻³ electron/s]", 0, 40, 0.5, 5, "thermal, mean of the normal pixels", 1e-3),
    Knob("read_noise", "read noise [electron]", 0.5, 8, 0.25, 1.75, "rms of one steady pixel from read to read"),
    Knob("native_gain", "ADC step [electron]", 0.125, 8, 0.125, 0.5, "rounding adds a twelfth of its square"),
    Knob("telegraph", "telegraph pixels [per thousand]", 0, 16, 0.5, 1, "pixels that jump from read to read", 1e-3),
    Knob("hot", "hot pixels [per 10 000]", 0, 16, 0.5, 3, "pixels with a dark current of their own", 1e-4),
)


@dataclass(frozen=True)
class NoiseModel:
    """Variances of one dark against exposure [electron2], shape (exposures,): what changes, and what stays.

    ``temporal`` and ``fixed`` hold the terms by name.
    """

    temporal: dict[str, FloatArray]
    fixed: dict[str, FloatArray]

    @property
    def changes(self) -> FloatArray:
        """Variance from frame to frame."""
        total: FloatArray = np.sum(list(self.temporal.values()), axis=0)
        return total

    @property
    def stays(self) -> FloatArray:
        """Variance from pixel to pixel of the mean frame."""
        total: FloatArray = np.sum(list(self.fixed.values()), axis=0)
        return total


def noise_model(sensor: Sensor, exposures: FloatArray, **values: float) -> NoiseModel:
    """Compute every term of a single dark's variance over pixels, at the sensor's reference temperature.

    Parameters
    ----------
    sensor
        Gives what no slider sets: patterns of the offset, telegraph jumps, spread of the dark currents, glow.
    exposures
        Shape (exposures,) [s].
    **values
        Those of the sliders but the exposure, each in its own unit.

    Notes
    -----
    A log-normal current of median m and spread s has the mean square ``m^2 exp(2 s^2)``; one of mean d has the variance
    ``d^2 [exp(s^2) - 1]``. Telegraph jumps of median height A and log-normal spread 0.5 with the duty p add
    ``A^2 exp(0.5) p (1 - p)`` each. The shape of the glow is left out of the fixed pattern.
    """
    t, one = exposures, np.ones_like(exposures)
    duty, gain = sensor.read_telegraph_duty, values["native_gain"]
    jump = sensor.read_telegraph_amplitude**2 * np.exp(0.5) * duty * (1 - duty)
    hot_mean = values["hot"] * sensor.hot_current * np.exp(sensor.hot_spread**2 / 2)
    hot_square = values["hot"] * sensor.hot_current**2 * np.exp(2 * sensor.hot_spread**2)
    wander = np.array([upper_share_variance(sensor.dark_telegraph_duty, sensor.dark_telegraph_dwell, x) for x in t])
    switching = sensor.dark_telegraph_fraction * wander * (sensor.dark_telegraph_current * t) ** 2
    patterns = np.hypot(sensor.pixel_pattern, sensor.column_pattern) * gain / sensor.lattice
    spread = np.expm1(sensor.dark_spread**2) * values["dark_current"] ** 2
    return NoiseModel(
        temporal={
            "rounding": gain**2 / 12 * one,
            "read noise": values["read_noise"] ** 2 * one,
            "telegraph": values["telegraph"] * (1 + sensor.read_telegraph_three_levels) * jump + switching,
            "thermal": (values["dark_current"] + hot_mean) * t,
            "glow": sensor.glow_linear * t + sensor.glow_quadratic * t**2,
        },
        fixed={
            "offset pattern": patterns**2 * one,
            "dark pattern": spread * t**2,
            "hot pixels": (hot_square - hot_mean**2) * t**2,
        },
    )


class NoiseBudgetScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_noise_budget"
    knobs = KNOBS
    hint = "Shorten the exposure until thermal noise drops below the read noise. Then take the hot pixels away."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._sensor = Sensor.from_manifest("qhy163m_like")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        bars = self._build_bars(left)
        lines = self._build_lines(right)
        self.scales = ()
        self.moving = (*bars, *lines)

    def _build_bars(self, axes: Axes) -> list[Artist]:
        names = self._names()
        dress(axes, title="One dark, term by term", x="rms [electron]", y="")
        colours = [BLUE] * len(names.temporal) + [VERMILION] * len(names.fixed) + [BLACK]
        labels = [*names.temporal, *names.fixed, "all together"]
        self._bars = axes.barh(labels, [1.0] * len(labels), color=colours, height=0.7, left=_LEAST).patches
        self._figures = [
            axes.annotate("", (1, k), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
            for k in range(len(labels))
        ]
        axes.set_xscale("log")
        axes.set_xlim(_LEAST, 10 * _MOST)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        return [*self._bars, *self._figures]

    def _names(self) -> NoiseModel:
        return noise_model(self._sensor, np.array([1.0]), **{one.name: one.default for one in KNOBS})

    def _build_lines(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Against exposure", x="exposure [s]", y="rms [electron]")
        (self._fixed,) = axes.plot([], [], "-", color=VERMILION, lw=2, label="stays: fixed pattern")
        (self._temporal,) = axes.plot([], [], "-", color=BLUE, lw=2, label="changes: temporal noise")
        (self._thermal,) = axes.plot([], [], "--", color=SKY, lw=1.5, label="of it thermal")
        (self._read,) = axes.plot([], [], ":", color=BLACK, lw=1.5, label="of it read noise")
        self._here = axes.axvline(1, color=GREY, lw=1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(1, LONGEST)
        axes.set_ylim(_LEAST, 100 * _MOST)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(axes, "upper left", columns=2)
        return [self._fixed, self._temporal, self._thermal, self._read, self._here]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_noise_budget_model`."""
        exposure = values["exposure"]
        rest = {name: value for name, value in values.items() if name != "exposure"}
        here, along = (noise_model(self._sensor, t, **rest) for t in (np.array([exposure]), _GRID))
        terms = [*here.temporal.values(), *here.fixed.values(), here.changes + here.stays]
        for bar, text, variance in zip(self._bars, self._figures, terms, strict=True):
            rms = float(variance[0]) ** 0.5
            bar.set_width(max(rms - _LEAST, 0.0))
            text.set_text(f"{rms:.2f}" if rms >= _LEAST else "under 0.01")
            text.xy = max(rms, _LEAST), text.xy[1]
        curves = along.stays, along.changes, along.temporal["thermal"], along.temporal["read noise"]
        for line, curve in zip((self._fixed, self._temporal, self._thermal, self._read), curves, strict=True):
            line.set_data(_GRID, np.sqrt(curve))
        self._here.set_xdata([exposure, exposure])
        return _sentence(here, along, exposure)


def _sentence(here: NoiseModel, along: NoiseModel, exposure: float) -> str:
    changes, stays = float(here.changes[0]) ** 0.5, float(here.stays[0]) ** 0.5
    crossings = "; ".join(f"the {name} {_from(along, name)}" for name in ("read noise", "telegraph"))
    return (
        f"In one dark of {exposure:g} s a pixel changes by {changes:.2f} electron from frame to frame, and pixels "
        f"differ by {stays:.2f} electron among each other.\n"
        "A master dark takes the second away, never the first.\n"
        f"Thermal noise exceeds {crossings}."
    )


def _from(along: NoiseModel, name: str) -> str:
    over = np.flatnonzero(along.temporal["thermal"] > along.temporal[name])
    return f"from about {_GRID[over[0]]:.0f} s on" if len(over) else f"at no exposure up to {LONGEST:g} s"


def plot_noise_budget_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``exposure`` [s], ``dark_current`` [electron / s], ``read_noise`` [electron], ``native_gain`` [electron] a step
        of the ADC, ``telegraph`` and ``hot``, shares of the pixels; what is not given is as in the embedded camera.

    Returns
    -------
    matplotlib.figure.Figure
        The terms of one dark's noise [electron rms], and their growth with exposure [s], the numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(NoiseBudgetScene(new_picture(*_SIZE, caption_lines=3)), values)


def explore_noise_budget() -> widgets.VBox:
    """Show the terms of one dark's noise on sliders: exposure, dark current, read noise, ADC step, bad pixels."""
    return Explorer(NoiseBudgetScene(new_picture(*_SIZE))).box()
