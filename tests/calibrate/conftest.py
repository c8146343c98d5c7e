"""Frames to combine: small, of a camera whose noise is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.flats import calibrate_flats
from workbench.calibrate.master_frame import as_master
from workbench.camera.session import dataset_truth, open_dataset
from workbench.frames.catalogue import catalogue
from workbench.frames.load import load_stack
from workbench.stack.combine import combine

LEVEL, NOISE = 1000.0, 8.0
CARDS = {
    "IMAGETYP": "Dark Frame",
    "EXPTIME": 300.0,
    "CCD-TEMP": -10.0,
    "SET-TEMP": -10.0,
    "GAIN": 100,
    "OFFSET": 30,
    "XBINNING": 1,
    "YBINNING": 1,
    "XPIXSZ": 3.8,
    "INSTRUME": "a camera",
}


def pixels_of(number, shape=(96, 160), level=LEVEL):
    """Draw the pixels of one frame: a fixed pattern, and noise of its own."""
    pattern = np.random.default_rng(1).normal(0, 5, shape)
    noise = np.random.default_rng([2, number]).normal(0, NOISE, shape)
    return np.rint(level + pattern + noise).astype(np.uint16)


@pytest.fixture
def shoot(tmp_path):
    """Write frames into a folder: what a frame has of its own is given by its number."""

    def write(folder="darks", n_frames=12, own=None, change=None, **cards):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for number in range(n_frames):
            pixels = pixels_of(number)
            pixels = pixels if change is None else change(number, pixels)
            unit = fits.PrimaryHDU(pixels)
            said = CARDS | cards | ({} if own is None else own.get(number, {}))
            unit.header.update({key: value for key, value in said.items() if value is not None})
            unit.header["DATE-OBS"] = f"2024-01-01T{number // 60:02}:{number % 60:02}:00.5"
            unit.writeto(place / f"d{number:02}.fits", overwrite=True)
        return place

    return write


@pytest.fixture
def camera():
    return SimpleNamespace(level=LEVEL, noise=NOISE, pixels_of=pixels_of)


@pytest.fixture(scope="session")
def night():
    """The simulated session with masters of its frames, and what they are in truth."""
    table = catalogue(open_dataset("session"))
    truth = dataset_truth("session")

    def frames(kind, exposure=None):
        rows = table[(table["kind"] == kind) & (table["temperature"] == -20)]
        return rows if exposure is None else rows[np.isclose(rows["exposure"], exposure)]

    def master(kind, exposure=None):
        data = combine(load_stack(frames(kind, exposure)), rejection="winsorized").data
        shown = frames(kind, exposure)["exposure"].median()
        return as_master(data, kind, name=f"{kind}_{shown:g}s.fits", exposure=shown, bias_inside=True)

    darkflat = master("darkflat")
    same_level = {"normalisation": "multiplicative", "rejection_normalisation": "multiplicative"}
    flats = combine(calibrate_flats(load_stack(frames("flat")), darkflat), rejection="winsorized", **same_level).data
    return SimpleNamespace(
        table=table,
        truth=truth,
        gain=truth.camera.gain,
        frames=frames,
        bias=master("bias"),
        dark=master("dark", 600),
        long_dark=master("dark", 1200),
        darkflat=darkflat,
        flat=as_master(flats, "flat", name="flat.fits", bias_inside=False),
    )
