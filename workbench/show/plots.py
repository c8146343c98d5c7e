"""Pictures of what a survey found: plain functions from results to a figure, axes with units, colours for all eyes.

Each takes the results and, where there are several, the group and region; each returns None when there is nothing to
show, so that a report says so in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.results import rounded
from workbench.show.canvas import (
    BLACK,
    BLUE,
    DIVERGING_CMAP,
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
from workbench.show.selection import first_group, fits_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from workbench.results import Results

_SIZE = (7.2, 4.0)
_SERIES = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (ORANGE, "D"), (SKY, "v"), (BLACK, "P"))
_MAP_TITLES = {"dark_minus_bias": "Dark minus bias", "variance": "Temporal variance", "read_noise": "Read noise"}
_LINE_STYLES = {"constant": ":", "linear": "--", "quadratic": "-"}


def plot_dark_mean(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the dark mean [adu] against exposure [s] with the preferred fit of each temperature and the bias level."""
    table = rows_of(results, "dark_mean", group, region)
    if not len(table):
        return None
    figure = new_picture(*_SIZE)
    axes = dress(figure.subplots(), title="Mean of a dark", x="exposure [s]", y="mean [adu]")
    fits = fits_of(results, "dark_mean", group, region)
    for (colour, marker), part in zip(_SERIES, _by_fit(table, fits), strict=False):
        rows, fit = part
        label = "darks" + _at(rows)
        axes.errorbar(rows["exposure"], rows["mean"], rows["std_error"], fmt=marker, color=colour, ms=5, label=label)
        if fit is not None:
            t = np.linspace(0, float(rows["exposure"].max()), 200)
            coefficients = list(fit["coefficients"].values())
            curve = np.polynomial.polynomial.polyval(t, coefficients)
            axes.plot(t, curve, _LINE_STYLES[fit["model"]], color=colour, lw=1.5, label=f"{fit['model']} fit")
    where = {"group": table["group"].iloc[0]} | ({"region": table["region"].iloc[0]} if "region" in table else {})
    for level in results.select("bias_level", **where):
        axes.axhspan(level.value - level.std_error, level.value + level.std_error, color=GREY, alpha=0.35, lw=0)
        axes.axhline(level.value, color=BLACK, ls=":", label="bias level")
    add_grid(axes)
    legend(axes, "best")
    return figure


def _by_fit(table: pd.DataFrame, fits: Sequence[dict[str, Any]]) -> list[tuple[pd.DataFrame, dict[str, Any] | None]]:
    """Split a table into the series of its fits, and what belongs to none."""
    parts: list[tuple[pd.DataFrame, dict[str, Any] | None]] = []
    rest = table
    for fit in fits:
        if fit["temperature"] is None or rest["temperature"].isna().any():
            own = rest
        else:
            own = rest[(rest["temperature"] - fit["temperature"]).abs() < 3.0]
        parts.append((own, fit))
        rest = rest.drop(own.index)
    parts += [(rows, None) for _, rows in rest.groupby("temperature")]
    return parts


def _at(rows: pd.DataFrame) -> str:
    known = rows["temperature"].dropna()
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    return f" at {low:.0f} °C" if high - low < 0.5 else f" at {low:.1f} to {high:.1f} °C"


def plot_variance(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the temporal variance [adu2] of a dark against exposure [s] with its weighted line."""
    table = rows_of(results, "variance", group, region)
    if not len(table):
        return None
    figure = new_picture(_SIZE[0], _SIZE[1] + 0.9)
    axes, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    dress(axes, title="Noise of a dark", x="", y="temporal variance [adu²]")
    dress(lower, title="", x="exposure [s]", y="off the line [adu²]")
    fits = [fit for fit in fits_of(results, "variance", group, region) if fit["weights"] == "weighted"]
    for (colour, marker), (rows, fit) in zip(_SERIES, _by_fit(table, fits), strict=False):
        label = "darks" + _at(rows)
        axes.errorbar(
            rows["exposure"], rows["variance"], rows["std_error"], fmt=marker, color=colour, ms=5, label=label
        )
        if fit is not None:
            t = np.array([0.0, float(rows["exposure"].max())])
            a, b = (fit["coefficients"][key] for key in "ab")
            slope = " ± ".join(rounded(b, fit["std_errors"]["b"] * max(1.0, fit["chi2"] / (fit["dof"] or 1)) ** 0.5))
            axes.plot(t, a + b * t, color=colour, lw=1.5, label=f"line, slope {slope} adu²/s")
            off = rows["variance"] - a - b * rows["exposure"]
            lower.errorbar(rows["exposure"], off, rows["std_error"], fmt=marker, color=colour, ms=4)
    lower.axhline(0, color=GREY, lw=1)
    add_grid(axes)
    add_grid(lower)
    legend(axes, "upper left")
    return figure


def plot_convergence(
    results: Results,
    published: pd.DataFrame | None = None,
    truth: float | None = None,
    group: str | None = None,
    region: str | None = None,
) -> Figure | None:
    """Draw the dark current from the composite of 2, 4, ... n frames at the longest exposure.

    Parameters
    ----------
    results
        With a ``convergence`` table; without a gain its variance rate [adu2/s] is drawn instead [electron/s].
    published
        A published column beside it: ``n_frames`` and ``dark_current`` [electron/s].
    truth
        The true value, for a simulated camera [electron/s].
    group, region
        Which; the first where none is named.
    """
    table = rows_of(results, "convergence", group, region)
    if not len(table):
        return None
    table = table[table["exposure"] == table["exposure"].max()]
    table = table[table["temperature"].isna() | (table["temperature"] == table["temperature"].iloc[0])]
    electrons = "dark_current" in table
    value, error = ("dark_current", "std_error") if electrons else ("dark_variance_rate", "dark_variance_rate_error")
    unit = "dark current [electron/s]" if electrons else "variance rate [adu²/s]"
    figure = new_picture(*_SIZE)
    title = f"Composite of n darks of {table['exposure'].iloc[0]:g} s"
    axes = dress(figure.subplots(), title=title, x="number of frames n", y=unit)
    axes.errorbar(table["n_frames"], table[value], table[error], fmt="o-", color=BLUE, ms=5, lw=1, label="measured")
    if published is not None and len(published) and electrons:
        label = "published for the QHY163M"
        axes.plot(published["n_frames"], published["dark_current"], "s--", color=ORANGE, ms=5, lw=1, label=label)
    if truth is not None and electrons:
        axes.axhline(truth, color=BLACK, ls=":", label="truth")
    axes.set_xticks(sorted(set(table["n_frames"])))
    add_grid(axes)
    legend(axes, "best")
    return figure


def plot_photon_transfer(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the variance of the flats [adu2] against their mean [adu], the line 1/K and the residuals from it."""
    table = rows_of(results, "gain_levels", group, region)
    if not len(table):
        return None
    where = {"group": table["group"].iloc[0]} | ({"region": table["region"].iloc[0]} if "region" in table else {})
    gain = results.find("gain", **where)
    figure = new_picture(_SIZE[0], _SIZE[1] + 0.9)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    dress(upper, title=f"Photon transfer: gain {gain}", x="", y="variance above zero light [adu²]")
    dress(lower, title="", x="mean above zero light [adu]", y="residual [%]")
    for linear, style, label in (
        (True, "o", "in the fit"),
        (False, "x", "left out: above 70 % of saturation, or saturated"),
    ):
        rows = table[table["linear"] == linear]
        if len(rows):
            colour = BLUE if linear else GREY
            upper.errorbar(rows["mean"], rows["variance"], rows["variance_error"], fmt=style, color=colour, label=label)
    fitted = table[table["linear"]]
    percent = 100 * fitted["variance_error"] / fitted["variance"]
    lower.errorbar(fitted["mean"], 100 * fitted["residual"], percent, fmt="o", color=BLUE)
    ends = np.array([0.0, float(table["mean"].max())])
    upper.plot(ends, ends / gain.value, color=VERMILION, lw=1.5, label="mean / gain")
    lower.axhline(0, color=VERMILION, lw=1.5)
    upper.ticklabel_format(axis="y", scilimits=(0, 4), useMathText=True)
    for axes in (upper, lower):
        add_grid(axes)
    legend(upper, "upper left")
    return figure


def plot_maps(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw where the longest darks are brighter or darker than the bias [adu], and noisier [adu2]; read noise."""
    prefix = "/".join(part for part in (group or first_group(results), region) if part)
    names = [
        f"{prefix}/{name}"
        for name in ("dark_minus_bias", "variance", "read_noise")
        if f"{prefix}/{name}" in results.maps
    ]
    if not names:
        return None
    figure = new_picture(4.2 * len(names), 3.6)
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        values = results.maps[name]
        unit = str(values.attrs["units"]).replace("adu2", "adu²")
        dress(axes, title=_MAP_TITLES[name.rpartition("/")[2]], x="column [pixel]", y="row [pixel]")
        low, high = np.nanpercentile(values, (1, 99))
        shown = axes.imshow(values, cmap=MAP_CMAP, vmin=low, vmax=high, extent=extent_of(values))
        figure.colorbar(shown, ax=axes, label=f"[{unit}], block means, 1 to 99 %", shrink=0.85)
    whole = "; ".join(str(results.maps[name].attrs["long_name"]) for name in names)
    figure.suptitle(whole, fontsize=8.5)
    return figure


def plot_scaling(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw what is left of a dark after subtracting a longer one scaled to it: how sure, how harmful, how large."""
    prefix = "/".join(part for part in (group or first_group(results), region) if part)
    if f"{prefix}/scaling_size" not in results.maps:
        return None
    panels = {
        "scaling_significance": ("How sure", "residual [standard errors]"),
        "scaling_in_light_frames": ("How harmful", "residual [noise of one light frame]"),
        "scaling_size": ("How large", f"residual [{results.maps[f'{prefix}/scaling_size'].attrs['units']}]"),
    }
    figure = new_picture(10.4, 3.1)
    for axes, (name, (title, label)) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        values = results.maps[f"{prefix}/{name}"]
        dress(axes, title=title, x="column [pixel]", y="row [pixel]")
        limit = float(np.nanmax(np.abs(values)))
        shown = axes.imshow(values, cmap=DIVERGING_CMAP, vmin=-limit, vmax=limit, extent=extent_of(values))
        figure.colorbar(shown, ax=axes, label=label, shrink=0.85)
    figure.suptitle(f"Dark of {values.attrs['long_name']}", fontsize=9.5)
    return figure
