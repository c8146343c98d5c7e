r"""How uncertain a calibrated light is: its own noise, and what the masters add.

The noise of a light's dark part, read noise included, is the temporal variance of the darks, as their master knows it
from the scatter of its frames. It is not the dark less the bias: where a clamp subtracts a part of the dark signal,
that has gone from the mean, but its shot noise has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from workbench.calibrate.frame_variance import counts_of, frame_variance
from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from workbench.calibrate.flat_field import FlatField
    from workbench.calibrate.lights import Calibration

    Plane = NDArray[Any]
    FloatPlane = NDArray[np.float64]

__all__ = ["ErrorModel", "light_sigma", "sigma_bands"]

_BAND = 2**18  # pixels that are worked on together
_STANDS_OUT = 4.0  # standard deviations above its neighbours, from where on a pixel of a light is no background


@dataclass(frozen=True)
class ErrorModel:
    """What uncertainties are made of besides the masters.

    Parameters
    ----------
    gain
        Of the lights' adu [electron / adu].

    Raises
    ------
    InputError
        When the gain is no positive number.
    """

    gain: float

    def __post_init__(self) -> None:
        if not 0 < self.gain < np.inf:
            raise InputError("gain", f"is {self.gain:g} electron/adu", "give the measured gain of these frames")


def light_sigma(light: Plane, calibration: Calibration, errors: ErrorModel) -> NDArray[np.float32]:
    r"""Return the uncertainty of a calibrated light, one standard deviation.

    Parameters
    ----------
    light
        Shape (y, x) [adu], as stored.
    calibration
        What is applied to it. Its bias and dark need standard errors and counts, as masters have them that were made
        with maps; a flat without any counts as exact.
    errors
        The gain.

    Returns
    -------
    numpy.ndarray
        Shape (y, x), float32 [adu]; NaN where the flat is masked. It says nothing of saturated pixels and cosmic rays.

    Raises
    ------
    InputError
        When a master has no standard errors, or is no mean.

    Notes
    -----
    With weights :math:`w_i` of the masters, :math:`G = \overline F / F` and S the light above what is subtracted:

    .. math:: \sigma^2 = G^2 \Bigl[\sum_i u_i V_i + S / g + \sum_i w_i^2 V_i / n_i\Bigr] + (G S)^2 (\sigma_F / F)^2

    :math:`V_i` is the temporal variance of one frame; :math:`u = 1` for a matched dark, and :math:`1 - k, k` for bias
    and dark, because shot noise grows in proportion to what is scaled. S is the mean of 3 x 3 pixels (of one colour),
    or the pixel itself where it stands out: a pixel's own noise must not tell its uncertainty.
    """
    pixels = np.asarray(light)
    out = np.empty(pixels.shape, np.float32)
    start = 0
    for band in sigma_bands(lambda low, top: pixels[low:top], pixels.shape, calibration, errors):
        out[start : start + len(band)] = band
        start += len(band)
    return out


def sigma_bands(
    light: Callable[[int, int], Plane], shape: tuple[int, ...], calibration: Calibration, errors: ErrorModel
) -> Iterator[NDArray[np.float32]]:
    """Yield the uncertainty of a calibrated light in bands of rows, from the first on; see :func:`light_sigma`.

    Parameters
    ----------
    light
        Returns pixels from one row to before another, as stored [adu].
    shape
        Rows and columns of the light.
    calibration, errors
        As for :func:`light_sigma`.
    """
    rows, columns = shape
    step = 2 if any(master.bayer_pattern for _, master in calibration.masters) else 1
    high = max(1, _BAND // columns)
    for start in range(0, rows, high):
        stop = min(start + high, rows)
        low, top = max(0, start - step), min(rows, stop + step)  # neighbours of one colour besides
        signal = light(low, top).astype(np.float64)
        for weight, master in calibration.masters:
            signal -= weight * master.signal[low:top]
        around = _around(signal, range(start - low, stop - low), step)
        yield _sigma(signal[start - low : stop - low], around, start, calibration, errors)


def _sigma(
    signal: FloatPlane, around: FloatPlane, start: int, calibration: Calibration, errors: ErrorModel
) -> NDArray[np.float32]:
    """Return the uncertainty of rows from ``start`` on, given their signal and its mean around each pixel."""
    stop = start + len(signal)
    noise, masters = np.zeros(signal.shape), np.zeros(signal.shape)
    for (weight, master), share in zip(calibration.masters, _shares(calibration), strict=True):
        variance = frame_variance(master).rows(start, stop)
        noise += share * variance
        masters += weight**2 * variance / counts_of(master, start, stop)
    noise = np.maximum(noise, 0.0)
    spread = np.sqrt(noise + np.maximum(around, 0.0) / errors.gain)
    expected = np.where(signal - around > _STANDS_OUT * spread, signal, around)
    total = noise + np.maximum(expected, 0.0) / errors.gain + masters
    if calibration.flat is not None:
        factor, relative = _response(calibration.flat, slice(start, stop))
        total = factor**2 * (total + (expected * relative) ** 2)
    return np.sqrt(total).astype(np.float32)


def _shares(calibration: Calibration) -> tuple[float, ...]:
    """Return the share that each master has in the light's own noise."""
    if len(calibration.masters) == 2:
        return 1.0 - calibration.k, calibration.k
    return (1.0,) * len(calibration.masters)


def _around(signal: FloatPlane, rows: range, step: int) -> FloatPlane:
    """Return the means of 3 x 3 pixels of one colour about those of some rows, mirrored where the image ends."""
    known = np.nan_to_num(signal)
    here = np.arange(rows.start, rows.stop)
    up, down = here - step, here + step
    first, last = up < 0, down >= len(signal)
    up, down = np.where(first, down, up), np.where(last, up, down)
    up[first & last] = down[first & last] = here[first & last]
    # no running sum: it would depend on where a band begins
    mean = (known[up] + known[here] + known[down]) / 3
    for column in range(step):
        colour = mean[:, column::step]
        colour[:] = ndimage.uniform_filter1d(colour, 3, axis=1, mode="mirror")
    return mean


def _response(field: FlatField, part: slice) -> tuple[FloatPlane, FloatPlane]:
    """Return what rows of a light are multiplied with, and the relative error; NaN where the flat is masked."""
    response = np.where(field.response[part] > 0, field.response[part], np.nan).astype(np.float64)
    pixels, variance = field.master.signal[part].astype(np.float64), np.zeros(response.shape)
    for master in (field.master, field.bias):
        if master is not None and master.std_error is not None:
            variance += np.square(master.std_error[part].astype(np.float64))
    if field.bias is not None:
        pixels = pixels - field.bias.signal[part]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(variance) / np.abs(pixels)
    return field.mean / response, np.where(np.isfinite(response), relative, np.nan)
