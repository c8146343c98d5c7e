"""May darks be scaled? Simulated cameras for which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.measure.scaling import GRID, Tiles, although_below, judge_scaling, predict, predictions, tiles_of
from workbench.results import Verdict
from workbench.stack.variance import difference_moments, levels

EXPOSURES = (75.0, 150.0, 300.0, 600.0)
N_FRAMES = 16
CLAMPED = (
    replace(Sensor.from_manifest("qhy163m_like"), shape=(384, 384))
    .without("cosmic_rays", "dark_telegraph", "read_telegraph")
)  # fmt: skip


def masters(sensor, seed, exposures, n_frames=N_FRAMES):
    """The bias and the darks as tiles; pixels that saturate in any dark are left out of all."""
    camera, rng = Camera(sensor, seed), np.random.default_rng(seed)
    stacks = {
        t: xr.DataArray(
            np.stack([camera.expose("dark" if t else "bias", t, -20.0, rng) for _ in range(n_frames)]),
            dims=("frame", "y", "x"),
        )
        for t in (0.0, *exposures)
    }
    looks = {t: levels(stack, camera.saturation) for t, stack in stacks.items()}
    excluded = np.logical_or.reduce([look.out_of_range for look in looks.values()])
    tiles = []
    for t, stack in stacks.items():
        moments = difference_moments(stack, looks[t].frame_means, excluded, maps=True)
        error = float(moments.frame_means.std(ddof=1)) / n_frames**0.5
        rest = {"exposure": t, "n_frames": n_frames, "level_error": error}
        tiles.append(tiles_of(moments.mean_map, moments.variance_map, excluded, **rest))
    return tiles[0], tiles[1:]


def verdict_of(sensor, seed=1, exposures=EXPOSURES, n_frames=N_FRAMES):
    bias, darks = masters(sensor, seed, exposures, n_frames)
    return judge_scaling(predictions(bias, darks), len(exposures), sensor.gain)


def test_a_ccd_may_be_scaled():
    sensor = replace(Sensor.from_manifest("well_behaved_ccd").without("overscan", "cosmic_rays"), shape=(384, 384))
    assert verdict_of(sensor).value == "scale"


def test_a_clamp_without_glow_may_be_scaled_though_its_darks_are_below_the_bias():
    sensor = replace(CLAMPED.without("glow"), shielded_dark_ratio=2.0)
    camera = Camera(sensor, 1)
    assert camera.dark_mean(600.0, -20.0) < camera.bias_level - 30
    verdict = verdict_of(sensor)
    assert verdict.value == "scale"
    assert "in proportion to the exposure" in verdict.reason
    explained = although_below(verdict, Verdict(value=True, reason="every dark lies below the bias"))
    assert explained.value == "scale"
    assert "that is no contradiction" in explained.reason
    assert although_below(verdict, Verdict(value=False, reason="no dark lies below")) == verdict


def test_the_factor_that_fits_best_is_judged_on_tiles_that_did_not_fit_it():
    bias, (dark, longer) = masters(CLAMPED, 3, (150.0, 600.0))
    found = predict(bias, dark, longer)
    # thermal electrons want k = 1/4, the glow less: the best factor lies between, and the corner's misfit shrinks
    assert found.k_fitted < found.k - 5 * found.k_fitted_error
    assert 0.0 < found.fitted_in_light_frames < np.nanmax(np.abs(found.in_light_frames))
    assert found.record()["max_residual_fitted_light"] == found.fitted_in_light_frames
    # a straight line of tiles is fitted exactly, whichever fields were held out
    straight = replace(dark, means=bias.means + 0.2 * (longer.means - bias.means) + 7.0)
    assert predict(bias, straight, longer).fitted_in_light_frames == pytest.approx(0.0, abs=1e-9)


def test_a_glow_in_proportion_to_the_exposure_may_be_scaled():
    assert verdict_of(replace(CLAMPED, glow_quadratic=0.0, glow_linear=1.5e-3)).value == "scale"


def test_a_glow_that_grows_with_the_square_must_be_matched():
    verdict = verdict_of(replace(CLAMPED, glow_linear=0.0))
    assert verdict.value == "match"
    row, column = verdict.details["tile"]
    glow = Camera(CLAMPED, 1).glow_shape
    brightest = np.unravel_index(np.argmax(glow), glow.shape)
    assert abs(row - brightest[0] * GRID // 384) <= 1
    assert abs(column - brightest[1] * GRID // 384) <= 1
    assert verdict.details["max_residual_sigma"] < -5  # scaled down, the longer dark brings too much glow
    assert verdict.details["max_residual_light"] < -0.1
    assert "takes too much away" in verdict.reason


def test_drift_of_the_level_is_not_held_against_scaling():
    sensor = replace(CLAMPED.without("glow"), drift=30.0)
    assert verdict_of(sensor).value == "scale"


def test_few_darks_and_few_exposures_are_not_judged_and_say_what_to_shoot():
    poor = verdict_of(CLAMPED.without("glow"), n_frames=2)
    assert poor.value == "not_judged"
    assert "times as many of each exposure" in poor.reason
    few = verdict_of(CLAMPED, exposures=(300.0, 600.0))
    assert few.value == "not_judged"
    assert "shoot darks of 3 or more" in few.reason


def test_tile_residuals_have_honest_errors():
    bias, (dark, longer) = masters(CLAMPED.without("glow"), 2, (300.0, 600.0))
    found = predict(bias, dark, longer)
    z = found.significance.ravel()
    assert z.std() == pytest.approx(1, abs=4 / (2 * z.size) ** 0.5)
    assert found.k == 0.5
    assert abs(found.offset) < 5 * found.offset_error + 1


def test_tiles_of_a_frame_without_a_common_divisor_hold_every_pixel():
    rng = np.random.default_rng(3)
    values, variance = rng.normal(1000, 1, (37, 53)), np.full((37, 53), 4.0)
    excluded = rng.random((37, 53)) < 0.1
    tiles = tiles_of(values, variance, excluded, exposure=1.0, n_frames=4, level_error=0.0)
    assert isinstance(tiles, Tiles)
    weights = 1 / tiles.errors**2  # proportional to the pixels of a tile
    assert np.average(tiles.means, weights=weights) == pytest.approx(values[~excluded].mean())
    assert (4 / 4 / tiles.errors**2).sum() == pytest.approx((~excluded).sum())
    assert tiles.sigma == pytest.approx(np.full((GRID, GRID), 2.0))
