"""Gain from darks: right on a plain camera, negative on a clamped one; and the line with errors in both axes."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.dark_gain import NoiseAndMean, gain_from_darks
from workbench.measure.york_line import two_error_line

GAIN, CURRENT, FRAMES, PIXELS = 0.5, 0.1, 6, 10_000
EXPOSURES = np.array([30.0, 100.0, 200.0, 300.0])


def points_of(rng, clamp=0.0, drift=0.05, current=CURRENT, exposures=EXPOSURES):
    """Darks as their sampling statistics give them, of a camera that subtracts ``clamp`` of the dark signal."""
    variance = (3.0 + current * exposures) / GAIN**2
    error = variance * (2 / (PIXELS * (FRAMES - 1))) ** 0.5
    mean = 1000 + (1 - clamp) * current * exposures / GAIN + rng.normal(0, drift, len(exposures))
    found = variance + rng.normal(0, error)
    return [NoiseAndMean(t, m, drift, v, e, FRAMES) for t, m, v, e in zip(exposures, mean, found, error, strict=True)]


@pytest.mark.parametrize("drift", [0.002, 0.5, 5.0])
def test_the_textbook_gain_of_a_plain_camera_is_right_with_honest_errors(drift):
    rng = np.random.default_rng(1)
    trials = 200
    found = [gain_from_darks(points_of(rng, drift=drift)).gain for _ in range(trials)]
    pulls = [(one.nominal_value - GAIN) / one.std_dev for one in found]
    assert abs(np.mean(pulls)) < 4.5 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4.5 / (2 * trials) ** 0.5)


@pytest.mark.parametrize("clamp", [1.3, 2.0])
def test_a_clamped_camera_has_a_negative_gain_and_a_right_growth_of_noise(clamp):
    found = gain_from_darks(points_of(np.random.default_rng(2), clamp=clamp))
    assert found.gain.nominal_value == pytest.approx(GAIN * (1 - clamp), abs=4 * found.gain.std_dev)
    assert found.gain.nominal_value < -10 * found.gain.std_dev
    assert found.notes[0].startswith("no camera has a negative gain: the mean falls while the noise grows")
    assert found.mean_rate.nominal_value == pytest.approx((1 - clamp) * CURRENT / GAIN, abs=4 * found.mean_rate.std_dev)
    rate = found.variance_rate
    assert rate.value * GAIN**2 == pytest.approx(CURRENT, abs=4 * rate.std_error * GAIN**2)


def test_a_clamp_that_hides_half_of_the_mean_halves_the_gain_unseen():
    found = gain_from_darks(points_of(np.random.default_rng(3), clamp=0.5))
    assert found.gain.nominal_value == pytest.approx(GAIN / 2, abs=4 * found.gain.std_dev)
    assert found.notes[0].startswith("true only where nothing is subtracted from the dark")


def test_a_mean_that_stands_still_gives_zero_and_no_division():
    found = gain_from_darks(points_of(np.random.default_rng(4), clamp=1.0))
    assert abs(found.gain.nominal_value) < 4 * found.gain.std_dev


def test_noise_that_does_not_grow_holds_no_gain():
    with pytest.raises(NotMeasurableError, match="the noise of the darks does not grow with the exposure"):
        gain_from_darks(points_of(np.random.default_rng(5), current=0.0))
    with pytest.raises(NotMeasurableError, match="no two exposures"):
        gain_from_darks(points_of(np.random.default_rng(5))[:1])


def test_a_curved_mean_is_named_and_two_exposures_test_nothing():
    points = points_of(np.random.default_rng(6))
    bent = [NoiseAndMean(**{**vars(one), "mean": one.mean - 5e-4 * one.exposure**2}) for one in points]
    assert "mean and variance lie on no line" in gain_from_darks(bent).notes[1]
    assert gain_from_darks(points[:2]).notes[1].startswith("two exposures: nothing tests")


def test_the_line_with_both_errors_is_yorks():
    """Pearson's data with York's weights: the textbook case, slope -0.4805 and intercept 5.4799 in every paper."""
    x = [0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4]
    y = [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5]
    weight_x = np.array([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1.0])
    weight_y = np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])
    line = two_error_line(x, weight_x**-0.5, y, weight_y**-0.5)
    assert line.slope == pytest.approx(-0.4805, abs=5e-5)
    assert line.intercept == pytest.approx(5.4799, abs=5e-5)
    assert line.slope_error == pytest.approx(0.0580, abs=5e-4)
    assert line.chi2 / line.dof == pytest.approx(1.4833, abs=5e-4)


def test_the_line_is_the_same_read_either_way_and_knows_shared_errors():
    rng = np.random.default_rng(7)
    x = np.linspace(0, 10, 12)
    pulls = []
    for _ in range(300):
        shared = rng.normal(0, 0.4, x.size)
        seen_x, seen_y = x + shared + rng.normal(0, 0.3, x.size), 2 * x + shared + rng.normal(0, 0.3, x.size)
        line = two_error_line(seen_x, np.full(12, 0.5), seen_y, np.full(12, 0.5), 0.16)
        pulls.append((line.slope - 2) / line.slope_error)
    other = two_error_line(seen_y, np.full(12, 0.5), seen_x, np.full(12, 0.5), 0.16)
    assert other.slope == pytest.approx(1 / line.slope)
    assert abs(np.mean(pulls)) < 4.5 / 300**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4.5 / 600**0.5)
