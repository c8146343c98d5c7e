"""Pixels that jump from read to read: how many levels, how far apart, how often; from a stack of bias frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.mixture import LevelFit, one_level, split_evidence, three_levels, two_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LEAST_FRAMES = 8
FOUND = 0.5  # probability from which on a pixel counts as a telegraph pixel
_BLOCK = 20_000  # pixels fitted at a time
_PROMISING = 1.0  # rise of the log likelihood by the best split, below which no fit would find a second level
_WORTH_THREE = 4.0  # rise by a second level below which a third is not tried
_START_SHARES = np.array([1.0 - 1e-3, 8e-4, 2e-4])  # of pixels with one, two and three levels
_SHARE_ROUNDS = 30
_HEIGHTS = np.array([1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0, 12.0])  # of a jump, in read noises
_TRIALS = 250  # pixels simulated at each height


@dataclass(frozen=True)
class ReadTelegraph:
    """Pixels of a bias stack as one, two or three levels; arrays have one entry a pixel that was looked at.

    Parameters
    ----------
    probabilities
        That the pixel has one, two or three levels, shape (pixel, 3).
    levels
        Above the pixel's mean [adu], shape (pixel, 3), of the likelier of two and three levels; NaN where there is no
        such level.
    jump, noise
        Distance between neighbouring levels, and the rms about each [adu].
    upper_share
        Mean share of its traps that are in their upper state: 0 the lowest level always, 1 the highest.
    transitions
        How often consecutive frames stand at different levels.
    n_frames
        In the stack.
    """

    probabilities: FloatArray
    levels: FloatArray
    jump: FloatArray
    noise: FloatArray
    upper_share: FloatArray
    transitions: NDArray[np.int64]
    n_frames: int

    @property
    def probability(self) -> FloatArray:
        """That the pixel jumps at all."""
        return self.probabilities[:, 1] + self.probabilities[:, 2]

    @property
    def n_levels(self) -> NDArray[np.int64]:
        """1 where no jump is found, else the likelier of 2 and 3."""
        several = np.where(self.probabilities[:, 2] > self.probabilities[:, 1], 3, 2)
        return np.where(self.probability > FOUND, several, 1)

    @property
    def jump_rate(self) -> FloatArray:
        """Jumps per read: transitions over the steps from one frame to the next."""
        return self.transitions / (self.n_frames - 1)


def read_telegraph(values: FloatArray, level_variance: FloatArray, prior_dof: float, n_judged: int) -> ReadTelegraph:
    """Tell from the values of a few pixels in every bias frame which of them jump, and between which levels.

    Parameters
    ----------
    values
        Shape (pixel, frame) [adu], frames in the order of time, their own means removed.
    level_variance
        The variance that is usual where each pixel stands [adu2], shape (pixel,).
    prior_dof
        How many degrees of freedom that is worth: see :class:`workbench.measure.neighbourhood.Pool`.
    n_judged
        Pixels that these were chosen from; those that were not chosen are taken to have one level.

    Raises
    ------
    NotMeasurableError
        With fewer than 8 frames.

    Notes
    -----
    Normal levels of one width, whose variance has the neighbourhood's as its prior, are fitted by maximum likelihood
    for k = 1, 2, 3 levels; three are equally spaced (two traps of one height). The evidence of each is that of
    Schwarz's criterion (Ann. Stat. 6, 461, 1978), ``ln L - (d / 2) ln n`` with d = 0, 2 and 3 parameters more, and the
    prior is the share of pixels of each kind, found from all pixels together by expectation and maximisation.

    A level must be held by at least two frames: one single high value is a cosmic ray, not a level.
    """
    n_pixels, n = values.shape
    if n < LEAST_FRAMES:
        reason = f"{n} bias frames cannot tell a jump from noise; shoot at least {LEAST_FRAMES}, better 20"
        raise NotMeasurableError(reason)
    scale = np.sqrt(level_variance)
    gain = np.full((n_pixels, 3), -np.inf)
    gain[:, 0] = 0.0
    parts = []
    for start in range(0, n_pixels, _BLOCK):
        block = slice(start, start + _BLOCK)
        gain[block], part = _fit_block(values[block] / scale[block, None], prior_dof)
        parts.append(part)
    levels, jump, noise, share, transitions = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ReadTelegraph(
        _probabilities(gain, n_judged),
        levels * scale[:, None],
        jump * scale,
        noise * scale,
        share,
        transitions,
        n,
    )


_Part = tuple["FloatArray", "FloatArray", "FloatArray", "FloatArray", "NDArray[np.int64]"]


def _fit_block(values: FloatArray, prior_dof: float) -> tuple[FloatArray, _Part]:
    """Fit pixels in units of the usual noise; return the evidence over that of one level, and what was found."""
    n_pixels, n = values.shape
    single = one_level(values, prior_dof)
    gain = np.full((n_pixels, 3), -np.inf)
    gain[:, 0] = 0.0
    levels, jump = np.full((n_pixels, 3), np.nan), np.zeros(n_pixels)
    noise, share = np.sqrt(single.variance), np.zeros(n_pixels)
    transitions = np.zeros(n_pixels, dtype=np.int64)

    def take(pixels: NDArray[np.intp], fit: LevelFit, n_more: int, above: FloatArray) -> None:
        k = fit.weights.shape[1]
        states = fit.states(values[pixels])
        held = (states[:, :, None] == np.arange(k)).sum(axis=1)
        # a gap between the lowest and the highest level may be empty by chance, their ends may not be one frame
        sound = (
            (held[:, 0] >= (2 if k == 2 else 1)) & (held[:, -1] >= (2 if k == 2 else 1)) & (held.max(axis=1) < n - 1)
        )
        evidence = np.where(sound, fit.log_likelihood - single.log_likelihood[pixels] - n_more / 2 * np.log(n), -np.inf)
        gain[pixels, k - 1] = evidence
        better = evidence > above
        chosen, kept = pixels[better], np.flatnonzero(better)
        levels[chosen] = np.nan
        levels[chosen, :k] = fit.levels[kept]
        jump[chosen], noise[chosen] = fit.step[kept], np.sqrt(fit.variance[kept])
        share[chosen] = (fit.weights[kept] @ np.arange(k)) / (k - 1)
        transitions[chosen] = (np.diff(states[kept], axis=1) != 0).sum(axis=1)

    pixels = np.flatnonzero(split_evidence(values, prior_dof) > _PROMISING)
    if pixels.size:
        take(pixels, two_levels(values[pixels], prior_dof), 2, np.full(pixels.size, -np.inf))
        pixels = pixels[gain[pixels, 1] + np.log(n) > _WORTH_THREE]
    if pixels.size:
        take(pixels, three_levels(values[pixels], prior_dof), 3, gain[pixels, 1] + _third_prior())
    return gain, (levels, jump, noise, share, transitions)


def _third_prior() -> float:
    return float(np.log(_START_SHARES[1] / _START_SHARES[2]))


def _probabilities(gain: FloatArray, n_judged: int) -> FloatArray:
    """Return the probability of every number of levels; the shares of all pixels are their prior."""
    if not len(gain):
        return np.empty((0, 3))
    shares, found = _START_SHARES, gain
    for _ in range(_SHARE_ROUNDS):
        terms = gain + np.log(shares)
        terms -= terms.max(axis=1, keepdims=True)
        found = np.exp(terms)
        found /= found.sum(axis=1, keepdims=True)
        held = found.sum(axis=0)
        held[0] += n_judged - len(gain)
        held[1:] += 0.5  # no class is ruled out because none was found
        shares = held / held.sum()
    return found


@cache
def recall(n_frames: int, prior_dof: float, least_ratio: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return which share of the pixels with two levels would be found, against the height of their jump.

    Parameters
    ----------
    n_frames
        Of the bias stack.
    prior_dof
        See :class:`workbench.measure.neighbourhood.Pool`.
    least_ratio
        Of a pixel's variance to the usual one, from which on it is looked at.

    Returns
    -------
    heights, shares
        Heights of the jump in units of the read noise, and the shares found: by simulation, with as many frames at
        either level on average, among a thousand times as many plain pixels.
    """
    rng = np.random.default_rng(n_frames)
    shape = (_HEIGHTS.size * _TRIALS, n_frames)
    sigma = np.sqrt(prior_dof / rng.chisquare(prior_dof, shape[0]))
    values = rng.standard_normal(shape) * sigma[:, None]
    values += np.repeat(_HEIGHTS, _TRIALS)[:, None] * rng.integers(0, 2, shape)
    seen = values.var(axis=1, ddof=1) > least_ratio
    gain, _ = _fit_block(values - values.mean(axis=1, keepdims=True), prior_dof)
    terms = gain + np.log(_START_SHARES)
    terms -= terms.max(axis=1, keepdims=True)
    found = seen & (np.exp(terms[:, 0]) / np.exp(terms).sum(axis=1) < 1.0 - FOUND)
    return tuple(_HEIGHTS.tolist()), tuple(found.reshape(_HEIGHTS.size, _TRIALS).mean(axis=1).tolist())
