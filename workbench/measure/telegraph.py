"""Pixels that jump from read to read: how many levels, how far apart, how often; from a stack of bias frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

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

    Of two levels both must be held by two frames, of three every one by one and two of them by two: one single high
    value is a cosmic ray, not a level.
    """
    n_pixels, n = values.shape
    if n < LEAST_FRAMES:
        reason = f"{n} bias frames cannot tell a jump from noise; shoot at least {LEAST_FRAMES}, better 20"
        raise NotMeasurableError(reason)
    scale = np.sqrt(level_variance)
    parts = [
        _fit_block(values[start : start + _BLOCK] / scale[start : start + _BLOCK, None], prior_dof)
        for start in range(0, max(n_pixels, 1), _BLOCK)
    ]
    probabilities = _probabilities(np.concatenate([part.evidence for part in parts]), n_judged)
    likelier = np.argmax(probabilities[:, 1:], axis=1)

    def chosen(name: str) -> Any:
        both = np.concatenate([getattr(part, name) for part in parts])
        return both[np.arange(n_pixels), likelier]

    return ReadTelegraph(
        probabilities,
        chosen("levels") * scale[:, None],
        chosen("jump") * scale,
        chosen("noise") * scale,
        chosen("upper_share"),
        chosen("transitions"),
        n,
    )


class _Fits:
    """What is found of some pixels, in units of the usual noise: column 0 with two levels, column 1 with three.

    ``evidence`` has shape (pixel, 3): over that of one level.
    """

    def __init__(self, n_pixels: int) -> None:
        self.evidence = np.full((n_pixels, 3), -np.inf)
        self.evidence[:, 0] = 0.0
        self.levels = np.full((n_pixels, 2, 3), np.nan)
        self.jump, self.noise, self.upper_share = (np.zeros((n_pixels, 2)) for _ in range(3))
        self.transitions = np.zeros((n_pixels, 2), dtype=np.int64)

    def enter(self, pixels: NDArray[np.intp], values: FloatArray, fit: LevelFit, evidence: FloatArray) -> None:
        """Enter the fit of some pixels; one whose levels are not held by enough frames has no evidence."""
        k = fit.weights.shape[1]
        states = fit.states(values)
        self.evidence[pixels, k - 1] = np.where(_held(states, k), evidence, -np.inf)
        self.levels[pixels, k - 2, :k] = fit.levels
        self.jump[pixels, k - 2] = fit.step
        self.noise[pixels, k - 2] = np.sqrt(fit.variance)
        self.upper_share[pixels, k - 2] = fit.weights @ np.arange(k) / (k - 1)
        self.transitions[pixels, k - 2] = (np.diff(states, axis=1) != 0).sum(axis=1)


def _held(states: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Tell whether every level is held by a frame, and the two most frequent ones by two: else it is a hit."""
    held = np.sort((states[:, :, None] == np.arange(k)).sum(axis=1), axis=1)
    enough: NDArray[np.bool_] = (held[:, 0] >= 1) & (held[:, -2] >= 2)
    return enough


def _fit_block(values: FloatArray, prior_dof: float) -> _Fits:
    """Fit pixels in units of the usual noise, first those two levels that the best split promises."""
    n_pixels, n = values.shape
    fits = _Fits(n_pixels)
    if not n_pixels:
        return fits
    single = one_level(values, prior_dof).log_likelihood
    pixels = np.flatnonzero(split_evidence(values, prior_dof) > _PROMISING)
    two = two_levels(values[pixels], prior_dof)
    rise = two.log_likelihood - single[pixels]
    fits.enter(pixels, values[pixels], two, rise - np.log(n))
    pixels = pixels[rise > _WORTH_THREE]
    three = three_levels(values[pixels], prior_dof)
    fits.enter(pixels, values[pixels], three, three.log_likelihood - single[pixels] - 1.5 * np.log(n))
    return fits


def _probabilities(evidence: FloatArray, n_judged: int) -> FloatArray:
    """Return the probability of every number of levels; the shares of all pixels are their prior."""
    if not len(evidence):
        return np.empty((0, 3))
    shares, found = _START_SHARES, evidence
    for _ in range(_SHARE_ROUNDS):
        terms = evidence + np.log(shares)
        terms -= terms.max(axis=1, keepdims=True)
        found = np.exp(terms)
        found /= found.sum(axis=1, keepdims=True)
        held = found.sum(axis=0)
        held[0] += n_judged - len(evidence)
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
    evidence = _fit_block(values - values.mean(axis=1, keepdims=True), prior_dof).evidence
    terms = evidence + np.log(_START_SHARES)
    terms -= terms.max(axis=1, keepdims=True)
    found = seen & (np.exp(terms[:, 0]) / np.exp(terms).sum(axis=1) < 1.0 - FOUND)
    return tuple(_HEIGHTS.tolist()), tuple(found.reshape(_HEIGHTS.size, _TRIALS).mean(axis=1).tolist())
