"""Pictures of lights: what calibration leaves, how errors compare, how frames lie upon each other, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.show.canvas import (
    BLACK,
    BLUE,
    DIVERGING_CMAP,
    GREEN,
    GREY,
    IMAGE_CMAP,
    MAP_CMAP,
    ORANGE,
    VERMILION,
    add_grid,
    dress,
    new_picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workbench.show.stretch import Stretch

    Plane = NDArray[Any]

_CLIP = 5.0  # robust standard deviations of a block, beyond which its pixels are stars, hot pixels and rays
_MAD = 1.4826
_COLOURS = (BLUE, VERMILION, ORANGE, GREEN, GREY)


def block_means(image: Plane, block: int) -> NDArray[np.float64]:
    """Return the means of blocks of pixels, outliers left out; a last part of a block is left out as well.

    Parameters
    ----------
    image
        Shape (y, x); NaN is no value.
    block
        Pixels on a side.

    Returns
    -------
    numpy.ndarray
        Shape (y // block, x // block); NaN where a block has no value.
    """
    rows, columns = (size // block for size in image.shape)
    blocks = np.asarray(image[: rows * block, : columns * block], np.float64).reshape(rows, block, columns, block)
    values = blocks.swapaxes(1, 2).reshape(rows, columns, block * block)
    found = np.full((rows, columns), np.nan)
    for place in np.ndindex(rows, columns):
        good = values[place][np.isfinite(values[place])]
        if good.size:
            away = np.abs(good - np.median(good))
            found[place] = good[away <= _CLIP * _MAD * np.median(away)].mean()
    return found


def plot_residual_maps(images: Mapping[str, Plane], unit: str, *, block: int = 16) -> Figure:
    """Draw what is left where nothing should be, on one scale.

    Parameters
    ----------
    images
        By their names, up to three, shape (y, x), in ``unit``.
    unit
        Of the values.
    block
        Pixels on a side that are averaged, outliers left out.

    Returns
    -------
    matplotlib.figure.Figure
        A map each; colours run to the greatest absolute value of any.
    """
    maps = {name: block_means(image, block) for name, image in images.items()}
    limit = max(float(np.nanmax(np.abs(one))) for one in maps.values())
    figure = new_picture(4.0 * len(maps) + 0.8, 3.5)
    panels = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        dress(axes, title=name, x="column [pixel]", y="row [pixel]" if axes is panels[0] else "")
        extent = (-0.5, values.shape[1] * block - 0.5, values.shape[0] * block - 0.5, -0.5)
        shown = axes.imshow(
            values, cmap=DIVERGING_CMAP, vmin=-limit, vmax=limit, extent=extent, interpolation="nearest"
        )
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.85)
    bar.set_label(f"mean of {block} x {block} pixels [{unit}]", fontsize=9.5)
    bar.ax.tick_params(labelsize=8.5)
    return figure


def plot_pull_histogram(pulls: Mapping[str, Plane]) -> Figure:
    """Draw deviations in units of their stated errors, against a Gaussian of spread one.

    Parameters
    ----------
    pulls
        By their names, any shape; NaN is left out.

    Returns
    -------
    matplotlib.figure.Figure
        Densities, logarithmic.
    """
    figure = new_picture(7.4, 3.6)
    axes = dress(figure.subplots(), title="Deviations", x="deviation / stated error", y="density")
    edges = np.linspace(-6, 6, 121)
    middle = (edges[1:] + edges[:-1]) / 2
    for (name, values), colour in zip(pulls.items(), _COLOURS, strict=False):
        good = np.asarray(values)[np.isfinite(values)]
        counts = np.histogram(good, edges)[0] / (good.size * np.diff(edges))
        axes.stairs(np.maximum(counts, 1e-7), edges, color=colour, lw=1.5, label=name, baseline=1e-7)
    axes.plot(middle, np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi), ":", color=BLACK, lw=1.5, label="spread one")
    axes.set_yscale("log")
    axes.set_ylim(2e-6, 1.5)
    add_grid(axes)
    axes.legend(loc="lower center", fontsize=8.5, frameon=False)
    return figure


def plot_star_shifts(matched: pd.DataFrame, scale: float) -> Figure:
    """Draw how far stars lie from where a transformation maps them.

    Parameters
    ----------
    matched
        A row a star: ``x``, ``y`` in the reference [pixel], ``dx``, ``dy`` the distance [pixel].
    scale
        How many times the arrows are lengthened.

    Returns
    -------
    matplotlib.figure.Figure
        Left arrows over the frame, right the distances themselves.
    """
    figure = new_picture(9.8, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    dress(left, title=f"Stars off their places, {scale:g} times", x="column [pixel]", y="row [pixel]")
    x, y, dx, dy = (matched[name].to_numpy(np.float64) for name in ("x", "y", "dx", "dy"))
    left.quiver(x, y, scale * dx, scale * dy, angles="xy", scale_units="xy", scale=1, color=BLUE, width=0.003)
    left.set_aspect("equal")
    left.invert_yaxis()
    dress(right, title="The same about zero", x="along x [pixel]", y="along y [pixel]")
    right.plot(dx, dy, "o", color=BLUE, ms=4, alpha=0.6, mew=0)
    right.plot([0], [0], "+", color=VERMILION, ms=14, mew=2)
    far = 1.1 * float(max(np.abs(dx).max(), np.abs(dy).max()))
    right.set_xlim(-far, far)
    right.set_ylim(far, -far)
    right.set_aspect("equal")
    add_grid(right)
    return figure


def plot_coverage(coverage: Plane, noise: Plane, *, block: int = 8) -> Figure:
    """Draw how many frames have a value at each pixel, and the noise that follows.

    Parameters
    ----------
    coverage
        Counts, shape (y, x).
    noise
        Standard errors of the pixels [adu], shape (y, x).
    block
        Pixels on a side over which the noise's median is taken.

    Returns
    -------
    matplotlib.figure.Figure
        Two maps.
    """
    rows, columns = (size // block for size in noise.shape)
    blocks = noise[: rows * block, : columns * block].reshape(rows, block, columns, block).swapaxes(1, 2)
    median = np.nanmedian(blocks.reshape(rows, columns, -1), axis=-1) if rows and columns else noise
    figure = new_picture(10.2, 3.7)
    panels = figure.subplots(1, 2, sharey=True)
    low, high = np.nanpercentile(median, [1, 99])
    for axes, values, title, span in (
        (panels[0], coverage, "Frames that have a value", (0, int(coverage.max()))),
        (panels[1], median, "Standard error of a pixel [adu]", (low, high)),
    ):
        dress(axes, title=title, x="column [pixel]", y="row [pixel]" if axes is panels[0] else "")
        extent = (-0.5, coverage.shape[1] - 0.5, coverage.shape[0] - 0.5, -0.5)
        shown = axes.imshow(values, cmap=MAP_CMAP, vmin=span[0], vmax=span[1], extent=extent, interpolation="nearest")
        figure.colorbar(shown, ax=axes, shrink=0.85).ax.tick_params(labelsize=8.5)
    return figure


def plot_stretched(
    images: Mapping[str, tuple[Plane, Stretch | None]], *, window: tuple[slice, slice] | None = None, columns: int = 2
) -> Figure:
    """Draw images side by side, each by its stretch.

    Parameters
    ----------
    images
        By their titles: an image, shape (y, x), and its stretch; None for a map, drawn from 0 on with a colour bar.
    window
        Rows and columns; None for all.
    columns
        Of panels.

    Returns
    -------
    matplotlib.figure.Figure
        Black at 0 and white at 1; pixels without a value are black.
    """
    n_rows = -(-len(images) // columns)
    part = (slice(None), slice(None)) if window is None else window
    height, width = next(iter(images.values()))[0][part].shape
    figure = new_picture(4.9 * columns, (0.75 + 4.2 * height / width) * n_rows)
    panels = figure.subplots(n_rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (title, (image, stretch)) in zip(panels, images.items(), strict=False):
        height, width = image.shape
        top, bottom, _ = part[0].indices(height)
        left, right, _ = part[1].indices(width)
        dress(axes, title=title, x="column [pixel]", y="row [pixel]")
        extent = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
        how: dict[str, Any] = {"extent": extent, "interpolation": "nearest", "aspect": "auto"}
        if stretch is None:
            shown = axes.imshow(image[part], cmap=MAP_CMAP, vmin=0, **how)
            figure.colorbar(shown, ax=axes, shrink=0.85).ax.tick_params(labelsize=8.5)
        else:
            axes.imshow(np.nan_to_num(stretch(image[part])), cmap=IMAGE_CMAP, vmin=0, vmax=1, **how)
    for axes in panels[len(images) :]:
        axes.set_visible(False)
    return figure


def plot_flux_ratios(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw measured fluxes of stars over their true ones.

    Parameters
    ----------
    tables
        By their names, a row a star: ``true`` flux [electron], ``ratio`` and its ``error``.

    Returns
    -------
    matplotlib.figure.Figure
        Deviations [%] against the flux, logarithmic.
    """
    figure = new_picture(7.8, 3.7)
    axes = dress(figure.subplots(), title="Fluxes of stars", x="true flux [electron]", y="measured above true [%]")
    axes.axhline(0, color=BLACK, ls=":", lw=1)
    for (name, table), colour, marker in zip(tables.items(), _COLOURS, "osD^v", strict=False):
        off, error = 100 * (table["ratio"] - 1), 100 * table["error"]
        axes.errorbar(table["true"], off, yerr=error, fmt=marker, color=colour, ms=4, lw=0.8, alpha=0.8, label=name)
    axes.set_xscale("log")
    add_grid(axes)
    axes.legend(loc="best", fontsize=8.5, frameon=False)
    return figure


def plot_profiles(profiles: Mapping[str, Sequence[float] | Plane], y: str, title: str) -> Figure:
    """Draw lines across an image.

    Parameters
    ----------
    profiles
        By their names, values at successive pixels.
    y, title
        The vertical label, with its unit, and the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_picture(7.4, 3.4)
    axes: Axes = dress(figure.subplots(), title=title, x="distance from the centre [pixel]", y=y)
    axes.axhline(0, color=BLACK, ls=":", lw=1)
    for (name, values), colour, style in zip(profiles.items(), _COLOURS, ("-", "--", "-.", ":", "-"), strict=False):
        axes.plot(np.arange(len(values)) - len(values) // 2, values, style, color=colour, lw=1.8, label=name)
    add_grid(axes)
    axes.legend(loc="upper right", fontsize=8.5, frameon=False)
    return figure
