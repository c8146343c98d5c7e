"""Pictures of the dark current against temperature: its laws, how well darks must match, hot pixels beside normal ones.

They take what a survey found, as those of :mod:`workbench.show.plots` do, and return None where nothing was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workbench.measure.dark_laws import BOLTZMANN, LAWS, ZERO_CELSIUS
from workbench.results import rounded
from workbench.show.canvas import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    add_grid,
    dress,
    legend,
    new_picture,
    nice_limits,
)
from workbench.show.selection import fits_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from workbench.results import Measurement, Results

    FloatArray = NDArray[np.float64]
    Growth = tuple[float, float]  # a factor and its standard error

_STYLES = {
    "doubling": (ORANGE, "--"),
    "arrhenius": (BLUE, "-"),
    "band_gap": (GREEN, ":"),
    "arrhenius_constant": (VERMILION, "-."),
}
_NAMES = {
    "doubling": "doubling",
    "arrhenius": "Arrhenius",
    "band_gap": "band gap",
    "arrhenius_constant": "Arrhenius and a constant",
}
_NORMAL, _HOT = (BLUE, "-"), (VERMILION, "--")
_NEAR = 0.01  # of the evidence: such a law is kept in the picture
_BESIDE = 2.0  # K drawn beyond the points
_RANGE = 15.0  # K drawn beyond the points where a law is used elsewhere
_SIGNAL = "left in the light [% of the dark signal]"
_MISMATCH = np.linspace(-10.0, 10.0, 81)  # K
_SHARES = ((0.05, BLUE, "-"), (0.01, ORANGE, "--"))  # of the dark current


def law_at(fit: dict[str, Any], temperature: FloatArray) -> FloatArray:
    """Return what a fitted law of the dark current predicts.

    Parameters
    ----------
    fit
        A record of ``results.fits["temperature"]``.
    temperature
        [deg_C]

    Returns
    -------
    NDArray
        In the unit of the fit's ``I_ref`` [electron / s].
    """
    known = fit["coefficients"]
    growth = known["E"] if "E" in known else np.log(2.0) / known["T_d"] if "T_d" in known else 1.0
    x = LAWS[fit["model"]].coordinate(np.asarray(temperature, dtype=np.float64), fit["temperature"])
    return np.asarray(known["I_ref"] * np.exp(growth * x) + known.get("constant", 0.0))


def plot_temperature(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the dark current [electron/s] against 1/kT with every law that was fitted, and what each leaves [%].

    An Arrhenius law is a straight line here; warm is on the right. The lower error bars hold the thermometer's error.

    Parameters
    ----------
    results
        With a ``temperature`` table of 2 temperatures or more; without fits, of 2 of them, the points stand alone.
    group, region
        Which; the first where none is named.
    """
    table = rows_of(results, "temperature", group, region)
    if len(table) < 2:
        return None
    fits = fits_of(results, "temperature", group or str(table["group"].iloc[0]), region)
    figure = new_picture(7.2, 5.2 if fits else 4.0)
    shares = (2, 1) if fits else (1,)
    panels = np.atleast_1d(figure.subplots(len(shares), 1, sharex=True, height_ratios=shares))
    upper = dress(panels[0], title="", x="", y="dark current [electron/s]")
    celsius = table["temperature"].to_numpy(dtype=np.float64)
    x, grid = _inverse(celsius), np.linspace(celsius.min() - _BESIDE, celsius.max() + _BESIDE, 200)
    for fit in fits:
        colour, style = _STYLES[fit["model"]]
        upper.plot(_inverse(grid), law_at(fit, grid), style, color=colour, lw=1.5, label=_law_in_words(fit))
    upper.errorbar(x, table["dark_current"], table["std_error"], fmt="o", color=BLACK, ms=5, label="glow-free darks")
    upper.set_yscale("log")
    upper.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
    upper.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    upper.yaxis.set_minor_formatter(NullFormatter())
    upper.invert_xaxis()
    upper.secondary_xaxis("top", functions=(_celsius, _inverse)).set_xlabel("temperature [°C]", fontsize=9.5)
    legend(upper, "upper left")
    if fits:
        _draw_misfits(panels[1], table, fits, grid)
    panels[-1].set_xlabel("1/kT [1/eV]", fontsize=9.5)
    for axes in panels:
        add_grid(axes)
    return figure


def _draw_misfits(axes: Axes, table: pd.DataFrame, fits: Sequence[dict[str, Any]], grid: FloatArray) -> None:
    """Draw points and laws as departures from the law of the most evidence [%]; a law far off leaves the picture."""
    best = next(fit for fit in fits if fit["chosen"])
    dress(axes, title="", x="", y=f"off the {_name(best)}\nlaw [%]")
    for fit in fits:
        colour, style = _STYLES[fit["model"]]
        axes.plot(_inverse(grid), 100 * (law_at(fit, grid) / law_at(best, grid) - 1), style, color=colour, lw=1.5)
    celsius = table["temperature"].to_numpy(dtype=np.float64)
    expected = law_at(best, celsius)
    off = 100 * (table["dark_current"] / expected - 1)
    error = 100 * np.hypot(table["std_error"] / expected, table["temperature_error"] * table["per_kelvin"])
    axes.errorbar(_inverse(celsius), off, error, fmt="o", color=BLACK, ms=5)
    near = [100 * (law_at(fit, celsius) / expected - 1) for fit in fits if fit["weight"] > _NEAR]
    limit = 1.3 * float(max((off.abs() + error).max(), np.abs(near).max()))
    axes.set_ylim(-limit, limit)


def _name(fit: dict[str, Any]) -> str:
    return _NAMES[fit["model"]]


def _law_in_words(fit: dict[str, Any]) -> str:
    """Name a law with its growth and its share of the evidence: ``Arrhenius, E = 0.601 ± 0.003 eV (88 %)``."""
    for name, unit in (("E", "eV"), ("T_d", "K")):
        if name in fit["coefficients"]:
            number = " ± ".join(rounded(fit["coefficients"][name], fit["std_errors"][name]))
            return f"{_name(fit)}, {name} = {number} {unit} (evidence {_percent(fit['weight'])})"
    return f"{_name(fit)}, nothing free but the height (evidence {_percent(fit['weight'])})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _inverse(celsius: ArrayLike) -> FloatArray:
    """1/kT [1/eV]."""
    return np.asarray(1.0 / (BOLTZMANN * (np.asarray(celsius, dtype=np.float64) + ZERO_CELSIUS)))


def _celsius(inverse: ArrayLike) -> FloatArray:
    return np.asarray(1.0 / (BOLTZMANN * np.asarray(inverse, dtype=np.float64)) - ZERO_CELSIUS)


def _where(results: Results, group: str | None, region: str | None) -> dict[str, str]:
    """Return the conditions that a measurement of the temperatures has: those of the first where none are named."""
    found = next(iter(results.select("doubling_temperature", **_named(group, region))), None)
    return {key: found.conditions[key] for key in ("group", "region") if found and key in found.conditions}


def _named(group: str | None, region: str | None) -> dict[str, str]:
    return {key: value for key, value in (("group", group), ("region", region)) if value is not None}


def plot_tolerance(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the doubling temperature [K], and how well darks must match [K], against temperature.

    Measured is the doubling temperature at one temperature (the dot); the rest follows, ``k T^2 ln 2 / E``. The
    temperatures of the darks are shaded.
    """
    where = _where(results, group, region)
    found: Measurement | None = next(iter(results.select("doubling_temperature", **where)), None)
    if found is None:
        return None
    at = float(found.conditions["temperature"])
    seen = rows_of(results, "temperature", where.get("group"), where.get("region"))["temperature"]
    grid = np.linspace(float(seen.min()) - _RANGE, float(seen.max()) + _RANGE, 200)
    ratio = ((grid + ZERO_CELSIUS) / (at + ZERO_CELSIUS)) ** 2
    doubling, error = found.value * ratio, found.std_error * ratio
    figure = new_picture(9.6, 3.5)
    left, right = figure.subplots(1, 2)
    dress(left, title="Warming that doubles the dark current", x="temperature [°C]", y="doubling temperature [K]")
    left.fill_between(grid, doubling - error, doubling + error, color=BLUE, alpha=0.25, lw=0)
    left.plot(grid, doubling, color=BLUE, lw=1.5, label="k T² ln 2 / E")
    left.errorbar([at], [found.value], [found.std_error], fmt="o", color=BLACK, ms=5, label="measured")
    dress(right, title="How well darks must match", x="temperature of the lights [°C]", y="warmer by [K]")
    for share, colour, style in _SHARES:
        match = doubling * np.log2(1 + share)
        right.plot(grid, match, style, color=colour, lw=1.5, label=f"changes the dark current by {_percent(share)}")
    right.set_ylim(0.0, None)
    for axes in (left, right):
        axes.axvspan(float(seen.min()), float(seen.max()), color=GREY, alpha=0.15, lw=0, label="darks taken here")
        add_grid(axes)
        legend(axes, "best")
    return figure


def plot_energies(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw what darks of another temperature leave of the dark signal in normal and in hot pixels [%].

    On the left they are subtracted as they are, on the right scaled by the one factor that repairs the normal pixels.

    Parameters
    ----------
    results
        With ``energies`` among its fits.
    group, region
        Which; the first where none is named.
    """
    fits = fits_of(results, "energies", group, region)
    if not fits:
        return None
    fit, at = fits[0], fits[0]["temperature"]
    x = _inverse(np.array(at)) - _inverse(at + _MISMATCH)
    figure = new_picture(9.6, 3.6)
    left, right = figure.subplots(1, 2)
    dress(left, title=f"Darks of another temperature, lights at {at:g} °C", x="darks warmer by [K]", y=_SIGNAL)
    dress(right, title="Scaled to fit the normal pixels", x="darks warmer by [K]", y=_SIGNAL)
    for kind, (colour, style) in {"normal": _NORMAL, "hot": _HOT}.items():
        energy = " ± ".join(rounded(fit[kind], fit["std_errors"][kind]))
        left.plot(_MISMATCH, _left(fit[kind], x), style, color=colour, lw=1.5, label=f"{kind} pixels, {energy} eV")
    less, error = -fit["difference"], fit["std_errors"]["difference"]
    right.fill_between(_MISMATCH, _left(less - error, x), _left(less + error, x), color=_HOT[0], alpha=0.25, lw=0)
    right.plot(_MISMATCH, np.zeros_like(_MISMATCH), _NORMAL[1], color=_NORMAL[0], lw=1.5, label="normal pixels")
    label = f"hot pixels, {' ± '.join(rounded(-less, error))} eV less"
    right.plot(_MISMATCH, _left(less, x), _HOT[1], color=_HOT[0], lw=1.5, label=label)
    for axes in (left, right):
        add_grid(axes)
        legend(axes, "best")
    return figure


def _left(energy: float, x: FloatArray) -> FloatArray:
    """Share [%] that darks leave whose current differs by ``exp(energy x)``; below 0 they take too much."""
    return np.asarray(-100.0 * np.expm1(energy * x))


def plot_hot_growth(
    cold: NDArray[np.floating],
    warm: NDArray[np.floating],
    normal: Growth,
    hot: Growth,
    *,
    title: str = "Growth of every hot pixel",
    unit: str = "adu",
) -> Figure:
    """Draw how much brighter each hot pixel became with warmth, beside the growth of hot and of normal pixels.

    Parameters
    ----------
    cold, warm
        What each hot pixel has more than its neighbours [``unit``] in darks of one exposure, shape (n,).
    normal, hot
        Growth of the dark current from cold to warm with its standard error: expected of normal and of hot pixels.
    title, unit
        Of the picture, and of ``cold`` and ``warm``.

    Returns
    -------
    matplotlib.figure.Figure
        Pixels that are not seen in the cold have no growth and are left out.
    """
    seen = cold > 0
    figure = new_picture(7.2, 4.0)
    axes = dress(figure.subplots(), title=title, x=f"above the neighbours in the cold [{unit}]", y="warm / cold")
    axes.plot(cold[seen], warm[seen] / cold[seen], ".", color=GREY, ms=4, label="a hot pixel")
    for name, (growth, error), (colour, style) in (("normal", normal, _NORMAL), ("hot", hot, _HOT)):
        axes.axhspan(growth - error, growth + error, color=colour, alpha=0.25, lw=0)
        number = " ± ".join(rounded(growth, error))
        axes.axhline(growth, color=colour, ls=style, lw=1.5, label=f"growth of {name} pixels: {number}")
    axes.set_xscale("log")
    axes.set_ylim(*nice_limits(0.7 * min(normal[0], hot[0]), 1.3 * max(normal[0], hot[0])))
    add_grid(axes)
    legend(axes, "best")
    return figure
