"""Photon transfer against a simulated truth, its errors against trials."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.errors import NotMeasurableError
from workbench.measure.gain import FlatLevel, flat_level, linearity, photon_transfer
from workbench.stack.variance import difference_moments, equalised_difference, levels

GAIN, READ_NOISE, ZERO = 0.5, 4.0, 1000.0
SHAPE = (60, 60)


def measured_levels(rng, light_levels=(500, 2000, 8000, 20000), bow=0.0):
    def frame(light):
        electrons = rng.poisson(light * GAIN * (1 + bow * light / 20000), SHAPE)
        return ZERO + (electrons + rng.normal(0, READ_NOISE, SHAPE)) / GAIN

    zeros = xr.DataArray(np.stack([frame(0) for _ in range(10)]), dims=("frame", "y", "x"))
    zero = difference_moments(zeros, levels(zeros).frame_means)
    found = []
    for light in light_levels:
        pair = xr.DataArray(np.stack([frame(light), frame(light * 0.98)]), dims=("frame", "y", "x"))
        difference = equalised_difference(pair, ZERO, None, np.zeros(SHAPE, dtype=bool))
        found.append(flat_level(difference, zero.temporal, light / 1000, 0.0, linear=True))
    return found


def test_gain_is_recovered_with_its_error():
    rng = np.random.default_rng(1)
    trials = 200
    gains = [photon_transfer(measured_levels(rng)).gain for _ in range(trials)]
    pulls = [(gain.nominal_value - GAIN) / gain.std_dev for gain in gains]
    assert abs(np.mean(pulls)) < 4 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4 / (2 * trials) ** 0.5)


def test_one_level_is_enough_and_says_so():
    found = photon_transfer(measured_levels(np.random.default_rng(2), (8000,)))
    assert found.gain.nominal_value == pytest.approx(GAIN, abs=4 * found.gain.std_dev)
    assert found.dof == 0
    assert "one level of flats" in found.notes[0]


def test_levels_above_the_linear_range_stay_out():
    good = measured_levels(np.random.default_rng(3))
    bent = FlatLevel(99.0, 40000.0, 1.0, 10.0, 1.0, 0, linear=False)
    assert photon_transfer([*good, bent]).gain.nominal_value == photon_transfer(good).gain.nominal_value
    with pytest.raises(NotMeasurableError, match="no flat pair lies below 70%"):
        photon_transfer([bent])


def test_flats_whose_variance_does_not_grow_are_refused():
    flat = FlatLevel(1.0, 1000.0, 1.0, -50.0, 10.0, 0)
    with pytest.raises(NotMeasurableError, match="does not grow with their mean"):
        photon_transfer([flat])


def test_misfit_scales_the_error():
    levels_found = measured_levels(np.random.default_rng(4))
    odd = [
        FlatLevel(one.exposure, one.mean, one.mean_error, one.variance * share, one.variance_error, 0)
        for one, share in zip(levels_found, (0.7, 1.3, 0.8, 1.2), strict=True)
    ]
    found = photon_transfer(odd)
    assert "scatter more than their errors" in found.notes[0]
    assert found.gain.std_dev > 3 * photon_transfer(levels_found).gain.std_dev


def test_bow_is_recovered_and_a_straight_camera_has_none():
    rng = np.random.default_rng(5)
    trials = 150
    bows = [linearity(measured_levels(rng, (500, 2000, 5000, 8000, 14000, 20000))).bow for _ in range(trials)]
    pulls = [one.nominal_value / one.std_dev for one in bows]
    assert abs(np.mean(pulls)) < 4 / trials**0.5
    # errors grow with chi2/dof where that is above 1, so that the spread is a little below 1
    assert 0.7 < np.std(pulls) < 1.15
    # mean = u (1 + bow u / U): the chord over the range bows by bow / 4 of the full range
    bent = linearity(measured_levels(rng, (200, 5000, 10000, 15000, 20000), bow=0.04)).bow
    assert bent.nominal_value == pytest.approx(0.04 / 4 / 1.04, abs=4 * bent.std_dev + 5e-4)


def test_levels_that_lose_variance_end_the_linear_range():
    """A well that fills up spreads its limit over the pixels: no pile of equal values, but less variance."""
    levels_found = measured_levels(np.random.default_rng(7), (500, 2000, 8000, 16000, 20000))
    full = [replace(one, variance=one.variance * 0.6) if one.mean > 15000 else one for one in levels_found]
    found = photon_transfer(full)
    assert [one.linear for one in found.levels] == [True, True, True, False, False]
    assert found.gain.nominal_value == pytest.approx(GAIN, abs=4 * found.gain.std_dev)


def test_linearity_needs_four_exposures():
    with pytest.raises(NotMeasurableError, match="1 flat exposures in the linear range"):
        linearity(measured_levels(np.random.default_rng(6), (8000,)))
