"""Why does a published convergence table scatter? Simulated tables of full-size frames under one cause at a time.

A composite of n frames is ``D = D1 - D2 + ... - Dn``; a table holds ``[var(D) / n - RON^2] / t`` for n = 2, 4, ....
Nothing of that needs frames. The sums of squares of Gaussian pixels follow a Wishart distribution, drawn exactly
whatever the number of pixels; rays and telegraph pixels are few, and are added one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.camera.events import cosmic_ray_hits, telegraph_state, upper_share
from workbench.camera.maps import telegraph_pixels
from workbench.camera.sensor import Camera, Sensor
from workbench.camera.specimen import arrhenius

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

_SPECIMEN = (512, 512)  # pixels whose noise and pattern stand for those of all


@dataclass(frozen=True)
class _Frames:
    """What the tables are made of: N pixels of variance ``sigma2`` [electron2], n frames of ``exposure`` [s]."""

    sensor: Sensor
    exposure: float
    n_frames: int
    n_pixels: int
    sigma2: float
    sigma4: float
    pattern: float  # variance of the expected electrons over the pixels that do not saturate
    ceiling: float  # electrons that a pixel shows at most

    @classmethod
    def of(cls, sensor: Sensor, exposure: float, n_frames: int) -> _Frames:
        camera = Camera(replace(sensor, shape=_SPECIMEN, overscan_columns=0), seed=0)
        warmth = sensor.reference_temperature
        variance = camera.variance(exposure, warmth) * sensor.gain**2
        electrons = camera.dark_electrons(exposure, warmth)
        used = electrons < 0.9 * camera.full_well
        n_pixels = sensor.shape[0] * sensor.shape[1]
        noise = variance[used]
        return cls(
            sensor,
            exposure,
            n_frames,
            n_pixels,
            float(noise.mean()),
            float(np.mean(noise**2)),
            float(electrons[used].var()),
            camera.full_well,
        )

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The even numbers of frames of a table."""
        return np.arange(2, self.n_frames + 1, 2)

    @property
    def signs(self) -> FloatArray:
        return np.resize([1.0, -1.0], self.n_frames)


def convergence_scatter(
    published: ArrayLike,
    sensor: Sensor,
    *,
    exposure: float = 600.0,
    n_tables: int = 200,
    seed: int = 1,
    rates: Sequence[float] = (0.1, 0.3, 1.0),
    drift: float = 30.0,
    temperature_rms: float = 0.1,
) -> pd.DataFrame:
    """Simulate convergence tables under one cause of scatter at a time, and hold them against a published one.

    Parameters
    ----------
    published
        Dark currents of 2, 4, ... frames [electron/s].
    sensor
        The camera, at its full size: its cosmic rays' charges, telegraph pixels, hot pixels and ADC range.
    exposure
        [s]
    n_tables
        How many tables of each cause; a probability is known to ``0.5 / sqrt(n_tables)``.
    seed
        Of all randomness.
    rates
        Cosmic rays [hits / cm2 / min].
    drift
        Rms of the level from frame to frame [adu].
    temperature_rms
        Rms of the sensor's temperature from frame to frame [K].

    Returns
    -------
    pandas.DataFrame
        Index ``cause``; ``rms`` (standard deviation of the values of one table, median over the tables) with
        ``rms_low`` and ``rms_high`` (5th and 95th percentile), ``range`` (greatest minus least value, median), ``bias``
        (mean of the last value above the truth), ``first`` and ``last`` (standard deviation over the tables of the
        value of 2 frames and of that of all), all [electron/s]; ``at_least``, the probability of a table that scatters
        as much as the published one, and ``at_most``, of one that scatters no more. ``attrs`` holds the published
        ``rms`` and ``range``.

    Notes
    -----
    Every table holds the sampling noise too. A mean of squares that keeps the level has ``(sum +-b_f)^2 / n`` of the
    drifts ``b_f`` in it; a variance has not. A temperature that wanders by dT changes every pixel's electrons by
    ``lambda_i (dT / T_d) ln 2``, and what pixels differ by remains in the difference.
    """
    table = np.asarray(published, dtype=np.float64)
    frames = _Frames.of(sensor, exposure, 2 * len(table))
    causes: dict[str, Callable[[np.random.Generator], FloatArray]] = {
        "pixel sampling": lambda _: np.zeros(len(table)),
        "drift of the level, removed": lambda rng: _drift(frames, drift, rng, removed=True),
        "drift of the level, left in": lambda rng: _drift(frames, drift, rng, removed=False),
        "temperature": lambda rng: _temperature(frames, temperature_rms, rng),
        "telegraph pixels": _Telegraph(frames),
        **{f"cosmic rays, {rate:g} /cm2/min": _rays_at(frames, rate) for rate in rates},
    }
    rows = []
    for cause, extra in causes.items():
        rng = np.random.default_rng(seed)
        tables = np.array([_sampling(frames, rng) + extra(rng) for _ in range(n_tables)]) / exposure
        rows.append({"cause": cause, **_described(tables, float(table.std(ddof=1)))})
    found = pd.DataFrame(rows).set_index("cause")
    found.attrs = {"rms": float(table.std(ddof=1)), "range": float(np.ptp(table)), "unit": "electron / s"}
    return found


def implied_pairs(table: ArrayLike) -> FloatArray:
    """Return the pairs' values of which a table of composites is the running mean.

    What cosmic rays, or anything that happens in single frames, add to a composite is the mean over its pairs: with
    ``v_k`` the value of k pairs, the k-th pair alone has ``k v_k - (k - 1) v_(k-1)``.

    Examples
    --------
    >>> implied_pairs([1.0, 2.0, 2.0])
    array([1., 3., 2.])
    """
    values = np.asarray(table, dtype=np.float64)
    sums = values * np.arange(1, len(values) + 1)
    return np.diff(sums, prepend=0.0)


def _described(tables: FloatArray, published: float) -> dict[str, float]:
    rms = tables.std(axis=1, ddof=1)
    low, middle, high = np.percentile(rms, [5, 50, 95])
    return {
        "rms": float(middle),
        "rms_low": float(low),
        "rms_high": float(high),
        "range": float(np.median(np.ptp(tables, axis=1))),
        "bias": float(tables[:, -1].mean()),
        "first": float(tables[:, 0].std(ddof=1)),
        "last": float(tables[:, -1].std(ddof=1)),
        "at_least": float(np.mean(rms >= published)),
        "at_most": float(np.mean(rms <= published)),
    }


def _sampling(frames: _Frames, rng: np.random.Generator) -> FloatArray:
    """Draw ``var(D) / n`` of Gaussian pixels minus its mean, for every n of a table [electron2].

    The pairs' differences are independent, so that their sums of products over N pixels are a Wishart matrix, here in
    Bartlett's decomposition. Pixels of unequal noise count as ``N <s^2>^2 / <s^4>`` of one noise.
    """
    k = frames.n_frames // 2
    equal = frames.n_pixels * frames.sigma2**2 / frames.sigma4
    lower = np.tril(rng.standard_normal((k, k)), -1)
    lower[np.diag_indices(k)] = np.sqrt(rng.chisquare(equal - np.arange(k)))
    products = lower @ lower.T
    sums = np.array([products[:m, :m].sum() / m for m in range(1, k + 1)]) / equal
    return np.asarray(frames.sigma2 * (sums - 1.0))


def _composites(frames: _Frames, changes: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return what changes of a few pixels, shape (frame, pixel) [electron], add to ``var(D) / n`` [electron2].

    With ``c`` a pixel's change of the composite and ``d`` its noise, ``[sum (c^2 + 2 c d) - (sum c)^2 / N] / (N n)``.
    """
    signed = changes * frames.signs[:, None]
    c = np.cumsum(signed, axis=0)[1::2]
    d = np.cumsum(rng.normal(0.0, frames.sigma2**0.5, changes.shape), axis=0)[1::2]
    added = (c**2 + 2 * c * d).sum(axis=1) - c.sum(axis=1) ** 2 / frames.n_pixels
    return np.asarray(added / frames.n_pixels / frames.numbers)


def _rays_at(frames: _Frames, rate: float) -> Callable[[np.random.Generator], FloatArray]:
    def rays(rng: np.random.Generator) -> FloatArray:
        sensor = frames.sensor
        hits = [
            cosmic_ray_hits(sensor.shape, sensor.pixel_size, frames.exposure, rate, rng) for _ in range(frames.n_frames)
        ]
        pixels = [rows * sensor.shape[1] + columns for rows, columns, _ in hits]
        hit, place = np.unique(np.concatenate(pixels), return_inverse=True)
        changes = np.zeros((frames.n_frames, hit.size))
        frame = np.repeat(np.arange(frames.n_frames), [one.size for one in pixels])
        np.add.at(changes, (frame, place), np.concatenate([electrons for _, _, electrons in hits]))
        return _composites(frames, np.minimum(changes, frames.ceiling), rng)

    return rays


def _drift(frames: _Frames, drift: float, rng: np.random.Generator, *, removed: bool) -> FloatArray:
    levels = drift * frames.sensor.gain * rng.standard_normal(frames.n_frames)
    level = np.cumsum(levels * frames.signs)[1::2]
    return np.zeros(level.size) if removed else np.asarray(level**2 / frames.numbers)


def _temperature(frames: _Frames, rms: float, rng: np.random.Generator) -> FloatArray:
    warmth = frames.sensor.reference_temperature
    growth = np.log(arrhenius(frames.sensor.dark_energy, warmth + 1.0, warmth))  # per kelvin
    change = np.cumsum(growth * rms * rng.standard_normal(frames.n_frames) * frames.signs)[1::2]
    return np.asarray(change**2 * frames.pattern / frames.numbers)


class _Telegraph:
    """Telegraph pixels of both kinds, a thousandth or so of all: a part of them is drawn and counts for the rest."""

    _MOST = 1000

    def __init__(self, frames: _Frames) -> None:
        self._frames, sensor = frames, frames.sensor
        self._sensor = sensor
        n = frames.n_pixels
        self._n_read = round(sensor.read_telegraph_fraction * n)
        self._n_dark = round(sensor.dark_telegraph_fraction * n)
        small = replace(sensor, shape=_SPECIMEN, overscan_columns=0)
        self._amplitudes = telegraph_pixels(small, 0)[1]

    def __call__(self, rng: np.random.Generator) -> FloatArray:
        return self._read(rng) + self._dark(rng)

    def _read(self, rng: np.random.Generator) -> FloatArray:
        sensor, drawn = self._sensor, min(self._n_read, self._MOST)
        amplitude = rng.choice(self._amplitudes, drawn) if drawn else np.zeros(0)
        states = [
            telegraph_state(drawn, sensor.read_telegraph_duty, rng) - sensor.read_telegraph_duty
            for _ in range(self._frames.n_frames)
        ]
        return self._scaled(np.array(states) * amplitude, self._n_read, rng)

    def _dark(self, rng: np.random.Generator) -> FloatArray:
        sensor, drawn, t = self._sensor, min(self._n_dark, self._MOST), self._frames.exposure
        duty, dwell = sensor.dark_telegraph_duty, sensor.dark_telegraph_dwell
        shares = [upper_share(drawn, duty, dwell, t, rng) - duty for _ in range(self._frames.n_frames)]
        return self._scaled(np.array(shares) * sensor.dark_telegraph_current * t, self._n_dark, rng)

    def _scaled(self, changes: FloatArray, n_pixels: int, rng: np.random.Generator) -> FloatArray:
        """Scale the sum over the pixels drawn to all of them, its mean in proportion and its scatter with the root."""
        if not n_pixels:
            return np.zeros(self._frames.numbers.size)
        factor = n_pixels / changes.shape[1]
        added = _composites(self._frames, changes, rng)
        mean = float((changes**2).mean()) * changes.shape[1] / self._frames.n_pixels
        return np.asarray(factor * mean + factor**0.5 * (added - mean))
