"""Streaming variances against NumPy on whole arrays, and their errors against the scatter of many trials."""

import numpy as np
import pytest
import xarray as xr

from workbench.stack.variance import difference_moments, equalised_difference, levels


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


@pytest.mark.parametrize("jump", [3, 400, 60000])
def test_left_out_pixels_that_change_level_between_frames_do_not_inflate_the_errors(jump):
    """They carry the frames' means over all pixels along, which must not show in what the other pixels tell."""
    rng = np.random.default_rng(8)
    frames = 1400 + rng.normal(0, 12, (6, 60, 50)) + rng.normal(0, 3, 6)[:, None, None]
    excluded = rng.random((60, 50)) < 0.3
    spoiled = frames + jump * np.arange(6)[:, None, None] * excluded
    clean, dirty = (
        difference_moments(stack, stack.mean(("y", "x")).to_numpy(), excluded)
        for stack in (xr.DataArray(one, dims=("frame", "y", "x")) for one in (frames, spoiled))
    )
    pairs = zip(clean.pairs, dirty.pairs, strict=True)
    composites = [(clean.composites[n], dirty.composites[n]) for n in (2, 4, 6)]
    for expected, found in (*pairs, *composites):
        assert found.value == pytest.approx(expected.value, rel=1e-10)
        assert found.std_error == pytest.approx(expected.std_error, rel=1e-8)
    assert dirty.temporal.value == pytest.approx(clean.temporal.value, rel=1e-10)
    # corrected on average: what 2100 pixels scatter is left
    assert dirty.temporal.std_error == pytest.approx(clean.temporal.std_error, rel=5e-3)


@pytest.mark.parametrize("n_frames", [2, 3, 8])
def test_errors_are_those_of_the_means_over_kept_pixels(n_frames):
    """Where left-out pixels move the means by less than the noise, so that they are not replaced at once."""
    rng = np.random.default_rng(9)
    kept = rng.normal(0, 12, (n_frames, 20000))
    kept -= kept.mean(axis=1, keepdims=True)
    shifts = rng.normal(0, 2.0, n_frames)
    frames = xr.DataArray((kept + 1400 + shifts[:, None]).reshape(n_frames, 100, 200), dims=("frame", "y", "x"))
    found = difference_moments(frames, np.full(n_frames, 1400.0))
    variances = kept.var(axis=0, ddof=1)
    assert found.temporal.value == pytest.approx(variances.sum() / 19999, rel=1e-10)
    expected = (2 / (n_frames + 1) * (variances**2).sum()) ** 0.5 / 20000
    assert found.temporal.std_error == pytest.approx(expected, rel=2e-3)
    assert found.pairs[0].std_error == pytest.approx(
        (2 / 3 * ((kept[0] - kept[1]) ** 4).sum()) ** 0.5 / 2 / 20000, rel=1e-9
    )


def test_pixels_without_a_finite_value_are_out_of_range():
    stack = stack_of(6).astype(np.float32)
    clean = stack.copy(deep=True)
    stack.values[1, 4, 5], stack.values[2, 6, 7], stack.values[3, 0, 0] = np.nan, np.inf, -np.inf
    look = levels(stack, 65520)
    assert np.argwhere(look.out_of_range).tolist() == [[0, 0], [4, 5], [6, 7]]
    finite = np.where(np.isfinite(stack.values), stack.values, np.nan).astype(np.float64)
    assert look.frame_means == pytest.approx(np.nanmean(finite, axis=(1, 2)), rel=1e-12)
    found = difference_moments(stack, look.frame_means, look.out_of_range, maps=True)
    expected = moments_of(clean, look.out_of_range)
    assert found.temporal.value == pytest.approx(expected.temporal.value, rel=1e-9)
    assert found.composites[6].std_error == pytest.approx(expected.composites[6].std_error, rel=1e-9)
    assert (np.isnan(found.mean_map) == look.out_of_range).all()
    assert (np.isnan(found.variance_map) == look.out_of_range).all()


def test_a_frame_without_a_finite_value_does_not_vanish():
    stack = stack_of(3).astype(np.float64)
    stack.values[1] = np.nan
    look = levels(stack)
    assert np.isfinite(look.frame_means).tolist() == [True, False, True]
    assert look.out_of_range.all()
    with pytest.raises(ValueError, match="0 pixels are left of 2000: nothing to measure"):
        difference_moments(stack, look.frame_means, look.out_of_range)


def test_a_value_that_is_not_finite_never_enters_a_sum():
    stack = stack_of(3).astype(np.float64)
    stack.values[1, 4, 5] = np.nan
    with pytest.raises(ValueError, match="frame 1 has no finite value at a pixel that is not left out"):
        difference_moments(stack, levels(stack).frame_means)


def test_pixels_without_a_zero_level_do_not_enter_the_gain():
    rng = np.random.default_rng(6)
    pair = xr.DataArray(rng.normal(9000, 30, (2, 20, 20)), dims=("frame", "y", "x"))
    zero_map, excluded = np.full((20, 20), 1000.0, dtype=np.float32), np.zeros((20, 20), dtype=bool)
    zero_map[3, 4] = np.nan
    found = equalised_difference(pair, 1000.0, zero_map, excluded)
    assert (found.n_pixels, found.n_excluded) == (399, 1)
    excluded[3, 4] = True
    assert found == equalised_difference(pair, 1000.0, np.full((20, 20), 1000.0), excluded)


def test_out_of_range_pixels_are_found():
    stack = stack_of(3)
    stack.values[1, 4, 5] = 65520
    stack.values[2, 6, 7] = 0
    assert np.argwhere(levels(stack, 65520).out_of_range).tolist() == [[4, 5], [6, 7]]
    assert np.argwhere(levels(stack, None).out_of_range).tolist() == [[6, 7]]


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
