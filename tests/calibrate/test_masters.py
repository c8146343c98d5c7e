"""Masters: what is in them, what their headers say, who opens them, and who can check what went into them."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from astropy.io import fits
from astropy.table import Table
from scipy import stats

from workbench.calibrate.master_files import check_inputs, read_master
from workbench.calibrate.master_header import text_card
from workbench.calibrate.masters import make_master
from workbench.errors import FrameError, InputError
from workbench.frames import load
from workbench.frames.catalogue import catalogue
from workbench.results import Verdict
from workbench.stack.combine import combine
from workbench.stack.recipe import Recipe, default_recipe, recipe_of


@pytest.fixture
def master(shoot, tmp_path):
    """Make a master of frames in a folder."""

    def make(folder=None, name="master.fits", **options):
        return make_master(catalogue(folder or shoot()), tmp_path / name, **options)

    return make


def test_the_pixels_are_those_of_the_combination(master, shoot):
    made = master()
    expected = combine(load.load_stack(catalogue(shoot())), rejection="winsorized", low=4, high=3).data
    back = read_master(made.path)
    for name, plane in expected.data_vars.items():
        np.testing.assert_array_equal(back[name], plane)
        assert back[name].dtype == plane.dtype
    assert back["signal"].attrs["units"] == "adu"
    for side, plane in (("low", "rejected_low"), ("high", "rejected_high")):
        assert made.share_rejected(side) == pytest.approx(float(expected[plane].mean()) / 12, rel=1e-12)
    assert made.share_rejected("high") > 0
    assert abs(float(back["signal"].mean()) - 1000) < 1


def test_darks_and_bias_frames_are_combined_as_the_paper_does(master):
    assert master().combination.recipe == recipe_of(rejection="winsorized", low=4, high=3)
    assert recipe_of(**default_recipe("bias")) == recipe_of(rejection="winsorized")
    assert recipe_of(**default_recipe("flat")).words == (
        "mean, winsorized sigma clipping, 4 low, 3 high, multiplicative normalisation, "
        "multiplicative rejection normalisation"
    )


def test_the_header_is_built_from_the_frames(master, shoot):
    own = {number: {"CCD-TEMP": -10.0 + 0.1 * (number % 3)} for number in range(12)}
    header = fits.getheader(master(shoot(own=own, OBJECT="of one frame alone", AIRMASS=1.2)).path)
    said = {
        "BUNIT": "adu", "IMAGETYP": "Master Dark", "NCOMBINE": 12, "STACKCNT": 12, "EXPTIME": 300.0,
        "CCD-TEMP": -9.9, "SET-TEMP": -10, "GAIN": 100, "OFFSET": 30, "XBINNING": 1, "YBINNING": 1, "XPIXSZ": 3.8,
        "INSTRUME": "a camera", "DATE-OBS": "2024-01-01T00:00:00.500", "DATE-END": "2024-01-01T00:16:00.500",
        "COMBMETH": "mean", "REJMETH": "winsorized", "REJLOW": 4.0, "REJHIGH": 3.0, "NORMOUT": "none",
        "WEIGHTS": "none", "BIASIN": True, "ALLREJ": 0, "NOVALUE": 0,
    }  # fmt: skip
    assert {key: header.get(key) for key in said} == said
    temperatures = np.resize([-10.0, -9.9, -9.8], 12)
    assert header["TEMPMEAN"] == pytest.approx(temperatures.mean(), abs=1e-4)
    assert header["TEMPRMS"] == pytest.approx(temperatures.std(), abs=1e-4)
    assert not {"OBJECT", "AIRMASS", "SCALABLE", "DATE"} & set(header)
    assert header["MJD-OBS"] == pytest.approx(60310 + 0.5 / 86400, abs=1e-8)
    assert Recipe.from_dict(json.loads(header["RECIPE"])) == recipe_of(rejection="winsorized")
    assert header["PROGRAM"].startswith("dark-frame workbench ")
    assert header["NUMPYVER"] == np.__version__


def test_what_frames_do_not_share_is_not_said_of_all(master, shoot):
    header = fits.getheader(
        master(shoot(own={3: {"FILTER": "Ha"}, 4: {"EGAIN": 0.5}, 5: {"ROWORDER": "TOP-DOWN"}})).path
    )
    assert not {"FILTER", "EGAIN", "ROWORDER", "BAYERPAT"} & set(header)
    shared = {"FILTER": "Ha", "EGAIN": 0.5, "ROWORDER": "TOP-DOWN", "BAYERPAT": "GRBG", "XBAYROFF": 1}
    header = fits.getheader(master(shoot(**shared), name="2.fits").path)
    assert {key: header.get(key) for key in shared} == shared | {"BAYERPAT": "RGGB", "XBAYROFF": None}  # as it falls


def test_a_frame_without_temperature_gives_none(master, shoot):
    header = fits.getheader(master(shoot(**{"CCD-TEMP": None, "SET-TEMP": None})).path)
    assert not {"CCD-TEMP", "TEMPMEAN", "TEMPRMS", "SET-TEMP"} & set(header)
    assert (
        fits.getheader(master(shoot(own={2: {"CCD-TEMP": None}}), name="2.fits").path)
        .comments["TEMPMEAN"]
        .endswith("of 11 frames")
    )


@pytest.mark.parametrize(("value", "scalable"), [("scale", True), ("match", False), ("not_judged", None)])
def test_the_verdict_on_scaling_goes_into_the_header_with_its_reason(master, value, scalable):
    reason = "glow does not grow with the exposure as the rest does: " + 3 * "the residual is 12 sigma at 600 s; "
    attributes = read_master(master(verdict=Verdict(value, reason)).path).attrs
    assert attributes["SCALABLE"] is scalable
    assert attributes["SCALREAS"] == reason.strip()


def test_a_verdict_on_scaling_is_about_darks(master, shoot):
    with pytest.raises(InputError, match="verdict: is about darks, and these are bias frames; leave it out"):
        master(shoot(IMAGETYP="Bias", EXPTIME=0.001), verdict=Verdict("scale", "so it is"))


def test_whether_the_bias_is_inside_is_unknown_of_processed_frames(shoot, tmp_path):
    folder = shoot(CALSTAT="B")
    made = make_master(catalogue(folder, accept=True), tmp_path / "1.fits", accept=True)
    assert read_master(made.path).attrs["BIASIN"] is None
    made = make_master(catalogue(folder, accept=True), tmp_path / "2.fits", accept=True, bias_inside=False)
    assert read_master(made.path).attrs["BIASIN"] is False
    made = make_master(catalogue(folder), tmp_path / "3.fits", accept=True)  # accepted late
    assert read_master(made.path).attrs["BIASIN"] is None


def test_limits_that_are_off_can_be_written(master):
    header = fits.getheader(master(rejection="sigma", low=float("inf")).path)
    assert (header["REJLOW"], header["REJHIGH"]) == ("none", 3.0)


def test_equal_frames_make_equal_files(master, shoot):
    folder = shoot()
    first = master(folder, "1.fits").path.read_bytes()
    assert first == master(folder, "2.fits", threads=1).path.read_bytes()


def test_the_odd_one_out_is_not_in_the_master(master, shoot):
    made = master(shoot(change=lambda number, pixels: pixels + np.uint16(50) if number == 3 else pixels))
    assert "d03.fits" not in set(made.inputs["file"])
    assert fits.getheader(made.path)["NCOMBINE"] == 11
    assert [one.file for one in made.problems] == ["d03.fits"]


def test_few_frames_and_raw_flats_are_told(master, shoot):
    said = "are few: winsorized clipping needs 10 to 15; the master was made all the same"
    assert [str(one) for one in master(shoot(n_frames=5)).problems] == [f"5 frames: {said}"]
    flats = shoot("flats", IMAGETYP="Flat", change=lambda _, pixels: pixels + np.uint16(20000))
    assert "are raw flats: their bias is multiplied along with their light" in str(master(flats, "f.fits").problems[0])


def test_the_noise_is_that_of_the_frames_over_their_number(master, camera):
    made = master()
    median = np.sqrt(stats.chi2.median(11) / 11)  # of an error that is found from 12 samples, of the true one
    assert made.std_error == pytest.approx(median * camera.noise / 12**0.5, rel=0.02)  # 1 % of the samples are rejected
    assert fits.getheader(made.path)["ERRMED"] == pytest.approx(made.std_error, rel=1e-5)
    fixed = 5.0
    assert made.noise.sigma == pytest.approx(np.hypot(fixed, made.std_error), abs=5 * made.noise.std_error + 0.1)


# ---- the file -------------------------------------------------------------------------------------------------------


def test_the_table_of_inputs_tells_which_frames_went_in(master, shoot):
    folder = shoot(own={4: {"CCD-TEMP": -9.7}})
    made = master(folder)
    table = Table.read(made.path, hdu="INPUTS")
    assert list(table["file"]) == [f"d{number:02}.fits" for number in range(12)]
    assert set(table.colnames) >= {"sha256", "datasum", "exposure", "temperature", "weight", "share_low", "share_high"}
    assert list(table["temperature"][3:6]) == [-10.0, -9.7, -10.0]
    assert str(table["exposure"].unit) == "s"
    assert list(table["weight"]) == [1.0] * 12
    np.testing.assert_array_equal(table["share_high"], made.combination.frames["share_high"])


def test_anyone_can_check_the_inputs_later(master, shoot):
    folder = shoot()
    made = master(folder)
    assert check_inputs(made.path, folder) == []
    with fits.open(folder / "d02.fits", mode="update") as units:
        units[0].header["OBJECT"] = "nothing"
    with fits.open(folder / "d03.fits", mode="update") as units:
        units[0].data[5, 5] += 1
    (folder / "d04.fits").unlink()
    assert [str(one) for one in check_inputs(made.path, folder)] == [
        "d02.fits: has another header, but the same pixels; it may be used",
        "d03.fits: has other pixels than the frame that was combined; combine it anew",
        "d04.fits: is not there; look for it by its sha256, which the table INPUTS holds",
    ]


def test_names_beyond_ascii_come_back(master, shoot):
    folder = shoot()
    (folder / "d00.fits").rename(folder / "дарк 100%.fits")
    made = master(folder)
    assert max(read_master(made.path)["file"].to_numpy()) == "дарк 100%.fits"
    assert check_inputs(made.path, folder) == []
    assert text_card("дарк\x1b") == "?????"


@pytest.mark.parametrize("compress", [False, True])
def test_the_file_is_standard_and_its_sums_hold(master, compress):
    path = master(compress=compress).path
    with fits.open(path, disable_image_compression=True) as units:
        units.verify("exception")
        assert [one.name for one in units] == ["SCI", "ERR", "NREJL", "NREJH", "NKEPT", "DQ", "INPUTS"]
        assert [(one.verify_datasum(), one.verify_checksum()) for one in units] == [(1, 1)] * 7
        assert units["DQ"].header["MSKNAM00"] == "ALL_REJECTED"
    with fits.open(path) as units:
        assert units["ERR"].shape == (1, 96, 160)
        assert units["NKEPT"].data.dtype == np.uint8
        assert units[0].data.dtype == ">f4"
    xr.testing.assert_identical(read_master(path), read_master(master(name="plain.fits").path))


def test_maps_can_be_left_out(master):
    made = master(maps=False)
    assert [one[1] for one in fits.info(made.path, output=False)] == ["SCI", "INPUTS"]
    assert (made.std_error, made.count(1)) == (None, None)
    assert "std_error" not in read_master(made.path)


def test_a_quick_master_has_the_same_pixels_and_says_what_it_lacks(master, shoot):
    whole, quick = master(), master(name="quick.fits", quick=True)
    assert set(quick.combination.arrays) == {"signal"}
    back = read_master(quick.path)
    np.testing.assert_array_equal(back["signal"], read_master(whole.path)["signal"])
    assert [one.rule for one in quick.problems] == ["were neither hashed nor looked at for what does not belong"]
    (told,) = check_inputs(quick.path, shoot())
    assert "keeps no hashes of its frames" in told.rule


def test_minima_have_no_errors(master):
    assert "ERR" not in [one[1] for one in fits.info(master(method="min", rejection="none").path, output=False)]


def test_damage_is_seen_and_other_files_are_refused(master, shoot, tmp_path):
    path = master().path
    content = bytearray(path.read_bytes())
    content[20000] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"master\.fits: is damaged: the DATASUM of SCI is another; combine the frames"
    ):
        read_master(path)
    with pytest.raises(InputError, match=r"d00\.fits: is no master of this workbench; name a master that"):
        read_master(shoot() / "d00.fits")
    with pytest.raises(InputError, match=r"none\.fits: cannot be read"):
        read_master(tmp_path / "none.fits")


def test_ccdproc_and_astropy_open_it(master):
    ccdproc = pytest.importorskip("ccdproc")
    made = master()
    image = ccdproc.CCDData.read(made.path, unit="adu")
    np.testing.assert_array_equal(image.data, made.combination.data["signal"])
    assert image.header["EXPTIME"] == 300.0
    np.testing.assert_array_equal(fits.getdata(made.path, "NREJH"), made.combination.data["rejected_high"])


@pytest.mark.parametrize("compress", [False, True])
def test_siril_opens_it_and_reads_what_it_is(master, run_siril, tmp_path, compress):
    made = master(compress=compress)
    run_siril(tmp_path, "load master.fits", "save siril")
    with fits.open(next(tmp_path.glob("siril.fit*"))) as units:
        # Siril holds floating point pixels as parts of 65535
        np.testing.assert_allclose(units[0].data * 65535, made.combination.data["signal"], rtol=1e-6)
        assert (units[0].header["STACKCNT"], units[0].header["EXPTIME"]) == (12, 300.0)


# ---- where it is written, and frames that change meanwhile ----------------------------------------------------------


def test_what_cannot_be_written_is_told_before_the_work(master, shoot, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.calibrate.masters.admit", lambda *_, **__: pytest.fail("the work began"))
    (tmp_path / "there.fits").write_bytes(b"")
    for name, said in (
        ("there.fits", "there.fits: is there already; choose another name, or replace it with --overwrite"),
        (".", "is a folder; name a file for the master, such as master_dark.fits"),
        ("no/where.fits", "where.fits: has no folder"),
        ("darks/d03.fits", "d03.fits: is one of the frames to be combined; choose another name"),
    ):
        with pytest.raises(InputError, match=said):
            master(shoot(), name, overwrite=name.startswith("darks"))


def test_a_master_among_its_frames_is_replaced_and_not_combined(master, shoot):
    folder = shoot()
    master(folder, "darks/master.fits")
    assert len(master(folder, "darks/master.fits", overwrite=True).inputs) == 12


def test_a_folder_that_goes_meanwhile_leaves_nothing(master, shoot, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("workbench.calibrate.masters.mrs_noise", lambda *_, **__: (tmp_path / "out").rmdir())
    with pytest.raises(InputError, match=r"master\.fits: cannot be written \(No such file or directory\)"):
        master(shoot(), "out/master.fits")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "d05.fits: has gone while it was being read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3000]), "d05.fits: is truncated: it was cut while it was"),
        (lambda path: path.touch(), "d05.fits: was changed while it was being read; let nothing write there"),
    ],
)
def test_a_frame_that_changes_after_it_was_read_spoils_the_record(master, shoot, tmp_path, monkeypatch, harm, said):
    folder = shoot()

    def combine_and_harm(*words, **options):
        done = combine(*words, **options)
        harm(folder / "d05.fits")
        return done

    monkeypatch.setattr("workbench.calibrate.masters.combine", combine_and_harm)
    with pytest.raises(FrameError, match=said):
        master(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["darks"]


def test_rows_of_a_catalogue_are_not_changed(shoot, tmp_path):
    rows = catalogue(shoot(change=lambda number, pixels: pixels + np.uint16(50) if number == 3 else pixels))
    before = rows.copy(deep=True)
    make_master(rows, tmp_path / "m.fits")
    pd.testing.assert_frame_equal(rows, before)
