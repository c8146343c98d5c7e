"""Whatever the camera says of itself is what its frames show: every expectation against an average over frames."""

import re
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest

from workbench.camera.parameters import TERMS_OFF, Sensor
from workbench.camera.sensor import Camera
from workbench.camera.specimen import arrhenius

COLD = -20.0


def shoot(camera: Camera, kind: str, exposure: float, n: int, seed: int = 1, **options: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([camera.expose(kind, exposure, COLD, rng, **options) for _ in range(n)], dtype=np.float64)


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


# ---- the dark


@pytest.mark.parametrize(("exposure", "bias_level"), [(0.0, 1600.0), (60.0, 1600.0), (900.0, 1600.0), (0.0, 30.0)])
def test_the_mean_of_darks_is_the_expected_one_even_where_pixels_clip(
    dark_sensor: Sensor, exposure: float, bias_level: float
) -> None:
    camera = Camera(replace(dark_sensor, bias_level=bias_level), 3)
    mean, error = mean_and_error(shoot(camera, "dark", exposure, 40).mean(axis=(1, 2)))
    assert abs(mean - camera.dark_mean(exposure, COLD)) < 4 * error


def test_some_pixels_do_clip_in_that_test(dark_sensor: Sensor) -> None:
    low = shoot(Camera(replace(dark_sensor, bias_level=30.0), 3), "dark", 0.0, 1)
    assert 0.1 < np.mean(low == 0) < 0.6
    assert np.sum(shoot(Camera(dark_sensor, 3), "dark", 900.0, 1) == 65520) >= 3


@pytest.mark.parametrize("exposure", [0.0, 300.0])
def test_the_temporal_variance_of_darks_is_the_expected_one(dark_sensor: Sensor, exposure: float) -> None:
    camera = Camera(dark_sensor, 3)
    expected = camera.variance(exposure, COLD)
    steady = camera.dark_electrons(exposure, COLD) < 500  # far from saturation
    groups = shoot(camera, "dark", exposure, 80).reshape(20, 4, *dark_sensor.shape)
    mean, error = mean_and_error(groups.var(axis=1, ddof=1)[:, steady].mean(axis=1))
    assert abs(mean - expected[steady].mean()) < 4 * error
    assert error < 0.01 * mean


def test_the_dark_mean_follows_its_coefficients(dark_sensor: Sensor) -> None:
    # hot pixels saturate, which no quadratic knows; row noise would make the frame's mean noisier than its pixels tell
    camera = Camera(dark_sensor.without("hot_pixels", "row_noise"), 3)
    exposures = np.repeat([0.0, 60.0, 120.0, 240.0, 360.0, 480.0, 600.0], 10)
    rng = np.random.default_rng(2)
    means = np.array([camera.expose("dark", t, COLD, rng).mean() for t in exposures])
    sigma = np.array([np.sqrt(camera.variance(t, COLD).sum()) for t in exposures]) / (120 * 160)
    fit, covariance = np.polyfit(exposures, means, 2, w=1 / sigma, cov="unscaled")
    pulls = (fit[::-1] - camera.dark_mean_coefficients(COLD)) / np.sqrt(np.diag(covariance))[::-1]
    assert np.all(np.abs(pulls) < 4)
    assert fit[0] < -20 * np.sqrt(covariance[0, 0])  # it does fall, and the fit sees it


def test_the_clamp_takes_one_constant_from_every_pixel(dark_sensor: Sensor) -> None:
    sensor = dark_sensor.without("lattice", "hot_pixels")
    free, clamped = (
        shoot(Camera(model, 3), "dark", 600.0, 1)[0] for model in (replace(sensor, clamp_share=0.0), sensor)
    )
    taken = Camera(sensor, 3).clamp_electrons(600.0, COLD) / sensor.gain
    assert np.abs(free - clamped - taken).max() <= 1.0  # the rounding of both


def test_the_clamp_is_the_shielded_pixels_mean(dark_sensor: Sensor) -> None:
    camera = Camera(dark_sensor.without("dead_pixels"), 3)
    thermal = 1.2 * camera.thermal_rate(-10.0).mean() * 300.0
    glow = 3.0 * camera.glow_electrons(300.0).mean()
    assert camera.clamp_electrons(300.0, -10.0) == pytest.approx(0.8 * (thermal + glow), rel=1e-9)


def test_glow_grows_as_given_and_fades_with_distance(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor.without("dead_pixels"), 3)
    assert camera.glow_electrons(200.0).mean() == pytest.approx(1e-3 * 200.0 + 1e-5 * 200.0**2)
    shape = camera.glow_shape
    assert np.unravel_index(shape.argmax(), shape.shape) == (0, 159)
    assert shape[0, 159] / shape[0, 159 - 19] == pytest.approx(np.exp(19 / (0.12 * 160)))


def test_normal_and_hot_pixels_warm_with_their_own_energies(full_sensor: Sensor) -> None:
    living = full_sensor.without("dead_pixels", "dark_telegraph")
    normal, hot = Camera(living.without("hot_pixels"), 3), Camera(living, 3)
    assert normal.thermal_rate(-10.0) / normal.thermal_rate(COLD) == pytest.approx(arrhenius(0.6, -10.0, COLD))
    warm, cold = (hot.thermal_rate(t) - normal.thermal_rate(t) for t in (-10.0, COLD))
    assert np.count_nonzero(cold) == round(0.004 * 120 * 160)
    assert warm[cold > 0] / cold[cold > 0] == pytest.approx(arrhenius(0.5, -10.0, COLD))


def test_the_dark_current_has_its_mean_and_spread(quiet_sensor: Sensor) -> None:
    rate = Camera(replace(quiet_sensor, dark_current=0.02, dark_spread=0.4), 3).thermal_rate(COLD)
    mean, error = mean_and_error(rate)
    assert abs(mean - 0.02) < 4 * error
    assert np.log(rate).std() == pytest.approx(0.4, abs=4 * 0.4 / np.sqrt(2 * rate.size))


# ---- reading


def test_read_noise_is_the_scatter_of_bias_pairs_without_the_rounding(dark_sensor: Sensor) -> None:
    camera = Camera(dark_sensor, 3)
    frames = shoot(camera, "bias", 0.0, 60)
    pairs = (frames[::2] - frames[1::2]).var(axis=(1, 2), ddof=1) / 2
    mean, error = mean_and_error(pairs)
    expected = (camera.read_noise / camera.gain) ** 2 + camera.lattice**2 / 12
    assert abs(mean - expected) < 4 * error


def test_row_noise_is_common_to_a_row_and_new_in_every_frame(quiet_sensor: Sensor) -> None:
    sensor = replace(quiet_sensor, shape=(400, 30), row_noise=2.0, overscan_columns=5).without("lattice")
    frames = shoot(Camera(sensor, 3), "bias", 0.0, 20)
    assert np.all(np.ptp(frames, axis=2) == 0)  # the strip of overscan included
    rows = frames[:, :, 0] * sensor.gain
    assert rows.std() == pytest.approx(2.0, abs=4 * 2.0 / np.sqrt(2 * rows.size))
    between_frames = np.corrcoef(rows)[np.triu_indices(20, 1)]
    assert abs(between_frames.mean()) < 4 / np.sqrt(between_frames.size * 400)


def test_frames_without_row_noise_stay_what_they_were(full_sensor: Sensor) -> None:
    """The row noise is drawn after all else: frames with and without it differ by one number a row."""
    noisy = full_sensor.without("lattice")
    with_rows, without = (
        shoot(Camera(sensor, 3), "dark", 60.0, 1)[0] for sensor in (noisy, noisy.without("row_noise"))
    )
    inside = (with_rows < 65000) & (without < 65000)
    difference = np.where(inside, with_rows - without, np.nan)
    assert np.nanmax(np.abs(difference - np.nanmedian(difference, axis=1, keepdims=True))) <= 1.0  # rounding
    assert np.nanmedian(difference, axis=1).std() * noisy.gain == pytest.approx(0.4, abs=4 * 0.4 / np.sqrt(240))


def test_the_offset_has_its_row_and_column_pattern(quiet_sensor: Sensor) -> None:
    sensor = replace(quiet_sensor, shape=(600, 500), row_pattern=3.0, column_pattern=5.0)
    offset = Camera(sensor, 3).offset_map
    assert offset.mean(axis=1).std() == pytest.approx(3.0, abs=4 * 3.0 / np.sqrt(1200))
    assert offset.mean(axis=0).std() == pytest.approx(5.0, abs=4 * 5.0 / np.sqrt(1000))
    columns = Camera(replace(sensor, row_pattern=0.0), 3).offset_map
    assert np.ptp(offset - columns, axis=1).max() < 1e-9  # the columns are the same with and without rows


def test_dead_pixels_gather_nothing_and_are_read_like_others(full_sensor: Sensor) -> None:
    free = full_sensor.without("clamp", "drift", "cosmic_rays", "overscan", "row_noise")  # so that pixels scatter alone
    sensor = replace(free, dead_fraction=0.05)
    camera = Camera(sensor, 3)
    assert np.sum(camera.dead) == round(0.05 * 120 * 160)
    flats = shoot(camera, "flat", 10.0, 20, light=50.0)
    error = np.sqrt(camera.variance(0.0, COLD)[camera.dead] / 20)
    pulls = (flats.mean(axis=0) - camera.offset_map)[camera.dead] / error
    assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * pulls.size)
    assert np.all((flats.mean(axis=0) - camera.offset_map)[~camera.dead] > 100 / sensor.gain)
    assert not camera.dark_electrons(600.0, COLD)[camera.dead].any()
    assert not np.any(camera.telegraph_class[camera.dead] == 3)
    hit = shoot(Camera(replace(sensor, cosmic_ray_rate=1e7), 3), "dark", 60.0, 1)[0] - camera.offset_map
    assert hit[camera.dead].max() < 100 / sensor.gain < np.median(hit[~camera.dead])


def test_read_telegraph_pixels_stand_at_two_or_three_levels_about_their_offset(quiet_sensor: Sensor) -> None:
    sensor = replace(
        quiet_sensor,
        adc_bits=16,
        native_gain=0.03125,
        read_telegraph_fraction=0.02,
        read_telegraph_amplitude=8.0,
        read_telegraph_duty=0.3,
        read_telegraph_three_levels=0.4,
    )
    camera = Camera(sensor, 3)
    frames = shoot(camera, "bias", 0.0, 200)
    classes = camera.telegraph_class
    levels = np.array([np.unique(column).size for column in frames.reshape(200, -1).T]).reshape(sensor.shape)
    assert np.array_equal(levels - 1, classes)  # two hundred reads show every level
    assert np.sum(classes > 0) == round(0.02 * classes.size)
    two = frames[:, classes == 1]
    upper = (two > two.min(axis=0)).mean()
    assert abs(upper - 0.3) < 4 * np.sqrt(0.3 * 0.7 / two.size)
    error = camera.read_noise_map[classes > 0] / camera.gain / np.sqrt(200)
    pulls = (frames[:, classes > 0].mean(axis=0) - camera.offset_map[classes > 0]) / error
    assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * pulls.size)


def test_switching_pixels_scatter_as_expected(quiet_sensor: Sensor) -> None:
    sensor = replace(quiet_sensor, dark_telegraph_fraction=1.0, dark_telegraph_current=0.2, dark_telegraph_duty=0.4)
    camera = Camera(sensor, 3)
    frames = shoot(camera, "dark", 600.0, 8)
    error = np.sqrt(camera.variance(600.0, COLD).mean() / frames.size)
    assert abs(frames.mean() - camera.dark_mean(600.0, COLD)) < 4 * error
    mean, error = mean_and_error(frames.var(axis=0, ddof=1))
    assert abs(mean - camera.variance(600.0, COLD).mean()) < 4 * error
    steady = camera.dark_electrons(600.0, COLD).mean() / sensor.gain**2 + 16**2 / 12
    assert mean > 2 * steady  # the switching is what this is about


def test_cosmic_rays_fall_on_the_frame(quiet_sensor: Sensor) -> None:
    camera = Camera(replace(quiet_sensor, cosmic_ray_rate=2000.0), 3)
    hit = shoot(camera, "dark", 60.0, 200) > 1600
    hits = 2000.0 * 120 * 160 * (3.8e-4) ** 2
    pixels = hit.sum() / 200
    assert hits * 2.5 < pixels < hits * 4.5  # a track has four pixels on average, less what leaves the sensor


def test_the_drift_moves_whole_frames(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor.without("cosmic_rays"), 3)
    levels = shoot(camera, "bias", 0.0, 100).mean(axis=(1, 2))
    assert abs(levels.std(ddof=1) - 40.0) < 4 * 40.0 / np.sqrt(2 * 99)


def test_a_given_drift_is_the_frames_own(quiet_sensor: Sensor) -> None:
    assert np.all(shoot(Camera(quiet_sensor, 3), "bias", 0.0, 1, drift=32.0) == 1632)


def test_the_drift_of_a_session_is_correlated_as_given(quiet_sensor: Sensor) -> None:
    camera = Camera(replace(quiet_sensor, drift=5.0, drift_correlation=0.8), 3)
    drifts = camera.drifts(20_000, np.random.default_rng(4))
    assert drifts.std() == pytest.approx(5.0, rel=4 * np.sqrt(4.6 / 40_000))  # (1 + r^2) / (1 - r^2) fewer values
    assert np.corrcoef(drifts[1:], drifts[:-1])[0, 1] == pytest.approx(0.8, abs=4 * 0.6 / np.sqrt(20_000))


def test_the_overscan_strip_holds_offset_drift_and_read_noise_only(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor.without("fixed_pattern"), 3)
    strip = shoot(camera, "flat", 600.0, 1, light=1.0, drift=100.0)[0][:, 160:]
    assert strip.shape == (120, 24)
    mean, error = mean_and_error(strip)
    assert abs(mean - 1700.0) < 4 * error
    electrons = strip.std() * camera.gain
    assert 1.7 < electrons < 2.0  # median 1.7 with a spread of 20 %, and the rounding


# ---- light


def test_flats_show_vignetting_and_prnu(quiet_sensor: Sensor) -> None:
    sensor = replace(quiet_sensor, prnu=0.02, vignetting=0.2)
    signal = shoot(Camera(sensor, 3), "flat", 10.0, 40, light=80.0).mean(axis=0) - 1600.0
    down, across = np.linspace(-1, 1, 120)[:, None], np.linspace(-1, 1, 160)[None, :]
    even = signal / (1 - 0.2 * ((120 * down) ** 2 + (160 * across) ** 2) / (120**2 + 160**2))
    mean, error = mean_and_error(even)
    assert abs(mean - 800.0 / 0.03125) < 4 * error
    noise = 1 / np.sqrt(800.0 * 40)
    assert even.std() / mean == pytest.approx(np.hypot(0.02, noise), rel=0.03)


def test_a_pair_of_flats_tells_the_gain(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor.without("cosmic_rays", "overscan", "hot_pixels"), 3)
    first, second = shoot(camera, "flat", 2.0, 2, light=200.0)
    bias = shoot(camera, "bias", 0.0, 2)
    signal = (first + second - bias.sum(axis=0)).mean()
    difference = (first - second).var(ddof=1) - (bias[0] - bias[1]).var(ddof=1)
    assert signal / difference == pytest.approx(camera.gain, rel=4 * np.sqrt(2 / first.size))


def test_a_map_of_light_falls_on_the_pixels_through_the_optics(quiet_sensor: Sensor) -> None:
    camera = Camera(replace(quiet_sensor, prnu=0.02, vignetting=0.2, dust=2, dust_depth=0.1), 3)
    scene = np.full(quiet_sensor.shape, 1.0)
    scene[30:50, 70:90] = 5.0
    signal = (shoot(camera, "light", 60.0, 40, light=scene).mean(axis=0) - 1600.0) * 0.03125
    pulls = (signal - 60.0 * scene * camera.response) / np.sqrt((60.0 * scene * camera.response + 0.5**2 / 12) / 40)
    assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size)
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * pulls.size)


def test_an_even_map_of_light_is_the_even_light(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor, 3)
    even, mapped = (
        camera.expose("flat", 2.0, COLD, np.random.default_rng(1), light=light)
        for light in (200.0, np.full(full_sensor.shape, 200.0))
    )
    assert np.array_equal(even, mapped)


def test_dust_casts_rings_of_the_given_size_and_depth(quiet_sensor: Sensor) -> None:
    sensor = replace(quiet_sensor, dust=40, dust_depth=0.05, dust_radius=6.0, shape=(900, 1200))
    shadow = 1 - Camera(sensor, 3).response
    assert shadow.min() > -1e-12
    grains = 40 * np.pi * 6.0**2 * np.exp(2 * 0.3**2) * 0.05 * np.exp(0.3**2 / 2) * (1 - 0.5 * 0.4**2)
    # areas and depths scatter from grain to grain, some shadows overlap or leave the frame, soft edges add some area
    assert shadow.sum() == pytest.approx(grains, rel=4 * 0.75 / np.sqrt(40))
    assert 0.05 < shadow.max() < 0.05 * np.exp(4 * 0.3)
    assert np.all(Camera(replace(sensor, dust=0), 3).response == 1)


# ---- the ADC


@pytest.mark.parametrize(("bits", "lattice"), [(12, 16), (14, 4), (16, 1)])
def test_values_lie_on_the_lattice(full_sensor: Sensor, bits: int, lattice: int) -> None:
    sensor = replace(full_sensor, adc_bits=bits, native_gain=0.03125 * lattice)
    frame = Camera(sensor, 3).expose("dark", 300.0, COLD, np.random.default_rng(1))
    assert frame.dtype == np.uint16
    assert frame.shape == (120, 184)
    assert reduce(np.gcd, np.unique(frame)) == lattice == Camera(sensor, 3).lattice


def test_light_saturates_at_the_top_of_the_adc(dark_sensor: Sensor) -> None:
    camera = Camera(dark_sensor, 3)
    assert camera.saturation == 65520
    assert camera.full_well == pytest.approx((65520 - camera.bias_level) * 0.03125)
    assert np.all(shoot(camera, "flat", 10.0, 1, light=500.0)[:, 60, 80] == 65520)


def test_light_saturates_at_the_full_well(quiet_sensor: Sensor) -> None:
    camera = Camera(replace(quiet_sensor, well_capacity=1500.0), 3)
    assert camera.saturation == 1600 + 1500 * 32
    assert camera.full_well == 1500
    assert np.all(shoot(camera, "flat", 10.0, 1, light=500.0) == camera.saturation)


def test_hot_pixels_saturate(dark_sensor: Sensor) -> None:
    camera = Camera(dark_sensor, 3)
    hot = camera.dark_electrons(900.0, COLD) > 2500
    assert hot.any()
    assert np.all(shoot(camera, "dark", 900.0, 1)[0][hot] == 65520)


# ---- switches, seeds, inputs


@pytest.mark.parametrize("term", sorted(set(TERMS_OFF) - {"dark_spread", "read_noise_spread"}))
def test_each_term_alone_shows_and_can_be_switched_off(full_sensor: Sensor, quiet_sensor: Sensor, term: str) -> None:
    needs = {"clamp": {"glow"}, "hot_pixels": {"dark_current"}, "read_telegraph": {"read_noise"}}
    needs["dark_telegraph"] = {"dark_current"}
    on = {key: getattr(full_sensor, key) for name in {term, *needs.get(term, ())} for key in TERMS_OFF[name]}
    alone = replace(quiet_sensor, **on)
    without = alone.without(term)

    def frame(sensor: Sensor) -> np.ndarray:
        return Camera(sensor, 3).expose("light", 600.0, COLD, np.random.default_rng(1), light=2.6)

    assert not np.array_equal(frame(alone), frame(without))
    assert np.array_equal(frame(without), frame(replace(alone, **TERMS_OFF[term])))


def test_everything_off_leaves_the_offset(quiet_sensor: Sensor) -> None:
    assert np.all(shoot(Camera(quiet_sensor, 3), "dark", 600.0, 1) == 1600)


def test_one_seed_makes_one_frame(full_sensor: Sensor) -> None:
    def frame(seed: int, draw: int) -> np.ndarray:
        return Camera(full_sensor, seed).expose("dark", 60.0, COLD, np.random.default_rng(draw))

    assert np.array_equal(frame(3, 1), frame(3, 1))
    assert not np.array_equal(frame(3, 1), frame(3, 2))
    assert not np.array_equal(frame(3, 1), frame(4, 1))


def test_switching_one_term_off_leaves_the_other_maps_alone(full_sensor: Sensor) -> None:
    whole, less = Camera(full_sensor, 3), Camera(full_sensor.without("dark_telegraph", "hot_pixels", "glow"), 3)
    assert np.array_equal(whole.offset_map, less.offset_map)
    assert np.array_equal(whole.read_noise_map, less.read_noise_map)
    assert np.array_equal(whole.telegraph_class * (whole.telegraph_class < 3), less.telegraph_class)


def test_exposing_changes_neither_maps_nor_the_global_generator(full_sensor: Sensor) -> None:
    camera = Camera(full_sensor, 3)
    maps = [camera.dark_electrons(60.0, COLD), camera.offset_map, camera.read_noise_map, camera.glow_shape]
    before = [array.copy() for array in maps]
    state = str(np.random.get_state())  # noqa: NPY002  the one that nobody may touch
    shoot(camera, "light", 60.0, 3, light=2.0)
    shoot(camera, "dark", 60.0, 1)
    assert all(np.array_equal(*pair) for pair in zip(maps, before, strict=True))
    assert str(np.random.get_state()) == state  # noqa: NPY002
    assert np.array_equal(camera.dark_electrons(60.0, COLD), before[0])


def test_the_maps_cannot_be_written_to(full_sensor: Sensor) -> None:
    with pytest.raises(ValueError, match="read-only"):
        Camera(full_sensor, 3).dark_electrons(60.0, COLD)[0, 0] = 1.0


@pytest.mark.parametrize(
    ("kind", "exposure", "light", "message"),
    [
        ("drak", 1.0, 0.0, "kind = 'drak' is no kind of frame; choose from bias, dark, darkflat, flat, light"),
        ("dark", -1.0, 0.0, "exposure = -1.0 s, light = 0.0 electron / s: neither may be negative"),
        ("dark", 1.0, 5.0, "light = 5.0 electron / s in a dark frame; its shutter is closed, leave light at 0"),
    ],
)
def test_an_impossible_frame_is_refused(
    quiet_sensor: Sensor, kind: str, exposure: float, light: float, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Camera(quiet_sensor, 3).expose(kind, exposure, COLD, np.random.default_rng(1), light=light)
