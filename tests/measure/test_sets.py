"""Which frames belong together."""

import numpy as np
import pandas as pd
import pytest

from workbench.errors import InputError
from workbench.frames.manifests import Region
from workbench.measure.confounding import confounded
from workbench.measure.sets import (
    areas,
    exposure_sets,
    flat_pairs,
    mean_temperature,
    single,
    temperature_series,
    zero_light,
)


def rows(**columns):
    length = len(next(iter(columns.values())))
    default = {
        "file": [f"{k:02}.fits" for k in range(length)],
        "kind": ["dark"] * length,
        "exposure": [10.0] * length,
        "temperature": [np.nan] * length,
        "set_temperature": [np.nan] * length,
        "date": pd.to_datetime(["2026-01-01"] * length) + pd.to_timedelta(range(length), unit="s"),
        "filter": [None] * length,
        "zero_light": [False] * length,
    }
    return pd.DataFrame(default | columns)


def test_nearly_equal_exposures_are_one_set():
    sets = exposure_sets(rows(exposure=[2.0, 10.0, 1.999, 9.99, 2.02]))
    assert [(one.exposure, one.n_frames) for one in sets] == [(1.9995, 2), (2.02, 1), (9.995, 2)]


def test_frames_of_a_set_are_in_order_of_time():
    table = rows(exposure=[1.0, 1.0, 1.0])
    table["date"] = table["date"].to_numpy()[[2, 0, 1]]
    assert exposure_sets(table)[0].rows["file"].tolist() == ["01.fits", "02.fits", "00.fits"]


def test_set_points_make_series_and_the_longest_comes_first():
    table = rows(set_temperature=[-10.0, -20.0, -20.0, -20.0, -10.0], temperature=[-10, -20, -19.8, -20.1, -10])
    assert [one["set_temperature"].iloc[0] for one in temperature_series(table)] == [-20.0, -10.0]


def test_without_set_points_a_gap_of_three_kelvin_parts_series():
    drifting = rows(temperature=[35.6, 34.0, 33.0, 31.5])
    assert len(temperature_series(drifting)) == 1
    assert len(temperature_series(rows(temperature=[35.6, 34.0, 20.0, 19.0]))) == 2


def test_a_set_point_is_no_measured_temperature():
    assert mean_temperature(rows(set_temperature=[-20.0, -20.0])) is None
    assert mean_temperature(rows(temperature=[-20.0, -19.9])) == -19.95


def test_a_named_zero_light_goes_before_the_bias():
    table = rows(kind=["bias", "bias", "dark"], zero_light=[False, False, True])
    assert zero_light(table)["file"].tolist() == ["02.fits"]
    assert len(zero_light(table.assign(zero_light=False))) == 2


def test_flats_are_paired_within_filter_and_level():
    table = rows(kind=["flat"] * 5, filter=["R", "G", "R", "G", "R"])
    pairs = flat_pairs(table, [1000, 1001, 1002, 700, 999])
    assert [pair["file"].tolist() for _, pair in pairs] == [
        ["02.fits", "00.fits"]
    ]  # the two G differ by more than a tenth


def test_what_differs_has_no_single_value():
    table = rows(exposure=[1.0, 2.0])
    assert single(table, "exposure") is None
    assert single(table.assign(gain_setting=174.0), "gain_setting") == 174
    assert single(table, "temperature") is None


def test_areas_are_taps_or_planes_or_the_frame_without_overscan():
    tap = Region("left", (0, 4, 1), (0, 3, 1), "tap")
    strip = Region("strip", (0, 4, 1), (5, 6, 1), "overscan")
    (whole,) = areas((4, 6), [strip], None, per_bayer=False)
    assert whole.region is None
    assert whole.excluded.sum() == 4
    (left,) = areas((4, 6), [tap, strip], None, per_bayer=False)
    assert (left.region, left.excluded.shape) == ("left", (4, 3))
    assert [one.region for one in areas((4, 6), [], "RGGB", per_bayer=True)] == ["R", "G1", "G2", "B"]
    with pytest.raises(InputError, match="the manifest names taps"):
        areas((4, 6), [tap], "RGGB", per_bayer=True)
    with pytest.raises(InputError, match="name no Bayer pattern"):
        areas((4, 6), [], None, per_bayer=True)


def test_a_temperature_that_follows_the_exposure_is_confounded():
    assert confounded([1, 10, 100], [35.0, 34.0, 33.0]).moved == "from 35.0 to 33.0 deg C"
    assert "rose from 33.0 to 35.0" in confounded([1, 10, 100], [33.0, 34.0, 35.0]).rule
    assert confounded([1, 10, 100], [33.0, 33.2, 33.1]) is None
    assert confounded([1, 10, 50, 100], [33.0, 35.0, 35.1, 33.0]) is None
    assert confounded([1, 10], [33.0, 35.0]) is None
