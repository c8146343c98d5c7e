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

    from workbench.calibrate.masters import Master

_LISTED = 30  # problems that get a line each


def combining_text(master: Master) -> str:
    """Describe a master for a terminal.

    Returns
    -------
    str
        Frames, recipe, shares rejected, noise, then every frame that something is wrong with, then the file.
    """
    frames = master.combination.frames
    lines = [_frames_in_words(master), master.combination.recipe.words]
    low, high = (master.share_rejected(side) for side in ("low", "high"))
    if master.combination.recipe.rejection.name != "none":
        lines.append(f"rejected: {_percent(low)} of the samples as too low, {_percent(high)} as too high")
    most = frames["share_low"] + frames["share_high"]
    if len(frames) > 2 and most.max() > max(5 * most.median(), 0.01):
        worst = frames["file"].iloc[int(np.nanargmax(most))]
        lines.append(f"most of all from {printable(worst)}: {_percent(float(most.max()))}")
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
    inputs, name = master.inputs, FRAME_TYPES[master.kind].lower()
    text = f"{name} of {len(inputs)} frames"
    exposures, temperatures = inputs["exposure"].dropna(), inputs["temperature"].dropna()
    if len(exposures) and master.kind != "bias":
        text += f", {exposures.median():.6g} s"
    if len(temperatures):
        text += f", {temperatures.mean():.1f} deg C (rms {temperatures.std(ddof=0):.2f} K)"
    return text


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
