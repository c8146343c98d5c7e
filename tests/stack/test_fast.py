"""The fast path keeps what the literal loop keeps, whatever stands in the frames, and combines it exactly."""

import itertools
import math

import numpy as np
import pytest

from workbench.stack import fast
from workbench.stack.fast import fast_planes, takes
from workbench.stack.planes import ALL_REJECTED, Planes, count_type, standard_error_factors
from workbench.stack.rejection import (
    HIGH,
    LOW,
    AveragedSigmaClip,
    GeneralisedESD,
    LinearFit,
    MADClip,
    MinMax,
    NoRejection,
    Percentile,
    SigmaClip,
    WinsorizedSigmaClip,
    loop_of,
)
from workbench.stack.sorting_network import sorting_network

OTHERS = [
    MinMax(1, 2),
    MinMax(3, 3),
    Percentile(0.02, 0.01),
    SigmaClip(2, 1.5),
    WinsorizedSigmaClip(4, 3, cutoff=5),
    AveragedSigmaClip(2, 1.5),
    LinearFit(5, 2.5),
    GeneralisedESD(0.3, 0.05),
    MADClip(4, 3),
]
LIMITS = [(4, 3), (3, 3), (1.5, 1.5), (2.5, 1), (math.inf, 3), (2, math.inf), (0.6, 0.9), (0, 0), (1e3, 1e-3)]


def big_endian(frames):
    """As a FITS file with BZERO 32768 stores them."""
    return (frames ^ np.uint16(0x8000)).astype(">u2").view(">i2")


def to_values(numbers):
    return np.rint(numbers).clip(0, 65535).astype(np.uint16)


def nasty(n, size, rng):
    """Stacks of n frames that darks are not, and some that they are, ``size`` pixels of each kind: (frame, pixel)."""

    def normal(sigma, level=1400):
        return rng.normal(level, sigma, (n, size))

    hits = np.where(rng.random((n, size)) < 0.1, rng.exponential(5000, (n, size)), 0)
    level = rng.integers(0, 65536, size)
    step = rng.choice([1, 2, 16, 30_000], size)
    chance = rng.random(size)
    kinds = [
        normal(12) + hits,
        normal(0.4),
        normal(20, 65_520),  # saturated
        normal(20, 3) * rng.choice([1, 100], (n, size)),
        normal(10) // 16 * 16,
        normal(3) + 40 * (rng.random((n, size)) < 0.5),  # a telegraph pixel
        np.broadcast_to(level, (n, size)),
        level + step * (rng.random((n, size)) < chance),  # two values, in any share
        level + step * rng.integers(-1, 2, (n, size)) * (rng.random((n, size)) < chance),
        rng.integers(0, 65536, (n, size)),
        rng.standard_cauchy((n, size)) * 10 + 30_000,
        rng.geometric(0.3, (n, size)),
        np.arange(n)[:, None] * rng.integers(1, 300, size),
        np.where(np.arange(n)[:, None] < 1, 65535 * (level & 1), level),  # one value off
    ]
    frames = np.concatenate([to_values(kind) for kind in kinds], axis=1)
    return rng.permuted(frames, axis=0)


def literal(frames, rejection):
    """What the loop in float64 makes of the samples of each pixel, in the order of the frames: (frame, pixel)."""
    n, size = frames.shape
    order = np.argsort(frames, axis=0, kind="stable")
    columns = np.ascontiguousarray(np.take_along_axis(frames, order, axis=0).T, dtype=np.float64)
    found = np.empty((size, n), dtype=np.uint8)
    loop, parameters = loop_of(rejection, n)
    loop(columns, np.full(size, n), parameters, found)
    states = np.empty((n, size), dtype=np.uint8)
    np.put_along_axis(states, order, found.T, axis=0)
    return states


def assert_states(planes, states):
    np.testing.assert_array_equal(planes.rejected_low, (states == LOW).sum(axis=0))
    np.testing.assert_array_equal(planes.rejected_high, (states == HIGH).sum(axis=0))
    np.testing.assert_array_equal(planes.n_kept, (states == 0).sum(axis=0))
    expected = [np.full(len(states), states.shape[1]), (states == LOW).sum(axis=1), (states == HIGH).sum(axis=1)]
    np.testing.assert_array_equal(planes.frames, expected)


def assert_same(one, two):
    for name, plane in vars(one).items():
        np.testing.assert_array_equal(plane, getattr(two, name), err_msg=name)


@pytest.fixture
def handed_over(monkeypatch):
    """Count the pixels that are left to the literal loop."""
    counted = []
    tiles, reject = fast._TILES, fast._reject

    def spy_on_tiles(job):
        counted.append(tiles(job))

    def spy_on_loops(stored, *how):
        counted.append(stored.shape[1])
        reject(stored, *how)

    monkeypatch.setattr(fast, "_TILES", spy_on_tiles)
    monkeypatch.setattr(fast, "_reject", spy_on_loops)
    return counted


def test_winsorized_clipping_keeps_what_the_literal_loop_keeps_of_280_000_nasty_pixels(handed_over):
    rng = np.random.default_rng(20)
    size = 0
    for n, (low, high) in zip(range(1, 201), itertools.cycle(LIMITS[:7])):
        frames = nasty(n, 100, rng)
        rejection = WinsorizedSigmaClip(low, high)
        planes = fast_planes(big_endian(frames), rejection)
        states = literal(frames, rejection)
        assert_states(planes, states)
        kept = np.where(states == 0, frames, 0).sum(axis=0) / (states == 0).sum(axis=0)
        np.testing.assert_array_equal(planes.signal, kept.astype(np.float32))
        size += frames.shape[1]
    assert size == 280_000
    assert 0 < sum(handed_over) < 0.02 * size  # else the bound is not what is tested here


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("n", [3, 4, 5, 10, 20, 47])
def test_winsorized_clipping_agrees_at_any_limits(n, limits):
    frames = nasty(n, 60, np.random.default_rng(n))
    rejection = WinsorizedSigmaClip(*limits)
    assert_states(fast_planes(big_endian(frames), rejection), literal(frames, rejection))


def test_values_at_the_very_limit_are_left_to_the_literal_loop(handed_over):
    rng = np.random.default_rng(5)
    frames = to_values(rng.normal(1000, 30, (12, 4000)))
    for pixel in range(0, 4000, 100):  # the limit at which this pixel's highest value is rejected, to the last bits
        column = np.sort(frames[:, pixel]).astype(float)
        low, high = 0.0, 50.0
        while np.nextafter(low, high) < high:
            middle = (low + high) / 2
            rejected = (literal(frames[:, pixel : pixel + 1], WinsorizedSigmaClip(math.inf, middle)) == HIGH).any()
            low, high = (middle, high) if rejected else (low, middle)
        assert column[-1] > np.median(column)
        for limit in (low, high):
            rejection = WinsorizedSigmaClip(math.inf, limit)
            handed_over.clear()
            planes = fast_planes(big_endian(frames[:, pixel : pixel + 1]), rejection)
            assert_states(planes, literal(frames[:, pixel : pixel + 1], rejection))
            assert handed_over == [1]


def test_hardly_a_pixel_of_a_dark_is_left_to_the_literal_loop(handed_over):
    frames = to_values(np.random.default_rng(1).normal(1400, 12, (20, 200_000)))
    planes = fast_planes(big_endian(frames), WinsorizedSigmaClip())
    assert handed_over[0] < 20
    assert (planes.n_kept < 20).mean() == pytest.approx(0.06, abs=0.02)  # and many lose something


@pytest.mark.parametrize("rejection", OTHERS, ids=lambda one: one.words)
@pytest.mark.parametrize("n", [1, 2, 3, 6, 20, 61])
def test_other_methods_keep_what_their_loops_keep(n, rejection, handed_over):
    frames = nasty(n, 40, np.random.default_rng(n))
    planes = fast_planes(big_endian(frames), rejection)
    assert_states(planes, literal(frames, rejection))
    assert handed_over == [frames.shape[1]]  # screening is proven for one rule alone


def expected_of(frames, states, method):
    """Signal and standard error in float64, one pixel after another."""
    n = len(frames)
    factors = standard_error_factors(method, n)
    for column, state in zip(frames.T.astype(float), states.T, strict=True):
        kept = column[state == 0]
        if not kept.size:
            yield np.median(column) * (n if method == "sum" else 1), np.nan, ALL_REJECTED
            continue
        mean = kept.sum() / kept.size
        value = mean if method == "mean" else mean * n if method == "sum" else getattr(np, method)(kept)
        error = kept.std(ddof=1) * factors[kept.size] if kept.size > 1 and factors.size else np.nan
        yield value, error, 0


@pytest.mark.parametrize("method", ["mean", "median", "sum", "min", "max"])
@pytest.mark.parametrize("n", [1, 2, 7, 20])
@pytest.mark.parametrize(
    "rejection", [NoRejection(), WinsorizedSigmaClip(), MinMax(2, 1), SigmaClip(2, 2)], ids=lambda one: one.name
)
def test_what_is_kept_is_combined_by_any_method(rejection, n, method):
    frames = nasty(n, 11, np.random.default_rng(n))
    planes = fast_planes(big_endian(frames), rejection, method=method)
    states = literal(frames, rejection)
    assert_states(planes, states)
    value, error, flags = np.array(list(expected_of(frames, states, method))).T
    np.testing.assert_allclose(planes.signal, value.astype(np.float32), rtol=1.2e-7)
    np.testing.assert_array_equal(planes.flags, flags)
    if method in ("min", "max"):
        assert planes.std_error is None
    else:
        np.testing.assert_allclose(planes.std_error, error, rtol=2e-7, atol=1e-12)


def test_without_maps_there_is_the_signal_and_what_became_of_frames():
    frames = nasty(20, 50, np.random.default_rng(2))
    alone = fast_planes(big_endian(frames), WinsorizedSigmaClip(), maps=False)
    whole = fast_planes(big_endian(frames), WinsorizedSigmaClip())
    np.testing.assert_array_equal(alone.signal, whole.signal)
    np.testing.assert_array_equal(alone.frames, whole.frames)
    assert [name for name, plane in vars(alone).items() if plane is None] == [
        "std_error",
        "n_kept",
        "rejected_low",
        "rejected_high",
        "flags",
    ]
    assert whole.n_kept.dtype == whole.rejected_low.dtype == whole.rejected_high.dtype == np.uint8


def test_more_frames_than_a_byte_counts():
    frames = nasty(300, 20, np.random.default_rng(3))
    planes = fast_planes(big_endian(frames), WinsorizedSigmaClip(2, 2))
    assert_states(planes, literal(frames, WinsorizedSigmaClip(2, 2)))
    assert planes.n_kept.dtype == count_type(300) == np.uint16


@pytest.mark.parametrize(
    "rejection", [WinsorizedSigmaClip(3, 2), SigmaClip(2, 2), NoRejection()], ids=lambda one: one.name
)
def test_any_cut_into_runs_gives_the_same(rejection):
    frames = nasty(20, 50, np.random.default_rng(4))
    stored = big_endian(frames)
    whole = fast_planes(stored, rejection)
    for edges in ([0, 1, 700], [0, 128, 256, 700], [0, 333, 334, 699, 700]):
        parts = [fast_planes(stored[:, start:stop], rejection) for start, stop in itertools.pairwise(edges)]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(whole) if name != "frames"
        }
        assert_same(whole, Planes(**joined, frames=np.sum([part.frames for part in parts], axis=0)))


def test_native_values_give_the_same_and_nothing_is_changed():
    frames = nasty(9, 50, np.random.default_rng(6))
    before = frames.copy()
    frames.flags.writeable = False
    for rejection in (WinsorizedSigmaClip(2, 2), MinMax()):
        assert_same(fast_planes(frames, rejection), fast_planes(big_endian(frames), rejection))
    np.testing.assert_array_equal(frames, before)


def test_of_equal_values_the_earlier_frame_is_the_lower():
    frames = np.array([[7], [3], [3], [9], [9], [5]], dtype=np.uint16)
    planes = fast_planes(frames, MinMax(1, 1))
    np.testing.assert_array_equal(planes.frames[1:], [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]])


def test_a_pixel_all_of_whose_samples_are_rejected_gets_the_median_and_a_flag():
    frames = np.array([[10, 1], [20, 2], [40, 4], [60, 7]], dtype=np.uint16)
    planes = fast_planes(frames, MinMax(2, 2))
    np.testing.assert_array_equal(planes.signal, [30, 3])
    np.testing.assert_array_equal(planes.flags, ALL_REJECTED)
    np.testing.assert_array_equal(planes.n_kept, 0)
    assert np.isnan(planes.std_error).all()
    np.testing.assert_array_equal(fast_planes(frames, MinMax(2, 2), method="sum").signal, [120, 12])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((3, 4), np.int16), "3 frames of int16: only 1 to 16384 frames of 16-bit integers are taken"),
        (np.zeros((3, 4)), "3 frames of float64: only"),
        (np.zeros((16_385, 1), np.uint16), "16385 frames of uint16: only"),
        (np.zeros((3, 8), np.uint16)[:, ::2], "the pixels of a frame are not next to each other in memory"),
    ],
)
def test_values_that_it_does_not_take_are_refused(frames, message):
    with pytest.raises(ValueError, match=message):
        fast_planes(frames, NoRejection())


def test_it_takes_as_many_frames_as_its_integers_hold():
    assert [takes(n) for n in (0, 1, 16_384, 16_385)] == [False, True, True, False]
    frames = np.zeros((16_384, 3), dtype=np.uint16)
    frames[::2] = 65_535
    frames[:, 1] = 65_535
    frames[:, 2] = 0
    frames[0, 2] = 65_535  # an s that shrinks to nothing keeps all
    planes = fast_planes(frames, WinsorizedSigmaClip())
    np.testing.assert_array_equal(planes.signal, np.float32([32767.5, 65535, 65535 / 16384]))


@pytest.mark.parametrize("n", range(1, 13))
def test_the_network_sorts_every_pattern_of_zeros_and_ones(n):
    values = (np.arange(2**n) >> np.arange(n)[:, None]) & 1  # what sorts these sorts anything (Knuth, 5.3.4)
    for low, high in sorting_network(n):
        assert low < high
        values[low], values[high] = np.minimum(values[low], values[high]), np.maximum(values[low], values[high])
    assert (np.diff(values, axis=0) >= 0).all()


@pytest.mark.parametrize(("n", "exchanges"), [(20, 97), (200, 2827)])
def test_the_network_of_many_frames_sorts_in_few_exchanges(n, exchanges):
    network = sorting_network(n)
    values = np.random.default_rng(n).integers(0, 2, (n, 5000))
    for low, high in network:
        values[low], values[high] = np.minimum(values[low], values[high]), np.maximum(values[low], values[high])
    assert (np.diff(values, axis=0) >= 0).all()
    assert len(network) == exchanges
