"""Small sensors that are quick to expose: one with every term on, one with every term off."""

from dataclasses import replace

import pytest

from workbench.camera.parameters import TERMS_OFF, Sensor


@pytest.fixture(scope="session")
def full_sensor() -> Sensor:
    """Every term on, strongly enough to be measured on few pixels."""
    return Sensor(
        name="full",
        shape=(120, 160),
        pixel_size=3.8,
        adc_bits=12,
        native_gain=0.5,
        bias_level=1600.0,
        pixel_pattern=8.0,
        row_pattern=3.0,
        column_pattern=4.0,
        drift=40.0,
        clamp_share=0.8,
        shielded_dark_ratio=1.2,
        overscan_columns=24,
        read_noise=1.7,
        read_noise_spread=0.2,
        row_noise=0.4,
        read_telegraph_fraction=0.01,
        read_telegraph_amplitude=8.0,
        read_telegraph_duty=0.3,
        read_telegraph_three_levels=0.4,
        dark_current=0.02,
        dark_spread=0.4,
        hot_fraction=0.004,
        hot_current=0.3,
        hot_spread=1.5,
        hot_energy=0.5,
        dark_telegraph_fraction=0.01,
        dark_telegraph_current=0.05,
        dark_telegraph_duty=0.4,
        dead_fraction=0.002,
        glow_linear=1e-3,
        glow_quadratic=1e-5,
        glow_shielded=3.0,
        cosmic_ray_rate=5000.0,
        prnu=0.02,
        vignetting=0.2,
        dust=3,
        well_capacity=1500.0,
    )


@pytest.fixture(scope="session")
def quiet_sensor(full_sensor: Sensor) -> Sensor:
    """Every term off: an offset and a gain."""
    return full_sensor.without(*TERMS_OFF)


@pytest.fixture(scope="session")
def dark_sensor(full_sensor: Sensor) -> Sensor:
    """All of the dark's terms but those that the expected values leave out: cosmic rays and the frames' own drift."""
    return replace(full_sensor.without("cosmic_rays", "drift", "overscan"), well_capacity=18000.0)
