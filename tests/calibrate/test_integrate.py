"""Registered lights as one image: brightness from stars, offsets from what frames share, weights from noise."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from workbench.calibrate.integrate import brightness, integrate, integration_recipe
from workbench.calibrate.register import Registration
from workbench.errors import InputError

SHAPE = (60, 80)


def stack_of(frames):
    return xr.DataArray(np.array(frames, np.float32), dims=("frame", "y", "x"))


def stars_of(rng, flux, error):
    n = len(flux)
    places = np.random.default_rng(7).uniform(0, 4000, (n, 2))
    noisy = flux + rng.normal(0, error, n)
    return pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "flux": noisy, "flux_error": np.full(n, error)})


def registration(scale=1.0):
    return Registration(np.diag([scale, scale, 1.0]), 100, 0.1, 0.01, 0.05, (4000, 4000))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25])
def test_the_brightness_of_a_frame_is_unbiased_by_faint_stars(factor):
    flux = 10 ** np.random.default_rng(3).uniform(3.4, 5.5, 300)  # the faint ones have some ten errors
    rng = np.random.default_rng(11)
    found = [
        brightness(stars_of(rng, flux / factor, 150.0), stars_of(rng, flux, 150.0), registration()) for _ in range(40)
    ]
    ratios = np.array([one.factor for one in found]) / factor
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / np.sqrt(40) + 2e-4
    assert ratios.std() == pytest.approx(np.median([one.std_error for one in found]) / factor, rel=0.4)


def test_variable_stars_do_not_count():
    flux = np.geomspace(5e3, 1e5, 40)
    other = stars_of(np.random.default_rng(2), flux, 50.0)
    other.loc[35:39, "flux"] *= 0.4
    found = brightness(other, stars_of(np.random.default_rng(1), flux, 50.0), registration())
    assert found.factor == pytest.approx(1, abs=0.01)
    assert found.n_stars == 35


def test_a_frame_with_larger_pixels_on_the_sky_is_as_much_fainter_when_resampled():
    flux = np.geomspace(5e3, 1e5, 40)
    reference = stars_of(np.random.default_rng(1), flux, 1.0)
    frame = reference.assign(x=reference["x"] * 2, y=reference["y"] * 2)
    assert brightness(frame, reference, registration(2.0)).factor == pytest.approx(4, rel=1e-6)


def test_few_stars_tell_no_brightness_and_the_exposures_stand_in():
    table = stars_of(np.random.default_rng(1), np.array([5e3, 5e4]), 1.0)
    found = brightness(table, table, registration(), exposures=(300.0, 600.0))
    assert (found.factor, found.std_error, found.n_stars) == (2.0, None, 2)
    assert brightness(table, table, registration(), exposures=(float("nan"), 600.0)).factor == 1
    assert brightness(table, table, registration()).factor == 1


def test_where_the_exposures_stand_in_larger_pixels_count_too():
    reference = stars_of(np.random.default_rng(1), np.array([5e3, 5e4]), 1.0)
    frame = reference.assign(x=reference["x"] * 2, y=reference["y"] * 2)
    found = brightness(frame, reference, registration(2.0), exposures=(300.0, 600.0))
    assert found.factor == pytest.approx(8, rel=1e-12)
    assert found.n_stars == 2


def test_stars_that_do_not_agree_tell_no_brightness():
    flux = np.geomspace(5e3, 1e5, 6)
    table = stars_of(np.random.default_rng(1), flux, 50.0)
    other = table.assign(flux=table["flux"] * [0.2, 0.5, 1.0, 2.0, 4.0, 9.0])
    found = brightness(other, table, registration(), exposures=(600.0, 600.0))
    assert (found.factor, found.std_error) == (1, None)
    assert found.n_stars < 5


def test_frames_come_to_the_level_of_the_reference_where_they_overlap():
    columns = np.indices(SHAPE)[1]
    sky = 100.0 + 0.5 * columns
    first, second = sky.copy(), (sky - 30.0) / 1.0
    second[:, :40] = np.nan  # the dark half of the gradient is missing
    found = integrate(stack_of([first, second]), [1, 1], [5, 5], recipe=integration_recipe(rejection="none"))
    np.testing.assert_allclose(found.combination.data["signal"], sky, atol=1e-3)
    np.testing.assert_array_equal(found.combination.data["coverage"][:, 39:41], [[1, 2]] * SHAPE[0])


def test_weights_are_the_inverse_variances_of_what_is_combined():
    rng = np.random.default_rng(5)
    frames = [100 + rng.normal(0, 4, SHAPE), 100 + rng.normal(0, 8, SHAPE), 50 + rng.normal(0, 4, SHAPE)]
    found = integrate(stack_of(frames), [1, 1, 2], [4, 8, 4], recipe=integration_recipe(rejection="none"))
    np.testing.assert_allclose(found.combination.frames["weight"], np.array([4, 1, 1]) / 2, rtol=1e-6)
    scale = 2 ** (-1 / 3)  # the geometric mean of the factors is 1
    expected = scale / np.sqrt(1 / 16 + 2 / 64)
    assert float(found.combination.data["signal"].std()) == pytest.approx(expected, rel=0.03)
    assert float(found.combination.data["signal"].mean()) == pytest.approx(100, abs=1)


@pytest.mark.parametrize(
    ("factors", "noises", "said"),
    [
        ([1, 0], [1, 1], "factors: are not one number above 0 for each frame"),
        ([1, 1], [1], "noises: are not one number above 0 for each frame"),
        ([1, 1], [1, np.nan], "noises: are not one number above 0 for each frame"),
    ],
)
def test_factors_and_noises_are_checked(factors, noises, said):
    with pytest.raises(InputError, match=said):
        integrate(stack_of(np.ones((2, *SHAPE))), factors, noises)


def test_frames_that_do_not_overlap_are_named():
    frames = np.ones((2, *SHAPE))
    frames[0, :, 40:], frames[1, :, :40] = np.nan, np.nan
    with pytest.raises(InputError, match="frame 1: has no pixel in common with the reference; leave it out"):
        integrate(stack_of(frames), [1, 1], [1, 1])


def test_normalisation_and_weights_are_no_options():
    with pytest.raises(InputError, match="weights: is no option of an integration"):
        integration_recipe(weights="exposure")


def test_inputs_are_not_changed():
    stack = stack_of(np.random.default_rng(1).normal(100, 5, (3, *SHAPE)))
    before = stack.to_numpy().copy()
    integrate(stack, [1, 1.1, 0.9], [5, 5, 5])
    np.testing.assert_array_equal(stack, before)
