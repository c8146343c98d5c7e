"""The explorers as readers meet them: JupyterLab, Run All, a slider moved by the keyboard."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from workbench.resources import folder

pytestmark = pytest.mark.browser

RUN_ALL = """() => {
  window.workbenchRan = false;
  window.jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { window.workbenchRan = true; });
}"""
KERNEL_IS_IDLE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  return panel?.sessionContext?.session?.kernel?.status === 'idle' && panel.content?.model?.cells?.length > 0;
}"""
ERROR_OUTPUTS = """() => {
  const found = [], cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  for (let i = 0; i < cells.length; i++) {
    const outputs = cells.get(i).outputs?.toJSON() ?? [];
    for (const one of outputs)
      if (one.output_type === 'error') found.push(`cell ${i}: ${one.ename}: ${one.evalue}`);
  }
  return found;
}"""
# Lab draws only the cells in sight: bring the explorer's there, wherever the notebook has it
SHOW_CELL = """index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  return notebook.scrollToItem(index, 'start');
}"""
PICTURE_BYTES = """async () => {
  const image = document.querySelector('.jp-mod-active .jp-OutputArea-output img.widget-image');
  if (!image || !image.complete || image.naturalWidth === 0) return null;
  try {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))).join(' ');
  } catch { return null; }  // the address was taken back meanwhile: a newer picture is on its way
}"""
SLOW = 180_000  # ms: a notebook may generate its frames on first use


def _explorer_cells(notebook: Path) -> list[int]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        i
        for i, cell in enumerate(cells)
        if cell["cell_type"] == "code"
        and re.search(r"^(explorers\.)?explore_\w+\(", "".join(cell["source"]), re.MULTILINE)
    ]


def _open_and_run(visit, lab, notebook: Path) -> None:
    visit.page.goto(lab.url(notebook.name), timeout=SLOW)
    visit.page.wait_for_function(KERNEL_IS_IDLE, timeout=SLOW)
    visit.page.evaluate(RUN_ALL)
    visit.page.wait_for_function("() => window.workbenchRan", timeout=SLOW)


def _move_sliders(visit) -> None:
    """Step every slider of the active cell once by the keyboard; each step must bring another picture."""
    handles = visit.page.locator(".jp-mod-active .jp-OutputArea-output [role=slider]")
    picture = _picture(visit.page)
    assert handles.count() > 0
    for handle in handles.all():
        handle.focus()
        low, value = (float(handle.get_attribute(name)) for name in ("aria-valuemin", "aria-valuenow"))
        visit.page.keyboard.press("ArrowLeft" if value > low else "ArrowRight")
        picture = _changed(visit.page, picture)


def _picture(page) -> str:
    return page.wait_for_function(PICTURE_BYTES, timeout=30_000).json_value()


def _changed(page, before: str) -> str:
    script = f"async before => {{ const now = await ({PICTURE_BYTES})(); return now && now !== before ? now : null; }}"
    return page.wait_for_function(script, arg=before, timeout=30_000).json_value()


def _assert_clean(visit) -> None:
    assert visit.page.evaluate(ERROR_OUTPUTS) == []
    assert visit.errors == []
    assert visit.outside == []


NOTEBOOKS = [path.stem for path in sorted(folder("notebooks").glob("*.ipynb")) if _explorer_cells(path)]


def test_the_notebooks_have_their_explorers():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_reader_moves_every_slider_of_a_notebook(name, lab, visit):
    source = folder("notebooks") / f"{name}.ipynb"
    notebook = lab.folder / source.name
    shutil.copy(source, notebook)
    cells = _explorer_cells(notebook)
    _open_and_run(visit, lab, notebook)
    for cell in cells:
        visit.page.evaluate(SHOW_CELL, cell)
        _move_sliders(visit)
    _assert_clean(visit)


def test_reader_sees_an_error_of_a_redraw_in_the_page(lab, visit):
    notebook = lab.folder / "broken.ipynb"
    broken = """from workbench.show.explorers import explore_dark_mean
box = explore_dark_mean()
def show(**values):
    raise ArithmeticError("the curve is broken")
box.explorer._scene.show = show
box"""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(broken)], metadata=kernel), notebook)
    _open_and_run(visit, lab, notebook)
    visit.page.evaluate(SHOW_CELL, 0)
    visit.page.locator("[role=slider]").first.focus()
    visit.page.keyboard.press("ArrowLeft")
    visit.page.get_by_text("Error: ArithmeticError: the curve is broken").wait_for(timeout=30_000)
