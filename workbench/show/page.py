"""One self-contained page from an executed notebook: nothing in it asks for another file, and nothing in it runs."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

from workbench import __version__
from workbench.show.markup import Html, tag

if TYPE_CHECKING:
    from nbformat import NotebookNode

_NOTEBOOK_ONLY = "notebook-only"  # the tag of cells that the page leaves out
# what the tables and the prose are made of; any other element is shown as the text that it is
_ELEMENTS = [
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "dl", "dt", "dd", "a", "em", "strong", "code", "pre", "br", "hr"),
    *("div", "span", "small", "sup", "sub", "table", "caption", "thead", "tbody", "tr", "th", "td", "blockquote"),
]
_ATTRIBUTES = {"*": ["class"], "a": ["href"], "th": ["scope"]}
# a browser that honours it fetches nothing and runs nothing, whatever the rest of the page says
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TITLE = re.compile(r"<h1>.*?</h1>", re.DOTALL)
_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


def report_page(notebook: NotebookNode, *, title: str, created: datetime | None = None) -> str:
    """Write the page of an executed notebook: its prose, tables and figures, without its code.

    Parameters
    ----------
    notebook
        An executed notebook; it is not changed.
    title
        The page's title, as text; it takes the place of the notebook's own.
    created
        When the report was made; now, where it is not said.
    """
    body, headings = _numbered(_TITLE.sub("", _body(notebook), count=1))
    when = (created or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    style = resources.files("workbench.show").joinpath("report.css").read_text(encoding="utf-8")
    links = (tag("li", tag("a", text, href=f"#{anchor}")) for anchor, text in headings)
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"dark-frame-workbench {__version__}"),
        tag("title", title),
        tag("style", Html(style)),
    ]
    page = [
        tag(
            "header",
            tag("h1", title),
            tag("p", f"Made on {when} by dark-frame-workbench {__version__}", class_="about"),
        ),
        tag("nav", tag("ol", *links), aria_label="Contents"),
        tag("main", body),
        tag("footer", "The numbers stand in results.json, the code that found them in report.ipynb, beside this page."),
    ]
    return f"<!DOCTYPE html>\n{tag('html', tag('head', *head), tag('body', *page), lang='en')}\n"


def _body(notebook: NotebookNode) -> str:
    from nbconvert.exporters import HTMLExporter  # noqa: PLC0415 - over a second, for the report alone
    from nbconvert.preprocessors.sanitize import SanitizeHTML  # noqa: PLC0415

    shown = _for_its_owner(notebook)
    sanitizer = SanitizeHTML(tags=_ELEMENTS, attributes=_ATTRIBUTES, styles=[])  # type: ignore[no-untyped-call]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        sanitize_html=True,
        filters={"clean_html": sanitizer.sanitize_html_tags},
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body: str = exporter.from_notebook_node(shown)[0]
    return body


def _for_its_owner(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook without what only its reader needs: how to run it, progress bars, warnings."""
    shown = copy.deepcopy(notebook)
    shown.cells = [cell for cell in shown.cells if _NOTEBOOK_ONLY not in cell.metadata.get("tags", [])]
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return shown


def _numbered(body: str) -> tuple[Html, list[tuple[str, Html]]]:
    """Give each section's heading an anchor, and list anchors and headings."""
    headings: list[tuple[str, Html]] = []

    def anchored(found: re.Match[str]) -> str:
        headings.append((f"section-{len(headings) + 1}", Html(found[1])))
        return f'<h2 id="{headings[-1][0]}">{found[1]}</h2>'

    return Html(_HEADING.sub(anchored, body)), headings
