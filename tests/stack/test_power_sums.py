"""The variance of a difference from sums of its powers is that of the streaming pass over the same frames."""

import numpy as np
import pytest
import xarray as xr

from workbench.stack.power_sums import difference_variance
from workbench.stack.variance import difference_moments, levels


def power_sums(values: np.ndarray) -> list[float]:
    return [float(sum(int(value) ** power for value in values.ravel())) for power in (1, 2, 3, 4)]


def test_power_sums_tell_what_the_streaming_pass_tells():
    rng = np.random.default_rng(4)
    frames = rng.normal(1400, 12, (6, 30, 40)).round() + rng.integers(0, 9, 6)[:, None, None]
    frames[3, 5, 6] += 900  # a hit: the third power counts
    stack = xr.DataArray(frames.astype(np.uint16), dims=("frame", "y", "x"))
    moments = difference_moments(stack, levels(stack).frame_means)
    signed = (frames * np.resize([1, -1], 6)[:, None, None]).cumsum(axis=0)
    for n_frames, expected in moments.composites.items():
        found = difference_variance(power_sums(signed[n_frames - 1]), 1200, n_frames)
        assert found.value == pytest.approx(expected.value, rel=1e-10)
        assert found.std_error == pytest.approx(expected.std_error, rel=1e-9)


def test_power_sums_tell_what_numpy_tells():
    difference = np.random.default_rng(5).normal(7, 30, 5000).round()
    found = difference_variance(power_sums(difference), 5000, 4)
    assert found.value == pytest.approx(difference.var(ddof=1) / 4, rel=1e-12)
    fourth = ((difference - difference.mean()) ** 4).sum()
    assert found.std_error == pytest.approx((2 / 3 * fourth) ** 0.5 / 4 / 5000, rel=1e-10)


def test_equal_pixels_vary_by_nothing():
    found = difference_variance([0.1 * 3000, 0.01 * 3000, 0.001 * 3000, 1e-4 * 3000], 3000, 2)
    assert found.value == pytest.approx(0, abs=1e-15)
    assert found.std_error == pytest.approx(0, abs=1e-9)
