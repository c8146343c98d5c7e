"""What goes with what: targets, masters and their names, masters that are there, colour sensors."""

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.masters import make_master
from workbench.calibrate.night_plan import plan_night
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue


@pytest.fixture
def shoot(tmp_path):
    """Write frames of a kind, and return their folder."""

    def write(kind, count=3, folder="", **cards):
        place = tmp_path / "night" / (folder or kind)
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            rng = np.random.default_rng([number, len(list(place.iterdir()))])
            unit = fits.PrimaryHDU(rng.normal(1000, 20, (32, 48)).astype(np.uint16))
            header = {"IMAGETYP": kind, "EXPTIME": 600.0, "CCD-TEMP": -20.0, "SET-TEMP": -20.0, "GAIN": 100}
            header["DATE-OBS"] = f"2017-11-11T20:{number:02}:00"
            unit.header.update(header | {key.replace("_", "-"): value for key, value in cards.items()})
            unit.writeto(place / f"{kind}_{len(list(place.iterdir())):02}.fits")
        return tmp_path / "night"

    return write


def test_objects_and_filters_are_targets_of_their_own(shoot):
    shoot("dark")
    for name, colour in (("M 31", "R"), ("M 31", "B"), ("M 33", "R")):
        shoot("light", 2, f"{name}{colour}", OBJECT=name, FILTER=colour)
    plan = plan_night(catalogue(shoot("bias", 0)))
    assert [one.name for one in plan.targets] == ["M_31_B", "M_31_R", "M_33_R"]
    fields = [one.field for one in plan.targets]
    assert fields[0] == fields[1] != fields[2]
    assert len({light.name for light in plan.lights}) == 6


def test_lights_of_two_exposures_make_one_image_with_a_dark_each(shoot):
    shoot("dark")
    shoot("dark", EXPTIME=300.0)
    shoot("light", 2)
    plan = plan_night(catalogue(shoot("light", 2, EXPTIME=300.0)))
    assert sorted(one.file for one in plan.masters) == [
        "masters/master_dark_300s_-20C.fits",
        "masters/master_dark_600s_-20C.fits",
    ]
    assert len(plan.targets) == 1


def test_a_measured_doubling_temperature_sets_the_tolerance(shoot):
    shoot("dark", CCD_TEMP=-19.0, SET_TEMP=-19.0)
    frames = catalogue(shoot("light", 2))
    with pytest.raises(InputError, match="no dark matches"):
        plan_night(frames)
    plan = plan_night(frames, doubling_temperature=20.0)
    assert len(list(plan.lights)) == 2
    assert not any("guess" in note for light in plan.lights for note in light.dark_match.notes)


def test_a_master_that_is_there_serves_in_place_of_frames(shoot, tmp_path):
    root = shoot("dark")
    make_master(catalogue(root), tmp_path / "master.fits")
    for file in (root / "dark").iterdir():
        file.unlink()
    (root / "dark" / "master.fits").write_bytes((tmp_path / "master.fits").read_bytes())
    plan = plan_night(catalogue(shoot("light", 2)))
    (master,) = plan.masters
    assert master.ready
    assert master.file == str(root / "dark" / "master.fits")
    assert not [one for one in plan.problems if one.action.startswith("left out")]


def test_a_master_that_nobody_needs_stays_left_out(shoot, tmp_path):
    root = shoot("dark")
    make_master(catalogue(root), tmp_path / "master.fits")
    shoot("dark", EXPTIME=60.0)
    (root / "dark" / "zero.fits").write_bytes((tmp_path / "master.fits").read_bytes())
    plan = plan_night(catalogue(shoot("light", 2, EXPTIME=60.0)))
    assert {one.file for one in plan.problems if one.action.startswith("left out")} == {"dark/zero.fits"}


def test_bias_frames_serve_flats_where_darkflats_do_not(shoot):
    shoot("dark")
    shoot("flat", EXPTIME=3.0, FILTER="R")
    shoot("bias", EXPTIME=0.0)
    plan = plan_night(catalogue(shoot("light", 2, FILTER="R")))
    flat = next(one for one in plan.masters if one.kind == "flat")
    assert flat.bias is not None
    assert flat.bias.file == "masters/master_bias.fits"


def test_colour_sensors_are_known(shoot):
    shoot("dark", BAYERPAT="RGGB")
    plan = plan_night(catalogue(shoot("light", 2, BAYERPAT="RGGB")))
    assert plan.targets[0].colour


def test_a_folder_without_lights_is_refused(shoot):
    with pytest.raises(InputError, match="holds no light frames; name a folder with lights"):
        plan_night(catalogue(shoot("dark")))


def test_one_dark_makes_no_master(shoot):
    shoot("dark", 1)
    with pytest.raises(InputError, match="its dark is a single raw frame"):
        plan_night(catalogue(shoot("light", 2)))


def test_headers_make_no_paths(shoot):
    shoot("dark")
    plan = plan_night(catalogue(shoot("light", 2, OBJECT="../../etc/x", FILTER="/")))
    assert plan.targets[0].name == "etc_x"
