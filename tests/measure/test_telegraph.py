"""Telegraph pixels: levels from the few values of a pixel, and darks that scatter too much, against the truth."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.neighbourhood import pool
from workbench.measure.switching import Expected, follow_temperature, least_jump, switching, without_hits
from workbench.measure.telegraph import read_telegraph, recall
from workbench.measure.telegraph_table import least_read_jump, read_rows, read_share

PLAIN = (400, 400)
SIGMA = 3.0  # adu
SPREAD = 0.15  # of ln(sigma) over the pixels


def bias_values(heights, traps=1, *, n=20, plain=PLAIN, seed=1, duty=0.5):
    """Values (pixel, frame) of plain pixels and of telegraph pixels after them, read noise differing by 15 %."""
    rng = np.random.default_rng(seed)
    heights = np.asarray(heights, dtype=float)
    n_plain = plain[0] * plain[1] - heights.size
    sigma = SIGMA * np.exp(SPREAD * rng.standard_normal(n_plain + heights.size))
    values = rng.standard_normal((sigma.size, n)) * sigma[:, None]
    states = rng.binomial(traps, duty, (heights.size, n))
    values[n_plain:] += heights[:, None] * states
    return values - values.mean(axis=0), states


def look(values, shape=PLAIN):
    """Candidates of a stack, what was found of them, and how the variances spread."""
    n = values.shape[1]
    variance = values.var(axis=1, ddof=1).reshape(shape)
    usual = pool(variance, np.ones(shape, dtype=bool), n)
    pixels = np.flatnonzero(variance > usual.bounds[1] * usual.level.at(slice(None)))
    return pixels, read_telegraph(values[pixels], usual.level.of(pixels), usual.prior_dof, values.shape[0]), usual


def found_map(pixels, found, size):
    levels = np.ones(size, dtype=int)
    levels[pixels] = found.n_levels
    return levels


@pytest.fixture(scope="module")
def mixed():
    """A stack with 500 pixels of two levels, 8 read noises apart, and 200 of three."""
    rng = np.random.default_rng(3)
    two = 8 * SIGMA * np.ones(500)
    values, states = bias_values(two, seed=4)
    extra, more = bias_values(6 * SIGMA * np.ones(200), traps=2, plain=(200, 1), seed=5)
    values[:200] = extra
    return values, states, more, look(values), rng


def test_telegraph_pixels_are_found_and_plain_ones_are_not(mixed):
    values, _, _, (pixels, found, _), _ = mixed
    levels = found_map(pixels, found, values.shape[0])
    assert (levels[-500:] > 1).mean() >= 0.99
    assert (levels[:200] > 1).mean() >= 0.99
    assert (levels[200:-500] > 1).sum() <= 0.05 * 700


def test_two_and_three_levels_are_told_apart(mixed):
    values, _, _, (pixels, found, _), _ = mixed
    levels = found_map(pixels, found, values.shape[0])
    assert (levels[-500:] == 2).mean() > 0.93
    assert (levels[:200] == 3).mean() > 0.93


def test_levels_shares_and_jumps_are_those_of_the_pixel(mixed):
    values, states, _, (pixels, found, _), _ = mixed
    first = values.shape[0] - 500
    clear = (pixels >= first) & (found.n_levels == 2)
    truth = states[pixels[clear] - first]
    n_upper = truth.sum(axis=1)
    error = SIGMA * np.sqrt(1 / n_upper + 1 / (20 - n_upper))
    pull = (found.jump[clear] - 8 * SIGMA) / error
    assert abs(pull.mean()) < 4 / clear.sum() ** 0.5
    assert pull.std() == pytest.approx(1.0, abs=0.15)  # read noises that differ by 15 % widen it a little
    assert found.upper_share[clear] == pytest.approx(truth.mean(axis=1), abs=0.06)
    assert (found.transitions[clear] == (np.diff(truth, axis=1) != 0).sum(axis=1)).mean() > 0.98
    assert found.jump_rate[clear].mean() == pytest.approx(0.5, abs=4 * 0.5 / (19 * clear.sum()) ** 0.5)


def test_three_levels_are_equally_spaced(mixed):
    _, _, more, (pixels, found, _), _ = mixed
    three = (pixels < 200) & (found.n_levels == 3)
    spacing = np.diff(found.levels[three], axis=1)
    assert spacing[:, 0] == pytest.approx(spacing[:, 1])
    assert found.jump[three].mean() == pytest.approx(6 * SIGMA, rel=0.02)
    assert more[pixels[three]].max(axis=1).min() == 2


def test_hardly_any_pixel_is_called_a_telegraph_pixel_where_there_is_none():
    n_found = 0
    for seed in range(4):
        values, _ = bias_values([], seed=10 + seed)
        n_found += int((look(values)[1].n_levels > 1).sum())
    assert n_found <= 2  # of 640,000


@pytest.mark.parametrize(("n", "clear"), [(20, 6.0), (8, 12.0)])
def test_recall_grows_with_the_height_of_the_jump_as_foretold(n, clear):
    heights = np.repeat([2.0, 4.0, 5.0, clear], 200)
    values, _ = bias_values(heights * SIGMA, n=n, seed=7)
    pixels, found, usual = look(values)
    hit = found_map(pixels, found, values.shape[0])[-heights.size :] > 1
    shares = hit.reshape(4, 200).mean(axis=1)
    at, foretold = recall(n, usual.prior_dof, usual.bounds[1])
    expected = np.interp([2.0, 4.0, 5.0, clear], at, foretold)
    # telegraph pixels are more frequent here than among a thousand, so that more are found than foretold
    assert (shares > expected - 4 * np.sqrt(0.25 / 200) - 0.02).all()
    assert shares[0] < 0.05
    assert shares[-1] > 0.88


def test_probabilities_are_what_they_say():
    heights = SIGMA * 4.5 * np.exp(0.5 * np.random.default_rng(8).standard_normal(1600))
    values, _ = bias_values(heights, seed=9)
    pixels, found, _ = look(values)
    true = pixels >= values.shape[0] - heights.size
    for low, high in ((0.3, 0.7), (0.7, 0.95), (0.95, 1.01)):
        here = (found.probability >= low) & (found.probability < high)
        p = found.probability[here]
        error = np.sqrt((p * (1 - p)).sum()) / here.sum()
        # five levels of probability are too few to ask for more than a tenth
        assert true[here].mean() == pytest.approx(p.mean(), abs=0.10 + 2 * error)


def test_one_high_value_is_a_hit_and_no_level():
    values, _ = bias_values([], plain=(100, 100), seed=11)
    values[::50, 4] += 40 * SIGMA
    pixels, found, _ = look(values, (100, 100))
    assert np.isin(np.arange(0, 10_000, 50), pixels).all()
    assert (found.n_levels == 1).all()


def test_share_counts_the_pixels_whose_jumps_can_be_told():
    pulls = []
    for seed in range(6):
        heights = SIGMA * 5.0 * np.exp(0.5 * np.random.default_rng(100 + seed).standard_normal(200))
        values, _ = bias_values(heights, plain=(200, 200), seed=200 + seed)
        _, found, usual = look(values, (200, 200))
        share = read_share(found, values.shape[0])
        least = least_read_jump(20, usual.prior_dof, usual.bounds[1])
        assert 3.2 < least < 4.2
        visible = (heights >= least * SIGMA).sum() / values.shape[0]
        pulls.append((share.nominal_value - visible) / share.std_dev)
        assert share.std_dev < 0.2 * share.nominal_value
    # more frequent than one in a thousand, as here, lower jumps are told as well
    assert max(np.abs(pulls)) < 3.0


def test_rows_hold_electrons_where_the_gain_is_known(mixed):
    _, _, _, (pixels, found, _), _ = mixed
    table = read_rows(found, pixels, 400, 0.5)
    assert table["jump_electrons"].to_numpy() == pytest.approx(table["jump"].to_numpy() * 0.5)
    assert read_rows(found, pixels, 400, None)["jump_electrons"].isna().all()
    assert (table["row"] * 400 + table["column"]).is_monotonic_increasing


def test_few_bias_frames_are_refused():
    with pytest.raises(NotMeasurableError, match="7 bias frames cannot tell a jump from noise; shoot at least 8"):
        read_telegraph(np.zeros((3, 7)), np.ones(3), 20.0, 100)


# ---- dark currents that switch

GAIN, READ = 0.5, 2.0  # electron / adu, electron


def dark_values(electrons, n=14, seed=1, extra=0.0):
    rng = np.random.default_rng(seed)
    electrons = np.asarray(electrons, dtype=float)
    counted = rng.poisson(np.maximum(electrons[:, None] + extra, 0), (electrons.size, n))
    return (counted + READ * rng.standard_normal((electrons.size, n)) - electrons[:, None]) / GAIN


def steady(electrons):
    size = np.asarray(electrons).size
    read = np.full(size, (READ / GAIN) ** 2)
    return Expected(read, np.full(size, 40.0), np.asarray(electrons, dtype=float), np.full(size, 0.5), GAIN)


@pytest.mark.parametrize("n", [6, 14])
def test_steady_pixels_do_not_switch(n):
    electrons = np.full(200_000, 3.0)
    electrons[:2000] = np.geomspace(3, 3000, 2000)
    found = switching(dark_values(electrons, n), steady(electrons), 600.0, electrons.size)
    assert found.found.sum() <= 2


def test_switching_pixels_are_found_with_their_least_jump():
    electrons = np.full(50_000, 3.0)
    up = np.random.default_rng(2).random((200, 14)) < 0.5
    extra = np.zeros((electrons.size, 14))
    extra[:200] = 30.0 * up
    found = switching(dark_values(electrons, extra=extra), _with_mean(electrons, extra), 600.0, electrons.size)
    assert found.found[:200].mean() > 0.9
    assert found.found[200:].sum() <= 0.05 * 200 * 2
    # two levels held for whole frames: the least jump is the jump, 30 electron in 600 s
    assert found.jump[:200].mean() == pytest.approx(0.05, rel=0.1)
    pull = (found.jump[:200] - 0.05) / found.jump_error[:200]
    assert abs(np.median(pull)) < 0.7


def _with_mean(electrons, extra):
    return steady(electrons + extra.mean(axis=1))


def test_a_cosmic_ray_does_not_switch_a_pixel():
    electrons = np.full(20_000, 3.0)
    values = dark_values(electrons)
    values[:100, 7] += 400.0
    found = switching(values, steady(electrons), 600.0, electrons.size)
    assert found.hit[:100].all()
    assert not found.found[:100].any()
    keep = without_hits(values, steady(electrons).variance)
    assert not keep[:100, 7].any()
    assert keep[100:].mean() > 0.999


def test_hot_pixels_that_follow_the_temperature_together_do_not_switch():
    electrons = np.full(5000, 3.0)
    electrons[:300] = 4000.0
    warmth = 0.05 * np.random.default_rng(5).standard_normal(14)  # half a kelvin
    extra = electrons[:, None] * warmth
    values = dark_values(electrons, extra=extra)
    expected = steady(electrons)
    followed = follow_temperature(values, electrons - 3.0, GAIN, 5.0)
    assert switching(values, expected, 600.0, electrons.size).found[:300].mean() > 0.5
    assert switching(followed, expected, 600.0, electrons.size).found.sum() <= 2


def test_few_darks_are_refused():
    with pytest.raises(NotMeasurableError, match="5 darks of 600 s cannot tell a switching pixel; shoot 6 or more"):
        switching(np.zeros((3, 5)), steady(np.ones(3)), 600.0, 10)


def test_more_darks_show_smaller_jumps():
    assert least_jump(36.0, 40.0, 14, GAIN, 600.0) < least_jump(36.0, 40.0, 6, GAIN, 600.0)
