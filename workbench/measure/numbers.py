"""Numbers with errors that stay correlated: the ``uncertainties`` package, and exact numbers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from uncertainties import ufloat
from uncertainties.core import AffineScalarFunc, LinearCombination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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


def covariance(numbers: Sequence[AffineScalarFunc]) -> NDArray[np.float64]:
    """Return the covariance matrix of numbers, shape (numbers, numbers).

    The package's own function sums in the order of a set, so that its last digits change from run to run.

    Examples
    --------
    >>> common, own = number(1.0, 0.1), number(1.0, 0.2)
    >>> covariance([common, common + own]).round(3).tolist()
    [[0.01, 0.01], [0.01, 0.05]]
    """
    derivatives = [one.derivatives for one in numbers]
    variables = list(dict.fromkeys(variable for one in derivatives for variable in one))
    parts = np.array([[one.get(variable, 0.0) * variable.std_dev for variable in variables] for one in derivatives])
    return np.asarray(parts @ parts.T, dtype=np.float64)
