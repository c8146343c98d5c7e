"""Overscan, bias, dark and flat are those of ccdproc within 1e-3 adu, lights those of Siril up to its flat's scale."""

import re
import shutil

import ccdproc
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData

from workbench.calibrate.lights import calibrate_default, calibrate_matched
from workbench.calibrate.overscan import trimmed
from workbench.frames.overscan import Overscan, OverscanStrip

NEAR = 1e-3  # adu
STORED = 0.008  # adu; float32 of a range of 65535, and Siril divides by that and multiplies again


@pytest.fixture(scope="module")
def frames(night):
    """A light of the session, its masters, and what ccdproc makes of them."""
    light = night.frames("light")["source"].iloc[0].read()

    def ccd(pixels):
        return CCDData(np.asarray(pixels, np.float64), unit=u.adu)

    return light, night, ccd


def subtract_dark(frame, dark, light_exposure, dark_exposure, *, scale):
    times = {"data_exposure": light_exposure * u.s, "dark_exposure": dark_exposure * u.s}
    return ccdproc.subtract_dark(frame, dark, **times, scale=scale)


def test_a_bias_is_subtracted_as_ccdproc_does(frames):
    light, night, ccd = frames
    theirs = ccdproc.subtract_bias(ccd(light), ccd(night.bias.signal)).data
    assert np.abs(calibrate_default(light, night.bias, dtype=np.float64).values - theirs).max() < NEAR


def test_a_matched_dark_is_subtracted_as_ccdproc_does(frames):
    light, night, ccd = frames
    theirs = subtract_dark(ccd(light), ccd(night.dark.signal), 600, 600, scale=False).data
    assert np.abs(calibrate_matched(light, night.dark, dtype=np.float64).values - theirs).max() < NEAR


def test_a_scaled_dark_is_subtracted_as_ccdproc_does(frames):
    light, night, ccd = frames
    above = ccdproc.subtract_bias(ccd(night.long_dark.signal), ccd(night.bias.signal))
    theirs = subtract_dark(ccdproc.subtract_bias(ccd(light), ccd(night.bias.signal)), above, 600, 1200, scale=True).data
    ours = calibrate_default(light, night.bias, night.long_dark, 0.5, dtype=np.float64).values
    assert np.abs(ours - theirs).max() < NEAR


def test_a_flat_is_divided_by_as_ccdproc_does(frames):
    light, night, ccd = frames
    dark = subtract_dark(ccd(light), ccd(night.dark.signal), 600, 600, scale=False)
    theirs = ccdproc.flat_correct(dark, ccd(night.flat.signal)).data
    ours = calibrate_matched(light, night.dark, night.flat, dtype=np.float64).values
    assert np.abs(ours - theirs).max() < NEAR


@pytest.mark.parametrize("level", ["median", "mean"])
def test_an_overscan_is_subtracted_as_ccdproc_does(level):
    frame = np.random.default_rng(4).normal(900, 12, (64, 80))  # not rounded: of steps our median is another
    rows = slice(0, 64)
    strip = OverscanStrip((rows, slice(70, 80)), (rows, slice(0, 80)))
    ours = trimmed(frame, Overscan((strip,), (rows, slice(0, 70)), level))
    ccd = CCDData(frame, unit=u.adu)
    # one level a frame is our definition; ccdproc takes one a row, so that it is given the level in every pixel
    flat_level = np.full((64, 10), getattr(np, level)(frame[:, 70:]))
    theirs = ccdproc.subtract_overscan(ccd, overscan=CCDData(flat_level, unit=u.adu), overscan_axis=1)
    assert np.abs(ours - ccdproc.trim_image(theirs[:, :70]).data).max() < NEAR


# ---- Siril ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def siril(night, run_siril, tmp_path_factory):
    """Let Siril calibrate one light with our masters, with and without a flat; return the results in adu."""
    home = tmp_path_factory.mktemp("siril")
    rows = night.frames("light").iloc[:2]
    (home / "lights").mkdir()
    for number, path in enumerate(rows["path"], 1):
        shutil.copy(path, home / "lights" / f"light_{number:05}.fits")
    for name, master in (("dark", night.dark), ("flat", night.flat)):
        fits.PrimaryHDU((master.signal / 65535).astype(np.float32)).writeto(home / f"{name}.fits")
    said = run_siril(
        home,
        "setext fits",
        "set32bits",
        f"cd {home}/lights",
        f"link light -out={home}",
        f"cd {home}",
        "preprocess light -dark=dark -prefix=d_",
        "preprocess light -dark=dark -flat=flat -prefix=f_",
    )
    made = {name: home / f"{name}_light_00001.fits" for name in ("d", "f")}
    replaced = int(re.findall(r"(\d+) corrected pixels", said)[0])  # hot ones, by their neighbours
    return rows["source"].iloc[0].read(), replaced, {name: fits.getdata(path) * 65535.0 for name, path in made.items()}


def test_a_dark_is_subtracted_as_siril_does_but_where_it_replaces_hot_pixels(night, siril):
    light, replaced, theirs = siril
    off = np.abs(calibrate_matched(light, night.dark).values - theirs["d"])
    assert np.count_nonzero(off > STORED) <= replaced < 1e-3 * off.size


def test_a_flat_is_divided_by_as_siril_does_but_for_its_scale(night, siril):
    light, replaced, theirs = siril
    ours = calibrate_matched(light, night.dark, night.flat).values
    rows, columns = ours.shape
    third = np.s_[rows // 3 : 2 * rows // 3, columns // 3 : 2 * columns // 3]
    scale = night.flat.signal[third].mean() / night.flat.signal.mean()
    bright = ours > 100
    factor = np.median(theirs["f"][bright] / ours[bright])
    assert factor == pytest.approx(scale, rel=1e-3)
    held = ours * factor < 65_535  # Siril's pixels end there
    assert np.count_nonzero((np.abs(theirs["f"] / factor - ours) > STORED) & held) <= replaced
