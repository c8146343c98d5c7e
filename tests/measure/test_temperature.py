"""Energies and doubling temperatures against known truth, with the errors that are stated."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import BOLTZMANN, ZERO_CELSIUS, DarkPoint, reading
from workbench.measure.numbers import number
from workbench.measure.temperature import fit_temperature, tolerance

ENERGY, COLD = 0.60, -20.0
FIVE = (-25.0, -20.0, -15.0, -10.0, -5.0)


def thermal(celsius, energy=ENERGY, at_cold=0.005):
    inverse = 1 / (np.asarray(celsius) + ZERO_CELSIUS) - 1 / (COLD + ZERO_CELSIUS)
    return at_cold * np.exp(-energy / BOLTZMANN * inverse)


def doubling(energy, celsius):
    return BOLTZMANN * (celsius + ZERO_CELSIUS) ** 2 * np.log(2) / energy


def points_of(rng, temperatures, *, energy=ENERGY, error=0.01, constant=0.0, gain_error=0.1, bias_error=3e-5):
    """Draw dark currents whose gain and bias variance are wrong for all temperatures alike."""
    truth = thermal(temperatures, energy) + constant
    errors = error * np.hypot(truth, 0.005)
    wrong_gain = 1 + gain_error * rng.standard_normal()
    values = (truth + rng.normal(0, errors) + bias_error * rng.standard_normal()) * wrong_gain
    gain, bias = number(1.0, gain_error), number(0.0, bias_error)
    return [
        DarkPoint(reading(celsius), (number(value, spread) + bias) * gain, n_frames=6)
        for celsius, value, spread in zip(temperatures, values, errors * wrong_gain, strict=True)
    ]


def check(pulls):
    pulls = np.array(pulls)
    n = len(pulls)
    assert abs(pulls.mean()) < 3 / n**0.5
    assert pulls.std() == pytest.approx(1, abs=3 / (2 * n) ** 0.5)
    assert (abs(pulls) < 1).mean() == pytest.approx(0.683, abs=3 * (0.683 * 0.317 / n) ** 0.5)
    assert (abs(pulls) < 1.96).mean() == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / n) ** 0.5)


@pytest.mark.parametrize(
    ("temperatures", "constant", "glow_free", "method"),
    [
        ((-20.0, -15.0, -10.0), 0.0, True, "arrhenius"),
        (FIVE, 3e-4, False, "arrhenius_constant"),
        ((-20.0, -10.0), 0.0, True, "two_point"),
    ],
    ids=["three glow-free temperatures", "a constant for the glow", "two temperatures"],
)
def test_stated_errors_are_the_scatter_around_the_truth(temperatures, constant, glow_free, method):
    rng = np.random.default_rng(11)
    energies, doublings = [], []
    for _ in range(100):
        fit = fit_temperature(points_of(rng, temperatures, constant=constant), glow_free=glow_free)
        assert fit.method == method
        warming = fit.doubling_temperature
        doublings.append((warming.nominal_value - doubling(ENERGY, fit.temperature)) / warming.std_dev)
        if fit.activation_energy is not None:
            energies.append((fit.activation_energy.nominal_value - ENERGY) / fit.activation_energy.std_dev)
    check(doublings)
    if energies:
        check(energies)


def test_small_simulated_cameras_show_the_energy_in_their_noise():
    rng = np.random.default_rng(12)
    sensor = Sensor("small", (40, 40), 3.8, 14, 0.25, bias_level=4000.0, clamp_share=1.0, drift=3.0)
    sensor = replace(sensor, read_noise=1.7, dark_current=0.02, dark_spread=0.3, dark_energy=0.62)
    pulls = []
    for seed in range(70):
        camera = Camera(sensor, seed)
        bias = noise_of(camera, "bias", 0.0, COLD, 8, rng)
        gain = number(camera.gain * (1 + 0.01 * rng.standard_normal()), 0.01 * camera.gain)
        points = []
        for celsius in (-20.0, -15.0, -10.0):
            dark = noise_of(camera, "dark", 200.0, celsius, 6, rng)
            points.append(DarkPoint(reading(celsius), (dark - bias) / 200.0 * gain**2, 6))
        energy = fit_temperature(points, glow_free=True).activation_energy
        pulls.append((energy.nominal_value - 0.62) / energy.std_dev)
    check(pulls)


def noise_of(camera, kind, exposure, celsius, n, rng):
    """Mean over pixels of the temporal variance [adu2] with its error for these pixels."""
    frames = np.stack([camera.expose(kind, exposure, celsius, rng) for _ in range(n)]).astype(float)
    frames -= frames.mean(axis=(1, 2), keepdims=True)
    variance = frames.var(axis=0, ddof=1)
    gaussian = 2 * (variance**2).sum() / (n + 1) / variance.size**2
    shot = max(0.0, variance.mean() - (camera.read_noise / camera.gain) ** 2) / camera.gain**2
    return number(variance.mean(), (gaussian + shot * (n - 1) / (n * (n + 1)) / variance.size) ** 0.5)


def test_a_wrong_gain_changes_neither_energy_nor_doubling_temperature():
    exact = points_of(np.random.default_rng(3), FIVE, gain_error=0.0)
    gain = number(1.0, 0.2)
    doubted = [replace(point, dark_current=point.dark_current * gain) for point in exact]
    fits = [fit_temperature(points, glow_free=True) for points in (exact, doubted)]
    for name in ("activation_energy", "doubling_temperature"):
        known, doubtful = (getattr(fit, name) for fit in fits)
        assert doubtful.std_dev == pytest.approx(known.std_dev, rel=1e-4)
        assert doubtful.nominal_value == pytest.approx(known.nominal_value, rel=1e-6)
    for one, other in zip(*(fit.laws for fit in fits), strict=True):
        assert other.chi2 == pytest.approx(one.chi2)  # a common factor is no misfit
    amplitude = fits[1].law("arrhenius").coefficients["I_ref"]
    assert amplitude.std_dev / amplitude.nominal_value == pytest.approx(0.2, rel=0.05)


def test_a_gain_that_enters_nearly_in_proportion_pulls_no_amplitude_down():
    """The typical dark current is K^2 times a level and K times a pattern: its share of the gain's error varies."""
    exact = points_of(np.random.default_rng(3), FIVE, gain_error=0.0)
    gain, powers = number(1.0, 0.1), (2.00, 1.98, 1.97, 1.99, 2.01)
    doubted = [
        replace(point, dark_current=point.dark_current * gain**power)
        for point, power in zip(exact, powers, strict=True)
    ]
    known, doubtful = (fit_temperature(points, glow_free=True) for points in (exact, doubted))
    for one, other in zip(known.laws, doubtful.laws, strict=True):
        assert other.chi2 <= one.chi2
        ratio = other.coefficients["I_ref"].nominal_value / one.coefficients["I_ref"].nominal_value
        assert ratio == pytest.approx(1, abs=0.02)  # the gain's own error is 20 % of it


def test_adu_serve_as_well_as_electrons():
    points = points_of(np.random.default_rng(4), FIVE)
    in_adu = [replace(point, dark_current=point.dark_current / 0.03**2) for point in points]
    one, other = (fit_temperature(which, glow_free=True) for which in (points, in_adu))
    assert other.activation_energy.nominal_value == pytest.approx(one.activation_energy.nominal_value, rel=1e-6)
    assert other.doubling_temperature.std_dev == pytest.approx(one.doubling_temperature.std_dev, rel=1e-5)


def shipped_points(exposure, temperatures, *, glow):
    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(440, 582)).without("dark_telegraph")
    camera = Camera(sensor, 1)
    points = []
    for celsius in temperatures:
        rate = camera.dark_electrons(exposure, celsius).mean() / exposure if glow else camera.mean_thermal_rate(celsius)
        points.append(DarkPoint(reading(celsius), number(float(rate), 0.001 * float(rate)), 6))
    return points


def test_glow_left_in_lowers_the_energy_and_a_constant_repairs_it():
    """The shipped camera, 0.60 eV: at 400 s the glow is 7 % of the dark current at -20 deg C and 3 % at -10."""
    three, four = (-20.0, -15.0, -10.0), (-25.0, -20.0, -15.0, -10.0)
    left_in = fit_temperature(shipped_points(400.0, three, glow=True), glow_free=False)
    assert left_in.activation_energy.nominal_value == pytest.approx(0.574, abs=0.001)
    assert left_in.notes[0].startswith("glow is inside, which does not follow the law: the energy comes out too low")
    glow_free = fit_temperature(shipped_points(400.0, three, glow=False), glow_free=True)
    assert glow_free.activation_energy.nominal_value == pytest.approx(0.599, abs=0.001)  # its hot pixels have 0.55
    assert glow_free.notes == ()
    repaired = fit_temperature(shipped_points(400.0, four, glow=True), glow_free=False)
    assert repaired.activation_energy.nominal_value == pytest.approx(0.599, abs=0.001)
    assert repaired.law("arrhenius_constant").coefficients["constant"].nominal_value == pytest.approx(3.5e-4, rel=0.02)
    assert repaired.law("arrhenius").weight < 1e-3
    assert repaired.notes == ("with a constant beside the thermal part, for the glow that is inside",)


def test_a_law_that_does_not_fit_is_said_and_its_errors_are_widened():
    exact = [DarkPoint(reading(t), number(float(thermal(t)), 1e-5), 6) for t in FIVE]
    bent = [*exact[:2], replace(exact[2], dark_current=exact[2].dark_current * 1.05), *exact[3:]]
    plain, misfit = (fit_temperature(points, glow_free=True) for points in (exact, bent))
    found = misfit.law("arrhenius")
    assert found.p < 0.01
    assert found.stretch == pytest.approx((found.chi2 / found.dof) ** 0.5)
    assert misfit.activation_energy.std_dev > 5 * plain.activation_energy.std_dev
    assert misfit.notes[0].startswith("the law does not fit (chi2/dof ")
    assert plain.notes == ()


def test_the_laws_are_weighed_and_the_right_one_has_the_evidence():
    temperatures = np.arange(-30.0, 31.0, 10.0)
    gap = {
        "arrhenius": thermal(temperatures),
        "doubling": 0.005 * 2 ** ((temperatures - COLD) / 6.5),
        "band_gap": 0.005 * growth_of_the_band_gap(temperatures),
    }
    for name, values in gap.items():
        points = [DarkPoint(reading(t), number(v, 0.002 * v), 6) for t, v in zip(temperatures, values, strict=True)]
        fit = fit_temperature(points, glow_free=True)
        assert fit.chosen == name
        assert sum(one.weight for one in fit.laws) == pytest.approx(1)
        assert all(one.aicc is not None for one in fit.laws)


def growth_of_the_band_gap(celsius):
    """``T^1.5 exp(-Eg / 2kT)`` with Varshni's gap, written out once more."""

    def at(kelvin):
        gap = 1.1557 - 7.021e-4 * kelvin**2 / (kelvin + 1108)
        return kelvin**1.5 * np.exp(-gap / (2 * BOLTZMANN * kelvin))

    return at(celsius + ZERO_CELSIUS) / at(COLD + ZERO_CELSIUS)


def test_coefficients_come_with_their_covariance():
    fit = fit_temperature(points_of(np.random.default_rng(5), FIVE), glow_free=False, reference=COLD)
    for record in fit.records(group="g1"):
        names = {"doubling": ["I_ref", "T_d"], "arrhenius": ["I_ref", "E"], "band_gap": ["I_ref"]}
        assert list(record["coefficients"]) == names.get(record["model"], ["I_ref", "E", "constant"])
        errors = np.sqrt(np.diag(record["covariance"]))
        assert errors == pytest.approx(list(record["std_errors"].values()))
        assert record["dof"] == 5 - len(errors)
        assert (record["group"], record["temperature"]) == ("g1", COLD)
    assert [record["chosen"] for record in fit.records()].count(True) == 1
    at_cold = fit.law("arrhenius").predict(COLD)
    assert at_cold.nominal_value == pytest.approx(fit.law("arrhenius").coefficients["I_ref"].nominal_value)


def test_the_doubling_temperature_is_stated_where_most_frames_are():
    points = points_of(np.random.default_rng(6), FIVE)
    assert fit_temperature(points, glow_free=True).temperature == -25.0  # all alike: the coldest
    many = [replace(point, n_frames=56 if point.degrees == COLD else 6) for point in points]
    fit = fit_temperature(many, glow_free=True)
    assert fit.temperature == COLD
    warming, energy = fit.measurements()
    assert (warming.name, warming.unit, warming.conditions) == ("doubling_temperature", "K", {"temperature": COLD})
    assert (energy.name, energy.unit, energy.n_frames) == ("activation_energy", "eV", 80)
    at_ten = fit.doubling_at(-10.0)
    assert at_ten.nominal_value == pytest.approx(doubling(fit.activation_energy.nominal_value, -10.0))


def test_a_thermometer_that_is_off_moves_the_energy_but_not_the_doubling_temperature():
    points = points_of(np.random.default_rng(7), FIVE, error=1e-4, bias_error=1e-8)
    sure, doubtful = (fit_temperature(points, glow_free=True, offset=one) for one in (None, number(0.0, 2.0)))
    extra = (doubtful.activation_energy.std_dev**2 - sure.activation_energy.std_dev**2) ** 0.5
    assert extra / ENERGY == pytest.approx(2 * 2.0 / (COLD + ZERO_CELSIUS), rel=0.1)
    uncancelled = 2 * 2.0 / (COLD + ZERO_CELSIUS) * doubling(ENERGY, COLD)
    assert doubtful.doubling_temperature.std_dev < 0.06 * uncancelled


def test_rounded_readings_widen_the_error():
    rng = np.random.default_rng(8)
    pulls = []
    for _ in range(80):
        true = np.array(FIVE) + rng.uniform(-0.5, 0.5, len(FIVE))
        values = thermal(true) * (1 + 0.002 * rng.standard_normal(len(FIVE)))
        points = [
            DarkPoint(reading(celsius, resolution=1.0), number(float(value), 0.002 * float(value)), 6)
            for celsius, value in zip(FIVE, values, strict=True)
        ]
        energy = fit_temperature(points, glow_free=True).activation_energy
        pulls.append((energy.nominal_value - ENERGY) / energy.std_dev)
    check(pulls)


def test_what_temperatures_cannot_tell_says_what_to_shoot():
    points = points_of(np.random.default_rng(9), FIVE)
    with pytest.raises(NotMeasurableError, match=r"one temperature \(-25 deg C\); shoot the longest darks at two more"):
        fit_temperature(points[:1] * 2, glow_free=True)
    with pytest.raises(NotMeasurableError, match="no temperature is known"):
        fit_temperature([], glow_free=True)
    unseen = [replace(point, dark_current=number(0.001, 0.002)) for point in points]
    with pytest.raises(NotMeasurableError, match="the dark current is seen at 0 of 5 temperatures; shoot longer darks"):
        fit_temperature(unseen, glow_free=True)
    steady = [replace(point, dark_current=number(0.01, 0.001)) for point in points]
    with pytest.raises(NotMeasurableError, match="does not grow enough to tell how fast"):
        fit_temperature(steady, glow_free=True)
    two = fit_temperature(points[:2], glow_free=True)
    assert two.activation_energy is None
    assert two.notes[0].startswith("two temperatures: a two-point doubling only")
    assert two.temperature == pytest.approx(-22.51, abs=0.01)  # the geometric mean
    with pytest.raises(LookupError, match="arrhenius was not fitted"):
        two.law("arrhenius")


def test_points_need_errors_of_their_own():
    exact = [DarkPoint(reading(t), number(0.005, 1e-4) * 1.5**k, 6) for k, t in enumerate(FIVE)]
    twins = [replace(point, dark_current=exact[0].dark_current) for point in exact]
    with pytest.raises(ValueError, match="every dark current needs an error of its own"):
        fit_temperature(twins, glow_free=True)


def test_tolerances_follow_the_doubling_temperature():
    points = [DarkPoint(reading(t), number(float(thermal(t)), 1e-5), 6) for t in FIVE]
    fit = fit_temperature(points, glow_free=True)
    allowed = tolerance(fit, COLD)
    expected = doubling(ENERGY, COLD)
    assert allowed.per_kelvin.nominal_value == pytest.approx(2 ** (1 / expected) - 1, rel=1e-3)
    assert allowed.match[0.05].nominal_value == pytest.approx(expected * np.log2(1.05), rel=1e-3)
    relative = fit.activation_energy.std_dev / fit.activation_energy.nominal_value
    assert allowed.match[0.01].std_dev / allowed.match[0.01].nominal_value == pytest.approx(relative, rel=1e-3)
    assert str(allowed) == "at -20 deg C 1 K is 11 % of the dark current; match to 0.45 K for 5%, to 0.092 K for 1%"
    assert tolerance(fit, -10.0).match[0.05].nominal_value > allowed.match[0.05].nominal_value
    row = allowed.row()
    assert row["temperature"] == COLD
    assert row["match_5_percent"] == allowed.match[0.05].nominal_value
    assert row["per_kelvin_error"] == allowed.per_kelvin.std_dev
