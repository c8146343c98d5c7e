"""What calibration refuses, and why: each rule once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError
from workbench.frames.headers import agree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.calibrate.flat_field import FlatField
    from workbench.calibrate.lights import Calibration
    from workbench.calibrate.master_frame import MasterFrame
    from workbench.results import Verdict

__all__ = [
    "check_bias",
    "check_dark_whole",
    "check_level",
    "check_light",
    "check_scale",
    "check_shape",
    "check_together",
    "no_bias",
]

_CLIPPED_SHARE = 1e-4  # of the pixels at exactly 0: means of frames are hardly ever that by chance
_SAME = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
_SAMPLE = 65_536  # pixels that tell a level
_FAR = 8.0  # standard errors


def check_dark_whole(dark: MasterFrame) -> None:
    """Refuse a master dark that was clipped at 0.

    Raises
    ------
    InputError
        When more than 1e-4 of its pixels are exactly 0 and none is below.
    """
    if not dark.signal.size or np.nanmin(dark.signal) < 0:
        return
    share = float(np.count_nonzero(dark.signal == 0)) / dark.signal.size
    if share > _CLIPPED_SHARE:
        rule = f"was clipped: {100 * share:.2g} % of its pixels are exactly 0 and none is below"
        step = "combine its frames anew with the bias inside, or in floating point without clipping"
        raise InputError(dark.name, rule, step)


def check_bias(bias: MasterFrame) -> None:
    """Refuse a bias from which another was subtracted."""
    if bias.bias_inside is False:
        rule = "says that a bias was subtracted from it already: nothing of the lights' bias is left in it"
        raise InputError(bias.name, rule, "combine the raw bias frames")


def no_bias(said: bool | None) -> tuple[str, str]:  # noqa: FBT001  what a header says
    """Return rule and next step for a dark whose bias is not known to be inside."""
    if said is None:
        return (
            "does not say whether the bias is still in its pixels: subtracting a bias twice, or never, shifts all",
            "say it: as_master(file, 'dark', bias_inside=True), or combine the raw darks with `workbench combine`",
        )
    return (
        "has had its bias subtracted, and the light has not: the light's bias would stay",
        "use a master of raw darks, or calibrate with its bias beside it (default_calibration, k = 1)",
    )


def check_scale(dark: MasterFrame, k: float, verdict: Verdict | None, *, anyway: bool) -> None:
    """Refuse to scale a dark that may not be scaled, or up.

    Raises
    ------
    InputError
        When k is no factor, above 1, or not 1 against a verdict of ``match``.
    """
    if not 0 <= k < np.inf:
        raise InputError("k", f"is {k:g}", "give a factor from 0 to 1, such as light over dark exposure")
    if anyway or k == 1:
        return
    if k > 1:
        rule = f"would be scaled up by {k:.4g}: its noise grows with it, and what it does not tell of longer exposures"
        raise InputError(dark.name, rule, "shoot darks at least as long as the lights; scale_anyway=True does it")
    refused, reason = dark.scalable is False, dark.reason
    if verdict is not None:
        refused, reason = verdict.value == "match", verdict.reason
    if refused:
        rule = f"may not be scaled (k = {k:.4g}): {reason or 'its header says SCALABLE = F'}"
        raise InputError(dark.name, rule, "use darks of the lights' exposure; scale_anyway=True scales all the same")


def check_together(masters: Sequence[MasterFrame], field: FlatField | None) -> None:
    """Refuse masters of several shapes, cameras or settings.

    Raises
    ------
    InputError
        It names the second of two that differ. What a master does not say contradicts nothing.
    """
    used = [*masters] + ([] if field is None else [field.master])
    first = used[0] if used else None
    for other in used[1:]:
        check_pair(first, other)


def check_pair(first: Any, other: Any) -> None:
    """Refuse two masters that differ in shape or settings."""
    if other.shape != first.shape:
        rule = f"has {_size(other.shape)} pixels, {first.name} has {_size(first.shape)}"
        raise InputError(other.name, rule, "calibrate with masters of one camera, binning and region")
    for fact in _SAME:
        one, two = first.settings.get(fact), other.settings.get(fact)
        if one is not None and two is not None and not agree(fact, one, two):
            word = fact.replace("_", " ")
            rule = f"its {word} is {two}, that of {first.name} is {one}"
            raise InputError(other.name, rule, f"use masters of one {word}")


def check_shape(name: str, shape: tuple[int, ...], calibration: Calibration) -> None:
    """Refuse what has another shape than the masters."""
    if calibration.shape is not None and tuple(shape) != calibration.shape:
        rule = f"has {_size(shape)} pixels, the masters have {_size(calibration.shape)}"
        raise InputError(name, rule, "calibrate with masters of the same binning and region")


def check_light(pixels: NDArray[Any], calibration: Calibration, name: str = "light") -> None:
    """Refuse a light of another shape, of no numbers, or whose bias has gone already."""
    check_shape(name, pixels.shape, calibration)
    if pixels.dtype.kind not in "iuf":
        raise InputError(name, f"has values of type {pixels.dtype}", "give numbers")
    check_level(pixels, calibration, 0, name)


def check_level(rows: NDArray[Any], calibration: Calibration, start: int, name: str) -> None:
    """Refuse a light whose bias has gone already, by rows of it from ``start`` on.

    Raises
    ------
    InputError
        When its median is below half of what would be subtracted, by more than 8 of its standard errors: light adds to
        a dark and takes nothing away.
    """
    if not calibration.masters or not rows.size:
        return
    step = max(1, rows.size // _SAMPLE)
    part = slice(start, start + len(rows))
    planes = ((weight, master.signal[part].reshape(-1)[::step]) for weight, master in calibration.masters)
    base = sum(weight * plane.astype(np.float64) for weight, plane in planes)
    light = rows.reshape(-1)[::step].astype(np.float64)
    level, wanted = float(np.nanmedian(light)), float(np.nanmedian(base))
    error = 1.4826 * float(np.nanmedian(np.abs(light - level))) / light.size**0.5
    if level < wanted - max(_FAR * error, 1.0) and level < wanted / 2:
        rule = f"its median is {level:.5g} adu and {wanted:.5g} adu would be subtracted: its bias has gone already"
        raise InputError(name, rule, "calibrate the raw light")


def _size(shape: Sequence[int]) -> str:
    """Write a shape as people do: columns x rows.

    Examples
    --------
    >>> _size((440, 582))
    '582 x 440'
    """
    return " x ".join(str(size) for size in reversed(shape))
