r"""How uncertain a calibrated light is: its own noise, and what the masters add.

The noise of a light's dark part, read noise included, is the temporal variance of the darks, as their master knows it
from the scatter of its frames. It is not the dark less the bias: where a clamp subtracts a part of the dark signal,
that has gone from the mean, but its shot noise has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, special, stats

from workbench.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.calibrate.flat_field import FlatField
    from workbench.calibrate.lights import Calibration
    from workbench.calibrate.master_frame import MasterFrame

    Plane = NDArray[Any]
    FloatPlane = NDArray[np.float64]

__all__ = ["ErrorModel", "light_sigma", "temporal_variance"]

_TILE = 32  # pixels on a side, over which the noise of normal pixels is alike
_MAD = 1.4826
_HOT = 8.0  # robust standard deviations above its tile, from where on a pixel is brighter by more than fixed pattern
_ODD = 1e-4  # chance of a variance so much above what is expected: then it is the pixel's own, as of telegraph pixels
_STANDS_OUT = 4.0  # standard deviations above its neighbours, from where on a pixel of a light is no background
_FEWEST_HOT = 30  # pixels that tell how variance grows with brightness
_FEWEST = 3  # frames, whose scatter says something of a pixel
_MOST_PRIOR = 1e6  # degrees of freedom that stand for a prior that is exact


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
    signal = np.asarray(light, np.float64)
    noise, masters = np.zeros(signal.shape), np.zeros(signal.shape)
    shares = _shares(calibration)
    for (weight, master), share in zip(calibration.masters, shares, strict=True):
        signal = signal - weight * master.signal
        variance = temporal_variance(master)
        noise += share * variance
        masters += weight**2 * variance / _counts(master)
    noise = np.maximum(noise, 0.0)
    bayer = any(master.bayer_pattern for _, master in calibration.masters)
    expected = _background(signal, noise, errors.gain, step=2 if bayer else 1)
    total = noise + np.maximum(expected, 0.0) / errors.gain + masters
    if calibration.flat is not None:
        factor, relative = _response(calibration.flat)
        total = factor**2 * (total + (expected * relative) ** 2)
    return np.sqrt(total).astype(np.float32)


def temporal_variance(master: MasterFrame) -> FloatPlane:
    r"""Return the variance of one frame of a master from frame to frame, pixel by pixel, shape (y, x) [adu2].

    Raises
    ------
    InputError
        When the master has no standard errors, no counts, fewer than three frames, or is no mean.

    Notes
    -----
    The scatter of 20 frames tells the variance of a pixel within a third only. What is expected of a pixel is
    therefore averaged in: the median variance of its tile, scaled to a mean, and for hot pixels the slope of variance
    over brightness that they show themselves. Both are weighed by their degrees of freedom, those of the expectation
    from how far variances scatter about it (Smyth 2004, empirical Bayes), except where a variance is larger than
    chance allows: telegraph pixels keep their own.
    """
    if master.std_error is None or master.n_kept is None:
        raise InputError(master.name, "has no standard errors of its pixels", "combine its frames with maps")
    if master.method not in (None, "mean"):
        rule = f"is a {master.method} of its frames, whose standard errors tell no variance of a frame"
        raise InputError(master.name, rule, "combine them by their mean")
    counts = _counts(master)
    dof = float(np.median(counts)) - 1
    if dof < _FEWEST - 1:
        raise InputError(master.name, f"is made of {dof + 1:g} frames, which tell no noise", "combine 10 or more")
    own = counts * np.square(master.std_error.astype(np.float64))
    expected = _expected_variance(own, master.signal.astype(np.float64), dof)
    known = np.isfinite(own)
    ratio = np.divide(own, expected, out=np.ones_like(own), where=known & (expected > 0))
    prior = _prior_dof(ratio, dof)
    blended = (dof * ratio + prior) / (dof + prior) * expected
    odd = ratio > stats.f.isf(_ODD, dof, prior)
    return np.asarray(np.where(odd, own, blended), np.float64)


def _shares(calibration: Calibration) -> tuple[float, ...]:
    """Return the share that each master has in the light's own noise."""
    if len(calibration.masters) == 2:
        return 1.0 - calibration.k, calibration.k
    return (1.0,) * len(calibration.masters)


def _counts(master: MasterFrame) -> FloatPlane:
    return np.maximum(np.asarray(master.n_kept, np.float64), 1.0)


def _expected_variance(own: FloatPlane, level: FloatPlane, dof: float) -> FloatPlane:
    """Return what a pixel's variance should be, from its tile and from how far it stands above that."""
    usual = stats.chi2.median(dof) / dof  # the median of a variance lies below its mean
    tile = _tile_medians(own) / usual
    excess = level - _tile_medians(level)
    spread = _MAD * float(np.nanmedian(np.abs(excess)))
    hot = excess > max(_HOT * spread, 1e-9)
    if np.count_nonzero(hot) >= _FEWEST_HOT:
        slope = float(np.nanmedian((own / usual - tile)[hot] / excess[hot]))
        tile[hot] += max(slope, 0.0) * excess[hot]
    return tile


def _tile_medians(plane: FloatPlane) -> FloatPlane:
    """Return the medians of tiles, interpolated between their centres."""
    edges = [np.linspace(0, size, max(1, size // _TILE) + 1).astype(int) for size in plane.shape]
    medians = np.array(
        [
            [
                np.nanmedian(plane[top:bottom, left:right])
                for left, right in zip(edges[1][:-1], edges[1][1:], strict=True)
            ]
            for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True)
        ]
    )
    down, across = (_between(one) for one in edges)
    return np.asarray(down @ medians @ across.T, np.float64)


def _between(edges: NDArray[np.int_]) -> FloatPlane:
    """Return the weights of tiles at each pixel along an axis, shape (pixel, tile)."""
    centres = (edges[:-1] + edges[1:] - 1) / 2
    one_by_one = np.eye(len(centres))
    return np.stack([np.interp(np.arange(edges[-1]), centres, one) for one in one_by_one], axis=1)


def _prior_dof(ratio: FloatPlane, dof: float) -> float:
    """Return the degrees of freedom of the expectation, from the scatter of log variances about it."""
    logs = np.log(ratio[ratio > 0])
    if not logs.size:
        return _MOST_PRIOR
    low, high = np.percentile(logs, [25, 75])
    # quartiles, against those of the logarithm of a chi-squared variable: outliers do not count
    expected = np.diff(np.log(stats.chi2.ppf([0.25, 0.75], dof)))[0]
    beyond = special.polygamma(1, dof / 2) * (((high - low) / expected) ** 2 - 1)
    if beyond <= special.polygamma(1, _MOST_PRIOR / 2):
        return _MOST_PRIOR
    lower, upper = 1e-3, _MOST_PRIOR
    for _ in range(60):  # the trigamma function falls all the way
        middle = (lower * upper) ** 0.5
        lower, upper = (middle, upper) if special.polygamma(1, middle / 2) > beyond else (lower, middle)
    return float(middle)


def _background(signal: FloatPlane, noise: FloatPlane, gain: float, *, step: int) -> FloatPlane:
    """Return what is expected of each pixel above the dark: the mean around it, or itself where it stands out [adu]."""
    mean = np.empty_like(signal)
    for place in np.ndindex(step, step):
        colour = tuple(slice(start, None, step) for start in place)
        mean[colour] = ndimage.uniform_filter(np.nan_to_num(signal[colour]), 3, mode="mirror")
    spread = np.sqrt(noise + np.maximum(mean, 0.0) / gain)
    return np.where(signal - mean > _STANDS_OUT * spread, signal, mean)


def _response(field: FlatField) -> tuple[FloatPlane, FloatPlane]:
    """Return what a light is multiplied with, and the relative error of that; NaN where the flat is masked."""
    response = np.where(field.response > 0, field.response, np.nan).astype(np.float64)
    pixels, variance = field.master.signal.astype(np.float64), np.zeros(field.shape)
    for master in (field.master, field.bias):
        if master is not None and master.std_error is not None:
            variance += np.square(master.std_error.astype(np.float64))
    if field.bias is not None:
        pixels = pixels - field.bias.signal
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(variance) / np.abs(pixels)
    return field.mean / response, np.where(np.isfinite(response), relative, np.nan)
