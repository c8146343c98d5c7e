"""Pictures of the dark current's estimators: bias and error of each, why a published table scatters, rays, pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREEN,
    IMAGE_CMAP,
    ORANGE,
    SKY,
    VERMILION,
    add_grid,
    dress,
    legend,
    new_picture,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from workbench.stack.hits import Hits

_MILLI = 1e3  # electron/s in thousandths: short labels
_ASKS_THE_NOISE = {
    "mean_of_pairs": ("s", GREEN),
    "temporal_variance": ("^", VERMILION),
    "temporal_variance_masked": ("D", ORANGE),
    "variance_slope": ("P", SKY),
}
_HALF = 11  # pixels of a cut-out on either side of a ray


def plot_ladder(ladder: pd.DataFrame) -> Figure | None:
    """Draw what the estimators find of a truth that is known, and how their errors fall with the number of frames.

    Parameters
    ----------
    ladder
        Of :func:`workbench.measure.ladder.estimator_ladder` [electron/s].
    """
    if not len(ladder):
        return None
    figure = new_picture(10.4, 4.2)
    left, right = figure.subplots(1, 2)
    _draw_bias(left, ladder)
    _draw_errors(right, ladder)
    return figure


def _draw_bias(axes: Axes, ladder: pd.DataFrame) -> None:
    dress(axes, title="One set of frames finds", x="dark current [10⁻³ electron/s]", y="")
    last = ladder.reset_index().groupby("method", sort=False).last()  # of the composites that of most frames
    rows = np.arange(len(last))[::-1]
    mean, scatter = last["mean"] * _MILLI, last["scatter"] * _MILLI
    axes.errorbar(mean, rows, xerr=scatter, fmt="o", color=BLUE, ms=5, label="mean ± scatter of one set")
    axes.axvline(ladder.attrs["truth"] * _MILLI, color=BLACK, ls=":", label="truth")
    axes.set_yticks(rows, [f"{name.replace('_', ' ')} ({n})" for name, n in last["n_frames"].items()])
    axes.set_ylim(-0.6, len(last) + 0.9)
    add_grid(axes)
    legend(axes, "upper left", columns=2)


def _draw_errors(axes: Axes, ladder: pd.DataFrame) -> None:
    dress(axes, title="Scatter around the mean", x="number of frames n", y="[10⁻³ electron/s]")
    composite = ladder.loc["composite"]
    pair = float(ladder.loc[("pair", 2), "std_error"]) * _MILLI
    n = np.linspace(2, float(composite.index.max()), 100)
    axes.axhline(pair, color=BLUE, lw=1.2, ls="--", label="stated error of a pair")
    axes.plot(n, pair / np.sqrt(n - 1), color=VERMILION, lw=1.2, ls="--", label="the same / √(n - 1)")
    points = {"composite": ("o", BLUE), **_ASKS_THE_NOISE}
    for method, (marker, colour) in points.items():
        if method not in ladder.index:
            continue
        rows = ladder.loc[method]
        if method == "variance_slope":
            rows = rows[rows.index <= n[-1]]  # it takes frames of several exposures
        errors = rows["scatter_error"] * _MILLI
        label = method.replace("_", " ")
        if len(rows):
            hollow = (
                {"mfc": "none", "ms": 10} if method.endswith("masked") else {"ms": 5}
            )  # where another may lie under it
            values = rows["scatter"] * _MILLI
            axes.errorbar(rows.index, values, errors, fmt=marker, color=colour, lw=1, label=label, **hollow)
    axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    axes.set_xticks(composite.index)
    add_grid(axes)
    legend(axes, "upper left", columns=2)


def plot_scatter_causes(found: pd.DataFrame, published: pd.DataFrame) -> Figure | None:
    """Draw how much each cause lets a convergence table scatter, beside the published one.

    Parameters
    ----------
    found
        Of :func:`workbench.measure.convergence_scatter.convergence_scatter` [electron/s].
    published
        Columns ``n_frames`` and ``dark_current`` [electron/s].
    """
    if not len(found) or not len(published):
        return None
    figure = new_picture(10.4, 3.9)
    left, right = figure.subplots(1, 2)
    dress(left, title="The published table", x="number of frames n", y="dark current [10⁻³ electron/s]")
    n, values = published["n_frames"].to_numpy(), published["dark_current"].to_numpy() * _MILLI
    middle = float(values.mean())
    rays = [cause for cause in found.index if cause.startswith("cosmic rays")]
    nearest = min(rays, key=lambda cause: abs(found.loc[cause, "rms"] - found.attrs["rms"]), default=None)
    pairs = np.linspace(n[0], n[-1], 100)
    if nearest is not None:
        half = found.loc[nearest, "first"] * _MILLI / np.sqrt(pairs / 2)
        left.fill_between(
            pairs, middle - half, middle + half, color=ORANGE, alpha=0.3, lw=0, label=f"{nearest}: ± 1 rms"
        )
    half = found.loc["pixel sampling", "first"] * _MILLI
    left.fill_between(pairs, middle - half, middle + half, color=BLUE, lw=0, label="pixel sampling: ± 1 rms")
    left.plot(n, values, "s--", color=BLACK, ms=5, lw=1, label="published for the QHY163M")
    left.set_xticks(n)
    legend(left, "best")
    add_grid(left)
    dress(right, title=f"Rms of the {len(n)} values", x="[electron/s]; bars: 5 to 95 % of the tables", y="")
    rows = np.arange(len(found))[::-1]
    bars = np.array([found["rms"] - found["rms_low"], found["rms_high"] - found["rms"]])
    right.errorbar(found["rms"], rows, xerr=bars, fmt="o", color=BLUE, ms=5)
    right.axvline(found.attrs["rms"], color=BLACK, ls="--", label="published")
    right.set_xscale("log")
    right.set_yticks(rows, list(found.index))
    right.set_ylim(-0.6, len(found) + 0.3)
    legend(right, "upper left")
    add_grid(right)
    return figure


def plot_hits(stack: xr.DataArray, hits: Hits, most: int = 5) -> Figure | None:
    """Draw cut-outs around the strongest cosmic rays: what a frame holds above the median of the others [adu].

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    hits
        What was found in it; outlined is what is left out, the rays' own samples and their neighbours.
    most
        So many cut-outs.
    """
    if not hits.n_events:
        return None
    strongest = np.argsort(hits.charges)[::-1][:most]
    figure = new_picture(2.15 * max(2, len(strongest)), 2.6)
    for axes, event in zip(np.atleast_1d(figure.subplots(1, len(strongest))), strongest, strict=True):
        _draw_hit(axes, stack, hits, int(event))
    figure.suptitle("Frame minus the median of the others; outlined: left out", fontsize=9.5)
    return figure


def _draw_hit(axes: Axes, stack: xr.DataArray, hits: Hits, event: int) -> None:
    own = np.flatnonzero(hits.event == event)
    brightest = own[np.argmax(hits.excess[own])]
    frame, row, column = (int(one[brightest]) for one in (hits.frame, hits.row, hits.column))
    top, left = max(0, row - _HALF), max(0, column - _HALF)
    part = stack[:, top : row + _HALF + 1, left : column + _HALF + 1].to_numpy().astype(np.float64)
    excess = part[frame] - np.median(np.delete(part, frame, axis=0), axis=0)
    mask = np.zeros(hits.shape[1:], dtype=bool)
    same = hits.frame == frame
    mask[hits.row[same], hits.column[same]] = True
    height, width = excess.shape
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    title = f"frame {frame + 1}: {hits.charges[event]:.0f} adu"
    dress(axes, title=title, x="column", y="row").title.set_fontsize(8.5)
    limit = 2 * hits.threshold
    axes.imshow(excess, cmap=IMAGE_CMAP, vmin=-limit / 2, vmax=limit, extent=extent, interpolation="nearest")
    part_mask = mask[top : top + height, left : left + width]
    # pixels become blocks, so that the outline follows their edges
    block = 8
    fine = np.kron(np.pad(part_mask, 1), np.ones((block, block)))
    y, x = ((np.arange(side) + 0.5) / block - 1.5 for side in fine.shape)
    axes.contour(x + left, y + top, fine, levels=[0.5], colors=ORANGE, linewidths=1.0)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])


def plot_pulls(pulls: pd.DataFrame) -> Figure | None:
    """Draw how many of its own standard errors each number of a bank of cameras lies from the truth.

    Parameters
    ----------
    pulls
        Of :func:`workbench.measure.bank.run_bank`; what a method does not claim, or could not measure, is left out.
    """
    if not len(pulls):
        return None
    claimed = pulls[(pulls["reason"] == "") & (pulls["not_claimed"] == "")]
    series = list(claimed.groupby(["name", "method"], sort=False)["pull"])
    if not series:
        return None
    figure = new_picture(8.0, 1.1 + 0.25 * len(series))
    axes = dress(figure.subplots(), title="Found minus true", x="[stated standard errors]", y="")
    axes.axvspan(-2, 2, color=BLUE, alpha=0.1, lw=0)
    axes.axvspan(-1, 1, color=BLUE, alpha=0.15, lw=0)
    rows = np.arange(len(series))[::-1]
    for row, (_, values) in zip(rows, series, strict=True):
        axes.plot(values, np.full(len(values), row), "o", color=BLUE, ms=4.5, alpha=0.6)
    several = {name for name, others in claimed.groupby("name")["method"].nunique().items() if others > 1}
    names = [f"{name}: {method}" if name in several else name for (name, method), _ in series]
    axes.set_yticks(rows, [name.replace("_", " ") for name in names])
    reach = max(4.0, 1.1 * float(claimed["pull"].abs().max()))
    axes.set_xlim(-reach, reach)
    return figure
