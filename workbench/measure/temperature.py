"""Dark current against temperature: activation energy, doubling temperature, and how well darks must be matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from uncertainties import umath

from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import BOLTZMANN, LAWS, ZERO_CELSIUS, with_weights
from workbench.measure.law_fit import MISFIT_P, fit_law
from workbench.results import Measurement, rounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uncertainties.core import AffineScalarFunc

    from workbench.measure.dark_laws import DarkPoint, LawFit

_SAME = 0.5  # K: readings closer than this are of one temperature
_SEEN = 3.0  # standard errors of a dark current that is seen
_SHARPEST = 0.15  # relative error of an energy: beyond it its reciprocal, the doubling temperature, has no normal error
_TWO_POINT = "two temperatures: a two-point doubling only, nothing tests the law; shoot a third, 5 K from these"
_GLOW_LEFT = (
    "glow is inside, which does not follow the law: the energy comes out too low and the doubling temperature too "
    "high; leave the glow out, or shoot 4 temperatures or more so that a constant can be fitted"
)
_CONSTANT = "with a constant beside the thermal part, for the glow that is inside"


@dataclass(frozen=True)
class TemperatureFit:
    """What a series of temperatures tells.

    Parameters
    ----------
    method
        ``arrhenius``, ``arrhenius_constant`` or ``two_point``: where energy and doubling temperature come from.
    temperature
        At which the doubling temperature holds [deg_C].
    doubling_temperature
        ``k T^2 ln 2 / E`` [K].
    activation_energy
        E [eV]; None with two temperatures.
    laws
        Every law that was fitted; none with two temperatures.
    chosen
        Name of the law with the greatest evidence weight; None with two temperatures.
    n_frames, n_temperatures
        Darks and distinct temperatures that entered.
    notes
        What a reader must know.
    """

    method: str
    temperature: float
    doubling_temperature: AffineScalarFunc
    activation_energy: AffineScalarFunc | None
    laws: tuple[LawFit, ...]
    chosen: str | None
    n_frames: int
    n_temperatures: int
    notes: tuple[str, ...]

    def law(self, name: str) -> LawFit:
        """Return one of the fitted laws.

        Raises
        ------
        LookupError
            When it was not fitted.
        """
        for one in self.laws:
            if one.law == name:
                return one
        raise LookupError(f"{name} was not fitted; there are {', '.join(one.law for one in self.laws) or 'none'}")

    def doubling_at(self, temperature: float) -> AffineScalarFunc:
        """Return the doubling temperature [K] at another temperature [deg_C]; it grows as T^2."""
        ratio = (temperature + ZERO_CELSIUS) / (self.temperature + ZERO_CELSIUS)
        return self.doubling_temperature * ratio**2

    def measurements(self) -> Iterator[Measurement]:
        """Yield the doubling temperature at its stated temperature and, from three on, the activation energy."""
        rest: dict[str, Any] = {
            "conditions": {"temperature": self.temperature},
            "n_frames": self.n_frames,
            "notes": self.notes,
        }
        yield Measurement.of("doubling_temperature", self.doubling_temperature, self.method, **rest)
        if self.activation_energy is not None:
            yield Measurement.of("activation_energy", self.activation_energy, self.method, **rest)

    def records(self, **conditions: Any) -> list[dict[str, Any]]:
        """Return the records of all fitted laws for ``results.json``."""
        return [one.record(**conditions) | {"chosen": one.law == self.chosen} for one in self.laws]


def fit_temperature(
    points: Sequence[DarkPoint],
    *,
    glow_free: bool,
    reference: float | None = None,
    offset: AffineScalarFunc | None = None,
) -> TemperatureFit:
    """Measure how the dark current grows with temperature.

    Parameters
    ----------
    points
        Dark currents [electron / s] at their temperatures; without a gain rates in adu2 / s serve as well, since a
        common factor changes neither energy nor doubling temperature.
    glow_free
        Whether glow was left out of them. If not, the energy comes from a fit with a constant, which takes 4
        temperatures and darks of one exposure.
    reference
        Temperature at which the doubling temperature is stated [deg_C]; by default that of most frames, of equal ones
        the coldest.
    offset
        Common error of the sensor's thermometer [K], a number around 0 such as ``number(0, 0.5)``.

    Raises
    ------
    NotMeasurableError
        With fewer than two temperatures, where fewer than two dark currents are seen, or where they do not grow enough
        to tell how fast; the reason says what to shoot.

    Notes
    -----
    ``T_d = k T^2 ln 2 / E`` at the absolute temperature T. The numbers always come from an Arrhenius law, with a
    constant or without as the points ask for: to choose that by its fit would make their errors too small. Which law
    has the most evidence stands beside them.
    """
    ordered = sorted(points, key=lambda point: point.degrees)
    n_temperatures = _distinct(ordered)
    _require_seen(ordered, n_temperatures)
    if n_temperatures == 2:
        return _two_point(ordered, glow_free=glow_free, offset=offset)
    at = _reference(ordered) if reference is None else float(reference)
    with_constant = n_temperatures >= 4
    method = "arrhenius" if glow_free or not with_constant else "arrhenius_constant"
    base = fit_law(ordered, LAWS[method], at, offset)
    energy = base.coefficients["E"]
    _require_growth(energy, ordered)
    laws = [law for law in LAWS.values() if with_constant or not law.constant]
    fits = with_weights([base if law.name == method else fit_law(ordered, law, at, offset) for law in laws])
    by_name = {one.law: one for one in fits}
    chosen = max(fits, key=lambda one: one.weight).law
    return TemperatureFit(
        method=base.law,
        temperature=at,
        doubling_temperature=_doubling(at, energy, offset),
        activation_energy=energy,
        laws=tuple(fits),
        chosen=chosen,
        n_frames=sum(point.n_frames for point in points),
        n_temperatures=n_temperatures,
        notes=tuple(_notes(base, by_name, glow_free=glow_free)),
    )


def _doubling(celsius: float, energy: AffineScalarFunc, offset: AffineScalarFunc | None) -> AffineScalarFunc:
    kelvin = celsius + ZERO_CELSIUS + (0.0 if offset is None else offset)
    return BOLTZMANN * kelvin**2 * float(np.log(2)) / energy


def _distinct(ordered: Sequence[DarkPoint]) -> int:
    degrees = np.array([point.degrees for point in ordered])
    return int((np.diff(degrees) > _SAME).sum()) + 1 if len(degrees) else 0


def _require_seen(ordered: Sequence[DarkPoint], n_temperatures: int) -> None:
    if n_temperatures < 2:
        known = f"one temperature ({ordered[0].degrees:g} deg C)" if ordered else "no temperature is known"
        raise NotMeasurableError(f"{known}; shoot the longest darks at two more, 5 and 10 K warmer")
    seen = [one for one in ordered if one.dark_current.nominal_value > _SEEN * one.dark_current.std_dev]
    if _distinct(seen) < 2:
        raise NotMeasurableError(
            f"the dark current is seen at {_distinct(seen)} of {n_temperatures} temperatures; shoot longer darks, or "
            "warmer ones"
        )


def _require_growth(energy: AffineScalarFunc, ordered: Sequence[DarkPoint]) -> None:
    if energy.nominal_value > 0 and energy.std_dev <= _SHARPEST * energy.nominal_value:
        return
    value, error = rounded(float(energy.nominal_value), float(energy.std_dev))
    raise NotMeasurableError(
        f"from {ordered[0].degrees:g} to {ordered[-1].degrees:g} deg C the dark current does not grow enough to tell "
        f"how fast ({value} +/- {error} eV); shoot temperatures further apart, longer darks, or more of them"
    )


def _reference(ordered: Sequence[DarkPoint]) -> float:
    """Return the temperature of most frames [deg_C]; points of one temperature count together."""
    frames: dict[float, int] = {}
    last = -np.inf
    for point in ordered:
        last = last if point.degrees - last <= _SAME else point.degrees
        frames[last] = frames.get(last, 0) + point.n_frames
    return max(frames, key=lambda degrees: (frames[degrees], -degrees))


def _two_point(ordered: Sequence[DarkPoint], *, glow_free: bool, offset: AffineScalarFunc | None) -> TemperatureFit:
    """Double between two temperatures: ``(T2 - T1) ln 2 / ln(I2 / I1)``, exact at ``sqrt(T1 T2)`` for an Arrhenius law.

    Several points of one temperature are averaged by the fit of the Arrhenius law, which has then nothing to test.
    """
    kelvin = [point.degrees + ZERO_CELSIUS for point in (ordered[0], ordered[-1])]
    at = float(np.sqrt(kelvin[0] * kelvin[1])) - ZERO_CELSIUS
    fit = fit_law(ordered, LAWS["arrhenius"], at, offset)
    energy = fit.coefficients["E"]
    _require_growth(energy, ordered)
    notes = (_TWO_POINT,) if glow_free else (_TWO_POINT, _GLOW_LEFT)
    return TemperatureFit(
        method="two_point",
        temperature=round(at, 2),
        doubling_temperature=_doubling(at, energy, offset),
        activation_energy=None,
        laws=(),
        chosen=None,
        n_frames=sum(point.n_frames for point in ordered),
        n_temperatures=2,
        notes=notes,
    )


def _notes(base: LawFit, by_name: dict[str, LawFit], *, glow_free: bool) -> Iterator[str]:
    if base.law == "arrhenius_constant":
        yield _CONSTANT
    elif not glow_free:
        yield _GLOW_LEFT
    if base.stretch > 1:
        yield (
            f"the law does not fit (chi2/dof {base.chi2 / base.dof:.3g}, p = {base.p:.1g}): errors are widened by "
            f"{base.stretch:.2g}"
        )
        better = [one.law for one in by_name.values() if one.p is not None and one.p >= MISFIT_P]
        if better:
            yield f"these laws do fit: {', '.join(better)}"
    if base.p is None:
        yield "no degree of freedom is left: nothing tests the law"


# ---- how well darks must be matched


@dataclass(frozen=True)
class Tolerance:
    """What a kelvin does to the dark current at one temperature [deg_C].

    ``per_kelvin`` is the relative growth for 1 K, ``match`` the distance [K] that changes the dark current by each
    tolerated share.
    """

    temperature: float
    doubling_temperature: AffineScalarFunc
    per_kelvin: AffineScalarFunc
    match: dict[float, AffineScalarFunc]

    def __str__(self) -> str:
        matches = [f"to {distance.nominal_value:.2g} K for {share:.0%}" for share, distance in self.match.items()]
        grown = f"1 K is {100 * self.per_kelvin.nominal_value:.2g} % of the dark current"
        return f"at {self.temperature:g} deg C {grown}; match {', '.join(matches)}"

    def row(self) -> dict[str, float]:
        """Return a row of a table, errors beside their values."""
        named = {"doubling_temperature": self.doubling_temperature, "per_kelvin": self.per_kelvin}
        named |= {f"match_{100 * share:g}_percent": distance for share, distance in self.match.items()}
        row = {"temperature": self.temperature}
        for name, one in named.items():
            row |= {name: float(one.nominal_value), f"{name}_error": float(one.std_dev)}
        return row


def tolerance(
    fit: TemperatureFit, temperature: float | None = None, shares: Sequence[float] = (0.05, 0.01)
) -> Tolerance:
    """Tell how well the temperature of darks must match that of the lights.

    Parameters
    ----------
    fit
        From :func:`fit_temperature`.
    temperature
        Of the lights [deg_C]; by default where the doubling temperature is stated.
    shares
        Tolerated relative errors of the dark current.

    Notes
    -----
    1 K changes the thermal part of a dark by ``2^(1 / T_d) - 1``; a share ``s`` is ``T_d log2(1 + s)``.
    """
    at = fit.temperature if temperature is None else float(temperature)
    doubling = fit.doubling_at(at)
    match = {share: doubling * float(np.log2(1 + share)) for share in shares}
    return Tolerance(at, doubling, umath.expm1(float(np.log(2)) / doubling), match)
