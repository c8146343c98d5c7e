import numpy as np
import pytest

from workbench.frames.rawness import (
    extremes,
    histogram,
    lattice,
    noise_correlation,
    share_at_zero,
    uneven_codes,
    window_of,
)


def noise(seed, sigma=6.0, shape=(300, 400), mean=500.0):
    return np.random.default_rng(seed).normal(mean, sigma, shape)


def digitised(values, step=1):
    return (np.rint(values / step) * step).clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("step", [1, 2, 4, 16, 12])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_the_lattice_is_the_step_of_the_values(step, dtype):
    assert lattice(digitised(noise(1, 40), step).astype(dtype)) == step


def test_the_lattice_does_not_mind_where_it_starts():
    assert lattice(digitised(noise(1, 40), 16) + np.uint16(7)) == 16


def test_limits_need_not_stand_on_the_lattice():
    frame = digitised(noise(1, 40), 16)
    frame[0, :9], frame[1, :9] = 65535, 1
    assert lattice(frame) == 16


def test_pixels_without_a_value_do_not_hide_the_lattice():
    frame = digitised(noise(1, 40), 16).astype(np.float32)
    frame[3, 3] = np.nan
    assert lattice(frame) == 16


@pytest.mark.parametrize("values", [np.full(9, 7, np.uint16), noise(1), np.empty(0, np.uint16)])
def test_there_is_no_lattice_without_whole_numbers_that_differ(values):
    assert lattice(values) == 0


def test_a_histogram_counts_every_pixel():
    frame = digitised(noise(1))
    for values in (frame, frame.astype(np.int32), frame.astype(np.float64)):
        levels, counts = histogram(values)
        np.testing.assert_array_equal((levels, counts), np.unique(frame, return_counts=True))


@pytest.mark.parametrize("sigma", [2.0, 3.0, 8.0])
def test_codes_of_a_raw_frame_are_even(sigma):
    uneven, judged = uneven_codes(*histogram(digitised(noise(1, sigma, (600, 800)))))
    assert judged >= 8
    assert uneven == 0


def test_codes_stay_even_with_the_wings_of_hot_pixels():
    hot = np.random.default_rng(4).exponential(3, (600, 800)) * (np.random.default_rng(5).random((600, 800)) < 0.2)
    uneven, judged = uneven_codes(*histogram(digitised(noise(1, 2.0, (600, 800)) + hot * 5)))
    assert judged >= 8
    assert uneven == 0


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.1, 1.3, 2.3])
def test_codes_of_a_rescaled_frame_are_uneven(factor):
    rescaled = digitised(digitised(noise(1, 6, (600, 800))) * factor)
    uneven, judged = uneven_codes(*histogram(rescaled))
    assert 2 <= uneven <= judged


def test_too_few_pixels_say_nothing_of_codes():
    assert uneven_codes(*histogram(digitised(noise(1, 6, (20, 20)) * 1.3))) == (0, 0)


def test_white_noise_is_not_correlated():
    near, far, error = noise_correlation(digitised(noise(1)), digitised(noise(2)))
    assert error == pytest.approx((300 * 400) ** -0.5, rel=0.01)
    assert abs(near) < 4 * error
    assert far < 5 * error  # the largest of twelve


def with_rows(seed):
    """Add what a readout does to whole rows, even and odd columns apart, and the fixed pattern and glow of a sensor."""
    rng = np.random.default_rng(seed)
    rows = np.where(np.arange(400) % 2, rng.normal(0, 5, (300, 1)), rng.normal(0, 5, (300, 1)))
    fixed = np.random.default_rng(9).normal(0, 20, (300, 400)) + 200 * np.exp(-np.arange(400) / 50)
    return digitised(noise(seed) + rows + fixed)


def test_row_noise_fixed_pattern_and_glow_are_no_correlation():
    near, _, error = noise_correlation(with_rows(1), with_rows(2))
    assert abs(near) < 4 * error


def test_interference_is_seen_far_as_well_as_near():
    y, x = np.mgrid[:300, :400]
    first, second = (digitised(noise(seed) + 6 * np.sin(x / 1.7 + y / 1.3 + seed)) for seed in (1, 2))
    near, far, error = noise_correlation(first, second)
    assert near > 20 * error
    assert far > near


def blurred(frame, weight, distance=1):
    around = [np.roll(frame, (i, j), (0, 1)) for i in (-distance, 0, distance) for j in (-distance, 0, distance)]
    return (1 - weight) * frame + weight * np.mean(around, axis=0)


@pytest.mark.parametrize("distance", [1, 2])
def test_a_filter_correlates_neighbours(distance):
    first, second = (digitised(blurred(noise(seed), 0.3, distance)) for seed in (1, 2))
    near, far, error = noise_correlation(first, second)
    # white noise through a kernel of centre c = 1 - 8 w / 9 and eight sides s = w / 9 each, rows and columns alike
    side = 0.3 / 9
    centre = 1 - 8 * side
    expected = (2 * centre * side + 4 * side**2) / (centre**2 + 8 * side**2)
    assert near == pytest.approx(expected, abs=4 * error + 0.005)  # rounding adds 1/12 adu^2 of white noise
    assert far < 5 * error


def test_frames_too_small_for_a_correlation_give_none():
    assert noise_correlation(noise(1)[:20], noise(2)[:20]) == (0.0, 0.0, 1.0)


def test_a_frame_and_its_copy_give_no_correlation():
    frame = digitised(noise(1))
    assert noise_correlation(frame, frame.copy()) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("distance", [1, 2])
def test_noise_has_a_ninth_of_its_pixels_above_and_below_their_neighbours(distance):
    above, below = extremes(noise(1), distance)
    error = (1 / 9 / 300 / 400) ** 0.5
    assert above == pytest.approx(1 / 9, abs=4 * error)
    assert below == pytest.approx(1 / 9, abs=4 * error)


def test_a_frame_smaller_than_the_neighbourhood_has_no_extremes():
    assert extremes(noise(1)[:2], 1) == (0.0, 0.0)


def test_pixels_at_zero_are_counted_without_masked_rows_and_columns():
    frame = np.full((20, 40), 100, np.uint16)
    frame[:3], frame[:, 30:] = 0, 0
    assert share_at_zero(frame) == 0
    frame[5, :3] = 0
    assert share_at_zero(frame) == pytest.approx(3 / (17 * 30))
    assert share_at_zero(np.zeros((3, 3))) == 1


def test_the_window_is_the_middle_of_a_frame():
    frame = np.arange(600 * 700).reshape(600, 700)
    np.testing.assert_array_equal(window_of(frame), frame[44:556, 94:606])
    np.testing.assert_array_equal(window_of(frame[:10]), frame[:10, 94:606])


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_frames_are_not_changed(dtype):
    first, second = (digitised(noise(seed)).astype(dtype) for seed in (1, 2))
    before = first.copy(), second.copy()
    noise_correlation(first, second)
    extremes(first, 1)
    lattice(first)
    uneven_codes(*histogram(first))
    share_at_zero(first)
    np.testing.assert_array_equal((first, second), before)
