"""The dark current without cosmic rays against the truth of simulated cameras, and the count of the rays."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.measure.cosmic_rays import cosmic_ray_rate, masked_rate
from workbench.measure.numbers import number
from workbench.stack.hits import find_hits
from workbench.stack.masked import masked_variance
from workbench.stack.variance import Estimate, difference_moments, levels

EXPOSURE, TEMPERATURE = 600.0, -20.0


def a_sensor(shape, rate, **changes) -> Sensor:
    shipped = Sensor.from_manifest("qhy163m_like")
    return replace(shipped, shape=shape, cosmic_ray_rate=rate, **changes).without("glow")


def take(camera: Camera, kind: str, n_frames: int, seed: int) -> xr.DataArray:
    rng = np.random.default_rng((seed, n_frames))
    exposure = EXPOSURE if kind == "dark" else 0.0
    frames = [camera.expose(kind, exposure, TEMPERATURE, rng) for _ in range(n_frames)]
    return xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))


class Trial:
    """Darks and biases of one camera, measured with and without its rays."""

    def __init__(self, sensor: Sensor, n_frames: int, seed: int) -> None:
        camera = Camera(sensor, seed)
        darks, biases = take(camera, "dark", n_frames, seed), take(camera, "bias", 8, seed)
        look = levels(darks, camera.saturation - 1)
        out = look.out_of_range
        self.gain = number(camera.gain, 0.0)
        self.hits = find_hits(darks, look.frame_means, lattice=camera.lattice)
        self.masked = masked_variance(darks, look.frame_means, out, self.hits)
        self.bias = difference_moments(biases, levels(biases).frame_means, out).temporal
        self.rate = masked_rate(self.masked, self.bias, EXPOSURE, self.gain)
        plain = difference_moments(darks, look.frame_means, out).temporal
        self.unmasked = (plain.value - self.bias.value) / EXPOSURE * camera.gain**2
        # switching dark currents add their own variance to that of the electrons
        grown = camera.variance(EXPOSURE, TEMPERATURE) - camera.variance(0.0, TEMPERATURE)
        self.true_rate = grown[~out].mean() / EXPOSURE
        self.true_dark_current = camera.dark_electrons(EXPOSURE, TEMPERATURE)[~out].mean() / EXPOSURE

    @property
    def pull(self) -> float:
        return (self.rate.value - self.true_rate) / self.rate.std_error


@pytest.mark.parametrize(("n_frames", "hits_per_cm2_and_minute"), [(14, 1.0), (6, 5.0)])
def test_masked_it_is_within_two_percent_where_rays_spoil_the_plain_variance(n_frames, hits_per_cm2_and_minute):
    trial = Trial(a_sensor((512, 512), hits_per_cm2_and_minute), n_frames, seed=3)
    masked = trial.rate.in_electrons(trial.gain)
    assert masked.std_dev < 0.005 * trial.true_dark_current
    assert abs(masked.nominal_value / trial.true_dark_current - 1) < 0.02
    assert trial.unmasked / trial.true_dark_current - 1 > 0.1
    assert trial.rate.method == "temporal_variance_masked"


@pytest.mark.parametrize(("n_frames", "hits_per_cm2_and_minute"), [(4, 0.0), (6, 20.0)])
def test_its_errors_are_the_scatter_around_the_truth(n_frames, hits_per_cm2_and_minute):
    trials = 100
    sensor = a_sensor((64, 64), hits_per_cm2_and_minute)
    pulls = np.array([Trial(sensor, n_frames, seed).pull for seed in range(trials)])
    assert abs(pulls.mean()) < 3 / trials**0.5
    assert pulls.std() == pytest.approx(1, abs=3 / (2 * trials) ** 0.5)


def test_rays_are_counted_as_the_camera_draws_them():
    trials = 10
    sensor = a_sensor((256, 256), 60.0)
    pulls = []
    for seed in range(trials):
        trial = Trial(sensor, 4, seed)
        pulls.append(cosmic_ray_rate([(EXPOSURE, trial.hits)], sensor.pixel_size, trial.gain).pull(60.0))
    # some 23 rays each; those that leave the frame at once or meet another are too few to show
    assert abs(np.mean(pulls)) < 3 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=3 / (2 * trials) ** 0.5)


# ---- small stacks with planted rays


def noise(n_frames: int, shape=(96, 96), seed=4) -> np.ndarray:
    return np.random.default_rng(seed).normal(1500, 12.0, (n_frames, *shape))


def with_tracks(frames: np.ndarray, rows, excess: float = 500.0) -> np.ndarray:
    for row in rows:
        frames[1, row, 40:43] += excess
    return frames


def searched(frames: np.ndarray):
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    means = levels(stack).frame_means
    hits = find_hits(stack, means)
    return hits, masked_variance(stack, means, None, hits)


BIAS = Estimate(100.0, 0.5)


def test_its_notes_say_what_was_left_out_and_what_stays_inside():
    masked = searched(with_tracks(noise(6), [20, 60]))[1]
    inside = "an upper bound: telegraph noise is still inside, and glow electrons count; cosmic rays are left out"
    left_out = "2 cosmic rays left out: 30 samples with their neighbours, in 30 of 9216 pixels"
    assert masked_rate(masked, BIAS, 600.0, number(0.5, 0.01)).notes == (inside, left_out)
    assert masked_rate(searched(noise(6))[1], BIAS, 600.0).notes == (inside, "no cosmic ray was found in these darks")


def test_electrons_add_their_part_to_the_error():
    masked = searched(noise(6))[1]
    gain = 0.1
    without = masked_rate(masked, BIAS, 600.0).std_error * 600
    known = masked_rate(masked, BIAS, 600.0, number(gain, 0.0)).std_error * 600
    excess = (masked.temporal.value - BIAS.value) / gain**2 / masked.n_pixels
    assert known**2 - without**2 == pytest.approx(excess * 5 / (6 * 7), rel=1e-6)


def test_a_frame_with_noise_of_its_own_makes_the_error_that_of_the_scatter():
    frames = noise(6)
    frames[2] += np.random.default_rng(5).normal(0, 12.0, frames.shape[1:])
    masked = searched(frames)[1]
    rate = masked_rate(masked, BIAS, 600.0)
    scatter = np.std([one.value for one in masked.frames], ddof=1) / 6**0.5
    assert rate.std_error * 600 == pytest.approx(np.hypot(scatter, BIAS.std_error), rel=1e-9)
    assert rate.notes[2] == (
        "frames differ in their noise more than it allows (p < 0.01): the temperature moved, light, or noise picked "
        "up; the error is that of the scatter"
    )


def test_frames_of_one_noise_are_rarely_told_apart():
    told = [len(masked_rate(searched(noise(4, seed=seed))[1], BIAS, 600.0).notes) > 2 for seed in range(60)]
    assert sum(told) <= 4  # 0.6 are expected, at p < 0.01


def test_a_rate_counts_all_stacks_in_area_and_time():
    several = [(60.0, searched(with_tracks(noise(6), [20, 60]))[0]), (120.0, searched(with_tracks(noise(4), [30]))[0])]
    rate = cosmic_ray_rate(several, 4.0, number(0.5, 0.0), {"group": "g1"})
    reach = 96 * 96 * (4e-4) ** 2 * (6 * 1 + 4 * 2)  # cm2 min
    assert rate.value == pytest.approx(3 / reach)
    assert rate.std_error == pytest.approx(3**0.5 / reach)
    assert rate.unit == "1 / (min cm2)"
    assert (rate.n_frames, rate.conditions) == (10, {"group": "g1"})
    least = max(hits.threshold for _, hits in several) / 2
    assert rate.notes == (
        "3 events, 0 false ones expected",
        f"seen from {least:.2g} electron in one pixel and {4 * least:.2g} in all on; fainter rays are not counted",
    )


def test_without_a_pixel_size_it_is_per_frame_and_minute():
    rate = cosmic_ray_rate([(120.0, searched(with_tracks(noise(4), [30]))[0])], None)
    assert (rate.value, rate.unit) == (1 / 8, "1 / min")
    assert "per frame: the pixel size is not known" in rate.notes


def test_none_seen_is_zero_with_the_error_of_one_and_a_limit():
    rate = cosmic_ray_rate([(600.0, searched(noise(4))[0])], 4.0)
    reach = 96 * 96 * (4e-4) ** 2 * 40
    assert (rate.value, rate.std_error) == (0.0, pytest.approx(1 / reach))
    assert rate.notes[-1] == f"0 hits seen; below {2.9957 / reach:.2g} 1 / (min cm2) at 95 %"


def test_what_noise_imitates_is_taken_off():
    frames = with_tracks(with_tracks(noise(6), [20, 40, 60]), [75], -500.0)
    rate = cosmic_ray_rate([(60.0, searched(frames)[0])], None)
    assert (rate.value, rate.std_error) == (pytest.approx(2 / 6), pytest.approx(2 / 6))
    assert rate.notes[0] == "3 events, 1 false one expected"


# ---- a real camera


@pytest.fixture(scope="module")
def asi178_frames(real_data):
    return catalogue(real_data / "asi178")


def real_hits(frames, kind: str, exposure: float | None = None):
    rows = frames[frames["usable"] & (frames["kind"] == kind)]
    stack = load_stack(rows if exposure is None else rows[rows["exposure"] == exposure])
    return find_hits(stack, levels(stack).frame_means, lattice=4)


def test_biases_of_a_real_camera_hold_no_rays(asi178_frames):
    hits = real_hits(asi178_frames, "bias")
    assert (hits.n_events, hits.n_mirrored) == (0, 0)


def test_a_ray_in_the_darks_of_a_real_camera_is_found_and_nothing_else(asi178_frames):
    hits = real_hits(asi178_frames, "dark", 100.0)
    assert (hits.n_events, hits.n_mirrored) == (1, 0)
    # a short track from upper right to lower left, 581, 249 and 133 adu above the other frames
    core = hits.core
    track = [(2, 786, 766), (2, 787, 765), (2, 787, 766)]
    assert list(zip(hits.frame[core], hits.row[core], hits.column[core], strict=True)) == track
