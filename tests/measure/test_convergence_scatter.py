"""Why the published convergence table scatters: sampling cannot, drift that is removed cannot, cosmic rays can."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.camera.sensor import Sensor
from workbench.measure.convergence_scatter import _composites, _Frames, _sampling, convergence_scatter, implied_pairs

PAPER = [0.0047, 0.0054, 0.0051, 0.0047, 0.0052, 0.0053, 0.0051]
N_TABLES = 80


@pytest.fixture(scope="module")
def table():
    return convergence_scatter(PAPER, Sensor.from_manifest("qhy163m_like"), n_tables=N_TABLES, seed=3)


def small(sigma2=9.0, n_frames=6, n_pixels=500):
    sensor = Sensor("small", (20, 25), 3.8, 16, 1.0)
    return _Frames(sensor, 600.0, n_frames, n_pixels, sigma2, sigma2**2, 0.0, 1e9)


def test_pixel_sampling_is_a_hundred_times_too_small(table):
    row = table.loc["pixel sampling"]
    # sqrt(2 / N) of some 8 electron^2 (hot pixels weigh more) in 600 s
    assert row["first"] == pytest.approx((2 / 16_398_432) ** 0.5 * 8.1 / 600, rel=4 / (2 * N_TABLES) ** 0.5)
    assert row["rms"] < table.attrs["rms"] / 50
    assert row["rms_high"] < table.attrs["rms"] / 25
    assert row["at_least"] == 0
    assert row["last"] == pytest.approx(row["first"], rel=4 / N_TABLES**0.5)  # a composite of 14 is no better


@pytest.mark.parametrize("cause", ["drift of the level, removed", "temperature", "telegraph pixels"])
def test_what_else_could_scatter_does_not(table, cause):
    assert table.loc[cause, "rms_high"] < table.attrs["rms"] / 10
    assert table.loc[cause, "at_least"] == 0


def test_cosmic_rays_scatter_as_much_as_the_paper_and_only_raise(table):
    rays = table.loc[[cause for cause in table.index if cause.startswith("cosmic rays")]]
    assert (np.diff(rays["rms"]) > 0).all()
    assert (rays["bias"] > 0).all()
    third = table.loc["cosmic rays, 0.3 /cm2/min"]
    assert 0.2 < third["at_least"] < 0.8
    assert third["rms"] == pytest.approx(table.attrs["rms"], rel=0.5)
    # hits of one frame count once, divided by n: a running mean of seven pairs
    assert third["first"] / third["last"] == pytest.approx(7**0.5, rel=0.4)


def test_at_the_usual_rate_these_charges_would_leave_no_dark_current(table):
    assert table.loc["cosmic rays, 1 /cm2/min", "bias"] > 0.9 * min(PAPER)
    assert min(implied_pairs(PAPER)) == pytest.approx(0.0035)


def test_a_level_left_in_scatters_as_much_and_is_not_diluted(table):
    row = table.loc["drift of the level, left in"]
    assert row["bias"] == pytest.approx((30 * 0.5 / 16) ** 2 / 600, rel=4 * 2**0.5 / N_TABLES**0.5)
    assert row["rms"] > table.attrs["rms"]
    assert row["first"] / row["last"] == pytest.approx(1.0, abs=0.6)


def test_drawn_sums_scatter_like_those_of_frames():
    frames, rng = small(), np.random.default_rng(1)
    drawn = np.array([_sampling(frames, rng) for _ in range(2000)])
    made = []
    for _ in range(2000):
        pairs = rng.normal(0.0, (2 * frames.sigma2) ** 0.5, (3, frames.n_pixels))
        made.append((np.cumsum(pairs, axis=0) ** 2).mean(axis=1) / frames.numbers - frames.sigma2)
    assert drawn.mean(axis=0) == pytest.approx(np.zeros(3), abs=4 * 0.57 / 2000**0.5)
    assert np.cov(drawn.T) == pytest.approx(np.cov(np.array(made).T), rel=0.3, abs=0.03)


def test_changes_of_a_few_pixels_are_counted_exactly():
    frames = replace(small(), sigma2=0.0)
    changes = np.zeros((6, 2))
    changes[0, 0], changes[3, 1], changes[4, 0] = 300.0, 1000.0, 50.0
    whole = np.zeros((6, frames.n_pixels))
    whole[:, [3, 44]] = changes
    composites = np.cumsum(whole * frames.signs[:, None], axis=0)[1::2]
    expected = composites.var(axis=1) / frames.numbers
    assert _composites(frames, changes, np.random.default_rng(0)) == pytest.approx(expected, rel=1e-12)


def test_the_noise_under_a_hit_is_crossed_with_it():
    frames, rng = small(), np.random.default_rng(2)
    changes = np.zeros((6, 1))
    changes[0] = 100.0
    drawn = np.array([_composites(frames, changes, rng) for _ in range(2000)])
    # 2 c d of a composite of n: c = 100, d of variance n sigma^2
    expected = 200.0 * (frames.numbers * frames.sigma2) ** 0.5 / frames.numbers / frames.n_pixels
    assert drawn.std(axis=0) == pytest.approx(expected, rel=4 / 4000**0.5)


def test_implied_pairs_undo_a_running_mean():
    pairs = np.array([3.0, 5.0, 1.0])
    running = np.cumsum(pairs) / np.arange(1, 4)
    assert implied_pairs(running) == pytest.approx(pairs)
