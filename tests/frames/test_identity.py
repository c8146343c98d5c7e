"""What identifies a file, and what an edit of its header leaves."""

import hashlib

import numpy as np
import pytest
from astropy.io import fits

from workbench.errors import FrameError
from workbench.frames.formats import read_frame_file
from workbench.frames.identity import check_unchanged, datasum, identities_of, identity_of

PIXELS = np.random.default_rng(3).integers(0, 65536, (37, 53)).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_sha256_and_datasum_are_those_of_hashlib_and_astropy(tmp_path, dtype):
    unit = fits.PrimaryHDU(PIXELS.astype(dtype))
    unit.add_checksum()
    unit.writeto(tmp_path / "a.fits")
    found = identity_of(read_frame_file(tmp_path / "a.fits").source)
    assert found.datasum == int(fits.getheader(tmp_path / "a.fits")["DATASUM"])
    assert found.sha256 == hashlib.sha256((tmp_path / "a.fits").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["b.fits.gz", "b.fits.fz"])
def test_packing_changes_the_hash_but_not_the_datasum(write_fits, name):
    plain = identity_of(read_frame_file(write_fits("a.fits", PIXELS)).source)
    packed = identity_of(read_frame_file(write_fits(name, PIXELS)).source)
    assert packed.datasum == plain.datasum
    assert packed.sha256 != plain.sha256


def test_a_frame_larger_than_a_chunk_is_summed_whole(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 65536, (1500, 3001)).astype(np.uint16)  # 9 MB, rows of odd length
    unit = fits.PrimaryHDU(pixels)
    unit.add_checksum()
    unit.writeto(tmp_path / "large.fits")
    source = read_frame_file(tmp_path / "large.fits").source
    calls = []
    found = identities_of([source, source], advance=lambda: calls.append(1))
    assert found[0] == found[1]
    assert len(calls) == 2
    assert found[0].datasum == int(fits.getheader(tmp_path / "large.fits")["DATASUM"])


def test_the_sum_carries_around():
    assert datasum(np.full(4, 255, np.uint8), 2) == 2
    assert datasum(np.array([1], np.uint8)) == 1 << 24


def test_a_file_that_changes_goes_or_is_cut_is_named(write_fits):
    path = write_fits("a.fits", PIXELS)
    source = read_frame_file(path).source
    known = identity_of(source)
    check_unchanged(source, known)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2880])
    with pytest.raises(FrameError, match=r"a\.fits: is truncated: it was cut while it was being read; leave it out"):
        check_unchanged(source, known)
    path.write_bytes(whole[:3000])
    with pytest.raises(FrameError, match=r"a\.fits: is truncated: it was cut after its header was read"):
        identity_of(source)
    path.write_bytes(whole)
    with pytest.raises(FrameError, match=r"was changed while it was being read; let nothing write there"):
        check_unchanged(source, known)
    path.unlink()
    with pytest.raises(FrameError, match=r"has gone while it was being read \(No such file or directory\)"):
        check_unchanged(source, known)
    with pytest.raises(FrameError, match=r"cannot be read \(No such file or directory\); put it back as it was"):
        identity_of(source)
