"""Lights calibrated, by hand-worked examples and against the truth; and what is refused, word for word."""

import numpy as np
import pytest

from workbench.calibrate.dark_scale import exposure_scale
from workbench.calibrate.lights import (
    calibrate_default,
    calibrate_matched,
    calibrate_stack,
    default_calibration,
    matched_calibration,
)
from workbench.calibrate.master_frame import as_master
from workbench.errors import InputError
from workbench.frames.load import load_stack
from workbench.results import Verdict

RNG = np.random.default_rng(5)
BIAS = 1000 + RNG.normal(0, 3, (40, 60))
DARK = BIAS + RNG.exponential(50, (40, 60))
FLAT = 20_000 + RNG.normal(0, 200, (40, 60))
LIGHT = np.rint(BIAS + RNG.normal(300, 20, (40, 60))).astype(np.uint16)


def test_a_matched_light_is_the_formula_of_the_paper():
    got = calibrate_matched(LIGHT, DARK, FLAT, dtype=np.float64).values
    assert np.allclose(got, (LIGHT - DARK) * FLAT.mean() / FLAT, rtol=1e-13)


def test_a_default_light_is_the_formula_of_the_reference_program():
    got = calibrate_default(LIGHT, BIAS, DARK, 0.4, FLAT, dtype=np.float64).values
    assert np.allclose(got, (LIGHT - BIAS - 0.4 * (DARK - BIAS)) * FLAT.mean() / FLAT, rtol=1e-12)


def test_a_dark_without_its_bias_gives_the_same_as_one_with_it():
    alone = as_master(DARK - BIAS, "dark", bias_inside=False)
    with_it = calibrate_default(LIGHT, BIAS, DARK, 0.4, dtype=np.float64).values
    assert np.allclose(calibrate_default(LIGHT, BIAS, alone, 0.4, dtype=np.float64).values, with_it, atol=1e-10)


def test_with_k_of_one_the_default_is_the_matched():
    default = calibrate_default(LIGHT, BIAS, DARK, 1.0, FLAT).values
    assert np.array_equal(default, calibrate_matched(LIGHT, DARK, FLAT).values)


def test_a_flat_is_freed_of_its_bias_once():
    raw = as_master(FLAT + BIAS, "flat", bias_inside=True)
    with_its_own = calibrate_matched(LIGHT, DARK, raw, flat_bias=BIAS, dtype=np.float64).values
    assert np.allclose(with_its_own, calibrate_matched(LIGHT, DARK, FLAT, dtype=np.float64).values, rtol=1e-12)
    by_default = calibrate_default(LIGHT, BIAS, DARK, 1.0, raw, dtype=np.float64).values
    assert np.allclose(by_default, with_its_own, rtol=1e-12)


def test_nothing_is_clipped_unless_that_is_asked_for_and_then_it_is_counted_and_mapped():
    light = np.array([[90, 101], [100, 99]], np.uint16)
    dark = np.full((2, 2), 100.0)
    free = calibrate_matched(light, dark)
    assert free.values.tolist() == [[-10, 1], [0, -1]]
    assert (free.n_negative, free.n_clipped, free.clipped) == (2, 0, None)
    clipped = calibrate_matched(light, dark, clip=True)
    assert clipped.values.tolist() == [[0, 1], [0, 0]]
    assert (clipped.n_negative, clipped.n_clipped) == (2, 2)
    assert clipped.clipped.tolist() == [[True, False], [False, True]]
    lifted = calibrate_matched(light, dark, clip=True, pedestal=5.0)
    assert (lifted.values.tolist(), lifted.n_clipped, lifted.pedestal) == ([[0, 6], [5, 4]], 1, 5.0)


def test_pixels_without_response_are_masked_not_divided_by():
    flat = FLAT.copy()
    flat[3, 4], flat[5, 6], flat[7, 8] = 0, -20, np.nan
    got = calibrate_matched(LIGHT, DARK, flat)
    assert got.n_masked == 3
    assert np.argwhere(np.isnan(got.values)).tolist() == [[3, 4], [5, 6], [7, 8]]
    good = flat > 0
    assert got.values[0, 0] == pytest.approx((LIGHT - DARK)[0, 0] * flat[good].mean() / flat[0, 0], rel=1e-6)


def test_every_colour_of_a_bayer_sensor_keeps_its_level():
    response = np.tile([[0.5, 1.0], [1.0, 0.7]], (20, 30)) * 10_000
    coloured = as_master(response, "flat", bias_inside=False, bayer_pattern="RGGB")
    light = np.full((40, 60), 1100, np.uint16)
    dark = np.full((40, 60), 1000.0)
    assert np.allclose(calibrate_matched(light, dark, coloured).values, 100, rtol=1e-6)
    assert calibrate_matched(light, dark, response).values[0, 0] == pytest.approx(160)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32, np.float64])
def test_lights_of_any_type_give_the_same_and_stay_as_they_are(kind):
    light, dark, flat = LIGHT.astype(kind), DARK.copy(), FLAT.copy()
    got = calibrate_matched(light, dark, flat, clip=True)
    assert np.array_equal(got.values, calibrate_matched(LIGHT, DARK, FLAT, clip=True).values)
    assert np.array_equal(light, LIGHT.astype(kind))
    assert np.array_equal(dark, DARK)
    assert np.array_equal(flat, FLAT)


def test_a_stack_is_calibrated_lazily_and_each_frame_as_it_is_alone(night):
    stack = load_stack(night.frames("light")[:3])
    calibration = matched_calibration(night.dark, night.flat)
    lazy = calibrate_stack(stack, calibration)
    assert lazy.chunks is not None
    assert lazy.attrs["units"] == "adu"
    assert list(lazy["file"].to_numpy()) == list(stack["file"].to_numpy())
    alone = calibration.apply(stack[1].to_numpy()).values
    assert np.array_equal(lazy[1].to_numpy(), alone)
    assert np.array_equal(calibrate_stack(stack.compute(), calibration)[1].to_numpy(), alone)


# ---- the session, against its truth ---------------------------------------------------------------------------------


def residuals(night, calibration, drift):
    """Average what is left of the truth over all lights [adu], but for hits; ``drift`` is that of the masters."""
    left = []
    for file in night.truth.lights:
        pixels = night.table.set_index("file").loc[file, "source"].read()
        truth = night.truth.calibrated(file) / night.gain
        left.append(calibration.apply(pixels).values - truth - (night.truth.drift(file) - drift))
    left = np.array(left)
    middle = np.median(left, axis=0)
    spread = 1.4826 * np.median(np.abs(left - middle), axis=0)
    return np.mean(left, axis=0, where=np.abs(left - middle) < 6 * spread)


def drift_of(night, kind, exposure):
    """Return the mean step of the frames of a master [adu]."""
    return np.mean([night.truth.drift(file) for file in night.frames(kind, exposure)["file"]])


def corner(night):
    dark = night.truth.camera.dark_electrons(600, -20)
    top, left = np.unravel_index(np.argmax(dark[:416, :576].reshape(13, 32, 18, 32).mean(axis=(1, 3))), (13, 18))
    return slice(32 * top, 32 * top + 32), slice(32 * left, 32 * left + 32)


def judged(left, where):
    """Return mean and standard error of a tile, but for hot pixels."""
    values = left[where].ravel()
    away = np.abs(values - np.median(values))
    kept = values[away < 6 * 1.4826 * np.median(away)]
    return kept.mean(), kept.std(ddof=1) / kept.size**0.5


def test_a_matched_dark_leaves_no_glow_and_a_scaled_one_does(night):
    place = corner(night)
    drift = drift_of(night, "dark", 600)
    matched = judged(residuals(night, matched_calibration(night.dark, night.flat), drift), place)
    assert abs(matched[0]) < 2 * matched[1]
    k = exposure_scale(600, 1200).k
    drift = (1 - k) * drift_of(night, "bias", 5e-5) + k * drift_of(night, "dark", 1200)
    calibration = default_calibration(night.bias, night.long_dark, k, night.flat)
    scaled = judged(residuals(night, calibration, drift), place)
    assert abs(scaled[0]) > 5 * scaled[1]


def test_the_flat_field_is_gone_within_two_thousandths(night):
    response = night.flat.signal / night.flat.signal.mean(dtype=np.float64) / night.truth.flat_field
    tiles = response[:416, :576].reshape(13, 32, 18, 32).mean(axis=(1, 3))
    assert np.abs(tiles - 1).max() < 0.002


# ---- refusals -------------------------------------------------------------------------------------------------------


def refused(action):
    with pytest.raises(InputError) as caught:
        action()
    return str(caught.value)


def named(pixels=DARK, kind="dark", name="dark.fits", **facts):
    return as_master(pixels, kind, name=name, **facts)


def test_a_dark_without_its_bias_is_no_match():
    said = refused(lambda: matched_calibration(named(DARK - BIAS, bias_inside=False)))
    assert said == (
        "dark.fits: has had its bias subtracted, and the light has not: the light's bias would stay; use a master of "
        "raw darks, or calibrate with its bias beside it (default_calibration, k = 1)"
    )


@pytest.mark.parametrize("prepare", [matched_calibration, lambda dark: default_calibration(BIAS, dark)])
def test_a_dark_that_does_not_tell_of_its_bias_is_asked_for_it(prepare):
    said = refused(lambda: prepare(named(bias_inside=None)))
    assert said.startswith("dark.fits: does not say whether the bias is still in its pixels")
    assert "as_master(file, 'dark', bias_inside=True)" in said


@pytest.mark.parametrize("noise", [9, 200])  # [adu]
def test_a_bias_is_not_subtracted_twice(noise):
    said = refused(lambda: matched_calibration(DARK).apply(LIGHT - BIAS + RNG.normal(0, noise, BIAS.shape)))
    assert "its bias has gone already; calibrate the raw light" in said
    assert "adu would be subtracted" in said
    flat = named(FLAT, "flat", "flat.fits")
    said = refused(lambda: matched_calibration(DARK, flat, flat_bias=named(BIAS, "bias", "bias.fits")))
    assert said == (
        "flat.fits: its bias was subtracted already: bias.fits would be subtracted a second time; leave flat_bias out"
    )


def test_a_bias_less_a_bias_is_none():
    said = refused(lambda: default_calibration(named(BIAS - 1000, "bias", "bias.fits", bias_inside=False)))
    assert said.startswith("bias.fits: says that a bias was subtracted from it already")


def test_a_clipped_dark_is_refused():
    said = refused(lambda: default_calibration(BIAS, named(np.clip(DARK - BIAS - 5, 0, None), bias_inside=False)))
    assert "was clipped: " in said
    assert "% of its pixels are exactly 0 and none is below; combine its frames anew with the bias inside" in said
    default_calibration(BIAS, named(DARK - BIAS - 5, bias_inside=False))


def test_a_dark_is_not_scaled_against_its_verdict():
    dark = named(scalable=False, reason="the corner misses 30 electrons")
    said = refused(lambda: default_calibration(BIAS, dark, 0.5))
    assert said == (
        "dark.fits: may not be scaled (k = 0.5): the corner misses 30 electrons; use darks of the lights' exposure; "
        "scale_anyway=True scales all the same"
    )
    assert "the glow" in refused(lambda: default_calibration(BIAS, named(), 0.5, verdict=Verdict("match", "the glow")))
    assert default_calibration(BIAS, dark, 0.5, scale_anyway=True).k == 0.5
    assert default_calibration(BIAS, dark, 0.5, verdict=Verdict("scale", "it does")).k == 0.5
    assert default_calibration(BIAS, dark, 1.0).k == 1.0


def test_a_dark_is_not_scaled_up():
    said = refused(lambda: default_calibration(BIAS, named(), 2.0))
    assert said.startswith("dark.fits: would be scaled up by 2: its noise grows with it")
    assert said.endswith("shoot darks at least as long as the lights; scale_anyway=True does it")
    assert refused(lambda: default_calibration(BIAS, named(), -0.1)).startswith("k: is -0.1; ")
    assert refused(lambda: default_calibration(BIAS, named(), np.nan)).startswith("k: is nan; ")


def test_a_flat_that_holds_its_bias_needs_it():
    flat = named(FLAT, "flat", "flat.fits", bias_inside=True)
    said = refused(lambda: matched_calibration(DARK, flat))
    assert said == (
        "flat.fits: still holds its bias: dividing by it corrects too little; give its master bias or darkflat "
        "(flat_bias)"
    )


def test_a_long_dark_is_no_bias_of_a_flat():
    flat = named(FLAT, "flat", "flat.fits", bias_inside=True, exposure=9.0)
    said = refused(lambda: matched_calibration(DARK, flat, flat_bias=named(exposure=600.0)))
    assert said == (
        "dark.fits: is a dark of 600 s, and the flats are of 9 s: it takes too much from them; give the master bias, "
        "or darkflats of the flats' exposure"
    )
    matched_calibration(DARK, flat, flat_bias=named(BIAS, exposure=9.0))


def test_masters_of_other_settings_are_refused():
    flat = named(FLAT, "flat", "flat.fits", settings={"gain_setting": 0, "camera": "A"})
    said = refused(lambda: matched_calibration(named(settings={"gain_setting": 174, "camera": "A"}), flat))
    assert said == "flat.fits: its gain setting is 0, that of dark.fits is 174; use masters of one gain setting"
    said = refused(lambda: matched_calibration(named(), named(FLAT[:30], "flat", "flat.fits")))
    assert said.startswith("flat.fits: has 60 x 30 pixels, dark.fits has 60 x 40; ")


def test_a_light_of_another_shape_is_refused():
    said = refused(lambda: matched_calibration(DARK).apply(LIGHT[:30]))
    assert said == (
        "light: has 60 x 30 pixels, the masters have 60 x 40; calibrate with masters of the same binning and region"
    )


def test_another_kind_of_master_is_refused():
    flat = named(FLAT, "flat", "flat.fits")
    assert refused(lambda: matched_calibration(flat)) == (
        "flat.fits: is a master flat, not a master dark; give the master dark"
    )
    assert "numbers of shape (y, x)" in refused(lambda: matched_calibration(DARK[None]))
