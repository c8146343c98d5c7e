"""EMVA 1288: the reference implementation of the standard and ours on the same frames.

The standard measures from pairs of frames, one dark and one bright pair at each exposure, and a stack of darks for the
nonuniformity. What differs by definition, each held by a test below:

* gain: the standard's K is in DN/electron, ours in electron/adu, and its line through the origin weighs all levels
  alike where ours weighs them by their errors. Levels are the same numbers;
* variances divide by N pixels there, by N - 1 here;
* dark noise: the standard extrapolates the darks' variance to no exposure, and takes out 1/12 DN^2 of quantisation
  whatever the lattice is; here it is the bias frames' variance, with q^2/12 of the lattice q;
* nonuniformity: the standard takes the noise of single pixels out of rows and columns, not the noise in time that a
  row shares; and it counts the drift of whole frames as noise of the pixels. Here rows lose their own noise, and
  drift is removed from the frames. Its line variances divide by the number of lines, ours by the degrees of freedom.
"""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.measure.dark_current import variance_slope
from workbench.measure.frame_noise import frame_noise, pattern
from workbench.measure.gain import flat_level, photon_transfer
from workbench.measure.lines import fit_line
from workbench.measure.noise import bias_noise, read_noise
from workbench.measure.numbers import number
from workbench.stack.variance import difference_moments, equalised_difference, levels

COLD = -20.0
EXPOSURES = tuple(range(4, 41, 4))
LIGHT = 550.0
N_SPATIAL = 16
SENSOR = Sensor(
    name="emva",
    shape=(150, 200),
    pixel_size=3.8,
    adc_bits=16,  # the standard's software knows no lattice but 1
    native_gain=0.5,
    bias_level=1000.0,
    pixel_pattern=6.0,
    row_pattern=3.0,
    column_pattern=4.0,
    drift=5.0,
    read_noise=6.0,
    read_noise_spread=0.1,
    row_noise=3.0,
    dark_current=20.0,
    dark_spread=0.2,
    prnu=0.01,
)
SIZE = SENSOR.shape[0] * SENSOR.shape[1]


@pytest.fixture(scope="module")
def frames():
    """Pairs of darks and flats at each exposure, stacks of darks and flats, bias frames."""
    camera, rng = Camera(SENSOR, 1), np.random.default_rng(1)

    def shoot(kind, exposure, n, light=0.0):
        return np.stack([camera.expose(kind, exposure, COLD, rng, light=light) for _ in range(n)])

    return SimpleNamespace(
        camera=camera,
        dark={t: shoot("dark", t, 2) for t in EXPOSURES},
        flat={t: shoot("flat", t, 2, LIGHT) for t in EXPOSURES},
        darks=shoot("dark", 4, N_SPATIAL),
        flats=shoot("flat", 4, N_SPATIAL, LIGHT),
        bias=shoot("bias", 0.0, 20),
    )


@pytest.fixture(scope="module")
def standard(frames, tmp_path_factory):
    """Let the package load the frames from files and process them its own way."""
    folder = tmp_path_factory.mktemp("emva")

    def files(name, stack):
        paths = [str(folder / f"{name}_{k}.npy") for k in range(len(stack))]
        for path, frame in zip(paths, stack, strict=True):
            np.save(path, frame)
        return paths

    # what its parser makes of a descriptor: exposure [ns], photons, files
    images = {
        "temporal": {
            t * 1e9: {0.0: files(f"dark_{t}", frames.dark[t]), LIGHT * t: files(f"flat_{t}", frames.flat[t])}
            for t in EXPOSURES
        },
        "spatial": {4e9: {0.0: files("darks", frames.darks), LIGHT * 4: files("flats", frames.flats)}},
    }
    with pytest.MonkeyPatch.context() as patch:
        # release 1.0.2 calls a function that NumPy 2 has dropped; this is its documented replacement
        patch.setattr(np, "asfarray", lambda values: np.asarray(values, dtype=np.float64), raising=False)
        from emva1288.process.data import Data1288
        from emva1288.process.loader import LoadImageData
        from emva1288.process.results import Results1288

        quiet = {"loglevel": logging.WARNING}
        loaded = LoadImageData(images, fload=np.load, **quiet)
        yield Results1288(Data1288(loaded.data, **quiet).data, **quiet)


def stack_of(frames):
    return xr.DataArray(frames, dims=("frame", "y", "x"))


def moments_of(frames):
    stack = stack_of(frames)
    return difference_moments(stack, levels(stack).frame_means, maps=True)


@pytest.fixture(scope="module")
def flat_levels(frames):
    """Return our levels from the same pairs, above the darks of the same exposure as the standard has them."""
    none = np.zeros(SENSOR.shape, dtype=bool)
    found = []
    for t in EXPOSURES:
        dark = moments_of(frames.dark[t])
        pair = equalised_difference(stack_of(frames.flat[t]), dark.frame_means.mean(), dark.mean_map, none)
        found.append(flat_level(pair, dark.temporal, t, 0.0, linear=True))
    return found


def test_the_levels_of_the_gain_are_the_same_numbers(standard, flat_levels):
    means = standard.temporal["u_y"] - standard.temporal["u_ydark"]
    variances = standard.temporal["s2_y"] - standard.temporal["s2_ydark"]
    assert [one.mean for one in flat_levels] == pytest.approx(means, rel=1e-9)
    # N - 1 for N; and the fixed pattern of the offset, which cancels here whatever the levels of the two flats are
    assert [one.variance for one in flat_levels] == pytest.approx(variances, rel=3e-4)


def test_the_gain_agrees_but_for_the_weights(standard, flat_levels, frames):
    top = standard.index_sensitivity_max + 1
    used, k = flat_levels[:top], standard.K
    ours = photon_transfer(used).gain
    assert 1 / k == pytest.approx(ours.nominal_value, abs=3 * ours.std_dev)
    assert ours.nominal_value == pytest.approx(frames.camera.gain, abs=4 * ours.std_dev)
    x, y = (np.array([getattr(one, name) for one in used]) for name in ("mean", "variance"))
    assert k == pytest.approx((x @ y) / (x @ x), rel=3e-4)  # all levels alike, our levels


def test_the_dark_noise_agrees_but_for_where_it_is_read_off(standard, frames):
    pairs = [moments_of(frames.dark[t]).temporal for t in EXPOSURES]
    slope = variance_slope(EXPOSURES, pairs, 2 * len(EXPOSURES))
    intercept = float(slope.unweighted.coefficients[0])
    assert standard.sigma_y_dark**2 == pytest.approx(intercept * (SIZE - 1) / SIZE, rel=1e-4)
    noise = bias_noise(moments_of(frames.bias), 1)
    assert standard.sigma_d == pytest.approx((intercept - noise.quantisation) ** 0.5 / standard.K, rel=1e-4)
    from_bias = read_noise(noise, 1 / number(standard.K, 0.0))
    error = float(slope.unweighted.std_errors[0]) / 2 / intercept**0.5 / standard.K
    assert standard.sigma_d == pytest.approx(from_bias.nominal_value, abs=4 * error)
    assert from_bias.nominal_value == pytest.approx(frames.camera.read_noise, rel=0.02)


def test_dark_current_from_variance_and_from_mean_agree(standard, frames):
    pairs = [moments_of(frames.dark[t]) for t in EXPOSURES]
    slope = variance_slope(EXPOSURES, [one.temporal for one in pairs], 2 * len(EXPOSURES))
    ours = float(slope.unweighted.coefficients[1]) / standard.K**2
    assert standard.u_I_var == pytest.approx(ours * (SIZE - 1) / SIZE, rel=1e-4)
    means = fit_line(EXPOSURES, [one.frame_means.mean() for one in pairs], np.ones(len(pairs)), degree=1)
    assert standard.u_I_mean == pytest.approx(float(means.coefficients[1]) / standard.K, rel=1e-4)
    truth = frames.camera.mean_thermal_rate(COLD)
    error = float(slope.unweighted.std_errors[1]) / standard.K**2
    assert standard.u_I_var == pytest.approx(truth, abs=4 * error + 0.02 * truth)  # and the error of K
    assert standard.u_I_mean == pytest.approx(truth, rel=0.02)


def test_the_nonuniformity_agrees_but_for_the_noise_that_rows_share(standard, frames):
    moments = moments_of(frames.darks)
    noise = frame_noise(stack_of(frames.darks), moments, np.zeros(SENSOR.shape, dtype=bool))
    fixed = pattern(noise).fixed
    pixels, rows, columns = fixed.values
    shared = noise.temporal.values / N_SPATIAL
    # lines and variances are divided by other numbers: of the order of the whole over the number of pixels
    size = 3 * standard.s_2_y_measured_dark / SIZE
    # the drift of whole frames is noise in time there, and is removed here
    drift = frames.darks.mean(axis=(1, 2)).var(ddof=1) / N_SPATIAL
    assert standard.s_2_y_dark + drift == pytest.approx(pixels + rows + columns, abs=size)
    assert standard.s_2_y_row_dark == pytest.approx(rows + shared[1], abs=size)
    assert standard.s_2_y_col_dark == pytest.approx(columns + shared[2], abs=size)
    assert standard.s_2_y_pixel_dark + drift == pytest.approx(pixels - shared[1] - shared[2], abs=size)
    assert min(drift, shared[1]) > 5 * size  # the differences are there to be seen
