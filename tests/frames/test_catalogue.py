"""A folder of frames as a table."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from programs import PROGRAMS, write_frame

from workbench import catalogue
from workbench.errors import InputError, ManifestError
from workbench.frames.catalogue import COLUMNS

DARK = """
IMAGETYP= 'DARK'
EXPTIME = 300.0
CCD-TEMP= -10.0
SET-TEMP= -10.0
GAIN    = 100
INSTRUME= 'Cam'
XBINNING= 1
YBINNING= 1
"""


@pytest.fixture
def night(tmp_path):
    """An empty folder whose name says nothing."""
    folder = tmp_path / "n1"
    folder.mkdir()
    return folder


def faults(table, file):
    (problems,) = table.loc[table["file"] == file, "problems"]
    return [f"{one.rule}; {one.action}" for one in problems]


def column(table, name):
    return dict(zip(table["file"], table[name], strict=True))


# ---- the table ------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_file_sorted_with_the_columns_of_the_vocabulary(night):
    write_frame(night / "b" / "two.fits", DARK)
    write_frame(night / "a.fit", DARK)
    write_frame(night / "c" / "d" / "one.fts", DARK)
    table = catalogue(night)
    assert tuple(table.columns) == COLUMNS
    assert list(table["file"]) == ["a.fit", "b/two.fits", "c/d/one.fts"]
    assert list(table["path"]) == [str(night / file) for file in table["file"]]
    assert table.attrs["root"] == night
    assert table.attrs["manifest"].frames == ()
    assert table.attrs["problems"] == ()
    row = table.iloc[0]
    assert (row["kind"], row["master"], row["exposure"], row["usable"], row["zero_light"]) == (
        "dark",
        False,
        300.0,
        True,
        False,
    )
    assert (row["height"], row["width"], row["group"], row["problems"]) == (4, 6, "g1", ())
    assert row["source"].shape == (4, 6)
    assert row["header"]["exposure"].key == "EXPTIME"
    assert table["date"].dtype == "datetime64[us]"
    for name in ("exposure", "temperature", "set_temperature", "gain_setting", "stack_count", "pixel_size"):
        assert table[name].dtype == np.float64


def test_what_is_missing_is_none_nan_or_nat_and_never_a_default(night):
    write_frame(night / "x.fits", "")
    row = catalogue(night).iloc[0]
    for name in ("kind", "camera", "readout_mode", "binning", "bayer_pattern", "filter", "software", "object"):
        assert row[name] is None
    for name in (
        "exposure",
        "temperature",
        "set_temperature",
        "gain_setting",
        "offset_setting",
        "claimed_gain",
        "stack_count",
    ):
        assert np.isnan(row[name])
    assert row["date"] is pd.NaT


@pytest.mark.parametrize("program", [name for name in PROGRAMS if not name.startswith("XISF")])
def test_the_header_of_every_program_survives_the_way_through_a_file(night, program):
    header, path, expected, _ = PROGRAMS[program]
    name = path.removesuffix(".gz")
    write_frame(night / name, header)
    table = catalogue(night)
    for quantity, value in expected.items():
        found = table[quantity][0]
        if isinstance(value, datetime):
            assert found == pd.Timestamp(value)
        else:
            assert found == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)


def test_a_single_file_is_a_catalogue_of_one(night):
    write_frame(night / "a.fits", DARK)
    write_frame(night / "b.fits", DARK)
    table = catalogue(night / "b.fits")
    assert list(table["file"]) == ["b.fits"]
    assert table.attrs["root"] == night


def test_the_folder_has_its_name_even_when_it_is_called_a_dot(night, monkeypatch):
    write_frame(night / "a.fits", DARK)
    monkeypatch.chdir(night)
    table = catalogue(".")
    assert table.attrs["root"] == night
    assert list(table["path"]) == [str(night / "a.fits")]


def test_the_folder_of_the_user_says_the_kind_where_nothing_nearer_does(tmp_path):
    write_frame(tmp_path / "Darks" / "x.fits", "EXPTIME = 2")
    header = catalogue(tmp_path / "Darks")["header"][0]
    assert (header["kind"].value, header["kind"].source, header["kind"].guess) == ("dark", "folder name", True)
    above = catalogue(tmp_path / "Darks" / "x.fits")
    assert above["kind"][0] == "dark"
    write_frame(tmp_path / "Darks" / "set7" / "y.fits", "EXPTIME = 2")
    assert catalogue(tmp_path / "Darks" / "set7")["kind"][0] is None, "what stands above the folder says nothing"


# ---- groups ---------------------------------------------------------------------------------------------------------


def test_groups_part_cameras_modes_settings_binnings_and_shapes_most_frames_first(night):
    for number in range(2):
        write_frame(night / f"a{number}.fits", DARK)
    for number in range(3):
        write_frame(night / f"b{number}.fits", DARK.replace("GAIN    = 100", "GAIN    = 0"))
    write_frame(night / "c.fits", DARK, shape=(4, 8))
    write_frame(night / "d.fits", DARK + "READOUTM= 'fast'")
    write_frame(night / "e.fits", DARK + "OFFSET  = 30")
    write_frame(night / "f.fits", DARK.replace("XBINNING= 1\nYBINNING= 1", "XBINNING= 2\nYBINNING= 2"))
    write_frame(night / "g.fits", DARK.replace("'Cam'", "'Other'"))
    groups = column(catalogue(night), "group")
    assert groups == {
        "a0.fits": "g2",
        "a1.fits": "g2",
        "b0.fits": "g1",
        "b1.fits": "g1",
        "b2.fits": "g1",
        "c.fits": "g3",
        "d.fits": "g4",
        "e.fits": "g5",
        "f.fits": "g6",
        "g.fits": "g7",
    }


def test_exposure_and_temperature_do_not_part_groups(night):
    write_frame(night / "a.fits", DARK)
    write_frame(night / "b.fits", DARK.replace("300.0", "10.0").replace("-10.0", "-20.0"))
    assert set(catalogue(night)["group"]) == {"g1"}


# ---- files that are wrong -------------------------------------------------------------------------------------------


def test_broken_files_stay_as_rows_with_their_fault_and_the_rest_is_used(night):
    whole = write_frame(night / "a.fits", DARK)
    (night / "cut.fits").write_bytes(whole.read_bytes()[:-2880])
    (night / "empty.fits").write_bytes(b"")
    (night / "text.fits").write_text("these are notes")
    cube = whole.read_bytes().replace(b"NAXIS   = 2 ", b"NAXIS   = 3 ").replace(b"BZERO   = 32768", b"NAXIS3  = 3    ")
    (night / "cube.fits").write_bytes(cube + bytes(2880))
    table = catalogue(night)
    assert column(table, "usable") == {
        "a.fits": True,
        "cube.fits": False,
        "cut.fits": False,
        "empty.fits": False,
        "text.fits": False,
    }
    assert faults(table, "cut.fits") == [
        "is truncated: its header promises 2928 bytes, the file has 2880; left out; copy it again from the camera"
    ]
    assert faults(table, "empty.fits") == ["is empty; left out; copy it again from the camera"]
    assert faults(table, "text.fits") == ["is no FITS file: it begins with 'these ar'; left out"]
    assert len(faults(table, "cube.fits")) == 1
    assert table.loc[table["file"] == "cut.fits", "group"].iloc[0] is None


def test_what_is_no_frame_is_passed_over_in_silence_but_a_frame_by_another_name_is_not(night):
    write_frame(night / "a.fits", DARK)
    for name in ("notes.txt", "workbench.json", "preview.jpg", "._a.fits", ".hidden.fits", "log"):
        (night / name).write_text("x")
    write_frame(night / ".cache" / "b.fits", DARK)
    write_frame(night / "old.bak", DARK)
    os.mkfifo(night / "pipe")
    os.mkfifo(night / "pipe.fits")
    (night / "nowhere").symlink_to(night / "gone")
    assert list(catalogue(night)["file"]) == ["a.fits", "old.bak"]


def test_a_link_to_nowhere_with_the_name_of_a_frame_is_named(night):
    (night / "x.fits").symlink_to(night / "gone.fits")
    assert faults(catalogue(night), "x.fits") == [
        "cannot be read (No such file or directory); left out; check its permissions"
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "gone", "does not exist"),
        (lambda folder: folder, "is empty"),
        (lambda folder: (folder / "a.txt").write_text("x") and folder, "holds no frames"),
    ],
)
def test_no_folder_and_no_frames_is_one_clear_line(night, make, words):
    path = make(night)
    with pytest.raises(InputError) as caught:
        catalogue(path)
    assert str(caught.value) == f"{path}: {words}; name a folder with FITS, XISF or raw frames"


def test_a_folder_that_may_not_be_read_is_named_and_the_rest_is_used(night, monkeypatch):
    write_frame(night / "a.fits", DARK)
    write_frame(night / "closed" / "b.fits", DARK)
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    table = catalogue(night)
    assert list(table["file"]) == ["a.fits"]
    assert [str(one) for one in table.attrs["problems"]] == [
        "closed: cannot be read (Permission denied); left out; check its permissions"
    ]
    with pytest.raises(InputError, match=r"closed: cannot be read \(Permission denied\); name a folder with FITS"):
        catalogue(night / "closed")


# ---- may it be measured? --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        (DARK + "STACKCNT= 20", "is a stack of 20 frames (STACKCNT = 20), not one raw frame"),
        (DARK + "CALSTAT = 'BD'", "is calibrated already (CALSTAT = 'BD')"),
        (DARK.replace("'DARK'", "'Master Dark'"), "is a master by IMAGETYP = Master Dark, not a raw frame"),
    ],
)
def test_what_is_not_raw_is_left_out_unless_accepted(night, header, rule):
    write_frame(night / "a.fits", header)
    table = catalogue(night)
    assert not table["usable"][0]
    assert faults(table, "a.fits") == [f"{rule}; left out; --accept uses it"]
    table = catalogue(night, accept=True)
    assert table["usable"][0]
    assert faults(table, "a.fits") == [f"{rule}; used, because it was accepted"]


def test_a_master_by_name_is_left_out(night):
    write_frame(night / "MasterDark_300s.fits", DARK)
    assert faults(catalogue(night), "MasterDark_300s.fits") == [
        "is a master by the file name MasterDark_300s, not a raw frame; left out; --accept uses it"
    ]


def test_byte_identical_files_are_named_and_only_the_first_is_used_even_if_accepted(night):
    first = write_frame(night / "a.fits", DARK)
    shutil.copy(first, night / "b.fits")
    for accept in (False, True):
        table = catalogue(night, accept=accept)
        assert column(table, "usable") == {"a.fits": True, "b.fits": False}
        assert faults(table, "b.fits") == ["is byte for byte the same as a.fits; left out; the first of them is used"]


def test_frames_without_a_kind_and_darks_without_an_exposure_cannot_be_measured(night):
    write_frame(night / "x.fits", "EXPTIME = 3")
    write_frame(night / "y.fits", "IMAGETYP= 'DARK'")
    write_frame(night / "z.fits", "IMAGETYP= 'BIAS'\nEXPTIME = -1")
    table = catalogue(night)
    assert column(table, "usable") == {"x.fits": False, "y.fits": False, "z.fits": True}
    assert faults(table, "x.fits") == [
        "neither header nor name says what kind of frame it is; left out; set its kind in workbench.toml"
    ]
    assert faults(table, "y.fits") == [
        "no exposure of this dark is known; left out; set its exposure in workbench.toml"
    ]
    assert faults(table, "z.fits") == [
        "EXPTIME = -1 is no exposure time, for it is negative; exposure not taken from it"
    ]


def darks(night, temperatures, aim="-10.0"):
    for number, temperature in enumerate(temperatures):
        header = DARK.replace("CCD-TEMP= -10.0", f"CCD-TEMP= {temperature}")
        header = header.replace("SET-TEMP= -10.0\n", f"SET-TEMP= {aim}\n" if aim else "")
        write_frame(night / f"d{number:02}.fits", header)
    return catalogue(night)


def test_a_cooler_that_dropped_out_is_named_and_left_out_unless_accepted(night):
    table = darks(night, [-10, -10.1, -9.9, 5.5, 27.3])
    assert list(table["usable"]) == [True, True, True, False, False]
    rule = "its temperature 5.5 deg C is 15.5 K above its set point -10 deg C: the cooler dropped out"
    assert faults(table, "d03.fits") == [f"{rule}; left out; --accept uses it"]
    accepted = catalogue(night, accept=True)
    assert accepted["usable"].all()
    assert faults(accepted, "d03.fits") == [f"{rule}; used, because it was accepted"]


def test_without_a_set_point_the_median_of_the_set_tells_that_the_cooler_dropped_out(night):
    table = darks(night, [-10, -10.1, -9.9, -10, 5.5], aim=None)
    assert list(table["usable"]) == [True, True, True, True, False]
    rule = "its temperature 5.5 deg C is 15.5 K above the median -10 deg C of its set: the cooler dropped out"
    assert faults(table, "d04.fits") == [f"{rule}; left out; --accept uses it"]


def test_a_series_over_temperature_is_no_cooler_that_dropped_out(night):
    table = darks(night, [-20, -20.1, -19.9, -20, -5, -5.2, 10, 10.1], aim=None)
    assert table["usable"].all()
    assert all(problems == () for problems in table["problems"])


def test_a_member_more_than_a_kelvin_off_its_set_is_named_and_used(night):
    table = darks(night, [-10, -10.2, -9.8, -8.5])
    assert table["usable"].all()
    assert faults(table, "d03.fits") == [
        "its temperature -8.5 deg C is 1.4 K above the median of its set; used; a set should agree within 1 K"
    ]
    assert faults(table, "d00.fits") == []


# ---- manifest -------------------------------------------------------------------------------------------------------


def test_the_manifest_beside_the_frames_corrects_them_and_later_rules_win(night):
    write_frame(night / "led" / "a_1.fits", "EXPTIME = 1.999\nEXPOSURE = 3")
    write_frame(night / "led" / "a_2.fits", "EXPTIME = 1.999")
    (night / "workbench.toml").write_text("""
[[frames]]
match = "led/*"
kind = "flat"
exposure = 2.0
[[frames]]
match = "a_2.fits"
kind = "dark"
zero_light = true
[[frames]]
match = "none/*"
kind = "bias"
""")
    table = catalogue(night)
    assert column(table, "kind") == {"led/a_1.fits": "flat", "led/a_2.fits": "dark"}
    assert column(table, "exposure") == {"led/a_1.fits": 2.0, "led/a_2.fits": 2.0}
    assert column(table, "zero_light") == {"led/a_1.fits": False, "led/a_2.fits": True}
    known = table["header"][0]["exposure"]
    assert (known.source, known.raw, known.key, known.guess) == ("manifest", "1.999", "EXPTIME", False)
    assert faults(table, "led/a_1.fits") == [], "a conflict that the user settled is none"
    assert [str(one) for one in table.attrs["problems"]] == [
        "workbench.toml: match = 'none/*' matches no frame; correct it or take it out"
    ]


def test_the_light_of_a_zero_light_reference_is_refused(night):
    write_frame(night / "a.fits", "IMAGETYP= 'FLAT'\nEXPTIME = 1")
    (night / "workbench.toml").write_text('[[frames]]\nmatch = "*"\nzero_light = true')
    table = catalogue(night)
    assert not table["zero_light"][0]
    assert faults(table, "a.fits") == [
        "zero_light is said of a flat; not used as zero-light reference, which only a dark can be"
    ]


def test_a_named_manifest_replaces_that_of_the_folder_and_a_typo_stops(night, tmp_path):
    write_frame(night / "a.fits", DARK)
    (night / "workbench.toml").write_text("gian = 1")
    with pytest.raises(ManifestError, match=r"workbench\.toml: has an unknown key 'gian'; did you mean 'gain'"):
        catalogue(night)
    other = tmp_path / "other.toml"
    other.write_text("gain = 0.5")
    assert catalogue(night, manifest=other).attrs["manifest"].gain == 0.5


def test_a_region_beyond_a_frame_stops(night):
    write_frame(night / "a.fits", DARK)
    (night / "workbench.toml").write_text('[[regions]]\nname = "t"\nrows = [0, 5]\ncolumns = [0, 6]\nrole = "tap"')
    with pytest.raises(
        ManifestError, match=r"region 't' has rows up to 5, but a\.fits has 4 rows; let the rows end at 4 or before"
    ):
        catalogue(night)


def test_a_stack_count_of_one_by_the_manifest_makes_a_frame_raw_again(night):
    write_frame(night / "a.fits", DARK + "SNAPSHOT= 5")
    (night / "workbench.toml").write_text('[[frames]]\nmatch = "*"\nstack_count = 1')
    table = catalogue(night)
    assert not table["master"][0]
    assert table["usable"][0]


def test_nothing_is_shown_and_nothing_changes_when_a_bar_is_asked_for_off_a_terminal(night, capsys):
    write_frame(night / "a.fits", DARK)
    pd.testing.assert_frame_equal(catalogue(night, progress=True), catalogue(night))
    assert capsys.readouterr() == ("", "")


# ---- real frames ----------------------------------------------------------------------------------------------------


def test_asi178_has_58_usable_frames_and_12_truncated_ones(real_data):
    table = catalogue(real_data / "asi178")
    assert len(table) == 70
    assert table["usable"].sum() == 58
    left_out = table[~table["usable"]]
    assert all(len(problems) == 1 and problems[0].rule.startswith("is truncated") for problems in left_out["problems"])
    names = {Path(file).name for file in left_out["file"]}
    flats = {f"Flat_ASIImg_frame{number:04}.fit" for number in (1, 2, 3, 5, 6, 7, 8, 9, 10)}
    assert names == flats | {f"Dark_ASIImg_1sec_frame{number:04}.fit" for number in (1, 2, 3)}
    used = table[table["usable"]]
    assert all(problems == () for problems in used["problems"])
    assert set(used["group"]) == {"g1"}
    bias = used[used["kind"] == "bias"]
    assert len(bias) == 15
    assert (bias["exposure"] == 3.2e-5).all()
    assert {header["kind"].source for header in used["header"]} == {"file name"}
    assert all(header["kind"].guess for header in used["header"])
    counts = used[used["kind"] == "dark"].groupby("exposure").size().to_dict()
    assert counts == {0.1: 5, 1.0: 2, 5.0: 5, 10.0: 5, 30.0: 5, 50.0: 5, 70.0: 5, 85.0: 5, 100.0: 5}


def test_msfc_ccd_is_described_by_a_manifest_from_elsewhere(real_data, tmp_path):
    manifest = tmp_path / "esis.toml"
    manifest.write_text("""
name = "ESIS 1"
[[frames]]
match = "led/*_0480[34]*"
kind = "flat"
exposure = 2.0
[[frames]]
match = "led/*_0486[01]*"
kind = "dark"
exposure = 2.0
zero_light = true
[[frames]]
match = "fe55/**"
kind = "light"
[[regions]]
name = "tap 1"
rows = [0, 520]
columns = [50, 1074]
role = "tap"
[[regions]]
name = "left"
rows = [0, 1040]
columns = [0, 50]
role = "inactive"
""")
    table = catalogue(real_data / "msfc-ccd", manifest=manifest)
    kinds = table.groupby("kind").size().to_dict()
    assert kinds == {"dark": 6, "flat": 2, "light": 5}
    assert table["usable"].all()
    assert table["zero_light"].sum() == 2
    assert set(table["camera"]) == {"ESIS1", "ESIS3"}
    assert table.attrs["manifest"].regions[0].slices() == (slice(0, 520, 1), slice(50, 1074, 1))
    assert table.attrs["problems"] == ()


def test_the_assorted_files_are_read_or_named(real_data):
    table = catalogue(real_data / "small").set_index("file")
    assert table.loc["ccdproc_a8280271.fits", "claimed_gain"] == 1.9
    assert np.isnan(table.loc["ccdproc_a8280271.fits", "gain_setting"])
    assert table.loc["ccdproc_a8280271.fits", "temperature"] == -92.95
    assert table.loc["ccdproc_a8280271.fits", "header"]["temperature"].guess
    assert table.loc["panoptes_solved.fits.fz", "temperature"] == 13.0
    assert table.loc["panoptes_solved.fits.fz", "source"].hdu == 1
    assert [problem.action for problem in table.loc["test.xisf", "problems"]] == [
        "left out; save it again with its pixels attached, or as FITS"
    ]
    assert all(len(problems) == 1 for problems in table.loc[~table["usable"], "problems"])


def test_linked_folders_are_followed_and_each_is_read_once(night, tmp_path):
    disk = tmp_path / "disk"
    write_frame(disk / "a.fits", DARK)
    (night / "darks").symlink_to(disk)
    (night / "darks again").symlink_to(disk)
    (disk / "round").symlink_to(night)
    assert list(catalogue(night)["file"]) == ["darks/a.fits"]
