"""What the pictures of the estimators, of a published table and of cosmic rays draw, against the numbers."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from workbench.show.canvas import BLACK, BLUE, VERMILION
from workbench.show.plots_dark_current import plot_hits, plot_ladder, plot_pulls, plot_scatter_causes
from workbench.stack.hits import find_hits

TRUTH = 5e-3
PUBLISHED = pd.DataFrame({"n_frames": [2, 4, 6], "dark_current": [4e-3, 6e-3, 5e-3]})


def ladder_table():
    rows = [
        ("mean_difference", 6, -1e-3, 1e-5),
        ("pair", 2, 5.1e-3, 4e-4),
        *(("composite", n, 5.0e-3 + n * 1e-5, 4e-4) for n in (2, 4, 6)),
        ("temporal_variance", 6, 5.0e-3, 1.8e-4),
        ("variance_slope", 18, 5.2e-3, 1.6e-4),
    ]
    table = pd.DataFrame(rows, columns=["method", "n_frames", "mean", "scatter"]).set_index(["method", "n_frames"])
    table["scatter_error"], table["std_error"] = 2e-5, table["scatter"] * 1.1
    table.attrs = {"truth": TRUTH, "ideal": 1.5e-4}
    return table


def points(axes, colour):
    return [
        container.lines[0].get_xydata()
        for container in axes.containers
        if to_hex(container.lines[0].get_color()).upper() == colour
    ]


def test_every_method_stands_at_its_mean_of_most_frames_beside_the_truth():
    left, _ = plot_ladder(ladder_table()).axes
    names = [one.get_text() for one in left.get_yticklabels()]
    assert names == [
        "mean difference (6)",
        "pair (2)",
        "composite (6)",
        "temporal variance (6)",
        "variance slope (18)",
    ]
    (drawn,) = points(left, BLUE)
    np.testing.assert_allclose(drawn[:, 0], [-1.0, 5.1, 5.06, 5.0, 5.2])
    assert drawn[:, 1].tolist() == list(left.get_yticks())
    assert any(np.allclose(line.get_xdata(), TRUTH * 1e3) for line in left.lines)


def test_the_scatter_of_composites_stands_beside_both_expectations():
    _, right = plot_ladder(ladder_table()).axes
    (composites,) = points(right, BLUE)
    np.testing.assert_allclose(composites, [[2, 0.4], [4, 0.4], [6, 0.4]])
    (temporal,) = points(right, VERMILION)
    np.testing.assert_allclose(temporal, [[6, 0.18]])
    falling = next(line for line in right.lines if len(line.get_xdata()) > 50)
    np.testing.assert_allclose(falling.get_ydata(), 0.44 / np.sqrt(falling.get_xdata() - 1))
    assert right.get_xlim()[1] < 18  # frames of several exposures are no n of this axis


def causes():
    names = ["pixel sampling", "cosmic rays, 0.1 /cm2/min", "cosmic rays, 1 /cm2/min"]
    rms = np.array([3e-6, 7e-4, 3e-3])
    found = pd.DataFrame({"rms": rms, "rms_low": rms / 2, "rms_high": rms * 2, "first": rms * 1.5}, index=names)
    found.attrs = {"rms": 1e-3}
    return found


def test_the_causes_stand_with_their_ranges_beside_the_published_rms():
    _, right = plot_scatter_causes(causes(), PUBLISHED).axes
    (drawn,) = points(right, BLUE)
    np.testing.assert_allclose(drawn[:, 0], [3e-6, 7e-4, 3e-3])
    (bars,) = (container.lines[2][0] for container in right.containers)
    np.testing.assert_allclose(
        [one[:, 0] for one in bars.get_segments()], [[1.5e-6, 6e-6], [3.5e-4, 1.4e-3], [1.5e-3, 6e-3]]
    )
    assert any(np.allclose(line.get_xdata(), 1e-3) for line in right.lines)


def test_the_published_values_stand_in_the_band_of_the_rays_nearest_to_them():
    left, _ = plot_scatter_causes(causes(), PUBLISHED).axes
    table = next(line for line in left.lines if to_hex(line.get_color()) == BLACK)
    np.testing.assert_allclose(table.get_xydata(), [[2, 4.0], [4, 6.0], [6, 5.0]])
    rays, sampling = left.collections
    assert rays.get_label().startswith("cosmic rays, 0.1")
    for band, first in ((rays, 7e-4 * 1.5), (sampling, None)):
        edges = band.get_paths()[0].vertices
        at_two, at_six = (np.ptp(edges[edges[:, 0] == n, 1]) / 2 for n in (2, 6))
        assert at_two == pytest.approx(1e3 * (first or 4.5e-6))
        assert at_six == pytest.approx(at_two / 3**0.5 if first else at_two)


@pytest.mark.parametrize(
    "picture", [plot_ladder(pd.DataFrame()), plot_scatter_causes(pd.DataFrame(), PUBLISHED)], ids=["ladder", "causes"]
)
def test_of_an_empty_table_there_is_no_picture(picture):
    assert picture is None


# ---- rays


def struck(*places):
    values = np.random.default_rng(4).normal(1500.0, 12.0, (6, 96, 96))
    for frame, row, column, excess in places:
        values[frame, row, column : column + 3] += [excess, excess + 150, excess]  # the middle is the brightest
    stack = xr.DataArray(values, dims=("frame", "y", "x"))
    return stack, find_hits(stack, values.mean(axis=(1, 2)))


def test_the_strongest_rays_are_cut_out_of_their_frames_with_what_is_left_out():
    stack, hits = struck((1, 20, 30, 400.0), (4, 70, 1, 900.0), (2, 50, 50, 200.0))
    assert hits.n_events == 3
    figure = plot_hits(stack, hits, most=2)
    first, second = figure.axes
    titles = [axes.get_title(loc="left").split() for axes in (first, second)]
    assert [title[1] for title in titles] == ["5:", "2:"]
    # three samples of noise 12 and of that of a median of five
    assert [float(title[2]) for title in titles] == pytest.approx([2850, 1350], abs=4 * 12 * (3 * (1 + 0.3)) ** 0.5)
    shown = np.asarray(second.images[0].get_array())
    assert second.images[0].get_extent() == [19.5, 42.5, 31.5, 8.5]
    others = np.median(np.delete(stack.to_numpy(), 1, axis=0), axis=0)
    np.testing.assert_allclose(shown, (stack.to_numpy()[1] - others)[9:32, 20:43])
    (outline,) = second.collections
    edges = np.concatenate([path.vertices for path in outline.get_paths()])
    np.testing.assert_allclose([edges[:, 0].min(), edges[:, 0].max()], [28.5, 33.5], atol=0.1)
    np.testing.assert_allclose([edges[:, 1].min(), edges[:, 1].max()], [18.5, 21.5], atol=0.1)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_rays_there_is_no_picture():
    assert plot_hits(*struck()) is None


# ---- a bank


def bank():
    rows = [
        ("gain", "photon transfer", 0.5, "", ""),
        ("gain", "photon transfer", -1.0, "", ""),
        ("gain", "photon transfer", None, "", "no flats"),
        ("dark_current", "pair", 6.0, "", ""),
        ("dark_current", "temporal_variance", 40.0, "cosmic rays", ""),
        ("dark_current", "temporal_variance_masked", 0.2, "", ""),
    ]
    return pd.DataFrame(rows, columns=["name", "method", "pull", "not_claimed", "reason"])


def test_only_what_is_claimed_and_measured_is_held_against_the_truth():
    (axes,) = plot_pulls(bank()).axes
    names = [one.get_text() for one in axes.get_yticklabels()]
    assert names == ["gain", "dark current: pair", "dark current: temporal variance masked"]
    drawn = {int(line.get_ydata()[0]): line.get_xdata().tolist() for line in axes.lines}
    assert [drawn[row] for row in axes.get_yticks()] == [[0.5, -1.0], [6.0], [0.2]]
    assert axes.get_xlim() == pytest.approx((-6.6, 6.6))


def test_of_a_bank_that_claims_nothing_there_is_no_picture():
    assert plot_pulls(pd.DataFrame()) is None
    assert plot_pulls(bank().iloc[[2, 4]]) is None
