"""What a survey says of the popular methods on a camera whose truth it does not know."""

from functools import cache

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.measure.numbers import number
from workbench.measure.popular import script_choice, two_exposure_ratio
from workbench.measure.popular_survey import ExposedStack, popular_rows
from workbench.measure.sets import exposure_sets, zero_light
from workbench.measure.truth_table import contrasting_cameras, with_dark_current
from workbench.stack.variance import difference_moments, levels

KEYS = ["temperature", "method", "quantity", "exposures", "value", "std_error", "unit", "verdict_ok", "reason"]
METHODS = [
    "mean_difference",
    "two_exposure_ratio",
    "script_choice",
    "two_exposure_difference",
    "gain_from_darks",
    "gain_from_pixels",
]
GAIN = number(0.5, 0.002)


@cache
def shots_of(name, current=0.1, exposures=(30.0, 120.0, 300.0), n_frames=5):
    camera = Camera(with_dark_current(contrasting_cameras(shape=(200, 200))[name], current), 1)
    rng = np.random.default_rng(1)
    frames = {t: np.stack([camera.expose("dark", t, -20.0, rng) for _ in range(n_frames)]) for t in (0.0, *exposures)}
    return shots_from({t: xr.DataArray(one, dims=("frame", "y", "x")) for t, one in frames.items()})


def shots_from(stacks):
    looks = {t: levels(stack, 65535) for t, stack in stacks.items()}
    out = np.logical_or.reduce([look.out_of_range for look in looks.values()])
    zero, *darks = (
        ExposedStack(t, stack, difference_moments(stack, looks[t].frame_means, out, maps=t == min(stacks)))
        for t, stack in stacks.items()
    )
    return zero, darks, out


def rows_of(zero, darks, out, gain=GAIN, **rest):
    rows = popular_rows(zero, darks, gain, excluded=out, **rest)
    assert [row["method"] for row in rows] == METHODS
    assert all(list(row) == KEYS for row in rows)
    return {row["method"]: row for row in rows}


def test_on_a_plain_camera_the_mean_agrees_with_the_noise_and_the_ratio_is_never_believed():
    rows = rows_of(*shots_of("plain CCD"), temperature=-20.0)
    assert {method: row["verdict_ok"] for method, row in rows.items()} == {
        "mean_difference": True,
        "two_exposure_ratio": False,
        "script_choice": True,
        "two_exposure_difference": True,
        "gain_from_darks": True,
        "gain_from_pixels": None,
    }
    assert {row["temperature"] for row in rows.values()} == {-20.0}
    assert rows["mean_difference"]["value"] == pytest.approx(0.1, abs=5 * rows["mean_difference"]["std_error"])
    assert rows["mean_difference"]["reason"].startswith("agrees with the noise of the same darks, 0.")
    assert rows["script_choice"]["reason"].startswith("takes mean_difference of single frames: agrees with")
    assert rows["two_exposure_ratio"]["reason"].startswith(
        "returns about 0.0185 electron / s whatever the dark current, here 1"
    )
    assert rows["gain_from_pixels"]["value"] is None
    assert rows["gain_from_pixels"]["reason"].startswith("too few pixels have more electrons")


def test_on_a_clamped_camera_the_noise_contradicts_the_mean_by_so_many_errors():
    zero, darks, out = shots_of("clamped CMOS with glow")
    rows = rows_of(zero, darks, out)
    assert {method: row["verdict_ok"] for method, row in rows.items()} == {
        "mean_difference": False,
        "two_exposure_ratio": False,
        "script_choice": False,
        "two_exposure_difference": True,
        "gain_from_darks": False,
        "gain_from_pixels": True,
    }
    mean = rows["mean_difference"]
    assert mean["value"] < 0
    assert mean["reason"].startswith("contradicts the noise of the same darks, 0.")
    assert mean["reason"].endswith("standard errors")
    assert rows["gain_from_darks"]["value"] < 0
    assert rows["gain_from_darks"]["reason"].startswith("no gain: the mean falls or stands still while the noise grows")
    assert rows["gain_from_pixels"]["value"] == pytest.approx(0.5, abs=4 * rows["gain_from_pixels"]["std_error"])
    assert rows["script_choice"]["reason"].startswith("takes two_exposure_ratio, which returns about")


def test_the_numbers_are_those_of_the_methods():
    zero, darks, out = shots_of("clamped CMOS with glow")
    rows = rows_of(zero, darks, out)
    frames = [one.stack.values[0] for one in (zero, darks[0], darks[2])]
    ratio = two_exposure_ratio(*frames, (30.0, 300.0), GAIN).value
    assert rows["two_exposure_ratio"]["value"] == pytest.approx(ratio.nominal_value)
    assert rows["two_exposure_ratio"]["std_error"] == pytest.approx(ratio.std_dev)
    assert rows["two_exposure_ratio"]["exposures"] == [30.0, 300.0]
    assert script_choice(*frames, (30.0, 300.0), GAIN, frame_sigma=1.0).value == rows["script_choice"]["value"]


def test_without_a_gain_the_rates_stay_in_adu_and_a_clamp_is_seen_all_the_same():
    rows = rows_of(*shots_of("clamped CMOS with glow"), None)
    mean, noise = rows["mean_difference"], rows["two_exposure_difference"]
    assert (mean["quantity"], mean["unit"], mean["verdict_ok"]) == ("dark_mean_rate", "adu / s", False)
    assert "adu2 / s while the mean falls: something is subtracted from it" in mean["reason"]
    assert (noise["quantity"], noise["unit"]) == ("dark_variance_rate", "adu2 / s")
    assert noise["value"] * 0.25 == pytest.approx(0.1, rel=0.05)
    assert rows["gain_from_pixels"]["verdict_ok"]
    plain = rows_of(*shots_of("plain CCD"), None)
    assert plain["mean_difference"]["verdict_ok"] is None
    assert plain["mean_difference"]["reason"].startswith("no gain is known; true only if it is 0.5")
    assert plain["gain_from_darks"]["verdict_ok"] is None
    assert plain["gain_from_darks"]["reason"] == "no gain is known that could confirm it; shoot flats"


def test_a_wrong_gain_is_contradicted_by_the_pixels():
    rows = rows_of(*shots_of("clamped CMOS with glow"), number(2.0, 0.01))
    assert rows["gain_from_pixels"]["verdict_ok"] is False
    assert rows["gain_from_pixels"]["reason"].startswith("contradicts the gain of this camera, 2.000 +/- 0.010")


def test_what_is_missing_is_said_in_the_row():
    zero, darks, out = shots_of("clamped CMOS with glow")
    without_bias = rows_of(None, darks, out)
    for method in ("mean_difference", "two_exposure_ratio", "script_choice", "gain_from_pixels"):
        assert without_bias[method]["reason"].startswith("no pair of bias frames; shoot 20"), method
        assert without_bias[method]["verdict_ok"] is None
    assert without_bias["two_exposure_difference"]["verdict_ok"]
    one = rows_of(zero, darks[2:], out)
    assert one["mean_difference"]["value"] is not None
    for method in ("two_exposure_ratio", "script_choice", "two_exposure_difference"):
        assert one[method]["reason"].startswith("one exposure; shoot a second of 10 times"), method
    assert one["gain_from_pixels"]["reason"].startswith("1 exposures: the pixels are sorted by the darks of two others")
    rounded = rows_of(zero, darks, out, lattice=64)
    assert "of a lattice step (64 adu): rounding hides it" in rounded["two_exposure_difference"]["reason"]


def test_an_exposure_of_one_frame_or_none_spoils_no_other_row():
    zero, darks, out = shots_of("clamped CMOS with glow")
    single = darks[1].stack[:1]
    lonely = ExposedStack(120.0, single, difference_moments(single, levels(single).frame_means, out))
    rows = rows_of(zero, [darks[0], lonely, darks[2]], out)
    assert rows["gain_from_darks"]["value"] < 0
    assert rows["two_exposure_difference"]["verdict_ok"]
    none = ExposedStack(0.0, zero.stack, zero.moments)
    assert rows_of(zero, [none], out)["mean_difference"]["reason"].startswith("no dark is longer than the zero-light")


def test_on_a_real_clamped_camera_without_flats(real_data):
    frames = catalogue(real_data / "asi178")
    frames = frames[frames["usable"].astype(bool)]
    sets = [*exposure_sets(zero_light(frames))[:1], *exposure_sets(frames[frames["kind"] == "dark"])]
    rows = rows_of(*shots_from({one.exposure: load_stack(one.rows) for one in sets}), None, lattice=4)
    assert rows["mean_difference"]["value"] < 0
    assert rows["mean_difference"]["verdict_ok"] is False
    assert rows["two_exposure_ratio"]["exposures"] == [10.0, 100.0]
    assert rows["two_exposure_difference"]["value"] == pytest.approx(3.06, abs=0.03)
    assert rows["gain_from_darks"]["value"] < 0
    # what is left of its truncated flats gives 0.2345 +/- 0.001
    assert rows["gain_from_pixels"]["value"] == pytest.approx(0.2345, rel=0.05)
    assert rows["gain_from_pixels"]["verdict_ok"]
