"""Explorer of notebook 04: the composite difference of darks, its histogram, and what a few hits do to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from workbench.results import rounded
from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    decimate,
    dress,
    legend,
    new_picture,
    nice_limits,
    show_decimated,
)
from workbench.show.difference_series import EXPOSURE, N_FRAMES, SIDE, Difference, embedded_series
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch
    from numpy.typing import NDArray

_BLOCK = 8  # pixels a side that share one dot of the picture
_WIDTH = 3  # ADC steps of a histogram's bin; odd, so that a bin is centred on zero
_HALF_BINS = 53
_GREY_LIMIT = 40.0  # electron
_OUTLIER = 6.0  # times the expected width
_MILLI = 1e3  # electron/s shown in thousandths: short tick labels
_SIZE = (9.6, 4.7)

KNOBS = (
    Knob("n_frames", "frames n", 2, N_FRAMES, 2, 6, "how many darks are composed, an even number"),
    Knob("rate", "cosmic rays [hits/cm\u00b2/min]", 0, 4, 0.25, 0.25, "hits on the sensor; one is usual at sea level"),
    Knob(
        "telegraph",
        "telegraph pixels [10\u207b\u00b3]",
        0,
        8,
        0.5,
        1,
        "share of pixels that jump by some 8 electron",
        1e-3,
    ),
)


class DifferenceScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_difference"
    knobs = KNOBS
    hint = (
        "Take all cosmic rays away and add frames: does the error shrink? Then add one hit per cm\u00b2 and minute "
        "and step through n."
    )

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._series = embedded_series()
        left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15], squeeze=False)[0]
        self._image_axes = left.subplots()
        self._histogram_axes, self._axes = right.subplots(2, 1)
        self._image = self._build_image()
        self._counts, self._gauss = self._build_histogram()
        self._truth, self._points, self._bars = self._build_convergence()
        self.scales = (self._axes,)
        self.moving = (self._image, self._counts, self._gauss, self._truth, self._bars, self._points)

    def _build_image(self) -> AxesImage:
        axes = self._image_axes
        blank = np.zeros((SIDE // _BLOCK, SIDE // _BLOCK))
        image = show_decimated(axes, blank, (SIDE, SIDE), limit=_GREY_LIMIT)
        what = f"of {_BLOCK} \u00d7 {_BLOCK} pixels the first, or the strongest beyond {_OUTLIER:.0f} \u03c3"
        dress(
            axes,
            title="D = D\u2081 \u2212 D\u2082 + \u2026 \u2212 D\u2099",
            x=f"column [pixel]\n(a dot: {what})",
            y="row [pixel]",
        )
        bar = image.axes.figure.colorbar(
            image, ax=axes, location="bottom", extend="both", shrink=0.9, pad=0.02, aspect=32
        )
        bar.set_label("difference [electron]", fontsize=9.5)
        bar.ax.tick_params(labelsize=8.5)
        return image

    def _build_histogram(self) -> tuple[StepPatch, Line2D]:
        axes, gain = self._histogram_axes, self._series.native_gain
        edges = (np.arange(-_HALF_BINS, _HALF_BINS + 2) - 0.5) * _WIDTH * gain
        counts = axes.stairs(
            np.ones(edges.size - 1), edges, baseline=0.5, fill=True, color=BLUE, alpha=0.55, label="pixels"
        )
        self._centres = (edges[1:] + edges[:-1]) / 2
        (gauss,) = axes.plot(
            self._centres, np.ones_like(self._centres), color=VERMILION, lw=1.8, label="Gaussian expected"
        )
        title = "Its histogram; the outermost bins hold all beyond"
        dress(axes, title=title, x="difference [electron]", y="pixels per bin")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 3e7)
        axes.set_xlim(edges[0], edges[-1])
        legend(axes, "upper left", columns=2)
        return counts, gauss

    def _build_convergence(self) -> tuple[Line2D, Line2D, LineCollection]:
        axes = self._axes
        truth = axes.axhline(_MILLI * self._series.truth, color=BLACK, ls=":", label="truth")
        (points,) = axes.plot([], [], "o", color=BLUE, ms=5, label="composite of n, \u00b1 1 standard error")
        bars = LineCollection([], colors=BLUE, lw=1.4)
        axes.add_collection(bars)
        dress(axes, title="Dark current found [10⁻³ electron/s]", x="frames n", y="")
        axes.set_xlim(1, N_FRAMES + 1)
        axes.set_xticks(range(2, N_FRAMES + 1, 2))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(axes, "upper left")
        return truth, points, bars

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_difference`."""
        n_frames = int(values["n_frames"])
        difference = self._series.difference(n_frames, values["rate"], values["telegraph"])
        sigma = self._expected_variance(n_frames) ** 0.5
        dots = decimate(difference.steps, _BLOCK, _OUTLIER * sigma / self._series.native_gain)
        self._image.set_data(dots * np.float32(self._series.native_gain))
        self._counts.set_data(np.maximum(_count_bins(difference.steps), 0.5))
        self._gauss.set_ydata(self._expected_counts(n_frames))

        self._show_convergence(difference)
        return _sentence(difference, self._series.truth)

    def _show_convergence(self, difference: Difference) -> None:
        estimates = difference.estimates
        n = [one.n_frames for one in estimates]
        value = _MILLI * np.array([one.dark_current for one in estimates])
        error = _MILLI * np.array([one.std_error for one in estimates])
        self._points.set_data(n, value)
        self._bars.set_segments([[(x, y - e), (x, y + e)] for x, y, e in zip(n, value, error, strict=True)])
        ends = np.concatenate([value - error, value + error, [_MILLI * self._series.truth]])
        low, high = float(ends.min()), float(ends.max())
        spread = max(high - low, 0.2)
        self._axes.set_ylim(nice_limits(low - 0.15 * spread, high + 0.6 * spread))  # room for the legend above

    def _expected_variance(self, n_frames: int) -> float:
        """Return ``n (RON^2 + lambda)`` [electron2], that of frames without events."""
        return n_frames * (self._series.floor + self._series.truth * EXPOSURE)

    def _expected_counts(self, n_frames: int) -> NDArray[np.float64]:
        """Pixels per bin of a Gaussian of the expected width."""
        variance = self._expected_variance(n_frames)
        density = np.exp(-(self._centres**2) / 2 / variance) / np.sqrt(2 * np.pi * variance)
        counts: NDArray[np.float64] = self._series.n_pixels * _WIDTH * self._series.native_gain * density
        return counts


def _count_bins(steps: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count pixels in bins of ``_WIDTH`` steps; the lattice of the ADC makes ``bincount`` exact."""
    reach = _HALF_BINS * _WIDTH + _WIDTH // 2
    clipped = np.clip(steps.ravel(), -reach, reach)
    clipped += reach
    counts: NDArray[np.int64] = np.bincount(clipped, minlength=2 * reach + 1).reshape(-1, _WIDTH).sum(axis=1)
    return counts


def _sentence(difference: Difference, truth: float) -> str:
    last = difference.estimates[-1]
    value, error = rounded(last.dark_current, last.std_error)
    away = (last.dark_current - truth) / last.std_error
    return (
        f"n = {last.n_frames}: var(D) = {last.variance:.2f} electron\u00b2; "
        f"dark current = [var(D) / n \u2212 RON\u00b2] / t = {value} \u00b1 {error} electron/s.\n"
        f"The truth, thermal plus glow, is {truth:.5f} electron/s: {away:+.1f} standard errors away. "
        "RON is that of steady pixels.\n"
        f"Hit by cosmic rays: {difference.n_hit} pixels; telegraph pixels: {difference.n_telegraph}; of {SIDE * SIDE}."
    )


def plot_difference(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``n_frames`` (even, 2 to 14), ``rate`` of cosmic rays [hits / cm2 / min] (0 to 4, in steps of 0.25) and
        ``telegraph``, the share of telegraph pixels (0 to 0.008).

    Returns
    -------
    matplotlib.figure.Figure
        The composite difference image [electron], its histogram, and the dark current [electron / s] from 2 to
        ``n_frames`` frames against the truth, the numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    ValueError
        When a value is out of its range.
    """
    return static_picture(DifferenceScene(new_picture(*_SIZE, caption_lines=3)), values)


def explore_difference() -> widgets.VBox:
    """Show the composite difference on sliders: number of frames, cosmic rays, telegraph pixels."""
    return Explorer(DifferenceScene(new_picture(*_SIZE))).box()
