"""Pictures of noise: a frame's budget, the read noise of the pixels, telegraph pixels, rounding.

As in :mod:`workbench.show.plots`, a function returns None when there is nothing to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.special import chdtr

from workbench.measure.maps import picture
from workbench.measure.read_noise_map import read_noise_map
from workbench.results import rounded
from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MAP_CMAP,
    ORANGE,
    SKY,
    VERMILION,
    add_grid,
    dress,
    extent_of,
    legend,
    new_picture,
)
from workbench.show.selection import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from workbench.measure.pixels import PixelClasses
    from workbench.measure.read_noise_map import ReadNoiseDistribution
    from workbench.results import Results

    FloatArray = NDArray[np.float64]

_COLOURS = {"temporal": BLUE, "fixed": VERMILION, "sum": BLACK, "single frame": GREY}
_KINDS = {"temporal": "changes from frame to frame", "fixed": "stays: fixed pattern"}
_LEVELS = {1: "steady", 2: "two levels", 3: "three levels"}
_NODES = np.linspace(-5.0, 5.0, 101)
_WEIGHTS = np.exp(-(_NODES**2) / 2) / np.exp(-(_NODES**2) / 2).sum()


# ---- the budget of one frame


def budget_of(results: Results, group: str | None = None, region: str | None = None) -> pd.DataFrame:
    """Return the noise budget of one group and region with the rms of every term.

    Returns
    -------
    pandas.DataFrame
        The rows of ``noise_budget`` and two columns more: ``rms`` and ``rms_error``, in electron where a gain is known,
        else in adu; ``attrs["units"]`` says which. Both are NaN where a variance is not above its error.
    """
    table = rows_of(results, "noise_budget", group, region).copy()
    if not len(table):
        return table
    seen = table["variance"] > table["std_error"]
    electrons = table["noise"].notna().any()
    if electrons:
        rms, error = (table[name].astype(float) for name in ("noise", "noise_error"))
    else:
        rms = table["variance"].where(seen) ** 0.5
        error = table["std_error"] / (2 * rms)
    table = table.assign(rms=rms.where(seen), rms_error=error.where(seen))
    table.attrs["units"] = "electron" if electrons else "adu"
    return table


def plot_noise_budget(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the terms of the noise of one bias frame and of one of the longest darks [electron rms, or adu]."""
    table = budget_of(results, group, region)
    if not len(table):
        return None
    parts = [part for _, part in table.groupby("frames", sort=False)]
    figure = new_picture(5.2 * len(parts), 4.4)
    for axes, part in zip(np.atleast_1d(figure.subplots(1, len(parts))), parts, strict=True):
        kind = part["frames"].iloc[0]
        title = f"One {kind}" + (f" of {part['exposure'].iloc[0]:g} s" if kind == "dark" else " frame")
        dress(axes, title=title, x=f"rms [{table.attrs['units']}]", y="")
        own = part[part["kind"].isin(["temporal", "fixed", "single frame"]) | (part["term"] == "sum of all terms")]
        _bars(axes, own)
    handles = [
        axes.barh([0], [0], color=_COLOURS[kind], label=label)  # nothing to see but in the legend
        for kind, label in _KINDS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5, frameon=False)
    return figure


def _bars(axes: Axes, terms: pd.DataFrame) -> None:
    names = terms["term"].replace("variance of a single frame", "measured in single frames")
    axes.barh(names, terms["rms"].fillna(0), color=[_COLOURS[kind] for kind in terms["kind"]], height=0.7)
    for place, (rms, error) in enumerate(zip(terms["rms"], terms["rms_error"], strict=True)):
        text = "not above its error" if np.isnan(rms) else " ± ".join(rounded(rms, error)) if error else f"{rms:.3g}"
        at = 0.0 if np.isnan(rms) else rms
        axes.annotate(text, (at, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xlim(0, 1.55 * terms["rms"].max())
    axes.invert_yaxis()


# ---- read noise over the pixels


def expected_shares(
    edges: FloatArray, median: float, spread: float, n_frames: int, *, rounding: float = 0.0, common: float = 0.0
) -> FloatArray:
    """Return which share of the pixels is measured between these read noises, the scatter of n frames among it.

    Parameters
    ----------
    edges
        Of the bins, rms [electron, or adu].
    median, spread
        Of the log-normal read noise: median rms, and standard deviation of its logarithm.
    n_frames
        Frames n that each pixel's rms was measured from.
    rounding
        Variance of rounding, taken out of the edges, in their unit squared.
    common
        Variance that the pixels of a row or column share, and that is in the edges, in their unit squared.

    Notes
    -----
    ``v = (rounding + common + sigma^2) chi2_(n-1) / (n-1)`` with ``ln sigma`` normal, as
    :func:`workbench.measure.read_noise_map.read_noise_distribution` fits it.
    """
    levels = rounding + common + (median * np.exp(spread * _NODES)) ** 2
    below: FloatArray = chdtr(n_frames - 1, (n_frames - 1) * (edges[:, None] ** 2 + rounding) / levels) @ _WEIGHTS
    return np.diff(below)


def plot_read_noise(
    variance_map: NDArray[np.floating],
    distribution: ReadNoiseDistribution,
    lattice: int | None,
    gain: float | None = None,
    *,
    common: float = 0.0,
) -> Figure:
    """Draw the read noise of blocks of pixels as a map, and of single pixels as a distribution [electron, or adu].

    Parameters
    ----------
    variance_map
        Temporal variance of bias frames, ddof 1 [adu2], shape (y, x); NaN where a pixel does not count.
    distribution
        Fitted to it; its median in electron where a gain is given, else in adu.
    lattice
        Step of the stored values [adu]; None for values without one.
    gain
        K [electron / adu].
    common
        Variance that the pixels of a row or column share [adu2], as it entered the fit.
    """
    unit = "adu" if gain is None else "electron"
    figure = new_picture(10.2, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    blocks = picture(variance_map, "adu2", "variance")
    shown = blocks.copy(data=read_noise_map(blocks.to_numpy(), lattice, gain))
    side = round(variance_map.shape[0] / blocks.shape[0])
    title = "Where it is noisy" + (f", blocks of {side} x {side} pixels" if side > 1 else "")
    dress(left, title=title, x="column [pixel]", y="row [pixel]")
    low, high = np.nanpercentile(shown, (1, 99))
    image = left.imshow(shown, cmap=MAP_CMAP, vmin=low, vmax=high, extent=extent_of(blocks))
    figure.colorbar(image, ax=left, label=f"read noise [{unit} rms], 1 to 99 %", shrink=0.85)
    dress(
        right,
        title="How many pixels are how noisy",
        x=f"read noise of a pixel [{unit} rms]; last bin: all beyond",
        y="pixels",
    )
    values = read_noise_map(variance_map[np.isfinite(variance_map)], lattice, gain)
    step, scale = lattice or 0, (gain or 1.0) ** 2
    _distribution(right, values.astype(np.float64), distribution, scale * step**2 / 12, scale * max(common, 0.0))
    return figure


def _distribution(axes: Axes, values: FloatArray, law: ReadNoiseDistribution, rounding: float, common: float) -> None:
    median, spread = float(law.median.nominal_value), float(law.spread.nominal_value)
    edges = np.linspace(0.0, 6.0 * median, 121)
    centres = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(np.minimum(values, edges[-1] * (1 - 1e-9)), edges)[0]
    label = f"measured, {law.n_frames} frames"
    axes.stairs(counts, edges, color=SKY, fill=True, label=label)
    fitted = law.n_pixels * expected_shares(edges, median, spread, law.n_frames, rounding=rounding, common=common)
    axes.plot(centres, fitted, color=VERMILION, lw=1.5, label="log-normal, and the scatter of so few")
    scaled = np.log(np.maximum(edges, 1e-9) / median) / max(spread, 1e-3)
    alone = law.n_pixels * np.diff(chdtr(1, scaled**2) * np.sign(scaled) / 2)
    axes.plot(centres, alone, "--", color=BLACK, lw=1.2, label="of it the pixels' own spread")
    axes.set_yscale("log")
    axes.set_ylim(0.7, 50 * max(counts.max(), alone.max()))
    axes.set_xlim(0, edges[-1])
    add_grid(axes)
    legend(axes, "upper left")


# ---- telegraph pixels


def telegraph_examples(classes: PixelClasses) -> pd.DataFrame:
    """Choose pixels to look at: a steady one, and of two and of three levels one whose levels are held about alike.

    Returns
    -------
    pandas.DataFrame
        Rows as in ``classes.telegraph``, a steady pixel with ``n_levels`` 1; no rows where no pixel jumps.
    """
    table = classes.telegraph
    jumping = table[table["kind"] == "read"]
    chosen = []
    for _, alike in jumping.groupby("n_levels"):
        clear = alike[(alike["probability"] > 0.99) & (abs(alike["upper_share"] - 0.5) < 0.2)]
        rivals = clear if len(clear) else alike
        order = np.argsort((rivals["jump"] / rivals["noise"]).to_numpy(), kind="stable")
        chosen.append(rivals.iloc[[int(order[3 * len(rivals) // 4])]])
    if not chosen:
        return jumping
    steady = np.flatnonzero(classes.flags[int(chosen[0]["row"].iloc[0])] == 0)[:1]
    one = pd.DataFrame({"row": chosen[0]["row"].iloc[0], "column": steady, "kind": "steady", "n_levels": 1})
    return pd.concat([one.astype({"kind": object}), *chosen], ignore_index=True)


def plot_telegraph(stack: xr.DataArray, pixels: pd.DataFrame) -> Figure | None:
    """Draw the values of some pixels in every frame [adu], as they came and as a histogram, with their levels.

    Parameters
    ----------
    stack
        Bias frames, dims ``frame, y, x`` [adu].
    pixels
        From :func:`telegraph_examples`.
    """
    if not len(pixels):
        return None
    means = stack.mean(("y", "x")).to_numpy()
    values = [stack[:, one.row, one.column].to_numpy() - means for one in pixels.itertuples()]
    reach = 1.15 * max(float(abs(one).max()) for one in values)
    figure = new_picture(3.4 * len(pixels), 3.6)
    grid = figure.subplots(2, len(pixels), sharex="row", sharey="row", squeeze=False)
    for (upper, lower), one, own in zip(grid.T, pixels.itertuples(), values, strict=True):
        title = f"{_LEVELS[one.n_levels]}: row {one.row}, column {one.column}"
        dress(upper, title=title, x="frame", y="")
        dress(lower, title="", x="above the frame's mean [adu]", y="")
        upper.plot(np.arange(1, len(own) + 1), own, "o-", color=BLUE, ms=4, lw=0.7)
        lower.hist(own, np.linspace(-reach, reach, 41), color=BLUE)
        for level in (one.level_1, one.level_2, one.level_3):
            if np.isfinite(level):
                upper.axhline(level, color=VERMILION, ls="--", lw=1.2)
                lower.axvline(level, color=VERMILION, ls="--", lw=1.2)
    grid[0][0].set_ylim(-reach, reach)
    grid[1][0].yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes, label in zip(grid[:, 0], ("above mean [adu]", "frames"), strict=True):
        axes.set_ylabel(label, fontsize=9.5)
    return figure


# ---- rounding


def plot_quantisation(noise: FloatArray, variances: Mapping[str, FloatArray], here: float | None = None) -> Figure:
    """Draw the variance of rounded values over what ``sigma^2 + 1/12`` promises, against the noise, all in steps.

    Parameters
    ----------
    noise
        Rms before rounding, in steps of the ADC.
    variances
        After rounding, in steps squared, shape as ``noise``; by the name of the series.
    here
        The noise of a camera, to be marked.
    """
    figure = new_picture(7.2, 3.6)
    axes = dress(figure.subplots(), title="Rounding", x="noise [steps of the ADC]", y="variance over σ² + 1/12")
    for (name, one), colour in zip(variances.items(), (BLUE, VERMILION, GREEN, ORANGE), strict=False):
        axes.plot(noise, one / (noise**2 + 1 / 12), "o-", color=colour, ms=3.5, lw=1.2, label=name)
    axes.axhline(1, color=BLACK, ls=":", lw=1.2)
    axes.axvspan(0, 0.5, color=GREY, alpha=0.15, lw=0, label="under half a step")
    if here is not None:
        axes.axvline(here, ymax=0.5, color=BLACK, lw=1.2, label="these frames")
    axes.set_xscale("log")
    axes.set_xlim(noise.min() / 1.1, max(noise.max(), here or 0.0) * 1.1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    add_grid(axes)
    legend(axes, "best")
    return figure
