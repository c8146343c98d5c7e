"""Where the frames of a notebook or a report are: a dataset's name and a folder of one's own serve alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.camera.session import list_datasets, open_dataset
from workbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import os


def dataset_names() -> list[str]:
    """List what :func:`frames_of` knows by name."""
    return [str(one["name"]) for one in list_datasets()]


def frames_of(dataset: str | os.PathLike[str], *, progress: bool = False) -> Path:
    """Return the folder of the frames that ``dataset`` names.

    Parameters
    ----------
    dataset
        The name of a dataset, simulated now if it is not there yet, or a path. A name goes first: write ``./embedded``
        for a folder of that name.
    progress
        Show a progress bar on stderr while a dataset is made, where that is a terminal.

    Raises
    ------
    InputError
        When it is neither.
    """
    names = dataset_names()
    if str(dataset) in names:
        return open_dataset(str(dataset), progress=progress)
    path = Path(dataset).expanduser()
    if not path.exists():
        advice = did_you_mean(dataset, names, f"name a folder of frames, or {' or '.join(names)}")
        raise InputError(dataset, "is neither a folder nor a dataset", advice)
    return path.resolve()
