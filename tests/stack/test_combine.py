"""Frames combined into one: the arithmetic, what is left out, and the same bits on every path."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.stats import norm

from workbench.errors import FrameError, InputError
from workbench.frames.formats import FrameSource, read_frame_file
from workbench.frames.load import load_stack
from workbench.stack import assembly
from workbench.stack.assembly import row_bands
from workbench.stack.combine import Recipe, combine
from workbench.stack.planes import ALL_REJECTED, NO_VALUE, standard_error_factors
from workbench.stack.recipe import recipe_of
from workbench.stack.rejection import MinMax, SigmaClip, rejection

N_FRAMES, HEIGHT, WIDTH = 9, 37, 53
REJECTIONS = ("none", "minmax", "percentile", "sigma", "winsorized", "averaged", "linear_fit", "esd", "mad")


def stack_of(values, **coords):
    return xr.DataArray(
        np.asarray(values), dims=("frame", "y", "x"), coords={k: ("frame", v) for k, v in coords.items()}
    )


def column(*values):
    """Make a stack of a single pixel."""
    return stack_of(np.array(values, dtype=np.float64).reshape(-1, 1, 1))


def one(result):
    return {name: plane.item() for name, plane in result.data.items()}


def pixels_with_hits(dtype=np.uint16, n_frames=N_FRAMES):
    rng = np.random.default_rng(5)
    values = rng.normal(1000, 12, (n_frames, HEIGHT, WIDTH))
    values[rng.random(values.shape) < 0.02] += 3000
    values[rng.random(values.shape) < 0.02] -= 400
    return values.round().astype(dtype)


@pytest.fixture(scope="module")
def pixels():
    return pixels_with_hits()


@pytest.fixture
def files(write_fits, pixels):
    """Give the stack of frames in files, and their paths."""
    paths = [write_fits(f"dark_{k}.fits", frame) for k, frame in enumerate(pixels)]
    rows = {
        "file": [path.name for path in paths],
        "source": [read_frame_file(path).source for path in paths],
        "exposure": np.linspace(100, 180, len(paths)),
    }
    return load_stack(pd.DataFrame(rows)), paths


def assert_same(found, expected):
    for name in expected.data:
        np.testing.assert_array_equal(found.data[name].to_numpy(), expected.data[name].to_numpy(), strict=True)
    shares = ["share_low", "share_high"]
    pd.testing.assert_frame_equal(found.frames[shares], expected.frames[shares])


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, ">f8"])
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mean", lambda v: v.mean(axis=0)),
        ("median", lambda v: np.median(v, axis=0)),
        ("sum", lambda v: v.sum(axis=0)),
        ("min", lambda v: v.min(axis=0)),
        ("max", lambda v: v.max(axis=0)),
    ],
)
def test_the_methods_are_what_numpy_computes(dtype, method, expected):
    values = pixels_with_hits(dtype)
    before = values.copy()
    result = combine(stack_of(values), method=method)
    np.testing.assert_array_equal(result.data["signal"], expected(values.astype(np.float64)).astype(np.float32))
    np.testing.assert_array_equal(values, before)
    assert result.data["signal"].dtype == np.float32
    assert result.data["signal"].attrs == {"units": "adu", "long_name": "combined signal"}
    assert (result.data["n_kept"] == N_FRAMES).all()
    assert result.data["n_kept"].dtype == np.uint8


def test_counts_hold_the_number_of_frames():
    many = stack_of(np.ones((300, 2, 2), dtype=np.uint16))
    assert combine(many).data["n_kept"].dtype == np.uint16
    assert list(combine(many, maps=False).data) == ["signal"]


def test_zero_and_negative_values_are_values():
    assert one(combine(column(0, 0, 3)))["signal"] == 1
    assert one(combine(column(-1, -5)))["signal"] == -3


def test_what_is_not_finite_is_missing():
    found = one(combine(column(1, math.nan, 3, math.inf, -math.inf), method="mean"))
    assert (found["signal"], found["n_kept"], found["rejected_low"], found["rejected_high"]) == (2, 2, 0, 0)
    nothing = one(combine(column(math.nan, math.inf)))
    assert math.isnan(nothing["signal"])
    assert math.isnan(nothing["std_error"])
    assert (nothing["n_kept"], nothing["flags"]) == (0, NO_VALUE)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("rejecting", ["none", "sigma"])
def test_masks_make_samples_missing(pixels, rejecting, lazy):
    rng = np.random.default_rng(6)
    flat, deep = rng.random((HEIGHT, WIDTH)) < 0.1, rng.random(pixels.shape) < 0.2
    for mask, dims in ((flat, ("y", "x")), (deep, ("frame", "y", "x"))):
        expected = combine(stack_of(np.where(mask, np.nan, pixels.astype(np.float64))), rejection=rejecting)
        given = xr.DataArray(mask, dims=dims)
        assert_same(combine(stack_of(pixels), mask=mask, rejection=rejecting), expected)
        shuffled = (given.chunk(x=10) if lazy else given).transpose(*dims[::-1])
        assert_same(combine(stack_of(pixels), mask=shuffled, rejection=rejecting), expected)
    assert (combine(stack_of(pixels), mask=np.ones_like(flat)).data["flags"] == NO_VALUE).all()


def test_samples_beyond_the_range_are_rejected_by_their_stored_values():
    found = one(combine(column(0, 10, 11, 12, 60000), range_low=0, range_high=60000))
    assert (found["signal"], found["n_kept"], found["rejected_low"], found["rejected_high"]) == (11, 3, 1, 1)
    scaled = combine(stack_of(np.array([[[10, 20, 30]], [[20, 40, 60]]])), normalisation="multiplicative", range_low=15)
    np.testing.assert_array_equal(scaled.data["signal"], [[10, 20, 30]])
    np.testing.assert_array_equal(scaled.data["rejected_low"], [[1, 0, 0]])


@pytest.mark.parametrize(("method", "expected"), [("mean", 3), ("median", 3), ("sum", 12), ("min", 3), ("max", 3)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_where_all_is_rejected_the_median_of_all_stands_in_and_is_flagged(method, expected, dtype):
    values = np.array([1, 2, 4, 9], dtype=dtype).reshape(-1, 1, 1)
    found = one(combine(stack_of(values), method=method, rejection=MinMax(3, 1)))
    assert (found["signal"], found["n_kept"], found["flags"]) == (expected, 0, ALL_REJECTED)
    assert (found["rejected_low"], found["rejected_high"]) == (3, 1)
    assert math.isnan(found.get("std_error", math.nan))
    beyond = one(combine(stack_of(values), method=method, range_high=1))
    assert (beyond["signal"], beyond["flags"], beyond["rejected_high"]) == (expected, ALL_REJECTED, 4)


def test_a_sum_leaves_no_hole_where_samples_are_rejected():
    assert one(combine(column(10, 10, 10, 500), method="sum", rejection=MinMax(0, 1)))["signal"] == 40


def test_of_equal_samples_the_earlier_frame_stands_lower():
    shares = combine(column(5, 5, 5, 5), rejection=MinMax(1, 2)).frames
    assert shares["share_low"].tolist() == [1, 0, 0, 0]
    assert shares["share_high"].tolist() == [0, 0, 1, 1]


def test_what_is_rejected_between_samples_that_are_kept_is_found_in_its_frame():
    values = (1037, 986, 1007, 990, 994, 1007, 999, 1011, 1014)  # 1007 lies further off the line than 1014
    result = combine(column(*values), rejection="linear_fit")
    assert result.frames["share_high"].tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0]
    kept = [986, 990, 994, 1007, 999, 1011, 1014]
    assert one(result)["signal"] == np.float32(np.mean(kept))


def test_the_rejected_are_counted_for_the_pixel_and_for_the_frame(pixels):
    result = combine(stack_of(pixels), rejection="sigma", low=2, high=2)
    for side in ("low", "high"):
        total = result.data[f"rejected_{side}"].astype(int).sum().item()
        assert result.frames[f"share_{side}"].sum() * pixels[0].size == pytest.approx(total)
        assert total > 0
    n = result.data[["n_kept", "rejected_low", "rejected_high"]].astype(int)
    assert (n["n_kept"] + n["rejected_low"] + n["rejected_high"] == N_FRAMES).all()


def test_standard_errors_are_those_of_the_survivors(pixels):
    values = pixels.astype(np.float64)
    spread = values.std(axis=0, ddof=1)
    for method, factor in (("mean", N_FRAMES**-0.5), ("sum", N_FRAMES**0.5)):
        found = combine(stack_of(pixels), method=method).data["std_error"]
        np.testing.assert_allclose(found, spread * factor, rtol=1e-6)
        assert found.attrs["units"] == "adu"
    kept = np.sort(values, axis=0)[1:-1]
    found = combine(stack_of(pixels), rejection=MinMax(1, 1)).data["std_error"]
    np.testing.assert_allclose(found, kept.std(axis=0, ddof=1) / len(kept) ** 0.5, rtol=1e-6)
    assert math.isnan(one(combine(column(1, 2, 3), rejection=MinMax(1, 1)))["std_error"])


@pytest.mark.parametrize("method", ["min", "max"])
def test_the_extremes_have_no_standard_error_and_say_so(method):
    data = combine(column(1, 2, 3), method=method).data
    assert "std_error" not in data
    assert data.attrs["std_error"] == f"none: that of a {method} is no matter of the standard deviation alone"


@pytest.mark.parametrize("n", [3, 5, 9, 21, 51])
def test_the_error_of_an_odd_median_is_the_integral_over_its_order_statistic(n):
    def density(x):
        ways = math.lgamma(n + 1) - 2 * math.lgamma(n // 2 + 1)
        return x * x * math.exp(ways + n // 2 * (norm.logcdf(x) + norm.logsf(x)) + norm.logpdf(x))

    exact = math.sqrt(quad(density, -8, 8)[0])
    assert standard_error_factors("median", n)[n] == pytest.approx(exact, rel=5e-4)


@pytest.mark.parametrize("n", [2, 4, 8, 20])
def test_the_error_of_an_even_median_is_what_simulation_gives(n):
    repeats = 100_000
    medians = np.median(np.random.default_rng(n).normal(size=(repeats, n)), axis=1)
    error = (2 * repeats) ** -0.5  # relative, of a standard deviation
    assert standard_error_factors("median", n)[n] == pytest.approx(medians.std(), rel=4 * error)


def test_weights_enter_the_mean_and_its_error(pixels):
    weights = np.arange(N_FRAMES, dtype=np.float64)
    values = pixels.astype(np.float64)
    result = combine(stack_of(pixels), weights=tuple(weights))
    mean = np.average(values, axis=0, weights=weights)
    np.testing.assert_allclose(result.data["signal"], mean, rtol=1e-6)
    squares = (weights[:, None, None] ** 2 * (values - mean) ** 2).sum(axis=0)
    n = N_FRAMES - 1  # the first has no weight, and tells nothing of the scatter
    error = np.sqrt(squares * n / (n - 1)) / weights.sum()
    np.testing.assert_allclose(result.data["std_error"], error, rtol=1e-6)
    assert result.frames["weight"].tolist() == (weights / weights.mean()).tolist()


def test_equal_weights_are_none(pixels):
    stack = stack_of(pixels.astype(np.float32), exposure=[60.0] * N_FRAMES)
    equal, none = (combine(stack, weights=weights, rejection="sigma") for weights in ("exposure", "none"))
    np.testing.assert_array_equal(equal.data["signal"], none.data["signal"])
    np.testing.assert_allclose(equal.data["std_error"], none.data["std_error"], rtol=1e-6)


def test_where_only_samples_without_weight_are_kept_there_is_no_value():
    found = one(combine(column(1, 2, 30), weights=(0, 0, 1), rejection=MinMax(0, 1)))
    assert math.isnan(found["signal"])
    assert math.isnan(found["std_error"])
    assert (found["flags"], found["n_kept"], found["rejected_high"]) == (NO_VALUE, 2, 1)
    rejected = one(combine(column(1, 2, 30), weights=(0, 0, 1), rejection=MinMax(2, 1)))
    assert (rejected["signal"], rejected["flags"], rejected["n_kept"]) == (2, ALL_REJECTED, 0)


def test_one_sample_that_counts_tells_no_error():
    found = one(combine(column(1, 2, 30), weights=(0, 1, 0)))
    assert (found["signal"], found["n_kept"], found["flags"]) == (2, 3, 0)
    assert math.isnan(found["std_error"])


def test_frames_are_normalised_for_the_result_and_for_rejection_independently():
    rng = np.random.default_rng(8)
    values = rng.normal(1000, 10, (12, 40, 50)).astype(np.float32)
    values[3] += 500
    stack = stack_of(values)
    limits = {"rejection": SigmaClip(3, 3)}
    neither = combine(stack, **limits)
    assert neither.frames["share_high"][3] > 0.9
    both = combine(stack, **limits, normalisation="additive", rejection_normalisation="additive")
    assert both.frames["share_high"].max() < 0.05
    assert float(both.data["signal"].std()) == pytest.approx(10 / 12**0.5, rel=0.1)
    assert both.frames["output_offset"][3] == pytest.approx(-500, abs=2)
    only_compared = combine(stack, **limits, rejection_normalisation="additive")
    np.testing.assert_array_equal(only_compared.data["n_kept"], both.data["n_kept"])
    assert float(only_compared.data["signal"].mean()) == pytest.approx(1000 + 500 / 12, abs=1)
    assert only_compared.frames["output_offset"].eq(0).all()


@pytest.mark.parametrize("method", ["mean", "median", "sum", "min", "max"])
def test_scaling_brings_frames_to_the_first(method):
    rng = np.random.default_rng(9)
    first = rng.normal(1000, 10, (30, 40))
    stack = stack_of([first, 2 * first, 4 * first])
    for normalisation in ("multiplicative", "additive_scaling"):
        result = combine(stack, method=method, normalisation=normalisation)
        factor = 3 if method == "sum" else 1
        np.testing.assert_allclose(result.data["signal"], factor * first, rtol=1e-6)


def test_the_table_of_frames_says_what_was_done_to_each(files):
    stack, _ = files
    plain = combine(stack).frames
    assert list(plain) == [
        *("file", "exposure", "weight", "rejection_factor", "rejection_offset", "output_factor", "output_offset"),
        *("share_low", "share_high"),
    ]
    assert plain["file"].tolist() == [f"dark_{k}.fits" for k in range(N_FRAMES)]
    assert {"location", "scale"} <= set(combine(stack, normalisation="additive").frames)
    by_time = combine(stack, weights="exposure").frames
    np.testing.assert_allclose(by_time["weight"], by_time["exposure"] / by_time["exposure"].mean())


@pytest.mark.parametrize("rejecting", REJECTIONS)
@pytest.mark.parametrize("method", ["mean", "median"])
def test_every_backing_gives_the_same_bits(files, pixels, rejecting, method):
    options = {"rejection": rejecting, "method": method}
    expected = combine(stack_of(pixels), **options)
    stack, _ = files
    assert_same(combine(stack, **options), expected)
    assert_same(combine(stack + np.uint16(0), **options), expected)
    assert_same(combine(stack.astype(np.float64), **options), expected)
    assert_same(combine(stack_of(pixels.astype(">u2")), **options), expected)
    assert_same(combine(stack_of(pixels.astype(np.float32)).chunk(y=10, x=7), **options), expected)


def test_signed_integers_in_the_byte_order_of_files_are_not_taken_for_stored_unsigned_ones():
    values = np.array([[[-5]], [[3]], [[8]]], dtype=">i2")
    assert one(combine(stack_of(values)))["signal"] == 2


@pytest.mark.parametrize("suffix", [".fits.gz", ".fits.fz"])
def test_compressed_files_give_the_same_bits(write_fits, pixels, suffix):
    sources = [read_frame_file(write_fits(f"dark_{k}{suffix}", frame)).source for k, frame in enumerate(pixels)]
    stack = load_stack(pd.DataFrame({"file": range(N_FRAMES), "source": sources}))
    assert_same(combine(stack, rejection="winsorized"), combine(stack_of(pixels), rejection="winsorized"))


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
def test_float_files_give_the_same_bits(write_fits, suffix):
    pixels = pixels_with_hits(np.float32) / np.float32(7)
    sources = [read_frame_file(write_fits(f"light_{k}{suffix}", frame)).source for k, frame in enumerate(pixels)]
    stack = load_stack(pd.DataFrame({"file": range(N_FRAMES), "source": sources}))
    options = {"rejection": "sigma", "normalisation": "additive_scaling", "weights": "noise"}
    assert_same(combine(stack, **options), combine(stack_of(pixels), **options))


@pytest.mark.parametrize("options", [{}, {"normalisation": "additive", "rejection_normalisation": "multiplicative"}])
def test_neither_bands_nor_threads_change_a_bit(files, monkeypatch, options):
    stack, _ = files
    expected = combine(stack, rejection="winsorized", threads=1, **options)
    for band_bytes, threads in ((1, 3), (5000, 2)):
        monkeypatch.setattr(assembly, "row_bands", lambda *about, size=band_bytes: row_bands(*about[:2], size))
        assert_same(combine(stack, rejection="winsorized", threads=threads, **options), expected)


def test_bands_cover_all_rows_once():
    for size in (1, 1000, 10**9):
        rows = [row for band in row_bands((3, 10, 7), 2, size) for row in range(band.start, band.stop)]
        assert rows == list(range(10))


def test_coordinates_of_rows_and_columns_are_kept(pixels):
    stack = stack_of(pixels).assign_coords(x=np.arange(WIDTH) + 100, gain_setting=3)
    assert combine(stack).data["x"].to_numpy().tolist() == (np.arange(WIDTH) + 100).tolist()


def test_a_recipe_survives_json():
    recipe = Recipe(
        method="mean",
        rejection=rejection("winsorized", high=math.inf, cutoff=5.0),
        normalisation="additive_scaling",
        scale="biweight",
        weights=(1, 2.5),
        range_low=0.0,
    )
    told = json.loads(json.dumps(recipe.to_dict(), allow_nan=False))
    assert Recipe.from_dict(told) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(Recipe().to_dict()))) == Recipe()
    with pytest.raises(InputError, match=r"^recipe: is 'methode', which is not known; did you mean 'method'\?"):
        Recipe.from_dict({"methode": "mean"})


def test_a_recipe_is_told_in_words():
    recipe = recipe_of(method="mean", rejection="sigma", low=2, normalisation="additive_scaling", weights="noise")
    assert (
        recipe.words
        == "mean, sigma clipping, 2 low, 3 high, additive with scaling normalisation (biweight), weights by noise"
    )
    assert recipe_of(range_high=65535).words.endswith("without samples >= 65535 adu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "avarage"}, "method: is 'avarage', which is not known; it is one of mean, median, sum, min, max"),
        ({"method": "medain"}, "method: is 'medain', which is not known; did you mean 'median'?"),
        ({"normalization": "none"}, "option: is 'normalization', which is not known; did you mean 'normalisation'?"),
        ({"rejection": 3}, "rejection: is 3, which is no kind of rejection; "),
        ({"rejection": SigmaClip(), "low": 3}, "low: stands beside a rejection that has its own; "),
        (
            {"recipe": Recipe(), "method": "sum"},
            "method: stands beside a recipe; give a recipe or its options, not both",
        ),
        ({"method": "median", "weights": "exposure"}, "weights: do not enter a median; "),
        ({"range_low": 5, "range_high": 5}, "range_low: is 5 adu, not below range_high, 5 adu; "),
        ({"range_low": math.nan}, "range_low: is no number; "),
        ({"threads": 0}, "threads: is 0; give 1 or more, or leave it out"),
        ({"mask": np.zeros((2, 2), dtype=bool)}, "mask: has the shape (2, 2) and the type bool, the stack the shape "),
        ({"mask": np.zeros((HEIGHT, WIDTH))}, "mask: has the shape (37, 53) and the type float64, "),
        ({"weights": (1, 2)}, "weights: 2 numbers were given for 9 frames; "),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_a_line(pixels, options, message):
    with pytest.raises(InputError) as refused:
        combine(stack_of(pixels), **options)
    assert str(refused.value).startswith(message)


def test_what_is_no_stack_is_refused(pixels):
    stack = stack_of(pixels)
    for wrong, words in (
        (stack[0], "stack: has the dims y, x and the shape (37, 53); "),
        (stack[:0], "stack: has the dims frame, y, x and the shape (0, 37, 53); "),
        (stack > 0, "stack: has values of type bool; "),
    ):
        with pytest.raises(InputError) as refused:
            combine(wrong)
        assert str(refused.value).startswith(words)


def combining_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("combine")]


def spoil_after(monkeypatch, reads, spoil):
    """Have something happen when so many rows were read."""
    counted, real = [], FrameSource.read_stored

    def reading(self, *args, **options):
        counted.append(1)
        if len(counted) == reads:
            spoil()
        return real(self, *args, **options)

    monkeypatch.setattr(FrameSource, "read_stored", reading)
    monkeypatch.setattr(assembly, "row_bands", lambda *about: row_bands(*about[:2], 5000))


@pytest.mark.parametrize("options", [{"rejection": "sigma"}, {"range_low": 0}], ids=["fast", "columns"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda path: os.truncate(path, 4000),
            "is truncated: it was cut after its header was read; leave it out or copy it again",
        ),
        (
            lambda path: path.unlink(),
            r"(has gone while it was being|cannot be) read \(No such file or directory\); put it back",
        ),
    ],
    ids=["truncated", "deleted"],
)
def test_a_file_that_is_spoiled_meanwhile_is_one_line(files, monkeypatch, spoil, words, options):
    stack, paths = files
    spoil_after(monkeypatch, 30, lambda: spoil(paths[4]))
    with pytest.raises(FrameError) as refused:
        combine(stack, **options)
    assert re.match(f"{re.escape(str(paths[4]))}: {words}", str(refused.value))
    assert not combining_threads()


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="this system knows no reading at a place")
def test_files_are_opened_once_and_closed(files, monkeypatch):
    stack, paths = files
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(real(path, *rest)) or opened[-1])
    monkeypatch.setattr(assembly, "row_bands", lambda *about: row_bands(*about[:2], 5000))
    combine(stack, rejection="sigma")
    assert len(opened) == len(paths)
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_lazy_stack_of_files_that_are_cut_meanwhile_is_one_line_too(files):
    stack, paths = files
    os.truncate(paths[2], 4000)
    with pytest.raises(FrameError, match="is truncated"):
        combine(stack * 2.0)


def test_an_interruption_leaves_no_thread(files, monkeypatch):
    stack, _ = files
    spoil_after(monkeypatch, 30, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        combine(stack, rejection="sigma")
    assert not combining_threads()


def test_the_modules_of_combining_import_neither_numba_nor_distributed():
    code = "import sys, workbench.stack.combine; print({'numba', 'distributed', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_compiling_is_announced_and_finding_code_is_not(pixels, monkeypatch, capsys):
    from numba import njit

    loop, real = njit(lambda x: x + 1), assembly.combine_values

    def with_a_new_loop(*values, **options):
        loop(1)
        return real(*values, **options)

    monkeypatch.setattr(assembly, "combine_values", with_a_new_loop)
    line = "compiling the loops for rejection 'sigma', once, about 10 s: later runs find them on disk\n"
    combine(stack_of(pixels), rejection="sigma")
    assert capsys.readouterr().err == line
    combine(stack_of(pixels), rejection="sigma")
    loop(1.5)  # what is compiled at another time is not ours to announce
    assert capsys.readouterr().err == ""


def test_one_colour_of_many_in_memory_gives_what_it_gives_by_itself():
    pixels = np.random.default_rng(8).normal(1000, 9, (9, 20, 30)).astype(np.uint16)
    part = xr.DataArray(pixels, dims=("frame", "y", "x"))[:, ::2, 1::2]
    alone = xr.DataArray(np.ascontiguousarray(part.to_numpy()), dims=part.dims)
    assert_same(combine(part, rejection="winsorized"), combine(alone, rejection="winsorized"))
