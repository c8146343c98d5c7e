"""What the caller of a survey decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uncertainties.core import AffineScalarFunc

    from workbench.frames.manifests import Region


@dataclass(frozen=True)
class Options:
    """As in :func:`workbench.measure.survey.measure_camera`; ``gain`` [electron/adu] was given, not measured."""

    gain: AffineScalarFunc | None = None
    accept: bool = False
    per_bayer: bool = False
    use_bias: bool = False
    regions: tuple[Region, ...] = ()
