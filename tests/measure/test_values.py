"""Steps and ends of stored values."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.values import StoredValues


def stored(*frames, dtype=np.uint16):
    values = StoredValues()
    for frame in frames:
        values.add(np.asarray(frame, dtype=dtype))
    return values


def test_twelve_bits_in_sixteen_step_by_sixteen_even_with_a_full_scale_of_65535():
    rng = np.random.default_rng(1)
    frame = np.minimum(rng.integers(100, 4200, 5000) * 16, 65535)
    values = stored(frame, frame)
    assert values.lattice == 16
    assert values.pile() == 65535
    assert values.ceiling == 65520


def test_a_thin_end_is_no_saturation():
    values = stored(np.random.default_rng(2).normal(1600, 50, 10000))
    assert values.lattice == 1
    with pytest.raises(NotMeasurableError, match="no frame reaches saturation"):
        values.pile()


def test_fractions_have_no_lattice():
    values = stored([0.25, 0.5, 0.75], dtype=np.float32)
    assert (values.lattice, values.ceiling) == (None, None)
    with pytest.raises(NotMeasurableError, match="not whole numbers"):
        values.pile()


def test_frames_are_counted_together():
    values = stored([1, 2, 2, 4], [2, 4, 4, 8])
    assert values.levels.tolist() == [1, 2, 4, 8]
    assert values.counts.tolist() == [1, 3, 3, 1]
