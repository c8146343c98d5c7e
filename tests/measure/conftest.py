"""Surveys that several tests look at, made once."""

import pytest

from workbench.camera.session import dataset_camera, open_dataset
from workbench.frames.catalogue import catalogue
from workbench.measure.survey import measure_camera


@pytest.fixture(scope="session")
def embedded():
    """Catalogue, results and true camera of the embedded dataset."""
    frames = catalogue(open_dataset("embedded", progress=False))
    return frames, measure_camera(frames), dataset_camera("embedded")


@pytest.fixture(scope="session")
def asi178(real_data):
    """Catalogue and results of a real camera without flats."""
    frames = catalogue(real_data / "asi178")
    return frames, measure_camera(frames)
