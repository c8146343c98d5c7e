"""Frames on disk: real FITS files with the header of a capture program, a whole session of them at a time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from tqdm import tqdm

from workbench import __version__
from workbench.camera.session_truth import SessionTruth
from workbench.camera.truth import truth_arrays, truth_record
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.camera.plans import Plan, PlannedFrame
    from workbench.camera.sensor import Camera, Sensor

PROGRAM = f"dark-frame workbench {__version__}"
_FRAME_TYPE = {"bias": "BIAS", "dark": "DARK", "darkflat": "DARKFLAT", "flat": "FLAT", "light": "LIGHT"}
_MOST_THREADS = 4  # each holds a frame and what it expects


MANIFEST = "workbench.toml"


def _overscan_manifest(sensor: Sensor) -> str:
    """Say where the overscan strip is: no capture program does, and its columns hold no electrons."""
    rows, columns = sensor.frame_shape
    place = f"rows = [0, {rows}]\ncolumns = [{sensor.shape[1]}, {columns}]\n"
    return f'[[regions]]\nname = "overscan"\nrole = "overscan"\n{place}'


def header(sensor: Sensor, frame: PlannedFrame) -> fits.Header:
    """Write the header that a capture program would: exposure, temperatures, driver settings, geometry, time."""
    cards: list[tuple[str, Any, str]] = [
        ("IMAGETYP", _FRAME_TYPE[frame.kind], "type of exposure"),
        ("EXPOSURE", frame.exposure, "[s] exposure duration"),
        ("EXPTIME", frame.exposure, "[s] exposure duration"),
        ("DATE-OBS", frame.date.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3], "UTC start of the exposure"),
        ("XBINNING", 1, "binning across columns"),
        ("YBINNING", 1, "binning across rows"),
        ("GAIN", sensor.gain_setting, "gain setting of the driver"),
        ("OFFSET", sensor.offset_setting, "offset setting of the driver"),
        ("XPIXSZ", sensor.pixel_size, "[um] pixel pitch"),
        ("YPIXSZ", sensor.pixel_size, "[um] pixel pitch"),
        ("INSTRUME", sensor.name, "camera"),
        ("SET-TEMP", round(frame.temperature, 1), "[degC] set point of the cooler"),
        ("CCD-TEMP", round(frame.temperature, 1), "[degC] temperature of the sensor"),  # as cameras report it
        ("READOUTM", sensor.readout_mode, "readout mode"),
        ("SWCREATE", PROGRAM, "simulated, not shot"),
    ]
    if sensor.claimed_gain:
        cards.insert(8, ("EGAIN", sensor.claimed_gain, "[electron/adu] gain that the driver claims"))
    told = (("FILTER", frame.filter, "name of the filter"), ("OBJECT", frame.target, "what the telescope points at"))
    cards += [card for card in told if card[1]]
    return fits.Header(cards)


def write_frame(path: Path, pixels: NDArray[np.uint16], cards: fits.Header) -> None:
    """Write one frame as 16-bit unsigned FITS with checksums; it appears whole or not at all.

    Parameters
    ----------
    path
        Where to; its folder must exist.
    pixels
        uint16 ``[y, x]`` [adu].
    cards
        The header besides the structural keywords.
    """
    hdu = fits.PrimaryHDU(pixels, header=cards)
    hdu.add_checksum(when="of this data unit")  # by default the comment holds the time, and no two files were alike
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        hdu.writeto(partial, overwrite=True)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def shoot(camera: Camera, plan: Plan, folder: Path, *, progress: bool) -> None:
    """Write the frames of a plan into a folder that exists, and ``truth.json`` and ``truth.npz`` beside them.

    Every frame has its own random stream, from the seed and its place in the plan, so that the frames depend neither
    on the order nor on the number of threads in which they are made.
    """
    truth = SessionTruth(camera, plan)
    frames = list(truth.frames.values())
    for kind in {frame.kind for frame in frames}:
        (folder / kind).mkdir()

    def write(frame: PlannedFrame) -> None:
        pixels = camera.expose(
            frame.kind,
            frame.exposure,
            frame.temperature,
            np.random.default_rng(np.random.SeedSequence([camera.seed, frame.index])),
            light=truth.light(frame.file),
            drift=truth.drift(frame.file),
        )
        write_frame(folder / frame.file, pixels, header(camera.sensor, frame))

    # like frames follow each other, so that the map of what they expect is made once
    waiting = sorted(frames, key=lambda frame: (frame.temperature, frame.exposure, frame.index))
    written = in_threads(write, waiting, min(processors(), _MOST_THREADS))
    for _ in tqdm(written, f"simulating {plan.name}", len(frames), unit="frame", disable=None if progress else True):
        pass
    (folder / "truth.json").write_text(json.dumps(truth_record(truth), indent=1) + "\n", encoding="utf-8")
    if truth.sky is not None:
        np.savez_compressed(folder / "truth.npz", allow_pickle=False, **truth_arrays(truth))
    if camera.sensor.overscan_columns:
        (folder / MANIFEST).write_text(_overscan_manifest(camera.sensor), encoding="utf-8")
