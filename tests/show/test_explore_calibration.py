"""The formulas behind the explorers of dark scaling and flats, held against the simulated camera."""

import re
from dataclasses import replace

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.show.explore_dark_scale import _CORNER, KNOBS, DarkScaleScene, above_bias, explore_dark_scale
from workbench.show.explore_flat import _GLOW_TOP, _REACH, field_errors, full_well
from workbench.show.explore_flat import KNOBS as FLAT_KNOBS

SENSOR = Sensor.from_manifest("qhy163m_like")
REST = {one.name: one.default for one in KNOBS if one.name not in ("k", "light")}
FLAT = {one.name: one.default for one in FLAT_KNOBS}


def numbers(text):
    return [float(one) for one in re.findall(r"(?<![\w.])[-+]?\d+\.?\d*", text)]


@pytest.fixture(scope="module")
def camera():
    return Camera(replace(SENSOR.without("hot_pixels", "dark_telegraph"), shape=(440, 582)), 3)


@pytest.mark.parametrize("exposure", [300.0, 1200.0])
def test_the_three_places_are_those_of_the_simulated_camera(camera, exposure):
    values = REST | {"glow_linear": SENSOR.glow_linear, "glow_quadratic": SENSOR.glow_quadratic}
    above, gathered = above_bias(SENSOR, exposure, **values)
    electrons = camera.dark_electrons(exposure, -20.0)
    clamp = camera.clamp_electrons(exposure, -20.0)
    corner, centre = electrons[:32, -32:], electrons[220:, :291]
    # beside the glow, ordinary pixels and the rounded height of the glow
    assert gathered[0] == pytest.approx(corner.mean(), rel=0.05)
    assert above[2] == pytest.approx(centre.mean() - clamp, abs=0.05 * clamp)
    assert gathered[1] == REST["hot"] * exposure
    assert above[0] - above[2] == pytest.approx(gathered[0] - gathered[2])


def test_one_factor_serves_all_places_of_a_glow_as_time_with_or_without_a_clamp():
    for share in (0.0, 0.5, 1.0):
        values = REST | {"glow_quadratic": 0.0, "glow_linear": 5e-4, "clamp_share": share}
        light, dark = (above_bias(SENSOR, t, **values)[0] for t in (600.0, 1200.0))
        np.testing.assert_allclose(light, dark / 2, atol=1e-12)
    light, dark = (above_bias(SENSOR, t, **REST)[0] for t in (600.0, 1200.0))
    assert (light / dark)[1] == pytest.approx(0.5, abs=0.01)
    assert (light / dark)[0] < 0.3


def test_the_sentence_tells_the_factors_and_what_is_left():
    explorer = explore_dark_scale().explorer
    explorer.update(k=0.25, light=900.0)
    light, dark = (above_bias(SENSOR, t, **REST)[0] for t in (900.0, 1200.0))
    shown = numbers(explorer.sentence.value.replace("<br>", " "))
    assert shown[0] == 0.75
    assert shown[1:4] == pytest.approx(list(light / dark), abs=6e-4)
    assert shown[4] == 0.25
    assert shown[5:8] == pytest.approx(list(light - 0.25 * dark), abs=0.06)
    scene = explorer._scene
    assert isinstance(scene, DarkScaleScene)
    for line, one, other in zip(scene._lines.values(), light, dark, strict=True):
        x, y = line.get_data()
        zero = np.interp(0.0, -y if y[0] > y[-1] else y, x)
        if 0 < one / other < 1:
            assert zero == pytest.approx(one / other, abs=1e-6)


def test_a_flat_without_error_corrects_exactly():
    x = np.linspace(-1, 1, 41)
    errors = field_errors(SENSOR, x, **FLAT)
    np.testing.assert_allclose(errors["flat-dark"], 0.0, atol=1e-10)
    none = field_errors(SENSOR, x, **(FLAT | {"offset": 0.0}))
    np.testing.assert_array_equal(none["wrong bias"], none["bias only"])


def test_a_wrong_bias_shows_the_vignetting_again_by_its_share_of_the_light():
    """To first order the corrected field is off by e / S (1 / f - mean of 1 / f), with the sign of what is too much."""
    x = np.linspace(-1, 1, 41)
    values = {"level": 0.5, "exposure": 1.0, "vignetting": 0.25}
    for offset in (-128.0, 128.0):
        errors = field_errors(SENSOR, x, offset=offset, **values)["wrong bias"]
        plain = field_errors(SENSOR, x, offset=0.0, **values)["bias only"]
        share = offset * SENSOR.gain / (0.5 * full_well(SENSOR))
        assert errors[0] - errors[20] == pytest.approx(100 * share * (1 / 0.75 - 1), rel=0.05)
        assert np.abs(plain).max() < 0.02 * np.abs(errors).max()
    faint = field_errors(SENSOR, x, offset=128.0, **(values | {"level": 0.05}))["wrong bias"]
    assert np.ptp(faint) == pytest.approx(10 * np.ptp(errors), rel=0.1)


def test_the_glow_of_the_flats_is_that_of_the_simulated_camera(camera):
    glow = camera.glow_electrons(300.0)
    assert glow[:4, -4:].mean() / glow.mean() == pytest.approx(_GLOW_TOP, rel=0.05)
    assert glow[:32, -32:].mean() / glow.mean() == pytest.approx(_CORNER, rel=0.05)
    rows, columns = glow.shape
    along = np.arange(0, 200)
    diagonal = glow[along * rows // columns, columns - 1 - along] / glow[0, -1]
    half = 1 - 2 * along[np.argmax(diagonal < 0.5)] / columns  # on the scale of the explorer
    assert np.exp((half - 1) / _REACH) == pytest.approx(0.5, abs=0.1)
