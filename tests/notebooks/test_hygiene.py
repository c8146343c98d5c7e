"""Committed notebooks: executed, clean, without a trace of the machine that ran them."""

import ast
import json
import re

import pytest

from workbench.resources import folder

NOTEBOOKS = sorted(folder("notebooks").glob("*.ipynb"))
EXPECTED = {
    "00_start_here",
    "01_dark_signal_and_black_point",
    "02_noise_sources",
    "03_popular_methods",
    "04_dark_current",
    "05_default_calibration",
    "06_master_bias_and_dark",
    "07_flat_calibration",
    "08_master_flat",
    "09_light_calibration",
    "10_registration_and_integration",
    "11_final_result",
    "12_temperature",
    "90_camera_report",
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(cell):
    for output in cell["outputs"]:
        yield "".join(output.get("text", ""))
        for kind, data in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield "".join(data)


def test_the_notebooks_of_the_house_are_there():
    assert {path.stem for path in NOTEBOOKS} >= EXPECTED


def test_every_cell_ran_in_order(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_nothing_failed_and_nothing_warned(notebook):
    for cell in code_cells(notebook):
        kinds = {output["output_type"] for output in cell["outputs"]}
        names = {output.get("name") for output in cell["outputs"]}
        assert "error" not in kinds
        assert "stderr" not in names


def test_no_path_of_the_machine_is_left(notebook):
    path = re.compile(r"(/tmp|/home|/root|/work|/usr|/var|[A-Z]:\\)[\\/\w.-]+")
    for cell in code_cells(notebook):
        for text in texts(cell):
            assert path.search(text) is None, text[:200]


def test_code_cells_are_short(notebook):
    for cell in code_cells(notebook):
        assert "".join(cell["source"]).count("\n") < 20


def test_there_is_one_parameters_cell_and_it_names_the_dataset(notebook):
    tagged = [cell for cell in code_cells(notebook) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    tree = ast.parse("".join(tagged[0]["source"]))
    assert "dataset" in {node.targets[0].id for node in tree.body if isinstance(node, ast.Assign)}


def test_a_figure_is_followed_by_what_to_notice(notebook):
    cells = notebook["cells"]
    for place, cell in enumerate(cells):
        outputs = cell.get("outputs", [])
        if not any("image/png" in output.get("data", {}) for output in outputs):
            continue
        after = ["".join(one["source"]) for one in cells[place + 1 : place + 5] if one["cell_type"] == "markdown"]
        assert "otice" in "".join(after), "".join(cell["source"])


def test_nothing_is_hidden_from_the_comparison(notebook):
    """Only what cannot be the same twice may be left out of nbval's comparison: versions and fingerprints."""
    ignored = [cell["id"] for cell in code_cells(notebook) if "nbval-ignore-output" in cell["metadata"].get("tags", [])]
    assert ignored in ([], ["repeat-command"])


def test_kernel_and_ids_are_plain(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["nbformat"] == 4
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9-]+", one) for one in ids)
