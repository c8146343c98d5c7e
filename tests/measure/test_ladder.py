"""The ladder of estimators against the truth; one cosmic ray."""

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Sensor
from workbench.measure.ladder import estimator_ladder, one_ray
from workbench.stack.variance import difference_moments

N_TRIALS = 100
N_FRAMES = 8
PLAIN = Sensor(
    "plain",
    (32, 40),
    3.8,
    16,
    0.5,
    bias_level=1000.0,
    pixel_pattern=3.0,
    drift=0.5,
    clamp_share=1.0,
    read_noise=2.0,
    dark_current=0.01,
    dark_spread=0.3,
)


@pytest.fixture(scope="module")
def ladder():
    return estimator_ladder(
        PLAIN, 600.0, n_frames=N_FRAMES, n_bias=12, n_trials=N_TRIALS, seed=20261122, shape=PLAIN.shape
    )


NOISE_METHODS = ["pair", "composite", "mean_of_pairs", "temporal_variance", "temporal_variance_masked"]
SEVERAL = ["variance_slope", "two_exposure_difference"]


@pytest.mark.parametrize("method", NOISE_METHODS + SEVERAL)
def test_a_method_that_asks_the_noise_finds_the_truth_within_its_stated_error(ladder, method):
    rows = ladder.loc[method]
    assert ladder.attrs["truth"] == pytest.approx(0.01, rel=0.05)
    assert (rows["bias"].abs() < 4 * rows["bias_error"]).all()
    assert (rows["ratio"] - 1).abs().max() < 4 / (2 * N_TRIALS) ** 0.5
    assert (rows["n_trials"] == N_TRIALS).all()


def test_the_mean_under_a_clamp_misses_it_and_the_ratio_of_variances_is_anything(ladder):
    mean, ratio = ladder.loc["mean_difference"].iloc[0], ladder.loc["two_exposure_ratio"].iloc[0]
    assert mean["bias"] == pytest.approx(-ladder.attrs["truth"], abs=4 * mean["bias_error"])
    assert ratio["efficiency"] < 0.01


@pytest.mark.parametrize(
    ("method", "n_frames", "gain"),
    [
        *(("composite", n, 1.0) for n in range(4, N_FRAMES + 1, 2)),
        ("mean_of_pairs", N_FRAMES, (N_FRAMES / 2) ** 0.5),
        ("temporal_variance", N_FRAMES, (N_FRAMES - 1) ** 0.5),
    ],
)
def test_a_composite_is_no_better_than_a_pair_and_the_temporal_variance_is_by_the_root_of_n_minus_1(
    ladder, method, n_frames, gain
):
    pair, other = ladder.loc[("pair", 2)], ladder.loc[(method, n_frames)]
    # the bias frames' own variance is in both: (RON^2 / (RON^2 + lambda))^2 = 1/6 of the pair's over 11
    zero = 2 * (4 / 10) ** 2 / 11
    expected = ((2 + zero) / (2 / gain**2 + zero)) ** 0.5
    assert pair["scatter"] / other["scatter"] == pytest.approx(expected, rel=4 / N_TRIALS**0.5)
    assert other["scatter"] > 0.5 * pair["scatter"] or gain > 1


def test_efficiency_is_that_of_the_temporal_variance(ladder):
    best = ladder.loc["temporal_variance"].iloc[0]
    assert best["efficiency"] == pytest.approx(1.0, abs=4 * 2 / (2 * N_TRIALS) ** 0.5)
    assert ladder.loc[("pair", 2), "efficiency"] < 0.5
    assert best["scatter"] == pytest.approx(ladder.attrs["ideal"], rel=4 / (2 * N_TRIALS) ** 0.5)


def test_cosmic_rays_spoil_every_method_but_the_masked_one():
    from dataclasses import replace

    struck = replace(PLAIN, pixel_size=24.0, cosmic_ray_rate=1.0)  # large pixels: as many hits a pixel as in hours
    table = estimator_ladder(struck, 600.0, n_frames=8, n_bias=12, n_trials=12, seed=5, shape=PLAIN.shape)
    masked, plain = (table.loc[(name, 8)] for name in ("temporal_variance_masked", "temporal_variance"))
    assert plain["bias"] > table.attrs["truth"]
    assert abs(masked["bias"]) < 4 * masked["std_error"]


def test_the_ladder_refuses_an_odd_number_of_frames():
    with pytest.raises(ValueError, match="n_frames = 5, n_trials = 10: give an even number from 4 on"):
        estimator_ladder(PLAIN, 600.0, n_frames=5, n_trials=10)


@pytest.mark.parametrize("track", [1, 3])
def test_what_one_ray_adds_is_exact(track):
    n, shape, exposure, charge = 6, (30, 40), 600.0, 2700.0
    values = np.full((n, *shape), 500.0)
    values[0, 7, 9 : 9 + track] += charge / track
    stack = xr.DataArray(values, dims=("frame", "y", "x"))
    moments = difference_moments(stack, values.mean(axis=(1, 2)))
    found = {
        "mean_difference": (values.mean() - 500.0) / exposure,
        "pair": moments.pairs[0].value / exposure,
        "composite": moments.composites[n].value / exposure,
        "mean_of_pairs": np.mean([one.value for one in moments.pairs]) / exposure,
        "temporal_variance": moments.temporal.value / exposure,
    }
    table = one_ray(charge, n_pixels=1200, exposure=exposure, n_frames=n, sigma=2.0, track=track)
    # that the track's charge has a mean is second order in track / N
    assert dict(table["rise"]) == pytest.approx(found, rel=2 * track / 1200)
    if track == 1:
        assert dict(table["rise"]) == pytest.approx(found, rel=1e-9)


def test_the_papers_pair_moves_by_4e_4_when_one_pixel_holds_2700_electrons():
    table = one_ray(2700, n_pixels=16_398_432, exposure=600, n_frames=14, sigma=2.4)
    assert table.loc["pair", "rise"] == pytest.approx(3.7e-4, rel=0.01)
    assert table.loc["pair", "sigmas"] > 100
    assert table.loc["composite", "rise"] == pytest.approx(table.loc["pair", "rise"] / 7)
    assert table.loc["temporal_variance", "rise"] == table.loc["composite", "rise"]
    with pytest.raises(ValueError, match="no even number"):
        one_ray(2700, n_pixels=100, exposure=600, n_frames=3, sigma=2.4)
