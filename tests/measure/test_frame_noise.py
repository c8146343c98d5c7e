"""Noise in time and over the sensor in parts of pixels, rows and columns."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import NotMeasurableError
from workbench.measure.frame_noise import frame_noise, pattern, single_frame
from workbench.measure.line_parts import Lines, parts_of
from workbench.stack.variance import difference_moments, levels

SHAPE = (40, 60)


def frames_of(n, rng, rows=0.0):
    """Pixel noise 10, row noise as given, a pattern of rows 3, columns 5 and pixels 4, drift 20 [adu]."""
    fixed = np.random.default_rng(0)
    pattern_map = 3 * fixed.normal(size=(SHAPE[0], 1)) + 5 * fixed.normal(size=SHAPE[1]) + 4 * fixed.normal(size=SHAPE)
    drift = 20 * rng.normal(size=(n, 1, 1))
    noise = 10 * rng.normal(size=(n, *SHAPE)) + rows * rng.normal(size=(n, SHAPE[0], 1))
    return 1000 + pattern_map + drift + noise


def noise_of(frames, excluded=None):
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    excluded = np.zeros(SHAPE, dtype=bool) if excluded is None else excluded
    moments = difference_moments(stack, levels(stack).frame_means, excluded, maps=True)
    return frame_noise(stack, moments, excluded), moments


def test_the_parts_add_up_to_the_whole_variance():
    frames = frames_of(6, np.random.default_rng(1), rows=2.0)
    noise, moments = noise_of(frames)
    assert noise.temporal.values.sum() == pytest.approx(moments.temporal.value, rel=1e-6)
    found = pattern(noise)
    assert found.noisy.values.sum() == pytest.approx(frames.mean(axis=0).var(ddof=1), rel=1e-6)
    fixed = frames.mean(axis=0).var(ddof=1) - moments.temporal.value / 6
    assert found.fixed.values.sum() == pytest.approx(fixed, rel=1e-6)
    mean_of_singles = np.mean([frame.var(ddof=1) for frame in frames])
    assert single_frame(noise, found).value == pytest.approx(mean_of_singles, rel=1e-6)


def test_what_is_left_out_does_not_matter():
    frames = frames_of(5, np.random.default_rng(2), rows=2.0)
    excluded = np.random.default_rng(3).random(SHAPE) < 0.1
    excluded[:4] = True
    excluded[:, 50:] = True
    spoiled = frames.copy()
    spoiled[:, excluded] = np.nan
    spoiled[:, :2] = 60000 * np.random.default_rng(4).random((5, 2, SHAPE[1]))
    clean, dirty = (noise_of(one, excluded)[0] for one in (frames, spoiled))
    for one, other in ((clean.temporal, dirty.temporal), (pattern(clean).fixed, pattern(dirty).fixed)):
        assert one.values == pytest.approx(other.values, rel=1e-4, abs=1e-3)
        assert one.covariance == pytest.approx(other.covariance, rel=1e-2, abs=1e-4)


def test_row_noise_makes_the_error_of_the_variance_that_of_its_rows():
    totals, errors, naive = [], [], []
    for seed in range(60):
        noise, moments = noise_of(frames_of(5, np.random.default_rng([5, seed]), rows=6.0))
        totals.append(noise.temporal.total.value)
        errors.append(noise.temporal.total.std_error)
        naive.append(moments.temporal.std_error)
    scatter = np.std(totals, ddof=1)
    assert np.mean(errors) == pytest.approx(scatter, rel=4 / 118**0.5)
    assert scatter > 1.5 * np.mean(naive)


def test_the_error_of_a_variance_holds_for_jumps_as_for_normal_noise():
    """Two levels scatter far less in variance than normal noise does, rare hits far more."""
    rng = np.random.default_rng(6)
    jumps = 1000 + 20.0 * (rng.random((8, *SHAPE)) < 0.5)
    hits = 1000 + rng.normal(size=(8, *SHAPE)) + 100.0 * (rng.random((8, *SHAPE)) < 0.02)
    for frames, kurtosis in ((jumps, "less"), (hits, "more")):
        noise, moments = noise_of(frames)
        squared = float(noise.squared_errors.mean())
        assert squared == pytest.approx(float(moments.variance_map.var(ddof=1)), rel=0.1)
        gaussian = float((2 / 9 * moments.variance_map.astype(float) ** 2).mean())
        assert squared < 0.3 * gaussian if kurtosis == "less" else squared > 1.2 * gaussian


def test_two_frames_suffice_and_one_does_not():
    noise, moments = noise_of(frames_of(2, np.random.default_rng(7)))
    assert noise.squared_errors == pytest.approx(2 / 3 * moments.variance_map**2, rel=1e-5)
    with pytest.raises(NotMeasurableError, match="one frame"):
        noise_of(frames_of(1, np.random.default_rng(7)))


def test_the_dark_pattern_is_that_of_the_difference():
    rng = np.random.default_rng(8)
    zero, _ = noise_of(frames_of(30, rng))
    added = 7 * np.random.default_rng(9).normal(size=SHAPE)
    dark, _ = noise_of(frames_of(30, rng) + added)
    found = pattern(dark, zero).fixed
    pixels, rows, columns = found.estimates()
    lines = Lines.of(np.zeros(SHAPE, dtype=bool))
    above = added - added.mean()
    sums = (above**2).sum(), 60 * (above.mean(axis=1) ** 2).sum(), 40 * (above.mean(axis=0) ** 2).sum()
    truth = parts_of(lines, np.array(sums), np.zeros(3)).values
    for one, true in zip((pixels, rows, columns), truth, strict=True):
        assert one.value == pytest.approx(true, abs=4 * one.std_error)
    assert pixels.std_error < 0.1 * pixels.value
