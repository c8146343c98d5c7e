"""Every dark current method against a simulated truth; the popular one shown failing where it must."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import NotMeasurableError
from workbench.measure.dark_current import convergence, mean_difference, variance_rates, variance_slope
from workbench.measure.numbers import number
from workbench.stack.variance import Estimate, difference_moments, levels

GAIN, READ_NOISE, EXPOSURE = 0.25, 2.0, 600.0
METHODS = ("pair", "composite", "mean_of_pairs", "temporal_variance")
SHAPE = (50, 50)


def frames_of(rng, n_frames, electrons, clamp=0.0, hits=0):
    lam = np.broadcast_to(electrons, SHAPE)
    frames = rng.poisson(lam, (n_frames, *SHAPE)) + rng.normal(0, READ_NOISE, (n_frames, *SHAPE))
    for _ in range(hits):
        frames[tuple(rng.integers(0, side) for side in frames.shape)] += 2700
    return xr.DataArray(1600 + (frames - clamp) / GAIN, dims=("frame", "y", "x"))


def moments_of(stack):
    return difference_moments(stack, levels(stack).frame_means)


def spotted_current(rng):
    """A dark current with a hot tail [electron/s]."""
    return rng.lognormal(np.log(0.004), 0.5, SHAPE) + np.where(rng.random(SHAPE) < 0.01, 0.2, 0.0)


@pytest.mark.parametrize("n_frames", [2, 7, 14])
def test_variance_methods_find_the_truth_with_honest_errors(n_frames):
    rng = np.random.default_rng(1)
    current = spotted_current(rng)
    trials = 150
    gain = number(GAIN, 0.0)
    pulls = {method: [] for method in (METHODS if n_frames > 2 else ("pair", "temporal_variance"))}
    for _ in range(trials):
        bias = moments_of(frames_of(rng, 20, 0.0)).temporal
        for rate in variance_rates(moments_of(frames_of(rng, n_frames, current * EXPOSURE)), bias, EXPOSURE, gain):
            found = rate.in_electrons(gain)
            pulls[rate.method].append((found.nominal_value - current.mean()) / found.std_dev)
    for method, values in pulls.items():
        assert abs(np.mean(values)) < 4.5 / trials**0.5, method
        assert np.std(values) == pytest.approx(1, abs=4.5 / (2 * trials) ** 0.5), method


def test_a_clamp_hides_the_dark_current_from_the_mean_only():
    rng = np.random.default_rng(2)
    bias = moments_of(frames_of(rng, 20, 0.0))
    darks = moments_of(frames_of(rng, 14, 3.0, clamp=5.0))
    by_mean = mean_difference(darks.frame_means, bias.frame_means, 0.1, EXPOSURE, clamped=True)
    assert by_mean.value < 0
    assert by_mean.notes[0].startswith("meaningless as a dark current")
    by_noise = {rate.method: rate for rate in variance_rates(darks, bias.temporal, EXPOSURE)}["temporal_variance"]
    assert by_noise.value * GAIN**2 == pytest.approx(0.005, abs=4 * by_noise.std_error * GAIN**2)


@pytest.mark.parametrize("gain", [0.05, 0.25, 1.0, 5.0])
def test_the_gain_does_not_move_the_dark_current(gain):
    rng = np.random.default_rng(3)
    electrons = rng.poisson(3.0, (14, *SHAPE)) + rng.normal(0, 2, (14, *SHAPE))
    zeros = rng.normal(0, 2, (20, *SHAPE))
    stacks = [xr.DataArray(1000 + one / gain, dims=("frame", "y", "x")) for one in (electrons, zeros)]
    darks, bias = (moments_of(stack) for stack in stacks)
    rates = variance_rates(darks, bias.temporal, EXPOSURE, number(gain, 0.0))
    found = {rate.method: rate.in_electrons(number(gain, 0.0)) for rate in rates}
    assert found["temporal_variance"].nominal_value == pytest.approx(0.005, abs=4 * found["temporal_variance"].std_dev)
    assert found["pair"].nominal_value == pytest.approx(0.005, abs=4 * found["pair"].std_dev)


def test_adu_and_electrons_agree_and_the_gain_enters_once():
    rng = np.random.default_rng(4)
    bias = moments_of(frames_of(rng, 20, 0.0)).temporal
    gain = number(GAIN, 0.01)
    for rate in variance_rates(moments_of(frames_of(rng, 14, 3.0)), bias, EXPOSURE, gain):
        in_adu, in_electrons = rate.measurements(gain)
        assert (in_adu.name, in_adu.unit) == ("dark_variance_rate", "adu2 / s")
        assert (in_electrons.name, in_electrons.unit) == ("dark_current", "electron / s")
        assert in_electrons.value == pytest.approx(in_adu.value * GAIN**2)
        both = np.hypot(in_adu.std_error * GAIN**2, in_adu.value * 2 * GAIN * 0.01)
        assert in_electrons.std_error == pytest.approx(both)
    assert [one.name for one in rate.measurements(None)] == ["dark_variance_rate"]


def test_a_composite_of_many_frames_is_no_more_precise_than_a_pair():
    rng = np.random.default_rng(5)
    moments = moments_of(frames_of(rng, 14, 3.0))
    pair, composite = moments.composites[2], moments.composites[14]
    assert composite.std_error == pytest.approx(pair.std_error, rel=0.1)
    assert moments.temporal.std_error < 0.35 * composite.std_error


def test_hits_raise_the_pair_and_are_seen_between_pairs():
    rng = np.random.default_rng(6)
    bias = moments_of(frames_of(rng, 20, 0.0)).temporal
    clean = frames_of(rng, 14, 3.0)
    hit = clean.copy(deep=True)
    hit.values[0, 10, 10] += 2700 / GAIN
    quiet = {rate.method: rate for rate in variance_rates(moments_of(clean), bias, EXPOSURE)}
    struck = {rate.method: rate for rate in variance_rates(moments_of(hit), bias, EXPOSURE)}
    rise = (struck["pair"].value - quiet["pair"].value) * GAIN**2
    assert rise == pytest.approx(2700**2 / 2 / 2500 / EXPOSURE, rel=0.02)
    assert len(quiet["pair"].notes) == 1
    assert "scatter more than their noise allows" in struck["pair"].notes[1]
    assert struck["pair"].std_error > 10 * quiet["pair"].std_error


def test_convergence_has_a_row_for_every_even_number():
    rng = np.random.default_rng(7)
    bias = moments_of(frames_of(rng, 20, 0.0)).temporal
    table = convergence(moments_of(frames_of(rng, 9, 3.0)), bias, EXPOSURE, number(GAIN, 0.0))
    assert list(table) == [2, 4, 6, 8]
    for rate in table.values():
        assert rate.value * GAIN**2 == pytest.approx(0.005, abs=4 * rate.std_error * GAIN**2)


def test_the_slope_needs_no_bias_and_states_its_misfit():
    t = np.array([10.0, 100.0, 300.0, 600.0])
    straight = [Estimate(64 + 0.08 * x, 0.5) for x in t]
    found = variance_slope(t, straight, 24)
    assert found.rate.value == pytest.approx(0.08)
    assert found.weighted.coefficients[0] == pytest.approx(64)
    assert found.rate.notes[1].startswith("chi2/dof")
    bent = [Estimate(64 + 0.08 * x + 2e-4 * x**2, 0.5) for x in t]
    misfit = variance_slope(t, bent, 24)
    assert "the line does not fit" in misfit.rate.notes[1]
    assert misfit.rate.std_error == pytest.approx(
        misfit.weighted.std_errors[1] * (misfit.weighted.chi2 / misfit.weighted.dof) ** 0.5
    )
    two = variance_slope(t[:2], straight[:2], 12)
    assert two.rate.value == pytest.approx(0.08)
    assert "two exposures" in two.rate.notes[1]
    with pytest.raises(NotMeasurableError, match="no two exposures with two darks or more"):
        variance_slope(t[:1], straight[:1], 6)


def test_one_dark_and_no_bias_say_what_to_shoot():
    one = moments_of(frames_of(np.random.default_rng(8), 1, 3.0))
    with pytest.raises(NotMeasurableError, match="needs a pair"):
        variance_rates(one, Estimate(64.0, 0.1), EXPOSURE)
    with pytest.raises(NotMeasurableError, match="no bias frames"):
        mean_difference(one.frame_means, [], 0.1, EXPOSURE, clamped=False)
