"""Kinds of frames from the words of programs and people."""

from __future__ import annotations

import pytest

from workbench.frames.kinds import kind_of_name, kind_of_text, words_of

SPELLINGS = {
    "dark": [
        "DARK",
        "Dark",
        "dark",
        "darks",
        "Dark Frame",
        "Dark Frames",
        "DARK_FRAME",
        "darkframe",
        "dark mask",
        "Dark current",
    ],
    "darkflat": [
        "DARKFLAT",
        "DarkFlat",
        "Dark Flat",
        "FlatDark",
        "Flat Dark",
        "FLATDARK",
        "flat-dark",
        "Dark Flat Frame",
        "darkFlats",
    ],
    "bias": ["BIAS", "Bias", "Bias Frame", "OFFSET", "Offset", "ZERO", "zero", "biases", "Bias Frames", "Offset Frame"],
    "flat": [
        "FLAT",
        "Flat Frame",
        "Flat Field",
        "SKYFLAT",
        "SkyFlat",
        "Sky Flat",
        "DOMEFLAT",
        "flat,lamp",
        "FLATFIELD",
        "flats",
    ],
    "light": [
        "LIGHT",
        "Light",
        "Light Frame",
        "science",
        "object",
        "OBJECT",
        "Tricolor Image",
        "Science Frame",
        "lights",
        "EXPOSE",
    ],
}
MASTERS = {
    "dark": ["Master Dark", "masterDark", "MasterDark", "MASTERDARK", "master_dark", "Dark Master", "SuperDark"],
    "bias": ["Master Bias", "masterBias", "MasterBias", "Master Offset"],
    "flat": ["Master Flat", "MasterFlat", "masterFlat"],
    "darkflat": ["Master Dark Flat", "MasterFlatDark", "masterDarkFlat"],
    "light": ["Master Light", "masterLight"],
}
NEITHER = [
    "",
    "darkroom",
    "Darkness",
    "flatness",
    "biased",
    "highlights",
    "lightning",
    "arc",
    "comp",
    "focus",
    "test",
    "12",
    "T",
    "\x1b[2J",
    "\u6697\u573a",
    "dark bias",
    "light flat",
]


def both(table):
    return [(kind, text) for kind, texts in table.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), both(SPELLINGS))
def test_a_header_word_names_its_kind(kind, text):
    assert kind_of_text(text) == (kind, False)


@pytest.mark.parametrize(("kind", "text"), both(MASTERS))
def test_a_master_is_a_master_of_its_kind(kind, text):
    assert kind_of_text(text) == (kind, True)


@pytest.mark.parametrize("text", NEITHER)
def test_other_words_name_no_kind(text):
    assert kind_of_text(text) == (None, False)


@pytest.mark.parametrize(("kind", "text"), both(SPELLINGS))
@pytest.mark.parametrize("change", [str.upper, str.lower, "  {} ".format, "{}\n".format])
def test_case_and_space_around_a_word_do_not_matter(kind, text, change):
    assert kind_of_text(change(text)).kind == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Bias_ASIImg_frame0001", "bias"),
        ("Dark_ASIImg_0.1sec_frame0001", "dark"),
        ("2025-09-09_20-25-08_Dark_-10.50_1.00s_0001", "dark"),
        ("dark_exp_60_gain_60_bin_1_20C", "dark"),
        ("DWARF_DARK", "dark"),
        ("dark_current", "dark"),
        ("DarkFlats", "darkflat"),
        ("flat_dark_2s", "darkflat"),
        ("Offset_0001", "bias"),
        ("Offsets", "bias"),
        ("MasterBias_1.0ms_-9.8C_gain100", "bias"),
        ("dark_gain100_offset50", "dark"),
        ("Light_M 13_30.0s_Bin1_2600MC_None_gain100", "light"),
        ("M13_gain100_offset50", None),
        ("flats_and_darks", None),
        ("flat_100ms_for_dark", None),
        ("darkroom", None),
        ("IMG_0001", None),
        ("", None),
    ],
)
def test_a_name_says_a_kind_or_nothing(name, kind):
    assert kind_of_name(name).kind == kind


def test_words_are_split_where_people_join_them():
    assert words_of("RawDarkFrames-10C_ASIImg") == ["raw", "dark", "frames", "c", "asi", "img"]
