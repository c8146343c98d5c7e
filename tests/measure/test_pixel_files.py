"""Maps of pixels in files: FITS flags with tables, and Siril's list, checked by Siril itself."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from workbench.errors import InputError
from workbench.measure.hot_search import HOT_COLUMNS
from workbench.measure.pixel_files import (
    PixelMap,
    read_pixel_map,
    read_siril_list,
    write_pixel_files,
    write_pixel_map,
    write_siril_list,
)
from workbench.measure.pixel_flags import BAD, FLAG_MEANINGS, PixelFlag
from workbench.measure.telegraph_table import TELEGRAPH_COLUMNS, telegraph_table

SHAPE = (40, 60)
SIRIL = shutil.which("siril-cli")


@pytest.fixture
def pixels():
    flags = np.zeros(SHAPE, dtype=np.uint16)
    flags[7, 13] = PixelFlag.HOT
    flags[30, 50] = PixelFlag.TELEGRAPH_2_LEVELS | PixelFlag.HOT_NONLINEAR
    flags[20, 5] = PixelFlag.DEAD
    flags[:, 0] = PixelFlag.NOT_JUDGED
    row = {"row": 30, "column": 50, "kind": "read", "n_levels": 2, "level_1": -4.5, "level_2": 4.5, "jump": 9.0}
    row |= {"noise": 1.5, "upper_share": 0.5, "transitions": 9, "jumps_per_read": 9 / 19, "probability": 0.999}
    switching = {"row": 3, "column": 4, "kind": "dark", "jump_current": 0.04, "probability": 0.98}
    hot = pd.DataFrame(
        [[7, 13, 0.3, 0.01, 9.6, 0.3, 2.5, 4, False, False], [30, 50, 2.5, 0.1, 80.0, 3.0, 90.0, 4, True, False]],
        columns=list(HOT_COLUMNS),
    )
    return PixelMap(flags, telegraph_table(pd.DataFrame([row]), pd.DataFrame([switching])), hot)


def test_a_map_comes_back_as_it_was(tmp_path, pixels):
    path = write_pixel_map(tmp_path / "pixels.fits", pixels, {"INSTRUME": "a camera", "CCD-TEMP": -20.0})
    back = read_pixel_map(path)
    assert (back.flags == pixels.flags).all()
    assert back.flags.dtype == np.uint16
    pd.testing.assert_frame_equal(back.telegraph, pixels.telegraph)
    pd.testing.assert_frame_equal(back.hot, pixels.hot)
    assert fits.getheader(path)["INSTRUME"] == "a camera"


def test_a_map_without_any_such_pixel_can_be_written(tmp_path, pixels):
    empty = PixelMap(np.zeros(SHAPE, dtype=np.uint16), telegraph_table(), pixels.hot.iloc[:0])
    back = read_pixel_map(write_pixel_map(tmp_path / "pixels.fits", empty))
    assert list(back.telegraph.columns) == list(TELEGRAPH_COLUMNS)
    assert not len(back.telegraph)
    assert not back.flags.any()


def test_the_header_names_every_bit(tmp_path, pixels):
    header = fits.getheader(write_pixel_map(tmp_path / "pixels.fits", pixels), "DQ")
    bits = {header[f"MSKNAM{k:02d}"]: header[f"MSKVAL{k:02d}"] for k in range(header["MSKNUM"])}
    assert bits == {one.name: int(one.flag) for one in FLAG_MEANINGS}
    comments = " ".join(" ".join(header["COMMENT"]).split())
    assert all(one.name in comments for one in FLAG_MEANINGS)
    assert header["BITPIX"] == 16
    assert header["BZERO"] == 32768


def test_every_unit_of_the_file_has_its_checksums_and_tables_their_units(tmp_path, pixels):
    path = write_pixel_map(tmp_path / "pixels.fits", pixels)
    with fits.open(path, checksum=True) as units:  # a wrong sum warns, and warnings are errors
        assert [unit.name for unit in units] == ["PRIMARY", "DQ", "TELEGRAPH", "HOT"]
        assert all({"CHECKSUM", "DATASUM"} <= set(unit.header) for unit in units)
        assert units["HOT"].columns["current"].unit == "electron / s"
    assert path.read_bytes() == write_pixel_map(tmp_path / "again.fits", pixels).read_bytes()


def test_nothing_half_written_stays(tmp_path, pixels):
    with pytest.raises(InputError, match=r"pixels.fits: cannot be written \(.*\); choose a folder that you may write"):
        write_pixel_map(tmp_path / "nowhere" / "pixels.fits", pixels)
    (tmp_path / "taken.lst").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_siril_list(tmp_path / "taken.lst", pixels.flags)
    assert [one.name for one in tmp_path.iterdir()] == ["taken.lst"]


def test_another_file_is_refused(tmp_path, pixels):
    other = tmp_path / "other.fits"
    fits.PrimaryHDU(pixels.flags).writeto(other)
    with pytest.raises(InputError, match=r"other.fits: is no map of pixels .* name a map of pixels"):
        read_pixel_map(other)
    with pytest.raises(InputError, match=r"cannot be read"):
        read_pixel_map(tmp_path / "none.fits")
    path = write_pixel_map(tmp_path / "pixels.fits", pixels)
    fits.setval(path, "MSKNAM00", value="cold", extname="DQ")
    with pytest.raises(InputError, match="gives its bits other meanings"):
        read_pixel_map(path)


def test_sirils_list_counts_rows_from_the_last(tmp_path, pixels):
    lines = write_siril_list(tmp_path / "bad.lst", pixels.flags).read_text().splitlines()
    assert lines[0].startswith("# 3 bad pixels of a sensor of 60 x 40")
    assert lines[1:] == ["P 13 32 H", "P 5 19 C", "P 50 9 H"]
    assert (read_siril_list(tmp_path / "bad.lst", SHAPE) == ((pixels.flags & BAD) != 0)).all()


def test_classes_may_be_chosen_for_sirils_list(tmp_path, pixels):
    path = write_siril_list(tmp_path / "hot.lst", pixels.flags, PixelFlag.HOT)
    assert path.read_text().splitlines()[1:] == ["P 13 32 H"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P 3", r"line 1 \(P 3\) is not of the form P x y H; only single pixels can be read"),
        ("# fine\nC 12 0 H", r"line 2 \(C 12 0 H\) is not of the form"),
        ("P 60 3 H", "line 1 names a pixel outside 60 x 40"),
        ("P 3 40 H", "line 1 names a pixel outside 60 x 40"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path, text, message):
    path = tmp_path / "bad.lst"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_siril_list(path, SHAPE)


@pytest.mark.skipif(SIRIL is None, reason="Siril is not installed")
@pytest.mark.parametrize("order", [None, "TOP-DOWN", "BOTTOM-UP"])
def test_siril_changes_just_the_pixels_of_the_list(tmp_path, pixels, order):
    frame = (1000 + np.random.default_rng(1).integers(0, 5, SHAPE)).astype(np.uint16)
    frame[(pixels.flags & BAD) != 0] = 50_000
    header = fits.Header({} if order is None else {"ROWORDER": order})
    fits.PrimaryHDU(frame, header).writeto(tmp_path / "frame.fit")
    write_siril_list(tmp_path / "bad.lst", pixels.flags)
    (tmp_path / "run.ssf").write_text("requires 1.0.0\nsetext fit\nload frame\ncosme bad.lst\nsave mended\n")
    command = [SIRIL, "-d", str(tmp_path), "-s", str(tmp_path / "run.ssf")]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env={"HOME": str(tmp_path), "LC_ALL": "C"})
    changed = fits.getdata(tmp_path / "mended.fit") != frame
    assert (changed == ((pixels.flags & BAD) != 0)).all()


def test_every_group_and_region_has_its_files(tmp_path, pixels):
    classes = {"g1": pixels, "g2/linke H\u00e4lfte": pixels}
    written = write_pixel_files(classes, tmp_path / "pixels")
    assert [path.name for path in written] == ["g1.fits", "g1.lst", "g2_linke_H\u00e4lfte.fits"]
    assert fits.getheader(written[2])["REGION"] == "linke H?lfte"
    assert (read_pixel_map(written[2]).flags == pixels.flags).all()
    assert write_pixel_files({}, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
