"""The front door: exit codes, one line for each error, and nothing heavy where it is not needed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench import __version__, cli
from workbench.cli import main
from workbench.errors import InputError
from workbench.results import Results


def run(*words, **rest):
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "workbench.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **rest)


def refusal(capsys, *words):
    """Run a command that must be refused, and return its one line."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reprot"], "workbench: no such command: reprot; did you mean 'report'?"),
        (["frobnicate"], "workbench: no such command: frobnicate; see `workbench --help`"),
        (["--verison"], "workbench: no such option: --verison; did you mean '--version'?"),
        (["report", "--gian", "0.3"], "workbench report: no such option: --gian; did you mean '--gain'?"),
        (["report", "--gian=0.3"], "workbench report: no such option: --gian; did you mean '--gain'?"),
        (["report", "--acc"], "workbench report: no such option: --acc; did you mean '--accept'?"),
        (["report", "a", "b"], "workbench report: one word too many: b; see `workbench report --help`"),
        (
            ["report", "--gain", "0"],
            "workbench report --gain: 0 is no finite number above 0; see `workbench report --help`",
        ),
        (
            ["report", "--gain", "-2"],
            "workbench report --gain: -2 is no finite number above 0; see `workbench report --help`",
        ),
        (
            ["report", "--gain", "inf"],
            "workbench report --gain: inf is no finite number above 0; see `workbench report --help`",
        ),
        (
            ["report", "--gain", "a lot"],
            "workbench report --gain: a lot is no finite number above 0; see `workbench report --help`",
        ),
        (["report", "--gain"], "workbench report --gain: expected one argument; see `workbench report --help`"),
        (
            ["report", "--gain-error", "0.1"],
            "workbench report --gain-error: is the error of a gain that is not given; see `workbench report --help`",
        ),
        (
            ["inspect"],
            "workbench inspect: the following arguments are required: PATH; see `workbench inspect --help`",
        ),
        (
            ["simulate", "qhy163m_like"],
            "workbench simulate: the following arguments are required: -o/--out; see `workbench simulate --help`",
        ),
        (
            ["simulate", "qhy163m_like", "-o", "x", "--seed", "-1"],
            "workbench simulate --seed: -1 is no whole number from 0 on; see `workbench simulate --help`",
        ),
        (
            ["simulate", "qhy163m_like", "-o", "x", "--shape", "10"],
            "workbench simulate --shape: 10 is no shape such as 880x1164, rows first; see `workbench simulate --help`",
        ),
        (["dataset", "lst"], "workbench dataset: no such command: lst; did you mean 'list'?"),
        (["lab", "--port", "x"], "workbench lab --port: x is no whole number from 0 on; see `workbench lab --help`"),
    ],
)
def test_wrong_usage_is_one_line_with_the_nearest_right_one(capsys, words, said):
    assert refusal(capsys, *words) == said


def test_input_that_is_refused_is_one_line_without_control_characters(capsys, monkeypatch):
    def refuse(_):
        raise InputError("bad\x1b[2J\nname.fits", "is no frame", "leave it out")

    monkeypatch.setattr(cli, "_inspect", refuse)
    assert refusal(capsys, "inspect", "x") == r"bad\x1b[2J name.fits: is no frame; leave it out"


def test_ctrl_c_is_130_and_no_traceback(capsys, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_lab", stop)
    assert main(["lab"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_a_reader_that_leaves_early_is_no_error():
    writer = subprocess.Popen(
        [sys.executable, "-c", "import sys; from workbench.cli import main; sys.exit(main(['--help']))"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer.stdout.close()
    assert writer.stderr.read() == ""
    assert writer.wait(30) == 0
    writer.stderr.close()


def test_a_terminal_of_another_alphabet_is_no_error(tmp_path):
    (tmp_path / "камера").write_text("")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run("report", str(tmp_path / "камера" / "x"), env=environment)
    assert done.returncode == 2
    assert r"\u043a\u0430\u043c\u0435\u0440\u0430" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_shown_for_every_command(capsys):
    assert main([]) == 0
    assert "workbench report my-frames --gain 0.25" in capsys.readouterr().out
    assert main(["dataset"]) == 0
    assert "list" in capsys.readouterr().out
    for command in ("inspect", "report", "combine", "simulate", "dataset", "lab"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: workbench {command}")


def test_help_and_version_are_instant_and_import_nothing_heavy():
    look = "import sys; from workbench.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass\n"
    look += "print(sorted(set(sys.modules) & {'numpy', 'pandas', 'matplotlib', 'astropy', 'dask', 'papermill'}))"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == f"workbench {__version__}\n[]\n"
    assert time.perf_counter() - start < 2  # 0.1 s on an idle machine


def test_inspecting_imports_no_plots_and_no_notebooks(tmp_path):
    look = "import sys; from workbench.cli import main\ncode = main(['inspect', sys.argv[1]])\n"
    look += "print(code, sorted(set(sys.modules) & {'matplotlib', 'papermill', 'nbformat', 'xarray', 'dask', 'scipy'}))"
    done = subprocess.run([sys.executable, "-c", look, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["inspect", "report"])
def test_frames_that_are_nowhere_are_refused_by_name(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert "nowhere" in refusal(capsys, command, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_refused_by_name(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    said = refusal(capsys, "report", str(tmp_path), "-o", str(tmp_path / "file"))
    assert said == f"{tmp_path / 'file'}: is not a folder, and the report needs one; choose another folder with -o"


def test_a_report_prints_its_numbers_and_where_its_files_are(capsys, monkeypatch, tmp_path):
    from workbench.show import report

    def write(dataset, out, *, progress, **parameters):
        assert (dataset, out, progress) == ("frames", "here", True)
        assert parameters["gain"] == 0.25
        assert parameters["use_bias"] is True
        assert parameters["manifest"] is None
        Results(dataset={"name": "frames", "n_frames": 3, "n_used": 2, "sha256": "0" * 64}).write(
            tmp_path / "results.json"
        )
        return report.ReportPaths.inside(tmp_path)

    monkeypatch.setattr(report, "write_report", write)
    words = ["report", "frames", "-o", "here", "--gain", "0.25", "--use-bias"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frames: 2 of 3 frames used"
    assert [Path(line).name for line in lines[-3:]] == ["report.html", "report.ipynb", "results.json"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "workbench-results/1"


def test_a_failure_of_the_workbench_itself_is_1_and_one_line(capsys, monkeypatch):
    from workbench.show import report

    def fail(*_, **__):
        raise report.ReportFailure("cell 3 stopped")

    monkeypatch.setattr(report, "write_report", fail)
    assert main(["report"]) == 1
    assert capsys.readouterr().err == "cell 3 stopped\n"


def test_datasets_are_listed_for_people_and_for_programs(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    assert main(["dataset", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "frames", "size", "where", "what"]
    assert lines[1].startswith("embedded  104     213 MB  not made yet")
    assert main(["dataset", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "embedded"
    assert "choose from embedded" in refusal(capsys, "dataset", "create", "embeded")


def test_a_simulated_session_is_reproducible_and_can_be_inspected(capsys, tmp_path):
    for name in ("one", "two"):
        assert main(["simulate", "qhy163m_like", "-o", str(tmp_path / name), "--shape", "24x32", "--seed", "7"]) == 0
        assert capsys.readouterr().out == f"{tmp_path / name}\n"
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.fits"))
    assert len(files) > 50
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    assert "is there already and not empty" in refusal(
        capsys, "simulate", "qhy163m_like", "-o", str(tmp_path / "one"), "--shape", "24x32"
    )
    assert main(["inspect", str(tmp_path / "one")]) == 0
    assert "dark" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "one"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_a_camera_that_does_not_exist_is_refused_with_those_that_do(capsys, tmp_path):
    assert "qhy163m_like" in refusal(capsys, "simulate", "qhy163", "-o", str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []
