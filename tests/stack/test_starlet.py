"""The starlet transform: against SciPy's convolution, and its noise against simulated noise."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from workbench.stack.starlet import KERNEL, layer_noise, least_side, smoothed, starlet


@pytest.mark.parametrize("shape", [(17, 17), (17, 40), (60, 33), (101, 64)])
def test_layers_are_those_of_plain_convolution(shape):
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    layers = starlet(image, 4)
    rest = image.astype(float)
    for layer in range(4):
        taps = np.zeros(4 * 2**layer + 1)
        taps[:: 2**layer] = KERNEL
        smooth = correlate1d(correlate1d(rest, taps, 0, mode="mirror"), taps, 1, mode="mirror")
        assert np.allclose(layers[layer], rest - smooth, atol=2e-6)
        rest = smooth
    assert np.allclose(layers[4], rest, atol=2e-6)
    assert np.allclose(layers.sum(axis=0), image, atol=2e-6)


def test_a_constant_has_no_detail():
    layers = starlet(np.full((40, 50), 1000.0), 4)
    assert np.all(layers[:4] == 0)
    assert np.all(layers[4] == 1000)


def test_the_noise_of_layers_is_that_of_simulated_noise():
    rng, found = np.random.default_rng(2), []
    for _ in range(12):
        layers = starlet(rng.standard_normal((512, 512)), 5)[:5, 96:-96, 96:-96]  # away from the mirrored borders
        found.append(layers.std(axis=(1, 2)))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(12)
    for layer in range(5):
        assert abs(mean[layer] - layer_noise(layer)) < 4 * error[layer]


def test_the_noise_of_layers_is_what_others_tabulate():
    table = [0.8907, 0.2007, 0.0856, 0.0413, 0.0205, 0.0103]  # PixInsight's, to four digits
    for layer, value in enumerate(table):
        assert layer_noise(layer) == pytest.approx(value, abs=1.5e-4)


def test_an_image_too_small_for_its_mirror_is_refused():
    assert least_side(1) == 3
    smoothed(np.zeros((3, 3), np.float32), 0)
    with pytest.raises(ValueError, match="layer 1 of an image of 4 x 9 pixels"):
        smoothed(np.zeros((4, 9), np.float32), 1)
