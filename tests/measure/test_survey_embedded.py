"""The embedded camera: every number that the survey measures, against the truth of what it estimates."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from workbench.camera.sensor import Sensor
from workbench.camera.session import FrameSet, Plan, simulate
from workbench.camera.truth import scalar_truth
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.measure.glow import fit_power
from workbench.measure.lines import fit_line
from workbench.measure.survey import measure_camera
from workbench.schema import schema_faults

TEMPERATURE = -20.0
MASKED, RATIO = "temporal_variance_masked", "two_exposure_ratio"


class Truth:
    """What each measurement of the embedded camera estimates."""

    def __init__(self, frames, results, camera):
        self.frames, self.results, self.camera = frames, results, camera

    @cache  # noqa: B019 - one object for one test session
    def used(self, temperature):
        """Pixels that reach the ceiling in no dark of that temperature: the others have no noise to measure."""
        darks = self.frames[(self.frames["kind"] == "dark") & (self.frames["set_temperature"] == temperature)]
        return (load_stack(darks) < self.camera.saturation).all("frame").to_numpy()

    def electrons(self, exposure, temperature):
        """Mean electrons of the used pixels, thermal and glow."""
        return float(self.camera.dark_electrons(exposure, temperature)[self.used(temperature)].mean())

    def mean_rate(self, exposure, temperature):
        """What the mean of the darks tells, clamp and all [adu/s]."""
        electrons = self.electrons(exposure, temperature) - self.camera.clamp_electrons(exposure, temperature)
        return electrons / self.camera.gain / exposure

    def slope(self):
        """The weighted line through the true variances [adu2/s]."""
        table = self.results.table("variance")
        table = table[table["temperature"] == TEMPERATURE]
        true = [self.camera.variance(t, TEMPERATURE)[self.used(TEMPERATURE)].mean() for t in table["exposure"]]
        return float(fit_line(table["exposure"], true, table["std_error"], 1).coefficients[1])

    def rate(self, one):
        """What a dark current method estimates, in the unit of its mean or variance [adu/s, adu2/s]."""
        if one.method == "variance_slope":
            return self.slope()
        where = one.conditions["exposure"], one.conditions["temperature"]
        if one.method == "mean_difference":
            return self.mean_rate(*where)
        return self.electrons(*where) / where[0] / self.camera.gain**2

    def of(self, one):
        camera = self.camera
        if one.name in ("dark_mean_rate", "dark_variance_rate"):
            return self.rate(one)
        if one.name == "dark_current":
            return self.rate(one) * camera.gain ** (1 if one.method == "mean_difference" else 2)
        others = {
            "linearity_error": 0.0,
            "offset_drift": camera.sensor.drift,
            "dynamic_range": camera.full_well / camera.read_noise,
            "glow_exponent": self.glow_exponent(),
        }
        if one.name in others:
            return others[one.name]
        if one.conditions.get("pixels") == "hot":
            return camera.sensor.hot_energy
        return scalar_truth(camera, one.conditions.get("temperature", TEMPERATURE))[one.name]

    def glow_exponent(self):
        """The power law through the true glow, weighted as the measured one is."""
        fit = self.results.fits["glow"][0]
        t, errors = np.array(fit["exposures"]), np.array(fit["glow_errors"])
        glow = np.array([self.camera.glow_electrons(one)[0, -1] for one in t])
        scale = np.array(fit["glow"])[-1] / glow[-1]
        return fit_power(t, glow * scale, np.diag(errors**2)).exponent


@pytest.fixture(scope="session")
def truth(embedded):
    return Truth(*embedded)


def test_every_number_lies_near_the_truth_of_what_it_estimates(embedded, truth):
    _, results, _ = embedded
    # the ratio of variances estimates nothing, as its own tests show
    claimed = [one for one in results.measurements if one.method != RATIO]
    pulls = np.array([one.pull(truth.of(one)) for one in claimed])
    far = [
        f"{one.name} {one.method} {dict(one.conditions)}: {one}, true {truth.of(one):.6g}"
        for one, pull in zip(claimed, pulls, strict=True)
        if abs(pull) > 4
    ]
    assert far == []
    assert (np.abs(pulls) > 2).mean() <= 1 / 20
    assert np.abs(pulls).max() > 0.5  # errors so large that nothing is ever off would be no errors


def test_everything_is_measured(embedded):
    _, results, _ = embedded
    names = {one.name for one in results.measurements}
    assert names >= {"gain", "native_gain", "read_noise", "lattice", "saturation", "full_well", "linearity_error"}
    assert names >= {
        "dynamic_range",
        "bias_level",
        "offset_drift",
        "dark_current",
        "dark_variance_rate",
        "dark_mean_rate",
    }
    assert names >= {"dark_current_typical", "hot_pixel_fraction", "glow_exponent", "telegraph_fraction"}
    assert names >= {"doubling_temperature", "activation_energy", "cosmic_ray_rate"}
    methods = {one.method for one in results.select("dark_current", exposure=600.0)}
    assert methods == {"mean_difference", "pair", "composite", "mean_of_pairs", "temporal_variance", MASKED, RATIO}
    assert list(results.select("dark_current", "variance_slope"))
    assert {one.name for one in results.not_measured} == {"dark_mean", "dark_variance_rate", "dark_current"}
    assert {one.conditions["temperature"] for one in results.not_measured} == {-15.0, -10.0}


def test_the_curve_of_the_dark_mean_is_recovered(embedded):
    _, results, camera = embedded
    fit = results.fits["dark_mean"][0]
    assert fit["model"] == "quadratic"
    assert fit["aicc"]["quadratic"] < min(fit["aicc"]["linear"], fit["aicc"]["constant"])
    assert fit["f_test_p"] < 0.01
    for name, true in zip("abc", camera.dark_mean_coefficients(TEMPERATURE), strict=True):
        assert fit["coefficients"][name] == pytest.approx(true, abs=4 * fit["std_errors"][name])
    assert results.verdicts["dark_below_bias"].value is True


def test_the_darks_must_be_matched_because_of_the_glow_corner(embedded):
    _, results, camera = embedded
    verdict = results.verdicts["dark_scaling"]
    assert verdict.value == "match"
    row, column = verdict.details["tile"]
    brightest = np.unravel_index(np.argmax(camera.glow_shape), camera.glow_shape.shape)
    assert (row, column) == tuple(place * 16 // side for place, side in zip(brightest, (880, 1164), strict=True))
    # what the scaled dark leaves there: thermal electrons scale, the glow's square does not
    t, longer = verdict.details["exposure"], verdict.details["reference_exposure"]
    corner = (slice(0, 55), slice(1164 - 1164 // 16, 1164))
    missed = camera.glow_electrons(t) - t / longer * camera.glow_electrons(longer)
    expected = missed[corner].mean() - np.median(missed)
    error = abs(verdict.details["max_residual_electron"] / verdict.details["max_residual_sigma"])
    assert verdict.details["max_residual_electron"] == pytest.approx(expected, abs=4 * error + 0.02 * abs(expected))


def test_the_convergence_table_runs_from_2_to_14(embedded, truth):
    _, results, _ = embedded
    table = results.table("convergence")
    table = table[(table["exposure"] == 600) & (table["temperature"] == TEMPERATURE)]
    assert table["n_frames"].tolist() == [2, 4, 6, 8, 10, 12, 14]
    true = truth.electrons(600.0, TEMPERATURE) / 600
    assert (np.abs(table["dark_current"] - true) < 4 * table["std_error"]).all()


def test_a_second_computation_gives_the_same_pair(embedded):
    """Plain NumPy, from the definition."""
    frames, results, _ = embedded
    darks = frames[(frames["kind"] == "dark") & (frames["exposure"] == 600)].sort_values("date")
    first, second = (row.source.read().astype(np.int64) for row in darks.head(2).itertuples())
    stack = np.stack(
        [
            row.source.read()
            for row in frames[(frames["kind"] == "dark") & (frames["set_temperature"] == TEMPERATURE)].itertuples()
        ]
    )
    used = (stack < 65520).all(axis=0)
    biases = np.stack([row.source.read() for row in frames[frames["kind"] == "bias"].itertuples()]).astype(np.float64)
    biases -= biases.mean(axis=(1, 2), keepdims=True)
    rate = ((first - second)[used].var(ddof=1) / 2 - biases.var(axis=0, ddof=1).mean()) / (600 - 5e-5)
    assert results.find("dark_variance_rate", "pair", exposure=600.0).value == pytest.approx(rate, rel=1e-6)


def test_results_follow_the_schema_and_survive_the_file(embedded, tmp_path):
    _, results, _ = embedded
    assert schema_faults(results.to_json()) == []
    read = type(results).read(results.write(tmp_path / "results.json"))
    assert read.measurements == results.measurements
    assert read.tables == results.tables


def test_the_same_frames_give_the_same_numbers(embedded):
    frames, results, _ = embedded
    again = measure_camera(frames)
    assert again.to_json() == results.to_json()


def test_the_catalogue_is_not_changed(embedded):
    frames, _, _ = embedded
    before = frames.drop(columns=["header", "source"]).copy()
    measure_camera(frames[frames["kind"].isin(["bias", "dark"]) & (frames["exposure"] < 100)])
    assert frames.drop(columns=["header", "source"]).equals(before)


def test_bias_frames_may_enter_the_fit(tmp_path):
    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(128, 128))
    darks = (FrameSet("dark", 4, t, TEMPERATURE) for t in (10.0, 60.0, 120.0, 240.0, 420.0, 600.0))
    plan = Plan("few", (FrameSet("bias", 10, 5e-5, TEMPERATURE), *darks))
    few = catalogue(simulate(sensor, plan, tmp_path / "few", seed=1))
    with_bias = measure_camera(few, use_bias=True).fits["dark_mean"][0]
    without = measure_camera(few).fits["dark_mean"][0]
    assert (with_bias["uses_bias"], without["uses_bias"]) == (True, False)
    assert len(with_bias["coefficients"]) + with_bias["dof"] == len(without["coefficients"]) + without["dof"] + 1
    assert abs(without["bias_minus_fit"]) < 4 * without["bias_minus_fit_error"]
