"""Star fields with their truth: Gaussian stars integrated over the pixels, at places that a transformation moves."""

import math

import numpy as np
from scipy.special import erf

SIGMAS = 2 * math.sqrt(2 * math.log(2))


def moved(matrix, points):
    x, y, w = matrix @ np.vstack([points.T, np.ones(len(points))])
    return np.column_stack([x / w, y / w])


def transformation(shape, *, degrees=0.0, shift=(0.0, 0.0), scale=1.0, tilt=(0.0, 0.0)):
    """A rotation, scale and tilt about the middle of the frame, and a shift."""
    turn = math.radians(degrees)
    cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
    middle = np.array([[1, 0, shape[1] / 2], [0, 1, shape[0] / 2], [0, 0, 1]])
    inner = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [*tilt, 1]])
    matrix = middle @ inner @ np.linalg.inv(middle)
    return matrix / matrix[2, 2]


def strewn(rng, shape, n, *, margin=60, faintest=2_000, brightest=200_000):
    """Places (x, y) of stars, some beyond the frame, and their fluxes, few of them bright."""
    places = rng.uniform([-margin, -margin], [shape[1] + margin, shape[0] + margin], (n, 2))
    return places, np.exp(rng.uniform(np.log(faintest), np.log(brightest), n))


def exposed(rng, shape, places, fluxes, *, fwhm=2.8, sky=300.0, noise=8.0, hot=0, cosmic=0):
    """A frame of stars [adu, one electron each] with photon noise, hot pixels and tracks of cosmic rays."""
    light, sigma, half = np.zeros(shape), fwhm / SIGMAS, math.ceil(6 * fwhm / SIGMAS)
    for (x, y), flux in zip(places, fluxes, strict=True):
        rows = np.arange(max(0, round(y) - half), min(shape[0], round(y) + half + 1))
        columns = np.arange(max(0, round(x) - half), min(shape[1], round(x) + half + 1))
        if len(rows) and len(columns):
            light[np.ix_(rows, columns)] += flux * np.outer(within(rows - y, sigma), within(columns - x, sigma))
    frame = sky + rng.poisson(light) + rng.normal(0, noise, shape)
    frame[rng.integers(0, shape[0], hot), rng.integers(0, shape[1], hot)] += rng.exponential(5_000, hot)
    for _ in range(cosmic):
        length, turn = rng.integers(2, 12), rng.uniform(0, math.pi)
        y, x = rng.uniform(12, shape[0] - 12), rng.uniform(12, shape[1] - 12)
        along = np.arange(length)
        frame[(y + along * math.sin(turn)).astype(int), (x + along * math.cos(turn)).astype(int)] += 3_000
    return frame.astype(np.float32)


def within(distance, sigma):
    """Part of a Gaussian that falls into pixels whose centres are so far from it."""
    return 0.5 * (erf((distance + 0.5) / sigma / math.sqrt(2)) - erf((distance - 0.5) / sigma / math.sqrt(2)))
