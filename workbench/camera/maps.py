"""The fixed maps of one specimen of a camera: what stays from frame to frame, drawn once from its seed.

Every map has its own random stream, so that switching one term off leaves the other maps as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.camera.parameters import Sensor

    FloatMap = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Indices = NDArray[np.int64]

# number of each map's random stream: part of the recipe, never renumbered; 7 is the sky's
_STREAM = {"offset": 1, "read_noise": 2, "telegraph": 3, "dark": 4, "hot": 5, "prnu": 6, "dead": 8, "dust": 9}
_TELEGRAPH_SPREAD = 0.5  # standard deviation of ln(amplitude)
_DUST_SPREAD = 0.3  # standard deviation of ln(radius) and of ln(depth)
_DUST_EDGE = 0.08  # softness of a shadow's edge, in radii


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM[name],)))


def _normal(seed: int, name: str, shape: tuple[int, ...]) -> FloatMap:
    return _stream(seed, name).standard_normal(shape, dtype=np.float32).astype(np.float64)


def _log_normal_factor(seed: int, name: str, shape: tuple[int, int], spread: float, *, mean_one: bool) -> FloatMap:
    """Log-normal factors of median one, or of mean one."""
    centre = -(spread**2) / 2 if mean_one else 0.0
    return np.exp(centre + spread * _normal(seed, name, shape)) if spread else np.ones(shape)


def offset_map(sensor: Sensor, seed: int) -> FloatMap:
    """Offset of every pixel with its fixed pattern [adu], overscan included."""
    rng = _stream(seed, "offset")
    rows, columns = sensor.frame_shape
    pixels = rng.standard_normal((rows, columns), dtype=np.float32)
    offset = sensor.bias_level + sensor.pixel_pattern * pixels + sensor.column_pattern * rng.standard_normal(columns)
    return offset + sensor.row_pattern * rng.standard_normal((rows, 1))


def read_noise_map(sensor: Sensor, seed: int) -> FloatMap:
    """Rms read noise of every pixel by itself [electron], overscan included, without telegraph jumps and row noise."""
    factor = _log_normal_factor(seed, "read_noise", sensor.frame_shape, sensor.read_noise_spread, mean_one=False)
    return sensor.read_noise * factor


def telegraph_pixels(sensor: Sensor, seed: int) -> tuple[Indices, FloatMap, Indices, Indices]:
    """Choose the telegraph pixels among the light-sensitive ones.

    Returns
    -------
    pixels, amplitude, traps, switching
        Flat indices of the read-kind pixels, the height of their jump [electron] and their number of traps (1 or 2);
        and the flat indices of the pixels whose dark current switches. No pixel is both.
    """
    rng = _stream(seed, "telegraph")
    size = sensor.shape[0] * sensor.shape[1]
    n_read = round(sensor.read_telegraph_fraction * size)
    n_dark = min(round(sensor.dark_telegraph_fraction * size), size - n_read)
    # the read kind is drawn first and whole, so that switching the dark kind off does not move it
    pixels = rng.choice(size, n_read, replace=False)
    amplitude = sensor.read_telegraph_amplitude * np.exp(_TELEGRAPH_SPREAD * rng.standard_normal(n_read))
    traps = 1 + (rng.random(n_read) < sensor.read_telegraph_three_levels).astype(np.int64)
    taken = np.zeros(size, dtype=bool)
    taken[pixels] = True
    switching = rng.choice(np.flatnonzero(~taken), n_dark, replace=False) if n_dark else np.empty(0, dtype=np.int64)
    return pixels, amplitude, traps, switching


def dark_map(sensor: Sensor, seed: int) -> FloatMap:
    """Dark current of the normal pixels at the reference temperature [electron / s]."""
    return sensor.dark_current * _log_normal_factor(seed, "dark", sensor.shape, sensor.dark_spread, mean_one=True)


def hot_map(sensor: Sensor, seed: int) -> FloatMap:
    """Return the current that hot pixels have on top of the normal one at the reference temperature [electron / s]."""
    rng = _stream(seed, "hot")
    size = sensor.shape[0] * sensor.shape[1]
    extra = np.zeros(size)
    pixels = rng.choice(size, round(sensor.hot_fraction * size), replace=False)
    extra[pixels] = sensor.hot_current * np.exp(sensor.hot_spread * rng.standard_normal(pixels.size))
    return extra.reshape(sensor.shape)


def dead_pixels(sensor: Sensor, seed: int) -> Flags:
    """Choose the pixels that gather no electrons."""
    size = sensor.shape[0] * sensor.shape[1]
    dead = np.zeros(size, dtype=bool)
    dead[_stream(seed, "dead").choice(size, round(sensor.dead_fraction * size), replace=False)] = True
    return dead.reshape(sensor.shape)


def glow_shape(sensor: Sensor) -> FloatMap:
    """Shape of the amp glow: an exponential fall with the distance from its source, mean one over the frame."""
    rows, columns = sensor.shape
    down = (np.arange(rows) - sensor.glow_row * (rows - 1))[:, np.newaxis]
    across = (np.arange(columns) - sensor.glow_column * (columns - 1))[np.newaxis, :]
    shape: FloatMap = np.exp(-np.hypot(down, across) / (sensor.glow_reach * columns))
    shape /= shape.mean()
    return shape


def response_map(sensor: Sensor, seed: int) -> FloatMap:
    """Response to an even light: PRNU, vignetting and dust, one at the centre on average where no shadow falls."""
    rows, columns = sensor.shape
    down = np.linspace(-1.0, 1.0, rows)[:, np.newaxis] if rows > 1 else np.zeros((1, 1))
    across = np.linspace(-1.0, 1.0, columns)[np.newaxis, :] if columns > 1 else np.zeros((1, 1))
    squared = (rows**2 * down**2 + columns**2 * across**2) / (rows**2 + columns**2)
    pixels = 1.0 + sensor.prnu * _normal(seed, "prnu", sensor.shape) if sensor.prnu else np.ones(sensor.shape)
    response: FloatMap = np.maximum(pixels, 0.0) * (1.0 - sensor.vignetting * squared)
    if sensor.dust:
        response *= dust_shadows(sensor, seed)
    return response


def dust_shadows(sensor: Sensor, seed: int) -> FloatMap:
    """Share of light that the shadows of dust grains leave: soft rings, as grains far out of focus cast them."""
    rng = _stream(seed, "dust")
    rows, columns = sensor.shape
    places = rng.random((sensor.dust, 2)) * (rows, columns)
    radii = sensor.dust_radius * np.exp(_DUST_SPREAD * rng.standard_normal(sensor.dust))
    depths = np.minimum(sensor.dust_depth * np.exp(_DUST_SPREAD * rng.standard_normal(sensor.dust)), 1.0)
    left: FloatMap = np.ones(sensor.shape)
    for (row, column), radius, depth in zip(places, radii, depths, strict=True):
        down, across = np.arange(rows)[:, np.newaxis] - row, np.arange(columns)[np.newaxis, :] - column
        distance = np.hypot(down, across) / radius
        ring = expit((1.0 - distance) / _DUST_EDGE) - 0.5 * expit((0.4 - distance) / _DUST_EDGE)
        left *= 1.0 - depth * ring
    return left
