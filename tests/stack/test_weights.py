"""Weights of frames: by hand, by what makes a mean least noisy, and by what is refused."""

import numpy as np
import pytest

from workbench.errors import InputError
from workbench.stack.frame_statistics import FrameStatistics
from workbench.stack.normalisation import coefficients
from workbench.stack.weights import frame_weights

FILES = ("a.fits", "b.fits", "c.fits")


def told(noise, scale=(1, 1, 1)):
    return FrameStatistics(FILES, np.full(3, 100.0), np.array(scale, float), None if noise is None else np.array(noise))


def test_weights_are_as_worked_by_hand():
    assert frame_weights("none", 3).tolist() == [1, 1, 1]
    assert frame_weights("exposure", 3, exposures=[10, 20, 60]) == pytest.approx([1 / 3, 2 / 3, 2])
    assert frame_weights((1, 1, 4), 3) == pytest.approx([0.5, 0.5, 2])
    # 1 / 4, 1 / 16, 1 / 1 have the mean 7 / 16
    assert frame_weights("noise", 3, statistics=told([2.0, 4.0, 1.0])) == pytest.approx([4 / 7, 1 / 7, 16 / 7])


def test_noise_is_that_of_what_is_averaged():
    statistics = told([2.0, 4.0, 1.0], scale=[10, 5, 20])
    factors = coefficients(statistics, "additive_scaling").factor  # 1, 2, 1/2: the noise becomes 2, 8, 1/2
    found = frame_weights("noise", 3, statistics=statistics, factors=factors)
    assert found / found[0] == pytest.approx([1, 1 / 16, 16])


def test_weights_by_noise_make_the_least_noisy_mean():
    noise = np.array([3.0, 5.0, 10.0])
    best = frame_weights("noise", 3, statistics=told(noise))

    def variance(weights):
        return (weights**2 @ noise**2) / weights.sum() ** 2

    assert variance(best) == pytest.approx(1 / (1 / noise**2).sum())
    for change in np.random.default_rng(1).normal(0, 0.05, (50, 3)):
        assert variance(best + change) >= variance(best)


def test_the_mean_of_weights_is_one_however_large_or_small_the_numbers():
    for scale in (1e-200, 1.0, 1e200):
        assert frame_weights("noise", 3, statistics=told(scale * np.array([1.0, 2, 3]))).mean() == pytest.approx(1)


def test_a_frame_may_have_no_weight():
    assert frame_weights([0, 1, 1], 3).tolist() == [0, 1.5, 1.5]


@pytest.mark.parametrize(
    ("weights", "known", "message"),
    [
        (
            "exposure",
            {"files": FILES, "exposures": [10, np.nan, 3]},
            "b.fits: its exposure time is not known, which cannot weigh it; leave the frame out, or weigh otherwise",
        ),
        (
            "exposure",
            {"files": FILES, "exposures": [10, 3, 0]},
            "c.fits: its exposure time is 0 s, which cannot weigh it; leave the frame out, or weigh otherwise",
        ),
        (
            "exposure",
            {},
            "frame 1: its exposure time is not known, which cannot weigh it; leave the frame out, or weigh otherwise",
        ),
        (
            "noise",
            {"statistics": told([1.0, 0.0, 1.0])},
            "b.fits: its noise is 0 adu, which cannot weigh it; leave the frame out, or weigh otherwise",
        ),
        (
            (1, 2),
            {},
            "weights: 2 numbers were given for 3 frames; give one number a frame, in the order of the frames",
        ),
        ((1, -2, 3), {}, "weights: that of frame 2 is -2; give finite numbers, none negative"),
        ((1, 2, np.inf), {}, "weights: that of frame 3 is inf; give finite numbers, none negative"),
        ((0, 0, 0), {}, "weights: all are zero; give at least one frame a weight above zero"),
        ("exposures", {}, "weights: 'exposures' is none; did you mean 'exposure'?"),
        ("snr", {}, "weights: 'snr' is none; take one of none, exposure, noise, or give a number a frame"),
    ],
)
def test_what_cannot_weigh_is_refused(weights, known, message):
    with pytest.raises(InputError) as caught:
        frame_weights(weights, 3, **known)
    assert str(caught.value) == message


def test_weights_by_noise_without_the_noise_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="frame statistics with the noise"):
        frame_weights("noise", 3, statistics=told(None))
