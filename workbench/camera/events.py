"""What happens by chance: cosmic rays, telegraph pixels and slow drifts, as pure functions of a random generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

HIT_ELECTRONS = (1.0e2, 1.0e4)  # the least and the greatest charge that one hit leaves
TRACK_MEAN = 3.0  # pixels beyond the first along a track, on average
TRACK_LONGEST = 12


def cosmic_ray_hits(
    shape: tuple[int, int], pixel_size_um: float, exposure: float, rate: float, rng: np.random.Generator
) -> tuple[Integers, Integers, Floats]:
    """Draw the cosmic rays of one exposure.

    The number of hits is Poisson with mean ``rate * area * exposure / 60``. Each leaves a charge drawn log-uniformly
    between 10^2 and 10^4 electron, shared evenly by the pixels of a short straight track.

    Parameters
    ----------
    shape
        (rows, columns) of the sensor.
    pixel_size_um
        Pixel pitch [um].
    exposure
        Exposure time [s].
    rate
        Hits per cm2 and minute.
    rng
        Source of all randomness.

    Returns
    -------
    rows, columns, electrons
        1-D arrays of one length: the pixels hit and the charge left in each [electron]. A track that leaves the sensor
        loses its outer part. A pixel hit twice appears twice: add with ``np.add.at``.

    Raises
    ------
    ValueError
        When the exposure, the rate or the pixel size is negative.
    """
    if min(pixel_size_um, exposure, rate) < 0:
        raise ValueError(
            f"pixel_size_um = {pixel_size_um}, exposure = {exposure}, rate = {rate}: none may be negative; "
            "give them in um, s and hits / cm2 / min"
        )
    area = shape[0] * shape[1] * (pixel_size_um * 1e-4) ** 2
    hits = int(rng.poisson(rate * area * exposure / 60.0))
    charge = np.exp(rng.uniform(np.log(HIT_ELECTRONS[0]), np.log(HIT_ELECTRONS[1]), hits))
    pixels = np.minimum(1 + rng.poisson(TRACK_MEAN, hits), TRACK_LONGEST)
    angle = rng.uniform(0.0, np.pi, hits)
    row, column = rng.uniform(0, shape[0], hits), rng.uniform(0, shape[1], hits)

    # one step is one pixel along the track's longer axis, so that a track never meets the same pixel twice
    hit = np.repeat(np.arange(hits), pixels)
    step = np.arange(hit.size) - np.repeat(np.cumsum(pixels) - pixels, pixels)
    stretch = np.maximum(np.abs(np.sin(angle)), np.abs(np.cos(angle)))
    rows = np.floor(row[hit] + step * (np.sin(angle) / stretch)[hit]).astype(np.int64)
    columns = np.floor(column[hit] + step * (np.cos(angle) / stretch)[hit]).astype(np.int64)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    electrons = (charge / pixels)[hit]
    return rows[inside], columns[inside], electrons[inside]


def telegraph_state(n_pixels: int, duty: float, rng: np.random.Generator) -> Flags:
    """Tell which telegraph pixels stand in their upper level in one read.

    Reads are far apart compared with the jumps, so that every read is a fresh draw.

    Parameters
    ----------
    n_pixels
        How many telegraph pixels there are.
    duty
        The share of reads spent in the upper level, 0 to 1.
    rng
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        Boolean, shape ``(n_pixels,)``: True in the upper level.
    """
    return rng.random(n_pixels) < duty


def upper_share(n_pixels: int, duty: float, dwell: float, exposure: float, rng: np.random.Generator) -> Floats:
    """Draw the share of one exposure that pixels with a telegraph dark current spend in their upper level.

    A two-state Markov process in equilibrium: it leaves the upper level at the rate ``(1 - duty) / dwell`` and the
    lower one at ``duty / dwell``, so that ``dwell`` is its correlation time.

    Parameters
    ----------
    n_pixels
        How many such pixels there are.
    duty
        Long-term share of time in the upper level, strictly between 0 and 1.
    dwell
        Correlation time of the process [s].
    exposure
        Exposure time [s].
    rng
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_pixels,)``, each from 0 to 1.
    """
    upper = rng.random(n_pixels) < duty
    if exposure <= 0:
        return upper.astype(np.float64)
    now, time_up = np.zeros(n_pixels), np.zeros(n_pixels)
    while (now < exposure).any():
        stay = rng.exponential(dwell, n_pixels) / np.where(upper, 1.0 - duty, duty)
        then = np.minimum(now + stay, exposure)
        time_up += np.where(upper, then - now, 0.0)
        now, upper = then, ~upper
    return time_up / exposure


def slow_wander(n: int, correlation: float, rng: np.random.Generator) -> Floats:
    """Draw what wanders slowly from frame to frame: a stationary first-order autoregression of unit variance.

    Parameters
    ----------
    n
        How many values.
    correlation
        Of each with the one before, 0 to below 1.
    rng
        Source of all randomness.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``.
    """
    steps = rng.standard_normal(n)
    for place in range(1, n):
        steps[place] = correlation * steps[place - 1] + np.sqrt(1.0 - correlation**2) * steps[place]
    return steps


def upper_share_variance(duty: float, dwell: float, exposure: float) -> float:
    """Variance of :func:`upper_share` from exposure to exposure.

    For a process with the autocovariance ``p (1 - p) exp(-t / dwell)`` the mean over a time ``t`` has the variance
    ``2 p (1 - p) [x - x^2 (1 - exp(-1 / x))]`` with ``x = dwell / t``.

    Examples
    --------
    >>> upper_share_variance(0.5, 300.0, 0.0)
    0.25
    >>> round(upper_share_variance(0.5, 300.0, 600.0), 4)
    0.1419
    """
    if exposure <= 0:
        return duty * (1.0 - duty)
    x = dwell / exposure
    return 2.0 * duty * (1.0 - duty) * (x - x**2 * -float(np.expm1(-1.0 / x)))
