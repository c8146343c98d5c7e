"""Frames of several folders, or named one by one, as one table."""

import numpy as np
import pytest

from workbench.errors import InputError
from workbench.frames.catalogue import COLUMNS, catalogue
from workbench.frames.paths import catalogue_of


@pytest.fixture
def folders(tmp_path, write_fits):
    for name in ("one/a.fits", "one/b.fits", "two/a.fits"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(list(name.encode())).integers(90, 110, (8, 8)).astype(np.uint16)
        write_fits(name, pixels, {"IMAGETYP": "DARK", "EXPTIME": 3.0})
    return tmp_path


def test_one_folder_is_its_catalogue(folders):
    assert (
        list(catalogue_of([folders / "one"])["file"])
        == list(catalogue(folders / "one")["file"])
        == ["a.fits", "b.fits"]
    )


def test_files_named_one_by_one_are_read_alone(folders):
    (folders / "one" / "broken.fits").write_text("no frame")
    table = catalogue_of([folders / "one" / "b.fits", folders / "one" / "a.fits"])
    assert list(table["file"]) == ["a.fits", "b.fits"]
    assert table["usable"].all()


def test_several_folders_count_from_what_they_have_in_common(folders):
    table = catalogue_of([folders / "two", folders / "one" / "b.fits"])
    assert list(table["file"]) == ["two/a.fits", "one/b.fits"]
    assert table.attrs["root"] == folders
    assert tuple(table.columns) == COLUMNS


def test_what_is_named_twice_counts_once(folders):
    table = catalogue_of([folders / "one", folders / "one" / "a.fits", folders, folders / "two"])
    assert sorted(table["file"]) == ["one/a.fits", "one/b.fits", "two/a.fits"]


def test_each_folder_has_its_own_corrections(folders):
    (folders / "two" / "workbench.toml").write_text('[[frames]]\nmatch = "*.fits"\nexposure = 7.0\n')
    assert list(catalogue_of([folders / "one", folders / "two"])["exposure"]) == [3.0, 3.0, 7.0]


def test_what_is_not_there_is_named(folders):
    with pytest.raises(InputError, match=r"nowhere\.fits: does not exist; name files and folders that are there"):
        catalogue_of([folders / "one" / "nowhere.fits"])
