"""The dark current of every pixel: the pattern from the mean of dark minus bias, its level from the noise.

An optical-black clamp subtracts one constant from a frame, so it hides the level of the mean and leaves its pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_tiles import TileMap, noise_spread, sum_tiles, tile_map, variance_error
from workbench.measure.glow_mask import GlowMask, find_glow
from workbench.measure.grid import tile_rows
from workbench.measure.numbers import number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    from workbench.stack.variance import DifferenceMoments

    FloatArray = NDArray[np.float64]
    FloatMap = NDArray[np.float32]
    BoolArray = NDArray[np.bool_]

_FEWEST = 100  # pixels
_DISAGREE_P = 0.01


@dataclass(frozen=True)
class DarkMap:
    """Expected electrons of every pixel in a dark.

    Parameters
    ----------
    electrons
        Shape (y, x), float32 [electron]; of excluded pixels no more than a hint.
    noise
        Shape (y, x), float32: variance of ``electrons`` from the temporal noise of both means [electron2]; its own
        scatter is that of a variance over few frames.
    pixel_error
        Standard error of an ordinary pixel from that noise, rms [electron].
    level
        Mean over the ordinary pixels [electron], a number with its error: common to all pixels.
    gain
        K [electron/adu]; the pattern is in proportion to it, the level to its square.
    exposure
        Of the darks beyond that of the bias [s].
    excluded
        Pixels that do not count, shape (y, x).
    n_frames
        Darks and bias frames.
    noise_spread
        Rms relative spread of the pixels' own variance.
    tiles, glow
        The same electrons tile by tile; where the sensor glows [electron].
    notes
        What a reader must know.
    """

    electrons: FloatMap
    noise: FloatMap
    pixel_error: float
    level: AffineScalarFunc
    gain: AffineScalarFunc
    exposure: float
    excluded: BoolArray
    n_frames: tuple[int, int]
    noise_spread: float
    tiles: TileMap
    glow: GlowMask
    notes: tuple[str, ...]

    def above_level(self, electrons: float, std_error: float = 0.0) -> AffineScalarFunc:
        """Return a value of the map [electron] as a number; the errors of gain and level enter once."""
        centre = float(self.level.nominal_value)
        gain = float(self.gain.nominal_value)
        return self.level + self.gain * number((electrons - centre) / gain, std_error / gain)

    def rates(self, mask: BoolArray) -> FloatMap:
        """Return the dark current of the pixels in ``mask``, shape (pixels,) [electron/s], glow included."""
        return np.asarray(self.electrons[mask] / np.float32(self.exposure))

    def mean_rate(self, mask: BoolArray) -> AffineScalarFunc:
        """Return the mean dark current of the pixels in ``mask`` [electron/s], glow included.

        Raises
        ------
        NotMeasurableError
            When none of them counts.
        """
        n, total, noise = 0, 0.0, 0.0
        for rows in tile_rows(mask.shape[0]):
            chosen = mask[rows] & ~self.excluded[rows]
            n += int(chosen.sum())
            total += float(self.electrons[rows][chosen].sum(dtype=np.float64))
            noise += float(self.noise[rows][chosen].sum(dtype=np.float64))
        if n == 0:
            raise NotMeasurableError("none of these pixels counts: they saturate or clip; shoot shorter darks")
        return self.above_level(total / n, noise**0.5 / n) / self.exposure


def dark_map(
    darks: DifferenceMoments,
    bias: DifferenceMoments,
    excluded: BoolArray,
    gain: AffineScalarFunc,
    *,
    exposure: float,
) -> DarkMap:
    """Measure the electrons of every pixel in the darks of one exposure.

    Parameters
    ----------
    darks, bias
        Moments of the darks and of the bias frames, with their maps [adu].
    excluded
        Pixels that do not count, shape (y, x).
    gain
        K [electron/adu].
    exposure
        Of the darks beyond that of the bias [s].

    Raises
    ------
    NotMeasurableError
        With fewer than two darks or two bias frames, no exposure, or too few pixels.
    ValueError
        When the moments were taken without maps.

    Notes
    -----
    ``lambda_i = K (D_i - B_i) + C``, with one C such that the mean over the ordinary pixels is that of their noise,
    ``K^2 (var_D - var_B)``: both hold for any set of pixels, so hot pixels and hits, which make a variance uncertain or
    wrong, are left out of the set. The error of the level is that of the mean over *these* pixels: Gaussian and Poisson
    parts of the error of a variance, see :func:`workbench.measure.dark_current.variance_rates`.
    """
    if darks.n_frames < 2 or bias.n_frames < 2:
        raise NotMeasurableError("one dark or one bias frame: noise needs a pair; shoot 14 darks and 20 bias frames")
    if exposure <= 0:
        raise NotMeasurableError("the darks are no longer than the zero-light frames; shoot longer darks")
    maps = [one for one in (darks.mean_map, bias.mean_map, darks.variance_map, bias.variance_map) if one is not None]
    if len(maps) < 4:
        raise ValueError("a dark map needs moments taken with maps=True")
    n_frames, k = (darks.n_frames, bias.n_frames), float(gain.nominal_value)
    difference = maps[0] - maps[1]
    sums = sum_tiles(difference, maps[2], maps[3], excluded, n_frames, k)
    n = float(sums.n.sum())
    if n < _FEWEST:
        raise NotMeasurableError(f"{n:.0f} pixels are left to measure; shoot darks that saturate or clip less")
    shifts = [_shift(one, excluded) for one in (darks, bias)]
    excess = float((sums.dark - sums.bias).sum()) / n - shifts[0] + shifts[1]
    level = number(excess, variance_error(sums, n_frames, max(excess, 0.0) / k**2)) * gain**2
    centre = float(sums.difference.sum()) / n
    tiles = tile_map(sums, n_frames, gain, centre, excess, shifts)
    glow = find_glow(tiles.means, tiles.mean_errors)
    noise = np.empty_like(difference)
    for rows in tile_rows(difference.shape[0]):
        noise[rows] = k**2 * (maps[2][rows] / n_frames[0] + maps[3][rows] / n_frames[1])
        difference[rows] = k * (difference[rows] - centre) + k**2 * excess
    of_pixel = k**2 * float((sums.dark / n_frames[0] + sums.bias / n_frames[1]).sum()) / n
    return DarkMap(
        difference,
        noise,
        of_pixel**0.5,
        level,
        gain,
        exposure,
        excluded,
        n_frames,
        noise_spread(sums, n_frames[1]),
        tiles,
        glow,
        _notes(tiles, glow),
    )


def _shift(moments: DifferenceMoments, excluded: BoolArray) -> float:
    """By how much the variance map lies above the variance [adu2]: the means removed from it were of other pixels."""
    used = ~excluded
    if moments.variance_map is None or moments.temporal is None or int(used.sum()) != moments.n_pixels:
        return 0.0
    bands = tile_rows(excluded.shape[0])
    total = sum(float(moments.variance_map[rows][used[rows]].sum(dtype=np.float64)) for rows in bands)
    return total / moments.n_pixels - moments.temporal.value


def _notes(tiles: TileMap, glow: GlowMask) -> tuple[str, ...]:
    notes = []
    if tiles.p < _DISAGREE_P:
        notes.append(
            f"mean and noise disagree over the tiles (chi2/dof {tiles.chi2 / tiles.dof:.3g}, p = {tiles.p:.1g}): the "
            "offset's pattern differs between bias and darks, the frames were filtered, or the gain is wrong"
        )
    if glow.everywhere:
        notes.append(
            "glow is all over the sensor: what is left of it in the darkest part is an extrapolation of its fall, "
            f"{glow.residual:.2g} +/- {glow.residual_error:.1g} electron"
        )
    return tuple(notes)
