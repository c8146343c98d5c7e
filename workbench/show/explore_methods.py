"""Explorer of notebook 03: what the popular methods return, whatever the true dark current is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from workbench.camera.sensor import Sensor
from workbench.show.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, dress, legend, new_picture
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_GRID = np.geomspace(1e-4, 2.0, 121)  # electron / s
_LINEAR = 1e-3  # electron / s: between minus and plus this the axis is linear, so that negative results show
_SIZE = (9.6, 3.9)

KNOBS = (
    Knob("exponent", "true dark current, 10 to the [electron/s]", -4, 0, 0.125, -2.25, "its decimal logarithm"),
    Knob("clamp_share", "clamp share", 0, 1, 0.125, 1, "share of the shielded pixels' mean that the clamp subtracts"),
    Knob("short", "short exposure [s]", 5, 120, 5, 30, "of the first dark of method 2"),
    Knob("ratio", "long over short exposure", 2, 20, 1, 10, "10 was recommended"),
    Knob("pattern", "spread of the pixels' currents", 0, 2, 0.125, 0.25, "standard deviation of its logarithm"),
    Knob("glow_quadratic", "glow growth [10⁻⁷ electron/s²]", 0, 20, 0.5, 7.5, "glow that grows with its square", 1e-7),
)


@dataclass(frozen=True)
class Answers:
    """What four methods return against the true thermal dark current, all [electron / s], shape (points,).

    ``electrons`` is what the noise can tell at most: thermal current and glow.
    """

    mean: FloatArray
    ratio: FloatArray
    difference: FloatArray
    pair: FloatArray
    electrons: FloatArray


def answers(sensor: Sensor, true: FloatArray, **values: float) -> Answers:
    """Compute the noise-free answer of each method for a frame's mean over pixels.

    Parameters
    ----------
    sensor
        Gives read noise, gain, glow and the glow of the shielded pixels.
    true
        Thermal dark current, mean over the pixels [electron / s], shape (points,).
    **values
        Those of the sliders but the first.

    Notes
    -----
    Method 1 at the long exposure is ``K mean(D - B) / t``. Method 2, as the script computes it, is
    ``K [(s2^2 - sB^2) / (s1^2 - sB^2)] / (t2 - t1)`` with the spatial ``s`` of single frames: Poisson electrons and the
    pixels' pattern ``(d t)^2 [exp(spread^2) - 1]``. Its right form is the difference of the *temporal* variances,
    ``K^2 [var2 - var1] / (t2 - t1)``; the pair is ``[K^2 var2 - RON^2] / t2``.
    """
    times = values["short"], values["short"] * values["ratio"]
    glow = [sensor.glow_linear * t + values["glow_quadratic"] * t**2 for t in times]
    electrons = [true * t + light for t, light in zip(times, glow, strict=True)]
    spatial = [
        one + np.expm1(values["pattern"] ** 2) * (true * t) ** 2 for one, t in zip(electrons, times, strict=True)
    ]
    clamp = values["clamp_share"] * (sensor.shielded_dark_ratio * true * times[1] + sensor.glow_shielded * glow[1])
    return Answers(
        mean=(electrons[1] - clamp) / times[1],
        ratio=sensor.gain * spatial[1] / spatial[0] / (times[1] - times[0]),
        difference=(electrons[1] - electrons[0]) / (times[1] - times[0]),
        pair=electrons[1] / times[1],
        electrons=electrons[1] / times[1],
    )


class MethodsScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_methods"
    knobs = KNOBS
    hint = "Move the true dark current over its four decades and watch which points follow it."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._sensor = Sensor.from_manifest("qhy163m_like")
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        curves = self._build_curves(left)
        bars = self._build_bars(right)
        self.scales = ()
        self.moving = (*curves, *bars)

    def _build_curves(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Returned against true", x="true dark current [electron/s]", y="returned [electron/s]")
        axes.plot(_GRID, _GRID, ":", color=BLACK, lw=1.5, label="what is true")
        (self._pair,) = axes.plot([], [], "-", color=BLUE, lw=3, alpha=0.6, label="noise of a pair")
        (self._difference,) = axes.plot([], [], "--", color=GREEN, lw=1.5, label="method 2, corrected")
        (self._ratio,) = axes.plot([], [], "-", color=ORANGE, lw=2, label="method 2, as computed")
        (self._mean,) = axes.plot([], [], "-", color=VERMILION, lw=2, label="method 1, mean")
        self._here = axes.axvline(1.0, color=GREY, lw=1)
        axes.axhline(0.0, color=GREY, lw=0.6)
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=_LINEAR)
        axes.set_xlim(_GRID[0], _GRID[-1])
        axes.set_ylim(-0.02, 30.0)
        axes.set_yticks([-0.01, -0.001, 0, 0.001, 0.01, 0.1, 1, 10])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        legend(axes, "upper left", columns=2)
        return [self._pair, self._difference, self._ratio, self._mean, self._here]

    def _build_bars(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Returned over true", x="times the truth", y="")
        labels = ["noise of\na pair", "method 2,\ncorrected", "method 2,\nas computed", "method 1,\nmean"]
        (self._points,) = axes.plot([1] * 4, range(4), "o", ms=9, color=BLUE, mec="none")
        self._figures = [
            axes.annotate("", (1, k), (0, 11), textcoords="offset points", ha="center", fontsize=8.5) for k in range(4)
        ]
        axes.axvline(1.0, color=BLACK, ls=":", lw=1.5)
        axes.axvspan(-0.7, 0.0, color=VERMILION, alpha=0.15, lw=0)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(-0.7, 3000)
        axes.set_xticks([0, 1, 10, 100, 1000])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.set_yticks(range(4), labels)
        axes.set_ylim(3.6, -0.8)
        return [self._points, *self._figures]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_methods_model`."""
        true = 10.0 ** values["exponent"]
        rest = {name: value for name, value in values.items() if name != "exponent"}
        along, here = (answers(self._sensor, x, **rest) for x in (_GRID, np.array([true])))
        for line, curve in zip(
            (self._pair, self._difference, self._ratio, self._mean),
            (along.pair, along.difference, along.ratio, along.mean),
            strict=True,
        ):
            line.set_data(_GRID, curve)
        self._here.set_xdata([true, true])
        found = [float(one[0]) for one in (here.pair, here.difference, here.ratio, here.mean)]
        shown = np.clip(np.array(found) / true, -0.5, 1500)
        self._points.set_data(shown, range(4))
        for text, place, value in zip(self._figures, shown, found, strict=True):
            text.set_text(f"{value / true:.3g}")
            text.xy = float(place), text.xy[1]
        return _sentence(found, true, float(here.electrons[0]), self._sensor.gain, rest)


def _sentence(found: list[float], true: float, electrons: float, gain: float, values: dict[str, float]) -> str:
    pair, difference, ratio, mean = found
    constant = gain * values["ratio"] / (values["ratio"] - 1) / values["short"]
    return (
        f"True: {true:.4g} electron/s, with the glow of {values['short'] * values['ratio']:.0f} s {electrons:.4g}. "
        f"Noise of a pair: {pair:.4g}. Method 2 corrected: {difference:.4g}.\n"
        f"Method 1: {mean:.4g}. Method 2 as computed: {ratio:.4g}, near K (t2/t1) / (t2 - t1) = {constant:.4g}, "
        "in which there is no dark current."
    )


def plot_methods_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``exponent`` of the true dark current (-4 to 0), ``clamp_share`` (0 to 1), ``short`` exposure [s], ``ratio`` of
        the two exposures, ``pattern``, the spread of the pixels' currents, ``glow_quadratic`` [electron / s2].

    Returns
    -------
    matplotlib.figure.Figure
        What each method returns against the truth [electron / s], and their ratio, the numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(MethodsScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_methods() -> widgets.VBox:
    """Show the answers of the popular methods on sliders: true dark current, clamp, exposures, pattern, glow."""
    return Explorer(MethodsScene(new_picture(*_SIZE))).box()
