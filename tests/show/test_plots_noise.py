"""What the pictures of noise draw, held against the numbers that they are drawn from."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from workbench.measure.numbers import number
from workbench.measure.pixel_flags import PixelFlag
from workbench.measure.pixels import PixelClasses
from workbench.measure.read_noise_map import read_noise_distribution
from workbench.measure.telegraph_table import telegraph_table
from workbench.results import Results
from workbench.show.canvas import BLACK, BLUE, GREY, VERMILION
from workbench.show.plots_noise import (
    budget_of,
    expected_shares,
    plot_noise_budget,
    plot_quantisation,
    plot_read_noise,
    plot_telegraph,
    telegraph_examples,
)

GAIN = 0.5
TERMS = (  # term, kind, adu2, its error
    ("quantisation", "temporal", 1.0, 0.0),
    ("row noise", "temporal", -0.1, 0.2),
    ("steady read noise", "temporal", 16.0, 0.4),
    ("temporal variance of a bias", "sum", 17.0, 0.3),
    ("offset pattern of pixels", "fixed", 9.0, 0.3),
    ("sum of all terms", "sum", 26.0, 0.5),
    ("variance of a single frame", "single frame", 26.1, 0.4),
    ("residual", "residual", 0.1, 0.3),
)


def budget(*groups: str, gain: float | None = GAIN) -> Results:
    rows = []
    for group in groups:
        for frames, exposure in (("bias", 0.0), ("dark", 600.0)):
            for term, kind, variance, error in TERMS:
                seen = gain is not None and variance > error
                noise = gain * variance**0.5 if seen else None
                rows.append(
                    {
                        "group": group,
                        "temperature": -20.0,
                        "frames": frames,
                        "exposure": exposure,
                        "term": term.replace("a bias", f"a {frames}"),
                        "kind": kind,
                        "variance": variance * (1 if frames == "bias" else 4),
                        "std_error": error,
                        "noise": noise if frames == "bias" else (2 * noise if seen else None),
                        "noise_error": 0.01 if seen else None,
                        "n_frames": 20,
                    }
                )
    return Results(dataset={"name": "x", "n_frames": 2, "n_used": 2, "sha256": ""}, tables={"noise_budget": rows})


# ---- the budget


def test_the_rms_of_a_term_is_in_electron_with_a_gain_and_else_the_root_of_its_variance_in_adu():
    with_gain, without = budget_of(budget("g1")), budget_of(budget("g1", gain=None))
    assert (with_gain.attrs["units"], without.attrs["units"]) == ("electron", "adu")
    for table, scale in ((with_gain, GAIN), (without, 1.0)):
        steady = table[(table["term"] == "steady read noise") & (table["frames"] == "bias")].iloc[0]
        assert steady["rms"] == pytest.approx(4.0 * scale)
    assert steady["rms_error"] == pytest.approx(0.4 / (2 * 4.0))


def test_a_variance_that_is_not_above_its_error_has_no_rms():
    for gain in (GAIN, None):
        table = budget_of(budget("g1", gain=gain))
        assert table.loc[(table["term"] == "row noise") & (table["frames"] == "bias"), "rms"].isna().all()


def test_the_bars_are_as_long_as_the_rms_and_coloured_by_what_changes_and_what_stays():
    figure = plot_noise_budget(budget("g1"))
    bias, dark = figure.axes
    assert dark.get_title(loc="left") == "One dark of 600 s"
    assert bias.get_xlabel() == "rms [electron]"
    lengths = [bar.get_width() for bar in bias.patches[:6]]
    np.testing.assert_allclose(lengths, [0.5, 0.0, 2.0, 1.5, GAIN * 26**0.5, GAIN * 26.1**0.5])
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bias.patches[:6]]
    assert colours == [BLUE, BLUE, BLUE, VERMILION, BLACK, GREY]
    assert [text.get_text() for text in bias.texts][1] == "not above its error"
    np.testing.assert_allclose([bar.get_width() for bar in dark.patches[:6]], 2 * np.array(lengths))
    names = [label.get_text() for label in bias.get_yticklabels()]
    assert "residual" not in names
    assert names[-1] == "measured in single frames"


def test_a_budget_of_another_group_is_drawn_when_it_is_named_and_none_where_there_is_none():
    two = budget("g1", "g2")
    for row in two.tables["noise_budget"]:
        if row["group"] == "g2" and row["noise"]:
            row["noise"] *= 10
    width = [plot_noise_budget(two, group=group).axes[0].patches[2].get_width() for group in (None, "g2")]
    assert width == pytest.approx([2.0, 20.0])
    assert plot_noise_budget(budget()) is None
    assert len(budget_of(budget())) == 0


# ---- read noise over the pixels


def pixels(n_frames, *, lattice=0, common=0.0, seed=0):
    """Temporal variances of 200 x 250 simulated pixels of median read noise 10 adu and log-normal spread 0.2."""
    rng = np.random.default_rng(seed)
    sigma = 10.0 * np.exp(0.2 * rng.standard_normal((200, 250)))
    frames = sigma * rng.standard_normal((n_frames, 200, 250))
    frames += common * rng.standard_normal(frames.shape)
    if lattice:
        frames = lattice * np.rint(frames / lattice + rng.random(sigma.shape))
    return frames.var(axis=0, ddof=1)


@pytest.mark.parametrize(("lattice", "common"), [(None, 0.0), (4, 4.0)])
def test_the_expected_shares_are_those_of_simulated_pixels(lattice, common):
    variance = pixels(12, lattice=lattice or 0, common=common)
    rounding = (lattice or 0) ** 2 / 12
    edges = np.array([0.0, 7.0, 9.0, 11.0, 13.0, 16.0, 60.0])
    expected = expected_shares(edges, 10.0, 0.2, 12, rounding=rounding, common=common**2)
    measured = np.histogram(np.sqrt(np.maximum(variance - rounding, 0.0)), edges)[0] / variance.size
    tolerance = 4 * np.sqrt(expected / variance.size)
    assert (np.abs(measured - expected) < tolerance).all()
    assert expected.sum() == pytest.approx(1, abs=1e-3)


def test_the_curve_over_the_pixels_is_the_fitted_law_and_the_map_is_the_rms_of_its_blocks():
    variance = pixels(20)
    law = read_noise_distribution(variance, 20, None, None, number(GAIN, 0.0))
    figure = plot_read_noise(variance, law, None, GAIN)
    left, right = figure.axes[:2]
    shown = np.asarray(left.images[0].get_array())
    assert shown.shape == (200, 250)  # blocks of one pixel
    np.testing.assert_allclose(shown, GAIN * np.sqrt(variance), rtol=1e-5)
    counts, edges, _ = right.patches[0].get_data()
    assert counts.sum() == variance.size
    fitted, alone = (line.get_ydata() for line in right.lines)
    assert fitted.sum() == pytest.approx(variance.size, rel=1e-2)
    assert alone.sum() == pytest.approx(variance.size, rel=1e-2)
    core = fitted > 100
    assert (np.abs(counts - fitted)[core] < 5 * np.sqrt(fitted)[core]).all()
    centres = (edges[1:] + edges[:-1]) / 2
    spread = [np.sqrt(np.average((centres - 5.1) ** 2, weights=one)) for one in (alone, fitted)]
    assert spread[0] < spread[1]
    assert right.get_xlabel().startswith("read noise of a pixel [electron rms]")


def test_pixels_that_do_not_count_are_neither_in_the_map_nor_in_the_distribution():
    variance = pixels(20)
    variance[:20] = np.nan
    law = read_noise_distribution(variance, 20, np.isnan(variance), None, number(1.0, 0.0))
    left, right = plot_read_noise(variance, law, None).axes[:2]
    assert np.isnan(np.asarray(left.images[0].get_array())[:20].astype(float)).all()
    assert right.patches[0].get_data()[0].sum() == 180 * 250
    assert "adu" in right.get_xlabel()


# ---- telegraph pixels


def jumping_pixels():
    """Return 20 frames of 6 x 8 pixels on a drifting level, two pixels of which jump, and their classes."""
    rng = np.random.default_rng(5)
    frames = rng.normal(0, 2.0, (20, 6, 8))
    frames[:, 2, 3] += 40.0 * (np.arange(20) % 2)
    frames[:, 4, 5] += 40.0 * (np.arange(20) % 3)
    frames += 100 + np.arange(20)[:, None, None]
    flags = np.zeros((6, 8), np.uint16)
    flags[2, 3], flags[4, 5], flags[2, 0] = PixelFlag.TELEGRAPH_2_LEVELS, PixelFlag.TELEGRAPH_3_LEVELS, PixelFlag.HOT
    rows = pd.DataFrame(
        {
            "row": [2, 4],
            "column": [3, 5],
            "kind": "read",
            "n_levels": [2, 3],
            "level_1": [0.0, 0.0],
            "level_2": [40.0, 40.0],
            "level_3": [np.nan, 80.0],
            "jump": [40.0, 40.0],
            "noise": [2.0, 2.0],
            "upper_share": [0.5, 0.5],
            "probability": [1.0, 1.0],
        }
    )
    classes = PixelClasses(flags, telegraph_table(rows), pd.DataFrame(), 48, None, None)
    return xr.DataArray(frames, dims=("frame", "y", "x")), classes


def test_a_steady_pixel_and_one_of_each_number_of_levels_are_chosen():
    _, classes = jumping_pixels()
    chosen = telegraph_examples(classes)
    assert chosen["n_levels"].to_list() == [1, 2, 3]
    assert list(zip(chosen["row"], chosen["column"], strict=True)) == [(2, 1), (2, 3), (4, 5)]  # (2, 0) is hot
    assert classes.flags[2, 1] == 0


def test_the_example_is_one_that_is_sure_and_held_by_both_levels_alike():
    _, classes = jumping_pixels()
    first = classes.telegraph.iloc[[0]]
    doubtful = first.assign(column=6, probability=0.6, jump=400.0)
    lopsided = first.assign(column=7, upper_share=0.9, jump=400.0)
    table = pd.concat([doubtful, lopsided, classes.telegraph], ignore_index=True)
    changed = PixelClasses(classes.flags, table, classes.hot, 48, None, None)
    assert telegraph_examples(changed)["column"].to_list() == [1, 3, 5]


def test_the_values_are_drawn_above_the_mean_of_their_frame_with_the_levels_through_them():
    stack, classes = jumping_pixels()
    figure = plot_telegraph(stack, telegraph_examples(classes))
    upper, lower = np.reshape(figure.axes, (2, 3))
    expected = (stack - stack.mean(("y", "x"))).to_numpy()
    for axes, (row, column) in zip(upper, ((2, 1), (2, 3), (4, 5)), strict=True):
        np.testing.assert_allclose(axes.lines[0].get_ydata(), expected[:, row, column])
    assert [[line.get_ydata()[0] for line in axes.lines[1:]] for axes in upper] == [[], [0.0, 40.0], [0.0, 40.0, 80.0]]
    assert [len(axes.lines) for axes in lower] == [0, 2, 3]
    for axes in lower:
        assert sum(bar.get_height() for bar in axes.patches) == 20


def test_nothing_is_drawn_where_no_pixel_jumps():
    stack, classes = jumping_pixels()
    none = PixelClasses(classes.flags, telegraph_table(), classes.hot, 48, None, None)
    assert len(telegraph_examples(none)) == 0
    assert plot_telegraph(stack, telegraph_examples(none)) is None


# ---- rounding


def test_the_variance_of_rounded_values_is_drawn_over_what_it_should_be():
    noise = np.array([0.1, 0.5, 2.0])
    figure = plot_quantisation(noise, {"right": noise**2 + 1 / 12, "twice": 2 * (noise**2 + 1 / 12)}, here=8.0)
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 1.0)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 2.0)
    assert axes.lines[3].get_xdata()[0] == 8.0
    assert axes.get_xlim()[1] > 8.0
    assert len(plot_quantisation(noise, {"right": noise}).axes[0].lines) == 2
