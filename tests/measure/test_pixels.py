"""The classes of every pixel of simulated cameras, against the truth of each."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.dead_pixels import unresponsive
from workbench.measure.hot_pixels import HotSignal, growth
from workbench.measure.pixel_flags import ANY_HOT, ANY_TELEGRAPH, FLAG_MEANINGS, PixelFlag, score_classes, truth_flags
from workbench.measure.pixel_stacks import Judged
from workbench.measure.pixels import PixelStack, classify_pixels
from workbench.stack.gather import gather
from workbench.stack.variance import difference_moments, levels

SHAPE = (256, 256)
COLD = -20.0
EXPOSURES = (60.0, 180.0, 600.0)


def shoot(camera, seed=1, n_bias=20, n_long=14, exposures=EXPOSURES):
    """Raw frames of one camera: bias frames, and a stack of darks for each exposure."""
    rng = np.random.default_rng(seed)
    bias = np.stack([camera.expose("bias", 0.0, COLD, rng) for _ in range(n_bias)])
    counts = [n_long if exposure == exposures[-1] else 6 for exposure in exposures]
    darks = [
        np.stack([camera.expose("dark", exposure, COLD, rng) for _ in range(n)])
        for exposure, n in zip(exposures, counts, strict=True)
    ]
    return bias, darks


def stacked(frames, exposure=0.0, *, maps=True, saturation=65520.0):
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    look = levels(stack, saturation)
    moments = difference_moments(stack, look.frame_means, look.out_of_range, maps=maps)
    return PixelStack.of(stack, moments, exposure)


def classify(bias, darks, exposures=EXPOSURES, **options):
    series = [
        stacked(frames, exposure, maps=exposure == exposures[-1])
        for frames, exposure in zip(darks, exposures, strict=True)
    ]
    return classify_pixels(stacked(bias), series, **({"saturation": 65520.0} | options))


@pytest.fixture(scope="module")
def camera():
    """A camera with many defects, so that a small frame has enough of each, and with cosmic rays."""
    sensor = dataclasses.replace(
        Sensor.from_manifest("qhy163m_like"),
        shape=SHAPE,
        read_telegraph_fraction=0.006,
        read_telegraph_amplitude=14.0,
        dark_telegraph_fraction=0.003,
        dark_telegraph_current=0.1,
        hot_fraction=0.004,
        cosmic_ray_rate=5.0,
    )
    return Camera(sensor, seed=5)


@pytest.fixture(scope="module")
def frames(camera):
    return shoot(camera)


@pytest.fixture(scope="module")
def classes(camera, frames):
    return classify(*frames, gain=camera.gain)


@pytest.fixture(scope="module")
def truth(camera):
    return truth_flags(camera.telegraph_class, camera.thermal_rate(COLD))


def test_every_class_is_found_with_the_precision_and_recall_that_the_noise_allows(classes, truth):
    groups = {
        "hot": ANY_HOT,
        "telegraph": ANY_TELEGRAPH,
        "two": PixelFlag.TELEGRAPH_2_LEVELS,
        "three": PixelFlag.TELEGRAPH_3_LEVELS,
        "dark": PixelFlag.TELEGRAPH_DARK,
    }
    scores = {one.name: one for one in score_classes(classes.flags, truth, groups)}
    least = {"hot": (0.97, 0.95), "telegraph": (0.95, 0.90), "two": (0.90, 0.85), "three": (0.85, 0.80)}
    for name, (precision, recall) in (least | {"dark": (0.92, 0.93)}).items():
        assert scores[name].n_true > 50
        assert scores[name].precision >= precision
        assert scores[name].recall >= recall


def test_recall_of_telegraph_pixels_grows_with_their_jump(camera, classes):
    pixels, amplitude, _, _ = camera._telegraph
    found = (classes.flags.flat[pixels] & ANY_TELEGRAPH) != 0
    sigmas = amplitude / camera.sensor.read_noise
    assert found[sigmas > 7].mean() > 0.97
    assert found[sigmas < 4].mean() < 0.6


def test_the_shares_are_those_of_the_camera(classes, truth):
    hot = classes.hot_pixel_fraction
    assert hot.nominal_value == pytest.approx(np.mean((truth & ANY_HOT) != 0), abs=4 * hot.std_dev)
    telegraph = classes.telegraph_fraction
    share = np.mean((truth & ANY_TELEGRAPH) != 0)
    assert 0.90 * share < telegraph.nominal_value < share + 3 * telegraph.std_dev
    assert any("are lost in the noise of 20 bias frames" in note for note in classes.notes)
    assert any("switches by less than" in note for note in classes.notes)


def test_hot_pixels_have_their_currents_within_errors(camera, classes):
    hot = classes.hot[~classes.hot["bent"]]
    plain = camera.telegraph_class[hot["row"], hot["column"]] == 0
    hot = hot[plain]
    pull = (hot["current"] - camera.thermal_rate(COLD)[hot["row"], hot["column"]]) / hot["current_error"]
    assert abs(pull.mean()) < 0.25
    assert 0.6 < pull.std() < 1.15  # the tolerance of 2 % makes errors of bright pixels larger than this camera needs


def test_linear_hot_pixels_are_not_called_bent(classes, truth):
    steady = (truth == PixelFlag.HOT) & ((classes.flags & PixelFlag.SATURATED) == 0)
    assert np.count_nonzero(classes.flags[steady] & PixelFlag.HOT_NONLINEAR) <= 1


def test_bent_and_saturated_hot_pixels_are_told(frames, camera):
    bias, darks = frames[0], [stack.copy() for stack in frames[1]]
    for stack, exposure in zip(darks, EXPOSURES, strict=True):
        stack[:, 10, 10:20] += np.uint16(2000 + 3000 * exposure / 600)  # jumps up, then grows slowly
        stack[:, 12, 10:20] = np.minimum(1600 + 400 * exposure, 65520)
    found = classify(bias, darks, gain=camera.gain).flags
    assert ((found[10, 10:20] & PixelFlag.HOT_NONLINEAR) != 0).all()
    assert ((found[12, 10:20] & PixelFlag.SATURATED) != 0).all()
    assert ((found[12, 10:20] & PixelFlag.HOT_NONLINEAR) != 0).all()


def test_growth_of_straight_pixels_has_the_errors_that_it_says():
    rng = np.random.default_rng(4)
    exposures, rates = np.array([60.0, 120.0, 300.0, 600.0]), np.geomspace(0.05, 5.0, 4000)
    error, bias_error = 8.0, 12.0
    shared = bias_error * rng.standard_normal(rates.size)
    signals = []
    for exposure in exposures:
        spread = np.hypot(error, 0.02 * rates * exposure)
        values = rates * exposure + shared + spread * rng.standard_normal(rates.size)
        signals.append(HotSignal(exposure, values, np.full(rates.size, error), np.zeros(rates.size, dtype=bool)))
    found = growth(signals, np.full(rates.size, bias_error))
    pull = (found.rate - rates) / found.rate_error
    assert abs(pull.mean()) < 4 / rates.size**0.5
    assert pull.std() == pytest.approx(1.0, abs=0.05)
    assert found.chi2.mean() == pytest.approx(3.0, abs=0.15)
    assert found.bent.sum() <= 1


def test_a_camera_without_telegraph_pixels_has_none(camera):
    sensor = camera.sensor.without("read_telegraph", "dark_telegraph")
    quiet = Camera(sensor, seed=6)
    found = classify(*shoot(quiet, seed=7), gain=quiet.gain)
    assert np.count_nonzero(found.flags & ANY_TELEGRAPH) <= 1
    assert found.telegraph_fraction.nominal_value < 5 * found.telegraph_fraction.std_dev
    assert found.telegraph_fraction.std_dev > 0


def test_dead_and_stuck_pixels_are_found(frames, camera):
    bias, darks = frames[0].copy(), [stack.copy() for stack in frames[1]]
    rng = np.random.default_rng(8)
    lamp = 0.3 * camera.saturation * camera.gain
    flats = np.stack([camera.expose("flat", 1.0, COLD, rng, light=lamp) for _ in range(3)])
    for stack in (bias, *darks):
        stack[:, 40, 40] = 1600
    flats[:, 50, 50] = 1700
    flats[:, 200:, 100:140] = 1700  # the shadow of a mask is none of dead pixels
    flats[:, ::2, ::2] = flats[:, ::2, ::2] // 3 + 1100  # a colour sensor, one colour of which sees a third
    found = classify(bias, darks, gain=camera.gain, flats=stacked(flats, 1.0, maps=False)).flags
    assert found[40, 40] & PixelFlag.DEAD
    assert found[50, 50] & PixelFlag.DEAD
    assert np.count_nonzero(found & PixelFlag.DEAD) == 2


def test_faint_flats_tell_no_dead_pixels(frames, camera):
    bias, darks = frames
    for flats in (None, stacked(bias[:2], 1.0, maps=False)):
        found = classify(bias, darks, gain=camera.gain, flats=flats)
        assert found.counts["dead"] == 0
        assert any("without flats" in note or "too faint to tell dead pixels" in note for note in found.notes)


def test_excluded_pixels_are_not_judged(frames, camera, classes):
    excluded = np.zeros(SHAPE, dtype=bool)
    excluded[:, -32:] = True
    found = classify(*frames, gain=camera.gain, excluded=excluded)
    assert (found.flags[excluded] == PixelFlag.NOT_JUDGED).all()
    assert not (found.flags[~excluded] & PixelFlag.NOT_JUDGED).any()
    assert found.n_judged == (~excluded).sum()
    same = (found.flags == classes.flags)[~excluded]
    assert same.mean() > 0.999


def test_cosmic_rays_make_no_class(frames, camera, classes):
    bias, darks = frames[0], [stack.copy() for stack in frames[1]]
    darks[-1][5, 100, 20:220:4] += 30_000
    found = classify(bias, darks, gain=camera.gain)
    assert np.count_nonzero((found.flags != classes.flags)[100, 20:220:4]) <= 1


def test_without_a_gain_hot_pixels_stand_out_of_the_pattern(frames, truth):
    found = classify(*frames)
    assert found.telegraph_fraction is not None
    assert found.hot_pixel_fraction is None
    assert "no gain is known" in found.refused["hot_pixel_fraction"]
    assert "no gain is known" in found.refused["telegraph_dark"]
    assert found.hot["current"].isna().all()
    bright = (truth & ANY_HOT) != 0
    assert ((found.flags[bright] & ANY_HOT) != 0).mean() > 0.9


def test_the_given_dark_signal_sets_what_is_hot(frames, camera, classes):
    higher = classify(*frames, gain=camera.gain, dark_signal=30.0)
    assert 0 < higher.counts["hot"] < 0.7 * classes.counts["hot"]


def test_a_dark_current_that_noise_hides_is_no_threshold(frames, camera):
    found = classify(*frames, gain=camera.gain, dark_signal=0.01)
    assert found.hot_pixel_fraction is None
    assert "is lost in the noise; pixels are hot from" in found.refused["hot_pixel_fraction"]
    assert found.counts["hot"] < 0.02 * found.n_judged


def test_few_frames_leave_classes_out_and_say_why(frames, camera):
    bias, darks = frames
    found = classify(bias[:5], [stack[:4] for stack in darks[1:]], EXPOSURES[1:], gain=camera.gain)
    assert found.counts["hot"] > 100
    assert found.telegraph_fraction is None
    assert not len(found.telegraph)
    assert found.refused["telegraph_2_levels"].startswith(
        "5 bias frames cannot tell a jump from noise; shoot at least 8"
    )
    assert "4 darks of 600 s cannot tell a switching pixel; shoot at least 6" in found.refused["telegraph_dark"]
    assert "2 exposures cannot show a bend; shoot darks of 3 or more" in found.refused["hot_nonlinear"]


def test_without_darks_the_bias_frames_tell_what_they_can(frames):
    found = classify_pixels(stacked(frames[0]), [])
    assert found.counts["telegraph_2_levels"] > 100
    assert found.refused["hot"] == "no darks; shoot 6 or more of a long exposure"


def test_one_bias_frame_or_no_pixel_is_refused(frames):
    with pytest.raises(NotMeasurableError, match="one bias frame: the noise of no pixel is known; shoot 20"):
        classify_pixels(stacked(frames[0][:1]), [])
    with pytest.raises(NotMeasurableError, match="every pixel is excluded; name smaller regions"):
        classify_pixels(stacked(frames[0]), [], excluded=np.ones(SHAPE, dtype=bool))
    with pytest.raises(ValueError, match="has no maps: take its moments with maps=True"):
        classify_pixels(stacked(frames[0], maps=False), [])


def test_where_rounding_hides_the_noise_jumps_are_refused():
    rng = np.random.default_rng(3)
    coarse = np.rint(rng.normal(100.3, 0.4, (20, 128, 128))).astype(np.uint16) * 16
    found = classify_pixels(stacked(coarse), [])
    assert "rounding hides it; raise the gain setting" in found.refused["telegraph_2_levels"]
    assert found.telegraph_fraction is None
    still = np.full((20, 64, 64), 1600, dtype=np.uint16)
    with pytest.raises(NotMeasurableError, match="half of the pixels do not change from frame to frame"):
        classify_pixels(stacked(still), [])


def test_pixels_that_the_camera_replaced_are_told(frames):
    bias = frames[0].copy()
    bias[:, 100, 50:60] = bias[:, 102, 50:60]
    bias[:, 120, 70] = bias[:, 120, 71]
    found = classify_pixels(stacked(bias), [])
    copied = np.argwhere(found.flags & PixelFlag.COPIED).tolist()
    assert copied == [[row, x] for row in (100, 102) for x in range(50, 60)] + [[120, 70], [120, 71]]
    assert "10 pixels hold the values of the pixel 2 rows on: the camera replaces pixels" in found.notes
    assert not (classify_pixels(stacked(frames[0]), []).flags & PixelFlag.COPIED).any()


def test_a_dark_current_that_followed_the_temperature_is_no_bend_within_the_tolerance(frames, camera):
    bias, darks = frames[0], list(frames[1])
    rng = np.random.default_rng(12)
    warm = [camera.expose("dark", EXPOSURES[1], COLD + 2.0, rng) for _ in range(6)]
    darks[1] = np.stack(warm)
    strict = classify(bias, darks, gain=camera.gain).counts["hot_nonlinear"]
    loose = classify(bias, darks, gain=camera.gain, tolerance=0.22).counts["hot_nonlinear"]
    assert loose < 0.5 * strict


def test_frames_and_maps_stay_as_they_are(frames, camera):
    bias, darks = frames
    before = bias.copy(), darks[-1].copy()
    stack = stacked(bias)
    maps = stack.mean_map.copy(), stack.variance_map.copy()
    classify_pixels(stack, [stacked(darks[-1], 600.0)], gain=camera.gain, saturation=65520.0)
    assert all((a == b).all() for a, b in zip(before, (bias, darks[-1]), strict=True))
    assert all((a == b).all() for a, b in zip(maps, stack.maps(), strict=True))


def test_counts_and_table_agree_with_the_flags(classes):
    read = classes.telegraph[classes.telegraph["kind"] == "read"]
    dark = classes.telegraph[classes.telegraph["kind"] == "dark"]
    assert len(read) == classes.counts["telegraph_2_levels"] + classes.counts["telegraph_3_levels"]
    assert len(dark) == classes.counts["telegraph_dark"]
    bits = classes.flags[read["row"], read["column"]]
    assert ((bits & PixelFlag.TELEGRAPH_3_LEVELS) != 0).sum() == (read["n_levels"] == 3).sum()
    assert len(classes.hot) == classes.counts["hot"] + classes.counts["hot_nonlinear"]
    assert classes.flags.dtype == np.uint16


def test_every_bit_has_one_meaning():
    assert [one.flag for one in FLAG_MEANINGS] == list(PixelFlag)
    assert len({one.name for one in FLAG_MEANINGS}) == len(FLAG_MEANINGS)


def test_scores_leave_out_what_was_not_judged():
    found = np.array([[1, 128, 0, 16]], dtype=np.uint16)
    truth = np.array([[1, 1, 1, 0]], dtype=np.uint16)
    scores = {one.name: one[1:] for one in score_classes(found, truth)}
    assert scores == {"hot": (2, 1, 1.0, 0.5), "telegraph_dark": (0, 1, 0.0, None)}


def test_gathered_values_follow_the_dates_of_the_frames():
    rng = np.random.default_rng(9)
    frames = rng.integers(0, 60_000, (5, 30, 20), dtype=np.uint16)
    dates = pd.to_datetime(["2020-01-05", "2020-01-02", "2020-01-03", "2020-01-01", "2020-01-04"]).to_numpy()
    chosen = rng.random((30, 20)) < 0.1
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    assert (gather(stack, chosen) == frames[:, chosen]).all()
    dated = stack.assign_coords(date=("frame", dates))
    assert (gather(dated, chosen) == frames[np.argsort(dates)][:, chosen]).all()
    undated = stack.assign_coords(date=("frame", np.where(np.arange(5) == 2, np.datetime64("NaT"), dates)))
    assert (gather(undated, chosen) == frames[:, chosen]).all()


def test_pixels_that_saturate_in_every_frame_are_hot_and_not_dead(frames, camera):
    bias, darks = frames[0].copy(), [stack.copy() for stack in frames[1]]
    for stack in (bias, *darks):
        stack[:, 40, 40] = 1600
        stack[:, 60, 10:210] = 65535  # more of them than stuck ones may be
    found = classify(bias, darks, gain=camera.gain, saturation=65535.0)
    assert np.argwhere(found.flags & PixelFlag.DEAD).tolist() == [[40, 40]]
    assert ((found.flags[60, 10:210] & PixelFlag.SATURATED) != 0).all()
    assert ((found.flags[60, 10:210] & ANY_HOT) != 0).all()


def test_flats_that_lack_values_still_tell_dead_pixels(frames, camera):
    rng = np.random.default_rng(8)
    lamp = 0.3 * camera.saturation * camera.gain
    flats = np.stack([camera.expose("flat", 1.0, COLD, rng, light=lamp) for _ in range(3)]).astype(np.float32)
    flats[:, 50, 50] = 1700
    flats[1, ::16, ::16] = np.nan  # one in every tile
    judged = Judged.of(stacked(frames[0]), None, 65520.0, camera.gain)
    assert unresponsive(judged, stacked_flats(flats)).tolist() == [50 * SHAPE[1] + 50]
    flats[1] = np.nan
    with pytest.raises(NotMeasurableError, match="no pixel with finite values is left to tell what is usual"):
        unresponsive(judged, stacked_flats(flats))


def stacked_flats(flats):
    return PixelStack(xr.DataArray(flats, dims=("frame", "y", "x")), np.zeros(len(flats)), 1.0)


def test_darks_that_lack_values_leave_out_no_more_than_these(frames, camera, classes):
    bias, darks = frames[0], [stack.astype(np.float32) for stack in frames[1]]
    lost = np.zeros(SHAPE, dtype=bool)
    lost[::16, ::16] = True
    hot = np.argwhere((classes.flags & PixelFlag.HOT) != 0)[:5]
    lost[tuple(hot.T)] = True
    darks[0][2, lost] = np.nan
    found = classify(bias, darks, gain=camera.gain)
    assert np.count_nonzero((found.flags ^ classes.flags) & ANY_HOT) <= 1
    assert ((found.flags[tuple(hot.T)] & PixelFlag.HOT) != 0).all()
    assert np.isfinite(found.hot[["rate", "rate_error", "chi2"]]).all(axis=None)
    assert found.hot_pixel_fraction.nominal_value == pytest.approx(classes.hot_pixel_fraction.nominal_value, rel=0.01)
    long = [stack.astype(np.float32) for stack in frames[1]]
    long[-1][2, ::16, ::16] = np.nan
    found = classify(bias, long)  # without a gain the pattern's spread makes the threshold
    assert found.counts["hot"] > 100
    assert not (found.flags[::16, ::16] & ANY_HOT).any()


def test_an_exposure_without_values_refuses_hot_pixels_alone(frames, camera, classes):
    darks = [stack.astype(np.float32) for stack in frames[1]]
    short = stacked(darks[0], 60.0, maps=False)
    empty = dataclasses.replace(short, stack=xr.full_like(short.stack, np.nan))
    long = stacked(frames[1][-1], 600.0)
    found = classify_pixels(stacked(frames[0]), [empty, long], gain=camera.gain, saturation=65520.0)
    reason = "no pixel with finite values is left to tell what is usual; leave out the frames that lack values"
    assert found.refused["hot"] == found.refused["hot_pixel_fraction"] == reason
    assert found.counts["telegraph_2_levels"] == classes.counts["telegraph_2_levels"]


def test_one_long_dark_refuses_the_classes_of_darks_alone(frames, camera, classes):
    bias, darks = frames
    found = classify(bias, [*darks[:2], darks[2][:1]], gain=camera.gain)
    reason = "one dark of 600 s: its noise is unknown; shoot 6 or more"
    of_darks = {"hot", "hot_nonlinear", "saturated", "telegraph_dark", "hot_pixel_fraction"}
    assert {name for name, why in found.refused.items() if why == reason} == of_darks
    assert found.counts["telegraph_2_levels"] == classes.counts["telegraph_2_levels"] > 100
    assert found.telegraph_fraction is not None
    assert found.hot_pixel_fraction is None


def test_short_darks_in_place_of_bias_frames_show_no_jumps_from_read_to_read(frames, camera, truth):
    rng = np.random.default_rng(14)
    zero = stacked(np.stack([camera.expose("dark", 60.0, COLD, rng) for _ in range(20)]), 60.0)
    beyond = [stacked(frames[1][1], 120.0, maps=False), stacked(frames[1][2], 540.0)]
    found = classify_pixels(zero, beyond, gain=camera.gain, saturation=65520.0)
    reason = "the zero-light frames are darks of 60 s: their hot pixels jump by themselves; shoot bias frames"
    assert found.refused["telegraph_2_levels"] == found.refused["telegraph_3_levels"] == reason
    assert found.counts["telegraph_2_levels"] == found.counts["telegraph_3_levels"] == 0
    assert found.telegraph_fraction is None  # of the switching pixels alone it would be a third of the truth
    assert found.counts["hot"] > 100
    (dark,) = score_classes(found.flags, truth, {"dark": PixelFlag.TELEGRAPH_DARK})
    assert dark.precision > 0.9  # pixels that jump from read to read are not taken for switching ones
    assert dark.recall > 0.85
    brief = dataclasses.replace(stacked(frames[0]), exposure=0.001)
    assert classify_pixels(brief, []).counts["telegraph_2_levels"] > 100
