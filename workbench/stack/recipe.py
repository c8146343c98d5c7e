"""How frames are combined: all choices as one value, which a master's header can hold and a later run can repeat."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from workbench.errors import InputError, did_you_mean
from workbench.stack.normalisation import NORMALISATIONS
from workbench.stack.rejection import NoRejection, Rejection, rejection
from workbench.stack.scale_estimators import SCALE_ESTIMATORS
from workbench.stack.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["METHODS", "Recipe", "default_recipe", "recipe_of"]

METHODS = ("mean", "median", "sum", "min", "max")
_LIMITS = ("low", "high", "cutoff", "fraction", "alpha")  # options of one rejection or another


@dataclass(frozen=True)
class Recipe:
    """How the frames of a stack are combined, pixel by pixel.

    Parameters
    ----------
    method
        ``"mean"``, ``"median"``, ``"sum"``, ``"min"`` or ``"max"`` of the samples that are kept. A sum is their mean
        times the number of frames of the stack, so that a rejected sample leaves no hole.
    rejection
        Which samples of a pixel are left out, such as ``WinsorizedSigmaClip(4, 3)``.
    normalisation
        How frames are brought to the level of the first before they are combined: ``"none"``, ``"additive"``,
        ``"multiplicative"``, ``"additive_scaling"`` or ``"multiplicative_scaling"``.
    rejection_normalisation
        The same before samples are compared with each other, independent of the other.
    scale
        The estimator of a frame's scale, for the normalisations with scaling and the noise weights: ``"mad"``,
        ``"biweight"``, ``"iksigma"``, ``"sn"`` or ``"qn"``. Of whole numbers the MAD comes in steps, the biweight does
        not.
    weights
        Of frames in a mean: ``"none"``, ``"exposure"``, ``"noise"``, or one number a frame.
    range_low, range_high
        Samples at or below, at or above these stored values [adu] are rejected before all else; None for no limit.

    Raises
    ------
    InputError
        When a choice does not exist, a limit is no number, or frames are weighed for a method that is no mean.

    Examples
    --------
    >>> Recipe(rejection=rejection("winsorized")).words
    'mean, winsorized sigma clipping, 4 low, 3 high'
    """

    method: str = "mean"
    rejection: Rejection = field(default_factory=NoRejection)
    normalisation: str = "none"
    rejection_normalisation: str = "none"
    scale: str = "biweight"
    weights: str | tuple[float, ...] = "none"
    range_low: float | None = None
    range_high: float | None = None

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("normalisation", self.normalisation, NORMALISATIONS)
        _one_of("rejection_normalisation", self.rejection_normalisation, NORMALISATIONS)
        _one_of("scale", self.scale, SCALE_ESTIMATORS)
        given: object = self.rejection
        if not isinstance(given, Rejection):
            rule = f"is {self.rejection!r}, which is no kind of rejection"
            raise InputError("rejection", rule, "give one of workbench.stack.rejection, or its name to combine()")
        self._check_weights()
        self._check_range()

    def _check_weights(self) -> None:
        if isinstance(self.weights, str):
            _one_of("weights", self.weights, WEIGHTS)
        else:  # whether they fit the frames is seen when they meet them
            object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        if self.weights != "none" and self.method != "mean":
            raise InputError("weights", f"do not enter a {self.method}", "combine by the mean, or without weights")

    def _check_range(self) -> None:
        for name in ("range_low", "range_high"):
            limit = getattr(self, name)
            if limit is not None and math.isnan(limit):
                raise InputError(name, "is no number", "give a value in adu, or leave it out")
        if self.range_low is not None and self.range_high is not None and not self.range_low < self.range_high:
            rule = f"is {self.range_low:g} adu, not below range_high, {self.range_high:g} adu"
            raise InputError("range_low", rule, "samples at or beyond either limit are rejected: leave room between")

    @property
    def looks_at_frames(self) -> bool:
        """Whether levels, scales or noises of whole frames are needed before they are combined."""
        return {self.normalisation, self.rejection_normalisation} != {"none"} or self.weights == "noise"

    @property
    def words(self) -> str:
        """The recipe in a line, for people: what is left at "none" goes without saying."""
        parts = [self.method, self.rejection.words]
        for name, normalisation in (
            ("normalisation", self.normalisation),
            ("rejection normalisation", self.rejection_normalisation),
        ):
            if normalisation != "none":
                scale = f" ({self.scale})" if normalisation.endswith("scaling") else ""
                parts.append(f"{normalisation.replace('_', ' with ')} {name}{scale}")
        if self.weights != "none":
            parts.append(f"weights by {self.weights}" if isinstance(self.weights, str) else "weights as given")
        for sign, limit in (("<=", self.range_low), (">=", self.range_high)):
            if limit is not None:
                parts.append(f"without samples {sign} {limit:.10g} adu")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as what JSON can hold: names, finite numbers, "inf" for a limit that is switched off."""
        rejecting = {key: _to_json(value) for key, value in asdict(self.rejection).items()}
        found = {one.name: _to_json(getattr(self, one.name)) for one in fields(self) if one.name != "rejection"}
        return {**found, "rejection": {"name": self.rejection.name, **rejecting}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe that :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            When a key or a value is not one of a recipe's.
        """
        found = {key: _from_json(value) for key, value in values.items() if key != "rejection"}
        for key in found:
            _one_of("recipe", key, [one.name for one in fields(cls)])
        if "rejection" in values:
            options = {key: _from_json(value) for key, value in values["rejection"].items()}
            found["rejection"] = rejection(options.pop("name", "none"), **options)
        return cls(**found)


def recipe_of(**options: Any) -> Recipe:
    """Return the recipe of options as a user gives them.

    Parameters
    ----------
    options
        Fields of :class:`Recipe`; ``rejection`` may be a name, and then its own options stand beside it: ``low``,
        ``high``, ``cutoff``, ``fraction``, ``alpha``.

    Raises
    ------
    InputError
        When an option or a value does not exist.

    Examples
    --------
    >>> recipe_of(rejection="sigma", low=3, method="median").words
    'median, sigma clipping, 3 low, 3 high'
    """
    known = [one.name for one in fields(Recipe)]
    own = {key: value for key, value in options.items() if key not in known}
    for key in own:
        _one_of("option", key, [*known, *_LIMITS])
    given = options.get("rejection", "none")
    if isinstance(given, str):
        options["rejection"] = rejection(given, **own)
    elif own:
        rule = "stands beside a rejection that has its own"
        raise InputError(next(iter(own)), rule, "set it there, or give the rejection by its name")
    return Recipe(**{key: value for key, value in options.items() if key in known})


def default_recipe(kind: str) -> dict[str, Any]:
    """Return how frames of a kind are combined unless their user says otherwise, as options of a recipe.

    Bias frames and darks as the paper does it: mean, winsorized sigma clipping with 4 and 3 sigmas, no normalisation,
    no weights. Flats likewise, but brought to one level first, as factors: their light differs.
    """
    options: dict[str, Any] = {"method": "mean", "rejection": "winsorized"}
    if kind == "flat":
        options |= {"normalisation": "multiplicative", "rejection_normalisation": "multiplicative"}
    return options


def _one_of(name: str, value: object, allowed: Iterable[str]) -> None:
    allowed = tuple(allowed)
    if value not in allowed:
        step = did_you_mean(value, allowed, f"it is one of {', '.join(allowed)}")
        raise InputError(name, f"is {value!r}, which is not known", step)


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_json(one) for one in value)
    return float(value) if value in ("inf", "-inf") else value
