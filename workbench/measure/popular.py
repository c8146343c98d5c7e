"""The popular ways to measure a dark current, exactly as they are computed, and the corrected form beside each.

The script meant is PixInsight's BasicCCDParameters 0.3.3 (its user picks nothing: the frames decide between its two
methods). Method 1 is :func:`workbench.measure.dark_current.mean_difference`; method 2 is :func:`two_exposure_ratio`
here, and :func:`two_exposure_difference` is what it was meant to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_current import Rate, mean_difference, variance_rates
from workbench.measure.numbers import number
from workbench.results import Measurement
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.stack.variance import DifferenceMoments

    Area = tuple[slice, slice]
    FloatArray = NDArray[np.float64]

RECOMMENDED_RATIO = 10.0  # of the two exposures, by the script's own advice
_EQUALLY_GOOD = 0.02  # decades between two ratios that serve alike
_FEW_ERRORS = 4.0  # a difference of variances nearer to zero than this: its ratio is anything
WHATEVER = (
    "no measurement: a ratio of variances where their difference belongs, and K where K^2 does. It returns about "
    "K (t2/t1) / (t2 - t1) whatever the dark current is, and up to t2/t1 times that where hot pixels and glow dominate"
)
TWO_POINTS = "two exposures: nothing tests that the variance grows in proportion"


def central_third(shape: tuple[int, int]) -> Area:
    """Return the area that the script measures where its user draws none: the middle ninth of the frame.

    A third of each side of ``shape`` (rows, columns), rounded down to a multiple of 4, is first pixel and length alike.

    Raises
    ------
    NotMeasurableError
        When a side is shorter than 12 pixels.

    Examples
    --------
    >>> central_third((960, 1280))
    (slice(320, 640, None), slice(424, 848, None))
    """
    rows, columns = (side // 3 // 4 * 4 for side in shape)
    if not rows or not columns:
        raise NotMeasurableError(f"{shape[0]} x {shape[1]} pixels have no central third; 12 x 12 is the least")
    return slice(rows, 2 * rows), slice(columns, 2 * columns)


@dataclass(frozen=True)
class TwoExposureRatio:
    """What the script's method 2 returns, and what that formula returns whatever the camera does.

    Parameters
    ----------
    value
        ``K (h2 / h1)^2 / (t2 - t1)`` [electron / s in name], the number that the script shows.
    exposures
        (t1, t2) [s].
    h1, h2
        ``sqrt(s^2(D) - s^2(B))`` of the two darks [adu].
    ratio, ratio_error
        ``(h2 / h1)^2`` and its standard error.
    whatever
        ``K (t2/t1) / (t2 - t1)``: the value for any camera whose darks are noise alone.
    pattern_limit
        ``K (t2/t1)^2 / (t2 - t1)``: the value where hot pixels and glow outweigh the noise.
    n_pixels, notes
        Pixels of the area; what a reader must know.
    """

    value: AffineScalarFunc
    exposures: tuple[float, float]
    h1: float
    h2: float
    ratio: float
    ratio_error: float
    whatever: AffineScalarFunc
    pattern_limit: AffineScalarFunc
    n_pixels: int
    notes: tuple[str, ...]

    def measurement(self) -> Measurement:
        """Return the number as the script would have it: a ``dark_current``, with the notes that take it back."""
        conditions = {"exposures": list(self.exposures)}
        rest = {"n_frames": 3, "notes": self.notes, "conditions": conditions}
        return Measurement.of("dark_current", self.value, "two_exposure_ratio", **rest)


def two_exposure_ratio(
    bias: NDArray[np.generic],
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    exposures: tuple[float, float],
    gain: AffineScalarFunc,
    *,
    area: Area | None = None,
) -> TwoExposureRatio:
    """Compute the script's method 2 from three single frames, exactly as the script does.

    Parameters
    ----------
    bias, first, second
        B1, D1 and D2, shape (y, x) [adu]. Colour planes are measured one by one: hand in ``frame[0::2, 0::2]`` etc.
    exposures
        (t1, t2) of the darks [s].
    gain
        K [electron/adu].
    area
        Where to measure; the central third (:func:`central_third`) if None.

    Raises
    ------
    NotMeasurableError
        When t2 is not above t1 (the script shows ``---``), or a dark scatters less than the bias (it shows NaN).

    Notes
    -----
    ``I = K (h2 / h1)^2 / (t2 - t1)``, ``h = sqrt(s^2(D) - s^2(B1))`` with the *spatial* sample variances of single
    frames: hot pixels, glow and every other fixed pattern are inside (BasicCCDParameters 0.3.3, method 2). The error is
    that of drawing these pixels from many: with ``x`` a pixel's squared deviation in each frame,
    ``u = (x2 - s2^2) - R (x1 - s1^2) + (R - 1) (xB - sB^2)`` and ``Var(R) = sum u^2 / N^2 / h1^4``. What the frames
    have in common, such as the pattern of the offset, so cancels in the error as it does in the value.
    """
    t1, t2 = exposures
    if t2 <= t1:
        raise NotMeasurableError(
            f"the second dark ({t2:g} s) is not longer than the first ({t1:g} s), the script shows ---; "
            f"shoot one of {RECOMMENDED_RATIO:g} times the exposure"
        )
    squares = [_squared_deviations(frame, area) for frame in (bias, first, second)]
    n = squares[0].size
    zero, short, long = (float(one.sum()) / (n - 1) for one in squares)
    for variance, t, strict in ((short, t1, True), (long, t2, False)):
        if variance < zero or (strict and variance == zero):
            raise NotMeasurableError(
                f"the script shows NaN: its dark of {t:g} s scatters no more than its bias "
                f"({variance**0.5:.4g} against {zero**0.5:.4g} adu); shoot longer darks, or a larger area"
            )
    below = short - zero
    ratio = (long - zero) / below
    u = (squares[2] - long) - ratio * (squares[1] - short) + (ratio - 1) * (squares[0] - zero)
    error = float(np.linalg.norm(u)) / n / below
    noise_of_first = float(np.linalg.norm(squares[1] - squares[0] - below)) / n
    notes = [WHATEVER]
    if below < _FEW_ERRORS * noise_of_first:
        notes.append(
            f"the dark of {t1:g} s is {below / noise_of_first:.1f} standard errors above the bias only: the ratio may "
            "be anything, and its error is no more than a guess"
        )
    per_second = number(1 / (t2 - t1), 0.0)
    return TwoExposureRatio(
        value=gain * number(ratio, error) * per_second,
        exposures=(t1, t2),
        h1=below**0.5,
        h2=(long - zero) ** 0.5,
        ratio=ratio,
        ratio_error=error,
        whatever=gain * (t2 / t1) * per_second,
        pattern_limit=gain * (t2 / t1) ** 2 * per_second,
        n_pixels=n,
        notes=tuple(notes),
    )


def _squared_deviations(frame: NDArray[np.generic], area: Area | None) -> FloatArray:
    rows, columns = (frame.shape[0], frame.shape[1])
    values = np.asarray(frame[area or central_third((rows, columns))], dtype=np.float64)
    if not np.isfinite(values).all():
        raise NotMeasurableError("a pixel has no value, which the script cannot leave out")
    squares: FloatArray = (values - values.mean()) ** 2
    return squares


def script_choice(
    bias: NDArray[np.generic],
    first: NDArray[np.generic],
    second: NDArray[np.generic] | None,
    exposures: Sequence[float],
    gain: AffineScalarFunc,
    *,
    frame_sigma: float,
    area: Area | None = None,
) -> Measurement:
    """Return the dark current [electron/s] that the script shows: it chooses its method itself.

    Parameters
    ----------
    bias, first, second
        B1, D1 and D2 [adu], shape (y, x); without D2 there is no method 2.
    exposures
        Of D1, and of D2 where there is one [s].
    gain
        K [electron/adu].
    frame_sigma
        Frame-to-frame rms of the level [adu], for the error of method 1: the script takes one frame and states none.
    area
        Where to measure; the central third if None.

    Raises
    ------
    NotMeasurableError
        When it would show ``---`` or NaN.

    Notes
    -----
    Method 1, ``K mean(D1 - B1) / t1``, when ``mean(D1 - B1) > s(D1)``, the spatial scatter of one dark; else method 2.
    A camera with little dark current, and every one with a clamp, gets method 2: the one that measures nothing.
    """
    where = area or central_third((first.shape[0], first.shape[1]))
    levels = [float(frame[where].astype(np.float64).mean()) for frame in (first, bias)]
    scatter = float(np.std(first[where].astype(np.float64), ddof=1))
    if levels[0] - levels[1] > scatter:
        rate = mean_difference([levels[0]], [levels[1]], frame_sigma, exposures[0], clamped=False)
        return Measurement.of("dark_current", rate.in_electrons(gain), rate.method, n_frames=2, notes=rate.notes)
    if second is None:
        raise NotMeasurableError(
            f"mean(D1 - B1) = {levels[0] - levels[1]:.4g} adu is not above s(D1) = {scatter:.4g} adu and there is no "
            f"second dark: the script shows ---; shoot one of {RECOMMENDED_RATIO:g} times the exposure"
        )
    return two_exposure_ratio(bias, first, second, (exposures[0], exposures[1]), gain, area=area).measurement()


def recommended_pair(exposures: Iterable[float]) -> tuple[float, float]:
    """Choose the two exposures [s] whose ratio is nearest to the recommended 10; of those that serve alike the longest.

    Raises
    ------
    NotMeasurableError
        With fewer than two different exposures.

    Examples
    --------
    >>> recommended_pair([0.1, 1, 5, 10, 50, 100])
    (10.0, 100.0)
    >>> recommended_pair([10, 30, 60, 120, 300, 600])
    (60.0, 600.0)
    """
    different = sorted({float(one) for one in exposures if one > 0})
    if len(different) < 2:
        raise NotMeasurableError(f"one exposure; shoot a second of {RECOMMENDED_RATIO:g} times the length of the first")
    off = {pair: abs(math.log10(pair[1] / pair[0] / RECOMMENDED_RATIO)) for pair in combinations(different, 2)}
    best = min(off.values())
    return max((pair for pair, one in off.items() if one <= best + _EQUALLY_GOOD), key=lambda pair: pair[1])


def two_exposure_difference(
    first: DifferenceMoments,
    second: DifferenceMoments,
    exposures: tuple[float, float],
    gain: AffineScalarFunc | None = None,
) -> Rate:
    """Measure ``[sigma^2(D2) - sigma^2(D1)] / (t2 - t1)`` [adu2/s] with temporal variances: method 2 as it should be.

    Parameters
    ----------
    first, second
        Of the darks of either exposure, two frames or more, over the same pixels.
    exposures
        (t1, t2) [s].
    gain
        K [electron/adu], to add the Poisson part of the errors; ``.in_electrons(gain)`` gives ``K^2`` times the rate.

    Raises
    ------
    NotMeasurableError
        When t2 is not above t1, or an exposure has one frame.

    Notes
    -----
    Needs no bias, since the read noise is in both. Each variance has the error of
    :func:`workbench.measure.dark_current.variance_rates`, scatter between pairs included, above the common intercept.
    """
    t1, t2 = exposures
    if t2 <= t1:
        raise NotMeasurableError(f"the second exposure ({t2:g} s) is not longer than the first ({t1:g} s)")
    if first.temporal is None or second.temporal is None:
        raise NotMeasurableError("one dark of an exposure: its noise needs a pair, better 14")
    slope = (second.temporal.value - first.temporal.value) / (t2 - t1)
    read = Estimate(first.temporal.value - slope * t1, 0.0)
    short, long = (
        next(rate for rate in variance_rates(one, read, 1.0, gain) if rate.method == "temporal_variance")
        for one in (first, second)
    )
    error = float(np.hypot(short.std_error, long.std_error)) / (t2 - t1)
    notes = tuple(dict.fromkeys((*short.notes, *long.notes, TWO_POINTS)))
    n_frames = first.n_frames + second.n_frames
    conditions = {"exposures": [t1, t2]}
    return Rate("two_exposure_difference", slope, error, 2, n_frames, notes, conditions)
