"""Pictures for planning: what darks are worth.

As in :mod:`workbench.show.plots`, a function returns None when there is nothing to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from workbench.measure.planning import depth_loss
from workbench.show.canvas import BLACK, GREEN, ORANGE, SKY, VERMILION, add_grid, dress, legend, new_picture
from workbench.show.selection import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from workbench.results import Results

_SKIES = (0.0, 1.0, 3.0, 10.0, 30.0)
_COLOURS = (BLACK, VERMILION, ORANGE, GREEN, SKY)


def frame_variances(
    results: Results, group: str | None = None, region: str | None = None
) -> tuple[float, float] | None:
    """Return what reading and what the dark signal add to the variance of one of the longest darks [adu2].

    The first is that of a bias frame, rounding included, the second dark minus bias; None where no budget tells them.
    """
    table = rows_of(results, "noise_budget", group, region)
    if not len(table):
        return None
    found = dict(zip(table["term"], table["variance"], strict=True))
    read, dark = (found.get(f"temporal variance of a {kind}") for kind in ("bias", "dark"))
    return None if read is None or dark is None else (float(read), max(float(dark - read), 0.0))


def plot_depth_loss(
    results: Results,
    n_lights: int = 20,
    skies: Sequence[float] = _SKIES,
    group: str | None = None,
    region: str | None = None,
) -> Figure | None:
    """Draw the loss of depth [mag] of a stack of lights, as long as the longest darks, against the number of darks.

    Parameters
    ----------
    results
        With a noise budget.
    n_lights
        In the stack.
    skies
        Variance that the sky brings to one light, in units of the read noise squared, one line each.
    group, region
        Which; the first where none is named.
    """
    variances = frame_variances(results, group, region)
    if variances is None:
        return None
    read, dark = variances
    table = rows_of(results, "noise_budget", group, region)
    exposure = table.loc[table["frames"] == "dark", "exposure"].iloc[0]
    figure = new_picture(7.2, 3.8)
    title = f"{n_lights} lights of {exposure:g} s minus a master dark"
    axes = dress(figure.subplots(), title=title, x="number of darks", y="loss of depth [mag]")
    n_darks = np.unique(np.round(np.geomspace(1, 20 * n_lights, 60)).astype(int))
    for sky, colour in zip(skies, _COLOURS, strict=False):
        loss = [depth_loss(read**0.5, dark, sky * read, n_lights, n).nominal_value for n in n_darks.tolist()]
        axes.plot(n_darks, loss, color=colour, lw=1.8, label=f"sky {sky:g} times the read noise²" if sky else "no sky")
    axes.axhline(0.05, color=BLACK, ls=":", lw=1.2, label="0.05 mag")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    add_grid(axes)
    legend(axes, "lower left")
    return figure
