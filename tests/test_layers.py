"""Imports point only upward in the list of the house."""

import ast
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
LAYERS = ("vocabulary", "frames", "camera", "stack", "measure", "calibrate", "show", "cli")
VOCABULARY = {"units", "results", "errors", "resources", "schema", "threads", "__init__", "__version__"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer(parts: tuple[str, ...]) -> str:
    first = parts[0].removesuffix(".py") if parts else "__init__"
    if first == "__main__":
        return "cli"
    return "vocabulary" if first in VOCABULARY else first


def imported(source: str) -> set[tuple[str, ...]]:
    """Every workbench module that a source names in an import, those under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {tuple(name.split(".")[1:]) for name in names if name.split(".")[0] == "workbench"}
    return found


def upward(module: Path, source: str) -> list[str]:
    own = LAYERS.index(layer(module.relative_to(PACKAGE).parts))
    return [".".join(target) for target in imported(source) if target and LAYERS.index(layer(target)) > own]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upward(module):
    if module == PACKAGE / "__init__.py":
        return  # the front window names what each layer offers, and imports it on first use
    assert upward(module, module.read_text(encoding="utf-8")) == []


def test_a_downward_import_would_be_seen():
    source = "from workbench.show.plots import plot_maps"
    assert upward(PACKAGE / "frames" / "load.py", source) == ["show.plots.plot_maps"]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_short(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 320
