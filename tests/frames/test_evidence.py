import itertools
import shutil

import numpy as np
import pytest

from workbench.errors import FrameError
from workbench.frames.evidence import ACTION, duplicate_frames, header_evidence, pixel_evidence
from workbench.frames.formats import Card, read_frame_file
from workbench.results import Problem


def rules(*cards, stack_count=None):
    found = header_evidence("a.fits", [Card(*card, "") for card in cards], stack_count)
    assert all((problem.file, problem.action) == ("a.fits", ACTION) for problem in found)
    return [problem.rule for problem in found]


# ---- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["STACKCNT", "NCOMBINE", "NUMFRAME", "SNAPSHOT", "RESTACK"])
def test_a_count_of_stacked_frames_is_evidence(key):
    assert rules((key, "20")) == [f"is a stack of 20 frames ({key} = 20), not one raw frame"]
    assert rules((key, "20."), stack_count=20) == [f"is a stack of 20 frames ({key} = 20), not one raw frame"]
    assert rules((key, "1"), stack_count=1) == []


def test_the_resolved_count_outranks_the_cards():
    assert rules(("STACKCNT", "20"), stack_count=1) == []
    assert rules(stack_count=7) == ["is a stack of 7 frames, not one raw frame"]


@pytest.mark.parametrize("text", ["BDF", "D", "F", "bd"])
def test_calstat_is_evidence(text):
    assert rules(("CALSTAT", text)) == [f"is calibrated already (CALSTAT = '{text}')"]


@pytest.mark.parametrize("text", ["", "  ", "none", "RAW"])
def test_an_empty_calstat_is_none(text):
    assert rules(("CALSTAT", text)) == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("SUBDARK", "ccd=<CCDData>, master=<CCDData>"),
        ("ZEROCOR", "Nov 22 12:00 Zero level correction image is Zero"),
        ("DARKCORR", "COMPLETE"),
        ("FLATCOR", "T"),
    ],
)
def test_the_keys_of_reduction_programs_are_evidence(key, text):
    (rule,) = rules((key, text))
    assert rule.startswith(f"is processed already ({key} = '{text[:40]}")


@pytest.mark.parametrize("text", ["", "F", "no", "OMIT", "PERFORM"])
def test_what_a_reduction_program_has_yet_to_do_is_none(text):
    assert rules(("DARKCORR", text), ("FLATCOR", text)) == []


@pytest.mark.parametrize("key", ["HISTORY", "COMMENT", "PixInsight:ProcessingHistory"])
def test_a_history_of_processing_is_evidence(key):
    assert rules((key, "Taken at night"), (key, "Dark  subtracted")) == [
        f"is processed already ({key}: 'Dark subtracted')"
    ]
    assert rules((key, "no dark subtraction")) == []


def test_a_long_history_is_quoted_in_part():
    (rule,) = rules(("HISTORY", "Dark subtracted " + "x" * 100))
    assert rule == f"is processed already (HISTORY: 'Dark subtracted {'x' * 41}...')"


def test_words_elsewhere_in_a_header_are_no_history():
    assert rules(("OBJECT", "dark subtracted"), ("FILTER", "calibrated with a master dark")) == []


def test_a_scale_of_zero_to_one_is_evidence():
    expected = ["holds numbers scaled to [0, 1], not adu (bounds = 0:1)"]
    assert rules(("sampleFormat", "Float32"), ("bounds", "0:1")) == expected
    assert rules(("sampleFormat", "UInt16"), ("bounds", "0:1")) == []


def test_each_kind_of_evidence_is_given_once():
    found = rules(("HISTORY", "Bias subtracted"), ("HISTORY", "Dark subtracted"), ("CALSTAT", "BD"), ("NCOMBINE", "9"))
    assert [rule.split(" (")[0] for rule in found] == [
        "is a stack of 9 frames",
        "is calibrated already",
        "is processed already",
    ]


# ---- pixels ---------------------------------------------------------------------------------------------------------

SHAPE = (400, 500)


def sensor_frame(seed, step=16, offset=800.0, sigma=40.0, gradient=0.0):
    """Simulate a frame with fixed pattern, glow, row noise and hot pixels, 12 bits in 16."""
    fixed = np.random.default_rng(0)
    hot = fixed.exponential(2000, SHAPE) * (fixed.random(SHAPE) < 0.002)
    glow = 300 * np.exp(-np.arange(SHAPE[1]) / 40)
    rng = np.random.default_rng(seed)
    frame = offset + fixed.normal(0, 10, SHAPE) + glow + gradient * np.arange(SHAPE[0])[:, np.newaxis]
    frame = frame + rng.poisson(hot) + rng.normal(0, sigma, SHAPE) + rng.normal(0, 15, (SHAPE[0], 1))
    return (np.rint(frame / step) * step).clip(0, 65520).astype(np.uint16)


RAW = sensor_frame(1), sensor_frame(2)


def pixel_rules(*frames, **options):
    found = pixel_evidence("a.fits", *frames, **options)
    assert all((problem.file, problem.action) == ("a.fits", ACTION) for problem in found)
    return [problem.rule for problem in found]


@pytest.mark.parametrize("pattern", [None, "RGGB", np.nan])
@pytest.mark.parametrize("step", [1, 4, 16])
def test_nothing_speaks_against_raw_frames(step, pattern):
    first, second = (sensor_frame(seed, step, gradient=2.0) for seed in (3, 4))
    assert pixel_rules(first, second, bayer_pattern=pattern) == []
    assert pixel_rules(first, bayer_pattern=pattern) == []


def test_nothing_speaks_against_raw_frames_kept_as_floating_point():
    assert pixel_rules(*(frame.astype(np.float32) for frame in RAW)) == []


def test_a_frame_without_a_value_is_named():
    assert pixel_rules(np.full(SHAPE, np.nan, np.float32), RAW[0]) == ["has no pixel with a value"]


def test_a_frame_of_one_value_is_named():
    assert pixel_rules(np.full(SHAPE, 65520, np.uint16)) == ["has the value 65520 in every pixel"]


def test_numbers_between_0_and_1_are_named():
    scaled = [(frame / 65535).astype(np.float32) for frame in RAW]
    assert pixel_rules(*scaled) == ["holds numbers scaled to [0, 1], not adu"]


def test_the_mean_of_frames_is_named():
    stack = np.mean([sensor_frame(seed) for seed in range(5)], axis=0).astype(np.float32)
    assert pixel_rules(stack) == ["holds fractions; raw values are whole numbers"]


def test_a_stack_rounded_to_whole_numbers_has_lost_its_lattice():
    stack = np.rint(np.mean([sensor_frame(seed) for seed in range(5)], axis=0)).astype(np.uint16)
    lost = "its values stand 1 adu apart, those of a frame like it 16 adu: one of them is processed"
    assert lost in pixel_rules(stack, RAW[0])


@pytest.mark.parametrize("offset", [0.0, 60.0, 100.0])
def test_frames_clipped_at_zero_are_named(offset):
    first, second = (sensor_frame(seed, offset=offset) for seed in (1, 2))
    (rule,) = pixel_rules(first, second)
    share = np.mean(first == 0)
    assert rule == f"is clipped at zero: {share:.2%} of its pixels are exactly 0"


@pytest.mark.parametrize(("sigma", "offset"), [(16.0, 64.0), (8.0, 32.0), (40.0, 170.0)])
def test_a_distribution_that_only_reaches_zero_is_not_clipped(sigma, offset):
    frame = np.random.default_rng(1).normal(offset, sigma, SHAPE)
    frame = (np.rint(frame / 16) * 16).clip(0, None).astype(np.uint16)
    assert frame.min() == 0
    assert pixel_rules(frame) == []


def test_masked_rows_and_a_few_dead_pixels_are_no_clipping():
    frames = [frame.copy() for frame in RAW]
    for frame in frames:
        frame[:10], frame[:, -7:] = 0, 0
        frame[100, :100] = 0
    assert not [rule for rule in pixel_rules(*frames) if "zero" in rule]


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_rescaled_frames_are_named(factor):
    rescaled = [np.rint(sensor_frame(seed, step=1, sigma=6.0) * factor).astype(np.uint16) for seed in (1, 2)]
    (rule,) = pixel_rules(*rescaled)
    assert rule.startswith("its values were rescaled: ")
    assert rule.endswith(" codes hold far more or fewer pixels than those beside")


def neighbours(frame, distance):
    places = itertools.product((-distance, 0, distance), repeat=2)
    return np.array([np.roll(frame, place, (0, 1)) for place in places])


@pytest.mark.parametrize(("distance", "pattern"), [(1, None), (2, "RGGB")])
def test_frames_through_a_median_filter_are_named(distance, pattern):
    filtered = [np.median(neighbours(frame, distance), axis=0).astype(np.uint16) for frame in RAW]
    found = pixel_rules(*filtered, bayer_pattern=pattern)
    assert len([rule for rule in found if rule.startswith("was filtered: the noise of neighbours is correlated")]) == 1


def test_slightly_blurred_frames_are_named():
    blurred = [np.rint(0.7 * frame + 0.3 * neighbours(frame, 1).mean(0)).astype(np.uint16) for frame in RAW]
    assert any(rule.startswith("was filtered: ") for rule in pixel_rules(*blurred))


@pytest.mark.parametrize(("distance", "pattern"), [(1, None), (2, "RGGB")])
def test_suppressed_hot_pixels_are_named(distance, pattern):
    around = [np.delete(neighbours(frame, distance), 4, axis=0).max(0) for frame in RAW]
    suppressed = [np.minimum(frame, highest) for frame, highest in zip(RAW, around, strict=True)]
    words = "neighbours" if distance == 1 else "neighbours of its colour"
    (rule,) = pixel_rules(*suppressed, bayer_pattern=pattern)
    assert rule.startswith("its hot pixels were suppressed: 0.0")
    assert f" of the pixels stand above all their {words}, " in rule


def test_saturation_is_no_suppression_of_hot_pixels():
    saturated = [frame.clip(0, 1100) for frame in (sensor_frame(seed, step=1, offset=1080.0) for seed in (1, 2))]
    assert pixel_rules(*saturated) == []


def test_frames_are_not_changed():
    before = [frame.copy() for frame in RAW]
    pixel_evidence("a.fits", *RAW, bayer_pattern="RGGB")
    np.testing.assert_array_equal(RAW, before)


def real_frames(folder, pattern):
    for path in sorted(folder.glob(pattern)):
        try:
            yield path.name, read_frame_file(path)
        except FrameError:
            continue


@pytest.mark.parametrize(
    ("pattern", "bayer"),
    [
        *[(f"asi178/Dark/Dark_{seconds}s/*.fit", "RGGB") for seconds in ("0.1", "1", "10", "100")],
        ("asi178/Bias/*000[1-4].fit", "RGGB"),
        ("asi178/Flat/*.fit", "RGGB"),
        ("msfc-ccd/led/*_0480[34]*", None),
        ("msfc-ccd/led/*_0486[01]*", None),
        ("msfc-ccd/fe55/ESIS3*0[05]*", None),
        ("small/*.fits*", None),
    ],
)
def test_nothing_speaks_against_real_raw_frames(real_data, pattern, bayer):
    frames = list(real_frames(real_data, pattern))
    assert frames
    pixels = [frame.source.read() for _, frame in frames]
    found = [problem for name, frame in frames for problem in header_evidence(name, frame.cards, None)]
    for first, second in itertools.pairwise([*pixels, pixels[0]]):
        alike = second if second.shape == first.shape and len(pixels) > 1 and "small" not in pattern else None
        found += pixel_evidence("real", first, alike, bayer)
    assert found == []


# ---- duplicates -----------------------------------------------------------------------------------------------------


def test_byte_identical_files_are_found(write_fits, tmp_path):
    names = ["a.fits", "b.fits", "c.fits", "d.fits"]
    for number, name in enumerate(names):
        write_fits(name, RAW[number % 2], [("DATE-OBS", "2024-04-18" if number < 3 else "2024-04-19")])
    shutil.copy(tmp_path / "a.fits", tmp_path / "e.fits")
    names.append("e.fits")
    files = [(name, read_frame_file(tmp_path / name)) for name in names]
    assert duplicate_frames(files) == [("c.fits", "a.fits"), ("e.fits", "a.fits")]


def test_one_pixel_makes_a_difference(write_fits):
    other = RAW[0].copy()
    other[0, 0] += 16  # far from the middle, which is compared first
    files = [
        (name, read_frame_file(write_fits(name, frame))) for name, frame in (("a.fits", RAW[0]), ("b.fits", other))
    ]
    assert duplicate_frames(files) == []


def test_only_files_with_the_same_header_are_opened(write_fits):
    paths = [write_fits(f"{number}.fits", RAW[0], [("FRAME", number)]) for number in range(3)]
    files = [(path.name, read_frame_file(path)) for path in paths]
    for path in paths:
        path.write_bytes(b"")
    assert duplicate_frames(files) == []


def test_a_file_that_has_gone_has_no_twin(write_fits):
    paths = [write_fits(name, RAW[0]) for name in ("a.fits", "b.fits")]
    files = [(path.name, read_frame_file(path)) for path in paths]
    paths[1].unlink()
    assert duplicate_frames(files) == []


def test_no_real_frame_is_there_twice(real_data):
    assert duplicate_frames(list(real_frames(real_data / "asi178", "**/*.fit"))) == []


def test_evidence_is_told_in_one_line():
    (problem,) = header_evidence("dark.fits", [Card("NCOMBINE", "20", "")], 20)
    assert isinstance(problem, Problem)
    expected = "dark.fits: is a stack of 20 frames (NCOMBINE = 20), not one raw frame; left out; --accept uses it"
    assert str(problem) == expected


def test_frames_without_any_noise_are_judged_without_a_warning():
    frame = np.random.default_rng(12).integers(100, 140, (64, 64)).astype(np.uint16)
    pixel_evidence("a.fits", frame, frame.copy())  # warnings are errors here


def test_noise_far_under_one_step_is_not_called_suppressed():
    rng = np.random.default_rng(11)
    level = np.full((200, 240), 100.35)
    frames = [np.rint(rng.normal(level, 0.2)).astype(np.uint16) * 16 for _ in range(2)]
    assert not [one for one in pixel_evidence("a.fits", *frames) if "suppressed" in one.rule]
