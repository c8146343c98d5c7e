"""Calibrated lights in files: the same pixels as in memory, sums that hold, whole or not at all."""

import shutil
import tracemalloc
from threading import Barrier

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.light_files import write_light, write_lights
from workbench.calibrate.lights import default_calibration, matched_calibration
from workbench.calibrate.master_frame import as_master
from workbench.calibrate.uncertainty import ErrorModel, light_sigma
from workbench.errors import FrameError, InputError
from workbench.frames import whole_file
from workbench.frames.catalogue import catalogue
from workbench.frames.formats import read_frame_file
from workbench.frames.overscan import Overscan, OverscanStrip
from workbench.threads import processors

RNG = np.random.default_rng(8)
SHAPE = (101, 317)  # no multiple of anything
DARK = (1000 + RNG.exponential(30, SHAPE)).astype(np.float32)
FLAT = (20_000 + RNG.normal(0, 300, SHAPE)).astype(np.float32)
PIXELS = np.rint(DARK + RNG.normal(200, 40, SHAPE)).astype(np.uint16)
MATCHED = matched_calibration(DARK, FLAT, pedestal=10.0)
CARDS = [("OBJECT", "M 31"), ("EXPTIME", 600.0), ("SATURATE", 65535), ("NUMBER", "007"), ("FLAG", True)]


@pytest.fixture
def source(write_fits):
    return read_frame_file(write_fits("light.fits", PIXELS, CARDS)).source


def test_the_file_holds_what_is_calibrated_in_memory(source, tmp_path):
    written = write_light(source, tmp_path / "light_c.fits", MATCHED)
    with fits.open(
        written.path, checksum=True
    ) as units:  # a sum that does not hold would warn, and warnings are errors
        assert len(units) == 1
        assert units[0].data.dtype == np.dtype(">f4")
        assert np.array_equal(units[0].data, MATCHED.apply(PIXELS).values)
        assert (units[0].verify_checksum(), units[0].verify_datasum()) == (1, 1)
        assert int(units[0].header["DATASUM"]) == written.datasum
        units.verify("exception")
    assert written.path.stat().st_size % 2880 == 0
    assert (written.n_masked, written.n_clipped) == (0, 0)


def test_its_header_keeps_what_holds_and_tells_what_was_done(source, tmp_path):
    header = fits.getheader(write_light(source, tmp_path / "light_c.fits", MATCHED).path)
    assert (header["OBJECT"], header["EXPTIME"], header["NUMBER"], header["FLAG"]) == ("M 31", 600.0, "007", True)
    assert "SATURATE" not in header
    assert "BZERO" not in header
    assert (header["CALSTAT"], header["PEDESTAL"], header["DARKK"], header["BUNIT"]) == ("BDF", 10.0, 1.0, "adu")
    assert header["HISTORY"][0] == "calibrated: light - master dark, over master flat"


def test_what_is_clipped_is_counted_in_the_header(source, tmp_path):
    calibration = matched_calibration(DARK + 200, clip=True)
    written = write_light(source, tmp_path / "c.fits", calibration)
    expected = calibration.apply(PIXELS)
    assert written.n_clipped == expected.n_clipped > 10_000
    assert fits.getheader(written.path)["NCLIPPED"] == written.n_clipped
    assert fits.getdata(written.path).min() == 0


def test_the_catalogue_knows_that_it_is_calibrated(source, tmp_path):
    (tmp_path / "out").mkdir()
    write_light(source, tmp_path / "out" / "light_c.fits", MATCHED)
    row = catalogue(tmp_path / "out").iloc[0]
    assert row["exposure"] == 600
    assert not row["usable"]
    assert "is calibrated already (CALSTAT = 'BDF')" in row["problems"][0].rule


def test_uncertainties_stand_behind_the_image(source, tmp_path):
    dark = MATCHED.masters[0][1].saying(std_error=np.full(SHAPE, 2.0, np.float32), n_kept=20)
    calibration = matched_calibration(dark, FLAT)
    written = write_light(source, tmp_path / "c.fits", calibration, errors=ErrorModel(0.5))
    with fits.open(written.path, checksum=True) as units:
        assert units["ERR"].data.shape == (1, *SHAPE)
        assert np.array_equal(units["ERR"].data[0], light_sigma(PIXELS, calibration, ErrorModel(0.5)))
        assert units["ERR"].header["BUNIT"] == "adu"


def test_uncertainties_take_little_memory(write_fits, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.calibrate.uncertainty._BAND", 2**14)
    monkeypatch.setattr("workbench.calibrate.light_files._BAND", 2**14)
    shape = (1024, 1024)
    dark = as_master(np.full(shape, 1000.0), "dark", std_error=np.full(shape, 2.0, np.float32), n_kept=20)
    light = read_frame_file(write_fits("large.fits", np.full(shape, 1200, np.uint16))).source
    calibration = matched_calibration(dark, np.ones(shape))
    write_light(light, tmp_path / "c.fits", calibration, errors=ErrorModel(0.5))  # the master is looked at once
    tracemalloc.start()
    write_light(light, tmp_path / "c.fits", calibration, errors=ErrorModel(0.5))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 * light.shape[0] * light.shape[1]


@pytest.mark.parametrize("name", ["l.fits.gz", "l.fits.fz", "float.fits"])
def test_packed_and_floating_lights_give_the_same(name, write_fits, tmp_path):
    pixels = PIXELS.astype(np.float32) if name == "float.fits" else PIXELS
    packed = read_frame_file(write_fits(name, pixels, CARDS)).source
    written = write_light(packed, tmp_path / "c.fits", MATCHED)
    assert np.array_equal(fits.getdata(written.path), MATCHED.apply(PIXELS).values)


def test_the_overscan_goes_first(write_fits, tmp_path):
    wide = np.concatenate([PIXELS, np.full((SHAPE[0], 8), 300, np.uint16)], axis=1)
    wide_source = read_frame_file(write_fits("wide.fits", wide)).source
    rows = slice(0, SHAPE[0])
    strip = OverscanStrip((rows, slice(SHAPE[1], SHAPE[1] + 8)), (rows, slice(0, SHAPE[1] + 8)))
    overscan = Overscan((strip,), (rows, slice(0, SHAPE[1])))
    calibration = matched_calibration(DARK - 300)
    written = write_light(wide_source, tmp_path / "c.fits", calibration, overscan=overscan)
    assert np.array_equal(fits.getdata(written.path), calibration.apply(PIXELS - 300.0).values)


def test_many_at_a_time_are_as_one_by_one_and_one_that_is_spoiled_stops_none(write_fits, tmp_path):
    names = [f"l{n:02}.fits" for n in range(14)]
    sources = [read_frame_file(write_fits(name, np.roll(PIXELS, n, axis=1))).source for n, name in enumerate(names)]
    with (tmp_path / "l05.fits").open("r+b") as file:
        file.truncate(20_000)
    outs = [tmp_path / f"c{name}" for name in names]
    written = write_lights(sources, outs, MATCHED, threads=3)
    assert isinstance(written[5], FrameError)
    assert "l05.fits: is truncated: it was cut after its header was read; " in str(written[5])
    assert not outs[5].exists()
    for n, one in enumerate(written):
        if n != 5:
            assert np.array_equal(fits.getdata(one.path), MATCHED.apply(np.roll(PIXELS, n, axis=1)).values)
    assert not list(tmp_path.glob(".*"))


def test_lights_that_wait_for_the_disk_hold_up_no_others(write_fits, tmp_path, monkeypatch):
    n = processors() + 1
    met = Barrier(n, timeout=30)  # broken where fewer get as far as flushing
    monkeypatch.setattr(whole_file, "_flush", lambda path: met.wait() if path.suffix == ".part" else None)
    sources = [read_frame_file(write_fits(f"l{k}.fits", PIXELS)).source for k in range(n)]
    written = write_lights(sources, [tmp_path / f"c{k}.fits" for k in range(n)], MATCHED, threads=n)
    assert [one.path.name for one in written] == [f"c{k}.fits" for k in range(n)]


def test_a_light_of_another_shape_leaves_no_file(write_fits, tmp_path):
    other = read_frame_file(write_fits("other.fits", PIXELS[:50])).source
    with pytest.raises(InputError, match=r"other\.fits: has 317 x 50 pixels, the masters have 317 x 101; "):
        write_light(other, tmp_path / "c.fits", MATCHED)
    assert not (tmp_path / "c.fits").exists()


def test_a_light_whose_bias_has_gone_is_refused(write_fits, tmp_path):
    gone = read_frame_file(write_fits("gone.fits", (PIXELS - np.float32(1000)).astype(np.float32))).source
    with pytest.raises(InputError, match=r"gone\.fits: its median is .* its bias has gone already"):
        write_light(gone, tmp_path / "c.fits", MATCHED)


def test_a_folder_that_is_not_there_is_named(source, tmp_path):
    shutil.rmtree(tmp_path / "nowhere", ignore_errors=True)
    with pytest.raises(InputError, match=r"c\.fits: cannot be written \(No such file or directory\)"):
        write_light(source, tmp_path / "nowhere" / "c.fits", MATCHED)


def test_hostile_headers_do_no_harm(write_fits, tmp_path):
    hostile = [
        ("OBJECT", "x" * 60),
        ("EXPTIME", 1e300),
        ("COMMENT", "anything"),
        ("CALSTAT", "none"),
        ("DATE-OBS", "'"),
    ]
    found = read_frame_file(write_fits("h.fits", PIXELS, hostile)).source
    header = fits.getheader(write_light(found, tmp_path / "c.fits", MATCHED).path)
    assert header["OBJECT"] == "x" * 60
    assert header["CALSTAT"] == "BDF"


def test_all_planes_of_the_default_calibration_enter(source, tmp_path):
    bias = np.full(SHAPE, 990.0, np.float32)
    calibration = default_calibration(bias, DARK, 0.5, FLAT)
    written = write_light(source, tmp_path / "c.fits", calibration)
    assert np.array_equal(fits.getdata(written.path), calibration.apply(PIXELS).values)
    header = fits.getheader(written.path)
    assert (header["CALSTAT"], header["DARKK"], header["BIASFILE"]) == ("BDF", 0.5, "master bias")
