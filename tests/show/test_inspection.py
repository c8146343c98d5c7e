"""What workbench inspect prints."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits

from workbench import catalogue
from workbench.results import Problem
from workbench.show.inspection import inspection_json, inspection_text
from workbench.show.words import printable

CARDS = {
    "IMAGETYP": "DARK",
    "EXPTIME": 300.0,
    "CCD-TEMP": -10.0,
    "SET-TEMP": -10.0,
    "GAIN": 100,
    "OFFSET": 30,
    "INSTRUME": "Cam",
}


@pytest.fixture
def night(tmp_path):
    folder = tmp_path / "n1"
    folder.mkdir()
    return folder


def write(folder, names, **cards):
    for number, name in enumerate(names):
        pixels = np.random.default_rng([number, len(name)]).integers(900, 1100, (4, 6)).astype(np.uint16)
        unit = fits.PrimaryHDU(pixels)
        unit.header.update({key: value for key, value in (CARDS | cards).items() if value is not None})
        unit.header["DATE-OBS"] = f"2024-01-01T00:{number // 60:02}:{number % 60:02}"
        unit.writeto(folder / name)


def test_frames_are_counted_by_camera_settings_kind_exposure_and_temperature(night):
    write(night, [f"a{number}.fits" for number in range(3)])
    write(night, ["b.fits"], EXPTIME=10.0)
    write(night, ["c.fits"], IMAGETYP="BIAS", EXPTIME=0.001, **{"CCD-TEMP": -9.8})
    write(night, ["z.fits"], INSTRUME="Other", GAIN=None, **{"CCD-TEMP": None, "SET-TEMP": None})
    text = inspection_text(catalogue(night))
    assert (
        text
        == f"""\
{night.name}: 6 files, 6 may be measured

g1  Cam, 6 x 4 pixels, gain setting 100, offset setting 30
    kind  exposure [s]  temperature [deg C]  set point  gain setting  files  usable
    bias  0.001         -9.8                 -10        100           1      1
    dark  10            -10                  -10        100           1      1
    dark  300           -10                  -10        100           3      3

g2  Other, 6 x 4 pixels, offset setting 30
    kind  exposure [s]  temperature [deg C]  set point  gain setting  files  usable
    dark  300           unknown              unknown    unknown       1      1

No conflicts, no faults.
"""
    )


def test_guesses_conflicts_and_faults_follow_file_by_file(night):
    write(night, ["dark_1.fits", "dark_2.fits"], IMAGETYP=None)
    write(night, ["e.fits"], EXPOSURE=30.0)
    (night / "empty.fits").write_bytes(b"")
    (night / "workbench.toml").write_text('[[frames]]\nmatch = "x*"\nkind = "flat"')
    text = inspection_text(catalogue(night))
    assert text.endswith("""\
Guesses, which a workbench.toml beside the frames can correct:
    kind from the file name: 2 files

Not readable: 1 file (by name: 1 unknown kind)

3 conflicts and faults:
  workbench.toml: match = 'x*' matches no frame; correct it or take it out
  e.fits: EXPTIME = 300.0 but EXPOSURE = 30.0; exposure taken from EXPTIME
  empty.fits: is empty; left out; copy it again from the camera
""")


@pytest.mark.parametrize("number", [3, 20, 21, 300])
def test_a_long_run_of_one_fault_is_told_once_and_names_every_file(night, number):
    names = [f"dark_{one:03}.fits" for one in range(number)]
    for name in names:
        (night / name).write_bytes(b"")
    text = inspection_text(catalogue(night))
    assert text.count("is empty; left out") == 1
    assert f"  {number} files: is empty; left out; copy it again from the camera\n" in text
    assert all(name in text for name in names)
    assert len(text.splitlines()) < 60


def test_faults_that_differ_in_their_numbers_alone_are_one_run_when_there_are_many(night):
    write(night, [f"d{one:02}.fits" for one in range(30)], EXPTIME=5.0)
    for one in range(30):
        fits.setval(night / f"d{one:02}.fits", "EXPOSURE", value=100.0 + one)
    text = inspection_text(catalogue(night))
    assert text.count("but EXPOSURE") == 1
    assert "  30 files, the first of them: EXPTIME = 5.0 but EXPOSURE = 100.0; exposure taken from EXPTIME\n" in text
    assert all(f"d{one:02}.fits" in text for one in range(30))


def test_no_line_is_longer_than_a_terminal_of_100_columns_unless_a_name_is(night):
    write(
        night,
        [f"dark_with_a_long_name_{one:04}.fits" for one in range(40)],
        EXPOSURE=1.0,
        READOUTM="a mode whose name is long " * 2,
    )
    assert max(len(line) for line in inspection_text(catalogue(night)).splitlines()[1:]) <= 100


@pytest.mark.parametrize("bad", ["\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe", "a\rb\nc", "\x9b31m", "\u200b", "\x00"])
def test_a_terminal_never_obeys_a_header_or_a_name(night, bad):
    write(night, ["a.fits", f"dark_{bad.replace(chr(0), '')}.fits"])
    table = catalogue(night)
    table.at[0, "camera"] = bad
    table.at[0, "problems"] = (Problem(f"a{bad}.fits", f"CAMERA = {bad}", "left out"),)
    text = inspection_text(table)
    assert all(one.isprintable() or one == "\n" for one in text)
    assert printable(bad) in text


def test_what_is_printable_stays_as_it_is():
    assert printable("M 31, \N{GREEK SMALL LETTER ALPHA} Cygni") == "M 31, \N{GREEK SMALL LETTER ALPHA} Cygni"
    assert printable("\x1b[31m") == "\\x1b[31m"


def test_the_json_holds_groups_files_sources_and_problems_and_no_nan(night):
    write(night, ["a.fits", "dark_b.fits"], EXPOSURE=30.0, IMAGETYP=None, **{"SET-TEMP": None})
    record = json.loads(json.dumps(inspection_json(catalogue(night)), allow_nan=False))
    assert (record["root"], record["manifest"], record["n_files"], record["n_usable"]) == (str(night), None, 2, 1)
    (group,) = record["groups"]
    assert (group["id"], group["camera"], group["gain_setting"], group["height"], group["width"]) == (
        "g1",
        "Cam",
        100.0,
        4,
        6,
    )
    assert group["sets"][0] == {
        "kind": "dark",
        "master": False,
        "exposure": [300.0, 300.0],
        "temperature": [-10.0, -10.0],
        "set_temperature": None,
        "n_files": 1,
        "n_usable": 1,
    }
    first, second = record["files"]
    assert (first["file"], first["kind"], first["usable"], second["kind"]) == ("a.fits", None, False, "dark")
    assert first["date"] == "2024-01-01T00:00:00"
    assert second["header"]["kind"] == {"raw": "dark_b", "key": "", "source": "file name", "guess": True}
    assert [one["rule"] for one in second["problems"]] == ["EXPTIME = 300.0 but EXPOSURE = 30.0"]
    assert len(record["problems"]) == 3


def test_asi178_is_told_within_three_seconds_interpreter_included(real_data):
    program = "import sys; from workbench import catalogue; from workbench.show.inspection import inspection_text; "
    program += "print(inspection_text(catalogue(sys.argv[1])))"
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", program, real_data / "asi178"], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - began < 3, "0.9 s when the machine is free"
    assert "70 files, 58 may be measured" in run.stdout
    assert "    bias  3.2e-05       35.3 to 35.5         unknown    0             15     15" in run.stdout
    assert "kind from the file name: 58 files" in run.stdout
    assert "Not readable: 12 files (by name: 3 dark, 9 flat)" in run.stdout
    assert run.stdout.count("frame00") == 12
    assert run.stderr == ""


def test_reading_headers_waits_for_no_heavy_package():
    program = "import sys, workbench.frames.catalogue, workbench.show.inspection; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"scipy", "xarray", "dask", "matplotlib", "numba", "astropy", "ipywidgets"}
    assert not heavy.intersection(run.stdout.split())
