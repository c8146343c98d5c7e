"""The fit of the dark mean: recovers an injected curve, chooses the model, sees drift, and words its verdict."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.dark_mean import exposure_means, fit_dark_mean
from workbench.measure.verdicts import dark_below_bias

EXPOSURES = np.repeat([10, 30, 60, 120, 180, 300, 420, 600.0], [6] * 7 + [14])
DRIFT = 1.5


def means_of(rng, curvature=-20 / 600**2, slope=0.0, sigma=DRIFT):
    return 1600 + slope * EXPOSURES + curvature * EXPOSURES**2 + rng.normal(0, sigma, EXPOSURES.size)


def shuffled_dates(rng):
    start = np.datetime64("2026-01-01T20:00:00", "ns")
    return start + rng.permutation(EXPOSURES.size) * np.timedelta64(700, "s")


def test_curvature_is_recovered_with_its_error():
    rng = np.random.default_rng(1)
    trials = 300
    fits = [fit_dark_mean(EXPOSURES, means_of(rng)) for _ in range(trials)]
    assert {fit.model for fit in fits} == {"quadratic"}
    pulls = [(fit.line.coefficients[2] + 20 / 600**2) / fit.line.std_errors[2] for fit in fits]
    assert abs(np.mean(pulls)) < 4 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4 / (2 * trials) ** 0.5)


def test_no_curve_is_rarely_called_quadratic():
    rng = np.random.default_rng(2)
    models = [fit_dark_mean(EXPOSURES, means_of(rng, curvature=0.0)).model for _ in range(200)]
    assert models.count("constant") > 0.7 * len(models)
    assert models.count("quadratic") < 0.15 * len(models)


def test_drop_and_onset_follow_the_curve():
    fit = fit_dark_mean(EXPOSURES, means_of(np.random.default_rng(3)))
    _, b, c = fit.line.coefficients
    peak = max(10.0, -b / (2 * c))
    assert fit.drop == pytest.approx(-(b * (600 - peak) + c * (600**2 - peak**2)), abs=0.01)
    assert fit.drop == pytest.approx(20, abs=4 * fit.drop_error)
    assert 100 < fit.onset < 250


def test_a_rising_mean_has_neither_drop_nor_onset():
    rng = np.random.default_rng(4)
    fit = fit_dark_mean(EXPOSURES, means_of(rng, curvature=0.0, slope=0.1))
    assert fit.model == "linear"
    assert fit.drop == pytest.approx(0, abs=1e-9)
    assert fit.onset is None


def test_few_exposures_allow_fewer_models():
    rng = np.random.default_rng(5)
    few = EXPOSURES <= 60
    fit = fit_dark_mean(EXPOSURES[few], means_of(rng)[few])
    assert fit.aicc["quadratic"] is None
    assert "no quadratic can be tested" in fit.notes[0]
    with pytest.raises(NotMeasurableError, match="one exposure only"):
        fit_dark_mean([10, 10, 10], [1, 2, 3])
    with pytest.raises(NotMeasurableError, match="frame-to-frame error is unknown"):
        fit_dark_mean([10, 20, 30], [1, 2, 3])


@pytest.mark.parametrize("n_frames", [2, 3, 8])
def test_two_errors_of_a_mean_hold_95_percent_however_few_frames_tell_them(n_frames):
    rng = np.random.default_rng(16)
    exposures = np.repeat([10.0, 60.0], n_frames)
    tables = [exposure_means(exposures, rng.normal(1600, DRIFT, exposures.size)) for _ in range(4000)]
    inside = np.mean([np.abs(one.mean - 1600) < 1.96 * one.std_error for one in tables])
    assert inside == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 8000) ** 0.5 * 2**0.5)  # two means share one sigma


def test_four_exposures_of_one_level_are_called_constant():
    rng = np.random.default_rng(13)
    four = np.repeat([10.0, 60.0, 300.0, 600.0], 6)
    models = [fit_dark_mean(four, 1600 + rng.normal(0, DRIFT, four.size)).model for _ in range(100)]
    assert models.count("constant") > 90
    steep = [fit_dark_mean(four, 1600 + 0.1 * four + rng.normal(0, DRIFT, four.size)).model for _ in range(20)]
    assert steep.count("linear") > 15


def test_dates_of_whole_seconds_are_tested_for_drift_and_missing_ones_are_named():
    rng = np.random.default_rng(14)
    dates = shuffled_dates(rng)
    dates[1] = dates[0]
    assert fit_dark_mean(EXPOSURES, means_of(rng), dates).drift_p is not None
    dates[2] = np.datetime64("NaT")
    fit = fit_dark_mean(EXPOSURES, means_of(rng), dates)
    assert fit.drift_p is None
    assert any("drift along time was not tested" in note for note in fit.notes)


def test_scatter_between_exposures_enters_the_error():
    rng = np.random.default_rng(6)
    jump = dict(zip(np.unique(EXPOSURES), rng.normal(0, 10, 8), strict=True))
    jumping = means_of(rng) + np.array([jump[t] for t in EXPOSURES])
    steady, jumpy = fit_dark_mean(EXPOSURES, means_of(rng)), fit_dark_mean(EXPOSURES, jumping)
    assert steady.between == 0
    assert jumpy.between > 3
    assert jumpy.line.std_errors[0] > 2 * steady.line.std_errors[0]
    assert any("scatter by" in note for note in jumpy.notes)


def test_correlated_drift_is_named_and_white_noise_is_not():
    rng = np.random.default_rng(7)
    dates = shuffled_dates(rng)
    white = [fit_dark_mean(EXPOSURES, means_of(rng), dates).drift_p for _ in range(100)]
    assert np.mean(np.array(white) < 0.01) < 0.06
    walk = np.cumsum(rng.normal(0, DRIFT, EXPOSURES.size))
    drifting = 1600 + walk[np.argsort(np.argsort(dates))]
    fit = fit_dark_mean(EXPOSURES, drifting, dates)
    assert fit.drift_p < 0.01
    assert any("shuffled order" in note for note in fit.notes)


def test_exposures_taken_in_order_are_named():
    rng = np.random.default_rng(8)
    dates = np.datetime64("2026-01-01", "ns") + np.arange(EXPOSURES.size) * np.timedelta64(1, "h")
    assert any("taken in order" in note for note in fit_dark_mean(EXPOSURES, means_of(rng), dates).notes)


def test_the_record_is_complete():
    record = fit_dark_mean(EXPOSURES, means_of(np.random.default_rng(9))).record(group="g1", temperature=-20.0)
    assert set(record["coefficients"]) == {"a", "b", "c"} == set(record["std_errors"])
    assert np.sqrt(np.diag(record["covariance"])) == pytest.approx(list(record["std_errors"].values()))
    assert record["dof"] == 5
    assert record["uses_bias"] is False


def test_darks_below_the_bias_are_called_so():
    rng = np.random.default_rng(10)
    table = exposure_means(EXPOSURES, means_of(rng))
    verdict = dark_below_bias(table, rng.normal(1600, DRIFT, 20).tolist())
    assert verdict.value is True
    assert "below the bias" in verdict.reason
    assert "its noise does" in verdict.reason
    assert dark_below_bias(table, rng.normal(1650, DRIFT, 20).tolist()).details["n_below"] == 8


def test_a_rising_camera_is_not_below():
    rng = np.random.default_rng(11)
    table = exposure_means(EXPOSURES, means_of(rng, curvature=0.0, slope=0.1))
    assert dark_below_bias(table, rng.normal(1600, DRIFT, 20).tolist()).value is False


def test_equal_levels_are_rarely_called_different():
    rng = np.random.default_rng(15)
    verdicts = []
    for _ in range(400):
        table = exposure_means(EXPOSURES, means_of(rng, curvature=0.0))
        verdicts.append(dark_below_bias(table, rng.normal(1600, DRIFT, 20).tolist()).value)
    assert sum(value is not None for value in verdicts) <= 400 * 0.01 + 3 * (400 * 0.01) ** 0.5


def test_no_difference_and_no_bias_are_no_verdict():
    rng = np.random.default_rng(12)
    table = exposure_means(EXPOSURES, means_of(rng, curvature=0.0))
    assert dark_below_bias(table, rng.normal(1600, DRIFT, 20).tolist()).value is None
    assert "no bias frames" in dark_below_bias(table, []).reason
