"""What the classes of pixels are told from: stacks with the maps of a first pass, and what is usual in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.measure.neighbourhood import Pool, Usual, pool, usual
from workbench.stack.gather import gather, time_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.measure.pixel_flags import PixelFlag
    from workbench.stack.variance import DifferenceMoments

    FloatArray = NDArray[np.float64]
    BoolMap = NDArray[np.bool_]
    Pixels = NDArray[np.intp]

_ROWS = 256  # of a map worked on at a time
_MOST = 0.05  # of all pixels looked at closely: the memory that their values take


@dataclass(frozen=True)
class PixelStack:
    """Equal frames: the stack (dims ``frame, y, x`` [adu]), its frame means [adu], and maps of mean and variance.

    ``exposure`` [s] of darks is that beyond the exposure of the bias frames (the zero-light frames), which they are
    compared with; of bias frames and of flats it is their own.

    Only the bias frames and the longest darks need their maps: those of
    ``difference_moments(..., maps=True)``, shape (y, x), [adu] and [adu2].
    """

    stack: xr.DataArray
    frame_means: FloatArray
    exposure: float
    mean_map: NDArray[np.float32] | None = None
    variance_map: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, stack: xr.DataArray, moments: DifferenceMoments, exposure: float) -> PixelStack:
        """Take means and maps from the moments of the same stack."""
        return cls(stack, moments.frame_means, exposure, moments.mean_map, moments.variance_map)

    @property
    def n_frames(self) -> int:
        """How many frames."""
        return int(self.stack.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return int(self.stack.shape[1]), int(self.stack.shape[2])

    def maps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the maps of mean and variance.

        Raises
        ------
        ValueError
            When the moments were taken without maps.
        """
        if self.mean_map is None or self.variance_map is None:
            raise ValueError(f"the stack of {self.exposure:g} s has no maps: take its moments with maps=True")
        return self.mean_map, self.variance_map

    def centred(self, raw: NDArray[Any]) -> FloatArray:
        """Return gathered values (frame, pixel) without the means of their frames, shape (pixel, frame) [adu]."""
        means = self.frame_means[time_order(self.stack)]
        return np.ascontiguousarray((raw.astype(np.float64) - means[:, None]).T)

    def values(self, pixels: Pixels) -> NDArray[Any]:
        """Read some pixels, given as ascending flat indices, in every frame: shape (frame, pixel), as stored [adu]."""
        chosen = np.zeros(self.shape, dtype=bool)
        chosen.flat[pixels] = True
        return gather(self.stack, chosen)


@dataclass(frozen=True)
class Judged:
    """The pixels that are judged, and their read noise.

    Parameters
    ----------
    bias
        The bias frames with their maps.
    keep
        Pixels that are not excluded, shape (y, x).
    pool
        How the variances of the bias frames spread.
    saturation
        The value from which on a pixel saturates [adu], or None.
    gain
        K [electron / adu], or None.
    """

    bias: PixelStack
    keep: BoolMap
    pool: Pool
    saturation: float | None
    gain: float | None

    @classmethod
    def of(cls, bias: PixelStack, excluded: BoolMap | None, saturation: float | None, gain: float | None) -> Judged:
        """Look at the maps of the bias frames.

        Raises
        ------
        NotMeasurableError
            With fewer than two bias frames, or when every pixel is excluded.
        """
        if bias.n_frames < 2:
            raise NotMeasurableError("one bias frame: the noise of no pixel is known; shoot 20")
        mean, variance = bias.maps()
        keep = np.isfinite(mean) & np.isfinite(variance)
        if excluded is not None:
            keep &= ~excluded
        if not keep.any():
            raise NotMeasurableError("every pixel is excluded; name smaller regions")
        return cls(bias, keep, pool(variance, keep, bias.n_frames), saturation, gain)

    @property
    def n_pixels(self) -> int:
        """How many pixels are judged."""
        return int(self.keep.sum())

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.bias.shape[1]

    def in_range(self, raw: NDArray[Any]) -> BoolMap:
        """Tell which of some gathered pixels neither clip at zero nor saturate in any frame."""
        inside: BoolMap = np.all(raw > 0, axis=0)
        return inside if self.saturation is None else inside & np.all(raw < self.saturation, axis=0)

    def at_odds(self, share: float) -> float:
        """Return how many standard deviations one normal value in this share of the pixels exceeds."""
        return float(stats.norm.isf(share / self.n_pixels))


@dataclass(frozen=True)
class Finding:
    """What one closer look found: bits of the map and their pixels (flat indices), a row each, a share, and notes.

    The share is None where the notes say why it is not that of the vocabulary.
    """

    bits: dict[PixelFlag, Pixels]
    table: pd.DataFrame
    share: AffineScalarFunc | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DarkMaps:
    """The longest darks beside the bias frames, all in adu: what is usual, and every pixel's distance from it.

    ``background`` is the usual difference of the means, ``signal`` the usual dark signal as its noise shows it [adu2],
    glow included.
    """

    bias: PixelStack
    dark: PixelStack
    bias_pool: Pool
    dark_pool: Pool
    background: Usual
    signal: Usual

    @classmethod
    def of(cls, judged: Judged, dark: PixelStack) -> DarkMaps:
        """Compare darks that have maps with the bias frames.

        Raises
        ------
        NotMeasurableError
            With one dark only, where rounding hides the noise, or where no pixel has a value in every frame.
        """
        if dark.n_frames < 2:
            raise NotMeasurableError(f"one dark of {dark.exposure:g} s: its noise is unknown; shoot 6 or more")
        bias, bias_pool = judged.bias, judged.pool
        dark_mean, dark_variance = dark.maps()
        bias_mean, _ = bias.maps()
        keep = judged.keep & np.isfinite(dark_mean) & np.isfinite(dark_variance)
        dark_pool = pool(dark_variance, keep, dark.n_frames)
        background = usual(dark_mean - bias_mean, keep)
        signal = Usual(np.maximum(dark_pool.level.tiles - bias_pool.level.tiles, 0.0), dark.shape)
        return cls(bias, dark, bias_pool, dark_pool, background, signal)

    def bands(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield ``(rows, excess)``: how far the mean of the darks lies above the bias and the background [adu]."""
        (dark_mean, _), (bias_mean, _) = self.dark.maps(), self.bias.maps()
        for rows in row_bands(self.dark.shape[0]):
            yield rows, dark_mean[rows].astype(np.float64) - bias_mean[rows] - self.background.at(rows)

    def excess(self, pixels: Pixels) -> FloatArray:
        """Return the same for some pixels, given as flat indices."""
        (dark_mean, _), (bias_mean, _) = self.dark.maps(), self.bias.maps()
        difference = dark_mean.flat[pixels].astype(np.float64) - bias_mean.flat[pixels]
        return difference - self.background.of(pixels)

    def typical_signal(self, gain: float) -> float:
        """Return the dark signal that a typical pixel has, glow included, as its noise shows it [electron]."""
        return gain**2 * float(np.median(self.signal.tiles))

    @property
    def mean_error(self) -> float:
        """Standard error of a typical pixel's excess [adu]."""
        dark = float(np.median(self.dark_pool.level.tiles)) / self.dark.n_frames
        return float(np.sqrt(dark + np.median(self.bias_pool.level.tiles) / self.bias.n_frames))


def row_bands(height: int) -> Iterator[slice]:
    """Yield the rows of a map, some at a time."""
    for top in range(0, height, _ROWS):
        yield slice(top, min(top + _ROWS, height))


def capped(chosen: BoolMap, ranking: NDArray[np.floating]) -> tuple[Pixels, tuple[str, ...]]:
    """Return the chosen pixels as flat indices, 5 % of all at most, and a note where some of low rank were lost."""
    pixels, most = np.flatnonzero(chosen), max(64, int(_MOST * chosen.size))
    if pixels.size <= most:
        return pixels, ()
    rank = ranking.flat[pixels]
    note = f"{pixels.size} pixels stand out, more than can be looked at: the {most} that do so most were"
    return np.sort(pixels[np.argpartition(rank, -most)[-most:]]), (note,)
