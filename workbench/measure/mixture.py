"""A pixel's few values as one, two or three levels under noise: mixtures fitted by maximum likelihood, many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import xlogy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

_ROUNDS = 25  # of expectation and maximisation; the likelihood of clear cases stands still after ten
_LEAST_WEIGHT = 1e-3  # of a level, so that no logarithm of zero appears
_STRETCH = (0.6, 0.75, 0.9)  # of half a pixel's range: where the spacing of three levels may start


@dataclass(frozen=True)
class LevelFit:
    """Mixtures of ``k`` equally spaced normal levels of one width, one for each pixel.

    Parameters
    ----------
    log_likelihood
        Logarithm of the likelihood at its maximum, times the prior of the variance; shape (pixel,).
    base, step
        The lowest level and the distance to the next, in units of the values.
    variance
        Of the noise about each level.
    weights
        Share of the frames at each level, shape (pixel, k).
    """

    log_likelihood: FloatArray
    base: FloatArray
    step: FloatArray
    variance: FloatArray
    weights: FloatArray

    @property
    def levels(self) -> FloatArray:
        """The levels, ascending, shape (pixel, k)."""
        return self.base[:, None] + self.step[:, None] * np.arange(self.weights.shape[1])

    def states(self, values: FloatArray) -> IntArray:
        """Return the most probable level of every value, shape (pixel, frame)."""
        states: IntArray = np.argmax(_log_terms(values, self), axis=0)
        return states

    def where(self, chosen: NDArray[np.bool_], other: LevelFit) -> LevelFit:
        """Take the chosen pixels from here, the others from ``other``."""
        return LevelFit(
            *(
                np.where(chosen.reshape(-1, *[1] * (mine.ndim - 1)), mine, theirs)
                for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)
            )
        )


def one_level(values: FloatArray, prior_dof: float) -> LevelFit:
    """Fit one level; parameters as for :func:`two_levels`."""
    n_pixels, n = values.shape
    base = values.mean(axis=1)
    squares = ((values - base[:, None]) ** 2).sum(axis=1)
    variance = (squares + prior_dof) / (n + prior_dof + 2.0)
    fit = LevelFit(np.zeros(n_pixels), base, np.zeros(n_pixels), variance, np.ones((n_pixels, 1)))
    return _judged(values, fit, prior_dof)


def two_levels(values: FloatArray, prior_dof: float) -> LevelFit:
    """Fit two levels to every pixel.

    Parameters
    ----------
    values
        Shape (pixel, frame), in units of the noise that a pixel of this neighbourhood usually has.
    prior_dof
        How many degrees of freedom the neighbourhood's variance is worth as a prior of each pixel's own: a scaled
        inverse chi-squared distribution about 1 (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3, 2004).

    Notes
    -----
    Expectation and maximisation (Dempster, Laird and Rubin, J. R. Stat. Soc. B 39, 1, 1977), started from the split of
    the sorted values with the least sum of squares that leaves two frames on either side: a level that one frame alone
    supports is a hit, not a level.
    """
    return _climb(values, _state_shares(best_split(values)[0], 2), prior_dof)


def three_levels(values: FloatArray, prior_dof: float) -> LevelFit:
    """Fit three equally spaced levels, as two traps of one height leave them; parameters as for :func:`two_levels`.

    The climb starts from several spacings, and the best end counts.
    """
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    best: LevelFit | None = None
    for stretch in _STRETCH:
        step = np.maximum((high - low) / 2.0 * stretch, 1e-9)
        nearest = np.clip(np.rint((values - (low + high) / 2.0) / step), -1, 1).astype(np.int64) + 1
        fit = _climb(values, _state_shares(nearest, 3), prior_dof)
        best = fit if best is None else fit.where(fit.log_likelihood > best.log_likelihood, best)
    assert best is not None  # noqa: S101 - there is at least one start
    return best


def best_split(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Split every pixel's values in two groups of two or more with the least sum of squares about their means.

    Returns
    -------
    states
        0 or 1 for every value, shape (pixel, frame).
    squares
        The sums of squares within the groups, shape (pixel,).
    """
    n = values.shape[1]
    order = np.argsort(values, axis=1)
    ranked = np.take_along_axis(values, order, axis=1)
    ranked = ranked - ranked.mean(axis=1, keepdims=True)
    sums = np.cumsum(ranked, axis=1)[:, 1 : n - 2]
    lower = np.arange(2, n - 1)
    # values that are centred: the sum above a split is minus that below it
    between = sums**2 * (1.0 / lower + 1.0 / (n - lower))
    split = np.argmax(between, axis=1)
    within = (ranked**2).sum(axis=1) - np.take_along_axis(between, split[:, None], axis=1)[:, 0]
    states = np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(states, order, (np.arange(n) >= lower[split][:, None]).astype(np.int64), axis=1)
    return states, np.maximum(within, 0.0)


def split_evidence(values: FloatArray, prior_dof: float) -> FloatArray:
    """Return by how much the best split in two raises the logarithm of the likelihood: a quick look before the fit."""
    n = values.shape[1]
    states, within = best_split(values)
    total = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    share = states.mean(axis=1)
    entropy = -xlogy(share, share) - xlogy(1.0 - share, 1.0 - share)
    evidence: FloatArray = (n + prior_dof) / 2.0 * np.log((total + prior_dof) / (within + prior_dof)) - n * entropy
    return evidence


def _state_shares(states: IntArray, k: int) -> FloatArray:
    """Return the share of every value in every level, shape (k, pixel, frame): levels first, which is fastest."""
    shares: FloatArray = (states == np.arange(k)[:, None, None]).astype(np.float64)
    return shares


def _climb(values: FloatArray, shares: FloatArray, prior_dof: float) -> LevelFit:
    for _ in range(_ROUNDS):
        fit = _maximised(values, shares, prior_dof)
        terms = _log_terms(values, fit)
        terms -= terms.max(axis=0)
        shares = np.exp(terms, out=terms)
        shares /= shares.sum(axis=0)
    return _judged(values, _maximised(values, shares, prior_dof), prior_dof)


def _maximised(values: FloatArray, shares: FloatArray, prior_dof: float) -> LevelFit:
    """Give the levels, their weights and the variance that suit these shares of every value in every level best."""
    k, n_pixels, n = shares.shape
    held = shares.sum(axis=2)
    place = np.arange(k)
    first, second = place @ held, place**2 @ held
    total = values.sum(axis=1)
    mixed = sum((one * np.einsum("pf,pf->p", values, shares[one]) for one in range(1, k)), np.zeros(n_pixels))
    spread = n * second - first**2
    step = np.divide(n * mixed - first * total, spread, out=np.zeros(n_pixels), where=spread > 1e-9)
    step = np.maximum(step, 0.0)
    base = (total - step * first) / n
    squares = np.zeros(n_pixels)
    for one in range(k):
        off = values - (base + one * step)[:, None]
        squares += np.einsum("pf,pf,pf->p", shares[one], off, off)
    variance = (squares + prior_dof) / (n + prior_dof + 2.0)
    weights = np.maximum(held.T / n, _LEAST_WEIGHT)
    weights /= weights.sum(axis=1, keepdims=True)
    return LevelFit(np.zeros(n_pixels), base, step, variance, weights)


def _log_terms(values: FloatArray, fit: LevelFit) -> FloatArray:
    """Logarithm of weight times density of every value in every level, shape (k, pixel, frame)."""
    terms = np.empty((fit.weights.shape[1], *values.shape))
    constant = np.log(fit.weights) - 0.5 * np.log(2.0 * np.pi * fit.variance)[:, None]
    for one, level in enumerate(fit.levels.T):
        np.subtract(values, level[:, None], out=terms[one])
        terms[one] *= terms[one]
        terms[one] *= (-0.5 / fit.variance)[:, None]
        terms[one] += constant[:, one, None]
    return terms


def _judged(values: FloatArray, fit: LevelFit, prior_dof: float) -> LevelFit:
    """Put the likelihood in: that of the values, and that of the variance under its prior."""
    terms = _log_terms(values, fit)
    top = terms.max(axis=0)
    likelihood = (top + np.log(np.exp(terms - top).sum(axis=0))).sum(axis=1)
    prior = -(prior_dof / 2.0 + 1.0) * np.log(fit.variance) - prior_dof / (2.0 * fit.variance)
    return LevelFit(likelihood + prior, fit.base, fit.step, fit.variance, fit.weights)
