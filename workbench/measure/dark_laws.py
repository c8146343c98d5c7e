"""Laws of the dark current against temperature; :mod:`workbench.measure.law_fit` fits them.

All of them are ``I_ref exp(g x(T)) + constant`` with a coordinate ``x`` that is 0 at the reference temperature:
doubling (``x = T - T_ref``), Arrhenius (``x = 1/kT_ref - 1/kT``) and band gap (fixed shape, ``g = 1``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import constants
from uncertainties import umath

from workbench.measure.numbers import covariance, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from uncertainties.core import AffineScalarFunc

    FloatArray = NDArray[np.float64]

BOLTZMANN = constants.k / constants.e  # eV / K
ZERO_CELSIUS = constants.zero_Celsius  # K
_STEP = 1e-3  # K, of numerical derivatives


@dataclass(frozen=True)
class DarkPoint:
    """The dark current at one temperature.

    Parameters
    ----------
    temperature
        Reading of the sensor's thermometer [deg_C], with its own error; see :func:`reading`.
    dark_current
        [electron / s], or any rate in proportion to it; errors that points share (gain, bias variance) are shared
        variables of the ``uncertainties`` package.
    n_frames
        Darks behind it.
    """

    temperature: AffineScalarFunc
    dark_current: AffineScalarFunc
    n_frames: int = 0

    @property
    def degrees(self) -> float:
        """Temperature [deg_C] without its error."""
        return float(self.temperature.nominal_value)


def reading(temperature: float, *, resolution: float = 0.0, scatter: float = 0.0) -> AffineScalarFunc:
    """Return a temperature [deg_C] with the error of its reading.

    Parameters
    ----------
    temperature
        [deg_C]
    resolution
        Step of the readings [K]: 0.1 K leaves ``0.1 / sqrt(12)``, the same in all frames of a steady sensor.
    scatter
        Standard error of the mean of the readings [K].
    """
    return number(temperature, float(np.hypot(resolution / 12**0.5, scatter)))


def band_gap(kelvin: FloatArray | float) -> FloatArray | float:
    """Band gap of silicon [eV]: ``1.1557 - 7.021e-4 T^2 / (T + 1108)``.

    Source: Y. P. Varshni, Temperature dependence of the energy gap in semiconductors, Physica 34 (1967) 149.

    Examples
    --------
    >>> round(band_gap(300.0), 3)
    1.111
    """
    return 1.1557 - 7.021e-4 * kelvin**2 / (kelvin + 1108.0)


def _degrees(celsius: FloatArray, reference: float) -> FloatArray:
    return celsius - reference


def _inverse(celsius: FloatArray, reference: float) -> FloatArray:
    return 1 / (BOLTZMANN * (reference + ZERO_CELSIUS)) - 1 / (BOLTZMANN * (celsius + ZERO_CELSIUS))


def _gap(celsius: FloatArray, reference: float) -> FloatArray:
    def exponent(kelvin: FloatArray) -> FloatArray:
        return 1.5 * np.log(kelvin) - np.asarray(band_gap(kelvin)) / (2 * BOLTZMANN * kelvin)

    return exponent(celsius + ZERO_CELSIUS) - exponent(np.asarray(reference + ZERO_CELSIUS))


@dataclass(frozen=True)
class Law:
    """One law: its coordinate ``x(T, T_ref)``, whether ``g`` is free, and whether a constant is added.

    ``unit_growth`` is the ``g`` [1 / unit of x] of 1 eV at 0 deg_C: where to look for a start.
    """

    name: str
    coordinate: Callable[[FloatArray, float], FloatArray]
    unit_growth: float | None
    constant: bool = False

    @property
    def n_coefficients(self) -> int:
        """Amplitude, growth and constant, as far as the law has them."""
        return 1 + (self.unit_growth is not None) + self.constant

    def slope(self, celsius: FloatArray, reference: float) -> FloatArray:
        """Return ``dx/dT`` at these temperatures."""
        rise = self.coordinate(celsius + _STEP, reference) - self.coordinate(celsius - _STEP, reference)
        return rise / (2 * _STEP)


LAWS = {
    law.name: law
    for law in (
        Law("doubling", _degrees, 1 / (BOLTZMANN * ZERO_CELSIUS**2)),
        Law("arrhenius", _inverse, 1.0),
        Law("band_gap", _gap, None),
        Law("arrhenius_constant", _inverse, 1.0, constant=True),
    )
}


@dataclass(frozen=True)
class LawFit:
    """One fitted law.

    Parameters
    ----------
    law
        Its name in :data:`LAWS`.
    reference
        T_ref [deg_C].
    coefficients
        ``I_ref`` [unit of the points, electron / s], ``T_d`` [K] or ``E`` [eV], ``constant``; numbers that stay
        correlated with each other and with the gain.
    chi2, dof, p
        Of the fit without the common factor; ``p`` is None without degrees of freedom.
    stretch
        Factor by which a misfit (p < 0.01) widens the errors; 1 where there is none.
    aicc, weight
        Corrected Akaike criterion (None with too few points for it) and the share of the evidence among the laws.
    """

    law: str
    reference: float
    coefficients: dict[str, AffineScalarFunc]
    chi2: float
    dof: int
    p: float | None
    stretch: float
    aicc: float | None
    weight: float = 0.0

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the coefficients, everything included."""
        return covariance(list(self.coefficients.values()))

    def predict(self, temperature: float) -> AffineScalarFunc:
        """Return the law's dark current at a temperature [deg_C], with its error."""
        x = float(LAWS[self.law].coordinate(np.array(float(temperature)), self.reference))
        known = self.coefficients
        growth = known["E"] if "E" in known else np.log(2) / known["T_d"] if "T_d" in known else 1.0
        return known["I_ref"] * umath.exp(growth * x) + known.get("constant", 0.0)

    def record(self, **conditions: Any) -> dict[str, Any]:
        """Return the record of ``results.json``."""
        return {
            **conditions,
            "temperature": self.reference,
            "model": self.law,
            "coefficients": {name: float(one.nominal_value) for name, one in self.coefficients.items()},
            "std_errors": {name: float(one.std_dev) for name, one in self.coefficients.items()},
            "covariance": self.covariance.tolist(),
            "chi2": self.chi2,
            "dof": self.dof,
            "p": self.p,
            "stretch": self.stretch,
            "aicc": self.aicc,
            "weight": self.weight,
        }


def with_weights(fits: Sequence[LawFit]) -> list[LawFit]:
    """Share the evidence among laws: ``exp(-AICc / 2)``; where one has no AICc, by ``chi2 + 2 k`` for all of them.

    Notes
    -----
    K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference, 2002, section 2.9. The correction of
    AICc answers an error estimated from the residuals; here errors are known, so that the uncorrected one serves too.
    """
    corrected = [one.aicc for one in fits]
    plain = [one.chi2 + 2 * LAWS[one.law].n_coefficients for one in fits]
    values = np.array(plain if None in corrected else corrected, dtype=np.float64)
    weights = np.exp(-(values - values.min()) / 2)
    return [replace(one, weight=float(weight)) for one, weight in zip(fits, weights / weights.sum(), strict=True)]
