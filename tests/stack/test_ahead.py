"""A combination that begins early is the same, is dropped where it is not what is wanted, and stops when it is left."""

import threading

import numpy as np
import pytest

from workbench.errors import FrameError
from workbench.frames.stack_files import StackFiles
from workbench.stack import ahead as module
from workbench.stack import assembly
from workbench.stack.ahead import begun
from workbench.stack.combine import combine

WINSORIZED = {"method": "mean", "rejection": "winsorized"}


@pytest.fixture
def frames(write_fits):
    rng = np.random.default_rng(3)
    return [write_fits(f"d{k}.fits", rng.normal(1000, 9, (40, 30)).astype(np.uint16)) for k in range(12)]


def about(ahead):
    return StackFiles(ahead.files.sources, {"file": np.array([f"d{k}" for k in range(12)], dtype=object)})


def test_it_gives_what_combine_gives(frames):
    with begun(frames, **WINSORIZED) as ahead:
        early = combine(about(ahead), maps=False, ahead=ahead, **WINSORIZED)
        assert early.arrays is ahead.future.result().arrays
    np.testing.assert_array_equal(early.arrays["signal"], combine(about(ahead), **WINSORIZED).arrays["signal"])


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (slice(None), {"maps": True, **WINSORIZED}),
        (slice(None), {"maps": False, **WINSORIZED, "low": 2}),
        (slice(1, None), {"maps": False, **WINSORIZED}),
    ],
    ids=["maps", "limits", "files"],
)
def test_another_combination_is_not_taken_for_it(frames, files, options):
    with begun(frames, **WINSORIZED) as ahead:
        wanted = StackFiles(ahead.files.sources[files], {})
        found = combine(wanted, ahead=ahead, **options)
    expected = combine(wanted, **options)
    np.testing.assert_array_equal(found.arrays["signal"], expected.arrays["signal"])
    assert found.arrays.keys() == expected.arrays.keys()


def test_nothing_begins_where_something_is_wrong_or_it_does_not_pay(frames, write_fits, tmp_path):
    other = write_fits("other.fits", np.zeros((40, 31), np.uint16))
    floats = [write_fits(f"f{k}.fits", np.zeros((4, 3), np.float32)) for k in range(3)]
    packed = [write_fits(f"p{k}.fits.gz", np.zeros((4, 3), np.uint16)) for k in range(3)]
    normalised = {**WINSORIZED, "normalisation": "additive"}
    for paths, options in [
        ([*frames, other], WINSORIZED),
        (floats, WINSORIZED),
        (packed, WINSORIZED),
        (frames[:1], WINSORIZED),
        ([tmp_path / "gone.fits", *frames], WINSORIZED),
        (frames, normalised),
        (frames, {"rejection": "winsorised"}),
    ]:
        with begun(paths, **options) as ahead:
            assert ahead is None


def test_it_stops_when_it_is_left(frames, monkeypatch):
    reading, go_on = threading.Event(), threading.Event()
    counted, real = [], assembly.combine_files

    def one_band(*args, **options):
        counted.append(1)
        reading.set()
        assert go_on.wait(30)
        return real(*args, **options)

    monkeypatch.setattr(assembly, "combine_files", one_band)
    monkeypatch.setattr(module, "_BAND_BYTES", 1)  # a row at a time, of 40
    threading.Timer(0.3, go_on.set).start()
    with begun(frames, threads=1, **WINSORIZED):
        assert reading.wait(30)
    assert len(counted) < 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("combine")]


def test_what_was_stopped_is_combined_anew(frames, monkeypatch):
    real, begin = module.combine_here, threading.Event()

    def late(*args, **options):
        assert begin.wait(30)
        return real(*args, **options)

    monkeypatch.setattr(module, "combine_here", late)
    threading.Timer(0.3, begin.set).start()
    with begun(frames, **WINSORIZED) as ahead:
        pass
    assert ahead.result(about(ahead), ahead.plan) is None
    found = combine(about(ahead), maps=False, ahead=ahead, **WINSORIZED)
    np.testing.assert_array_equal(found.arrays["signal"], combine(about(ahead), **WINSORIZED).arrays["signal"])


def test_a_file_that_is_cut_meanwhile_is_told_by_the_result(frames, monkeypatch):
    real = module.combine_here

    def cut_first(*args, **options):
        with frames[5].open("rb+") as file:
            file.truncate(3000)
        return real(*args, **options)

    monkeypatch.setattr(module, "combine_here", cut_first)
    with begun(frames, **WINSORIZED) as ahead, pytest.raises(FrameError, match=r"d5\.fits: is truncated"):
        ahead.result(about(ahead), ahead.plan)
