import sys

import numpy as np
import pytest

from workbench.errors import FrameError
from workbench.frames.formats import Card, read_frame_file

PIXELS = (np.random.default_rng(2).integers(0, 4096, (64, 96)) * 16).astype(np.uint16)
AGAIN = "leave it out or copy it again from the camera"


@pytest.fixture
def write_xisf(tmp_path):
    xisf = pytest.importorskip("xisf")

    def write(pixels=PIXELS, keywords=(), properties=(), **options):
        described = {
            "FITSKeywords": {key: [{"value": value, "comment": comment}] for key, value, comment in keywords},
            "XISFProperties": {key: {"id": key, "type": kind, "value": value} for key, kind, value in properties},
        }
        path = tmp_path / "a.xisf"
        xisf.XISF.write(str(path), pixels[:, :, np.newaxis], image_metadata=described, **options)
        return path

    return write


def message(path):
    with pytest.raises(FrameError) as caught:
        read_frame_file(path)
    return str(caught.value).removeprefix(f"{path}: ")


def edited(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new.ljust(len(old))))
    return path


@pytest.mark.parametrize("codec", [None, "zlib", "lz4", "lz4hc", "zstd"])
def test_xisf_pixels_come_out_exactly(write_xisf, codec):
    frame = read_frame_file(write_xisf(codec=codec, shuffle=codec is not None))
    assert (frame.source.container, frame.source.mappable) == ("xisf", False)
    np.testing.assert_array_equal(frame.source.read(), PIXELS, strict=True)
    np.testing.assert_array_equal(frame.source.read_rows(3, 5), PIXELS[3:5], strict=True)


def test_xisf_floats_are_known_to_be_scaled(write_xisf):
    frame = read_frame_file(write_xisf((PIXELS / 65535).astype(np.float32)))
    assert Card("bounds", "0:1", "") in frame.cards
    assert frame.source.read().dtype == np.float32


def test_xisf_keywords_and_properties_are_cards(write_xisf):
    path = write_xisf(
        keywords=[("IMAGETYP", "DARK", "Type"), ("HISTORY", "", "Calibration with ImageCalibration module")],
        properties=[("Instrument:ExposureTime", "Float32", 60.0)],
    )
    cards = read_frame_file(path).cards
    assert Card("IMAGETYP", "DARK", "Type") in cards
    assert Card("HISTORY", "Calibration with ImageCalibration module", "") in cards
    assert Card("Instrument:ExposureTime", "60.0", "") in cards


def test_a_truncated_xisf_file_is_named(write_xisf):
    path = write_xisf()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    assert message(path) == f"is truncated: its header promises {size} bytes, the file has {size - 10}; {AGAIN}"
    path.write_bytes(path.read_bytes()[:500])
    assert message(path).startswith("is truncated: its header has ")


def test_damaged_xisf_pixels_are_named_when_they_are_read(write_xisf):
    path = write_xisf(codec="zstd")
    path.write_bytes(path.read_bytes()[:-50] + bytes(50))
    source = read_frame_file(path).source
    with pytest.raises(FrameError, match=r"a.xisf: its pixels cannot be decoded \(.*\); leave it out or copy it again"):
        source.read()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            b'geometry="96:64:1"',
            b'geometry="96:64:3"',
            "has 96 x 64 x 3 pixels; a raw frame has two axes and one channel; ",
        ),
        (b'geometry="96:64:1"', b'geometry="wide"', "its geometry is 'wide'; "),
        (b'geometry="96:64:1"', b'geometry="96:32:1"', "its geometry needs 6144 bytes, its pixels have 12288; "),
        (b'"UInt16"', b'"Huge16"', "holds little-endian Huge16 pixels, which cannot be read; "),
        (b'colorSpace="Gray"', b'byteOrder="big"', "holds big-endian UInt16 pixels, which cannot be read; "),
        (b'location="attachment:', b'location="elsewhere_:', "its pixels are at 'elsewhere_:"),
        (b"<Image", b"<Imago", "holds no image; "),
        (b"<xisf", b"<xis>", "its XISF header is no XML ("),
        (b"<xisf", b"<!DOCTYPE x><xisf", "declares XML entities, which no XISF file needs; "),
    ],
)
def test_an_xisf_header_that_makes_no_frame_is_named(write_xisf, old, new, expected):
    assert message(edited(write_xisf(), old, new)).startswith(expected)


def test_embedded_xisf_pixels_are_named_at_once(real_data):
    pytest.importorskip("xisf")
    rule = "its pixels are embedded in the XML header, which the xisf package cannot read"
    expected = f"{rule}; save it again with its pixels attached, or as FITS"
    assert message(real_data / "small" / "test.xisf") == expected


def test_without_the_extra_an_xisf_file_says_what_to_install(write_xisf, monkeypatch):
    path = write_xisf()
    monkeypatch.setitem(sys.modules, "xisf", None)
    rule = "is an XISF file, which needs the extra package xisf"
    assert message(path) == f'{rule}; python -m pip install "dark-frame-workbench[xisf]"'


def test_without_the_extra_a_camera_raw_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "a.cr2"
    path.write_bytes(b"II*\x00 and so on")
    monkeypatch.setitem(sys.modules, "rawpy", None)
    rule = "is a camera's raw file, which needs the extra package rawpy"
    assert message(path) == f'{rule}; python -m pip install "dark-frame-workbench[raw]"'


def test_a_file_that_is_no_camera_raw_is_named(tmp_path):
    pytest.importorskip("rawpy")
    path = tmp_path / "a.cr2"
    path.write_bytes(b"II*\x00 and so on")
    assert message(path).startswith("is no raw file that LibRaw can read (")


def test_a_real_camera_raw_is_read_undemosaiced(real_data):
    rawpy = pytest.importorskip("rawpy")
    path = real_data / "small" / "RAW_KODAK_DC50.KDC"
    frame = read_frame_file(path)
    with rawpy.imread(str(path)) as raw:
        expected = raw.raw_image_visible.copy()
    np.testing.assert_array_equal(frame.source.read(), expected, strict=True)
    assert Card("BAYERPAT", "GRBG", "") in frame.cards
    assert Card("SATURATE", "16383", "white level of the raw file") in frame.cards
