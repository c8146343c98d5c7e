"""One bad file, set or group never ends a survey: it is named, and the rest goes on."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from workbench.camera.sensor import Sensor
from workbench.camera.session import FrameSet, Plan, simulate
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue
from workbench.measure.survey import measure_camera

SETS = (
    FrameSet("bias", 6, 0.0, -20.0),
    *(FrameSet("dark", 4, exposure, -20.0) for exposure in (10.0, 60.0, 300.0, 600.0)),
    *(FrameSet("flat", 2, exposure, -20.0, light=200.0) for exposure in (1.0, 2.0, 4.0, 5.0)),
)


@pytest.fixture
def night(tmp_path):
    sensor = replace(Sensor.from_manifest("qhy163m_like").without("cosmic_rays", "dark_telegraph"), shape=(96, 128))
    return simulate(sensor, Plan("night", SETS), tmp_path / "night", seed=1)


def rewrite(path, change=None, **cards):
    with fits.open(path) as units:
        pixels, header = units[0].data.copy(), units[0].header.copy()
    if change is not None:
        pixels = change(pixels)
    for key in ("CHECKSUM", "DATASUM", "BZERO", "BSCALE"):
        header.remove(key, ignore_missing=True)
    for key, value in cards.items():
        header[key.replace("_", "-")] = value
    fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)


def files(night, kind, exposure=None):
    table = catalogue(night)
    table = table[table["kind"] == kind]
    table = table if exposure is None else table[table["exposure"] == exposure]
    return [night / name for name in table["file"]]


def said(results, words):
    return [problem for problem in results.problems if words in problem.rule]


def test_a_blank_frame_is_named_and_left_out(night):
    rewrite(files(night, "dark", 300.0)[2], np.zeros_like)
    results = measure_camera(catalogue(night))
    (problem,) = said(results, "has the value 0 in every pixel")
    assert problem.action == "left out"
    table = results.table("variance").set_index("exposure")
    assert table.loc[300.0, "n_frames"] == 3
    assert table.loc[600.0, "n_frames"] == 4


def test_an_exposure_that_saturates_is_left_out_and_the_others_keep_their_pixels(night):
    rewrite(
        files(night, "dark", 600.0)[1], lambda pixels: np.where(np.arange(128) < 40, 65520, pixels).astype(np.uint16)
    )
    results = measure_camera(catalogue(night))
    (problem,) = said(results, "of their pixels saturate or clip at zero")
    assert problem.file == "darks of 600 s of g1"
    assert results.table("variance")["exposure"].tolist() == [10.0, 60.0, 300.0]
    assert results.table("variance")["n_excluded"].max() < 10


def test_one_unusable_group_does_not_end_the_other(night):
    for path in files(night, "dark", 10.0):
        other = path.with_name(f"other_{path.name}")
        other.write_bytes(path.read_bytes())
        rewrite(other, lambda pixels: (pixels / 65535).astype(np.float32), INSTRUME="Other camera")
    results = measure_camera(catalogue(night))
    assert [group["camera"] for group in results.groups] == ["QHY163M-like (simulated)"]
    assert said(results, "no frame is left that looks raw") or said(results, "scaled to [0, 1]")
    assert list(results.select("dark_current", "temporal_variance"))


def test_a_group_of_flats_alone_has_no_vote(night):
    for path in files(night, "flat"):
        rewrite(path, INSTRUME="Other camera")
    results = measure_camera(catalogue(night))
    assert len(results.groups) == 2
    assert {one["group"] for one in results.verdicts["dark_below_bias"].details["by_group"]} == {"g1"}
    reasons = {one.reason for one in results.not_measured if one.conditions["group"] == "g2"}
    assert "no darks here" in reasons


def test_a_lamp_that_was_off_is_named(night):
    dark = files(night, "bias")
    for path, bias in zip(files(night, "flat", 4.0), dark, strict=False):
        with fits.open(bias) as units:
            pixels = units[0].data.copy()
        rewrite(path, lambda _, pixels=pixels: pixels)
    results = measure_camera(catalogue(night))
    assert len(said(results, "is a flat no brighter than the bias")) == 2
    assert results.find("gain").n_frames == 6


def test_float_frames_with_a_missing_pixel_are_measured(night):
    def holed(pixels):
        values = pixels.astype(np.float32)
        values[5, 7] = np.nan
        return values

    for path in sorted(night.rglob("*.fits")):
        rewrite(path, holed)
    results = measure_camera(catalogue(night))
    assert np.isfinite([one.value for one in results.measurements]).all()
    assert results.table("variance")["n_excluded"].min() >= 1


def test_one_float_dark_among_integers_is_another_group(night):
    rewrite(files(night, "dark", 60.0)[0], lambda pixels: pixels.astype(np.float32))
    results = measure_camera(catalogue(night))
    assert list(results.select("dark_current", "temporal_variance", group="g1"))


def test_a_full_scale_in_native_steps_is_understood(night):
    plain = measure_camera(catalogue(night)).find("gain").value
    for path in sorted(night.rglob("*.fits")):
        rewrite(path, DATAMAX=4095)
    assert measure_camera(catalogue(night)).find("gain").value == pytest.approx(plain)


def test_a_dark_without_temperature_is_named_and_does_not_merge_series(night):
    path = night / "dark" / "nameless.fits"  # the name would tell the temperature
    files(night, "dark", 60.0)[0].rename(path)
    with fits.open(path, mode="update") as units:
        del units[0].header["CCD-TEMP"], units[0].header["SET-TEMP"]
    results = measure_camera(catalogue(night))
    (problem,) = said(results, "has no temperature, unlike other darks")
    assert problem.file.startswith("dark/")


def test_a_given_gain_that_the_flats_contradict_is_named(night):
    results = measure_camera(catalogue(night), gain=0.05)
    (problem,) = said(results, "the given gain 0.05 contradicts the measured")
    assert problem.action == "the given one converts all numbers"
    assert results.parameters["gain_error"] is None
    assert not said(measure_camera(catalogue(night), gain=0.031), "contradicts")


def test_coarse_steps_hide_the_noise_and_every_method_says_so(tmp_path):
    coarse = replace(Sensor.from_manifest("qhy163m_like"), shape=(96, 128), native_gain=8.0)
    night = simulate(coarse, Plan("coarse", SETS), tmp_path / "coarse", seed=1)
    results = measure_camera(catalogue(night), accept=True)
    assert not list(results.select("read_noise"))
    assert not list(results.select("dark_current", exposure=10.0))
    assert not list(results.select("bias_level"))
    assert any("rounding hides it" in one.reason for one in results.not_measured if one.name == "dark_current")


def test_left_out_pixels_are_said(night):
    def hot(pixels):
        pixels = pixels.copy()
        pixels[3, 4:9] = 65520
        return pixels

    for path in files(night, "dark", 600.0):
        rewrite(path, hot)
    results = measure_camera(catalogue(night))
    note = "pixels that saturate or clip at zero in some dark are left out"
    assert any(note in one for one in results.find("dark_current", "pair", exposure=10.0).notes)


def test_nothing_usable_is_refused_in_one_line(night):
    for path in sorted(night.rglob("*.fits")):
        rewrite(path, lambda pixels: np.full_like(pixels, 7))
    with pytest.raises(InputError, match="no frame is left that looks raw"):
        measure_camera(catalogue(night))


def test_bias_frames_clipped_at_zero_are_left_out_and_the_slope_goes_on(night):
    for path in files(night, "bias"):
        rewrite(path, lambda pixels: np.where(np.arange(128) < 60, 0, pixels).astype(np.uint16))
    results = measure_camera(catalogue(night), accept=True)
    (problem,) = said(results, "of the pixels of the zero-light frames saturate or clip")
    assert problem.action == "left out"
    assert list(results.select("dark_variance_rate", "variance_slope"))
    assert "bias_level" in {one.name for one in results.not_measured}


def test_an_option_that_fits_no_group_is_refused(night):
    with pytest.raises(InputError, match="--per-bayer: the frames name no Bayer pattern"):
        measure_camera(catalogue(night), per_bayer=True)


def test_flats_that_saturate_everywhere_do_not_cost_the_gain(night):
    for path in files(night, "flat", 5.0):
        rewrite(path, lambda pixels: np.where(np.arange(128) < 1, pixels, 65520).astype(np.uint16))
    results = measure_camera(catalogue(night))
    (problem,) = said(results, "saturate nearly everywhere")
    assert problem.action.startswith("left out of the gain")
    gain = results.find("gain")
    assert gain.n_frames == 6
    assert gain.value == pytest.approx(0.03125, abs=4 * gain.std_error)
    assert results.find("saturation").value == 65520
