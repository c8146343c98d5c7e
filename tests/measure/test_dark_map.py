"""The dark current map, its typical value and its hot pixels against the truth of simulated cameras."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.camera.session import dataset_camera, open_dataset
from workbench.camera.truth import scalar_truth
from workbench.errors import NotMeasurableError
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.measure.dark_map import dark_map
from workbench.measure.dark_typical import typical
from workbench.measure.grid import each_tile, smooth_rows
from workbench.measure.hot_fraction import hot_pixels
from workbench.measure.numbers import number
from workbench.measure.scaling import GRID
from workbench.stack.variance import difference_moments, levels

T, EXPOSURE = -20.0, 600.0
CAMERA = (
    replace(Sensor.from_manifest("qhy163m_like"), shape=(160, 160))
    .without("cosmic_rays", "dark_telegraph")
)  # fmt: skip


@lru_cache(maxsize=4)
def shoot(sensor, seed, exposure=EXPOSURE, n_darks=8, n_bias=10):
    """A camera, the moments of its darks and of its bias frames, and the pixels out of range."""
    camera, rng = Camera(sensor, seed), np.random.default_rng([seed, 163])
    stacks = [
        xr.DataArray(np.stack([camera.expose(kind, t, T, rng) for _ in range(n)]), dims=("frame", "y", "x"))
        for kind, t, n in (("dark", exposure, n_darks), ("bias", 0.0, n_bias))
    ]
    looks = [levels(stack, camera.saturation) for stack in stacks]
    excluded = looks[0].out_of_range | looks[1].out_of_range
    moments = [
        difference_moments(stack, look.frame_means, excluded, maps=True)
        for stack, look in zip(stacks, looks, strict=True)
    ]
    return camera, *moments, excluded


def map_of(sensor, seed, exposure=EXPOSURE, n_darks=8, n_bias=10, gain_error=0.0, gain_factor=1.0):
    camera, darks, bias, excluded = shoot(sensor, seed, exposure, n_darks, n_bias)
    gain = number(camera.gain * gain_factor, camera.gain * gain_error)
    return camera, dark_map(darks, bias, excluded, gain, exposure=exposure)


def any_camera(seed, spread=0.3, read_noise=None):
    """Gain 0.03 to 5 electron/adu, read noise 1 to 10 electron; clamp, glow and drift on in some."""
    rng = np.random.default_rng([seed, 5])
    read_noise = float(np.exp(rng.uniform(0, np.log(10)))) if read_noise is None else read_noise
    gain = float(np.exp(rng.uniform(np.log(0.03), np.log(min(5, read_noise / 0.8)))))
    electrons = float(10 ** rng.uniform(0.5, 2))
    return Sensor(
        name="any",
        shape=(128, 128),
        pixel_size=3.8,
        adc_bits=16,
        native_gain=gain,
        bias_level=500 + (15 * read_noise + 2 * electrons) / gain,
        pixel_pattern=0.5 * read_noise / gain,
        drift=0.3 * read_noise / gain,
        clamp_share=float(seed % 2),
        read_noise=read_noise,
        read_noise_spread=0.15,
        dark_current=electrons / EXPOSURE,
        dark_spread=spread,
        hot_fraction=0.002,
        hot_current=20 * electrons / EXPOSURE,
        hot_spread=0.8,
        glow_quadratic=0.1 * electrons / EXPOSURE**2 if seed % 3 == 0 else 0.0,
        glow_shielded=2.0,
    )


def check_pulls(pulls, spread=(0.9, 1.1)):
    """Mean 0 and spread 1, as far as their number tells; an error that is a bound may be too large."""
    n = len(pulls)
    assert abs(np.mean(pulls)) < 4 / n**0.5
    assert spread[0] - 3 / (2 * n) ** 0.5 < np.std(pulls) < spread[1] + 3 / (2 * n) ** 0.5
    assert np.abs(pulls).max() < 5


def typical_truth(camera, used=None):
    truth = scalar_truth(camera, T)["dark_current_typical"]
    if used is None:
        return truth
    rate = camera.thermal_rate(T)[used]
    return float(np.median(rate[rate <= 5 * truth]))


def test_level_and_typical_value_have_honest_errors_whatever_the_camera():
    found, middle = [], []
    for seed in range(16):
        camera, dark = map_of(any_camera(seed), seed)
        used = ~dark.excluded
        truth = camera.dark_electrons(EXPOSURE, T)[used].mean()
        found.append((float(dark.electrons[used].mean(dtype=float)) - truth) / dark.level.std_dev)
        rate = typical(dark).rate
        middle.append((rate.nominal_value - typical_truth(camera)) / rate.std_dev)
    check_pulls(found)
    check_pulls(middle)


def test_pixels_have_honest_errors():
    camera, dark = map_of(CAMERA, 1)
    used = ~dark.excluded & (camera.telegraph_class == 0) & (camera.dark_electrons(EXPOSURE, T) < 10)
    residual = (dark.electrons - camera.dark_electrons(EXPOSURE, T))[used]
    electrons = camera.dark_electrons(EXPOSURE, T)[used] / 8
    read = (camera.read_noise_map[used] ** 2 + camera.gain**2 * camera.lattice**2 / 12) * (1 / 8 + 1 / 10)
    n = residual.size
    assert (residual / np.sqrt(electrons + read)).std() == pytest.approx(1, abs=4 / (2 * n) ** 0.5)
    assert residual.std() == pytest.approx(dark.pixel_error, rel=0.03)
    assert dark.noise[used].mean() == pytest.approx((electrons + read).mean(), rel=0.02)
    assert dark.noise_spread == pytest.approx((np.exp(4 * 0.15**2) - 1) ** 0.5, abs=0.05)


def test_a_clamp_hides_nothing_from_the_map():
    clamped, dark = map_of(CAMERA, 2)
    free, other = map_of(CAMERA.without("clamp"), 2)
    assert clamped.dark_mean(EXPOSURE, T) < clamped.bias_level
    assert free.dark_mean(EXPOSURE, T) > free.bias_level + 50
    assert abs((dark.level - other.level).nominal_value) < 0.2 * dark.level.std_dev  # the same frames but for rounding
    step = CAMERA.native_gain * (1 / 8 + 1 / 10)
    assert np.abs(dark.electrons - other.electrons)[~dark.excluded & ~other.excluded].max() < 9 * step


def test_mean_and_noise_agree_tile_by_tile_unless_the_gain_is_wrong():
    p = [map_of(CAMERA, seed)[1].tiles.p for seed in range(6)]
    assert min(p) > 1e-4
    assert 0.2 < np.mean(p) < 0.8
    _, wrong = map_of(replace(CAMERA, glow_quadratic=5e-6), 1, gain_factor=1.5)
    assert wrong.tiles.p < 1e-4
    assert "mean and noise disagree over the tiles" in wrong.notes[0]
    camera, dark = map_of(CAMERA, 1)
    truth = np.full((GRID, GRID), np.nan)
    for place, tile in each_tile(dark.excluded.shape):
        truth[place] = np.median(camera.dark_electrons(EXPOSURE, T)[tile])
    pulls = (dark.tiles.electrons - truth) / dark.tiles.errors
    assert abs(pulls.mean()) < 0.5  # the median is not the mean
    assert 0.8 < pulls.std() < 1.2


def test_an_offset_pattern_that_differs_between_bias_and_darks_is_said():
    camera, darks, bias, excluded = shoot(CAMERA, 3)
    tilt = np.linspace(0, 200, 160, dtype=np.float32)[:, None]
    dark = dark_map(replace(darks, mean_map=darks.mean_map + tilt), bias, excluded, number(camera.gain, 0), exposure=1)
    assert "the offset's pattern differs between bias and darks" in dark.notes[0]


def test_hits_lift_neither_the_level_nor_the_typical_value_nor_the_hot_pixels():
    pulls, plain = [], []
    for seed in range(4):
        camera, darks, bias, excluded = shoot(replace(CAMERA, cosmic_ray_rate=20.0), seed)
        gain = number(camera.gain, 0)
        dark = dark_map(darks, bias, excluded, gain, exposure=EXPOSURE)
        middle = typical(dark)
        pulls.append((middle.rate.nominal_value - typical_truth(camera)) / middle.rate.std_dev)
        electrons = camera.dark_electrons(EXPOSURE, T)[~excluded].mean()
        plain.append((darks.temporal.value - bias.temporal.value) * camera.gain**2 / electrons)
        hot = hot_pixels(dark, middle, np.zeros_like(excluded))
        truth = scalar_truth(camera, T)["hot_pixel_fraction"]
        assert abs(hot.fraction.nominal_value - truth) < 5 * hot.fraction.std_dev
    assert np.mean(plain) > 1.5  # what the plain variance makes of them
    assert abs(np.mean(pulls)) < 0.7 + 3 / 4**0.5


def test_the_error_of_the_gain_enters_once():
    _, dark = map_of(CAMERA, 1, gain_error=0.05 * 1)
    _, sharp = map_of(CAMERA, 1)
    gain_part = (dark.level.std_dev**2 - sharp.level.std_dev**2) ** 0.5 / dark.level.nominal_value
    assert gain_part == pytest.approx(2 * 0.05, rel=1e-6)  # the level is in proportion to its square
    brightest = dark.above_level(dark.level.nominal_value + 100.0)
    expected = 2 * dark.level.nominal_value * 0.05 + 100 * 0.05
    assert (brightest.std_dev**2 - sharp.level.std_dev**2) ** 0.5 == pytest.approx(expected, rel=1e-6)


def test_mean_rate_of_chosen_pixels_is_that_of_the_truth():
    pulls = []
    for seed in range(6):
        camera, dark = map_of(any_camera(seed), seed)
        chosen = camera.thermal_rate(T) > 8 * camera.sensor.dark_current
        rate = dark.mean_rate(chosen)
        truth = camera.dark_electrons(EXPOSURE, T)[chosen & ~dark.excluded].mean() / EXPOSURE
        pulls.append((rate.nominal_value - truth) / rate.std_dev)
        counted = chosen & ~dark.excluded
        assert dark.rates(counted).mean() == pytest.approx(rate.nominal_value, rel=1e-4)
    check_pulls(pulls)
    with pytest.raises(NotMeasurableError, match="none of these pixels counts"):
        dark.mean_rate(np.zeros_like(chosen))


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("read_noise", [3.0, 40.0])
def test_typical_value_is_the_median_at_any_spread_and_noise(spread, read_noise):
    """40 electron of dark signal; the noise of the map is 0.3 to over 2 times the intrinsic spread."""
    pulls, corrections = [], []
    for seed in range(4):
        sensor = replace(any_camera(seed, spread, read_noise), dark_current=40 / EXPOSURE, hot_fraction=0.0)
        camera, dark = map_of(sensor, seed)
        found = typical(dark)
        pulls.append((found.rate.nominal_value - typical_truth(camera)) / found.rate.std_dev)
        corrections.append(found.correction)
    assert abs(np.mean(pulls)) < 4 / len(pulls) ** 0.5
    assert np.abs(pulls).max() < 5
    if spread == 0.6 and read_noise == 3.0:
        assert -8 < np.mean(corrections) < -0.05


def test_noise_hides_the_skewness_of_dark_currents_and_the_correction_brings_it_back():
    sensor = replace(any_camera(1, spread=0.6, read_noise=20.0), dark_current=60 / EXPOSURE, hot_fraction=0.0)
    raw, corrected = [], []
    for seed in range(4):
        camera, dark = map_of(replace(sensor, shape=(192, 192)), seed)
        found = typical(dark)
        truth = typical_truth(camera) * EXPOSURE
        level = (dark.electrons - camera.dark_electrons(EXPOSURE, T))[~dark.excluded].mean()
        raw.append(found.electrons.nominal_value - found.correction - truth - level)  # the error of the level apart
        corrected.append(found.electrons.nominal_value - truth - level)
    assert np.mean(raw) > 0.02 * truth
    assert abs(np.mean(corrected)) < 0.3 * np.mean(raw)


def test_few_frames_of_a_coarse_lattice_have_a_median_between_their_steps():
    pulls = []
    for seed in range(12):
        camera, dark = map_of(replace(CAMERA.without("glow"), shape=(128, 128)), seed, n_darks=2, n_bias=2)
        rate = typical(dark).rate
        pulls.append((rate.nominal_value - typical_truth(camera)) / rate.std_dev)
    check_pulls(pulls)


def test_glow_is_left_out_of_the_typical_value():
    for seed in range(3):
        camera, dark = map_of(replace(CAMERA, glow_quadratic=5e-6), seed)
        found = typical(dark)
        glow = np.full((GRID, GRID), np.nan)
        for place, tile in each_tile(dark.excluded.shape):
            glow[place] = camera.glow_electrons(EXPOSURE)[tile].mean()
        assert dark.glow.glow[0, -1]
        assert dark.glow.free[-1, 0]
        left = glow[dark.glow.free].mean()
        assert left < found.electrons.std_dev
        assert abs(dark.glow.residual - left) < 3 * dark.glow.residual_error + 0.3 * found.electrons.std_dev
        mean = camera.dark_electrons(EXPOSURE, T).mean()
        truth = typical_truth(camera)
        assert abs(found.rate.nominal_value - truth) < 5 * found.rate.std_dev < mean / EXPOSURE - truth


def test_sensors_without_glow_show_none():
    masks = [map_of(CAMERA.without("glow"), seed)[1].glow for seed in range(6)]
    assert sum(mask.glow.any() for mask in masks) <= 1
    assert all(mask.free.sum() > 200 for mask in masks)


def test_glow_all_over_the_sensor_is_said():
    sensor = replace(CAMERA, glow_quadratic=2e-5, glow_reach=0.5, bias_level=3000.0)
    _, dark = map_of(sensor, 1)
    assert any("glow is all over the sensor" in note for note in dark.notes)
    assert any("glow is all over the sensor" in note for note in typical(dark).notes)


@pytest.mark.parametrize(
    ("exposure", "n_darks", "spread"), [(600.0, 8, 0.3), (250.0, 14, 0.3), (600.0, 2, 0.3), (600.0, 8, 0.5)]
)
def test_hot_pixel_fraction_is_free_of_what_noise_does_to_it(exposure, n_darks, spread):
    sensor = replace(CAMERA, hot_fraction=0.02, dark_spread=spread, shape=(192, 192))
    pulls = []
    for seed in range(3):
        camera, dark = map_of(sensor, seed, exposure, n_darks, 12)
        hot = hot_pixels(dark, typical(dark), np.zeros_like(dark.excluded))
        rate = camera.thermal_rate(T)
        truth = rate > 5 * typical_truth(camera)
        pulls.append((hot.fraction.nominal_value - truth.mean()) / hot.fraction.std_dev)
        # a binomial error would be that of other pixels
        assert hot.fraction.std_dev < (truth.mean() / truth.size) ** 0.5
        # well above the limit a pixel is found, whether it saturates or not
        sure = rate * exposure > hot.limit + 6 * hot.pixel_error + 0.1 * hot.limit
        assert hot.mask[sure].mean() > 0.99
        assert truth[hot.mask].mean() > 0.8
    assert abs(np.mean(pulls)) < 4 / len(pulls) ** 0.5
    assert np.abs(pulls).max() < 5


def test_hot_pixels_within_the_noise_are_not_measured():
    _, dark = map_of(CAMERA.without("glow"), 1, exposure=60.0)
    with pytest.raises(NotMeasurableError, match=r"within the noise of a pixel .* shoot darks \d.* times as long"):
        hot_pixels(dark, typical(dark))


def test_hot_pixels_known_from_longer_darks_serve_shorter_ones():
    camera, dark = map_of(CAMERA, 5)
    known = hot_pixels(dark, typical(dark)).mask
    _, short = map_of(CAMERA, 5, exposure=60.0)
    found = typical(short, hot=known)
    assert abs(found.rate.nominal_value - typical_truth(camera)) < 4 * found.rate.std_dev
    assert found.n_pixels <= (~(short.excluded | known)).sum()


def test_what_cannot_be_mapped_says_why():
    camera, darks, bias, excluded = shoot(CAMERA, 5)
    gain = number(camera.gain, 0)
    with pytest.raises(NotMeasurableError, match="no longer than the zero-light frames"):
        dark_map(darks, bias, excluded, gain, exposure=0.0)
    with pytest.raises(NotMeasurableError, match="one dark or one bias frame"):
        dark_map(replace(darks, n_frames=1), bias, excluded, gain, exposure=1.0)
    with pytest.raises(NotMeasurableError, match="pixel"):
        dark_map(darks, bias, np.ones_like(excluded), gain, exposure=1.0)
    with pytest.raises(ValueError, match="maps=True"):
        dark_map(replace(darks, mean_map=None), bias, excluded, gain, exposure=1.0)


def test_the_embedded_camera_has_its_typical_value_and_its_hot_pixels():
    frames, camera = catalogue(open_dataset("embedded", progress=False)), dataset_camera("embedded")
    cold = frames[(frames["temperature"] + 20).abs() < 1]
    stacks = [
        load_stack(cold[cold["kind"] == "bias"]),
        load_stack(cold[(cold["kind"] == "dark") & (cold["exposure"] == EXPOSURE)]),
    ]
    looks = [levels(stack, camera.saturation) for stack in stacks]
    excluded = looks[0].out_of_range | looks[1].out_of_range
    bias, darks = (
        difference_moments(stack, look.frame_means, excluded, maps=True)
        for stack, look in zip(stacks, looks, strict=True)
    )
    dark = dark_map(darks, bias, excluded, number(camera.gain, 0), exposure=EXPOSURE)
    middle = typical(dark)
    truth = scalar_truth(camera, T)
    assert middle.rate.std_dev < 0.01 * truth["dark_current_typical"]
    assert abs(middle.rate.nominal_value - truth["dark_current_typical"]) < 4 * middle.rate.std_dev
    assert "dark currents are skewed" in middle.notes[0]  # by 1.5 %, three times the error
    hot = hot_pixels(dark, middle, np.zeros_like(excluded))
    assert abs(hot.fraction.nominal_value - truth["hot_pixel_fraction"]) < 5 * hot.fraction.std_dev
    assert hot.fraction.std_dev < 0.1 * truth["hot_pixel_fraction"]
    assert dark.tiles.p > 1e-4


def test_a_smooth_map_between_tiles_follows_a_plane():
    y, x = np.mgrid[:GRID, :GRID].astype(float)
    shape = (80, 52)
    smooth = smooth_rows(3 * y + x, shape, slice(0, 80))
    rows, columns = ((np.arange(n) + 0.5) * GRID / n - 0.5 for n in shape)
    plane = 3 * rows[:, None] + columns
    assert smooth[4:-4, 4:-4] == pytest.approx(plane[4:-4, 4:-4], abs=1e-4)
    assert smooth_rows(3 * y + x, shape, slice(30, 40)) == pytest.approx(smooth[30:40])
