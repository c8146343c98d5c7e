"""The odd one out is named before it spoils a master, and frames that are not odd are left alone."""

import re

import numpy as np
import pytest

from workbench.calibrate.admission import check_pixels
from workbench.calibrate.suspects import find_suspects
from workbench.errors import FrameError, InputError
from workbench.frames.catalogue import catalogue
from workbench.frames.identity import identities_of

REAL_SETS = ("Bias", *(f"Dark/Dark_{seconds}s" for seconds in ("0.1", "5", "10", "30", "50", "70", "85", "100")))


def suspects_of(folder, *, accept=False):
    rows = catalogue(folder)
    rows = rows[rows["usable"]]
    return find_suspects(rows, identities_of(list(rows["source"])), accept=accept)


def rules(found):
    return {one.file: one.rule for one in found.problems}


def raised(which, change):
    """Change the pixels of one frame."""
    return lambda number, pixels: change(pixels.astype(float)).astype(np.uint16) if number == which else pixels


def test_nothing_is_found_in_sound_frames(shoot):
    assert suspects_of(shoot()).problems == []


def test_levels_that_wander_together_are_no_fault(shoot):
    drift = lambda number, pixels: pixels + np.uint16(number)  # noqa: E731
    assert suspects_of(shoot(change=drift)).problems == []


@pytest.mark.parametrize("off", [6, -9, 500])
def test_a_frame_at_another_level_is_left_out(shoot, off):
    found = suspects_of(shoot(change=raised(7, lambda pixels: pixels + off)))
    assert found.left_out == {"d07.fits"}
    side = "above" if off > 0 else "below"
    assert re.search(rf" adu {side} the median of its set, 4\.\d are allowed", rules(found)["d07.fits"])
    assert abs(float(rules(found)["d07.fits"].split()[3]) - abs(off)) < 0.5  # 5 errors of the mean of the sample


def test_a_level_within_half_the_noise_is_no_fault(shoot):
    assert suspects_of(shoot(change=raised(7, lambda pixels: pixels + 3))).problems == []


@pytest.mark.parametrize("step", [4, -60, 3000])
def test_rows_at_another_level_are_a_torn_readout(shoot, step):
    def tear(pixels):
        pixels[41:] += step
        return pixels

    found = suspects_of(shoot(change=raised(2, tear), n_frames=8))
    assert found.left_out == {"d02.fits"}
    words = rules(found)["d02.fits"]
    assert words.startswith("is torn: rows from ")
    assert abs(int(words.split()[4]) - 41) <= 1
    assert abs(float(words.split()[7]) - abs(step)) < 2.5  # 4 errors, and the reference leans to the torn frame
    assert ("above" if step > 0 else "below") + " those before, against the other frames" in words


def test_a_band_of_rows_from_another_frame_is_torn(shoot):
    def tear(pixels):
        pixels[30:60] = 0
        return pixels

    assert suspects_of(shoot(change=raised(5, tear))).left_out == {"d05.fits"}


def test_a_slope_is_not_torn(shoot):
    slope = np.linspace(0, 12, 96)[:, np.newaxis]
    found = suspects_of(shoot(change=raised(5, lambda pixels: pixels + slope - 6)))
    assert "d05.fits" not in {file for file, rule in rules(found).items() if "torn" in rule}


def test_hot_pixels_and_cosmic_rays_are_no_levels(shoot):
    def strike(number, pixels):
        rng = np.random.default_rng(number)
        pixels[rng.integers(0, 96, 300), rng.integers(0, 160, 300)] = 60000
        pixels[20:23, 40:50] += np.uint16(number == 4) * np.uint16(3000)
        pixels[::7, ::5] = 30000
        return pixels

    assert suspects_of(shoot(change=strike)).problems == []


def test_the_same_pixels_under_another_header_are_left_out_even_if_accepted(shoot, camera):
    folder = shoot(change=lambda number, pixels: camera.pixels_of(1) if number == 9 else pixels)
    found = suspects_of(folder, accept=True)
    assert found.left_out == {"d09.fits"}
    assert rules(found) == {"d09.fits": "has the very pixels of d01.fits under another header"}


def test_a_blank_frame_is_left_out(shoot):
    found = suspects_of(shoot(change=raised(0, lambda pixels: pixels * 0 + 65535)))
    assert found.left_out == {"d00.fits"}
    assert rules(found) == {"d00.fits": "has the value 65535 in every pixel looked at"}


def test_a_temperature_of_its_own_is_odd(shoot):
    found = suspects_of(shoot(own={3: {"CCD-TEMP": -5.0}}))
    assert found.left_out == {"d03.fits"}
    assert rules(found)["d03.fits"] == "its temperature -5 deg C is 5.0 K from that of any other frame"


def test_what_is_accepted_is_named_and_stays(shoot):
    found = suspects_of(shoot(change=raised(7, lambda pixels: pixels + 60)), accept=True)
    assert found.left_out == set()
    assert [one.action for one in found.problems] == ["used, because it was accepted"]


def test_of_two_frames_neither_is_the_odd_one(shoot):
    assert suspects_of(shoot(n_frames=2, change=raised(1, lambda pixels: pixels + 60))).problems == []


def test_flats_are_compared_by_their_shape(shoot):
    def light(number, pixels):
        vignette = 1 - np.linspace(-0.5, 0.5, 160) ** 2
        return (pixels + (20000 + 900 * number) * vignette).astype(np.uint16)

    assert suspects_of(shoot("flats", change=light, IMAGETYP="Flat")).problems == []

    def cloud(number, pixels):
        return light(number, pixels) // (3 if number == 4 else 1)

    found = suspects_of(shoot("flats", change=cloud, IMAGETYP="Flat"))
    assert found.left_out == {"d04.fits"}
    assert "times the median of its set" in rules(found)["d04.fits"]


def test_packed_frames_are_looked_at_likewise(shoot, tmp_path):
    from astropy.io import fits

    folder = shoot(change=raised(7, lambda pixels: pixels + 60))
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in folder.iterdir():
        with fits.open(path) as units:
            units.writeto(packed / f"{path.name}.gz")
    assert suspects_of(packed).left_out == {"d07.fits.gz"}


def test_a_frame_that_is_cut_meanwhile_is_named(shoot):
    folder = shoot()
    rows = catalogue(folder)
    identities = identities_of(list(rows["source"]))
    (folder / "d05.fits").write_bytes((folder / "d05.fits").read_bytes()[:9000])
    with pytest.raises(FrameError, match=r"d05\.fits: is truncated: it was cut after its header was read"):
        find_suspects(rows, identities)


@pytest.mark.parametrize("folder", REAL_SETS)
def test_sound_frames_of_a_real_camera_are_left_alone(real_data, folder):
    assert suspects_of(real_data / "asi178" / folder).problems == []


def test_pixels_that_were_processed_are_refused_unless_accepted(shoot):
    rows = catalogue(shoot(change=lambda _, pixels: np.maximum(pixels.astype(int) - 1000, 0).astype(np.uint16)))
    with pytest.raises(InputError, match=r"d00\.fits: is clipped at zero: .*; combine raw frames; --accept takes"):
        check_pixels(rows, accept=False)
    assert [one.action for one in check_pixels(rows, accept=True)] == ["used, because it was accepted"]
