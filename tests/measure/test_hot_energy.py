"""Hot and normal pixels by their patterns: energies without bias, whatever clamp and glow do."""

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import DarkPoint, reading
from workbench.measure.hot_energy import PatternMap, energies, hot_and_normal_rates
from workbench.measure.numbers import number

EXPOSURE, TEMPERATURES, WARM = 300.0, (-20.0, -12.0, -4.0), -4.0
SENSOR = Sensor(
    "small",
    (80, 80),
    3.8,
    16,
    0.05,
    bias_level=2000.0,
    clamp_share=1.0,
    drift=2.0,
    read_noise=1.7,
    dark_current=0.02,
    dark_spread=0.3,
    dark_energy=0.60,
    hot_fraction=0.01,
    hot_current=0.3,
    hot_spread=0.5,
    hot_energy=0.55,
    glow_quadratic=1e-5,
    glow_reach=0.5,
    glow_shielded=3.0,
)


def frames_of(camera, kind, celsius, n, rng):
    exposure = EXPOSURE if kind == "dark" else 0.0
    return np.stack([camera.expose(kind, exposure, celsius, rng) for _ in range(n)]).astype(float)


def rates_of(seed, *, shared=False):
    camera, rng = Camera(SENSOR, seed), np.random.default_rng([seed, 21])
    first, second = (frames_of(camera, "bias", WARM, 5, rng) for _ in range(2))
    darks = {celsius: frames_of(camera, "dark", celsius, 4, rng) for celsius in TEMPERATURES}
    chosen = darks[WARM] if shared else frames_of(camera, "dark", WARM, 4, rng)
    maps = [
        PatternMap(reading(t), EXPOSURE, d.mean(axis=0) - second.mean(axis=0), d.var(axis=0, ddof=1) / 4, 4)
        for t, d in darks.items()
    ]
    selection = chosen.mean(axis=0) - (second if shared else first).mean(axis=0)
    return hot_and_normal_rates(selection, maps, bias_variance=float(second.var(axis=0, ddof=1).mean()) / 5)


@pytest.fixture(scope="module")
def compared():
    found = []
    for seed in range(40):
        rates = rates_of(seed)
        found.append(energies(rates.normal, rates.hot))
    return found


def test_hot_and_normal_pixels_show_their_own_energies(compared):
    n = len(compared)
    for truth, which in ((0.60, "normal"), (0.55, "hot")):
        found = [getattr(one, which).activation_energy for one in compared]
        pulls = np.array([(one.nominal_value - truth) / one.std_dev for one in found])
        assert abs(pulls.mean()) < 3.5 / n**0.5, which
        assert pulls.std() == pytest.approx(1, abs=3.5 / (2 * n) ** 0.5), which


def test_their_difference_is_significant_and_has_an_honest_error(compared):
    n = len(compared)
    pulls = np.array([(one.difference.nominal_value - 0.05) / one.difference.std_dev for one in compared])
    assert abs(pulls.mean()) < 3.5 / n**0.5
    assert pulls.std() == pytest.approx(1, abs=3.5 / (2 * n) ** 0.5)
    assert np.median([one.significance for one in compared]) > 5
    assert np.median([one.p for one in compared]) < 1e-6
    normal, hot, both = str(compared[0]).replace(": ", ", ").split(", ")
    assert normal.startswith("normal pixels 0.")
    assert hot.startswith("hot pixels 0.5")
    assert both.startswith("they differ by 0.0")
    assert both.endswith("standard errors)")


def test_selecting_and_measuring_on_the_same_frames_finds_too_much():
    honest, shared = (
        np.mean([rates_of(seed, shared=same).normal[-1].dark_current.nominal_value for seed in range(4)])
        for same in (False, True)
    )
    assert shared > 1.02 * honest


def test_the_gain_and_errors_that_both_share_cancel_in_the_difference():
    offset = number(0.0, 1.0)
    gain = number(1.0, 0.1)

    def points(energy):
        grown = np.exp(-energy / 8.617333e-5 * (1 / (np.array(TEMPERATURES) + 273.15) - 1 / 253.15))
        return [DarkPoint(reading(t), number(v, 1e-4 * v) * gain, 4) for t, v in zip(TEMPERATURES, grown, strict=True)]

    sure = energies(points(0.60), points(0.55))
    doubtful = energies(points(0.60), points(0.55), offset=offset)
    assert doubtful.normal.activation_energy.std_dev > 10 * sure.normal.activation_energy.std_dev
    left = np.hypot(sure.difference.std_dev, 0.05 * 2 * 1.0 / 258)  # energies go with the square of the temperature
    assert doubtful.difference.std_dev == pytest.approx(left, rel=0.05)
    assert sure.difference.nominal_value == pytest.approx(0.05, abs=1e-5)
    with pytest.raises(NotMeasurableError, match="two temperatures tell no energies to compare; shoot a third"):
        energies(points(0.60)[:2], points(0.55)[:2])


def test_too_few_hot_pixels_are_not_measured():
    rng = np.random.default_rng(1)
    quiet = rng.normal(0, 1, (40, 40))
    dark = PatternMap(reading(WARM), EXPOSURE, quiet, np.ones((40, 40)), 4)
    with pytest.raises(NotMeasurableError, match="0 hot pixels stand out of the noise; shoot longer or warmer darks"):
        hot_and_normal_rates(rng.normal(0, 1, (40, 40)), [dark], bias_variance=0.1)


def test_excluded_pixels_do_not_count_and_nothing_is_changed():
    rng = np.random.default_rng(2)
    selection = rng.normal(0, 1, (60, 60))
    selection[::4, ::4] += 100
    before = selection.copy()
    excluded = np.zeros(selection.shape, dtype=bool)
    excluded[30:] = True
    dark = PatternMap(reading(WARM), EXPOSURE, selection, np.ones(selection.shape), 4)
    found = hot_and_normal_rates(selection, [dark], bias_variance=0.1, gain=number(2.0, 0.0), excluded=excluded)
    assert found.n_hot == 8 * 15
    assert found.hot[0].dark_current.nominal_value == pytest.approx(100 * 2 / EXPOSURE, rel=0.01)
    assert (selection == before).all()
