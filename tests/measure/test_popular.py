"""The popular dark current methods as they are computed, next to a plain transcription; the corrected form is right."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.measure.popular import (
    central_third,
    recommended_pair,
    script_choice,
    two_exposure_difference,
    two_exposure_ratio,
)
from workbench.stack.variance import difference_moments, levels

GAIN = number(0.5, 0.0)
EXPOSURES = (30.0, 300.0)


def frame_of(rng, electrons, shape, gain=0.5, read_noise=1.5, offset=1000.0):
    lam = np.broadcast_to(electrons, shape)
    return offset + (rng.poisson(lam) + rng.normal(0, read_noise, shape)) / gain


def trio(rng, current, shape=(300, 420), **rest):
    """Bias and the darks of 30 and 300 s of one camera [adu]."""
    return [frame_of(rng, current * t, shape, **rest) for t in (0.0, *EXPOSURES)]


def whole(shape):
    return slice(0, shape[0]), slice(0, shape[1])


def stack_of(rng, electrons, n_frames, shape=(40, 40), **rest):
    frames = [frame_of(rng, electrons, shape, **rest) for _ in range(n_frames)]
    return xr.DataArray(np.stack(frames), dims=("frame", "y", "x"))


def moments_of(stack):
    return difference_moments(stack, levels(stack).frame_means)


def transcription(b1, d1, d2, t1, t2, g):
    """BasicCCDParameters 0.3.3, method 2, line by line: statistics over the central third, h1, h2, and so on."""
    height, width = b1.shape
    xw, yw = width // 3 - width // 3 % 4, height // 3 - height // 3 % 4
    cut = np.s_[yw : 2 * yw, xw : 2 * xw]
    sigma_b, sigma_1, sigma_2 = (np.std(one[cut], ddof=1) for one in (b1, d1, d2))
    h1 = np.sqrt(sigma_1**2 - sigma_b**2)
    h2 = np.sqrt(sigma_2**2 - sigma_b**2)
    return g * (h2 / h1) ** 2 / (t2 - t1)


@pytest.mark.parametrize("shape", [(300, 420), (301, 421), (47, 1000)])
def test_the_ratio_is_that_of_the_script(shape):
    rng = np.random.default_rng(1)
    current = rng.lognormal(np.log(0.1), 0.5, shape)
    frames = trio(rng, current, shape)
    found = two_exposure_ratio(*frames, EXPOSURES, GAIN)
    assert found.value.nominal_value == pytest.approx(transcription(*frames, *EXPOSURES, 0.5), rel=1e-12)
    shown = found.measurement()
    assert (shown.name, shown.unit, shown.method) == ("dark_current", "electron / s", "two_exposure_ratio")
    assert shown.notes[0].startswith("no measurement: a ratio of variances")


def test_the_ratio_is_that_of_the_script_for_frames_of_whole_numbers():
    rng = np.random.default_rng(2)
    frames = [np.rint(one).astype(np.uint16) for one in trio(rng, 0.5)]
    found = two_exposure_ratio(*frames, EXPOSURES, GAIN)
    plain = transcription(*(one.astype(float) for one in frames), *EXPOSURES, 0.5)
    assert found.value.nominal_value == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("gain", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("current", [0.003, 0.03, 0.3, 3.0])
def test_over_three_decades_the_ratio_returns_the_same_number(current, gain):
    shape = (600, 600)
    frames = trio(np.random.default_rng(3), current, shape, gain=gain, read_noise=0.5)
    k = number(gain, 0.0)
    found = two_exposure_ratio(*frames, EXPOSURES, k, area=whole(shape))
    assert found.whatever.nominal_value == pytest.approx(0.037037 * gain, rel=1e-4)
    assert found.value.std_dev < 0.05 * found.whatever.nominal_value
    assert abs((found.value - found.whatever).nominal_value) < 4 * found.value.std_dev


@pytest.mark.parametrize("current", [0.003, 0.03, 0.3, 3.0])
def test_where_fixed_pattern_dominates_the_ratio_returns_ten_times_that(current):
    rng = np.random.default_rng(4)
    shape = (400, 400)
    hot = np.where(rng.random(shape) < 0.01, 3e4, 1.0) * current
    found = two_exposure_ratio(*trio(rng, hot, shape), EXPOSURES, GAIN, area=whole(shape))
    assert found.pattern_limit.nominal_value == pytest.approx(0.37037 * 0.5, rel=1e-4)
    assert found.value.nominal_value == pytest.approx(found.pattern_limit.nominal_value, rel=0.01)


def test_the_error_of_the_ratio_is_its_scatter_over_cameras():
    rng = np.random.default_rng(5)
    shape, trials = (72, 72), 250
    pulls = []
    for _ in range(trials):
        offset = 1000 + rng.normal(0, 8, shape)  # a pattern larger than the noise: common to all three frames
        frames = trio(rng, rng.gamma(4.0, 0.05, shape), shape, offset=offset)
        found = two_exposure_ratio(*frames, EXPOSURES, GAIN, area=whole(shape))
        # gamma of shape 4: mean 0.2, variance 0.01 (electron/s)^2
        truth = (0.2 * 300 + 0.01 * 300**2) / (0.2 * 30 + 0.01 * 30**2)
        pulls.append((found.ratio - truth) / found.ratio_error)
    assert abs(np.mean(pulls)) < 4.5 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4.5 / (2 * trials) ** 0.5)


def test_the_error_of_the_gain_enters_once():
    frames = trio(np.random.default_rng(6), 0.3)
    sure = two_exposure_ratio(*frames, EXPOSURES, GAIN)
    unsure = two_exposure_ratio(*frames, EXPOSURES, number(0.5, 0.05))
    both = np.hypot(sure.value.std_dev, 0.1 * sure.value.nominal_value)
    assert unsure.value.std_dev == pytest.approx(both, rel=1e-6)


def test_what_the_script_cannot_show_is_said_in_words():
    rng = np.random.default_rng(7)
    bias, short, long = trio(rng, 0.3)
    noisy = bias + rng.normal(0, 50, bias.shape)
    with pytest.raises(NotMeasurableError, match=r"shows NaN: its dark of 30 s scatters no more than its bias"):
        two_exposure_ratio(noisy, short, long, EXPOSURES, GAIN)
    with pytest.raises(NotMeasurableError, match=r"shows NaN: its dark of 300 s scatters no more"):
        two_exposure_ratio(bias, short, bias - (bias - bias.mean()) * 0.1, EXPOSURES, GAIN)
    with pytest.raises(NotMeasurableError, match=r"\(30 s\) is not longer than the first \(300 s\), the script shows"):
        two_exposure_ratio(bias, long, short, (300.0, 30.0), GAIN)
    with pytest.raises(NotMeasurableError, match="11 x 200 pixels have no central third"):
        central_third((11, 200))


def test_a_first_dark_hardly_above_the_bias_is_named():
    frames = trio(np.random.default_rng(8), 0.006, read_noise=2.0)
    assert "standard errors above the bias only" in two_exposure_ratio(*frames, EXPOSURES, GAIN).notes[1]
    assert len(two_exposure_ratio(*trio(np.random.default_rng(8), 0.3), EXPOSURES, GAIN).notes) == 1


def test_the_script_takes_the_mean_of_a_camera_with_much_dark_current_and_the_ratio_of_others():
    rng = np.random.default_rng(9)
    frames = trio(rng, 3.0)
    shown = script_choice(*frames, EXPOSURES, GAIN, frame_sigma=0.1)
    cut = central_third(frames[0].shape)
    plain = 0.5 * (frames[1][cut].mean() - frames[0][cut].mean()) / 30
    assert shown.method == "mean_difference"
    assert shown.value == pytest.approx(plain)
    assert shown.std_error == pytest.approx(0.5 * 0.1 * 2**0.5 / 30)
    assert shown.value == pytest.approx(3.0, abs=0.02)
    clamped = [frame - (frame.mean() - 1000) for frame in frames]
    assert script_choice(*clamped, EXPOSURES, GAIN, frame_sigma=0.1).method == "two_exposure_ratio"
    with pytest.raises(NotMeasurableError, match="there is no second dark: the script shows ---"):
        script_choice(clamped[0], clamped[1], None, (30.0,), GAIN, frame_sigma=0.1)


@pytest.mark.parametrize(("n_frames", "gain"), [(2, 0.05), (6, 0.5), (6, 5.0)])
def test_the_difference_finds_the_truth_with_honest_errors(n_frames, gain):
    rng = np.random.default_rng(10)
    trials, k = 150, number(gain, 0.0)
    current = rng.lognormal(np.log(0.05), 0.6, (40, 40))
    pulls = []
    for _ in range(trials):
        clamp = rng.normal(0, 3)  # whatever is subtracted
        short, long = (
            moments_of(stack_of(rng, current * t, n_frames, gain=gain, offset=1000 - clamp * t)) for t in EXPOSURES
        )
        found = two_exposure_difference(short, long, EXPOSURES, k).in_electrons(k)
        pulls.append((found.nominal_value - current.mean()) / found.std_dev)
    assert abs(np.mean(pulls)) < 4.5 / trials**0.5
    assert np.std(pulls) == pytest.approx(1, abs=4.5 / (2 * trials) ** 0.5)


def test_the_difference_says_what_it_cannot_test():
    rng = np.random.default_rng(11)
    short, long = (moments_of(stack_of(rng, 0.05 * t, 4)) for t in EXPOSURES)
    rate = two_exposure_difference(short, long, EXPOSURES)
    assert (rate.method, rate.power, rate.n_frames) == ("two_exposure_difference", 2, 8)
    assert rate.notes[-1] == "two exposures: nothing tests that the variance grows in proportion"
    with pytest.raises(NotMeasurableError, match=r"\(30 s\) is not longer than the first \(300 s\)"):
        two_exposure_difference(long, short, EXPOSURES[::-1])
    with pytest.raises(NotMeasurableError, match="needs a pair"):
        two_exposure_difference(moments_of(stack_of(rng, 1.0, 1)), long, EXPOSURES)


def test_the_recommended_pair_is_ten_to_one_and_long():
    assert recommended_pair([30, 300]) == (30, 300)
    assert recommended_pair([0.0, 0.1, 1, 5, 10, 30, 50, 70, 85, 100]) == (10, 100)
    assert recommended_pair([100, 400, 100]) == (100, 400)
    assert recommended_pair([10.05, 30, 60, 100, 599]) == (60, 599)
    with pytest.raises(NotMeasurableError, match="one exposure; shoot a second of 10 times"):
        recommended_pair([60, 60])
