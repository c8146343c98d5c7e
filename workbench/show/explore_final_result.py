"""Explorer of notebook 11: a raw light beside the integration of many, both stretched, with a wipe between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.resample import resample
from workbench.camera.session import dataset_truth
from workbench.results import rounded
from workbench.show.canvas import BLACK, BLUE, IMAGE_CMAP, ORANGE, VERMILION, add_grid, dress, new_picture
from workbench.show.sliders import Explorer, Knob, Scene, static_picture
from workbench.show.stretch import Stretch, midtones_transfer

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Image = NDArray[np.float32]

_SEED = 18
_N_DARKS = 20
_LOW, _HIGH = -500.0, 18000.0  # electron: black and white before the stretch
_MAD = 1.4826
_SHOWN = (-25.0, 75.0)  # electron about the median
_SIZE = (9.8, 4.4)

KNOBS = (
    Knob("wipe", "raw light right of [column]", 0, 582, 1, 291, "integrated on the left, one raw light on the right"),
    Knob("n_lights", "lights integrated [lights]", 1, 18, 1, 18, "calibrated and registered"),
    Knob("shadows", "black below the median [sigma]", 0, 6, 0.0625, 2.8125, "robust standard deviations of the image"),
    Knob("background", "median becomes [brightness]", 0.0625, 0.5, 0.03125, 0.25, "of 0, black, to 1, white"),
)


@dataclass(frozen=True)
class Lights:
    """A raw light less the mean of a bias [electron], and running means of calibrated ones, shape (n, y, x)."""

    raw: Image
    means: Image


@cache
def simulated_lights() -> Lights:
    """Simulate the session's lights without cosmic rays, calibrate and register them by their truth."""
    truth, rng = dataset_truth("session"), np.random.default_rng(_SEED)
    camera, shape = truth.camera, truth.camera.sensor.shape
    first = truth.frame(truth.lights[0])
    dark = camera.dark_electrons(first.exposure, first.temperature)
    pattern = (camera.offset_map - np.mean(camera.offset_map)) * camera.gain
    noise = np.sqrt(camera.read_noise_map**2 + dark)
    master = dark + rng.standard_normal(shape) * noise / np.sqrt(_N_DARKS)
    total, count = np.zeros(shape), np.zeros(shape)
    means = np.empty((len(truth.lights), *shape), np.float32)
    for index, file in enumerate(truth.lights):
        electrons = np.minimum(rng.poisson(truth.electrons(file)), camera.full_well)
        electrons = electrons + rng.standard_normal(shape) * camera.read_noise_map
        if index == 0:
            raw = electrons + pattern - camera.clamp_electrons(first.exposure, first.temperature)
        view = truth.view(file)
        laid, covered = resample((electrons - master) / truth.flat_field, view.matrix, shape)
        total += np.nan_to_num(laid)
        count += covered
        means[index] = total / np.maximum(count, 1)
    return Lights(raw.astype(np.float32), means)


def stretch_of(image: Image, shadows: float, background: float) -> tuple[Stretch, float, float]:
    """Return the automatic stretch with other constants, and median and robust standard deviation [electron]."""
    sample = image[::2, ::2].astype(np.float64)
    median = float(np.median(sample))
    spread = _MAD * float(np.median(np.abs(sample - median)))
    middle, width = (median - _LOW) / (_HIGH - _LOW), spread / (_HIGH - _LOW)
    black = min(max(middle - shadows * width, 0.0), 1.0)
    middle = max(middle - black, 1e-7)  # black at the median leaves nothing to place
    return Stretch(_LOW, _HIGH, black, float(midtones_transfer(background, middle))), median, spread


class FinalResultScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_final_result"
    knobs = KNOBS
    hint = "Wipe over the upper right corner. Then integrate fewer lights: when does the nebula drown?"

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._lights = simulated_lights()
        left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
        shape = self._lights.raw.shape
        self._image = left.imshow(
            np.zeros(shape), cmap=IMAGE_CMAP, vmin=0, vmax=1, aspect="auto", interpolation="nearest"
        )
        dress(left, title="Integrated | one raw light", x="column [pixel]", y="row [pixel]")
        (self._edge,) = left.plot([0, 0], [-0.5, shape[0] - 0.5], color=ORANGE, lw=1.2)
        left.set_xlim(-0.5, shape[1] - 0.5)
        left.set_ylim(shape[0] - 0.5, -0.5)
        self.moving = (self._image, self._edge, *self._build_curves(right))
        self.scales = ()

    def _build_curves(self, axes: Axes) -> list[Artist]:
        title, x = "Pixels, and the stretch of the integrated", "pixel above its image's median [electron]"
        dress(axes, title=title, x=x, y="brightness; pixels, relative")
        axes.set_xlim(*_SHOWN)
        axes.set_ylim(-0.02, 1.05)
        add_grid(axes)
        self._edges = np.linspace(*_SHOWN, 201)
        self._middles = middle = (self._edges[1:] + self._edges[:-1]) / 2
        (self._raw,) = axes.plot(middle, np.zeros(200), color=VERMILION, lw=1.6, label="raw light")
        (self._mean,) = axes.plot(middle, np.zeros(200), color=BLUE, lw=1.6, label="integrated")
        (self._curve,) = axes.plot(middle, np.zeros(200), color=BLACK, lw=1.4, ls="--", label="stretch")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize=8.5, frameon=False)
        return [self._raw, self._mean, self._curve]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_final_result`."""
        integrated, raw = self._lights.means[int(values["n_lights"]) - 1], self._lights.raw
        how = values["shadows"], values["background"]
        (ours, level, noise), (theirs, raw_level, raw_noise) = stretch_of(integrated, *how), stretch_of(raw, *how)
        wipe = int(values["wipe"])
        self._image.set_data(np.concatenate([ours(integrated[:, :wipe]), theirs(raw[:, wipe:])], axis=1))
        self._edge.set_xdata([wipe - 0.5] * 2)
        for line, image, middle in ((self._mean, integrated, level), (self._raw, raw, raw_level)):
            counts = np.histogram(image - middle, self._edges)[0]
            line.set_ydata(counts / counts.max())
        self._curve.set_ydata(ours(self._middles + level))
        n = int(values["n_lights"])
        many = f"{n} lights of 10 minutes, {10 * n} minutes" if n > 1 else "1 light of 10 minutes, 10 minutes"
        scatter, raw_scatter = (rounded(one, one / 100)[0] for one in (noise, raw_noise))
        return (
            f"{many}: pixels scatter by {scatter} electron; those of the raw light by {raw_scatter}.\n"
            f"Left of column {wipe} the integrated light, right of it the raw one; both are stretched by the same rule."
        )


def plot_final_result(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``wipe``, the column (0 to 582) right of which the raw light shows; ``n_lights`` (1 to 18); ``shadows``, robust
        standard deviations below the median that become black (0 to 6); ``background``, what the median becomes
        (0.0625 to 0.5).

    Returns
    -------
    matplotlib.figure.Figure
        Both images, and their pixels with the stretch.

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(FinalResultScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_final_result() -> widgets.VBox:
    """Wipe between a raw light and the integration of many, both stretched."""
    return Explorer(FinalResultScene(new_picture(*_SIZE))).box()
