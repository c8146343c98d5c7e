"""A master as calibration uses it: its pixels, and what has to be known of them before they are subtracted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from workbench.calibrate.master_files import read_master
from workbench.calibrate.master_header import FRAME_TYPES
from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Plane = NDArray[Any]

__all__ = ["MasterFrame", "as_master"]

_KINDS = {name: kind for kind, name in FRAME_TYPES.items()}
_SETTINGS = {
    "INSTRUME": "camera",
    "READOUTM": "readout_mode",
    "GAIN": "gain_setting",
    "OFFSET": "offset_setting",
    "FILTER": "filter",
}


@dataclass(frozen=True, eq=False)
class MasterFrame:
    """A master bias, dark, darkflat or flat.

    Parameters
    ----------
    name
        What messages call it: its file.
    kind
        ``bias``, ``dark``, ``darkflat`` or ``flat``.
    signal
        Shape (y, x) [adu].
    std_error
        Standard errors of its pixels [adu]; None where they are not known.
    n_kept
        How many frames each pixel is made of: a plane, or one number for all.
    exposure
        Of one frame [s].
    bias_inside
        Whether the bias is still in the pixels; None when nobody knows.
    scalable
        Whether its dark signal may be scaled to other exposures; None when that was not judged. ``reason`` says why.
    settings
        ``camera``, ``readout_mode``, ``gain_setting``, ``offset_setting``, ``binning``, ``filter``, of what is known.
    bayer_pattern
        Of a colour sensor.
    method
        How samples of a pixel were combined; None when nobody says.
    """

    name: str
    kind: str
    signal: Plane
    std_error: Plane | None = None
    n_kept: Plane | int | None = None
    exposure: float | None = None
    bias_inside: bool | None = None
    scalable: bool | None = None
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    bayer_pattern: str | None = None
    method: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.signal.shape
        return rows, columns

    def saying(self, **facts: Any) -> MasterFrame:
        """Return the same master with facts that its user knows better, such as ``bias_inside=True``."""
        return replace(self, **facts)


def as_master(given: Any, kind: str, **facts: Any) -> MasterFrame:
    """Take a master in any of its forms.

    Parameters
    ----------
    given
        A :class:`MasterFrame`; a file that ``workbench combine`` wrote; what
        :func:`workbench.calibrate.master_files.read_master` or ``combine(...).data`` gives; or plain pixels, shape
        (y, x) [adu]. Of pixels that say nothing of themselves the bias is inside, but not of those of a flat.
    kind
        What it has to be; a darkflat or a dark may stand for the bias of a flat.
    facts
        What its user knows of it: fields of :class:`MasterFrame`.

    Raises
    ------
    InputError
        When the file cannot be read, is another kind of master, or the pixels are no frame.
    """
    found = _taken(given, kind)
    found = replace(found, **facts) if facts else found
    if found.signal.ndim != 2 or found.signal.dtype.kind not in "iuf":
        rule = f"has the shape {found.signal.shape} and the type {found.signal.dtype}"
        raise InputError(found.name, rule, "give the pixels of one frame, numbers of shape (y, x)")
    allowed = ("bias", "darkflat", "dark") if kind == "bias" else (kind, "darkflat") if kind == "dark" else (kind,)
    if found.kind not in allowed:
        raise InputError(found.name, f"is a master {found.kind}, not a master {kind}", f"give the master {kind}")
    return found


def _taken(given: Any, kind: str) -> MasterFrame:
    if isinstance(given, MasterFrame):
        return given
    name = f"master {kind}"
    if isinstance(given, str | Path) or hasattr(given, "__fspath__"):
        return _of_dataset(read_master(given), str(given), kind)
    if isinstance(given, xr.Dataset):
        return _of_dataset(given, name, kind)
    pixels = given.to_numpy() if isinstance(given, xr.DataArray) else np.asarray(given)
    return MasterFrame(name, kind, pixels, bias_inside=kind != "flat")


def _of_dataset(data: xr.Dataset, name: str, kind: str) -> MasterFrame:
    said: Mapping[str, Any] = data.attrs
    known = {column: said[key] for key, column in _SETTINGS.items() if said.get(key) is not None}
    if "XBINNING" in said and "YBINNING" in said:
        known["binning"] = f"{said['XBINNING']}x{said['YBINNING']}"
    counted = said.get("NCOMBINE")
    return MasterFrame(
        name=name,
        kind=_KINDS.get(str(said.get("IMAGETYP", "")), kind),
        signal=data["signal"].to_numpy(),
        std_error=data["std_error"].to_numpy() if "std_error" in data else None,
        n_kept=data["n_kept"].to_numpy() if "n_kept" in data else counted,
        exposure=said.get("EXPTIME"),
        bias_inside=said.get("BIASIN") if said else kind != "flat",
        scalable=said.get("SCALABLE"),
        reason=str(said.get("SCALREAS", "")),
        settings=known,
        bayer_pattern=said.get("BAYERPAT"),
        method=said.get("COMBMETH"),
    )
