"""A quick master is the slow one without what it leaves out, and is not made where there is anything to ask."""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.master_files import read_master
from workbench.calibrate.masters import make_master
from workbench.calibrate.quick_master import quick_master
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue


def edit(path, **cards):
    with fits.open(path, mode="update") as units:
        units[0].header.update(cards)


@pytest.fixture
def frames(shoot):
    return sorted(shoot().glob("*.fits"))


def test_it_writes_the_file_that_the_tables_write(frames, tmp_path):
    quick = quick_master(frames, tmp_path / "quick.fits", low=3)
    slow = make_master(catalogue(frames[0].parent), tmp_path / "slow.fits", quick=True, low=3)
    assert (tmp_path / "quick.fits").read_bytes() == (tmp_path / "slow.fits").read_bytes()
    assert quick.problems == slow.problems
    assert read_master(quick.path).sizes["input"] == len(frames)
    assert quick_master([frames[0].parent], tmp_path / "folder.fits", low=3) is not None
    assert (tmp_path / "folder.fits").read_bytes() == (tmp_path / "slow.fits").read_bytes()


@pytest.mark.parametrize(
    "cards",
    [
        {"IMAGETYP": "Flat"},
        {"IMAGETYP": "Master Dark"},
        {"EXPTIME": 301.0},
        {"GAIN": 101},
        {"CCD-TEMP": 5.0},
        {"FILTER": "Ha"},
        {"NCOMBINE": 12},
        {"INSTRUME": "Other"},
    ],
    ids=lambda cards: next(iter(cards)),
)
def test_a_frame_that_differs_is_left_to_who_names_it(frames, tmp_path, cards):
    edit(frames[4], **cards)
    assert quick_master(frames, tmp_path / "quick.fits") is None
    assert not (tmp_path / "quick.fits").exists()


def test_so_are_flats_a_manifest_one_frame_and_several_folders(frames, tmp_path):
    assert quick_master(frames[:1], tmp_path / "q.fits") is None
    assert quick_master([*frames, tmp_path], tmp_path / "q.fits") is None
    assert quick_master([frames[0], tmp_path / "gone.fits"], tmp_path / "q.fits") is None
    (frames[0].parent / "workbench.toml").write_text('[[frames]]\nmatch = "*"\nexposure = 30\n')
    assert quick_master(frames, tmp_path / "q.fits") is None
    (frames[0].parent / "workbench.toml").unlink()
    for frame in frames:
        edit(frame, IMAGETYP="Flat")
    assert quick_master(frames, tmp_path / "q.fits") is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everywhere")
def test_so_is_a_folder_with_one_that_may_not_be_read(frames, tmp_path):
    closed = frames[0].parent / "closed"
    closed.mkdir(0o000)
    assert quick_master([frames[0].parent], tmp_path / "q.fits") is None


def test_a_file_that_is_there_is_refused_before_the_work(frames, tmp_path):
    (tmp_path / "q.fits").write_bytes(b"something")
    with pytest.raises(InputError, match="is there already"):
        quick_master(frames, tmp_path / "q.fits")
    with pytest.raises(InputError, match="is one of the frames"):
        quick_master(frames, frames[3], overwrite=True)


def test_the_command_imports_no_tables(frames, tmp_path):
    code = (
        "import sys\nfrom workbench.cli import main\n"
        f"words = ['combine', {str(frames[0].parent)!r}, '-o', {str(tmp_path / 'q.fits')!r}]\n"
        "tables = {'pandas', 'xarray', 'dask', 'scipy', 'numba'}\n"
        "print(main([*words, '--quick', '--overwrite']), tables & set(sys.modules))"
    )
    for _ in range(2):  # the first may have to compile
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
    assert np.isfinite(read_master(tmp_path / "q.fits")["signal"]).all()
