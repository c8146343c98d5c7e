"""The pictures of masters, held against the numbers that they draw."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from workbench.show.plots_masters import (
    plot_bias,
    plot_frames_needed,
    plot_race,
    plot_rejection_maps,
    plot_share_left,
)


@pytest.fixture
def master():
    """250 x 300 pixels: a run of four counts, and one of five, in the block of rows 120-239, columns 0-119."""
    counts = np.zeros((250, 300), dtype=np.uint8)
    counts[200, 30:34] = 1
    counts[130, 100] = 5
    counts[10, 290] = 1
    signal = np.random.default_rng(0).normal(1600, 10, counts.shape).astype(np.float32)
    planes = {"signal": signal, "rejected_high": counts, "rejected_low": 0 * counts}
    return xr.Dataset({name: (("y", "x"), plane) for name, plane in planes.items()})


def lines(axes):
    return {str(one.get_label()): np.column_stack(one.get_data()) for one in axes.lines} | {
        str(one.get_label()): np.column_stack(one.lines[0].get_data()) for one in axes.containers
    }


def test_the_maps_show_the_part_that_lost_most_pixel_by_pixel(master):
    panels = plot_rejection_maps(master).axes[:3]
    signal, high, low = (axes.images[0] for axes in panels)
    part = master.isel(y=slice(120, 240), x=slice(0, 120))
    assert np.array_equal(signal.get_array(), part["signal"])
    assert np.array_equal(high.get_array(), part["rejected_high"])
    assert not low.get_array().any()
    assert high.get_extent() == [-0.5, 119.5, 239.5, 119.5]
    assert high.get_clim() == (0, 3)
    assert signal.get_clim() == pytest.approx(np.percentile(part["signal"], [1, 99.5]))


def test_the_maps_of_a_chosen_window_and_of_a_small_frame(master):
    high = plot_rejection_maps(master, (slice(0, 20), slice(280, 300))).axes[1].images[0]
    assert high.get_extent() == [279.5, 299.5, 19.5, -0.5]
    assert high.get_array()[10, 10] == 1
    small = master.isel(y=slice(190, 210), x=slice(0, 50))
    assert plot_rejection_maps(small).axes[1].images[0].get_array().shape == (20, 50)


def test_a_master_without_maps_has_no_picture(master):
    assert plot_rejection_maps(master[["signal"]]) is None


def test_the_race_draws_every_share_and_every_bias():
    index = pd.Index(["none", "sigma"], name="method")
    columns = {"hits_left": [1.0, 0.02], "good_lost": [0.0, 0.005], "jumps_lost": [0.0, 0.3]}
    table = pd.DataFrame(columns | {"bias": [0.0, -0.4], "bias_error": [0.0, 0.02]}, index=index)
    left, right = plot_race(table).axes
    for name, label in (
        ("hits_left", "hits left"),
        ("good_lost", "good samples lost"),
        ("jumps_lost", "telegraph samples lost"),
    ):
        assert np.allclose(lines(left)[label], np.column_stack([100 * table[name], [0, 1]]))
    assert np.allclose(lines(right)["bias"], [[0, 0], [-0.4, 1]])
    assert [one.get_text() for one in left.get_yticklabels()] == ["none", "sigma"]
    assert right.get_xscale() == "linear"
    low, high = right.get_xlim()
    assert low < -0.42
    assert sum(low <= tick < -0.05 for tick in right.get_xticks()) >= 2
    assert high > 0
    assert left.get_xlim()[1] > 100


def test_the_shares_left_have_binomial_errors_and_the_limit_a_line():
    table = pd.DataFrame({"height": [2.0, 8.0], "share": [0.5, 0.0], "n": [100, 50]})
    axes = plot_share_left({"sigma": table}, limit=3).axes[0]
    assert np.allclose(lines(axes)["sigma"], [[2, 50], [8, 0]])
    assert lines(axes)["limit, 3 sigma"][:, 0].tolist() == [3, 3]
    ends = axes.containers[0].lines[2][0].get_segments()
    assert np.allclose(ends[0], [[2, 45], [2, 55]])


def test_the_bias_is_drawn_for_each_pair_of_limits_with_what_is_expected():
    table = pd.DataFrame({"limits": ["4/3", "4/3", "3/3", "3/3"], "n": [5, 20, 5, 20]})
    table = table.assign(bias=[-0.01, -0.007, 0.001, 0.0], bias_error=0.0005)
    axes = plot_bias(table, {"4/3": -0.0043}).axes[0]
    assert np.allclose(lines(axes)["4/3"], [[5, -10], [20, -7]])
    assert np.allclose(lines(axes)["3/3"], [[5, 1], [20, 0]])
    dashed = [one.get_ydata()[0] for one in axes.lines if one.get_linestyle() == "--"]
    assert dashed == pytest.approx([-4.3])
    assert axes.get_xticks().tolist() == [5, 7, 10, 15, 20]


def test_hits_left_and_samples_lost_are_drawn_against_the_frames():
    table = pd.DataFrame({"method": ["a", "a", "b", "b"], "n": [5, 20, 5, 20]})
    table = table.assign(hits_left=[1.0, 0.1, 0.2, 0.0], good_lost=[0.0, 0.001, 0.02, 0.004])
    left, right = plot_frames_needed(table, limit=3).axes
    assert np.allclose(lines(left)["a"], [[5, 100], [20, 10]])
    assert np.allclose(lines(right)["b"], [[5, 2], [20, 0.4]])
    assert lines(left)["sqrt(n) = 3"][:, 0].tolist() == [9, 9]
