from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from workbench.camera.capture import header, write_frame
from workbench.camera.parameters import Sensor
from workbench.camera.plans import PlannedFrame

PIXELS = (np.arange(63, dtype=np.uint16) * 1040).reshape(7, 9)


@pytest.fixture
def planned() -> PlannedFrame:
    return PlannedFrame(3, "dark", 600.0, -20.0, 0.0, datetime(2017, 11, 11, 18, 0, 2, 500000, UTC), "dark/x.fits")


@pytest.fixture
def sensor() -> Sensor:
    return Sensor.from_manifest("qhy163m_like")


def test_a_frame_comes_back_as_it_was(tmp_path: Path, sensor: Sensor, planned: PlannedFrame) -> None:
    path = tmp_path / "x.fits"
    before = PIXELS.copy()
    write_frame(path, PIXELS, header(sensor, planned))
    with fits.open(path, checksum=True) as hdus:  # a bad checksum warns, and warnings are errors here
        assert hdus[0].verify_checksum() == hdus[0].verify_datasum() == 1
        assert np.array_equal(hdus[0].data, PIXELS)
        assert hdus[0].data.dtype == np.uint16
    assert np.array_equal(PIXELS, before)
    assert [item.name for item in tmp_path.iterdir()] == ["x.fits"]


def test_the_header_says_what_a_capture_program_says(tmp_path: Path, sensor: Sensor, planned: PlannedFrame) -> None:
    write_frame(tmp_path / "x.fits", PIXELS, header(sensor, planned))
    cards = fits.getheader(tmp_path / "x.fits")
    expected = {
        "IMAGETYP": "DARK",
        "EXPOSURE": 600.0,
        "EXPTIME": 600.0,
        "DATE-OBS": "2017-11-11T18:00:02.500",
        "XBINNING": 1,
        "GAIN": 174,
        "OFFSET": 77,
        "XPIXSZ": 3.8,
        "INSTRUME": "QHY163M-like (simulated)",
        "SET-TEMP": -20.0,
        "CCD-TEMP": -20.0,
        "READOUTM": "Standard",
        "BITPIX": 16,
    }
    assert {key: cards[key] for key in expected} == expected
    assert cards["SWCREATE"].startswith("dark-frame workbench ")
    assert "EGAIN" not in cards


def test_a_driver_that_claims_a_gain_says_so(sensor: Sensor, planned: PlannedFrame) -> None:
    assert header(replace(sensor, claimed_gain=1.5), planned)["EGAIN"] == 1.5


def test_a_filter_and_a_target_are_named_where_there_are_some(sensor: Sensor, planned: PlannedFrame) -> None:
    assert not {"FILTER", "OBJECT"} & set(header(sensor, planned))
    light = header(sensor, replace(planned, kind="light", filter="H-alpha", target="Simulated nebula"))
    assert (light["FILTER"], light["OBJECT"], light["IMAGETYP"]) == ("H-alpha", "Simulated nebula", "LIGHT")


def test_two_files_of_one_frame_are_alike_byte_for_byte(tmp_path: Path, sensor: Sensor, planned: PlannedFrame) -> None:
    for name in ("a.fits", "b.fits"):
        write_frame(tmp_path / name, PIXELS, header(sensor, planned))
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_a_frame_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, sensor: Sensor, planned: PlannedFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_frame(tmp_path / "x.fits", PIXELS, header(sensor, planned))
    assert list(tmp_path.iterdir()) == []
