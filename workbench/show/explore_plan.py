"""Explorer of notebook 02: how many darks a stack of lights is worth, and whose noise the final image holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from workbench.measure.planning import darks_needed, depth_loss
from workbench.show.canvas import BLACK, BLUE, GREY, ORANGE, SKY, VERMILION, dress, legend, new_picture
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 200  # frames
_DARKS = np.unique(np.round(np.geomspace(1, _MOST, 41)).astype(int))
_LEAST, _GREATEST = 1e-3, 5.0  # mag, the ends of the logarithmic axis
_WANTED = 0.05  # mag
_SIZE = (9.6, 3.5)

KNOBS = (
    Knob("n_lights", "lights [frames]", 1, _MOST, 1, 20, "in the stack"),
    Knob("n_darks", "darks [frames]", 1, _MOST, 1, 20, "in the master dark, of the lights' exposure"),
    Knob("exposure", "exposure [s]", 10, 1200, 10, 600, "of one light and of one dark"),
    Knob("sky", "sky [10⁻² electron/s]", 0, 400, 0.5, 2, "2 through a narrow filter, 100 and more through none", 1e-2),
    Knob("dark_current", "dark current [10⁻³ electron/s]", 0, 40, 0.5, 5, "mean over the pixels, with the glow", 1e-3),
    Knob("read_noise", "read noise [electron]", 0.5, 8, 0.25, 1.75, "rms of one pixel from read to read"),
)


@dataclass(frozen=True)
class StackNoise:
    """Variances of a pixel of the final image, in units of one light [electron2]."""

    sky: float
    dark_signal: float
    read_noise: float
    master_dark: float

    @property
    def terms(self) -> tuple[float, float, float, float]:
        """All four."""
        return self.sky, self.dark_signal, self.read_noise, self.master_dark

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self.terms)


def stack_noise(**values: float) -> StackNoise:
    """Compute the noise of the mean of the lights minus the master dark.

    Parameters
    ----------
    **values
        Those of the sliders, each in its own unit.

    Notes
    -----
    ``(RN^2 + dark + sky) / n_lights + (RN^2 + dark) / n_darks``: every light has the same master subtracted, whose
    noise no number of lights averages away.
    """
    sky, dark = (values[name] * values["exposure"] for name in ("sky", "dark_current"))
    read = values["read_noise"] ** 2
    n = values["n_lights"]
    return StackNoise(sky / n, dark / n, read / n, (read + dark) / values["n_darks"])


class PlanScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_plan"
    knobs = KNOBS
    hint = "Double the lights: the stack gets better, and the same darks cost more. Then brighten the sky."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        curves = self._build_loss(left)
        bars = self._build_shares(right)
        self.scales = ()
        self.moving = (*curves, *bars)

    def _build_loss(self, axes: Axes) -> list[Artist]:
        dress(axes, title="What the master dark costs", x="number of darks", y="loss of depth [mag]")
        (self._worst,) = axes.plot([], [], "--", color=GREY, lw=1.5, label="without any sky")
        (self._loss,) = axes.plot([], [], "-", color=VERMILION, lw=2, label="these lights")
        (self._point,) = axes.plot([], [], "o", color=BLUE, ms=8, label="these darks")
        axes.axhline(_WANTED, color=BLACK, ls=":", lw=1.2, label=f"{_WANTED:g} mag")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(0.85, _MOST / 0.85)
        axes.set_ylim(0.8 * _LEAST, 20 * _GREATEST)
        axes.set_yticks([0.001, 0.01, 0.1, 1, 10])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(axes, "upper left", columns=2)
        return [self._worst, self._loss, self._point]

    def _build_shares(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Whose noise the final image holds", x="share of the variance [%]", y="")
        labels = ["sky", "dark signal\nof the lights", "read noise\nof the lights", "master dark"]
        colours = [SKY, ORANGE, BLACK, VERMILION]
        self._bars = axes.barh(labels, [1.0] * len(labels), color=colours, height=0.65).patches
        self._figures = [
            axes.annotate("", (1, k), (5, 0), textcoords="offset points", va="center", fontsize=8.5)
            for k in range(len(labels))
        ]
        axes.set_xlim(0, 118)
        axes.set_xticks(range(0, 101, 20))
        axes.invert_yaxis()
        return [*self._bars, *self._figures]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_plan_model`."""
        n_lights, n_darks = (round(values[name]) for name in ("n_lights", "n_darks"))
        sky, dark = (values[name] * values["exposure"] for name in ("sky", "dark_current"))
        frame = values["read_noise"], dark
        curve, worst = ([_loss(*frame, one, n_lights, n) for n in _DARKS.tolist()] for one in (sky, 0.0))
        self._loss.set_data(_DARKS, np.maximum(curve, _LEAST))
        self._worst.set_data(_DARKS, worst)
        here = _loss(*frame, sky, n_lights, n_darks)
        self._point.set_data([n_darks], [max(here, _LEAST)])
        noise = stack_noise(**values)
        for bar, text, variance in zip(self._bars, self._figures, noise.terms, strict=True):
            percent = 100 * variance / noise.total
            bar.set_width(percent)
            text.set_text(f"{percent:.1f} %")
            text.xy = percent, text.xy[1]
        enough = darks_needed(*frame, sky, n_lights, _WANTED).n
        return (
            f"The mean of {n_lights} light{'s' * (n_lights != 1)} of {values['exposure']:g} s, minus a master of "
            f"{n_darks} dark{'s' * (n_darks != 1)}: a noise of {noise.total**0.5:.3g} electron a pixel.\n"
            f"The master dark costs {here:.3f} mag; {enough} dark{'s' * (enough != 1)} would cost {_WANTED:g} mag.\n"
            f"In one light: sky {sky:.4g} electron², dark signal {dark:.4g}, read noise {frame[0] ** 2:.4g}."
        )


def _loss(read_noise: float, dark: float, sky: float, n_lights: int, n_darks: int) -> float:
    return float(depth_loss(read_noise, dark, sky, n_lights, n_darks).nominal_value)


def plot_plan_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``n_lights`` and ``n_darks``, ``exposure`` [s], ``sky`` and ``dark_current`` [electron / s], ``read_noise``
        [electron].

    Returns
    -------
    matplotlib.figure.Figure
        Loss of depth [mag] against the number of darks, and each noise's share of the final image's variance, the
        numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(PlanScene(new_picture(*_SIZE, caption_lines=3)), values)


def explore_plan() -> widgets.VBox:
    """Show what darks are worth on sliders: numbers of lights and darks, exposure, sky, dark current, read noise."""
    return Explorer(PlanScene(new_picture(*_SIZE))).box()
