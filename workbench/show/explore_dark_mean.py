"""Explorer of notebook 01: the mean of a clamped camera's darks bends down while their variance keeps rising."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from workbench.camera.sensor import Camera, Sensor
from workbench.show.canvas import BLACK, BLUE, GREY, VERMILION, dress, legend, new_picture, nice_limits
from workbench.show.sliders import Explorer, Knob, Scene, static_picture

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LONGEST = 600.0  # s
FRAME_EXPOSURES = np.repeat([10.0, 30.0, 60.0, 120.0, 240.0, 420.0, LONGEST], 6)
_GRID = np.linspace(0.0, LONGEST, 61)
_SIZE = (9.6, 3.7)

KNOBS = (
    Knob("clamp_share", "clamp share", 0, 1, 0.125, 1, "share of the shielded pixels' mean that the clamp subtracts"),
    Knob("glow_linear", "glow rate [10⁻⁴ electron/s]", 0, 8, 0.25, 0.5, "glow that grows with exposure", 1e-4),
    Knob("glow_quadratic", "glow growth [10⁻⁷ electron/s²]", 0, 20, 0.5, 7.5, "glow that grows with its square", 1e-7),
    Knob("drift", "drift [adu]", 0, 16, 0.5, 1.5, "rms of the ADC reference from frame to frame"),
    Knob(
        "dark_current",
        "dark current [10⁻³ electron/s]",
        0,
        20,
        0.5,
        5,
        "thermal, mean over the pixels, without glow",
        1e-3,
    ),
)


@dataclass(frozen=True)
class DarkMeanModel:
    """What the frame model says about a series of darks: exact curves, and the two answers to one question.

    Parameters
    ----------
    exposure
        Shape (points,) [s].
    mean
        Noise-free mean of a dark [adu].
    variance
        Temporal variance of a dark, mean over pixels [adu2].
    bias_level
        [adu]
    drop, turning
        By how much the mean at the longest exposure lies below its greatest value [adu], and where that is [s].
    method_1
        ``K (mean(D) - mean(B)) / t`` at the longest exposure [electron / s].
    truth
        Thermal dark current plus glow, mean over pixels and over the longest exposure [electron / s].
    """

    exposure: FloatArray
    mean: FloatArray
    variance: FloatArray
    bias_level: float
    drop: float
    turning: float
    method_1: float
    truth: float


def dark_mean_model(sensor: Sensor, exposures: FloatArray) -> DarkMeanModel:
    """Compute the dark mean and its variance against exposure, at the sensor's reference temperature.

    Parameters
    ----------
    sensor
        Its frames may be small: the curves hold for the mean over pixels.
    exposures
        Shape (points,) [s], rising.

    Notes
    -----
    ``mean = a + b t + c t^2``; ``variance = [read_noise^2 + lambda(t)] / K^2 + q^2 / 12`` with the mean electrons
    ``lambda`` of thermal current and glow. The clamp is in the first and not in the second.
    """
    camera = Camera(sensor, seed=1)
    temperature = sensor.reference_temperature
    a, b, c = camera.dark_mean_coefficients(temperature)
    mean = a + b * exposures + c * exposures**2
    last = float(exposures[-1])
    return DarkMeanModel(
        exposure=exposures,
        mean=mean,
        variance=np.array([camera.variance(t, temperature).mean() for t in exposures]),
        bias_level=a,
        drop=float(mean.max() - mean[-1]),
        turning=float(exposures[int(mean.argmax())]),
        method_1=camera.gain * float(mean[-1] - a) / last,
        truth=float(camera.dark_electrons(last, temperature).mean()) / last,
    )


def _sketch() -> Sensor:
    """Return the embedded camera on a handful of pixels that are all alike: only its means are asked for."""
    sensor = Sensor.from_manifest("qhy163m_like")
    alike = sensor.without("fixed_pattern", "dark_spread", "hot_pixels", "read_noise_spread", "read_telegraph")
    return replace(alike.without("dark_telegraph", "overscan"), shape=(4, 4))


class DarkMeanScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_dark_mean"
    knobs = KNOBS
    hint = "Pull the clamp share to 0: the mean turns from falling to rising, and the variance does not move."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        left, right = figure.subplots(1, 2)
        self._mean_axes, self._variance_axes = left, right
        dress(left, title="The mean: the clamp is in it", x="exposure [s]", y="mean of a dark [adu]")
        dress(right, title="The variance: the clamp is not", x="exposure [s]", y="temporal variance [adu\u00b2]")
        (self._bias,) = left.plot([], [], ":", color=BLACK, label="bias level")
        (self._mean,) = left.plot([], [], "-", color=VERMILION, lw=2, label="a + b t + c t\u00b2, noise-free")
        (self._frames,) = left.plot(
            [], [], "o", color=BLUE, ms=4, alpha=0.6, mec="none", label="single frames, with drift"
        )
        (self._floor,) = right.plot([], [], ":", color=BLACK, label="read noise alone")
        (self._variance,) = right.plot(
            [], [], "-", color=VERMILION, lw=2, label="[read noise\u00b2 + electrons] / K\u00b2 + q\u00b2/12"
        )
        (self._sets,) = right.plot([], [], "o", color=BLUE, ms=4.5, mec="none", label="sets of 6 frames")
        for axes in (left, right):
            axes.set_xlim(-15, LONGEST + 15)
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid(color=GREY, alpha=0.2, lw=0.6)
        legend(left, "lower left")
        legend(right, "upper left")
        self.scales = (left, right)
        self.moving = (self._bias, self._mean, self._frames, self._floor, self._variance, self._sets)
        self._scatter = np.random.default_rng(163).standard_normal(FRAME_EXPOSURES.size)
        self._sketch = _sketch()

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_dark_mean_model`."""
        changes: dict[str, Any] = values
        sensor = replace(self._sketch, **changes)
        model = dark_mean_model(sensor, _GRID)
        frames = np.interp(FRAME_EXPOSURES, _GRID, model.mean) + sensor.drift * self._scatter
        self._mean.set_data(_GRID, model.mean)
        self._frames.set_data(FRAME_EXPOSURES, frames)
        self._bias.set_data([-15, LONGEST + 15], [model.bias_level] * 2)
        self._mean_axes.set_ylim(_mean_limits(np.concatenate([frames, model.mean, [model.bias_level]])))

        exposures = np.unique(FRAME_EXPOSURES)
        self._variance.set_data(_GRID, model.variance)
        self._sets.set_data(exposures, np.interp(exposures, _GRID, model.variance))
        self._floor.set_data([-15, LONGEST + 15], [model.variance[0]] * 2)
        self._variance_axes.set_ylim(nice_limits(0.0, 1.2 * float(model.variance[-1])))
        return _sentence(model, sensor)


def _mean_limits(values: FloatArray) -> tuple[float, float]:
    """Round limits around the values, with room for the legend below."""
    low, high = float(values.min()), float(values.max())
    spread = max(high - low, 10.0)
    return nice_limits(low - 0.35 * spread, high + 0.1 * spread)


def _sentence(model: DarkMeanModel, sensor: Sensor) -> str:
    offset = float(model.mean[-1]) - model.bias_level
    place = f"{abs(offset):.1f} adu {'above' if offset > 0 else 'below'}" if abs(offset) >= 0.05 else "at"
    fall = (
        f"it has fallen by {model.drop:.1f} adu since {model.turning:.0f} s" if model.drop >= 0.05 else "it never falls"
    )
    scatter = sensor.gain * sensor.drift / LONGEST
    return (
        f"At {LONGEST:.0f} s the mean is {place} the bias level; {fall}.\n"
        f"Method 1, K mean(D - B) / t, would return {model.method_1:.4f} electron/s "
        f"(drift of one frame: \u00b1{scatter:.4f}); the truth, thermal plus glow, is {model.truth:.4f} electron/s."
    )


def plot_dark_mean_model(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``clamp_share`` (0 to 1), ``glow_linear`` [electron / s] and ``glow_quadratic`` [electron / s2] (means over the
        frame), ``drift`` [adu], ``dark_current`` [electron / s]; what is not given is as in the embedded camera.

    Returns
    -------
    matplotlib.figure.Figure
        The dark mean [adu] and the temporal variance [adu2] against exposure [s], the numbers below.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(DarkMeanScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_dark_mean() -> widgets.VBox:
    """Show the dark mean and its variance on sliders: clamp share, glow rate and growth, drift, dark current."""
    return Explorer(DarkMeanScene(new_picture(*_SIZE))).box()
