"""Lights calibrated: less the dark that matches them or a scaled one, over the flat, and nothing clipped in silence."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from workbench.calibrate import light_rules as rules
from workbench.calibrate.calibration import Calibrated, Calibration
from workbench.calibrate.flat_field import FlatField, flat_field
from workbench.calibrate.master_frame import as_master
from workbench.errors import InputError
from workbench.units import set_units

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from workbench.calibrate.master_frame import MasterFrame
    from workbench.calibrate.uncertainty import ErrorModel
    from workbench.results import Verdict

    Plane = NDArray[Any]

__all__ = [
    "Calibrated",
    "Calibration",
    "calibrate_default",
    "calibrate_matched",
    "calibrate_stack",
    "default_calibration",
    "matched_calibration",
]


def matched_calibration(
    dark: Any, flat: Any = None, *, flat_bias: Any = None, pedestal: float = 0.0, clip: bool = False
) -> Calibration:
    r"""Prepare :math:`(L - D)\,\overline{F - B} / (F - B)`, with a dark as long and as warm as the lights.

    Parameters
    ----------
    dark
        The master dark with its bias inside: a file, what ``read_master`` gives, or pixels.
    flat
        The master flat without its bias, or with it where ``flat_bias`` is given; of any level.
    flat_bias
        Master bias or darkflat to be subtracted from the flat.
    pedestal
        Added at the end [adu].
    clip
        Set to 0 what is below 0 then; such pixels are counted and marked.

    Raises
    ------
    InputError
        When the dark's bias is subtracted already or nobody knows, the dark was clipped, the flat still holds its
        bias, or masters do not belong together; the message says what to do.

    Notes
    -----
    The paper's calibration of cameras whose darks do not scale: bias, clamp and glow are in light and dark alike.
    """
    chosen = as_master(dark, "dark")
    rules.check_dark_whole(chosen)
    if not chosen.bias_inside:
        raise InputError(chosen.name, *rules.no_bias(chosen.bias_inside))
    field = flat_field(flat, bias=flat_bias) if flat is not None else None
    rules.check_together([chosen], field)
    words = f"light - {_short(chosen)}" + _divided(field)
    return Calibration(((1.0, chosen),), field, 1.0, float(pedestal), clip, words)


def default_calibration(
    bias: Any,
    dark: Any = None,
    k: float = 1.0,
    flat: Any = None,
    *,
    flat_bias: Any = None,
    pedestal: float = 0.0,
    clip: bool = False,
    verdict: Verdict | None = None,
    scale_anyway: bool = False,
) -> Calibration:
    r"""Prepare :math:`\{L - B - k (D - B)\}\,\overline F / F_{cal}`: the reference program's calibration.

    Parameters
    ----------
    bias
        The master bias.
    dark
        The master dark, its bias inside or subtracted (then its header or ``as_master(dark, "dark",
        bias_inside=False)`` says so); None subtracts the bias alone.
    k
        The factor of the dark above bias, from :mod:`workbench.calibrate.dark_scale`.
    flat, flat_bias, pedestal, clip
        As for :func:`matched_calibration`; a flat with its bias inside is freed of ``bias`` where no ``flat_bias`` is
        given.
    verdict
        May these darks be scaled, such as ``Results.verdicts["dark_scaling"]``; the master's own where not given.
    scale_anyway
        Scale against the verdict, or up.

    Raises
    ------
    InputError
        As :func:`matched_calibration`; when the dark may not be scaled; when k is above 1, or below 0.
    """
    base = as_master(bias, "bias")
    rules.check_bias(base)
    masters: tuple[tuple[float, MasterFrame], ...] = ((1.0, base),)
    words = f"light - {_short(base)}"
    if dark is not None:
        chosen = as_master(dark, "dark")
        rules.check_dark_whole(chosen)
        if chosen.bias_inside is None:
            raise InputError(chosen.name, *rules.no_bias(None))
        rules.check_scale(chosen, k, verdict, anyway=scale_anyway)
        inside = chosen.bias_inside
        masters = ((1.0 - k if inside else 1.0, base), (float(k), chosen))
        words += f" - {k:.4g} ({_short(chosen)}{' - ' + _short(base) if inside else ''})"
    field = flat_field(flat, bias=_bias_of_flat(flat, flat_bias, base)) if flat is not None else None
    rules.check_together([master for _, master in masters], field)
    factor = float(k) if dark is not None else 0.0
    return Calibration(masters, field, factor, float(pedestal), clip, words + _divided(field))


def calibrate_matched(
    light: Plane | xr.DataArray,
    dark: Any,
    flat: Any = None,
    *,
    errors: ErrorModel | None = None,
    dtype: DTypeLike = np.float32,
    **options: Any,
) -> Calibrated:
    """Calibrate one light with the dark that matches it; see :func:`matched_calibration` and ``Calibration.apply``.

    Examples
    --------
    >>> light, dark = np.full((2, 3), 130.0), np.full((2, 3), 100.0)
    >>> flat = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> calibrate_matched(light, dark, flat).values[0].tolist()
    [60.0, 30.0, 20.0]
    """
    return matched_calibration(dark, flat, **options).apply(light, errors=errors, dtype=dtype)


def calibrate_default(
    light: Plane | xr.DataArray,
    bias: Any,
    dark: Any = None,
    k: float = 1.0,
    flat: Any = None,
    *,
    errors: ErrorModel | None = None,
    dtype: DTypeLike = np.float32,
    **options: Any,
) -> Calibrated:
    """Calibrate one light with a bias and a scaled dark; see :func:`default_calibration` and ``Calibration.apply``.

    Examples
    --------
    >>> light, bias, dark = np.full((2, 2), 130.0), np.full((2, 2), 100.0), np.full((2, 2), 120.0)
    >>> calibrate_default(light, bias, dark, 0.5).values[0].tolist()
    [20.0, 20.0]
    """
    return default_calibration(bias, dark, k, flat, **options).apply(light, errors=errors, dtype=dtype)


def calibrate_stack(stack: xr.DataArray, calibration: Calibration) -> xr.DataArray:
    """Calibrate all frames of a stack alike, lazily where the stack is.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    calibration
        From :func:`matched_calibration` or :func:`default_calibration`.

    Returns
    -------
    xarray.DataArray
        Float32 [adu]; the coordinates are kept.

    Raises
    ------
    InputError
        When the frames have another shape than the masters.
    """

    def each(frames: Plane, block_info: Any = None) -> Plane:
        start = 0 if block_info is None else block_info[0]["array-location"][1][0]
        out = np.empty(frames.shape, np.float32)
        for frame, room in zip(frames, out, strict=True):
            calibration.rows(frame, start, room)
        return out

    rules.check_shape("stack", stack.shape[1:], calibration)
    if stack.chunks is None:
        values: Any = each(stack.to_numpy())
    else:
        values = stack.data.rechunk({0: 1, 2: -1}).map_blocks(each, dtype=np.float32, meta=np.empty((0, 0, 0), "f4"))
    result = xr.DataArray(values, dims=stack.dims, coords=stack.coords, name="signal")
    return set_units(result, "adu", long_name="calibrated signal")


def _bias_of_flat(flat: Any, flat_bias: Any, bias: MasterFrame) -> Any:
    if flat_bias is None and not isinstance(flat, FlatField) and as_master(flat, "flat").bias_inside:
        return bias
    return flat_bias


def _short(master: MasterFrame) -> str:
    return PurePath(master.name).name


def _divided(field: FlatField | None) -> str:
    return "" if field is None else f", over {_short(field.master)}"
