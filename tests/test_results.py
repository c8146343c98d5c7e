"""Measurements, and the file that keeps them."""

import json
import math

import pytest
from uncertainties import ufloat

from workbench.errors import InputError
from workbench.results import Measurement, NotMeasured, Problem, Results, Verdict, rounded
from workbench.schema import schema_faults


def example() -> Results:
    return Results(
        dataset={"name": "darks", "n_frames": 3, "n_used": 2, "sha256": "0" * 64},
        measurements=[
            Measurement("gain", 0.25, 0.01, "electron / adu", "photon transfer", {"group": "g1"}, 4, ("one level",)),
            Measurement("lattice", 16, 0.0, "adu", "greatest common divisor", {"group": "g1"}, 4),
        ],
        not_measured=[NotMeasured("full_well", "no frame reaches saturation", {"group": "g1"})],
        tables={"dark_mean": [], "variance": [], "convergence": []},
        fits={"dark_mean": []},
        verdicts={"dark_below_bias": Verdict(None, "no bias frames", {"by_group": []})},
        problems=[Problem("a.fits", "is truncated", "left out")],
        workbench="0.1.0",
    )


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.0051234, 0.0000312, ("0.00512", "0.00003")),
        (1369.2134, 1.44, ("1369.2", "1.4")),
        (12345.0, 120.0, ("12340", "120")),
        (-0.5, 0.0999, ("-0.50", "0.10")),
        (16, 0, ("16", "0")),
    ],
)
def test_rounding_follows_the_error(value, error, expected):
    assert rounded(value, error) == expected


@pytest.mark.parametrize(("value", "error"), [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, -1.0)])
def test_a_number_without_an_honest_error_is_refused(value, error):
    with pytest.raises(ValueError, match="say why it is not_measured"):
        Measurement("gain", value, error, "electron / adu", "photon transfer")


def test_a_measurement_takes_its_unit_from_the_nomenclature():
    assert Measurement.of("dark_current", ufloat(0.005, 0.0001), "pair").unit == "electron / s"


def test_a_measurement_escapes_html():
    one = Measurement("gain", 1.0, 0.1, "electron / adu", "<script>alert(1)</script>")
    assert "<script>" not in one._repr_html_()


def test_results_survive_the_file(tmp_path):
    written = example()
    read = Results.read(written.write(tmp_path / "results.json"))
    assert read == written


def test_the_file_follows_its_schema(tmp_path):
    record = json.loads(example().write(tmp_path / "results.json").read_text(encoding="utf-8"))
    assert record["schema"] == "workbench-results/1"
    assert schema_faults(record) == []
    record["measurements"][0]["std_error"] = None
    assert "std_error" in schema_faults(record)[0]


def test_a_foreign_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"schema": "something else"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"name a results\.json that `workbench report` wrote") as caught:
        Results.read(path)
    assert "\n" not in str(caught.value)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not JSON"):
        Results.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        Results.read(tmp_path / "missing.json")


def test_an_unwritable_folder_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match="choose a folder that you may write"):
        example().write(tmp_path / "missing" / "results.json")
    assert list(tmp_path.iterdir()) == []


def test_find_says_why_there_is_nothing():
    with pytest.raises(LookupError, match="no frame reaches saturation"):
        example().find("full_well")
    assert example().find("gain", group="g1").value == 0.25
