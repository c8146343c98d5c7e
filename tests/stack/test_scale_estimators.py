"""Location and scale: against their definitions taken literally, against astropy, and against Gaussian noise."""

import math

import numpy as np
import pytest
from astropy.stats import biweight_scale, mad_std
from scipy.integrate import quad
from scipy.stats import norm

from workbench.errors import InputError
from workbench.stack.scale_estimators import SCALE_ESTIMATORS, levels_of, location_and_scale

# asymptotic efficiency for Gaussian values: Rousseeuw and Croux 1993, table 1; the biweight's is above 0.95
EFFICIENCY = {"mad": 0.37, "biweight": 0.95, "iksigma": 0.95, "sn": 0.58, "qn": 0.82}
BIWEIGHT_OF_A_GAUSSIAN = 1.009


def samples(kind, n, rng):
    return {
        "gaussian": lambda: rng.normal(size=n),
        "few levels": lambda: rng.integers(0, 8, n).astype(np.uint16),
        "signed": lambda: rng.integers(-20, 20, n).astype(np.int16),
        "bytes": lambda: rng.integers(0, 256, n).astype(np.uint8),
        "ties": lambda: np.round(rng.normal(size=n), 1).astype(np.float32),
        "two values": lambda: rng.integers(0, 2, n).astype(np.int32) * 1000,
    }[kind]()


def literal_sn_and_qn(values):
    x = values.astype(float)
    n, half = len(x), len(x) // 2 + 1
    distances = np.abs(x[:, None] - x)
    sn = np.sort(np.sort(distances, axis=1)[:, half - 1])[(n + 1) // 2 - 1]
    pairs = np.sort(distances[np.triu_indices(n, 1)])
    return 1.1925985 * sn, 2.2191445 * pairs[half * (half - 1) // 2 - 1] if n > 1 else 0.0


@pytest.mark.parametrize("kind", ["gaussian", "few levels", "signed", "bytes", "ties", "two values"])
def test_estimators_are_their_definitions(kind):
    rng = np.random.default_rng(4)
    for n in [1, 2, 3, 4, 5, 6, 7, 8, *rng.integers(9, 70, 80)]:
        values = samples(kind, n, rng)
        sn, qn = literal_sn_and_qn(values)
        expected = {
            "mad": mad_std(values.astype(float)),
            "biweight": biweight_scale(values.astype(float), modify_sample_size=False),
            "sn": sn,
            "qn": qn,
        }
        for estimator, scale in expected.items():
            location, found = location_and_scale(values, estimator)
            assert location == pytest.approx(np.median(values.astype(float)), rel=1e-12)
            assert found == pytest.approx(scale, rel=1e-7), (estimator, n)


def literal_iksigma(values):
    x, last = np.sort(values.astype(float)), math.inf
    while True:
        median = np.median(x)
        scale = biweight_scale(x, modify_sample_size=False, M=median)
        if math.isfinite(last) and (last - scale) / last < 1e-6:
            return median, 0.991 * scale
        last, x = scale, x[np.abs(x - median) <= 4 * scale]


def test_iksigma_is_its_definition():
    rng = np.random.default_rng(5)
    for n in (50, 333, 4000):
        values = np.concatenate([rng.normal(100, 5, n), rng.normal(180, 40, n // 5)])
        assert location_and_scale(values, "iksigma") == pytest.approx(literal_iksigma(values), rel=1e-12)


def test_the_biweight_scale_of_a_gaussian_is_what_the_text_says():
    width = 9 * norm.ppf(0.75)

    def mean(function):
        return quad(lambda x: function((x / width) ** 2, x) * norm.pdf(x), -width, width)[0]

    over = mean(lambda y2, x: x * x * (1 - y2) ** 4)
    under = mean(lambda y2, _: (1 - y2) * (1 - 5 * y2))
    assert math.sqrt(over) / under == pytest.approx(BIWEIGHT_OF_A_GAUSSIAN, abs=5e-4)


@pytest.mark.parametrize("estimator", SCALE_ESTIMATORS)
def test_the_scale_of_gaussian_noise_is_its_standard_deviation(estimator):
    n = 1_000_000
    values = np.random.default_rng(6).normal(1000, 30, n)
    true = 30 * (BIWEIGHT_OF_A_GAUSSIAN if estimator == "biweight" else 1)
    location, scale = location_and_scale(values, estimator)
    # 4 standard errors; the factors of the biweight and of iksigma are rounded to three digits
    rounding = 5e-4 if estimator in ("biweight", "iksigma") else 0
    assert scale == pytest.approx(true, rel=4 / math.sqrt(2 * n * EFFICIENCY[estimator]) + rounding)
    assert location == pytest.approx(1000, abs=4 * 30 * math.sqrt(math.pi / 2 / n))


@pytest.mark.parametrize("estimator", SCALE_ESTIMATORS)
def test_one_wild_pixel_in_a_hundred_moves_the_scale_by_less_than_three_percent(estimator):
    values = np.random.default_rng(7).normal(1000, 30, 100_000)
    clean = location_and_scale(values, estimator)
    values[::100] = 65535
    location, scale = location_and_scale(values, estimator)
    assert np.std(values) > 100 * clean[1]
    assert abs(location - clean[0]) < 1.0
    assert scale == pytest.approx(clean[1], rel=0.03)


@pytest.mark.parametrize("estimator", SCALE_ESTIMATORS)
def test_counted_integers_give_what_sorted_numbers_give(estimator):
    values = np.random.default_rng(8).normal(3000, 40, (100, 100)).astype(np.uint16)
    for other in (values.astype(np.float32), values.astype(np.float64), values.astype(np.int64), values.astype(">i4")):
        assert location_and_scale(other, estimator) == pytest.approx(location_and_scale(values, estimator), rel=1e-12)


def test_levels_that_come_in_parts_are_those_of_the_whole():
    for dtype in (np.int16, np.uint16, np.float32):
        values = np.random.default_rng(9).integers(-50 if dtype == np.int16 else 0, 60, (40, 30)).astype(dtype)
        whole, parts = levels_of([values]), levels_of([values[:7], values[7:8], values[8:]])
        assert np.array_equal(whole.values, parts.values)
        assert np.array_equal(whole.up_to, parts.up_to)
        assert whole.n == values.size


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_levels_within_limits_include_both_ends(dtype):
    levels = levels_of([np.array([1, 2, 2, 3, 5, 5, 9], dtype)]).within(2, 5)
    assert levels.n == 5
    assert levels.median == 3


def test_limits_are_not_rounded_to_the_type_of_the_values():
    value = np.float32(0.1)  # a little more than 0.1
    levels = levels_of([np.array([value, 1], np.float32)])
    assert levels.within(0.0, 0.1).n == 0
    assert levels.within(0.1, 0.2).n == 1


def test_nan_and_infinity_are_no_values_and_zero_is_one():
    values = np.array([0.0, 0.0, 0.0, 4.0, np.nan, np.inf, 5.0])
    location, scale = location_and_scale(values, "mad")
    assert (location, scale) == (0.0, 0.0)
    assert location_and_scale(np.array([0, 0, 4, 5, 6], np.uint16), "mad")[0] == 4


@pytest.mark.parametrize("estimator", SCALE_ESTIMATORS)
def test_equal_values_have_no_scale(estimator):
    assert location_and_scale(np.full(100, 7, np.uint16), estimator) == (7.0, 0.0)
    assert location_and_scale([7.0], estimator) == (7.0, 0.0)


def test_an_unknown_estimator_and_no_values_are_refused():
    with pytest.raises(InputError) as caught:
        location_and_scale([1.0], "biwieght")
    assert str(caught.value) == "scale: 'biwieght' is no estimator; did you mean 'biweight'?"
    with pytest.raises(InputError) as caught:
        location_and_scale([1.0], "zzz")
    assert str(caught.value) == "scale: 'zzz' is no estimator; take one of mad, biweight, iksigma, sn, qn"
    with pytest.raises(InputError) as caught:
        location_and_scale([np.nan])
    assert str(caught.value) == "values: there are none that are finite; give at least one"


@pytest.mark.parametrize("estimator", SCALE_ESTIMATORS)
def test_the_values_are_left_as_they_were(estimator):
    values = np.random.default_rng(10).normal(size=500).astype(np.float32)
    before = values.copy()
    location_and_scale(values, estimator)
    assert np.array_equal(values, before)
