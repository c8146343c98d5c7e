"""A master that was combined: what is known of it, and how it is written down with its record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.master_files import write_master
from workbench.calibrate.master_header import date_text, master_header
from workbench.errors import InputError
from workbench.results import Problem
from workbench.stack.planes import ALL_REJECTED, NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.calibrate.master_header import Columns
    from workbench.frames.identity import Identity
    from workbench.results import Verdict
    from workbench.stack.combine import Combination
    from workbench.stack.noise_evaluation import NoiseEvaluation
    from workbench.stack.recipe import Recipe

__all__ = [
    "Master",
    "few_frames",
    "input_columns",
    "is_same",
    "middle_of",
    "not_looked_at",
    "target_of",
    "write_down",
]

_SUFFIXES = (".fits", ".fit", ".fts")
_FEW = 10  # frames, below which winsorized clipping has too little to tell an outlier by
_WINDOW = 2048  # pixels a side of what the noise is evaluated on


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
    columns
        Of the table that the file holds, which ``inputs`` gives: an entry a frame, ``file``, ``sha256``, ``datasum``,
        ``date``, ``exposure`` [s], ``temperature`` [deg_C], and those of ``combination.frames``.
    noise
        From pixel to pixel, fixed pattern included, in the middle of the frame; None where it cannot be evaluated.
    problems
        What is wrong with frames, those left out among them, and what was done.
    """

    path: Path
    kind: str
    combination: Combination
    columns: Mapping[str, NDArray[Any]]
    noise: NoiseEvaluation | None
    problems: tuple[Problem, ...]

    @cached_property
    def inputs(self) -> pd.DataFrame:
        """What is known of the frames that were combined, a row each."""
        import pandas as pd  # which takes as long to import as twenty frames to combine  # noqa: PLC0415

        return pd.DataFrame(dict(self.columns))

    @cached_property
    def std_error(self) -> float | None:
        """Median of the standard errors of pixels in the middle [adu]: temporal noise; None without a map of them."""
        if "std_error" not in self.combination.arrays:
            return None
        errors = middle_of(self.combination.arrays["std_error"])
        known = errors[np.isfinite(errors)]
        return float(np.median(known)) if known.size else None

    def share_rejected(self, side: str) -> float:
        """Return which share of all samples was rejected as too ``"low"`` or too ``"high"``."""
        shares = self.columns[f"share_{side}"]
        return float(np.mean(shares[np.isfinite(shares)]))

    def count(self, flag: int) -> int | None:
        """Count the pixels with a flag of :mod:`workbench.stack.planes`; None without maps."""
        flags = self.combination.arrays.get("flags")
        return None if flags is None else int(np.count_nonzero(flags & flag))


def target_of(out: str | os.PathLike[str], frames: Iterable[str], *, overwrite: bool) -> Path:
    """Find out before the work whether its result can be written.

    Raises
    ------
    InputError
        When it cannot, or is one of the frames.
    """
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
        if any(is_same(path, target) for path in frames):
            raise InputError(target, "is one of the frames to be combined", "choose another name")
        if not overwrite:
            raise InputError(target, "is there already", "choose another name, or replace it with --overwrite")
    return target


def is_same(path: str, target: Path) -> bool:
    """Tell whether a frame is the file that is to be written."""
    return target.exists() and Path(path).exists() and target.samefile(path)


def input_columns(
    rows: Columns, identities: Sequence[Identity], combination: Combination
) -> Mapping[str, NDArray[Any]]:
    """Return what the table of inputs holds; of frames that were not hashed, no sums."""
    files = [str(file) for file in rows["file"]]
    known = {
        "file": np.array(files, dtype=object),
        "sha256": np.array([one.sha256 for one in identities] or [""] * len(files), dtype=object),
        "datasum": np.array([str(one.datasum) for one in identities] or [""] * len(files), dtype=object),
        "date": np.array([date_text(one) for one in np.asarray(rows["date"], "datetime64[us]")], dtype=object),
        "exposure": np.asarray(rows["exposure"], np.float64),
        "temperature": np.asarray(rows["temperature"], np.float64),
    }
    return known | {name: values for name, values in combination.of_frames.items() if name not in known}


def few_frames(recipe: Recipe, n_frames: int) -> list[Problem]:
    """Say where rejection has too little to tell an outlier by."""
    if recipe.rejection.name == "none" or n_frames >= _FEW:
        return []
    rule = f"are few: {recipe.rejection.name.replace('_', ' ')} clipping needs 10 to 15"
    return [Problem(f"{n_frames} frames", rule, "the master was made all the same")]


def not_looked_at(n_frames: int) -> Problem:
    """Say what a quick master leaves out."""
    rule = "were neither hashed nor looked at for what does not belong"
    return Problem(f"{n_frames} frames", rule, "combined unchecked; leave out --quick to have them looked at")


def write_down(
    master: Master,
    rows: Columns,
    *,
    bias_inside: bool | None,
    verdict: Verdict | None,
    cards: Mapping[str, Any] | None = None,
    compress: bool = False,
) -> None:
    """Write a master with its header and its table of inputs; arguments are those of :func:`master_header`.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    told = {**_facts(master), **(cards or {})}
    recipe = master.combination.recipe
    header = master_header(rows, recipe, told, bias_inside=bias_inside, verdict=verdict, noise=master.noise)
    write_master(master.path, master.combination.arrays, master.columns, header, compress=compress)


def middle_of(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a plane, from an even row and column on: the noise is like it elsewhere."""
    starts = (max(size - _WINDOW, 0) // 4 * 2 for size in plane.shape)
    return plane[tuple(slice(start, start + _WINDOW) for start in starts)]


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
