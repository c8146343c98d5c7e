"""Uncertainties of calibrated lights: as large as the errors are, on cameras that clamp, glow, and do neither."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from workbench.calibrate.frame_variance import temporal_variance
from workbench.calibrate.lights import calibrate_default, calibrate_matched, default_calibration, matched_calibration
from workbench.calibrate.master_frame import as_master
from workbench.calibrate.uncertainty import ErrorModel, light_sigma
from workbench.camera.sensor import Camera, Sensor
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.stack.combine import combine

FAR = 8.0  # pixels from a star
MASTERS = (("bias", 100.0), ("dark", 300.0))


def spread(pulls):
    """Return the standard deviation of pulls but for cosmic rays."""
    return pulls[np.abs(pulls - np.median(pulls)) < 6].std()


def away_from_stars(night, file):
    rows, columns = np.ogrid[: night.dark.shape[0], : night.dark.shape[1]]
    away = np.ones(night.dark.shape, bool)
    for star in night.truth.stars(file).itertuples():
        away &= (rows - star.y) ** 2 + (columns - star.x) ** 2 > FAR**2
    return away


@pytest.fixture(scope="module")
def pulls(night):
    """Pulls of three lights, matched, and which of their pixels are no star."""
    found = []
    for file in night.truth.lights[::7]:
        light = night.table.set_index("file").loc[file, "source"].read()
        got = calibrate_matched(light, night.dark, night.flat, errors=ErrorModel(night.gain))
        step = night.truth.drift(file) - np.mean([night.truth.drift(one) for one in night.frames("dark", 600)["file"]])
        error = got.values - night.truth.calibrated(file) / night.gain - step
        found.append((error / got.sigma, away_from_stars(night, file)))
    return found


def test_errors_are_as_large_as_their_uncertainty_says(pulls):
    for pull, away in pulls:
        assert 0.95 < spread(pull[away]) < 1.05


def test_they_are_in_the_glow_under_the_clamp_too(pulls, night):
    dark = night.truth.camera.dark_electrons(600, -20)
    glow = dark > np.percentile(dark, 97)
    for pull, away in pulls:
        assert 0.93 < spread(pull[away & glow]) < 1.07


def test_they_are_among_stars_too(pulls):
    for pull, away in pulls:
        low, high = np.percentile(pull[~away], [16, 84])
        assert (high - low) / 2 == pytest.approx(1, abs=0.06)


def test_the_variance_of_a_dark_is_found_better_than_its_frames_scatter(night):
    true = night.truth.camera.variance(600, -20)
    own = night.dark.n_kept * np.square(night.dark.std_error)
    usual = true < np.percentile(true, 95)
    blended = temporal_variance(night.dark)
    assert np.std(np.log(blended[usual] / true[usual])) < 0.6 * np.std(np.log(own[usual] / true[usual]))
    assert np.median(blended[usual] / true[usual]) == pytest.approx(1, abs=0.05)


def test_dark_less_bias_is_no_measure_of_the_shot_noise_under_a_clamp(night):
    variance = temporal_variance(night.dark)
    naive = temporal_variance(night.bias) + (night.dark.signal - night.bias.signal) / night.gain
    true = night.truth.camera.variance(600, -20)
    centre = np.s_[150:300, 200:400]
    assert np.median(variance[centre] / true[centre]) == pytest.approx(1, abs=0.06)
    assert np.median(naive[centre] / true[centre]) < 0.9


def test_a_pixel_that_jumps_keeps_its_own_variance():
    rng = np.random.default_rng(3)
    frames = rng.normal(1000, 10, (20, 96, 96))
    frames[::2, 50, 50] += 400
    frames[:, 20, 20] += 5000
    data = combine(xr.DataArray(frames, dims=("frame", "y", "x"))).data
    found = temporal_variance(as_master(data, "dark"))
    assert found[50, 50] == pytest.approx(frames[:, 50, 50].var(ddof=1), rel=1e-5)
    assert np.median(found) == pytest.approx(100, rel=0.02)
    assert found.std() < 600  # that one pixel; all by themselves scatter by 32 besides
    assert np.delete(found.ravel(), 50 * 96 + 50).std() < 8


@pytest.fixture(scope="module")
def ccd():
    """A CCD whose darks scale: masters of bias and dark, and a light that is even."""
    off = ("cosmic_rays", "vignetting", "prnu")
    camera = Camera(replace(Sensor.from_manifest("well_behaved_ccd").without(*off), shape=(256, 256)), 4)
    rng = np.random.default_rng(11)

    def master(kind, exposure):
        shape = camera.sensor.shape
        frames = [camera.expose(kind, exposure, -10.0, rng)[: shape[0], : shape[1]] for _ in range(20)]
        return as_master(combine(xr.DataArray(np.array(frames), dims=("frame", "y", "x"))).data, kind)

    light = camera.expose("light", 300.0, -10.0, rng, light=1.0)[:256, :256]
    truth = camera.light_electrons(300.0, 1.0) / camera.gain
    return camera, master("bias", 0.0), master("dark", 600.0), light, truth


def test_they_are_for_a_scaled_dark_where_darks_scale(ccd):
    camera, bias, dark, light, truth = ccd
    got = calibrate_default(light, bias, dark, 0.5, errors=ErrorModel(camera.gain))
    error = got.values - truth
    assert 0.95 < spread((error - np.mean(error)) / got.sigma) < 1.05


def test_the_masters_share_is_that_of_their_number(ccd):
    camera, _, dark, _, _ = ccd
    sigma = light_sigma(dark.signal, matched_calibration(dark), ErrorModel(camera.gain))  # a light without light
    assert np.allclose(sigma**2, temporal_variance(dark) * (1 + 1 / 20), rtol=1e-5)


def test_the_error_of_the_flat_enters_in_proportion_to_the_light():
    light, dark = np.full((64, 64), 21_000.0), np.full((64, 64), 1000.0)
    quiet = as_master(dark, "dark", std_error=np.full((64, 64), 1e-6), n_kept=20)
    flat = as_master(np.full((64, 64), 5000.0), "flat", std_error=np.full((64, 64), 50.0))
    sigma = light_sigma(light, matched_calibration(quiet, flat), ErrorModel(1e12))
    assert np.allclose(sigma, 0.01 * 20_000, rtol=1e-3)


def test_masked_pixels_have_no_uncertainty():
    flat = np.ones((64, 64))
    flat[3, 4] = 0
    quiet = as_master(np.full((64, 64), 100.0), "dark", std_error=np.ones((64, 64)), n_kept=20)
    sigma = light_sigma(np.full((64, 64), 150.0), matched_calibration(quiet, flat), ErrorModel(1.0))
    assert np.argwhere(np.isnan(sigma)).tolist() == [[3, 4]]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "dark.fits: has no standard errors of its pixels; combine its frames with maps"),
        ({"std_error": np.ones((8, 8)), "n_kept": 2}, "dark.fits: is made of 2 frames, which tell no noise; "),
        (
            {"std_error": np.ones((8, 8)), "n_kept": 20, "method": "median"},
            "dark.fits: is a median of its frames, whose standard errors tell no variance of a frame; ",
        ),
    ],
)
def test_masters_that_tell_no_noise_are_refused(facts, said):
    dark = as_master(np.ones((8, 8)), "dark", name="dark.fits", **facts)
    with pytest.raises(InputError) as caught:
        light_sigma(np.full((8, 8), 5.0), matched_calibration(dark), ErrorModel(1.0))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("bayer_pattern", [None, "RGGB"])
@pytest.mark.parametrize("rows", [1, 2, 3, 65])
def test_they_are_the_same_in_bands(monkeypatch, bayer_pattern, rows):
    rng, shape = np.random.default_rng(2), (65, 70)
    facts = {"std_error": rng.gamma(9.0, 1.0, shape), "n_kept": 20, "bayer_pattern": bayer_pattern}
    bias, dark = (as_master(level + rng.normal(0, 1, shape), kind, **facts) for kind, level in MASTERS)
    light, calibration = 400 + rng.normal(0, 30, shape), default_calibration(bias, dark, 0.37, np.ones(shape))
    whole = light_sigma(light, calibration, ErrorModel(0.5))
    monkeypatch.setattr("workbench.calibrate.uncertainty._BAND", rows * shape[1])
    assert np.array_equal(light_sigma(light, calibration, ErrorModel(0.5)), whole)


def test_the_means_around_pixels_are_those_of_each_colour_mirrored_at_the_edges(monkeypatch):
    monkeypatch.setattr("workbench.calibrate.uncertainty._BAND", 3 * 9)
    light = 1e4 * (1 + np.random.default_rng(4).random((8, 9)))
    facts = {"std_error": np.full(light.shape, 1e-6), "n_kept": 20, "bayer_pattern": "RGGB"}
    dark = as_master(np.full(light.shape, 100.0), "dark", **facts)
    sigma = light_sigma(light + 100, matched_calibration(dark), ErrorModel(1e-4))  # so noisy that nothing stands out
    for place in np.ndindex(2, 2):
        colour = tuple(slice(start, None, 2) for start in place)
        mean = ndimage.uniform_filter(light[colour], 3, mode="mirror")
        assert np.allclose(sigma[colour] ** 2, mean / 1e-4, rtol=1e-5)


def test_a_gain_that_is_none_is_refused():
    with pytest.raises(InputError, match="gain: is 0 electron/adu; give the measured gain of these frames"):
        ErrorModel(0.0)


# ---- a real camera, a dark of which plays the light -----------------------------------------------------------------


@pytest.fixture(scope="module")
def real(real_data):
    table = catalogue(real_data / "asi178")
    table = table[table["usable"]]

    def master(rows, kind):
        return as_master(combine(load_stack(rows)).data, kind)

    darks = table[(table["kind"] == "dark") & (table["exposure"] == 50)]
    longer = table[(table["kind"] == "dark") & (table["exposure"] == 100)]
    lights = [source.read() for source in darks["source"].iloc[:2]]
    matched = matched_calibration(master(darks.iloc[2:], "dark"))
    bias = master(table[table["kind"] == "bias"], "bias")
    return lights, matched, default_calibration(bias, master(longer, "dark"), 0.5)


def left_of(light, calibration):
    """Return what calibration leaves of a dark, its level apart: it jumps from frame to frame."""
    values = calibration.apply(light, dtype=np.float64).values
    return values - np.median(values)


def test_a_matched_dark_leaves_the_noise_expected_of_a_real_camera(real):
    lights, matched, _ = real
    for light in lights:
        pull = left_of(light, matched) / light_sigma(light, matched, ErrorModel(1e9))  # no light, no shots of it
        assert 0.95 < pull.std() < 1.05


def test_a_scaled_dark_leaves_a_pattern_of_a_real_camera(real):
    """What two lights have in common is no noise of theirs; of it, the noise of the master is known."""
    lights, matched, scaled = real
    patterns = {}
    for name, calibration in (("matched", matched), ("scaled", scaled)):
        common = np.mean(left_of(lights[0], calibration) * left_of(lights[1], calibration))
        masters = sum(w**2 * temporal_variance(one) / one.n_kept for w, one in calibration.masters)
        patterns[name] = common - np.mean(masters)
    assert abs(patterns["matched"]) < 5**2
    assert patterns["scaled"] > 30**2
