"""Light of stars and clouds on the pixels of a frame, as pure functions: what falls on them is known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatMap = NDArray[np.float64]
    Floats = NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
_REACH = 6.0  # sigmas: what lies further out is less than a billionth of a star's light


def star_light(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats, fwhm: float) -> FloatMap:
    """Light of Gaussian stars, integrated over every pixel, so that it adds up to their flux.

    Parameters
    ----------
    shape
        (rows, columns) of the frame.
    x, y
        Positions [pixel], 1-D: column and row, from zero, whole numbers at the centres of pixels. Stars may stand
        outside of the frame.
    flux
        Light of each [electron / s].
    fwhm
        Full width at half maximum of a star before the pixels average over it [pixel].

    Returns
    -------
    numpy.ndarray
        ``[y, x]`` [electron / s].
    """
    sigma = fwhm / FWHM_PER_SIGMA
    half = int(np.ceil(_REACH * sigma)) + 1
    rows, columns = shape
    seen = (x > -half) & (x < columns - 1 + half) & (y > -half) & (y < rows - 1 + half)
    x, y, flux = x[seen], y[seen], flux[seen]
    left, top = np.rint(x).astype(np.int64) - half, np.rint(y).astype(np.int64) - half
    steps = np.arange(2 * half + 1)
    across, down = _pixel_shares(left, x, steps, sigma), _pixel_shares(top, y, steps, sigma)

    margin = 2 * half  # wide enough for every stamp: none needs cutting
    padded = np.zeros((rows + 2 * margin, columns + 2 * margin))
    place = (
        (top[:, np.newaxis] + steps + margin)[:, :, np.newaxis],
        (left[:, np.newaxis] + steps + margin)[:, np.newaxis, :],
    )
    np.add.at(padded, place, flux[:, np.newaxis, np.newaxis] * down[:, :, np.newaxis] * across[:, np.newaxis, :])
    return padded[margin:-margin, margin:-margin].copy()


def cloud_light(shape: tuple[int, int], x: Floats, y: Floats, flux: Floats, covariance: Floats) -> FloatMap:
    """Light of clouds, each an elliptic Gaussian, at the centres of the pixels.

    A cloud seen through blurred air and averaged over pixels stays a Gaussian to a part in ten thousand: add the
    variance of the blur, and 1/12 for the pixel, to the diagonal of its covariance.

    Parameters
    ----------
    shape
        (rows, columns) of the frame.
    x, y
        Their centres [pixel], 1-D: column and row.
    flux
        Light of each [electron / s].
    covariance
        Shape ``(n, 2, 2)`` [pixel2], x before y.

    Returns
    -------
    numpy.ndarray
        ``[y, x]`` [electron / s].
    """
    light: FloatMap = np.zeros(shape)
    for column, row, brightness, spread in zip(x, y, flux, covariance, strict=True):
        reach_x, reach_y = _REACH * np.sqrt(np.diag(spread))
        columns = np.arange(max(int(column - reach_x), 0), min(int(column + reach_x) + 2, shape[1]))
        rows = np.arange(max(int(row - reach_y), 0), min(int(row + reach_y) + 2, shape[0]))
        if not columns.size or not rows.size:
            continue
        inverse = np.linalg.inv(spread)
        dx, dy = (columns - column)[np.newaxis, :], (rows - row)[:, np.newaxis]
        distance = inverse[0, 0] * dx**2 + 2.0 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        peak = brightness / (2.0 * np.pi * np.sqrt(np.linalg.det(spread)))
        light[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += peak * np.exp(-distance / 2.0)
    return light


def _pixel_shares(first: NDArray[np.int64], centre: Floats, steps: NDArray[np.int64], sigma: float) -> Floats:
    """Shares of a Gaussian that fall on consecutive pixels from ``first`` on, shape ``(stars, pixels)``."""
    edges = np.append(steps, steps.size) - 0.5
    below = erf((first[:, np.newaxis] + edges - centre[:, np.newaxis]) / (sigma * np.sqrt(2.0)))
    shares: Floats = np.diff(below, axis=1) / 2.0
    return shares
