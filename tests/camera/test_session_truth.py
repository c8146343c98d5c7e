"""The embedded session holds what its truth says: frames against their expectation, stars, dates, files beside."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from workbench.camera.parameters import Sensor
from workbench.camera.plans import FrameSet, Plan
from workbench.camera.sensor import Camera
from workbench.camera.session import dataset_camera, dataset_truth, open_dataset, simulate
from workbench.camera.session_truth import SessionTruth
from workbench.camera.sky import Night, Target
from workbench.errors import InputError
from workbench.frames.catalogue import catalogue

ELECTRON = 0.03125  # electron / adu


@pytest.fixture(scope="module")
def home() -> Path:
    return open_dataset("session", progress=False)


@pytest.fixture(scope="module")
def truth() -> SessionTruth:
    return dataset_truth("session")


@pytest.fixture
def small() -> SessionTruth:
    """A session of three small lights, by a camera without drift, hits and switching pixels."""
    sensor = replace(Sensor.from_manifest("qhy163m_like"), shape=(60, 80), vignetting=0.3, dust=1)
    target = Target("field", stars=8, star_flux=1.0, nebula=0.05, dither=2.0, nights=(Night(), Night(rotation=5.0)))
    sets = (
        FrameSet("light", 2, 600.0, -20.0, 0.02, filter="R"),
        FrameSet("light", 1, 600.0, -20.0, 0.02, filter="R", block=2, night=2),
        FrameSet("flat", 1, 9.0, -20.0, 110.0, filter="R", block=2, night=2),
        FrameSet("dark", 1, 600.0, -20.0, block=2, night=2),
    )
    plan = Plan("small", sets, target=target)
    return SessionTruth(Camera(sensor.without("drift", "cosmic_rays", "dark_telegraph"), 3), plan)


# ---- the embedded session


def test_the_session_has_the_frames_that_calibrate_its_lights(truth: SessionTruth) -> None:
    counts = Counter((frame.kind, frame.exposure, frame.temperature) for frame in truth.frames.values())
    assert counts == {
        ("light", 600.0, -20.0): 18,
        ("flat", 9.0, -20.0): 20,
        ("darkflat", 9.0, -20.0): 20,
        ("bias", 5e-5, -20.0): 20,
        ("dark", 600.0, -20.0): 20,
        ("dark", 300.0, -20.0): 10,
        ("dark", 1200.0, -20.0): 10,
        ("dark", 300.0, -15.0): 6,
        ("dark", 300.0, -10.0): 6,
    }
    assert [truth.frame(file).night for file in truth.lights] == [1] * 9 + [2] * 9
    assert truth.camera.sensor.cosmic_ray_rate > 0 < truth.camera.sensor.dark_telegraph_fraction
    assert truth.camera.sensor.clamp_share == 1.0
    assert truth.camera.sensor == dataset_camera("session").sensor


def test_the_catalogue_knows_every_frame_and_finds_no_fault(home: Path, truth: SessionTruth) -> None:
    table = catalogue(home)
    assert set(table["file"]) == set(truth.frames)
    assert table["usable"].all()
    assert not table["problems"].map(len).any()
    assert table["group"].nunique() == 1
    for row in table.itertuples():
        frame = truth.frame(row.file)
        assert (row.kind, row.exposure, row.temperature) == (frame.kind, frame.exposure, frame.temperature)
        assert row.filter == ("H-alpha" if frame.kind in ("light", "flat") else None)
        assert row.object == ("Simulated nebula" if frame.kind == "light" else None)


def test_the_first_night_ends_before_the_second_begins(truth: SessionTruth) -> None:
    frames = list(truth.frames.values())
    assert all(b.date >= a.date + timedelta(seconds=a.exposure) for a, b in pairwise(frames))
    nights = {night: [frame.date for frame in frames if frame.night == night] for night in (1, 2)}
    assert max(nights[1]) - min(nights[1]) < timedelta(hours=12)
    assert min(nights[2]) - min(nights[1]) == timedelta(days=1)


def test_every_kind_of_frame_scatters_about_its_expectation(home: Path, truth: SessionTruth) -> None:
    """Drift, offset, glow, clamp, light and response: whatever the truth lacked would stand far out of these means."""
    files = [*truth.lights[::4], "flat/flat_9s_-20C_007.fits", "bias/bias_-20C_003.fits"]
    files += ["dark/dark_600s_-20C_005.fits", "dark/dark_1200s_-20C_002.fits", "darkflat/darkflat_9s_-20C_001.fits"]
    steady = truth.camera.telegraph_class == 0
    noise = (truth.camera.read_noise_map / ELECTRON) ** 2 + 16**2 / 12
    for file in files:
        electrons = truth.electrons(file)
        sigma = np.sqrt(electrons / ELECTRON**2 + noise)
        pulls = (fits.getdata(home / file) - truth.signal(file)) / sigma
        usual = steady & (electrons < 1500) & (np.abs(pulls) < 6)  # hits and saturated stars apart
        assert usual.mean() > 0.99
        n = usual.sum()
        assert abs(pulls[usual].mean()) < 5 / np.sqrt(n)  # six sigma take no more from one tail than from the other
        assert pulls[usual].std() == pytest.approx(1.0, abs=0.01)


def test_stars_of_the_session_are_recovered_from_its_truth(truth: SessionTruth) -> None:
    rows, columns = np.indices((25, 25))
    tested = 0
    for file in truth.lights[::4]:
        stars = truth.stars(file)
        frame, view = truth.frame(file), truth.view(file)
        assert truth.sky is not None
        diffuse = truth.sky.background(file, frame.light) + truth.sky.nebula(file)
        picture = truth.calibrated(file) - diffuse * frame.exposure * truth.flat_mean
        apart = stars[(stars["nearest"] > 22) & stars["x"].between(13, 568) & stars["y"].between(13, 426)]
        for star in apart.itertuples():
            top, left = round(star.y) - 12, round(star.x) - 12
            aperture = np.hypot(rows + top - star.y, columns + left - star.x) < 11
            assert picture[top : top + 25, left : left + 25][aperture].sum() == pytest.approx(star.electrons, rel=1e-6)
            assert star.electrons == pytest.approx(star.flux * view.transparency * 600.0 * truth.flat_mean)
            tested += 1
    assert tested > 5 * 30


def test_the_glow_corner_matters_and_scaling_the_dark_does_not_remove_it(truth: SessionTruth) -> None:
    glow = {t: truth.camera.glow_electrons(t)[:32, -32:].mean() for t in (300.0, 600.0, 1200.0)}
    light = float(truth.electrons(truth.lights[0])[:32, -32:].mean())
    tile_of_18 = np.sqrt((light + 1.8**2) / 32**2 / 18)
    for exposure in (300.0, 1200.0):
        assert abs(glow[600.0] - 600.0 / exposure * glow[exposure]) > 10 * tile_of_18


def test_flats_divide_vignetting_and_dust_out(home: Path, truth: SessionTruth) -> None:
    flats, darks = (
        np.mean([fits.getdata(path).astype(float) for path in sorted((home / kind).iterdir())], axis=0)
        for kind in ("flat", "darkflat")
    )
    master = (flats - darks) / (flats - darks).mean()
    ratio = (master / truth.flat_field)[:432, :576].reshape(27, 16, 36, 16).mean(axis=(1, 3))
    noise = np.sqrt(1.0 / (990.0 * 0.75 * 20 * 256))  # of the darkest tile; hits are 1e4 electrons at most
    assert np.abs(np.median(ratio) - 1) < 1e-3
    assert np.percentile(np.abs(ratio - 1), 90) < 2 * noise
    tiles = truth.flat_field[:432, :576].reshape(27, 16, 36, 16).mean(axis=(1, 3))
    assert np.ptp(tiles) > 0.2  # there is something to divide out
    assert truth.flat_field.mean() == pytest.approx(1.0, abs=1e-12)


def test_the_files_beside_the_frames_say_what_the_truth_says(home: Path, truth: SessionTruth) -> None:
    record = json.loads((home / "truth.json").read_text(encoding="utf-8"))["sky"]
    arrays = np.load(home / "truth.npz", allow_pickle=False)
    assert [light["file"] for light in record["lights"]] == list(truth.lights)
    flux = np.array([star["flux"] for star in record["stars"]])
    reference = np.array([[star["x"], star["y"], 1.0] for star in record["stars"]]).T
    for number, light in enumerate(record["lights"]):
        stars = truth.stars(light["file"])
        placed = np.array(light["matrix"]) @ reference
        for x, y in (placed[:2], (arrays["star_x"][number], arrays["star_y"][number])):
            assert np.allclose(x, stars["x"], rtol=0, atol=1e-9)
            assert np.allclose(y, stars["y"], rtol=0, atol=1e-9)
        assert np.array_equal(flux, stars["flux"])
    assert np.array_equal(arrays["star_flux"], flux)
    assert np.allclose(arrays["flat_field"], truth.flat_field, rtol=1e-6)
    assert np.allclose(arrays["dark_electrons"], truth.camera.dark_electrons(600.0, -20.0), rtol=1e-6)
    assert arrays["nebula"].max() == pytest.approx(0.04, rel=1e-6)


def test_the_index_of_the_session_covers_its_frames_alone(home: Path, truth: SessionTruth) -> None:
    index = json.loads((home / "index.json").read_text(encoding="utf-8"))
    assert {item["file"] for item in index["frames"]} == set(truth.frames)
    for item in index["frames"][::20]:
        assert str(item["datasum"]) == fits.getheader(home / item["file"])["DATASUM"]


# ---- any session


def test_sessions_with_a_sky_do_not_depend_on_threads_and_are_told_by_the_seed(
    tmp_path: Path, small: SessionTruth, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shot(name: str, seed: int) -> dict[str, bytes]:
        out = simulate(small.camera.sensor, small.plan, tmp_path / name, seed)
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    first = shot("a", 3)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert shot("b", 3) == first
    other = shot("c", 4)
    assert all(other[name] != content for name, content in first.items())
    assert {"truth.json", "truth.npz"} < set(first)


def test_a_calibration_without_error_is_what_the_truth_says(small: SessionTruth) -> None:
    for file in small.lights:
        dark = next(name for name in small.frames if name.startswith("dark/"))
        left = (small.signal(file) - small.signal(dark)) * small.camera.gain / small.flat_field
        assert np.allclose(left, small.calibrated(file), rtol=1e-9)


def test_stars_say_whether_they_can_be_measured(small: SessionTruth) -> None:
    bright = replace(small.plan, target=replace(small.plan.target, stars=60, star_flux=8.0))
    truth = SessionTruth(small.camera, bright)
    stars = truth.stars()
    assert stars.index.name == "star"
    inside = stars["x"].between(-0.5, 79.5) & stars["y"].between(-0.5, 59.5)
    assert (stars["inside"] == inside).all()
    assert 0 < inside.sum() < len(stars)
    brightest = stars[inside]["flux"].idxmax()
    row, column = round(stars.loc[brightest, "y"]), round(stars.loc[brightest, "x"])
    pixels = truth.camera.expose("light", 600.0, -20.0, np.random.default_rng(1), light=truth.light(truth.lights[0]))
    assert stars.loc[brightest, "saturated"] == (pixels[row, column] == 65520)
    assert stars.loc[brightest, "saturated"]
    assert not stars[~stars["inside"]]["saturated"].any()
    fainter = stars[inside & ~stars["saturated"]]
    assert len(fainter) > 0
    assert (pixels[np.rint(fainter["y"]).astype(int), np.rint(fainter["x"]).astype(int)] < 65520).all()
    places = stars[["x", "y"]].to_numpy()
    between = np.hypot(*(places[:, np.newaxis] - places).T)
    np.fill_diagonal(between, np.inf)
    assert stars["nearest"].to_numpy() == pytest.approx(between.min(axis=0))


def test_files_are_found_by_path_and_the_unknown_is_named(small: SessionTruth, tmp_path: Path) -> None:
    first = small.lights[0]
    assert small.frame(tmp_path / first) == small.frame(first)
    with pytest.raises(InputError) as caught:
        small.frame("light/light_5s.fits")
    assert str(caught.value) == f"light/light_5s.fits: is no frame of the session small; name one such as {first}"
    with pytest.raises(InputError, match=r"^flat/.*: is no light; name one such as light/light_600s"):
        small.view("flat/flat_9s_-20C_001.fits")


def test_a_session_without_a_target_has_no_stars(small: SessionTruth) -> None:
    truth = SessionTruth(small.camera, replace(small.plan, target=None))
    assert truth.light(truth.lights[0]) == 0.02
    assert np.allclose(truth.calibrated(truth.lights[0]), 0.02 * 600.0 * truth.flat_mean)
    with pytest.raises(InputError) as caught:
        truth.stars()
    assert str(caught.value) == "small: points at nothing: it has no target; choose a session with a target"
    darks = SessionTruth(small.camera, Plan("darks", small.plan.sets[-1:]))
    with pytest.raises(InputError, match=r"^darks: has no lights; choose a session that has some$"):
        darks.stars()
