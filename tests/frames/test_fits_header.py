import io

import pytest
from astropy.io import fits

from workbench.errors import FrameError
from workbench.frames.fits_header import Card, header_units, parse_cards


def parsed(*lines):
    return parse_cards(b"".join(line.encode("utf-8").ljust(80) for line in lines))


def test_cards_agree_with_astropy():
    header = fits.Header()
    header["EXPTIME"] = (300.0, "Exposure [s]")
    header["OBJECT"] = ("Barnard's 'dark' / nebula", "what / where")
    header["EMPTY"] = ""
    header["FLAG"] = True
    header["HIERARCH ESO DET DIT"] = (2.5, "detector")
    header["LONGSTR"] = "0123456789" * 15
    header["NAN"] = None
    header.add_history("Calibrated with nothing")
    header.add_comment("two")
    found = parse_cards(header.tostring().encode())
    assert [card.key for card in found] == [*header]
    as_text = {card.key: card.text for card in found}
    assert as_text["OBJECT"] == header["OBJECT"]
    assert as_text["LONGSTR"] == header["LONGSTR"]
    assert float(as_text["EXPTIME"]) == header["EXPTIME"]
    assert float(as_text["ESO DET DIT"]) == header["ESO DET DIT"]
    assert (as_text["EMPTY"], as_text["FLAG"], as_text["NAN"]) == ("", "T", "")
    assert as_text["HISTORY"] == str(header["HISTORY"])
    comments = {card.key: card.comment for card in found}
    assert comments["OBJECT"] == "what / where"
    assert comments["EXPTIME"] == "Exposure [s]"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("EXPTIME =              3,2E-05 / Total", Card("EXPTIME", "3,2E-05", "Total")),
        ("TRIMSEC =  '[  17: 528,   1: 520]' / part", Card("TRIMSEC", "[  17: 528,   1: 520]", "part")),
        ("CAMTEMP = '13 C    '           / Celsius", Card("CAMTEMP", "13 C", "Celsius")),
        ("OBJECT  = 'Barnard's galaxy' / seen", Card("OBJECT", "Barnard's galaxy", "seen")),
        ("OBJECT  = 'no closing quote", Card("OBJECT", "no closing quote", "")),
        ("OBJECT  =", Card("OBJECT", "", "")),
        ("EXPTIME =10.0", Card("EXPTIME", "10.0", "")),
        ("exptime = 10.0", Card("EXPTIME", "10.0", "")),
        ("SITE    = 'Teide, 28° N'", Card("SITE", "Teide, 28° N", "")),
        ("COMMENT  = 'J2000   '", Card("COMMENT", " = 'J2000   '", "")),
        ("HISTORY  flat = no", Card("HISTORY", " flat = no", "")),
        ("no equals sign here", Card("NO EQUAL", "s sign here", "")),
        ("CONTINUE  'of nothing'", Card("CONTINUE", "of nothing", "")),
    ],
)
def test_what_programs_really_write_is_read_as_it_stands(line, expected):
    assert parsed(line) == (expected,)


def test_a_long_string_is_joined_with_its_comments():
    lines = ("NOTE    = 'one &' / first", "CONTINUE  'two &' /", "CONTINUE  'three' / last", "AFTER   = 1")
    assert parsed(*lines) == (Card("NOTE", "one two three", "first last"), Card("AFTER", "1", ""))


def test_repeated_keys_are_kept_in_order():
    assert [card.text for card in parsed("GAIN    = 1", "GAIN    = 2")] == ["1", "2"]


def test_controls_that_could_steer_a_terminal_are_replaced():
    (card,) = parse_cards(b"OBJECT  = 'M\x1b[31m 31\x00\x9b'".ljust(80))
    assert card.text == "M\ufffd[31m 31 \ufffd"


def test_bytes_that_are_no_utf8_are_latin1():
    assert parse_cards(b"SITE    = '28\xb0 N'".ljust(80))[0].text == "28° N"


def test_what_stands_behind_the_last_unit_is_no_unit(write_fits):
    path = write_fits("one.fits", None)
    with path.open("ab") as stream:
        stream.write(b"left behind by an old program" * 200)
    with path.open("rb") as stream:
        assert len(list(header_units(stream, path))) == 1


def test_a_second_header_without_an_end_is_named(write_fits):
    data = write_fits("one.fits", None).read_bytes() + b"XTENSION= 'IMAGE   '".ljust(2880)
    with pytest.raises(FrameError, match=r"^two.fits: the header of its HDU 1 has no END card; "):
        list(header_units(io.BytesIO(data), "two.fits"))


def test_a_header_of_many_blocks_is_read_whole(write_fits):
    path = write_fits("long.fits", None, [(f"KEY{number}", number) for number in range(1500)])
    with path.open("rb") as stream:
        (unit,) = header_units(stream, path)
    assert [int(card.text) for card in unit.cards if card.key.startswith("KEY")] == list(range(1500))
