"""The race of the rejection methods: states as the engine has them, figures as counted by hand."""

import numpy as np
import pytest
import xarray as xr

from workbench.measure.rejection_race import draw_hits, mean_of_kept, race, reject_samples, share_left
from workbench.stack.combine import combine
from workbench.stack.rejection import HIGH, KEPT, LOW, REJECTIONS, MinMax, WinsorizedSigmaClip, reject_column, rejection

LEVEL, SIGMA = 1600.0, 12.0


def stack_of(n=20, shape=(40, 50), seed=0):
    rng = np.random.default_rng(seed)
    return np.rint(rng.normal(LEVEL, SIGMA, (n, *shape)))


@pytest.mark.parametrize("name", list(REJECTIONS))
def test_samples_are_rejected_as_when_frames_are_combined(name):
    values = stack_of()
    values[3, ::7] += 300
    states = reject_samples(values, rejection(name))
    stack = xr.DataArray(values.astype(np.uint16), dims=("frame", "y", "x"))
    combined = combine(stack, rejection=name).data
    assert np.array_equal((states == LOW).sum(axis=0), combined["rejected_low"])
    assert np.array_equal((states == HIGH).sum(axis=0), combined["rejected_high"])
    assert np.allclose(mean_of_kept(values, states), combined["signal"], rtol=1e-7)
    for y, x in ((0, 0), (7, 3), (39, 49)):
        assert np.array_equal(states[:, y, x], reject_column(values[:, y, x], rejection(name)))


def test_where_nothing_is_kept_the_median_of_all_stands():
    values = np.array([[1.0, 5.0], [9.0, 6.0]])
    states = reject_samples(values, MinMax(1, 1))
    assert (states != KEPT).all()
    assert mean_of_kept(values, states).tolist() == [5.0, 5.5]


def test_the_figures_of_the_race_are_those_counted_by_hand():
    clean = np.array([[10.0, 12, 11, 10], [12, 10, 11, 30], [11, 11, 11, 10], [11, 11, 11, 10]])[:, None]
    hits, jumps = np.zeros_like(clean), np.zeros_like(clean)
    hits[0, 0, 1], jumps[1, 0, 3] = 90.0, 20.0
    found = race(clean, hits, {"ends": MinMax(0, 1)}, truth=11.0, sigma=1.0, jumps=jumps).loc["ends"]
    assert found["hits_left"] == 0
    assert found["good_lost"] == 2 / 8  # the highest of each quiet pixel
    assert found["bias"] == pytest.approx((32 / 3 - 11) / 2)
    assert found["noise"] == pytest.approx(np.std([32 / 3, 11]) / 0.5)
    assert found["residue"] == pytest.approx(32 / 3 - 11)
    assert found["jumps_lost"] == 1
    assert found["jump_bias"] == pytest.approx(10 - 15)
    none = race(clean, hits, {"none": rejection("none")}, truth=11.0, sigma=1.0).loc["none"]
    assert (none["hits_left"], none["good_lost"], none["bias"]) == (1, 0, 0)
    assert np.isnan(none["jumps_lost"])


def test_limits_of_4_and_3_cost_the_background_0_09_adu_at_a_sigma_of_12():
    clean = stack_of(shape=(200, 200), seed=5)
    found = race(clean, 0 * clean, {"it": WinsorizedSigmaClip(4, 3)}, truth=LEVEL, sigma=SIGMA).loc["it"]
    assert found["bias"] == pytest.approx(-0.09, abs=4 * found["bias_error"] + 0.005)
    assert 1 < found["noise"] < 1.04


def test_hits_are_counted_between_the_edges_of_their_heights():
    hits = np.array([0, 2, 3, 9, 20, 30, 100.0])
    states = np.array([HIGH, KEPT, KEPT, HIGH, KEPT, HIGH, HIGH], dtype=np.uint8)
    table = share_left(states, hits, sigma=2.0, edges=[1, 4, 16, 64])
    assert table["n"].tolist() == [2, 3, 1]
    assert table["share"].tolist() == [1, 1 / 3, 0]
    assert table["height"].tolist() == pytest.approx([2, 8, 32])


def test_cosmic_rays_are_as_many_as_the_rate_says_and_in_adu():
    shape = (6, 300, 300)
    area = 300 * 300 * (4e-4) ** 2
    drawn = [
        draw_hits(shape, pixel_size=4.0, exposure=600.0, rate=100.0, gain=gain, rng=np.random.default_rng(1))
        for gain in (1.0, 0.5)
    ]
    assert np.allclose(2 * drawn[0], drawn[1])
    pixels = (drawn[0] > 0).sum()
    expected = 6 * area * 100 * 10 * 4  # four pixels a track, some of which lie outside
    assert 0.8 * expected < pixels < 1.1 * expected
