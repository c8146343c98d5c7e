"""Explorer of notebook 06: what each method of rejection makes of one pixel's stack, and of four hundred like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from workbench.measure.rejection_race import mean_of_kept, reject_samples
from workbench.show.canvas import BLACK, BLUE, GREY, VERMILION, dress, new_picture
from workbench.show.sliders import Explorer, Knob, Scene, static_picture
from workbench.stack.rejection import KEPT, REJECTIONS, rejection

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workbench.stack.rejection import Rejection

    FloatArray = NDArray[np.float64]

LEVEL = 1600.0  # adu
METHODS = tuple(REJECTIONS)
_WITH_LIMITS = ("sigma", "winsorized", "averaged", "linear_fit", "mad")  # in sigmas; others keep their own numbers
_NAMES = ("none", "min/max", "percentile", "sigma", "winsorized", "averaged sigma", "linear fit", "ESD", "MAD")
_STACKS = 400
_SEED = 8  # a plain draw for the stack on the left
_SIZE = (9.8, 4.2)
_BIAS_AT = 170.0  # where the numbers stand, on the axis of percentages

KNOBS = (
    Knob("method", "method [its number at the right]", 1, len(METHODS), 1, 5, "of rejection"),
    Knob("low", "low limit [sigma]", 1, 6, 0.25, 4, "of the sigma methods and the linear fit"),
    Knob("high", "high limit [sigma]", 1, 6, 0.25, 3, "of the sigma methods and the linear fit"),
    Knob("n_frames", "frames in the stack [frames]", 3, 40, 1, 15, "values of the pixel"),
    Knob("n_hits", "frames with a hit [frames]", 0, 6, 1, 1, "at most all but one"),
    Knob("height", "height of a hit [adu]", 5, 500, 5, 120, "what a cosmic ray adds"),
    Knob("sigma", "noise of a frame [adu]", 0.25, 30, 0.25, 12, "standard deviation, before rounding to whole adu"),
)


@dataclass(frozen=True)
class Draws:
    """Stacks of one pixel: ``values`` [adu] and whether each was ``hit``, shape (frame, stack)."""

    values: FloatArray
    hit: NDArray[np.bool_]


def draw_stacks(n_frames: float, n_hits: float, height: float, sigma: float) -> Draws:
    """Draw the stacks: level 1600 adu, Gaussian noise, hits of one height in random frames, rounded to whole adu.

    The same numbers for the same frames, whatever the other values: moving a slider changes what it says, no more.
    """
    rng = np.random.default_rng(_SEED)
    most = int(KNOBS[3].maximum)
    noise, lots = rng.standard_normal((most, _STACKS)), rng.random((most, _STACKS))
    n = int(n_frames)
    hit = lots[:n].argsort(axis=0).argsort(axis=0) < min(int(n_hits), n - 1)
    return Draws(np.rint(LEVEL + sigma * noise[:n] + height * hit), hit)


def methods_with(low: float, high: float) -> dict[str, Rejection]:
    """Return all methods, those that count in sigmas with these limits."""
    return {name: rejection(name, low, high) if name in _WITH_LIMITS else rejection(name) for name in METHODS}


@dataclass(frozen=True)
class Outcome:
    """What a method makes of the stacks: states and means of the kept; shares [%].

    ``bias`` [adu] is against the mean of the good samples of the same stack, so that their noise is not in it.
    """

    states: NDArray[np.uint8]
    means: FloatArray
    hits_left: float
    good_lost: float
    bias: float


def outcome(draws: Draws, method: Rejection) -> Outcome:
    """Let a method loose on the stacks; ``hits_left`` is NaN without hits."""
    states = reject_samples(draws.values, method)
    means = mean_of_kept(draws.values, states)
    left = 100 * float((states[draws.hit] == KEPT).mean()) if draws.hit.any() else float("nan")
    lost = 100 * float((states[~draws.hit] != KEPT).mean())
    good = np.average(draws.values, axis=0, weights=~draws.hit)
    return Outcome(states, means, left, lost, float((means - good).mean()))


class RejectionScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_rejection"
    knobs = KNOBS
    hint = "Take frames away until the hit stays. Then set the noise to a quarter of an adu."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        self._left = left
        self.moving = (*self._build_stack(left), *self._build_race(right))
        self.scales = (left,)

    def _build_stack(self, axes: Axes) -> list[Artist]:
        dress(axes, title="One pixel's stack", x="frame", y="value above the truth [adu]")
        (self._truth,) = axes.plot([0, KNOBS[3].maximum + 1], [0, 0], ":", color=BLACK, lw=1.5, label="truth")
        (self._plain,) = axes.plot([], [], "--", color=VERMILION, lw=2, label="mean of all")
        (self._result,) = axes.plot([], [], "-", color=BLUE, lw=2, label="mean of the kept")
        (self._kept,) = axes.plot([], [], "o", color=BLUE, ms=5, label="kept")
        (self._gone,) = axes.plot([], [], "x", color=VERMILION, ms=9, mew=2, label="rejected")
        (self._rings,) = axes.plot([], [], "o", mfc="none", mec=BLACK, ms=12, mew=1, label="hit")
        axes.set_xlim(0, KNOBS[3].maximum + 1)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_label_coords(-0.15, 0.5)  # which no long number pushes out of the picture
        self._words = axes.text(0.02, 0.985, "", transform=axes.transAxes, va="top", fontsize=9)
        _legend_below(axes, columns=3)
        lines = [self._truth, self._plain, self._result, self._kept, self._gone, self._rings]
        return [*lines, self._words]

    def _build_race(self, axes: Axes) -> list[Artist]:
        dress(axes, title=f"All methods, {_STACKS} such stacks", x="share [%]", y="")
        rows = range(len(METHODS))
        (self._chosen,) = axes.plot([], [], "-", color=GREY, lw=17, alpha=0.25, solid_capstyle="butt")
        (self._lost,) = axes.plot([], [], "o", color=BLUE, ms=7, label="good samples lost")
        (self._left_in,) = axes.plot([], [], "x", color=VERMILION, ms=8, mew=2, label="hits left")
        self._biases = [axes.text(_BIAS_AT, k, "", va="center", fontsize=8.5) for k in rows]
        axes.text(_BIAS_AT, -0.85, "bias [adu]", va="center", fontsize=8.5)
        axes.set_xscale("symlog", linthresh=0.1, linscale=0.5)
        axes.set_xlim(-0.03, 4000)
        axes.set_xticks([0, 0.1, 1, 10, 100], minor=False)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.set_yticks(rows, [f"{k + 1}  {name}" for k, name in enumerate(_NAMES)])
        axes.set_ylim(len(METHODS) - 0.4, -1.4)
        _legend_below(axes, columns=2)
        return [self._chosen, self._lost, self._left_in, *self._biases]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_rejection_model`."""
        draws = draw_stacks(*(values[name] for name in ("n_frames", "n_hits", "height", "sigma")))
        methods = methods_with(values["low"], values["high"])
        found = [outcome(draws, method) for method in methods.values()]
        chosen = int(values["method"]) - 1
        words = methods[METHODS[chosen]].words
        self._show_stack(draws, found[chosen], words)
        self._show_race(found, chosen)
        return _sentence(draws, found[chosen], words, values["sigma"])

    def _show_stack(self, draws: Draws, found: Outcome, words: str) -> None:
        above = draws.values[:, 0] - LEVEL
        frames, kept = np.arange(1, above.size + 1), found.states[:, 0] == KEPT
        for line, where in ((self._kept, kept), (self._gone, ~kept), (self._rings, draws.hit[:, 0])):
            line.set_data(frames[where], above[where])
        ends = [0, KNOBS[3].maximum + 1]
        self._plain.set_data(ends, [above.mean()] * 2)
        self._result.set_data(ends, [found.means[0] - LEVEL] * 2)
        self._words.set_text(words)
        low, high = min(above.min(), 0.0), max(above.max(), 0.0)
        self._left.set_ylim(low - 0.1 * (high - low) - 1, high + 0.2 * (high - low) + 1)

    def _show_race(self, found: list[Outcome], chosen: int) -> None:
        rows = range(len(found))
        self._chosen.set_data([-0.03, 4000], [chosen, chosen])
        self._lost.set_data([one.good_lost for one in found], rows)
        self._left_in.set_data([one.hits_left for one in found], rows)
        for text, one in zip(self._biases, found, strict=True):
            text.set_text(f"{one.bias:+.2f}")


def _legend_below(axes: Axes, columns: int) -> None:
    """Put the legend below: data may be anywhere in these axes."""
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.02, -0.15), ncols=columns, fontsize=8.5, frameon=False, handlelength=1.6
    )


def _sentence(draws: Draws, found: Outcome, words: str, sigma: float) -> str:
    kept, hit, n = found.states[:, 0] == KEPT, draws.hit[:, 0], len(draws.values)
    left = f"{found.hits_left:.1f} % of the hits left" if hit.any() else "no hits"
    return (
        f"{words[0].upper()}{words[1:]}: {kept.sum()} of {n} kept, {(~kept & hit).sum()} of {hit.sum()} hits rejected. "
        f"Off by {found.means[0] - LEVEL:+.2f} adu, the mean of all by {draws.values[:, 0].mean() - LEVEL:+.2f}; "
        f"sigma / sqrt(n) = {sigma / np.sqrt(n):.2f}.\n"
        f"In {_STACKS} such stacks: {left}, {found.good_lost:.2f} % of the good samples lost, "
        f"bias {found.bias:+.2f} adu."
    )


def plot_rejection_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``method``, its number from 1 on in the order of ``workbench.stack.rejection.REJECTIONS``; ``low`` and ``high``
        limits [sigma], of the sigma methods and the linear fit, the others keep their own; ``n_frames`` of the stack
        (3 to 40); ``n_hits``, how many of them are hit; ``height`` of a hit and ``sigma`` of a frame [adu].

    Returns
    -------
    matplotlib.figure.Figure
        One stack with what is kept and rejected; hits left, good samples lost and bias of all methods; numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(RejectionScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_rejection() -> widgets.VBox:
    """Show the race of the rejection methods on sliders: method, limits, frames, hits, their height, noise."""
    return Explorer(RejectionScene(new_picture(*_SIZE))).box()
