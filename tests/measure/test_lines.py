"""Weighted polynomials against numpy.polyfit, and their errors against trials."""

import numpy as np
import pytest

from workbench.measure.lines import fit_line


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_coefficients_and_covariance_are_those_of_polyfit(degree):
    rng = np.random.default_rng(1)
    t = np.array([10, 30, 60, 120, 180, 300, 420, 600.0])
    error = rng.uniform(0.5, 2, t.size)
    y = 1600 + rng.normal(0, 5, t.size)
    line = fit_line(t, y, error, degree)
    coefficients, covariance = np.polyfit(t, y, degree, w=1 / error, cov="unscaled")
    assert line.coefficients == pytest.approx(coefficients[::-1], rel=1e-9)
    assert line.covariance == pytest.approx(covariance[::-1, ::-1], rel=1e-9)
    assert line.predict_error(600.0) == pytest.approx(
        np.sqrt(np.vander([600.0], degree + 1)[0] @ covariance @ np.vander([600.0], degree + 1)[0])
    )


def test_too_few_points_and_bad_errors_are_refused():
    with pytest.raises(ValueError, match="cannot fix the 3 coefficients"):
        fit_line([1, 2], [1, 2], [1, 1], 2)
    with pytest.raises(ValueError, match="greater than 0"):
        fit_line([1, 2, 3], [1, 2, 3], [1, 0, 1], 1)
