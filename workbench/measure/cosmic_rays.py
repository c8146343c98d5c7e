"""Cosmic rays: the dark current without them, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.measure.dark_current import Rate, poisson_variance
from workbench.results import Measurement
from workbench.stack.hits import TOTAL
from workbench.units import unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uncertainties.core import AffineScalarFunc

    from workbench.stack.hits import Hits
    from workbench.stack.masked import MaskedMoments
    from workbench.stack.power_sums import Estimate

METHOD = "temporal_variance_masked"
LEFT_INSIDE = "an upper bound: telegraph noise is still inside, and glow electrons count; cosmic rays are left out"
_SCATTER_P = 0.01
_NONE_SEEN = -float(np.log(0.05))  # events: the Poisson mean that gives none in 5 % of the cases


def masked_rate(masked: MaskedMoments, bias: Estimate, exposure: float, gain: AffineScalarFunc | None = None) -> Rate:
    """Measure the dark current of one exposure from its temporal variance, cosmic rays left out.

    Parameters
    ----------
    masked
        Of the darks, 4 frames or more.
    bias
        Temporal variance of one bias frame, quantisation included (it cancels) [adu2].
    exposure
        Of the darks beyond that of the bias [s].
    gain
        K [electron/adu], to add the Poisson part of the error of a variance.

    Returns
    -------
    Rate
        [adu2/s].

    Notes
    -----
    The error is that of :func:`workbench.measure.dark_current.variance_rates` for the temporal variance. Rays no longer
    scatter it; what else may differ from frame to frame (a temperature that moves, stray light, noise picked up) is
    tested between single frames: each tells the variance by itself, ``mean of (y - m_i)^2 n / (n - 1)``. Where these
    scatter more than they may (p < 0.01), the error is that of their scatter.
    """
    n = masked.n_frames
    poisson = poisson_variance(masked.temporal, bias, gain, masked.n_pixels)
    error = float(np.sqrt(masked.temporal.std_error**2 + poisson * (n - 1) / (n * (n + 1))))
    notes = [LEFT_INSIDE, _what_was_masked(masked)]
    scatter = _frame_scatter(masked, poisson)
    if scatter is not None:
        error = max(error, scatter / n**0.5)
        notes.append(
            "frames differ in their noise more than it allows (p < 0.01): the temperature moved, light, or noise "
            "picked up; the error is that of the scatter"
        )
    value = (masked.temporal.value - bias.value) / exposure
    return Rate(METHOD, value, float(np.hypot(error, bias.std_error)) / exposure, 2, n, tuple(notes))


def _frame_scatter(masked: MaskedMoments, poisson: float) -> float | None:
    """Return the rms between the frames' own variances [adu2] where it exceeds what their errors allow, else None."""
    n = masked.n_frames
    values = np.array([one.value for one in masked.frames])
    # two thirds of the Poisson part are in the squares already
    errors = np.sqrt(np.array([one.std_error for one in masked.frames]) ** 2 + poisson / 3)
    # residuals of two frames from their common mean are correlated by -1 / (n - 1), their squares by the square of it
    chi2 = float((((values - values.mean()) / errors) ** 2).sum()) / (1 - 1 / (n - 1) ** 2)
    if stats.chi2.sf(chi2, n - 1) >= _SCATTER_P:
        return None
    return float(values.std(ddof=1))


def _what_was_masked(masked: MaskedMoments) -> str:
    if not masked.n_events:
        return "no cosmic ray was found in these darks"
    rays = f"{masked.n_events} cosmic ray{'s' * (masked.n_events != 1)}"
    return (
        f"{rays} left out: {masked.n_masked} samples with their neighbours, in {masked.n_hit_pixels} of "
        f"{masked.n_pixels} pixels"
    )


def _from(threshold: float, gain: AffineScalarFunc | None) -> str:
    """Say from which charge on a ray is seen."""
    unit, factor = ("adu", 1.0) if gain is None else ("electron", float(gain.nominal_value))
    least = threshold * factor
    return f"from {least:.2g} {unit} in one pixel and {TOTAL * least:.2g} in all on"


def cosmic_ray_rate(
    found: Sequence[tuple[float, Hits]],
    pixel_size: float | None,
    gain: AffineScalarFunc | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> Measurement:
    """Count cosmic rays.

    Parameters
    ----------
    found
        Exposure [s] and rays of each stack of darks, one or more.
    pixel_size
        Pixel pitch [um], binning included; None where it is unknown.
    gain
        K [electron/adu], to say in electrons from which charge on a ray is seen.
    conditions
        What the measurement is to name.

    Returns
    -------
    Measurement
        In 1 / (min cm2); without a pixel size in 1 / min, for the whole frame.

    Raises
    ------
    NotMeasurableError
        When no dark has any exposure.

    Notes
    -----
    ``(N - M) / (area x time)`` with N events and M that the same search finds below the other frames, where no ray can
    be: those are what noise and telegraph pixels imitate. The error is that of counting, ``sqrt(N + M)`` events, and
    one event where there are none. Nothing is added for rays too faint to be seen: the notes say from where on they
    are.
    """
    events = sum(hits.n_events for _, hits in found)
    mirrored = sum(hits.n_mirrored for _, hits in found)
    minutes = sum(exposure * hits.shape[0] for exposure, hits in found) / 60
    if pixel_size is None:
        unit, reach = "1 / min", minutes
    else:
        area = (pixel_size * 1e-4) ** 2
        unit = unit_of("cosmic_ray_rate")
        reach = sum(exposure * hits.shape[0] * hits.n_searched * area for exposure, hits in found) / 60
    if not reach:
        raise NotMeasurableError("darks of no exposure gather no cosmic rays; shoot longer darks")
    highest = max(hits.threshold for _, hits in found)
    notes = [
        f"{events} event{'s' * (events != 1)}, {mirrored} false one{'s' * (mirrored != 1)} expected",
        f"seen {_from(highest, gain)}; fainter rays are not counted",
    ]
    if pixel_size is None:
        notes.append("per frame: the pixel size is not known")
    if not events:
        notes.append(f"0 hits seen; below {_NONE_SEEN / reach:.2g} {unit} at 95 %")
    return Measurement(
        "cosmic_ray_rate",
        max(0, events - mirrored) / reach,
        max(1, events + mirrored) ** 0.5 / reach,
        unit,
        "events of several frames compared",
        conditions=dict(conditions or {}),
        n_frames=sum(hits.shape[0] for _, hits in found),
        notes=tuple(notes),
    )
