"""Compiled code is kept where a change of any source leads elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
LOOPS = """
from workbench.stack.compiling import compiled

@compiled
def inner():
    return {value}
"""
CALLER = """
from workbench.stack.compiling import compiled
from workbench.stack.inner_loops import inner

@compiled
def outer():
    return 10 * inner()
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package with two compiled functions more, one of which calls the other from another file."""
    copy = tmp_path / "workbench"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.ipynb"))
    (copy / "stack" / "outer_loops.py").write_text(CALLER)
    (copy / "stack" / "inner_loops.py").write_text(LOOPS.format(value=1))
    return copy


def run(package, code, **env):
    environment = {**os.environ, "PYTHONPATH": str(package.parent), **env}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=package.parent
    )
    return done.stdout.strip()


WHERE = "from workbench.stack.code_folder import code_folder; print(code_folder())"
OUTER = "from workbench.stack.outer_loops import outer; print(outer())"


def test_a_change_in_a_called_function_is_seen(package):
    assert run(package, OUTER) == "10"
    assert list(Path(run(package, WHERE)).rglob("outer_loops*.nbi"))  # kept for the next process
    (package / "stack" / "inner_loops.py").write_text(LOOPS.format(value=2))
    assert run(package, OUTER) == "20"


def test_the_folder_follows_the_sources_and_old_ones_go(package, tmp_path):
    folders = []
    for value in range(5):
        (package / "stack" / "inner_loops.py").write_text(LOOPS.format(value=value))
        folders.append(Path(run(package, WHERE, NUMBA_CACHE_DIR=str(tmp_path / "code"))))
    assert len(set(folders)) == 5
    assert folders[-1].parent == tmp_path / "code"
    assert [one.exists() for one in folders] == [False, False, True, True, True]


def test_a_change_of_a_constant_that_loops_hold_is_seen(package):
    (package / "stack" / "inner_loops.py").write_text(
        "from workbench.stack.constant import VALUE\n" + LOOPS.format(value="VALUE")
    )
    (package / "stack" / "constant.py").write_text("VALUE = 3\n")
    assert run(package, OUTER) == "30"
    (package / "stack" / "constant.py").write_text("VALUE = 4\n")
    assert run(package, OUTER) == "40"


def test_what_no_loop_can_hold_does_not_move_it(package):
    before = run(package, WHERE)
    (package / "units.py").write_text((package / "units.py").read_text() + "\n# more\n")
    assert run(package, WHERE) == before


def test_without_a_folder_every_process_compiles_anew(package, tmp_path):
    (tmp_path / "a file").write_text("")
    blocked = {"NUMBA_CACHE_DIR": str(tmp_path / "a file" / "below")}
    assert run(package, WHERE, **blocked) == "None"
    assert run(package, OUTER, **blocked) == "10"
