"""The formulas behind the sliders, held against the simulated camera whose truth they state in short."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.show.explore_methods import KNOBS as METHOD_KNOBS
from workbench.show.explore_methods import answers
from workbench.show.explore_noise_budget import KNOBS as BUDGET_KNOBS
from workbench.show.explore_noise_budget import noise_model
from workbench.show.explore_temperature import doubling_temperature
from workbench.show.explorers import explore_methods, explore_noise_budget, explore_temperature

SENSOR = Sensor.from_manifest("qhy163m_like")


def defaults(knobs, without):
    return {one.name: one.default for one in knobs if one.name != without}


@pytest.mark.parametrize("exposure", [60.0, 600.0])
def test_the_temporal_terms_add_up_to_the_variance_of_the_simulated_camera(exposure):
    values = defaults(BUDGET_KNOBS, "exposure") | {"hot": 0.0, "telegraph": 0.016, "read_noise": 1.7}
    alike = SENSOR.without("hot_pixels", "read_noise_spread", "overscan")
    sensor = replace(alike, shape=(512, 512), dark_current=5e-3, read_telegraph_fraction=0.016)
    camera = Camera(sensor, 7)
    model = noise_model(SENSOR, np.array([exposure]), **values)
    # the simulated switching current adds its mean as well, which belongs to no slider
    switching = sensor.dark_telegraph_fraction * sensor.dark_telegraph_duty * sensor.dark_telegraph_current
    variance = camera.gain**2 * camera.variance(exposure, -20.0)
    # 4200 telegraph pixels of log-normal height: their mean square is known to 2 %
    error = 0.02 * model.temporal["telegraph"][0] + 4 * 0.3 * 5e-3 * exposure / 512
    assert model.changes[0] + switching * exposure == pytest.approx(variance.mean(), abs=4 * error)


def test_the_fixed_terms_add_up_to_the_spread_of_the_simulated_pixels():
    values = defaults(BUDGET_KNOBS, "exposure") | {"hot": 0.01}
    sensor = replace(SENSOR, shape=(512, 512), hot_spread=0.5, hot_fraction=0.01, dark_current=5e-3)
    sensor = sensor.without("overscan", "glow", "dark_telegraph")
    camera, t = Camera(sensor, 8), 600.0
    expected = camera.offset_map * camera.gain + camera.dark_electrons(t, -20.0)
    model = noise_model(sensor, np.array([t]), **values)
    # 2600 hot pixels carry nearly all of it
    assert model.stays[0] == pytest.approx(expected.var(), rel=4 * 2.0 / 2600**0.5)


def test_rounding_adds_a_twelfth_of_the_square_of_a_step():
    values = defaults(BUDGET_KNOBS, "exposure") | {"native_gain": 3.0}
    assert noise_model(SENSOR, np.array([1.0]), **values).temporal["rounding"][0] == pytest.approx(0.75)


def test_the_mean_and_the_noise_of_the_methods_are_those_of_the_simulated_camera():
    values = defaults(METHOD_KNOBS, "exponent") | {"pattern": 0.0}
    alike = SENSOR.without("hot_pixels", "dark_spread", "dark_telegraph", "overscan")
    for true in (1e-3, 0.1):
        camera = Camera(replace(alike, shape=(64, 64), dark_current=true), 1)
        t2 = values["short"] * values["ratio"]
        found = answers(SENSOR, np.array([true]), **values)
        mean = camera.gain * (camera.dark_mean(t2, -20.0) - camera.bias_level) / t2
        assert found.mean[0] == pytest.approx(mean, rel=1e-6)
        assert found.pair[0] == pytest.approx(camera.dark_electrons(t2, -20.0).mean() / t2, rel=1e-6)
        growth = camera.variance(t2, -20.0).mean() - camera.variance(values["short"], -20.0).mean()
        assert found.difference[0] == pytest.approx(camera.gain**2 * growth / (t2 - values["short"]), rel=1e-6)


def test_the_script_returns_a_constant_where_nothing_but_poisson_noise_is_in_the_frames():
    values = defaults(METHOD_KNOBS, "exponent") | {"pattern": 0.0, "glow_quadratic": 0.0}
    bare = SENSOR.without("glow")
    found = answers(bare, np.geomspace(1e-4, 1, 5), **values)
    assert found.ratio == pytest.approx(SENSOR.gain * 10 / 270)
    pattern = answers(bare, np.array([10.0]), **(values | {"pattern": 2.0}))
    assert pattern.ratio[0] == pytest.approx(SENSOR.gain * 100 / 270, rel=0.01)


def test_the_doubling_temperature_is_where_the_current_has_doubled():
    sensor = replace(SENSOR, shape=(4, 4), dark_energy=0.6).without("hot_pixels", "glow", "dark_telegraph", "overscan")
    camera = Camera(sensor, 1)
    step = 1e-3  # K: the law is a tangent at the stated temperature
    cold, warm = (camera.thermal_rate(-10.0 + k * step).mean() for k in (0, 1))
    assert step * np.log(2) / np.log(warm / cold) == pytest.approx(doubling_temperature(0.6, -10.0), rel=1e-4)


def test_the_sentences_follow_the_sliders():
    budget = explore_noise_budget().explorer
    budget.update(dark_current=0.0, hot=0.0)
    assert "Thermal noise exceeds the read noise at no exposure up to 1200 s" in budget.sentence.value
    methods = explore_methods().explorer
    methods.update(clamp_share=0.0, glow_quadratic=0.0, exponent=-2.0)
    assert "True: 0.01 electron/s, with the glow of 300 s 0.01005" in methods.sentence.value
    assert "Method 1: 0.01005" in methods.sentence.value
    warm = explore_temperature().explorer
    warm.update(mismatch=-1.0)
    assert "Darks 1 K colder leave +9.6 % of it in the light" in warm.sentence.value
