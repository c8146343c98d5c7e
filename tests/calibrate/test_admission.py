"""Which frames may enter a master, and how the others are named."""

import pytest

from workbench.calibrate.admission import admit
from workbench.calibrate.masters import make_master
from workbench.errors import InputError, MixedStackError
from workbench.frames.catalogue import catalogue
from workbench.frames.paths import catalogue_of

ADVICE = "combine each kind of frame by itself: name its files, or its folder"


def refusal(folder, *, accept=False):
    with pytest.raises(InputError) as refused:
        admit(catalogue(folder, accept=accept), accept=accept)
    return str(refused.value)


def test_frames_that_belong_together_are_admitted(shoot):
    admitted = admit(catalogue(shoot(own={3: {"CCD-TEMP": -9.8}, 5: {"EXPTIME": 300.04}})), accept=False)
    assert len(admitted.rows) == 12
    assert admitted.problems == ()


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"INSTRUME": "b"}, "its camera is b, that of 11 other frames is a camera; one master has one camera"),
        ({"GAIN": 0}, "its gain setting is 0, that of 11 other frames is 100; one master has one gain setting"),
        (
            {"GAIN": None},
            "its gain setting is missing, that of 11 other frames is 100; one master has one gain setting",
        ),
        ({"OFFSET": 8}, "its offset setting is 8, that of 11 other frames is 30; one master has one offset setting"),
        (
            {"XBINNING": 2, "YBINNING": 2},
            "its binning is 2x2, that of 11 other frames is 1x1; one master has one binning",
        ),
        ({"EXPTIME": 60.0}, "its exposure is 60 s, that of 11 other frames is 300 s; one master has one exposure"),
        ({"IMAGETYP": "Bias"}, "its kind is bias, that of 11 other frames is dark; one master has one kind"),
        (
            {"SET-TEMP": 0.0, "CCD-TEMP": 0.0},
            "its set temperature is 0 deg C, that of 11 other frames is -10 deg C; one master has one set temperature",
        ),
        ({"READOUTM": "fast"}, "its readout mode is fast, that of 11 other frames is missing; one master has one"),
    ],
)
def test_one_frame_of_another_sort_is_named_with_what_it_differs_in(shoot, cards, said):
    message = refusal(shoot(own={4: cards}))
    assert message.startswith(f"d04.fits: {said}")
    assert message.endswith(ADVICE)


def test_all_that_differ_are_named_and_the_rest_is_counted(shoot):
    message = refusal(shoot(n_frames=20, own={number: {"GAIN": 7} for number in range(8)}))
    assert message == (
        "d00.fits: its gain setting is 7, that of 12 other frames is 100 (others that differ: d01.fits, d02.fits, "
        f"d03.fits, d04.fits, d05.fits and 2 more); one master has one gain setting; {ADVICE}"
    )


def test_temperatures_that_were_chosen_without_a_set_point_are_mixed(shoot):
    own = {number: {"CCD-TEMP": -20.0 + 0.1 * number} for number in range(4)}
    message = refusal(shoot(own=own, **{"SET-TEMP": None, "CCD-TEMP": -15.0}))
    assert message.startswith("d00.fits: its temperature is -19.9 deg C, as that of d01.fits, d02.fits, d03.fits; ")
    assert "8 other frames have -15.0 deg C; one master has one temperature" in message


def test_an_uncooled_camera_may_drift(shoot):
    own = {number: {"CCD-TEMP": 25.0 + 0.5 * number} for number in range(12)}
    folder = shoot(own=own, **{"SET-TEMP": None})
    assert len(admit(catalogue(folder), accept=False).rows) == 12


def test_flats_may_differ_in_exposure_and_not_in_filter(shoot):
    own = {number: {"EXPTIME": 1.0 + number} for number in range(12)}
    flats = shoot("flats", own=own, IMAGETYP="Flat", FILTER="Ha")
    assert len(admit(catalogue(flats), accept=False).rows) == 12
    own[3]["FILTER"] = "OIII"
    assert "d03.fits: its filter is OIII, that of 11 other frames is Ha" in refusal(
        shoot("flats", own=own, IMAGETYP="Flat", FILTER="Ha")
    )


def test_a_bias_is_as_short_as_its_camera_makes_it(shoot):
    folder = shoot("bias", own={2: {"EXPTIME": 0.0}, 3: {"EXPTIME": 0.001}}, IMAGETYP="Bias", EXPTIME=3.2e-5)
    assert len(admit(catalogue(folder), accept=False).rows) == 12


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CALSTAT": "BD"}, "is calibrated already (CALSTAT = 'BD')"),
        ({"NCOMBINE": 7}, "is a stack of 7 frames (NCOMBINE = 7), not one raw frame"),
        ({"IMAGETYP": "Master Dark"}, "is a master by IMAGETYP = Master Dark, not a raw frame"),
        ({"HISTORY": "Calibrated with a master bias"}, "is processed already (HISTORY: "),
    ],
)
def test_processed_frames_are_refused_by_name_unless_accepted(shoot, cards, said):
    folder = shoot(own={4: cards, 7: cards})
    message = refusal(folder)
    assert message.startswith(f"d04.fits: {said}")
    assert message.endswith("(so is d07.fits); combine raw frames; --accept takes these all the same")
    admitted = admit(catalogue(folder), accept=True)
    assert len(admitted.rows) == 12
    assert {one.file for one in admitted.problems if one.action == "used, because it was accepted"} == {
        "d04.fits",
        "d07.fits",
    }


def test_a_master_of_our_own_is_recognised_and_refused(shoot, tmp_path):
    folder = shoot()
    make_master(catalogue(folder), tmp_path / "out.fits", rejection="sigma")
    row = catalogue(tmp_path / "out.fits").iloc[0]
    assert (row["kind"], row["master"], row["stack_count"], row["usable"]) == ("dark", True, 12, False)
    assert (row["exposure"], row["temperature"], row["set_temperature"]) == (300.0, -10.0, -10.0)
    assert (row["camera"], row["gain_setting"], row["offset_setting"], row["binning"]) == ("a camera", 100, 30, "1x1")
    with pytest.raises(InputError, match=r"out\.fits: is a stack of 12 frames \(NCOMBINE = 12\), not one raw frame"):
        admit(catalogue_of([folder, tmp_path / "out.fits"]), accept=False)


def test_light_frames_and_frames_of_no_known_kind_make_no_master(shoot):
    assert "d00.fits: is a light frame; masters are made of bias, dark, darkflat, flat frames" in refusal(
        shoot("lights", IMAGETYP="Light Frame")
    )
    assert "set its kind in workbench.toml beside the frames" in refusal(shoot("nothing", IMAGETYP=None))


def test_unreadable_frames_and_copies_are_left_out_and_named(shoot):
    folder = shoot()
    (folder / "d03.fits").write_bytes((folder / "d03.fits").read_bytes()[:-5000])
    (folder / "d13.fits").write_bytes((folder / "d05.fits").read_bytes())
    admitted = admit(catalogue(folder), accept=False)
    assert len(admitted.rows) == 11
    said = {one.file: one.action for one in admitted.problems}
    assert said["d03.fits"] == "left out; copy it again from the camera"
    assert said["d13.fits"] == "left out; the first of them is used"


def test_one_frame_is_no_master(shoot):
    assert refusal(shoot(n_frames=1)) == "d00.fits: one frame makes no master; name two frames or more"
    folder = shoot(n_frames=3)
    for name in ("d00.fits", "d02.fits"):
        (folder / name).write_bytes(b"SIMPLE")
    message = refusal(folder)
    assert message.startswith("d00.fits: one frame remains of those named: its header has no END card")
    assert message.endswith(
        "(2 files are left out); a master needs two frames or more; `workbench inspect` shows them all"
    )


def test_shapes_and_types_differ(shoot):
    folder = shoot(change=lambda number, pixels: pixels[:50] if number == 6 else pixels)
    with pytest.raises(
        MixedStackError, match=r"d06\.fits: its shape is 160 x 50 pixels, that of 11 other frames is 160 x 96"
    ):
        admit(catalogue(folder), accept=False)
    folder = shoot(change=lambda number, pixels: pixels.astype(float) if number == 6 else pixels)
    with pytest.raises(
        MixedStackError, match=r"d06\.fits: its stored type is float64, that of 11 other frames is uint16"
    ):
        admit(catalogue(folder), accept=False)
