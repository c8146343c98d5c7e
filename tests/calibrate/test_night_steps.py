"""Steps of a night by themselves: how many lights at a time, which reference, what is said of too few stars."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from workbench.calibrate import night, night_steps
from workbench.calibrate.night_reference import reference_of
from workbench.calibrate.night_registration import brightness_problem
from workbench.calibrate.night_scaling import Scaling
from workbench.calibrate.night_steps import NightOptions, lights_at_a_time


def light(file="a.fits", shape=(440, 582), exposure=600.0, **facts):
    row = pd.Series({"height": shape[0], "width": shape[1], "exposure": exposure})
    return SimpleNamespace(plan=SimpleNamespace(row=row, file=file), file=file, facts=facts)


@pytest.mark.parametrize(
    ("shape", "threads"), [((440, 582), 32), ((3520, 4656), 5), ((6422, 9600), 1), ((20000,) * 2, 1)]
)
def test_large_lights_are_worked_on_fewer_at_a_time(monkeypatch, shape, threads):
    monkeypatch.setattr(night_steps, "processors", lambda: 32)
    assert lights_at_a_time([light(shape=(10, 10)).plan, light(shape=shape).plan]) == threads
    assert threads == 1 or threads * shape[0] * shape[1] * 18 <= 1.5 * 2**30


@pytest.mark.parametrize(
    ("options", "by", "bytes_each"),
    [
        ({}, None, 18),
        ({"gain": 0.5}, "exposure", 18),
        ({"gain": 0.5, "compress": True}, None, 22),
        ({}, "hot-pixels", 36),
        ({"gain": 0.5, "compress": True}, "noise", 60),
    ],
)
def test_what_takes_more_memory_is_done_to_fewer_lights(monkeypatch, options, by, bytes_each):
    monkeypatch.setattr(night_steps, "processors", lambda: 99)
    one = light(shape=(3520, 4656)).plan
    one.scaling = Scaling(by) if by else None
    assert lights_at_a_time([one], NightOptions(**options)) == 3 * 2**29 // (3520 * 4656 * bytes_each)


def test_lights_are_registered_so_many_at_a_time_by_all_processors(monkeypatch):
    running, most, shares, lock = [0], [0], [], threading.Lock()

    def register(_shop, one, _reference, share):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            shares.append(share)
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return one.file, "key", {"factor_error": 0.1, "reference": "a.fits"}, True

    lights = tuple(light(f"{name}.fits", (6422, 4800), n_stars=50, fwhm=3.0) for name in "abcdefgh")
    target = SimpleNamespace(field="f", colour=False, lights=[one.plan for one in lights])
    shop = SimpleNamespace(
        options=SimpleNamespace(reference=None), reasons={}, problems=[], finish=lambda *_: None, out="/none"
    )
    for module in (night, night_steps):
        monkeypatch.setattr(module, "processors", lambda: 6)
    monkeypatch.setattr(night, "stars_of", lambda *_: None)
    monkeypatch.setattr(night, "register_light", register)
    assert len(night._register(shop, [target], lights)) == len(lights)
    assert most[0] == 2
    assert set(shares) == {3}


def test_of_the_others_only_a_named_one_of_the_field_is_missed():
    few, many = light("few.fits", n_stars=7, fwhm=2.0), light("many.fits", n_stars=70, fwhm=2.0)
    files = {"few.fits", "many.fits", "lost.fits"}
    assert reference_of([few, many], files, "elsewhere.fits") == (many, "it has most stars for their width", None)
    _, why, problem = reference_of([few, many], files, "lost.fits")
    assert why == "it has most stars for their width; lost.fits, named by its user, was not calibrated"
    assert problem.rule == "cannot be the reference: it was not calibrated"
    chosen, _, problem = reference_of([few, many], files, "few.fits")
    assert chosen is many
    assert problem.rule == "cannot be the reference: it shows 7 stars, and 8 are needed"
    named = light("few.fits", n_stars=8, fwhm=9.0)
    assert reference_of([named, many], files, "few.fits") == (named, "named by its user", None)


def test_a_brightness_that_is_not_measured_is_a_problem_but_of_the_reference_itself():
    facts = {"factor": 2.0, "factor_error": None, "factor_stars": 3, "reference": "a.fits"}
    assert brightness_problem(light("a.fits"), facts) is None
    assert brightness_problem(light("b.fits"), facts | {"factor_error": 0.01}) is None
    said = str(brightness_problem(light("b.fits", exposure=300.0), facts))
    assert said == (
        "b.fits: its brightness is not measured: 3 stars in common with a.fits are bright enough; integrated by its "
        "exposure, times 2; 5 stars are needed to see clouds"
    )
    assert "integrated as it is" in brightness_problem(light("b.fits", exposure=np.nan), facts).action
