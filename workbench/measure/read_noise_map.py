"""The read noise of every pixel: its map, its distribution over the pixels, and which noise the bulk of them has.

A variance from n frames scatters by ``sqrt(2 / (n - 1))`` even where all pixels are alike: the spread of a map of them
is not the spread of the pixels. So the bulk of the pixels is fitted with a model that holds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtr
from uncertainties import umath

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

FEWEST = 4  # frames: with fewer the chi-squared scatter hides the spread between pixels
_BULK = 0.97  # of the pixels, the quietest: what is noisier may jump between levels
_BINS = 48
_STEPS = 50
_CLOSE = 1e-8
_NODES = np.linspace(-5.0, 5.0, 101)
_WEIGHTS = np.exp(-(_NODES**2) / 2) / np.exp(-(_NODES**2) / 2).sum()


@dataclass(frozen=True)
class ReadNoiseDistribution:
    """Read noise over the pixels of the bulk, telegraph pixels left to the tail.

    Parameters
    ----------
    median
        Of the pixels' rms read noise [electron].
    spread
        Standard deviation of its natural logarithm over the pixels.
    tail
        Share of pixels noisier than the bulk leads to expect; telegraph pixels are among them.
    chi2, dof
        How well the log-normal law fits the bulk; few frames on a coarse lattice have lumpy variances, and large chi2.
    """

    median: AffineScalarFunc
    spread: AffineScalarFunc
    tail: AffineScalarFunc
    chi2: float
    dof: int
    n_pixels: int
    n_frames: int


@dataclass(frozen=True)
class BulkSplit:
    """A mean variance [adu2] in three: bulk, what telegraph pixels have on top, and the rest that neither explains."""

    bulk: Estimate
    telegraph: Estimate
    rest: Estimate


class _Law:
    """The law of a pixel's variance v over n frames, up to the cut: log-normal plus a constant, times chi-squared.

    ``v = T chi2 / nu`` with ``nu = n - 1``, ``T = common + exp(2 mu + 2 s z)`` and z normal; w = s^2.
    """

    def __init__(self, theta: FloatArray, common: float, nu: int, edges: FloatArray) -> None:
        self.theta, self.common, self.nu, self.edges = theta, common, nu, edges
        self.levels = common + np.exp(2 * (theta[0] + np.sqrt(theta[1]) * _NODES))

    @cached_property
    def shares(self) -> FloatArray:
        """Probability of each bin; the last edge is the cut."""
        shares: FloatArray = self._bins(0) @ _WEIGHTS
        return shares

    @cached_property
    def log_shares(self) -> FloatArray:
        """Logarithm of the bins' probabilities below the cut."""
        logs: FloatArray = np.log(np.maximum(self.shares, 1e-300) / self.shares.sum())
        return logs

    @cached_property
    def first(self) -> FloatArray:
        """Mean of v in each bin times its probability: from the chi-squared law with two more degrees of freedom."""
        first: FloatArray = self._bins(2) @ (_WEIGHTS * self.levels)
        return first

    @property
    def mean(self) -> float:
        """Mean of v over all pixels."""
        return float(self.common + np.exp(2 * self.theta.sum()))

    def _bins(self, more: int) -> FloatArray:
        below: FloatArray = chdtr(self.nu + more, self.nu * self.edges[:, None] / self.levels)
        return np.diff(below, axis=0)

    def squares(self) -> tuple[float, float, float]:
        """Mean of v^2 below and above the cut, and of T^2."""
        moment = _WEIGHTS * self.levels**2
        below = chdtr(self.nu + 4, self.nu * self.edges[-1] / self.levels) @ moment * (1 + 2 / self.nu)
        return float(below), float(moment.sum() * (1 + 2 / self.nu) - below), float(moment.sum())

    def expected_level(self) -> FloatArray:
        """Give the mean of T in each bin times its probability."""
        level: FloatArray = self._bins(0) @ (_WEIGHTS * self.levels)
        return level


class BulkFit:
    """The bulk of the pixels' temporal variances, by maximum likelihood over bins below the cut.

    Parameters
    ----------
    variances
        Temporal variance of every used pixel over n frames (ddof 1) [adu2], 1-D.
    n_frames
        Frames n.
    common
        Variance that all pixels share [adu2]: quantisation, row and column noise.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 frames, or where no variance is left.
    """

    def __init__(self, variances: NDArray[np.floating], n_frames: int, common: float) -> None:
        if n_frames < FEWEST:
            raise NotMeasurableError(
                f"{n_frames} bias frame{'s' * (n_frames != 1)}: the spread of the pixels' read noise needs {FEWEST} or "
                "more; shoot 20"
            )
        edges = np.unique(np.quantile(variances, np.linspace(0, _BULK, _BINS + 1)).astype(np.float64))
        edges[0] = 0.0
        middle = float(np.median(variances))
        if len(edges) < 8 or middle <= 0:
            raise NotMeasurableError("the pixels' variances take too few values to tell a distribution of read noise")
        self.n_pixels, self.n_frames, self._common = variances.size, n_frames, max(common, 0.0)
        self._counts = np.histogram(variances, edges)[0].astype(np.float64)
        self._edges: FloatArray = edges
        self._fit(np.array([0.5 * np.log(max(middle - self._common, 0.01 * middle)), 0.02]))

    def _fit(self, theta: FloatArray) -> None:
        """Fisher's scoring; the spread's square stays at or above zero."""
        for _ in range(_STEPS):
            law, slopes = self._slopes(theta)
            shares = np.exp(law.log_shares)
            information = (slopes.T * shares) @ slopes
            step = np.linalg.solve(information * self._counts.sum(), slopes.T @ self._counts)
            theta = theta + np.clip(step, -0.5, 0.5)
            theta[1] = max(theta[1], 0.0)
            if np.abs(theta - law.theta).max() < _CLOSE:
                break
        self.law, slopes = self._slopes(theta)
        shares = np.exp(self.law.log_shares)
        expected = shares * self._counts.sum()
        self.chi2, self.dof = float(((self._counts - expected) ** 2 / expected).sum()), len(shares) - 3
        # what one pixel of each bin does to theta, times the number of pixels
        self._pull = slopes @ np.linalg.inv((slopes.T * self.law.shares) @ slopes)
        self.covariance = (self._pull.T * self.law.shares) @ self._pull / self.n_pixels

    def _at(self, theta: FloatArray) -> _Law:
        return _Law(theta, self._common, self.n_frames - 1, self._edges)

    def _slopes(self, theta: FloatArray, step: float = 1e-4) -> tuple[_Law, FloatArray]:
        law = self._at(theta)
        moved = [self._at(theta + shift) for shift in step * np.eye(2)]
        return law, np.stack([(one.log_shares - law.log_shares) / step for one in moved], axis=1)

    def split(
        self, variances: NDArray[np.floating], squared_errors: NDArray[np.floating], telegraph: BoolArray | None = None
    ) -> BulkSplit:
        """Split the mean of these variances; those of telegraph pixels, where known, did not enter the fit.

        Parameters
        ----------
        variances, squared_errors
            Of all used pixels [adu2], and the square of each one's standard error [adu4], 1-D.
        telegraph
            Which of them are known to jump between levels. Without it all that the bulk leaves counts as telegraph
            noise, and nothing is left for the rest.
        """
        (_, above, levels), mean, n = self.law.squares(), self.law.mean, variances.size
        growth = 2 * (mean - self.law.common) * np.ones(2)  # of the mean with mu and w
        along = self._pull @ growth
        scatter = float(levels - mean**2 + self.law.shares @ along**2 - 2 * self.law.expected_level() @ along)
        bulk = Estimate(mean, (max(scatter, 0.0) / self.n_pixels) ** 0.5)
        apart = self._spread(1.0, 1.0, 0.0, -mean, -growth)  # of the mean variance and the bulk's, for one pixel
        excess = float(variances.sum(dtype=np.float64)) / n - mean
        if telegraph is None:
            noisy = float(squared_errors[variances >= self._edges[-1]].sum(dtype=np.float64))
            jumps = max(noisy - 2 / (self.n_frames + 1) * n * above, 0.0)
            return BulkSplit(bulk, Estimate(excess, (apart / n + jumps / n**2) ** 0.5), Estimate(0.0, 0.0))
        jumping, m = variances[telegraph].astype(np.float64), self.n_frames
        share = jumping.size / n
        found = float(jumping.sum()) / n - share * mean
        # no kurtosis is below that of two equal levels: the error of a few pixels cannot be less than theirs
        least = 2 / (m * (m - 1) + 2) * float(jumping @ jumping)
        own = max(float(squared_errors[telegraph].sum(dtype=np.float64)), least) / n**2
        error = (own + share**2 * float(growth @ self.covariance @ growth)) ** 0.5
        rest = Estimate(excess - found, (1 - share) * (apart / self.n_pixels) ** 0.5)
        return BulkSplit(bulk, Estimate(found, error), rest)

    def tail(self) -> Estimate:
        """Share of pixels above the cut beyond those of the bulk."""
        inside = float(self.law.shares.sum())
        growth = self._log_growth_inside()
        error = (self._spread(0.0, 0.0, -1 / inside, 1.0, growth) / self.n_pixels) ** 0.5
        return Estimate(float(1 - self._counts.sum() / inside / self.n_pixels), error)

    def _log_growth_inside(self, step: float = 1e-4) -> FloatArray:
        """Relative growth of the share of pixels below the cut with mu and w."""
        moved = [self._at(self.law.theta + shift).shares.sum() for shift in step * np.eye(2)]
        growth: FloatArray = (np.array(moved) / self.law.shares.sum() - 1) / step
        return growth

    def _spread(self, low: float, high: float, inside: float, always: float, along: FloatArray) -> float:
        """Variance over pixels of ``low v [v below] + high v [v above] + inside [v below] + always + along . pull``."""
        law = self.law
        below, above, _ = law.squares()
        bins = inside + always + self._pull @ along
        first = float(law.first.sum())
        square = low**2 * below + high**2 * above + law.shares @ bins**2 + (1 - law.shares.sum()) * always**2
        square += 2 * low * law.first @ bins + 2 * high * always * (law.mean - first)
        centre = low * first + high * (law.mean - first) + law.shares @ bins + (1 - law.shares.sum()) * always
        return max(float(square - centre**2), 0.0)


def read_noise_distribution(
    variance_map: NDArray[np.floating],
    n_frames: int,
    excluded: BoolArray | None,
    lattice: int | None,
    gain: AffineScalarFunc,
    *,
    common: float = 0.0,
) -> ReadNoiseDistribution:
    """Return how the read noise of the pixels is distributed, the scatter of its measurement taken out.

    Parameters
    ----------
    variance_map
        Temporal variance of bias frames over n frames, ddof 1 [adu2], shape (y, x).
    n_frames
        Frames n.
    excluded
        Pixels to leave out, shape (y, x).
    lattice
        Step of the stored values [adu], whose ``q^2 / 12`` is taken out; None for values without one.
    gain
        K [electron/adu].
    common
        Variance that the pixels of a row or column share [adu2]: see :mod:`workbench.measure.noise_budget`.

    Raises
    ------
    NotMeasurableError
        With fewer than 4 frames.

    Notes
    -----
    ``v = (q^2/12 + common + sigma^2) chi2_(n-1) / (n-1)`` with ``ln sigma`` normal over the pixels is fitted to the
    quietest 97 % of the pixels by maximum likelihood over bins: telegraph pixels are in what is cut off, and neither
    median nor spread hangs on them.
    """
    values = variance_map.ravel() if excluded is None else variance_map[~excluded]
    fit = BulkFit(values, n_frames, (lattice or 0) ** 2 / 12 + common)
    (centre, square), errors = fit.law.theta, np.sqrt(np.diag(fit.covariance))
    spread = float(np.sqrt(square))
    # near zero the square is what has a normal error
    spread_error = float(errors[1] / (np.sqrt(square + errors[1]) + spread))
    tail = fit.tail()
    return ReadNoiseDistribution(
        median=gain * umath.exp(number(float(centre), float(errors[0]))),
        spread=number(spread, spread_error),
        tail=number(tail.value, tail.std_error),
        chi2=fit.chi2,
        dof=fit.dof,
        n_pixels=fit.n_pixels,
        n_frames=n_frames,
    )


def read_noise_map(
    variance_map: NDArray[np.floating], lattice: int | None, gain: float | None = None
) -> NDArray[np.float32]:
    """Return the rms read noise of every pixel, ``K sqrt(v - q^2/12)``; 0 where rounding is all there is.

    Parameters
    ----------
    variance_map
        Temporal variance of bias frames [adu2], shape (y, x).
    lattice
        Step of the stored values [adu]; None for values without one.
    gain
        K [electron/adu]: the map is in electron; without it in adu.
    """
    left = np.maximum(variance_map - (lattice or 0) ** 2 / 12, 0.0)
    return np.asarray(np.sqrt(left) * (1.0 if gain is None else gain), dtype=np.float32)
