"""From headers to the vocabulary: every program, every contradiction, anything hostile."""

# ruff: noqa: DTZ001 - dates of the vocabulary are UTC and carry no zone
from __future__ import annotations

import random
import time
from datetime import datetime
from pathlib import PurePosixPath

import pytest
from programs import PROGRAMS, cards

from workbench.frames.formats import Card
from workbench.frames.headers import agree, resolve
from workbench.frames.spellings import SPELLINGS

NOWHERE = PurePosixPath("one.fits")


def values(header, path=NOWHERE):
    return {name: known.value for name, known in resolve(cards(header), path).values.items()}


def rules(header, path=NOWHERE):
    return [conflict.rule for conflict in resolve(cards(header), path).conflicts]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_read_to_the_last_value_and_without_a_conflict(program):
    header, path, expected, guesses = PROGRAMS[program]
    found = resolve(cards(header), PurePosixPath(path))
    assert {name: known.value for name, known in found.values.items()} == {
        name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in expected.items()
    }
    assert {name for name, known in found.values.items() if known.guess} == set(guesses)
    assert found.conflicts == ()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_value_keeps_its_raw_text_key_and_source(program):
    header, path, _, _ = PROGRAMS[program]
    texts = {(card.key, card.text) for card in cards(header)}
    for name, known in resolve(cards(header), PurePosixPath(path)).values.items():
        assert known.name == name
        if known.source == "header":
            assert (known.key, known.raw) in texts
        else:
            assert known.source in {"file name", "folder name"}
            assert known.guess
            assert known.raw
            assert known.key == ""


@pytest.mark.parametrize(
    ("header", "rule", "action"),
    [
        ("EXPTIME = 300\nEXPOSURE = 30", "EXPTIME = 300 but EXPOSURE = 30", "exposure taken from EXPTIME"),
        ("EXPTIME = '3,2E-05'\nEXPOINUS = 64", "EXPTIME = 3,2E-05 but EXPOINUS = 64", "exposure taken from EXPTIME"),
        (
            "FRAME = 'Dark'\nIMAGETYP = 'Light Frame'",
            "IMAGETYP = Light Frame but FRAME = Dark",
            "kind taken from IMAGETYP",
        ),
        ("XBINNING = 2\nYBINNING = 2\nBINX = 1\nBINY = 1", "XBINNING = 2 but BINX = 1", "binning taken from XBINNING"),
        ("EXPTIME = 10\nEXPTIME = 20", "EXPTIME = 10 but EXPTIME = 20", "exposure taken from EXPTIME"),
        ("CCD-TEMP = -10\nDET-TEMP = 20", "CCD-TEMP = -10 but DET-TEMP = 20", "temperature taken from CCD-TEMP"),
        ("STACKCNT = 10\nNCOMBINE = 20", "STACKCNT = 10 but NCOMBINE = 20", "stack_count taken from STACKCNT"),
        ("EGAIN = 1.2\nCVF = 2.4", "EGAIN = 1.2 but CVF = 2.4", "claimed_gain taken from EGAIN"),
        (
            "DATE-OBS = '2024-01-01T00:00:00'\nDATE-BEG = '2024-01-01T01:00:00'",
            "DATE-OBS = 2024-01-01T00:00:00 but DATE-BEG = 2024-01-01T01:00:00",
            "date taken from DATE-OBS",
        ),
        (
            "XPIXSZ = 3.8\nPIXSIZE1 = 3.8\nXBINNING = 2\nYBINNING = 2",
            "XPIXSZ = 3.8 but PIXSIZE1 = 3.8",
            "pixel_size taken from XPIXSZ",
        ),
        (
            "GAIN = 120\nEGAIN = 120",
            "EGAIN = 120 is the gain setting once more, not electrons per adu",
            "do not trust the claim",
        ),
    ],
)
def test_a_contradiction_is_told_with_what_was_used(header, rule, action):
    (conflict,) = resolve(cards(header), NOWHERE).conflicts
    assert (conflict.rule, conflict.action) == (rule, action)


@pytest.mark.parametrize(
    "header",
    [
        "EXPTIME = '3,2E-05'\nEXPOSURE = '3,2E-05'\nEXPOINUS = 32",
        "EXPTIME = 300\nEXPOSURE = 300.04",
        "EXPTIME = 1.999\nIMG_EXP = 1999",
        "EXPTIME = 300\nDARKTIME = 310",
        "EXPTIME = 10\nTOTALEXP = 1870\nLIVETIME = 1870",
        "IMAGETYP = 'Dark Frame'\nFRAME = 'Dark'",
        "IMAGETYP = 'Dark'\nFRAME = 12",
        "CCD-TEMP = -10\nDET-TEMP = -10.4",
        "EXPTIME = 10\nEXPTIME = 10.0",
        "GAIN = 1\nEGAIN = 1.0",
        "EXPTIME = 10\nEXPOSURE = ''",
    ],
)
def test_what_agrees_within_its_tolerance_is_no_contradiction(header):
    assert rules(header) == []


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ("EXPTIME = -1", "EXPTIME = -1 is no exposure time, for it is negative"),
        ("EXPTIME = 'soon'", "EXPTIME = soon is no number"),
        ("IMAGETYP = 'arc'", "IMAGETYP = arc names no kind of frame that is known"),
        ("CCD-TEMP = -999", "CCD-TEMP = -999 is no temperature of a sensor"),
        ("SET-TEMP = '4 F'", "SET-TEMP = 4 F has the unit 'F', which is neither deg C nor K"),
        ("EGAIN = 0", "EGAIN = 0 is not above zero"),
        ("XBINNING = 0\nYBINNING = 0", "XBINNING = 0 is no binning"),
        ("BAYERPAT = 'CYYM'", "BAYERPAT = CYYM is none of RGGB, BGGR, GRBG, GBRG"),
        ("DATE-OBS = 'yesterday'", "DATE-OBS = yesterday is no date"),
        ("STACKCNT = 2.5", "STACKCNT = 2.5 is no number of frames"),
        ("GAIN = 'High'", "GAIN = High is no number"),
    ],
)
def test_what_cannot_be_is_told_and_not_used(header, rule):
    found = resolve(cards(header), NOWHERE)
    assert [conflict.rule for conflict in found.conflicts] == [rule]
    assert not found.values


def test_a_card_that_cannot_be_read_gives_way_to_one_that_can():
    found = resolve(cards("EXPTIME = -1\nEXPOSURE = 0.001"), NOWHERE)
    assert found.values["exposure"].value == 0.001
    assert [(one.rule, one.action) for one in found.conflicts] == [
        ("EXPTIME = -1 is no exposure time, for it is negative", "exposure taken from EXPOSURE")
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("EXPTIME = ''\nCCD-TEMP =\nGAIN = 'None'\nOFFSET = 'n/a'\nFILTER = ' '", {}),
        ("GAIN = -1\nOFFSET = -1\nSTACKCNT = 0", {}),
        ("PEDESTAL = 100", {}),
        ("TOTALEXP = 100\nLIVETIME = 100", {}),
        ("DARKTIME = 12", {"exposure": 12.0}),
        ("GAIN = 1.9 / [e-/ADU] conversion", {"claimed_gain": 1.9}),
        ("GAIN = 2 / electrons per ADU", {"claimed_gain": 2.0}),
        ("GAIN = 1.9\nRDNOISE = 5", {"claimed_gain": 1.9}),
        ("GAIN = 120\nRDNOISE = 5", {"gain_setting": 120.0}),
        ("GAIN = 12.5", {"gain_setting": 12.5}),
        ("XBINNING = 2", {"binning": "2x2"}),
        ("XBINNING = 2\nYBINNING = 1", {"binning": "2x1"}),
        ("BINNING = '2x2'", {"binning": "2x2"}),
        ("CCDSUM = '1 2'", {"binning": "1x2"}),
        ("BAYERPAT = 'RGGB'\nXBAYROFF = 1\nYBAYROFF = 0", {"bayer_pattern": "GRBG"}),
        ("BAYERPAT = 'RGGB'\nXBAYROFF = 0\nYBAYROFF = 1", {"bayer_pattern": "GBRG"}),
        ("BAYERPAT = 'RGGB'\nXBAYROFF = 1\nYBAYROFF = 1", {"bayer_pattern": "BGGR"}),
        ("DATAMAX = 65520", {"saturation_claim": 65520.0}),
        ("DATAMAX = 900\nDATAMIN = 3", {}),
        ("SATURATE = 60000\nDATAMAX = 65535", {"saturation_claim": 60000.0}),
        ("RESTACK = 1", {}),
        ("STACKCNT = 1", {"stack_count": 1}),
        ("CCDTEMPK = 263.15", {"temperature": -10.0}),
        ("DATE-AVG = '2024-01-01T00:00:10'\nEXPTIME = 20", {"exposure": 20.0, "date": datetime(2024, 1, 1)}),
        ("DATE-END = '2024-01-01T00:00:20'\nEXPTIME = 20", {"exposure": 20.0, "date": datetime(2024, 1, 1)}),
    ],
)
def test_odd_but_real_spellings(header, expected):
    assert values(header) == expected


def test_a_date_at_the_end_of_an_unknown_exposure_is_no_start():
    assert rules("DATE-OBS = '2024-01-01T00:00:00' / Time end of exposure") == [
        "DATE-OBS = 2024-01-01T00:00:00 is not the start of the exposure, and the exposure is not known"
    ]


@pytest.mark.parametrize(
    ("header", "path", "expected", "source"),
    [
        ("", "Dark/frame_100sec.fit", ("dark", 100.0), ("folder name", "file name")),
        ("", "Flats/Dark_5s/b.fit", ("dark", 5.0), ("folder name", "folder name")),
        ("EXPTIME = 3", "darks_5s/a.fit", ("dark", 3.0), ("folder name", "header")),
        ("IMAGETYP = 'arc'", "dark_3s.fit", ("dark", 3.0), ("file name", "file name")),
    ],
)
def test_names_count_where_the_header_is_silent_and_are_guesses(header, path, expected, source):
    found = resolve(cards(header), PurePosixPath(path)).values
    assert (found["kind"].value, found["exposure"].value) == expected
    assert (found["kind"].source, found["exposure"].source) == source
    assert found["kind"].guess


@pytest.mark.parametrize(
    ("header", "path", "rule"),
    [
        ("EXPTIME = 30", "lib/dark_600s.fit", "the file name dark_600s says exposure 600 but EXPTIME = 30"),
        ("IMAGETYP = 'LIGHT'", "Darks/x.fit", "the folder name Darks says kind dark but IMAGETYP = LIGHT"),
        ("GAIN = 0", "x_gain100.fit", "the file name x_gain100 says gain_setting 100 but GAIN = 0"),
    ],
)
def test_a_name_that_contradicts_the_header_is_told(header, path, rule):
    found = resolve(cards(header), PurePosixPath(path))
    assert [conflict.rule for conflict in found.conflicts] == [rule]
    assert all(known.source == "header" for known in found.values.values() if known.key)


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("IMAGETYP = 'DARKFLAT'", "Flats/x.fit"),
        ("IMAGETYP = 'DARKFLAT'", "darks/x.fit"),
        ("EXPTIME = 0.001", "bias_0s.fit"),
        ("EXPTIME = 599.98", "dark_600s.fit"),
        ("CCD-TEMP = -9.8", "dark_-10C.fit"),
    ],
)
def test_a_name_that_is_only_rounded_is_no_contradiction(header, path):
    assert rules(header, PurePosixPath(path)) == []


@pytest.mark.parametrize(
    ("header", "path", "master"),
    [
        ("STACKCNT = 20", "dark.fit", True),
        ("STACKCNT = 1", "MasterDark.fit", None),
        ("", "MasterDark.fit", True),
        ("", "masters/one.fit", True),
        ("IMAGETYP = 'Master Dark'", "one.fit", True),
        ("NUMFRAME = 1\nCALFRAME = 'MasterFlat'", "one.fit", True),
        ("IMAGETYP = 'Dark'", "one.fit", None),
    ],
)
def test_a_count_in_the_header_outranks_a_master_by_name(header, path, master):
    assert values(header, PurePosixPath(path)).get("master") is master


def test_what_the_user_says_stands_and_settles_conflicts_but_keeps_the_raw_text():
    found = resolve(cards("EXPTIME = 300\nEXPOSURE = 30\nSTACKCNT = 9"), NOWHERE)
    told = found.override({"exposure": 30.0, "kind": "dark", "stack_count": 1}, "manifest")
    assert told.conflicts == ()
    exposure = told.values["exposure"]
    assert (exposure.value, exposure.raw, exposure.key, exposure.source, exposure.guess) == (
        30.0,
        "300",
        "EXPTIME",
        "manifest",
        False,
    )
    assert told.values["kind"].raw == ""
    assert "master" not in told.values
    assert found.values["exposure"].value == 300.0, "the original is not changed"
    assert found.values["master"].value is True


def test_dates_agree_within_two_seconds():
    assert agree("date", datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 2))
    assert not agree("date", datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 3))


HOSTILE = [
    "",
    " ",
    "\x00",
    "\x1b[2J\x1b]0;owned\x07",
    "<script>alert(1)</script>",
    "T",
    "NaN",
    "-inf",
    "1e999",
    "-1e308",
    "1e308",
    "99999999999999999999",
    "'; DROP TABLE frames; --",
    "../../../etc/passwd",
    "\u202egnp.exe",
    "\u0661\u0662",
    "1" * 68,
    "0" * 68,
    "(" * 68,
    "[[[[" * 17,
    "2024-02-30T00:00:00",
    "9999-12-31T23:59:59",
    "0001-01-01",
    "-0",
    "1,000,000",
    "{0.__class__}",
    "%s%n",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_under_every_keyword_never_raises(text):
    keys = [spelling.key for spellings in SPELLINGS.values() for spelling in spellings]
    extra = ["XBAYROFF", "YBAYROFF", "YBINNING", "RDNOISE", "TIME-OBS", "UT"]
    found = resolve([Card(key, text, text) for key in [*keys, *extra]], PurePosixPath("a/b.fits"))
    for known in found.values.values():
        assert known.source in {"header", "file name", "folder name"}
        assert not isinstance(known.value, float) or abs(known.value) < float("inf")


@pytest.mark.parametrize("seed", range(5))
def test_random_headers_resolve_without_raising_and_to_the_same_each_time(seed):
    rng = random.Random(seed)
    keys = [spelling.key for spellings in SPELLINGS.values() for spelling in spellings]
    texts = [*HOSTILE, "10", "-5.5", "dark", "Master Flat", "2x2", "RGGB", "3,2E-05", "2024-01-01T00:00:00", "13 C"]
    for _ in range(200):
        header = [Card(rng.choice(keys), rng.choice(texts), rng.choice(texts)) for _ in range(rng.randrange(40))]
        path = PurePosixPath(
            rng.choice(
                ["Dark/x_3s.fit", "x.fit", "a/\x1b/\u0661s.fit", "exp_9/flat_1us.fits", "\u0661\u0662s_gain\u0663.fit"]
            )
        )
        assert resolve(header, path) == resolve(list(header), path)


def test_a_thousand_headers_resolve_in_a_second_or_so():
    header = cards(PROGRAMS["N.I.N.A."].header)
    began = time.perf_counter()
    for number in range(300):
        resolve(header, PurePosixPath(f"night/Dark_{number}_1s.fits"))
    assert (time.perf_counter() - began) / 300 < 0.004, "0.2 ms each when the machine is free"
