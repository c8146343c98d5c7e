"""The table truth against method as HTML: a mark and a colour wherever a number is not true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from workbench.results import rounded
from workbench.show.markup import Html, joined, table, tag
from workbench.show.plots_methods import METHOD_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_LIE = "background-color: #D55E00; color: #FFFFFF; font-weight: bold; padding: 0 4px"
_UNITS = {"dark_current": "electron/s", "gain": "electron/adu"}
_TITLES = {"dark_current": "dark current", "gain": "gain"}
_LEGEND = (
    "✓ true within 10 % or 4 of its own standard errors; ✗ not true, and it does not know it; - refuses to say a number"
)


def truth_html(truth: pd.DataFrame) -> Html:
    """Show every method at every true dark current, a table for each camera and quantity; the legend stands below.

    Parameters
    ----------
    truth
        As :func:`workbench.measure.truth_table.truth_table` makes it.
    """
    parts = []
    for (camera, quantity), rows in truth.groupby(["camera", "quantity"], sort=False):
        currents = list(dict.fromkeys(rows["dark_current"]))
        if quantity == "gain":
            head = [
                f"true gain {rows['true'].iloc[0]:g} {_UNITS['gain']}, at",
                *(f"{one:g} electron/s" for one in currents),
            ]
        else:
            head = ["true dark current [electron/s]", *(f"{one:g}" for one in currents)]
        cells = {(row["method"], row["dark_current"]): _cell(row) for row in rows.to_dict("records")}
        body = [
            [METHOD_NAMES[method], *(cells[method, one] for one in currents)]
            for method in dict.fromkeys(rows["method"])
        ]
        parts.append(
            table(head, body, caption=f"{camera}: {_TITLES[str(quantity)]} returned [{_UNITS[str(quantity)]}]")
        )
    return joined([*parts, tag("p", tag("small", _LEGEND))])


def _cell(row: Mapping[str, Any]) -> Html | str:
    value, error = row["value"], row["std_error"]
    if math.isnan(value):
        return "-"
    mark = "✗" if row["lies"] else "✓"
    text = " ".join((mark, *" ± ".join(rounded(value, error)).split())).replace(
        " ", "\u00a0"
    )  # a number stays in one line
    return tag("span", text, style=_LIE) if row["lies"] else text
