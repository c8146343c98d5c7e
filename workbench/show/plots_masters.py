"""Pictures of masters: where samples were rejected, what methods lose and leave, what limits and few frames cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    IMAGE_CMAP,
    MAP_CMAP,
    ORANGE,
    SKY,
    VERMILION,
    add_grid,
    dress,
    legend,
    new_picture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_WINDOW = 120  # pixels a side
_MANY = 3  # samples rejected of one pixel: as bright as it gets
_STYLES = ((VERMILION, "-", "x"), (BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "--", "^"), (SKY, ":", "D"))


def plot_rejection_maps(data: xr.Dataset, window: tuple[slice, slice] | None = None) -> Figure | None:
    """Draw a part of a master and how many of its samples were rejected.

    Parameters
    ----------
    data
        ``Combination.data``, or what :func:`workbench.calibrate.master_files.read_master` gives.
    window
        Rows and columns; None for those 120 x 120 pixels that lost most. Every pixel is drawn: no count is hidden.

    Returns
    -------
    matplotlib.figure.Figure or None
        The signal [adu], black at its 1st and white at its 99.5th percentile; counts of samples rejected as too high
        and as too low. None for a master without maps.
    """
    if "rejected_high" not in data:
        return None
    rows, columns = _busiest(data["rejected_high"].to_numpy()) if window is None else window
    part = data.isel(y=rows, x=columns)
    start, stop = [(side.start or 0) for side in (rows, columns)], part["signal"].shape
    extent = (start[1] - 0.5, start[1] + stop[1] - 0.5, start[0] + stop[0] - 0.5, start[0] - 0.5)
    figure = new_picture(11.4, 4.0)
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    signal = part["signal"].to_numpy()
    black, white = np.nanpercentile(signal, [1, 99.5])
    _panel(panels[0], signal, extent, "Master [adu]", {"cmap": IMAGE_CMAP, "vmin": black, "vmax": white})
    for axes, name, title in (
        (panels[1], "rejected_high", "Samples rejected as too high"),
        (panels[2], "rejected_low", "Samples rejected as too low"),
    ):
        counts = part[name].to_numpy()
        _panel(axes, counts, extent, title, {"cmap": MAP_CMAP, "vmin": 0, "vmax": _MANY})
    for axes in panels[1:]:
        axes.set_ylabel("")
    return figure


def _busiest(counts: NDArray[np.unsignedinteger]) -> tuple[slice, slice]:
    """Return the block in which most samples were rejected, of blocks of 120 pixels side by side."""
    sides = [min(_WINDOW, size) for size in counts.shape]
    blocks = [size // side for size, side in zip(counts.shape, sides, strict=True)]
    whole = counts[: blocks[0] * sides[0], : blocks[1] * sides[1]]
    sums = whole.reshape(blocks[0], sides[0], blocks[1], sides[1]).sum(axis=(1, 3), dtype=np.int64)
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    starts = int(row) * sides[0], int(column) * sides[1]
    return slice(starts[0], starts[0] + sides[0]), slice(starts[1], starts[1] + sides[1])


def _panel(axes: Axes, image: Any, extent: tuple[float, float, float, float], title: str, how: dict[str, Any]) -> None:
    dress(axes, title=title, x="column [pixel]", y="row [pixel]")
    shown = axes.imshow(image, extent=extent, interpolation="nearest", **how)
    counts = image.dtype.kind != "f"
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.8, extend="max" if counts else "neither")
    bar.ax.tick_params(labelsize=8.5)
    if counts:
        bar.locator = MaxNLocator(integer=True)
        bar.update_ticks()


def plot_race(table: pd.DataFrame) -> Figure:
    """Draw what each method of rejection leaves, loses and shifts.

    Parameters
    ----------
    table
        As :func:`workbench.measure.rejection_race.race` makes it.

    Returns
    -------
    matplotlib.figure.Figure
        Left the shares [%] of clear hits left, of good samples lost, of the raised samples of telegraph pixels lost;
        linear below 0.1 %, so that zero has a place; right the bias of quiet pixels [adu], linear.
    """
    figure = new_picture(10.2, 0.9 + 0.33 * len(table) + 0.7)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    rows = np.arange(len(table))
    dress(left, title="Left in, and lost", x="share [%]", y="")
    for name, label, marker, colour in (
        ("jumps_lost", "telegraph samples lost", "D", ORANGE),
        ("good_lost", "good samples lost", "o", BLUE),
        ("hits_left", "hits left", "x", VERMILION),
    ):
        left.plot(100 * table[name], rows, marker, color=colour, ms=7, mew=2 if marker == "x" else 0.5, label=label)
    dress(right, title="Background", x="bias [adu]", y="")
    right.axvline(0, color=BLACK, ls=":", lw=1)
    right.errorbar(table["bias"], rows, xerr=table["bias_error"], fmt="o", color=BLUE, ms=6, label="bias")
    _symlog(left, 0.1, [0, 0.1, 1, 10, 100], (-0.03, 150))
    right.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    left.set_yticks(rows, list(table.index))
    left.set_ylim(len(table) - 0.5, -0.5)
    for axes in (left, right):
        add_grid(axes)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    return figure


def _symlog(axes: Axes, linear: float, ticks: list[float], limits: tuple[float, float]) -> None:
    axes.set_xscale("symlog", linthresh=linear, linscale=0.5)
    axes.set_xlim(*limits)
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def plot_share_left(tables: Mapping[str, pd.DataFrame], limit: float | None = None) -> Figure:
    """Draw which share of the hits a method leaves in, against their height.

    Parameters
    ----------
    tables
        By the method's name, as :func:`workbench.measure.rejection_race.share_left` makes them; at most five.
    limit
        Its high limit, to be drawn as a line [sigma].

    Returns
    -------
    matplotlib.figure.Figure
        Shares [%] with their binomial errors, heights in standard deviations of a sample.
    """
    figure = new_picture(7.6, 3.9)
    axes = dress(figure.subplots(), title="Hits left in the master", x="height of the hit [sigma]", y="share left [%]")
    for (name, table), (colour, line, marker) in zip(tables.items(), _STYLES, strict=False):
        share = table["share"].to_numpy(dtype=np.float64)
        error = np.sqrt(share * (1 - share) / np.maximum(table["n"], 1))
        how: dict[str, Any] = {"color": colour, "ls": line, "marker": marker, "ms": 5, "lw": 1.4}
        axes.errorbar(table["height"], 100 * share, 100 * error, label=name, **how)
    if limit is not None:
        axes.axvline(limit, color=GREY, ls=":", lw=1.2, label=f"limit, {limit:g} sigma")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_ylim(-3, 103)
    add_grid(axes)
    axes.legend(loc="upper right", fontsize=8.5, frameon=False)
    return figure


def plot_bias(table: pd.DataFrame, expected: Mapping[str, float] | None = None) -> Figure:
    """Draw the bias of the background against the number of frames, for some limits.

    Parameters
    ----------
    table
        A row for each ``limits`` (words) and ``n``: ``bias`` and ``bias_error``, in units of a sample's sigma.
    expected
        By the same words: what limits cost when sigma is known, a dashed line.

    Returns
    -------
    matplotlib.figure.Figure
        Bias [thousandths of sigma].
    """
    figure = new_picture(7.6, 3.9)
    title, y = "What limits cost the background", "bias [0.001 sigma]"
    axes = dress(figure.subplots(), title=title, x="frames in the stack", y=y)
    axes.axhline(0, color=BLACK, ls=":", lw=1)
    for (name, rows), (colour, _, marker) in zip(table.groupby("limits", sort=False), _STYLES, strict=False):
        how: dict[str, Any] = {"color": colour, "marker": marker, "ms": 5, "lw": 1.4}
        axes.errorbar(rows["n"], 1e3 * rows["bias"], 1e3 * rows["bias_error"], label=str(name), **how)
        if expected is not None and name in expected:
            axes.axhline(1e3 * expected[str(name)], color=colour, ls="--", lw=1)
    _frames_axis(axes, table)
    legend(axes, "best")
    return figure


def plot_frames_needed(table: pd.DataFrame, limit: float | None = None) -> Figure:
    """Draw which share of clear hits is left and of good samples is lost, against the number of frames.

    Parameters
    ----------
    table
        A row for each ``method`` (words) and ``n``: ``hits_left`` and ``good_lost``, shares.
    limit
        Of plain sigma clipping about the median [sigma]: a line where sqrt(n), as far as one hit among equal values can
        be in standard deviations, reaches it.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels [%], logarithmic in the number of frames.
    """
    figure = new_picture(10.2, 4.0)
    left, right = figure.subplots(1, 2)
    dress(left, title="Hits left", x="frames in the stack", y="share [%]")
    dress(right, title="Good samples lost", x="frames in the stack", y="share [%]")
    for (name, rows), (colour, line, marker) in zip(table.groupby("method", sort=False), _STYLES, strict=False):
        for axes, column in ((left, "hits_left"), (right, "good_lost")):
            axes.plot(rows["n"], 100 * rows[column], line, color=colour, marker=marker, ms=5, lw=1.4, label=str(name))
    if limit is not None:
        left.axvline(limit**2, color=GREY, ls=":", lw=1.2, label=f"sqrt(n) = {limit:g}")
    for axes in (left, right):
        _frames_axis(axes, table)
    left.legend(loc="upper right", fontsize=8.5, frameon=False)
    return figure


def _frames_axis(axes: Axes, table: pd.DataFrame) -> None:
    axes.set_xscale("log")
    ticks = [one for one in (3, 5, 7, 10, 15, 20, 30, 50, 100, 200) if table["n"].min() <= one <= table["n"].max()]
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    add_grid(axes)
