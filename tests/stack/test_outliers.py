"""What the noise of a strip is taken to be, and which samples are listed."""

import numpy as np
import pytest
import xarray as xr

from workbench.stack.outliers import JOINS, Strip, median_factor, noise_factors, strips


@pytest.mark.parametrize("n_frames", [4, 6, 14, 40])
def test_factors_are_those_of_normal_samples(n_frames):
    values = np.sort(np.random.default_rng(5).standard_normal((n_frames, 60_000)), axis=0)
    factors = noise_factors(n_frames)
    assert factors.lowest[0] == pytest.approx(1, abs=0.02)
    for j, factor in enumerate(factors.lowest):
        assert factor == pytest.approx(values[: n_frames - j].var(axis=0, ddof=1).mean(), rel=0.02)


@pytest.mark.parametrize("others", [3, 5, 7, 13])
def test_the_median_of_the_others_adds_no_more_than_the_factor_says(others):
    values = np.random.default_rng(6).standard_normal((others, 40_000))
    added = np.median(values, axis=0).var()
    assert 0.8 * (median_factor(others) - 1) < added < 1.02 * (median_factor(others) - 1)


@pytest.mark.parametrize("height", [30, 64, 95, 96, 200])
def test_strips_hold_every_row_once(height):
    frames = np.random.default_rng(7).integers(1000, 1100, (4, height, 700)).astype(np.uint16)
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    pieces = list(strips(stack, np.full(4, 1000.0), np.ones((height, 700), dtype=bool)))
    assert [first for first, _, _ in pieces] == np.cumsum([0, *(one.shape[1] for _, one, _ in pieces)])[:-1].tolist()
    np.testing.assert_array_equal(np.concatenate([one for _, one, _ in pieces], axis=1), frames - 1000.0)


def test_few_pixels_of_a_tile_take_the_noise_of_the_strip():
    rng = np.random.default_rng(8)
    values = rng.normal(0, 10, (6, 64, 256))
    used = np.ones((64, 256), dtype=bool)
    used[:, :64] = False
    used[3, :20] = True
    strip = Strip(values, used, 0, (6, 64, 256))
    assert strip.noise == pytest.approx(np.full(256, 100.0), rel=0.1)
    assert len(set(strip.noise[:64])) == 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_sample_beyond_the_limit_is_listed(sign):
    """The cheap look at mean and variance loses none that the exact test would find."""
    rng = np.random.default_rng(9)
    values = rng.standard_t(3, (7, 64, 128))  # many outliers
    strip = Strip(values, np.ones((64, 128), dtype=bool), 0, (7, 64, 128))
    ranked = np.sort(sign * values, axis=0)
    own = ranked[:-1].var(axis=0, ddof=1) / noise_factors(7).lowest[1]
    sigma = np.sqrt(np.maximum(strip.noise, own) * median_factor(6))
    expected = np.count_nonzero(ranked[-1] - np.median(ranked[:-1], axis=0) > JOINS * sigma)
    found = strip.standing_out(sign)
    greatest = (sign * values).argmax(axis=0).ravel()
    frame, pixel = np.divmod(found.place, 64 * 128)
    assert expected > 50
    assert np.count_nonzero(frame == greatest[pixel]) == expected
