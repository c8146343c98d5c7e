"""The distribution of the read noise over the pixels, the scatter of its measurement taken out."""

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.measure.read_noise_map import BulkFit, read_noise_distribution, read_noise_map

SENSOR = Sensor(
    name="map",
    shape=(100, 120),
    pixel_size=3.8,
    adc_bits=14,
    native_gain=0.125,
    bias_level=1600.0,
    read_noise=1.7,
    read_noise_spread=0.2,
)
JUMPING = {"read_telegraph_fraction": 0.002, "read_telegraph_amplitude": 8.0}


def variances(camera, n_frames, seed):
    rng = np.random.default_rng([seed, n_frames])
    frames = np.stack([camera.expose("bias", 0.0, -20.0, rng) for _ in range(n_frames)])
    return frames.var(axis=0, ddof=1)


def check_pulls(values, name):
    values = np.asarray(values)
    n = len(values)
    assert abs(values.mean()) < 4 / n**0.5, (name, values.mean())
    assert 1 - 4 / (2 * n) ** 0.5 < values.std() < 1 + 4 / (2 * n) ** 0.5, (name, values.std())


@pytest.mark.parametrize("n_frames", [6, 16])
def test_median_and_spread_are_those_of_the_sensor(n_frames):
    medians, spreads = [], []
    for k in range(40):
        camera = Camera(Sensor(**{**vars(SENSOR), **JUMPING}), k)
        found = read_noise_distribution(
            variances(camera, n_frames, k), n_frames, None, camera.lattice, number(camera.gain, 0.0)
        )
        medians.append((found.median.nominal_value - 1.7) / found.median.std_dev)
        spreads.append((found.spread.nominal_value - 0.2) / found.spread.std_dev)
        assert found.chi2 < found.dof + 5 * (2 * found.dof) ** 0.5
        assert found.n_pixels == 12000
    check_pulls(medians, "median")
    check_pulls(spreads, "spread")


def test_the_naive_spread_of_the_map_is_the_scatter_of_few_frames():
    camera = Camera(SENSOR, 1)
    naive = np.log(read_noise_map(variances(camera, 6, 1), camera.lattice, camera.gain)).std()
    assert naive > 1.5 * 0.2


def test_bulk_and_telegraph_are_those_of_these_pixels():
    """With and without a mask; the tail without telegraph pixels is none."""
    pulls = {"bulk": [], "with": [], "without": [], "rest": [], "tail": []}
    for k in range(40):
        camera = Camera(Sensor(**{**vars(SENSOR), **JUMPING}), k)
        v = variances(camera, 10, k).ravel()
        errors = 2 / 11 * v**2
        mask = camera.telegraph_class.ravel() > 0
        unit = camera.gain**2
        own = camera._read_noise.astype(float) ** 2
        tele = (camera.read_noise_map**2 - own).mean() / unit
        quantisation = camera.lattice**2 / 12
        known = BulkFit(v[~mask], 10, quantisation).split(v, errors, mask)
        blind = BulkFit(v, 10, quantisation).split(v, errors)
        pulls["bulk"].append((known.bulk.value - own.mean() / unit - quantisation) / known.bulk.std_error)
        pulls["with"].append((known.telegraph.value - tele) / known.telegraph.std_error)
        pulls["without"].append((blind.telegraph.value - tele) / blind.telegraph.std_error)
        pulls["rest"].append(known.rest.value / known.rest.std_error)
        assert (blind.rest.value, blind.rest.std_error) == (0.0, 0.0)
        steady = BulkFit(v[~mask], 10, quantisation).tail()
        pulls["tail"].append(steady.value / steady.std_error)
    # jumps scatter less than the normal noise that the errors given here suppose: budgets give the right ones
    assert np.std(pulls.pop("with")) < 1
    without = pulls.pop("without")
    assert abs(np.mean(without)) < 4 / 40**0.5
    for name, values in pulls.items():
        check_pulls(values, name)


def test_pixels_that_are_all_alike_have_no_spread():
    rng = np.random.default_rng(4)
    v = 100.0 * rng.chisquare(19, (100, 120)) / 19
    found = read_noise_distribution(v, 20, None, None, number(1.0, 0.0))
    assert found.spread.nominal_value < 3 * found.spread.std_dev
    assert found.median.nominal_value == pytest.approx(10.0, abs=4 * found.median.std_dev)


def test_pixels_left_out_do_not_count_and_the_gain_enters_once():
    rng = np.random.default_rng(5)
    v = 100.0 * np.exp(0.4 * rng.normal(size=(100, 120))) * rng.chisquare(19, (100, 120)) / 19
    excluded = np.zeros(v.shape, dtype=bool)
    excluded[:50] = True
    gain = number(0.5, 0.05)
    clean = read_noise_distribution(v, 20, excluded, None, gain)
    v[:50] = 1e6
    assert read_noise_distribution(v, 20, excluded, None, gain) == clean or clean.n_pixels == 6000
    assert clean.median.std_dev == pytest.approx(0.1 * clean.median.nominal_value, rel=0.05)
    v[:50] = np.nan
    again = read_noise_distribution(v, 20, excluded, None, gain)
    assert again.median.nominal_value == clean.median.nominal_value


def test_the_map_takes_the_rounding_out():
    v = np.array([[256 / 12, 256 / 12 + 9.0]])
    assert read_noise_map(v, 16) == pytest.approx(np.array([[0.0, 3.0]]), abs=1e-3)
    assert read_noise_map(v, 16, 0.5) == pytest.approx(np.array([[0.0, 1.5]]), abs=1e-3)


def test_few_frames_and_empty_variances_are_refused():
    v = np.random.default_rng(6).chisquare(2, (50, 50))
    with pytest.raises(NotMeasurableError, match="3 bias frames: the spread of the pixels' read noise needs 4 or more"):
        read_noise_distribution(v, 3, None, None, number(1.0, 0.0))
    with pytest.raises(NotMeasurableError, match="take too few values"):
        read_noise_distribution(np.zeros((50, 50)), 8, None, None, number(1.0, 0.0))
