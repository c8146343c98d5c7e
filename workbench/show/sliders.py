"""The widget around a live picture: labelled sliders, the picture, its numbers in a sentence, any error in sight."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from workbench.show.canvas import LivePicture, write_caption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Knob:
    """One slider and the parameter that it sets.

    Parameters
    ----------
    name
        The parameter.
    label
        With the unit in which the slider counts.
    minimum, maximum, step, value
        As the slider counts; the step a binary fraction, so that no handle ever says 1.0000000000000002.
    meaning
        In words, shown under the pointer.
    scale
        What one of the slider is in the parameter's own unit: 0.001 for ``[0.001 electron/s]``.
    """

    name: str
    label: str
    minimum: float
    maximum: float
    step: float
    value: float
    meaning: str
    scale: float = 1.0

    @property
    def decimals(self) -> int:
        """Decimals that the step needs."""
        return len(f"{self.step:.10f}".rstrip("0").partition(".")[2])

    @property
    def default(self) -> float:
        """The value at the start, in the parameter's own unit."""
        return self.value * self.scale


class Scene(ABC):
    """What an explorer shows: its sliders, the artists of its figure, and how they follow the sliders."""

    name: str
    hint: str
    knobs: Sequence[Knob]
    figure: Figure
    scales: Sequence[Axes]
    moving: Sequence[Artist]

    @abstractmethod
    def show(self, **values: float) -> str:
        """Set the artists to these values and return the sentence that stands below."""


class Explorer:
    """A scene on sliders: ``sliders`` by parameter name, ``image`` with the PNG, ``sentence`` below it.

    Parameters
    ----------
    scene
        What is shown.

    Notes
    -----
    A redraw that fails raises where it was asked for; in a page, whose kernel only logs that, ``message`` shows it too.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._picture = LivePicture(scene.figure, scene.scales, scene.moving)
        self._quiet = False
        self._scales = {knob.name: knob.scale for knob in scene.knobs}
        self.sliders: dict[str, Any] = {knob.name: _slider(knob) for knob in scene.knobs}
        width, height = scene.figure.get_size_inches() * scene.figure.dpi
        layout = widgets.Layout(width=f"{width:.0f}px", height=f"{height:.0f}px", max_width="none")
        self.image = widgets.Image(format="png", layout=layout)
        self.sentence = widgets.HTML()
        self.message = widgets.HTML()
        for slider in self.sliders.values():
            slider.observe(self._on_move, names="value")
        self._redraw()

    @property
    def values(self) -> dict[str, float]:
        """The parameters as they stand, each in its own unit."""
        return {knob.name: self.sliders[knob.name].value * knob.scale for knob in self._scene.knobs}

    def update(self, **values: float) -> None:
        """Move sliders to these parameters, each in its own unit, and redraw once.

        Raises
        ------
        KeyError
            When there is no slider of that name.
        """
        self._quiet = True
        try:
            for name, value in values.items():
                self.sliders[name].value = round(value / self._scales[name], 9)  # 10, not 10.000000000000002
        finally:
            self._quiet = False
        self._redraw()

    def box(self) -> widgets.VBox:
        """Return the widget for a page: hint, sliders, picture, sentence, message."""
        hint = widgets.HTML(f"<b>Try:</b> {html.escape(self._scene.hint)}")
        grid = widgets.GridBox(
            tuple(self.sliders.values()),
            layout=widgets.Layout(grid_template_columns="repeat(auto-fit, 440px)", grid_gap="2px 16px"),
        )
        return ExplorerBox(self, self._scene.name, (hint, grid, self.image, self.sentence, self.message))

    def _on_move(self, _change: Mapping[str, Any]) -> None:
        if not self._quiet:
            self._redraw()

    def _redraw(self) -> None:
        try:
            sentence = self._scene.show(**self.values)
            png = self._picture.png()
        except Exception as error:
            self.message.value = (
                f'<b style="color:#B00020">Error: {html.escape(f"{type(error).__name__}: {error}")}</b>'
            )
            raise
        self.image.value = png
        self.sentence.value = html.escape(sentence).replace("\n", "<br>")
        self.message.value = ""


class ExplorerBox(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no type information
    """The box of an explorer; its ``repr`` is the same in every run, for notebooks are compared by it."""

    def __init__(self, explorer: Explorer, name: str, children: tuple[Any, ...]) -> None:
        self._name = name
        self.explorer = explorer
        super().__init__(children)

    def __repr__(self) -> str:
        return f"{self._name}() with {len(self.explorer.sliders)} sliders"


def _slider(knob: Knob) -> Any:
    common = {
        "value": knob.value,
        "min": knob.minimum,
        "max": knob.maximum,
        "step": knob.step,
        "description": knob.label,
        "tooltip": knob.meaning,
        "style": {"description_width": "215px"},
        "layout": widgets.Layout(width="440px"),
    }
    if knob.decimals == 0:
        return widgets.IntSlider(**(common | {key: int(common[key]) for key in ("value", "min", "max", "step")}))
    return widgets.FloatSlider(**common, readout_format=f".{knob.decimals}f")


def static_picture(scene: Scene, values: Mapping[str, float]) -> Figure:
    """Draw a scene once, its sentence as the caption, for readers without a kernel.

    Raises
    ------
    TypeError
        When the scene has no slider of that name.
    """
    defaults = {knob.name: knob.default for knob in scene.knobs}
    unknown = sorted(set(values) - set(defaults))
    if unknown:
        raise TypeError(f"{scene.name} has no parameter {unknown[0]!r}; choose from {', '.join(defaults)}")
    write_caption(scene.figure, scene.show(**(defaults | dict(values))))
    return scene.figure
