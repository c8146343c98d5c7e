"""The log of a night: what it says of numbers that are exact, measured, or of unknown error."""

from workbench.show.night_log import _scale


def test_the_factor_of_a_dark_is_exact_only_where_exposures_tell_it():
    assert _scale({"k": None, "k_error": None}) == ""
    assert _scale({"k": 0.5, "k_error": 0.0}) == ", dark x 0.5, exactly: the ratio of the exposures"
    assert _scale({"k": 0.5, "k_error": 0.01}) == ", dark x 0.500 +/- 0.010"
    assert _scale({"k": 0.5, "k_error": None}) == ", dark x 0.5; its error is not known"
