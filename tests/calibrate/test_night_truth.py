"""The embedded session from raw frames to its image, against the truth that it was drawn from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.master_files import read_master
from workbench.calibrate.night import run_night
from workbench.calibrate.night_plan import plan_night
from workbench.calibrate.projective import apply
from workbench.calibrate.resample import resample
from workbench.calibrate.stars import aperture_fluxes
from workbench.camera.session import dataset_truth, open_dataset
from workbench.frames.catalogue import catalogue

RADIUS, RING = 5.0, (9.0, 14.0)  # pixel
BLOCK = 8  # pixels


@dataclass
class Result:
    """The image, what it should be but for noise, and what was found out on the way; all in adu."""

    night: Any
    truth: Any
    image: np.ndarray
    expected: np.ndarray
    weights: np.ndarray
    factors: np.ndarray
    matrices: list

    @property
    def reference(self):
        return self.night.registered[0].facts["reference"]

    def true_matrix(self, file):
        return self.truth.view(file).matrix @ np.linalg.inv(self.truth.view(self.reference).matrix)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    truth = dataset_truth("session")
    night = run_night(plan_night(catalogue(open_dataset("session"))), tmp_path_factory.mktemp("night"))
    (image,) = night.images
    facts = [one.facts for one in night.registered]
    frames = [image.facts["frames"][one.light.plan.file] for one in night.registered]
    factors = np.array([one["factor"] for one in facts])
    factors /= np.exp(np.log(factors).mean())
    weights = np.array([one["weight"] for one in frames])
    matrices = [np.array(one["matrix"]) for one in facts]
    shape = truth.camera.sensor.shape
    total, weight = np.zeros(shape), np.zeros(shape)
    for number, file in enumerate(truth.lights):
        laid, covered = resample(truth.calibrated(file) / truth.camera.gain, matrices[number], shape)
        level = factors[number] * laid + frames[number]["offset"]
        total[covered] += weights[number] * level[covered]
        weight[covered] += weights[number]
    pixels = fits.getdata(night.out / f"{image.name}.fits").astype(np.float64)
    return Result(night, truth, pixels, total / weight, weights, factors, matrices)


def test_nothing_is_left_out(result):
    assert not result.night.problems
    assert [one.light.plan.file for one in result.night.registered] == list(result.truth.lights)


def test_lights_are_registered_to_a_tenth_of_a_pixel_or_better(result):
    rows, columns = result.image.shape
    grid = np.stack(np.meshgrid(np.linspace(0, columns - 1, 20), np.linspace(0, rows - 1, 20)), -1).reshape(-1, 2)
    for file, matrix in zip(result.truth.lights, result.matrices, strict=True):
        off = apply(matrix, grid) - apply(result.true_matrix(file), grid)
        assert np.sqrt((off**2).sum(axis=1).mean()) < 0.1


def test_frames_are_brought_to_one_brightness(result):
    air = np.array([result.truth.view(file).transparency for file in result.truth.lights])
    product = result.factors * air / np.exp(np.log(air).mean())
    errors = np.array([one.facts["factor_error"] for one in result.night.registered])
    # stars' photons besides the background: the error is that of each light's stars and of the reference's
    assert np.abs(product - 1).max() < 4 * np.median(errors[errors > 0])
    assert product.std() < 0.01


def test_star_fluxes_are_unbiased_within_a_percent(result):
    truth, rows, columns = result.truth, *result.image.shape
    stars = truth.stars(result.reference)
    inside = stars["x"].between(20, columns - 20) & stars["y"].between(20, rows - 20)
    air = np.exp(np.mean([np.log(truth.view(file).transparency) for file in truth.lights]))
    sky = truth.calibrated(result.reference) / truth.camera.gain * air / truth.view(result.reference).transparency
    chosen = stars[inside & ~stars["saturated"] & (stars["nearest"] > 14) & (stars["electrons"] > 1000)]
    assert len(chosen) > 15
    where = chosen["x"].to_numpy(), chosen["y"].to_numpy()
    found, ideal = (aperture_fluxes(plane.astype(np.float32), *where, RADIUS, RING)[0] for plane in (result.image, sky))
    assert found.sum() / ideal.sum() == pytest.approx(1, abs=0.01)
    assert np.median(found / ideal) == pytest.approx(1, abs=0.01)


def test_the_background_is_as_smooth_as_noise_weights_and_interpolation_make_it(result):
    residual = (result.image - result.expected)[40:-40, 40:-40]
    noise = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    facts = [one.facts["noise_factor"] for one in result.night.registered]
    single = np.array([one.light.facts["noise"] for one in result.night.registered])
    share = result.weights * result.factors * single / result.weights.sum()
    assert noise == pytest.approx(np.sqrt(np.sum(share**2 * facts)), rel=0.03)
    assert noise < single.min() / np.sqrt(18)  # smoother than 18 lights make it, because pixels are correlated


def test_what_interpolation_smooths_comes_back_in_means_of_neighbours(result):
    residual = (result.image - result.expected)[40:-40, 40:-40]
    rows, columns = (size // BLOCK for size in residual.shape)
    means = residual[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    noise = 1.4826 * np.median(np.abs(means - np.median(means))) * BLOCK
    single = np.array([one.light.facts["noise"] for one in result.night.registered])
    share = result.weights * result.factors * single / result.weights.sum()
    master = read_master(result.night.out / "masters" / "master_dark_600s_-20C.fits")["std_error"].median()
    # all lights have the dark's noise in common; dithering by some pixels moves it by less than a block
    low, high = np.sqrt(np.sum(share**2)), np.hypot(np.sqrt(np.sum(share**2)), float(master))
    assert 0.93 * low < noise < 1.07 * high


def test_nothing_is_left_of_the_glow(result):
    camera, file = result.truth.camera, result.reference
    frame = result.truth.frame(file)
    dark = camera.dark_electrons(frame.exposure, frame.temperature)
    rows, columns = dark.shape
    tile = dark[: rows // 40 * 40, : columns // 40 * 40].reshape(rows // 40, 40, columns // 40, 40)
    brightest = np.unravel_index(np.argmax(np.median(tile, axis=(1, 3))), (rows // 40, columns // 40))
    corner = tuple(slice(40 * index, 40 * index + 40) for index in brightest)
    residual = result.image - result.expected
    off = np.median(residual[corner]) - np.median(residual)
    error = 1.2533 * np.std(residual[corner][np.abs(residual[corner]) < 300]) / 40
    master = read_master(result.night.out / "masters" / "master_dark_600s_-20C.fits")["std_error"].to_numpy()
    assert abs(off) < 2 * np.hypot(2 * error, np.median(master[corner]) / 40)
    assert dark[corner].mean() / camera.gain > 20 * abs(off)


def test_coverage_tells_where_fewer_lights_are(result):
    coverage = fits.getdata(result.night.out / f"{result.night.images[0].name}.fits", "COVERAGE")
    assert coverage[200, 300] == 18
    assert coverage.min() < 18
    assert np.isfinite(result.image).all()
