"""Master flats: flats that are overexposed left out, their bias subtracted, brought to one level, combined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from workbench.calibrate.flat_field import check_bias_of_flat
from workbench.calibrate.light_rules import check_pair
from workbench.calibrate.master_frame import MasterFrame, as_master
from workbench.calibrate.masters import Preparation, make_master
from workbench.calibrate.overscan import overscan_card, subtract_overscan
from workbench.errors import InputError
from workbench.results import Problem
from workbench.threads import in_threads
from workbench.units import set_units

if TYPE_CHECKING:
    import os

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.calibrate.made_master import Master
    from workbench.frames.overscan import Overscan
    from workbench.stack.recipe import Recipe

__all__ = ["calibrate_flats", "make_master_flat", "overexposed"]

_NEAR = 0.9  # of saturation, from where on a camera may bend
_SHARE = 0.01  # of the pixels beyond it: vignetting spares no centre
_PILED = 1e-3  # of the pixels at the very highest value: no noise does that
_LEVEL_SAMPLE = 65_536  # pixels of a colour that tell its level


def make_master_flat(
    rows: pd.DataFrame,
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    bias: Any,
    saturation: float | None = None,
    overscan: Overscan | None = None,
    **options: Any,
) -> Master:
    """Combine flats into a master flat, their bias subtracted.

    Parameters
    ----------
    rows
        Of a catalogue: raw flats of one camera, setting and filter.
    out
        The file to write.
    recipe
        How to combine; by default the mean with winsorized sigma clipping, normalised multiplicatively.
    bias
        Master bias, or master darkflat of the flats' exposure, in any form that
        :func:`workbench.calibrate.master_frame.as_master` takes.
    saturation
        Where pixels stop counting [adu]; by default what the headers claim, else a level at which pixels pile up.
    overscan
        Subtracted from every flat first, as it was from the frames of the bias.
    **options
        As for :func:`workbench.calibrate.masters.make_master`, fields of the recipe included.

    Returns
    -------
    Master
        In adu, its bias not inside: :func:`workbench.calibrate.flat_field.flat_field` normalises it. Flats that are
        overexposed are not in it; its ``problems`` name them.

    Raises
    ------
    InputError
        As ``make_master``; when the bias does not belong to the flats; when all but one are overexposed.

    Notes
    -----
    Flats of a Bayer sensor are brought to the level of the first colour by colour: the light of a twilight sky changes
    its colour.
    """
    base = as_master(bias, "bias")
    found = overexposed(rows, saturation)
    lost = {one.file for one in found}
    kept = rows[~rows["file"].isin(lost)]
    if len(kept) < 2 <= len(rows):
        first = found[0]
        raise InputError(first.file, f"{first.rule} ({len(found)} of {len(rows)} flats)", "shoot shorter flats")
    exposure = kept["exposure"].median() if len(kept) else np.nan
    flat = MasterFrame(
        str(kept["file"].iloc[0]) if len(kept) else "flats",
        "flat",
        np.empty(_shape(kept, overscan) or base.shape, np.uint8),
        exposure=None if np.isnan(exposure) else float(exposure),
        bias_inside=True,
        settings=_settings(kept),
    )
    check_bias_of_flat(flat, base)
    check_pair(base, flat)
    colours = bool(len(kept)) and bool(kept["bayer_pattern"].notna().all())
    cards = {"FLATBIAS": (base.name.rsplit("/", 1)[-1][:60], "what was subtracted from the flats")}

    def prepare(stack: xr.DataArray) -> xr.DataArray:
        image = stack if overscan is None else subtract_overscan(stack, overscan)
        return calibrate_flats(image, base, by_colour=colours)

    preparation = Preparation(prepare, bias_inside=False, cards=cards | overscan_card(overscan), problems=found)
    return make_master(kept, out, recipe, preparation=preparation, **options)


def calibrate_flats(stack: xr.DataArray, bias: Any, *, by_colour: bool = False) -> xr.DataArray:
    """Subtract the bias from flats, lazily where the stack is.

    Parameters
    ----------
    stack
        Dims ``frame, y, x`` [adu].
    bias
        Master bias or darkflat.
    by_colour
        Bring each colour of a Bayer sensor to its level in the first frame, as a factor.

    Returns
    -------
    xarray.DataArray
        Float32 [adu].
    """
    base = as_master(bias, "bias")
    check_pair(base, MasterFrame("flats", "flat", np.broadcast_to(np.uint8(0), stack.shape[1:])))
    factors = _colour_factors(stack, base.signal) if by_colour else None

    def each(frames: NDArray[Any], block_info: Any = None) -> NDArray[np.float32]:
        first, start = (0, 0) if block_info is None else [place[0] for place in block_info[0]["array-location"][:2]]
        values = (frames - base.signal[start : start + frames.shape[1]]).astype(np.float32)
        if factors is not None:
            for row, column in np.ndindex(2, 2):
                part = factors[first : first + len(frames), (start + row) % 2, column]
                values[:, row::2, column::2] *= part[:, None, None]
        return values

    if stack.chunks is None:
        flats: Any = each(stack.to_numpy())
    else:
        whole = stack.data.rechunk({2: -1})
        flats = whole.map_blocks(each, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    result = xr.DataArray(flats, dims=stack.dims, coords=stack.coords, name="signal")
    return set_units(result, "adu", long_name="flat signal above its bias")


def overexposed(rows: pd.DataFrame, saturation: float | None = None) -> tuple[Problem, ...]:
    """Name the flats that are too bright to tell the response of their pixels.

    Parameters
    ----------
    rows
        Of a catalogue.
    saturation
        See :func:`make_master_flat`.

    Returns
    -------
    tuple of Problem
        Of each flat with more than 1 % of its pixels above 90 % of saturation, or, where saturation is not known, with
        more than 0.1 % at the very highest value.
    """
    readable = rows[[source is not None for source in rows["source"]]]
    claims = [saturation if saturation is not None else claim for claim in readable["saturation_claim"]]
    rules = in_threads(lambda flat: _too_bright(*flat), zip(readable["source"], claims, strict=True))
    return tuple(
        Problem(str(file), rule, "left out; shoot it shorter")
        for file, rule in zip(readable["file"], rules, strict=True)
        if rule
    )


def _too_bright(source: Any, saturation: float | None) -> str:
    pixels = source.read()
    if saturation is not None and np.isfinite(saturation):
        share = float(np.count_nonzero(pixels > _NEAR * saturation)) / pixels.size
        if share > _SHARE:
            return (
                f"is overexposed: {100 * share:.3g} % of its pixels are above 90 % of saturation ({saturation:g} adu)"
            )
    top = pixels.max()
    piled = float(np.count_nonzero(pixels == top)) / pixels.size
    if piled > _PILED:
        return f"is overexposed: {100 * piled:.3g} % of its pixels are at its highest value, {top:g} adu"
    return ""


def _colour_factors(stack: xr.DataArray, bias: NDArray[Any]) -> NDArray[np.float32]:
    """Return by what each colour of each frame is multiplied, shape (frame, 2, 2)."""
    levels = np.ones((stack.shape[0], 2, 2))
    step = 2 * max(1, int((stack[0].size / 4 / _LEVEL_SAMPLE) ** 0.5))
    for number, frame in enumerate(stack):
        values = frame.to_numpy() - bias
        for row, column in np.ndindex(2, 2):
            levels[number, row, column] = np.median(values[row::step, column::step])
        if not (levels[number] > 0).all():
            name = str(frame["file"].to_numpy()) if "file" in frame.coords else f"flat {number + 1}"
            raise InputError(
                name, "has a colour without light", "leave it out, or subtract the bias that belongs to it"
            )
    return (levels[:1] / levels).astype(np.float32)


def _shape(rows: pd.DataFrame, overscan: Overscan | None) -> tuple[int, int] | None:
    shapes: list[tuple[int, int]] = [source.shape for source in rows["source"] if source is not None]
    if not shapes:
        return None
    return shapes[0] if overscan is None else overscan.left(shapes[0])


def _settings(rows: pd.DataFrame) -> dict[str, Any]:
    names = ("camera", "readout_mode", "gain_setting", "offset_setting", "binning")
    return {name: rows[name].iloc[0] for name in names if len(rows) and rows[name].notna().iloc[0]}
