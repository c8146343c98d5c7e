"""Numbers in plain words: what each measurement means to the owner of the camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from workbench.units import NOMENCLATURE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from workbench.results import Measurement, Verdict

# the exposure at which a rate is turned into something that its reader has seen
_EXAMPLE_EXPOSURE = 300.0
_BELOW_NOISE = 2.0

METHODS = {
    "mean_difference": "mean of dark minus bias",
    "two_exposure_ratio": "ratio of variances at two exposures",
    "pair": "difference of one pair",
    "composite": "alternating sum of all darks",
    "mean_of_pairs": "mean over pairs",
    "temporal_variance": "variance over the frames",
    "temporal_variance_masked": "variance over the frames, cosmic rays masked",
    "variance_slope": "growth of the variance with exposure",
}


def printable(text: object) -> str:
    r"""Return one line of text whose control characters show as what they are.

    Header text may hold anything, and a terminal obeys escape sequences.

    Examples
    --------
    >>> print(printable("M 31\x1b[2J\n"))
    M 31\x1b[2J\n
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(text))


def digits(value: float, count: int) -> str:
    """Write a number with so many digits, a large one without an exponent.

    Examples
    --------
    >>> digits(1033.7, 2), digits(0.0051234, 3)
    ('1,000', '0.00512')
    """
    return f"{float(f'{value:.{count}g}'):,.10g}"


def number(value: object) -> str:
    """Write a table's value: six digits of a number, nothing for a missing one."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def conditions_in_words(conditions: Mapping[str, Any], *, without: Collection[str] = ()) -> str:
    """Write the conditions of a measurement as short as they can be read.

    Examples
    --------
    >>> conditions_in_words({"group": "g1", "temperature": -20.0, "exposure": 600.0}, without={"group"})
    '-20 deg C, 600 s'
    """
    short = {"temperature": "{} deg C", "exposure": "{} s"}
    return ", ".join(
        short.get(key, key.replace("_", " ") + " {}").format(number(value))
        for key, value in conditions.items()
        if value is not None and key not in without
    )


def places_in_words(places: Iterable[Mapping[str, Any]], *, without: Collection[str] = ()) -> str:
    """Write several conditions as one: each key with all its values.

    Examples
    --------
    >>> places_in_words([{"region": "E", "exposure": 2.0}, {"region": "F", "exposure": 12.0}])
    'region E / F, 2 / 12 s'
    """
    values: dict[str, dict[str, None]] = {}
    for place in places:
        for key, value in place.items():
            if value is not None:
                values.setdefault(key, {})[number(value)] = None
    return conditions_in_words({key: " / ".join(found) for key, found in values.items()}, without=without)


def unit_in_words(unit: str) -> str:
    """Write an astropy unit string as people write it.

    Examples
    --------
    >>> unit_in_words("adu2 / s"), unit_in_words("1")
    ('adu² / s', '')
    """
    return "" if unit == "1" else unit.replace("adu2", "adu²").replace("cm2", "cm²").replace("deg_C", "°C")


def _exposure(one: Measurement) -> float:
    return float(one.conditions.get("exposure") or _EXAMPLE_EXPOSURE)


def _per_exposure(one: Measurement) -> str:
    if one.value < 0:
        return "No camera has a negative dark current: this method cannot be used on these frames."
    if one.value < _BELOW_NOISE * one.std_error:
        return "Not told apart from zero."
    exposure = _exposure(one)
    electrons = one.value * exposure
    return (
        f"In {exposure:g} s a pixel gathers {digits(electrons, 3)} electron without light; "
        f"they add {digits(math.sqrt(electrons), 2)} electron of noise."
    )


def _variance_rate(one: Measurement) -> str:
    if one.value <= 0:
        return "The noise does not grow with the exposure: nothing thermal is seen."
    exposure = _exposure(one)
    noise = math.sqrt(one.value * exposure)
    return (
        f"A dark of {exposure:g} s has {digits(noise, 2)} adu of noise more than a bias, added in squares; "
        "with a gain this becomes a dark current."
    )


def _mean_rate(one: Measurement) -> str:
    exposure = _exposure(one)
    side = "below" if one.value < 0 else "above"
    place = f"The mean of a dark of {exposure:g} s lies {digits(abs(one.value) * exposure, 2)} adu {side} the bias"
    return f"{place}: it is no measure of the dark current." if one.value < 0 else f"{place}."


def _lattice(one: Measurement) -> str:
    if one.value == 1:
        return "Every value occurs: the file holds the steps of the ADC itself."
    return f"Only multiples of {one.value:g} occur: {one.value:g} adu of the file are one step of the ADC."


def _activation(one: Measurement) -> str:
    near = (
        "half the band gap of silicon (0.56 eV): made at defects"
        if one.value < 0.8
        else "the band gap of silicon (1.1 eV): diffusion"
    )
    return f"The nearer landmark is {near}."


def _million(what: str) -> Callable[[Measurement], str]:
    return lambda one: f"{one.value * 1e6:.0f} of a million pixels {what}."


_SAYINGS: dict[str, Callable[[Measurement], str]] = {
    "gain": lambda one: f"1 adu of the file stands for {digits(one.value, 3)} electron.",
    "native_gain": lambda one: f"1 step of the ADC stands for {digits(one.value, 3)} electron.",
    "lattice": _lattice,
    "read_noise": lambda one: (
        f"A sky of {digits(10 * one.value**2, 2)} electron a pixel hides it: it then adds under 5\u00a0% of noise."
    ),
    "bias_level": lambda _: "What a pixel reads without light and without exposure.",
    "offset_drift": lambda _: "Whole bias frames move up and down by this much; darks may move more.",
    "saturation": lambda one: f"Keep flats and the stars that matter below {digits(one.value, 5)} adu.",
    "full_well": lambda one: (
        f"A pixel counts {digits(one.value, 3)} electron above the bias, then its well is full or the ADC ends."
    ),
    "linearity_error": lambda one: (
        f"The signal bends by {digits(100 * abs(one.value), 2)}\u00a0% of its range."
        if abs(one.value) > 2 * one.std_error
        else f"No bend is seen; one of {digits(200 * one.std_error, 2)}\u00a0% of the range would have been."
    ),
    "dynamic_range": lambda one: f"{math.log2(one.value):.1f} stops, or {20 * math.log10(one.value):.0f} dB.",
    "dark_current": _per_exposure,
    "dark_current_typical": _per_exposure,
    "dark_mean_rate": _mean_rate,
    "dark_variance_rate": _variance_rate,
    "glow_exponent": lambda one: (
        f"Twice the exposure makes {digits(2**one.value, 2)} times the glow; a scaled dark assumes 2 times."
    ),
    "hot_pixel_fraction": _million("are hot"),
    "telegraph_fraction": _million("jump between levels: no master dark takes them out"),
    "cosmic_ray_rate": lambda _: "Expect them in long darks; a master of many frames rejects them.",
    "doubling_temperature": lambda one: (
        f"1 K warmer makes {digits(100 * (2 ** (1 / one.value) - 1), 2)}\u00a0% more dark current."
    ),
    "activation_energy": _activation,
}


def meaning(one: Measurement) -> str:
    """Say in one sentence what a measurement means to the owner of the camera.

    Examples
    --------
    >>> from workbench.results import Measurement
    >>> meaning(Measurement("gain", 0.25, 0.002, "electron / adu", "photon transfer"))
    '1 adu of the file stands for 0.25 electron.'
    """
    return _SAYINGS[one.name](one) if one.name in _SAYINGS else definition(one.name)


def sentence(text: str) -> str:
    """Let a text begin with a capital letter and end with a full stop.

    Examples
    --------
    >>> sentence("no gain is known")
    'No gain is known.'
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!", ")")) else ".")


def definition(name: str) -> str:
    """Return what a quantity is, from the nomenclature, as a sentence."""
    if name not in NOMENCLATURE:
        return ""
    return sentence(NOMENCLATURE[name].meaning)


_QUESTIONS: dict[str, tuple[str, dict[bool | str | None, str]]] = {
    "dark_below_bias": (
        "Are the darks darker than the bias?",
        {True: "Yes.", False: "No.", None: "These frames cannot tell."},
    ),
    "dark_scaling": (
        "May these darks be scaled to another exposure?",
        {
            "scale": "Yes, they may be scaled down.",
            "match": "No: match the darks to the lights in exposure, temperature and gain.",
            "not_judged": "These frames cannot tell.",
        },
    ),
}


def verdict_in_words(name: str, verdict: Verdict) -> tuple[str, str]:
    """Return a verdict's question and its answer.

    Examples
    --------
    >>> from workbench.results import Verdict
    >>> verdict_in_words("dark_below_bias", Verdict(True, "the clamp"))
    ('Are the darks darker than the bias?', 'Yes.')
    """
    question, answers = _QUESTIONS.get(name, (name.replace("_", " ").capitalize() + "?", {}))
    if len({one["value"] for one in verdict.details.get("by_group", ())}) > 1:
        return question, "It depends."
    return question, answers.get(verdict.value, str(verdict.value).replace("_", " ") + ".")
