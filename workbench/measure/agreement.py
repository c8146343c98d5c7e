"""When two numbers contradict each other: one rule for truth tables and for a camera whose truth nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uncertainties.core import AffineScalarFunc

LIE_ERRORS, LIE_SHARE = 4.0, 0.1  # standard errors, and share: a number off by more than both claims what is not so


def errors_apart(found: AffineScalarFunc, reference: AffineScalarFunc) -> float:
    """Return how many standard errors of their difference two numbers are apart; what both share cancels."""
    apart = found - reference
    return float(apart.nominal_value) / float(apart.std_dev)


def contradicts(found: AffineScalarFunc, reference: AffineScalarFunc) -> bool:
    """Say whether a number is off by more than 4 standard errors of the difference and by more than 10 %."""
    off = abs(float((found - reference).nominal_value))
    too_far = off > LIE_SHARE * abs(float(reference.nominal_value))
    return too_far and abs(errors_apart(found, reference)) > LIE_ERRORS
