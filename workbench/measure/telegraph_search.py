"""Where telegraph pixels are: from the maps to the few pixels whose values in every frame tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from workbench.errors import NotMeasurableError
from workbench.frames.rawness import step_of
from workbench.measure.noise import hidden_by_rounding
from workbench.measure.numbers import number
from workbench.measure.pixel_flags import PixelFlag
from workbench.measure.pixel_stacks import DarkMaps, Finding, Judged, capped, row_bands
from workbench.measure.switching import LEAST_DARKS, Expected, follow_temperature, least_jump, switching
from workbench.measure.telegraph import LEAST_FRAMES, read_telegraph
from workbench.measure.telegraph_table import least_read_jump, read_rows, read_share, switching_rows
from workbench.stack.variance import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    BoolMap = NDArray[np.bool_]
    Pixels = NDArray[np.intp]

_LONGEST_READ = 1.0  # s: zero-light frames of more are darks
_RESTLESS = 0.02  # of the steady pixels that are looked at for their scatter in darks


def find_read_telegraph(judged: Judged) -> Finding:
    """Find the pixels that jump from read to read.

    Raises
    ------
    NotMeasurableError
        With fewer than 8 bias frames, or short darks in their place, or where rounding hides the noise.
    """
    bias, usual = judged.bias, judged.pool
    if bias.exposure > _LONGEST_READ:
        what = f"the zero-light frames are darks of {bias.exposure:g} s: their hot pixels jump by themselves"
        raise NotMeasurableError(f"{what}; shoot bias frames")
    if bias.n_frames < LEAST_FRAMES:
        few = f"{bias.n_frames} bias frames cannot tell a jump from noise; shoot at least {LEAST_FRAMES}, better 20"
        raise NotMeasurableError(few)
    _, variance = bias.maps()
    least = usual.bounds[1]
    chosen = np.zeros(bias.shape, dtype=bool)
    for rows in row_bands(bias.shape[0]):
        chosen[rows] = variance[rows] > least * usual.level.at(rows)
    pixels, notes = capped(chosen & judged.keep, variance)
    raw = bias.values(pixels)
    step = step_of(np.unique(raw).astype(np.int64)) if raw.dtype.kind in "iu" else None
    rounded = hidden_by_rounding(Estimate(float(np.median(usual.level.tiles)), 0.0), step)
    if rounded is not None:
        raise NotMeasurableError(rounded)
    inside = judged.in_range(raw)
    pixels, raw = pixels[inside], raw[:, inside]
    level = usual.level.of(pixels)
    found = read_telegraph(bias.centred(raw), level, usual.prior_dof, judged.n_pixels)
    height = least_read_jump(bias.n_frames, usual.prior_dof, least) * float(np.median(usual.level.tiles)) ** 0.5
    size = f"{height * judged.gain:.2g} electron" if judged.gain else f"{height:.2g} adu"
    notes += (f"half of the jumps of {size} from read to read are lost in the noise of {bias.n_frames} bias frames",)
    return Finding(
        {
            PixelFlag.TELEGRAPH_2_LEVELS: pixels[found.n_levels == 2],
            PixelFlag.TELEGRAPH_3_LEVELS: pixels[found.n_levels == 3],
        },
        read_rows(found, pixels, judged.width, judged.gain),
        read_share(found, judged.n_pixels),
        notes,
    )


def find_switching(judged: Judged, maps: DarkMaps, jumping: Pixels) -> Finding:
    """Find the pixels whose dark current switches.

    Parameters
    ----------
    judged, maps
        The pixels, and the longest darks.
    jumping
        Pixels that jump from read to read, as flat indices: their own bias frames alone tell their read noise.

    Raises
    ------
    NotMeasurableError
        Without a gain, or with fewer than 6 darks.
    """
    dark, gain = maps.dark, judged.gain
    if gain is None:
        raise NotMeasurableError("no gain is known: what a dark signal scatters by cannot be told; give a gain")
    if dark.n_frames < LEAST_DARKS:
        few = f"{dark.n_frames} darks of {dark.exposure:g} s cannot tell a switching pixel"
        raise NotMeasurableError(f"{few}; shoot at least {LEAST_DARKS}, better 14")
    _, variance = dark.maps()
    pixels, notes = capped(_restless(judged, maps, gain), variance)
    raw = dark.values(pixels)
    inside = judged.in_range(raw)
    pixels, raw = pixels[inside], raw[:, inside]
    expected = _expected(judged, maps, pixels, jumping, gain)
    noise = float(np.median(maps.dark_pool.level.tiles)) ** 0.5
    values = follow_temperature(dark.centred(raw), expected.electrons - maps.typical_signal(gain), gain, noise)
    found = switching(values, expected, dark.exposure, judged.n_pixels)
    least = least_jump(noise**2, judged.pool.dof + judged.pool.prior_dof, dark.n_frames, gain, dark.exposure)
    notes += (f"a dark current that switches by less than {least:.2g} electron / s is lost in the noise of the darks",)
    share = number(found.n_true / judged.n_pixels, found.n_true_error / judged.n_pixels, "switching pixels")
    bits = {PixelFlag.TELEGRAPH_DARK: pixels[found.found]}
    return Finding(bits, switching_rows(found, pixels, judged.width), share, notes)


def _restless(judged: Judged, maps: DarkMaps, gain: float) -> BoolMap:
    """Return the pixels that scatter more in the darks than steady ones of their level do, as far as maps tell."""
    _, variance = maps.dark.maps()
    least = float(stats.f.isf(_RESTLESS, maps.dark.n_frames - 1, judged.pool.prior_dof))
    chosen = np.zeros(maps.dark.shape, dtype=bool)
    for rows, excess in maps.bands():
        steady = judged.pool.level.at(rows) + np.maximum(maps.signal.at(rows) + excess / gain, 0.0)
        chosen[rows] = variance[rows] > least * steady
    return chosen & judged.keep


def _expected(judged: Judged, maps: DarkMaps, pixels: Pixels, jumping: Pixels, gain: float) -> Expected:
    """Say what these pixels' darks would scatter by, were they steady."""
    own = judged.bias.maps()[1].flat[pixels].astype(np.float64)
    read, dof = judged.pool.moderated(own, pixels)
    jumps = np.isin(pixels, jumping)
    signal = np.maximum(gain**2 * maps.signal.of(pixels) + gain * maps.excess(pixels), 0.0)
    error = np.full(pixels.size, gain * maps.mean_error)
    return Expected(np.where(jumps, own, read), np.where(jumps, judged.pool.dof, dof), signal, error, gain)
