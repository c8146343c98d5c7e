"""What the pictures for planning draw, held against the planning."""

import numpy as np
import pytest

from workbench.measure.planning import depth_loss
from workbench.results import Results
from workbench.show.plots_planning import frame_variances, plot_depth_loss


def results(bias: float = 10.0, dark: float = 25.0, **more) -> Results:
    rows = [
        {"group": "g1", **more, "frames": frames, "exposure": exposure, "term": f"temporal variance of a {frames}"}
        | {"kind": "sum", "variance": variance, "std_error": 0.1}
        for frames, exposure, variance in (("bias", 0.0, bias), ("dark", 300.0, dark))
    ]
    return Results(dataset={"name": "x", "n_frames": 2, "n_used": 2, "sha256": ""}, tables={"noise_budget": rows})


def test_reading_and_dark_signal_are_the_variance_of_a_bias_and_what_a_dark_has_above_it():
    assert frame_variances(results()) == (10.0, 15.0)
    assert frame_variances(results(dark=9.9)) == (10.0, 0.0)


def test_without_a_budget_there_is_nothing_to_plan_with():
    empty = results()
    empty.tables = {}
    assert frame_variances(empty) is None
    assert plot_depth_loss(empty) is None
    only_bias = results()
    del only_bias.tables["noise_budget"][1]
    assert plot_depth_loss(only_bias) is None


@pytest.mark.parametrize("sky", [0.0, 10.0])
def test_the_curves_are_the_loss_of_depth_for_each_sky(sky):
    figure = plot_depth_loss(results(), n_lights=12, skies=(3.0, sky))
    (axes,) = figure.axes
    n_darks, loss = axes.lines[1].get_data()
    assert n_darks[0] == 1
    assert n_darks[-1] == 240
    for n, drawn in zip(n_darks.tolist(), loss, strict=True):
        expected = 1.25 * np.log10(1 + (25 / n) / ((25 + 10 * sky) / 12))
        assert drawn == pytest.approx(expected)
        assert drawn == pytest.approx(depth_loss(10**0.5, 15.0, 10 * sky, 12, n).nominal_value)
    assert axes.get_title(loc="left") == "12 lights of 300 s minus a master dark"
    assert axes.get_ylabel() == "loss of depth [mag]"


def test_the_gain_does_not_matter_for_the_loss():
    drawn = [plot_depth_loss(results(10.0 * k, 25.0 * k)).axes[0].lines[2].get_ydata() for k in (1.0, 400.0)]
    np.testing.assert_allclose(*drawn)
