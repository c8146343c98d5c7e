from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from workbench.camera.parameters import Sensor
from workbench.camera.plans import FrameSet, Plan, dataset_paths, default_plan, read_dataset
from workbench.camera.sky import Night, Target
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
        (HEAD + FRAMES.replace("exposure", "exposre"), "unknown key exposre in frames 1; did you mean 'exposure'?"),
        (HEAD.replace("seed", "sed") + FRAMES, "unknown key sed in dataset; did you mean 'seed'?"),
        (HEAD + "[switched_of]\n" + FRAMES, "unknown key switched_of in the manifest; did you mean 'switched_off'?"),
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


TARGET = """[target]
name = "field"
stars = 3
[[target.nights]]
[[target.nights]]
rotation = 5.0
"""
LIGHTS = """[[frames]]
kind = "light"
count = 2
exposure = 600.0
temperature = -20.0
light = 0.02
filter = "R"
night = 2
"""


def test_a_dataset_may_change_the_camera_and_point_at_a_target(tmp_path: Path) -> None:
    dataset = read_dataset(written(tmp_path, HEAD + "[sensor]\ndust = 4\nvignetting = 0\n" + TARGET + LIGHTS))
    assert (dataset.sensor.dust, dataset.sensor.vignetting, dataset.sensor.shape) == (4, 0.0, (16, 20))
    assert dataset.plan.target == Target("field", stars=3, nights=(Night(), Night(rotation=5.0)))
    frames = dataset.plan.frames(1)
    assert [(frame.filter, frame.night, frame.target) for frame in frames] == [("R", 2, "field")] * 2
    assert (frames[0].date - dataset.plan.start).days == 1


def test_a_target_needs_no_description_of_its_only_night(tmp_path: Path) -> None:
    plan = read_dataset(written(tmp_path, HEAD + '[target]\nname = "field"\n' + FRAMES)).plan
    assert plan.target == Target("field")
    assert plan.frames(1)[0].target == ""  # a dark shows no target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sensor]\nduts = 4\n" + FRAMES, "unknown key duts in sensor; did you mean 'dust'?"),
        ("[sensor]\nshape = [4, 4]\n" + FRAMES, "unknown key shape in sensor; "),
        ("[sensor]\ndust = 0.5\n" + FRAMES, "sensor.dust = 0.5 is no int; give a int"),
        ("[sensor]\nprnu = 2.0\n" + FRAMES, "sensor QHY163M-like (simulated): prnu = 2.0 1 is not within 0 to 0.2;"),
        ("[target]\nstars = 3\n" + FRAMES, "target has no name; add it there"),
        (TARGET.replace("stars", "star") + LIGHTS, "unknown key star in target; did you mean 'stars'?"),
        (TARGET.replace("rotation", "rotating") + LIGHTS, "unknown key rotating in target.nights 2; did you mean 'rot"),
        (TARGET.replace("5.0", "500.0") + LIGHTS, "night: rotation = 500.0 deg is not within -180 to 180; give a"),
        (TARGET.replace("= 3", "= -3") + LIGHTS, "target field: stars = -3 1 is not within 0 to inf; give a value"),
        ('[target]\nname = "field"\nnights = 2\n' + LIGHTS, "target.nights = 2 is no list; give a list"),
        ('[target]\nname = "field"\nnights = [2]\n' + LIGHTS, "target.nights 1 is no table; write it as [target.n"),
        (
            TARGET + LIGHTS.replace("night = 2", "night = 3"),
            "small: the target has no night 3; describe every night of",
        ),
        (TARGET + LIGHTS.replace("night = 2", "night = 0"), "2 light frames of 600 s: night = 0 is below 1; count the"),
        (LIGHTS + FRAMES, "small: block 1 stands in the nights 1 and 2; give each night its own block"),
    ],
)
def test_a_broken_target_is_named_with_its_rule(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, HEAD + text)
    with pytest.raises(ManifestError) as caught:
        read_dataset(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_an_unknown_camera_of_a_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^qhy: is no camera"):
        read_dataset(written(tmp_path, HEAD.replace("qhy163m_like", "qhy") + FRAMES))


def test_a_set_of_frames_may_not_have_a_negative_count() -> None:
    with pytest.raises(InputError, match="count is below 1"):
        FrameSet("dark", -1, 1.0, 0.0)


def test_only_simulated_datasets_are_listed() -> None:
    assert [path.stem for path in dataset_paths()] == ["embedded", "session"]
