"""Every public function that returns an array says which unit it is in, and changes nothing that it was given."""

import numpy as np
import pytest
import xarray as xr
from astropy import units as u

from workbench.camera.sensor import Camera, Sensor
from workbench.camera.session import FrameSet, Plan, simulate
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.measure.survey import measure_camera
from workbench.stack.variance import difference_moments, equalised_difference, levels
from workbench.units import NOMENCLATURE, set_units, unit_of


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    from dataclasses import replace

    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(60, 80))
    sets = [FrameSet("bias", 4, 0.0, -20.0)]
    sets += [FrameSet("dark", 4, exposure, -20.0) for exposure in (10.0, 60.0, 300.0, 600.0)]
    sets += [FrameSet("flat", 2, exposure, -20.0, light=200.0) for exposure in (1.0, 2.0, 4.0, 5.0)]
    out = tmp_path_factory.mktemp("units") / "frames"
    return catalogue(simulate(sensor, Plan("units", tuple(sets)), out, seed=1))


def test_every_unit_of_the_nomenclature_is_one_of_astropy():
    for term in NOMENCLATURE.values():
        assert u.Unit(term.unit).to_string() == ("" if term.unit == "1" else term.unit), term.name


def test_an_inherited_unit_is_replaced():
    array = xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "adu", "note": "stale"})
    squared = set_units(array * array, "adu2", long_name="square")
    assert squared.attrs == {"units": "adu2", "long_name": "square"}
    assert array.attrs == {"units": "adu", "note": "stale"}


def test_load_stack_sets_units(frames):
    stack = load_stack(frames[frames["kind"] == "bias"])
    assert stack.attrs["units"] == unit_of("signal")
    for name in ("exposure", "temperature", "set_temperature"):
        assert stack.coords[name].attrs["units"] == unit_of(name)


def test_the_survey_sets_units(frames):
    results = measure_camera(frames)
    assert len(results.measurements) > 20
    for one in results.measurements:
        assert one.unit == unit_of(one.name), one.name
    assert {name.split("/")[-1]: one.attrs["units"] for name, one in results.maps.items()} == {
        "dark_minus_bias": "adu",
        "variance": "adu2",
        "scaling_significance": "1",
        "scaling_in_light_frames": "1",
        "scaling_size": "electron",
        "dark_current": "electron / s",
        "dark_current_tiles": "electron / s",
        "glow_exponent": "1",
        "read_noise": "electron",
    }


def test_stacks_and_tables_are_not_changed(frames):
    stack = load_stack(frames[frames["kind"] == "dark"].head(4)).compute()
    pair = load_stack(frames[frames["kind"] == "flat"].tail(2)).compute()
    before = stack.copy(deep=True), pair.copy(deep=True), frames.drop(columns=["header", "source"]).copy()
    excluded = np.zeros(stack.shape[1:], dtype=bool)
    means = levels(stack, 65520).frame_means
    difference_moments(stack, means, excluded, maps=True)
    equalised_difference(pair, 1600.0, None, excluded)
    measure_camera(frames)
    assert stack.identical(before[0])
    assert pair.identical(before[1])
    assert not excluded.any()
    assert frames.drop(columns=["header", "source"]).equals(before[2])


def test_a_camera_is_not_changed_by_its_frames():
    sensor = Sensor.from_manifest("well_behaved_ccd")
    camera = Camera(sensor, seed=1)
    before = camera.dark_electrons(60.0, -20.0).copy()
    camera.expose("dark", 60.0, -20.0, np.random.default_rng(1))
    assert (camera.dark_electrons(60.0, -20.0) == before).all()
