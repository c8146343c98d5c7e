"""A survey's results, written down by hand: two groups, hostile names, refusals, notes."""

import pytest

from workbench.results import Measurement, NotMeasured, Problem, Results, Verdict

HOSTILE = "<script>alert(1)</script>"


def _group(name: str, camera: str | None) -> dict[str, object]:
    return {
        "id": name,
        "camera": camera,
        "shape": [880, 1164],
        "lattice": 16,
        "gain_setting": 174.0,
        "offset_setting": None,
        "readout_mode": None,
        "binning": "1x1",
        "regions": [],
        "n_frames": 20,
    }


def _measurements(group: str) -> list[Measurement]:
    cold = {"group": group, "gain_setting": 174.0, "temperature": -20.0}
    long = cold | {"exposure": 600.0}
    current = "electron / s"
    return [
        Measurement("gain", 0.25, 0.003, "electron / adu", "photon transfer", {"group": group}, 16),
        Measurement("read_noise", 1.42, 0.01, "electron", "bias pairs", {"group": group}, 20),
        Measurement(
            "dark_current", -0.004, 0.0003, current, "mean_difference", long, 34, ("meaningless: the clamp hides it",)
        ),
        Measurement("dark_current", 0.0051, 0.0001, current, "composite", long, 14),
        Measurement("dark_current", 0.00512, 0.00003, current, "temporal_variance", long, 14, ("glow is inside",)),
        Measurement("dark_current", 0.0049, 0.0003, current, "temporal_variance", cold | {"exposure": 300.0}, 6),
    ]


def _tables(group: str) -> dict[str, list[dict[str, object]]]:
    row = {"group": group, "temperature": -20.0, "exposure": 600.0}
    rates = {"dark_current": 0.0051, "std_error": 0.0001, "dark_variance_rate": 0.08, "dark_variance_rate_error": 0.003}
    return {
        "dark_mean": [row | {"n_frames": 14, "mean": 1000.0, "std_error": 0.2}],
        "variance": [row | {"n_frames": 14, "variance": 33.0, "std_error": 0.1}],
        "convergence": [row | {"n_frames": n} | rates for n in (2, 4)]
        + [row | {"exposure": 10.0, "n_frames": 2} | rates],
    }


def _fit(group: str) -> dict[str, object]:
    return {
        "group": group,
        "temperature": -20.0,
        "model": "quadratic",
        "coefficients": {"a": 1000.0, "b": 0.01, "c": -3e-5},
        "covariance": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "std_errors": {"a": 0.2, "b": 0.001, "c": 2e-6},
        "chi2": 4.2,
        "dof": 5,
        "f_test_p": 0.001,
        "aicc": {"constant": 30.0, "linear": 20.0, "quadratic": 10.0},
        "uses_bias": False,
        "drop": 4.8,
        "drop_error": 0.4,
        "onset": 300.0,
        "bias_minus_fit": 0.1,
        "bias_minus_fit_error": 0.3,
        "notes": ["the residuals drift along time"],
    }


def make_results(groups: tuple[str, ...] = ("g1",), camera: str | None = "Sim 163M") -> Results:
    """Write down what a survey of such groups might find; it keeps the schema."""
    tables: dict[str, list[dict[str, object]]] = {}
    for group in groups:
        for name, rows in _tables(group).items():
            tables.setdefault(name, []).extend(rows)
    return Results(
        dataset={"name": "my frames", "n_frames": 42, "n_used": 40, "sha256": "ab" * 32},
        groups=[_group(group, camera) for group in groups],
        measurements=[one for group in groups for one in _measurements(group)],
        not_measured=[
            NotMeasured("full_well", "nothing saturates; shoot a flat that does", {"group": group}) for group in groups
        ],
        tables=tables,
        fits={"dark_mean": [_fit(group) for group in groups]},
        verdicts={"dark_below_bias": Verdict(value=True, reason="every dark lies below the bias")},
        problems=[Problem("Dark_1.fits", "is truncated: 100 of 2880 bytes", "left out")],
        parameters={"gain": None},
        versions={"numpy": "2.0"},
        workbench="0.1.0",
    )


@pytest.fixture
def results() -> Results:
    """One group."""
    return make_results()


@pytest.fixture
def two_groups() -> Results:
    """Two groups, which stand side by side."""
    return make_results(("g1", "g2"))


@pytest.fixture
def hostile() -> Results:
    """Every text that a header or a file name can reach holds a script."""
    made = make_results(camera=HOSTILE)
    made.dataset["name"] = HOSTILE
    made.groups[0]["readout_mode"] = HOSTILE
    made.problems.append(Problem(f"{HOSTILE}.fits", HOSTILE, HOSTILE))
    made.not_measured.append(NotMeasured("gain", HOSTILE, {"region": HOSTILE}))
    made.verdicts["dark_below_bias"] = Verdict(
        None, HOSTILE, {"by_group": [{"group": HOSTILE, "value": True, "reason": HOSTILE}] * 2}
    )
    odd = {"group": "g1", "region": HOSTILE}
    made.measurements.append(Measurement("gain", 1.0, 0.1, "electron / adu", HOSTILE, odd, 2, (HOSTILE,)))
    return made
