"""The explorers of light calibration, registration and the final result, against numbers computed another way."""

import re

import numpy as np
import pytest

from workbench.camera.session import dataset_truth
from workbench.show.explore_final_result import simulated_lights, stretch_of
from workbench.show.explore_light_calibration import _camera, _masks, leftover
from workbench.show.explore_registration import matrix_of, simulated_pair
from workbench.show.explorers import explore_final_result, explore_registration
from workbench.show.stretch import auto_stretch


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"(?<![\w.])[-+]?\d+\.?\d*", text)]


# ---- matched or scaled


def test_a_matched_dark_leaves_nothing_and_a_scaled_one_leaves_glow_of_both_signs():
    matched = leftover(600.0, -20.0, 18, 1.0)
    assert matched.k == 1
    assert not matched.image.any()
    shorter, longer = (leftover(one, -20.0, 18, 1.0).places["glow corner"] for one in (300.0, 1200.0))
    assert shorter > 1
    assert longer < -1


def test_what_a_scaled_dark_leaves_in_the_corner_follows_from_the_law_of_the_glow():
    # alpha t + beta t^2 at 600 s, less half of it at 1200 s: without a clamp all that is linear scales
    scaled, camera = leftover(1200.0, -20.0, 18, 0.0), _camera(0.0)
    alpha, beta = camera.sensor.glow_linear, camera.sensor.glow_quadratic
    share = (beta * 600**2 - beta * 1200**2 / 2) / (alpha * 600 + beta * 600**2)
    glow = camera.glow_electrons(600.0)[_masks()["glow corner"]].mean()
    assert scaled.places["glow corner"] == pytest.approx(share * glow, rel=1e-3)


def test_warmer_darks_take_too_much_from_hot_pixels_first():
    warm = leftover(600.0, -15.0, 18, 1.0).places
    assert warm["hot pixels"] < -10
    assert abs(warm["typical pixels"]) < 1


# ---- registration


def test_the_right_shift_and_rotation_bring_all_stars_home():
    pair, truth = simulated_pair(), dataset_truth("session")
    view = truth.view(truth.lights[9])
    centre = np.array([(pair.shape[1] - 1) / 2, (pair.shape[0] - 1) / 2, 1.0])
    shift = (view.matrix @ centre - centre)[:2]
    np.testing.assert_allclose(matrix_of(*shift, 7.0, pair.shape), view.matrix, atol=1e-6)
    explorer = explore_registration().explorer
    explorer.update(x_shift=np.round(shift[0] * 8) / 8, y_shift=np.round(shift[1] * 8) / 8, rotation=7.0)
    rms, most, *_ = numbers(explorer.sentence.value)
    assert rms < 0.1
    assert most < 0.1


def test_one_degree_off_is_a_distance_that_grows_from_the_centre():
    explorer = explore_registration().explorer
    truth, pair = dataset_truth("session"), simulated_pair()
    centre = np.array([(pair.shape[1] - 1) / 2, (pair.shape[0] - 1) / 2, 1.0])
    shift = (truth.view(truth.lights[9]).matrix @ centre - centre)[:2]
    explorer.update(x_shift=np.round(shift[0] * 8) / 8, y_shift=np.round(shift[1] * 8) / 8, rotation=6.0)
    points = explorer._scene._points
    expected = 2 * np.sin(np.radians(0.5)) * points.get_xdata()
    np.testing.assert_allclose(points.get_ydata(), expected, atol=0.15)


# ---- final result


def test_more_lights_scatter_less_as_the_sentence_says():
    explorer = explore_final_result().explorer
    scatter = {}
    for n in (1, 4, 16):
        explorer.update(n_lights=n)
        scatter[n] = numbers(explorer.sentence.value)[3]
    assert scatter[1] / scatter[4] == pytest.approx(2, rel=0.2)
    assert scatter[16] < 0.7 * scatter[4]


def test_the_wipe_shows_the_integrated_light_on_the_left_and_the_raw_one_on_the_right():
    explorer, lights = explore_final_result().explorer, simulated_lights()
    explorer.update(wipe=200, n_lights=18)
    shown = np.asarray(explorer._scene._image.get_array())
    how = 2.8125, 0.25
    np.testing.assert_allclose(shown[:, :200], stretch_of(lights.means[-1], *how)[0](lights.means[-1])[:, :200])
    np.testing.assert_allclose(shown[:, 200:], stretch_of(lights.raw, *how)[0](lights.raw)[:, 200:])


def test_its_stretch_is_the_automatic_one_at_the_usual_constants():
    image = simulated_lights().means[-1]
    ours = stretch_of(image, 2.8, 0.25)[0]
    usual = auto_stretch(image[::2, ::2], low=ours.low, high=ours.high)
    assert ours.shadows == pytest.approx(usual.shadows)
    assert ours.midtones == pytest.approx(usual.midtones)
