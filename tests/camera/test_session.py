import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from workbench.camera import session
from workbench.camera.parameters import Sensor
from workbench.camera.plans import FrameSet, Plan
from workbench.camera.session import Camera, dataset_camera, list_datasets, open_dataset, simulate
from workbench.errors import InputError
from workbench.resources import folder

SMALL = """schema = "workbench-simulated-dataset/1"
[dataset]
title = "A small one"
camera = "qhy163m_like"
seed = 5
shape = [24, 30]
licence = "CC0-1.0"
[switched_off]
terms = ["cosmic_rays"]
reason = "a test"
[[frames]]
kind = "bias"
count = 3
exposure = 5e-5
temperature = -20.0
[[frames]]
kind = "dark"
count = 3
exposure = 60.0
temperature = -20.0
[[frames]]
kind = "flat"
count = 2
exposure = 2.0
temperature = -20.0
light = 200.0
block = 2
"""
PLAN = Plan(
    "tiny", (FrameSet("bias", 1, 5e-5, -20.0), FrameSet("dark", 3, 60.0, -20.0), FrameSet("flat", 1, 1.0, -20.0, 99.0))
)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make ``small`` the one dataset, and return the folder that it will be cached in."""
    manifests = tmp_path / "data_manifests"
    shutil.copytree(folder("data_manifests") / "cameras", manifests / "cameras")
    (manifests / "small.toml").write_text(SMALL, encoding="utf-8")
    for module in ("workbench.camera.plans", "workbench.camera.manifests"):
        monkeypatch.setattr(f"{module}.folder", lambda name: tmp_path / name)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets" / "small"


@pytest.fixture
def sensor() -> Sensor:
    return Sensor("tiny", (12, 16), 3.8, 12, 0.5, bias_level=1600.0, read_noise=1.7, drift=20.0, dark_current=0.02)


def pixels(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in sorted(home.rglob("*.fits"))}


def beside(home: Path) -> list[str]:
    return [path.name for path in home.parent.iterdir()]


# ---- sessions


def test_a_session_is_written_whole_with_its_truth_beside(tmp_path: Path, sensor: Sensor) -> None:
    out = simulate(sensor, PLAN, tmp_path / "new" / "night", seed=5)
    assert sorted(pixels(out)) == [
        "bias/bias_-20C_001.fits",
        *(f"dark/dark_60s_-20C_00{n}.fits" for n in (1, 2, 3)),
        "flat/flat_1s_-20C_001.fits",
    ]
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    camera = Camera(sensor, 5)
    assert truth["values"]["gain"] == {"value": 0.03125, "unit": "electron / adu"}
    assert truth["values"]["read_noise"]["value"] == camera.read_noise
    assert [(item["exposure"], item["mean"]) for item in truth["darks"]] == [
        (t, camera.dark_mean(t, -20.0)) for t in (5e-5, 60.0)
    ]
    assert truth["darks"][1]["variance"] == pytest.approx(camera.variance(60.0, -20.0).mean())
    assert beside(out) == ["night"]


def test_frames_do_not_depend_on_the_number_of_threads(
    tmp_path: Path, sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pixels(simulate(sensor, PLAN, tmp_path / "a", seed=5))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert pixels(simulate(sensor, PLAN, tmp_path / "b", seed=5)) == first
    assert pixels(simulate(sensor, PLAN, tmp_path / "c", seed=6)) != first


def test_every_frame_can_be_made_again_by_itself(tmp_path: Path, sensor: Sensor) -> None:
    out = simulate(sensor, PLAN, tmp_path / "a", seed=5)
    camera = Camera(sensor, 5)
    planned = PLAN.frames(5)
    drifts = camera.drifts(len(planned), np.random.default_rng(np.random.SeedSequence(5, spawn_key=(101,))))
    for frame in planned:
        rng = np.random.default_rng(np.random.SeedSequence([5, frame.index]))
        again = camera.expose(
            frame.kind, frame.exposure, -20.0, rng, light=frame.light, drift=float(drifts[frame.index])
        )
        assert np.array_equal(again, fits.getdata(out / frame.file))


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, sensor: Sensor) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        simulate(sensor, PLAN, tmp_path, seed=5)
    assert str(caught.value) == f"{tmp_path}: is there already and not empty; name a new folder"


def test_an_empty_folder_is_filled(tmp_path: Path, sensor: Sensor) -> None:
    assert len(pixels(simulate(sensor, PLAN, tmp_path / "night", seed=5))) == 5
    (tmp_path / "empty").mkdir()
    assert len(pixels(simulate(sensor, PLAN, tmp_path / "empty", seed=5))) == 5


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, sensor: Sensor) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        simulate(sensor, PLAN, tmp_path / "file" / "night", seed=5)
    rule = f"{tmp_path / 'file' / 'night'}: cannot be written: "
    assert str(caught.value).startswith(rule)
    assert str(caught.value).endswith("; make room there or choose another folder")


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_session_that_is_broken_off_leaves_no_trace(
    tmp_path: Path, sensor: Sensor, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("workbench.camera.capture.write_frame", fail)
    with pytest.raises((KeyboardInterrupt, InputError)):
        simulate(sensor, PLAN, tmp_path / "night", seed=5)
    assert list(tmp_path.iterdir()) == []


def test_the_bar_is_silent_where_there_is_no_terminal(
    tmp_path: Path, sensor: Sensor, capfd: pytest.CaptureFixture[str]
) -> None:
    simulate(sensor, PLAN, tmp_path / "night", seed=5, progress=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [True, False])
def test_a_terminal_sees_the_bar_where_it_is_asked_for(
    tmp_path: Path, sensor: Sensor, monkeypatch: pytest.MonkeyPatch, *, progress: bool
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    simulate(sensor, PLAN, tmp_path / "night", seed=5, progress=progress)
    assert ("5/5" in terminal.getvalue()) is progress


# ---- datasets


def test_a_dataset_is_made_once_and_found_afterwards(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert list_datasets()[0] | {"path": ""} == {
        "name": "small",
        "title": "A small one",
        "licence": "CC0-1.0",
        "frames": 8,
        "size": 8 * 24 * 30 * 2,
        "cached": False,
        "path": "",
    }
    home = open_dataset("small")
    assert home == small
    stamp = (home / "index.json").stat().st_mtime_ns
    assert open_dataset("small") == home
    assert (home / "index.json").stat().st_mtime_ns == stamp
    assert list_datasets()[0]["cached"]
    assert beside(home) == ["small"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("small")
def test_the_index_records_what_the_fits_headers_say_and_the_version_of_numpy() -> None:
    home = open_dataset("small")
    index = json.loads((home / "index.json").read_text(encoding="utf-8"))
    assert index["numpy"] == np.__version__
    assert len(index["frames"]) == 8
    for item in index["frames"]:
        assert str(item["datasum"]) == fits.getheader(home / item["file"])["DATASUM"]


@pytest.mark.usefixtures("small")
def test_the_camera_of_a_dataset_is_the_one_that_took_its_frames() -> None:
    home = open_dataset("small")
    camera = dataset_camera("small")
    assert camera.sensor.cosmic_ray_rate == 0
    bias = np.mean([fits.getdata(path) for path in sorted((home / "bias").iterdir())], axis=0)
    pattern = camera.offset_map - camera.offset_map.mean()
    share = float(np.sum(bias * pattern) / np.sum(pattern**2))  # of another camera's pattern there would be none
    error = float(np.sqrt(camera.variance(5e-5, -20.0).mean() / 3 / np.sum(pattern**2)))
    assert abs(share - 1) < 4 * error < 0.6


def damage_pixels(home: Path) -> str:
    path = home / "dark" / "dark_60s_-20C_002.fits"
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)
    return "dark/dark_60s_-20C_002.fits does not have the DATASUM recorded when it was made"


def cut_short(home: Path) -> str:
    path = home / "bias" / "bias_-20C_001.fits"
    path.write_bytes(path.read_bytes()[:4000])
    return "bias/bias_-20C_001.fits is missing or cut short"


def lose_a_frame(home: Path) -> str:
    (home / "flat" / "flat_2s_-20C_002.fits").unlink()
    return "flat/flat_2s_-20C_002.fits is missing or cut short"


def lose_the_index(home: Path) -> str:
    (home / "index.json").unlink()
    return "has no index that can be read"


def spoil_the_index(home: Path) -> str:
    (home / "index.json").write_text('{"frames": [', encoding="utf-8")
    return "has a damaged index"


def age(home: Path) -> str:
    index = json.loads((home / "index.json").read_text(encoding="utf-8"))
    (home / "index.json").write_text(json.dumps(index | {"recipe": "older"}), encoding="utf-8")
    return "was made by another version of the simulator"


@pytest.mark.parametrize("harm", [damage_pixels, cut_short, lose_a_frame, lose_the_index, spoil_the_index, age])
def test_a_damaged_dataset_is_made_again_with_a_line_that_says_why(
    small: Path, capfd: pytest.CaptureFixture[str], harm: object
) -> None:
    whole = pixels(open_dataset("small"))
    fault = harm(small)
    assert pixels(open_dataset("small")) == whole
    assert capfd.readouterr().err == f"{small}: {fault}; the frames are made again\n"
    assert beside(small) == ["small"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["my_dark.fits", "dark/master.xisf", "workbench.toml"])
def test_foreign_files_in_the_cache_are_named_and_never_deleted(name: str) -> None:
    foreign = open_dataset("small") / name
    foreign.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        open_dataset("small")
    assert str(caught.value) == f"{foreign}: does not belong to the dataset small; move it out of the cache"
    assert foreign.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["big", "../small", "cameras/qhy163m_like"])
@pytest.mark.usefixtures("small")
def test_an_unknown_dataset_is_answered_with_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_dataset(name)
    assert str(caught.value) == f"{name}: is no dataset of the workbench; choose from small"


def test_a_dataset_that_another_process_has_made_meanwhile_is_kept(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = session.shoot

    def shoot_while_another_finishes(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        monkeypatch.setattr(session, "shoot", real)
        open_dataset("small")
        (small / "note").write_text("the other's", encoding="utf-8")

    monkeypatch.setattr(session, "shoot", shoot_while_another_finishes)
    assert open_dataset("small") == small
    assert (small / "note").read_text(encoding="utf-8") == "the other's"
    assert beside(small) == ["small"]


def test_what_a_killed_process_left_behind_is_swept_away(small: Path) -> None:
    left = small.parent / ".small.abc"
    (left / "new").mkdir(parents=True)
    os.utime(left, (0, 0))
    open_dataset("small")
    assert beside(small) == ["small"]


def test_a_cache_that_cannot_be_written_is_named(small: Path) -> None:
    small.parent.parent.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"small: cannot be written: .*; make room there or choose another folder$"):
        open_dataset("small")


def test_without_a_named_cache_it_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WORKBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert session.cache_folder() == tmp_path / "dark-frame-workbench"
    assert session.cache_folder().name in {"dark-frame-workbench", "Cache"}


def test_two_processes_can_make_the_embedded_dataset_at_once(tmp_path: Path) -> None:
    code = (
        "from dataclasses import replace\n"
        "from workbench.camera import session\n"
        "real = session.read_dataset\n"
        "def small(path):\n"
        "    dataset = real(path)\n"
        "    plan = replace(dataset.plan, sets=dataset.plan.sets[:2])\n"
        "    return replace(dataset, sensor=replace(dataset.sensor, shape=(40, 50)), plan=plan)\n"
        "session.read_dataset = small\n"
        "print(session.open_dataset())\n"
    )
    environment = os.environ | {"WORKBENCH_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in both]
    home = tmp_path / "datasets" / "embedded"
    assert answers == [(f"{home}\n", "")] * 2
    assert len(pixels(home)) == 26
    assert beside(home) == ["embedded"]


def test_the_published_table_is_complete() -> None:
    text = (folder("data_manifests") / "paper_convergence.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["table"]
    published = dict(zip(table["n_frames"], table["dark_current"], strict=True))
    assert published == {2: 0.0047, 4: 0.0054, 6: 0.0051, 8: 0.0047, 10: 0.0052, 12: 0.0053, 14: 0.0051}
    assert (table["unit"], table["temperature"]) == ("electron / s", -20.0)
