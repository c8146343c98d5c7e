"""Pictures that follow a slider: Agg without pyplot, a background kept once, only the moving artists drawn again.

The explorers build their figures here and nowhere else, so that the same picture serves a live page
(:class:`LivePicture`, PNG bytes for an ``Image`` widget) and a reader without a kernel (:class:`StaticPicture`).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

# Okabe and Ito's palette: told apart by colour-blind readers, and by lightness on paper
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, GREY = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#7F7F7F",
)
IMAGE_CMAP = "gray"
MAP_CMAP = "cividis"
DIVERGING_CMAP = "PuOr"  # values of either sign

_DPI = 100
_LINE = 0.185  # inches of a caption's line
_FONT = {"title": 10.5, "label": 9.5, "tick": 8.5, "legend": 8.5, "caption": 9.5}


class StaticPicture(Figure):
    """A figure that a notebook shows by itself, with or without an active matplotlib backend."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_picture(width: float, height: float, *, caption_lines: int = 0) -> StaticPicture:
    """Return an empty figure in the house style.

    Parameters
    ----------
    width, height
        In inches, at 100 dots an inch.
    caption_lines
        Lines to keep free below the plots for :func:`write_caption`; the figure grows by their height.
    """
    band = 0.1 + _LINE * caption_lines if caption_lines else 0.0
    figure = StaticPicture(figsize=(width, height + band), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    share = band / (height + band)
    figure.set_layout_engine("constrained", rect=(0, share, 1, 1 - share), w_pad=0.06, h_pad=0.06)
    return figure


def write_caption(figure: Figure, text: str) -> None:
    """Write lines into the band that :func:`new_picture` kept free."""
    figure.text(0.012, 0.08 / figure.get_figheight(), text, fontsize=_FONT["caption"], va="bottom", linespacing=1.3)


def dress(axes: Axes, *, title: str, x: str, y: str) -> Axes:
    """Give an axes its title and its labels (with units) in the house's sizes."""
    axes.set_title(title, fontsize=_FONT["title"], loc="left")
    axes.set_xlabel(x, fontsize=_FONT["label"])
    axes.set_ylabel(y, fontsize=_FONT["label"])
    axes.tick_params(labelsize=_FONT["tick"], direction="out", length=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def legend(axes: Axes, where: Literal["best", "upper left", "lower left"], columns: int = 1) -> None:
    """Add a frameless legend that stays in the background."""
    axes.legend(loc=where, ncols=columns, fontsize=_FONT["legend"], frameon=False, handlelength=1.6, borderaxespad=0.3)


def add_grid(axes: Axes) -> None:
    """Draw faint grid lines."""
    axes.grid(color=GREY, alpha=0.2, lw=0.6)


def extent_of(values: xr.DataArray) -> tuple[float, float, float, float]:
    """Return the edges of a map whose coordinates are the centres of its blocks, rows downward."""
    x, y = (np.asarray(values[side], dtype=np.float64) for side in ("x", "y"))
    half_x, half_y = (abs(side[1] - side[0]) / 2 for side in (x, y))
    return float(x[0] - half_x), float(x[-1] + half_x), float(y[-1] + half_y), float(y[0] - half_y)


def decimate(image: NDArray[Any], factor: int, threshold: float) -> NDArray[Any]:
    """Shrink a difference image so that no outlier is lost: a block shows its strongest pixel, if strong, or its first.

    Taking every eighth pixel would lose 63 of 64 hits, and the strongest pixel everywhere would make even noise look
    like salt and pepper; whoever uses this says so in the picture's label.

    Parameters
    ----------
    image
        ``[y, x]``, signed, both sides multiples of ``factor``.
    factor
        Side of a block [pixel].
    threshold
        The strongest pixel is shown where it is farther than this from zero, in the image's unit.

    Returns
    -------
    NDArray
        ``[y / factor, x / factor]`` of the same type and unit.

    Raises
    ------
    ValueError
        When a side is no multiple of the factor.

    Examples
    --------
    >>> decimate(np.array([[1, -7, 0, 0], [2, 3, 0, 2]]), 2, threshold=5)
    array([[-7,  0]])
    """
    if image.shape[0] % factor or image.shape[1] % factor:
        raise ValueError(f"an image of shape {image.shape} has no blocks of {factor} x {factor} pixels; crop it first")
    high, low = _reduce_blocks(image, factor, np.maximum), _reduce_blocks(image, factor, np.minimum)
    strongest = np.where(high >= -low, high, low)
    return np.where(np.abs(strongest) > threshold, strongest, image[::factor, ::factor])


def _reduce_blocks(image: NDArray[Any], factor: int, ufunc: np.ufunc) -> NDArray[Any]:
    """Strided slices, rows first: fifteen times as quick as a reduction over a four-dimensional view."""
    rows = image[::factor].copy()
    for start in range(1, factor):
        ufunc(rows, image[start::factor], out=rows)
    blocks = rows[:, ::factor].copy()
    for start in range(1, factor):
        ufunc(blocks, rows[:, start::factor], out=blocks)
    return blocks


def show_decimated(axes: Axes, image: NDArray[Any], shape: tuple[int, int], *, limit: float) -> AxesImage:
    """Draw a decimated difference image whose axes stay in pixels of the full frame.

    Parameters
    ----------
    axes
        Where to draw.
    image
        The decimated image ``[y, x]``.
    shape
        Rows and columns of the full frame [pixel].
    limit
        Grey runs from ``-limit`` (black) to ``+limit`` (white), in the image's unit.
    """
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    return axes.imshow(image, cmap=IMAGE_CMAP, vmin=-limit, vmax=limit, extent=extent, interpolation="nearest")


class LivePicture:
    """A figure of which only the moving artists are drawn again.

    Parameters
    ----------
    figure
        Complete with axes, labels and legends.
    scales
        The axes whose vertical limits follow the data; such an axis is drawn again when its limits have changed.
    moving
        The artists that change, in the order in which they are drawn over everything else.
    """

    def __init__(self, figure: Figure, scales: Sequence[Axes], moving: Sequence[Artist]) -> None:
        self._figure = figure
        self._scales = tuple(scales)
        self._moving = tuple(moving)
        self._canvas = FigureCanvasAgg(figure)
        for artist in (*(axes.yaxis for axes in self._scales), *self._moving):
            artist.set_animated(True)  # a full draw leaves it out, so the background is without it
        self._limits: list[tuple[float, float]] | None = None  # nothing is drawn yet
        self._bare: Any = None
        self._background: Any = None

    def png(self) -> bytes:
        """Return the picture as it is now."""
        limits = [axes.get_ylim() for axes in self._scales]
        if limits == self._limits:
            self._canvas.restore_region(self._background)  # type: ignore[no-untyped-call]
        else:
            self._draw_background()
            self._limits = limits
        for artist in self._moving:
            self._figure.draw_artist(artist)
        return encode_png(np.asarray(self._canvas.buffer_rgba()))  # type: ignore[no-untyped-call]

    def _draw_background(self) -> None:
        if self._bare is None:
            self._canvas.draw()  # type: ignore[no-untyped-call]
            self._figure.set_layout_engine("none")  # what is drawn stays where it is
            self._bare = self._canvas.copy_from_bbox(self._figure.bbox)  # type: ignore[no-untyped-call]
        self._canvas.restore_region(self._bare)  # type: ignore[no-untyped-call]
        for axes in self._scales:
            self._figure.draw_artist(axes.yaxis)
        self._background = self._canvas.copy_from_bbox(self._figure.bbox)  # type: ignore[no-untyped-call]


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an opaque picture ``[y, x, rgba]`` as PNG, packed for speed.

    Rows are stored without PNG's prediction filters: figures are flat areas, which deflate packs as well without them,
    and choosing a filter for every row is what makes the usual encoders four times slower.
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 4 * width), dtype=np.uint8)  # a leading zero is the filter "none"
    rows[:, 1:] = pixels.reshape(height, 4 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits, red green blue alpha, not interlaced
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def nice_limits(low: float, high: float) -> tuple[float, float]:
    """Widen a range to round numbers, about five steps of 1, 2 or 5, so that an axis rests while its curve moves.

    Examples
    --------
    >>> nice_limits(3, 87)
    (0.0, 100.0)
    """
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step)
