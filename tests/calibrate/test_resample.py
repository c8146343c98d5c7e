"""Interpolation: by hand, against an independent one, and what it does to stars and to noise."""

import numpy as np
import pytest
from star_fields import exposed, transformation

from workbench.calibrate.resample import (
    kernel_weights,
    mean_noise_factor,
    noise_correlation,
    noise_factor,
    resample,
    resample_variance,
)
from workbench.calibrate.stars import aperture_fluxes

KERNELS = ("lanczos3", "bicubic", "nearest")


def shifted(x, y):
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def by_the_rule(image, x, y, clamping):
    """Lanczos with clamping at one position, as the rule reads: contributions told by their own sign."""
    left, top = int(np.floor(x)), int(np.floor(y))
    positive = negative = above = below = 0.0
    for row in range(top - 2, top + 4):
        for column in range(left - 2, left + 4):
            dx, dy = x - column, y - row
            weight = np.sinc(dx) * np.sinc(dx / 3) * np.sinc(dy) * np.sinc(dy / 3)
            part = weight * float(image[row, column])
            if part < 0:
                negative, below = negative - part, below - weight
            else:
                positive, above = positive + part, above + weight
    if positive == 0:
        return 0.0
    ratio = negative / positive
    if ratio >= 1:
        return positive / above
    if ratio > clamping:
        part = 1 - ((ratio - clamping) / (1 - clamping)) ** 2
        negative, below = negative * part, below * part
    return (positive - negative) / (above - below)


def test_weights_of_lanczos_are_those_worked_by_hand():
    # at 1/2: 12 / pi^2 sin(pi / 6) = 0.6079, -4 / (3 pi^2) = -0.1351, 12 / (25 pi^2) sin(5 pi / 6) = 0.02432
    half = np.array([0.6, -4 / 3 / 10, 0.024]) * 10 / np.pi**2
    row = np.concatenate([half[::-1], half])
    np.testing.assert_allclose(kernel_weights(0.5), row / row.sum(), rtol=1e-12)
    np.testing.assert_array_equal(kernel_weights(0.0), [0, 0, 1, 0, 0, 0])


def test_weights_of_the_bicubic_kernel_are_those_worked_by_hand():
    np.testing.assert_allclose(kernel_weights(0.5, "bicubic"), [0, -1 / 16, 9 / 16, 9 / 16, -1 / 16, 0])
    np.testing.assert_allclose(kernel_weights(0.25, "bicubic"), [0, -9 / 128, 111 / 128, 29 / 128, -3 / 128, 0])


def test_weights_of_the_nearest_pixel():
    for phase, pixel in ((0.0, 2), (0.49, 2), (0.51, 3), (0.99, 3)):
        assert kernel_weights(phase, "nearest").argmax() == pixel
        assert kernel_weights(phase, "nearest").max() == 1


def test_clamping_by_hand():
    # a row of 1 in 0, half a pixel beside it: only the weight -0.1351 of it is seen, s+ is 0, and so is the value;
    # with 10 everywhere besides: W+ = 1.2645, W- = 0.2702 along each axis
    image = np.full((12, 12), 0.0, np.float32)
    image[:, 4] = 1
    assert resample(image, shifted(5.5, 5), (1, 1), floor=0)[0][0, 0] == 0
    w = kernel_weights(0.5)
    image[:, :] = 10
    image[:, 4] = 60
    positive, negative = 10 * w[w > 0].sum(), -10 * w[4] - 60 * w[1]
    ratio = negative / positive
    assert 0.3 < ratio < 1
    part = 1 - ((ratio - 0.3) / 0.7) ** 2
    expected = (positive - part * negative) / (w[w > 0].sum() + part * (w[1] + w[4]))
    assert resample(image, shifted(5.5, 5), (1, 1), floor=0)[0][0, 0] == pytest.approx(expected, rel=1e-5)
    image[:, 4] = 300  # more than all positive ones: their mean
    assert resample(image, shifted(5.5, 5), (1, 1), floor=0)[0][0, 0] == pytest.approx(10, rel=1e-5)
    assert resample(image, shifted(5.5, 5), (1, 1), clamping=None)[0][0, 0] == pytest.approx(
        positive - negative - (300 - 60) * -w[1], rel=1e-5
    )


@pytest.mark.parametrize("clamping", [0.1, 0.3, 0.9])
def test_clamping_follows_the_rule_everywhere_in_an_image_of_stars(clamping):
    rng = np.random.default_rng(1)
    image = exposed(rng, (60, 70), rng.uniform(8, 50, (15, 2)), rng.uniform(1e3, 1e5, 15), fwhm=1.8, sky=60)
    image = np.maximum(image, 0)
    matrix = transformation((60, 70), degrees=5, shift=(0.3, 0.7), tilt=(1e-4, -5e-5))
    values = resample(image, matrix, (60, 70), clamping=clamping, floor=0)[0]
    for y in range(12, 48, 3):
        for x in range(12, 58, 3):
            at = matrix @ [x, y, 1]
            expected = by_the_rule(image, at[0] / at[2], at[1] / at[2], clamping)
            assert values[y, x] == pytest.approx(expected, rel=2e-5, abs=2e-3)


def test_bicubic_without_clamping_is_that_of_scikit_image():
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(2)
    image = exposed(rng, (90, 110), rng.uniform(5, 80, (30, 2)), rng.uniform(1e3, 1e5, 30)).astype(np.float64)
    matrix = transformation((90, 110), degrees=8, shift=(2.3, -1.6), scale=1.02, tilt=(1e-4, 5e-5))
    mine, there = resample(image, matrix, (90, 110), kernel="bicubic", clamping=None)
    peer = transform.warp(
        image, transform.ProjectiveTransform(matrix), order=3, mode="constant", cval=np.nan, clip=False
    )
    inner = np.isfinite(peer) & there
    assert inner.mean() > 0.8
    np.testing.assert_allclose(mine[inner], peer[inner], rtol=1e-5, atol=2e-2)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_level_frame_stays_level_and_no_shift_changes_nothing(kernel):
    level = np.full((40, 50), 123.5, np.float32)
    matrix = transformation((40, 50), degrees=20, shift=(0.2, 0.6))
    values, there = resample(level, matrix, (40, 50), kernel=kernel)
    np.testing.assert_allclose(values[there], 123.5, rtol=1e-6)
    noise = np.random.default_rng(3).normal(100, 10, (40, 50)).astype(np.float32)
    np.testing.assert_allclose(resample(noise, np.eye(3), (40, 50), kernel=kernel)[0], noise, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_lies_outside_is_nan_and_not_covered(kernel):
    frame = np.ones((20, 30), np.float32)
    values, there = resample(frame, shifted(10.0, -3.0), (25, 30), kernel=kernel)
    expected = np.zeros((25, 30), bool)
    expected[3:23, :20] = True
    np.testing.assert_array_equal(there, expected)
    np.testing.assert_array_equal(np.isfinite(values), expected)


def test_edges_are_mirrored():
    frame = np.random.default_rng(4).uniform(50, 150, (12, 14)).astype(np.float32)
    around = np.pad(frame, 6, mode="symmetric")
    matrix = shifted(0.3, -0.4)
    values, there = resample(frame, matrix, frame.shape, floor=0)
    wide = resample(around, shifted(6.3, 5.6), frame.shape, floor=0)[0]
    np.testing.assert_allclose(values[there], wide[there], rtol=1e-5)
    assert there.all()


def test_pixels_without_a_value_take_their_four_neighbours_along_and_no_more():
    frame = np.full((30, 30), 50.0, np.float32)
    frame[15, 12] = np.nan
    values, there = resample(frame, shifted(0.5, 0.5), (29, 29))
    np.testing.assert_array_equal(np.argwhere(~there), [[14, 11], [14, 12], [15, 11], [15, 12]])
    np.testing.assert_allclose(values[there], 50, rtol=1e-6)
    values, there = resample(frame, np.eye(3), (30, 30))
    np.testing.assert_array_equal(np.argwhere(~there), [[15, 12]])


@pytest.mark.parametrize(
    ("kernel", "options", "bias"),
    [
        ("lanczos3", {"clamping": None}, 0.0),
        ("lanczos3", {}, 0.005),
        ("lanczos3", {"floor": 220}, 0.012),  # as high as it is in many a program: clamping fills the stars' wings
        ("bicubic", {}, 0.0),
    ],
)
def test_fluxes_of_stars_are_kept(kernel, options, bias):
    rng = np.random.default_rng(5)
    places = np.array([[x, y] for x in range(40, 300, 50) for y in range(40, 300, 50)]) + rng.uniform(
        -0.5, 0.5, (36, 2)
    )
    fluxes = rng.uniform(2e4, 2e5, 36)
    matrix = transformation((340, 340), degrees=7, shift=(2.3, -4.7))
    back = np.linalg.inv(matrix) @ np.vstack([places.T, np.ones(36)])
    expected = (back[:2] / back[2]).T
    values, _ = resample(
        exposed(rng, (340, 340), places, fluxes, noise=8), matrix, (340, 340), kernel=kernel, **options
    )
    whole = np.all((expected > 20) & (expected < 320), axis=1)
    assert whole.sum() > 25
    found, _ = aperture_fluxes(values, *expected[whole].T, 9.0, (12.0, 18.0))
    ratio = found / fluxes[whole]
    error = np.hypot(np.sqrt(fluxes[whole]), 8 * 20) / fluxes[whole]
    assert np.average(ratio, weights=error**-2) == pytest.approx(1 + bias, abs=0.0015)
    if not options.get("floor"):
        assert np.all(np.abs(ratio - 1) < 0.01 + 4 * error)


def test_clamping_takes_the_dark_rings_away():
    frame = np.full((40, 40), 200.0, np.float32)
    frame += np.random.default_rng(8).normal(0, 1, frame.shape).astype(np.float32)
    frame[20, 20] += 20_000
    free, held = (resample(frame, shifted(0.5, 0.5), (39, 39), clamping=c)[0] for c in (None, 0.3))
    assert free.min() < -1_000
    assert held.min() > 200 - 0.45 * 100 * 1.1  # the floor is 100 noises down
    assert resample(frame, shifted(0.5, 0.5), (39, 39), floor=190)[0].min() > 190


PHASES = [(0.0, 0.0), (0.5, 0.5), (0.25, 0.8), (0.1, 0.4)]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("kernel", "clamping"), [("lanczos3", 0.3), ("lanczos3", None), ("bicubic", 0.3)])
def test_noise_shrinks_and_correlates_as_stated(kernel, clamping, phase):
    noise = np.random.default_rng(6).normal(500, 10, (700, 700)).astype(np.float32)
    values = resample(noise, shifted(*phase), (700, 700), kernel=kernel, clamping=clamping)[0]
    inner = (values[10:-10, 10:-10] - 500).astype(np.float64)
    variance = noise[10:-10, 10:-10].astype(np.float64).var()
    n = inner.size
    factor = noise_factor(*phase, kernel, clamping)
    assert inner.var() / variance == pytest.approx(factor, abs=4 * np.sqrt(2 / n) + 0.005)
    assert inner.mean() == pytest.approx(noise[10:-10, 10:-10].mean() - 500, abs=0.003 * 10 + 4 * 0.002)
    for lag in ((1, 0), (0, 1), (1, 1), (-1, 1), (3, 0)):
        one = inner[: inner.shape[0] - lag[1], max(0, -lag[0]) : inner.shape[1] - max(0, lag[0])]
        two = inner[lag[1] :, max(0, lag[0]) : inner.shape[1] + min(0, lag[0])]
        measured = np.mean(one * two) / inner.var()
        assert measured == pytest.approx(noise_correlation(phase, lag, kernel, clamping), abs=4 / np.sqrt(n) + 0.005)


def test_what_one_pixel_gains_is_lost_again_over_many():
    phase = (0.3, 0.6)
    total = sum(noise_correlation(phase, (x, y)) for x in range(-6, 7) for y in range(-6, 7))
    assert total * noise_factor(*phase) == pytest.approx(1, abs=1e-9)


def test_the_mean_factor_is_that_of_all_phases_in_a_turned_frame():
    turned = transformation((400, 500), degrees=7)
    steps = (np.arange(200) + 0.5) / 200
    grid = noise_factor(*np.meshgrid(steps, steps)).mean()
    assert mean_noise_factor(turned, (400, 500)) == pytest.approx(grid, abs=0.005)
    assert mean_noise_factor(shifted(3.5, 2.5), (400, 500)) == pytest.approx(noise_factor(0.5, 0.5))
    assert noise_factor(0, 0) == 1


@pytest.mark.parametrize("clamping", [0.3, None])
def test_variances_are_those_of_many_noisy_frames(clamping):
    rng = np.random.default_rng(7)
    sigma = np.linspace(3, 12, 60 * 70).reshape(60, 70)
    sigma[30, 30] = 60
    matrix = transformation((60, 70), degrees=9, shift=(0.4, 0.2))
    n = 400
    stack = [resample(1_000 + rng.normal(0, sigma), matrix, (60, 70), clamping=clamping, floor=0)[0] for _ in range(n)]
    expected = resample_variance(sigma**2, matrix, (60, 70), clamping=clamping)
    there = np.isfinite(expected)
    there &= resample(np.pad(np.ones((54, 64)), 3, constant_values=np.nan), matrix, (60, 70))[1]  # no mirrored pixels
    ratio = np.var(stack, axis=0, ddof=1)[there] / expected[there]
    assert there.mean() > 0.7
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx(np.sqrt(2 / (n - 1)), rel=0.15)


def test_the_threads_make_no_difference_and_the_frame_stays_as_it_was():
    frame = np.random.default_rng(9).uniform(0, 9_000, (700, 800)).astype(np.uint16)
    before = frame.copy()
    matrix = transformation((700, 800), degrees=1)
    one, two = (resample(frame, matrix, (700, 800), threads=n)[0] for n in (1, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(frame, before)
    assert one.dtype == np.float32


def test_a_frame_without_any_value_gives_none():
    values, there = resample(np.full((20, 20), np.nan, np.float32), shifted(0.5, 0), (20, 20))
    assert not there.any()
    assert np.isnan(values).all()


def test_other_kernels_and_clampings_are_refused():
    frame = np.zeros((10, 10), np.float32)
    with pytest.raises(ValueError, match="no kernel 'spline': lanczos3, bicubic or nearest"):
        resample(frame, np.eye(3), (10, 10), kernel="spline")
    with pytest.raises(ValueError, match=r"a clamping of 1\.5: it lies between 0 and 1, and None switches it off"):
        resample(frame, np.eye(3), (10, 10), clamping=1.5)
