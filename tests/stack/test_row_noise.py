"""Noise that rows share: it is told, and it enters the errors of what counts pixels."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.stack.hits import find_hits
from workbench.stack.masked import masked_variance
from workbench.stack.row_noise import masked_with_row_noise, row_noise, with_row_noise
from workbench.stack.variance import difference_moments, levels

SENSOR = Sensor("rows", (48, 256), 3.8, 16, 0.5, bias_level=1000.0, read_noise=2.0, drift=3.0, row_noise=0.8)
NONE = np.zeros(SENSOR.shape, dtype=bool)


def stack_of(sensor, seed, n=6):
    camera, rng = Camera(sensor, seed), np.random.default_rng(seed)
    frames = [camera.expose("bias", 0.0, -20.0, rng) for _ in range(n)]
    return xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))


def moments_of(stack):
    return difference_moments(stack, levels(stack).frame_means)


def test_row_noise_is_measured():
    found = []
    for seed in range(30):
        stack = stack_of(SENSOR, seed)
        found.append(row_noise(stack, moments_of(stack), NONE) * SENSOR.gain**2)
    found = np.array(found)
    # the mean of the frames is taken out of their rows
    assert found.mean() == pytest.approx(0.8**2 * (1 - 1 / 48), abs=4 * found.std(ddof=1) / 30**0.5)


def test_rows_without_noise_of_their_own_have_none_and_change_no_error():
    stack = stack_of(SENSOR.without("row_noise"), 1)
    moments = moments_of(stack)
    assert row_noise(stack, moments, NONE) == 0.0
    assert with_row_noise(moments, 0.0, NONE) is moments


def test_stated_errors_are_the_scatter_where_rows_have_noise():
    n = 150
    true = (2.0**2 + 0.8**2) / SENSOR.gain**2 + 1 / 12
    pulls, bare = {name: [] for name in ("temporal", "pair", "composite", "masked")}, []
    for seed in range(n):
        stack = stack_of(SENSOR, seed)
        plain = moments_of(stack)
        shared = row_noise(stack, plain, NONE)
        moments = with_row_noise(plain, shared, NONE)
        hits = find_hits(stack, plain.frame_means)
        masked = masked_with_row_noise(masked_variance(stack, plain.frame_means, None, hits), shared, NONE)
        estimates = moments.temporal, moments.pairs[0], moments.composites[6], masked.temporal
        for name, one in zip(pulls, estimates, strict=True):
            pulls[name].append((one.value - true * (1 - 0.14 / 48)) / one.std_error)
        bare.append((plain.temporal.value - true) / plain.temporal.std_error)
    for name, ones in pulls.items():
        assert np.std(ones, ddof=1) == pytest.approx(1, abs=4 / (2 * n) ** 0.5), name
    assert np.std(bare, ddof=1) > 1 + 4 / (2 * n) ** 0.5  # or there would be nothing to mend


def test_pixels_that_do_not_count_do_not_count_in_their_rows():
    stack = stack_of(replace(SENSOR, row_noise=0.0), 2).astype(np.float32)
    stack[:, 3, 7] = np.nan
    excluded = NONE.copy()
    excluded[3, 7] = True
    moments = difference_moments(stack, levels(stack).frame_means, excluded)
    assert row_noise(stack, moments, excluded) == 0.0
