"""What frames cost and what they bring, against simulation."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.measure.planning import (
    DarkSeriesPlan,
    biases_needed,
    darks_needed,
    depth_loss,
    exposure_for,
    exposure_where_thermal_exceeds,
    frames_for,
    magnitudes,
    predicted_error,
)

PLAN = DarkSeriesPlan(n_pixels=100, read_noise=1.7, dark_current=0.005, exposure=300.0, n_darks=6, n_bias=10)


def scatter_of_stacks(rng, n_lights, n_darks, read_noise, dark, sky, pixels=200_000):
    def mean_of(n, electrons):
        total = rng.poisson(n * electrons, pixels) + rng.normal(0, read_noise * n**0.5, pixels)
        return total / n

    return float((mean_of(n_lights, dark + sky) - mean_of(n_darks, dark)).std())


@pytest.mark.parametrize(("sky", "n_darks"), [(0.0, 20), (30.0, 20), (5.0, 7)])
def test_the_loss_of_depth_is_what_stacks_lose(sky, n_darks):
    rng = np.random.default_rng(1)
    alone = ((1.7**2 + 3.0 + sky) / 20) ** 0.5
    both = scatter_of_stacks(rng, 20, n_darks, 1.7, 3.0, sky)
    loss = depth_loss(1.7, 3.0, sky, 20, n_darks)
    assert 2.5 * np.log10(both / alone) == pytest.approx(loss.nominal_value, abs=4 * 2.5 / np.log(10) / 400_000**0.5)


def test_darks_needed_keep_the_loss():
    for loss in (0.01, 0.05, 0.2):
        needed = darks_needed(1.7, 3.0, 10.0, 40, loss)
        assert depth_loss(1.7, 3.0, 10.0, 40, needed.n).nominal_value <= loss
        assert depth_loss(1.7, 3.0, 10.0, 40, needed.n - 1).nominal_value > loss
    with pytest.raises(ValueError, match="no number of frames costs nothing"):
        darks_needed(1.7, 3.0, 10.0, 40, 0.0)


def test_as_many_darks_as_lights_cost_three_eighths_of_a_magnitude_without_sky():
    assert depth_loss(1.7, 3.0, 0.0, 20, 20).nominal_value == pytest.approx(1.25 * np.log10(2))
    assert magnitudes(2**0.5 - 1) == pytest.approx(1.25 * np.log10(2))


def test_errors_of_the_camera_enter_the_count():
    noise, dark = number(1.7, 0.1), number(3.0, 0.3)
    needed = darks_needed(noise, dark, 10.0, 40, 0.05)
    plain = darks_needed(1.7, 3.0, 10.0, 40, 0.05)
    assert plain.exact.std_dev == 0
    assert needed.exact.nominal_value == pytest.approx(plain.exact.nominal_value)
    more = darks_needed(1.8, 3.0, 10.0, 40, 0.05).exact.nominal_value - plain.exact.nominal_value
    darker = darks_needed(1.7, 3.3, 10.0, 40, 0.05).exact.nominal_value - plain.exact.nominal_value
    assert needed.exact.std_dev == pytest.approx(np.hypot(more, darker), rel=0.05)


def test_a_master_bias_needs_fewer_frames_for_it_holds_no_dark():
    bias, dark = (one(1.7, 3.0, 10.0, 40, 0.05).exact.nominal_value for one in (biases_needed, darks_needed))
    assert bias / dark == pytest.approx(1.7**2 / (1.7**2 + 3.0))


def test_thermal_noise_exceeds_others_where_their_variances_meet():
    exposure = exposure_where_thermal_exceeds(number(2.0, 0.2), number(0.005, 0.0005))
    assert exposure.nominal_value == pytest.approx(400)
    assert exposure.std_dev == pytest.approx(400 * 0.1 * 2**0.5)
    with pytest.raises(NotMeasurableError, match="no dark current is seen; shoot longer or warmer darks"):
        exposure_where_thermal_exceeds(2.0, 0.0)


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, n_darks=2, n_bias=20),
        replace(PLAN, dark_current=0.2, n_darks=14),
        replace(PLAN, exposure=20.0, dark_current=0.001, n_bias=4),
        replace(PLAN, dark_current=0.1, gain_error=0.03),
        replace(PLAN, dark_current=0.1, pixel_spread=0.1),
    ],
    ids=["usual", "pair", "thermal", "few electrons", "doubtful gain", "spread pixels"],
)
def test_the_predicted_error_is_the_scatter_of_simulations(plan):
    rng = np.random.default_rng(2)
    trials = 3000
    currents = np.full(plan.n_pixels, plan.dark_current)
    if plan.pixel_spread:
        currents += plan.pixel_spread * np.where(np.arange(plan.n_pixels) % 2, 1, -1)

    def variances(n, electrons):
        shape = (trials, n, plan.n_pixels)
        frames = rng.poisson(electrons, shape) + rng.normal(0, plan.read_noise, shape)
        return frames.var(axis=1, ddof=1).mean(axis=1)

    gains = 1 + plan.gain_error * rng.standard_normal(trials)
    darks, bias = variances(plan.n_darks, currents * plan.exposure), variances(plan.n_bias, 0.0)
    found = (darks - bias) / plan.exposure * gains**2
    assert found.mean() == pytest.approx(
        plan.dark_current * (1 + plan.gain_error**2), abs=4 * found.std() / trials**0.5
    )
    assert predicted_error(plan) == pytest.approx(found.std(), rel=4 / (2 * trials) ** 0.5)


def test_the_survey_of_the_embedded_camera_has_the_predicted_error(embedded):
    _, results, camera = embedded
    read_noise, gain = results.find("read_noise"), results.find("gain")
    spread = float(np.std(camera.thermal_rate(-20.0)[camera.thermal_rate(-20.0) < 3.0]))
    for exposure, n_frames in ((60.0, 6), (300.0, 6), (600.0, 14)):
        found = results.find("dark_current", "temporal_variance", exposure=exposure, temperature=-20.0)
        plan = DarkSeriesPlan(
            n_pixels=camera.offset_map.size,
            read_noise=np.hypot(read_noise.value, camera.native_gain / 12**0.5),
            dark_current=found.value,
            exposure=exposure,
            n_darks=n_frames,
            n_bias=20,
            gain_error=gain.std_error / gain.value,
            pixel_spread=spread,
            noise_spread=float(np.std(camera.read_noise_map**2)),
        )
        assert predicted_error(plan) == pytest.approx(found.std_error, rel=0.04)


def test_counts_and_exposures_are_the_inverse_of_the_prediction():
    series = replace(PLAN, n_pixels=10_000)
    for wanted in (0.3, 0.1, 0.02):
        n = frames_for(wanted, series)
        there = replace(series, n_darks=n)
        assert predicted_error(there) <= wanted * PLAN.dark_current * (1 + 1e-6)
        if n > 2:
            assert predicted_error(replace(there, n_darks=n - 1)) > wanted * PLAN.dark_current
        exposure = exposure_for(wanted, series)
        assert predicted_error(replace(series, exposure=exposure)) == pytest.approx(wanted * PLAN.dark_current)


def test_what_no_number_of_frames_reaches_says_why():
    with pytest.raises(NotMeasurableError, match=r"the gain is known to 0\.05 only, and enters squared"):
        frames_for(0.01, replace(PLAN, gain_error=0.05))
    with pytest.raises(NotMeasurableError, match="shoot more bias frames"):
        frames_for(0.01, replace(PLAN, n_bias=2))
    with pytest.raises(NotMeasurableError, match="no dark current is seen"):
        exposure_for(0.01, replace(PLAN, dark_current=0.0))
    with pytest.raises(NotMeasurableError, match="is out of reach"):
        exposure_for(0.01, replace(PLAN, n_darks=2))
    with pytest.raises(ValueError, match="a variance needs two of each"):
        replace(PLAN, n_darks=1)


def test_the_papers_conditions_give_better_than_a_percent():
    paper = DarkSeriesPlan(4_000_000, 1.7, 0.005, 600.0, n_darks=14, n_bias=20)
    assert predicted_error(paper) < 0.01 * 0.005
    assert frames_for(0.01, paper) == 2
