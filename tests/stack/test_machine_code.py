"""Machine code that is kept is found without Numba, is never run when it is damaged, and takes its own record alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

from workbench.stack import machine_code
from workbench.stack.machine_code import MachineCode
from workbench.stack.tile_job import tile_job

RECORD = np.dtype([("n", "i8"), ("values", "u8")])
LOOPS = """
from numba.np.numpy_support import carray
import numpy as np
from workbench.stack.pixel_loops import array_at

def add_up(jobs):
    job = carray(jobs, 1)[0]
    values = array_at(job.values, (job.n,), np.int64)
    total = 0
    for k in range(job.n):
        total += values[k]
    return total
"""


@pytest.fixture
def loops(tmp_path, monkeypatch):
    """A module with a loop, and an empty folder for its code."""
    (tmp_path / "loops_of_a_test.py").write_text(LOOPS)
    monkeypatch.syspath_prepend(tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr(machine_code, "code_folder", lambda: kept)
    return kept


def job_of(values):
    job = np.zeros((), RECORD)
    job["n"], job["values"] = values.size, values.ctypes.data
    return job


def add_up():
    return MachineCode("loops_of_a_test", "add_up", RECORD)


VALUES = np.arange(1000, dtype=np.int64)


def test_what_was_compiled_is_kept_and_found(loops, monkeypatch):
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    (kept,) = loops.iterdir()
    monkeypatch.setattr(MachineCode, "_compile", lambda *_: pytest.fail("compiled once more"))
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    assert [*loops.iterdir()] == [kept]


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda code: code[:40], lambda _: b""])
def test_damaged_code_is_compiled_anew_and_not_run(loops, damage):
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    (kept,) = loops.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert machine_code._read(kept) is None
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    assert machine_code._read(kept) is not None


def test_without_a_folder_it_runs_all_the_same(loops, monkeypatch):
    monkeypatch.setattr(machine_code, "code_folder", lambda: None)
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    assert not [*loops.iterdir()]


def test_where_it_cannot_be_kept_nothing_is_left(loops, monkeypatch):
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert add_up()(job_of(VALUES)) == VALUES.sum()
    assert not [*loops.iterdir()]


def test_a_loop_that_needs_what_is_not_there_is_refused(loops, tmp_path):
    text = LOOPS.replace("add_up", "grow").replace("total = 0", "total = np.zeros(job.n)[0]")
    (tmp_path / "growing_loops_of_a_test.py").write_text(text)
    with pytest.raises(TypeError, match=r"grow calls .*NRT.*: a kept loop makes no arrays"):
        MachineCode("growing_loops_of_a_test", "grow", RECORD)(job_of(VALUES))
    assert not [*loops.iterdir()]


def test_processes_that_compile_at_once_leave_one_whole_file(loops, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import pathlib, numpy as np\n"
        "from workbench.stack import machine_code\n"
        f"machine_code.code_folder = lambda: pathlib.Path({str(loops)!r})\n"
        "record = np.dtype([('n', 'i8'), ('values', 'u8')])\n"
        "job, values = np.zeros((), record), np.arange(5)\n"
        "job['n'], job['values'] = 5, values.ctypes.data\n"
        "print(machine_code.MachineCode('loops_of_a_test', 'add_up', record)(job))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [run.communicate()[0] for run in runs] == ["10\n"] * 3
    assert len([*loops.iterdir()]) == 1
    assert add_up()(job_of(VALUES)) == VALUES.sum()


def test_a_job_of_the_wrong_arrays_is_refused():
    arrays = {"addresses": np.zeros(3, np.uint64), "network": np.zeros((0, 2), np.int32)}
    numbers = {"n_frames": 3, "size": 1, "swapped": 0, "method": 0}
    assert len(tile_job(numbers, arrays)[1]) == 3
    for wrong in (np.zeros((4, 2), np.int64), np.zeros((4, 4), np.int32)[:, ::2]):
        with pytest.raises(TypeError, match="network is of int"):
            tile_job(numbers, arrays | {"network": wrong})


def test_another_record_is_refused():
    with pytest.raises(TypeError, match="add_up takes a record of"):
        add_up()(np.zeros((), np.dtype([("n", "i4")])))


def test_frames_are_combined_without_numba_once_the_loop_is_there(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from workbench.stack.fast import fast_planes\n"
        "from workbench.stack.rejection import WinsorizedSigmaClip\n"
        "values = np.random.default_rng(1).integers(0, 5, (12, 5000)).astype(np.uint16)\n"
        "print(fast_planes(values, WinsorizedSigmaClip()).signal.sum(), 'numba' in sys.modules)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert [one.split()[1] for one in said] == ["True", "False"]
    assert said[0].split()[0] == said[1].split()[0]
