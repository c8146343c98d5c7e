"""The table truth against method: the popular methods lie where the theory says so, the corrected ones nowhere."""

import numpy as np
import pytest

from workbench.camera.sensor import Camera
from workbench.measure.truth_table import contrasting_cameras, truth_table, with_dark_current

PLAIN, CLAMPED = "plain CCD", "clamped CMOS with glow"
CORRECTED = ("two_exposure_difference", "pair", "composite", "temporal_variance", "variance_slope")


@pytest.fixture(scope="module")
def table():
    """A small one: 256 x 256 pixels."""
    return truth_table((0.03, 0.3, 3.0), contrasting_cameras(shape=(256, 256)), seed=1)


def numbers(table, camera, method):
    return table[(table["camera"] == camera) & (table["method"] == method)]


def test_every_camera_has_every_method_at_every_dark_current(table):
    assert len(table) == 2 * 3 * 10
    assert not table.duplicated(["camera", "dark_current", "method"]).any()
    assert set(table["unit"]) == {"electron / s", "electron / adu"}
    missing = table["value"].isna()
    assert (table["reason"] != "").equals(missing)
    assert set(table.loc[missing, "method"]) == {"gain_from_pixels"}
    known = table[~missing]
    off = (known["value"] - known["true"]) / known["std_error"]
    assert np.allclose(known["off_errors"], off)
    assert np.allclose(known["off_percent"], 100 * (known["value"] / known["true"] - 1))
    assert (known["lies"] == ((off.abs() > 4) & (known["off_percent"].abs() > 10))).all()


@pytest.mark.parametrize("camera", [PLAIN, CLAMPED])
def test_noise_never_lies(table, camera):
    for method in CORRECTED:
        rows = numbers(table, camera, method)
        assert not rows["lies"].any(), method
        assert (rows["off_errors"].abs() < 5).all(), method
        assert (rows["std_error"] < 0.05 * rows["true"]).all(), method


def test_the_mean_is_right_without_a_clamp_and_negative_with_one(table):
    plain, clamped = (numbers(table, camera, "mean_difference") for camera in (PLAIN, CLAMPED))
    assert (plain["off_errors"].abs() < 5).all()
    assert clamped["lies"].all()
    # 0.7 thermal electrons all taken off, 0.3 of glow three times over; at 3 electron / s hot pixels saturate
    assert (clamped["value"] / clamped["dark_current"])[:2].to_numpy() == pytest.approx(-0.6, abs=0.02)


def test_the_ratio_is_the_same_whatever_the_truth(table):
    plain, clamped = (numbers(table, camera, "two_exposure_ratio") for camera in (PLAIN, CLAMPED))
    assert plain["value"].to_numpy() == pytest.approx(0.037037 * 0.5, abs=4 * plain["std_error"].max())
    assert (plain["std_error"] < 0.1 * plain["value"]).all()
    assert plain["lies"].tolist() == [True, True, True]
    assert clamped["value"].between(0.037 * 0.5, 0.375 * 0.5).all()


def test_the_script_takes_its_wrong_method_where_the_mean_is_small(table):
    chosen = numbers(table, PLAIN, "script_choice")
    assert chosen["lies"].tolist() == [True, False, False]
    assert numbers(table, CLAMPED, "script_choice")["value"].equals(
        numbers(table, CLAMPED, "two_exposure_ratio")["value"].set_axis(numbers(table, CLAMPED, "script_choice").index)
    )


def test_darks_give_a_gain_by_their_mean_only_without_a_clamp_and_by_their_pixels_with_one(table):
    assert (numbers(table, PLAIN, "gain_from_darks")["off_errors"].abs() < 5).all()
    assert (numbers(table, CLAMPED, "gain_from_darks")["value"] < 0).all()
    assert numbers(table, CLAMPED, "gain_from_darks")["lies"].all()
    pixels = numbers(table, CLAMPED, "gain_from_pixels")
    assert (pixels["off_errors"].abs() < 4).all()
    assert numbers(table, PLAIN, "gain_from_pixels")["reason"].str.startswith("too few pixels have more").all()


def test_the_dark_current_asked_for_is_that_of_the_camera():
    for sensor in contrasting_cameras(shape=(400, 400)).values():
        camera = Camera(with_dark_current(sensor, 0.2), 1)
        assert camera.dark_electrons(100.0, -20.0).mean() / 100 == pytest.approx(0.2, rel=0.05)
        assert camera.gain == 0.5


def test_the_same_seed_gives_the_same_table():
    small = contrasting_cameras(shape=(64, 64))
    first, again, other = (truth_table((0.5,), small, n_frames=4, seed=seed) for seed in (2, 2, 3))
    assert first.equals(again)
    assert not first["value"].equals(other["value"])
