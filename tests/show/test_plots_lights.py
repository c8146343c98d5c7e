"""Pictures of lights: what is drawn, against the numbers."""

import numpy as np
import pandas as pd
import pytest

from workbench.show import plots_lights
from workbench.show.stretch import auto_stretch


def noise(shape: tuple[int, int], seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_means_of_blocks_leave_stars_out_and_keep_the_level():
    image = 5.0 + noise((64, 96))
    image[10, 10] = 1e5
    image[40, 50] = np.nan
    means = plots_lights.block_means(image, 16)
    assert means.shape == (4, 6)
    assert np.abs(means - 5).max() < 5 / 16


def test_a_block_without_values_has_no_mean_and_a_part_of_a_block_is_left_out():
    image = np.ones((20, 35))
    image[:16, 16:32] = np.nan
    means = plots_lights.block_means(image, 16)
    assert means.shape == (1, 2)
    assert means[0, 0] == 1
    assert np.isnan(means[0, 1])


def test_residual_maps_share_one_scale_about_zero():
    corner = noise((64, 96))
    corner[:16, :16] -= 40
    figure = plots_lights.plot_residual_maps({"matched": noise((64, 96)), "scaled": corner}, "electron")
    images = [axes.images[0] for axes in figure.axes[:2]]
    limit = -plots_lights.block_means(corner, 16).min()
    for image in images:
        assert image.get_clim() == pytest.approx((-limit, limit))
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["matched", "scaled"]
    np.testing.assert_allclose(images[1].get_array(), plots_lights.block_means(corner, 16))
    assert "[electron]" in figure.axes[-1].get_ylabel()


def test_the_histogram_of_deviations_is_a_density_without_what_is_missing():
    values = noise((200, 200))
    values[:5] = np.nan
    axes = plots_lights.plot_pull_histogram({"all": values}).axes[0]
    counts, edges, _ = axes.patches[0].get_data()
    assert float(np.sum(counts * np.diff(edges))) == pytest.approx(1, abs=1e-3)
    middle = np.argmin(np.abs(edges))
    assert counts[middle] == pytest.approx(0.4, abs=0.05)


def test_arrows_are_as_long_as_they_say():
    table = pd.DataFrame({"x": [10.0, 50.0], "y": [20.0, 30.0], "dx": [0.1, -0.2], "dy": [0.0, 0.3]})
    left, right = plots_lights.plot_star_shifts(table, 100).axes
    arrows = left.collections[0]
    np.testing.assert_allclose(arrows.U, [10, -20])
    np.testing.assert_allclose(arrows.V, [0, 30])
    assert left.yaxis_inverted()
    assert "100 times" in left.get_title(loc="left")
    np.testing.assert_allclose(right.lines[0].get_xydata(), table[["dx", "dy"]])


def test_coverage_is_drawn_as_counted_and_noise_as_the_median_of_blocks():
    coverage = np.full((40, 56), 18, np.uint8)
    coverage[:, 48:] = 9
    error = np.where(coverage == 18, 1.0, 2.0**0.5)
    error[3, 3] = 50
    error[20, 20] = np.nan
    left, right = plots_lights.plot_coverage(coverage, error).axes[:2]
    np.testing.assert_array_equal(left.images[0].get_array(), coverage)
    assert left.images[0].get_clim() == (0, 18)
    np.testing.assert_allclose(right.images[0].get_array()[:, [0, -1]], [[1, 2**0.5]] * 5)


def test_images_are_stretched_cut_to_the_window_and_keep_its_pixel_numbers():
    image = 100 + noise((60, 80))
    image[45, 70] = np.nan
    stretch = auto_stretch(image, low=0, high=1000)
    images = dict.fromkeys(("one", "two", "three"), (image, stretch))
    figure = plots_lights.plot_stretched(images, window=(slice(40, None), slice(-30, None)))
    shown = figure.axes[0].images[0]
    assert shown.get_extent() == [49.5, 79.5, 59.5, 39.5]
    expected = np.nan_to_num(stretch(image[40:, 50:]))
    np.testing.assert_allclose(shown.get_array(), expected)
    assert shown.get_array()[5, 20] == 0
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]


def test_a_map_without_a_stretch_keeps_its_values_and_has_a_colour_bar():
    counts = np.full((60, 80), 18, np.uint8)
    counts[:, 60:] = 9
    image = 100 + noise((60, 80))
    views = {"image": (image, auto_stretch(image, low=0, high=1000)), "coverage": (counts, None)}
    axes = plots_lights.plot_stretched(views, window=(slice(40, None), slice(-30, None))).axes
    assert len(axes) == 3  # the one bar is that of the map
    np.testing.assert_array_equal(axes[1].images[0].get_array(), counts[40:, 50:])
    assert axes[1].images[0].get_clim() == (0, 18)
    assert axes[2].get_ylim() == (0, 18)


def test_fluxes_are_deviations_in_percent_with_their_errors():
    table = pd.DataFrame({"true": [1e3, 1e4], "ratio": [1.02, 0.99], "error": [0.03, 0.01]})
    axes = plots_lights.plot_flux_ratios({"stars": table}).axes[0]
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xydata(), [[1e3, 2], [1e4, -1]])
    assert axes.get_xscale() == "log"


def test_profiles_are_centred():
    axes = plots_lights.plot_profiles({"a": [1.0, 5.0, 1.0]}, "value [adu]", "A profile").axes[0]
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[-1, 1], [0, 5], [1, 1]])
