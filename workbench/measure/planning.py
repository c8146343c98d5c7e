"""How many frames, and how long: what a wanted depth or a wanted error costs, from the camera's measured numbers.

Arguments may be plain numbers or numbers with errors of the ``uncertainties`` package; so are the results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy import optimize
from uncertainties import umath

from workbench.errors import NotMeasurableError
from workbench.measure.numbers import number

if TYPE_CHECKING:
    from typing import TypeAlias

    from uncertainties.core import AffineScalarFunc

    Value: TypeAlias = float | AffineScalarFunc

_MOST_FRAMES = 1e6
_SHORTEST, _LONGEST = 1e-4, 1e7  # s: between them an exposure is looked for


# ---- depth of a stack of lights


@dataclass(frozen=True)
class FramesNeeded:
    """How many frames a master needs: ``exact`` with its error, ``n`` the next whole number above it."""

    exact: AffineScalarFunc
    n: int


def magnitudes(noise_increase: float) -> float:
    """Return the loss of depth [mag] of a noise that grows by this fraction.

    Examples
    --------
    >>> round(magnitudes(0.05), 3)
    0.053
    """
    return 2.5 * math.log10(1 + noise_increase)


def depth_loss(
    read_noise: Value, dark_electrons: Value, sky_electrons: Value, n_lights: int, n_darks: int
) -> AffineScalarFunc:
    """Return how much depth [mag] a stack of lights loses to the noise of the master dark.

    Parameters
    ----------
    read_noise
        Of one frame [electron].
    dark_electrons, sky_electrons
        In one light frame, glow among the first [electron].
    n_lights, n_darks
        Lights in the stack; darks, of the lights' exposure, in the master.

    Notes
    -----
    The noise of the stack is ``(RN^2 + dark + sky) / n_lights + (RN^2 + dark) / n_darks``, the same master being
    subtracted from every light; the loss is ``1.25 log10`` of its ratio to the first term.
    """
    frame, light = _variances(read_noise, dark_electrons, sky_electrons)
    return 1.25 * umath.log10(1 + frame / n_darks / (light / n_lights))


def darks_needed(
    read_noise: Value, dark_electrons: Value, sky_electrons: Value, n_lights: int, loss: float
) -> FramesNeeded:
    """Return how many darks cost a stack of lights no more than this depth [mag].

    Parameters as for :func:`depth_loss`; ``loss`` greater than 0. 0.05 mag is 5 % more noise: :func:`magnitudes`.

    Raises
    ------
    ValueError
        When the loss is not greater than 0.
    """
    frame, light = _variances(read_noise, dark_electrons, sky_electrons)
    return _needed(frame, light, n_lights, loss)


def biases_needed(
    read_noise: Value, dark_electrons: Value, sky_electrons: Value, n_lights: int, loss: float
) -> FramesNeeded:
    """Return how many bias frames cost lights, from which only the bias is subtracted, no more than this depth [mag].

    Parameters and Raises as for :func:`darks_needed`; the master's noise is ``RN^2 / n``.
    """
    _, light = _variances(read_noise, dark_electrons, sky_electrons)
    return _needed(number(0.0, 0.0) + read_noise**2, light, n_lights, loss)


def _variances(read_noise: Value, dark: Value, sky: Value) -> tuple[AffineScalarFunc, AffineScalarFunc]:
    frame = number(0.0, 0.0) + read_noise**2 + dark
    return frame, frame + sky


def _needed(frame: AffineScalarFunc, light: AffineScalarFunc, n_lights: int, loss: float) -> FramesNeeded:
    if not loss > 0:
        raise ValueError(f"loss = {loss} mag: no number of frames costs nothing; give a loss above 0")
    exact = n_lights * frame / light / (10 ** (loss / 1.25) - 1)
    return FramesNeeded(exact, max(1, math.ceil(float(exact.nominal_value) - 1e-9)))


def exposure_where_thermal_exceeds(variance: Value, dark_current: Value) -> AffineScalarFunc:
    """Return the exposure [s] from which thermal noise exceeds a noise that does not grow with exposure.

    Parameters
    ----------
    variance
        Of telegraph noise, or ``read_noise^2`` [electron2].
    dark_current
        [electron / s]

    Raises
    ------
    NotMeasurableError
        When no dark current is seen.
    """
    current = number(0.0, 0.0) + dark_current
    if current.nominal_value <= 0:
        raise NotMeasurableError("no dark current is seen; shoot longer or warmer darks")
    return variance / current


# ---- precision of a dark current


@dataclass(frozen=True)
class DarkSeriesPlan:
    """A series of equal darks and the camera that takes it.

    Parameters
    ----------
    n_pixels
        Pixels that enter the mean.
    read_noise
        With telegraph and row noise, and rounding where it matters [electron].
    dark_current
        [electron / s], mean over the pixels, glow among it.
    exposure
        Beyond that of the bias [s].
    n_darks, n_bias
        Frames, two or more of each.
    gain_error
        Relative standard error of the gain.
    pixel_spread
        Rms over the pixels of their dark currents [electron / s]: hot pixels are noisier than the mean tells.
    noise_spread
        Rms over the pixels of their read noise variances [electron2], telegraph pixels among them.
    """

    n_pixels: int
    read_noise: float
    dark_current: float
    exposure: float
    n_darks: int
    n_bias: int
    gain_error: float = 0.0
    pixel_spread: float = 0.0
    noise_spread: float = 0.0

    def __post_init__(self) -> None:
        if self.n_darks < 2 or self.n_bias < 2:
            raise ValueError(f"{self.n_darks} darks, {self.n_bias} bias frames: a variance needs two of each")


def predicted_error(plan: DarkSeriesPlan) -> float:
    """Predict the standard error of the dark current from temporal variance [electron / s].

    Notes
    -----
    With ``s^2 = RN^2 + lambda`` and ``lambda = D t`` a mean temporal variance over N pixels and n frames has the error
    ``Var = [2 <s^4> / (n - 1) + lambda / n] / N``: Gaussian part and excess kurtosis of Poisson electrons. The bias
    adds ``2 <RN^4> / (n_bias - 1) / N``, and the gain ``(2 dK/K)^2 lambda^2``, since K enters squared.
    """
    return _error(plan, float(plan.n_darks)) / plan.exposure


def _error(plan: DarkSeriesPlan, n_darks: float) -> float:
    """Return the predicted error of ``lambda`` [electron] with a number of darks that need not be whole."""
    return math.sqrt(_darks_part(plan, n_darks) + _rest(plan))


def _darks_part(plan: DarkSeriesPlan, n_darks: float) -> float:
    electrons = plan.dark_current * plan.exposure
    fourth = (plan.read_noise**2 + electrons) ** 2 + (plan.pixel_spread * plan.exposure) ** 2 + plan.noise_spread**2
    return (2 * fourth / (n_darks - 1) + electrons / n_darks) / plan.n_pixels


def _rest(plan: DarkSeriesPlan) -> float:
    bias = 2 * (plan.read_noise**4 + plan.noise_spread**2) / (plan.n_bias - 1) / plan.n_pixels
    return bias + (2 * plan.gain_error * plan.dark_current * plan.exposure) ** 2


def frames_for(relative_error: float, plan: DarkSeriesPlan) -> int:
    """Return how many darks of that exposure measure the dark current to this relative error.

    Parameters
    ----------
    relative_error
        Wanted standard error over dark current.
    plan
        ``n_darks`` is what is looked for; it does not matter.

    Raises
    ------
    NotMeasurableError
        When no number of darks does it: too few bias frames, or a gain that is not known well enough.
    """
    target = (relative_error * plan.dark_current * plan.exposure) ** 2
    if _darks_part(plan, _MOST_FRAMES) + _rest(plan) > target:
        raise NotMeasurableError(_why_never(relative_error, plan))
    if _error(plan, 2.0) ** 2 <= target:
        return 2
    found = optimize.brentq(lambda n: _error(plan, n) ** 2 - target, 2.0, _MOST_FRAMES)
    return math.ceil(found - 1e-6)


def exposure_for(relative_error: float, plan: DarkSeriesPlan) -> float:
    """Return the exposure [s] at which these frames measure the dark current to this relative error.

    Parameters and Raises as for :func:`frames_for`; ``plan.exposure`` does not matter.
    """

    def excess(log_exposure: float) -> float:
        one = replace(plan, exposure=math.exp(log_exposure))
        return math.log(_error(one, float(one.n_darks)) / (relative_error * one.dark_current * one.exposure))

    low, high = math.log(_SHORTEST), math.log(_LONGEST)
    if plan.dark_current <= 0 or excess(high) > 0:
        raise NotMeasurableError(_why_never(relative_error, plan))
    return math.exp(optimize.brentq(excess, low, high)) if excess(low) > 0 else _SHORTEST


def _why_never(relative_error: float, plan: DarkSeriesPlan) -> str:
    wanted = f"a dark current to {relative_error:.2g} of itself"
    if plan.dark_current <= 0:
        return f"{wanted}: no dark current is seen; shoot longer or warmer darks"
    if 2 * plan.gain_error >= relative_error:
        return (
            f"{wanted}: the gain is known to {plan.gain_error:.2g} only, and enters squared; shoot more pairs of flats"
        )
    frames = f"{plan.n_darks} darks of {plan.exposure:g} s and {plan.n_bias} bias frames"
    return f"{wanted} is out of reach with {frames}; shoot more bias frames, more darks, or longer ones"
