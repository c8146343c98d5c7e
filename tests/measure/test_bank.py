"""A bank of small, very different cameras: are the stated errors the scatter around the truth?"""

import numpy as np
import pytest

from workbench.camera.sensor import Camera, Sensor
from workbench.camera.session import FrameSet, Plan, simulate
from workbench.frames.catalogue import catalogue
from workbench.measure.survey import measure_camera

TEMPERATURE = -20.0
# an error that is itself estimated from the scatter of 8 frames makes pulls of Student's t with 7 degrees of freedom
SPREAD = {"bias_level": (7 / 5) ** 0.5}
NOISE_METHODS = ("pair", "composite", "mean_of_pairs", "temporal_variance")


def camera_of(number):
    """Gain 0.03 to 5 electron/adu, read noise 1 to 10 electron, dark current 1e-4 to 1 electron/s, 12 to 16 bits."""
    rng = np.random.default_rng([20261122, number])
    bits = int(rng.choice([12, 14, 16]))
    read_noise = float(np.exp(rng.uniform(0, np.log(10))))
    # the noise spreads over 0.8 ADC steps and more: below, the survey rightly refuses
    native_gain = float(np.exp(rng.uniform(np.log(0.03), np.log(min(5 * 2 ** (16 - bits), read_noise / 0.8)))))
    gain = native_gain / 2 ** (16 - bits)
    dark_current = float(10 ** rng.uniform(-4, 0))
    longest = float(rng.choice([60, 300, 600]))
    glow = {"glow_linear": 0.5 * dark_current, "glow_quadratic": 0.5 * dark_current / longest, "glow_shielded": 1.5}
    sensor = Sensor(
        name="bank",
        shape=(128, 160),
        pixel_size=3.8,
        adc_bits=bits,
        native_gain=native_gain,
        bias_level=max(1000.0, 12 * read_noise / gain),
        pixel_pattern=0.5 * read_noise / gain,
        column_pattern=0.2 * read_noise / gain,
        drift=float(read_noise / gain * 10 ** rng.uniform(-1.5, -0.3)),
        clamp_share=float(rng.random() < 0.5),
        read_noise=read_noise,
        read_noise_spread=0.15,
        dark_current=dark_current,
        dark_spread=0.3,
        hot_fraction=0.003,
        hot_current=20 * dark_current,
        hot_spread=0.8,
        prnu=0.01,
        vignetting=0.2,
        **(glow if rng.random() < 0.5 else {}),
    )
    lamp = (sensor.adc_top - sensor.bias_level) * gain / 10
    sets = (
        FrameSet("bias", 8, 5e-5, TEMPERATURE),
        *(FrameSet("dark", 4, longest * share, TEMPERATURE) for share in (0.05, 0.3, 0.6, 1.0)),
        *(FrameSet("flat", 2, exposure, TEMPERATURE, lamp, block=2) for exposure in (0.5, 1.5, 3.0, 6.0)),
    )
    return sensor, Plan("bank", sets)


def pulls_of(number, folder):
    sensor, plan = camera_of(number)
    frames = catalogue(simulate(sensor, plan, folder / f"camera{number}", seed=number))
    results = measure_camera(frames)
    camera = Camera(sensor, number)
    ceiling = [one.value for one in results.select("saturation")] or [sensor.adc_top]
    darks = np.stack([row.source.read() for row in frames[frames["kind"] == "dark"].itertuples()])
    used = ((darks < ceiling[0]) & (darks > 0)).all(axis=0)
    if used.mean() < 0.95:
        return {}  # whole exposures are left out then: another set of pixels
    found = {"gain": [one.pull(camera.gain) for one in results.select("gain")]}
    found["read_noise"] = [one.pull(camera.read_noise) for one in results.select("read_noise")]
    found["bias_level"] = [one.pull(camera.bias_level) for one in results.select("bias_level")]
    for method in NOISE_METHODS:
        found[method] = [
            one.pull(
                float(
                    camera.dark_electrons(one.conditions["exposure"], TEMPERATURE)[used].mean()
                    / one.conditions["exposure"]
                )
            )
            for one in results.select("dark_current", method)
        ]
    return found


def check_bank(numbers, folder):
    bank = [pulls_of(number, folder) for number in numbers]
    measured = [found for found in bank if found]
    assert len(measured) > 0.8 * len(bank)
    for name in measured[0]:
        pulls = np.concatenate([found[name] for found in measured])
        # the exposures of one camera share bias, gain and saturated pixels: count cameras, not exposures
        n = len(measured)
        assert abs(pulls.mean()) < 4 / n**0.5, name
        spread = pulls.std() / SPREAD.get(name, 1.0)
        assert 1 - 4 / (2 * n) ** 0.5 < spread < 1 + 4 / (2 * n) ** 0.5, name
        assert (np.abs(pulls) > 5 * SPREAD.get(name, 1.0)).sum() == 0, name


def test_stated_errors_are_the_scatter_around_the_truth(tmp_path):
    check_bank(range(20), tmp_path)


@pytest.mark.slow
def test_stated_errors_are_the_scatter_around_the_truth_of_many_cameras(tmp_path):
    check_bank(range(100, 300), tmp_path)
