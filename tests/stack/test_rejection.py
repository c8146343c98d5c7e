"""Each method of rejection does what its docstring says: examples by hand, what must not matter, and odd stacks."""

import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from workbench.errors import InputError
from workbench.stack.rejection import (
    HIGH,
    KEPT,
    LOW,
    MISSING,
    REJECTIONS,
    AveragedSigmaClip,
    GeneralisedESD,
    LinearFit,
    MADClip,
    MinMax,
    NoRejection,
    Percentile,
    SigmaClip,
    WinsorizedSigmaClip,
    loop_of,
    reject_column,
    rejection,
)

# low enough for each to reject something of Gaussian values
TIGHT = {
    "none": NoRejection(),
    "minmax": MinMax(2, 3),
    "percentile": Percentile(0.011, 0.012),
    "sigma": SigmaClip(1.4, 1.7),
    "winsorized": WinsorizedSigmaClip(1.4, 1.7),
    "cutoff": WinsorizedSigmaClip(1.4, 1.7, cutoff=5.0),
    "averaged": AveragedSigmaClip(1.4, 1.7),
    "linear_fit": LinearFit(3.1, 2.3),
    "esd": GeneralisedESD(alpha=0.5),
    "mad": MADClip(1.4, 1.7),
}
every_method = pytest.mark.parametrize("method", TIGHT.values(), ids=TIGHT)
NOTHING_BY_RANK = [one for one in TIGHT.values() if not isinstance(one, MinMax)]
SHIFTED = [one for one in TIGHT.values() if one.name not in {"percentile", "averaged"}]
NOT_ROBUST = {"none", "minmax", "averaged"}  # the last keeps to the spread that it finds with all hits in
LIMITED = [one for one in SHIFTED if one.name not in {"none", "minmax", "esd"}]


ROSNER = """
-0.25 0.68 0.94 1.15 1.20 1.26 1.26 1.34 1.38 1.43 1.49 1.49 1.55 1.56 1.58 1.65 1.69 1.70
1.76 1.77 1.81 1.91 1.94 1.96 1.99 2.06 2.09 2.10 2.14 2.15 2.23 2.24 2.26 2.35 2.37 2.40
2.47 2.54 2.62 2.64 2.90 2.92 2.92 2.93 3.21 3.26 3.30 3.59 3.68 4.30 4.64 5.34 5.42 6.01
"""  # of Rosner 1983, also in the NIST handbook of statistics


def names(methods):
    return ["cutoff" if getattr(one, "cutoff", None) else one.name for one in methods]


def dark_stack(n_pixels=40, n_frames=23, seed=1, lattice=1.0):
    """Whole numbers, so that shifting them is exact, with some hits."""
    rng = np.random.default_rng(seed)
    values = rng.normal(2400, 12, (n_pixels, n_frames))
    values[rng.random(values.shape) < 0.02] += 900
    return np.rint(values / lattice) * lattice


def states_of(stack, method):
    return np.array([reject_column(column, method) for column in stack])


def same_but(method, **changed):
    parameters = {"low": method.low, "high": method.high, **changed}
    cutoff = {"cutoff": method.cutoff} if isinstance(method, WinsorizedSigmaClip) else {}
    return type(method)(**parameters, **cutoff)


# by hand ---------------------------------------------------------------------------------------------------------


def test_min_max_rejects_the_lowest_and_the_highest_and_of_equals_the_earlier_is_the_lower():
    assert reject_column([5, 1, 3, 2, 4], MinMax(2, 1)).tolist() == [HIGH, LOW, KEPT, LOW, KEPT]
    assert reject_column([7, 7, 7, 7], MinMax(1, 1)).tolist() == [LOW, KEPT, KEPT, HIGH]
    assert reject_column([7, 7], MinMax(0, 0)).tolist() == [KEPT, KEPT]


def test_min_max_of_too_few_values_leaves_none():
    assert reject_column([9, 8], MinMax(1, 1)).tolist() == [HIGH, LOW]
    assert reject_column([1, 2, 3], MinMax(2, 2)).tolist() == [LOW, LOW, HIGH]
    assert reject_column([4], MinMax(0, 3)).tolist() == [HIGH]


def test_percentile_rejects_beyond_and_not_at_its_fractions_of_the_median():
    assert reject_column([79, 80, 100, 110, 111], Percentile(0.2, 0.1)).tolist() == [LOW, KEPT, KEPT, KEPT, HIGH]


def test_percentile_of_two_far_values_leaves_none():
    assert reject_column([100, 300], Percentile(0.2, 0.1)).tolist() == [LOW, HIGH]


@pytest.mark.parametrize("method", [Percentile(), AveragedSigmaClip(1, 1)], ids=["percentile", "averaged"])
@pytest.mark.parametrize("middle", [0.0, -5.0])
def test_a_median_that_is_not_positive_rejects_nothing(method, middle):
    assert not reject_column([-900, middle - 1, middle, middle + 1, 900], method).any()


def test_sigma_clipping_is_about_the_median_and_strict():
    ten = [0.0] * 9 + [10.0]  # median 0, SD sqrt(10)
    assert reject_column(ten, SigmaClip(4, 3.2)).tolist() == [KEPT] * 10
    assert reject_column(ten, SigmaClip(4, 3.1)).tolist() == [KEPT] * 9 + [HIGH]
    assert reject_column([-1, 0, 1], SigmaClip(1, 1)).tolist() == [KEPT] * 3  # 1 SD away: at the limit
    assert reject_column([-1, 0, 1], SigmaClip(0.99, 1)).tolist() == [LOW, KEPT, KEPT]


def test_winsorizing_unmasks_what_inflates_the_standard_deviation():
    stack = [-2.0, -1.0, 0.0, 1.0, 2.0, 50.0]  # of six values, none can be 2.1 SD off the median
    assert not reject_column(stack, SigmaClip(4, 3)).any()
    assert reject_column(stack, WinsorizedSigmaClip(4, 3)).tolist() == [KEPT] * 5 + [HIGH]


def test_where_most_values_are_equal_the_winsorized_and_the_mad_rules_keep_all():
    stack = [2400.0] * 15 + [2416.0, 60_000.0]
    assert not reject_column(stack, WinsorizedSigmaClip()).any()
    assert not reject_column(stack, WinsorizedSigmaClip(cutoff=5)).any()
    assert not reject_column(stack, MADClip()).any()
    assert reject_column(stack, SigmaClip()).tolist()[-2:] == [HIGH, HIGH]


def test_averaged_sigma_is_poisson_like():
    stack = [100.0, 100.0, 160.0, 100.0, 100.0]  # s^2 = (60^2 / 100) / 4 = 9, sigma = 3 sqrt(100) = 30
    assert not reject_column(stack, AveragedSigmaClip(4, 2)).any()
    assert reject_column(stack, AveragedSigmaClip(4, 1.99)).tolist() == [KEPT, KEPT, HIGH, KEPT, KEPT]


def test_mad_clipping_measures_by_the_median_deviation():
    stack = [3.0, 100.0, 1.0, 4.0, 2.0]  # median 3, MAD 1
    assert reject_column(stack, MADClip(4, 97 / 1.4826 - 0.01)).tolist() == [KEPT, HIGH, KEPT, KEPT, KEPT]
    assert not reject_column(stack, MADClip(4, 97 / 1.4826 + 0.01)).any()


def test_linear_fit_rejects_at_its_limit_too():
    stack = [*range(7), 19.0]  # the line k goes through seven of eight; the last is 12 off: sigma = 2 * 12 / 8 = 3
    assert reject_column(stack, LinearFit(5, 4)).tolist() == [KEPT] * 7 + [HIGH]
    assert not reject_column(stack, LinearFit(5, 4.001)).any()
    assert not reject_column([0, 1, 2, 900], LinearFit(0.1, 0.1)).any()  # fewer than five


def test_linear_fit_may_reject_between_survivors():
    stack = np.array([0.0, 1, 2, 3, 4, 4.5, 4.5, 7, 8, 9, 10, 11, 12])  # 0.5 and 1.5 below the line k: sigma = 4 / 13
    assert np.flatnonzero(reject_column(stack, LinearFit(4.8, math.inf))).tolist() == [6]


def test_esd_finds_the_three_outliers_of_rosner_though_the_first_alone_is_none():
    stack = np.array([float(value) for value in ROSNER.split()])
    assert reject_column(stack, GeneralisedESD(fraction=0.19)).tolist() == [KEPT] * 51 + [HIGH] * 3  # up to 10 of 54
    assert not reject_column(stack, GeneralisedESD(fraction=0.04)).any()  # up to 2
    assert reject_column(-stack, GeneralisedESD(fraction=0.19)).tolist() == [KEPT] * 51 + [LOW] * 3


# against the definition, where the loops take a shorter way ----------------------------------------------------------


def literal_winsorizing(survivors, cutoff):
    centre, sigma = np.median(survivors), survivors.std(ddof=1)
    v, iteration = survivors.copy(), 0
    while sigma > 1e-12 * np.abs(survivors).max():
        bottom, top, off = centre - 1.5 * sigma, centre + 1.5 * sigma, np.abs(v - centre) >= cutoff * sigma
        v = np.where(off, centre, np.clip(v, bottom, top))
        before, sigma = sigma, 1.134 * v.std(ddof=1)
        iteration += 1
        if iteration > 1 and abs(before - sigma) / before < 0.0005:
            break
    return centre, sigma


@pytest.mark.parametrize("lattice", [0.001, 16.0, 40.0])
@pytest.mark.parametrize("cutoff", [None, 5.0])
def test_winsorizing_is_what_the_rule_says_step_by_step(lattice, cutoff):
    rng = np.random.default_rng(2)
    for n in rng.integers(3, 40, 60):
        stack = dark_stack(1, n, rng, lattice)[0]
        expected, limit = np.zeros(n, dtype=int), cutoff or np.inf
        while (expected == KEPT).sum() > 2:
            kept = expected == KEPT
            centre, sigma = literal_winsorizing(stack[kept], limit)
            if sigma <= 1e-12 * np.abs(stack).max():
                break
            expected[kept & ((centre - stack) / sigma > 4)] = LOW
            expected[kept & ((stack - centre) / sigma > 3)] = HIGH
            if (expected == KEPT).sum() == kept.sum():
                break
            limit = np.inf
        assert reject_column(stack, WinsorizedSigmaClip(4, 3, cutoff)).tolist() == expected.tolist()


def exact_slope(values):
    """The least slope of least absolute deviation, among those of all pairs of points, in exact arithmetic."""
    y = [Fraction(float(value)) for value in values]
    n = len(y)

    def deviation(slope):
        above = sorted(y[k] - slope * k for k in range(n))
        return sum(abs(one - above[n // 2]) for one in above)

    slopes = {(y[j] - y[i]) / (j - i) for i in range(n) for j in range(i + 1, n)}
    return float(min((deviation(slope), slope) for slope in slopes)[1])


def test_the_line_of_least_absolute_deviation_is_exact_and_of_several_the_least_steep():
    from workbench.stack.reject_fit import least_slope

    rng = np.random.default_rng(3)
    for n in [2, 3, 4, 5, 6, 7, 9, 10, 13, 14] * 6:
        for stack in (rng.normal(2400, 12, n), rng.integers(0, 3, n) * 16.0, rng.choice([0.1, 0.2, 5.7], n)):
            ordered = np.sort(stack)
            found = least_slope(ordered, n, np.empty(n))
            assert found == pytest.approx(exact_slope(ordered), rel=1e-12, abs=1e-12 * np.abs(stack).max())


def test_esd_agrees_with_the_definition():
    from scipy import stats

    rng = np.random.default_rng(4)
    for n in range(3, 60):
        stack = rng.standard_t(2, n) * 1e3 + 2400
        order, kept = [], np.ones(n, dtype=bool)
        outliers = 0
        for i in range(min(max(int(0.3 * n), 1), n - 2)):
            off = np.where(kept, np.abs(stack - stack[kept].mean()), -1)
            m, worst, ratio = n - i, int(off.argmax()), off.max() / stack[kept].std(ddof=1)
            t = stats.t.ppf(1 - 0.05 / (2 * m), m - 2)
            order.append(worst)
            kept[worst] = False
            if ratio > t * (m - 1) / math.sqrt((m - 2 + t * t) * m):
                outliers = i + 1
        assert np.flatnonzero(reject_column(stack, GeneralisedESD())).tolist() == sorted(order[:outliers])


# what must not matter --------------------------------------------------------------------------------------------


@every_method
def test_what_is_tight_rejects_something_and_keeps_something(method):
    states = states_of(dark_stack(), method)
    assert (states == KEPT).any()
    assert (states == LOW).any() == (states == HIGH).any() == (method.name != "none")


@pytest.mark.parametrize("method", SHIFTED, ids=names(SHIFTED))
def test_a_shift_changes_nothing(method):
    stack = dark_stack()
    assert np.array_equal(states_of(stack - 2400, method), states_of(stack, method))


@every_method
@pytest.mark.parametrize("factor", [2.0**-40, 4.0])
def test_the_unit_does_not_matter(method, factor):
    stack = dark_stack()
    assert np.array_equal(states_of(stack * factor, method), states_of(stack, method))


@pytest.mark.parametrize("method", LIMITED, ids=names(LIMITED))
def test_upside_down_low_is_high(method):
    stack = dark_stack() + np.random.default_rng(5).random((40, 23))  # no ties
    swapped = same_but(method, low=method.high, high=method.low)
    expected = np.array([KEPT, HIGH, LOW])[states_of(stack, method)]
    assert np.array_equal(states_of(-stack, swapped), expected)


@every_method
def test_the_order_of_the_frames_does_not_matter(method):
    stack = dark_stack() + np.random.default_rng(6).random((40, 23))
    order = np.random.default_rng(7).permutation(23)
    assert np.array_equal(states_of(stack[:, order], method), states_of(stack, method)[:, order])


@pytest.mark.parametrize("side", ["low", "high"])
@pytest.mark.parametrize("method", LIMITED, ids=names(LIMITED))
def test_an_infinite_limit_switches_its_side_off(method, side):
    states = states_of(dark_stack(), same_but(method, **{side: math.inf}))
    assert not (states == {"low": LOW, "high": HIGH}[side]).any()
    assert (states == {"low": HIGH, "high": LOW}[side]).any()


@every_method
def test_what_is_missing_is_neither_kept_nor_rejected_nor_seen(method):
    column = dark_stack(1)[0]
    with_gaps = np.insert(column, [0, 5, 5, 23], [np.nan, np.inf, np.nan, -np.inf])
    there = np.isfinite(with_gaps)
    states = reject_column(with_gaps, method)
    assert (states[~there] == MISSING).all()
    assert np.array_equal(states[there], reject_column(column, method))


@every_method
def test_a_block_of_pixels_is_each_pixel_alone(method):
    stack = np.sort(dark_stack(), axis=1)
    counts = np.random.default_rng(8).integers(0, 24, len(stack))
    states = np.full(stack.shape, 99, dtype=np.uint8)
    kernel, parameters = loop_of(method)
    before = stack.copy()
    kernel(stack, counts, parameters, states)
    assert np.array_equal(stack, before)
    for column, count, found in zip(stack, counts, states, strict=True):
        assert np.array_equal(found[:count], reject_column(column[:count], method))
        assert (found[count:] == MISSING).all()


# odd stacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", NOTHING_BY_RANK, ids=names(NOTHING_BY_RANK))
@pytest.mark.parametrize("value", [0.0, -7.3, 0.1, 65535.0, 1e-300, 1e300])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 20, 200])
def test_of_equal_values_none_is_rejected(method, value, n):
    assert not reject_column(np.full(n, value), method).any()


@pytest.mark.parametrize("method", NOTHING_BY_RANK, ids=names(NOTHING_BY_RANK))
def test_values_that_differ_by_rounding_alone_are_equal(method):
    stack = np.full(30, 0.1)
    stack[::7] = np.nextafter(0.1, 1)
    stack[::11] = np.nextafter(0.1, 0)
    assert not reject_column(stack, method).any()


@every_method
def test_no_values_no_states(method):
    assert reject_column([], method).size == 0
    assert reject_column([np.nan], method).tolist() == [MISSING]


@pytest.mark.parametrize("n", [1, 2])
def test_sigmas_need_three_values(n):
    for method in (
        SigmaClip(0, 0),
        WinsorizedSigmaClip(0, 0),
        AveragedSigmaClip(0, 0),
        MADClip(0, 0),
        GeneralisedESD(),
    ):
        assert not reject_column([1.0, 1000.0][:n], method).any()


@pytest.mark.parametrize("method", [rejection(name) for name in REJECTIONS if name not in NOT_ROBUST], ids=str)
def test_hits_among_two_hundred_frames_are_found(method):
    rng = np.random.default_rng(9)
    stack = rng.normal(2400, 12, 200)
    stack[[3, 77, 150]] = 2950, 5000, 65535
    states = reject_column(stack, method)
    assert (states[[3, 77, 150]] == HIGH).all()
    assert (states != KEPT).sum() < 25


def test_a_huge_hit_does_not_cost_the_esd_test_its_digits():
    rng = np.random.default_rng(10)
    stack = rng.normal(0, 1, 50)
    stack[7] = 1e15
    calm = np.delete(stack, 7)
    calm[3] = stack[3] = 5.0
    states = reject_column(stack, GeneralisedESD())
    assert np.flatnonzero(states).tolist() == [3, 7]
    assert np.array_equal(np.delete(states, 7), reject_column(calm, GeneralisedESD()))


def test_the_esd_kernel_refuses_more_frames_than_it_has_critical_values_for():
    kernel, parameters = loop_of(GeneralisedESD(), 10)
    with pytest.raises(ValueError, match="more frames than critical values"):
        kernel(np.zeros((1, 11)), np.array([11]), parameters, np.zeros((1, 11), dtype=np.uint8))


# names, words, refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REJECTIONS)
def test_each_name_gives_its_method(name):
    assert rejection(name) == REJECTIONS[name]()
    assert rejection(name).name == name
    assert all(isinstance(one, float) for one in rejection(name).parameters)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (NoRejection(), "no rejection"),
        (MinMax(0, 2), "min/max rejection, 0 lowest, 2 highest"),
        (Percentile(), "percentile clipping, 0.2 low, 0.1 high"),
        (WinsorizedSigmaClip(), "winsorized sigma clipping, 4 low, 3 high"),
        (WinsorizedSigmaClip(cutoff=5), "winsorized sigma clipping, 4 low, 3 high, cutoff 5"),
        (SigmaClip(math.inf, 2.5), "sigma clipping, low kept, 2.5 high"),
        (GeneralisedESD(), "generalised ESD test, at most 0.3 of the values, significance 0.05"),
    ],
)
def test_methods_in_words(method, words):
    assert method.words == words


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: rejection("winsorised"),
            "rejection = 'winsorised': is no method of rejection; did you mean 'winsorized'?",
        ),
        (
            lambda: rejection("x"),
            f"rejection = 'x': is no method of rejection; use one of {', '.join(REJECTIONS)}",
        ),
        (
            lambda: rejection("esd", low=3),
            "low: rejection 'esd' has no such parameter; it takes fraction, alpha",
        ),
        (lambda: rejection("none", high=3), "high: rejection 'none' has no such parameter; leave it out"),
        (
            lambda: SigmaClip(low=-1),
            "low = -1: a limit of sigma rejection is a number from 0 on; use inf to switch one side off",
        ),
        (
            lambda: LinearFit(high=math.nan),
            "high = nan: a limit of linear_fit rejection is a number from 0 on; use inf to switch one side off",
        ),
        (
            lambda: rejection("mad", low="4"),
            "low = '4': a limit of mad rejection is a number from 0 on; use inf to switch one side off",
        ),
        (lambda: MinMax(high=1.5), "high = 1.5: minmax rejects a whole number of values; use 0, 1, 2, ..."),
        (lambda: MinMax(low=math.inf), "low = inf: minmax rejects a whole number of values; use 0, 1, 2, ..."),
        (
            lambda: WinsorizedSigmaClip(cutoff=1.0),
            (
                "cutoff = 1.0: values are clamped at 1.5 sigma, so that the cutoff lies beyond; "
                "use 5, or None for the rule of 2017"
            ),
        ),
        (
            lambda: GeneralisedESD(fraction=0.6),
            "fraction = 0.6: esd rejection takes what is above 0 and at most 0.5; leave it out for its default",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(wrong, message):
    with pytest.raises(InputError) as refused:
        wrong()
    assert str(refused.value) == message


def test_naming_a_method_does_not_import_numba():
    code = "import sys; from workbench.stack.rejection import MADClip; MADClip(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
