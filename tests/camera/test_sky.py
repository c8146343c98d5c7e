"""The light that falls on the pixels is exactly what the truth says of it: fluxes, places, transforms, brightness."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.camera.sky import Night, Sky, Target
from workbench.camera.starlight import FWHM_PER_SIGMA, cloud_light, star_light
from workbench.errors import InputError

SHAPE = (90, 120)
ONE = [f"light/{n}.fits" for n in (1, 2, 3)]
TWO = [f"light/{n}.fits" for n in (4, 5)]
LIGHTS = dict.fromkeys(ONE, 1) | dict.fromkeys(TWO, 2)


@pytest.fixture(scope="module")
def target() -> Target:
    return Target(
        name="field",
        stars=60,
        star_flux=0.5,
        nebula=0.04,
        fwhm=2.8,
        fwhm_spread=0.1,
        extinction_spread=0.1,
        sky_spread=0.2,
        dither=3.0,
        nights=(Night(x_gradient=0.1), Night(rotation=12.0, x_shift=5.0, y_shift=-4.0, y_gradient=0.2)),
    )


@pytest.fixture(scope="module")
def sky(target: Target) -> Sky:
    return Sky(target, SHAPE, 7, LIGHTS)


def one(value: float) -> np.ndarray:
    return np.array([value])


# ---- stars


@pytest.mark.parametrize(("x", "y"), [(60.0, 45.0), (60.5, 45.5), (31.27, 70.84)])
@pytest.mark.parametrize("fwhm", [0.6, 2.8, 6.0])
def test_a_star_adds_up_to_its_flux_at_its_place(x: float, y: float, fwhm: float) -> None:
    light = star_light(SHAPE, one(x), one(y), one(3.0), fwhm)
    rows, columns = np.indices(SHAPE)
    assert light.sum() == pytest.approx(3.0, rel=1e-8)
    sigma = fwhm / FWHM_PER_SIGMA
    if sigma > 1:  # below that a pixelated Gaussian's centroid and width depend on where in the pixel it stands
        assert (light * columns).sum() / 3.0 == pytest.approx(x, abs=1e-6)
        assert (light * rows).sum() / 3.0 == pytest.approx(y, abs=1e-6)
        for place, centre in ((columns, x), (rows, y)):
            assert (light * (place - centre) ** 2).sum() / 3.0 == pytest.approx(sigma**2 + 1 / 12, rel=1e-6)


def test_a_pixel_holds_the_light_that_falls_between_its_edges() -> None:
    light = star_light((9, 9), one(4.3), one(3.8), one(1.0), 2.0)
    fine = (np.arange(0, 900) + 0.5) / 100 - 0.5
    sigma = 2.0 / FWHM_PER_SIGMA
    profile = [
        np.exp(-(((fine - centre) / sigma) ** 2) / 2) / np.sqrt(2 * np.pi) / sigma / 100 for centre in (3.8, 4.3)
    ]
    summed = np.outer(*profile).reshape(9, 100, 9, 100).sum(axis=(1, 3))
    assert np.abs(light - summed).max() < 1e-5


def test_a_star_at_the_edge_leaves_on_the_frame_what_falls_there() -> None:
    whole = star_light((60, 60), one(25.4), one(30.0), one(1.0), 3.0)
    cut = star_light((60, 35), one(0.4), one(30.0), one(1.0), 3.0)
    assert np.allclose(cut, whole[:, 25:], rtol=0, atol=1e-12)
    assert not star_light((60, 35), one(-9.0), one(30.0), one(1.0), 3.0).any()
    assert not star_light((60, 35), one(20.0), one(1e6), one(1.0), 3.0).any()


def test_aperture_sums_without_noise_recover_the_fluxes(target: Target) -> None:
    sky = Sky(replace(target, stars=12), SHAPE, 7, LIGHTS)
    rows, columns = np.indices(SHAPE)
    tested = 0
    for file, view in sky.views.items():
        light = sky.starlight(file)
        x, y = sky.positions(file)
        for star in range(x.size):
            apart = np.hypot(np.delete(x, star) - x[star], np.delete(y, star) - y[star]).min()
            if apart < 16 or not (8 < x[star] < SHAPE[1] - 9 and 8 < y[star] < SHAPE[0] - 9):
                continue
            aperture = np.hypot(rows - y[star], columns - x[star]) < 7.5
            expected = sky.stars[star, 2] * view.transparency
            assert light[aperture].sum() == pytest.approx(expected, rel=1e-4)  # the rest lies outside
            tested += 1
    assert tested > 10


def test_faint_stars_are_many_and_bright_ones_few(target: Target) -> None:
    flux = Sky(replace(target, stars=40_000), SHAPE, 7, LIGHTS).stars[:, 2]
    assert flux.min() >= 0.5
    assert flux.max() == 500.0
    for factor in (2, 10, 100):
        expected = flux.size / factor
        assert abs(np.sum(flux > 0.5 * factor) - expected) < 4 * np.sqrt(expected)


def test_as_many_stars_stand_in_a_frame_as_given(target: Target) -> None:
    sky = Sky(replace(target, stars=40_000), SHAPE, 7, LIGHTS)
    for file in LIGHTS:
        x, y = sky.positions(file)
        inside = np.sum((x > -0.5) & (x < SHAPE[1] - 0.5) & (y > -0.5) & (y < SHAPE[0] - 0.5))
        assert abs(inside - 40_000) < 4 * np.sqrt(40_000)  # every light is covered to its corners


# ---- transforms


def test_the_first_light_is_the_reference_and_the_others_are_turned_and_shifted(sky: Sky) -> None:
    assert np.array_equal(sky.views[ONE[0]].matrix, np.eye(3))
    for file, view in sky.views.items():
        turn = view.matrix[:2, :2]
        angle = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
        assert angle == pytest.approx(12.0 if file in TWO else 0.0, abs=1e-9)
        assert np.allclose(turn @ turn.T, np.eye(2), rtol=0, atol=1e-12)
        assert view.matrix[2].tolist() == [0.0, 0.0, 1.0]
    shifts = [sky.views[file].matrix[:2, 2] for file in ONE]
    assert len({tuple(np.round(shift, 6)) for shift in shifts}) == 3


def test_the_pointing_scatters_and_misses_as_given(target: Target) -> None:
    lights = {f"light/{n}.fits": 1 + n // 2000 for n in range(4000)}
    views = list(Sky(target, SHAPE, 7, lights).views.values())
    centre = np.array([59.5, 44.5, 1.0])
    places = np.array([(view.matrix @ centre)[:2] for view in views])
    first, second = places[:2000], places[2000:]
    for night in (first, second):
        assert night.std(axis=0) == pytest.approx([3.0, 3.0], rel=4 / np.sqrt(4000))
    # the reference's own step is turned with the field, and is the same for all
    step = places[0] - first.mean(axis=0)
    turn = np.array(
        [[np.cos(np.radians(12)), -np.sin(np.radians(12))], [np.sin(np.radians(12)), np.cos(np.radians(12))]]
    )
    missed = second.mean(axis=0) - (centre[:2] + np.array([5.0, -4.0]) - turn @ step)
    assert np.abs(missed).max() < 6 * 3.0 / np.sqrt(2000)


def test_stars_stand_where_the_matrix_takes_them(sky: Sky) -> None:
    for file in (ONE[2], TWO[1]):
        x, y = sky.positions(file)
        alone = np.argmax(sky.stars[:, 2] * ((x > 20) & (x < 100) & (y > 20) & (y < 70)))
        light = star_light(SHAPE, x[[alone]], y[[alone]], sky.stars[[alone], 2], 2.8)
        rows, columns = np.indices(SHAPE)
        seen = np.array([(light * columns).sum(), (light * rows).sum(), light.sum()]) / light.sum()
        assert seen == pytest.approx(sky.views[file].matrix @ [*sky.stars[alone, :2], 1.0], abs=1e-6)


# ---- nebula, sky, air


def test_a_cloud_adds_up_to_its_light_with_its_widths_and_its_tilt() -> None:
    covariance = np.array([[[40.0, 12.0], [12.0, 20.0]]])
    light = cloud_light(SHAPE, one(61.3), one(44.2), one(5.0), covariance)
    rows, columns = np.indices(SHAPE)
    dx, dy = columns - 61.3, rows - 44.2
    assert light.sum() == pytest.approx(5.0, rel=1e-6)
    moments = [(light * product).sum() / 5.0 for product in (dx**2, dx * dy, dy**2)]
    assert moments == pytest.approx([40.0, 12.0, 20.0], rel=1e-5)


def test_the_nebula_is_as_bright_as_given_and_stays_on_its_stars(target: Target, sky: Sky) -> None:
    clear = sky.nebula()
    assert clear.max() == pytest.approx(0.04, rel=1e-12)
    calm = replace(target, fwhm=0.5, fwhm_spread=0.0, extinction_spread=0.0)
    still = Sky(calm, SHAPE, 7, LIGHTS)
    x, y = 50, 40  # of the reference
    for file in LIGHTS:
        seen = still.nebula(file)
        place = (still.views[file].matrix @ [x, y, 1.0])[:2]
        column, row = np.floor(place).astype(int)
        across, down = place - (column, row)
        four = seen[row : row + 2, column : column + 2]
        between = [1 - down, down] @ four @ [1 - across, across]
        assert between == pytest.approx(clear[y, x], rel=0.02)  # linear between pixels, and the pixels' own blur


def test_the_air_dims_stars_and_nebula_alike_and_blurs_both(sky: Sky) -> None:
    views = list(sky.views.values())
    assert all(0.6 < view.transparency <= 1 for view in views)
    assert len({view.transparency for view in views}) == len({view.fwhm for view in views}) == 5
    file = ONE[1]
    assert sky.nebula(file).max() < sky.views[file].transparency * 0.04
    x, y = sky.positions(file)
    clear = star_light(SHAPE, x, y, sky.stars[:, 2], sky.views[file].fwhm)
    assert sky.starlight(file) == pytest.approx(clear * sky.views[file].transparency)


def test_the_air_varies_by_as_much_as_given_and_slowly(target: Target) -> None:
    lights = {f"light/{n}.fits": 1 for n in range(4000)}
    views = Sky(target, SHAPE, 7, lights).views.values()
    few = 4 * np.sqrt(4.6 / 8000)  # of a correlation of 0.8
    blur = np.log([view.fwhm / 2.8 for view in views])
    assert blur.std() == pytest.approx(0.1, rel=few)
    assert np.corrcoef(blur[1:], blur[:-1])[0, 1] == pytest.approx(0.8, abs=4 * 0.6 / np.sqrt(4000))
    assert np.log([view.sky_level for view in views]).std() == pytest.approx(0.2, rel=few)
    assert np.sqrt(np.mean(np.log([view.transparency for view in views]) ** 2)) == pytest.approx(0.1, rel=few)


def test_the_sky_is_tilted_as_the_night_says(sky: Sky) -> None:
    for file, view in sky.views.items():
        light = sky.background(file, 0.03)
        level = 0.03 * view.sky_level
        assert light.mean() == pytest.approx(level)
        across, down = (light[:, -1] - light[:, 0]).mean(), (light[-1] - light[0]).mean()
        tilt = (0.0, 0.2 * 89 / 90) if file in TWO else (0.1 * 119 / 120, 0.0)
        assert (across / level, down / level) == pytest.approx(tilt, abs=1e-12)


def test_all_light_is_the_sum_of_its_parts(sky: Sky) -> None:
    file = TWO[0]
    parts = sky.background(file, 0.03) + sky.nebula(file) + sky.starlight(file)
    assert np.array_equal(sky.light(file, 0.03), parts)


# ---- seeds and ranges


def test_one_seed_makes_one_sky(target: Target, sky: Sky) -> None:
    again, other = (Sky(target, SHAPE, seed, LIGHTS) for seed in (7, 8))
    for file in LIGHTS:
        assert np.array_equal(sky.light(file, 0.03), again.light(file, 0.03))
    assert not np.array_equal(sky.light(ONE[0], 0.03), other.light(ONE[0], 0.03))


def test_stars_do_not_move_when_the_nebula_goes(target: Target, sky: Sky) -> None:
    bare = Sky(replace(target, nebula=0.0), SHAPE, 7, LIGHTS)
    assert np.array_equal(bare.stars, sky.stars)
    assert not bare.nebula(ONE[0]).any()


def test_a_target_without_stars_is_a_nebula(target: Target) -> None:
    sky = Sky(replace(target, stars=0), SHAPE, 7, LIGHTS)
    assert sky.stars.shape == (0, 3)
    assert not sky.starlight(ONE[0]).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Target("x", fwhm=0.2), "target x: fwhm = 0.2 pixel is not within 0.5 to inf; give a value in that"),
        (lambda: Night(rotation=270.0), "night: rotation = 270.0 deg is not within -180 to 180; give a value in that"),
    ],
)
def test_a_value_out_of_its_range_is_named(make: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
