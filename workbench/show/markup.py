"""HTML that cannot be forgotten to be escaped: plain text is text, only what :func:`tag` built is markup.

Frames come from anywhere, and their headers with them: a camera called ``<script>`` is shown, never run.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

_VOID = frozenset({"br", "hr", "img", "meta"})
_DOTS_PER_INCH = 110
_MANY = 6  # columns that fit a page in the usual size


class Html(str):
    """Finished markup; a notebook shows it as such, and :func:`tag` does not escape it again."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return "<Html>"


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """Build one element; children that are not :class:`Html` are escaped, as attributes always are.

    Examples
    --------
    >>> str(tag("td", "<script>", class_="name"))
    '<td class="name">&lt;script&gt;</td>'
    >>> str(tag("tr", tag("td", "a & b")))
    '<tr><td>a &amp; b</td></tr>'
    """
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{words}>")
    inner = "".join(child if isinstance(child, Html) else html.escape(child) for child in children)
    return Html(f"<{name}{words}>{inner}</{name}>")


def joined(parts: Iterable[str], separator: str = "") -> Html:
    """Put parts after one another, escaping those that are plain text."""
    glue = html.escape(separator)
    return Html(glue.join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def beneath(text: object, **attributes: str) -> Html:
    """Write a small line of its own; a page without our stylesheet keeps it apart as well."""
    return tag("div", tag("small", str(text) if not isinstance(text, Html) else text), **attributes) if text else Html()


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> Html:
    """Build a table in a box that scrolls by itself on a narrow screen.

    Parameters
    ----------
    head
        The column titles, as many as each row has cells.
    rows
        Text is escaped; the first cell of a row is its heading.
    """
    body = (tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest)) for first, *rest in rows)
    parts = [
        *([tag("caption", caption)] if caption else []),
        tag("thead", tag("tr", *(tag("th", title, scope="col") for title in head))),
        tag("tbody", *body),
    ]
    return tag("div", tag("table", *parts), class_="scroll wide" if len(head) > _MANY else "scroll")


class Picture:
    """A figure with the sentence that stands for it where it cannot be seen.

    Parameters
    ----------
    figure
        A matplotlib figure; it is drawn once, here.
    alt
        What it shows, in words.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
        self.alt = alt
        self._png = base64.b64encode(buffer.getvalue()).decode("ascii")

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        return {"image/png": self._png, "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}
