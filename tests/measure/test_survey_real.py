"""Real cameras: what is known of them, and what their frames cannot tell."""

import numpy as np
import pytest

from workbench.frames.catalogue import catalogue
from workbench.measure.survey import measure_camera

# mean temporal variance of the darks, frame means removed [adu2], by NumPy alone
ASI178_VARIANCE = {
    0.1: 94.22, 1: 97.55, 5: 109.34, 10: 135.28, 30: 200.99, 50: 259.24, 70: 320.32, 85: 365.53, 100: 410.97,
}  # fmt: skip
ASI178_MEAN = {
    0.1: 1363.538, 1: 1360.369, 5: 1359.789, 10: 1359.003, 30: 1356.159,
    50: 1357.857, 70: 1357.397, 85: 1356.717, 100: 1356.944,
}  # fmt: skip

MSFC = """
name = "ESIS"
[[frames]]
match = "led/*_0480[34]*"
kind = "flat"
exposure = 2.0
[[frames]]
match = "led/*_0486[01]*"
kind = "dark"
zero_light = true
[[frames]]
match = "dark_current/*"
kind = "dark"
[[frames]]
match = "darks/*"
kind = "dark"
[[frames]]
match = "fe55/*"
kind = "light"
"""
TAPS = {
    "lower left": ([0, 520], [50, 1074]),
    "lower right": ([0, 520], [1078, 2102]),
    "upper left": ([520, 1040], [50, 1074]),
    "upper right": ([520, 1040], [1078, 2102]),
}


def test_asi178_is_measured_as_far_as_it_can_be(asi178):
    frames, results = asi178
    assert (len(frames), int(frames["usable"].sum()), results.dataset["n_used"]) == (70, 58, 58)
    truncated = [problem for problem in results.problems if "truncated" in problem.rule]
    assert len(truncated) == 12
    assert all(problem.action.startswith("left out") for problem in truncated)
    assert frames.loc[frames["kind"] == "bias", "exposure"].tolist() == [3.2e-5] * 15
    assert results.find("lattice").value == 4


def test_every_asi178_dark_is_below_the_bias(asi178):
    _, results = asi178
    verdict = results.verdicts["dark_below_bias"]
    assert verdict.value is True
    assert verdict.reason.startswith("every dark lies below the bias")
    table = results.table("dark_mean").set_index("exposure")
    assert table["mean"].to_dict() == pytest.approx(ASI178_MEAN, abs=0.001)
    assert results.find("bias_level").value == pytest.approx(1369.21, abs=0.01)
    for one in results.select("dark_mean_rate", "mean_difference"):
        assert one.value < 0
        assert one.notes[0].startswith("meaningless as a dark current: darks lie below the bias")


def test_asi178_variances_are_those_of_numpy(asi178):
    _, results = asi178
    table = results.table("variance").set_index("exposure")
    assert table["variance"].to_dict() == pytest.approx(ASI178_VARIANCE, rel=1e-3)
    assert table["n_frames"].tolist() == [5, 2, 5, 5, 5, 5, 5, 5, 5]


def test_the_slope_of_asi178_states_its_misfit(asi178):
    _, results = asi178
    slope = results.find("dark_variance_rate", "variance_slope")
    assert slope.value == pytest.approx(3.22, abs=0.01)
    assert slope.std_error == pytest.approx(0.025, abs=0.005)
    assert "chi2/dof 67" in slope.notes[1]
    fits = {fit["weights"]: fit for fit in results.fits["variance"]}
    assert fits["unweighted"]["coefficients"]["b"] == pytest.approx(3.164, abs=0.002)
    assert fits["unweighted"]["std_errors"]["b"] == pytest.approx(0.045, abs=0.002)


def test_asi178_without_a_gain_has_nothing_in_electrons(asi178):
    _, results = asi178
    assert not [one for one in results.measurements if "electron" in one.unit]
    reasons = {one.name: one.reason for one in results.not_measured}
    assert reasons["gain"].startswith("1 usable flat;")
    assert "pass --gain" in reasons["dark_current"]
    assert "pass --gain" in reasons["read_noise"]
    assert "an odd number of darks at 0.1, 5, 10" in next(
        one.reason for one in results.not_measured if one.conditions.get("method", "").startswith("composite")
    )


def test_asi178_temperature_is_confounded_with_exposure(asi178):
    _, results = asi178
    found = [problem.rule for problem in results.problems if "confounded" in problem.rule]
    rule = "temperature is confounded with exposure: it fell from 35.6 to 33.0 deg C as the exposure grew"
    assert found == [f"{rule} from 0.1 to 100 s (rank correlation -0.95)"]


def test_asi178_darks_must_be_matched_and_the_temperature_is_named(asi178):
    _, results = asi178
    verdict = results.verdicts["dark_scaling"]
    assert verdict.value == "match"
    assert "Their temperature moved as well (from 35.6 to 33.0 deg C)" in verdict.reason
    assert verdict.details["max_residual_electron"] is None  # no gain
    assert abs(verdict.details["max_residual_light"]) > 0.1


def test_a_given_gain_puts_asi178_in_electrons(asi178):
    frames, in_adu = asi178
    results = measure_camera(frames, gain=0.25)
    slope = results.find("dark_current", "variance_slope")
    assert slope.value == pytest.approx(in_adu.find("dark_variance_rate", "variance_slope").value / 16)
    assert any("a gain that was given" in note for note in slope.notes)
    assert results.find("read_noise").value == pytest.approx(0.25 * np.sqrt(93.2858 - 16 / 12), rel=1e-4)
    assert "gain" in {one.name for one in results.not_measured}


def test_planes_of_the_colour_mosaic_are_measured_apart(asi178):
    frames, _ = asi178
    few = frames[frames["kind"].isin(["bias", "dark"]) & (frames["exposure"] < 6)]
    results = measure_camera(few, per_bayer=True)
    planes = [one.conditions["region"] for one in results.select("bias_level")]
    assert planes == ["R", "G1", "G2", "B"]


def test_the_taps_of_the_msfc_camera_differ(real_data, tmp_path):
    manifest = tmp_path / "msfc.toml"
    blocks = [
        f'[[regions]]\nname = "{name}"\nrows = {rows}\ncolumns = {columns}\nrole = "tap"\n'
        for name, (rows, columns) in TAPS.items()
    ]
    inactive = '[[regions]]\nname = "edge"\nrows = [0, 1040]\ncolumns = [0, 50]\nrole = "inactive"\n'
    manifest.write_text(MSFC + "".join(blocks) + inactive, encoding="utf-8")
    frames = catalogue(real_data / "msfc-ccd", manifest=manifest)
    results = measure_camera(frames)
    gains = [one.value for one in results.select("gain")]
    noises = [one.value for one in results.select("read_noise")]
    assert [one.conditions["region"] for one in results.select("gain")] == list(TAPS)
    assert gains == pytest.approx([2.53, 2.50, 2.53, 2.51], rel=0.01)
    assert noises == pytest.approx([10.2, 9.7, 10.5, 10.7], rel=0.03)
    assert all(one.std_error < 0.01 for one in results.select("gain"))
    assert all("one level of flats" in one.notes[0] for one in results.select("gain"))
