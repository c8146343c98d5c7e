"""The noise budget of a single frame: every term measured, their sum, and what the frame itself has beyond it.

``sigma^2(single frame, over pixels)`` = noise in time (quantisation, row and column noise, telegraph, read and shot
noise) + fixed pattern (of rows, columns and pixels, of the offset and of the dark). Variances add; noises do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from uncertainties import umath

from workbench.errors import NotMeasurableError
from workbench.measure.frame_noise import pattern, single_frame
from workbench.measure.noise import hidden_by_rounding
from workbench.measure.numbers import number
from workbench.measure.read_noise_map import BulkFit
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.frame_noise import FrameNoise, Pattern
    from workbench.measure.read_noise_map import BulkSplit

    BoolArray = NDArray[np.bool_]

_PARTS = ("pixels", "rows", "columns")


@dataclass(frozen=True)
class NoiseTerm:
    """One row of a noise budget.

    Parameters
    ----------
    term
        What it is, in plain words.
    kind
        ``temporal`` or ``fixed``, a term of its own; ``sum``, of some or of all terms; ``single frame``, measured
        without any term; ``residual``, what it has beyond the sum of all terms.
    variance, std_error
        [adu2]
    """

    term: str
    kind: str
    variance: float
    std_error: float

    def noise(self, gain: AffineScalarFunc) -> AffineScalarFunc | None:
        """Return ``K sqrt(variance)`` [electron]; None where the variance is not above its error."""
        if self.variance <= self.std_error:
            return None
        return gain * umath.sqrt(number(self.variance, self.std_error))


def bias_budget(bias: FrameNoise, lattice: int | None, telegraph: BoolArray | None = None) -> tuple[NoiseTerm, ...]:
    """Return the noise budget of one bias frame.

    Parameters
    ----------
    bias
        Of 4 or more bias frames.
    lattice
        Step of the stored values [adu]; None for values without one.
    telegraph
        Pixels known to jump between levels from read to read, shape (y, x). With them, their noise above the bulk's is
        the telegraph term, and the residual is what bulk and telegraph leave of the variance. Without them telegraph
        is all the noise that the bulk leaves (a little low: jumps too small to stand out count as bulk), and the
        residual is zero by construction.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 frames, or where rounding hides the noise.

    Notes
    -----
    Row and column noise: see :mod:`workbench.measure.frame_noise`. The steady read noise is that of the bulk of the
    pixels (:class:`workbench.measure.read_noise_map.BulkFit`), quantisation, row and column noise taken out; so that
    the sum of the terms is not the temporal variance by definition.
    """
    split = _split(bias, lattice, telegraph)
    read = _read_terms(bias, bias, lattice, split)
    pixels = pattern(bias)
    single = single_frame(bias, pixels)
    terms = [
        *read,
        NoiseTerm("read noise", "sum", bias.temporal.total.value - _rounding(lattice), bias.temporal.total.std_error),
        _term("temporal variance of a bias", "sum", bias.temporal.total),
        *_pattern_terms("offset", pixels),
    ]
    return (*terms, *_closed(terms, single, split.rest.std_error))


def dark_budget(
    dark: FrameNoise,
    bias: FrameNoise,
    lattice: int | None,
    telegraph: BoolArray | None = None,
    known: Mapping[str, Estimate] | None = None,
) -> tuple[NoiseTerm, ...]:
    """Return the noise budget of one dark of an exposure.

    Parameters
    ----------
    dark, bias
        Over the same pixels.
    lattice, telegraph
        As for :func:`bias_budget`.
    known
        Variances in time [adu2] of the dark that were measured by other means, by their name: ``glow shot noise``
        (``g / K^2`` for g electrons of glow), ``dark-current telegraph`` (:func:`switching_noise`), ``cosmic rays``.
        What they leave of dark minus bias is the thermal shot noise; without glow among them, thermal and glow.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 bias frames or 2 darks, other pixels, or where rounding hides the noise.

    Notes
    -----
    Shot noise: pixel part of the temporal variance, dark minus bias. Offset pattern: of the bias frames. Dark pattern
    (DSNU, hot pixels, the shape of the glow): of the mean dark minus the mean bias. The residual holds twice the
    covariance of the two patterns, whose error is that of patterns that know nothing of each other, and what changed
    between bias frames and darks.
    """
    if not np.array_equal(dark.lines.keep, bias.lines.keep):
        raise NotMeasurableError("the darks and the bias frames do not count the same pixels")
    split = _split(bias, lattice, telegraph)
    known = known or {}
    shot = dark.temporal.minus(bias.temporal).estimates()[0]
    value = shot.value - sum(one.value for one in known.values())
    error = float(np.hypot.reduce([shot.std_error, *(one.std_error for one in known.values())]))
    name = "thermal shot noise" if "glow shot noise" in known else "thermal and glow shot noise"
    offset, added, whole = pattern(bias), pattern(dark, bias), pattern(dark)
    terms = [
        *_read_terms(bias, dark, lattice, split),
        *(_term(term, "temporal", one) for term, one in known.items()),
        NoiseTerm(name, "temporal", value, error),
        _term("temporal variance of a dark", "sum", dark.temporal.total),
        *_pattern_terms("offset", offset),
        *_pattern_terms("dark", added),
    ]
    lines = dark.lines
    sizes = np.array([lines.n_pixels, len(lines.row_counts), len(lines.column_counts)])
    chance = 2 * float((offset.sums * added.sums / sizes).sum()) ** 0.5 / (lines.n_pixels - 1)
    return (*terms, *_closed(terms, single_frame(dark, whole), float(np.hypot(split.rest.std_error, chance))))


def switching_noise(dark: FrameNoise, bias: FrameNoise, switching: BoolArray, gain: AffineScalarFunc) -> Estimate:
    """Return the noise of pixels whose dark current switches during exposures, mean over all used pixels [adu2].

    Parameters
    ----------
    dark, bias
        Over the same pixels.
    switching
        The pixels, shape (y, x).
    gain
        K [electron/adu].

    Notes
    -----
    The variance of these pixels above that of the others, without the shot noise of the current they have above the
    others: ``[v - mean(v)] - [m - mean(m)] / K`` for variance v and mean m of dark minus bias. What a clamp subtracts
    is common to all pixels and cancels.
    """
    keep = dark.lines.keep
    chosen, others = keep & switching, keep & ~switching
    if not chosen.any():
        return Estimate(0.0, 0.0)
    share = float(chosen.sum()) / dark.lines.n_pixels
    excess = [
        sign * (one[chosen].mean(dtype=np.float64) - one[others].mean(dtype=np.float64)) * share
        for one, sign in (
            (dark.variance_map, 1),
            (bias.variance_map, -1),
            (dark.mean_map, 1),
            (bias.mean_map, -1),
        )
    ]
    shot = number(sum(excess[2:]), 0.0) / gain
    squares = sum(
        one.squared_errors[chosen].sum(dtype=np.float64)
        + one.variance_map[chosen].sum(dtype=np.float64) / one.n_frames / gain.nominal_value**2
        for one in (dark, bias)
    )
    # squared errors are unbiased one by one, so that a few of them may sum to less than nothing
    means = [float(one.variance_map[chosen].mean(dtype=np.float64)) for one in (dark, bias)]
    floor = sum(2 * mean**2 / (one.n_frames + 1) for mean, one in zip(means, (dark, bias), strict=True))
    squares = max(float(squares), floor)
    error = float(np.hypot(squares**0.5 / dark.lines.n_pixels, shot.std_dev))
    return Estimate(float(sum(excess[:2]) - shot.nominal_value), error)


def _split(bias: FrameNoise, lattice: int | None, telegraph: BoolArray | None) -> BulkSplit:
    hidden = hidden_by_rounding(bias.temporal.total, lattice)
    if hidden is not None:
        raise NotMeasurableError(hidden)
    keep = bias.lines.keep
    jumping = None if telegraph is None else telegraph[keep]
    variances, errors = bias.variance_map[keep], bias.squared_errors[keep]
    # the map's frame means may be those of other pixels: all variances are then too large by one and the same
    variances = variances + np.float32(bias.temporal.total.value - variances.mean(dtype=np.float64))
    fit = BulkFit(
        variances if jumping is None else variances[~jumping], bias.n_frames, _rounding(lattice) + bias.temporal.shared
    )
    return fit.split(variances, errors, jumping)


def _read_terms(bias: FrameNoise, frames: FrameNoise, lattice: int | None, split: BulkSplit) -> list[NoiseTerm]:
    """Terms of reading: rows and columns from the frames themselves, the pixels' from the bias frames."""
    _, rows, columns = frames.temporal.estimates()
    lines = bias.temporal.values[1:]
    steady = split.bulk.value - _rounding(lattice) - float(lines.sum())
    counts = np.array([len(bias.lines.row_counts), len(bias.lines.column_counts)]) - 1
    # what rows and columns really did in these frames is in both and cancels; the error of telling it does not
    known = 2 * lines**2 / counts / (bias.n_frames - 1)
    told = np.maximum(np.diag(bias.temporal.covariance)[1:] - known, 0.0).sum()
    return [
        NoiseTerm("quantisation", "temporal", _rounding(lattice), 0.0),
        _term("row noise", "temporal", rows),
        _term("column noise", "temporal", columns),
        _term("read telegraph", "temporal", split.telegraph),
        NoiseTerm("steady read noise", "temporal", steady, float(np.hypot(split.bulk.std_error, told**0.5))),
    ]


def _pattern_terms(name: str, of: Pattern) -> list[NoiseTerm]:
    estimates = zip(_PARTS, of.fixed.estimates(), strict=True)
    return [_term(f"{name} pattern of {lines}", "fixed", one) for lines, one in estimates]


def _closed(terms: list[NoiseTerm], single: Estimate, error: float) -> tuple[NoiseTerm, NoiseTerm, NoiseTerm]:
    """Add up the terms and compare with the frame."""
    total = sum(one.variance for one in terms if one.kind in ("temporal", "fixed"))
    return (
        NoiseTerm("sum of all terms", "sum", total, float(np.hypot(single.std_error, error))),
        _term("variance of a single frame", "single frame", single),
        NoiseTerm("residual", "residual", single.value - total, error),
    )


def _term(name: str, kind: str, one: Estimate) -> NoiseTerm:
    return NoiseTerm(name, kind, one.value, one.std_error)


def _rounding(lattice: int | None) -> float:
    return (lattice or 0) ** 2 / 12
