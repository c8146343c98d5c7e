import numpy as np
import pandas as pd
import pytest

from workbench.errors import FrameError, InputError, MixedStackError
from workbench.frames.formats import FrameSource, read_frame_file
from workbench.frames.load import load_stack

RNG = np.random.default_rng(3)


@pytest.fixture
def frames(write_fits):
    def make(n=3, shape=(40, 50), dtype=np.uint16, suffix=".fits"):
        pixels = RNG.integers(0, 60000, (n, *shape)).astype(dtype)
        paths = [
            write_fits(f"{dtype.__name__}{shape[0]}_{number}{suffix}", frame) for number, frame in enumerate(pixels)
        ]
        return pixels, table(paths)

    return make


def table(paths, **columns):
    facts = {
        "kind": "dark",
        "exposure": 300.0,
        "temperature": [-20.0 + 0.1 * number for number in range(len(paths))],
        "camera": "QHY163M",
        "readout_mode": None,
        "gain_setting": 174.0,
        "offset_setting": 50.0,
        "binning": "1x1",
        "date": np.datetime64("2024-04-18T14:14:04", "us"),
        "problems": [()] * len(paths),
    }
    sources = [read_frame_file(path).source for path in paths]
    return pd.DataFrame({"file": [path.name for path in paths], "source": sources} | facts | columns)


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fits.fz"])
def test_a_stack_holds_the_values_as_stored(frames, suffix):
    pixels, rows = frames(suffix=suffix)
    stack = load_stack(rows)
    assert stack.dims == ("frame", "y", "x")
    assert stack.dtype == np.uint16
    np.testing.assert_array_equal(stack.values, pixels, strict=True)


def test_a_stack_names_its_unit_and_describes_its_frames(frames):
    _, rows = frames()
    stack = load_stack(rows)
    assert stack.attrs == {"units": "adu", "long_name": "signal"}
    assert list(stack.file.values) == list(rows["file"])
    np.testing.assert_array_equal(stack.temperature.values, [-20.0, -19.9, -19.8])
    assert (stack.temperature.attrs, stack.exposure.attrs) == ({"units": "deg_C"}, {"units": "s"})
    assert stack.date.dtype.kind == "M"
    assert list(stack.readout_mode.values) == [None] * 3
    assert not {"source", "problems"} & set(stack.coords)


def test_a_stack_reads_no_pixels_until_it_must(frames, monkeypatch):
    _, rows = frames()
    many = pd.concat([rows] * 100, ignore_index=True)
    read = []

    def counting(source, start, stop):
        read.append((source, start, stop))
        return np.zeros((stop - start, source.shape[1]), source.values_dtype)

    monkeypatch.setattr(FrameSource, "read_rows", counting)
    stack = load_stack(many)
    assert read == []
    stack[7].compute(scheduler="synchronous")
    assert [source for source, _, _ in read] == [many["source"][7]]


def test_large_frames_are_read_in_bands(tmp_path):
    path = tmp_path / "large.fits"
    source = FrameSource(str(path), 0, 0, ">i2", 1.0, 32768.0, (3522, 4656), "fits")
    stack = load_stack(pd.DataFrame({"file": ["large"], "source": [source]}))
    assert stack.chunks[0] == (1,)
    assert stack.chunks[1] == (900, 900, 900, 822)
    assert stack.chunks[2] == (4656,)


def test_bands_join_without_a_seam(frames, monkeypatch):
    pixels, rows = frames(shape=(41, 50))
    monkeypatch.setattr("workbench.frames.stack_files._BAND_BYTES", 700)
    stack = load_stack(rows)
    assert stack.chunks[1] == (7, 7, 7, 7, 7, 6)
    np.testing.assert_array_equal(stack.values, pixels, strict=True)


@pytest.mark.parametrize(("n_frames", "side"), [(120, 2048), (24, 4096), (600, 4096)])
def test_a_band_of_all_frames_fits_into_memory(n_frames, side):
    sources = [
        FrameSource(f"/dark_{k}.fits", 0, 2880, ">i2", 1.0, 32768.0, (side, side), "fits") for k in range(n_frames)
    ]
    stack = load_stack(pd.DataFrame({"file": [source.path for source in sources], "source": sources}))
    assert n_frames * max(stack.chunks[1]) * side * 2 <= 96 * 2**20
    assert stack.chunks[0] == (1,) * n_frames


def test_a_region_is_cut_out_of_every_frame(frames):
    pixels, rows = frames()
    region = (slice(2, 30, 2), slice(1, None, 2))
    np.testing.assert_array_equal(load_stack(rows, region).values, pixels[:, 2:30:2, 1::2], strict=True)


def test_opening_a_stack_leaves_the_rows_alone(frames):
    _, rows = frames()
    before = rows.copy(deep=True)
    load_stack(rows, (slice(0, 5), slice(0, 5))).compute()
    pd.testing.assert_frame_equal(rows, before)


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        (
            "gain_setting",
            [174.0, 174.0, 100.0],
            "its gain setting is 100, that of {0} is 174; one stack has one gain setting",
        ),
        (
            "offset_setting",
            [50.0, 50.0, np.nan],
            "its offset setting is missing, that of {0} is 50; one stack has one offset setting",
        ),
        ("binning", ["1x1", "1x1", "2x2"], "its binning is 2x2, that of {0} is 1x1; one stack has one binning"),
        (
            "readout_mode",
            [None, None, "fast"],
            "its readout mode is fast, that of {0} is missing; one stack has one readout mode",
        ),
        ("camera", ["A", "A", "B"], "its camera is B, that of {0} is A; one stack has one camera"),
    ],
)
def test_frames_of_different_settings_are_refused_by_name(frames, column, values, rule):
    _, rows = frames()
    rows[column] = values
    with pytest.raises(MixedStackError) as caught:
        load_stack(rows)
    advice = "select by it, or stack each group of the catalogue by itself"
    assert str(caught.value) == f"{rows['file'][2]}: {rule.format(rows['file'][0])}; {advice}"


def test_frames_of_different_shape_are_refused_by_name(frames):
    rows = pd.concat([frames(2)[1], frames(1, (41, 50))[1]], ignore_index=True)
    rule = "its shape is 41 x 50, that of uint1640_0.fits is 40 x 50; one stack has one shape"
    with pytest.raises(MixedStackError, match=f"^uint1641_0.fits: {rule}; "):
        load_stack(rows)


def test_frames_of_different_type_are_refused_by_name(frames):
    rows = pd.concat([frames(2)[1], frames(1, dtype=np.float32)[1]], ignore_index=True)
    with pytest.raises(MixedStackError, match=r"^float3240_0.fits: its stored type is float32, that of .* is uint16; "):
        load_stack(rows)


def test_an_empty_selection_is_refused(frames):
    _, rows = frames()
    with pytest.raises(InputError) as caught:
        load_stack(rows[rows["exposure"] == 7])
    assert str(caught.value) == "stack: has no frames; widen the selection of catalogue rows"


@pytest.mark.parametrize("nothing", [None, np.nan])
def test_a_row_without_pixels_is_refused_by_name(frames, nothing):
    _, rows = frames()
    rows["source"] = rows["source"].astype(object)
    rows.loc[1, "source"] = nothing
    advice = "leave it out of the stack: the column `usable` tells"
    with pytest.raises(InputError, match=f"^uint1640_1.fits: has no pixels that can be read; {advice}$"):
        load_stack(rows)


def test_a_file_that_breaks_after_it_was_catalogued_is_named_when_it_is_read(frames, tmp_path):
    _, rows = frames()
    stack = load_stack(rows)
    (tmp_path / rows["file"][1]).unlink()
    with pytest.raises(FrameError, match=r"uint1640_1.fits: cannot be read \(No such file"):
        stack.compute()


def test_real_darks_stack_to_their_known_mean(real_data):
    rows = table(sorted((real_data / "asi178" / "Dark" / "Dark_10s").iterdir()))
    assert float(load_stack(rows).mean()) == pytest.approx(1359.003, abs=0.0005)
