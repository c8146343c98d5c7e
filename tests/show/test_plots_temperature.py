"""Pictures of the dark current against temperature: what is drawn is what was measured."""

import numpy as np
import pytest

from workbench.measure.dark_laws import BOLTZMANN, ZERO_CELSIUS, DarkPoint, reading
from workbench.measure.hot_energy import energies
from workbench.measure.numbers import number
from workbench.measure.temperature import fit_temperature, tolerance
from workbench.results import Results
from workbench.show.plots_temperature import (
    law_at,
    plot_energies,
    plot_hot_growth,
    plot_temperature,
    plot_tolerance,
)

COLD = -20.0
ENERGY, HOT_ENERGY = 0.60, 0.55


def current(energy, celsius, height=0.005):
    inverse = 1 / (celsius + ZERO_CELSIUS) - 1 / (COLD + ZERO_CELSIUS)
    return height * np.exp(-energy / BOLTZMANN * inverse)


def points(temperatures, energy=ENERGY, constant=0.0):
    return [
        DarkPoint(reading(one, resolution=0.1), number(value, 0.003 * value), 6)
        for one, value in ((one, current(energy, one) + constant) for one in temperatures)
    ]


def survey(temperatures, group="g1", energy=ENERGY):
    """Write down what a survey of such darks records."""
    made = Results(dataset={"name": "darks"})
    darks = points(temperatures, energy)
    fit = fit_temperature(darks, glow_free=True) if len(darks) > 1 else None
    rows = []
    for one in darks:
        row = {
            "group": group,
            "temperature_error": one.temperature.std_dev,
            "dark_current": one.dark_current.nominal_value,
            "std_error": one.dark_current.std_dev,
        }
        rows.append(({} if fit is None else tolerance(fit, one.degrees).row()) | row | {"temperature": one.degrees})
    made.tables["temperature"] = rows
    if fit is not None:
        made.fits["temperature"] = fit.records(group=group)
        made.measurements = [
            type(one)(**vars(one) | {"conditions": {"group": group, **one.conditions}}) for one in fit.measurements()
        ]
    if len(darks) > 2:
        compared = energies(darks, points(temperatures, HOT_ENERGY), reference=COLD)
        made.fits["energies"] = [compared.record(group=group)]
    return made


THREE = (-20.0, -15.0, -10.0)


def lines(axes):
    return {line.get_label().split(",")[0]: line for line in axes.lines}


def test_points_stand_at_their_temperatures_and_rise_to_the_right():
    results = survey(THREE)
    upper = plot_temperature(results).axes[0]
    drawn = next(one for one in upper.containers if one.get_label() == "glow-free darks")
    x, y = drawn.lines[0].get_data()
    assert x == pytest.approx([1 / (BOLTZMANN * (one + ZERO_CELSIUS)) for one in THREE])
    assert y == pytest.approx(current(ENERGY, np.array(THREE)))
    assert upper.xaxis_inverted()
    assert upper.get_yscale() == "log"


def test_every_law_is_drawn_as_it_was_fitted():
    results = survey(THREE)
    fit = fit_temperature(points(THREE), glow_free=True)
    drawn = lines(plot_temperature(results).axes[0])
    for name, law in (("doubling", "doubling"), ("Arrhenius", "arrhenius"), ("band gap", "band_gap")):
        x, y = drawn[name].get_data()
        celsius = 1 / (BOLTZMANN * x) - ZERO_CELSIUS
        expected = [fit.law(law).predict(one).nominal_value for one in celsius]
        assert y == pytest.approx(expected, rel=1e-9)


def test_a_constant_is_part_of_its_law():
    darks = points((-20.0, -15.0, -10.0, -5.0, 0.0), constant=0.001)
    fit = fit_temperature(darks, glow_free=False)
    record = next(one for one in fit.records() if one["model"] == "arrhenius_constant")
    assert law_at(record, np.array([-12.0]))[0] == pytest.approx(current(ENERGY, -12.0) + 0.001, rel=1e-6)


def test_the_legend_names_the_energy_with_its_error_and_the_evidence():
    results = survey(THREE)
    law = next(one for one in results.fits["temperature"] if one["model"] == "arrhenius")
    labels = [line.get_label() for line in plot_temperature(results).axes[0].lines]
    (label,) = (one for one in labels if one.startswith("Arrhenius"))
    assert label.startswith("Arrhenius, E = 0.600")
    assert label.endswith(f"(evidence {100 * law['weight']:.0f} %)")


def test_the_lower_panel_holds_the_error_of_the_thermometer():
    results = survey(THREE)
    lower = plot_temperature(results).axes[1]
    (bars,) = lower.containers
    half = [float(np.ptp(segment[:, 1])) / 2 for segment in bars.lines[2][0].get_segments()]
    per_kelvin = [row["per_kelvin"] for row in results.tables["temperature"]]
    expected = [100 * np.hypot(0.003, 0.1 / 12**0.5 * share) for share in per_kelvin]
    assert half == pytest.approx(expected, rel=0.01)
    assert bars.lines[0].get_ydata() == pytest.approx([0.0] * 3, abs=0.1)


def test_a_law_with_evidence_stays_in_the_lower_panel():
    lower = plot_temperature(survey((-20.0, -10.0, 0.0, 10.0))).axes[1]
    low, high = lower.get_ylim()
    bars = lower.containers[0].lines[2][0].get_segments()
    assert low == -high
    assert max(np.abs(segment[:, 1]).max() for segment in bars) < high


def test_two_temperatures_have_points_and_no_law():
    (axes,) = plot_temperature(survey((-20.0, -10.0))).axes
    (drawn,) = axes.lines
    assert drawn.get_ydata() == pytest.approx(current(ENERGY, np.array([-20.0, -10.0])))


def test_one_temperature_is_no_picture():
    assert plot_temperature(survey((-20.0,))) is None
    assert plot_tolerance(survey((-20.0,))) is None
    assert plot_energies(survey((-20.0, -10.0))) is None


def test_nothing_is_drawn_of_nothing():
    empty = Results(dataset={"name": "empty"})
    assert [plot(empty) for plot in (plot_temperature, plot_tolerance, plot_energies)] == [None] * 3


def test_the_group_that_is_named_is_drawn():
    both, other = survey(THREE), survey(THREE, "g2", energy=0.7)
    both.tables["temperature"] += other.tables["temperature"]
    both.measurements += other.measurements
    for name in ("temperature", "energies"):
        both.fits[name] += other.fits[name]
    assert any("0.700" in line.get_label() for line in plot_temperature(both, "g2").axes[0].lines)
    assert any("0.600" in line.get_label() for line in plot_temperature(both).axes[0].lines)
    doubling = lines(plot_tolerance(both, "g2").axes[0])["k T² ln 2 / E"].get_ydata()
    assert doubling == pytest.approx(0.6 / 0.7 * lines(plot_tolerance(both).axes[0])["k T² ln 2 / E"].get_ydata())
    assert any("0.700" in line.get_label() for line in plot_energies(both, "g2").axes[0].lines)


def test_the_doubling_temperature_grows_as_the_square():
    left = plot_tolerance(survey(THREE)).axes[0]
    celsius, doubling = lines(left)["k T² ln 2 / E"].get_data()
    assert doubling == pytest.approx(BOLTZMANN * (celsius + ZERO_CELSIUS) ** 2 * np.log(2) / ENERGY, rel=1e-6)
    assert celsius.min() < -20 < -10 < celsius.max()


def test_the_matching_distance_changes_the_dark_current_by_its_share():
    right = plot_tolerance(survey(THREE)).axes[1]
    by_share = {line.get_label().removeprefix("changes the dark current by "): line for line in right.lines}
    for label, share in (("5 %", 0.05), ("1 %", 0.01)):
        celsius, match = by_share[label].get_data()
        doubling = BOLTZMANN * (celsius + ZERO_CELSIUS) ** 2 * np.log(2) / ENERGY
        assert 2 ** (match / doubling) - 1 == pytest.approx(np.full(len(match), share), rel=1e-6)


def test_unscaled_darks_leave_what_the_energies_say():
    left = plot_energies(survey(THREE)).axes[0]
    for kind, energy in (("normal pixels", ENERGY), ("hot pixels", HOT_ENERGY)):
        mismatch, share = lines(left)[kind].get_data()
        expected = 100 * (1 - current(energy, COLD + mismatch) / current(energy, COLD))
        assert share == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_scaling_for_normal_pixels_leaves_the_hot_ones_wrong():
    right = plot_energies(survey(THREE)).axes[1]
    mismatch, share = lines(right)["hot pixels"].get_data()
    factor = current(ENERGY, COLD) / current(ENERGY, COLD + mismatch)
    expected = 100 * (1 - factor * current(HOT_ENERGY, COLD + mismatch) / current(HOT_ENERGY, COLD))
    assert share == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert np.all(share[mismatch > 0] > 0)
    assert np.all(lines(right)["normal pixels"].get_ydata() == 0)


def test_hot_pixels_are_drawn_with_their_growth_and_unseen_ones_are_not():
    cold, warm = np.array([100.0, 400.0, -3.0]), np.array([260.0, 1100.0, 20.0])
    (axes,) = plot_hot_growth(cold, warm, (2.84, 0.01), (2.61, 0.02)).axes
    drawn = lines(axes)
    assert drawn["a hot pixel"].get_xdata() == pytest.approx([100, 400])
    assert drawn["a hot pixel"].get_ydata() == pytest.approx([2.6, 2.75])
    assert drawn["growth of normal pixels: 2.840 ± 0.010"].get_ydata() == pytest.approx([2.84] * 2)
    assert drawn["growth of hot pixels: 2.610 ± 0.020"].get_ydata() == pytest.approx([2.61] * 2)
