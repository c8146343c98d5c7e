"""The masked variance against NumPy's, and its error against the scatter of many trials."""

import numpy as np
import pytest
import xarray as xr

from workbench.stack.hits import Hits, find_hits
from workbench.stack.masked import masked_variance
from workbench.stack.variance import difference_moments, levels

SIGMA = 12.0


def stack_of(n_frames: int, shape=(40, 50), seed=1) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    frames = rng.normal(1400, 30, shape) + rng.normal(0, 8, (n_frames, 1, 1)) + rng.normal(0, SIGMA, (n_frames, *shape))
    return xr.DataArray(frames, dims=("frame", "y", "x"))


def hits_at(mask: np.ndarray) -> Hits:
    """Hits that mask these samples."""
    frame, row, column = np.nonzero(mask)
    return Hits(mask.shape, frame, row, column, np.zeros(len(frame), int), np.zeros(len(frame)), 70.0, mask[0].size, 0)


def random_mask(shape, share=0.02, seed=3) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def measure(stack, mask, excluded=None, *, maps=False):
    return masked_variance(stack, levels(stack).frame_means, excluded, hits_at(mask), maps=maps)


@pytest.mark.parametrize("n_frames", [4, 7])
def test_without_hits_it_is_the_temporal_variance(n_frames):
    stack = stack_of(n_frames)
    masked = measure(stack, np.zeros(stack.shape, dtype=bool), maps=True)
    plain = difference_moments(stack, levels(stack).frame_means, maps=True)
    assert masked.temporal.value == pytest.approx(plain.temporal.value, rel=1e-12)
    assert masked.temporal.std_error == pytest.approx(plain.temporal.std_error, rel=1e-9)
    np.testing.assert_allclose(masked.mean_map, plain.mean_map, rtol=1e-6)
    np.testing.assert_allclose(masked.variance_map, plain.variance_map, rtol=1e-6)


def test_masked_samples_leave_no_trace():
    stack = stack_of(6)
    mask = random_mask(stack.shape)
    spoiled = stack.where(~mask, 60000.0)
    means = levels(stack).frame_means
    clean, dirty = (masked_variance(one, means, None, hits_at(mask), maps=True) for one in (stack, spoiled))
    assert dirty.temporal == clean.temporal
    assert dirty.frames == clean.frames
    np.testing.assert_array_equal(dirty.mean_map, clean.mean_map)
    assert (clean.n_masked, clean.n_hit_pixels) == (mask.sum(), mask.any(axis=0).sum())


def test_frame_means_are_those_of_frames_without_rays():
    stack = stack_of(6)
    mask = random_mask(stack.shape)
    spoiled = stack.where(~mask, stack + 300.0)
    found = masked_variance(spoiled, levels(spoiled).frame_means, None, hits_at(mask)).frame_means
    frames = stack.to_numpy()
    truth = frames.mean(axis=(1, 2))
    # what stood under the mask is told by the other frames: the noise of those samples is all that differs
    error = SIGMA * (2 * mask.sum(axis=(1, 2))) ** 0.5 / mask[0].size
    assert (np.abs(found - truth) < 4 * error).all()
    assert np.abs(found - truth).max() > 0
    unspoiled = measure(stack, np.zeros(stack.shape, dtype=bool))
    np.testing.assert_allclose(unspoiled.frame_means, truth, rtol=1e-12)


def test_each_pixel_counts_alike_with_the_frames_that_it_keeps():
    stack = stack_of(5)
    mask = random_mask(stack.shape)
    excluded = np.zeros(stack.shape[1:], dtype=bool)
    excluded[5:8] = True
    values = np.where(mask, np.nan, stack.to_numpy() - levels(stack).frame_means[:, None, None])[:, ~excluded]
    masked = measure(stack, mask, excluded, maps=True)
    variances = np.nanvar(values, axis=0, ddof=1)
    assert masked.n_pixels == (~excluded).sum()
    np.testing.assert_allclose(masked.variance_map[~excluded], variances, rtol=1e-5)
    # the means that were removed hold the excluded pixels, so that they are off by 1 adu or so; this is corrected
    assert masked.temporal.value == pytest.approx(variances.mean(), rel=0.01)


def test_the_level_of_a_frame_is_no_noise():
    stack = stack_of(6)
    mask = random_mask(stack.shape)
    means = levels(stack).frame_means
    off = means + np.array([3.0, -8.0, 0.0, 5.0, 1.0, -2.0])
    right, wrong = (masked_variance(stack, one, None, hits_at(mask)) for one in (means, off))
    # where a sample is masked the correction holds on average only: 200 of 12000 samples, offsets of half a sigma
    assert wrong.temporal.value == pytest.approx(right.temporal.value, rel=2e-3)
    assert wrong.temporal.std_error == pytest.approx(right.temporal.std_error, rel=0.02)
    assert [one.value for one in wrong.frames] == pytest.approx([one.value for one in right.frames], rel=0.01)


def test_a_pixel_that_keeps_one_frame_is_left_out():
    stack = stack_of(4)
    mask = np.zeros(stack.shape, dtype=bool)
    mask[:3, 7, 9] = True
    masked = measure(stack, mask, maps=True)
    assert (masked.n_pixels, masked.n_excluded, masked.n_masked) == (1999, 1, 0)
    assert np.argwhere(np.isnan(masked.variance_map)).tolist() == [[7, 9]]


def test_each_frame_tells_the_variance_by_itself():
    stack = stack_of(6)
    stack[4] = 1400 + (stack[4] - 1400) * 1.0 + np.random.default_rng(9).normal(0, 20, stack.shape[1:])
    masked = measure(stack, random_mask(stack.shape))
    assert np.mean([one.value for one in masked.frames]) == pytest.approx(masked.temporal.value, rel=0.01)
    pulls = [(one.value - masked.temporal.value) / one.std_error for one in masked.frames]
    assert int(np.argmax(pulls)) == 4
    assert pulls[4] > 5


def test_errors_are_the_scatter_of_trials():
    trials = 300
    found = [measure(stack_of(5, (20, 25), seed), random_mask((5, 20, 25), 0.05, seed)) for seed in range(trials)]
    for pick in (lambda one: one.temporal, lambda one: one.frames[2]):
        pulls = np.array([(pick(one).value - SIGMA**2) / pick(one).std_error for one in found])
        assert abs(pulls.mean()) < 4 / trials**0.5
        assert pulls.std() == pytest.approx(1, abs=4 / (2 * trials) ** 0.5)


def test_no_pixel_left_is_an_error():
    stack = stack_of(4)
    with pytest.raises(ValueError, match="0 pixels are left of 2000"):
        measure(stack, np.zeros(stack.shape, dtype=bool), np.ones(stack.shape[1:], dtype=bool))


def test_it_says_what_the_mask_is_made_of():
    frames = stack_of(6, (70, 70)).to_numpy()
    frames[2, 10:13, 20] += 40 * SIGMA
    frames[5, 30, 40:42] += 40 * SIGMA
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    means = levels(stack).frame_means
    hits = find_hits(stack, means)
    masked = masked_variance(stack, means, None, hits)
    assert masked.n_events == 2
    assert masked.events_per_frame == (0, 0, 1, 0, 0, 1)
    assert masked.n_masked == 15 + 12
    assert masked.threshold == hits.threshold
