"""The plan names what a report is missing, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from workbench.measure.acquisition import acquisition_plan, headline
from workbench.measure.dark_laws import BOLTZMANN, ZERO_CELSIUS, DarkPoint, reading
from workbench.measure.numbers import number
from workbench.measure.planning import DarkSeriesPlan, predicted_error
from workbench.measure.temperature import fit_temperature
from workbench.results import Measurement, NotMeasured, Problem, Results, Verdict

EIGHT = (10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 420.0, 600.0)
CAMERA = (("gain", 0.25), ("saturation", 65520.0), ("read_noise", 1.7), ("dark_current", 0.005))


def report(
    *,
    sets=None,
    temperatures=(-20.0, -15.0, -10.0),
    scaling="match",
    reason="",
    without=(),
    missing=(),
    bias=20,
    bias_at=(-20.0, -15.0, -10.0),
    group="g1",
):
    """A report of a camera of which everything is known, but for what is left out."""
    sets = {exposure: 14 if exposure == 600.0 else 4 for exposure in EIGHT} if sets is None else sets
    rows = [
        {"group": group, "temperature": warm, "exposure": exposure, "n_frames": n}
        for k, warm in enumerate(temperatures)
        for exposure, n in (sets if k == 0 else {600.0: 6}).items()
    ]
    measured = [
        Measurement(name, value, 0.01 * value, "", "", {"group": group}, 1)
        for name, value in CAMERA
        if name not in {*without, "dark_current"}
    ]
    at = {"group": group, "exposure": max(sets), "temperature": temperatures[0]} if sets else {"group": group}
    if "dark_current" not in without and sets:
        measured.append(Measurement("dark_current", 0.005, 1e-5, "", "temporal_variance", at, 14))
        measured.append(Measurement("dark_variance_rate", 0.08, 1e-4, "", "temporal_variance", at, 14))
    if bias:
        measured += [
            Measurement("bias_level", 1600, 1, "adu", "", {"group": group, "temperature": warm}, bias)
            for warm in bias_at
        ]
    term = {"group": group, "frames": "bias", "term": "temporal variance of a bias", "variance": 46.0, "n_frames": bias}
    verdict = Verdict(scaling, reason, {"by_group": [{"group": group, "value": scaling, "reason": reason}]})
    return Results(
        dataset={"name": "camera"},
        groups=[{"id": group, "shape": [1000, 1000]}],
        measurements=measured,
        not_measured=[NotMeasured(name, why, {"group": group, **where}) for name, why, where in missing],
        tables={
            "dark_mean": rows,
            "variance": [row for row in rows if row["n_frames"] > 1],
            "noise_budget": [term] if bias else [],
            "gain_levels": [] if "gain" in without else [{"group": group, "linear": True}] * 6,
        },
        verdicts={"dark_scaling": verdict},
    )


def only(plan, kind, need="missing"):
    found = [one for one in plan if one.kind == kind and one.need == need]
    assert len(found) == 1, [one.row() for one in plan]
    return found[0]


def test_a_complete_camera_misses_nothing_but_darks_for_its_lights():
    plan = acquisition_plan(report())
    assert headline(plan) == "nothing is missing; your lights need darks of their own"
    (darks,) = plan
    assert (darks.need, darks.kind, darks.exposures) == ("for your lights", "dark", ())
    assert darks.how.startswith("same exposure, temperature, gain and offset setting as the lights")
    assert "the lights' own pause" in darks.how
    assert "after the same warm-up" in darks.how
    assert darks.why.startswith("these darks must not be scaled")
    # 0.05 mag of 20 lights, sky 10 times the read noise squared
    share = (46 + 48) / (46 + 48 + 460)
    assert darks.n_frames == np.ceil(20 * share / (10 ** (0.05 / 1.25) - 1))


def test_the_embedded_camera_misses_nothing(embedded):
    _, results, _ = embedded
    plan = acquisition_plan(results)
    assert {one.need for one in plan} == {"better", "for your lights"}
    assert only(plan, "bias", "better").temperatures == (-15.0, -10.0)
    assert only(plan, "dark", "for your lights").n_frames == 36
    assert headline(plan).startswith("nothing is missing; 1 set of frames would make the numbers more certain")


def test_a_real_camera_hears_what_its_owner_can_do(asi178):
    _, results = asi178
    plan = acquisition_plan(results)
    assert only(plan, "copy again").n_frames == 12
    flats = [one for one in plan if one.kind == "flat"]
    assert flats[0].how.startswith("pairs of flats at 5, 17, 29, 41, 53, 65 % of saturation")
    assert (flats[0].n_frames, flats[1].n_frames) == (12, 2)
    again, warmer = (one for one in plan if one.kind == "dark" and one.need == "missing")
    assert again.why.startswith("temperature is confounded with exposure")
    assert again.why.endswith("shoot the series again in this order")
    assert again.counts == (4,) * 8 + (14,)
    assert sorted(set(again.order)) == [0.1, 1, 5, 10, 30, 50, 70, 85, 100]
    assert list(again.order) != sorted(again.order)
    assert warmer.temperatures == (39.0, 44.0)
    assert "without a cooler" in warmer.how
    assert only(plan, "dark", "for your lights").n_frames == 64
    assert headline(plan).startswith("5 things are missing, for gain, ")


def test_without_bias_frames_twenty_are_asked_for():
    missing = [(name, "no bias frames; shoot 20", {}) for name in ("bias_level", "offset_drift", "read_noise")]
    plan = acquisition_plan(report(bias=0, without=("read_noise",), missing=missing))
    bias = only(plan, "bias")
    assert bias.n_frames == 20
    assert bias.precision == "offset drift to 16 %"
    assert "read_noise" in bias.enables
    few = only(acquisition_plan(report(bias=4)), "bias", "better")
    assert few.n_frames == 16
    assert few.why == "4 bias frames: level and drift are uncertain"


def test_darks_are_not_counted_as_bias_frames():
    results = report(bias=4)
    of_darks = {"group": "g1", "frames": "dark", "term": "dark shot noise", "variance": 48.0, "n_frames": 14}
    results.tables["noise_budget"].append(of_darks)
    few = only(acquisition_plan(results), "bias", "better")
    assert (few.n_frames, few.why) == (16, "4 bias frames: level and drift are uncertain")


@pytest.mark.parametrize(("n", "asked"), [(3, 17), (12, 0)])
def test_without_level_and_budget_the_read_noise_tells_how_many_bias_frames_there_are(n, asked):
    results = report(bias=0, without=("read_noise",))
    results.measurements.append(Measurement("read_noise", 1.7, 0.1, "", "temporal_variance", {"group": "g1"}, n))
    found = [one for one in acquisition_plan(results) if one.kind == "bias"]
    assert sum(one.n_frames for one in found) == asked
    assert all(one.need == "better" for one in found)


def test_bias_frames_at_another_temperature_are_better_than_none():
    bias = only(acquisition_plan(report(bias_at=(-20.0,))), "bias", "better")
    assert bias.temperatures == (-15.0, -10.0)
    assert bias.n_frames == 20


def test_flats_are_asked_for_with_the_precision_that_they_will_bring():
    missing = [("gain", "no usable flats; shoot pairs of flats at 4 or more levels", {})]
    results = report(without=("gain", "saturation"), missing=missing)
    flats = [one for one in acquisition_plan(results) if one.kind == "flat"]
    assert [one.n_frames for one in flats] == [12, 2]
    assert flats[0].precision == "gain to 0.06 %"
    assert flats[0].why.startswith("no usable flats")
    results.parameters["gain"] = 0.25
    given = next(one for one in acquisition_plan(results) if one.kind == "flat" and one.need == "better")
    assert given.why.startswith("the gain was given, not measured")


def test_few_levels_of_flats_are_filled_up():
    results = report()
    results.tables["gain_levels"] = results.tables["gain_levels"][:2]
    assert only(acquisition_plan(results), "flat", "better").n_frames == 8


def test_levels_of_flats_are_those_of_the_region_that_has_fewest():
    results = report()
    results.tables["gain_levels"] = [
        {"group": "g1", "region": region, "linear": k < n}
        for region, n in (("left", 3), ("right", 2))
        for k in range(6)
    ]
    flats = only(acquisition_plan(results), "flat", "better")
    assert flats.n_frames == 8
    assert flats.why.startswith("2 levels of flats below saturation")


@pytest.mark.parametrize("mosaic", [False, True], ids=["taps", "colour planes"])
def test_the_gain_is_predicted_from_the_pixels_of_a_region(mosaic):
    results = report(without=("gain",))
    rows = [0, 1000, 1]
    taps = [
        {"name": "left", "role": "tap", "rows": rows, "columns": [0, 750, 1]},
        {"name": "right", "role": "tap", "rows": rows, "columns": [750, 1000, 1]},
        {"name": "covered", "role": "optical_black", "rows": [0, 10, 1], "columns": [0, 1000, 1]},
    ]
    results.groups[0]["regions"] = [] if mosaic else taps
    results.parameters["per_bayer"] = mosaic
    assert only(acquisition_plan(results), "flat").precision == "gain to 0.1 %"  # of a quarter of a million


def test_missing_exposures_lie_between_the_shortest_useful_and_the_longest():
    plan = acquisition_plan(report(sets={60.0: 2, 600.0: 5}, scaling="not_judged", reason="2 dark exposures"))
    darks = only(plan, "dark")
    assert len(darks.exposures) == 8
    assert darks.exposures[-1] == 600
    assert 10 <= darks.exposures[0] <= 150
    wanted = dict(zip(darks.exposures, darks.counts, strict=True))
    assert (wanted[60.0], wanted[600.0]) == (2, 9)
    assert all(n == 4 for exposure, n in wanted.items() if exposure not in (60.0, 600.0))
    steps = np.diff(np.log(darks.exposures))
    assert steps.max() < 3 * steps.min()
    assert sorted(darks.order) == sorted(np.repeat(darks.exposures, darks.counts))
    assert (
        darks.order
        == only(
            acquisition_plan(report(sets={60.0: 2, 600.0: 5}, scaling="not_judged", reason="2 dark exposures")), "dark"
        ).order
    )
    assert darks.seconds == pytest.approx(sum(darks.order))
    series = DarkSeriesPlan(1_000_000, 1.7, 0.005, 600.0, n_darks=14, n_bias=20)
    percent = 100 * predicted_error(series) / 0.005
    assert darks.precision == f"dark current to {percent:.2g} % from 14 of 600 s, the gain's error apart"
    unknown = only(plan, "dark", "for your lights")
    assert unknown.why.startswith("whether these darks may be scaled is not known")


def test_single_darks_get_company():
    one_each = [("dark_variance_rate", "one dark of this exposure: its noise needs a pair", {"exposure": 1.999})]
    results = report(sets={}, temperatures=(), missing=one_each, scaling="not_judged")
    darks, warmer = (one for one in acquisition_plan(results) if one.kind == "dark" and one.need == "missing")
    assert darks.exposures[-1] == 2.0  # 1.999 s to the one who sets it
    assert darks.counts[-1] == 13
    assert warmer.why.startswith("no header tells the temperature of the sensor")


def test_too_few_frames_to_judge_scaling_are_multiplied():
    reason = "the darks are too few to see a mistake; shoot 2.5 times as many of each exposure"
    darks = only(acquisition_plan(report(scaling="not_judged", reason=reason)), "dark")
    assert dict(zip(darks.exposures, darks.counts, strict=True))[10.0] == 6
    assert dict(zip(darks.exposures, darks.counts, strict=True))[600.0] == 21
    assert "too few to judge whether these darks may be scaled" in darks.why


def test_odd_counts_and_a_short_longest_set_only_make_it_better():
    sets = {exposure: 5 if exposure == 30.0 else 6 for exposure in EIGHT}
    darks = only(acquisition_plan(report(sets=sets)), "dark", "better")
    assert dict(zip(darks.exposures, darks.counts, strict=True)) == {30.0: 1, 600.0: 8}
    assert darks.why.startswith("6 of the longest: 14 give the convergence table")


@pytest.mark.parametrize("n", [15, 16])
def test_an_odd_count_of_the_longest_gets_its_pair(n):
    sets = {exposure: n if exposure == 600.0 else 4 for exposure in EIGHT}
    found = [one for one in acquisition_plan(report(sets=sets)) if one.need == "better"]
    assert [(one.exposures, one.counts) for one in found] == [((600.0,), (1,))] * (n % 2)
    assert all(one.why == "odd counts leave a frame without its pair" for one in found)


@pytest.mark.parametrize("sets", [{0.0: 4}, {0.0: 1}])
def test_darks_of_no_exposure_alone_are_no_darks(sets):
    without = ("dark_current",)
    darks = only(acquisition_plan(report(sets=sets, temperatures=(-20.0,), without=without)), "dark")
    assert (len(darks.exposures), darks.counts[-1]) == (8, 14)
    assert min(darks.exposures) > 0
    assert darks.why == "no usable darks"


def test_darks_of_no_exposure_are_no_part_of_a_series():
    plans = [acquisition_plan(report(sets={**zero, 60.0: 2, 600.0: 5})) for zero in ({}, {0.0: 3})]
    first, second = ([one.row() for one in plan] for plan in plans)
    assert first == second


def test_exposures_taken_in_order_are_shot_again_in_shuffled_order():
    results = report()
    note = "the exposures were taken in order: drift cannot be told from curvature; shoot them in shuffled order"
    results.fits["dark_mean"] = [{"group": "g1", "notes": [note]}]
    darks = only(acquisition_plan(results), "dark")
    assert darks.why == (
        "the exposures were taken in order: drift cannot be told from curvature: shoot the series again in this order"
    )
    assert darks.counts == (4,) * 7 + (14,)


@pytest.mark.parametrize(("known", "further"), [((-20.0,), (-15.0, -10.0)), ((-20.0, -15.0), (-10.0,))])
def test_missing_temperatures_are_five_kelvin_warmer_with_the_precision_of_the_energy(known, further):
    plan = acquisition_plan(report(temperatures=known, bias_at=(-20.0, -15.0)))
    warmer = only(plan, "dark")
    assert warmer.temperatures == further
    assert warmer.exposures == (600.0,)
    assert warmer.n_frames == 6 * len(further)
    points = []
    for celsius in (-20.0, -15.0, -10.0):
        current = 0.005 * np.exp(-0.6 / BOLTZMANN * (1 / (celsius + ZERO_CELSIUS) - 1 / (-20 + ZERO_CELSIUS)))
        error = predicted_error(DarkSeriesPlan(1_000_000, 1.7, float(current), 600.0, n_darks=6, n_bias=20))
        points.append(DarkPoint(reading(celsius), number(float(current), error), 6))
    expected = fit_temperature(points, glow_free=True).activation_energy.std_dev
    assert warmer.precision.startswith(f"activation energy to {expected:.1g} eV")


def test_darks_that_may_be_scaled_need_one_master():
    lights = only(acquisition_plan(report(scaling="scale")), "dark", "for your lights")
    assert lights.n_frames == 14
    assert lights.why.startswith("these darks may be scaled: one master of the longest exposure serves")


def test_what_no_rule_serves_keeps_its_reason():
    missing = [
        ("telegraph_fraction", "12 bias frames; shoot 50", {}),
        ("dark_mean", "darks of one exposure only", {"temperature": -15.0}),  # another series: only for its temperature
        ("saturation", "no frame reaches saturation", {"region": "tap2"}),
    ]
    plan = acquisition_plan(report(missing=missing))
    first, second = (one for one in plan if one.kind == "see why")
    assert (first.need, first.enables, first.why) == ("missing", ("telegraph_fraction",), "12 bias frames; shoot 50")
    assert (second.need, second.enables) == ("better", ("saturation",))  # another region has it
    assert headline(plan) == "1 thing is missing, for telegraph_fraction"


def test_an_undecided_verdict_says_what_decides_it():
    results = report()
    undecided = {"group": "g1", "value": None, "reason": "no exposure differs from the bias; shoot longer darks"}
    results.verdicts["dark_below_bias"] = Verdict(None, "", {"by_group": [undecided]})
    assert only(acquisition_plan(results), "see why").why == undecided["reason"]


def test_a_group_without_darks_gets_a_whole_series():
    results = report(
        sets={}, temperatures=(), without=("dark_current",), missing=[("dark_current", "no darks here", {})]
    )
    darks = only(acquisition_plan(results), "dark")
    assert (len(darks.exposures), darks.counts[-1]) == (8, 14)
    assert "make the longest as long as your longest light" in darks.how


def test_each_group_is_planned_by_itself_and_rows_go_to_json():
    one, other = report(bias=0, without=("read_noise",)), report(group="g2")
    both = replace(one, groups=one.groups + other.groups, measurements=one.measurements + other.measurements)
    both.tables = {key: one.tables[key] + other.tables[key] for key in one.tables}
    both.problems = [Problem("a.fit", "is truncated", "left out; copy it again from the camera")] * 5
    plan = acquisition_plan(both)
    assert {row.group for row in plan if row.kind == "bias"} == {"g1"}
    copied = only(plan, "copy again")
    assert (copied.group, copied.n_frames, copied.how) == ("", 5, "a.fit, a.fit, a.fit and 2 more")
    rows = json.loads(json.dumps([row.row() for row in plan]))
    assert rows[0]["counts"] == [5]
    assert all(row["n_frames"] >= 0 for row in rows)
