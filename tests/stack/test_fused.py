"""The fused pass over mapped frames says what the streamed one says, whatever stands in the frames."""

import numpy as np
import pandas as pd
import pytest

from workbench.errors import FrameError
from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack import fused
from workbench.stack.variance import difference_moments, levels

SHAPE = (61, 1003)  # blocks of 2048 pixels end within rows, and the last is not full


@pytest.fixture
def written(write_fits):
    def write(frames, kind="dark"):
        names = [f"{kind}_{k}.fits" for k in range(len(frames))]
        paths = [write_fits(name, frame) for name, frame in zip(names, frames, strict=True)]
        return load_stack(pd.DataFrame({"file": names, "source": [read_frame_file(path).source for path in paths]}))

    return write


@pytest.fixture
def both_ways(monkeypatch):
    """Do the same by the fused pass, in several parts, and by the streamed one."""

    def do(action):
        monkeypatch.setattr(fused, "_WORTHWHILE", 0)
        monkeypatch.setattr(fused, "_PART", 20_000)
        by_kernel = action()
        monkeypatch.setattr(fused, "_WORTHWHILE", np.inf)
        return by_kernel, action()

    return do


def dark_frames(n_frames, lattice=1, sigma=12.0, level=1400.0, drift=2.0, seed=1):
    rng = np.random.default_rng(seed)
    frames = level + rng.normal(0, 3 * sigma, SHAPE) + rng.normal(0, sigma, (n_frames, *SHAPE))
    frames += rng.normal(0, drift, n_frames)[:, None, None]
    return (np.rint(frames / lattice).clip(0, 65535 // lattice) * lattice).astype(np.uint16)


def with_hits(frames, n_hits=40, height=50_000):
    rng = np.random.default_rng(7)
    frames = frames.copy()
    where = rng.integers(0, len(frames), n_hits), *(rng.integers(0, side, n_hits) for side in SHAPE)
    frames[where] = rng.integers(height // 2, height, n_hits)
    return frames


def extremes(n_frames):
    """Every value anywhere: differences of up to 65535, and composites of several times that."""
    return np.random.default_rng(3).integers(0, 65536, (n_frames, *SHAPE)).astype(np.uint16)


def assert_same(found, expected, slack=0.0):
    n, n_pixels = expected.n_frames, expected.n_pixels
    assert (found.n_frames, found.n_pixels, found.n_excluded) == (n, n_pixels, expected.n_excluded)
    assert found.frame_means == pytest.approx(expected.frame_means, rel=1e-13)
    assert list(found.composites) == list(expected.composites)
    pairs = [*zip(found.pairs, expected.pairs, strict=True)]
    for one, other in pairs + [(found.composites[m], expected.composites[m]) for m in expected.composites]:
        assert one.value == pytest.approx(other.value, rel=1e-12)
        assert one.std_error == pytest.approx(other.std_error, rel=1e-5)
    if n == 1:
        assert found.temporal is expected.temporal is None
        return
    assert found.temporal.value == pytest.approx(expected.temporal.value, rel=1e-12)
    # whole adu were removed: their fraction, 1/12 adu2 on average, is corrected on average; the rest is scatter
    scatter = (1 / 12 / expected.temporal.value / (n - 1) / n_pixels) ** 0.5
    assert found.temporal.std_error == pytest.approx(expected.temporal.std_error, rel=1e-9 + 8 * scatter + slack)


CASES = {
    **{f"{n} frames": dark_frames(n) for n in (1, 2, 3, 7, 14, 15)},
    "steps of 16 adu": dark_frames(14, lattice=16, sigma=48.0),
    "drift of 3000 adu": dark_frames(6, drift=3000.0, level=20_000.0),
    "near zero": dark_frames(5, level=3.0),
    "near the top": dark_frames(5, level=65_530.0),
    "one value": np.full((4, *SHAPE), 1000, dtype=np.uint16),
    "hits": with_hits(dark_frames(14)),
    "noise of 3000 adu": dark_frames(9, sigma=3000.0, level=30_000.0),
    "extremes": extremes(14),
    "extremes of 33 frames": extremes(33),
}


@pytest.mark.parametrize("frames", CASES.values(), ids=CASES.keys())
def test_the_fused_pass_says_what_the_streamed_pass_says(frames, written, both_ways):
    stack = written(frames)
    means = frames.mean(axis=(1, 2))
    if frames.max() == frames.min():
        found, _ = both_ways(lambda: difference_moments(stack, means))
        assert (found.temporal.value, found.temporal.std_error, found.composites[4].value) == (0, 0, 0)
        return
    # where pixels clip, their variance hangs together with their value
    clipped = (frames == 0).any() or (frames == 65_535).any()
    assert_same(*both_ways(lambda: difference_moments(stack, means)), slack=5e-3 if clipped else 0)


@pytest.mark.parametrize("share", [1e-4, 0.02, 0.7])
def test_excluded_pixels_leave_no_trace(share, written, both_ways):
    rng = np.random.default_rng(2)
    frames = dark_frames(7)
    excluded = rng.random(SHAPE) < share
    excluded[20:24] = True  # whole blocks
    means = frames[:, ~excluded].mean(axis=1)
    unspoiled = written(frames)
    clean, _ = both_ways(lambda: difference_moments(unspoiled, means, excluded))
    spoiled = frames.copy()
    spoiled[:, excluded] = rng.integers(0, 65536, (7, excluded.sum()))
    stack = written(spoiled, "spoiled")
    found, expected = both_ways(lambda: difference_moments(stack, spoiled.mean(axis=(1, 2)), excluded))
    assert_same(found, expected)
    assert found.frame_means == pytest.approx(clean.frame_means, rel=1e-14)
    for n, composite in clean.composites.items():
        assert found.composites[n].value == pytest.approx(composite.value, rel=1e-13)
        assert found.composites[n].std_error == pytest.approx(composite.std_error, rel=1e-6)
    assert found.temporal.value == pytest.approx(clean.temporal.value, rel=1e-12)


def test_pixels_out_of_range_are_left_out_in_the_same_pass(written, both_ways):
    frames = with_hits(dark_frames(6))
    frames[2, 7, 8], frames[4, 60, 1002], frames[1, 30:33] = 65_520, 65_535, 0
    stack = written(frames)
    found, streamed = both_ways(lambda: difference_moments(stack, saturation=65_520))
    look, looked = both_ways(lambda: levels(stack, 65_520))
    out = (frames >= 65_520).any(axis=0) | (frames == 0).any(axis=0)
    for one in (found.out_of_range, streamed.out_of_range, look.out_of_range, looked.out_of_range):
        np.testing.assert_array_equal(one, out)
    assert look.frame_means == pytest.approx(looked.frame_means, rel=1e-14)
    # the pixels left out had carried the streamed pass's frame means off, where hits are all but Gaussian
    assert_same(found, streamed, slack=5e-4)


def test_pixels_excluded_and_out_of_range_are_counted_once(written, both_ways):
    frames = dark_frames(4)
    frames[0, 5, :10] = 65_535
    excluded = np.zeros(SHAPE, dtype=bool)
    excluded[5, 5:15] = True
    stack = written(frames)
    found, expected = both_ways(lambda: difference_moments(stack, None, excluded, saturation=60_000.5))
    assert_same(found, expected)
    assert found.n_excluded == 15
    assert found.out_of_range.sum() == 10


def test_a_camera_without_saturation_loses_no_bright_pixel(written, both_ways):
    frames = dark_frames(3)
    frames[:, 4, 5] = 65_535
    stack = written(frames)
    look, _ = both_ways(lambda: levels(stack))
    assert not look.out_of_range.any()


@pytest.mark.parametrize("name", ["1 frames", "7 frames", "drift of 3000 adu", "hits", "extremes"])
def test_maps_are_those_of_the_streamed_pass(name, written, both_ways):
    frames = CASES[name]
    excluded = np.random.default_rng(4).random(SHAPE) < 0.01
    stack, means = written(frames), frames.mean(axis=(1, 2))
    found, expected = both_ways(lambda: difference_moments(stack, means, excluded, maps=True))
    assert_same(found, expected)
    np.testing.assert_allclose(found.mean_map, expected.mean_map, rtol=2e-7)
    # the mean of what float32 squares of the values above the first frame's leave
    deviation = frames.astype(float) - means[:, None, None]
    scale = ((deviation - deviation[0]) ** 2).sum(axis=0) / max(len(frames) - 1, 1)
    assert (np.abs(found.variance_map - expected.variance_map) <= 1e-6 * scale + 1e-30).all()
    assert found.variance_map.dtype == found.mean_map.dtype == np.float32


def test_threads_change_nothing(written, both_ways):
    stack = written(dark_frames(5))
    alone, _ = both_ways(lambda: difference_moments(stack, saturation=65_000, threads=1))
    together, _ = both_ways(lambda: difference_moments(stack, saturation=65_000, threads=4))
    assert alone.temporal == together.temporal
    assert alone.composites == together.composites


def test_nothing_left_is_refused_by_either_pass(written, both_ways):
    stack = written(dark_frames(3))
    everything = np.ones(SHAPE, dtype=bool)
    for ask in (
        lambda: difference_moments(stack, np.full(3, 1400.0), everything),
        lambda: difference_moments(stack, excluded=everything),
        lambda: difference_moments(stack, saturation=0),
    ):

        def refused(ask=ask):
            with pytest.raises(ValueError, match="0 pixels are left of 61183: nothing to measure"):
                ask()

        both_ways(refused)


def test_only_whole_mapped_frames_take_the_fused_pass(written, monkeypatch):
    monkeypatch.setattr(fused, "_WORTHWHILE", 0)
    stack = written(dark_frames(3))
    assert len(fused.mapped_frames(stack)) == 3
    for other in (stack[:2], stack[:, 1:], stack[:, :, ::-1], stack + np.uint16(1), stack.compute(), stack.chunk()):
        taken = fused.mapped_frames(other)
        assert taken is None or (other.chunks == stack.chunks and other.data.name == stack.data.name)
    assert fused.mapped_frames(written(dark_frames(2).astype(np.int16), "signed")) is None
    assert fused.mapped_frames(written(dark_frames(2).astype(np.float32), "real")) is None
    changed = stack.copy()
    changed[0, 0, 0] = 0
    assert fused.mapped_frames(changed) is None


def test_a_file_that_was_cut_short_is_named(written, monkeypatch, tmp_path):
    monkeypatch.setattr(fused, "_WORTHWHILE", 0)
    stack = written(dark_frames(3))
    path = tmp_path / "dark_1.fits"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(FrameError, match=r"dark_1.fits: is truncated: it was cut after its header was read"):
        difference_moments(stack)
