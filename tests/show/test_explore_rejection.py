"""The numbers of the rejection explorer, held against the engine's own rule on the very stacks that it draws."""

import re

import numpy as np
import pytest

from workbench.show.explore_rejection import KNOBS, LEVEL, METHODS, draw_stacks, methods_with, outcome
from workbench.show.explorers import explore_rejection, plot_rejection_model
from workbench.stack.rejection import KEPT, REJECTIONS, reject_column, rejection

DEFAULTS = {one.name: one.default for one in KNOBS}


def test_the_stacks_have_the_noise_the_hits_and_the_lattice_that_the_sliders_say():
    draws = draw_stacks(20, 3, 500.0, 12.0)
    assert draws.values.shape == (20, 400)
    assert (draws.hit.sum(axis=0) == 3).all()
    assert np.array_equal(draws.values, np.rint(draws.values))
    good = draws.values[~draws.hit]
    assert good.std() == pytest.approx(12, rel=4 / np.sqrt(2 * good.size))
    assert draws.values[draws.hit].mean() - LEVEL == pytest.approx(500, abs=4 * 12 / np.sqrt(draws.hit.sum()))


def test_more_noise_or_higher_hits_leave_the_draw_as_it_is():
    one, two = draw_stacks(10, 2, 100.0, 5.0), draw_stacks(10, 2, 300.0, 10.0)
    assert np.array_equal(one.hit, two.hit)
    assert np.allclose(2 * (one.values - LEVEL)[~one.hit], (two.values - LEVEL)[~one.hit], atol=1.6)


def test_a_stack_of_three_keeps_a_good_frame():
    assert draw_stacks(3, 6, 100.0, 5.0).hit.sum(axis=0).max() == 2


def test_limits_reach_the_methods_that_count_in_sigmas_and_no_other():
    methods = methods_with(2.0, 1.5)
    assert tuple(methods) == METHODS == tuple(REJECTIONS)
    changed = {name for name, method in methods.items() if method != rejection(name)}
    assert changed == {"sigma", "winsorized", "averaged", "linear_fit", "mad"}


def test_an_outcome_is_what_the_columns_one_by_one_give():
    draws, method = draw_stacks(12, 1, 60.0, 12.0), rejection("winsorized", 2, 2)
    found = outcome(draws, method)
    states = np.array([reject_column(column, method) for column in draws.values.T]).T
    assert np.array_equal(found.states, states)
    assert found.hits_left == 100 * np.mean(states[draws.hit] == KEPT)
    assert found.good_lost == 100 * np.mean(states[~draws.hit] != KEPT)
    kept = np.ma.array(draws.values, mask=states != KEPT).mean(axis=0)
    good = np.ma.array(draws.values, mask=draws.hit).mean(axis=0)
    assert found.bias == pytest.approx(float((kept - good).mean()))
    assert np.isnan(outcome(draw_stacks(12, 0, 60.0, 12.0), method).hits_left)


def test_the_picture_and_the_sentence_say_what_the_engine_does():
    explorer = explore_rejection().explorer
    values = DEFAULTS | {"method": 4, "n_frames": 15, "n_hits": 1}
    explorer.update(**values)
    draws = draw_stacks(15, 1, DEFAULTS["height"], DEFAULTS["sigma"])
    states, hit = reject_column(draws.values[:, 0], rejection("sigma", 4, 3)), draws.hit[:, 0]
    sentence = explorer.sentence.value
    assert sentence.startswith("Sigma clipping, 4 low, 3 high: ")
    shown = [float(one) for one in re.findall(r"(?<![\w.])[-+]?\d+\.?\d*", sentence.partition(": ")[2])]
    kept = states == KEPT
    expected = [kept.sum(), 15, (~kept & hit).sum(), hit.sum(), draws.values[kept, 0].mean() - LEVEL]
    assert shown[:6] == pytest.approx([*expected, draws.values[:, 0].mean() - LEVEL], abs=0.006)
    assert shown[6] == pytest.approx(12 / np.sqrt(15), abs=0.006)
    scene = explorer._scene
    assert scene._gone.get_xdata().tolist() == (np.flatnonzero(~kept) + 1).tolist()
    assert scene._kept.get_ydata().tolist() == (draws.values[kept, 0] - LEVEL).tolist()
    lost = [outcome(draws, method).good_lost for method in methods_with(4, 3).values()]
    assert scene._lost.get_xdata() == pytest.approx(lost)
    assert shown[-2:] == pytest.approx([lost[3], outcome(draws, rejection("sigma", 4, 3)).bias], abs=0.006)


def test_few_frames_hide_a_hit_from_sigma_clipping_and_equal_values_from_winsorizing():
    def left(n_frames, sigma, name):
        return outcome(draw_stacks(n_frames, 1, 200.0, sigma), rejection(name)).hits_left

    assert left(8, 12.0, "sigma") == 100
    assert left(20, 12.0, "sigma") == left(8, 12.0, "winsorized") == 0
    assert left(20, 0.25, "winsorized") > 90
    assert left(20, 0.25, "sigma") == 0


def test_without_hits_the_sentence_says_so_and_a_misspelt_value_is_refused():
    figure = plot_rejection_model(n_hits=0)
    assert "In 400 such stacks: no hits, " in figure.texts[-1].get_text()
    with pytest.raises(TypeError, match="explore_rejection has no parameter 'hits'; choose from method, low"):
        plot_rejection_model(hits=1)
