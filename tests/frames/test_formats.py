import gzip
import pickle

import numpy as np
import pytest
from astropy.io import fits

from workbench.errors import FrameError
from workbench.frames import formats
from workbench.frames.formats import is_frame_name, read_frame_file

RNG = np.random.default_rng(1)
SHAPE = (37, 53)


def whole_range(dtype):
    info = np.iinfo(dtype)
    pixels = RNG.integers(info.min, info.max, SHAPE, dtype, endpoint=True)
    pixels[0, :2] = info.min, info.max
    return pixels


PIXELS = {
    "uint8": whole_range(np.uint8),
    "int8": whole_range(np.int8),
    "int16": whole_range(np.int16),
    "uint16": whole_range(np.uint16),
    "int32": whole_range(np.int32),
    "uint32": whole_range(np.uint32),
    "int64": whole_range(np.int64),
    "uint64": whole_range(np.uint64),
    "float32": RNG.normal(size=SHAPE).astype(np.float32),
    "float64": RNG.normal(size=SHAPE),
}


def assert_same(path, expected, **facts):
    source = read_frame_file(path).source
    for values in (source.read(), source.read_rows(0, SHAPE[0])):
        np.testing.assert_array_equal(values, expected, strict=True)
        assert values.dtype == source.values_dtype
        assert values.dtype.isnative
        assert values.flags.writeable
    np.testing.assert_array_equal(source.read_rows(5, 9), expected[5:9], strict=True)
    np.testing.assert_array_equal(source.read_rows(36, 37), expected[36:], strict=True)
    for name, value in facts.items():
        assert getattr(source, name) == value


@pytest.mark.parametrize("dtype", PIXELS)
def test_every_stored_type_comes_out_exactly(write_fits, dtype):
    assert_same(write_fits("a.fits", PIXELS[dtype]), PIXELS[dtype], container="fits", mappable=True, shape=SHAPE)


@pytest.mark.parametrize("dtype", PIXELS)
def test_gzipped_frames_come_out_exactly(write_fits, dtype):
    assert_same(write_fits("a.fits.gz", PIXELS[dtype]), PIXELS[dtype], container="fits.gz", mappable=False)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
def test_tile_compressed_frames_come_out_exactly(write_fits, dtype):
    path = write_fits("a.fits.fz", PIXELS[dtype], compression_type="GZIP_1")
    assert_same(path, PIXELS[dtype], container="fits.fz", hdu=1, mappable=False)


def test_a_tile_compressed_float_is_what_astropy_makes_of_it(write_fits):
    path = write_fits("a.fits.fz", PIXELS["float32"])
    assert_same(path, fits.getdata(path).astype(np.float32))


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_an_image_in_an_extension_is_found(write_fits, name):
    path = write_fits(name, PIXELS["uint16"], [("GAIN", 120)], extension=True, primary=[("EXPTIME", 2.0)])
    assert_same(path, PIXELS["uint16"], hdu=1)


def test_an_image_behind_a_table_is_found(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("n", "J", array=np.arange(5000))])
    units = [fits.PrimaryHDU(), table, fits.ImageHDU(PIXELS["int16"])]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    assert_same(tmp_path / "a.fits", PIXELS["int16"], hdu=2)


def test_the_cards_of_an_extension_come_before_those_of_the_primary_unit(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"], [("GAIN", 1)], extension=True, primary=[("EXPTIME", 2), ("GAIN", 3)])
    cards = read_frame_file(path).cards
    assert [card.text for card in cards if card.key == "GAIN"] == ["1", "3"]
    assert [card.text for card in cards if card.key == "EXPTIME"] == ["2"]
    assert [card.key for card in cards].count("BITPIX") == 1


def test_a_third_axis_of_length_one_is_none(tmp_path):
    fits.writeto(tmp_path / "a.fits", PIXELS["uint16"][np.newaxis])
    assert_same(tmp_path / "a.fits", PIXELS["uint16"])
    fits.CompImageHDU(PIXELS["int16"][np.newaxis]).writeto(tmp_path / "b.fits.fz")
    assert_same(tmp_path / "b.fits.fz", PIXELS["int16"])


def scaled(path, pixels, cards):
    """Write cards that astropy would apply itself, as other programs leave them."""
    fits.PrimaryHDU(pixels).writeto(path)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as units:
        units[0].header.update(cards)
    return path


@pytest.mark.parametrize(("dtype", "kind"), [("int16", np.float32), ("uint8", np.float32), ("int32", np.float64)])
def test_any_other_scale_gives_floating_point(tmp_path, dtype, kind):
    path = scaled(tmp_path / "a.fits", PIXELS[dtype], {"BSCALE": 0.25, "BZERO": 100.0})
    assert_same(path, (PIXELS[dtype] * 0.25 + 100).astype(kind))


def test_a_scaled_float_keeps_its_type(tmp_path):
    path = scaled(tmp_path / "a.fits", PIXELS["float32"], {"BSCALE": 65535.0})
    assert_same(path, (PIXELS["float32"] * np.float64(65535)).astype(np.float32))


def test_a_decimal_comma_in_bzero_is_understood(tmp_path):
    path = scaled(tmp_path / "a.fits", PIXELS["int16"], {"BZERO": 32768.0})
    path.write_bytes(path.read_bytes().replace(b"32768.0", b"32768,0"))
    assert read_frame_file(path).source.values_dtype == np.uint16


def test_blank_pixels_are_nan(tmp_path):
    pixels = PIXELS["int16"].copy()
    pixels[3, 4] = -5
    path = scaled(tmp_path / "a.fits", pixels, {"BLANK": -5, "BZERO": 32768})
    expected = np.where(pixels == -5, np.nan, pixels + 32768.0).astype(np.float32)
    assert_same(path, expected, blank=-5)


def test_the_header_of_a_frame_says_nothing_of_its_pixels(write_fits):
    first, second = (write_fits(name, PIXELS[name[:-5]]) for name in ("int16.fits", "uint16.fits"))
    third = write_fits("third.fits", PIXELS["int16"] + 1)
    one, two, three = (read_frame_file(path) for path in (first, second, third))
    assert one.fingerprint == three.fingerprint != two.fingerprint
    assert one.size == first.stat().st_size


def test_a_source_survives_the_way_to_a_worker(write_fits):
    source = read_frame_file(write_fits("a.fits", PIXELS["uint16"])).source
    assert pickle.loads(pickle.dumps(source)) == source


def test_a_header_is_read_without_its_pixels(write_fits, monkeypatch):
    paths = [write_fits(name, PIXELS["uint16"]) for name in ("a.fits", "a.fits.gz", "a.fits.fz")]
    monkeypatch.setattr(formats.FrameSource, "_stored", None)
    assert [read_frame_file(path).source.shape for path in paths] == [SHAPE] * 3


@pytest.mark.parametrize("rows", [(-1, 2), (3, 3), (30, 38)])
def test_rows_that_are_not_there_are_refused(write_fits, rows):
    source = read_frame_file(write_fits("a.fits", PIXELS["uint16"])).source
    with pytest.raises(ValueError, match=rf"^rows {rows[0]} to {rows[1]} of a frame with 37 rows$"):
        source.read_rows(*rows)


def test_a_file_is_what_its_first_bytes_say(write_fits, tmp_path):
    path = write_fits("a.fits.gz", PIXELS["uint16"]).rename(tmp_path / "renamed.fit")
    assert_same(path, PIXELS["uint16"], container="fits.gz")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[(f"x{suffix}", True) for suffix in (".fit", ".fits", ".FTS", ".fits.gz", ".fit.fz", ".fz", ".xisf", ".CR2")],
        *[
            (name, False)
            for name in ("x.txt", "x.gz", "x.tar.gz", "fits", ".fits", "._dark.fits", "x.fits.png", "x.jpg")
        ],
    ],
)
def test_frames_are_known_by_their_names(name, expected):
    assert is_frame_name(name) is expected


# ---- files that are broken ------------------------------------------------------------------------------------------

AGAIN = "leave it out or copy it again from the camera"
WRITE = "leave it out or write it again as standard FITS"


def message(path):
    with pytest.raises(FrameError) as caught:
        read_frame_file(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_a_truncated_file_is_named_without_reading_it(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"])
    path.write_bytes(path.read_bytes()[: 2880 + 53 * 37 * 2 - 1])
    assert message(path) == f"is truncated: its header promises 6802 bytes, the file has 6801; {AGAIN}"


def test_missing_padding_at_the_end_is_no_truncation(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"])
    path.write_bytes(path.read_bytes()[: 2880 + 53 * 37 * 2])
    assert_same(path, PIXELS["uint16"])


def test_a_truncated_tile_compressed_file_is_named(write_fits):
    path = write_fits("a.fits.fz", PIXELS["uint16"])
    path.write_bytes(path.read_bytes()[:-2880])
    assert message(path).startswith("is truncated: its header promises ")


@pytest.mark.parametrize("kept", [0.9, 0.5])
def test_a_truncated_gzip_file_is_named(write_fits, kept):
    path = write_fits("a.fits.gz", PIXELS["uint16"])
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    gzip_says = "Compressed file ended before the end-of-stream marker was reached"
    assert message(path) == f"is truncated or damaged: gzip says {gzip_says}; {AGAIN}"


def test_a_truncated_file_that_was_gzipped_whole_is_named(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"])
    packed = path.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()[:5000]))
    assert message(packed) == f"is truncated: its header promises 6802 bytes, it unpacks to 5000; {AGAIN}"


def test_a_gzip_file_in_several_members_is_whole(write_fits, tmp_path):
    data = write_fits("a.fits", PIXELS["uint16"]).read_bytes()
    path = tmp_path / "b.fits.gz"
    path.write_bytes(gzip.compress(data[:4000]) + gzip.compress(data[4000:]))
    assert_same(path, PIXELS["uint16"])


def test_a_gzip_file_that_promises_more_than_it_can_hold_is_not_unpacked(tmp_path):
    header = fits.Header([("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", 20000), ("NAXIS2", 20000)])
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(header.tostring().encode()))
    assert "more than its" in message(path)


def test_a_damaged_gzip_file_is_named_when_its_pixels_are_read(write_fits):
    path = write_fits("a.fits.gz", PIXELS["uint16"])
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0xFF
    path.write_bytes(data)
    source = read_frame_file(path).source
    with pytest.raises(FrameError, match=r"a.fits.gz: is truncated or damaged: gzip says .*; leave it out or copy it"):
        source.read()


def test_a_damaged_tile_is_named_when_its_pixels_are_read(write_fits):
    path = write_fits("a.fits.fz", PIXELS["uint16"], compression_type="GZIP_1")
    data = bytearray(path.read_bytes())
    start = data.index(b"\x1f\x8b")
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    source = read_frame_file(path).source
    with pytest.raises(FrameError, match=r"a.fits.fz: its pixels cannot be decoded \(.*\); leave it out or copy it"):
        source.read()


def test_a_file_that_was_cut_since_is_named(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"])
    source = read_frame_file(path).source
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(FrameError) as caught:
        source.read()
    assert str(caught.value) == f"{path}: is truncated: it was cut after its header was read; {AGAIN}"


def test_a_file_that_has_gone_since_is_named(write_fits):
    path = write_fits("a.fits", PIXELS["uint16"])
    source = read_frame_file(path).source
    path.unlink()
    with pytest.raises(FrameError) as caught:
        source.read()
    assert str(caught.value) == f"{path}: cannot be read (No such file or directory); put it back as it was"


def test_a_missing_file_is_named(tmp_path):
    assert message(tmp_path / "no.fits") == "cannot be read (No such file or directory); check its permissions"


def test_a_folder_is_no_frame(tmp_path):
    assert message(tmp_path) == "cannot be read (Is a directory); check its permissions"


def raw_header(path, *lines, end=True):
    cards = [*lines, "END"] if end else lines
    path.write_bytes("".join(card.ljust(80) for card in cards).encode().ljust(2880))
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", f"is empty; {AGAIN}"),
        (b"Dear diary, today", "is no FITS file: it begins with 'Dear dia'; leave it out"),
        (b"SIMPLE  =                    T".ljust(2880), f"its header has no END card; {AGAIN}"),
        (b"SIMPLE", f"its header has no END card; {AGAIN}"),
        (b"\x1f\x8b", f"is truncated or damaged: gzip says Compressed file ended before .*; {AGAIN}"),
        (gzip.compress(b"some text", mtime=0), "holds no image; leave it out"),
    ],
)
def test_what_is_no_frame_is_named(tmp_path, content, expected):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    text = message(path)
    assert text == expected or text.startswith(expected.split(".*")[0])


TWO_AXES = ("SIMPLE  =  T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 10", "NAXIS2  = 10")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("SIMPLE  =  T", "BITPIX  = 16", "NAXIS   = 0"), "holds no image; leave it out"),
        (("SIMPLE  =  T", "BITPIX  = 16"), f"its header has no NAXIS; {WRITE}"),
        (TWO_AXES[:4], f"its header has no NAXIS2; {WRITE}"),
        ((*TWO_AXES[:4], "NAXIS2  = -3"), f"its header has NAXIS2 = '-3', which is no whole number that fits; {WRITE}"),
        ((*TWO_AXES[:4], "NAXIS2  = x"), f"its header has NAXIS2 = 'x', which is no whole number that fits; {WRITE}"),
        (
            ("SIMPLE  =  T", "BITPIX  = 16", "NAXIS   = 1000000"),
            f"its header has NAXIS = 1000000; FITS allows 999; {WRITE}",
        ),
        (
            ("SIMPLE  =  T", "BITPIX  = 17", *TWO_AXES[2:]),
            f"its header has BITPIX = 17, which FITS does not know; {WRITE}",
        ),
        ((*TWO_AXES, "BSCALE  = 0"), f"its header has BSCALE = '0', which scales no pixel; {WRITE}"),
        ((*TWO_AXES, "BZERO   = inf"), f"its header has BZERO = 'inf', which scales no pixel; {WRITE}"),
        (
            (*TWO_AXES[:3], "NAXIS1  = 999999999", "NAXIS2  = 999999999"),
            f"its header promises 999999999 x 999999999 pixels, which no sensor has; {WRITE}",
        ),
        (
            ("SIMPLE  =  T", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 10"),
            "its image has 1 axes (10); a frame has two; leave it out or split it up",
        ),
        (
            ("SIMPLE  =  T", "BITPIX  = 8", "NAXIS   = 3", "NAXIS1  = 10", "NAXIS2  = 9", "NAXIS3  = 3"),
            "its image has 3 axes (10 x 9 x 3); a frame has two; leave it out or split it up",
        ),
        (TWO_AXES, f"is truncated: its header promises 3080 bytes, the file has 2880; {AGAIN}"),
    ],
)
def test_a_header_that_makes_no_frame_is_named(tmp_path, lines, expected):
    assert message(raw_header(tmp_path / "a.fits", *lines)) == expected


def test_real_frames_come_out_as_astropy_reads_them(real_data):
    paths = [*(real_data / "asi178" / "Dark" / "Dark_10s").iterdir(), *(real_data / "msfc-ccd" / "led").glob("*.gz")]
    paths += (real_data / "small").glob("*.fits*")
    assert len(paths) == 13
    for path in paths:
        source = read_frame_file(path).source
        with fits.open(path, memmap=False) as units:
            expected = units[source.hdu].data
        np.testing.assert_array_equal(source.read(), expected, strict=True)


def test_the_decimal_comma_of_a_real_header_is_kept_as_text(real_data):
    cards = read_frame_file(real_data / "asi178" / "Bias" / "Bias_ASIImg_frame0001.fit").cards
    assert [card.text for card in cards if card.key == "EXPTIME"] == ["3,2E-05"]
    assert [card.text for card in cards if card.key == "EXPOINUS"] == ["32"]


def test_twelve_of_the_seventy_real_frames_are_truncated(real_data):
    faults = []
    paths = sorted((real_data / "asi178").rglob("*.fit"))
    for path in paths:
        try:
            read_frame_file(path)
        except FrameError as error:
            faults.append(error.rule)
    assert (len(paths), len(faults)) == (70, 12)
    assert all(rule.startswith("is truncated: ") for rule in faults)
