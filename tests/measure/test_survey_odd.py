"""Sessions that no tutorial foresees: the survey goes through, says what it cannot tell, and writes finite numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from workbench.camera.sensor import Sensor
from workbench.camera.session import FrameSet, Plan, open_dataset, simulate
from workbench.frames.catalogue import catalogue
from workbench.measure.survey import measure_camera
from workbench.schema import schema_faults

COLD = -20.0
SENSOR = replace(Sensor.from_manifest("qhy163m_like"), shape=(96, 128), dark_current=0.05)
BIAS = FrameSet("bias", 8, 5e-5, COLD)
FLATS = tuple(FrameSet("flat", 2, t, COLD, 200.0, block=2) for t in (1.0, 3.0, 6.0))


def dark(count, exposure, temperature=COLD):
    return FrameSet("dark", count, exposure, temperature)


SESSIONS = {
    "darks of no exposure": (BIAS, *FLATS, dark(6, 0.0)),
    "darks of no exposure among others": (BIAS, *FLATS, dark(4, 0.0), dark(4, 60.0), dark(6, 300.0)),
    "one dark of the longest exposure": (BIAS, *FLATS, dark(4, 60.0), dark(1, 600.0)),
    "one bias frame": (FrameSet("bias", 1, 5e-5, COLD), *FLATS, dark(4, 60.0), dark(4, 300.0)),
    "no bias frame": (*FLATS, dark(4, 60.0), dark(4, 300.0)),
    "no flats": (BIAS, dark(4, 60.0), dark(5, 300.0)),
    "two temperatures": (BIAS, *FLATS, dark(4, 300.0), dark(4, 300.0, -10.0)),
}


def numbers(value):
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, float):
        yield value
    elif not isinstance(value, (str, int, type(None))):
        for one in value:
            yield from numbers(one)


@pytest.fixture
def session(tmp_path, request):
    return simulate(SENSOR, Plan("odd", SESSIONS[request.param]), tmp_path / "odd", seed=3)


@pytest.mark.parametrize("session", SESSIONS, indirect=True)
def test_an_odd_session_is_measured_as_far_as_it_goes(session):
    record = measure_camera(catalogue(session)).to_json()
    assert schema_faults(record) == []
    assert all(math.isfinite(one) for one in numbers(record))
    assert len(record["measurements"]) >= 3


def spoil(folder, pattern, value, *, as_float):
    """Put one value into one pixel of the first frame of a kind; all frames become floats for a NaN."""
    for number, path in enumerate(sorted(folder.rglob("*.fits"))):
        with fits.open(path) as units:
            header, pixels = units[0].header.copy(), units[0].data.copy()
        if as_float:
            pixels = pixels.astype(np.float32)
            for key in ("BZERO", "BSCALE"):
                header.pop(key, None)
        if path == next(iter(sorted(folder.rglob(pattern)))):
            pixels[40, 50] = value
        elif not as_float:
            continue
        fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
        assert number >= 0


@pytest.mark.parametrize("pattern", ["bias*.fits", "flat*.fits", "dark_300s*.fits"])
def test_a_pixel_without_a_value_costs_no_number(tmp_path, pattern):
    sets = (BIAS, *FLATS, dark(4, 60.0), dark(4, 150.0), dark(6, 300.0))
    folder = simulate(SENSOR, Plan("nan", sets), tmp_path / "nan", seed=4)
    spoil(folder, pattern, np.nan, as_float=True)
    results = measure_camera(catalogue(folder))
    names = {one.name for one in results.measurements}
    assert names >= {"gain", "read_noise", "dark_current", "dark_current_typical"}
    assert all(math.isfinite(one) for one in numbers(results.to_json()))


def test_a_pixel_that_saturates_in_the_bias_alone_spoils_no_budget(tmp_path):
    folder = simulate(SENSOR, Plan("hot", (BIAS, *FLATS, dark(4, 60.0), dark(6, 300.0))), tmp_path / "hot", seed=5)
    clean = measure_camera(catalogue(folder)).table("noise_budget")
    spoil(folder, "bias*.fits", 65520, as_float=False)
    spoilt = measure_camera(catalogue(folder)).table("noise_budget")
    for frames in ("bias", "dark"):
        known, found = (
            table[(table["frames"] == frames) & (table["term"] == "sum of all terms")]["variance"].iloc[0]
            for table in (clean, spoilt)
        )
        assert found == pytest.approx(known, rel=0.01)


def test_dithered_stars_are_no_filter():
    frames = catalogue(open_dataset("session"))
    some = frames["kind"].isin(["light", "bias"]) | ((frames["kind"] == "dark") & (frames["temperature"] > -12))
    few = frames[some]
    few.attrs = frames.attrs
    assert not [one for one in measure_camera(few).problems if "filtered" in one.rule]
