"""Explorer of notebook 07: a flat from which the wrong level was subtracted, and the field that it corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from workbench.camera.sensor import Sensor
from workbench.show.canvas import BLACK, BLUE, GREEN, GREY, VERMILION, dress, legend, new_picture, nice_limits
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_X = np.linspace(-1.0, 1.0, 241)  # from corner to corner; the glow sits at +1
_REACH = 0.19  # of the glow, on this scale
_GLOW_TOP = 33.0  # times its mean over the frame is the glow in the very corner
_DUST = (-0.35, 0.05, 0.04)  # place, radius, depth
_LEVELS = np.geomspace(0.02, 0.95, 65)  # of the full well
_LIMIT = 0.2  # %: a field is flat within this
_LEAST = 1e-3  # %: less is drawn there
_SIZE = (9.6, 3.9)

KNOBS = (
    Knob("offset", "subtracted too much [adu]", -512, 512, 16, 128, "a bias of another offset, another camera, ..."),
    Knob("level", "level of the flat [% of full well]", 2, 95, 1, 50, "at the centre, in electrons", 0.01),
    Knob("exposure", "exposure of the flat [s]", 1, 600, 1, 9, "what the sensor gathers in the dark meanwhile"),
    Knob("vignetting", "vignetting at the corners [%]", 2, 60, 1, 25, "fall of light from the centre", 0.01),
)


def field_errors(sensor: Sensor, x: FloatArray, **values: float) -> dict[str, FloatArray]:
    """Compute how far an even sky is from even after division by three flats.

    Parameters
    ----------
    sensor
        Gives gain, full well, dark current, clamp and glow.
    x
        Places along the diagonal, -1 to 1.
    **values
        Those of the sliders.

    Returns
    -------
    dict
        ``flat-dark``, ``bias only`` and ``wrong bias``: the corrected sky over its mean, less 1 [%], shape of x.

    Notes
    -----
    A flat holds ``f S + d``, with the response f, its level S and the dark signal above bias d. Less what is subtracted
    it is ``f S + e``; the sky ``f`` over that is even only where e is 0, or grows as f.
    """
    response = 1 - values["vignetting"] * x**2
    response = response * (1 - _DUST[2] * np.exp(-(((x - _DUST[0]) / _DUST[1]) ** 2) / 2))
    t = values["exposure"]
    glow = sensor.glow_linear * t + sensor.glow_quadratic * t**2
    thermal = sensor.dark_current * t
    clamp = sensor.clamp_share * (sensor.shielded_dark_ratio * thermal + sensor.glow_shielded * glow)
    dark = thermal + glow * _GLOW_TOP * np.exp((x - 1) / _REACH) - clamp
    light = response * values["level"] * full_well(sensor)
    errors = {"flat-dark": 0.0 * x, "bias only": dark, "wrong bias": dark - values["offset"] * sensor.gain}
    found = {}
    for name, error in errors.items():
        corrected = response / np.maximum(light + error, 0.05 * light)
        found[name] = 100 * (corrected / corrected.mean() - 1)
    return found


def full_well(sensor: Sensor) -> float:
    """Return the electrons at which the pixel or the converter is full."""
    return float(min(sensor.well_capacity, (sensor.adc_top - sensor.bias_level) * sensor.gain))


class FlatScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_flat"
    knobs = KNOBS
    hint = "Give the flat less light, or 300 s. Then set the wrong offset to 0: what is left, flat-darks take off."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._sensor = Sensor.from_manifest("qhy163m_like")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        self._left = left
        self.scales = (left,)
        self.moving = (*self._build_profile(left), *self._build_levels(right))

    def _build_profile(self, axes: Axes) -> list[Artist]:
        dress(axes, title="An even sky, corrected", x="corner - centre - corner with glow", y="off its mean [%]")
        (self._even,) = axes.plot(_X, 0 * _X, ":", color=BLACK, lw=1.5, label="flat-dark")
        (self._wrong,) = axes.plot([], [], "-", color=VERMILION, lw=2.5, label="wrong bias")
        (self._plain,) = axes.plot([], [], "--", color=BLUE, lw=2.5, label="bias only")
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1])
        axes.yaxis.set_label_coords(-0.13, 0.5)  # room for the numbers of any scale
        axes.legend(loc="upper center", fontsize=8.5, frameon=False)
        return [self._even, self._wrong, self._plain]

    def _build_levels(self, axes: Axes) -> list[Artist]:
        dress(axes, title="Greatest error, for every level", x="level of the flat [% of full well]", y="error [%]")
        axes.axhline(_LIMIT, color=GREEN, ls="--", lw=1.5, label=f"{_LIMIT} %")
        (self._worst,) = axes.plot([], [], "-", color=VERMILION, lw=2.5, label="wrong bias")
        (self._least,) = axes.plot([], [], "--", color=BLUE, lw=2.5, label="bias only")
        self._here = axes.axvline(50, color=GREY, lw=1.5)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(2, 95)
        axes.set_ylim(_LEAST, 1000)
        axes.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"], minor=False)
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        legend(axes, "upper left", columns=3)
        return [self._worst, self._least, self._here]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_flat_model`."""
        errors = field_errors(self._sensor, _X, **values)
        self._wrong.set_data(_X, errors["wrong bias"])
        self._plain.set_data(_X, errors["bias only"])
        low, high = (float(one(np.stack(list(errors.values())))) for one in (np.min, np.max))
        self._left.set_ylim(*nice_limits(min(low, -0.01), max(high, 0.01)))
        others = {name: value for name, value in values.items() if name != "level"}
        worst: dict[str, list[float]] = {name: [] for name in errors}
        for level in _LEVELS:
            for name, error in field_errors(self._sensor, _X, level=float(level), **others).items():
                worst[name].append(max(float(np.abs(error).max()), _LEAST))
        self._worst.set_data(100 * _LEVELS, worst["wrong bias"])
        self._least.set_data(100 * _LEVELS, worst["bias only"])
        self._here.set_xdata([100 * values["level"]] * 2)
        return _sentence(self._sensor, values, errors)


def _sentence(sensor: Sensor, values: dict[str, float], errors: dict[str, FloatArray]) -> str:
    light = values["level"] * full_well(sensor) / sensor.gain
    plain, wrong = (float(np.abs(errors[name]).max()) for name in ("bias only", "wrong bias"))
    return (
        f"Light of the flat: {light:.0f} adu at the centre; {values['offset']:+.0f} adu too much are "
        f"{values['offset'] / light:+.2%} of it.\n"
        f"Greatest error of the corrected field: bias only {plain:.3f} %, wrong bias {wrong:.3f} %."
    )


def plot_flat_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``offset``, what is subtracted too much [adu]; ``level`` of the flat at the centre, a share of the full well;
        ``exposure`` of the flat [s]; ``vignetting`` at the corners, a share.

    Returns
    -------
    matplotlib.figure.Figure
        An even sky after division by the flat, off its mean [%], along the diagonal; and its greatest error for every
        level of the flat.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(FlatScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_flat() -> widgets.VBox:
    """Show what a wrongly calibrated flat does on sliders: offset, level and exposure of the flat, vignetting."""
    return Explorer(FlatScene(new_picture(*_SIZE))).box()
