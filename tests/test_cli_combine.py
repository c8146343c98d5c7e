"""``workbench combine``: what it prints, what it refuses, and what is left when it is killed in the middle."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.master_files import read_master
from workbench.cli import main
from workbench.results import Results, Verdict

SHAPE = (96, 160)


@pytest.fixture
def darks(tmp_path):
    return shoot(tmp_path / "darks")


def shoot(folder, n_frames=12, shape=SHAPE):
    folder.mkdir()
    for number in range(n_frames):
        pixels = np.random.default_rng(number).normal(1000, 8, shape).round().astype(np.uint16)
        unit = fits.PrimaryHDU(pixels)
        unit.header.update({"IMAGETYP": "Dark", "EXPTIME": 300.0, "CCD-TEMP": -10.0, "SET-TEMP": -10.0, "GAIN": 100})
        unit.writeto(folder / f"d{number:02}.fits")
    return folder


def refusal(capsys, *words):
    assert main(["combine", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.strip()


def test_it_says_what_was_done(capsys, darks, tmp_path):
    out = tmp_path / "master.fits"
    assert main(["combine", str(darks), "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "master dark of 12 frames, 300 s, -10.0 deg C (rms 0.00 K)",
        "mean, winsorized sigma clipping, 4 low, 3 high",
    ]
    assert lines[2].startswith("rejected: ")
    assert lines[2].endswith(" % as too high")
    assert lines[3].startswith("noise: 2.2")  # 8 adu / sqrt(12), from 12 samples: a median 3 % low
    assert lines[-1] == str(out)
    assert read_master(out).sizes == {"y": 96, "x": 160, "input": 12}


def test_programs_get_json(capsys, darks, tmp_path):
    out = tmp_path / "master.fits"
    words = ["combine", *map(str, sorted(darks.iterdir())), "-o", str(out), "--json", "--method", "median"]
    assert main([*words, "--rejection", "none", "--no-maps"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["master"], said["kind"], said["n_frames"]) == (str(out), "dark", 12)
    assert said["recipe"]["method"] == "median"
    assert said["recipe"]["rejection"] == {"name": "none"}
    assert [one["file"] for one in said["inputs"]] == [f"d{number:02}.fits" for number in range(12)]
    assert said["std_error"] is None
    assert len(said["inputs"][0]["sha256"]) == 64


def test_frames_left_out_are_named(capsys, darks, tmp_path):
    (darks / "d03.fits").write_bytes((darks / "d03.fits").read_bytes()[:-5000])
    with fits.open(darks / "d07.fits", mode="update") as units:
        units[0].data[50:] += 40
    assert main(["combine", str(darks), "-o", str(tmp_path / "m.fits")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("master dark of 10 frames")
    assert "\n  d03.fits: is truncated: its header promises " in said
    assert re.search(r"\n  d07\.fits: is torn: rows from (49|50|51) on stand (3[89]|4[012])\.\d adu above", said)
    assert "; left out; --accept uses it\n" in said
    assert main(["combine", str(darks), "-o", str(tmp_path / "m.fits"), "--accept", "--overwrite"]) == 0
    assert capsys.readouterr().out.startswith("master dark of 11 frames")


def test_the_verdict_of_a_report_goes_into_the_header(darks, tmp_path):
    results = Results({"name": "x", "n_frames": 1, "n_used": 1, "sha256": "0" * 64})
    results.verdicts["dark_scaling"] = Verdict("match", "glow grows by a law of its own")
    results.write(tmp_path / "results.json")
    words = [str(darks), "-o", str(tmp_path / "m.fits"), "--verdict", str(tmp_path / "results.json")]
    assert main(["combine", *words]) == 0
    header = fits.getheader(tmp_path / "m.fits")
    assert (header["SCALABLE"], header["SCALREAS"]) == (False, "glow grows by a law of its own")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rejection", "winsorised"], "did you mean 'winsorized'?"),
        (["--method", "average"], "it is one of mean, median, sum, min, max"),
        (["--rejection", "none", "--low", "3"], "low"),
        (["--low", "x"], "workbench combine --low: x is no number; see `workbench combine --help`"),
        (["--threads", "0"], "threads: is 0; give 1 or more, or leave it out"),
        (["--weights", "noise", "--method", "median"], "weights: do not enter a median"),
        (["--verdict", "none.json"], "none.json: cannot be read"),
        (["--scheduler", "tcp://127.0.0.1:9"], "tcp://127.0.0.1:9"),
        (["--rejektion", "none"], "workbench combine: no such option: --rejektion; did you mean '--rejection'?"),
    ],
)
def test_wrong_options_are_one_line(capsys, darks, tmp_path, monkeypatch, words, said):
    monkeypatch.setattr("workbench.stack.workers._WAIT", "1s")
    assert said in refusal(capsys, darks, "-o", tmp_path / "m.fits", *words)
    assert not (tmp_path / "m.fits").exists()


@pytest.mark.parametrize("name", ["master.txt", "master", "master.fits.gz"])
def test_a_master_whose_name_is_none_of_fits_is_one_line(capsys, darks, tmp_path, name):
    out = tmp_path / name
    assert refusal(capsys, darks, "-o", out) == f"{out}: is no name of a FITS file; end it in .fits, .fit or .fts"
    assert not out.exists()


def test_mixed_frames_and_missing_ones_are_one_line(capsys, darks, tmp_path):
    with fits.open(darks / "d07.fits", mode="update") as units:
        units[0].header["GAIN"] = 7
    assert "d07.fits: its gain setting is 7, that of 11 other frames is 100" in refusal(
        capsys, darks, "-o", tmp_path / "m.fits"
    )
    assert "nowhere: does not exist" in refusal(capsys, "nowhere", "-o", tmp_path / "m.fits")
    assert "the following arguments are required: FILES, -o/--out" in refusal(capsys)


# ---- faults: in a process of its own ---------------------------------------------------------------------------------

BEFORE = """
import signal, sys, os, time, pathlib
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs without it
"""
AFTER = """
from workbench.cli import main
sys.exit(main(["combine", *sys.argv[1:]]))
"""


def start(*words, change=""):
    """Run the command in a process, with something changed beforehand."""
    command = [sys.executable, "-c", BEFORE + change + AFTER, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(process):
    """Wait for the end of a process; return its exit code and what it said, but for the line on compiling."""
    _, said = process.communicate(timeout=120)
    return process.returncode, [line for line in said.splitlines() if not line.startswith("compiling the loops")]


def wait_for(found, process):
    for _ in range(1200):
        if found():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("nothing happened in a minute")


# combines once, so that Numba need not write what it compiles
WARM = """
from workbench.cli import main
assert main(["combine", sys.argv[1], "-o", sys.argv[3] + ".warm.fits", "--rejection", "none"]) == 0
os.unlink(sys.argv[3] + ".warm.fits")
"""
# stops where a part of the file has been written
SLOW_WRITE = """
from astropy.io import fits
write = fits.HDUList.writeto
def slow(self, name, *words, **rest):
    write(self, name, *words, **rest)
    os.truncate(name, 40000)
    pathlib.Path(name).with_suffix(".here").touch()
    time.sleep(60)
fits.HDUList.writeto = slow
"""
# stops in the middle of combining
SLOW_COMBINE = """
from workbench.calibrate import masters
combine = masters.combine
def slow(*words, **rest):
    pathlib.Path("{here}").touch()
    time.sleep({seconds})
    return combine(*words, **rest)
masters.combine = slow
"""


def test_killed_in_the_middle_of_writing_it_leaves_the_old_master_or_none(darks, tmp_path):
    out = tmp_path / "out" / "master.fits"
    out.parent.mkdir()
    for old in (None, b"what was there"):
        if old:
            out.write_bytes(old)
        process = start(darks, "-o", out, "--overwrite", change=SLOW_WRITE)
        wait_for(lambda: list(out.parent.glob(".*.here")), process)
        process.kill()
        process.communicate()
        assert (out.read_bytes() if out.exists() else None) == old
        assert not [path for path in out.parent.iterdir() if path.suffix == ".fits" and path != out]
        next(out.parent.glob(".*.here")).unlink()
    assert main(["combine", str(darks), "-o", str(out), "--overwrite"]) == 0  # what is left over is in nobody's way
    assert read_master(out).sizes["input"] == 12


def test_ctrl_c_while_writing_leaves_nothing(darks, tmp_path):
    out = tmp_path / "out" / "master.fits"
    out.parent.mkdir()
    process = start(darks, "-o", out, change=SLOW_WRITE)
    wait_for(lambda: list(out.parent.glob(".*.here")), process)
    process.send_signal(signal.SIGINT)
    assert lines_of(process) == (130, ["stopped"])
    assert [path.suffix for path in out.parent.iterdir()] == [".here"]


def test_ctrl_c_while_combining_leaves_nothing(darks, tmp_path):
    here = tmp_path / "here"
    process = start(darks, "-o", tmp_path / "m.fits", change=SLOW_COMBINE.format(here=here, seconds=60))
    wait_for(here.exists, process)
    process.send_signal(signal.SIGINT)
    assert lines_of(process) == (130, ["stopped"])
    assert {path.name for path in tmp_path.iterdir()} == {"darks", "here"}


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "d05.fits: cannot be read (No such file or directory); put it back as it was"),
        (lambda path: os.truncate(path, 9000), "d05.fits: is truncated: it was cut after its header was read; "),
    ],
)
def test_a_frame_that_goes_or_is_cut_during_the_run_is_one_line(darks, tmp_path, harm, said):
    here = tmp_path / "here"
    process = start(darks, "-o", tmp_path / "m.fits", change=SLOW_COMBINE.format(here=here, seconds=2))
    wait_for(here.exists, process)
    harm(darks / "d05.fits")
    code, lines = lines_of(process)
    assert code == 2
    assert len(lines) == 1
    assert said in lines[0]
    assert {path.name for path in tmp_path.iterdir()} == {"darks", "here"}


def test_a_full_disk_is_one_line_and_leaves_nothing(darks, tmp_path):
    """A limit on the size of files stands in for the disk."""
    out = tmp_path / "out" / "master.fits"
    out.parent.mkdir()
    out.write_bytes(b"what was there")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100000, {resource.RLIM_INFINITY}))\n"
    process = start(darks, "-o", out, "--overwrite", "--rejection", "none", change=WARM + limit)
    code, lines = lines_of(process)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"{out}: cannot be written (no space left: ")
    assert lines[0].endswith("); make room there")
    assert out.read_bytes() == b"what was there"
    assert list(out.parent.iterdir()) == [out]
