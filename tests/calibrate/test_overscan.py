"""The overscan's level, its error, and whether it matters when it is subtracted."""

import numpy as np
import pytest
import xarray as xr

from workbench.calibrate.overscan import overscan_levels, subtract_overscan, trimmed
from workbench.errors import InputError
from workbench.frames.overscan import Overscan, OverscanStrip

SHAPE = (60, 80)
IMAGE = (slice(0, 60), slice(0, 64))
STRIP = (slice(0, 60), slice(64, 80))
WHOLE = (slice(0, 60), slice(0, 80))
SIGMA = 5.0


def frames(n=9, seed=1):
    rng = np.random.default_rng(seed)
    level = 1000 + rng.normal(0, 8, (n, 1, 1))
    values = level + rng.normal(0, SIGMA, (n, *SHAPE))
    values[:, IMAGE[0], IMAGE[1]] += 300
    return xr.DataArray(values, dims=("frame", "y", "x")), level.ravel()


def overscan(level="median", image=IMAGE):
    return Overscan((OverscanStrip(STRIP, WHOLE),), image, level)


@pytest.mark.parametrize("level", ["mean", "median"])
def test_the_level_is_the_offset_within_its_error(level):
    pulls = []
    for seed in range(60):
        stack, truth = frames(2, seed)
        ((_, found, error),) = overscan_levels(stack[0].to_numpy(), overscan(level))
        pulls.append((found - truth[0]) / error)
    assert np.std(pulls) == pytest.approx(1, abs=4 / (2 * 60) ** 0.5)
    assert abs(np.mean(pulls)) < 4 / 60**0.5


@pytest.mark.parametrize("level", ["mean", "median"])
@pytest.mark.parametrize(("noise", "step"), [(6.0, 1.0), (20.0, 16.0)])
def test_the_level_lies_between_the_steps_of_the_adc(level, noise, step):
    rng, pulls = np.random.default_rng(3), []
    strip = (slice(0, 60), slice(0, 64))
    for _ in range(60):
        true = 1000 + rng.uniform(0, step)
        stored = np.rint((true + rng.normal(0, noise, SHAPE)) / step) * step
        ((_, found, error),) = overscan_levels(stored, Overscan((OverscanStrip(strip, WHOLE),), None, level))
        pulls.append((found - true) / error)
    assert np.std(pulls) == pytest.approx(1, abs=4 / (2 * 60) ** 0.5)


def test_strips_of_one_target_are_averaged():
    frame = np.zeros((4, 10))
    frame[:, :2], frame[:, 8:] = 100.0, 200.0
    whole = (slice(0, 4), slice(0, 10))
    both = [OverscanStrip((slice(0, 4), columns), whole) for columns in (slice(0, 2), slice(8, 10))]
    assert overscan_levels(frame, Overscan(tuple(both)))[0][1] == 150.0


def test_two_halves_have_their_own_levels():
    frame = np.arange(2.0).repeat(5)[None, :].repeat(4, 0) * 50 + 100
    halves = [slice(0, 5), slice(5, 10)]
    strips = tuple(OverscanStrip((slice(0, 4), half), (slice(0, 4), half)) for half in halves)
    assert not trimmed(frame, Overscan(strips)).any()


def test_unsigned_frames_go_below_zero_and_stay_what_they_were():
    frame = np.full(SHAPE, 100, np.uint16)
    frame[STRIP] = 150
    assert (trimmed(frame, overscan()) == -50).all()
    assert frame[0, 0] == 100


def test_frame_by_frame_is_the_master_where_nothing_is_rejected():
    stack, _ = frames()
    each = subtract_overscan(stack, overscan("mean")).mean("frame").to_numpy()
    after = trimmed(stack.mean("frame").to_numpy(), overscan("mean"))
    np.testing.assert_allclose(each, after, atol=1e-9)


def test_it_is_not_where_values_are_rejected():
    stack, _ = frames()
    each = subtract_overscan(stack, overscan("mean")).median("frame").to_numpy()
    after = trimmed(stack.median("frame").to_numpy(), overscan("mean"))
    # offsets that drift by 8 adu choose which frame a median takes: the two are different samples of the noise
    assert np.std(each - after) > 0.3 * SIGMA
    assert each.std() < after.std()


def test_a_lazy_stack_stays_lazy_and_gives_the_same():
    stack, _ = frames()
    stack = stack.assign_coords(exposure=("frame", np.arange(9.0)))
    lazy = subtract_overscan(stack.chunk(frame=1, y=20, x=40), overscan())
    assert lazy.chunks is not None
    assert lazy.shape == (9, 60, 64)
    np.testing.assert_array_equal(lazy.compute(), subtract_overscan(stack, overscan()))
    assert lazy.attrs["units"] == "adu"
    assert list(lazy["exposure"].to_numpy()) == list(range(9))


def test_a_strip_without_values_is_refused():
    with pytest.raises(InputError, match="has no finite value"):
        overscan_levels(np.full(SHAPE, np.nan), overscan())
