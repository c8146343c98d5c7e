"""Simulated sessions and the embedded datasets: made on first use, kept in the user's cache, checked on later uses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from platformdirs import user_cache_path

from workbench import __version__
from workbench.camera import capture, events, maps, parameters, plans, sensor, session_truth, sky, specimen, starlight
from workbench.camera.capture import shoot, write_frame
from workbench.camera.plans import Dataset, FrameSet, Plan, dataset_paths, default_plan, read_dataset
from workbench.camera.sensor import Camera, Sensor
from workbench.camera.session_truth import SessionTruth
from workbench.errors import InputError
from workbench.frames.formats import is_frame_name
from workbench.frames.identity import datasum

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Camera",
    "FrameSet",
    "Plan",
    "Sensor",
    "SessionTruth",
    "cache_folder",
    "dataset_camera",
    "dataset_truth",
    "default_plan",
    "list_datasets",
    "open_dataset",
    "simulate",
    "write_frame",
]

INDEX = "index.json"
_DAY = 86400.0  # s
# what the pixels of a dataset hang on
_LIBRARY = (capture, events, maps, parameters, plans, sensor, session_truth, sky, specimen, starlight)


def simulate(model: Sensor, plan: Plan, out: str | Path, seed: int, progress: bool = False) -> Path:  # noqa: FBT001, FBT002
    """Shoot a whole session into a new folder: ``bias/``, ``dark/``, ``flat/`` and the truth beside in ``truth.json``.

    Every frame has its own random stream, from the seed and its place in the plan, so that the frames do not depend on
    the order or the number of threads in which they are made.

    Parameters
    ----------
    model, seed
        The camera; the seed also tells its specimen.
    plan
        What to shoot.
    out
        The folder to make; it may exist when it is empty.
    progress
        Show a bar on stderr; it stays silent where that is no terminal.

    Returns
    -------
    pathlib.Path
        The folder, with all of the frames in it.

    Raises
    ------
    InputError
        When the folder holds something already or cannot be written.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(target, "is there already and not empty", "name a new folder")
    with _workshop(target) as filled:
        shoot(Camera(model, seed), plan, filled, progress=progress)
        if target.exists():
            target.rmdir()  # refuses when somebody has filled it meanwhile
        filled.rename(target)
    return target


def cache_folder() -> Path:
    """Tell where datasets are kept: ``$WORKBENCH_CACHE``, else the platform's cache folder of the user."""
    chosen = os.environ.get("WORKBENCH_CACHE")
    return Path(chosen) if chosen else user_cache_path("dark-frame-workbench", appauthor=False)


def open_dataset(name: str = "embedded", progress: bool = True) -> Path:  # noqa: FBT001, FBT002  a plain switch
    """Return the folder of a dataset's frames: simulated on first use, checked on every later one.

    The DATASUM of every frame's pixels is recorded when it is made, with the version of NumPy. A dataset that is
    damaged, incomplete or made by another version of the simulator is made again, with a line on stderr that says so.

    Parameters
    ----------
    name
        One of :func:`list_datasets`.
    progress
        Show a bar on stderr; it stays silent where that is no terminal.

    Returns
    -------
    pathlib.Path
        The folder, below :func:`cache_folder`.

    Raises
    ------
    InputError
        When there is no such dataset, its folder holds frames that are not its own, or the cache cannot be written.
    """
    dataset = _dataset(name)
    home = cache_folder() / "datasets" / dataset.name
    recipe = _recipe(dataset)
    fault = _fault(home, recipe)
    if fault is None:
        return home
    if home.exists():
        sys.stderr.write(f"{home}: {fault}; the frames are made again\n")
    with _workshop(home) as filled:
        shoot(Camera(dataset.sensor, dataset.seed), dataset.plan, filled, progress=progress)
        _write_index(filled, dataset, recipe)
        if _fault(home, recipe) is not None:
            _replace(home, filled)
    return home


def dataset_camera(name: str = "embedded") -> Camera:
    """Return the very camera that took a dataset's frames, for comparison with its truth.

    Raises
    ------
    InputError
        When there is no such dataset.
    """
    dataset = _dataset(name)
    return Camera(dataset.sensor, dataset.seed)


def dataset_truth(name: str) -> SessionTruth:
    """Return the truth behind every frame of a dataset: what its lights see, and what calibration should leave.

    Raises
    ------
    InputError
        When there is no such dataset.
    """
    dataset = _dataset(name)
    return SessionTruth(Camera(dataset.sensor, dataset.seed), dataset.plan)


def list_datasets() -> list[dict[str, Any]]:
    """List the datasets: name, title, licence, number of frames, size [byte], whether they are cached, and where."""
    rows = []
    for path in dataset_paths():
        dataset = read_dataset(path)
        home = cache_folder() / "datasets" / dataset.name
        rows.append(
            {
                "name": dataset.name,
                "title": dataset.title,
                "licence": dataset.licence,
                "frames": dataset.n_frames,
                "size": dataset.n_frames * 2 * dataset.sensor.frame_shape[0] * dataset.sensor.frame_shape[1],
                "cached": (home / INDEX).is_file(),
                "path": str(home),
            }
        )
    return rows


def _dataset(name: str) -> Dataset:
    paths = {path.stem: path for path in dataset_paths()}
    if name not in paths:
        raise InputError(name, "is no dataset of the workbench", f"choose from {', '.join(paths)}")
    return read_dataset(paths[name])


def _recipe(dataset: Dataset) -> str:
    """Digest all that the pixels hang on: the camera, the plan, the seed, and the simulator's own code."""
    digest = hashlib.sha256(repr((dataset.sensor, dataset.plan, dataset.seed)).encode())
    for module in _LIBRARY:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def _write_index(filled: Path, dataset: Dataset, recipe: str) -> None:
    frames = []
    for path in sorted(filled.rglob("*.fits")):
        with fits.open(path) as hdus:
            place = hdus[0].fileinfo()
        frames.append(
            {
                "file": path.relative_to(filled).as_posix(),
                "offset": place["datLoc"],
                "bytes": place["datSpan"],
                "datasum": _datasum(path, place["datLoc"], place["datSpan"]),
            }
        )
    index = {"dataset": dataset.name, "recipe": recipe, "numpy": np.__version__, "workbench": __version__}
    (filled / INDEX).write_text(json.dumps(index | {"frames": frames}, indent=1) + "\n", encoding="utf-8")


def _fault(home: Path, recipe: str) -> str | None:
    """Say what is wrong with a cached dataset, None when nothing is.

    Raises
    ------
    InputError
        When frames or a manifest were put there that do not belong to it: they are not ours to delete.
    """
    try:
        index = json.loads((home / INDEX).read_text(encoding="utf-8"))
        frames = {item["file"]: (item["offset"], item["bytes"], item["datasum"]) for item in index["frames"]}
        made_by = index["recipe"]
    except OSError:
        return "has no index that can be read"
    except (ValueError, KeyError, TypeError):
        return "has a damaged index"
    for path in home.rglob("*"):
        name = path.relative_to(home).as_posix()
        if name not in frames and (is_frame_name(path) or path.name == "workbench.toml"):
            raise InputError(path, f"does not belong to the dataset {home.name}", "move it out of the cache")
    if made_by != recipe:
        return "was made by another version of the simulator"
    for name, (offset, span, recorded) in frames.items():
        path = home / name
        if not path.is_file() or path.stat().st_size != offset + span:
            return f"{name} is missing or cut short"
        if _datasum(path, offset, span) != recorded:
            return f"{name} does not have the DATASUM recorded when it was made"
    return None


def _datasum(path: Path, offset: int, span: int) -> int:
    return datasum(np.fromfile(path, dtype=np.uint8, count=span, offset=offset))


def _replace(home: Path, filled: Path) -> None:
    """Put a complete dataset in its place, unless another process has put a good one there meanwhile."""
    if home.exists():
        with suppress(FileNotFoundError):  # the other process has just moved it away
            home.rename(filled.with_name("old"))
    try:
        filled.rename(home)
    except OSError:
        if not (home / INDEX).is_file():  # the other process was first: its frames are the same
            raise


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """Lend a folder beside the target to fill and to rename to it; whatever stays in it is removed.

    Every process has its own, so that two that make the same dataset at once do not meet.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as workshop:
            filled = Path(workshop) / "new"
            filled.mkdir()
            yield filled
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(target, f"cannot be written: {reason}", "make room there or choose another folder") from error


def _sweep(target: Path) -> None:
    """Remove what killed processes have left beside the target a day ago or more."""
    for old in target.parent.glob(f".{target.name}.*"):
        if time.time() - old.stat().st_mtime > _DAY:
            shutil.rmtree(old, ignore_errors=True)
