"""What file and folder names say: guesses, the nearest part of the path first."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from workbench.frames.names import values_in_part, values_in_path


@pytest.mark.parametrize(
    ("part", "exposure"),
    [
        ("Dark_ASIImg_100sec_frame0001", 100.0),
        ("Dark_ASIImg_0.1sec_frame0001", 0.1),
        ("dark 600s", 600.0),
        ("dark_exp_60_gain_60_bin_1_20C", 60.0),
        ("dark_exp_60.000000_gain_60_bin_1_20C_stack_8", 60.0),
        ("raw_60s_60_0002_20251020-032310186_20C", 60.0),
        ("IC 434_60s60_Astro_20251018-045926401_16C", 60.0),
        ("MasterBias_1.0ms_-9.8C_gain100_2600MC", 0.001),
        ("Bias_32us", 3.2e-5),
        ("DWARF_RAW_TELE_M 33_EXP_30_GAIN_60_2025-10-21-22-18-55-284", 30.0),
        ("flat_0,5s", 0.5),
        ("Dark_2min", 120.0),
        ("2025-09-09_20-25-08_Dark_-10.50_1.00s_0001", 1.0),
        ("dark_300S", 300.0),
        ("bias_0s", 0.0),
        ("dark_30s_of_60s", None),
        ("M33", None),
        ("S50_stars", None),
        ("exp_0001", None),
        ("frame_0012s", None),
        ("dark_5stars", None),
        ("export_12", None),
    ],
)
def test_an_exposure_is_read_where_a_name_holds_just_one(part, exposure):
    found = dict(values_in_part(part)).get("exposure")
    assert found == (None if exposure is None else pytest.approx(exposure, rel=1e-12))


@pytest.mark.parametrize(
    ("part", "temperature"),
    [("dark_20C", 20.0), ("MasterBias_-9.8C", -9.8), ("Dark -10C", -10.0), ("Dark-20C", None), ("2600MC", None)],
)
def test_a_temperature_needs_an_unmistakable_sign(part, temperature):
    assert dict(values_in_part(part)).get("temperature") == temperature


def test_the_nearest_part_of_the_path_wins():
    found = values_in_path(PurePosixPath("Flats/Darks_300s/bias/one_5s.fits"))
    assert (found["kind"].value, found["kind"].part, found["kind"].source) == ("bias", "bias", "folder name")
    assert (found["exposure"].value, found["exposure"].source) == (5.0, "file name")


def test_a_suffix_is_no_part_of_the_name():
    assert values_in_path(PurePosixPath("one.dark.fit.gz"))["kind"].part == "one.dark"
    assert values_in_path(PurePosixPath("one.flat")) == {}
    assert values_in_path(PurePosixPath("Dark_0.1s.fit"))["exposure"].value == 0.1
