"""Master flats: bias first, one level, overexposed ones named and left out, pixels without response masked."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from workbench.calibrate.flat_field import flat_field
from workbench.calibrate.flats import calibrate_flats, make_master_flat, overexposed
from workbench.calibrate.master_files import read_master
from workbench.calibrate.master_frame import as_master
from workbench.camera.sensor import Camera
from workbench.errors import InputError, MixedStackError
from workbench.frames.catalogue import catalogue

SHAPE = (96, 160)
LEVELS = (20_000, 30_000, 12_000, 25_000, 18_000, 28_000)  # adu
RNG = np.random.default_rng(2)
BIAS = np.round(1000 + RNG.normal(0, 30, SHAPE))
RESPONSE = 1 + 0.02 * RNG.standard_normal(SHAPE) - 0.3 * np.hypot(*np.ogrid[-1:1:96j, -1:1:160j]) ** 2
CARDS = {"IMAGETYP": "Flat Frame", "EXPTIME": 9.0, "GAIN": 100, "OFFSET": 30, "INSTRUME": "a camera", "FILTER": "R"}


@pytest.fixture
def shoot_flats(tmp_path):
    """Write flats of these levels [adu above bias] and return their rows."""

    def shoot(levels, own=None, colours=None, **cards):
        folder = tmp_path / "flats"
        folder.mkdir(exist_ok=True)
        for number, level in enumerate(levels):
            light = level * RESPONSE
            if colours is not None:
                light = light * np.tile(colours[number], (48, 80))
            noise = np.random.default_rng([3, number]).normal(0, np.sqrt(light / 2))
            pixels = np.rint(BIAS + light + noise).clip(0, 60_000).astype(np.uint16)
            unit = fits.PrimaryHDU(pixels)
            unit.header.update(CARDS | cards | (own or {}).get(number, {}))
            unit.header["DATE-OBS"] = f"2024-01-01T00:00:{number:02}"
            unit.writeto(folder / f"f{number:02}.fits", overwrite=True)
        return catalogue(folder)

    return shoot


def bias_of(**facts):
    return as_master(BIAS, "bias", name="bias.fits", **facts)


def mean_one(field):
    return field.normalised()


def test_a_master_flat_is_the_response_whatever_the_levels(shoot_flats, tmp_path):
    rows = shoot_flats(LEVELS)
    master = make_master_flat(rows, tmp_path / "flat.fits", bias=bias_of())
    field = flat_field(master.path)
    assert field.master.bias_inside is False
    truth = RESPONSE / RESPONSE.mean()
    error = mean_one(field) / truth - 1
    noise = np.sqrt(np.mean([1 / (2 * level) for level in LEVELS]) / 6 * np.mean(1 / RESPONSE))
    assert error.std() == pytest.approx(noise, rel=0.05)
    assert fits.getheader(master.path)["FLATBIAS"] == "bias.fits"


def test_with_the_bias_inside_the_response_would_be_wrong(shoot_flats, tmp_path):
    rows = shoot_flats([6000] * 4)
    right = flat_field(make_master_flat(rows, tmp_path / "flat.fits", bias=bias_of()).path)
    wrong = flat_field(read_master(tmp_path / "flat.fits")["signal"] + BIAS)  # pixels that say nothing of themselves
    corner = np.s_[:10, :10]
    truth = (RESPONSE / RESPONSE.mean())[corner].mean()
    assert mean_one(right)[corner].mean() == pytest.approx(truth, rel=0.002)
    assert mean_one(wrong)[corner].mean() > truth * 1.02


def test_darkflats_serve_as_bias_and_darks_of_other_exposures_do_not(shoot_flats, tmp_path):
    rows = shoot_flats([20_000] * 4)
    darkflat = as_master(BIAS, "darkflat", name="darkflat.fits", exposure=9.0)
    make_master_flat(rows, tmp_path / "flat.fits", bias=darkflat)
    with pytest.raises(InputError) as caught:
        make_master_flat(rows, tmp_path / "other.fits", bias=darkflat.saying(exposure=600.0))
    assert str(caught.value) == (
        "darkflat.fits: is a darkflat of 600 s, and the flats are of 9 s: it takes too much from them; give the master "
        "bias, or darkflats of the flats' exposure"
    )


def test_a_bias_of_another_setting_is_refused(shoot_flats, tmp_path):
    with pytest.raises(InputError, match=r"its gain setting is 100(\.0)?, that of bias.fits is 0; "):
        make_master_flat(shoot_flats([20_000] * 3), tmp_path / "flat.fits", bias=bias_of(settings={"gain_setting": 0}))


def test_overexposed_flats_are_named_and_left_out(shoot_flats, tmp_path):
    rows = shoot_flats([20_000, 59_000, 21_000, 80_000, 22_000], own={1: {"SATURATE": 60_000}})
    found = overexposed(rows)
    assert [one.file for one in found] == ["f01.fits", "f03.fits"]
    assert found[0].rule.startswith("is overexposed: ")
    assert found[0].rule.endswith("% of its pixels are above 90 % of saturation (60000 adu)")
    assert found[1].rule.endswith("% of its pixels are at its highest value, 60000 adu")
    master = make_master_flat(rows, tmp_path / "flat.fits", bias=bias_of())
    assert list(master.inputs["file"]) == ["f00.fits", "f02.fits", "f04.fits"]
    assert [one.file for one in master.problems][:2] == ["f01.fits", "f03.fits"]


def test_a_saturation_that_was_measured_goes_before_a_claim(shoot_flats):
    rows = shoot_flats([20_000, 29_000], SATURATE=60_000)
    assert not overexposed(rows)
    assert [one.file for one in overexposed(rows, saturation=31_000)] == ["f01.fits"]


def test_when_all_are_overexposed_there_is_no_master(shoot_flats, tmp_path):
    with pytest.raises(InputError) as caught:
        make_master_flat(shoot_flats([90_000] * 3), tmp_path / "flat.fits", bias=bias_of())
    assert str(caught.value).startswith("f00.fits: is overexposed: ")
    assert str(caught.value).endswith("(3 of 3 flats); shoot shorter flats")
    assert not (tmp_path / "flat.fits").exists()


def test_flats_of_two_filters_are_refused(shoot_flats, tmp_path):
    rows = shoot_flats([20_000] * 4, own={2: {"FILTER": "G"}})
    with pytest.raises(MixedStackError, match=r"f02\.fits: its filter is G, that of 3 other frames is R"):
        make_master_flat(rows, tmp_path / "flat.fits", bias=bias_of())


def test_a_sky_that_changes_its_colour_leaves_each_colour_its_level(shoot_flats, tmp_path):
    dusk = [[[0.6 + 0.05 * n, 1.0], [1.0, 0.8 - 0.05 * n]] for n in range(6)]
    rows = shoot_flats([20_000] * 6, colours=dusk, BAYERPAT="RGGB")
    master = make_master_flat(rows, tmp_path / "flat.fits", bias=bias_of())
    field = flat_field(master.path)
    colours = [mean_one(field)[y::2, x::2].mean() for y in (0, 1) for x in (0, 1)]
    assert np.allclose(colours, 1, atol=1e-6)
    error = mean_one(field) / RESPONSE
    assert error.std() / error.mean() < 0.004
    assert master.share_rejected("high") < 0.01  # brought to one level, no frame sticks out
    apart = flat_field(master.path, by_colour=False)
    assert mean_one(apart)[::2, ::2].mean() < 0.8


def test_stacks_in_memory_and_lazy_ones_are_calibrated_alike():
    values = RNG.normal(20_000, 50, (3, *SHAPE)).astype(np.float32)
    stack = xr.DataArray(values, dims=("frame", "y", "x"))
    here = calibrate_flats(stack, BIAS, by_colour=True)
    lazy = calibrate_flats(stack.chunk({"frame": 1, "y": 40}), BIAS, by_colour=True)
    assert np.array_equal(here.to_numpy(), lazy.to_numpy())
    assert here.attrs["units"] == "adu"
    levels = [[np.median(frame[y::2, x::2]) for y in (0, 1) for x in (0, 1)] for frame in here.to_numpy()]
    assert np.allclose(levels, levels[0], rtol=1e-6)


def test_a_frame_whose_colour_has_no_light_is_named():
    values = np.full((2, *SHAPE), 5000.0)
    values[1, ::2, 1::2] = 900
    stack = xr.DataArray(values, dims=("frame", "y", "x"), coords={"file": ("frame", ["a.fits", "b.fits"])})
    with pytest.raises(InputError, match=r"b\.fits: has a colour without light; "):
        calibrate_flats(stack, BIAS, by_colour=True)


def test_a_flat_most_of_which_has_no_response_is_none():
    with pytest.raises(InputError, match=r"flat.fits: .* of its 15360 pixels are not above 0; "):
        flat_field(as_master(RESPONSE - 1, "flat", name="flat.fits"))


def test_dead_pixels_are_masked_on_either_side_of_0(night):
    sensor = replace(night.truth.camera.sensor, shape=(200, 300), dead_fraction=0.01)
    camera, rng = Camera(sensor, 3), np.random.default_rng(4)
    flats = np.array([camera.expose("flat", 9.0, -20.0, rng, light=100.0) for _ in range(10)]) - camera.offset_map
    mean, error = flats.mean(axis=0), flats.std(axis=0, ddof=1) / np.sqrt(len(flats))
    assert np.count_nonzero(mean[camera.dead] > 0) > 100  # what a mask of pixels at or below 0 would leave
    for known in (None, error):
        field = flat_field(as_master(mean, "flat", bias_inside=False, std_error=known))
        np.testing.assert_array_equal(np.isnan(field.normalised()), camera.dead)
        assert field.n_masked == camera.dead.sum()
        off = (field.normalised() * camera.response[~camera.dead].mean() / camera.response)[~camera.dead] - 1
        noise = np.sqrt(np.mean((error / mean)[~camera.dead] ** 2))
        assert off.std() == pytest.approx(noise, rel=4 * np.sqrt((1 / 2 + 1 / 18) / off.size))


def test_in_faint_flats_what_is_noise_is_masked_by_its_error():
    truth = np.full(SHAPE, 20.0)  # adu
    truth[::8, ::8] = 0.0
    flat = truth + RNG.normal(0, 2, SHAPE)
    alone, known = (
        flat_field(as_master(flat, "flat", bias_inside=False, std_error=error)) for error in (None, np.full(SHAPE, 2.0))
    )
    dead = truth == 0
    assert np.count_nonzero(alone.normalised()[dead] > 0) > 30
    assert np.isnan(known.normalised()[dead]).all()
    # 20 adu are 10 errors: 5 of them are as far below as 5 above, and no pixel in a million falls there
    assert known.n_masked == dead.sum()


def test_the_limit_of_a_bayer_sensor_is_that_of_each_colour():
    narrow = np.tile([[10_000.0, 300.0], [300.0, 150.0]], (20, 30))  # a red line filter
    narrow[4, 5] = 10.0
    flat = as_master(narrow, "flat", bias_inside=False, bayer_pattern="RGGB")
    for by_colour in (None, False):
        assert np.argwhere(flat_field(flat, by_colour=by_colour).response == 0).tolist() == [[4, 5]]


def test_a_flat_that_is_dark_almost_all_over_is_none():
    flat = np.full(SHAPE, 10.0)
    flat[:20, :20] = 30_000
    rule = "14960 of its 15360 pixels have less than 5 % of the mean response, or than 5 times its standard error; "
    with pytest.raises(InputError, match=f"flat.fits: {rule}shoot flats that have light all over"):
        flat_field(as_master(flat, "flat", name="flat.fits", bias_inside=False))


def test_a_flat_field_is_taken_as_it_is():
    field = flat_field(RESPONSE)
    assert flat_field(field) is field
    assert mean_one(field).mean() == pytest.approx(1)


def test_the_session_makes_its_flat(night, tmp_path):
    master = make_master_flat(night.frames("flat"), tmp_path / "flat.fits", bias=night.darkflat)
    field = mean_one(flat_field(master.path))
    error = SimpleNamespace(each=field / night.truth.flat_field - 1)
    expected = np.median(master.combination.data["std_error"] / master.combination.data["signal"])
    assert error.each.std() == pytest.approx(float(expected), rel=0.08)
