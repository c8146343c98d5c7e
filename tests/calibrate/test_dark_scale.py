"""The factor of a dark against cameras whose factor is known: ours, and the reference program's as it is."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.calibrate.dark_scale import exposure_scale, glow_scale, hot_pixel_scale, hot_pixels_of, noise_scale
from workbench.calibrate.reference_scale import reference_scale, thresholded
from workbench.calibrate.residuals import place_residuals, places_of
from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError

TEMPERATURE = -20.0
OFF = ("cosmic_rays", "dark_telegraph", "read_telegraph", "overscan", "drift")
LINEAR = 40000.0  # adu above bias, below which no pixel saturates


def frames_of(name, seed, shape=(512, 512), n=20):
    """Light and dark above bias [adu] of a camera whose lights are half as long as its darks."""
    camera = Camera(replace(Sensor.from_manifest(name).without(*OFF), shape=shape), seed)
    rng = np.random.default_rng(seed)

    def master(kind, exposure):
        return np.mean([camera.expose(kind, exposure, TEMPERATURE, rng) for _ in range(n)], axis=0)

    bias, dark = master("bias", 0.0), master("dark", 600.0)
    light = camera.expose("dark", 300.0, TEMPERATURE, rng)
    return light - bias, dark - bias


@pytest.fixture(scope="module")
def ccd():
    return [frames_of("well_behaved_ccd", seed) for seed in range(6)]


@pytest.fixture(scope="module")
def glowing():
    return [frames_of("qhy163m_like", seed) for seed in range(3)]


def test_the_error_of_k_is_its_scatter():
    camera = Camera(replace(Sensor.from_manifest("well_behaved_ccd").without(*OFF), shape=(512, 512)), 1)
    expected = camera.dark_electrons(600.0, TEMPERATURE)
    noise, gain = camera.sensor.read_noise, camera.sensor.gain
    pulls = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        dark = (rng.poisson(20 * expected) / 20 + rng.normal(0, noise * 0.1**0.5, expected.shape)) / gain
        light = (rng.poisson(0.5 * expected) + rng.normal(0, noise, expected.shape)) / gain
        found = hot_pixel_scale(light, dark, brightest=LINEAR)
        pulls.append((found.k - 0.5) / found.std_error)
    assert abs(np.mean(pulls)) < 4 / len(pulls) ** 0.5
    assert np.std(pulls, ddof=1) == pytest.approx(1, abs=4 / (2 * len(pulls)) ** 0.5)


@pytest.mark.parametrize("method", [noise_scale, hot_pixel_scale])
def test_half_a_dark_is_found_on_a_ccd_within_one_percent(ccd, method):
    found = [method(light, dark, brightest=LINEAR) for light, dark in ccd]
    assert np.mean([one.k for one in found]) == pytest.approx(0.5, rel=0.01)
    pulls = np.array([(one.k - 0.5) / one.std_error for one in found])
    assert abs(pulls.mean()) < 3 / len(pulls) ** 0.5
    assert (np.abs(pulls) < 4).all()
    assert all(one.std_error < 0.01 for one in found)


def test_the_reference_lands_low_for_it_keeps_values_and_not_their_excess(ccd):
    found = [reference_scale(light, dark) for light, dark in ccd]
    assert np.mean([one.k for one in found]) == pytest.approx(0.46, abs=0.02)
    assert all(0.42 < one.k < 0.49 for one in found)
    # the same search on the excess above the threshold is not low
    for light, dark in ccd[:2]:
        kept = thresholded(dark)
        excess = np.where(kept > 0, dark - kept[kept > 0].min(), 0.0)
        assert reference_scale(light, excess, threshold=0.0).k > reference_scale(light, dark).k + 0.02


def test_the_error_of_the_references_k_is_its_scatter_from_sensor_to_sensor():
    found = [reference_scale(*frames_of("well_behaved_ccd", seed, (384, 384))) for seed in range(16)]
    scatter = np.std([one.k for one in found], ddof=1)
    error = np.sqrt(np.mean([one.std_error**2 for one in found]))
    assert error == pytest.approx(scatter, rel=4 / (2 * (len(found) - 1)) ** 0.5)
    assert error > 10 * 0.00025  # the last step of the search


def test_where_few_parts_have_hot_pixels_the_references_error_is_not_known():
    rng = np.random.default_rng(1)
    dark = rng.normal(100, 1, (128, 128)).clip(97, 102.5)
    dark[:32, :64:4] = 5000.0
    found = reference_scale(0.5 * dark + rng.normal(0, 1, dark.shape), dark)
    assert found.std_error is None
    assert found.notes[-1] == "its error is not known: 2 of 16 parts of the window have pixels that tell k"


def test_one_factor_serves_hot_pixels_or_glow_but_not_both(glowing):
    for light, dark in glowing:
        hot = hot_pixel_scale(light, dark, brightest=LINEAR)
        glow = glow_scale(light, dark)
        assert abs(hot.k - 0.5) < 4 * hot.std_error  # dark current grows as time
        assert abs(glow.k - 0.25) < 0.05  # this glow as its square, nearly
        assert (hot.k - glow.k) / np.hypot(hot.std_error, glow.std_error) > 10
        left = {one.place: one for one in place_residuals(light - 0.5 * dark, places_of(dark))}
        assert left["glow corner"].sigma < -10
        assert abs(left["hot pixels"].sigma) < 4


def test_a_glow_as_time_is_scaled_by_time():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:512, :512] / 512
    glow = 4000 * np.exp(-((1 - x) ** 2 + y**2) / 0.05)
    found = []
    for _ in range(30):
        light, dark = (
            rng.normal(k * glow + level, sigma) for k, level, sigma in ((0.5, 90, 12), (1.0, 20, 12 / 20**0.5))
        )
        found.append(glow_scale(light, dark))
    pulls = np.array([(one.k - 0.5) / one.std_error for one in found])
    assert abs(pulls.mean()) < 4 / len(pulls) ** 0.5
    assert pulls.std(ddof=1) == pytest.approx(1, abs=4 / (2 * len(pulls)) ** 0.5)


def test_stars_do_not_move_the_factor(ccd):
    light, dark = ccd[0]
    rng = np.random.default_rng(3)
    starry = light.copy()
    starry[rng.integers(0, 512, 400), rng.integers(0, 512, 400)] += rng.exponential(3000, 400)
    plain, found = (hot_pixel_scale(one, dark, brightest=LINEAR) for one in (light, starry))
    assert abs(found.k - plain.k) < 2 * plain.std_error


def test_exposures_give_their_ratio_but_never_more_than_one():
    assert exposure_scale(300.0, 600.0).k == 0.5
    with pytest.raises(NotMeasurableError, match="300 s are longer than the dark's 60 s: a dark is never scaled up"):
        exposure_scale(300.0, 60.0)
    with pytest.raises(NotMeasurableError, match="has no exposure to scale by"):
        exposure_scale(300.0, 0.0)


def test_a_dark_without_pattern_tells_no_factor():
    rng = np.random.default_rng(1)
    light, dark = rng.normal(0, 5, (2, 128, 128))
    for method in (noise_scale, hot_pixel_scale):
        with pytest.raises(NotMeasurableError, match="30 are needed"):
            method(light, dark)
    with pytest.raises(NotMeasurableError, match="it holds no glow"):
        glow_scale(np.zeros((256, 256)), np.ones((256, 256)))
    with pytest.raises(NotMeasurableError, match="tiles of 32 x 32 pixels"):
        glow_scale(np.zeros((64, 64)), np.ones((64, 64)))
    assert not hot_pixels_of(np.zeros((64, 64))).any()


def test_the_places_of_a_dark_are_apart_and_where_they_should_be():
    dark = np.random.default_rng(2).normal(0, 1, (128, 160))
    dark[:32, 128:] += 50
    dark[64, 80] = 500
    places = places_of(dark)
    assert places["glow corner"][2:30, 130:].all()
    assert places["glow corner"].sum() <= 32 * 32
    assert places["hot pixels"][64, 80]
    assert not places["centre"][64, 80]
    assert (sum(one.astype(int) for one in places.values()) <= 1).all()
    flat = np.random.default_rng(3).normal(7, 2, dark.shape)
    for one in place_residuals(flat, {"glow corner": places["glow corner"], "centre": places["centre"]}, sky=7.0):
        assert abs(one.sigma) < 4
        assert one.noise == pytest.approx(2, rel=0.15)
