"""A stack is read once a pass, in bounded memory, whatever its files are."""

import errno
import gc
import tempfile
import tracemalloc
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from workbench.errors import FrameError, InputError
from workbench.frames import stack_files
from workbench.frames.formats import FrameSource, read_frame_file
from workbench.frames.load import load_stack
from workbench.stack import bands as module
from workbench.stack.bands import bands
from workbench.stack.variance import difference_moments, levels

SIDE = 256
FRAME_BYTES = SIDE * SIDE * 2


@pytest.fixture
def small_limits(monkeypatch):
    """Shrink what may be held in memory, so that small frames tell what large ones would do."""
    monkeypatch.setattr(stack_files, "_STACK_BYTES", 4 * FRAME_BYTES)
    monkeypatch.setattr(module, "_HELD_BYTES", 4 * FRAME_BYTES)
    monkeypatch.setattr(module, "_UNPACK_BYTES", 6 * FRAME_BYTES)
    monkeypatch.setattr(module, "_READ_VALUES", SIDE * SIDE)
    monkeypatch.setattr(module, "_BAND_VALUES", SIDE * SIDE // 4)


@pytest.fixture
def written(write_fits):
    def write(n_frames, suffix, n_files=4):
        rng = np.random.default_rng(2)
        pixels = rng.integers(900, 1100, (n_files, SIDE, SIDE), dtype=np.uint16)
        sources = [read_frame_file(write_fits(f"dark_{k}{suffix}", one)).source for k, one in enumerate(pixels)]
        which = np.arange(n_frames) % n_files
        names = [f"dark_{k}" for k in which]
        return pixels[which], load_stack(pd.DataFrame({"file": names, "source": [sources[k] for k in which]}))

    return write


@pytest.fixture
def temporary_files(monkeypatch):
    opened, real = [], tempfile.TemporaryFile

    def opening():
        opened.append(real())
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", opening)
    return opened


def joined(stack):
    return np.concatenate([values for _, values in bands(stack)], axis=1)


@pytest.mark.parametrize("rows", [1, 7, 16, 40])
def test_bands_cover_a_lazy_stack_once(rows, monkeypatch):
    monkeypatch.setattr(module, "_READ_VALUES", 10 * 3 * 50)
    monkeypatch.setattr(module, "_BAND_VALUES", 4 * 3 * 50)
    values = np.random.default_rng(1).integers(0, 9, (3, 40, 50))
    stack = xr.DataArray(values, dims=("frame", "y", "x")).chunk({"frame": 1, "y": rows})
    seen = list(bands(stack))
    assert np.concatenate([values for _, values in seen], axis=1).tolist() == stack.to_numpy().tolist()
    assert [band.start for band, _ in seen][1:] == [band.stop for band, _ in seen][:-1]
    assert max(values.shape[1] for _, values in seen) <= 4


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fits.fz"])
@pytest.mark.usefixtures("small_limits")
def test_every_pixel_is_decoded_once_a_pass(suffix, written, monkeypatch):
    pixels, stack = written(9, suffix)
    read, real = [], FrameSource.read_rows

    def counting(source, start, stop):
        read.append(stop - start)
        return real(source, start, stop)

    monkeypatch.setattr(FrameSource, "read_rows", counting)
    np.testing.assert_array_equal(joined(stack), pixels, strict=True)
    assert sum(read) == 9 * SIDE


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
@pytest.mark.usefixtures("small_limits")
def test_memory_does_not_grow_with_the_stack(suffix, written):
    peaks = []
    _, many = written(32, suffix)
    for stack in (many[:4], many):
        gc.collect()
        tracemalloc.start()
        look = levels(stack)
        difference_moments(stack, look.frame_means)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # there are 28 more frames: a band of them all is held twice for a moment
    assert peaks[1] < peaks[0] + 14 * FRAME_BYTES


@pytest.mark.usefixtures("small_limits")
def test_a_region_of_compressed_frames_is_unpacked_alone(written, temporary_files):
    pixels, stack = written(40, ".fits.gz")
    part = (slice(None), slice(1, None, 2), slice(40, 200, 2))
    np.testing.assert_array_equal(joined(stack[part]), pixels[part], strict=True)
    assert len(temporary_files) == 1
    np.testing.assert_array_equal(joined(stack[:, 10:30]), pixels[:, 10:30], strict=True)
    assert len(temporary_files) == 1, "a small part needs no file"


@pytest.mark.usefixtures("small_limits")
def test_the_temporary_file_is_closed_when_done(written, temporary_files, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    _, stack = written(9, ".fits.gz")
    levels(stack)
    with closing(bands(stack)) as parts:
        next(parts)
        assert not temporary_files[1].closed
    assert [file.closed for file in temporary_files] == [True, True]
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("small_limits")
def test_the_temporary_file_is_closed_when_a_frame_is_broken(written, temporary_files, tmp_path):
    _, stack = written(9, ".fits.gz")
    (tmp_path / "dark_2.fits.gz").unlink()
    with pytest.raises(FrameError, match=r"dark_2.fits.gz: cannot be read \(No such file"):
        levels(stack)
    assert [file.closed for file in temporary_files] == [True]


@pytest.mark.usefixtures("small_limits")
def test_a_full_disk_is_named(written, monkeypatch, tmp_path):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def seek(self, place):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _, stack = written(16, ".fits.gz")
    with pytest.raises(InputError) as caught:
        levels(stack)
    rule = "cannot hold the 2 MiB that these compressed frames unpack to (No space left on device)"
    assert str(caught.value) == f"{tmp_path}: {rule}; make room, or set TMPDIR to another folder"


def test_blank_pixels_of_integer_frames_are_out_of_range(write_fits):
    sources = []
    for k in range(4):
        pixels = np.random.default_rng(k).normal(1000, 12, (30, 40)).astype(np.int16)
        pixels[5, 6 + k] = -1
        sources.append(read_frame_file(write_fits(f"blank_{k}.fits", pixels, [("BLANK", -1)])).source)
    stack = load_stack(pd.DataFrame({"file": list("abcd"), "source": sources}))
    look = levels(stack, 4095)
    assert np.argwhere(look.out_of_range).tolist() == [[5, 6], [5, 7], [5, 8], [5, 9]]
    found = difference_moments(stack, look.frame_means, look.out_of_range)
    assert found.temporal.value == pytest.approx(144, abs=4 * found.temporal.std_error)
