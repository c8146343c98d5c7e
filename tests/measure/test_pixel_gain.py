"""Gain from the pixels of one dark exposure: no clamp reaches it, and no pixel is chosen for its own noise."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.pixel_gain import gain_from_pixels, level_groups, tile_groups
from workbench.stack.variance import difference_moments

SHORT, LONG, MEASURED = 60.0, 450.0, 600.0
QUIET = ("dark_telegraph", "read_telegraph", "cosmic_rays")


def camera_of(gain, seed, *, off=QUIET, shape=(112, 128)):
    """A camera like that of the paper with its patterns in electrons kept, warmer, and of any gain."""
    like = Sensor.from_manifest("qhy163m_like")
    noise = max(1.7, 0.8 * gain)  # below that, rounding would hide it
    sensor = replace(
        like,
        shape=shape,
        adc_bits=16,
        native_gain=gain,
        bias_level=max(1000.0, 40 / gain + 10 * noise / gain),
        pixel_pattern=0.25 / gain,
        column_pattern=0.12 / gain,
        drift=0.05 / gain,
        read_noise=noise,
        dark_current=0.02,
        hot_fraction=0.02,
        hot_current=0.4,
        dark_telegraph_fraction=0.005,
        dark_telegraph_current=0.2,
        glow_quadratic=3e-6,
    )
    return Camera(sensor.without(*off), seed)


def moments_of(camera, rng, n_frames):
    """Moments of bias and of three exposures over the pixels that stay in range, and those that do not."""
    stacks = {t: np.stack([camera.expose("dark", t, -20.0, rng) for _ in range(n_frames)]) for t in (0, SHORT, LONG)}
    stacks[MEASURED] = np.stack([camera.expose("dark", MEASURED, -20.0, rng) for _ in range(n_frames)])
    out = np.logical_or.reduce([((one >= 65535) | (one == 0)).any(axis=0) for one in stacks.values()])
    found = {}
    for t, frames in stacks.items():
        stack = xr.DataArray(frames, dims=("frame", "y", "x"))
        found[t] = difference_moments(stack, frames.mean(axis=(1, 2)), out, maps=True)
    return found, out


@cache
def found_of(gain, seed, n_frames=5, off=QUIET, shape=(112, 128)):
    return moments_of(camera_of(gain, seed, off=off, shape=shape), np.random.default_rng(seed), n_frames)


def pull(found, gain):
    return (found.gain.nominal_value - gain) / found.gain.std_dev


def by_level(moments, out, **how):
    return level_groups(moments[LONG].mean_map - moments[SHORT].mean_map, out, **how)


@pytest.mark.parametrize("gain", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("off", [QUIET, (*QUIET, "clamp")], ids=["clamped", "plain"])
def test_the_gain_is_found_whatever_it_is_and_whatever_the_clamp_takes(gain, off):
    pulls = []
    for seed in range(5):
        moments, out = found_of(gain, seed, off=off)
        found = gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out))
        assert found.gain.std_dev < 0.15 * found.gain.nominal_value
        pulls.append(pull(found, gain))
    assert abs(np.mean(pulls)) < 4 / 5**0.5
    assert np.abs(pulls).max() < 4.5


def test_the_error_is_the_scatter_over_cameras():
    pulls = []
    for seed in range(30):
        moments, out = found_of(0.5, seed)
        pulls.append(pull(gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out)), 0.5))
    assert abs(np.mean(pulls)) < 4 / 30**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4 / 60**0.5)


def test_pixels_chosen_by_their_own_noise_give_too_large_a_gain():
    own, others = [], []
    for seed in range(12):
        moments, out = found_of(0.5, seed)
        groups = level_groups(moments[MEASURED].mean_map - moments[0].mean_map, out, bulk=-20)
        own.append(pull(gain_from_pixels(moments[0], moments[MEASURED], groups), 0.5))
        groups = by_level(moments, out, bulk=-20)
        others.append(pull(gain_from_pixels(moments[0], moments[MEASURED], groups), 0.5))
    assert np.mean(own) > 2
    assert abs(np.mean(others)) < 4 / 12**0.5


def test_tiles_do_where_the_glow_differs_over_the_frame():
    camera = camera_of(0.5, 3, off=(*QUIET, "hot_pixels"), shape=(320, 320))
    moments, out = moments_of(camera, np.random.default_rng(3), 6)
    found = gain_from_pixels(moments[0], moments[MEASURED], tile_groups(out.shape, out))
    assert abs(pull(found, 0.5)) < 4
    assert found.gain.std_dev < 0.1 * 0.5
    assert found.mean.size == 256
    assert found.n_pixels + found.n_clipped == 320 * 320


def test_telegraph_pixels_and_hits_are_left_out():
    pulls = []
    for seed in range(3):
        camera = camera_of(0.5, seed, off=(), shape=(256, 256))
        moments, out = moments_of(camera, np.random.default_rng(seed), 6)
        found = gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out))
        pulls.append(pull(found, 0.5))
        assert found.n_clipped > 20
        assert found.notes[0].startswith(f"{found.n_clipped} pixels far noisier than their like are left out")
        assert found.gain.std_dev < 0.05 * 0.5
    assert abs(np.mean(pulls)) < 4 / 3**0.5


def test_where_no_pixel_has_electrons_there_is_no_gain():
    camera = camera_of(0.5, 4, off=(*QUIET, "dark_current", "glow"))
    moments, out = moments_of(camera, np.random.default_rng(4), 4)
    with pytest.raises(NotMeasurableError, match="too few pixels have more electrons than the rest"):
        gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out))
    with pytest.raises(NotMeasurableError, match=r"the electrons of the pixels differ too little .*; shoot longer or"):
        gain_from_pixels(moments[0], moments[MEASURED], tile_groups(out.shape, out, side=8))


def test_groups_are_of_like_level_and_leave_out_what_does_not_count():
    rng = np.random.default_rng(5)
    selector = rng.normal(size=(200, 300)).astype(np.float32)
    selector[rng.random((200, 300)) < 0.02] += 50
    excluded = rng.random((200, 300)) < 0.1
    selector[0, 0] = np.nan
    labels = level_groups(selector, excluded)
    assert (labels[excluded] == -1).all()
    assert labels[0, 0] == -1
    counted = np.bincount(labels[labels >= 0])
    assert counted[0] == (~excluded & (selector < 25)).sum()
    assert counted[1:].min() >= 59  # the bright ones in equal parts of 60 or more
    assert counted.size == 1 + counted[1:].sum() // 60
    highest = [selector[labels == group].max() for group in range(counted.size)]
    assert (np.diff(highest) > 0).all()
    assert set(np.unique(level_groups(np.full((40, 40), 7.0)))) == {0}
    assert set(np.unique(tile_groups((64, 48)))) == set(range(256))


def test_offsets_that_wander_hardly_move_the_gain():
    """As on a real camera: each pixel's offset stands elsewhere in all darks than it did in the bias frames."""
    moments, out = moments_of(camera_of(0.5, 6, shape=(256, 256)), np.random.default_rng(6), 5)
    wander = np.random.default_rng(7).normal(0, 3.0, out.shape).astype(np.float32)
    for t in (LONG, MEASURED):
        moments[t] = replace(moments[t], mean_map=moments[t].mean_map + wander)
    through_the_bulk = gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out, bulk=-20))
    found = gain_from_pixels(moments[0], moments[MEASURED], by_level(moments, out))
    assert pull(through_the_bulk, 0.5) > 5
    assert found.gain.nominal_value == pytest.approx(0.5, rel=0.05)


def test_without_maps_or_pixels_it_says_so():
    moments, out = found_of(0.5, 0)
    with pytest.raises(NotMeasurableError, match="no maps of mean and variance"):
        gain_from_pixels(moments[0], replace(moments[MEASURED], mean_map=None), by_level(moments, out))
    with pytest.raises(
        NotMeasurableError,
        match=r"too few pixels have more electrons than the rest \(groups of 30: 0, needed: 4\); shoot longer or",
    ):
        gain_from_pixels(moments[0], moments[MEASURED], np.full(out.shape, -1, dtype=np.int16))
