"""Pictures of the popular methods: what each returns against the truth, on a camera at hand, and of gains from darks.

A number that is not to be believed carries a cross, so that nobody needs the colours to see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.results import rounded
from workbench.show.canvas import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, add_grid, dress, legend, new_picture
from workbench.show.selection import fits_of, rows_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from workbench.measure.pixel_gain import GainFromPixels
    from workbench.results import Measurement, Results

METHOD_NAMES = {
    "mean_difference": "method 1, mean",
    "two_exposure_ratio": "method 2, as computed",
    "script_choice": "the script's choice",
    "two_exposure_difference": "method 2, corrected",
    "pair": "noise of a pair",
    "composite": "noise of a composite",
    "temporal_variance": "temporal variance",
    "variance_slope": "variance against time",
    "gain_from_darks": "gain: darks, variance against mean",
    "gain_from_pixels": "gain: pixels of one exposure",
}
# colour, marker, and by how many decades a marker stands beside its place, since the right ones coincide
_STYLES = {
    "mean_difference": (VERMILION, "s", 0.0),
    "two_exposure_ratio": (ORANGE, "D", 0.0),
    "two_exposure_difference": (GREEN, "^", -0.08),
    "pair": (SKY, "v", 0.08),
    "composite": (SKY, "<", 0.16),
    "temporal_variance": (BLUE, "o", 0.0),
    "variance_slope": (BLACK, "+", -0.16),
}
_SAME_SERIES = 3.0  # K: an uncooled sensor drifts within a series
_CROSS: dict[str, Any] = {"linestyle": "none", "marker": "x", "color": BLACK, "ms": 10, "mew": 1.3, "zorder": 5}


def plot_truth_table(table: pd.DataFrame, exposures: tuple[float, float] | None = None) -> Figure:
    """Draw what each method returns for a dark current against the true one, a panel for each camera.

    Parameters
    ----------
    table
        As :func:`workbench.measure.truth_table.truth_table` makes it.
    exposures
        (t1, t2) [s] of method 2, to draw ``K (t2/t1) / (t2 - t1)``, which holds no dark current.

    Returns
    -------
    matplotlib.figure.Figure
        Log-log, and linear between minus and plus half the smallest number, so that negative ones show.
    """
    cameras = list(dict.fromkeys(table["camera"]))
    figure = new_picture(4.9 * len(cameras), 4.6)
    rates = table[(table["quantity"] == "dark_current") & table["value"].notna()]
    linear = 0.5 * float(rates["value"].abs().min())
    for axes, camera in zip(np.atleast_1d(figure.subplots(1, len(cameras), sharey=True)), cameras, strict=True):
        title, y = camera[0].upper() + camera[1:], "returned [electron/s]" if camera == cameras[0] else ""
        dress(axes, title=title, x="true dark current [electron/s]", y=y)
        _against_truth(axes, rates[rates["camera"] == camera])
        if exposures is not None:
            gain = float(table.loc[(table["camera"] == camera) & (table["quantity"] == "gain"), "true"].iloc[0])
            t1, t2 = exposures
            label = "K (t2/t1) / (t2 - t1)"
            axes.axhline(gain * t2 / t1 / (t2 - t1), color=ORANGE, ls="--", lw=1, label=label)
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=linear)
        _ticks(axes, linear)
        add_grid(axes)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8.5, frameon=False)
    return figure


def _against_truth(axes: Axes, rates: pd.DataFrame) -> None:
    ends = [0.6 * rates["true"].min(), 1.6 * rates["true"].max()]
    axes.plot(ends, ends, ":", color=BLACK, lw=1.5, label="what is true")
    axes.axhline(0, color=GREY, lw=0.6)
    for method, (colour, marker, aside) in _STYLES.items():
        rows = rates[rates["method"] == method]
        place = rows["true"] * 10**aside
        axes.errorbar(
            place, rows["value"], rows["std_error"], fmt=marker, color=colour, ms=6, label=METHOD_NAMES[method]
        )
        lies = rows["lies"].astype(bool)
        axes.plot(place[lies], rows["value"][lies], **_CROSS)
    chosen = rates[rates["method"] == "script_choice"]
    ring = {"marker": "o", "mfc": "none", "mec": BLACK, "ms": 14, "mew": 1.0, "linestyle": "none"}
    axes.plot(chosen["true"], chosen["value"], **ring, label=METHOD_NAMES["script_choice"])  # type: ignore[arg-type]
    axes.plot([], [], label="not true", **_CROSS)


def _ticks(axes: Axes, linear: float) -> None:
    """Write powers of ten as numbers, and none of those that would crowd around the vertical zero."""
    low, high = axes.get_ylim()
    powers = 10.0 ** np.arange(np.ceil(np.log10(linear)), 1 + np.log10(max(high, -low)))
    axes.set_yticks([one for one in (*-powers[::-1], 0.0, *powers) if low <= one <= high], minor=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def plot_popular_methods(
    results: Results, truth: float | None = None, group: str | None = None, region: str | None = None
) -> Figure | None:
    """Draw what the popular methods say of a camera at hand beside the noise of the same darks [electron/s].

    Parameters
    ----------
    results
        With a ``popular_methods`` table.
    truth
        The true value at the longest exposure, for a simulated camera [electron/s].
    group, region
        Which; the first where none is named.

    Returns
    -------
    Figure or None
        None without a gain as well, since mean and noise then have no common unit.
    """
    table = rows_of(results, "popular_methods", group, region)
    table = table[(table["quantity"] == "dark_current") & table["value"].notna()] if len(table) else table
    if not len(table):
        return None
    noise = _noise_of_longest(results, table)
    figure = new_picture(7.2, 1.5 + 0.48 * len(table))
    axes = dress(figure.subplots(), title="One camera, several dark currents", x="returned [electron/s]", y="")
    for place, row in enumerate(table.to_dict("records")):
        colour, marker, _ = _STYLES.get(row["method"], (BLACK, "o", 0.0))
        axes.errorbar(row["value"], place, xerr=row["std_error"], fmt=marker, color=colour, ms=7)
        if row["verdict_ok"] is False:
            axes.plot(row["value"], place, **_CROSS)
        text = " ± ".join(rounded(row["value"], row["std_error"]))
        axes.annotate(text, (row["value"], place), (0, 9), textcoords="offset points", ha="center", fontsize=8.5)
    if noise is not None:
        low, high = noise.value - noise.std_error, noise.value + noise.std_error
        axes.axvspan(low, high, color=BLUE, alpha=0.35, lw=1.5, label="noise of the longest darks")
    if truth is not None:
        axes.axvline(truth, color=BLACK, ls=":", label="truth")
    axes.axvline(0, color=GREY, lw=0.6)
    axes.plot([], [], label="not to be believed", **_CROSS)
    axes.set_yticks(range(len(table)), [METHOD_NAMES[method] for method in table["method"]])
    axes.set_ylim(len(table) - 0.5, -0.8)
    axes.margins(x=0.2)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    return figure


def _noise_of_longest(results: Results, table: pd.DataFrame) -> Measurement | None:
    where = {key: table[key].iloc[0] for key in ("group", "region") if key in table}
    longest = float(table.loc[table["method"] == "mean_difference", "exposures"].iloc[0][0])
    warmth = table["temperature"].iloc[0]
    for one in results.select("dark_current", "temporal_variance", exposure=longest, **where):
        if warmth is None or abs(float(one.conditions.get("temperature", warmth)) - float(warmth)) < _SAME_SERIES:
            return one
    return None


def dark_points(results: Results, group: str | None = None, region: str | None = None) -> pd.DataFrame:
    """Return mean [adu] and temporal variance [adu2] of the darks that the gain from darks was taken from.

    Columns ``exposure``, ``mean``, ``mean_error``, ``variance``, ``variance_error``; no rows where there are none.
    """
    rows = rows_of(results, "popular_methods", group, region)
    rows = rows[rows["method"] == "gain_from_darks"] if len(rows) else rows
    means, noise = (rows_of(results, name, group, region) for name in ("dark_mean", "variance"))
    if not (len(rows) and len(means) and len(noise)):
        return means.iloc[:0]
    means = means.rename(columns={"std_error": "mean_error"})
    noise = noise.rename(columns={"std_error": "variance_error"})
    table = means.merge(
        noise[["temperature", "exposure", "variance", "variance_error"]], on=["temperature", "exposure"]
    )
    row = rows.iloc[0]
    table = table[table["exposure"].isin(row["exposures"])]
    if row["temperature"] is not None:
        away = (table["temperature"].astype(float) - float(row["temperature"])).abs()
        table = table[~(away >= _SAME_SERIES)]
    return table[["exposure", "mean", "mean_error", "variance", "variance_error"]].reset_index(drop=True)


def plot_gain_from_darks(
    results: Results, pixels: GainFromPixels | None = None, group: str | None = None, region: str | None = None
) -> Figure | None:
    """Draw the noise of darks [adu2] against their mean, against time, and against the pixels of one exposure.

    Parameters
    ----------
    results
        With the tables ``dark_mean``, ``variance`` and ``popular_methods``.
    pixels
        What :func:`workbench.measure.pixel_gain.gain_from_pixels` found; without it there is no third panel.
    group, region
        Which; the first where none is named.
    """
    points = dark_points(results, group, region)
    if len(points) < 2:
        return None
    panels = 2 + (pixels is not None)
    figure = new_picture(3.6 * panels, 3.7)
    left, middle, *right = figure.subplots(1, panels)
    _against_mean(left, points, _gain_row(results, group, region))
    _against_time(middle, points, fits_of(results, "variance", group, region))
    for axes in right:
        _against_pixels(axes, pixels)  # type: ignore[arg-type]
    for axes in figure.axes:
        add_grid(axes)
        axes.margins(y=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.6g}"))
        legend(axes, "best")
    return figure


def _gain_row(results: Results, group: str | None, region: str | None) -> dict[str, Any]:
    rows = rows_of(results, "popular_methods", group, region)
    row: dict[str, Any] = rows[rows["method"] == "gain_from_darks"].iloc[0].to_dict()
    return row


def _against_mean(axes: Axes, points: pd.DataFrame, row: dict[str, Any]) -> None:
    dress(axes, title="Against the mean", x="mean of the darks [adu]", y="temporal variance [adu²]")
    mean, variance = points["mean"], points["variance"]
    axes.errorbar(
        mean, variance, points["variance_error"], points["mean_error"], fmt="s", color=VERMILION, ms=5, label="darks"
    )
    for place, above in ((int(variance.argmax()), 7), (int(variance.argmin()), -13)):
        text = f"{points['exposure'].iloc[place]:g} s"
        at = (mean.iloc[place], variance.iloc[place])
        axes.annotate(text, at, (0, above), textcoords="offset points", fontsize=8.5, ha="center")
    gain = row["value"]
    if gain is None or not np.isfinite(gain):
        return
    label = "line: K = " + " ± ".join(rounded(gain, row["std_error"]))
    weights = 1 / (points["mean_error"] ** 2 + (gain * points["variance_error"]) ** 2)
    y = np.array([variance.min(), variance.max()])
    x = np.average(mean, weights=weights) + gain * (y - np.average(variance, weights=weights))
    axes.plot(x, y, color=BLACK, lw=1.5, label=label)


def _against_time(axes: Axes, points: pd.DataFrame, fits: list[dict[str, Any]]) -> None:
    dress(axes, title="Against time", x="exposure [s]", y="temporal variance [adu²]")
    axes.errorbar(
        points["exposure"], points["variance"], points["variance_error"], fmt="^", color=GREEN, ms=5, label="darks"
    )
    for fit in fits[:1]:
        t = np.array([0.0, float(points["exposure"].max())])
        a, b = (fit["coefficients"][key] for key in "ab")
        error = fit["std_errors"]["b"] * max(1.0, fit["chi2"] / (fit["dof"] or 1)) ** 0.5
        label = "line: " + " ± ".join(rounded(b, error)) + " adu²/s"
        axes.plot(t, a + b * t, color=BLACK, lw=1.5, label=label)


def _against_pixels(axes: Axes, pixels: GainFromPixels) -> None:
    x, y = "mean above the bias [adu]", "temporal variance above the bias [adu²]"
    dress(axes, title="Against the pixels of one exposure", x=x, y=y)
    points = pixels.mean, pixels.variance, pixels.variance_error, pixels.mean_error
    axes.errorbar(*points, fmt="o", color=BLUE, ms=4, lw=1, label="groups of pixels")
    gain = float(pixels.gain.nominal_value)
    label = "line: K = " + " ± ".join(rounded(gain, float(pixels.gain.std_dev)))
    weights = 1 / (pixels.variance_error**2 + (pixels.mean_error / gain) ** 2)
    x_ends = np.array([pixels.mean.min(), pixels.mean.max()])
    middle = _average(pixels.variance, weights) + (x_ends - _average(pixels.mean, weights)) / gain
    axes.plot(x_ends, middle, color=BLACK, lw=1.5, label=label)


def _average(values: ArrayLike, weights: ArrayLike) -> float:
    return float(np.average(np.asarray(values), weights=np.asarray(weights)))
