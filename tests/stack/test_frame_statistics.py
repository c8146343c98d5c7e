"""Statistics of whole frames: however the stack is held, they are those of each frame by itself."""

import numpy as np
import pytest
import xarray as xr

import workbench
from workbench.errors import FrameError, InputError
from workbench.stack.frame_statistics import frame_statistics, has_bayer_pattern
from workbench.stack.noise_evaluation import mrs_noise
from workbench.stack.scale_estimators import SCALE_ESTIMATORS, location_and_scale

SHAPE = (120, 90)


def frames(n=4):
    rng = np.random.default_rng(1)
    return [rng.normal(1000 + 20 * i, 5 + i, SHAPE).astype(np.uint16) for i in range(n)]


def held(pixels, **coords):
    coords = {name: ("frame", values) for name, values in coords.items()}
    return xr.DataArray(np.stack(pixels), dims=("frame", "y", "x"), coords=coords)


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fits.fz"])
def test_frames_in_files_give_what_each_gives_by_itself(write_fits, tmp_path, suffix):
    pixels = frames()
    for number, one in enumerate(pixels):
        write_fits(f"{number}{suffix}", one, [("IMAGETYP", "dark"), ("EXPTIME", 10.0)])
    stack = workbench.load_stack(workbench.catalogue(tmp_path))
    for estimator in SCALE_ESTIMATORS:
        found = frame_statistics(stack, estimator, noise=True)
        alone = [location_and_scale(one, estimator) for one in pixels]
        assert np.array_equal(np.column_stack([found.location, found.scale]), alone)
        assert found.noise.tolist() == [mrs_noise(one).sigma for one in pixels]
        assert found.files == tuple(f"{number}{suffix}" for number in range(4))
    cut = stack.isel(y=slice(10, 70), x=slice(5, 80))
    expected = [location_and_scale(one[10:70, 5:80])[0] for one in pixels]
    assert frame_statistics(cut, noise=False).location.tolist() == expected


def test_arrays_chunks_and_numbers_of_threads_give_the_same():
    stack = held([one.astype(np.float32) for one in frames()])
    expected = frame_statistics(stack, "biweight", noise=True, threads=1)
    for other in (stack, stack.chunk(y=32), stack.chunk(frame=2, x=50)):
        found = frame_statistics(other, "biweight", noise=True, threads=3)
        assert np.array_equal(found.location, expected.location)
        assert np.array_equal(found.scale, expected.scale)
        assert np.array_equal(found.noise, expected.noise)


def test_noise_is_none_when_not_asked_for():
    assert frame_statistics(held(frames()), noise=False).noise is None


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_masked_pixels_are_left_out(dtype):
    pixels = [one.astype(dtype) for one in frames(2)]
    shared = np.random.default_rng(2).random(SHAPE) < 0.3
    own = np.stack([shared, ~shared])
    for mask in (shared, xr.DataArray(shared, dims=("y", "x"))):
        found = frame_statistics(held(pixels), noise=True, mask=mask)
        assert found.location.tolist() == [np.median(one[~shared]) for one in pixels]
        assert found.noise.tolist() == [mrs_noise(one, mask=shared).sigma for one in pixels]
    for mask in (own, xr.DataArray(own, dims=("frame", "y", "x")).chunk(y=50)):
        found = frame_statistics(held(pixels), noise=False, mask=mask)
        assert found.location.tolist() == [np.median(pixels[0][~shared]), np.median(pixels[1][shared])]


def test_nan_is_no_value():
    pixels = [one.astype(np.float64) for one in frames(2)]
    pixels[1][:50] = np.nan
    found = frame_statistics(held(pixels), noise=False)
    assert found.location[1] == np.median(pixels[1][50:])


def test_filters_are_averaged_over_where_all_frames_tell_of_them():
    pixels = [one + np.tile([[0, 300], [300, 100]], (60, 45)).astype(np.uint16) for one in frames(2)]
    plain, coloured = held(pixels), held(pixels, bayer_pattern=["RGGB", "RGGB"])
    assert has_bayer_pattern(coloured)
    assert not has_bayer_pattern(plain)
    assert not has_bayer_pattern(held(pixels, bayer_pattern=np.array(["RGGB", None], object)))
    expected = [mrs_noise(one, bayer=True).sigma for one in pixels]
    assert frame_statistics(coloured, noise=True).noise.tolist() == expected
    assert frame_statistics(plain, noise=True, bayer=True).noise.tolist() == expected
    assert frame_statistics(plain, noise=True).noise.min() > 5 * max(expected)


def test_a_frame_that_tells_nothing_is_named():
    pixels = [one.astype(np.float32) for one in frames(2)]
    empty = held([pixels[0], np.full(SHAPE, np.nan, np.float32)], file=["a.fits", "b.fits"])
    with pytest.raises(InputError) as caught:
        frame_statistics(empty, noise=False)
    assert str(caught.value) == (
        "b.fits: has no pixel with a value that counts; leave the frame out, or mask less of it"
    )
    flat = held([pixels[0], np.full(SHAPE, 3, np.float32)])
    assert frame_statistics(flat, noise=False).scale[1] == 0
    with pytest.raises(InputError) as caught:
        frame_statistics(flat, noise=True)
    assert str(caught.value) == (
        "frame 2: its noise cannot be evaluated: the image has no noise: its finest detail is the same in nearly all "
        "of its pixels that count; leave the frame out, or weigh frames otherwise"
    )


def test_an_unknown_estimator_is_refused_before_anything_is_read():
    with pytest.raises(InputError, match="did you mean 'mad'"):
        frame_statistics(held(frames(1)), "made", noise=False)


def test_a_file_that_has_gone_is_named(write_fits, tmp_path):
    for number, one in enumerate(frames(3)):
        write_fits(f"{number}.fits", one, [("IMAGETYP", "dark"), ("EXPTIME", 10.0)])
    stack = workbench.load_stack(workbench.catalogue(tmp_path))
    (tmp_path / "1.fits").unlink()
    with pytest.raises(FrameError, match=r"1\.fits: cannot be read"):
        frame_statistics(stack, noise=False)
