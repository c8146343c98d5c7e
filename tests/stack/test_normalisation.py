"""Normalisation: against values worked by hand, and by what normalised frames have in common."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import InputError
from workbench.stack.frame_statistics import FrameStatistics, frame_statistics
from workbench.stack.normalisation import NORMALISATIONS, Coefficients, coefficients


def told(location, scale):
    files = tuple(f"f{i}.fits" for i in range(len(location)))
    return FrameStatistics(files, np.array(location, float), np.array(scale, float))


# the value 90 of a frame of location 80 and scale 5, where the first frame has 100 and 10: it is 10 above the location,
# two scales, which are 20 in the first frame; or 9/8 of the location, which are 112.5 there, and twice that when scaled
@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        ("none", 90),
        ("additive", 110),
        ("multiplicative", 112.5),
        ("additive_scaling", 120),
        ("multiplicative_scaling", 225),
    ],
)
def test_a_value_is_normalised_as_worked_by_hand(normalisation, expected):
    found = coefficients(told([100, 80], [10, 5]), normalisation)
    assert (found.factor[0], found.offset[0]) == (1.0, 0.0)
    assert 90 * found.factor[1] + found.offset[1] == pytest.approx(expected, rel=1e-14)


def test_every_frame_counts_by_its_own_numbers():
    statistics = told([100, 80, 125], [10, 5, 20])
    assert coefficients(statistics, "additive").offset.tolist() == [0, 20, -25]
    assert coefficients(statistics, "multiplicative").factor.tolist() == [1, 1.25, 0.8]
    scaled = coefficients(statistics, "additive_scaling")
    assert scaled.factor.tolist() == [1, 2, 0.5]
    assert scaled.offset.tolist() == [0, -60, 37.5]
    assert coefficients(statistics, "multiplicative_scaling").factor.tolist() == [1, 2.5, 0.4]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_normalised_frames_have_the_location_and_scale_that_their_normalisation_promises(normalisation):
    rng = np.random.default_rng(1)
    level, spread = np.array([500, 620, 410, 900]), np.array([10, 14, 8, 30])
    stack = xr.DataArray(rng.normal(level, spread, (90, 80, 4)).transpose(2, 0, 1), dims=("frame", "y", "x"))
    before = frame_statistics(stack, "biweight", noise=False)
    found = coefficients(before, normalisation)
    after = frame_statistics(
        stack * xr.DataArray(found.factor, dims="frame") + xr.DataArray(found.offset, dims="frame"),
        "biweight",
        noise=False,
    )
    same_location = normalisation in ("additive", "multiplicative", "additive_scaling")
    assert np.allclose(after.location, after.location[0], rtol=1e-12) == same_location
    assert np.allclose(after.scale, after.scale[0], rtol=1e-12) == (normalisation == "additive_scaling")
    if normalisation == "multiplicative_scaling":  # as PixInsight defines it, the scale enters the level too
        expected = before.location[0] * before.scale[0] / before.scale
        assert np.allclose(after.location, expected, rtol=1e-12)


def test_no_normalisation_looks_at_no_number():
    found = coefficients(told([0, np.nan, -3], [0, 0, np.nan]), "none")
    assert found.factor.tolist() == [1, 1, 1]
    assert found.offset.tolist() == [0, 0, 0]
    assert np.array_equal(Coefficients.unchanged(3).factor, found.factor)


@pytest.mark.parametrize(
    ("location", "scale", "normalisation", "rule", "next_step"),
    [
        (
            [100, 0],
            [1, 1],
            "multiplicative",
            "f1.fits: its location is 0 adu, which multiplicative normalisation cannot divide by",
            "leave the frame out, or take additive normalisation",
        ),
        (
            [0, 100],
            [1, 1],
            "multiplicative",
            "f0.fits: its location is 0 adu, which multiplicative normalisation cannot divide by",
            "leave the frame out, or take additive normalisation",
        ),
        (
            [100, -5],
            [1, 1],
            "multiplicative",
            "f1.fits: its location is -5 adu, that of f0.fits is 100 adu: multiplicative normalisation would turn it",
            "leave the frame out, or take additive normalisation",
        ),
        (
            [100, 90],
            [1, 0],
            "additive_scaling",
            "f1.fits: its scale is 0 adu, which additive normalisation with scaling cannot divide by",
            "leave the frame out, or take another scale estimator or a normalisation without",
        ),
        (
            [100, 90],
            [0, 1],
            "multiplicative_scaling",
            "f0.fits: its scale is 0 adu, which multiplicative normalisation with scaling cannot divide by",
            "leave the frame out, or take another scale estimator or a normalisation without",
        ),
        (
            [100, np.nan],
            [1, 1],
            "additive",
            "f1.fits: its location is nan, which additive normalisation cannot use",
            "leave the frame out",
        ),
        (
            [100, 90],
            [1, np.inf],
            "additive_scaling",
            "f1.fits: its scale is inf, which additive normalisation with scaling cannot use",
            "leave the frame out",
        ),
    ],
)
def test_what_cannot_be_normalised_is_refused_by_the_name_of_its_frame(location, scale, normalisation, rule, next_step):
    with pytest.raises(InputError) as caught:
        coefficients(told(location, scale), normalisation)
    assert str(caught.value) == f"{rule}; {next_step}"


def test_frames_below_zero_are_normalised_alike():
    found = coefficients(told([-100, -80], [1, 1]), "multiplicative")
    assert found.factor.tolist() == [1, 1.25]


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(InputError) as caught:
        coefficients(told([1], [1]), "aditive")
    assert str(caught.value) == "normalisation: 'aditive' is none; did you mean 'additive'?"
