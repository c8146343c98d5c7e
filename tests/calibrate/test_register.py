"""Frames that were shifted, turned and tilted are put back where they were; what does not match is named."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from star_fields import exposed, moved, strewn, transformation

from workbench.calibrate.projective import fit_affine, fit_projective
from workbench.calibrate.register import RegistrationError, register
from workbench.calibrate.stars import find_stars

SHAPE = (440, 582)
GRID = np.stack(np.meshgrid(np.linspace(0, 581, 15), np.linspace(0, 439, 15)), axis=-1).reshape(-1, 2)
MOVES = {
    "a dither": {"shift": (11.4, -7.2)},
    "a second night": {"degrees": 7.0, "shift": (-9.3, 14.1)},
    "a flipped mount": {"degrees": 180.0, "shift": (5.5, 3.25)},
    "another focus": {"degrees": -3.0, "scale": 1.004},
    "a tilted field": {"degrees": 1.0, "shift": (20, 10), "tilt": (2e-5, -1e-5)},
}


def listed(places, fluxes):
    """Stars as if they had been found."""
    order = np.argsort(-fluxes)
    return pd.DataFrame({"x": places[order, 0], "y": places[order, 1], "flux": fluxes[order], "position_error": 0.03})


def worst(matrix, truth):
    return np.hypot(*(moved(matrix, GRID) - moved(truth, GRID)).T).max()


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_frame_with_noise_rays_and_hot_pixels_is_registered_within_a_tenth_of_a_pixel(move):
    rng = np.random.default_rng(11)
    places, fluxes = strewn(rng, SHAPE, 120)
    truth = transformation(SHAPE, **MOVES[move])
    one = exposed(rng, SHAPE, places, fluxes, hot=300, cosmic=30)
    seen = rng.random(120) > 0.15  # clouds took some
    two = exposed(rng, SHAPE, moved(truth, places)[seen], 0.7 * fluxes[seen], fwhm=3.2, hot=300, cosmic=30)
    found = register(find_stars(two), find_stars(one), SHAPE)
    off = np.hypot(*(moved(found.matrix, GRID) - moved(truth, GRID)).T)
    assert np.sqrt(np.mean(off**2)) < 0.03
    assert off.max() < 4 * np.hypot(found.worst_error, 0.01)
    assert found.rms < 0.1
    assert 0 < found.rms_error < 0.3 * found.rms
    assert found.n_matched > 30


def test_the_rms_and_the_error_at_the_corners_are_those_of_many_fields():
    corners = np.array([[0, 0], [581, 0], [0, 439], [581, 439]])
    truth = transformation(SHAPE, degrees=2.0, shift=(3, 4))
    rms, stated, true = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        places, fluxes = strewn(rng, SHAPE, 60, margin=0)
        places += 0.05
        two = moved(truth, places) + rng.normal(0, 0.05, (60, 2))
        found = register(listed(two, fluxes), listed(places, fluxes), SHAPE)
        rms.append((found.rms - 0.05 * np.sqrt(2)) / found.rms_error)
        stated.append(found.worst_error)
        true.append(np.hypot(*(moved(found.matrix, corners) - moved(truth, corners)).T))
    assert abs(np.mean(rms)) < 4 / np.sqrt(60)
    assert np.std(rms) == pytest.approx(1, abs=0.35)
    worst_corner = np.sqrt(np.mean(np.square(true), axis=0)).max()
    assert np.mean(stated) == pytest.approx(worst_corner, rel=0.4)  # the worst is not the same corner each time


def test_shift_rotation_and_scale_are_told():
    rng = np.random.default_rng(2)
    places, fluxes = strewn(rng, SHAPE, 60)
    truth = transformation(SHAPE, degrees=7.0, shift=(12.0, -5.0), scale=1.01)
    found = register(listed(moved(truth, places), fluxes), listed(places, fluxes), SHAPE)
    middle = np.array([[(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2]])
    assert found.rotation == pytest.approx(7.0, abs=1e-9)
    assert found.scale == pytest.approx(1.01, abs=1e-9)
    assert found.shift == pytest.approx(tuple((moved(truth, middle) - middle)[0]), abs=1e-9)
    assert found.shape == SHAPE


def test_stars_of_half_an_overlap_and_false_ones_do_not_mislead():
    rng = np.random.default_rng(4)
    places, fluxes = strewn(rng, SHAPE, 150)
    truth = transformation(SHAPE, degrees=-12.0, shift=(250, 40))
    two = moved(truth, places) + rng.normal(0, 0.03, places.shape)
    inside = np.all((two > 0) & (two < [582, 440]), axis=1)
    false, lights = strewn(rng, SHAPE, 40, margin=0)
    frame = listed(np.vstack([two[inside], false]), np.append(fluxes[inside], lights))
    here = np.all((places > 0) & (places < [582, 440]), axis=1)
    found = register(frame, listed(places[here], fluxes[here]), SHAPE)
    assert found.n_matched == pytest.approx((inside & here).sum(), abs=3)
    assert worst(found.matrix, truth) < 0.15


def test_the_same_lists_give_the_same_answer():
    rng = np.random.default_rng(6)
    places, fluxes = strewn(rng, SHAPE, 80)
    one, two = listed(places, fluxes), listed(places + rng.normal(3, 0.05, places.shape), fluxes)
    np.testing.assert_array_equal(register(two, one, SHAPE).matrix, register(two, one, SHAPE).matrix)


@pytest.mark.parametrize("n", [20, 60, 300])
def test_other_stars_are_refused_by_name(n):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        one, two = (listed(*strewn(rng, SHAPE, n)) for _ in range(2))
        with pytest.raises(RegistrationError, match=r"^light_07\.fits: its \d+ stars cannot be matched") as caught:
            register(two, one, SHAPE, file="light_07.fits")
    assert re.search(r"no more than \d+ agree, as they may by chance; leave it out", str(caught.value))


def test_a_mirrored_frame_is_refused():
    places, fluxes = strewn(np.random.default_rng(8), SHAPE, 60)
    with pytest.raises(RegistrationError, match="cannot be matched"):
        register(listed(places * [-1, 1] + [582, 0], fluxes), listed(places, fluxes), SHAPE)


@pytest.mark.parametrize(("frame", "reference", "named"), [(5, 40, "cloudy.fits"), (40, 7, "the reference")])
def test_too_few_stars_are_named(frame, reference, named):
    places, fluxes = strewn(np.random.default_rng(9), SHAPE, 40)
    one, two = listed(places[:reference], fluxes[:reference]), listed(places[:frame], fluxes[:frame])
    with pytest.raises(RegistrationError) as caught:
        register(two, one, SHAPE, file="cloudy.fits")
    assert str(caught.value) == (
        f"{named}: shows {min(frame, reference)} stars, and registration needs 8;"
        " leave it out, or look for fainter stars (a lower sigma)"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_lists_are_not_changed():
    places, fluxes = strewn(np.random.default_rng(10), SHAPE, 40)
    one, two = listed(places, fluxes), listed(places + 2, fluxes)
    before = one.copy(), two.copy()
    register(two, one, SHAPE)
    pd.testing.assert_frame_equal(one, before[0])
    pd.testing.assert_frame_equal(two, before[1])


@pytest.mark.parametrize("fit", [fit_affine, lambda p, q: fit_projective(p, q, np.ones(len(p))).matrix])
def test_every_fit_finds_an_exact_transformation(fit):
    rng = np.random.default_rng(12)
    points = rng.uniform(0, 4000, (20, 2))
    truth = transformation((3520, 4656), degrees=33, shift=(100, -50), scale=1.2)
    np.testing.assert_allclose(moved(fit(points, moved(truth, points)), points), moved(truth, points), atol=1e-8)


def test_the_projective_fit_is_that_of_a_general_optimiser():
    from scipy.optimize import least_squares

    rng = np.random.default_rng(13)
    points = rng.uniform(0, 500, (30, 2))
    images = moved(transformation(SHAPE, degrees=5, tilt=(3e-5, 1e-5)), points) + rng.normal(0, 0.2, (30, 2))
    weights = rng.uniform(0.2, 2, 30)

    def off(p):
        return ((images - moved(np.append(p, 1).reshape(3, 3), points)) * np.sqrt(weights)[:, None]).ravel()

    scales = np.array([1, 1, 100, 1, 1, 100, 1e-3, 1e-3])
    start = transformation(SHAPE, degrees=5, tilt=(3e-5, 1e-5)).ravel()[:8]
    best = least_squares(off, start, x_scale=scales, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    fit = fit_projective(points, images, weights)
    peer = np.append(best.x, 1).reshape(3, 3)
    np.testing.assert_allclose(moved(fit.matrix, points), moved(peer, points), atol=1e-5)
    np.testing.assert_allclose(fit.residuals, images - moved(peer, points), atol=1e-5)
