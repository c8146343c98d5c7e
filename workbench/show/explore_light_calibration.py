"""Explorer of notebook 09: what a dark of another exposure or temperature leaves in a light, scaled to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from workbench.camera.sensor import Camera, Sensor
from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREY,
    IMAGE_CMAP,
    ORANGE,
    VERMILION,
    add_grid,
    dress,
    new_picture,
    nice_limits,
)
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

EXPOSURE, TEMPERATURE = 600.0, -20.0  # s, deg_C: of the lights
_SHAPE = (220, 291)  # pixel: the whole sensor in small
_SEED = 11  # a plain specimen
_SKY = 15.0  # electron a light
_N_DARKS, _N_BIAS = 20, 20
_CORNER = 24  # pixel a side, where the glow is brightest
_HOT = 10.0  # times the typical dark current
_GREY_LIMIT = 6.0  # electron
_GREYS = f"column [pixel]\n(black \u2212{_GREY_LIMIT:.0f}, white +{_GREY_LIMIT:.0f} electron)"
_SIZE = (9.8, 4.3)
_PLACES = (("glow corner", VERMILION, "-"), ("typical pixels", BLUE, "-"), ("hot pixels", ORANGE, "--"))
_EXPOSURES = np.arange(50.0, 1201.0, 50.0)

KNOBS = (
    Knob("dark_exposure", "exposure of the darks [s]", 50, 1200, 50, 1200, "600 s matches the lights"),
    Knob("temperature", "temperature of the darks [\u00b0C]", -30, -10, 0.5, -20, "the lights are at -20 \u00b0C"),
    Knob("n_lights", "lights averaged [lights]", 1, 64, 1, 18, "the more, the smaller a residual that shows"),
    Knob("clamp_share", "share clamped [of the dark]", 0, 1, 0.25, 1, "of the mean dark, by the camera itself"),
)


@dataclass(frozen=True)
class Leftover:
    """What is left of the dark: ``image`` [electron], ``places`` by name, and ``noise`` of a pixel of the mean."""

    k: float
    image: FloatArray
    places: dict[str, float]
    noise: float


@cache
def _camera(clamp_share: float) -> Camera:
    whole = Sensor.from_manifest("qhy163m_like").without("read_telegraph", "dark_telegraph", "drift", "cosmic_rays")
    return Camera(replace(whole, shape=_SHAPE, overscan_columns=0, clamp_share=clamp_share), _SEED)


@lru_cache(32)
def _above_bias(exposure: float, temperature: float, clamp_share: float) -> FloatArray:
    """Return the mean of a dark less that of a bias [electron]; saturated pixels saturate here as well."""
    camera = _camera(clamp_share)
    dark = np.minimum(camera.dark_electrons(exposure, temperature), camera.full_well)
    return np.asarray(dark - camera.clamp_electrons(exposure, temperature), np.float64)


@cache
def _masks() -> dict[str, NDArray[np.bool_]]:
    camera = _camera(1.0)
    glow, rate = camera.glow_electrons(EXPOSURE), camera.thermal_rate(TEMPERATURE)
    hot = rate > _HOT * np.median(rate)
    row, column = (
        int(np.clip(middle - _CORNER // 2, 0, size - _CORNER))
        for middle, size in zip(np.unravel_index(int(glow.argmax()), glow.shape), glow.shape, strict=True)
    )
    corner = np.zeros(_SHAPE, bool)
    corner[row : row + _CORNER, column : column + _CORNER] = True
    return {"glow corner": corner & ~hot, "hot pixels": hot & ~corner, "typical pixels": ~hot & ~corner}


def leftover(dark_exposure: float, temperature: float, n_lights: float, clamp_share: float) -> Leftover:
    """Subtract bias and scaled dark from lights of 600 s at -20 deg C: ``D_light - k D``, k the ratio of exposures.

    The bias cancels. ``places`` are without noise: the mean of the glow's corner, medians elsewhere.
    """
    k = EXPOSURE / dark_exposure
    places = _places(dark_exposure, temperature, clamp_share)
    return Leftover(
        k, _image(dark_exposure, temperature, clamp_share), places, _noise(k, dark_exposure, temperature, n_lights)
    )


def _image(dark_exposure: float, temperature: float, clamp_share: float) -> FloatArray:
    light = _above_bias(EXPOSURE, TEMPERATURE, clamp_share)
    return light - EXPOSURE / dark_exposure * _above_bias(dark_exposure, temperature, clamp_share)


@lru_cache(4096)
def _places(dark_exposure: float, temperature: float, clamp_share: float) -> dict[str, float]:
    image = _image(dark_exposure, temperature, clamp_share)
    means = {"glow corner": np.mean}
    return {name: float(means.get(name, np.median)(image[where])) for name, where in _masks().items()}


def _noise(k: float, dark_exposure: float, temperature: float, n_lights: float) -> float:
    """Return the noise of a typical pixel of the mean of the lights [electron]: their own, and the masters'."""
    read = _camera(1.0).sensor.read_noise ** 2
    dark = _typical_dark(dark_exposure, temperature)
    own = read + _SKY + _typical_dark(EXPOSURE, TEMPERATURE)
    return float(np.sqrt(own / n_lights + k**2 * (read + dark) / _N_DARKS + (1 - k) ** 2 * read / _N_BIAS))


@lru_cache(4096)
def _typical_dark(exposure: float, temperature: float) -> float:
    return float(np.median(_camera(1.0).dark_electrons(exposure, temperature)))


class LightCalibrationScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_light_calibration"
    knobs = KNOBS
    hint = "Bring the darks to 600 s. Then warm them by 5 K, to -15 \u00b0C. Which leaves a pattern?"

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
        self._grain = np.random.default_rng(_SEED).standard_normal(_SHAPE)
        self._image = left.imshow(np.zeros(_SHAPE), cmap=IMAGE_CMAP, vmin=-_GREY_LIMIT, vmax=_GREY_LIMIT, aspect="auto")
        dress(left, title="Left of the dark in the mean of the lights", x=_GREYS, y="row [pixel]")
        self.moving = (self._image, *self._build_curves(right))
        self.scales = (right,)

    def _build_curves(self, axes: Axes) -> list[Artist]:
        self._axes = axes
        dress(axes, title="The same by exposure of the darks", x="exposure of the darks [s]", y="left [electron]")
        axes.set_xlim(0, 1250)
        add_grid(axes)
        (edges,) = axes.plot([], [], color=GREY, ls=":", lw=1.6, label="noise of a pixel, \u00b1")
        self._edges = edges
        (self._here,) = axes.plot([], [], color=BLACK, lw=1, ls=":")
        self._curves = {
            name: axes.plot([], [], line, color=colour, lw=2, label=name)[0] for name, colour, line in _PLACES
        }
        self._points = {name: axes.plot([], [], "o", color=colour, ms=8)[0] for name, colour, _ in _PLACES}
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, fontsize=8.5, frameon=False)
        return [self._edges, self._here, *self._curves.values(), *self._points.values()]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_light_calibration_model`."""
        now = leftover(**values)
        self._image.set_data(now.image + now.noise * self._grain)
        others = {
            "temperature": values["temperature"],
            "n_lights": values["n_lights"],
            "clamp_share": values["clamp_share"],
        }
        line = [leftover(one, **others) for one in _EXPOSURES]
        for name, curve in self._curves.items():
            curve.set_data(_EXPOSURES, [one.places[name] for one in line])
            self._points[name].set_data([values["dark_exposure"]], [now.places[name]])
        noise = np.array([one.noise for one in line])
        self._edges.set_data(
            np.concatenate([_EXPOSURES, [np.nan], _EXPOSURES]), np.concatenate([noise, [np.nan], -noise])
        )
        ends = [value for one in line for value in (*one.places.values(), one.noise, -one.noise)]
        limits = nice_limits(min(ends), max(ends))
        self._axes.set_ylim(limits)
        self._here.set_data([values["dark_exposure"]] * 2, limits)
        return _sentence(now, values["dark_exposure"])


def _sentence(now: Leftover, exposure: float) -> str:
    corner, typical, hot = (now.places[name] for name, _, _ in _PLACES)
    what = "matched" if now.k == 1 else f"scaled {'down' if now.k < 1 else 'up'}"
    return (
        f"Darks of {exposure:.0f} s, k = {now.k:.3g}, {what}. Left in the glow corner: {corner:+.2f} electron; "
        f"hot pixels {hot:+.2f}; typical pixels {typical:+.2f}.\n"
        f"Noise of a pixel of the mean: {now.noise:.2f} electron. The corner stands out of the others by "
        f"{abs(corner - typical) / now.noise:.1f} times as much, pixel by pixel."
    )


def plot_light_calibration_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``dark_exposure`` [s] (50 to 1200), ``temperature`` [deg_C] (-30 to -10), ``n_lights`` (1 to 64) and
        ``clamp_share`` (0 to 1).

    Returns
    -------
    matplotlib.figure.Figure
        What is left of the dark in the mean of the lights [electron], as a picture and against the darks' exposure.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(LightCalibrationScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_light_calibration() -> widgets.VBox:
    """Show on sliders what darks leave: their exposure and temperature, the number of lights, the clamp."""
    return Explorer(LightCalibrationScene(new_picture(*_SIZE))).box()
