"""Pictures of calibration: what a scaled dark leaves and where, pixels below zero, fields that a flat corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.ticker import FuncFormatter

from workbench.show.canvas import (
    BLACK,
    BLUE,
    DIVERGING_CMAP,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    add_grid,
    dress,
    extent_of,
    legend,
    new_picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Plane = NDArray[Any]

_COLOURS = (VERMILION, BLUE, ORANGE, GREEN, BLACK)
_STYLES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))


def tile_means(image: Plane, tile: int) -> xr.DataArray:
    """Average an image over square tiles; what does not fill a tile at the end is left out.

    Parameters
    ----------
    image
        Shape (y, x); NaN is left aside.
    tile
        Pixels on a side.

    Returns
    -------
    xarray.DataArray
        Dims ``y, x``, whose coordinates are the tiles' centres [pixel]; NaN for a tile without a value.
    """
    rows, columns = (size // tile for size in image.shape)
    parts = np.asarray(image, np.float64)[: rows * tile, : columns * tile].reshape(rows, tile, columns, tile)
    good = np.isfinite(parts)
    counts = good.sum(axis=(1, 3))
    sums = np.where(good, parts, 0.0).sum(axis=(1, 3))
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    centres = {side: (np.arange(n) + 0.5) * tile - 0.5 for side, n in (("y", rows), ("x", columns))}
    return xr.DataArray(means, dims=("y", "x"), coords=centres)


def plot_leftovers(
    images: Mapping[str, Plane], *, unit: str = "adu", tile: int = 8, limit: float | None = None, one_scale: bool = True
) -> Figure:
    """Draw images that should be zero everywhere, side by side.

    Parameters
    ----------
    images
        Title -> shape (y, x), such as lights less their darks.
    unit
        Of their values.
    tile
        Pixels on a side over which values are averaged.
    limit
        Where colours end; by default at the 99.5th percentile of the absolute tile means.
    one_scale
        Whether all share their colours; if not, each panel has colours and a bar of its own.
    """
    tiles = {title: tile_means(image, tile) for title, image in images.items()}
    every = np.concatenate([one.to_numpy().ravel() for one in tiles.values()])
    figure = new_picture(1.3 + (2.75 if one_scale else 3.4) * len(tiles), 2.9)
    panels = figure.subplots(1, len(tiles), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, means) in zip(panels, tiles.items(), strict=True):
        dress(axes, title=title, x="column [pixel]", y="row [pixel]" if axes is panels[0] else "")
        end = limit or float(np.nanpercentile(np.abs(every if one_scale else means.to_numpy()), 99.5)) or 1.0
        shown = axes.imshow(means, cmap=DIVERGING_CMAP, vmin=-end, vmax=end, extent=extent_of(means))
        if not one_scale and axes is not panels[-1]:
            figure.colorbar(shown, ax=axes, label=f"[{unit}]", shrink=0.85)
    label = f"[{unit}], means of {tile} x {tile} pixels"
    figure.colorbar(shown, ax=list(panels) if one_scale else panels[-1], label=label, shrink=0.85)
    return figure


def plot_residuals_by_factor(table: pd.DataFrame, factors: Mapping[str, float]) -> Figure:
    """Draw what a scaled dark leaves at each place against its factor.

    Parameters
    ----------
    table
        Columns ``place``, ``k``, ``residual`` and ``std_error`` [adu].
    factors
        Name -> k, drawn as lines: what methods found.
    """
    figure = new_picture(8.4, 3.9)
    axes = figure.subplots()
    dress(axes, title="One factor, three places", x="k", y="left [adu]")
    axes.axhline(0, color=GREY, lw=1)
    for colour, (place, rows) in zip(_COLOURS, table.groupby("place", sort=False), strict=False):
        k, left, error = (rows[name].to_numpy(np.float64) for name in ("k", "residual", "std_error"))
        axes.errorbar(k, left, error, fmt="o-", ms=4, lw=2, color=colour, label=str(place))
    for style, (name, k) in zip(_STYLES, factors.items(), strict=False):
        axes.axvline(k, color=BLACK, ls=style, lw=1.2, label=f"{name}: {k:.3f}")
    _symlog(axes, float(table["residual"].abs().max()) or 1.0)
    add_grid(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5, frameon=False)
    return figure


def _symlog(axes: Axes, greatest: float) -> None:
    """Scale values by their logarithm down to about a hundredth of the greatest, linearly around zero."""
    linear = 10.0 ** np.floor(np.log10(greatest / 100))
    tens = [linear * 10.0**power for power in range(1, 4)]
    axes.set_yscale("symlog", linthresh=linear, linscale=0.5)
    axes.set_yticks([*(-one for one in reversed(tens)), 0.0, *tens])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.set_ylim(-2 * greatest, 2 * greatest)


def plot_clipping(values: Plane, *, pedestal: float = 0.0, tile: int = 8) -> Figure:
    """Draw which share of the pixels is below zero, and the values about zero, before and after clipping.

    Parameters
    ----------
    values
        Shape (y, x) [adu], not clipped.
    pedestal
        What is added before clipping [adu].
    tile
        Pixels on a side over which shares are taken.
    """
    raised = np.asarray(values, np.float64) + pedestal
    share = tile_means(np.where(np.isfinite(raised), raised < 0, np.nan), tile)
    figure = new_picture(9.2, 3.3)
    left, right = figure.subplots(1, 2)
    dress(left, title="Pixels below zero", x="column [pixel]", y="row [pixel]")
    shown = left.imshow(100 * share, cmap="cividis", vmin=0, vmax=100, extent=extent_of(share))
    figure.colorbar(shown, ax=left, label=f"[%], of {tile} x {tile} pixels", shrink=0.85)
    finite = raised[np.isfinite(raised)]
    low, high = np.percentile(finite, (0.1, 99.0))
    edges = np.linspace(min(low, 0.0) - 1, max(high, 1.0), 81)
    dress(right, title="Values", x="calibrated value [adu]", y="pixels")
    counts, _ = np.histogram(finite, edges)
    right.stairs(counts, edges, color=BLUE, lw=1.5, label="in floating point")
    kept, _ = np.histogram(np.maximum(finite, 0.0), edges)
    right.stairs(kept, edges, color=VERMILION, lw=1.5, ls="--", label="clipped at zero")
    right.set_yscale("log")
    right.axvline(0, color=BLACK, ls=":", lw=1.5)
    legend(right, "best")
    return figure


def plot_profiles(
    images: Mapping[str, Plane], *, unit: str = "%", tile: int = 20, limit: float | None = None
) -> Figure:
    """Draw images along their diagonal, from the last row and first column to the first row and last column.

    Parameters
    ----------
    images
        Name -> shape (y, x), such as corrected fields off their mean.
    unit
        Of their values.
    tile
        Pixels on a side over which values are averaged.
    limit
        Drawn as a band of that half width where given.
    """
    figure = new_picture(8.4, 3.4)
    axes = figure.subplots()
    dress(axes, title="Along the diagonal", x="from the lower left corner to the upper right", y=f"[{unit}]")
    if limit is not None:
        axes.axhspan(-limit, limit, color=GREY, alpha=0.25, lw=0, label=f"within {limit:g} {unit}")
    for colour, style, (name, image) in zip(_COLOURS, ("-", "-", "--", "-.", ":"), images.items(), strict=False):
        means = tile_means(image, tile).to_numpy()
        n = max(means.shape)
        rows, columns = (np.rint(np.linspace(0, size - 1, n)).astype(int) for size in means.shape)
        axes.plot(np.linspace(0, 1, n), means[rows[::-1], columns], ls=style, color=colour, lw=2, label=name)
    axes.set_xlim(0, 1)
    add_grid(axes)
    legend(axes, "best")
    return figure
