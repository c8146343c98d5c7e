"""What many tests share: the folder of real frames."""

import os
from pathlib import Path

import pytest
from astropy.io import fits

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Find the folder of frames that real cameras wrote; it is no part of the project."""
    named = os.environ.get("WORKBENCH_REAL_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if not (folder / "asi178").is_dir():
        message = f"no real frames in {folder}: set WORKBENCH_REAL_DATA to the folder that holds asi178/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def write_fits(tmp_path):
    """Write an image with these cards and return its path; a suffix of ``.fz`` or ``.gz`` packs it."""

    def write(name, pixels, cards=(), **options):
        header = fits.Header(cards)
        path = tmp_path / name
        if name.endswith(".fz"):
            units = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, header, **options)]
        elif options.pop("extension", False):
            units = [fits.PrimaryHDU(header=fits.Header(options.pop("primary", ()))), fits.ImageHDU(pixels, header)]
        else:
            units = [fits.PrimaryHDU(pixels, header)]
        fits.HDUList(units).writeto(path)
        return path

    return write
