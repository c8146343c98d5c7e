"""Explorer of notebook 05: one factor k for the dark, and what it leaves in the glow, at a hot pixel, in the centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.camera.sensor import Sensor
from workbench.show.canvas import BLACK, BLUE, GREY, ORANGE, VERMILION, dress, legend, new_picture, nice_limits
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_DARK = 1200.0  # s, of the dark that is scaled
_CORNER = 24.0  # times its mean over the frame is the glow in the corner, and next to nothing in the centre
_GRID = np.linspace(0.0, 1.0, 65)
_FAR = 300.0  # noises of one light, up to which points are drawn
_SIZE = (9.6, 3.9)
_COLOURS = {"glow corner": VERMILION, "hot pixel": BLUE, "centre": ORANGE}

KNOBS = (
    Knob("k", "k, the dark's factor [1]", 0, 1, 0.015625, 0.5, "what the dark above bias is multiplied with"),
    Knob("light", "exposure of the light [s]", 150, 1200, 50, 600, "the dark's is 1200 s"),
    Knob("clamp_share", "clamp share", 0, 1, 0.125, 1, "share of the shielded pixels' mean that the clamp subtracts"),
    Knob("glow_quadratic", "glow growth [10⁻⁷ electron/s²]", 0, 20, 0.5, 7.5, "glow that grows with its square", 1e-7),
    Knob("glow_linear", "steady glow [10⁻⁴ electron/s]", 0, 20, 0.5, 0.5, "glow that grows as time", 1e-4),
    Knob("hot", "hot pixel [electron/s]", 0.03125, 1, 0.03125, 0.25, "its dark current"),
)


def above_bias(sensor: Sensor, exposure: float, **values: float) -> tuple[FloatArray, FloatArray]:
    """Compute what a dark holds above bias at the three places, and the electrons gathered there [electron].

    Parameters
    ----------
    sensor
        Gives the ordinary pixels' dark current and the glow of the shielded pixels.
    exposure
        [s]
    **values
        Those of the sliders but ``k`` and ``light``.

    Returns
    -------
    above, gathered
        Glow corner, hot pixel, centre, shape (3,) each. They differ by what the clamp takes from every pixel alike.
    """
    glow = values["glow_linear"] * exposure + values["glow_quadratic"] * exposure**2
    thermal = np.array([sensor.dark_current, values["hot"], sensor.dark_current])
    gathered = thermal * exposure + glow * np.array([_CORNER, 0.0, 0.0])
    shielded = sensor.shielded_dark_ratio * sensor.dark_current * exposure + sensor.glow_shielded * glow
    return gathered - values["clamp_share"] * shielded, gathered


class DarkScaleScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_dark_scale"
    knobs = KNOBS
    hint = "Find a k that suits all three places. Then set the growing glow to 0, the steady one to 5, and try again."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._sensor = Sensor.from_manifest("qhy163m_like")
        left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
        self._left = left
        self.scales = (left,)
        self.moving = (*self._build_lines(left), *self._build_points(right))

    def _build_lines(self, axes: Axes) -> list[Artist]:
        dress(axes, title="What is left, for every k", x="k", y="left [noises of one light]")
        self._zero = axes.axhline(0.0, color=BLACK, ls=":", lw=1.5)
        self._lines = {}
        for place, colour in _COLOURS.items():
            (self._lines[place],) = axes.plot([], [], "-", color=colour, lw=2.5, label=place)
        self._here = axes.axvline(0.5, color=GREY, lw=1.5)
        axes.set_xlim(0, 1)
        axes.yaxis.set_label_coords(-0.12, 0.5)  # room for the numbers of any scale
        legend(axes, "lower left")
        return [self._zero, self._here, *self._lines.values()]

    def _build_points(self, axes: Axes) -> list[Artist]:
        dress(axes, title="At this k", x="left [noises of one light]", y="")
        axes.axvspan(-0.1, 0.1, color=GREY, alpha=0.3, lw=0)
        axes.axvline(0.0, color=BLACK, ls=":", lw=1.5)
        self._points, self._figures = [], []
        for row, colour in enumerate(_COLOURS.values()):
            (point,) = axes.plot([0], [row], "o", ms=12, color=colour, mec="none")
            words = axes.annotate("", (0, row), (0, 11), textcoords="offset points", ha="center", fontsize=8.5)
            self._points.append(point)
            self._figures.append(words)
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(-3 * _FAR, 3 * _FAR)
        axes.set_xticks([-100, -10, -1, 0, 1, 10, 100], ["-100", "-10", "-1", "0", "1", "10", "100"])
        axes.set_yticks(range(3), ["glow\ncorner", "hot\npixel", "centre"])
        axes.set_ylim(2.6, -0.8)
        return [*self._points, *self._figures]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_dark_scale_model`."""
        rest = {name: value for name, value in values.items() if name not in ("k", "light")}
        light, gathered = above_bias(self._sensor, values["light"], **rest)
        dark, _ = above_bias(self._sensor, _DARK, **rest)
        noise = np.sqrt(self._sensor.read_noise**2 + gathered)
        curves = (light[:, None] - _GRID * dark[:, None]) / noise[:, None]
        for line, curve in zip(self._lines.values(), curves, strict=True):
            line.set_data(_GRID, curve)
        self._left.set_ylim(*nice_limits(min(-0.5, float(curves.min())), max(0.5, float(curves.max()))))
        self._here.set_xdata([values["k"]] * 2)
        left = (light - values["k"] * dark) / noise
        for row, (point, words, value) in enumerate(zip(self._points, self._figures, left, strict=True)):
            shown = float(np.clip(value, -_FAR, _FAR))
            point.set_data([shown], [row])
            words.set_text(f"{value:+.2f}")
            words.xy = shown, row
        return _sentence(values, light, dark, (light - values["k"] * dark))


def _sentence(values: dict[str, float], light: FloatArray, dark: FloatArray, left: FloatArray) -> str:
    wanted = [f"{one / other:.3f}" if abs(other) > 1e-9 else "any" for one, other in zip(light, dark, strict=True)]
    return (
        f"Exposure ratio {values['light'] / _DARK:.3f}; k that would leave nothing: glow corner {wanted[0]}, "
        f"hot pixel {wanted[1]}, centre {wanted[2]}.\n"
        f"At k = {values['k']:.3f} these are left with {left[0]:+.1f}, {left[1]:+.1f} and {left[2]:+.1f} electron "
        "a pixel in every light."
    )


def plot_dark_scale_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``k``; ``light``, its exposure [s], the dark's being 1200 s; ``clamp_share`` (0 to 1); ``glow_quadratic``
        [electron / s2] and ``glow_linear`` [electron / s], means over the frame; ``hot``, a hot pixel's dark current
        [electron / s].

    Returns
    -------
    matplotlib.figure.Figure
        What light less bias less k (dark less bias) leaves at the three places, in noises of one light, against k;
        and at this k.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(DarkScaleScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_dark_scale() -> widgets.VBox:
    """Show what a scaled dark leaves on sliders: k, exposure, clamp, glow that grows or not, a hot pixel."""
    return Explorer(DarkScaleScene(new_picture(*_SIZE))).box()
