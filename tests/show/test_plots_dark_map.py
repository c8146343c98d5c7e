"""What the pictures of dark current, glow and pixel classes draw, against the numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from workbench.measure.maps import grid, picture
from workbench.measure.pixel_flags import FLAG_MEANINGS, PixelFlag, counts
from workbench.results import Measurement
from workbench.show.canvas import BLACK, BLUE, VERMILION
from workbench.show.plots_dark_map import _cut_out, plot_dark_current_map, plot_glow, plot_pixel_classes

SHAPE = (64, 96)
EXPOSURES = [10.0, 60.0, 300.0, 600.0]
RNG = np.random.default_rng(5)
FLAGS = np.zeros(SHAPE, dtype=np.uint16)
FLAGS[10, 20] = PixelFlag.HOT_NONLINEAR | PixelFlag.SATURATED
FLAGS[30, 40] = FLAGS[31, 70] = PixelFlag.HOT
FLAGS[50, 90] = PixelFlag.TELEGRAPH_2_LEVELS
FLAGS[0, :5] = PixelFlag.NOT_JUDGED


def glow_fit(**where):
    t = np.array(EXPOSURES)
    return {
        **where,
        "temperature": -20.0,
        "exposures": EXPOSURES,
        "glow": (0.01 * t + 2e-4 * t**2 + [-0.2, 0.0, 0.1, -0.1]).tolist(),
        "glow_errors": [0.1, 0.1, 0.1, 0.2],
        "power": {"height": 77.0, "height_error": 0.2, "exponent": 1.86, "exponent_error": 0.012},
        "polynomial": {"coefficients": {"alpha": 0.01, "beta": 2e-4}},
    }


def with_maps(results, places):
    for place, level in zip(places, (5e-3, 9e-3), strict=True):
        where = dict(zip(("group", "region"), place.split("/"), strict=False))
        rates = RNG.normal(level, 1e-3, SHAPE)
        rates[:3] = np.nan
        results.maps[f"{place}/dark_current"] = picture(rates, "electron / s", f"dark current of {place}")
        tiles = RNG.normal(level, 1e-4, (16, 16))
        results.maps[f"{place}/dark_current_tiles"] = grid(tiles, SHAPE, "electron / s", "by noise")
        exponents = np.full((16, 16), np.nan)
        exponents[:4, 12:] = RNG.normal(1.86, 0.05, (4, 4))
        results.maps[f"{place}/glow_exponent"] = grid(exponents, SHAPE, "1", "exponent")
        results.fits.setdefault("glow", []).append(glow_fit(**where))
        typical = Measurement("dark_current_typical", level, 1e-5, "electron / s", "median of the map", where, 14)
        results.measurements.append(typical)
        n_pixels = counts(FLAGS) | {"telegraph_dark": None}
        results.tables.setdefault("pixel_classes", []).extend(
            {**where, "pixel_class": one.name, "n_pixels": n_pixels[one.name]} for one in FLAG_MEANINGS
        )
        results.pixel_classes[place] = SimpleNamespace(flags=FLAGS)
    return results


@pytest.fixture
def measured(results):
    """Two groups."""
    return with_maps(results, ("g1", "g2"))


@pytest.fixture
def divided(results):
    """One group of two regions."""
    return with_maps(results, ("g1/E", "g1/W"))


PLOTS = (plot_dark_current_map, plot_glow, plot_pixel_classes)


@pytest.mark.parametrize("plot", PLOTS)
def test_without_such_a_measurement_there_is_no_picture(results, plot):
    assert plot(results) is None


@pytest.mark.parametrize("plot", PLOTS)
def test_it_can_be_shown_and_its_axes_have_titles_and_units(measured, plot):
    figure = plot(measured)
    assert figure._repr_png_().startswith(b"\x89PNG")
    titled = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(titled) == 2
    lowest = [axes for axes in figure.axes if axes.xaxis.get_label_text()]
    assert len(lowest) == 2


@pytest.mark.parametrize("plot", PLOTS)
def test_a_region_of_a_group_has_its_own_picture(divided, plot):
    first, second = (plot(divided, group="g1", region=region) for region in "EW")
    assert len(first.axes) == len(second.axes)
    assert plot(divided, group="g1", region="N") is None
    assert plot(divided, group="g9", region="E") is None


# ---- the map


@pytest.mark.parametrize(("group", "place"), [(None, "g1"), ("g2", "g2")])
def test_the_map_shows_both_ways_in_thousandths_and_marks_the_typical_value(measured, group, place):
    figure = plot_dark_current_map(measured, group=group)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    for image, name in zip(images, ("dark_current", "dark_current_tiles"), strict=False):
        drawn = np.ma.filled(image.get_array(), np.nan)
        np.testing.assert_allclose(drawn, measured.maps[f"{place}/{name}"].to_numpy() * 1e3)
        assert image.get_extent() == [-0.5, SHAPE[1] - 0.5, SHAPE[0] - 0.5, -0.5]
    typical = next(measured.select("dark_current_typical", group=place)).value
    marks = [line for axes in figure.axes for line in axes.lines if to_hex(line.get_color()).upper() == VERMILION]
    assert [line.get_ydata()[0] for line in marks] == pytest.approx([typical * 1e3] * 2)


def test_a_map_of_tiles_alone_is_shown_alone(measured):
    del measured.maps["g1/dark_current"]
    figure = plot_dark_current_map(measured)
    assert sum(bool(axes.images) for axes in figure.axes) == 1


# ---- the glow


def test_the_growth_shows_both_laws_and_how_far_off_each_is(measured):
    upper, lower, *_ = plot_glow(measured, group="g2").axes
    t = np.array(EXPOSURES)
    fit = glow_fit()
    curves = {to_hex(line.get_color()).upper(): line for line in upper.lines if len(line.get_xdata()) > len(t)}
    at = curves[BLUE].get_xdata()
    np.testing.assert_allclose(curves[BLUE].get_ydata(), 0.01 * at + 2e-4 * at**2)
    np.testing.assert_allclose(curves[VERMILION].get_ydata(), 77.0 * (at / 600) ** 1.86)
    points = {to_hex(line.get_color()).upper(): line.get_ydata() for line in lower.lines if len(line.get_xdata()) == 4}
    np.testing.assert_allclose(points[BLUE], [-2.0, 0.0, 1.0, -0.5], atol=1e-9)
    off = (np.array(fit["glow"]) - 77.0 * (t / 600) ** 1.86) / fit["glow_errors"]
    np.testing.assert_allclose(points[VERMILION], off)
    assert "1.860 ± 0.012" in upper.get_legend().get_texts()[1].get_text()


def test_a_glow_below_zero_is_left_to_the_lower_panel(measured):
    measured.fits["glow"][0]["glow"][0] = -0.3
    upper, lower, *_ = plot_glow(measured).axes
    (drawn,) = (line for line in upper.lines if to_hex(line.get_color()) == BLACK and line.get_linestyle() == "None")
    assert drawn.get_xdata().tolist() == EXPOSURES[1:]
    assert all(len(line.get_xdata()) == 4 for line in lower.lines if line.get_linestyle() == "None")
    assert upper.get_ylim()[0] > 0


def test_the_exponents_stand_beside_in_colours_around_the_common_one(measured):
    image = next(axes.images[0] for axes in plot_glow(measured).axes if axes.images)
    assert image.get_clim() == pytest.approx((1.36, 2.36))
    shown = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_array_equal(shown, measured.maps["g1/glow_exponent"].to_numpy())


def test_without_any_exponent_of_a_tile_the_growth_stands_alone(measured):
    measured.maps["g1/glow_exponent"][:] = np.nan
    assert len(plot_glow(measured).axes) == 2
    del measured.maps["g1/glow_exponent"]
    assert len(plot_glow(measured).axes) == 2


# ---- pixel classes


def test_every_class_has_its_bar_and_what_cannot_be_told_says_so(measured):
    bars = plot_pixel_classes(measured, group="g2").axes[0]
    names = [one.get_text() for one in bars.get_yticklabels()]
    assert "not judged" not in names
    written = dict(zip(names, (one.get_text() for one in bars.texts), strict=True))
    assert written["hot"] == "2"
    assert written["dead"] == "0"
    assert written["telegraph dark"] == "cannot be told"


def test_the_cut_out_shows_each_pixel_where_it_is_with_the_marks_of_all_its_classes(measured):
    axes = plot_pixel_classes(measured).axes[1]
    drawn = {one.get_label(): one.get_offsets().tolist() for one in axes.collections}
    assert drawn == {
        "hot": [[40, 30], [70, 31]],
        "hot nonlinear": [[20, 10]],
        "saturated": [[20, 10]],
        "telegraph 2 levels": [[90, 50]],
    }
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 95.5), (63.5, -0.5))


def test_results_from_a_file_have_the_counts_alone(measured):
    measured.pixel_classes.clear()
    assert len(plot_pixel_classes(measured).axes) == 1


def test_of_a_crowded_sensor_the_part_with_most_classes_is_cut_out():
    rng = np.random.default_rng(2)
    flags = (rng.random((800, 1000)) < 0.02).astype(np.uint16) * np.uint16(PixelFlag.HOT)
    flags[500, 700] |= np.uint16(PixelFlag.DEAD)
    rows, columns = _cut_out(flags)
    assert rows.start <= 500 < rows.stop
    assert columns.start <= 700 < columns.stop
    # 300 pixels, to within the chance of a Poisson number and a rounded side
    assert np.count_nonzero(flags[rows, columns]) == pytest.approx(300, abs=4 * 300**0.5)
