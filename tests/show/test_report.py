"""The report on small notebooks of its own: whole or nothing, this interpreter, a page that asks for nothing."""

import json
import os
import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import InputError, WorkbenchError
from workbench.show import report
from workbench.show.facts import dataset_html
from workbench.show.markup import Picture
from workbench.show.page import report_page
from workbench.show.report import ReportFailure, ReportPaths, write_report
from workbench.show.tables import summary_html

PARAMETERS = new_code_cell(
    'dataset = "embedded"\ngain = None\nmanifest = None\nout = None', metadata={"tags": ["parameters"]}
)
WRITE = new_code_cell('import shutil\n_ = shutil.copyfile(f"{dataset}/results.json", f"{out}/results.json")')


@pytest.fixture
def frames(tmp_path, results):
    """A folder that holds results.json instead of frames: the notebooks of these tests just copy it."""
    folder = tmp_path / "frames {of} mine"
    folder.mkdir()
    results.write(folder / "results.json")
    return folder


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Make the report run another notebook."""

    def use(*cells):
        place = tmp_path / "notebooks"
        place.mkdir(exist_ok=True)
        made = new_notebook(cells=[new_markdown_cell("# Test\n\n## One"), PARAMETERS, *cells, WRITE])
        made.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(made, place / report.NOTEBOOK)
        monkeypatch.setattr(report, "folder", lambda _: place)
        monkeypatch.setattr(report, "catalogue", lambda *_, **__: None)

    return use


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    place = tmp_path / "desk"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(place)
    return place


def test_the_report_runs_in_this_interpreter_and_appears_with_its_three_files(frames, notebook, desk, monkeypatch):
    impostor = desk.parent / "jupyter" / "kernels" / "python3"
    impostor.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "another environment", "language": "python"}
    (impostor / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(desk.parent / "jupyter"))
    startup = desk.parent / "startup.py"
    startup.write_text("raise SystemExit")
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    notebook(new_code_cell("import sys\nprint(sys.executable, gain)"))

    paths = write_report(os.path.relpath(frames), "new/{deep}/report", gain=0.25)

    assert paths == ReportPaths.inside(desk / "new/{deep}/report")
    assert sorted(path.name for path in paths.html.parent.iterdir()) == ["report.html", "report.ipynb", "results.json"]
    assert [path.name for path in desk.iterdir()] == ["new"]
    assert f"{sys.executable} 0.25" in paths.html.read_text()
    assert "<title>Camera report: my frames</title>" in paths.html.read_text()
    executed = nbformat.read(paths.notebook, 4)
    nbformat.validate(executed)
    injected = next(cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert f'dataset = "{frames}"' in injected.source  # runs again from anywhere
    assert 'out = "."' in injected.source
    assert "papermill" not in paths.notebook.read_text()


def test_an_older_report_is_replaced_and_other_files_are_left_alone(frames, notebook, desk):
    out = desk / "report"
    out.mkdir()
    for name in ("report.html", "results.json", "mine.txt"):
        (out / name).write_text("old")
    notebook()
    write_report(frames, out)
    assert (out / "mine.txt").read_text() == "old"
    assert "old" not in {(out / "report.html").read_text(), (out / "results.json").read_text()}
    assert len(list(out.iterdir())) == 4


def test_a_refusal_in_the_notebook_comes_back_in_its_own_words_and_leaves_the_older_report(frames, notebook, desk):
    out = desk / "report"
    out.mkdir()
    (out / "report.html").write_text("old")
    notebook(
        new_code_cell('from workbench.errors import FrameError\nraise FrameError("a.fits", "is short", "copy it")')
    )
    with pytest.raises(WorkbenchError, match=r"^a\.fits: is short; copy it$"):
        write_report(frames, out)
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("report.html", "old")]


def test_a_failure_of_the_workbench_itself_says_where_the_full_account_is(frames, notebook, desk):
    notebook(new_code_cell("1 / 0"))
    with pytest.raises(ReportFailure, match=r"^cell 3 stopped with ZeroDivisionError: division by zero; ") as failure:
        write_report(frames, "report")
    log = re.search(r"the notebook with its traceback is (.*)$", str(failure.value))
    assert log
    assert "ZeroDivisionError" in Path(log[1]).read_text()
    assert list(desk.iterdir()) == []


def test_a_kernel_that_dies_is_a_failure_and_no_traceback(frames, notebook, desk):
    notebook(new_code_cell("import os\nos._exit(9)"))
    with pytest.raises(ReportFailure, match="the notebook's kernel stopped"):
        write_report(frames, "report")
    assert list(desk.iterdir()) == []


def test_stopping_leaves_nothing_behind(frames, notebook, desk, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    notebook()
    monkeypatch.setattr(report.papermill, "execute_notebook", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report(frames, "report")
    assert list(desk.iterdir()) == []


def test_a_misspelt_parameter_is_refused_before_anything_runs(frames, desk):
    with pytest.raises(InputError) as refusal:
        write_report(frames, "report", gian=0.25)
    assert str(refusal.value) == "gian: is no parameter of 90_camera_report.ipynb; did you mean 'gain'?"
    with pytest.raises(InputError, match="it knows dataset, gain, gain_error, manifest, accept"):
        write_report(frames, "report", xyz=1)
    assert list(desk.iterdir()) == []


def test_frames_that_are_nowhere_are_refused():
    with pytest.raises(InputError) as refusal:
        write_report("embeded", "report")
    assert str(refusal.value) == "embeded: is neither a folder nor a dataset; did you mean 'embedded'?"
    with pytest.raises(InputError, match="name a folder of frames, or embedded"):
        write_report("/no/such/folder", "report")


def test_an_output_below_a_file_is_refused(frames, desk):
    (desk / "file").write_text("")
    with pytest.raises(InputError) as refusal:
        write_report(frames, "file/report")
    assert (
        str(refusal.value) == f"{desk}/file: is not a folder, and the report needs one; choose another folder with -o"
    )


def test_an_output_that_cannot_be_written_is_refused(frames):
    with pytest.raises(InputError, match=r"^/proc: cannot be written \(.*\); choose another folder with -o$"):
        write_report(frames, "/proc/report")


def test_a_report_that_cannot_be_moved_leaves_the_older_one_whole(desk):
    out = desk / "report"
    (out / "results.json").mkdir(parents=True)  # in the way of the last file
    (out / "results.json" / "kept").write_text("old")
    (out / "report.html").write_text("old")
    made = ReportPaths.inside(desk / "made" / "report")
    made.html.parent.mkdir(parents=True)
    for path in list(made)[:2]:
        path.write_text("new")
    with pytest.raises(FileNotFoundError):
        report._publish(ReportPaths(made.html, made.notebook, desk / "missing" / "results.json", made.pixels), out)
    assert (out / "report.html").read_text() == "old"
    assert not (out / "report.ipynb").exists()
    assert (out / "results.json" / "kept").read_text() == "old"


# the page


class _Page(HTMLParser):
    """Every element with its attributes, and all text outside of the style."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.text = ""
        self._style = False
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self._style = name == "style"

    def handle_endtag(self, _):
        self._style = False

    def handle_data(self, data):
        if not self._style:
            self.text += data


def shown(*cells):
    return _Page(report_page(new_notebook(cells=list(cells)), title="Camera report: <b>"))


def displayed(markup, kind="text/html"):
    return new_code_cell("hidden_source()", outputs=[new_output("display_data", data={kind: str(markup)})])


def test_a_page_asks_for_nothing_outside_and_runs_nothing(hostile):
    cells = [
        new_markdown_cell("# Report\n\n## One\n\n![picture](https://example.org/a.png)"),
        displayed(summary_html(hostile)),
        displayed('<img src="http://example.org/a.png"><iframe src="http://example.org"></iframe>'),
        displayed('<style>@import "http://example.org/a.css"; a { background: url(http://example.org) }</style>'),
        displayed("<p onclick='alert(1)' style='background: url(http://example.org)'>x</p>"),
        displayed("alert(2)", "application/javascript"),
        displayed("<script>alert(3)</script>", "text/markdown"),
        displayed("<script>alert(4)</script>", "image/svg+xml"),
    ]
    page = shown(*cells)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio"}
    for name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("style", "srcset", "ping")], name
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", report_page(new_notebook(), title=""), re.DOTALL)
    assert style
    assert "@import" not in style[1]
    assert "url(" not in style[1]
    policy = [attributes for _, attributes in page.elements if attributes.get("http-equiv")]
    assert policy[0]["content"].startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_hostile_header_text_is_read_as_text(hostile):
    page = shown(new_markdown_cell("## One"), displayed(summary_html(hostile)), displayed(dataset_html(hostile)))
    assert page.text.count("<script>alert(1)</script>") >= 5
    assert "Camera report: <b>" in page.text


def test_even_markup_that_forgot_to_escape_is_shown_and_not_run():
    page = shown(displayed("<p>camera <script>alert(1)</script></p>"))
    assert "camera <script>alert(1)</script>" in page.text
    assert "script" not in {name for name, _ in page.elements}


def test_sections_are_listed_at_the_top_and_can_be_reached():
    page = shown(new_markdown_cell("# Name\n\n## One & all\n\ntext"), new_markdown_cell("### Small\n\n## Two"))
    links = [attributes["href"][1:] for name, attributes in page.elements if name == "a"]
    anchors = [attributes["id"] for name, attributes in page.elements if name == "h2"]
    assert links == anchors == ["section-1", "section-2"]
    assert page.text.index("Camera report: <b>") < page.text.index("One & all")
    assert "Name" not in page.text


def test_code_and_warnings_and_advice_for_notebooks_stay_in_the_notebook():
    cell = displayed("<p>a table</p>")
    cell.outputs.append(new_output("stream", name="stderr", text="a warning"))
    run = new_markdown_cell("name your folder", metadata={"tags": ["notebook-only"]})
    page = shown(run, cell)
    assert "a table" in page.text
    for hidden in ("hidden_source", "a warning", "name your folder"):
        assert hidden not in page.text
    assert len(cell.outputs) == 2  # the notebook itself is not changed


def test_a_figure_is_inside_the_page_and_described_in_words():
    from matplotlib.figure import Figure

    data, metadata = Picture(Figure(), 'mean "against" <exposure>')._repr_mimebundle_()
    figure = new_code_cell("x", outputs=[new_output("display_data", data=data, metadata=metadata)])
    image = next(attributes for name, attributes in shown(figure).elements if name == "img")
    assert image["alt"] == 'mean "against" <exposure>'
    assert image["src"].startswith("data:image/png;base64,iVBOR")


def test_a_page_is_made_for_print_and_for_phones():
    page = shown(new_markdown_cell("## One"))
    names = {attributes.get("name"): attributes for name, attributes in page.elements if name == "meta"}
    assert names["viewport"]["content"] == "width=device-width, initial-scale=1"
    assert "@media print" in report_page(new_notebook(), title="x")
    assert page.elements[0] == ("html", {"lang": "en"})
