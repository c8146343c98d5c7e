"""A night of a simulated CCD, whose offset drifts and whose darks scale, and a glowing camera, whose darks do not."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from workbench.calibrate.master_files import read_master
from workbench.calibrate.night import NightOptions, run_night
from workbench.calibrate.night_plan import plan_night
from workbench.calibrate.night_scaling import Scaling
from workbench.camera.session import Camera, FrameSet, Plan, Sensor, SessionTruth, open_dataset, simulate
from workbench.camera.sky import Target
from workbench.cli import main
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue
from workbench.frames.paths import catalogue_of
from workbench.measure.survey import measure_camera
from workbench.results import Results, Verdict, rounded
from workbench.show.night_log import write_night_log
from workbench.show.night_words import plan_text

SHAPE, STRIP = (160, 200), 24  # rows and columns of the image, columns of the overscan
DRIFT = 8.0  # adu, from frame to frame
SEED = 7
SETS = (
    FrameSet("light", 4, 600.0, -20.0, light=0.5, filter="R", block=1),
    FrameSet("flat", 10, 3.0, -20.0, light=12_000.0, filter="R", block=2),
    FrameSet("bias", 12, 0.0, -20.0, block=3),
    FrameSet("dark", 12, 600.0, -20.0, block=3),
    FrameSet("dark", 12, 1200.0, -20.0, block=3),
)
PLAN = Plan("ccd", SETS, target=Target("field", stars=45, star_flux=20.0, fwhm=2.8, dither=3.0))


@pytest.fixture(scope="module")
def ccd():
    """Make the CCD small, hotter than usual so that its darks matter, and its offset drift."""
    sensor = Sensor.from_manifest("well_behaved_ccd")
    hot = {"dark_current": 0.1, "hot_fraction": 0.02, "hot_current": 2.0}
    return replace(sensor, shape=SHAPE, overscan_columns=STRIP, drift=DRIFT, **hot)


@pytest.fixture(scope="module")
def folder(ccd, tmp_path_factory):
    return simulate(ccd, PLAN, tmp_path_factory.mktemp("ccd") / "night", SEED)


@pytest.fixture(scope="module")
def truth(ccd):
    return SessionTruth(Camera(ccd, SEED), PLAN)


def without_matching_darks(frames):
    return frames[~((frames["kind"] == "dark") & (frames["exposure"] == 600))]


def calibrated(frames, truth, out, **plan):
    """Run a night; return it and, light by light, what is wrong with it and its uncertainty, away from stars [adu]."""
    night = run_night(plan_night(frames, **plan), out, NightOptions(gain=truth.camera.gain))
    found = []
    for one in night.calibrated:
        with fits.open(out / one.file) as units:
            values, sigma = (units[name].data.squeeze().astype(np.float64) for name in ("SCI", "ERR"))
        expected = truth.calibrated(one.plan.file) / truth.camera.gain
        sky = expected < 1.2 * np.median(expected)
        found.append(np.where(sky, [values[:, : SHAPE[1]] - expected, sigma[:, : SHAPE[1]]], np.nan))
    return night, np.array(found)


def level_error(n_darks):
    """Error of a light's level [adu]: that of the median of its strip, of the strips of the darks, of all pixels."""
    strip = 9.0 / 1.5 * 1.2533 / np.sqrt(SHAPE[0] * STRIP)
    return np.hypot(strip * np.sqrt(1 + 1 / n_darks), 0.09)  # the light's own noise, 14 adu over 25 000 pixels of sky


# ---- overscan -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def night(folder, truth, tmp_path_factory):
    return calibrated(catalogue(folder), truth, tmp_path_factory.mktemp("out"))


def test_lights_are_the_truth_within_their_errors_although_the_offset_drifts(night, truth):
    run, (errors, sigmas) = night[0], np.moveaxis(night[1], 1, 0)
    assert not [one for one in run.problems if "left out" in one.action]
    drifts = [truth.drift(light) for light in truth.lights]
    assert np.ptp(drifts) > 20 * level_error(n_darks=12)  # else there would be nothing to see
    medians = np.nanmean(np.where(np.abs(errors) < 5 * sigmas, errors, np.nan), axis=(1, 2))
    assert np.abs(medians).max() < 4 * level_error(n_darks=12)
    pulls = (errors / sigmas)[np.isfinite(errors)]
    assert 1.4826 * np.median(np.abs(pulls)) == pytest.approx(1, abs=0.05)


def test_masters_and_lights_have_the_shape_of_the_image_and_say_why(night):
    run = night[0]
    assert {read_master(run.out / file)["signal"].shape for file in run.masters} == {SHAPE}
    assert len(run.masters) == 3
    said = "median of rows 0-159, columns 200-223 from rows 0-159, columns 0-223; cut to rows 0-159, columns 0-199"
    for file in run.masters:
        assert fits.getheader(run.out / file)["OVERSCAN"] == said
    header = fits.getheader(run.out / run.calibrated[0].file)
    assert (header["NAXIS1"], header["NAXIS2"]) == SHAPE[::-1]
    assert f"overscan: {said} (regions of workbench.toml)" in "".join(header["HISTORY"])
    assert f"overscan, of every frame: {said} (regions of workbench.toml)" in plan_text(run.plan)
    assert f"overscan, of every frame: {said} (regions" in write_night_log(run).read_text()
    assert fits.getdata(run.out / "field_R.fits").shape == SHAPE


def test_without_it_lights_are_off_by_their_drift(folder, truth, tmp_path):
    run, found = calibrated(catalogue(folder), truth, tmp_path, use_overscan=False)
    off = np.nanmedian(found[:, 0], axis=(1, 2))
    darks = [truth.drift(file) for file, one in truth.frames.items() if (one.kind, one.exposure) == ("dark", 600)]
    drifts = np.array([truth.drift(light) for light in truth.lights]) - np.mean(darks)
    np.testing.assert_allclose(off, drifts, atol=1.5)
    assert read_master(run.out / "masters" / "master_bias.fits")["signal"].shape == (SHAPE[0], SHAPE[1] + STRIP)
    assert "overscan" not in plan_text(run.plan)


def test_the_command_switches_it_off(capsys, folder, tmp_path):
    command = ["calibrate", str(folder), "-o", str(tmp_path / "out"), "--dry-run"]
    for words, times in (([], 1), (["--no-overscan"], 0)):
        assert main([*command, *words]) == 0
        assert capsys.readouterr().out.count("overscan, of every frame: median of rows") == times


def test_a_master_made_with_overscan_serves_no_night_without_and_the_reverse(night, folder, tmp_path):
    (dark,) = (night[0].out / file for file in night[0].masters if "dark" in file)
    (tmp_path / "dark.fits").write_bytes(dark.read_bytes())
    frames = catalogue_of([folder / "light", tmp_path / "dark.fits"], manifest=folder / "workbench.toml")
    assert [one.ready for one in plan_night(frames, use_flats=False).masters] == [True]
    with pytest.raises(InputError, match=r"its shape is 200 x 160, the light's 224 x 160; its overscan is median of"):
        plan_night(frames, use_flats=False, use_overscan=False)


def header_night(folder, **cards):
    """Write two lights and three darks that say themselves where their overscan is."""
    for kind, count in (("light", 2), ("dark", 3)):
        for number in range(count):
            rng = np.random.default_rng([number, count])
            unit = fits.PrimaryHDU(rng.normal(1000, 20, (32, 48)).astype(np.uint16))
            unit.header.update({"IMAGETYP": kind, "EXPTIME": 600.0, "CCD-TEMP": -20.0, "CRPIX1": 24.5, "CRPIX2": 16.5})
            unit.header.update(cards)
            folder.mkdir(exist_ok=True)
            unit.writeto(folder / f"{kind}_{number}.fits")
    return folder


def test_sections_of_headers_are_taken_and_the_sky_moves_along(tmp_path):
    folder = header_night(tmp_path / "night", BIASSEC="[1:6,1:32]", TRIMSEC="[9:48,3:32]")
    plan = plan_night(catalogue(folder))
    (light, _) = plan.lights
    assert light.overscan.image == (slice(2, 32), slice(8, 48))
    assert light.overscan.origin == "BIASSEC and TRIMSEC"
    try:
        run_night(plan, tmp_path / "out")  # there are no stars in it
    except InputError as error:
        pytest.fail(str(error))
    header = fits.getheader(tmp_path / "out" / "calibrated" / "light_0_c.fits")
    assert (header["NAXIS1"], header["NAXIS2"], header["CRPIX1"], header["CRPIX2"]) == (40, 30, 16.5, 14.5)
    assert "TRIMSEC" not in header


def test_a_bad_section_is_named_once_and_ignored(tmp_path):
    folder = header_night(tmp_path / "night", BIASSEC="[1:6,1:32]", TRIMSEC="[9:60,3:32]", DATASEC="[4:48,1:32]")
    plan = plan_night(catalogue(folder))
    assert [light.overscan for light in plan.lights] == [None, None]
    rules = [str(one) for one in plan.problems]
    assert (
        sum("TRIMSEC: columns 9 to 60 are none of a frame with 48 columns (so in 4 more)" in one for one in rules) == 1
    )
    assert sum("reaches into DATASEC" in one and "both ignored" in one for one in rules) == 1


def test_a_manifest_goes_before_headers_and_has_to_fit(tmp_path):
    folder = header_night(tmp_path / "night", BIASSEC="[1:6,1:32]", TRIMSEC="[9:48,3:32]")
    strip = "[[regions]]\nname = 'o'\nrole = 'overscan'\nrows = [0, 32]\ncolumns = [40, {}]\n"
    (folder / "workbench.toml").write_text(strip.format(48))
    images = [light.overscan.image for light in plan_night(catalogue(folder)).lights]
    assert images == [(slice(0, 32), slice(0, 40))] * 2
    place = "rows = [0, 32], columns = [40, 56]"
    (folder / "workbench.toml").write_text(
        f"[overscan]\nstrips = [{{ source = {{ {place} }}, target = {{ {place} }} }}]"
    )
    with pytest.raises(InputError, match=r"columns 40-55 are not all in .*, which has 32 x 48 pixels"):
        plan_night(catalogue(folder))


def test_colours_do_not_change_places(tmp_path):
    folder = header_night(tmp_path / "night", BIASSEC="[1:6,1:32]", TRIMSEC="[8:48,1:32]", BAYERPAT="RGGB")
    with pytest.raises(InputError, match="begins at an odd row or column: its colours would change places"):
        plan_night(catalogue(folder))


def test_the_header_of_an_observatory_is_understood(real_data, tmp_path):
    original = real_data / "small" / "ccdproc_a8280271.fits"
    for kind, names in (("light", ("l0", "l1")), ("dark", ("d0", "d1"))):
        for name in names:
            with fits.open(original) as units:
                units[0].header["IMAGETYP"] = kind
                units[0].data[0, 0] += int(name[1])  # else one is a copy of the other
                units.writeto(tmp_path / f"{name}.fits", output_verify="ignore")
    plan = plan_night(catalogue(tmp_path))
    for light in plan.lights:
        assert light.overscan.image == (slice(0, 520), slice(16, 528))
        assert [one.source for one in light.overscan.strips] == [(slice(0, 520), slice(3, 13))]
        assert light.overscan.words.endswith("cut to rows 0-519, columns 16-527 (BIASSEC and TRIMSEC)")
    (dark,) = plan.masters
    assert (dark.rows["height"].iloc[0], dark.rows["width"].iloc[0]) == (520, 512)


# ---- scaled darks ---------------------------------------------------------------------------------------------------


def test_no_dark_is_scaled_unless_asked_for(folder):
    with pytest.raises(InputError, match=r"its exposure is 1200 s, the light's 600 s: 600 s off, more than the 6 s"):
        plan_night(without_matching_darks(catalogue(folder)))


def test_a_dark_that_matches_is_not_scaled_though_asked_for(folder):
    plan = plan_night(catalogue(folder), scaling=Scaling())
    assert {(light.dark.file, light.scaling) for light in plan.lights} == {("masters/master_dark_600s_-20C.fits", None)}


@pytest.mark.parametrize("by", ["exposure", "noise", "hot-pixels"])
def test_scaled_darks_of_a_ccd_leave_nothing(folder, truth, tmp_path, by):
    frames = without_matching_darks(catalogue(folder))
    scaling = Scaling(by, Verdict("scale", "they predict each other"))
    run, found = calibrated(frames, truth, tmp_path, scaling=scaling)
    errors, sigmas = found[:, 0], found[:, 1]
    dark = truth.camera.dark_electrons(600.0, -20.0) / truth.camera.gain
    hot = dark > np.median(dark) + 100
    assert hot.sum() > 100
    pattern = (dark - np.median(dark)) / truth.flat_field
    used = np.isfinite(errors) & (np.abs(errors) < 6 * sigmas)
    weights = np.where(used, sigmas, np.inf) ** -2.0
    errors = np.where(used, errors, 0) - np.sum(weights * np.where(used, errors, 0)) / weights.sum()
    left = np.sum(weights * errors * pattern) / np.sum(weights * pattern**2)
    # the master's noise is common to all lights: their errors do not fall with their number
    error = np.sqrt(len(errors) / np.sum(weights * pattern**2))
    assert abs(left) < 4 * error
    assert error < 0.01
    ks = [(one.facts["k"], one.facts["k_error"]) for one in run.calibrated]
    assert all(abs(k - 0.5) <= 4 * k_error for k, k_error in ks)
    header = fits.getheader(run.out / run.calibrated[0].file)
    assert (header["DARKK"], header["CALSTAT"]) == (pytest.approx(ks[0][0], rel=1e-6), "BDF")
    assert "they predict each other" in plan_text(run.plan)
    assert f"dark x {rounded(*ks[0])[0]}" in write_night_log(run).read_text()


def test_a_shorter_dark_is_never_scaled_up(folder):
    frames = catalogue(folder)
    frames = frames[~((frames["kind"] == "dark") & (frames["exposure"] == 600))]
    frames.loc[frames["kind"] == "light", "exposure"] = 1800.0
    with pytest.raises(InputError, match=r"its exposure is 1200 s, the light's 1800 s: a dark is never scaled up"):
        plan_night(frames, scaling=Scaling())


def test_without_bias_frames_nothing_is_scaled(folder):
    frames = without_matching_darks(catalogue(folder))
    with pytest.raises(InputError, match="its dark is longer, and no bias frames are there to scale what is above"):
        plan_night(frames[frames["kind"] != "bias"], scaling=Scaling(), use_flats=False)


def test_a_verdict_against_it_in_any_group_refuses():
    differ = Verdict("not_judged", "they differ", {"by_group": [{"value": "match", "reason": "glow"}]})
    assert Scaling("exposure", differ).refusal == "longer darks may not be scaled: glow"
    assert not Scaling("exposure", Verdict("scale", "they predict each other")).refusal


def test_a_glowing_camera_is_refused_with_its_verdict(capsys, tmp_path):
    session = open_dataset("session")
    frames = catalogue(session)
    cold = frames[(frames["temperature"] == -20) & frames["kind"].isin(["bias", "dark"])]
    results = measure_camera(cold, gain=0.03)
    assert results.verdicts["dark_scaling"].value == "match"
    path = results.write(tmp_path / "results.json")
    reason = Results.read(path).verdicts["dark_scaling"].reason
    darks = sorted((session / "dark").glob("dark_1200s_*"))
    words = [str(one) for one in (session / "light", session / "bias", *darks)]
    command = ["calibrate", *words, "-o", str(tmp_path / "out"), "--no-flat", "--dry-run", "--results", str(path)]
    assert main([*command, "--scale-darks"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"longer darks may not be scaled: {reason}" in said


def test_how_without_whether_is_one_line(capsys, folder, tmp_path):
    assert main(["calibrate", str(folder), "-o", str(tmp_path), "--scale-by", "noise"]) == 2
    assert capsys.readouterr().err.strip() == "--scale-by noise: scales nothing by itself; add --scale-darks"
