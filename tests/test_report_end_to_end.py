"""`workbench report` on a small simulated camera, from the command line to the three files, as its owner runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from astropy.io import fits

from workbench.camera.session import FrameSet, Plan, Sensor, simulate
from workbench.results import Results

HOSTILE = "<script>alert(1)</script>"
COMMAND = [sys.executable, "-m", "workbench.cli"]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A few frames of a tiny camera; one is a hostile author's, one is cut short."""
    from dataclasses import replace

    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(48, 64))
    exposures = (10.0, 60.0, 120.0, 300.0, 450.0, 600.0)
    darks = tuple(FrameSet("dark", 4, exposure, -20.0) for exposure in exposures)
    flats = tuple(FrameSet("flat", 2, exposure, -20.0, 800.0, block=2) for exposure in (0.5, 1.0, 1.5))
    plan = Plan("tiny", (FrameSet("bias", 6, 5e-5, -20.0), *darks, *flats))
    folder = simulate(sensor, plan, tmp_path_factory.mktemp("session") / f"tiny {HOSTILE[1:8]}", 5)
    for path in sorted(folder.rglob("*.fits")):
        fits.setval(path, "INSTRUME", value=HOSTILE)
        fits.setval(path, "OBJECT", value=HOSTILE)
    short = next(folder.rglob("dark_10s*.fits"))
    os.truncate(short, 4000)
    short.rename(short.with_name(os.fsdecode(b"dark_<script>_not_utf8_\xff\x1b[2J.fits")))
    return folder


@pytest.fixture(scope="module")
def report(frames, tmp_path_factory):
    """Run the report once, from another folder, and keep what it said."""
    desk = tmp_path_factory.mktemp("desk")
    words = ["report", os.path.relpath(frames, desk), "--gain", "0.031", "--gain-error", "0.001"]
    done = subprocess.run([*COMMAND, *words], cwd=desk, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return desk / "workbench-report", done.stdout


def test_the_numbers_and_the_places_of_the_files_are_printed(report):
    out, said = report
    lines = said.splitlines()
    assert re.fullmatch(r"tiny .* 35 of 36 frames used", lines[0])
    assert [line for line in lines if line.startswith("dark_current ")]
    assert lines[-4:] == [str(out / name) for name in ("report.html", "report.ipynb", "results.json", "pixels")]
    assert sorted(path.name for path in out.parent.iterdir()) == ["workbench-report"]


def test_the_results_keep_their_schema_and_the_parameters(report):
    results = Results.read(report[0] / "results.json")
    assert results.parameters["gain"] == 0.031
    assert results.find("read_noise").n_frames == 6
    assert results.fits["dark_mean"]
    assert results.groups[0]["camera"] == HOSTILE


def test_the_page_has_every_section_and_figure_and_asks_for_nothing(report):
    page = (report[0] / "report.html").read_text(encoding="utf-8")
    sections = re.findall(r"<h2 id=.*?>(.*?)</h2>", page)
    assert sections[0] == "In short"
    assert sections[-1] == "How to repeat this"
    assert page.count("data:image/png;base64,") >= 4
    assert page.count("<img ") == len(re.findall(r'<img alt="[^"]{20,}"', page))
    assert not re.search(r"(?:src|href|srcset|action)=(?!.(?:data:|#))", page)
    assert not re.search(r"<(?:script|link|iframe|object|embed)\b|@import|url\(", page)


def test_header_text_is_text_on_the_page(report):
    page = (report[0] / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "dark_&lt;script&gt;_not_utf8_" in page  # the file that was cut short, among the faults


def test_the_notebook_of_the_report_holds_what_was_run(report, frames):
    notebook = nbformat.read(report[0] / "report.ipynb", 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not [one for cell in code for one in cell.outputs if one.output_type == "error"]
    assert any(f"dataset = {json.dumps(str(frames))}" in cell.source for cell in code)


def test_ctrl_c_ends_it_with_130_and_nothing_half_written(frames, tmp_path):
    running = subprocess.Popen(
        [*COMMAND, "report", str(frames)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while time.monotonic() < end and not list(tmp_path.glob(".workbench-report-*/report/report.ipynb")):
        time.sleep(0.05)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (130, "", "stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_darks_is_refused_in_one_line(frames, tmp_path):
    flats = tmp_path / "flats"
    flats.symlink_to(frames / "flat")
    words = [*COMMAND, "report", str(flats), "-o", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"flat.*: holds no usable dark frame; add darks.*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["flats"]


def test_a_manifest_with_a_typo_is_refused_in_one_line(frames, tmp_path):
    manifest = tmp_path / "my.toml"
    manifest.write_text("gian = 0.25\n")
    words = [*COMMAND, "report", str(frames), "--manifest", str(manifest), "-o", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{manifest}: ")
    assert "gian" in done.stderr
    assert "gain" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [Path(manifest).name]


def test_an_empty_folder_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    words = [*COMMAND, "report", str(tmp_path / "empty"), "-o", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path / 'empty'}: ")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
