"""The figures of a report: one for each group and region, described in words, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from workbench.show.markup import Picture, tag
from workbench.show.selection import column_title, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from workbench.results import Results


def show_pictures(
    plot: Callable[..., Figure | None], results: Results, *, alt: str, otherwise: str, **rest: Any
) -> None:
    """Show a plot of each group and region below one another.

    Parameters
    ----------
    plot
        A function of :mod:`workbench.show.plots`.
    alt
        What the figure shows, for readers who cannot see it.
    otherwise
        The sentence that stands where no group has anything to draw.
    **rest
        Further arguments of ``plot``.
    """
    places = side_by_side(results)
    drawn = [(place, plot(results, group=place[0] or None, region=place[1] or None, **rest)) for place in places]
    shown = [(place, figure) for place, figure in drawn if figure is not None]
    if not shown:
        display(tag("p", otherwise, class_="absent"))  # type: ignore[no-untyped-call]
    for place, figure in shown:
        where = "" if len(places) == 1 else column_title(place, results)
        if where:
            display(tag("h3", where))  # type: ignore[no-untyped-call]
        display(Picture(figure, f"{alt} ({where})" if where else alt))  # type: ignore[no-untyped-call]
