"""Read noise, quantisation, level and drift."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import NotMeasurableError
from workbench.measure.noise import bias_noise, level_and_drift, read_noise
from workbench.measure.numbers import number
from workbench.stack.variance import difference_moments, levels


def bias_moments(sigma, lattice, n_frames=20, seed=1):
    frames = np.random.default_rng(seed).normal(1600, sigma, (n_frames, 60, 60))
    stored = np.rint(frames / lattice) * lattice
    stack = xr.DataArray(stored, dims=("frame", "y", "x"))
    return difference_moments(stack, levels(stack).frame_means)


@pytest.mark.parametrize("lattice", [1, 4, 16])
def test_quantisation_is_taken_out(lattice):
    noise = bias_noise(bias_moments(16.0, lattice), lattice)
    found = read_noise(noise, number(0.25, 0.0))
    assert found.nominal_value == pytest.approx(4.0, abs=4 * found.std_dev)
    assert noise.quantisation == lattice**2 / 12


def test_the_error_of_the_gain_enters():
    noise = bias_noise(bias_moments(16.0, 1), 1)
    assert read_noise(noise, number(0.25, 0.025)).std_dev == pytest.approx(0.4, rel=0.01)


def test_noise_that_rounding_hides_is_not_measured():
    with pytest.raises(NotMeasurableError, match=r"under 0\.65 of a lattice step \(16 adu\): rounding hides it"):
        bias_noise(bias_moments(4.0, 16), 16)
    with pytest.raises(NotMeasurableError, match="needs a pair"):
        bias_noise(bias_moments(16.0, 1, n_frames=1), 1)


def test_level_and_drift_have_honest_errors():
    rng = np.random.default_rng(2)
    trials = 400
    pairs = [level_and_drift(rng.normal(1600, 1.5, 20)) for _ in range(trials)]
    level = [(one.nominal_value - 1600) / one.std_dev for one, _ in pairs]
    assert np.std(level) == pytest.approx(1.05, abs=0.15)
    drift = [(one.nominal_value - 1.5) / one.std_dev for _, one in pairs]
    assert np.std(drift) == pytest.approx(1, abs=0.2)
    with pytest.raises(NotMeasurableError, match="one bias frame"):
        level_and_drift([1600.0])
