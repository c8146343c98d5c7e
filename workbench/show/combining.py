"""What ``workbench combine`` prints: what went into a master, what stayed out, and how good it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.master_header import FRAME_TYPES
from workbench.show.words import digits, printable
from workbench.stack.planes import ALL_REJECTED, NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.calibrate.made_master import Master

_LISTED = 30  # problems that get a line each


def combining_text(master: Master) -> str:
    """Describe a master for a terminal.

    Returns
    -------
    str
        Frames, recipe, shares rejected, noise, then every frame that something is wrong with, then the file.
    """
    columns = master.columns
    lines = [_frames_in_words(master), master.combination.recipe.words]
    low, high = (master.share_rejected(side) for side in ("low", "high"))
    if master.combination.recipe.rejection.name != "none":
        lines.append(f"rejected: {_percent(low)} of the samples as too low, {_percent(high)} as too high")
    most = columns["share_low"] + columns["share_high"]
    if most.size > 2 and np.nanmax(most) > max(5 * np.nanmedian(most), 0.01):
        worst = str(columns["file"][int(np.nanargmax(most))])
        lines.append(f"most of all from {printable(worst)}: {_percent(float(np.nanmax(most)))}")
    for flag, words in ((ALL_REJECTED, "have no sample left: median of all"), (NO_VALUE, "have no value: NaN")):
        if count := master.count(flag):
            lines.append(f"{count} pixels {words}")
    lines += _noise_lines(master)
    shown = master.problems[:_LISTED]
    lines += [f"  {printable(one)}" for one in shown]
    if len(master.problems) > len(shown):
        lines.append(f"  and {len(master.problems) - len(shown)} more; --json lists all")
    return "\n".join([*lines, str(master.path)])


def combining_json(master: Master) -> dict[str, Any]:
    """Describe a master for a program."""
    return {
        "master": str(master.path),
        "kind": master.kind,
        "n_frames": len(master.inputs),
        "recipe": master.combination.recipe.to_dict(),
        "share_low": master.share_rejected("low"),
        "share_high": master.share_rejected("high"),
        "n_all_rejected": master.count(ALL_REJECTED),
        "n_no_value": master.count(NO_VALUE),
        "std_error": master.std_error,
        "noise": None if master.noise is None else asdict(master.noise),
        "inputs": [{str(key): _plain(value) for key, value in row.items()} for row in master.inputs.to_dict("records")],
        "problems": [asdict(one) for one in master.problems],
    }


def _frames_in_words(master: Master) -> str:
    text = f"{FRAME_TYPES[master.kind].lower()} of {master.columns['file'].size} frames"
    exposures, temperatures = (_known(master.columns[name]) for name in ("exposure", "temperature"))
    if exposures.size and master.kind != "bias":
        text += f", {np.median(exposures):.6g} s"
    if temperatures.size:
        text += f", {temperatures.mean():.1f} deg C (rms {temperatures.std():.2f} K)"
    return text


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _noise_lines(master: Master) -> Iterator[str]:
    if master.std_error is not None:
        yield f"noise: {digits(master.std_error, 3)} adu in time (median standard error of a pixel)"
    if master.noise is not None:
        yield f"noise: {digits(master.noise.sigma, 3)} adu from pixel to pixel, fixed pattern included"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _plain(value: Any) -> Any:
    """Return what JSON can hold: None for what is missing."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
