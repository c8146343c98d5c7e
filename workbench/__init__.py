"""Measure dark current, gain and read noise of astronomical cameras, with honest errors.

The usual path is three calls: :func:`catalogue` reads the headers of a folder of frames into a table,
:func:`load_stack` turns rows of it into a lazy stack, :func:`measure_camera` measures all that the frames can tell.
Master frames come from :func:`combine`, which makes one frame of a stack.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.camera.session import open_dataset
    from workbench.frames.catalogue import catalogue
    from workbench.frames.load import load_stack
    from workbench.measure.survey import measure_camera
    from workbench.results import Measurement, Results
    from workbench.stack.combine import Combination, combine
    from workbench.stack.recipe import Recipe

__version__ = "0.2.0"
__all__ = [
    "Combination",
    "Measurement",
    "Recipe",
    "Results",
    "__version__",
    "catalogue",
    "combine",
    "load_stack",
    "measure_camera",
    "open_dataset",
]

# imported on first use: a reader of one report should not wait for dask, astropy and scipy
_HOME = {
    "Combination": "workbench.stack.combine",
    "Measurement": "workbench.results",
    "Recipe": "workbench.stack.recipe",
    "Results": "workbench.results",
    "catalogue": "workbench.frames.catalogue",
    "combine": "workbench.stack.combine",
    "load_stack": "workbench.frames.load",
    "measure_camera": "workbench.measure.survey",
    "open_dataset": "workbench.camera.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
