"""Explorer of notebook 10: a light of the second night laid upon one of the first by hand, to blink between the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from workbench.calibrate.projective import apply
from workbench.calibrate.resample import resample
from workbench.camera.session import dataset_truth
from workbench.show.canvas import BLUE, GREY, VERMILION, add_grid, dress, new_picture, nice_limits
from workbench.show.sliders import Explorer, Knob, Scene, static_picture
from workbench.show.stretch import auto_stretch

if TYPE_CHECKING:
    import ipywidgets as widgets
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Image = NDArray[np.float32]

_SEED = 10
_OTHER = 9  # the first light of the second night
_DARK_NOISE = 6.0  # electron^2: read noise and dark current
_WHITE = 2000.0  # electron
_SIZE = (9.8, 4.3)

KNOBS = (
    Knob("x_shift", "shift along x [pixel]", -30, 30, 0.125, 12, "of the picture at the frame's centre"),
    Knob("y_shift", "shift along y [pixel]", -30, 30, 0.125, -8, "of the picture at the frame's centre"),
    Knob("rotation", "rotation [\u00b0]", -10, 10, 0.125, 5, "about the frame's centre, from x towards y"),
    Knob("blink", "first or second [light]", 0, 1, 0.25, 0.5, "0 shows the reference, 1 the other light, 0.5 both"),
)


@dataclass(frozen=True)
class Pair:
    """Two calibrated lights, stretched to 0 to 1, and where the same stars are in both [pixel], shape (star, 2)."""

    reference: Image
    other: Image
    here: Floats
    there: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.reference.shape
        return rows, columns


@cache
def simulated_pair() -> Pair:
    """Return the first light of each night of the simulated session."""
    truth, rng = dataset_truth("session"), np.random.default_rng(_SEED)
    files = truth.lights[0], truth.lights[_OTHER]
    images = []
    for file in files:
        clean = truth.calibrated(file)
        image = clean + rng.standard_normal(clean.shape) * np.sqrt(clean + _DARK_NOISE)
        images.append(auto_stretch(image, low=0.0, high=_WHITE)(image))
    stars = [truth.stars(file) for file in files]
    both = (stars[0]["inside"] & stars[1]["inside"]).to_numpy()
    here, there = (table.loc[both, ["x", "y"]].to_numpy(np.float64) for table in stars)
    return Pair(images[0], images[1], here, there)


def matrix_of(x_shift: float, y_shift: float, rotation: float, shape: tuple[int, int]) -> Floats:
    """Return the 3 x 3 matrix that turns about the frame's centre by degrees, then shifts: reference to other light."""
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    angle = np.radians(rotation)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = centre - turn @ centre + (x_shift, y_shift)
    return matrix


class RegistrationScene(Scene):
    """The artists of the explorer, and how they follow its values."""

    name = "explore_registration"
    knobs = KNOBS
    hint = "Find the rotation first: what makes the points lie level? Then the shifts. Blink to check."

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._pair = simulated_pair()
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        self._image = left.imshow(np.zeros((*self._pair.shape, 3)), aspect="auto", interpolation="nearest")
        dress(left, title="Reference reddish, the other bluish", x="column [pixel]", y="row [pixel]")
        centre = np.array(self._pair.shape[::-1]) / 2
        self._radius = np.hypot(*(self._pair.here - centre).T)
        self.moving = (self._image, *self._build_distances(right))
        self.scales = (right,)

    def _build_distances(self, axes: Axes) -> list[Artist]:
        self._axes = axes
        x = "distance from the frame's centre [pixel]"
        dress(axes, title="How far stars are off", x=x, y="off by [pixel]")
        add_grid(axes)
        axes.set_xlim(0, 1.05 * float(self._radius.max()))
        (self._points,) = axes.plot(self._radius, self._radius, "o", color=BLUE, ms=4, mew=0, label="stars")
        self._rms = axes.axhline(1.0, color=VERMILION, lw=2, label="rms")
        self._goal = axes.axhline(0.1, color=GREY, ls=":", lw=1.5, label="0.1 pixel")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, fontsize=8.5, frameon=False)
        return [self._points, self._rms, self._goal]

    def show(self, **values: float) -> str:
        """Follow the values; see :func:`plot_registration`."""
        blink = values["blink"]
        matrix = matrix_of(values["x_shift"], values["y_shift"], values["rotation"], self._pair.shape)
        laid = np.nan_to_num(resample(self._pair.other, matrix, self._pair.shape, kernel="bicubic", clamping=None)[0])
        first, second = min(1.0, 2 - 2 * blink) * self._pair.reference, min(1.0, 2 * blink) * laid
        self._image.set_data(np.clip(np.stack([first, (first + second) / 2, second], axis=-1), 0, 1))
        away = np.hypot(*(apply(matrix, self._pair.here) - self._pair.there).T)
        rms = float(np.sqrt(np.mean(away**2)))
        self._points.set_ydata(away)
        self._rms.set_ydata([rms, rms])
        self._axes.set_ylim(nice_limits(0.0, 1.05 * float(away.max())))
        return (
            f"The stars are off by {rms:.2f} pixel rms, at most by {away.max():.2f}; {len(away)} stars are in both.\n"
            "A shift moves all points alike; a rotation, the more the farther from the centre."
        )


def plot_registration(**values: float) -> Figure:
    """Draw the explorer's figure without sliders.

    Parameters
    ----------
    **values
        ``x_shift``, ``y_shift`` [pixel] (-30 to 30), ``rotation`` [deg] (-10 to 10), ``blink`` (0 to 1).

    Returns
    -------
    matplotlib.figure.Figure
        Both lights over each other, and how far each star is off [pixel].

    Raises
    ------
    TypeError
        When there is no parameter of that name.
    """
    return static_picture(RegistrationScene(new_picture(*_SIZE, caption_lines=2)), values)


def explore_registration() -> widgets.VBox:
    """Lay a light of the second night upon the first by sliders, and blink between them."""
    return Explorer(RegistrationScene(new_picture(*_SIZE))).box()
