"""Master frames: what may enter is admitted, the odd one out is named, the rest is combined and put on record."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench.calibrate.admission import admit, check_pixels, check_several
from workbench.calibrate.master_files import write_master
from workbench.calibrate.master_header import master_header
from workbench.calibrate.suspects import find_suspects
from workbench.errors import InputError, NotMeasurableError
from workbench.frames.identity import check_unchanged, identities_of
from workbench.frames.load import frame_files, load_stack
from workbench.results import Problem
from workbench.stack.combine import Combination, combine
from workbench.stack.noise_evaluation import NoiseEvaluation, mrs_noise
from workbench.stack.planes import ALL_REJECTED, NO_VALUE
from workbench.stack.recipe import Recipe, default_recipe, recipe_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import xarray as xr
    from distributed import Client
    from numpy.typing import NDArray

    from workbench.frames.identity import Identity
    from workbench.results import Verdict
    from workbench.stack.ahead import Ahead

__all__ = ["Master", "Preparation", "make_master"]

_SUFFIXES = (".fits", ".fit", ".fts")
_FEW = 10  # frames, below which winsorized clipping has too little to tell an outlier by
_WINDOW = 2048  # pixels a side of what the noise is evaluated on


@dataclass(frozen=True)
class Preparation:
    """What is done to frames before they are combined; cards and problems tell of it."""

    apply: Callable[[xr.DataArray], xr.DataArray]
    bias_inside: bool
    cards: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Master:
    """A master that was written, and what is to be known of it.

    Parameters
    ----------
    path
        The file.
    kind
        Of its frames.
    combination
        Pixels, maps, and the frames with their weights and shares rejected.
    inputs
        The table that the file holds: a row a frame, ``file``, ``sha256``, ``datasum``, ``date``, ``exposure`` [s],
        ``temperature`` [deg_C], and the columns of ``combination.frames``.
    noise
        From pixel to pixel, fixed pattern included, in the middle of the frame; None where it cannot be evaluated.
    problems
        What is wrong with frames, those left out among them, and what was done.
    """

    path: Path
    kind: str
    combination: Combination
    inputs: pd.DataFrame
    noise: NoiseEvaluation | None
    problems: tuple[Problem, ...]

    @cached_property
    def std_error(self) -> float | None:
        """Median of the standard errors of pixels in the middle [adu]: temporal noise; None without a map of them."""
        if "std_error" not in self.combination.arrays:
            return None
        errors = _middle(self.combination.arrays["std_error"])
        known = errors[np.isfinite(errors)]
        return float(np.median(known)) if known.size else None

    def share_rejected(self, side: str) -> float:
        """Return which share of all samples was rejected as too ``"low"`` or too ``"high"``."""
        return float(self.combination.frames[f"share_{side}"].mean())

    def count(self, flag: int) -> int | None:
        """Count the pixels with a flag of :mod:`workbench.stack.planes`; None without maps."""
        flags = self.combination.arrays.get("flags")
        return None if flags is None else int(np.count_nonzero(flags & flag))


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
    ahead: Ahead | None = None,
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
    threads, client, ahead
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
    target = _target(out, rows, overwrite=overwrite)
    admitted = admit(_without(rows, target), accept=accept)
    used, problems = admitted.rows, [*(preparation.problems if preparation else ()), *admitted.problems]
    kind = str(used["kind"].iloc[0])
    if verdict is not None and kind not in ("dark", "darkflat"):
        raise InputError("verdict", f"is about darks, and these are {kind} frames", "leave it out")
    chosen = recipe_of(**{**default_recipe(kind), **options}) if recipe is None else recipe
    identities = [] if quick else _identities(used, threads, progress=progress)
    if quick:
        rule = "were neither hashed nor looked at for what does not belong"
        problems.append(Problem(f"{len(used)} frames", rule, "combined; without --quick they are"))
    else:
        suspects = find_suspects(used, identities, accept=accept, threads=threads)
        problems += suspects.problems
        stays = (~used["file"].isin(suspects.left_out)).to_numpy()
        used, identities = used[stays], [one for one, stay in zip(identities, stays, strict=True) if stay]
        check_several(used, problems)
    processed = () if quick else check_pixels(used, accept=accept)
    problems += processed
    problems += _doubts(chosen, used, kind if preparation is None else "prepared")
    stack = frame_files(used) if preparation is None else preparation.apply(load_stack(used))
    how: dict[str, Any] = {"threads": threads, "client": client, "ahead": ahead, "progress": progress}
    combination = combine(stack, chosen, maps=maps and not quick, **how)
    for source, identity in zip(used["source"], identities, strict=not quick):
        check_unchanged(source, identity)
    noise = None if quick else _noise(combination, used)
    raw = admitted.raw and not processed
    inputs = _inputs(used, identities, combination)
    master = Master(target, kind, combination, inputs, noise, tuple(problems))
    told = bias_inside if preparation is None else preparation.bias_inside
    header = master_header(
        used,
        chosen,
        {**_facts(master), **(preparation.cards if preparation else {})},
        bias_inside=(True if raw else None) if told is None else told,
        verdict=verdict,
        noise=noise,
    )
    write_master(target, combination.arrays, inputs, header, compress=compress)
    return master


def _target(out: str | os.PathLike[str], rows: pd.DataFrame, *, overwrite: bool) -> Path:
    """Find out before the work whether its result can be written."""
    target = Path(out)
    if target.is_dir():
        raise InputError(target, "is a folder", "name a file for the master, such as master_dark.fits")
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(
            target, "is no name of a FITS file", f"end it in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        )
    if not target.parent.is_dir():
        raise InputError(target, f"has no folder {target.parent}", "make it first")
    if not os.access(target.parent, os.W_OK):
        raise InputError(target, "cannot be written (Permission denied)", "choose a folder that you may write")
    if target.exists():
        if any(_same(path, target) for path in rows["path"][~rows["master"].astype(bool)]):
            raise InputError(target, "is one of the frames to be combined", "choose another name")
        if not overwrite:
            raise InputError(target, "is there already", "choose another name, or replace it with --overwrite")
    return target


def _without(rows: pd.DataFrame, target: Path) -> pd.DataFrame:
    """Leave out the master that is about to be replaced, where it stands among its frames."""
    return rows[[not _same(path, target) for path in rows["path"]]]


def _same(path: str, target: Path) -> bool:
    return target.exists() and Path(path).exists() and target.samefile(path)


def _identities(rows: pd.DataFrame, threads: int | None, *, progress: bool) -> list[Identity]:
    with tqdm(
        total=len(rows), desc="hashing", unit="file", delay=1, leave=False, disable=None if progress else True
    ) as bar:
        return identities_of(list(rows["source"]), threads, bar.update)


def _doubts(recipe: Recipe, rows: pd.DataFrame, kind: str) -> list[Problem]:
    """Say what is not wrong, but less than it might be."""
    found, name = [], f"{len(rows)} frames"
    if recipe.rejection.name != "none" and len(rows) < _FEW:
        rule = f"are few: {recipe.rejection.name.replace('_', ' ')} clipping needs 10 to 15"
        found.append(Problem(name, rule, "the master was made all the same"))
    if kind == "flat" and recipe.normalisation.startswith("multiplicative") and rows["usable"].all():
        rule = "are raw flats: their bias is multiplied along with their light"
        found.append(Problem(name, rule, "combined; subtract the bias first where flats differ in level"))
    return found


def _noise(combination: Combination, rows: pd.DataFrame) -> NoiseEvaluation | None:
    signal = _middle(combination.arrays["signal"])
    try:
        return mrs_noise(signal, bayer=bool(rows["bayer_pattern"].notna().all()))
    except NotMeasurableError:
        return None


def _middle(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a plane, from an even row and column on: the noise is like it elsewhere."""
    starts = (max(size - _WINDOW, 0) // 4 * 2 for size in plane.shape)
    return plane[tuple(slice(start, start + _WINDOW) for start in starts)]


def _inputs(rows: pd.DataFrame, identities: Sequence[Identity], combination: Combination) -> pd.DataFrame:
    known: dict[str, Any] = {
        "file": [str(file) for file in rows["file"]],
        "sha256": [one.sha256 for one in identities] or [""] * len(rows),
        "datasum": [str(one.datasum) for one in identities] or [""] * len(rows),
        "date": ["" if pd.isna(date) else date.isoformat(timespec="milliseconds") for date in rows["date"]],
        "exposure": rows["exposure"].to_numpy(np.float64),
        "temperature": rows["temperature"].to_numpy(np.float64),
    }
    frames = combination.frames
    return pd.DataFrame(known | {str(name): frames[name].to_numpy() for name in frames.columns if name not in known})


def _facts(master: Master) -> dict[str, tuple[Any, str]]:
    """Return what combining gave, as cards."""
    facts: dict[str, tuple[Any, str]] = {
        "REJSHRL": (float(f"{master.share_rejected('low'):.6g}"), "share of samples rejected as too low"),
        "REJSHRH": (float(f"{master.share_rejected('high'):.6g}"), "share of samples rejected as too high"),
    }
    counts = (
        ("ALLREJ", ALL_REJECTED, "pixels of which no sample was kept"),
        ("NOVALUE", NO_VALUE, "pixels without a value"),
    )
    for key, flag, comment in counts:
        count = master.count(flag)
        if count is not None:
            facts[key] = (count, comment)
    if master.std_error is not None:
        facts["ERRMED"] = (float(f"{master.std_error:.6g}"), "[adu] median of ERR in the middle")
    return facts
