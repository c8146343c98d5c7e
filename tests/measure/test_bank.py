"""A bank of small, very different cameras: are the stated errors the scatter around the truth?"""

import numpy as np
import pandas as pd
import pytest

from workbench.camera.sensor import Camera
from workbench.measure.bank import bank_table, run_bank, trial
from workbench.measure.bank_cameras import bank_camera, fault_of
from workbench.measure.bank_truth import not_claimed
from workbench.results import Measurement

QUICK = range(12)
MANY = range(1000, 2000)
FEW_EXCUSED = 0.06  # of the cameras
REQUIRED = ("gain", "read_noise", "bias_level", "dark_current", "curvature", "doubling_temperature")
# the scatter of 20 levels is skewed, and so is a count of few rays, the faintest of which are never seen
SKEWED = {"offset_drift", "cosmic_ray_rate"}


def held_to_it(table):
    """Rows of quantities whose errors are to be those of a normal distribution."""
    return table[(table["measured"] > 3) & ~table.index.get_level_values("name").isin(SKEWED)]


def test_stated_errors_are_the_scatter_around_the_truth(tmp_path):
    pulls = run_bank(QUICK, folder=tmp_path)
    assert not list(tmp_path.iterdir())  # nothing is left behind
    table = bank_table(pulls)
    names = {"gain", "read_noise", "bias_level", "offset_drift", "dark_current", "curvature", "linearity_error"}
    assert names <= set(table.index.get_level_values("name"))
    for key, row in held_to_it(table).iterrows():
        n = row["measured"]
        assert abs(row["mean_pull"]) < 4 / n**0.5, key
        assert row["spread"] < 1 + 4 / (2 * n) ** 0.5, key
        assert row["spread"] > 1 - 4 / (2 * n) ** 0.5, key
    claimed = pulls[(pulls["not_claimed"] == "") & ~pulls["name"].isin(SKEWED)]
    assert claimed["pull"].abs().max() < 5


@pytest.mark.slow
def test_stated_errors_are_the_scatter_around_the_truth_of_a_thousand_cameras(tmp_path):
    table = bank_table(run_bank(MANY, folder=tmp_path))
    held = held_to_it(table).loc[list(REQUIRED)]
    assert len(held) > 8
    assert (held["mean_pull"].abs() < 0.15).all(), held["mean_pull"]
    assert held["spread"].between(0.90, 1.10).all(), held["spread"]
    # methods that only some cameras allow are judged on fewer: the binomial's own error comes on top
    for name, low, high in (("coverage_68", 0.64, 0.72), ("coverage_95", 0.93, 0.97)):
        level = float(name[-2:]) / 100
        slack = 2 * (level * (1 - level) * (1 / held["measured"] - 1 / len(MANY))) ** 0.5
        assert (held[name] > low - slack).all(), held[name]
        assert (held[name] < high + slack).all(), held[name]
    # faint darks do not show how they grow with the temperature, and that is no fault of the frames
    few = held.drop("doubling_temperature")["excused"]
    assert (few < FEW_EXCUSED * len(MANY)).all(), few


def test_the_bank_spans_what_cameras_are():
    sensors = [bank_camera(number)[0] for number in range(300)]

    def spread(name):
        values = np.array([getattr(one, name) for one in sensors])
        return values.min(), values.max()

    assert spread("gain")[0] < 0.04
    assert 3 < spread("gain")[1] <= 5
    assert spread("read_noise")[0] < 1.2
    assert spread("read_noise")[1] > 8
    assert spread("dark_current")[0] < 2e-4
    assert spread("dark_current")[1] > 0.5
    assert {one.adc_bits for one in sensors} == {12, 14, 16}
    for term in ("clamp_share", "glow_linear", "glow_quadratic", "drift", "cosmic_ray_rate"):
        share = np.mean([getattr(one, term) > 0 for one in sensors])
        assert 0.1 < share < 0.9, term
    for term in ("read_telegraph_fraction", "dark_telegraph_fraction"):
        assert 0.1 < np.mean([getattr(one, term) > 0 for one in sensors]) < 0.5, term
    faults = [fault_of(number) for number in range(1000)]
    assert 0 < sum(map(bool, faults)) < 0.08 * len(faults)


@pytest.mark.parametrize(
    ("fault", "name", "reason"),
    [
        ("coarse", "read_noise", "of a lattice step"),
        ("overexposed", "gain", "saturat"),
        ("clipped", "gain", "no bias frames"),
    ],
)
def test_a_camera_that_cannot_be_measured_is_excused_with_a_reason(tmp_path, fault, name, reason):
    number = next(number for number in range(1000) if fault_of(number) == fault)
    rows = pd.DataFrame(trial(number, tmp_path))
    told = rows[(rows["name"] == name) & (rows["reason"] != "")]
    assert len(told) == 1
    assert reason in told["reason"].iloc[0]
    assert not (rows["name"] == name)[rows["reason"] == ""].any()


@pytest.mark.parametrize(
    ("terms", "method", "reason"),
    [
        ({}, "temporal_variance", ""),
        ({"cosmic_ray_rate": 1.0}, "temporal_variance", "cosmic rays"),
        ({"cosmic_ray_rate": 1.0}, "temporal_variance_masked", ""),
        ({"dark_telegraph_fraction": 1e-3}, "temporal_variance_masked", "switching dark current"),
        ({"clamp_share": 1.0}, "mean_difference", "clamp"),
        ({"clamp_share": 1.0}, "variance_slope", ""),
        ({"glow_quadratic": 1e-6}, "variance_slope", "glow bends the line"),
        ({"glow_quadratic": 1e-6}, "pair", ""),
    ],
)
def test_a_method_is_claimed_where_nothing_else_varies(terms, method, reason):
    from workbench.camera.sensor import Sensor

    camera = Camera(Sensor("any", (8, 8), 3.8, 16, 1.0, **terms), 0)
    assert not_claimed(Measurement("dark_current", 1.0, 0.1, "electron / s", method), camera) == reason


def test_the_table_counts_pulls_and_excuses():
    row = {"name": "gain", "method": "m", "std_error": 1.0, "truth": 10.0, "not_claimed": "", "reason": ""}
    pulls = [-2.5, -0.5, 0.5, 1.5]
    rows = [{"camera": k, **row, "value": 10 + p, "pull": p, "ideal": 0.5} for k, p in enumerate(pulls)]
    rows.append({"camera": 4, **row, "value": 90.0, "pull": 80.0, "ideal": 0.5, "not_claimed": "hits"})
    rows += [
        {"camera": k, "name": "gain", "method": "", "not_claimed": "", "reason": f"noise of {k}.5 adu hides: more"}
        for k in (5, 6)
    ]
    found = bank_table(pd.DataFrame(rows)).loc[("gain", "m")]
    assert (found["cameras"], found["measured"], found["not_claimed"], found["excused"]) == (7, 4, 1, 2)
    assert found["mean_pull"] == pytest.approx(-0.25)
    assert found["spread"] == pytest.approx(np.std(pulls, ddof=1))
    assert (found["coverage_68"], found["coverage_95"]) == (0.5, 0.75)
    assert found["bias"] == pytest.approx(-0.025)
    # 68 % of the four lie within 1.54 of the truth, by interpolation, and would within 0.994 x 0.5
    assert found["efficiency"] == pytest.approx((0.994458 * 0.5 / 1.54) ** 2)
    assert found["reasons"] == "2 x noise of # adu hides"
