"""Which darks to shoot: exposures in shuffled order, further temperatures, and darks that match the lights."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.measure.dark_laws import BOLTZMANN, ZERO_CELSIUS
from workbench.measure.planning import DarkSeriesPlan, darks_needed, exposure_for, predicted_error
from workbench.measure.shots import BETTER, LIGHTS, MISSING, SAME_CAMERA, Shots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.measure.holdings import Holdings, Series

_EXPOSURES, _ENOUGH_EXPOSURES = 8, 6
_EACH, _LONGEST = 4, 14  # darks of an exposure, and of the longest
_WARMER, _AT_EACH = 5.0, 6  # K, and darks at each further temperature
_TYPICAL = 0.6  # eV, to predict what further temperatures will bring
_UNSTEADY = 0.5  # K
_N_LIGHTS, _LOSS, _SKY = 20, 0.05, 10.0  # an example: lights, mag, sky in units of RN^2
_TIMES = re.compile(r"shoot ([\d.]+) times as many")
_AS_LONG = "make the longest as long as your longest light"
_SHORT_ERROR = 0.2  # of the dark current: what its shortest exposure should tell
_MATCHED = (
    "same exposure, temperature, gain and offset setting as the lights; one after another with the lights' own pause, "
    "after the same warm-up, so that the glow's circuitry is as warm"
)


def dark_shots(held: Holdings, rng: np.random.Generator) -> Iterator[Shots]:
    """Yield the darks that the longest series lacks: exposures, frames of each, or all of it in shuffled order."""
    names = ("dark_mean", "dark_current", "dark_variance_rate", "dark_below_bias", "dark_scaling")
    if not held.series:
        exposures = _geometric(10.0, 600.0)
        counts = (*(_EACH for _ in exposures[1:]), _LONGEST)
        how = f"{SAME_CAMERA} as the lights; {_AS_LONG}"
        yield _shuffled(rng, MISSING, held, exposures, counts, "no usable darks", names, how)
        return
    main = held.series[0]
    if held.out_of_order:
        counts = tuple(_LONGEST if one == main.longest else _EACH for one in sorted(main.sets))
        why = f"{'; '.join(held.out_of_order)}: shoot the series again in this order"
        how = "after a warm-up of half an hour" if main.wander > _UNSTEADY else ""
        precision = _dark_precision(held, main)
        yield _shuffled(rng, MISSING, held, tuple(sorted(main.sets)), counts, why, names, how, precision=precision)
        return
    wanted = {exposure: max(0, _EACH - n) or (n % 2 if n > 2 else 0) for exposure, n in main.sets.items()}
    new = _new_exposures(held, main)
    wanted |= dict.fromkeys(new, _EACH)
    last = main.sets[main.longest]
    wanted[main.longest] = max(_LONGEST - last, last % 2)
    factor = _TIMES.search(str(held.verdicts.get("dark_scaling", {}).get("reason", "")))
    if factor:
        more = {exposure: math.ceil((float(factor[1]) - 1) * n) for exposure, n in main.sets.items()}
        wanted = {exposure: max(n, more.get(exposure, 0)) for exposure, n in wanted.items()}
    wanted = {exposure: n for exposure, n in sorted(wanted.items()) if n}
    if not wanted:
        return
    few = min(main.sets.values()) < 2 or len(main.sets) < _ENOUGH_EXPOSURES or factor is not None
    yield _shuffled(
        rng,
        MISSING if few else BETTER,
        held,
        tuple(wanted),
        tuple(wanted.values()),
        _why_darks(main, powerless=factor is not None),
        names,
        _AS_LONG if new else "",
        precision=_dark_precision(held, main),
    )


def _why_darks(main: Series, *, powerless: bool) -> str:
    n, fewest, last = len(main.sets), min(main.sets.values()), main.sets[main.longest]
    reasons = {
        f"{n} exposure{'s' * (n != 1)}: {_EXPOSURES} tell how the dark grows": n < _ENOUGH_EXPOSURES,
        f"{fewest} frame{'s' * (fewest != 1)} of an exposure: {_EACH} tell their scatter": fewest < _EACH,
        f"{last} of the longest: {_LONGEST} give the convergence table": last < _LONGEST,
        "odd counts leave a frame without its pair": any(one % 2 and one > 2 for one in main.sets.values()),
        "too few to judge whether these darks may be scaled": powerless,
    }
    return "; ".join(reason for reason, holds in reasons.items() if holds)


def _shuffled(
    rng: np.random.Generator,
    need: str,
    held: Holdings,
    exposures: tuple[float, ...],
    counts: tuple[int, ...],
    why: str,
    enables: tuple[str, ...],
    how: str,
    *,
    precision: str = "",
) -> Shots:
    exposures = tuple(float(f"{one:.3g}") for one in exposures)  # 1.999 s is 2 s to the one who sets it
    waiting = np.repeat(exposures, counts)
    order = tuple(float(one) for one in rng.permutation(waiting))
    where = f"{how}; in shuffled order" if how else f"in shuffled order; {SAME_CAMERA} as before"
    return Shots(
        need, held.group, "dark", counts, why, enables, how=where, exposures=exposures, order=order, precision=precision
    )


def _new_exposures(held: Holdings, main: Series) -> list[float]:
    """Fill the range from the shortest useful exposure to the longest up to 8, in equal steps of the logarithm."""
    if len(main.sets) >= _ENOUGH_EXPOSURES:
        return []
    known = sorted(main.sets)
    candidates = _geometric(_shortest(held, main), main.longest)
    free = [one for one in candidates if all(abs(math.log(one / there)) > 0.2 for there in known)]
    free.sort(key=lambda one: -min(abs(math.log(one / there)) for there in known))
    return sorted(free[: _EXPOSURES - len(known)])


def _shortest(held: Holdings, main: Series) -> float:
    """Return the exposure [s] at which 4 darks tell the dark current to 20 %, a 60th to a quarter of the longest."""
    plan = _usual(held, main.longest, _EACH)
    if plan is None:
        return main.longest / 20
    with suppress(NotMeasurableError):
        return float(np.clip(exposure_for(_SHORT_ERROR, plan), main.longest / 60, main.longest / 4))
    return main.longest / 4


def _geometric(first: float, last: float) -> tuple[float, ...]:
    """Return 8 round exposures [s] from one to the other, equally spaced in their logarithm."""
    return tuple(float(f"{one:.2g}") for one in np.geomspace(first, last, _EXPOSURES))


def _usual(held: Holdings, exposure: float, n_darks: int, *, warmer: float = 0.0) -> DarkSeriesPlan | None:
    """Describe darks of this camera, some kelvin warmer than they were; None where its numbers are not known."""
    noise = held.find("read_noise")
    current = held.find("dark_current", "temporal_variance", exposure=held.series[0].longest)
    if noise is None or current is None or current.value <= 0 or held.n_bias < 2:
        return None
    kelvin = (held.series[0].temperature or 0.0) + ZERO_CELSIUS
    growth = math.exp(_TYPICAL / BOLTZMANN * (1 / kelvin - 1 / (kelvin + warmer)))
    return DarkSeriesPlan(held.n_pixels, noise.value, current.value * growth, exposure, n_darks, held.n_bias)


def _dark_precision(held: Holdings, main: Series) -> str:
    plan = _usual(held, main.longest, _LONGEST)
    if plan is not None:
        percent = 100 * predicted_error(plan) / plan.dark_current
        return f"dark current to {percent:.2g} % from {_LONGEST} of {main.longest:g} s, the gain's error apart"
    rate = held.find("dark_variance_rate", "temporal_variance", exposure=main.longest)
    if rate is None or rate.value <= 0:
        return ""
    percent = 100 * rate.std_error / rate.value * ((main.sets[main.longest] - 1) / (_LONGEST - 1)) ** 0.5
    return f"dark variance rate to {percent:.2g} % from {_LONGEST} of {main.longest:g} s"


def temperature_shots(held: Holdings) -> Iterator[Shots]:
    """Yield the temperatures at which darks are missing: 3 tell an activation energy."""
    enables = ("doubling_temperature", "activation_energy")
    if not held.series or held.find("activation_energy") is not None:
        return
    main = held.series[0]
    if main.temperature is None:
        why = "no header tells the temperature of the sensor: let the capture program write it (CCD-TEMP)"
        how = f"at three temperatures, 5 K apart; {SAME_CAMERA}"
        yield Shots(MISSING, held.group, "dark", (3 * _AT_EACH,), why, enables, how=how, exposures=())
        return
    known = [one.temperature for one in held.series if one.temperature is not None]
    if len(known) >= 3:
        return
    further = tuple(max(known) + _WARMER * (k + 1) for k in range(3 - len(known)))
    how = f"as long as the longest darks there are; {SAME_CAMERA}"
    if main.wander > _UNSTEADY:
        further = tuple(float(round(one)) for one in further)
        how += "; without a cooler about so: in another room or hour, after a warm-up of half an hour"
    n = len(known)
    why = f"{n} temperature{'s' * (n != 1)}: three tell how fast the dark current grows, and whether a law fits"
    yield Shots(
        MISSING,
        held.group,
        "dark",
        (_AT_EACH,),
        why,
        enables,
        how=how,
        exposures=(main.longest,),
        temperatures=further,
        order=(main.longest,) * _AT_EACH,
        precision=_energy_precision(held, [*known, *further]),
    )


def _energy_precision(held: Holdings, temperatures: list[float]) -> str:
    """Predict the error of an Arrhenius energy from that of each dark current: a straight line of ``ln I`` on 1/kT."""
    main = held.series[0]
    plans = [_usual(held, main.longest, _AT_EACH, warmer=one - (main.temperature or 0.0)) for one in temperatures]
    errors = [predicted_error(plan) / plan.dark_current for plan in plans if plan is not None]
    if len(errors) < len(temperatures):
        return ""
    x = 1 / (BOLTZMANN * (np.array(temperatures) + ZERO_CELSIUS))
    weights = np.array(errors) ** -2.0
    centred = x - (weights * x).sum() / weights.sum()
    error = float((weights * centred**2).sum()) ** -0.5
    return f"activation energy to {error:.1g} eV, if it is {_TYPICAL:g} eV and no glow is inside"


def light_shots(held: Holdings) -> Iterator[Shots]:
    """Yield the darks that lights will need: matched to them, unless these darks may be scaled."""
    value = held.verdicts.get("dark_scaling", {}).get("value")
    if not held.series or value is None:
        return
    main = held.series[0]
    if value == "scale":
        why = "these darks may be scaled: one master of the longest exposure serves all shorter lights"
        how = f"as long as your longest light; {SAME_CAMERA} and temperature"
        yield Shots(LIGHTS, held.group, "dark", (_LONGEST,), why, ("calibrated lights",), how=how)
        return
    why = (
        "these darks must not be scaled: what a dark of another exposure leaves is in every light alike"
        if value == "match"
        else "whether these darks may be scaled is not known: until it is, match them to the lights"
    )
    count, precision = 30, ""
    rate = held.find("dark_variance_rate", "temporal_variance", exposure=main.longest)
    if rate is not None and held.bias_variance:
        dark = max(0.0, rate.value) * main.longest
        count = darks_needed(held.bias_variance**0.5, dark, _SKY * held.bias_variance, _N_LIGHTS, _LOSS).n
        precision = (
            f"{_LOSS:g} mag less depth in a stack of {_N_LIGHTS} lights of {main.longest:g} s whose sky is {_SKY:g} "
            "times the read noise squared; a brighter sky needs fewer"
        )
    yield Shots(LIGHTS, held.group, "dark", (count,), why, ("calibrated lights",), how=_MATCHED, precision=precision)
