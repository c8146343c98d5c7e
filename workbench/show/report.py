"""The camera report: the notebook is run on the frames in a folder of its own, and its three files appear together."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from workbench import errors
from workbench.errors import InputError, WorkbenchError, did_you_mean
from workbench.frames.catalogue import catalogue
from workbench.resources import folder
from workbench.results import Results
from workbench.show.kernel import ThisInterpreterKernel
from workbench.show.page import report_page
from workbench.show.source import dataset_names, frames_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from nbformat import NotebookNode

NOTEBOOK = "90_camera_report.ipynb"
_REFUSALS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, WorkbenchError)}
_TICK = 0.5  # s
_BAR = "{percentage:3.0f} % |{bar:20}| {elapsed} {desc}"


@dataclass(frozen=True)
class ReportPaths:
    """Where the three files of a report are, and the folder of pixel maps, which is missing where there are none."""

    html: Path
    notebook: Path
    results: Path
    pixels: Path

    @classmethod
    def inside(cls, place: Path) -> ReportPaths:
        """Name the files of the report in a folder."""
        return cls(place / "report.html", place / "report.ipynb", place / "results.json", place / "pixels")

    def __iter__(self) -> Iterator[Path]:
        return iter((self.html, self.notebook, self.results, *([self.pixels] if self.pixels.exists() else [])))


class ReportFailure(RuntimeError):  # noqa: N818 - not the user's error, and no error of the frames
    """The report's notebook stopped for a reason that lies in the workbench; says where the full account is."""


def write_report(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str] = "workbench-report",
    *,
    progress: bool = False,
    **parameters: Any,
) -> ReportPaths:
    """Measure a camera from its frames and write the report: a page, its notebook and ``results.json``.

    Parameters
    ----------
    dataset
        A folder of frames, or the name of a dataset.
    out
        The folder of the report. It is made when it is missing; an older report in it is replaced at the end.
    progress
        Show a progress bar on stderr, where that is a terminal.
    **parameters
        Parameters of the notebook's ``parameters`` cell: ``gain`` [electron / adu], ``manifest``, ``accept``, ...

    Returns
    -------
    ReportPaths
        The files, which exist.

    Raises
    ------
    InputError
        When a parameter is unknown or the folder cannot be written.
    WorkbenchError
        When the frames cannot be measured, in the words of whatever refused them.
    ReportFailure
        When the notebook fails otherwise; nothing is written to ``out``.
    """
    notebook = nbformat.read(folder("notebooks") / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    _check_parameters(notebook, parameters)
    chosen = {
        key: str(Path(value).resolve()) if key == "manifest" and value else value for key, value in parameters.items()
    }
    target = Path(out).resolve()
    with _workshop(target) as place:
        frames = frames_of(dataset, progress=progress)
        catalogue(frames, manifest=chosen.get("manifest"))  # what it refuses is said now, not after the kernel's start
        # by name the kernel checks the dataset again; a path must mean the same from the kernel's folder
        chosen |= {"dataset": str(dataset) if str(dataset) in dataset_names() else str(frames), "out": "."}
        made = ReportPaths.inside(place)
        executed = _executed(notebook, chosen, place, progress=progress)
        nbformat.write(executed, made.notebook)  # type: ignore[no-untyped-call]
        title = f"Camera report: {Results.read(made.results).dataset['name']}"
        made.html.write_text(report_page(executed, title=title), encoding="utf-8", errors="backslashreplace")
        _publish(made, target)
    return ReportPaths.inside(target)


def _check_parameters(notebook: NotebookNode, parameters: Mapping[str, Any]) -> None:
    # papermill only warns of a misspelt parameter, and measures without it
    known = papermill.inspect_notebook(notebook)
    for name in parameters:
        if name not in known:
            advice = did_you_mean(name, known, f"it knows {', '.join(known)}")
            raise InputError(name, f"is no parameter of {NOTEBOOK}", advice)


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Give a folder on the target's file system that is gone afterwards, whatever happens."""
    nearest = next(parent for parent in (target, *target.parents) if parent.exists())
    advice = "choose another folder with -o"
    if not nearest.is_dir():
        raise InputError(nearest, "is not a folder, and the report needs one", advice)
    try:
        work = tempfile.TemporaryDirectory(prefix=".workbench-report-", dir=nearest, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(nearest, f"cannot be written ({error.strerror})", advice) from error
    with work as name:
        place = Path(name, "report")
        place.mkdir()
        place.with_name("ipython").mkdir()
        try:
            yield place
        except OSError as error:
            raise InputError(error.filename or target, f"cannot be written ({error.strerror})", advice) from error


def _publish(made: ReportPaths, target: Path) -> None:
    """Move a finished report to its place: the whole folder when it is new, else its files, all or none."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made.html.parent.replace(target)
        return
    older = made.html.parent.with_name("older")
    older.mkdir()
    done: list[tuple[Path, Path]] = []

    def move(source: Path, destination: Path) -> None:
        source.replace(destination)
        done.append((source, destination))

    try:
        for new in (made.html, made.notebook, made.results, made.pixels):
            place = target / new.name
            if place.exists():
                move(place, older / new.name)
            if new != made.pixels or new.exists():
                move(new, place)
    except BaseException:
        for source, destination in reversed(done):
            destination.replace(source)
        raise


def _executed(notebook: NotebookNode, parameters: Mapping[str, Any], place: Path, *, progress: bool) -> NotebookNode:
    """Run the notebook in a folder of its own and return it without papermill's notes on this machine."""
    log = place / "report.ipynb"
    with _bar(notebook, show=progress) as hooks, _only_our_words():
        try:
            executed: NotebookNode = papermill.execute_notebook(
                notebook,
                _literal(log),
                parameters=dict(parameters),
                cwd=place,
                kernel_name="python3",
                kernel_manager_class=ThisInterpreterKernel,
                # the user's own start-up files are no part of a report
                extra_arguments=[
                    f"--ipython-dir={place.with_name('ipython')}",
                    "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
                    "--log-level=ERROR",
                ],
                progress_bar=False,
                **hooks,
            )
        except PapermillExecutionError as error:
            if error.ename in _REFUSALS:
                raise WorkbenchError(error.evalue) from None
            raise ReportFailure(
                f"cell {error.exec_count} stopped with {error.ename}: {error.evalue}; {_kept(log)}"
            ) from error
        except RuntimeError as error:  # nbclient's and jupyter_client's word for a kernel that is gone
            raise ReportFailure(
                f"the notebook's kernel stopped ({error}), perhaps for want of memory; {_kept(log)}"
            ) from error
    return _cleaned(executed)


@contextmanager
def _only_our_words() -> Iterator[None]:
    """Keep the log of papermill off the terminal: what it says comes back as an exception as well."""
    logger = logging.getLogger("papermill")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _literal(path: Path) -> str:
    """Write a path for papermill, which takes braces for names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _kept(log: Path) -> str:
    kept = Path(tempfile.mkdtemp(prefix="workbench-report-failed-"), log.name)
    shutil.copyfile(log, kept)
    return f"the notebook with its traceback is {kept}"


def _cleaned(notebook: NotebookNode) -> NotebookNode:
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
    return notebook


@contextmanager
def _bar(notebook: NotebookNode, *, show: bool) -> Iterator[dict[str, Callable[..., None]]]:
    """Give the hooks of a progress bar that counts code cells, names their section and keeps its clock going."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    sections = _sections(notebook)
    hidden = not (show and sys.stderr.isatty())
    stopped = threading.Event()
    with tqdm(total=len(cells) + 1, bar_format=_BAR, file=sys.stderr, disable=hidden, leave=False, desc="start") as bar:

        def begin(cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG001 - the hook's signature
            bar.set_description_str(sections.get(cell.get("id", ""), "start"))

        def end(cell: NotebookNode, cell_index: int, execute_reply: object) -> None:  # noqa: ARG001
            bar.update()

        def tick() -> None:
            while not stopped.wait(_TICK):
                bar.refresh()

        clock = threading.Thread(target=tick, daemon=True)
        if not hidden:
            clock.start()
        try:
            yield {"on_cell_execute": begin, "on_cell_executed": end}
        finally:
            stopped.set()
            if not hidden:
                clock.join()


def _sections(notebook: NotebookNode) -> dict[str, str]:
    """Map each cell's id to the heading above it."""
    found, title = {}, "start"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            title = cell.source.splitlines()[0].lstrip("# ")
        found[cell.id] = title
    return found
