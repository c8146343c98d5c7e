"""What the pictures of the popular methods draw, held against the numbers; the table truth against method."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.measure.numbers import number
from workbench.measure.pixel_gain import GainFromPixels
from workbench.results import Measurement
from workbench.show.plots_methods import (
    METHOD_NAMES,
    dark_points,
    plot_gain_from_darks,
    plot_popular_methods,
    plot_truth_table,
)
from workbench.show.truth_html import truth_html

HOSTILE = "<script>alert(1)</script>"
COLD = {"group": "g1", "temperature": -20.0}


def truth_rows(camera, current, gain=0.5):
    """Method 1 negative, method 2 and the choice level, noise right, no gain from pixels."""
    rate = {"camera": camera, "dark_current": current, "quantity": "dark_current", "true": 1.01 * current}
    lie = {"std_error": 0.0001, "lies": True, "reason": ""}
    gains = {"camera": camera, "dark_current": current, "quantity": "gain", "true": gain}
    return [
        rate | lie | {"method": "mean_difference", "value": -0.6 * current},
        rate | lie | {"method": "two_exposure_ratio", "value": 0.0093},
        rate | lie | {"method": "script_choice", "value": 0.0093},
        rate
        | {"method": "temporal_variance", "value": current, "std_error": 0.02 * current, "lies": False, "reason": ""},
        gains | lie | {"method": "gain_from_darks", "value": -0.3},
        gains
        | {"method": "gain_from_pixels", "value": np.nan, "std_error": np.nan, "lies": False, "reason": "too few"},
    ]


@pytest.fixture
def truth():
    """Two cameras, three dark currents."""
    currents = (0.001, 0.1, 1.0)
    return pd.DataFrame([row for name in ("plain", "clamped") for one in currents for row in truth_rows(name, one)])


def popular(method, value, error, verdict, quantity="dark_current", exposures=(600.0,)):
    unit = "electron / s" if quantity == "dark_current" else "electron / adu"
    found = {"method": method, "quantity": quantity, "exposures": list(exposures), "value": value, "std_error": error}
    return COLD | found | {"unit": unit, "verdict_ok": verdict, "reason": "because"}


@pytest.fixture
def surveyed(results):
    """A clamped camera: the mean falls by 0.02 adu/s, the variance grows by 5 adu2/s; warmer darks besides."""
    exposures = [60.0, 300.0, 600.0]
    pair = (60.0, 600.0)
    for name, level, slope in (("dark_mean", 1600.0, -0.02), ("variance", 3000.0, 5.0)):
        column = "mean" if name == "dark_mean" else "variance"
        rows = [COLD | {"exposure": t, column: level + slope * t, "std_error": 0.5} for t in exposures]
        results.tables[name] = [*rows, {**rows[1], "temperature": -10.0, column: 9999.0}]
    results.fits["variance"] = [
        COLD
        | {
            "weights": "weighted",
            "coefficients": {"a": 3000.0, "b": 5.0},
            "std_errors": {"b": 0.1},
            "chi2": 4,
            "dof": 1,
        }
    ]
    results.tables["popular_methods"] = [
        popular("mean_difference", -0.001, 0.0001, verdict=False),
        popular("two_exposure_ratio", 0.0034, 0.0008, verdict=False, exposures=pair),
        popular("script_choice", 0.0034, 0.0008, verdict=False, exposures=pair),
        popular("two_exposure_difference", 0.0055, 0.0001, verdict=True, exposures=pair),
        popular("gain_from_darks", -0.004, 0.0005, verdict=False, quantity="gain", exposures=exposures),
        popular("gain_from_pixels", None, None, verdict=None, quantity="gain"),
    ]
    return results


@pytest.fixture
def pixels():
    """Five groups on a line of K = 0.25."""
    mean = np.array([0.0, 10.0, 100.0, 400.0, 1000.0])
    error = np.full(5, 2.0)
    return GainFromPixels(number(0.25, 0.01), mean, error, 50 + mean / 0.25, error, 900, 3, 2.5, 3, ())


def drawn(axes):
    """Return the points of each labelled line, and of each series of error bars."""
    lines = {str(line.get_label()): np.column_stack(line.get_data()) for line in axes.lines}
    bars = {str(one.get_label()): np.column_stack(one.lines[0].get_data()) for one in axes.containers}
    return lines | bars


def crosses(axes):
    points = [np.column_stack(line.get_data()) for line in axes.lines if line.get_marker() == "x"]
    return sorted(map(tuple, np.concatenate(points).round(9).tolist()))


def test_the_truth_picture_draws_every_number_and_a_cross_on_every_one_that_lies(truth):
    for camera, axes in zip(("plain", "clamped"), plot_truth_table(truth).axes, strict=True):
        rows = truth[(truth["camera"] == camera) & (truth["quantity"] == "dark_current")]
        for method in ("mean_difference", "two_exposure_ratio", "script_choice", "temporal_variance"):
            of_method = rows[rows["method"] == method]
            assert np.allclose(drawn(axes)[METHOD_NAMES[method]], of_method[["true", "value"]]), method
        lies = rows[rows["lies"] & (rows["method"] != "script_choice")]  # its ring lies around another method's mark
        assert np.allclose(crosses(axes), sorted(map(tuple, lies[["true", "value"]].to_numpy())))
        assert axes.get_xlabel() == "true dark current [electron/s]"


def test_the_truth_picture_shows_negative_numbers_and_the_constant_of_method_2(truth):
    figure = plot_truth_table(truth, exposures=(60.0, 600.0))
    axes = figure.axes[0]
    constant = drawn(axes)["K (t2/t1) / (t2 - t1)"]
    assert constant[:, 1] == pytest.approx([0.5 * 10 / 540] * 2)
    assert axes.get_ylim()[0] < -0.6
    assert axes.get_yscale() == "symlog"
    assert "K (t2/t1) / (t2 - t1)" in {text.get_text() for text in figure.legends[0].get_texts()}
    assert axes.get_ylabel() == "returned [electron/s]"


def test_the_own_camera_picture_crosses_what_is_not_to_be_believed(surveyed):
    where = COLD | {"exposure": 600.0}
    surveyed.measurements.append(
        Measurement("dark_current", 0.0054, 0.0001, "electron / s", "temporal_variance", where, 14)
    )
    surveyed.measurements = [one for one in surveyed.measurements if one.value != 0.00512]
    figure = plot_popular_methods(surveyed, truth=0.0052)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "method 1, mean",
        "method 2, as computed",
        "the script's choice",
        "method 2, corrected",
    ]
    assert crosses(axes) == [(-0.001, 0.0), (0.0034, 1.0), (0.0034, 2.0)]
    assert drawn(axes)["truth"][:, 0].tolist() == [0.0052, 0.0052]
    band = next(patch for patch in axes.patches if patch.get_label() == "noise of the longest darks")
    assert band.get_extents().transformed(axes.transData.inverted()).intervalx == pytest.approx([0.0053, 0.0055])
    assert {text.get_text() for text in axes.texts} == {"-0.00100 ± 0.00010", "0.0034 ± 0.0008", "0.00550 ± 0.00010"}


def test_without_a_gain_or_without_the_table_there_is_no_picture(surveyed, results):
    for row in surveyed.tables["popular_methods"][:4]:
        row["quantity"] = "dark_mean_rate"
    assert plot_popular_methods(surveyed) is None
    bare = replace(results, tables={})
    assert plot_popular_methods(bare) is None
    assert plot_gain_from_darks(bare) is None
    surveyed.tables["variance"] = []
    assert plot_gain_from_darks(surveyed) is None


def test_the_darks_of_another_temperature_do_not_enter_the_gain(surveyed):
    points = dark_points(surveyed)
    assert points["exposure"].tolist() == [60.0, 300.0, 600.0]
    assert points["mean"].tolist() == [1598.8, 1594.0, 1588.0]
    assert points["variance"].tolist() == [3300.0, 4500.0, 6000.0]


def test_darks_without_a_temperature_all_count(surveyed):
    for name in ("dark_mean", "variance"):
        surveyed.tables[name] = [row | {"temperature": None} for row in surveyed.tables[name][:3]]
    for row in surveyed.tables["popular_methods"]:
        row["temperature"] = None
    assert dark_points(surveyed)["exposure"].tolist() == [60.0, 300.0, 600.0]
    assert plot_popular_methods(surveyed) is not None


def test_the_three_panels_of_the_gain_show_points_and_lines(surveyed, pixels):
    left, middle, right = plot_gain_from_darks(surveyed, pixels).axes
    points = dark_points(surveyed)
    for axes, x in ((left, "mean"), (middle, "exposure")):
        assert np.allclose(np.column_stack(axes.containers[0].lines[0].get_data()), points[[x, "variance"]])
    assert np.allclose(np.column_stack(right.containers[0].lines[0].get_data()).T, [pixels.mean, pixels.variance])
    # the numbers were made on these very lines
    (x, y) = drawn(left)["line: K = -0.0040 ± 0.0005"].T
    assert np.diff(x) / np.diff(y) == pytest.approx(-0.004)
    assert np.interp(4500.0, y, x) == pytest.approx(1594.0, abs=0.1)
    assert drawn(middle)["line: 5.00 ± 0.20 adu²/s"].tolist() == [[0.0, 3000.0], [600.0, 6000.0]]
    assert np.allclose(drawn(right)["line: K = 0.250 ± 0.010"], [[0.0, 50.0], [1000.0, 4050.0]])


def test_without_pixels_there_are_two_panels_and_without_a_gain_no_line(surveyed):
    surveyed.tables["popular_methods"][4].update(value=None, std_error=None)
    left, _ = plot_gain_from_darks(surveyed).axes
    assert not [label for label in drawn(left) if label.startswith("line")]


def test_the_table_marks_what_is_not_true_by_more_than_its_colour(truth):
    truth["camera"] = truth["camera"].replace("plain", HOSTILE)
    page = truth_html(truth).replace("\u00a0", " ")
    assert HOSTILE not in page
    assert page.count("✗ ") == truth["lies"].sum() + 1  # and the legend
    assert page.count("background-color") == truth["lies"].sum()
    assert page.count("<td>-</td>") == truth["value"].isna().sum()
    assert '<th scope="row">method 1, mean</th><td><span style=' in page
    assert "✗ -0.00060 ± 0.00010</span>" in page
    assert "<td>✓ 0.001000 ± 0.000020</td>" in page
    assert "true gain 0.5 electron/adu, at" in page
    assert page.count("<table>") == 4
