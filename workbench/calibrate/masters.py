"""Master frames: what may enter is admitted, the odd one out is named, the rest is combined and put on record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench.calibrate.admission import admit, check_pixels, check_several
from workbench.calibrate.made_master import (
    Master,
    few_frames,
    input_columns,
    is_same,
    middle_of,
    not_looked_at,
    target_of,
    write_down,
)
from workbench.calibrate.suspects import find_suspects
from workbench.errors import InputError, NotMeasurableError
from workbench.frames.identity import check_unchanged, identities_of
from workbench.frames.load import files_of_stack, load_stack
from workbench.results import Problem
from workbench.stack.combine import Combination, combine
from workbench.stack.noise_evaluation import NoiseEvaluation, mrs_noise
from workbench.stack.recipe import Recipe, default_recipe, recipe_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd
    import xarray as xr
    from distributed import Client

    from workbench.frames.identity import Identity
    from workbench.results import Verdict

__all__ = ["Master", "Preparation", "make_master"]


@dataclass(frozen=True)
class Preparation:
    """What is done to frames before they are combined; cards and problems tell of it."""

    apply: Callable[[xr.DataArray], xr.DataArray]
    bias_inside: bool
    cards: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def make_master(
    rows: pd.DataFrame,
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    verdict: Verdict | None = None,
    bias_inside: bool | None = None,
    preparation: Preparation | None = None,
    accept: bool = False,
    overwrite: bool = False,
    compress: bool = False,
    maps: bool = True,
    quick: bool = False,
    threads: int | None = None,
    client: Client | str | None = None,
    progress: bool = False,
    **options: Any,
) -> Master:
    """Combine frames into a master, and write it with a record of what went into it.

    Parameters
    ----------
    rows
        Of a catalogue: bias frames, darks, darkflats or flats of one camera, setting, exposure and temperature.
    out
        The file to write.
    recipe
        How to combine; :func:`default_recipe` without one. ``options`` change single fields of that.
    verdict
        May these darks be scaled, such as ``Results.verdicts["dark_scaling"]``: goes into the header.
    bias_inside
        Whether the bias is still in the pixels; without it, it is in those of raw frames, and unknown of others.
    preparation
        Of the frames; it says itself whether the bias is inside then.
    accept
        Take frames that do not look raw, or are the odd ones out.
    overwrite
        Replace the file if there is one; never one of the frames.
    compress
        Pack counts and flags, without loss.
    maps
        Whether to keep standard errors, counts and flags of all pixels.
    quick
        The pixels alone: no maps, no hashes of the frames, no look at their pixels for what does not belong.
    threads, client
        As for :func:`workbench.stack.combine.combine`.
    progress
        Show bars on stderr when that is a terminal.

    Returns
    -------
    Master
        Frames that are torn, blank, there twice, or at a level or temperature of their own, are not in it; its
        ``problems`` name them.

    Raises
    ------
    InputError
        When frames are processed, or mixed, or fewer than two remain; when the file cannot be written. Nothing is
        written then.
    FrameError
        When a frame goes, is cut or changed in the meantime.

    Examples
    --------
    ::

        frames = workbench.catalogue("darks_300s")
        master = make_master(frames, "master_dark_300s.fits")
    """
    frames = rows["path"][~rows["master"].astype(bool)]
    target = target_of(out, frames, overwrite=overwrite)
    admitted = admit(_without(rows, target), accept=accept)
    noticed = rows.attrs.get("problems", ()), preparation.problems if preparation else (), admitted.problems
    used, problems = admitted.rows, [one for ones in noticed for one in ones]
    kind = str(used["kind"].iloc[0])
    if verdict is not None and kind not in ("dark", "darkflat"):
        raise InputError("verdict", f"is about darks, and these are {kind} frames", "leave it out")
    chosen = recipe_of(**{**default_recipe(kind), **options}) if recipe is None else recipe
    identities = [] if quick else _identities(used, threads, progress=progress)
    if quick:
        problems.append(not_looked_at(len(used)))
    else:
        suspects = find_suspects(used, identities, accept=accept, threads=threads)
        problems += suspects.problems
        stays = (~used["file"].isin(suspects.left_out)).to_numpy()
        used, identities = used[stays], [one for one, stay in zip(identities, stays, strict=True) if stay]
        check_several(used, problems)
    processed = () if quick else check_pixels(used, accept=accept)
    problems += processed
    problems += _doubts(chosen, used, kind if preparation is None else "prepared")
    stack = files_of_stack(used) if preparation is None else preparation.apply(load_stack(used))
    combination = combine(stack, chosen, maps=maps and not quick, threads=threads, client=client, progress=progress)
    for source, identity in zip(used["source"], identities, strict=not quick):
        check_unchanged(source, identity)
    noise = None if quick else _noise(combination, used)
    raw = admitted.raw and not processed
    master = Master(target, kind, combination, input_columns(used, identities, combination), noise, tuple(problems))
    told = bias_inside if preparation is None else preparation.bias_inside
    write_down(
        master,
        used,
        bias_inside=(True if raw else None) if told is None else told,
        verdict=verdict,
        cards=preparation.cards if preparation else None,
        compress=compress,
    )
    return master


def _without(rows: pd.DataFrame, target: Path) -> pd.DataFrame:
    """Leave out the master that is about to be replaced, where it stands among its frames."""
    return rows[[not is_same(path, target) for path in rows["path"]]]


def _identities(rows: pd.DataFrame, threads: int | None, *, progress: bool) -> list[Identity]:
    with tqdm(
        total=len(rows), desc="hashing", unit="file", delay=1, leave=False, disable=None if progress else True
    ) as bar:
        return identities_of(list(rows["source"]), threads, bar.update)


def _doubts(recipe: Recipe, rows: pd.DataFrame, kind: str) -> list[Problem]:
    """Say what is not wrong, but less than it might be."""
    found, name = few_frames(recipe, len(rows)), f"{len(rows)} frames"
    if kind == "flat" and recipe.normalisation.startswith("multiplicative") and rows["usable"].all():
        rule = "are raw flats: their bias is multiplied along with their light"
        found.append(Problem(name, rule, "combined; subtract the bias first where flats differ in level"))
    return found


def _noise(combination: Combination, rows: pd.DataFrame) -> NoiseEvaluation | None:
    signal = middle_of(combination.arrays["signal"])
    try:
        return mrs_noise(signal, bayer=bool(rows["bayer_pattern"].notna().all()))
    except NotMeasurableError:
        return None
