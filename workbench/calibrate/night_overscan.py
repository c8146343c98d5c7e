"""The overscan of a night's frames: where it stands, who says so, and what is left of each frame as its image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.calibrate.masters import Preparation
from workbench.calibrate.overscan import OVERSCAN, overscan_card, subtract_overscan
from workbench.errors import InputError
from workbench.frames.formats import read_frame_file
from workbench.frames.manifests import Manifest
from workbench.frames.overscan import check_overscan, header_overscan, region_overscan
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.frames.overscan import Overscan

__all__ = ["overscan_preparation", "with_overscan"]

_KINDS = ("light", "dark", "bias", "flat", "darkflat")


def overscan_preparation(overscan: Overscan | None) -> Preparation | None:
    """Return what is done to raw frames before they make a master; None where there is nothing to do."""
    if overscan is None:
        return None
    return Preparation(
        lambda stack: subtract_overscan(stack, overscan).astype("float32"),
        bias_inside=True,  # its pattern, which the level is no part of
        cards=overscan_card(overscan),
    )


def with_overscan(frames: pd.DataFrame, *, use: bool) -> tuple[pd.DataFrame, dict[str, Overscan], list[Problem]]:
    """Find the overscan of each frame: what ``workbench.toml`` says, else its regions, else the frame's own header.

    Parameters
    ----------
    frames
        A catalogue.
    use
        Whether raw frames are to lose theirs; of masters it is told all the same.

    Returns
    -------
    frames
        With the column ``overscan``: what is subtracted, in words, or has been from a master; None where nothing.
        ``height`` and ``width`` are those of what is left. Frames that do not have the pixels named are left out.
    overscans
        By these words.
    problems
        Sections of headers that cannot be meant, and frames that were left out.
    """
    found = _Overscans(frames.attrs)
    rows = [found.of(row, use=use) for row in frames.itertuples()]
    kept = [row is not None for row in rows]
    told = [row for row in rows if row is not None]
    columns = {
        "overscan": [words for words, _ in told],
        "height": [None if shape is None else shape[0] for _, shape in told],
        "width": [None if shape is None else shape[1] for _, shape in told],
    }
    changed = frames[kept]
    changed = changed.assign(
        **{name: pd.Series(values, changed.index, dtype=object) for name, values in columns.items()}
    )
    return changed, found.overscans, found.problems()


class _Overscans:
    def __init__(self, attrs: Mapping[Any, Any]) -> None:
        self.manifests: dict[Path, Manifest] = attrs.get("manifests") or {}
        self.manifest: Manifest = attrs.get("manifest") or Manifest()
        self.overscans: dict[str, Overscan] = {}
        self._ignored: dict[tuple[str, str], list[str]] = {}
        self._lost: list[Problem] = []

    def of(self, row: Any, *, use: bool) -> tuple[str | None, tuple[int, int] | None] | None:
        """Return the words and the shape that is left of a frame; None of one that is left out."""
        if row.source is None:
            return None, None
        shape: tuple[int, int] = row.source.shape
        if row.master:
            cards = read_frame_file(row.path).cards
            return next((card.text for card in cards if card.key == OVERSCAN), None), shape
        if not use or row.kind not in _KINDS:
            return None, shape
        try:
            overscan = self._find(row, shape)
        except InputError as error:
            self._lost.append(Problem(str(row.file), error.rule, f"left out; {error.next_step}"))
            return None
        if overscan is None:
            return None, shape
        self.overscans.setdefault(overscan.places, overscan)
        return overscan.places, overscan.left(shape)

    def problems(self) -> list[Problem]:
        """Name what is wrong with headers once, however many frames have it."""
        ignored = []
        for (rule, action), files in self._ignored.items():
            also = f" (so in {len(files) - 1} more)" if len(files) > 1 else ""
            ignored.append(Problem(files[0], rule + also, action))
        return ignored + self._lost

    def _find(self, row: Any, shape: tuple[int, int]) -> Overscan | None:
        manifest = self._manifest(str(row.path))
        overscan = manifest.overscan or region_overscan(manifest.regions, shape)
        problems: list[Problem] = []
        if overscan is None:
            overscan, problems = header_overscan(str(row.file), read_frame_file(row.path).cards, shape)
        else:
            check_overscan(overscan, str(row.file), shape)
        if overscan is not None and isinstance(row.bayer_pattern, str) and _turns_colours(overscan):
            rule = f"the image of {overscan.origin} begins at an odd row or column: its colours would change places"
            raise InputError(row.file, rule, "let the image begin at even ones, in [overscan] of workbench.toml")
        for one in problems:
            self._ignored.setdefault((one.rule, one.action), []).append(one.file)
        return overscan

    def _manifest(self, path: str) -> Manifest:
        """Return the manifest of the nearest folder."""
        within = [root for root in self.manifests if Path(path).is_relative_to(root)]
        return self.manifests[max(within, key=lambda root: len(root.parts))] if within else self.manifest


def _turns_colours(overscan: Overscan) -> bool:
    return overscan.image is not None and any(place.start % 2 for place in overscan.image)
