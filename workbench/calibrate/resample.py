"""Frames laid upon the reference: interpolation, its clamping, and what both do to the noise.

Interpolated pixels share the pixels that they are made of. Each is less noisy than those, and neighbours go up and down
together: an integration of registered frames looks smoother than it is. :func:`noise_factor` says by how much.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.calibrate.projective import apply
from workbench.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Image = NDArray[np.float32]

__all__ = [
    "CLAMPING",
    "Kernel",
    "kernel_weights",
    "mean_noise_factor",
    "noise_correlation",
    "noise_factor",
    "resample",
    "resample_variance",
]

Kernel = Literal["lanczos3", "bicubic", "nearest"]
CLAMPING = 0.3  # the threshold of the paper's program
_PHASES = 2048  # of a pixel: interpolated between, weights are good to 1e-6
_OFFSETS = np.arange(-2, 4)  # of the pixels that are weighted, from the one left of the position
_PART = 2**18  # pixels handed to a thread at a time
_SAMPLE = 100_000  # pixels that tell level and noise of a frame
_DEPTH = 100.0  # noises that the floor lies below the background: see :func:`resample`
_MAD = 1.4826  # of a Gaussian: its standard deviation in median absolute deviations
_GRID = 64  # positions along each axis at which a transformation's phases are looked at


def kernel_weights(phase: NDArray[Any] | float, kernel: Kernel = "lanczos3") -> Floats:
    """Return the weights of the six pixels around positions along one axis.

    Parameters
    ----------
    phase
        Of the positions: how far beyond the pixel to their left [pixel], 0 to 1, shape (...).
    kernel
        ``lanczos3``: sinc(x) sinc(x / 3) within three pixels (Duchon 1979); ``bicubic``: Keys' cubic convolution of
        1981, a = -1/2; ``nearest``.

    Returns
    -------
    numpy.ndarray
        Shape (..., 6), from two pixels before the one left of the position to three after it; they add up to 1.

    Raises
    ------
    ValueError
        For another kernel.
    """
    away = np.asarray(phase, dtype=np.float64)[..., None] - _OFFSETS
    x = np.abs(away)
    if kernel == "lanczos3":
        weights = np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
        weights[np.abs(weights) < 1e-16] = 0.0  # the sine of pi is not zero in binary
    elif kernel == "bicubic":
        near, far = (1.5 * x - 2.5) * x**2 + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
        weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    elif kernel == "nearest":
        weights = ((away >= -0.5) & (away < 0.5)).astype(np.float64)
    else:
        raise ValueError(f"no kernel {kernel!r}: lanczos3, bicubic or nearest")
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def noise_factor(
    phase_x: NDArray[Any] | float,
    phase_y: NDArray[Any] | float,
    kernel: Kernel = "lanczos3",
    clamping: float | None = CLAMPING,
) -> Floats:
    """Return the variance of an interpolated pixel over that of the frame's, where these are not correlated.

    ``sum(w^2) / sum(w)^2``: 1 on a pixel, least in the middle of four. ``w`` are the weights that clamping leaves of a
    level background; beside stars it leaves others.
    """
    weights = _weights(phase_x, phase_y, kernel, clamping)
    return np.asarray(np.sum(weights**2, axis=(-2, -1)))


def noise_correlation(
    phase: tuple[float, float],
    lag: tuple[int, int],
    kernel: Kernel = "lanczos3",
    clamping: float | None = CLAMPING,
) -> float:
    """Return the correlation of the noise of two pixels of a shifted frame.

    Parameters
    ----------
    phase
        (x, y) of the shift [pixel], 0 to 1.
    lag
        How far the two pixels lie from each other in (x, y) [pixel].
    kernel, clamping
        See :func:`resample`.
    """
    weights = _weights(*phase, kernel, clamping)
    n = weights.shape[-1]
    x, y = (min(abs(step), n) for step in lag)
    near, far = weights[: n - y, : n - x], weights[y:, x:]
    if lag[0] * lag[1] < 0:
        near, far = weights[: n - y, x:], weights[y:, : n - x]
    return float(np.sum(near * far) / np.sum(weights**2))


def mean_noise_factor(
    matrix: Floats, shape: tuple[int, int], kernel: Kernel = "lanczos3", clamping: float | None = CLAMPING
) -> float:
    """Return the mean of :func:`noise_factor` over a frame: of all phases where it is turned, of one where shifted."""
    rows, columns = (np.linspace(0, length - 1, min(length, _GRID)).round() for length in shape)
    where = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    phases = apply(np.asarray(matrix, dtype=np.float64), where) % 1
    return float(np.mean(noise_factor(phases[:, 0], phases[:, 1], kernel, clamping)))


def resample(
    image: NDArray[Any],
    matrix: Floats,
    shape: tuple[int, int],
    *,
    kernel: Kernel = "lanczos3",
    clamping: float | None = CLAMPING,
    floor: float | None = None,
    threads: int | None = None,
) -> tuple[Image, NDArray[np.bool_]]:
    """Lay a frame upon the reference.

    Parameters
    ----------
    image
        Frame [adu], shape (y, x); pixels without a value are NaN.
    matrix
        3 x 3, maps (x, y, 1) of the reference to the frame: :attr:`workbench.calibrate.register.Registration.matrix`.
    shape
        (rows, columns) of the reference.
    kernel
        See :func:`kernel_weights`.
    clamping
        From which ratio of negative to positive contributions on the negative ones are held back, which dig dark rings
        around stars; None for never.
    floor
        What the contributions are measured from [adu], zero in a program that knows no values below it. None takes 100
        noises below the background. The higher the floor, the shallower the rings: at most 0.44 of what the background
        lies above it. But clamping fills the wings of bright stars too, whose fluxes it raises: by up to 1.4 % at a
        FWHM of 2.8 pixels and 5 % at 2.0 with the background 10 noises above the floor, by 0.6 % and 3 % with 100.
        With the floor at the background, where that of a frame is whose sky is subtracted, noise itself is clamped.
    threads
        As many as there are processors by default.

    Returns
    -------
    tuple
        Values [adu], float32, shape ``shape``, NaN outside of the frame and where a pixel of more than a tenth of the
        weight has no value; and where there are values, bool: what adds up to the coverage of an integration.

    Raises
    ------
    ValueError
        For another kernel, or a clamping outside of [0, 1].

    Notes
    -----
    With s+ and w+ the sums of the contributions of positive weight and of these weights, s- and w- those of the others,
    both taken positive, and r = s- / s+: where s+ is 0 so is the value; where r >= 1 it is s+ / w+; where r > c, s- and
    w- are multiplied by 1 - ((r - c) / (1 - c))^2; then it is (s+ - s-) / (w+ - w-). The original tells contributions
    by their own sign, which is the same in images that know no values below zero; in others its quotient has poles.
    A level background is clamped too, a little: r is w- / w+, up to 0.41 in the middle of four pixels.

    At the frame's edges its pixels are mirrored. The brightness of an area is kept, so that fluxes in the frame are
    those of the result times the scale of the transformation squared.
    """
    from workbench.calibrate import resample_loops  # imports Numba  # noqa: PLC0415

    limit = _limit(clamping)
    values = np.ascontiguousarray(image, dtype=np.float32)
    taps, fixed = _taps(kernel), np.asarray(matrix, dtype=np.float64)
    zero = (_floor(values) if clamping is not None else 0.0) if floor is None else float(floor)
    out = np.empty(shape, dtype=np.float32)

    def work(first: int, rows: Image) -> None:
        resample_loops.interpolate_rows(values, fixed, taps, first, rows, zero, limit)

    _in_bands(work, out, threads)
    return out, np.isfinite(out)


def resample_variance(
    variance: NDArray[Any],
    matrix: Floats,
    shape: tuple[int, int],
    *,
    kernel: Kernel = "lanczos3",
    clamping: float | None = CLAMPING,
    threads: int | None = None,
) -> Image:
    """Return the variances [adu2] of a frame that :func:`resample` lays upon the reference, float32, shape ``shape``.

    ``sum(w^2 v) / sum(w)^2``, which takes the frame's pixels as not correlated, also those that are mirrored at its
    edges, and clamping as on a level background.
    Averages of neighbours need :func:`noise_correlation` besides: what one pixel gains is lost again over many.

    Raises
    ------
    ValueError
        For another kernel, or a clamping outside of [0, 1].
    """
    from workbench.calibrate import resample_loops  # imports Numba  # noqa: PLC0415

    values, taps = np.ascontiguousarray(variance, dtype=np.float32), _taps(kernel)
    fixed, limit = np.asarray(matrix, dtype=np.float64), _limit(clamping)
    out = np.empty(shape, dtype=np.float32)

    def work(first: int, rows: Image) -> None:
        resample_loops.propagate_rows(values, fixed, taps, first, rows, limit)

    _in_bands(work, out, threads)
    return out


def _limit(clamping: float | None) -> float:
    """Return the threshold, 1 for none."""
    if clamping is not None and not 0 <= clamping <= 1:
        raise ValueError(f"a clamping of {clamping}: it lies between 0 and 1, and None switches it off")
    return 1.0 if clamping is None else float(clamping)


def _weights(
    phase_x: NDArray[Any] | float, phase_y: NDArray[Any] | float, kernel: Kernel, clamping: float | None
) -> Floats:
    """Return the weights of 6 x 6 pixels of a level background, shape (..., y, x)."""
    along_x, along_y = kernel_weights(phase_x, kernel), kernel_weights(phase_y, kernel)
    weights = along_y[..., :, None] * along_x[..., None, :]
    limit = _limit(clamping)
    if limit < 1:
        above, below = (np.maximum(sign * weights, 0).sum(axis=(-2, -1)) for sign in (1, -1))
        part = 1 - (np.maximum(below / above - limit, 0) / (1 - limit)) ** 2
        weights = np.where(weights < 0, part[..., None, None] * weights, weights)
    return np.asarray(weights / weights.sum(axis=(-2, -1), keepdims=True))


@cache
def _taps(kernel: Kernel) -> Image:
    """Return the weights at phases 0 to 1, shape (phase, 6)."""
    return kernel_weights(np.linspace(0, 1, _PHASES + 1), kernel).astype(np.float32)


def _floor(values: Image) -> float:
    """Return 100 noises below the background, from a sample of the pixels; 0 of a frame without any value."""
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLE)]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0
    level = float(np.median(sample))
    return level - _DEPTH * _MAD * float(np.median(np.abs(sample - level)))


def _in_bands(work: Callable[[int, Image], None], out: Image, threads: int | None) -> None:
    """Call ``work`` with the first row and the rows of each band, in threads."""
    step = max(1, _PART // max(1, out.shape[1]))
    for _ in in_threads(lambda first: work(first, out[first : first + step]), range(0, out.shape[0], step), threads):
        pass  # an exception of a band is raised here
