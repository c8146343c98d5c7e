"""The explorers without a browser: driven through their whole range, and held to numbers computed another way."""

import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from workbench.camera.events import cosmic_ray_hits
from workbench.camera.sensor import Camera, Sensor
from workbench.show import explorers
from workbench.show.canvas import BLUE, VERMILION, decimate, encode_png
from workbench.show.difference_series import EXPOSURE, N_FRAMES, _hits, embedded_series
from workbench.show.explorers import explore_dark_mean, explore_difference, plot_dark_mean_model, plot_difference

EXPLORERS = {name: getattr(explorers, name) for name in explorers.__all__ if name.startswith("explore_")}
PLOTS = [getattr(explorers, name) for name in explorers.__all__ if name.startswith("plot_")]


@pytest.fixture(scope="module", params=list(EXPLORERS))
def explorer(request):
    return EXPLORERS[request.param]().explorer


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def drawn_in(picture: np.ndarray, colour: str) -> int:
    """Count the pixels of nearly this colour."""
    wanted = np.round(255 * np.array(to_rgb(colour)))
    return int((np.abs(picture - wanted).max(axis=2) < 12).sum())


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"(?<![\w.])[-+]?\d+\.?\d*", text.replace("\u2212", "-"))]


def test_every_slider_at_its_least_middle_and_most_value_changes_a_picture_that_is_not_blank(explorer):
    home = dict.fromkeys(explorer.sliders)
    home |= explorer.values
    scales = {name: home[name] / slider.value for name, slider in explorer.sliders.items()}
    for name, slider in explorer.sliders.items():
        steps = round((slider.max - slider.min) / slider.step)
        seen = set()
        for step in (0, steps // 2, steps):
            explorer.update(**(home | {name: scales[name] * (slider.min + step * slider.step)}))
            assert slider.value == slider.min + step * slider.step
            picture = pixels_of(explorer.image.value)
            assert drawn_in(picture, BLUE) > 20
            assert drawn_in(picture, VERMILION) > 100
            seen.add(explorer.image.value)
        assert len(seen) == 3, name
    explorer.update(**home)


def test_all_corners_of_the_sliders_draw_inside_the_picture(explorer):
    home = explorer.values
    ends = [(knob.minimum * knob.scale, knob.maximum * knob.scale) for knob in explorer._scene.knobs]
    shapes = set()
    for corner in itertools.product(*ends):
        explorer.update(**dict(zip(home, corner, strict=True)))
        picture = pixels_of(explorer.image.value)
        shapes.add(picture.shape)
        border = np.concatenate(
            [picture[:3].ravel(), picture[-3:].ravel(), picture[:, :3].ravel(), picture[:, -3:].ravel()]
        )
        assert (border == 255).all(), f"something is clipped at {corner}"
    assert len(shapes) == 1
    explorer.update(**home)


def test_a_moved_slider_redraws_by_itself_and_the_same_values_give_the_same_picture(explorer):
    before, sentence = explorer.image.value, explorer.sentence.value
    name, slider = next(iter(explorer.sliders.items()))
    start = slider.value
    slider.value = start - slider.step
    assert explorer.image.value != before
    assert explorer.sentence.value != sentence
    slider.value = start
    assert explorer.image.value == before, name
    assert explorer.sentence.value == sentence


def test_the_live_picture_is_the_figure_that_matplotlib_would_draw(explorer):
    live = pixels_of(explorer.image.value).astype(int)
    scene = explorer._scene
    buffer = io.BytesIO()
    scene.figure.savefig(buffer, format="png")  # saving draws the moving artists as well, in their usual order
    whole = pixels_of(buffer.getvalue()).astype(int)
    assert live.shape == whole.shape
    # curves lie over the spines and grid lines here, and below or between them there
    assert (np.abs(live - whole).max(axis=2) > 64).mean() < 0.01


def test_an_error_of_a_redraw_is_raised_and_shown_and_goes_away_again(monkeypatch):
    explorer = explore_dark_mean().explorer
    picture = explorer.image.value

    def broken(**_values):
        raise ArithmeticError("no <b>number</b>")

    with monkeypatch.context() as patch:
        patch.setattr(explorer._scene, "show", broken)
        with pytest.raises(ArithmeticError, match="no <b>number</b>"):
            explorer.sliders["drift"].value = 4.0
    assert "ArithmeticError: no &lt;b&gt;number&lt;/b&gt;" in explorer.message.value
    assert explorer.image.value == picture
    explorer.sliders["drift"].value = 5.0
    assert explorer.message.value == ""
    assert explorer.image.value != picture


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_the_box_reads_the_same_in_every_run(name):
    box = EXPLORERS[name]()
    assert repr(box) == f"{name}() with {len(box.explorer.sliders)} sliders"
    assert box._repr_mimebundle_()["text/plain"] == repr(box)
    assert {"application/vnd.jupyter.widget-view+json", "text/plain"} == set(box._repr_mimebundle_())


def test_labels_name_a_unit_and_handles_stand_at_exact_numbers(explorer):
    for name, slider in explorer.sliders.items():
        dimensionless = name in ("clamp_share", "n_frames", "ratio", "pattern")
        assert dimensionless or re.search(r"\[.+\]$", slider.description), slider.description
        assert (slider.step * 1024).is_integer() if isinstance(slider.step, float) else True
        assert slider.tooltip


@pytest.mark.parametrize("plot", PLOTS)
def test_the_plain_function_draws_the_same_picture_with_its_sentence_below(plot):
    figure = plot()
    explorer = EXPLORERS[plot.__name__.replace("plot", "explore").replace("_model", "")]().explorer
    assert len(figure.axes) == (4 if plot is plot_difference else 2)
    caption = figure.texts[-1].get_text()
    assert explorer.sentence.value == caption.replace("\n", "<br>")
    picture = pixels_of(figure._repr_png_())
    live = pixels_of(explorer.image.value)
    assert picture.shape[1] == live.shape[1]
    assert picture.shape[0] > live.shape[0]
    ratio = drawn_in(picture, VERMILION) / drawn_in(live, VERMILION)
    assert ratio == pytest.approx(1, abs=0.1)
    assert (picture[:3] == 255).all()
    assert (picture[:, -3:] == 255).all()


def test_a_misspelt_parameter_is_named_with_the_right_ones():
    with pytest.raises(
        TypeError, match="explore_dark_mean has no parameter 'clmp_share'; choose from clamp_share, glow"
    ):
        plot_dark_mean_model(clmp_share=1.0)
    with pytest.raises(ValueError, match="n_frames = 5 is not even or not within 2 to 14; a composite needs pairs"):
        plot_difference(n_frames=5)


# ---- physics of the dark mean


def test_the_clamped_mean_bends_down_while_the_variance_rises():
    scene = explore_dark_mean().explorer._scene
    mean, variance = scene._mean.get_ydata(), scene._variance.get_ydata()
    assert (np.diff(mean) < 0).all()
    assert (np.diff(mean, 2) < 0).all()
    assert (np.diff(variance) > 0).all()


def test_without_the_clamp_the_mean_rises_and_the_variance_stays():
    explorer = explore_dark_mean().explorer
    clamped = explorer._scene._variance.get_ydata().copy()
    explorer.update(clamp_share=0.0)
    assert (np.diff(explorer._scene._mean.get_ydata()) > 0).all()
    np.testing.assert_array_equal(explorer._scene._variance.get_ydata(), clamped)
    assert "it never falls" in explorer.sentence.value


def test_the_numbers_below_the_dark_mean_are_those_of_the_formula():
    values = {"clamp_share": 0.75, "glow_linear": 2e-4, "glow_quadratic": 1.5e-6, "drift": 4.0, "dark_current": 0.008}
    explorer = explore_dark_mean().explorer
    explorer.update(**values)
    sensor, t = Sensor.from_manifest("qhy163m_like"), np.arange(0.0, 600.5, 10.0)
    gain = sensor.native_gain / 16
    glow = values["glow_linear"] * t + values["glow_quadratic"] * t**2
    clamp = 0.75 * (values["dark_current"] * t + sensor.glow_shielded * glow)
    mean = sensor.bias_level + (values["dark_current"] * t + glow - clamp) / gain
    shown = numbers(explorer.sentence.value.replace("<br>", " "))
    assert shown[0] == 600
    assert shown[1] == pytest.approx(abs(mean[-1] - mean[0]), abs=0.05)
    assert shown[2] == pytest.approx(mean.max() - mean[-1], abs=0.05)
    assert shown[3] == t[mean.argmax()]
    method_1, scatter, truth = shown[5:]
    assert method_1 == pytest.approx(gain * (mean[-1] - mean[0]) / 600, abs=6e-5)
    assert scatter == pytest.approx(gain * 4.0 / 600, abs=6e-5)
    assert truth == pytest.approx(0.008 + glow[-1] / 600, abs=6e-5)
    variance = (sensor.read_noise**2 + values["dark_current"] * t + glow) / gain**2 + 16**2 / 12
    np.testing.assert_allclose(explorer._scene._variance.get_ydata(), variance, rtol=1e-6)


def test_single_frames_scatter_by_the_drift_about_the_curve():
    explorer = explore_dark_mean().explorer
    explorer.update(drift=0.0)
    scene = explorer._scene
    still = scene._frames.get_ydata()
    np.testing.assert_allclose(
        still, np.interp(scene._frames.get_xdata(), scene._mean.get_xdata(), scene._mean.get_ydata())
    )
    explorer.update(drift=8.0)
    scatter = scene._frames.get_ydata() - still
    assert scatter.std() == pytest.approx(8.0, rel=4 / np.sqrt(2 * scatter.size))


# ---- physics of the difference


def quiet_camera(seed: int, side: int) -> Camera:
    sensor = Sensor.from_manifest("qhy163m_like").without("read_telegraph", "dark_telegraph", "drift", "cosmic_rays")
    return Camera(replace(sensor, shape=(side, side), overscan_columns=0), seed)


def test_convergence_without_events_is_within_its_errors_of_the_truth():
    series = embedded_series()
    camera = quiet_camera(seed=14, side=1024)
    lambdas = camera.dark_electrons(600.0, -20.0)
    saturating = lambdas > camera.full_well
    assert series.truth == pytest.approx(lambdas[~saturating].mean() / 600, rel=1e-3)
    spread = lambdas[~saturating] + camera.read_noise_map[~saturating] ** 2
    error = np.sqrt(2 * (spread**2).sum()) / spread.size / 600
    for one in series.difference(N_FRAMES, 0.0, 0.0).estimates:
        assert one.dark_current == pytest.approx(series.truth, abs=4 * one.std_error)
        assert one.std_error == pytest.approx(error, rel=0.2)  # a handful of hot pixels carries a tenth of the sum


@pytest.mark.parametrize("events", [{"rate": 0.0, "telegraph": 0.0}, {"rate": 4.0, "telegraph": 0.008}])
def test_sparse_sums_equal_those_of_the_whole_image(events):
    series = embedded_series()
    for n_frames in (2, 8, 14):
        difference = series.difference(n_frames, **events)
        last = difference.estimates[-1]
        electrons = series.native_gain * difference.steps.ravel().astype(np.float64)
        # the pixels that saturate are zero in the image: take them out of the mean and of the sums
        mean = electrons.sum() / series.n_pixels
        left_out = electrons.size - series.n_pixels
        x = electrons - mean
        second = (x**2).sum() - left_out * mean**2
        fourth = (x**4).sum() - left_out * mean**4
        assert last.variance == pytest.approx(second / (series.n_pixels - 1), rel=1e-9)
        assert last.dark_current == pytest.approx((last.variance / n_frames - series.floor) / EXPOSURE, rel=1e-9)
        error = np.sqrt(2 / 3 * fourth) / n_frames / series.n_pixels / EXPOSURE
        assert last.std_error == pytest.approx(error, rel=1e-9)


def test_the_read_noise_floor_is_the_variance_of_bias_pairs():
    series, rng = embedded_series(), np.random.default_rng(3)
    camera = quiet_camera(seed=14, side=1024)
    first, second = (camera.expose("bias", 0.0, -20.0, rng).astype(np.float64) for _ in range(2))
    variance = camera.gain**2 * (first - second).var(ddof=1) / 2
    assert series.floor == pytest.approx(variance, rel=4 * np.sqrt(2 / first.size))


def test_a_cosmic_ray_raises_the_result_of_the_frames_it_hits():
    series = embedded_series()
    quiet = series.difference(N_FRAMES, 0.0, 0.0).estimates
    hit = series.difference(N_FRAMES, 0.25, 0.0).estimates
    first = min(series._hits["frame"][series._hits["packet"] == 0])
    for before, after in zip(quiet, hit, strict=True):
        if before.n_frames <= first:
            assert after == before
        else:
            assert after.dark_current > before.dark_current + 3 * before.std_error
            assert after.std_error > before.std_error


def test_more_cosmic_rays_and_more_telegraph_pixels_raise_it_more():
    series = embedded_series()
    by_rate = [series.difference(N_FRAMES, rate, 0.0) for rate in np.arange(0, 4.1, 0.5)]
    by_share = [series.difference(N_FRAMES, 0.0, share) for share in np.arange(0, 0.0081, 0.001)]
    for series_of in (by_rate, by_share):
        assert (np.diff([one.estimates[-1].dark_current for one in series_of]) > 0).all()
    assert (np.diff([one.n_hit for one in by_rate]) > 0).all()
    assert [one.n_telegraph for one in by_share] == [round(k * 1e-3 * 1024**2) for k in range(9)]


def test_the_number_of_hits_follows_the_rate():
    series, rng = embedded_series(), np.random.default_rng(1)
    pixels_per_hit = np.mean([cosmic_ray_hits((1024, 1024), 3.8, 600.0, 40.0, rng)[0].size for _ in range(20)])
    pixels_per_hit /= 40.0 * (1024 * 3.8e-4) ** 2 * 10
    hits = 4.0 * (1024 * 3.8e-4) ** 2 * 10 * N_FRAMES
    measured = series.difference(N_FRAMES, 4.0, 0.0).n_hit
    assert measured == pytest.approx(hits * pixels_per_hit, rel=4 * 1.3 / np.sqrt(hits))


def test_a_hit_pixel_reads_no_more_than_the_adc_can():
    sensor = quiet_camera(seed=1, side=1024).sensor
    top = sensor.adc_top // sensor.lattice
    nearly_full = np.full(1024 * 1024, top - 5, dtype=np.int16)
    for frame, sign in ((0, 1), (1, -1)):
        hits = _hits(sensor, nearly_full, top, frame, np.random.default_rng(2))
        assert hits.size > 0
        assert set(hits["steps"]) == {5 * sign}


def test_the_printed_dark_current_is_that_of_the_image():
    explorer = explore_difference().explorer
    explorer.update(n_frames=4, rate=1.0, telegraph=0.002)
    series = embedded_series()
    difference = series.difference(4, 1.0, 0.002)
    shown = numbers(explorer.sentence.value.replace("<br>", " "))
    electrons = series.native_gain * difference.steps
    assert shown[0] == 4
    assert shown[1] == pytest.approx(electrons.var(), abs=0.01)
    assert shown[2] == pytest.approx((electrons.var() / 4 - series.floor) / 600, abs=1e-4)
    assert (
        f"Hit by cosmic rays: {difference.n_hit} pixels; telegraph pixels: 2097; of 1048576." in explorer.sentence.value
    )


def test_the_histogram_counts_every_pixel_once():
    explorer = explore_difference().explorer
    for values in ({"n_frames": 2, "rate": 0.0}, {"n_frames": 14, "rate": 4.0}):
        explorer.update(**values)
        counts, edges, _ = explorer._scene._counts.get_data()
        assert counts[counts > 0.5].sum() == 1024 * 1024
        expected = explorer._scene._gauss.get_ydata()
        assert expected.sum() == pytest.approx(1024 * 1024, rel=1e-4)
        core = np.abs(explorer._scene._centres) < 5
        assert counts[core] == pytest.approx(expected[core], rel=0.06)  # glow and hot pixels take from the core
        assert np.allclose(edges, -edges[::-1])


# ---- the canvas


def test_decimation_loses_no_outlier_and_leaves_the_noise_as_it_is():
    image = np.random.default_rng(0).integers(-4, 5, (64, 48))
    image[13, 7], image[40, 41] = 90, -120
    small = decimate(image, 8, threshold=20)
    assert small.shape == (8, 6)
    assert small[1, 0] == 90
    assert small[5, 5] == -120
    others = np.ones_like(small, dtype=bool)
    others[1, 0] = others[5, 5] = False
    np.testing.assert_array_equal(small[others], image[::8, ::8][others])
    with pytest.raises(ValueError, match=r"shape \(64, 48\) has no blocks of 7 x 7 pixels; crop it first"):
        decimate(image, 7, threshold=20)


def test_encoded_pictures_decode_to_the_same_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 4), dtype=np.uint8)
    picture[..., 3] = 255
    decoded = Image.open(io.BytesIO(encode_png(picture)))
    decoded.load()
    np.testing.assert_array_equal(np.asarray(decoded), picture)
