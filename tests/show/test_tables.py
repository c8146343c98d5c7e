"""The report's tables: complete, side by side, escaped."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from workbench.results import Measurement, NotMeasured, Results
from workbench.show import facts, tables
from workbench.show.markup import Html, table, tag
from workbench.show.published import published_convergence
from workbench.show.selection import key_measurements, rows_of
from workbench.show.terminal import aligned, results_table
from workbench.show.words import meaning, printable

PUBLISHED = pd.DataFrame({"n_frames": [2, 4], "dark_current": [0.0047, 0.0054]})
BUILDERS = {
    "summary": tables.summary_html,
    "dataset": facts.dataset_html,
    "measurements": tables.measurements_html,
    "verdicts": tables.verdict_html,
    "not_measured": tables.not_measured_html,
    "problems": facts.problems_html,
    "fits": facts.fits_html,
    "convergence": lambda results: facts.convergence_html(results, PUBLISHED),
    "repeat": lambda results: facts.repeat_html(results, results.dataset["name"], manifest="<b>.toml"),
}


class _Balance(HTMLParser):
    """Count what is open, and remember which elements and attributes occur."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, name, attributes):
        self.seen.add(name)
        self.attributes |= {key for key, _ in attributes}
        self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.words.append(data)


def parsed(markup: str) -> _Balance:
    reader = _Balance()
    reader.feed(markup)
    assert reader.open == []
    return reader


def text_of(markup: str) -> str:
    return " ".join(" ".join(parsed(markup).words).split())


@pytest.mark.parametrize("name", BUILDERS)
def test_every_table_is_well_formed_and_shows_hostile_text_as_text(name, hostile):
    seen = parsed(BUILDERS[name](hostile))
    assert "script" not in seen.seen
    assert seen.attributes <= {"class", "scope"}


def test_hostile_text_is_shown_where_it_belongs(hostile):
    assert text_of(facts.dataset_html(hostile)).count("<script>alert(1)</script>") == 3
    assert text_of(facts.problems_html(hostile)).count("<script>alert(1)</script>") == 3
    assert "<script>alert(1)</script>" in text_of(tables.measurements_html(hostile))


def test_text_is_escaped_and_markup_is_not_escaped_twice():
    assert tag("p", tag("b", "1 < 2"), " & ", 'a"b') == "<p><b>1 &lt; 2</b> &amp; a&quot;b</p>"
    assert tag("p", "x", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">x</p>'
    assert isinstance(tag("p"), Html)
    # joining markup with a plain text gives plain text, which is escaped when it is used
    assert tag("td", tag("b", "x") + "<i>") == "<td>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</td>"


def test_a_table_heads_its_rows_with_their_first_cell():
    shown = table(["name", "value"], [["gain", "0.25"]])
    assert '<th scope="row">gain</th><td>0.25</td>' in shown


def test_the_summary_names_one_number_a_quantity_by_the_best_method_and_says_what_it_means(results):
    shown = text_of(tables.summary_html(results))
    assert "0.00512 ± 0.00003 electron / s" in shown
    assert "In 600 s a pixel gathers 3.07 electron without light; they add 1.8 electron of noise." in shown
    assert "-0.004" not in shown
    assert "Are the darks darker than the bias? Yes. Every dark lies below the bias." in shown


def test_what_every_owner_asks_for_is_in_the_summary_with_the_reason_why_it_is_not_known(results):
    results.measurements = [one for one in results.measurements if one.name == "read_noise"]
    results.not_measured = [NotMeasured("gain", "no flats", {"group": "g1"}), NotMeasured("lattice", "floats", {})]
    text = text_of(tables.summary_html(results))
    assert "gain Electrons per adu of the file. not measured no flats read noise" in text
    assert "lattice" not in text


def test_a_gain_that_was_given_is_called_given(results):
    results.measurements = [one for one in results.measurements if one.name != "gain"]
    results.not_measured = [NotMeasured("gain", "no flats", {"group": "g1"})]
    results.parameters = {"gain": 0.25, "gain_error": 0.01}
    assert "0.25 ± 0.01 electron / adu Given, and used for all electrons." in text_of(tables.summary_html(results))
    assert results_table(results).splitlines()[1] == "converted with the given gain, 0.25 +/- 0.01 electron / adu"


def test_regions_stand_side_by_side_and_share_what_their_group_has(results):
    results.measurements = [
        Measurement("lattice", 16.0, 0.0, "adu", "greatest common divisor", {"group": "g1"}),
        Measurement("gain", 0.25, 0.003, "electron / adu", "photon transfer", {"group": "g1", "region": "left"}),
        Measurement("gain", 0.26, 0.003, "electron / adu", "photon transfer", {"group": "g1", "region": "right"}),
    ]
    results.not_measured = [NotMeasured("read_noise", "no bias", {"group": "g1"})]
    text = text_of(tables.summary_html(results))
    assert text.startswith("quantity region left region right gain")
    assert text.count("Only multiples of 16") == 2
    assert text.count("no bias") == 2
    assert text_of(tables.measurements_html(results)).count("16 adu") == 2


def test_quantities_that_share_a_reason_share_a_line_in_the_terminal(results):
    results.not_measured = [NotMeasured(name, "no flats", {"group": "g1"}) for name in ("gain", "native_gain")]
    assert "  gain, native_gain: no flats" in results_table(results).splitlines()


def test_places_of_one_reason_are_told_together(results):
    results.not_measured = [
        NotMeasured("dark_current", "no pair", {"group": "g1", "region": region, "exposure": exposure})
        for region in ("left", "right")
        for exposure in (10.0, 60.0)
    ]
    assert text_of(tables.not_measured_html(results)).endswith("No pair. region left / right, 10 / 60 s")
    assert "  dark_current (region left / right, 10 / 60 s): no pair" in results_table(results)


def test_the_summary_keeps_the_notes_of_its_numbers(results):
    text = text_of(tables.summary_html(results))
    assert "0.00512 ± 0.00003 electron / s 1" in text
    assert "Glow is inside." in text
    assert "Meaningless" not in text


def test_a_method_that_needs_the_mean_is_never_the_summary(results):
    results.measurements = [one for one in results.measurements if one.method == "mean_difference"]
    assert key_measurements(results) == []
    assert "Nothing could be measured" in text_of(
        tables.summary_html(Results(dataset=results.dataset, measurements=results.measurements))
    )


def test_all_measurements_stand_in_the_full_tables_with_notes_as_footnotes(results):
    shown = tables.measurements_html(results)
    assert shown.count('class="value"') == len(results.measurements)
    text = text_of(shown)
    assert "-0.0040 ± 0.0003" in text
    assert text.endswith("Meaningless: the clamp hides it. Glow is inside.")


def test_what_was_measured_at_several_exposures_stands_method_by_method(results):
    text = text_of(tables.measurements_html(results))
    assert "Dark current [electron / s]" in text
    assert "where mean of dark minus bias alternating sum of all darks variance over the frames -20 °C, 600 s" in text
    assert "-20 °C, 300 s - - 0.0049 ± 0.0003" in text


def test_groups_stand_side_by_side(two_groups):
    shown = tables.measurements_html(two_groups)
    assert '<th scope="col">g1</th><th scope="col">g2</th>' in shown
    assert shown.count('<th scope="row">gain</th>') == 1
    assert shown.count('<th scope="row">g2</th>') == 2  # the dark current at two exposures


def test_a_quantity_that_one_group_lacks_is_said_to_be_missing_there(two_groups):
    two_groups.measurements = [
        one for one in two_groups.measurements if (one.name, one.conditions["group"]) != ("gain", "g2")
    ]
    row = re.search(r"<tr><th scope=\"row\"><strong>gain</strong>.*?</tr>", tables.summary_html(two_groups))
    assert row
    assert text_of(row[0]).endswith("not measured")


def test_one_reason_is_given_once_with_all_its_places(two_groups):
    text = text_of(tables.not_measured_html(two_groups))
    assert text.count("Nothing saturates; shoot a flat that does.") == 1
    assert "group g1 / g2" in text


def test_nothing_missing_and_no_faults_are_said_in_words(results):
    results.not_measured, results.problems = [], []
    assert "was measured" in text_of(tables.not_measured_html(results))
    assert "No faults" in text_of(facts.problems_html(results))


def test_the_fit_shows_coefficients_with_errors_and_its_rivals(results):
    text = text_of(facts.fits_html(results))
    assert "a = 1000.00 ± 0.20; b = 0.0100 ± 0.0010; c = -3.00e-05 ± 0.20e-05" in text
    assert "4.8 ± 0.4" in text
    assert "0.1 ± 0.3" in text
    assert "The residuals drift along time." in text
    assert "constant 30.0, linear 20.0, quadratic 10.0" in text


def test_convergence_shows_the_longest_exposure_beside_the_published_column(results):
    shown = facts.convergence_html(results, PUBLISHED)
    assert shown.count("<tr>") == 1 + 2
    assert "2 0.00510 ± 0.00010 0.080 ± 0.003 0.0047" in text_of(shown)


def test_convergence_without_any_is_empty(results):
    results.tables["convergence"] = []
    assert facts.convergence_html(results, PUBLISHED) == ""


def test_the_published_column_is_the_papers():
    table = published_convergence()
    assert table["dark_current"].tolist() == [0.0047, 0.0054, 0.0051, 0.0047, 0.0052, 0.0053, 0.0051]
    assert table.attrs["unit"] == "electron / s"


def test_the_command_to_repeat_the_report_is_quoted_for_a_shell(results):
    shown = text_of(facts.repeat_html(results, "my darks; rm", gain=0.25, gain_error=None, accept=True, use_bias=False))
    assert shown.startswith("workbench report 'my darks; rm' --gain 0.25 --accept Frames")


def test_a_verdict_on_groups_that_differ_names_each(two_groups):
    from workbench.results import Verdict

    each = [{"group": "g1", "value": True, "reason": "below"}, {"group": "g2", "value": False, "reason": "above"}]
    two_groups.verdicts["dark_below_bias"] = Verdict(None, "they differ", {"by_group": each})
    text = text_of(tables.verdict_html(two_groups))
    assert "It depends. They differ. group g1: Yes. Below. group g2: No. Above." in text


def test_the_terminal_names_the_longest_exposure_alone(results):
    shown = results_table(results)
    assert "0.00512 +/- 0.00003 electron / s  temporal_variance              -20 deg C, 600 s" in shown
    assert "300 s" not in shown


def test_an_uncooled_series_is_one_series_in_the_terminal(results):
    results.measurements = [
        Measurement("dark_variance_rate", 3.0, 0.1, "adu2 / s", "pair", {"temperature": 35.0 - k, "exposure": 10.0**k})
        for k in range(3)
    ]
    shown = [line for line in results_table(results).splitlines() if line.startswith("dark_variance_rate")]
    assert shown == ["dark_variance_rate  3.00 +/- 0.10 adu2 / s  pair  33 deg C, 100 s"]


def test_rates_in_adu_step_back_where_there_are_electrons(results):
    rate = Measurement("dark_variance_rate", 3.0, 0.1, "adu2 / s", "pair", {"group": "g1"})
    results.measurements.append(rate)
    assert "dark_variance_rate" not in results_table(results)
    assert rate not in key_measurements(results)
    assert "3.00 ± 0.10" in text_of(tables.measurements_html(results))


def test_a_negative_dark_current_is_called_impossible_and_a_vanishing_one_unknown():
    def current(value):
        return meaning(Measurement("dark_current", value, 0.001, "electron / s", "pair"))

    assert current(-0.01) == "No camera has a negative dark current: this method cannot be used on these frames."
    assert current(0.0015) == "Not told apart from zero."
    assert current(0.01) == "In 300 s a pixel gathers 3 electron without light; they add 1.7 electron of noise."


@pytest.mark.parametrize(
    ("name", "value", "unit", "said"),
    [
        ("doubling_temperature", 6.0, "K", "1 K warmer makes 12\u00a0% more dark current"),
        ("dynamic_range", 4096.0, "1", "12.0 stops, or 72 dB."),
        ("lattice", 16.0, "adu", "16 adu of the file are one step of the ADC"),
        ("lattice", 1.0, "adu", "Every value occurs"),
        ("read_noise", 2.0, "electron", "A sky of 40 electron"),
        ("hot_pixel_fraction", 0.0005, "1", "500 of a million pixels are hot."),
        ("dark_variance_rate", 3.0, "adu2 / s", "30 adu of noise"),
        ("dark_mean_rate", -0.01, "adu / s", "below the bias"),
        ("glow_exponent", 2.0, "1", "4 times the glow"),
        ("dark_signal", 2.0, "electron", "Thermal electrons"),
    ],
)
def test_a_number_is_said_in_plain_words(name, value, unit, said):
    assert said in meaning(Measurement(name, value, abs(0.1 * value), unit, "any"))


def test_the_terminal_shows_every_number_and_refusal(two_groups):
    lines = results_table(two_groups).splitlines()
    assert lines[0] == "my frames: 40 of 42 frames used"
    assert "gain          0.250 +/- 0.003 electron / adu    photon transfer" in lines
    assert "dark_current  0.00512 +/- 0.00003 electron / s  temporal_variance              -20 deg C, 600 s" in lines
    assert [line for line in lines if line.endswith(":")] == ["g1:", "g2:", "not measured:"]
    assert "  full_well (group g1 / g2): nothing saturates; shoot a flat that does" in lines
    assert lines[-1] == "1 fault is listed in the report"


def test_the_terminal_is_not_obeying_escape_sequences(results):
    results.dataset["name"] = "M 31\x1b[2J\x07"
    results.not_measured.append(NotMeasured("gain", "no\x1b]0;title\x07", {}))
    shown = results_table(results)
    assert "\x1b" not in shown
    assert r"M 31\x1b[2J\x07" in shown


def test_printable_leaves_letters_of_any_script_alone():
    assert printable("Галактика é µ") == "Галактика é µ"
    assert printable("a\u202eb") == r"a\u202eb"


def test_nothing_to_align_is_nothing():
    assert aligned([]) == []


def test_a_group_without_regions_keeps_its_rows_beside_one_that_has_some():
    rows = [{"group": "g1", "value": 1.0}, {"group": "g2", "region": "left", "value": 2.0}]
    results = Results(dataset={"name": "two", "n_frames": 2, "n_used": 2, "sha256": ""}, tables={"some": rows})
    assert rows_of(results, "some", "g1", None)["value"].tolist() == [1.0]
    assert rows_of(results, "some", "g2", "left")["value"].tolist() == [2.0]
