import numpy as np
import pytest

from workbench.camera.events import cosmic_ray_hits, telegraph_state, upper_share, upper_share_variance

SHAPE = (400, 500)
PIXEL = 10.0  # um: 0.2 cm2


def charge_of(rate: float, exposure: float, seed: int = 1) -> np.ndarray:
    return cosmic_ray_hits(SHAPE, PIXEL, exposure, rate, np.random.default_rng(seed))[2]


def test_hits_come_at_the_given_rate() -> None:
    # no track can be longer than the sensor: nothing is lost when every hit is a single pixel's worth of area away
    expected_hits = 3000.0 * 0.2 * 10.0
    mean_charge = (1e4 - 1e2) / np.log(100.0)  # of a log-uniform charge
    mean_square = (1e8 - 1e4) / (2.0 * np.log(100.0))
    total = charge_of(3000.0, 600.0).sum()
    lost = 2.0 * 4.0 * (400 + 500) / (400 * 500)  # tracks of some 4 pixels that begin within 4 of the edge, at most
    error = np.sqrt(expected_hits * mean_square)
    assert expected_hits * mean_charge * (1 - lost) - 4 * error < total < expected_hits * mean_charge + 4 * error


def test_twice_the_exposure_brings_twice_the_hits() -> None:
    once, twice = (np.array([charge_of(500.0, t, seed).size for seed in range(40)]) for t in (60.0, 120.0))
    difference, error = twice.mean() - 2 * once.mean(), np.sqrt(twice.var(ddof=1) + 4 * once.var(ddof=1)) / np.sqrt(40)
    assert abs(difference) < 4 * error


def test_a_hit_leaves_its_charge_on_a_short_connected_track() -> None:
    for seed in range(200):
        rows, columns, electrons = cosmic_ray_hits((2000, 2000), 1.0, 60.0, 25.0, np.random.default_rng(seed))
        if not electrons.size or len(set(electrons)) > 1:
            continue  # none, or several hits
        assert electrons.sum() < 1e4 * 1.0001
        whole = not {0, 1999} & {*rows, *columns}  # a track at the edge may have lost a part
        assert not whole or electrons.sum() > 100.0 * 0.9999
        assert electrons.size <= 12
        assert np.all(np.maximum(np.abs(np.diff(rows)), np.abs(np.diff(columns))) == 1)


def test_hits_stay_on_the_sensor() -> None:
    rows, columns, _ = cosmic_ray_hits((5, 7), 1000.0, 600.0, 100.0, np.random.default_rng(3))
    assert rows.size > 100
    assert set(rows) == set(range(5))
    assert set(columns) == set(range(7))


def test_no_exposure_brings_no_hits() -> None:
    assert charge_of(1e6, 0.0).size == 0


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rate = -1.0: none may be negative; give them in um, s and hits / cm2 / min"):
        charge_of(-1.0, 60.0)


@pytest.mark.parametrize("duty", [0.1, 0.5, 0.8])
def test_telegraph_pixels_keep_their_duty(duty: float) -> None:
    upper = telegraph_state(40_000, duty, np.random.default_rng(4))
    assert abs(upper.mean() - duty) < 4 * np.sqrt(duty * (1 - duty) / upper.size)


@pytest.mark.parametrize(("duty", "exposure"), [(0.5, 600.0), (0.2, 60.0), (0.7, 5000.0), (0.3, 0.0)])
def test_switching_pixels_have_the_mean_and_the_variance_of_a_markov_process(duty: float, exposure: float) -> None:
    share = upper_share(40_000, duty, 300.0, exposure, np.random.default_rng(5))
    squared = (share - duty) ** 2
    assert share.min() >= 0
    assert share.max() <= 1
    assert abs(share.mean() - duty) < 4 * share.std() / 200
    assert abs(squared.mean() - upper_share_variance(duty, 300.0, exposure)) < 4 * squared.std() / 200
