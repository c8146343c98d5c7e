"""The tables of a report beyond its numbers, from records written down by hand."""

import re

import pytest

from tests.show.conftest import HOSTILE
from workbench.results import Results
from workbench.show.findings import budget_html, classes_html, plan_html, popular_html, temperatures_html


def cells(html):
    """The text of every cell, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", str(html))
    return [[re.sub("<.*?>", "", one) for one in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows]


@pytest.fixture
def results():
    here = {"group": "g1"}
    budget = here | {"temperature": -20.0, "frames": "dark", "exposure": 600.0, "n_frames": 14}
    plan = {
        "need": "missing",
        "group": "g1",
        "kind": "dark",
        "counts": [4, 14],
        "exposures": [60.0, 600.0],
        "temperatures": [-15.0, -10.0],
        "order": [600.0, 60.0, 60.0],
        "enables": ["dark_scaling"],
        "how": "in shuffled order",
        "why": "too few exposures",
        "precision": "",
    }
    return Results(
        dataset={"name": "by hand", "n_frames": 1, "n_used": 1, "sha256": ""},
        tables={
            "noise_budget": [
                budget
                | {
                    "term": "read noise",
                    "kind": "temporal",
                    "variance": 9.0,
                    "std_error": 0.2,
                    "noise": 1.5,
                    "noise_error": 0.02,
                },
                budget
                | {
                    "term": "residual",
                    "kind": "residual",
                    "variance": -0.1,
                    "std_error": 0.2,
                    "noise": None,
                    "noise_error": None,
                },
            ],
            "pixel_classes": [
                here | {"pixel_class": "hot", "n_pixels": 1234, "share": 1.2e-3, "meaning": HOSTILE, "why_not": None},
                here
                | {
                    "pixel_class": "telegraph_dark",
                    "n_pixels": None,
                    "share": None,
                    "meaning": "switches",
                    "why_not": "5 darks",
                },
            ],
            "temperature": [
                here
                | {"temperature": -20.0, "exposure": 600.0, "n_frames": 14, "dark_current": 0.0047, "std_error": 1e-5}
            ],
            "popular_methods": [
                here
                | {
                    "method": "mean_difference",
                    "exposures": [600.0],
                    "value": -0.01,
                    "std_error": 0.001,
                    "unit": "electron / s",
                    "verdict_ok": False,
                    "reason": "a clamp",
                },
                here
                | {
                    "method": "gain_from_pixels",
                    "exposures": [10.0, 60.0, 600.0],
                    "value": None,
                    "std_error": None,
                    "unit": "electron / adu",
                    "verdict_ok": None,
                    "reason": "no hot pixels",
                },
            ],
            "acquisition_plan": [plan],
        },
        fits={
            "temperature": [
                here
                | {
                    "model": "arrhenius",
                    "coefficients": {"E": 0.6},
                    "std_errors": {"E": 0.01},
                    "chi2": 1.25,
                    "dof": 1,
                    "aicc": None,
                    "weight": 0.75,
                }
            ],
            "energies": [
                here
                | {
                    "normal": 0.6,
                    "hot": 0.55,
                    "difference": 0.05,
                    "std_errors": {"normal": 0.002, "hot": 0.003, "difference": 0.0036},
                    "n_hot": 250,
                }
            ],
        },
    )


def test_a_budget_tells_each_term_in_adu_and_electrons(results):
    html = budget_html(results)
    assert "One dark of 600 s" in html
    assert cells(html)[1:] == [
        ["read noise", "changes from frame to frame", "9.00 ± 0.20", "1.500 ± 0.020"],
        ["residual", "left over", "-0.10 ± 0.20", ""],
    ]


def test_classes_are_counted_or_refused_with_the_reason(results):
    html = classes_html(results)
    assert cells(html)[1][:3] == ["hot", "1,234", "1,200 of a million"]
    assert cells(html)[2][:2] == ["telegraph dark", "5 darks"]
    assert HOSTILE not in html


def test_temperatures_without_a_law_show_the_current_alone(results):
    bare = Results(dataset=results.dataset, tables=results.tables)
    assert cells(temperatures_html(bare)) == [
        ["temperature [°C]", "exposure [s]", "darks", "typical dark current [electron / s]"],
        ["-20", "600", "14", "0.004700 ± 0.000010"],
    ]


def test_laws_and_energies_stand_below_the_temperatures(results):
    html = temperatures_html(results)
    assert ["Arrhenius", "E = 0.600 ± 0.010", "1.25 / 1", "0.75"] in cells(html)
    assert "Normal pixels have an energy of 0.6000 ± 0.0020 eV, 250 hot pixels 0.550 ± 0.003 eV" in html


def test_popular_methods_say_whether_they_may_be_believed(results):
    first, second = cells(popular_html(results))[1:]
    assert first == ["mean of dark minus bias", "600", "-0.0100 ± 0.0010 electron / s", "no", "A clamp."]
    assert second[1:4] == ["10 and 600", "not measured", ""]


def test_the_plan_names_frames_temperatures_and_the_order(results):
    html = plan_html(results)
    assert cells(html)[1] == [
        "missing",
        "dark: 4 of 60 s, 14 of 600 s at each of -15 °C, -10 °C",
        "In shuffled order.",
        "Too few exposures.",
        "dark scaling",
    ]
    assert "600, 60, 60" in html


def test_tables_that_are_not_there_show_nothing():
    empty = Results(dataset={"name": "empty", "n_frames": 0, "n_used": 0, "sha256": ""})
    for show in (budget_html, classes_html, temperatures_html, popular_html):
        assert str(show(empty)) == ""
    assert "Nothing is missing" in plan_html(empty)
