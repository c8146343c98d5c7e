"""How the glow grows, against masters whose glow is known: drawn tile by tile, and from simulated frames."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.glow import fit_polynomial, fit_power, glow_growth
from workbench.measure.glow_mask import find_glow
from workbench.measure.grid import each_tile
from workbench.measure.numbers import number
from workbench.measure.scaling import GRID, Tiles, tiles_of
from workbench.stack.variance import difference_moments

T = -20.0
EXPOSURES = (60.0, 150.0, 300.0, 420.0, 600.0)
CAMERA = (
    replace(Sensor.from_manifest("qhy163m_like"), shape=(160, 160))
    .without("cosmic_rays", "dark_telegraph")
)  # fmt: skip


def tile_means(values):
    means = np.zeros((GRID, GRID))
    for place, tile in each_tile(values.shape):
        means[place] = values[tile].mean()
    return means


SHAPE = tile_means(Camera(CAMERA, 0).glow_shape)


def drawn(seed, growth, exposures=EXPOSURES, *, error=0.3, pattern=0.3, shape=SHAPE):
    """The bias and the darks as tiles [adu]: glow ``growth(t)``, thermal pattern, clamp, drift, temporal noise."""
    rng = np.random.default_rng([seed, 7])
    offset, thermal = rng.normal(1600, 3, (GRID, GRID)), rng.normal(0, pattern, (GRID, GRID))
    tiles = []
    for t in (0.0, *exposures):
        level = rng.normal(0, 20) - 0.05 * t
        signal = offset + level + (thermal + 90) * t / 600 + shape * growth(t)
        errors = error * np.sqrt(0.5 + 0.5 * t / 600 + 0.02 * shape * growth(t))
        means = signal + errors * rng.standard_normal((GRID, GRID))
        tiles.append(Tiles(t, 8, means, errors, errors * 8**0.5 * 50, 20.0))
    return tiles[0], tiles[1:]


def quadratic(t):
    return 9.6 * (t / 600) ** 2


def linear(t):
    return 9.6 * t / 600


def mixed(t):
    return 0.96 * t / 600 + 8.6 * (t / 600) ** 2


def check_pulls(pulls):
    n = len(pulls)
    assert abs(np.mean(pulls)) < 4 / n**0.5
    assert 0.9 - 3 / (2 * n) ** 0.5 < np.std(pulls) < 1.1 + 3 / (2 * n) ** 0.5
    assert np.abs(pulls).max() < 5


@pytest.mark.parametrize("growth", [linear, quadratic, mixed])
def test_the_exponent_is_that_of_the_same_fit_to_the_true_glow(growth):
    pulls, tiles, current = [], [], []
    for seed in range(40):
        found = glow_growth(*drawn(seed, growth))
        truth = fit_power(found.exposures, np.array([growth(t) for t in EXPOSURES]), found.covariance).exponent
        pulls.append((found.exponent.nominal_value - truth) / found.exponent.std_dev)
        one = ((found.exponents - truth) / found.exponent_errors)[np.isfinite(found.exponents)]
        tiles.append(one)
        current.append((found.current.nominal_value - growth(600.0) / 600) / found.current.std_dev)
    check_pulls(pulls)
    check_pulls(current)
    assert np.concatenate(tiles).std() == pytest.approx(1, abs=0.15)
    expected = {linear: 1.0, quadratic: 2.0}
    if growth in expected:
        assert truth == pytest.approx(expected[growth], abs=1e-5)
    else:
        assert 1.7 < truth < 2.0


def test_tiles_without_glow_have_no_exponent():
    found = glow_growth(*drawn(1, quadratic))
    assert np.isfinite(found.exponents[0, -1])
    assert np.isnan(found.exponents[-1, 0])
    assert (np.isfinite(found.exponents) <= found.mask.glow).all()
    assert (np.isfinite(found.exponents) == np.isfinite(found.exponent_errors)).all()


def test_alpha_and_beta_are_those_of_the_glow_and_the_better_law_is_said():
    pulls = []
    for seed in range(30):
        found = glow_growth(*drawn(seed, mixed, error=0.1, pattern=0.1))
        share = found.tiles, found.mask.free
        contrast = SHAPE[share[0]].mean() - SHAPE[share[1]].mean()
        truth = np.array([0.96 / 600, 8.6 / 600**2]) * contrast
        pulls.append((found.polynomial.coefficients - truth) / np.sqrt(np.diag(found.polynomial.covariance)))
    for one in np.array(pulls).T:
        check_pulls(one)
    assert found.aicc["polynomial"] < found.aicc["power"]
    assert any("alpha t + beta t^2 fits better" in note for note in found.notes)
    assert any("no single power fits" in note for note in found.notes)


def test_a_pure_power_fits_by_its_own_law():
    found = glow_growth(*drawn(1, lambda t: 9.6 * (t / 600) ** 1.6, error=0.1, pattern=0.1))
    assert found.exponent.nominal_value == pytest.approx(1.6, abs=4 * found.exponent.std_dev)
    assert found.aicc["power"] < found.aicc["polynomial"]
    assert any("a power of t fits better" in note for note in found.notes)


def test_level_drift_and_clamp_cancel():
    bias, darks = drawn(1, quadratic)
    moved = [replace(one, means=one.means + 40 * k) for k, one in enumerate(darks)]
    here, there = glow_growth(bias, darks), glow_growth(replace(bias, means=bias.means - 30), moved)
    assert there.exponent.nominal_value == pytest.approx(here.exponent.nominal_value, rel=1e-6)
    assert there.current.nominal_value == pytest.approx(here.current.nominal_value, rel=1e-6)


def test_the_gain_enters_the_current_alone():
    bias, darks = drawn(1, quadratic)
    plain, electrons = glow_growth(bias, darks), glow_growth(bias, darks, number(0.25, 0.025))
    assert electrons.current.nominal_value == pytest.approx(0.25 * plain.current.nominal_value)
    assert electrons.current.std_dev > 0.1 * electrons.current.nominal_value
    assert electrons.exponent.nominal_value == plain.exponent.nominal_value
    record = electrons.record(temperature=T)
    assert record["power"]["exponent"] == plain.power.exponent
    assert record["temperature"] == T


def test_three_exposures_give_an_exponent_and_no_akaike_criterion():
    found = glow_growth(*drawn(1, quadratic, EXPOSURES[::2]))
    assert found.aicc == {"power": None, "polynomial": None}
    assert abs(found.exponent.nominal_value - 2) < 4 * found.exponent.std_dev


def test_what_cannot_be_measured_says_what_to_shoot():
    with pytest.raises(NotMeasurableError, match="darks of 2 exposures above the bias; shoot 3 or more"):
        glow_growth(*drawn(1, quadratic, EXPOSURES[:2]))
    with pytest.raises(NotMeasurableError, match="no part of the sensor glows at 600 s; if it should, shoot longer"):
        glow_growth(*drawn(1, lambda _: 0.0))


def test_no_glow_is_found_where_there_is_none():
    masks = []
    for seed in range(200):
        bias, darks = drawn(seed, lambda _: 0.0)
        masks.append(find_glow(darks[-1].means - bias.means, np.hypot(darks[-1].errors, bias.errors)))
    assert sum(mask.glow.any() for mask in masks) <= 10
    levels = np.array([mask.level - np.nanmean(mask.level) for mask in masks])
    assert np.isfinite(levels).all()


@pytest.mark.parametrize("place", ["corner", "edge", "middle", "all around"])
@pytest.mark.parametrize("height", [1.0, 30.0])
def test_the_glow_left_in_the_free_tiles_drowns_in_their_error(place, height):
    y, x = np.mgrid[:GRID, :GRID].astype(float)
    distance = {
        "corner": np.hypot(y, 15 - x),
        "edge": 15 - x,
        "middle": np.hypot(y - 7.5, x - 7.5),
        "all around": np.minimum(np.minimum(x, 15 - x), np.minimum(y, 15 - y)),
    }[place]
    glow = height * np.exp(-distance / 1.2)
    rng = np.random.default_rng(11)
    left, residuals = [], []
    for _ in range(60):
        mask = find_glow(glow + rng.normal(0, 0.1, glow.shape), np.full(glow.shape, 0.08))
        assert mask.glow.any()
        error = 0.1 / mask.free.sum() ** 0.5
        if not mask.everywhere:
            left.append(glow[mask.free].mean() / error)
        residuals.append((mask.residual - glow[mask.free].mean()) / np.hypot(error, mask.residual_error))
    assert len(left) == 60 or place in {"middle", "all around"}
    assert not left or np.mean(left) < 1
    assert np.abs(residuals).max() < 2.5
    assert abs(np.mean(residuals)) < 1


def test_tiles_without_pixels_are_neither_glow_nor_free():
    bias, darks = drawn(1, quadratic)
    means, errors = darks[-1].means - bias.means, darks[-1].errors.copy()
    means[:3], errors[:3] = np.nan, np.nan
    mask = find_glow(means, errors)
    assert not (mask.glow | mask.free)[:3].any()
    means[1:], errors[1:] = np.nan, np.nan
    with pytest.raises(NotMeasurableError, match="0 tiles of 256 hold pixels"):
        find_glow(means, errors)


def test_glow_of_simulated_frames_grows_as_the_truth_says():
    pulls = []
    for seed, sensor in enumerate((CAMERA, CAMERA.without("clamp"), replace(CAMERA, drift=20.0))):
        camera, rng = Camera(sensor, seed), np.random.default_rng([seed, 3])
        hot = camera.thermal_rate(T) > 5 * sensor.dark_current
        tiles = []
        for t in (0.0, *EXPOSURES[1::2], EXPOSURES[-1]):
            kind = "dark" if t else "bias"
            frames = np.stack([camera.expose(kind, t, T, rng) for _ in range(6)])
            moments = difference_moments(
                xr.DataArray(frames, dims=("frame", "y", "x")), frames.mean(axis=(1, 2)), hot, maps=True
            )
            maps = moments.mean_map, moments.variance_map
            tiles.append(tiles_of(*maps, hot, exposure=t, n_frames=6, level_error=0.0))
        found = glow_growth(tiles[0], tiles[1:], number(camera.gain, 0))
        true_glow = np.array([camera.glow_electrons(t).mean() for t in found.exposures])
        truth = fit_power(found.exposures, true_glow / true_glow[-1] * found.power.height, found.covariance)
        pulls.append((found.exponent.nominal_value - truth.exponent) / found.exponent.std_dev)
        current = camera.glow_electrons(600.0)[~hot].mean() / 600
        assert abs(found.current.nominal_value - current) < 4 * found.current.std_dev
        assert found.current.std_dev < 0.2 * current
    assert np.abs(pulls).max() < 4


def test_both_laws_are_exact_without_noise():
    t = np.array(EXPOSURES)
    covariance = np.diag(0.01 * t / 600) + 0.001
    power = fit_power(t, 3 * (t / 600) ** 1.6, covariance)
    assert (power.height, power.exponent) == pytest.approx((3, 1.6), abs=1e-5)
    polynomial = fit_polynomial(t, 0.01 * t + 2e-5 * t**2, covariance)
    assert polynomial.coefficients == pytest.approx([0.01, 2e-5])
