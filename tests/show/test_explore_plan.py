"""The numbers of the planning explorer, held against a stack of simulated frames and against the planning itself."""

import re

import numpy as np
import pytest

from workbench.measure.planning import darks_needed, depth_loss
from workbench.show.explore_plan import KNOBS, stack_noise
from workbench.show.explorers import explore_plan, plot_plan_model

DEFAULTS = {one.name: one.default for one in KNOBS}


def shown(sentence: str) -> list[float]:
    return [float(one) for one in re.findall(r"(?<![\w.])\d+\.?\d*", sentence.replace("<br>", " "))]


def test_the_noise_of_the_final_image_is_that_of_simulated_lights_minus_a_simulated_master_dark():
    values = DEFAULTS | {"n_lights": 5, "n_darks": 3, "sky": 0.01, "exposure": 300.0, "read_noise": 2.0}
    rng, side = np.random.default_rng(4), 200

    def frames(n, expected):
        return rng.poisson(expected, (n, side, side)) + rng.normal(0, 2.0, (n, side, side))

    final = frames(5, (0.01 + 0.005) * 300).mean(axis=0) - frames(3, 0.005 * 300).mean(axis=0)
    assert stack_noise(**values).total == pytest.approx(final.var(), rel=4 * (2 / side**2) ** 0.5)


def test_the_shares_add_up_to_the_loss_of_depth_of_the_planning():
    for changed in ({}, {"n_darks": 7}, {"sky": 0.0}, {"n_lights": 100, "read_noise": 6.0}, {"exposure": 30.0}):
        values = DEFAULTS | changed
        noise = stack_noise(**values)
        light = noise.total - noise.master_dark
        electrons = [values[name] * values["exposure"] for name in ("dark_current", "sky")]
        loss = depth_loss(values["read_noise"], *electrons, int(values["n_lights"]), int(values["n_darks"]))
        assert 1.25 * np.log10(noise.total / light) == pytest.approx(loss.nominal_value, rel=1e-12)


def test_the_sentence_says_what_is_drawn_and_what_the_planning_needs():
    explorer = explore_plan().explorer
    explorer.update(n_lights=40, n_darks=10, exposure=300, sky=0.1, dark_current=0.01, read_noise=2.0)
    n_lights, exposure, n_darks, noise, loss, enough, wanted, sky, dark, read = shown(explorer.sentence.value)
    assert (n_lights, exposure, n_darks, sky, dark, read) == (40, 300, 10, 30, 3, 4)
    variance = (4 + 3 + 30) / 40 + (4 + 3) / 10
    assert noise == pytest.approx(variance**0.5, rel=5e-3)
    assert loss == pytest.approx(1.25 * np.log10(variance / (37 / 40)), abs=6e-4)
    assert wanted == 0.05
    assert enough == darks_needed(2.0, 3.0, 30.0, 40, 0.05).n == int(np.ceil(40 * 7 / 37 / (10**0.04 - 1)))
    scene = explorer._scene
    assert scene._point.get_xdata() == [10]
    assert scene._point.get_ydata()[0] == pytest.approx(loss, abs=6e-4)
    curve = dict(zip(scene._loss.get_xdata().tolist(), scene._loss.get_ydata(), strict=True))
    assert curve[10] == pytest.approx(scene._point.get_ydata()[0])
    widths = [bar.get_width() for bar in scene._bars]
    assert sum(widths) == pytest.approx(100)
    assert widths[-1] == pytest.approx(100 * 0.7 / variance)


def test_without_sky_the_loss_hangs_on_the_numbers_of_frames_alone():
    explorer = explore_plan().explorer
    explorer.update(sky=0.0)
    scene = explorer._scene
    np.testing.assert_allclose(scene._loss.get_ydata(), scene._worst.get_ydata())
    darks = scene._worst.get_xdata()
    np.testing.assert_allclose(scene._worst.get_ydata(), 1.25 * np.log10(1 + DEFAULTS["n_lights"] / darks))


def test_a_brighter_sky_and_more_darks_cost_less_depth_and_more_lights_more():
    def loss(**values):
        return shown(plot_plan_model(**values).texts[-1].get_text())[4]

    usual = loss()
    assert loss(sky=1.0) < usual
    assert loss(n_darks=80) < usual
    assert loss(n_lights=80) > usual


def test_a_loss_below_the_axis_rests_on_its_end():
    explorer = explore_plan().explorer
    explorer.update(n_lights=1, n_darks=200, sky=4.0)
    scene = explorer._scene
    assert scene._point.get_ydata() == [scene._point.axes.get_ylim()[0] / 0.8]
    assert shown(explorer.sentence.value)[4] == 0.0
