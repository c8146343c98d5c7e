"""The mean of dark frames against exposure: constant, linear or quadratic, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, stats

from workbench.errors import NotMeasurableError
from workbench.measure.lines import Line, fit_line

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

MODELS = ("constant", "linear", "quadratic")
_MISFIT_P = 0.01
_DRIFT_P = 0.01
_TWO_SIGMA = 0.975  # of a distribution lies below the upper end of its 95 % interval


@dataclass(frozen=True)
class ExposureMeans:
    """Frame means by exposure.

    Parameters
    ----------
    exposure, mean, std_error
        Shape (exposures,): [s], [adu], [adu]; the error is that of ``scatter``, not the pixel count's, widened so that
        two of them hold 95 %: ``frame_sigma`` is itself an estimate from ``frame_dof`` degrees of freedom.
    n_frames
        Shape (exposures,).
    frame_sigma, frame_dof
        Frame-to-frame rms of the mean [adu], pooled over all exposures, and its degrees of freedom.
    """

    exposure: FloatArray
    mean: FloatArray
    std_error: FloatArray
    n_frames: NDArray[np.int64]
    frame_sigma: float
    frame_dof: int

    @property
    def scatter(self) -> FloatArray:
        """Standard deviation of the means as ``frame_sigma`` says it, shape (exposures,) [adu]."""
        return self.frame_sigma / np.sqrt(self.n_frames)


@dataclass(frozen=True)
class DarkMeanFit:
    """The preferred polynomial of the dark mean, the others beside it, and what follows from it.

    ``drop`` [adu] is the fit's maximum minus its value at the longest exposure, ``onset`` [s] the exposure at which it
    exceeds one frame-to-frame sigma (None where it never does). ``between`` [adu] is the scatter between exposures that
    the frame-to-frame error does not explain. ``drift_p`` is the chance of such a correlation of the residuals
    along time in frames without drift (None without dates).
    """

    model: str
    line: Line
    aicc: dict[str, float | None]
    f_test_p: float | None
    between: float
    uses_bias: bool
    drop: float
    drop_error: float
    onset: float | None
    drift_p: float | None
    notes: tuple[str, ...]

    def record(self, **conditions: Any) -> dict[str, Any]:
        """Return the record of ``results.json``."""
        names = "abc"[: len(self.line.coefficients)]
        return {
            **conditions,
            "model": self.model,
            "coefficients": dict(zip(names, self.line.coefficients.tolist(), strict=True)),
            "covariance": self.line.covariance.tolist(),
            "std_errors": dict(zip(names, self.line.std_errors.tolist(), strict=True)),
            "chi2": self.line.chi2,
            "dof": self.line.dof,
            "f_test_p": self.f_test_p,
            "aicc": self.aicc,
            "uses_bias": self.uses_bias,
            "drop": self.drop,
            "drop_error": self.drop_error,
            "onset": self.onset,
            "between_exposures": self.between,
            "drift_p": self.drift_p,
            "notes": list(self.notes),
        }


def exposure_means(exposures: ArrayLike, means: ArrayLike) -> ExposureMeans:
    """Average frame means by exposure; the error comes from the scatter between frames, pooled over all exposures.

    Parameters
    ----------
    exposures, means
        One entry a frame: [s], [adu]. Equal exposures must be equal numbers.

    Raises
    ------
    NotMeasurableError
        When no exposure has two frames: then nothing tells the frame-to-frame error.
    """
    exposure, index = np.unique(np.asarray(exposures, dtype=np.float64), return_inverse=True)
    values = np.asarray(means, dtype=np.float64)
    n_frames = np.bincount(index)
    mean = np.bincount(index, weights=values) / n_frames
    dof = int(n_frames.sum() - len(exposure))
    if dof == 0:
        raise NotMeasurableError(
            "no two darks of one exposure: the frame-to-frame error is unknown; shoot 4 or more of each"
        )
    sigma = float((((values - mean[index]) ** 2).sum() / dof) ** 0.5)
    # frames can agree to the last digit (a simulated camera without drift): the error is then that of a rounding
    sigma = max(sigma, 1e-9 * max(1.0, float(np.abs(values).max())))
    student = float(stats.t.ppf(_TWO_SIGMA, dof) / stats.norm.ppf(_TWO_SIGMA))
    return ExposureMeans(exposure, mean, student * sigma / np.sqrt(n_frames), n_frames, sigma, dof)


def fit_dark_mean(
    exposures: ArrayLike, means: ArrayLike, dates: ArrayLike | None = None, *, uses_bias: bool = False
) -> DarkMeanFit:
    """Fit ``mean(t) = a + b t + c t^2`` and the simpler models, and choose.

    Parameters
    ----------
    exposures, means
        One entry a frame: [s], [adu].
    dates
        One entry a frame (datetime64): tests the residuals for drift along time.
    uses_bias
        Whether bias frames are among them; only recorded.

    Raises
    ------
    NotMeasurableError
        With fewer than 2 exposures, or no two frames of one exposure.

    Notes
    -----
    An optical-black clamp subtracts one constant a frame, so that ``c = beta (mean(s) - s_OB) / K`` for a glow of shape
    ``s`` whose quadratic rate is ``beta``: negative when the glow reaches the shielded pixels more than the average.
    With 6 or more exposures the corrected Akaike criterion chooses the model; with fewer the F test (p < 0.01) of each
    model against the simpler one, and below 4 exposures there is no quadratic. Where exposures scatter more than their
    frames do (p < 0.01), a variance between exposures is added so that chi2 equals its degrees of freedom.
    """
    table = exposure_means(exposures, means)
    m = len(table.exposure)
    if m < 2:
        raise NotMeasurableError(
            f"darks of one exposure only ({table.exposure[0]:g} s); shoot at least 4, better 8 exposures"
        )
    degrees = range(3 if m >= 4 else min(2, m))
    between = _between_exposures(table, max(degrees))
    error = np.hypot(table.std_error, between)
    lines = [fit_line(table.exposure, table.mean, error, degree) for degree in degrees]
    aicc = {name: _aicc(lines[k], m) if k < len(lines) else None for k, name in enumerate(MODELS)}
    f_test_p = _f_test(lines[1], lines[2]) if len(lines) == 3 else None
    degree = _choose(aicc, lines, m)
    line = lines[degree]
    drop, drop_error, onset = _drop(line, table)
    residuals = np.asarray(means, dtype=np.float64) - line.predict(exposures)
    drift_p = None if dates is None else _drift_p(residuals, np.asarray(dates))
    notes = _notes(table, between, degree, drift_p, exposures, dates)
    return DarkMeanFit(
        MODELS[degree], line, aicc, f_test_p, between, uses_bias, drop, drop_error, onset, drift_p, notes
    )


def _between_exposures(table: ExposureMeans, degree: int) -> float:
    def excess(between: float) -> float:
        line = fit_line(table.exposure, table.mean, np.hypot(table.std_error, between), degree)
        return line.chi2 - line.dof

    line = fit_line(table.exposure, table.mean, table.scatter, degree)
    # the frame-to-frame error is itself estimated, so that chi2/dof follows F, not chi-squared
    if line.dof == 0 or stats.f.sf(line.chi2 / line.dof, line.dof, table.frame_dof) >= _MISFIT_P or excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, float(np.ptp(table.mean)) + table.frame_sigma, xtol=1e-9))


def _aicc(line: Line, m: int) -> float | None:
    k = len(line.coefficients)
    return line.chi2 + 2 * k + 2 * k * (k + 1) / (m - k - 1) if m - k - 1 > 0 else None


def _f_test(simple: Line, richer: Line) -> float | None:
    if richer.dof == 0 or richer.chi2 == 0:
        return None
    ratio = max(0.0, simple.chi2 - richer.chi2) / (richer.chi2 / richer.dof)
    return float(stats.f.sf(ratio, 1, richer.dof))


def _choose(aicc: dict[str, float | None], lines: list[Line], m: int) -> int:
    if m >= 6:
        known = [np.inf if one is None else one for one in aicc.values()]
        return int(np.argmin(known))
    degree = 0
    for richer in range(1, len(lines)):
        p = _f_test(lines[degree], lines[richer])
        if p is not None and p < _MISFIT_P:
            degree = richer
    return degree


def _drop(line: Line, table: ExposureMeans) -> tuple[float, float, float | None]:
    longest = float(table.exposure[-1])
    t = np.linspace(float(table.exposure[0]), longest, 2001)
    fitted = line.predict(t)
    peak = int(np.argmax(fitted))
    step = longest ** np.arange(len(line.coefficients)) - t[peak] ** np.arange(len(line.coefficients))
    below = np.flatnonzero((fitted[peak] - fitted > table.frame_sigma) & (t > t[peak]))
    onset = float(t[below[0]]) if len(below) else None
    return float(fitted[peak] - fitted[-1]), float(step @ line.covariance @ step) ** 0.5, onset


def _drift_p(residuals: FloatArray, dates: NDArray[Any]) -> float | None:
    """Permutation test of the correlation between residuals that follow each other in time."""
    if len(residuals) < 6 or np.isnat(dates).any() or len(np.unique(dates)) < 3:
        return None
    ordered = residuals[np.argsort(dates, kind="stable")]  # frames of one second stay as the files are named
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(ordered, (2000, 1)), axis=1)
    observed = float(ordered[1:] @ ordered[:-1])
    chance = (shuffled[:, 1:] * shuffled[:, :-1]).sum(axis=1)
    return float((1 + (chance >= observed).sum()) / (1 + len(chance)))


def _notes(
    table: ExposureMeans,
    between: float,
    degree: int,
    drift_p: float | None,
    exposures: ArrayLike,
    dates: ArrayLike | None,
) -> tuple[str, ...]:
    notes = []
    m = len(table.exposure)
    if m < 4:
        notes.append(f"{m} exposures: no quadratic can be tested; shoot 6 or more")
    elif m < 6:
        notes.append(f"{m} exposures: the model is chosen by the F test; 6 or more allow the Akaike criterion")
    if between:
        notes.append(f"exposures scatter by {between:.2g} adu more than their frames do; the errors include it")
    if drift_p is None and dates is not None:
        notes.append("drift along time was not tested: it needs 6 darks or more, each with its date")
    if drift_p is not None and drift_p < _DRIFT_P:
        notes.append(
            f"the residuals drift along time (p = {drift_p:.2g}), which can imitate a curve; "
            "shoot the exposures in shuffled order"
        )
    if degree == 2 and dates is not None and _in_order(exposures, dates):
        notes.append(
            "the exposures were taken in order: drift cannot be told from curvature; shoot them in shuffled order"
        )
    return tuple(notes)


def _in_order(exposures: ArrayLike, dates: ArrayLike) -> bool:
    when = np.asarray(dates)
    if np.isnat(when).any() or len(when) < 3:
        return False
    correlation = stats.spearmanr(np.asarray(exposures, dtype=np.float64), when.astype(np.int64)).statistic
    return abs(float(correlation)) > 0.9
