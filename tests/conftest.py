"""What many tests share: the folder of real frames."""

import os
import shutil
import subprocess
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


@pytest.fixture(scope="session")
def run_siril():
    """Give a function that has Siril run the lines of a script in a folder, and returns what it said."""
    if not shutil.which("siril-cli"):
        message = "siril-cli is not installed (Debian package siril): no comparison with it"
        if os.environ.get("CI") == "true" and "siril" in (CHECKOUT / ".ci" / "run").read_text():
            pytest.fail(message)
        pytest.skip(message)

    def run(home, *lines):
        (home / "go.ssf").write_text("\n".join(["requires 1.0.0", *lines]) + "\n")
        done = subprocess.run(
            ["siril-cli", "-s", "go.ssf", "-d", str(home)],
            cwd=home,
            check=False,
            env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        return done.stdout

    return run


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
