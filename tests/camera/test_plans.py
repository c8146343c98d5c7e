from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from workbench.camera.parameters import Sensor
from workbench.camera.plans import FrameSet, Plan, dataset_paths, default_plan, read_dataset
from workbench.errors import InputError, ManifestError
from workbench.resources import folder

HEAD = """schema = "workbench-simulated-dataset/1"
[dataset]
title = "a small one"
camera = "qhy163m_like"
seed = 1
shape = [16, 20]
licence = "CC0-1.0"
"""
FRAMES = """[[frames]]
kind = "dark"
count = 2
exposure = 10.0
temperature = -20.0
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_embedded_dataset_has_the_frames_that_a_full_measurement_needs() -> None:
    dataset = read_dataset(folder("data_manifests") / "embedded.toml")
    counts = Counter((item.kind, item.temperature, item.exposure) for item in dataset.plan.frames(dataset.seed))
    assert counts.pop(("bias", -20.0, 5e-5)) == 20
    assert counts.pop(("dark", -20.0, 600.0)) == 14
    assert [counts.pop(("dark", -20.0, t)) for t in (10, 30, 60, 120, 180, 300, 420)] == [6] * 7
    assert [counts.pop(("dark", t, 300.0)) for t in (-15.0, -10.0)] == [6, 6]
    assert [kind for kind, *_ in counts] == ["flat"] * 8
    assert set(counts.values()) == {2}
    assert dataset.sensor.shape == (880, 1164)
    assert dataset.sensor.cosmic_ray_rate == dataset.sensor.dark_telegraph_fraction == 0
    assert "the truth" in dataset.reason


def test_exposures_are_shuffled_in_time_and_blocks_are_not_mixed() -> None:
    darks = [FrameSet("dark", 6, exposure, -20.0) for exposure in (10.0, 60.0, 300.0)]
    plan = Plan("p", (*darks, FrameSet("bias", 3, 0.0, 5.0, block=2)))
    frames = plan.frames(seed=1)
    exposures = [frame.exposure for frame in frames[:18]]
    assert sorted(exposures) == [10.0] * 6 + [60.0] * 6 + [300.0] * 6
    assert sum(a != b for a, b in pairwise(exposures)) > 6
    assert [frame.kind for frame in frames[18:]] == ["bias"] * 3
    assert all((b.date - a.date).total_seconds() > a.exposure for a, b in pairwise(frames))
    assert [frame.index for frame in frames] == list(range(21))
    assert frames == plan.frames(seed=1) != plan.frames(seed=2)


def test_files_have_telling_names_that_are_all_different() -> None:
    plan = Plan("p", (FrameSet("dark", 2, 0.5, -20.0), FrameSet("dark", 1, 0.5, 5.0), FrameSet("bias", 1, 5e-5, -20.0)))
    assert sorted(frame.file for frame in plan.frames(1)) == [
        "bias/bias_-20C_001.fits",
        "dark/dark_0.5s_+5C_001.fits",
        "dark/dark_0.5s_-20C_001.fits",
        "dark/dark_0.5s_-20C_002.fits",
    ]


@pytest.mark.parametrize("camera", ["qhy163m_like", "well_behaved_ccd"])
def test_the_default_plan_measures_any_camera(camera: str) -> None:
    sensor = Sensor.from_manifest(camera)
    plan = default_plan(sensor)
    kinds = Counter(frame.kind for frame in plan.frames(1))
    assert kinds == {"bias": 10, "dark": 58, "flat": 12}
    brightest = max(item.light * item.exposure for item in plan.sets)
    top = min(sensor.well_capacity, (sensor.adc_top - sensor.bias_level) * sensor.gain)
    assert brightest == pytest.approx(0.65 * top)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + FRAMES.replace("exposure", "exposre"), "unknown key exposre in frames 1; did you mean exposure?"),
        (HEAD.replace("seed", "sed") + FRAMES, "unknown key sed in dataset; did you mean seed?"),
        (HEAD + "[switched_of]\n" + FRAMES, "unknown key switched_of in the manifest; did you mean switched_off?"),
        (
            HEAD + FRAMES.replace("dark", "drak"),
            "2 drak frames of 10 s: kind drak does not exist; choose from bias, dark,",
        ),
        (HEAD + FRAMES.replace("= 2", "= 0"), "0 dark frames of 10 s: count is below 1, or exposure or light below 0;"),
        (HEAD + FRAMES + "light = 3.0\n", "2 dark frames of 10 s: light = 3 electron / s behind a closed shutter;"),
        (HEAD + FRAMES.replace("count = 2\n", ""), "frames 1 has no count; add it there"),
        (HEAD, "has no [[frames]]; add at least one set of frames"),
        (HEAD.replace("/1", "/2") + FRAMES, "schema = 'workbench-simulated-dataset/2'; this version reads"),
        (HEAD.replace("[16, 20]", "[16, -2]") + FRAMES, "sensor QHY163M-like (simulated): shape = -2 is not above 0;"),
        (HEAD + '[switched_off]\nterms = ["glows"]\nreason = "x"\n' + FRAMES, "glows: is no term of the sensor;"),
        (
            HEAD + '[switched_off]\nterms = "glow"\nreason = "x"\n' + FRAMES,
            "switched_off.terms = 'glow' is no list of strings;",
        ),
    ],
)
def test_a_broken_dataset_manifest_is_named_with_its_rule(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        read_dataset(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_an_unknown_camera_of_a_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^qhy: is no camera"):
        read_dataset(written(tmp_path, HEAD.replace("qhy163m_like", "qhy") + FRAMES))


def test_a_set_of_frames_may_not_have_a_negative_count() -> None:
    with pytest.raises(InputError, match="count is below 1"):
        FrameSet("dark", -1, 1.0, 0.0)


def test_only_simulated_datasets_are_listed() -> None:
    assert [path.stem for path in dataset_paths()] == ["embedded", "session"]
