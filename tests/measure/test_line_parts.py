"""A variance in parts of pixels, rows and columns."""

import numpy as np
import pytest

from workbench.errors import NotMeasurableError
from workbench.measure.line_parts import Lines, parts_of


def sums_of(values, lines):
    keep = lines.keep
    above = np.where(keep, values - values[keep].mean(), 0.0)
    rows = above.sum(axis=1)[lines.rows] / lines.row_counts
    columns = above.sum(axis=0)[lines.columns] / lines.column_counts
    return np.array([(above**2).sum(), lines.row_counts @ rows**2, lines.column_counts @ columns**2])


@pytest.mark.parametrize("holes", [False, True])
def test_the_equations_hold_whatever_pixels_are_left_out(holes):
    """Each part alone, averaged over many draws, gives its column of the equations."""
    rng = np.random.default_rng(1)
    excluded = np.zeros((12, 9), dtype=bool)
    if holes:
        excluded = rng.random((12, 9)) < 0.3
        excluded[3] = True
    lines = Lines.of(excluded)
    n = 1500
    for part, shape in enumerate([(12, 9), (12, 1), (1, 9)]):
        sums = np.array([sums_of(np.broadcast_to(rng.normal(size=shape), (12, 9)), lines) for _ in range(n)])
        error = sums.std(axis=0) / n**0.5
        assert np.all(np.abs(sums.mean(axis=0) - lines.equations()[:, part]) < 4 * error + 1e-9)


def test_on_a_whole_frame_they_are_those_of_emva_1288_up_to_its_size():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(200, 300)) + 2 * rng.normal(size=(200, 1)) + 3 * rng.normal(size=300)
    m, n = values.shape
    lines = Lines.of(np.zeros(values.shape, dtype=bool))
    pixels, rows, columns = parts_of(lines, sums_of(values, lines), np.zeros(3)).values
    s2, rav, cav = values.var(ddof=1), values.mean(axis=1).var(), values.mean(axis=0).var()
    emva = m * n / (m * n - m - n) * (s2 - cav - rav)
    # the standard divides the line variances by the number of lines, not by one less
    size = 2 * s2 / (m * n)
    assert pixels == pytest.approx(emva, abs=size)
    assert rows == pytest.approx(rav - emva / n, abs=size)
    assert columns == pytest.approx(cav - emva / m, abs=size)
    assert pixels + rows + columns == pytest.approx(s2)


def test_three_rows_are_too_few():
    with pytest.raises(NotMeasurableError, match="fewer than 4 rows or columns"):
        Lines.of(np.zeros((3, 50), dtype=bool))
