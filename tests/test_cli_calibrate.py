"""``workbench calibrate``: what it prints, what it refuses, what it leaves out, and how it goes on after a stop."""

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.night_folder import results_folder
from workbench.camera.session import open_dataset
from workbench.cli import main
from workbench.stack.rejection_methods import WinsorizedSigmaClip

LOCK = ".night.lock"  # stays after a run
COUNTS = {"light": 5, "dark/dark_600s": 5, "flat": 4, "darkflat": 4}


@pytest.fixture
def night(tmp_path):
    """Copy a part of the embedded session, small enough for a second or two."""
    source, folder = open_dataset("session"), tmp_path / "night"
    for start, count in COUNTS.items():
        kind = start.partition("/")[0]
        (folder / kind).mkdir(parents=True)
        for file in sorted((source / kind).glob(f"{start.partition('/')[2]}*"))[:count]:
            shutil.copy(file, folder / kind)
    return folder


def calibrate(capsys, *words):
    """Run the command, and return what it prints as JSON."""
    assert main(["calibrate", *map(str, words), "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out)


def refusal(capsys, *words):
    assert main(["calibrate", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err.strip()


def lights_of(night):
    return sorted((night / "light").iterdir())


def hashes(out):
    return {one.relative_to(out).as_posix(): one.read_bytes() for one in sorted(out.rglob("*.fits*"))}


def hidden(out):
    return [one.name for one in out.rglob(".*") if one.name != LOCK]


def test_it_says_what_goes_with_what_and_what_came_of_it(capsys, night, tmp_path):
    assert main(["calibrate", str(night), "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Simulated_nebula_H-alpha: 5 lights of 600 s, H-alpha"
    assert lines[1] == "  dark: 5 frames such as dark/dark_600s_-20C_001.fits"
    assert "exposure 600 s, within 6 s, temperature -20 deg C, 0 K off; within 0.42 K is allowed" in lines[2]
    assert lines[3].startswith("    a guess: T_d = 6 K is assumed")
    assert lines[4] == "  flat: 4 frames such as flat/flat_9s_-20C_001.fits; less 4 darkflats"
    assert "Simulated_nebula_H-alpha: 5 lights, 3000 s in all" in lines
    assert "  mean, winsorized sigma clipping, 4 low, 3 high, weights by noise" in lines
    assert lines[-1] == str(tmp_path / "out" / "night.html")
    names = sorted(one.name for one in (tmp_path / "out" / "registered").iterdir())
    assert names == [f"light_600s_-20C_00{number}_c_r.fits" for number in range(1, 6)]


def test_the_header_of_an_image_says_what_was_done(capsys, night, tmp_path):
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    path = tmp_path / "out" / "Simulated_nebula_H-alpha.fits"
    header, inputs = fits.getheader(path), fits.getdata(path, "INPUTS")
    assert (header["NORMOUT"], header["NORMREJ"], header["WEIGHTS"]) == ("stars", "stars", "noise")
    calibrated = fits.getheader(tmp_path / "out" / "calibrated" / "light_600s_-20C_001_c.fits")
    assert header["CALSTAT"] == calibrated["CALSTAT"] == "BDF"
    for row in inputs:
        assert row["datasum"] == fits.getheader(tmp_path / "out" / row["file"])["DATASUM"]
    reference = said["images"]["Simulated_nebula_H-alpha"]["reference"]
    history = "".join(header["HISTORY"])
    page = (tmp_path / "out" / "night.html").read_text()
    for words in ("on the mean scale of the lights", f"registered to {reference}: it has most stars for their width"):
        assert words in history
        assert words in page
    calibrate(capsys, night, "-o", tmp_path / "out", "--reference", lights_of(night)[2])
    assert "light_600s_-20C_003.fits: named by its user" in "".join(fits.getheader(path)["HISTORY"])


def test_a_dry_run_writes_nothing(capsys, night, tmp_path):
    plan = calibrate(capsys, night, "-o", tmp_path / "out", "--dry-run")
    assert [one["file"] for one in plan["masters"]] == [
        "masters/master_dark_600s_-20C.fits",
        "masters/master_darkflat_9s.fits",
        "masters/master_flat_H-alpha.fits",
    ]
    assert len(plan["targets"][0]["lights"]) == 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_results_that_have_no_place_are_one_line_before_the_plan(capsys, night, tmp_path, more):
    file = tmp_path / "file"
    file.write_text("mine")
    step = "name a folder for the results"
    assert refusal(capsys, night, "-o", file, *more) == f"{file}: is a file; {step}"
    beneath = file / "out"
    assert refusal(capsys, night, "-o", beneath, *more) == f"{beneath}: cannot be made ({file} is a file); {step}"


def test_a_later_run_makes_only_what_is_missing_damaged_or_of_other_frames(capsys, night, tmp_path):
    out = tmp_path / "out"
    first = calibrate(capsys, night, "-o", out)
    assert len(first["made"]) == 3 + 5 + 5 + 1
    before = hashes(out)
    assert calibrate(capsys, night, "-o", out)["made"] == []
    (out / "calibrated" / "light_600s_-20C_002_c.fits").unlink()
    damaged = out / "masters" / "master_dark_600s_-20C.fits"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    again = calibrate(capsys, night, "-o", out)
    # what is made anew is what it was, so that nothing that depends on it changes
    assert again["made"] == ["masters/master_dark_600s_-20C.fits", "calibrated/light_600s_-20C_002_c.fits"]
    assert hashes(out) == before
    with fits.open(lights_of(night)[4], mode="update") as units:
        units[0].data[5, 5] += 16
    third = calibrate(capsys, night, "-o", out)["made"]
    assert third[0] == "calibrated/light_600s_-20C_005_c.fits"
    assert third[-1] == "Simulated_nebula_H-alpha.fits"
    assert len(third) == 3
    other = calibrate(capsys, night, "-o", out, "--rejection", "none")["made"]
    assert other == ["Simulated_nebula_H-alpha.fits"]


def test_files_of_lights_that_are_gone_are_named(capsys, night, tmp_path):
    out = tmp_path / "out"
    assert not [one for one in calibrate(capsys, night, "-o", out)["problems"] if "earlier run" in one["rule"]]
    lights_of(night)[3].unlink()
    (told,) = [one for one in calibrate(capsys, night, "-o", out)["problems"] if "earlier run" in one["rule"]]
    assert told["file"] == "2 files"
    for file in ("calibrated/light_600s_-20C_004_c.fits", "registered/light_600s_-20C_004_c_r.fits"):
        assert file in told["rule"]
        assert (out / file).is_file()


def test_a_dry_run_refuses_a_reference_that_is_not_there(capsys, night, tmp_path):
    said = refusal(capsys, night, "-o", tmp_path / "out", "--dry-run", "--reference", "x.fits")
    assert "is none of the lights that can be calibrated" in said


def test_results_inside_the_folder_are_no_frames_of_the_night(capsys, night):
    calibrate(capsys, night, "-o", night / "images")
    again = calibrate(capsys, night, "-o", night / "images")
    assert again["made"] == []
    assert len(again["calibrated"]) == 5


def test_results_of_an_earlier_run_are_skipped_with_one_line_but_its_masters_serve(capsys, night, tmp_path):
    earlier = tmp_path / "earlier"
    calibrate(capsys, night, "-o", earlier)
    said = calibrate(capsys, night / "light", earlier, "-o", tmp_path / "out")
    assert said["images"]["Simulated_nebula_H-alpha"]["n_lights"] == 5
    assert [one["ready"] for one in said["plan"]["masters"]] == [True, True]
    rule = "holds results of an earlier run (night.json)"
    darkflat = [one for one in said["problems"] if one["file"].endswith("master_darkflat_9s.fits")]
    assert darkflat  # nothing needs it: its flat is there
    others = [one for one in said["problems"] if one not in darkflat]
    assert others == [{"file": "earlier", "rule": rule, "action": "11 files skipped, not its masters"}]
    assert "earlier: holds no light frames" in refusal(capsys, earlier, "-o", tmp_path / "other")


def test_a_corrupt_light_is_named_and_the_rest_goes_on(capsys, night, tmp_path):
    lights = lights_of(night)
    lights[1].write_bytes(lights[1].read_bytes()[:-40_000])
    with fits.open(lights[3], mode="update") as units:
        units[0].header["NAXIS1"] = 582
        units[0].data = units[0].data[:, :400].copy()
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    assert said["images"]["Simulated_nebula_H-alpha"]["n_lights"] == 3
    problems = {one["file"]: one["rule"] for one in said["problems"]}
    assert problems["light/light_600s_-20C_002.fits"].startswith("is truncated: its header promises")
    assert "its shape is 582 x 440, the light's 400 x 440" in problems["light/light_600s_-20C_004.fits"]


def test_lights_that_cannot_be_matched_are_named_and_the_rest_goes_on(capsys, night, tmp_path):
    rng = np.random.default_rng(1)
    for light in lights_of(night)[2:4]:
        with fits.open(light, mode="update") as units:
            units[0].data[:] = rng.normal(3000, 100, units[0].data.shape).astype(np.uint16)
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    assert said["images"]["Simulated_nebula_H-alpha"]["n_lights"] == 3
    named = [one for one in said["problems"] if "stars" in one["rule"]]
    assert [one["file"] for one in named] == ["light/light_600s_-20C_003.fits", "light/light_600s_-20C_004.fits"]
    assert all(one["action"].startswith("left out; ") for one in named)


def empty_sky(light):
    """Leave nothing but noise."""
    with fits.open(light, mode="update") as units:
        rng = np.random.default_rng(1)
        units[0].data[:] = rng.normal(3000, 100, units[0].data.shape).astype(np.uint16)


def test_a_reference_that_drops_out_is_named_with_the_light_that_serves_instead(capsys, night, tmp_path):
    third = "light/light_600s_-20C_003.fits"
    empty_sky(night / third)
    said = calibrate(capsys, night, "-o", tmp_path / "out", "--reference", Path(third).name)
    (image,) = said["images"].values()
    (problem,) = [one for one in said["problems"] if one["rule"].startswith("cannot be the reference")]
    assert problem["file"] == third
    assert problem["rule"].startswith("cannot be the reference: it shows ")
    assert problem["rule"].endswith(" stars, and 8 are needed")
    instead = f"lights are registered to {image['reference']} instead: it has most stars for their width"
    assert problem["action"] == instead
    assert image["n_lights"] == 4
    page = (tmp_path / "out" / "night.html").read_text()
    assert instead in page
    assert f"it has most stars for their width; {third}, named by its user, shows " in page
    lights_of(night)[2].write_bytes(lights_of(night)[2].read_bytes()[:-40_000])
    wrong = main(["calibrate", str(night), "-o", str(tmp_path / "other"), "--reference", str(night / third)])
    assert wrong == 2  # a light that the catalogue cannot read is none of the lights
    assert "is none of the lights that can be calibrated" in capsys.readouterr().err


def test_a_reference_that_cannot_be_calibrated_is_named(capsys, night, tmp_path):
    third = "light/light_600s_-20C_003.fits"
    with fits.open(night / third, mode="update") as units:
        units[0].data[:] = 0
    assert main(["calibrate", str(night), "-o", str(tmp_path / "out"), "--reference", third]) == 0
    shown = capsys.readouterr().out
    assert (
        f"{third}: cannot be the reference: it was not calibrated; lights are registered to light/light_600s" in shown
    )


def test_a_reference_that_may_be_two_lights_is_refused(capsys, night, tmp_path):
    (night / "light" / "second").mkdir()
    lights_of(night)[3].rename(night / "light" / "second" / "light_600s_-20C_001.fits")
    said = refusal(capsys, night, "-o", tmp_path / "out", "--reference", "light_600s_-20C_001.fits")
    first, second = "light/light_600s_-20C_001.fits", "light/second/light_600s_-20C_001.fits"
    assert said.splitlines()[-1] == (f"light_600s_-20C_001.fits: may be {first} or {second}; name it with its folder")
    assert not (tmp_path / "out").exists()
    named = calibrate(capsys, night, "-o", tmp_path / "out", "--reference", second)
    assert {one["reference"] for one in named["images"].values()} == {second}
    assert {one["reference_reason"] for one in named["images"].values()} == {"named by its user"}


def test_lights_with_too_few_stars_for_their_brightness_are_named(capsys, night, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.calibrate.integrate.FEWEST_TELLING", 1000)
    assert main(["calibrate", str(night), "-o", str(tmp_path / "out")]) == 0
    lines = [one for one in capsys.readouterr().out.splitlines() if "its brightness is not measured" in one]
    assert len(lines) == 4  # the reference has its own
    assert all("bright enough; integrated by its exposure, times 1; " in one for one in lines)
    page = (tmp_path / "out" / "night.html").read_text()
    assert page.count("its brightness is not measured") == page.count("x 1 by exposure: ") == 4
    history = "".join(fits.getheader(tmp_path / "out" / "Simulated_nebula_H-alpha.fits")["HISTORY"])
    assert history.count("its stars are too few to tell its factor, which is that of the exposures: ") == 4


def test_lights_without_a_dark_are_one_line(capsys, night, tmp_path):
    shutil.rmtree(night / "dark")
    (night / "dark").mkdir()
    for file in sorted((open_dataset("session") / "dark").glob("dark_300s_-20C*"))[:3]:
        shutil.copy(file, night / "dark")
    said = refusal(capsys, night, "-o", tmp_path / "out")
    assert said.startswith("light/light_600s_-20C_001.fits: no dark matches; darks of camera QHY163M-like (simulated)")
    assert "nearest are 3 frames such as dark/dark_300s_-20C_001.fits, but its exposure is 300 s" in said
    assert not (tmp_path / "out").exists()


def test_flats_of_another_filter_are_one_line_and_can_be_left_out(capsys, night, tmp_path):
    (night / "workbench.toml").write_text('[[frames]]\nmatch = "flat/*"\nfilter = "OIII"\n')
    said = refusal(capsys, night, "-o", tmp_path / "out")
    assert said.startswith("light/light_600s_-20C_001.fits: no flat matches; ")
    assert "its filter is OIII, the light's H-alpha; give flats of this filter, or --no-flat to go on without" in said
    without = calibrate(capsys, night, "-o", tmp_path / "out", "--no-flat")
    assert "masters/master_flat_H-alpha.fits" not in without["masters"]
    header = fits.getheader(tmp_path / "out" / "calibrated" / "light_600s_-20C_001_c.fits")
    assert "F" not in header["CALSTAT"]


def test_saturated_flats_are_one_line(capsys, night, tmp_path):
    for flat in (night / "flat").iterdir():
        with fits.open(flat, mode="update") as units:
            units[0].data[100:300] = 65520
    said = refusal(capsys, night, "-o", tmp_path / "out")
    assert "flat/flat_9s_-20C_001.fits: is overexposed: " in said


def test_flats_without_bias_are_one_line(capsys, night, tmp_path):
    shutil.rmtree(night / "darkflat")
    said = refusal(capsys, night, "-o", tmp_path / "out")
    assert said.startswith("flat/flat_9s_-20C_001.fits: neither darkflats of these flats nor bias frames")


def test_no_flats_at_all_are_a_problem_that_is_named(capsys, night, tmp_path):
    shutil.rmtree(night / "flat")
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    assert "lights are not divided: vignetting and dust stay in them" in [one["action"] for one in said["problems"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reference", "x.fits"], "x.fits: is none of the lights that can be calibrated; name one such as light/"),
        (["--kernel", "lanczos"], "workbench calibrate --kernel: invalid choice: 'lanczos'"),
        (["--kernel", "lanczos"], "; did you mean 'lanczos3'?"),
        (["--kernel", "spline"], "; see `workbench calibrate --help`"),
        (["--rejection", "winsor"], "did you mean 'winsorized'?"),
        (["--pedestal", "x"], "x is no finite number above 0"),
        (["--results", "none.json"], "none.json: cannot be read"),
    ],
)
def test_wrong_options_are_one_line(capsys, night, tmp_path, words, said):
    assert said in refusal(capsys, night, "-o", tmp_path / "out", *words).splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_two_filters_are_two_images_on_one_reference(capsys, night, tmp_path):
    with (night / "workbench.toml").open("w") as file:
        for kind in ("light/*_00[45]", "flat/*_00[34]"):
            file.write(f'[[frames]]\nmatch = "{kind}.fits"\nfilter = "OIII"\n')
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    assert {name: image["n_lights"] for name, image in said["images"].items()} == {
        "Simulated_nebula_H-alpha": 3,
        "Simulated_nebula_OIII": 2,
    }
    assert len({one["reference"] for one in said["registered"].values()}) == 1
    assert fits.getheader(tmp_path / "out" / "Simulated_nebula_OIII.fits")["FILTER"] == "OIII"


def test_packed_lights_hold_the_same_pixels(capsys, night, tmp_path):
    calibrate(capsys, night, "-o", tmp_path / "plain", "--gain", "0.03")
    packed = calibrate(capsys, night, "-o", tmp_path / "packed", "--gain", "0.03", "--compress")
    name = "calibrated/light_600s_-20C_003_c"
    plain, small = (tmp_path / kind / f"{name}.fits{end}" for kind, end in (("plain", ""), ("packed", ".fz")))
    for extension in ("SCI", "ERR"):
        np.testing.assert_array_equal(fits.getdata(small, extension), fits.getdata(plain, extension))
    assert fits.getheader(small, "SCI")["OBJECT"] == "Simulated nebula"
    images = [fits.getdata(tmp_path / kind / "Simulated_nebula_H-alpha.fits") for kind in ("plain", "packed")]
    np.testing.assert_array_equal(*images)
    assert not hidden(tmp_path / "packed")
    assert calibrate(capsys, night, "-o", tmp_path / "packed", "--gain", "0.03", "--compress")["made"] == []
    assert len(packed["made"]) == 14


def test_registered_lights_are_named_as_calibrated_ones(capsys, night, tmp_path):
    calibrate(capsys, night, "-o", tmp_path / "out")
    for file in ("calibrated/light_600s_-20C_003_c.fits", "registered/light_600s_-20C_003_c_r.fits"):
        assert fits.getheader(tmp_path / "out" / file)["EXTNAME"] == "SCI"


def test_what_a_run_left_half_written_is_gone_after_the_next(capsys, night, tmp_path):
    out = tmp_path / "out"
    calibrate(capsys, night, "-o", out)
    left = ["calibrated/.light_600s_-20C_003.fits.4711.part", "calibrated/..light_003.fits.4711.part.4711.part"]
    left += ["registered/.gone_c_r.fits.fz.4711.part", "masters/.master.fits.4711.part", ".night.json.4711.part"]
    for name in left:
        (out / name).write_bytes(b"half")
    calibrate(capsys, night, "-o", out)
    assert not hidden(out)


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "calibrated").mkdir()
    names = ["Downloads/.film.mkv.part", "Downloads/.film.mkv.4711.part", ".film.mkv.part", "calibrated/.x.part"]
    names += ["calibrated/.mine.fits", "calibrated/notes.txt", "calibrated/x.4711.part"]
    for name in names:
        (tmp_path / name).write_text("mine")
    with results_folder(tmp_path):
        assert all((tmp_path / name).exists() for name in names)


def test_a_folder_that_cannot_be_locked_is_not_swept(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    part = tmp_path / ".night.json.4711.part"  # another run may be writing it
    part.write_text("half")
    with results_folder(tmp_path):
        assert part.exists()


def test_a_lock_that_cannot_be_opened_is_one_line(capsys, night, tmp_path):
    (tmp_path / "out" / LOCK).mkdir(parents=True)
    said = refusal(capsys, night, "-o", tmp_path / "out").splitlines()[-1]
    assert said == f"{tmp_path / 'out'}: cannot be written (Is a directory); choose a folder that you may write"


def test_two_runs_do_not_work_in_one_folder(capsys, night, tmp_path):
    with results_folder(tmp_path / "out"):
        said = refusal(capsys, night, "-o", tmp_path / "out").splitlines()[-1]
    step = "wait until it has ended, or name another folder"
    assert said == f"{tmp_path / 'out'}: another run is at work there; {step}"
    calibrate(capsys, night, "-o", tmp_path / "out")


def test_the_log_of_a_run_that_made_nothing_says_when_things_were_made(capsys, night, tmp_path):
    first = calibrate(capsys, night, "-o", tmp_path / "out")
    again = calibrate(capsys, night, "-o", tmp_path / "out")
    assert again["made_on"] == first["made_on"]
    assert set(again["made_on"]) == set(again["kept"])
    page = (tmp_path / "out" / "night.html").read_text()
    for when in first["made_on"].values():
        assert f"{when[:16].replace('T', ' ')} UTC" in page
    assert "14 files were there and intact, made from " in page


def test_flats_with_dead_pixels_say_how_many_are_masked(capsys, night, tmp_path):
    for file in (night / "flat").iterdir():
        with fits.open(file, mode="update") as units, fits.open(next((night / "darkflat").iterdir())) as dark:
            units[0].data[10, 10:15] = dark[0].data[10, 10:15]
    said = calibrate(capsys, night, "-o", tmp_path / "out")
    (one,) = [one for one in said["problems"] if one["file"] == "masters/master_flat_H-alpha.fits"]
    assert one["rule"] == "5 of its pixels have less than 5 % of the mean response, or than 5 times its standard error"
    assert one["action"] == "masked: lights have no value there"
    header = fits.getheader(tmp_path / "out" / "calibrated" / "light_600s_-20C_001_c.fits")
    assert header["NMASKED"] == 5
    assert header.comments["NMASKED"] == "NaN: flat below 5 % of its mean or 5 errors"


def test_lights_are_made_anew_where_flats_are_masked_by_another_rule(capsys, night, tmp_path, monkeypatch):
    first = calibrate(capsys, night, "-o", tmp_path / "out")
    monkeypatch.setattr("workbench.calibrate.night_lights.LEAST_SURE", 6.0)
    again = calibrate(capsys, night, "-o", tmp_path / "out")
    assert set(again["made"]) >= {one for one in first["made"] if one.startswith("calibrated/")}
    assert not [one for one in again["made"] if one.startswith("masters/")]


def test_lights_that_were_moved_are_called_as_they_are_now(capsys, night, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.calibrate.integrate.FEWEST_TELLING", 1000)
    first = calibrate(capsys, night, "-o", tmp_path / "out")
    (night / "light").rename(night / "light_Ha")
    again = calibrate(capsys, night, "-o", tmp_path / "out")
    image = "Simulated_nebula_H-alpha.fits"
    assert again["made"] == [image]  # whose header names them
    ((before, one),) = zip(first["images"].values(), again["images"].values(), strict=True)
    reference = before["reference"].replace("light/", "light_Ha/")
    assert (one["reference"], one["level_of"]) == (reference, reference)
    header = fits.getheader(tmp_path / "out" / image)
    assert header["REGREF"] == reference
    assert "light/" not in "".join(header["HISTORY"])
    assert sum("its brightness is not measured" in one["rule"] for one in again["problems"]) == 4  # not the reference
    page = (tmp_path / "out" / "night.html").read_text()
    assert page.count("1, exactly") == 1
    assert "not integrated" not in page


def test_a_reference_that_was_renamed_is_named_in_headers_as_it_is_now(capsys, night, tmp_path):
    first = calibrate(capsys, night, "-o", tmp_path / "out")
    reference = Path(next(iter(first["images"].values()))["reference"]).name
    (night / "light" / reference).rename(night / "light" / "best.fits")
    calibrate(capsys, night, "-o", tmp_path / "out")
    registered = sorted((tmp_path / "out" / "registered").glob("*.fits"))
    assert len(registered) == 6  # that of the name before is still there
    names = [fits.getheader(one)["REGREF"] for one in registered if not one.name.startswith(reference[:-5])]
    assert names == ["best"] * 5


def test_the_help_says_every_default(capsys):
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    own = WinsorizedSigmaClip()
    for words in (
        f"its limit below (default: that of the rejection, winsorized {own.low:g})",
        f"its limit above (default: that of the rejection, winsorized {own.high:g})",
        "(default: lanczos3)",
        "as for combine (default: winsorized)",
    ):
        assert words in said


def test_the_log_is_one_page_that_shows_every_light_and_runs_nothing(capsys, night, tmp_path):
    for light in lights_of(night):
        with fits.open(light, mode="update") as units:
            units[0].header["OBJECT"] = "<script>alert(1)</script>"
    calibrate(capsys, night, "-o", tmp_path / "out")
    page = (tmp_path / "out" / "night.html").read_text()
    assert page.count("<img ") == 6
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


# ---- faults: in a process of its own ---------------------------------------------------------------------------------

BEFORE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs without it
"""
AFTER = """
from workbench.cli import main
sys.exit(main(["calibrate", *sys.argv[1:]]))
"""


def start(*words, change=""):
    command = [sys.executable, "-c", BEFORE + change + AFTER, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_whole_files_and_the_next_goes_on(capsys, night, tmp_path, how):
    out = tmp_path / "out"
    process = start(night, "-o", out)
    deadline = time.monotonic() + 120
    while not list(out.glob("calibrated/*_c.fits")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate(timeout=120)
    if how == signal.SIGINT:
        assert (process.returncode, said.splitlines()[-1]) == (130, "stopped")
        assert not hidden(out)
    for file in hashes(out):
        with fits.open(out / file, checksum=True) as units:
            units.verify("exception")
    again = calibrate(capsys, night, "-o", out)
    assert not hidden(out)
    assert "masters/master_flat_H-alpha.fits" in again["kept"]
    assert len(again["made"]) + len(again["kept"]) == 14
    calibrate(capsys, night, "-o", tmp_path / "other")
    assert hashes(tmp_path / "other") == hashes(out)


def test_a_full_disk_is_one_line(night, tmp_path):
    change = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, {resource.RLIM_INFINITY}))\n"
    change += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    process = start(night, "-o", tmp_path / "out", change=change)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    last = said.splitlines()[-1]
    assert "cannot be written (File too large); make room there" in last or "no space left" in last
    assert not hashes(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(capsys, night, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "choose a folder that you may write" in refusal(capsys, night, "-o", tmp_path / "closed" / "out")


def test_a_damaged_record_is_one_line(capsys, night, tmp_path):
    Path(tmp_path / "out").mkdir()
    (tmp_path / "out" / "night.json").write_text("{")
    assert "night.json: is not JSON" in refusal(capsys, night, "-o", tmp_path / "out").splitlines()[-1]
