"""workbench.toml: what is allowed in it, and how it says no."""

# ruff: noqa: DTZ001 - dates of the vocabulary are UTC and carry no zone
from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from workbench.errors import ManifestError
from workbench.frames.manifests import (
    FrameRule,
    Manifest,
    Region,
    bayer_regions,
    check_regions,
    find_manifest,
    read_manifest,
)


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "workbench.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_everything_that_a_manifest_can_say_is_read(written):
    path = written("""
name = "my camera"
gain = 0.25
gain_error = 0.01
[[frames]]
match = "led/*_0480[34]*"
kind = "flat"
master = false
exposure = 2
temperature = -20.5
set_temperature = -20
gain_setting = 174
offset_setting = 30
claimed_gain = 0.3
camera = "QHY163M"
readout_mode = "high"
binning = "2x2"
bayer_pattern = "GRBG"
filter = "Ha"
date = 2024-05-06T07:08:09Z
stack_count = 1
software = "mine"
pixel_size = 3.8
saturation_claim = 65520
object = "M 31"
[[frames]]
match = "short/*"
zero_light = true
[[regions]]
name = "left"
rows = [0, 520]
columns = [50, 1074, 2]
role = "tap"
""")
    manifest = read_manifest(path)
    assert (manifest.path, manifest.name, manifest.gain, manifest.gain_error) == (path, "my camera", 0.25, 0.01)
    first, second = manifest.frames
    assert first.match == "led/*_0480[34]*"
    assert first.zero_light is None
    assert first.values == {
        "kind": "flat",
        "master": False,
        "exposure": 2.0,
        "temperature": -20.5,
        "set_temperature": -20.0,
        "gain_setting": 174.0,
        "offset_setting": 30.0,
        "claimed_gain": 0.3,
        "camera": "QHY163M",
        "readout_mode": "high",
        "binning": "2x2",
        "bayer_pattern": "GRBG",
        "filter": "Ha",
        "date": datetime(2024, 5, 6, 7, 8, 9),
        "stack_count": 1,
        "software": "mine",
        "pixel_size": 3.8,
        "saturation_claim": 65520.0,
        "object": "M 31",
    }
    assert second == FrameRule("short/*", {}, zero_light=True)
    assert manifest.regions == (Region("left", (0, 520, 1), (50, 1074, 2), "tap"),)


RULE = '[[frames]]\nmatch = "*.fits"\n'
REGION = '[[regions]]\nname = "a"\nrows = [0, 10]\ncolumns = [0, 10]\nrole = "tap"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gian = 0.25", "has an unknown key 'gian'; did you mean 'gain'?"),
        ("zzz = 1", "has an unknown key 'zzz'; the keys here are name, gain, gain_error, frames, regions, overscan"),
        (RULE + "expsure = 2", "frames[0] has an unknown key 'expsure'; did you mean 'exposure'?"),
        (RULE + 'kind = "drak"', "frames[0].kind = 'drak' is not allowed; did you mean 'dark'?"),
        (RULE + 'kind = "Dark"', "frames[0].kind = 'Dark' is not allowed; did you mean 'dark'?"),
        (RULE + 'exposure = "2 s"', "frames[0].exposure = '2 s' is not allowed; it is a number of seconds, 0 or more"),
        (RULE + "exposure = -1", "frames[0].exposure = -1 is not allowed; it is a number of seconds, 0 or more"),
        (RULE + "exposure = nan", "frames[0].exposure = nan is not allowed; it is a number of seconds, 0 or more"),
        (RULE + "exposure = true", "frames[0].exposure = True is not allowed; it is a number of seconds, 0 or more"),
        (
            RULE + "temperature = 253",
            "frames[0].temperature = 253 is not allowed; it is a number of deg C, without a unit",
        ),
        (
            RULE + 'temperature = "-20 C"',
            "frames[0].temperature = '-20 C' is not allowed; it is a number of deg C, without a unit",
        ),
        (RULE + "binning = 2", 'frames[0].binning = 2 is not allowed; it is a text such as "1x1"'),
        (RULE + "stack_count = 0", "frames[0].stack_count = 0 is not allowed; it is a whole number, 1 or more"),
        (
            RULE + 'date = "2024-01-01"',
            "frames[0].date = '2024-01-01' is not allowed; it is a date and time in UTC, without quotation marks",
        ),
        (RULE + "zero_light = 1", "frames[0].zero_light = 1 is not allowed; it is true or false"),
        (
            RULE + 'kind = "flat"\nzero_light = true',
            "frames[0].zero_light is said of a flat; only a dark can serve as the zero-light reference",
        ),
        (RULE, "frames[0] says nothing of '*.fits'; add what these frames are, such as kind = \"dark\""),
        (
            '[[frames]]\nkind = "dark"',
            'frames[0] has no match; say which files it means, such as match = "darks/*.fits"',
        ),
        ('frames = "dark"', "key 'frames' is no list of tables; write [[frames]]"),
        ('[frames]\nmatch = "*"', "key 'frames' is no list of tables; write [[frames]]"),
        ("gain = 0", "gain = 0 is not allowed; it is a number of electron / adu above 0"),
        ('gain = "0.25"', "gain = '0.25' is not allowed; it is a number of electron / adu above 0"),
        ("gain_error = 0.1", "gain_error stands without a gain; give the gain too"),
        ("name = 3", "name = 3 is not allowed; it is a text"),
        (REGION + REGION, "two regions are called 'a'; give each its own name"),
        (REGION.replace("tap", "overscam"), "regions[0].role = 'overscam' is not allowed; did you mean 'overscan'?"),
        (REGION.replace("rows", "row"), "regions[0] has an unknown key 'row'; did you mean 'rows'?"),
        (REGION.replace('role = "tap"\n', ""), "regions[0] has no role; a region has name, rows, columns, role"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_would_be_right(written, text, message):
    path = written(text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    "span",
    ["[10, 10]", "[10, 0]", "[-1, 10]", "[0]", "[0, 10, 0]", "[0, 10, 1, 1]", "[0, 1.5]", '"0:10"', "[false, true]"],
)
def test_a_span_is_start_and_stop_and_perhaps_a_step(written, span):
    with pytest.raises(ManifestError, match=r"regions\[0\]\.rows = .* is not allowed; it is \[start, stop\]"):
        read_manifest(written(REGION.replace("rows = [0, 10]", f"rows = {span}")))


@pytest.mark.parametrize("glob", ["/etc/*", "../other/*.fits", "a/../../b", "C:/frames/*", "a\\\\b"])
def test_a_glob_never_leaves_its_folder(written, glob):
    with pytest.raises(ManifestError, match="leaves the folder; name files below the folder, with forward slashes"):
        read_manifest(written(f'[[frames]]\nmatch = "{glob}"\nkind = "dark"'))


@pytest.mark.parametrize("text", ["gain = ", "\x00", "a = " + "[" * 5000, "gain = 0.25\ngain = 0.3"])
def test_what_is_no_toml_is_told(written, text):
    with pytest.raises(ManifestError, match="is no TOML"):
        read_manifest(written(text))


def test_a_manifest_that_is_no_text_or_not_there_is_told(tmp_path):
    (tmp_path / "workbench.toml").write_bytes(b"\xff\xfe\x00gain")
    with pytest.raises(ManifestError, match="is no TOML"):
        read_manifest(tmp_path / "workbench.toml")
    with pytest.raises(ManifestError, match=r"cannot be read \(No such file or directory\); name a workbench.toml"):
        read_manifest(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("glob", "file", "yes"),
    [
        ("*.fit", "one.fit", True),
        ("*.fit", "a/b/one.fit", True),
        ("a/*.fit", "a/one.fit", True),
        ("a/*.fit", "a/b/one.fit", False),
        ("a/**/*.fit", "a/b/c/one.fit", True),
        ("a/**/*.fit", "a/one.fit", True),
        ("a/**", "a/b/one.fit", True),
        ("**/dark_?.fit", "x/dark_1.fit", True),
        ("**/dark_?.fit", "dark_12.fit", False),
        ("d[0-3].fit", "d2.fit", True),
        ("d[!0-3].fit", "d2.fit", False),
        ("d[!0-3].fit", "d7.fit", True),
        ("a.fit", "abfit", False),
        ("M 31 (1).fit", "M 31 (1).fit", True),
        ("*", "a\nb.fit", True),
    ],
)
def test_a_star_stays_in_its_folder_and_two_go_through(glob, file, yes):
    assert FrameRule(glob, {}).matches(file) is yes


def test_a_glob_with_a_broken_class_is_told(written):
    with pytest.raises(ManifestError, match=r"is no glob \(bad character range z-a"):
        read_manifest(written('[[frames]]\nmatch = "[z-a].fit"\nkind = "dark"'))


def test_the_named_manifest_wins_over_that_beside_the_frames(written, tmp_path):
    written("gain = 1.0")
    other = tmp_path / "other.toml"
    other.write_text("gain = 2.0")
    assert find_manifest(tmp_path, other).gain == 2.0
    assert find_manifest(tmp_path).gain == 1.0
    (tmp_path / "empty").mkdir()
    assert find_manifest(tmp_path / "empty") == Manifest()


def test_a_region_cuts_its_pixels_out_of_a_frame():
    frame = np.arange(12).reshape(3, 4)
    assert frame[Region("r", (0, 3, 2), (1, 3, 1), "tap").slices()].tolist() == [[1, 2], [9, 10]]


def test_a_region_beyond_the_frame_is_refused():
    manifest = Manifest(regions=(Region("a", (0, 520, 1), (0, 1281, 1), "tap"),))
    check_regions(manifest, "one.fits", (520, 1281))
    with pytest.raises(
        ManifestError,
        match=r"region 'a' has columns up to 1281, but one\.fits has 1280 columns; let the columns end at 1280",
    ):
        check_regions(manifest, "one.fits", (520, 1280))
    with pytest.raises(ManifestError, match=r"region 'a' has rows up to 520, but one\.fits has 519 rows"):
        check_regions(manifest, "one.fits", (519, 1281))


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize("shape", [(4, 6), (5, 7)])
def test_bayer_planes_hold_one_colour_each_and_every_pixel_once(pattern, shape):
    colours = np.array(list(pattern)).reshape(2, 2)
    mosaic = np.tile(colours, (4, 4))[: shape[0], : shape[1]]
    planes = bayer_regions(shape, pattern)
    counted = np.zeros(shape, int)
    for plane in planes:
        assert set(mosaic[plane.slices()].ravel()) == {plane.name[0]}
        counted[plane.slices()] += 1
    assert (counted == 1).all()
    assert [plane.name for plane in planes] == ["R", "G1", "G2", "B"]
    assert (np.arange(shape[0])[planes[1].slices()[0]] % 2 == planes[0].rows[0]).all(), "G1 stands in the red rows"


def test_no_other_pattern_is_a_bayer_pattern():
    with pytest.raises(ValueError, match="'RGBG' is none of RGGB, BGGR, GRBG, GBRG"):
        bayer_regions((4, 4), "RGBG")
