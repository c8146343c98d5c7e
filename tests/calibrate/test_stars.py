"""Stars that were put into a frame are found where they are, as bright and as wide as they are."""

import numpy as np
import pytest
from scipy.spatial import KDTree
from star_fields import exposed, strewn

from workbench.calibrate.stars import aperture_fluxes, find_stars

SHAPE = (440, 582)


def sky(**defects):
    rng = np.random.default_rng(7)
    places, fluxes = strewn(rng, SHAPE, 110)
    apart = KDTree(places).query(places, k=2)[0][:, 1] > 25
    places, fluxes = places[apart], fluxes[apart]
    return exposed(rng, SHAPE, places, fluxes, **defects), places, fluxes


@pytest.fixture(scope="module")
def field():
    return sky()


def paired(stars, places, within=1.0):
    away, nearest = KDTree(places).query(stars[["x", "y"]].to_numpy())
    return away < within, nearest


def found_of(frame, places, fluxes, size):
    """Part of the stars that can be found which are, and how many are found that are none."""
    real, nearest = paired(find_stars(frame, bin=size), places)
    inside = np.all((places > 16) & (places < np.array(SHAPE[::-1]) - 17), axis=1) & (fluxes > 5_000)
    return np.isin(np.flatnonzero(inside), nearest[real]).mean(), (~real).sum()


@pytest.mark.parametrize("size", [1, 2])
def test_every_star_is_found(field, size):
    assert found_of(*field, size) == (1, 0)


@pytest.mark.parametrize("size", [1, 2])
def test_hot_pixels_and_cosmic_rays_are_no_stars(size):
    found, false = found_of(*sky(hot=300, cosmic=30), size)
    assert found > 0.9  # a defect upon a star makes it another
    assert false <= {1: 2, 2: 5}[size]  # of 330


@pytest.mark.parametrize("size", [1, 2])
def test_positions_fluxes_and_widths_are_those_of_the_truth_within_their_errors(field, size):
    frame, places, fluxes = field
    stars = find_stars(frame, bin=size)
    real, nearest = paired(stars, places)
    bright = real & (fluxes[nearest] > 10_000)
    off = stars[["x", "y"]].to_numpy()[bright] - places[nearest[bright]]
    n = bright.sum()
    assert n > 15
    error = np.sqrt(np.mean(stars["position_error"][bright] ** 2))
    assert np.all(np.abs(off.mean(axis=0)) < 4 * np.hypot(1.5 * error, 0.01) / np.sqrt(n))
    assert np.sqrt(np.mean(off**2)) < 0.05
    ratio = stars["flux"][bright] / fluxes[nearest[bright]]
    assert np.median(ratio) == pytest.approx(1, abs=0.005)
    pixel = np.sqrt(2.8**2 + 8 * np.log(2) / 12)  # a Gaussian of FWHM 2.8, averaged over pixels
    assert stars["fwhm"][bright].median() == pytest.approx(pixel, rel=0.01)


def test_position_and_flux_errors_are_those_of_many_frames():
    rng = np.random.default_rng(3)
    places = np.array([[x, y] for x in range(40, 280, 40) for y in range(40, 280, 40)]) + rng.uniform(
        -0.5, 0.5, (36, 2)
    )
    pulls, shifts = [], []
    for _ in range(6):
        frame = exposed(rng, (320, 320), places, np.full(36, 3_000.0), noise=15)
        stars = find_stars(frame)
        real, nearest = paired(stars, places)
        background = np.sqrt(stars["flux_error"] ** 2 + 3_000)  # the error given leaves the star's own photons out
        pulls.extend((stars["flux"] - 3_000)[real] / background[real])
        shifts.extend(((stars["x"] - places[nearest, 0]) / stars["position_error"])[real])
    assert len(pulls) > 200
    assert np.std(pulls) == pytest.approx(1, abs=0.15)
    assert 0.5 < np.std(shifts) < 1.5  # an estimate, as it is documented


def test_saturated_stars_are_left_out(field):
    frame, _, _ = field
    peak = find_stars(frame)["peak"].max()
    kept = find_stars(frame, saturation=peak / 2)
    assert len(kept) > 0
    assert kept["peak"].max() < peak / 2


def test_pixels_without_a_value_spoil_no_star_but_their_own(field):
    frame, _, _ = field
    stars = find_stars(frame)
    holed = frame.copy()
    x, y = stars.loc[0, ["x", "y"]].round().astype(int)
    holed[y, x] = np.nan
    holed[:, 300:303] = np.nan
    left = find_stars(holed)
    assert np.isfinite(left.to_numpy()).all()
    assert not paired(left, np.array([[x, y]]), 2)[0].any()
    assert len(left) > 0.8 * len(stars)


@pytest.mark.parametrize("frame", [np.zeros((100, 120), np.float32), np.full((100, 120), np.nan, np.float32)])
def test_an_empty_frame_has_no_stars(frame):
    stars = find_stars(frame)
    assert len(stars) == 0
    assert list(stars) == ["x", "y", "flux", "flux_error", "fwhm", "peak", "position_error"]


def test_noise_has_no_stars():
    assert len(find_stars(np.random.default_rng(1).normal(100, 5, (300, 300)))) == 0


def test_the_frame_is_not_changed_and_units_are_set(field):
    frame, _, _ = field
    before = frame.copy()
    stars = find_stars(frame, bin=2)
    np.testing.assert_array_equal(frame, before)
    assert stars.attrs["units"]["fwhm"] == "pix"
    assert set(stars.attrs["units"]) == set(stars)


@pytest.mark.parametrize(("shape", "size"), [((3, 50, 50), 1), ((50, 50), 3)])
def test_what_cannot_be_searched_is_refused(shape, size):
    with pytest.raises(ValueError, match="two are needed, and 1 or 2"):
        find_stars(np.zeros(shape), bin=size)


def test_aperture_fluxes_sum_a_star_above_a_sloping_background():
    rng = np.random.default_rng(5)
    frame = exposed(rng, (80, 80), np.array([[40.3, 38.8]]), np.array([50_000.0]), noise=1)
    frame += np.arange(80, dtype=np.float32) * 3
    flux, area = aperture_fluxes(frame, np.array([40.3]), np.array([38.8]), 9.0, (12.0, 18.0))
    assert flux[0] == pytest.approx(50_000, rel=0.01)
    assert area[0] == pytest.approx(np.pi * 81, rel=0.01)
    frame[0:37] = np.nan
    assert aperture_fluxes(frame, np.array([40.3]), np.array([38.8]), 9.0, (12.0, 18.0))[1][0] < 0.8 * area[0]
