"""The automatic stretch against its definition, and what it must do to an image."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.show.stretch import auto_stretch, midtones_transfer


def image_of(level=0.02, sigma=0.001, seed=1):
    return np.random.default_rng(seed).normal(level, sigma, (200, 300))


@pytest.mark.parametrize("midtones", [0.001, 0.25, 0.5, 0.9])
def test_the_transfer_function_goes_through_its_three_points_and_rises(midtones):
    x = np.linspace(0, 1, 1001)
    y = midtones_transfer(midtones, x)
    assert y[0] == 0
    assert y[-1] == pytest.approx(1)
    assert float(midtones_transfer(midtones, midtones)) == pytest.approx(0.5)
    assert (np.diff(y) > 0).all()


def test_the_background_becomes_a_quarter():
    # without a division by 1 - shadows, as the program has it: the quarter is met to 2 % here
    image = image_of()
    found = auto_stretch(image, low=0, high=1)
    assert np.median(found(image)) == pytest.approx(0.25, rel=0.02)
    mad = np.median(np.abs(image - np.median(image)))
    assert found.shadows == pytest.approx(np.median(image) - 2.8 * 1.4826 * mad)


def test_a_boosted_one_is_brighter():
    image = image_of()
    assert np.median(auto_stretch(image, low=0, high=1, boosted=True)(image)) == pytest.approx(0.5, rel=0.02)


def test_units_do_not_matter():
    image = image_of()
    one, other = (
        auto_stretch(image, low=0, high=1)(image),
        auto_stretch(65535 * image, low=0, high=65535)(65535 * image),
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_bright_image_is_stretched_from_its_bright_end():
    image = 1 - image_of()
    found = auto_stretch(image, low=0, high=1)
    assert found.shadows == 0
    assert found.highlights < 1
    assert np.median(found(image)) == pytest.approx(0.75, rel=0.02)


def test_what_is_outside_is_clipped_and_what_has_no_value_keeps_none():
    found = auto_stretch(image_of(), low=0, high=1)
    black, white, none = found(np.array([-5.0, 9.0, np.nan]))
    assert (black, white) == (0, 1)
    assert np.isnan(none)


def test_a_constant_image_and_an_empty_one():
    assert auto_stretch(np.full((4, 4), 0.1), low=0, high=1).shadows == 0
    with pytest.raises(NotMeasurableError, match="no pixel between the limits"):
        auto_stretch(np.full((4, 4), np.nan), low=0, high=1)
    with pytest.raises(NotMeasurableError, match="no pixel between the limits"):
        auto_stretch(np.ones((4, 4)), low=1, high=1)
