"""Cosmic rays that were planted are found, whole; telegraph pixels, hot pixels and the Poisson tail are not."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera import sensor as sensor_module
from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.stack.hits import find_hits
from workbench.stack.masked import masked_variance
from workbench.stack.variance import difference_moments, levels

SIGMA = 12.0


def darks(n_frames: int, shape=(130, 90), seed=1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frames = rng.normal(1400, 30, shape) + rng.normal(0, SIGMA, (n_frames, *shape))
    return np.rint(frames + rng.normal(0, 5, (n_frames, 1, 1))).astype(np.uint16)


def hits_in(frames: np.ndarray, excluded=None, lattice=None):
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    return find_hits(stack, levels(stack).frame_means, excluded, lattice=lattice)


def masked_samples(hits) -> set[tuple[int, int, int]]:
    return set(zip(hits.frame.tolist(), hits.row.tolist(), hits.column.tolist(), strict=True))


def with_neighbours(pixels, shape=(130, 90)) -> set[tuple[int, int, int]]:
    steps = (-1, 0, 1)
    grown = {(f, r + down, c + right) for f, r, c in pixels for down in steps for right in steps}
    return {(f, r, c) for f, r, c in grown if 0 <= r < shape[0] and 0 <= c < shape[1]}


@pytest.mark.parametrize("n_frames", [4, 5, 6, 14])
@pytest.mark.parametrize("row", [0, 62, 127])
def test_a_track_is_masked_with_its_neighbours_and_nothing_else(n_frames, row):
    frames = darks(n_frames)
    track = [(2, row, 10), (2, row + 1, 11), (2, row + 2, 12)]
    for pixel in track:
        frames[pixel] += 20 * int(SIGMA)
    hits = hits_in(frames)
    assert masked_samples(hits) == with_neighbours(track)
    assert set(zip(hits.row[hits.core], hits.column[hits.core], strict=True)) == {(r, c) for _, r, c in track}
    assert hits.n_events == 1
    assert hits.per_frame.tolist() == [int(frame == 2) for frame in range(n_frames)]
    # three samples, each above the median of the others: 20 sigma give or take its own noise and theirs
    assert hits.charges[0] == pytest.approx(60 * SIGMA, abs=4 * 3**0.5 * 1.3 * SIGMA)


def test_a_faint_pixel_belongs_to_the_ray_that_it_touches():
    frames = darks(14)
    rows, columns = [30, 31, 32], [40, 40, 41]
    quiet = np.delete(frames, 5, axis=0)
    for row, column, excess in zip(rows, columns, (25, 5, 5), strict=True):
        frames[5, row, column] = np.median(quiet[:, row, column]) + excess * SIGMA
    hits = hits_in(frames)
    assert hits.n_events == 1
    assert hits.row[hits.core].tolist() == rows


@pytest.mark.parametrize("n_frames", [4, 14])
def test_two_rays_that_cross_in_different_frames_are_both_masked(n_frames):
    frames = darks(n_frames)
    across = [(1, 50, column) for column in range(20, 25)]
    down = [(3, row, 22) for row in range(48, 53)]
    for pixel in across + down:
        frames[pixel] += 40 * int(SIGMA)
    assert masked_samples(hits_in(frames)) >= with_neighbours(across) | with_neighbours(down)
    assert hits_in(frames).n_events >= 2


def test_rays_in_one_pixel_of_two_frames_are_both_found_where_their_tracks_tell():
    frames = darks(14)
    tracks = [(1, 50, 20), (1, 50, 21), (9, 50, 21), (9, 50, 22)]
    for pixel, excess in zip(tracks, (40, 400, 40, 40), strict=True):
        frames[pixel] += excess * int(SIGMA)
    hits = hits_in(frames)
    own = zip(*(values[hits.core].tolist() for values in (hits.frame, hits.row, hits.column)), strict=True)
    assert list(own) == tracks
    assert hits.n_events == 2


def test_a_ray_in_a_single_pixel_must_be_bright():
    frames = darks(6)
    frames[2, 20, 20] += 50 * int(SIGMA)
    frames[2, 40, 20] += 12 * int(SIGMA)
    assert masked_samples(hits_in(frames)) == with_neighbours([(2, 20, 20)])


@pytest.mark.parametrize("n_frames", [6, 8, 14])
def test_a_pixel_that_stands_out_in_two_frames_is_no_ray(n_frames):
    frames = darks(n_frames)
    frames[[1, 4], 33, 44] += 50 * int(SIGMA)
    assert hits_in(frames).n_events == 0


def test_rays_that_saturate_are_found():
    frames = darks(5)
    frames[0, 60:63, 30] = 65535
    hits = hits_in(frames)
    assert hits.n_events == 1
    assert hits.core.sum() == 3


def test_pixels_that_clip_in_most_frames_are_no_rays():
    frames = darks(5)
    frames[:, 60:63, 30] = 0
    frames[3, 60:63, 30] = 2000
    frames[2, 20:23, 30] = 0  # clips once, and does not exceed
    assert hits_in(frames).n_events == 0


def test_pixels_that_are_excluded_or_lack_a_value_are_not_searched():
    frames = darks(5).astype(np.float32)
    frames[0, 60:63, 30] += 40 * SIGMA
    frames[1, 20:23, 30] += 40 * SIGMA
    frames[4, 20:23, 30] = np.nan
    excluded = np.zeros(frames.shape[1:], dtype=bool)
    excluded[60:63] = True
    hits = hits_in(frames, excluded)
    assert hits.n_events == 0
    assert hits.n_searched == 130 * 90 - 3 * 90 - 3


def test_without_pixels_to_search_nothing_is_found():
    frames = darks(5)
    hits = hits_in(frames, np.ones(frames.shape[1:], dtype=bool))
    assert (hits.n_events, hits.n_searched, hits.threshold) == (0, 0, 0.0)


def test_one_step_of_a_value_that_never_changes_is_no_ray():
    frames = np.full((5, 70, 70), 1600, dtype=np.uint16)
    frames[2, 10, 10:13] += 16
    frames[3, 40, 10:13] += 160
    hits = hits_in(frames, lattice=16)
    assert hits.n_events == 1
    assert set(hits.frame) == {3}
    still = xr.DataArray(np.zeros((5, 70, 70)) + 1600, dims=("frame", "y", "x"))
    still[2, 10, 10:13] += 16
    assert find_hits(still, np.full(5, 1600.0)).n_events == 0  # without a noise nothing can be told


def test_dips_tell_how_many_false_rays_to_expect():
    frames = darks(6)
    for row in (20, 40, 100):
        frames[3, row : row + 2, 50] -= 30 * int(SIGMA)
    hits = hits_in(frames)
    assert (hits.n_events, hits.n_mirrored) == (0, 3)


def test_the_threshold_is_six_sigma_of_a_sample_above_the_median_of_the_others():
    hits = hits_in(darks(8, (192, 192)))
    # 36864 pixels tell the variance to 1 %, a third of them does, and the constants are good to half a percent
    assert hits.threshold == pytest.approx(6 * SIGMA * (1 + np.pi / 14) ** 0.5, rel=0.02)


def test_three_frames_are_too_few():
    with pytest.raises(
        NotMeasurableError,
        match="3 darks of one exposure: a cosmic ray is told by three other frames; shoot 4 or more",
    ):
        hits_in(darks(3))


# ---- the shipped camera


def exposures(camera: Camera, n_frames: int, seed: int) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    frames = [camera.expose("dark", 600.0, -20.0, rng) for _ in range(n_frames)]
    return xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))


def removed(camera: Camera, n_frames: int, seed: int) -> tuple[float, float]:
    """By how much the mask lowers the mean variance, and the error of that mean [electron2]."""
    stack = exposures(camera, n_frames, seed)
    look = levels(stack, camera.saturation - 1)
    hits = find_hits(stack, look.frame_means)
    masked = masked_variance(stack, look.frame_means, look.out_of_range, hits).temporal
    plain = difference_moments(stack, look.frame_means, look.out_of_range).temporal
    assert plain is not None
    return (plain.value - masked.value) * camera.gain**2, plain.std_error * camera.gain**2


@pytest.mark.parametrize("n_frames", [4, 6, 8, 14])
def test_telegraph_and_hot_pixels_of_the_shipped_camera_are_not_eaten(n_frames):
    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(256, 384)).without("cosmic_rays")
    trials = np.array([removed(Camera(sensor, seed), n_frames, seed) for seed in range(3)])
    bias, error = trials[:, 0].mean(), trials[:, 1].mean()
    assert abs(bias) < 0.2 * error


@pytest.mark.parametrize(
    ("dark", "read_noise", "gain"),
    [(0.5, 1.0, 0.05), (0.5, 3.0, 1.0), (2.0, 1.0, 0.25), (8.0, 2.0, 1.0), (100.0, 10.0, 5.0)],
)
def test_the_tail_of_few_electrons_is_not_cut(dark, read_noise, gain):
    sensor = replace(
        Sensor.from_manifest("qhy163m_like"),
        shape=(256, 256),
        dark_current=dark / 600,
        read_noise=read_noise,
        adc_bits=16,
        native_gain=gain,
    ).without("cosmic_rays", "glow")
    trials = np.array([removed(Camera(sensor, n), n, n) for n in (4, 6, 14)])
    assert (np.abs(trials[:, 0]) < np.maximum(0.2 * trials[:, 1], 0.003 * dark)).all()


def test_rays_are_found_from_their_charge_on(monkeypatch):
    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(256, 384), cosmic_ray_rate=20.0).without("glow")
    drawn = []

    def draw(*given):
        drawn.append(sensor_module_hits(*given))
        return drawn[-1]

    sensor_module_hits = sensor_module.cosmic_ray_hits
    monkeypatch.setattr(sensor_module, "cosmic_ray_hits", draw)
    stack = exposures(Camera(sensor, 1), 14, 1)
    hits = find_hits(stack, levels(stack).frame_means)
    own = set(zip(*(values[hits.core].tolist() for values in (hits.frame, hits.row, hits.column)), strict=True))
    seen, total = [], []
    for frame, (rows, columns, electrons) in enumerate(drawn):
        for share in np.unique(electrons):  # no two rays share alike
            pixels = np.flatnonzero(electrons == share)
            total.append(share * len(pixels))
            seen.append(np.mean([(frame, int(rows[k]), int(columns[k])) in own for k in pixels]))
    bright = np.array(total) > 200
    assert bright.sum() > 20
    assert np.mean(np.array(seen)[bright]) > 0.98
    assert np.mean(np.array(seen)) > 0.95
    assert hits.n_events == pytest.approx(len(total), abs=3)  # rays that touch are one
