"""The noise budget of a single frame against the camera's truth, and its closure."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from workbench.camera.sensor import Camera, Sensor
from workbench.errors import NotMeasurableError
from workbench.measure.frame_noise import frame_noise
from workbench.measure.line_parts import Lines, parts_of
from workbench.measure.noise_budget import NoiseTerm, bias_budget, dark_budget, switching_noise
from workbench.measure.numbers import number
from workbench.stack.power_sums import Estimate
from workbench.stack.variance import difference_moments, levels

COLD = -20.0
EXPOSURE = 600.0
PARTS = ("pixels", "rows", "columns")
BLIND = "telegraph without a mask"
SENSOR = Sensor(
    name="budget",
    shape=(64, 90),
    pixel_size=3.8,
    adc_bits=14,
    native_gain=0.25,
    bias_level=3000.0,
    pixel_pattern=6.0,
    row_pattern=2.0,
    column_pattern=3.0,
    drift=2.0,
    read_noise=1.8,
    read_noise_spread=0.15,
    row_noise=0.25,
    read_telegraph_fraction=0.01,
    read_telegraph_amplitude=6.0,
    read_telegraph_three_levels=0.2,
    dark_current=0.01,
    dark_spread=0.3,
    hot_fraction=0.002,
    hot_current=0.1,
    hot_spread=0.8,
    dead_fraction=0.001,
    glow_linear=1e-3,
    glow_quadratic=2e-6,
    clamp_share=1.0,
    glow_shielded=2.0,
)


def noise_of(camera, kind, exposure, n_frames, rng, excluded):
    frames = np.stack([camera.expose(kind, exposure, COLD, rng) for _ in range(n_frames)])
    stack = xr.DataArray(frames, dims=("frame", "y", "x"))
    return frame_noise(stack, difference_moments(stack, levels(stack).frame_means, excluded, maps=True), excluded)


def some_excluded(number_of_camera):
    """A twentieth of the pixels, whole rows and a block: lines of unequal length."""
    excluded = np.random.default_rng([1, number_of_camera]).random(SENSOR.shape) < 0.05
    excluded[:5] = True
    excluded[20:35, 30:60] = True
    return excluded


def jumping(camera):
    return (camera.telegraph_class == 1) | (camera.telegraph_class == 2)


def split_map(values, excluded):
    """Parts of a map without noise."""
    lines = Lines.of(excluded)
    above = np.where(excluded, 0.0, values - values[~excluded].mean())
    rows = above.sum(axis=1)[lines.rows] / lines.row_counts
    columns = above.sum(axis=0)[lines.columns] / lines.column_counts
    sums = (above**2).sum(), lines.row_counts @ rows**2, lines.column_counts @ columns**2
    return parts_of(lines, np.array(sums), np.zeros(3)).values


def truth_of(camera, excluded, exposure):
    """Every term of the budget [adu2] from the camera's maps alone."""
    used, unit = ~excluded, camera.gain**2
    lines = Lines.of(excluded)
    row_share = lines.equations()[0, 1] / (lines.n_pixels - 1)  # frame means are removed
    own = camera._read_noise.astype(float) ** 2
    rows = camera.sensor.row_noise**2
    truth = {
        "quantisation": camera.lattice**2 / 12,
        "row noise": rows * row_share / unit,
        "column noise": 0.0,
        "read telegraph": (camera.read_noise_map**2 - own - rows)[used].mean() / unit,
        "steady read noise": own[used].mean() / unit,
    }
    read = sum(truth.values())
    shot = camera.dark_electrons(exposure, COLD) / unit
    added = shot * camera.gain
    for name, one in (("offset", camera.offset_map), *((("dark", added),) if exposure else ())):
        truth |= {
            f"{name} pattern of {part}": value for part, value in zip(PARTS, split_map(one, excluded), strict=True)
        }
    if exposure:
        truth["thermal and glow shot noise"] = shot[used].mean()
    truth["read noise"] = read - truth["quantisation"]
    kind = "dark" if exposure else "bias"
    truth[f"temporal variance of a {kind}"] = read + shot[used].mean()
    frame = truth[f"temporal variance of a {kind}"] + split_map(camera.offset_map + added, excluded).sum()
    return truth | {"sum of all terms": frame, "variance of a single frame": frame, "residual": 0.0}


def pulls_of(number_of_camera):
    camera = Camera(SENSOR, number_of_camera)
    rng = np.random.default_rng([2, number_of_camera])
    excluded = some_excluded(number_of_camera)
    bias = noise_of(camera, "bias", 0.0, 12, rng, excluded)
    dark = noise_of(camera, "dark", EXPOSURE, 6, rng, excluded)
    mask = jumping(camera)
    without = {one.term: one for one in bias_budget(bias, camera.lattice)}["read telegraph"]
    truth = truth_of(camera, excluded, 0.0)
    found = {BLIND: (without.variance - truth["read telegraph"]) / without.std_error}
    for kind, terms, true in (
        ("bias", bias_budget(bias, camera.lattice, mask), truth),
        ("dark", dark_budget(dark, bias, camera.lattice, mask), truth_of(camera, excluded, EXPOSURE)),
    ):
        for one in terms:
            if one.term == "quantisation":
                assert (one.variance, one.std_error) == (true[one.term], 0.0)
            else:
                found[f"{kind}: {one.term}"] = (one.variance - true[one.term]) / one.std_error
    return found


def check_pulls(numbers):
    pulls = [pulls_of(one) for one in numbers]
    n = len(pulls)
    for term in pulls[0]:
        values = np.array([one[term] for one in pulls])
        # a variance of few rows and its error come from the same squares: their pulls are a little skewed
        # and without a mask the jumps too small to stand out count as bulk: telegraph noise comes out a little low
        skew = 0.4 if term == BLIND else 0.25
        assert abs(values.mean()) < max(4 / n**0.5, skew), (term, values.mean())
        # jumps and hot pixels make the scatter of the scatter larger than that of a normal pull
        assert 1 - 4 / (2 * n) ** 0.5 < values.std() < 1 + 5 / (2 * n) ** 0.5, (term, values.std())


def test_every_term_and_the_closure_lie_within_their_errors():
    check_pulls(range(40))


@pytest.mark.slow
def test_every_term_and_the_closure_lie_within_their_errors_for_many_cameras():
    check_pulls(range(1000, 1500))


@pytest.fixture(scope="module")
def measured():
    camera = Camera(SENSOR, 7)
    rng = np.random.default_rng(7)
    excluded = np.zeros(SENSOR.shape, dtype=bool)
    frames = (("bias", 0.0, 12), ("dark", EXPOSURE, 8))
    return camera, *(noise_of(camera, *one, rng, excluded) for one in frames)


def test_the_terms_have_plain_names_and_add_up(measured):
    camera, bias, dark = measured
    read = ["quantisation", "row noise", "column noise", "read telegraph", "steady read noise"]
    close = ["sum of all terms", "variance of a single frame", "residual"]
    offset, added = ([f"{name} pattern of {part}" for part in PARTS] for name in ("offset", "dark"))
    of_bias, of_dark = bias_budget(bias, camera.lattice), dark_budget(dark, bias, camera.lattice)
    assert [one.term for one in of_bias] == [*read, "read noise", "temporal variance of a bias", *offset, *close]
    shot = ["thermal and glow shot noise", "temporal variance of a dark"]
    assert [one.term for one in of_dark] == [*read, *shot, *offset, *added, *close]
    for terms in (of_bias, of_dark):
        total = sum(one.variance for one in terms if one.kind in ("temporal", "fixed"))
        assert [one.variance for one in terms if one.kind == "sum"][-1] == pytest.approx(total)
        single, residual = terms[-2:]
        assert (single.kind, residual.kind) == ("single frame", "residual")
        assert single.variance - total == pytest.approx(residual.variance, abs=1e-9)


def test_the_single_frame_is_the_variance_over_its_pixels(measured):
    camera, _, _ = measured
    rng = np.random.default_rng(7)
    frames = [camera.expose("bias", 0.0, COLD, rng) for _ in range(12)]
    expected = np.mean([frame.var(ddof=1) for frame in frames])
    single = {one.term: one for one in bias_budget(measured[1], camera.lattice)}["variance of a single frame"]
    assert single.variance == pytest.approx(expected, rel=1e-9)


def test_without_a_mask_the_bias_closes_by_construction(measured):
    camera, bias, _ = measured
    residual = bias_budget(bias, camera.lattice)[-1]
    assert residual.variance == pytest.approx(0.0, abs=1e-4)
    assert residual.std_error == 0.0


def test_an_offset_that_changed_after_the_bias_frames_stays_in_the_residual(measured):
    camera, bias, _ = measured
    other = Camera(replace(SENSOR, pixel_pattern=20.0), 8)
    dark = noise_of(other, "dark", EXPOSURE, 8, np.random.default_rng(3), ~bias.lines.keep)
    residual = dark_budget(dark, bias, camera.lattice)[-1]
    assert residual.variance < -2 * 6.0**2 / 2
    assert abs(dark_budget(measured[2], bias, camera.lattice)[-1].variance) < abs(residual.variance)


def test_what_is_known_is_taken_out_of_the_shot_noise(measured):
    camera, bias, dark = measured
    glow = camera.glow_electrons(EXPOSURE).mean() / camera.gain**2
    known = {"glow shot noise": Estimate(glow, 0.1 * glow), "cosmic rays": Estimate(30.0, 4.0)}
    plain, split = (dark_budget(dark, bias, camera.lattice, known=one) for one in (None, known))
    before, after = ({one.term: one for one in terms} for terms in (plain, split))
    whole, rest = before["thermal and glow shot noise"], after["thermal shot noise"]
    assert rest.variance == pytest.approx(whole.variance - glow - 30.0)
    assert rest.std_error == pytest.approx((whole.std_error**2 + (0.1 * glow) ** 2 + 16.0) ** 0.5)
    assert after["sum of all terms"].variance == pytest.approx(before["sum of all terms"].variance)


def test_the_noise_of_switching_pixels_is_told_from_their_shot_noise():
    sensor = replace(SENSOR, dark_telegraph_fraction=0.01, dark_telegraph_current=0.3, read_telegraph_fraction=0.0)
    pulls = []
    for k in range(25):
        camera, rng = Camera(sensor, k), np.random.default_rng([5, k])
        excluded = np.zeros(sensor.shape, dtype=bool)
        bias, dark = (noise_of(camera, *one, rng, excluded) for one in (("bias", 0.0, 8), ("dark", EXPOSURE, 8)))
        unit, switching = camera.gain**2, camera.telegraph_class == 3
        shot = camera.dark_electrons(EXPOSURE, COLD) / unit
        wander = (camera.variance(EXPOSURE, COLD) - camera.variance(0.0, COLD) - shot).mean()
        found = switching_noise(dark, bias, switching, number(camera.gain, 0.0))
        pulls.append((found.value - wander) / found.std_error)
        assert found.std_error < 0.3 * wander
    # the other pixels' own spread of dark current enters variance and mean alike
    assert abs(np.mean(pulls)) < 4 / 25**0.5
    assert 1 - 4 / 50**0.5 < np.std(pulls) < 1 + 4 / 50**0.5
    none = np.zeros(sensor.shape, dtype=bool)
    assert switching_noise(dark, bias, none, number(camera.gain, 0.0)) == Estimate(0.0, 0.0)


def test_a_term_converts_to_electrons_where_it_is_above_its_error():
    gain = number(0.5, 0.01)
    found = NoiseTerm("read noise", "temporal", 16.0, 0.8).noise(gain)
    assert found.nominal_value == pytest.approx(2.0)
    assert found.std_dev == pytest.approx(2.0 * ((0.01 / 0.5) ** 2 + (0.8 / 32) ** 2) ** 0.5)
    assert NoiseTerm("row noise", "temporal", 0.3, 0.4).noise(gain) is None
    assert NoiseTerm("row noise", "temporal", -1.0, 0.4).noise(gain) is None


def test_what_cannot_be_split_is_refused_with_the_reason(measured):
    camera, bias, dark = measured
    with pytest.raises(NotMeasurableError, match="rounding hides it; raise the gain setting"):
        bias_budget(bias, 64)
    few = noise_of(camera, "bias", 0.0, 3, np.random.default_rng(1), ~bias.lines.keep)
    with pytest.raises(NotMeasurableError, match=r"^3 bias frames: the spread .* needs 4 or more; shoot 20$"):
        bias_budget(few, camera.lattice)
    fewer = noise_of(camera, "bias", 0.0, 8, np.random.default_rng(1), some_excluded(1))
    with pytest.raises(NotMeasurableError, match="do not count the same pixels"):
        dark_budget(dark, fewer, camera.lattice)
