"""What brings the frames of a stack to the level, and to the scale, of its first frame.

Location and scale are those of whole frames, found once; a frame is normalised by one factor and one offset, so that
whoever combines a band of rows, on whatever machine, uses the same two numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stack.frame_statistics import FrameStatistics

    FloatArray = NDArray[np.float64]

__all__ = ["NORMALISATIONS", "Coefficients", "coefficients"]

NORMALISATIONS = ("none", "additive", "multiplicative", "additive_scaling", "multiplicative_scaling")


@dataclass(frozen=True)
class Coefficients:
    """How each frame of a stack is normalised: ``value * factor + offset``.

    Parameters
    ----------
    factor
        Shape (frame,), without a unit.
    offset
        Shape (frame,) [adu].
    """

    factor: FloatArray
    offset: FloatArray

    @classmethod
    def unchanged(cls, n_frames: int) -> Coefficients:
        """Leave ``n_frames`` frames as they are."""
        return cls(np.ones(n_frames), np.zeros(n_frames))


def coefficients(statistics: FrameStatistics, normalisation: str) -> Coefficients:
    r"""Return the factor and the offset that bring every frame to the first one.

    Parameters
    ----------
    statistics
        Location :math:`m_i` and scale :math:`d_i` of the frames, of
        :func:`workbench.stack.frame_statistics.frame_statistics`.
    normalisation
        One of :data:`NORMALISATIONS`.

    Returns
    -------
    Coefficients
        Those of the first frame are exactly 1 and 0.

    Raises
    ------
    InputError
        When there is no such normalisation; when a location that divides is zero, or of the other sign than that of
        the first frame; when a scale that divides, or that of the first frame, is zero; when a location or a scale
        that is used is not finite. The frame is named.

    Notes
    -----
    With :math:`s_i = d_0 / d_i`, as PixInsight's ImageIntegration of 2017 normalises its output:

    - additive: :math:`v + (m_0 - m_i)`
    - multiplicative: :math:`v\, m_0 / m_i`
    - additive with scaling: :math:`(v - m_i)\, s_i + m_0`
    - multiplicative with scaling: :math:`(v / m_i)\, s_i\, m_0`

    Two things the original does on the way are not done here: no row is shifted to keep it above zero, and nothing is
    rescaled.
    """
    _check_name(normalisation)
    n = len(statistics.location)
    if normalisation == "none":
        return Coefficients.unchanged(n)
    location = statistics.location
    _check_finite(location, "location", statistics.files, normalisation)
    multiplies = normalisation.startswith("multiplicative")
    factor = np.ones(n)
    if normalisation.endswith("scaling"):
        _check_scales(statistics, normalisation)
        factor = statistics.scale[0] / statistics.scale
    if multiplies:
        _check_signs(statistics, normalisation)
        return Coefficients(factor * (location[0] / location), np.zeros(n))
    return Coefficients(factor, location[0] - factor * location)


def _check_name(normalisation: str) -> None:
    if normalisation not in NORMALISATIONS:
        hint = did_you_mean(normalisation, NORMALISATIONS, f"take one of {', '.join(NORMALISATIONS)}")
        raise InputError("normalisation", f"{normalisation!r} is none", hint)


def _check_finite(values: FloatArray, what: str, files: tuple[str, ...], normalisation: str) -> None:
    for file, value in zip(files, values, strict=True):
        if not np.isfinite(value):
            rule = f"its {what} is {value}, which {_in_words(normalisation)} cannot use"
            raise InputError(file, rule, "leave the frame out")


def _check_scales(statistics: FrameStatistics, normalisation: str) -> None:
    _check_finite(statistics.scale, "scale", statistics.files, normalisation)
    for file, scale in zip(statistics.files, statistics.scale, strict=True):
        if scale <= 0:
            rule = f"its scale is {scale:g} adu, which {_in_words(normalisation)} cannot divide by"
            raise InputError(
                file, rule, "leave the frame out, or take another scale estimator or a normalisation without"
            )


def _check_signs(statistics: FrameStatistics, normalisation: str) -> None:
    first = statistics.location[0]
    for file, location in zip(statistics.files, statistics.location, strict=True):
        if location == 0:
            rule = f"its location is 0 adu, which {_in_words(normalisation)} cannot divide by"
        elif location * first < 0:
            rule = (
                f"its location is {location:g} adu, that of {statistics.files[0]} is {first:g} adu: "
                f"{_in_words(normalisation)} would turn it"
            )
        else:
            continue
        raise InputError(file, rule, "leave the frame out, or take additive normalisation")


def _in_words(normalisation: str) -> str:
    kind, _, scaling = normalisation.partition("_")
    return f"{kind} normalisation{' with scaling' if scaling else ''}"
