"""Where an overscan stands: in a manifest, in a header, in the regions of a camera."""

import pytest

from workbench.errors import InputError, ManifestError
from workbench.frames.fits_header import Card
from workbench.frames.manifests import read_manifest
from workbench.frames.overscan import Overscan, OverscanStrip, check_overscan, header_overscan, region_overscan
from workbench.frames.regions import Region

SHAPE = (10, 20)
WHOLE = (slice(0, 10), slice(0, 20))


def place(rows, columns):
    return slice(*rows), slice(*columns)


def manifest_of(folder, text):
    (folder / "workbench.toml").write_text(text)
    return read_manifest(folder / "workbench.toml")


def test_a_manifest_names_strips_image_and_level(tmp_path):
    text = """
        [overscan]
        level = "mean"
        image = { rows = [0, 10], columns = [4, 16] }
        strips = [
          { source = { rows = [0, 10], columns = [0, 4] }, target = { rows = [0, 10], columns = [0, 10] } },
          { source = { rows = [0, 10], columns = [16, 20] }, target = { rows = [0, 10], columns = [10, 20] } },
        ]
    """
    found = manifest_of(tmp_path, text).overscan
    assert found.strips[1] == OverscanStrip(place((0, 10), (16, 20)), place((0, 10), (10, 20)))
    assert (found.image, found.level, found.origin) == (place((0, 10), (4, 16)), "mean", "workbench.toml")
    assert found.words.startswith("mean of rows 0-9, columns 0-3 from rows 0-9, columns 0-9; mean of")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("overscan = 3", "overscan is no table"),
        ("[overscan]", "overscan has no list of strips"),
        ("[overscan]\nstrips = [{ source = { rows = [0, 1], columns = [0, 1] } }]", r"strips\[0\] has no target"),
        ('[overscan]\nlevel = "mode"\nstrips = [{}]', "has no source"),
        ("[overscan]\nimage = { rows = [0, 4, 2], columns = [0, 1] }\nstrips = [{}]", "has no source|has a step"),
        ("[overscan]\nstripes = 1", "unknown key 'stripes'; did you mean 'strips'"),
    ],
)
def test_a_manifest_that_errs_is_told_where(tmp_path, text, rule):
    with pytest.raises(ManifestError, match=rule):
        manifest_of(tmp_path, text)


def test_targets_are_equal_or_apart():
    one, other = (OverscanStrip(place((0, 10), (0, 2)), place((0, 10), span)) for span in ((0, 12), (10, 20)))
    with pytest.raises(InputError, match="overlap: a pixel has one level"):
        Overscan((one, other))


def test_five_strips_are_too_many():
    with pytest.raises(InputError, match="at most 4"):
        Overscan((OverscanStrip(WHOLE, WHOLE),) * 5)


def test_strips_beyond_the_frame_are_refused():
    with pytest.raises(InputError, match=r"are not all in a.fits, which has 10 x 20 pixels"):
        check_overscan(Overscan((OverscanStrip(place((0, 11), (0, 2)), WHOLE),)), "a.fits", SHAPE)
    check_overscan(Overscan((OverscanStrip(place((0, 10), (0, 2)), WHOLE),)), "a.fits", SHAPE)


def test_a_header_names_the_strip_and_the_image():
    cards = [Card("BIASSEC", "[1:4,1:10]", ""), Card("TRIMSEC", "[5:20,1:10]", ""), Card("DATASEC", "[1:20,1:10]", "")]
    found, problems = header_overscan("a.fits", cards, SHAPE)
    assert problems == []
    assert found == Overscan(
        (OverscanStrip(place((0, 10), (0, 4)), WHOLE),), place((0, 10), (4, 20)), origin="BIASSEC and TRIMSEC"
    )


def test_a_strip_inside_the_image_is_ignored_and_named():
    cards = [Card("BIASSEC", "[1:4,1:10]", ""), Card("DATASEC", "[3:20,1:10]", "")]
    found, problems = header_overscan("a.fits", cards, SHAPE)
    assert found is None
    assert "BIASSEC (rows 0-9, columns 0-3) reaches into DATASEC (rows 0-9, columns 2-19)" in problems[0].rule
    assert header_overscan("a.fits", [], SHAPE) == (None, [])


def test_a_strip_as_large_as_the_frame_is_ignored_and_named():
    found, problems = header_overscan("a.fits", [Card("BIASSEC", "[1:20,1:10]", "")], SHAPE)
    assert found is None
    assert "BIASSEC is the whole frame" in problems[0].rule


def test_regions_that_leave_no_image_are_refused():
    for spans in ([(0, 20)], [(0, 12), (10, 20)]):
        regions = [Region(f"o{k}", (0, 10, 1), (*span, 1), "overscan") for k, span in enumerate(spans)]
        with pytest.raises(InputError, match="leave no pixel of the frame"):
            region_overscan(regions, SHAPE)


def test_regions_serve_the_whole_frame_and_are_cut_off():
    strip = Region("overscan", (0, 10, 1), (16, 20, 1), "overscan")
    found = region_overscan([strip, Region("tap", (0, 10, 1), (0, 16, 1), "tap")], SHAPE)
    assert found.strips == (OverscanStrip(place((0, 10), (16, 20)), WHOLE),)
    assert found.image == place((0, 10), (0, 16))
    assert region_overscan([], SHAPE) is None
