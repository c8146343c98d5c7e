"""Which dark belongs to a light: each criterion with its reason, its tolerance, and what is nearest where none does."""

import pandas as pd
import pytest

from workbench.calibrate.match_criteria import tolerances
from workbench.calibrate.matching import match_dark, match_flat
from workbench.results import Measurement

ROW = {
    "kind": "dark",
    "master": False,
    "camera": "A",
    "readout_mode": "slow",
    "gain_setting": 174.0,
    "offset_setting": 30.0,
    "binning": "1x1",
    "height": 440,
    "width": 582,
    "exposure": 600.0,
    "temperature": -20.0,
    "set_temperature": -20.0,
    "filter": None,
    "date": pd.Timestamp("2024-01-02"),
}
LIGHT = ROW | {"kind": "light", "file": "light.fits", "filter": "R", "date": pd.Timestamp("2024-01-01")}
MEASURED = Measurement("doubling_temperature", 5.0, 0.1, "K", "arrhenius", {"temperature": -20.0})


def rows(*changes, kind="dark"):
    return pd.DataFrame([ROW | {"kind": kind, "file": f"{kind}{n}.fits"} | one for n, one in enumerate(changes)])


def criterion(match, name):
    return next(one for one in match.criteria if one.name == name)


def test_frames_that_agree_in_all_are_chosen_together():
    match = match_dark(LIGHT, rows({}, {"temperature": -19.9}, {"exposure": 300.0}, {"gain_setting": 0.0}))
    assert match.ok
    assert match.chosen == (0, 1)
    assert match.reason == (
        "light.fits: 2 frames such as dark0.fits agree in camera, binning, shape, readout mode, gain setting, offset "
        "setting, exposure, temperature"
    )


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"camera": "B"}, "camera", "its camera is B, the light's A"),
        ({"readout_mode": "fast"}, "readout_mode", "its readout mode is fast, the light's slow"),
        ({"gain_setting": 0.0}, "gain_setting", "its gain setting is 0, the light's 174"),
        ({"offset_setting": 31.0}, "offset_setting", "its offset setting is 31, the light's 30"),
        ({"binning": "2x2"}, "binning", "its binning is 2x2, the light's 1x1"),
        ({"width": 600}, "shape", "its shape is 600 x 440, the light's 582 x 440"),
        (
            {"exposure": 610.0},
            "exposure",
            "its exposure is 610 s, the light's 600 s: 10 s off, more than the 6 s allowed",
        ),
        (
            {"temperature": -19.0, "set_temperature": -19.0},
            "temperature",
            (
                "its temperature is -19 deg C, 1 K off (15 % of dark current), more than the 0.35 K allowed (dark "
                "current within 5 %)"
            ),
        ),
    ],
)
def test_one_thing_that_differs_is_enough_and_is_named(change, name, reason):
    match = match_dark(LIGHT, rows(change), doubling_temperature=MEASURED)
    assert not match.ok
    assert match.nearest == (0,)
    assert [one.name for one in match.criteria if one.ok is False] == [name]
    assert criterion(match, name).reason == reason
    assert match.reason == (
        "light.fits: no dark matches; darks of camera A, gain setting 174, offset setting 30, binning 1x1, exposure "
        f"600 s, temperature -20 deg C would; nearest are dark0.fits, but {reason}"
    )


def test_exposures_agree_within_a_percent_or_a_millisecond():
    assert match_dark(LIGHT, rows({"exposure": 605.9})).ok
    assert not match_dark(LIGHT, rows({"exposure": 606.1})).ok
    short = LIGHT | {"exposure": 0.01}
    assert match_dark(short, rows({"exposure": 0.0109})).ok
    assert not match_dark(short, rows({"exposure": 0.0111})).ok


def test_the_tolerance_comes_from_the_doubling_temperature():
    assert tolerances(MEASURED).temperature(-20.0) == pytest.approx(5 * 0.070389, rel=1e-4)  # log2(1.05)
    warmer = tolerances(MEASURED).temperature(10.0)
    assert warmer == pytest.approx(5 * (283.15 / 253.15) ** 2 * 0.070389, rel=1e-4)
    assert match_dark(LIGHT, rows({"temperature": -19.66}), doubling_temperature=MEASURED).ok
    assert not match_dark(LIGHT, rows({"temperature": -19.64}), doubling_temperature=MEASURED).ok
    assert match_dark(LIGHT, rows({"temperature": -19.64}), doubling_temperature=20.0).ok


def test_a_doubling_temperature_that_is_not_measured_is_called_a_guess():
    match = match_dark(LIGHT, rows({}))
    assert match.notes == (
        "a guess: T_d = 6 K is assumed; a report on darks of 3 temperatures measures it: give its results.json",
    )
    assert criterion(match, "temperature").reason == (
        "temperature -20 deg C, 0 K off; within 0.42 K is allowed (dark current within 5 %, a guess)"
    )
    assert match_dark(LIGHT, rows({}), doubling_temperature=MEASURED).notes == ()


def test_headers_tell_no_closer_than_a_tenth_of_a_kelvin():
    assert match_dark(LIGHT, rows({"temperature": -19.9}), doubling_temperature=0.5).ok


def test_what_a_header_does_not_say_forbids_nothing_and_is_noted():
    match = match_dark(LIGHT, rows({"offset_setting": None, "readout_mode": None, "temperature": None}))
    assert match.ok
    assert match.notes[-1] == "the temperature of the darks is not known"
    assert "the dark does not say its offset setting (30 on the other side)" in match.notes
    known = rows({"offset_setting": None}, {})
    assert match_dark(LIGHT, known).chosen == (1,)


def test_longer_darks_serve_only_where_they_may_be_scaled():
    longer, shorter = rows({"exposure": 1200.0}), rows({"exposure": 300.0})
    assert not match_dark(LIGHT, longer).ok
    match = match_dark(LIGHT, longer, scalable=True)
    assert match.ok
    assert match.reason.endswith("; exposure 1200 s, to be scaled down by 0.5")
    assert not match_dark(LIGHT, shorter, scalable=True).ok
    assert match_dark(LIGHT, rows({"exposure": 1200.0}, {}), scalable=True).chosen == (1,)


def test_the_nearest_is_that_which_misses_least():
    near = match_dark(LIGHT, rows({"exposure": 1200.0}, {"exposure": 660.0}, {"camera": "B"}))
    assert near.nearest == (1,)


def test_without_darks_it_says_what_would_match():
    match = match_dark(LIGHT, rows({})[:0])
    assert match.reason == (
        "light.fits: there are no darks; darks of camera A, gain setting 174, offset setting 30, binning 1x1, exposure "
        "600 s, temperature -20 deg C would match"
    )


def test_masters_are_chosen_one_by_one():
    masters = rows({"master": True}, {"master": True, "date": pd.Timestamp("2024-01-01")})
    assert match_dark(LIGHT, masters).chosen == (1,)


def test_flats_are_of_the_filter_of_the_light_and_the_nearest_in_time():
    flats = rows(
        {"filter": "R", "exposure": 9.0},
        {"filter": "G", "exposure": 9.0},
        {"filter": "R", "exposure": 3.0, "date": pd.Timestamp("2024-02-01")},
        kind="flat",
    )
    assert match_flat(LIGHT, flats).chosen == (0,)
    match = match_flat(LIGHT, flats[1:2])
    assert not match.ok
    assert match.reason.endswith("nearest are flat1.fits, but its filter is G, the light's R")
    unnamed = match_flat(LIGHT, rows({"filter": None}, kind="flat"))
    assert unnamed.reason.endswith("but the flat does not say its filter (R on the other side)")


def test_without_filters_flats_match():
    match = match_flat(LIGHT | {"filter": None}, rows({}, kind="flat"))
    assert match.ok


def test_the_darks_of_the_session_are_found(night):
    light = night.frames("light").iloc[0]
    match = match_dark(light, night.table[night.table["kind"] == "dark"])
    assert set(night.table.loc[list(match.chosen), "exposure"]) == {600.0}
    assert len(match.chosen) == 20
    warm = night.table[(night.table["kind"] == "dark") & (night.table["temperature"] > -20)]
    assert len(match_dark(light, warm).nearest) == 6
