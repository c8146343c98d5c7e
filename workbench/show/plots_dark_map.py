"""Pictures of what a survey found pixel by pixel: the dark current's map, how the glow grows, the classes of pixels.

As in :mod:`workbench.show.plots`, each returns None when there is nothing to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LogFormatterMathtext

from workbench.measure.pixel_flags import FLAG_MEANINGS, PixelFlag
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
from workbench.show.selection import first_group, fits_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from workbench.results import Results

_MILLI = 1e3  # electron/s in thousandths: short labels
_APART = 0.5  # of an exponent: the ends of its colours
_SHOWN = 300  # flagged pixels that a cut-out holds, about: more hide one another
_LEAST_SIDE = 32  # pixels of a cut-out
_LEGEND_SIZE = 8.0
# marker, colour, size and outline alone: pixels of two classes show both
_MARKS: dict[PixelFlag, tuple[str, str, float, bool]] = {
    PixelFlag.HOT: ("o", VERMILION, 14, False),
    PixelFlag.HOT_NONLINEAR: ("D", ORANGE, 26, False),
    PixelFlag.TELEGRAPH_2_LEVELS: ("v", BLUE, 14, False),
    PixelFlag.TELEGRAPH_3_LEVELS: ("^", SKY, 16, False),
    PixelFlag.TELEGRAPH_DARK: ("P", GREEN, 22, False),
    PixelFlag.DEAD: ("X", BLACK, 22, False),
    PixelFlag.SATURATED: ("s", BLACK, 60, True),
    PixelFlag.COPIED: (".", GREY, 10, False),
}


def _place(results: Results, group: str | None, region: str | None) -> str:
    return "/".join(part for part in (group or first_group(results), region) if part)


def plot_dark_current_map(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the dark current of the longest darks [electron/s], glow included: of pixels, and of tiles by noise alone.

    Where both show the same, the pattern of the mean, which a clamp leaves in place, is that of the electrons. A line
    in the colour bars marks the typical value.
    """
    place = _place(results, group, region)
    panels = {
        "dark_current": ("Every pixel: pattern of the mean", (1, 99)),
        "dark_current_tiles": ("Tiles: noise alone", (0, 100)),
    }
    known = {name: results.maps[f"{place}/{name}"] for name in panels if f"{place}/{name}" in results.maps}
    if not known:
        return None
    where = dict(zip(("group", "region"), place.split("/", maxsplit=1), strict=False))
    typical = next((one.value * _MILLI for one in results.select("dark_current_typical", **where)), None)
    figure = new_picture(5.0 * len(known), 3.7)
    for axes, (name, values) in zip(np.atleast_1d(figure.subplots(1, len(known))), known.items(), strict=True):
        title, percent = panels[name]
        dress(axes, title=title, x="column [pixel]", y="row [pixel]")
        limits = [float(one) * _MILLI for one in np.nanpercentile(values, percent)]
        shown = _map(axes, values, _MILLI, limits)
        bar = figure.colorbar(shown, ax=axes, label="dark current [10⁻³ electron/s]", shrink=0.8)
        if typical is not None and limits[0] < typical < limits[1]:
            bar.ax.axhline(typical, color=VERMILION, lw=2)
    what = f"{next(iter(known.values())).attrs['long_name']}; colours of the left map: 1 to 99 %; red: typical value"
    figure.suptitle(what if len(known) > 1 else what.partition(";")[0], fontsize=9)
    return figure


def _map(axes: Axes, values: xr.DataArray, factor: float, limits: Sequence[float]) -> AxesImage:
    axes.set_facecolor("#E5E5E5")  # what is not known
    low, high = limits
    return axes.imshow(values.to_numpy() * factor, cmap=MAP_CMAP, vmin=low, vmax=high, extent=extent_of(values))


def plot_glow(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw the glow [adu] against exposure [s] with both laws, what each misses, and the exponent over the sensor."""
    fits = fits_of(results, "glow", group, region)
    if not fits:
        return None
    fit = fits[0]
    exponents = results.maps.get(f"{_place(results, fit['group'], fit.get('region'))}/glow_exponent")
    beside = exponents is not None and bool(np.isfinite(exponents).any())
    figure = new_picture(10.4 if beside else 6.2, 4.4)
    grid = figure.add_gridspec(2, 2 if beside else 1, height_ratios=(2.4, 1))
    upper = figure.add_subplot(grid[0, 0])
    lower = figure.add_subplot(grid[1, 0], sharex=upper)
    _draw_growth(upper, lower, fit)
    if beside and exponents is not None:
        axes = dress(figure.add_subplot(grid[:, 1]), title="Exponent by tile", x="column [pixel]", y="row [pixel]")
        middle = float(fit["power"]["exponent"])
        shown = _map(axes, exponents, 1.0, (middle - _APART, middle + _APART))
        figure.colorbar(shown, ax=axes, label="p of $t^p$; grey: too little glow to tell", shrink=0.85, extend="both")
    return figure


def _draw_growth(upper: Axes, lower: Axes, fit: dict[str, Any]) -> None:
    t, glow, errors = (np.asarray(fit[key]) for key in ("exposures", "glow", "glow_errors"))
    power, polynomial = fit["power"], fit["polynomial"]
    alpha, beta = polynomial["coefficients"]["alpha"], polynomial["coefficients"]["beta"]

    def by_power(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(power["height"] * (t / fit["exposures"][-1]) ** power["exponent"])

    def by_polynomial(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(alpha * t + beta * t**2)

    dress(upper, title="Growth of the glow", x="", y="glowing tiles above the others [adu]")
    dress(lower, title="", x="exposure [s]", y="off the law\n[std. errors]")
    seen = glow > 0  # a logarithm has no place for the others; the lower panel shows them
    upper.errorbar(t[seen], glow[seen], errors[seen], fmt="o", color=BLACK, ms=4.5, label="measured", zorder=3)
    curve = np.geomspace(t[0], t[-1], 200)
    laws = (
        (by_polynomial, BLUE, "-", "o", r"$\alpha t + \beta t^2$"),
        (
            by_power,
            VERMILION,
            "--",
            "s",
            f"$t^p$, p = {' ± '.join(rounded(power['exponent'], power['exponent_error']))}",
        ),
    )
    for law, colour, style, marker, label in laws:
        upper.plot(curve, law(curve), style, color=colour, lw=1.4, label=label)
        lower.plot(t, (glow - law(t)) / errors, marker, color=colour, ms=4.5)
    lower.axhline(0, color=GREY, lw=1)
    lower.axhspan(-1, 1, color=GREY, alpha=0.15, lw=0)
    for axes in (upper, lower):
        axes.set_xscale("log")
        add_grid(axes)
    upper.set_yscale("log", nonpositive="clip")
    upper.set_ylim(bottom=0.5 * float(glow[seen].min()) if seen.any() else None)
    lower.xaxis.set_major_formatter(LogFormatterMathtext())
    upper.tick_params(labelbottom=False)
    legend(upper, "upper left")


def plot_pixel_classes(results: Results, group: str | None = None, region: str | None = None) -> Figure | None:
    """Draw how many pixels each class has, and a cut-out of the sensor with the pixels of every class.

    The cut-out is the whole sensor where so many fit in, else the part with most classes. Results that were read from a
    file have the counts alone.
    """
    table = rows_of(results, "pixel_classes", group, region)
    if not len(table):
        return None
    table = table[table["pixel_class"] != "not_judged"]
    place = "/".join(str(table[key].iloc[0]) for key in ("group", "region") if key in table)
    classes = results.pixel_classes.get(place)
    figure = new_picture(5.6 if classes is None else 10.0, 4.2)
    grid = figure.add_gridspec(1, 1 if classes is None else 2, width_ratios=(1, 1.2)[: 1 if classes is None else 2])
    _draw_counts(figure.add_subplot(grid[0]), table)
    if classes is not None:
        _draw_cut_out(figure.add_subplot(grid[1]), classes.flags)
    return figure


def _draw_counts(axes: Axes, table: Any) -> None:
    dress(axes, title="Pixels of each class", x="pixels", y="")
    numbers = [None if n is None or np.isnan(n) else int(n) for n in table["n_pixels"]]
    names = [str(one).replace("_", " ") for one in table["pixel_class"]]
    colours = {one.name: _MARKS[one.flag][1] for one in FLAG_MEANINGS if one.flag in _MARKS}
    least = 0.5  # where the logarithmic bars start
    rows = np.arange(len(names))[::-1]
    for row, name, n in zip(rows, table["pixel_class"], numbers, strict=True):
        axes.barh(row, max(n or 0, least), color=colours[name], height=0.6)
        axes.annotate(
            "cannot be told" if n is None else f"{n}",
            (max(n or 0, least), row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_yticks(rows, names)
    axes.set_xscale("log")
    axes.set_xlim(least, 8 * max([2, *(n for n in numbers if n is not None)]))


def _draw_cut_out(axes: Axes, flags: NDArray[np.uint16]) -> None:
    rows, columns = _cut_out(flags)
    part = flags[rows, columns]
    height, width = part.shape
    whole = part.shape == flags.shape
    title = "Where they are" if whole else f"Where they are: {height} x {width} pixels of the sensor"
    dress(axes, title=title, x="column [pixel]", y="row [pixel]")
    for one in FLAG_MEANINGS:
        if one.flag not in _MARKS:
            continue
        y, x = np.nonzero(part & np.uint16(one.flag))
        marker, colour, size, hollow = _MARKS[one.flag]
        if len(y):
            face = "none" if hollow else colour
            y, x, label = y + rows.start, x + columns.start, one.name.replace("_", " ")
            axes.scatter(x, y, size, marker=marker, lw=1.0, label=label, facecolors=face, edgecolors=colour)
    axes.set_xlim(columns.start - 0.5, columns.stop - 0.5)
    axes.set_ylim(rows.stop - 0.5, rows.start - 0.5)
    axes.set_aspect("equal")
    if axes.collections:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=3,
            fontsize=_LEGEND_SIZE,
            frameon=False,
            handletextpad=0.2,
        )


def _cut_out(flags: NDArray[np.uint16]) -> tuple[slice, slice]:
    """Choose a part with as many pixels of any class as a picture can hold, of several such that with most classes."""
    bits = np.uint16(sum(_MARKS))
    marked = (flags & bits) != 0
    height, width = flags.shape
    if int(marked.sum()) <= 4 * _SHOWN:
        return slice(0, height), slice(0, width)
    side = max(_LEAST_SIDE, int((_SHOWN * flags.size / int(marked.sum())) ** 0.5))
    best, chosen = (-1, -1), (slice(0, side), slice(0, side))
    for top in range(0, max(1, height - side), side):
        for left in range(0, max(1, width - side), side):
            window = slice(top, min(top + side, height)), slice(left, min(left + side, width))
            part = flags[window] & bits
            found = (sum(bool((part & np.uint16(flag)).any()) for flag in _MARKS), int(np.count_nonzero(part)))
            if found[0] > best[0] or (found[0] == best[0] and found[1] > best[1]):
                best, chosen = found, window
    return chosen
