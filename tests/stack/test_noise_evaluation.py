"""Noise of single images: white noise of known sigma, alone and among stars, gradients, holes and filters."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from workbench.errors import NotMeasurableError
from workbench.stack import noise_evaluation
from workbench.stack.noise_evaluation import k_sigma_noise, mrs_noise

SIGMA = 10.0
EVALUATIONS = {"k_sigma": k_sigma_noise, "mrs": mrs_noise}
both = pytest.mark.parametrize("method", EVALUATIONS)


def white(seed, shape=(256, 256)):
    return SIGMA * np.random.default_rng(seed).standard_normal(shape)


def stars(seed, number, side=256):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side))
    flux = 20_000 * rng.pareto(1.2, number) + 200
    for row, column, total in zip(*rng.uniform(0, side, (2, number)), flux, strict=True):
        image += total / (4.5 * math.pi) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 4.5)
    return image


def gradient(side=256):
    y, x = np.mgrid[:side, :side]
    return 1000 + 3.0 * x + 2.0 * y


@both
def test_stated_errors_are_the_scatter_about_the_true_noise(method):
    n = 300
    found = [EVALUATIONS[method](white(seed, (128, 128))) for seed in range(n)]
    assert {one.method for one in found} == {method}
    pulls = np.array([(one.sigma - SIGMA) / one.std_error for one in found])
    assert abs(pulls.mean()) < 4 / math.sqrt(n)
    assert pulls.std(ddof=1) == pytest.approx(1, abs=4 / math.sqrt(2 * n))


def test_what_clipping_leaves_of_gaussian_noise_is_where_it_stands_still():
    left = 1.0
    for _ in range(50):
        limit = 3 * left
        left = math.sqrt(1 - 2 * limit * norm.pdf(limit) / (2 * norm.cdf(limit) - 1))
    assert left == pytest.approx(noise_evaluation._K_SIGMA_LEFT, abs=1e-6)


@pytest.mark.parametrize("layers", [4, 3, 2])
def test_what_multiresolution_support_leaves_of_noise_is_found_again_by_simulation(layers):
    found = []
    for seed in range(12):
        prepared = noise_evaluation.prepared_image(white(seed, (512, 512)), None, (-math.inf, math.inf), bayer=False)
        found.append(noise_evaluation._mrs(prepared, layers, SIGMA).sigma)
    error = np.std(found, ddof=1) / math.sqrt(12)
    assert abs(np.mean(found) - SIGMA) < 4 * error + 3e-4 * SIGMA  # borders, which are mirrored, take that much off


@both
def test_a_gradient_adds_no_noise(method):
    found = EVALUATIONS[method](gradient() + white(3))
    assert found.sigma == pytest.approx(SIGMA, abs=4 * found.std_error)


def test_stars_mislead_clipping_and_not_multiresolution_support():
    image = gradient() + stars(4, 100) + white(5)
    support, clipped = mrs_noise(image), k_sigma_noise(image)
    assert np.std(image) > 20 * SIGMA
    assert support.method == "mrs"
    assert support.sigma == pytest.approx(SIGMA, abs=4 * support.std_error)
    assert clipped.sigma > 1.03 * SIGMA
    assert support.share < clipped.share < 1


@both
def test_whole_numbers_have_the_noise_of_their_rounding(method):
    image = np.rint(30_000 + white(6) / 5).astype(np.uint16)
    found = EVALUATIONS[method](image)
    assert found.sigma == pytest.approx(math.sqrt(4 + 1 / 12), abs=4 * found.std_error)


@both
def test_a_high_level_and_a_change_of_unit_leave_the_noise_as_it_is(method):
    image, evaluate = white(7), EVALUATIONS[method]
    sigma = evaluate(image).sigma
    assert evaluate(image + 1e7).sigma == pytest.approx(sigma, rel=1e-5)
    assert evaluate((image / 65535).astype(np.float32)).sigma == pytest.approx(sigma / 65535, rel=1e-5)


@both
def test_pixels_without_a_value_are_left_out(method):
    image, evaluate = white(8), EVALUATIONS[method]
    holes = np.random.default_rng(9).random(image.shape) < 0.02
    holes[40:90, 100:130] = True  # wider than any kernel of a layer
    hot = np.where(holes, 60_000, image)
    masked = evaluate(hot, mask=holes)
    assert masked.sigma == pytest.approx(SIGMA, abs=4 * masked.std_error)
    assert masked.share > 0.97
    assert evaluate(np.where(holes, np.nan, image)) == masked
    assert evaluate(np.where(holes, -np.inf, image)) == masked


@both
def test_pixels_beyond_the_limits_do_not_count(method):
    image = 1000 + white(10)
    image[:100] = 0.0  # a part that is clipped has no noise
    image[:100][::7, ::9] = 3.0
    found = EVALUATIONS[method](image, low=100, high=2000)
    assert found.sigma == pytest.approx(SIGMA, abs=4 * found.std_error + 0.01 * SIGMA)  # its edge is seen by the rest
    assert EVALUATIONS[method](image).sigma < 0.9 * SIGMA


@both
def test_filters_before_the_pixels_are_averaged_over(method):
    rng = np.random.default_rng(11)
    level = np.tile([[500.0, 1000.0], [1000.0, 700.0]], (150, 150))
    sigma = np.tile([[8.0, 12.0], [12.0, 9.0]], (150, 150))
    image, evaluate = level + sigma * rng.standard_normal((300, 300)), EVALUATIONS[method]
    found = evaluate(image, bayer=True)
    assert found.sigma == pytest.approx(math.sqrt((sigma**2).mean()), abs=4 * found.std_error)
    assert evaluate(image).sigma > 5 * SIGMA
    assert evaluate(image[:299, :299], bayer=True).sigma == pytest.approx(found.sigma, abs=found.std_error)


def test_an_image_that_is_all_structure_is_said_to_be_judged_by_clipping():
    y, x = np.mgrid[:256, :256]
    image = 100 * np.sin(0.9 * x) * np.sin(1.1 * y) + white(12)
    found = mrs_noise(image)
    assert (found.method, found.layers) == ("k_sigma", 1)
    assert found == k_sigma_noise(image)


def test_small_images_get_fewer_layers():
    layers = [mrs_noise(white(13, (side, 400))).layers for side in (17, 16, 9, 8, 5, 4, 3)]
    assert layers == [4, 3, 3, 2, 2, 1, 1]


@both
def test_what_cannot_be_evaluated_is_refused(method):
    evaluate = EVALUATIONS[method]
    with pytest.raises(NotMeasurableError) as caught:
        evaluate(np.full((50, 50), 7, np.uint16))
    assert caught.value.reason == (
        "the image has no noise: its finest detail is the same in nearly all of its pixels that count"
    )
    with pytest.raises(NotMeasurableError) as caught:
        evaluate(np.zeros((2, 50)))
    assert caught.value.reason == "an image of 2 x 50 pixels is too small: 3 each way are needed"
    with pytest.raises(NotMeasurableError) as caught:
        evaluate(np.zeros((5, 50)), bayer=True)
    assert caught.value.reason == "an image of 5 x 50 pixels is too small: 6 each way are needed"
    with pytest.raises(NotMeasurableError) as caught:
        evaluate(np.full((50, 50), np.nan))
    assert caught.value.reason == "0 pixels have a value between the limits: two are needed"


@both
def test_the_image_and_its_mask_are_left_as_they_were(method):
    image, mask = white(14).astype(np.float32), np.zeros((256, 256), dtype=bool)
    mask[3, 4] = True
    before = image.copy(), mask.copy()
    EVALUATIONS[method](image, mask=mask, low=-20, high=20)
    assert np.array_equal(image, before[0])
    assert np.array_equal(mask, before[1])
