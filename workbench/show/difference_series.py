"""Fourteen simulated darks, and the variance of their composite difference with any hits and telegraph pixels.

The quiet frames are exposed once. Cosmic rays and telegraph pixels are sparse, so that adding them, and correcting the
exact sums of powers that every estimate needs, touches a few thousand pixels and not 14 million.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.camera.events import cosmic_ray_hits, telegraph_state
from workbench.camera.maps import telegraph_pixels
from workbench.camera.sensor import Camera, Sensor
from workbench.stack.power_sums import difference_variance

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 1024
N_FRAMES = 14
EXPOSURE = 600.0  # s
RATE_STEP = 0.25  # hits / cm2 / min of one packet: superposed Poisson processes are one of the summed rate
PACKETS = 16
MOST_TELEGRAPH = 0.008  # share of the pixels


@dataclass(frozen=True)
class CompositeEstimate:
    """Dark current from the composite of the first ``n_frames`` frames.

    Parameters
    ----------
    n_frames
        Even.
    variance
        ``var(D)``, its mean removed, ddof 1 [electron2].
    dark_current, std_error
        [electron / s]
    """

    n_frames: int
    variance: float
    dark_current: float
    std_error: float


@dataclass(frozen=True)
class Difference:
    """One composite ``D = D1 - D2 + ... - Dn`` with its events.

    Parameters
    ----------
    steps
        The composite [ADC steps], int32, shape (y, x); pixels that saturate are zero and do not count.
    estimates
        For 2, 4, ..., n frames.
    n_hit, n_telegraph
        Pixels that a cosmic ray hit in any of the n frames; telegraph pixels.
    """

    steps: NDArray[np.int32]
    estimates: tuple[CompositeEstimate, ...]
    n_hit: int
    n_telegraph: int


class DifferenceSeries:
    """The frames, exposed one after the other by one camera; only their composites and their events are kept.

    Parameters
    ----------
    sensor
        Its cosmic rays and read telegraph pixels come back as asked for; drift and switching currents do not.
    seed
        Of the camera and of all its frames.

    Attributes
    ----------
    truth
        Thermal dark current plus glow, mean over the pixels that never saturate [electron / s].
    floor
        What is subtracted from a variance: read noise of steady pixels squared, plus that of rounding [electron2].
    n_pixels
        Pixels that never saturate.
    """

    def __init__(self, sensor: Sensor, seed: int) -> None:
        shape, frames = (SIDE, SIDE), range(N_FRAMES)
        sensor = replace(
            sensor,
            shape=shape,
            overscan_columns=0,
            read_telegraph_fraction=MOST_TELEGRAPH,
            read_telegraph_three_levels=0,
        )
        quiet = sensor.without("cosmic_rays", "read_telegraph", "dark_telegraph", "drift")
        camera, rng = Camera(quiet, seed), np.random.default_rng(seed)
        temperature = quiet.reference_temperature
        self.native_gain = sensor.native_gain
        self._telegraph, self._jumps = _telegraph_jumps(sensor, seed, rng)

        top = sensor.adc_top // sensor.lattice
        used = np.ones(SIDE * SIDE, dtype=bool)
        running = np.zeros(SIDE * SIDE, dtype=np.int16)
        self._base = np.empty((N_FRAMES // 2, SIDE * SIDE), dtype=np.int16)
        packets = []
        for frame in frames:
            steps = (camera.expose("dark", EXPOSURE, temperature, rng) // sensor.lattice).ravel().astype(np.int16)
            used &= steps < top
            running += steps if frame % 2 == 0 else -steps
            self._base[frame // 2] = running
            packets.append(_hits(quiet, steps, top, frame, rng))
        self._base[:, ~used] = 0
        hits = np.concatenate(packets)
        self._hits = hits[used[hits["pixel"]]]

        usable = used.reshape(shape)
        self.n_pixels = int(used.sum())
        self.truth = float(camera.dark_electrons(EXPOSURE, temperature)[usable].mean()) / EXPOSURE
        self.floor = float(np.mean(camera.read_noise_map[usable] ** 2)) + self.native_gain**2 / 12.0
        self._sums = [_power_sums(one) for one in self._base]

    def difference(self, n_frames: int, rate: float, telegraph: float) -> Difference:
        """Compose the first frames with their events.

        Parameters
        ----------
        n_frames
            Even, 2 to 14.
        rate
            Cosmic rays [hits / cm2 / min], a multiple of 0.25 up to 4.
        telegraph
            Share of telegraph pixels, 0 to 0.008.

        Raises
        ------
        ValueError
            When a value is out of its range.
        """
        packets, n_telegraph = round(rate / RATE_STEP), round(telegraph * SIDE * SIDE)
        if n_frames % 2 or not 2 <= n_frames <= N_FRAMES:
            raise ValueError(
                f"n_frames = {n_frames} is not even or not within 2 to {N_FRAMES}; a composite needs pairs"
            )
        if not (0 <= packets <= PACKETS and 0 <= n_telegraph <= self._telegraph.size):
            limits = f"0 to {PACKETS * RATE_STEP:g} hits / cm2 / min and 0 to {MOST_TELEGRAPH:g}"
            raise ValueError(f"rate = {rate}, telegraph = {telegraph} are not within {limits}")
        hits = self._hits[(self._hits["packet"] < packets) & (self._hits["frame"] < n_frames)]
        chosen = self._telegraph[:n_telegraph]
        pixels, place = np.unique(np.concatenate([chosen, hits["pixel"]]), return_inverse=True)
        change = np.zeros((n_frames // 2, pixels.size), dtype=np.int64)
        change[:, place[:n_telegraph]] = self._jumps[: n_frames // 2, :n_telegraph]
        np.add.at(change, (hits["frame"] // 2, place[n_telegraph:]), hits["steps"])
        np.cumsum(change, axis=0, out=change)

        estimates = tuple(self._estimate(k, pixels, one) for k, one in enumerate(change))
        steps = self._base[n_frames // 2 - 1].astype(np.int32)
        steps[pixels] += change[-1].astype(np.int32)
        n_hit = int(np.unique(hits["pixel"]).size)
        return Difference(steps.reshape(SIDE, SIDE), estimates, n_hit, n_telegraph)

    def _estimate(self, k: int, pixels: NDArray[np.int64], change: NDArray[np.int64]) -> CompositeEstimate:
        """Correct the exact sums of a quiet composite where events changed it, and estimate from them.

        ``D_c = [K^2 var(D) / n - RON^2] / t``.
        """
        old = self._base[k, pixels].astype(np.int64)
        sums = [
            float(total + new - was)
            for total, new, was in zip(self._sums[k], _power_sums(old + change), _power_sums(old), strict=True)
        ]
        n_frames, scale = 2 * k + 2, self.native_gain**2
        found = difference_variance(sums, self.n_pixels, n_frames)
        rate = (scale * found.value - self.floor) / EXPOSURE
        return CompositeEstimate(n_frames, scale * found.value * n_frames, rate, scale * found.std_error / EXPOSURE)


_HIT = np.dtype([("pixel", np.int64), ("frame", np.int64), ("packet", np.int64), ("steps", np.int64)])


def _hits(sensor: Sensor, steps: NDArray[np.int16], top: int, frame: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw the packets of hits of one frame; ``steps`` is what each adds to the composite, the ADC's top respected."""
    packets = []
    for packet in range(PACKETS):
        rows, columns, electrons = cosmic_ray_hits(sensor.shape, sensor.pixel_size, EXPOSURE, RATE_STEP, rng)
        one = np.empty(rows.size, dtype=_HIT)
        one["pixel"], one["frame"], one["packet"] = rows * SIDE + columns, frame, packet
        before = steps[one["pixel"]].astype(np.int64)
        one["steps"] = np.minimum(before + np.rint(electrons / sensor.native_gain).astype(np.int64), top) - before
        packets.append(one)
    hits = np.concatenate(packets)
    if frame % 2:
        hits["steps"] *= -1
    return hits


def _telegraph_jumps(
    sensor: Sensor, seed: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the telegraph pixels, and what each adds to every pair's difference [ADC steps], shape (pair, pixel)."""
    pixels, amplitude, _, _ = telegraph_pixels(sensor, seed)
    upper = np.array(
        [telegraph_state(pixels.size, sensor.read_telegraph_duty, rng) for _ in range(N_FRAMES)], dtype=int
    )
    return pixels, np.rint((upper[::2] - upper[1::2]) * amplitude / sensor.native_gain).astype(np.int64)


def _power_sums(values: NDArray[Any]) -> tuple[int, int, int, int]:
    """Exact sums of the first four powers; 64 bits hold them for any composite of 12-bit frames."""
    x = values.astype(np.int64)
    square = x * x
    return int(x.sum()), int(square.sum()), int((square * x).sum()), int((square * square).sum())


@lru_cache(maxsize=1)
def embedded_series() -> DifferenceSeries:
    """Expose the frames of the embedded camera's model; two seconds, once a session."""
    return DifferenceSeries(Sensor.from_manifest("qhy163m_like"), seed=14)
