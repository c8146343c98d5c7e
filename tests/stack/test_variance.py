"""Streaming variances against NumPy on whole arrays, and their errors against the scatter of many trials."""

import numpy as np
import pytest
import xarray as xr

from workbench.stack import variance as module
from workbench.stack.variance import bands, difference_moments, equalised_difference, levels


def stack_of(n_frames: int, shape=(40, 50), seed=1, sigma=12.0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    pattern = rng.normal(1400, 30, shape)
    drift = rng.normal(0, 8, n_frames)[:, None, None]
    frames = pattern + drift + rng.normal(0, sigma, (n_frames, *shape))
    return xr.DataArray(np.rint(frames).astype(np.uint16), dims=("frame", "y", "x"))


def centred(stack: xr.DataArray) -> np.ndarray:
    values = stack.to_numpy().astype(np.float64)
    return values - values.mean(axis=(1, 2), keepdims=True)


def moments_of(stack: xr.DataArray, excluded=None):
    return difference_moments(stack, levels(stack).frame_means, excluded)


@pytest.mark.parametrize("n_frames", [2, 3, 7, 14])
def test_temporal_variance_is_that_of_numpy(n_frames):
    stack = stack_of(n_frames)
    expected = centred(stack).var(axis=0, ddof=1).mean() * stack[0].size / (stack[0].size - 1)
    assert moments_of(stack).temporal.value == pytest.approx(expected, rel=1e-12)


def test_pairs_and_composites_are_those_of_numpy():
    stack = stack_of(7)
    values = stack.to_numpy().astype(np.float64)
    moments = moments_of(stack)
    for k, pair in enumerate(moments.pairs):
        assert pair.value == pytest.approx((values[2 * k] - values[2 * k + 1]).var(ddof=1) / 2, rel=1e-12)
    assert sorted(moments.composites) == [2, 4, 6]
    composite = values[0] - values[1] + values[2] - values[3] + values[4] - values[5]
    assert moments.composites[6].value == pytest.approx(composite.var(ddof=1) / 6, rel=1e-12)


def test_excluded_pixels_leave_no_trace():
    stack = stack_of(6)
    excluded = np.zeros(stack.shape[1:], dtype=bool)
    excluded[3:9, 10:20] = True
    spoiled = stack.copy(deep=True)
    spoiled.values[2, 3:9, 10:20] = 65000
    clean, dirty = moments_of(stack, excluded), moments_of(spoiled, excluded)
    # the spoiled frame's provisional mean is 1900 adu off: its square cancels to 1e-9 of the variance
    assert dirty.temporal.value == pytest.approx(clean.temporal.value, rel=1e-9)
    assert dirty.frame_means == pytest.approx(clean.frame_means, abs=1e-9)
    assert dirty.n_excluded == 60
    kept = stack.to_numpy()[:, ~excluded].astype(np.float64)
    assert clean.frame_means == pytest.approx(kept.mean(axis=1), abs=1e-9)
    assert clean.temporal.value == pytest.approx(
        (kept - kept.mean(axis=1, keepdims=True)).var(axis=0, ddof=1).mean() * kept.shape[1] / (kept.shape[1] - 1),
        rel=1e-10,
    )


def test_drift_of_the_level_is_no_noise():
    quiet = stack_of(8)
    drifting = quiet + np.arange(8, dtype=np.uint16)[:, None, None] * 40
    assert moments_of(drifting).temporal.value == pytest.approx(moments_of(quiet).temporal.value, rel=1e-10)


@pytest.mark.parametrize("n_frames", [2, 6])
def test_errors_are_the_scatter_of_trials(n_frames):
    trials = 400
    found = [moments_of(stack_of(n_frames, (20, 25), seed)) for seed in range(trials)]
    for pick in (lambda one: one.temporal, lambda one: one.pairs[0], lambda one: one.composites[n_frames]):
        values = np.array([pick(one).value for one in found])
        pulls = (values - 12.0**2 - 1 / 12) / np.array([pick(one).std_error for one in found])
        assert abs(pulls.mean()) < 4 / trials**0.5
        assert pulls.std() == pytest.approx(1, abs=4 / (2 * trials) ** 0.5)


def test_hot_pixels_do_not_inflate_the_error():
    """The error refers to the mean over these pixels: a true spread between pixels is not sampling noise."""
    rng = np.random.default_rng(3)
    sigma = np.where(rng.random((30, 30)) < 0.05, 200.0, 10.0)
    truth = (sigma**2).mean()
    pulls = []
    for _ in range(300):
        frames = xr.DataArray(1000 + sigma * rng.standard_normal((4, 30, 30)), dims=("frame", "y", "x"))
        temporal = moments_of(frames).temporal
        pulls.append((temporal.value - truth) / temporal.std_error)
    # the variance of 45 hot pixels is not normal yet: the mean pull is pulled down by its skewness
    assert np.std(pulls) == pytest.approx(1, abs=0.25)


def test_out_of_range_pixels_are_found():
    stack = stack_of(3)
    stack.values[1, 4, 5] = 65520
    stack.values[2, 6, 7] = 0
    assert np.argwhere(levels(stack, 65520).out_of_range).tolist() == [[4, 5], [6, 7]]
    assert np.argwhere(levels(stack, None).out_of_range).tolist() == [[6, 7]]


@pytest.mark.parametrize("rows", [1, 7, 16, 40])
def test_bands_cover_a_lazy_stack_once(rows, monkeypatch):
    monkeypatch.setattr(module, "_READ_VALUES", 10 * 3 * 50)
    monkeypatch.setattr(module, "_BAND_VALUES", 4 * 3 * 50)
    stack = stack_of(3).chunk({"frame": 1, "y": rows})
    seen = list(bands(stack))
    assert np.concatenate([values for _, values in seen], axis=1).tolist() == stack.to_numpy().tolist()
    assert [band.start for band, _ in seen][1:] == [band.stop for band, _ in seen][:-1]
    assert max(values.shape[1] for _, values in seen) <= 4


def test_equalised_flats_lose_their_pattern():
    rng = np.random.default_rng(5)
    light = 20000 * (1 - 0.3 * np.linspace(-1, 1, 200)[:, None] ** 2) * rng.normal(1, 0.02, (200, 200))
    gain, zero = 0.5, 1000.0
    frames = [zero + rng.poisson(light * share * gain) / gain for share in (1.0, 0.95)]
    pair = xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))
    found = equalised_difference(pair, zero, None, np.zeros((200, 200), dtype=bool))
    r = found.means[0] / found.means[1]
    expected = (1 + r) * found.means[0] / gain
    assert found.spread.value == pytest.approx(expected, abs=4 * found.spread.std_error)


def test_flats_below_the_zero_level_are_refused():
    pair = xr.DataArray(np.full((2, 4, 4), 900.0), dims=("frame", "y", "x"))
    with pytest.raises(ValueError, match="is not above the zero level"):
        equalised_difference(pair, 1000.0, None, np.zeros((4, 4), dtype=bool))


def test_nothing_left_is_refused():
    stack = stack_of(2)
    with pytest.raises(ValueError, match="nothing to measure"):
        moments_of(stack, np.ones(stack.shape[1:], dtype=bool))


def test_inputs_are_not_changed():
    stack = stack_of(5)
    before = stack.to_numpy().copy()
    means = levels(stack).frame_means
    kept = means.copy()
    difference_moments(stack, means, np.zeros(stack.shape[1:], dtype=bool), maps=True)
    assert (stack.to_numpy() == before).all()
    assert (means == kept).all()
