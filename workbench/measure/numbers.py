"""Numbers with errors that stay correlated: the ``uncertainties`` package, and exact numbers beside it."""

from __future__ import annotations

from uncertainties import ufloat
from uncertainties.core import AffineScalarFunc, LinearCombination


def number(value: float, std_error: float, tag: str | None = None) -> AffineScalarFunc:
    """Return a number with its error; one without error is a constant, which ``ufloat`` warns about.

    Examples
    --------
    >>> number(2.0, 0.0) * number(3.0, 0.1)
    6.0+/-0.2
    """
    if std_error == 0:
        return AffineScalarFunc(float(value), LinearCombination({}))
    return ufloat(float(value), float(std_error), tag)
