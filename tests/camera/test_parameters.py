from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from workbench.camera.parameters import TERMS_OFF, Sensor
from workbench.camera.sensor import Camera
from workbench.errors import InputError, ManifestError
from workbench.resources import folder

CAMERAS = sorted((folder("data_manifests") / "cameras").glob("*.toml"))
MINIMAL = """
[name]
value = "mine"
source = "measured"
[shape]
value = [8, 9]
source = "measured"
[pixel_size]
value = 3.8
unit = "um"
source = "data sheet"
[adc_bits]
value = 14
unit = "bit"
source = "data sheet"
[native_gain]
value = 1
unit = "electron / adu"
source = "measured"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CAMERAS, ids=lambda path: path.stem)
def test_every_camera_of_the_project_can_be_exposed(path: Path) -> None:
    sensor = replace(Sensor.from_manifest(path.stem), shape=(16, 20))
    frame = Camera(sensor, 1).expose("dark", 60.0, -20.0, np.random.default_rng(1))
    assert abs(float(frame.mean()) - sensor.bias_level) < 100


def test_the_camera_of_the_paper_has_what_the_paper_says() -> None:
    sensor = Sensor.from_manifest("qhy163m_like")
    assert (sensor.gain_setting, sensor.offset_setting, sensor.lattice, sensor.pixel_size) == (174, 77, 16, 3.8)
    assert (sensor.shape, sensor.reference_temperature, sensor.gain) == ((3522, 4656), -20.0, 0.03125)
    camera = Camera(replace(sensor, shape=(880, 1164)), 163174077)
    # the hot tail decides how far one specimen may lie from the mean of all
    assert camera.mean_thermal_rate(-20.0) == pytest.approx(0.005, rel=0.02)


def test_a_minimal_manifest_is_enough(tmp_path: Path) -> None:
    sensor = Sensor.from_manifest(written(tmp_path, MINIMAL))
    assert (sensor.name, sensor.shape, sensor.native_gain, sensor.lattice) == ("mine", (8, 9), 1.0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            MINIMAL + '[raed_noise]\nvalue = 1.0\nunit = "electron"\nsource = "x"\n',
            "unknown key raed_noise in the manifest; did you mean 'read_noise'?",
        ),
        (
            MINIMAL + '[drift]\nvalue = 1.0\nunit = "adu"\nsource = "x"\nasumed = true\n',
            "unknown key asumed in drift; did you mean 'assumed'?",
        ),
        (MINIMAL + "[drift]\nvalue = 1.0\nunit = 'adu'\n", "drift has no source; add it there"),
        (MINIMAL + "[drift]\nvalue = 1.0\nsource = 'x'\n", "drift has no unit; add it there"),
        (MINIMAL + "[drift]\nvalue = 1.0\nunit = 'electron'\nsource = 'x'\n", "drift is in electron; give it in adu"),
        (
            MINIMAL + "[drift]\nvalue = '1'\nunit = 'adu'\nsource = 'x'\n",
            "drift.value = '1' is no float; give a float",
        ),
        (
            MINIMAL + "[dust]\nvalue = true\nunit = '1'\nsource = 'x'\n",
            "dust.value = True is no int; give a int",
        ),
        (
            MINIMAL + "[drift]\nvalue = -1.0\nunit = 'adu'\nsource = 'x'\n",
            "drift = -1.0 adu is not within 0 to inf; give a value in that range",
        ),
        (MINIMAL.replace("[8, 9]", "[8]"), "shape.value = [8] is no pair of integers; give [rows, columns]"),
        (MINIMAL.replace("[8, 9]", "[0, 9]"), "shape = 0 is not above 0; give a positive value"),
        (MINIMAL.partition("[native_gain]")[0], "has no [native_gain]; every camera manifest must give it"),
        ("drift = 3\n" + MINIMAL, "drift is no table; write it as [drift]"),
        ("[name\n", "is not valid TOML: "),
    ],
)
def test_a_broken_manifest_is_named_with_its_rule(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        Sensor.from_manifest(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_an_unknown_camera_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ManifestError) as caught:
        Sensor.from_manifest("qhy163")
    known = "choose from qhy163m_like, well_behaved_ccd, or name a .toml file"
    assert str(caught.value) == f"qhy163: is no camera and no camera manifest; {known}"


def test_an_unknown_term_is_answered_with_those_that_there_are(full_sensor: Sensor) -> None:
    with pytest.raises(
        InputError, match=r"^glows: is no term of the sensor; choose from lattice, fixed_pattern, clamp,"
    ):
        full_sensor.without("glows")


def test_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"^sensor x: read_noise = nan electron is not within 0 to inf"):
        Sensor("x", (4, 4), 3.8, 12, 0.5, read_noise=float("nan"))


def test_terms_switch_off_real_parameters() -> None:
    names = {item.name for item in fields(Sensor)}
    assert {key for values in TERMS_OFF.values() for key in values} <= names


def test_switching_off_returns_another_sensor(full_sensor: Sensor) -> None:
    before = replace(full_sensor)
    assert full_sensor.without("clamp", "lattice") != full_sensor
    assert full_sensor == before
