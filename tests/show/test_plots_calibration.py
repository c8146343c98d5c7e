"""Pictures of calibration: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest

from workbench.show.plots_calibration import (
    plot_clipping,
    plot_leftovers,
    plot_profiles,
    plot_residuals_by_factor,
    tile_means,
)

SHAPE = (48, 64)


@pytest.fixture
def image():
    return np.random.default_rng(4).normal(0, 10, SHAPE)


def test_tiles_are_means_at_their_places_and_leave_nan_aside(image):
    image[0, 0] = image[8:16, 8:16] = np.nan
    means = tile_means(image, 8)
    assert means.shape == (6, 8)
    assert means[0, 0] == pytest.approx(np.nanmean(image[:8, :8]))
    assert np.isnan(means[1, 1])
    assert means[5, 7] == pytest.approx(image[40:, 56:].mean())
    assert (float(means["y"][0]), float(means["x"][-1])) == (3.5, 59.5)
    assert tile_means(image, 20).shape == (2, 3)  # what does not fill a tile is left out


def test_leftovers_share_one_scale_about_zero(image):
    figure = plot_leftovers({"one": image, "another": 3 * image}, unit="electron", tile=8)
    drawn = [axes.images[0] for axes in figure.axes[:2]]
    np.testing.assert_allclose(drawn[1].get_array(), 3 * tile_means(image, 8))
    greatest = np.abs(np.concatenate([tile_means(image, 8), 3 * tile_means(image, 8)]))
    for one in drawn:
        low, high = one.get_clim()
        assert -low == high == pytest.approx(np.percentile(greatest, 99.5))
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["one", "another"]
    assert figure.axes[-1].get_ylabel() == "[electron], means of 8 x 8 pixels"
    assert plot_leftovers({"one": image}, limit=5.0).axes[0].images[0].get_clim() == (-5.0, 5.0)
    assert plot_leftovers({"nothing": 0 * image}).axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_leftovers_of_unlike_size_have_a_scale_each_when_asked(image):
    figure = plot_leftovers({"one": image, "another": 30 * image}, one_scale=False)
    ends = [one.get_clim()[1] for axes in figure.axes for one in axes.images if one.get_extent()[1] > 1]
    greatest = np.percentile(np.abs(tile_means(image, 8)), 99.5)
    assert ends == pytest.approx([greatest, 30 * greatest])
    assert len(figure.axes) == 4  # a bar each


def test_residuals_are_drawn_at_their_factors_with_errors():
    ks = np.linspace(0, 1, 5)
    table = pd.DataFrame(
        [
            {"place": place, "k": k, "residual": slope * (k - zero), "std_error": 2.0}
            for k in ks
            for place, slope, zero in (("glow corner", -700.0, 0.25), ("hot pixels", -9000.0, 0.5))
        ]
    )
    axes = plot_residuals_by_factor(table, {"exposures": 0.5, "glow": 0.26}).axes[0]
    corner, hot = axes.containers
    np.testing.assert_allclose(corner.lines[0].get_ydata(), -700 * (ks - 0.25))
    np.testing.assert_allclose(corner.lines[0].get_xdata(), ks)
    np.testing.assert_allclose(hot.lines[0].get_ydata(), -9000 * (ks - 0.5))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["exposures: 0.500", "glow: 0.260", "glow corner", "hot pixels"]
    low, high = axes.get_ylim()
    assert low < -4500 < 4500 < high


def test_pixels_below_zero_are_counted_where_they_are():
    values = np.full(SHAPE, 50.0)
    values[:8, :8] = -20.0
    values[:4, 8:16] = -20.0
    figure = plot_clipping(values)
    share = figure.axes[0].images[0].get_array()
    assert (share[0, 0], share[0, 1], share[3, 3]) == (100.0, 50.0, 0.0)
    assert share.sum() == 150.0
    (plain, edges, _), (clipped, _, _) = (one.get_data() for one in figure.axes[1].patches)
    assert plain.sum() == clipped.sum() == values.size
    assert (edges[:-1][plain > 0] < -10).any()
    assert not (edges[1:][clipped > 0] <= 0).any()
    assert plot_clipping(values, pedestal=30.0).axes[0].images[0].get_array().sum() == 0


def test_profiles_run_along_the_diagonal_to_the_upper_right():
    image = np.zeros(SHAPE)
    image[:8, 56:] = 4.0  # the upper right corner
    axes = plot_profiles({"field": image, "twice": 2 * image}, tile=8, limit=0.2).axes[0]
    one, two = axes.lines
    assert one.get_ydata()[-1] == 4.0
    assert not one.get_ydata()[:-1].any()
    assert two.get_ydata()[-1] == 8.0
    assert axes.get_legend().get_texts()[0].get_text() == "within 0.2 %"
