"""How precise a dark current is at the paper's conditions, and that no gain moves it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.camera.session import FrameSet, Plan, simulate
from workbench.frames.catalogue import catalogue
from workbench.measure.dark_current import variance_rates
from workbench.measure.numbers import number
from workbench.measure.survey import measure_camera
from workbench.stack.variance import difference_moments, levels

# the paper's camera: 0.005 electron / s at -20 deg C, darks of 600 s
SENSOR = Sensor.from_manifest("qhy163m_like").without("cosmic_rays", "dark_telegraph", "glow")
COLD, EXPOSURE, N_DARKS, N_BIAS = -20.0, 600.0, 14, 20
MOST = 0.01  # relative standard error


def temporal_variance(camera, seed):
    """Dark current by the temporal variance, and its truth over the pixels in range [electron / s]."""
    rng = np.random.default_rng(seed)
    stacks = [
        xr.DataArray(np.stack([camera.expose(kind, t, COLD, rng) for _ in range(n)]), dims=("frame", "y", "x"))
        for kind, t, n in (("bias", 0.0, N_BIAS), ("dark", EXPOSURE, N_DARKS))
    ]
    out = levels(stacks[1], camera.saturation).out_of_range
    bias, darks = (difference_moments(one, levels(one).frame_means, out) for one in stacks)
    gain = number(camera.gain, 0.0)
    rate = variance_rates(darks, bias.temporal, EXPOSURE, gain)[-1]
    assert rate.method == "temporal_variance"
    truth = float(camera.dark_electrons(EXPOSURE, COLD)[~out].mean()) / EXPOSURE
    return rate.in_electrons(gain), truth


def test_stated_errors_cover_the_truth_at_the_papers_conditions():
    n = 60
    sensor = replace(SENSOR, shape=(160, 160), overscan_columns=0)
    pulls = []
    for seed in range(n):
        found, truth = temporal_variance(Camera(sensor, seed), seed)
        pulls.append((found.nominal_value - truth) / found.std_dev)
    pulls = np.array(pulls)
    assert abs(pulls.mean()) < 4 / n**0.5
    assert pulls.std(ddof=1) == pytest.approx(1.0, abs=4 / (2 * n) ** 0.5)
    inside = (np.abs(pulls) < 1).mean()
    assert inside == pytest.approx(0.683, abs=4 * (0.683 * 0.317 / n) ** 0.5)


def test_the_error_is_below_one_percent_on_a_quarter_of_the_pixels(embedded):
    _, results, _ = embedded  # 1 Mpx, the gain measured as well
    for method in ("pair", "temporal_variance", "temporal_variance_masked"):
        found = results.find("dark_current", method, exposure=EXPOSURE)
        assert found.std_error < MOST * found.value, method


@pytest.mark.slow
def test_the_error_is_below_one_percent_on_four_megapixels():
    found, truth = temporal_variance(Camera(replace(SENSOR, shape=(2048, 2048), overscan_columns=0), 1), 1)
    assert found.std_dev < MOST * truth
    assert found.nominal_value == pytest.approx(truth, abs=4 * found.std_dev)


def test_the_same_truth_at_four_gains_gives_the_same_dark_current(tmp_path):
    found = []
    for gain in (0.05, 0.25, 1.0, 5.0):
        alike = replace(SENSOR, shape=(192, 192), overscan_columns=0, adc_bits=16, native_gain=gain, read_noise=4.0)
        sensor = replace(
            alike, bias_level=2000.0, pixel_pattern=0.5 / gain, column_pattern=0.2 / gain, drift=0.5 / gain
        )
        lamp = min(60000.0 * gain, 15000.0) / 10
        sets = (
            FrameSet("bias", 10, 5e-5, COLD),
            *(FrameSet("dark", 6, t, COLD) for t in (60.0, 300.0, EXPOSURE)),
            *(FrameSet("flat", 2, t, COLD, lamp, block=2) for t in (1.0, 2.0, 4.0, 6.0)),
        )
        results = measure_camera(catalogue(simulate(sensor, Plan("gains", sets), tmp_path / f"{gain}", seed=5)))
        assert results.find("gain").pull(gain) == pytest.approx(0, abs=4)
        found.append(results.find("dark_current", "temporal_variance", exposure=EXPOSURE))
    values, errors = np.array([(one.value, one.std_error) for one in found]).T
    mean = np.average(values, weights=errors**-2)
    assert (((values - mean) / errors) ** 2).sum() < 16.3  # chi-squared of 3 degrees of freedom at p = 0.001
    assert errors.max() < 0.05 * mean
