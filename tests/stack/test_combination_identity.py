"""The engine keeps the samples that a reference written apart from it keeps, pixel by pixel, whatever the method.

The quick tests compare thousands of pixels a method; the slow one compares over 200 000 of them a method, in stacks of
1 to 200 frames. Where a decision was within 1e-9 of falling the other way, rounding may decide: such pixels are
counted and listed (``pytest -s``), and only they may differ.
"""

import math
import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import reference_combination as reference
import xarray as xr
from astropy.io import fits

from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack.combine import combine
from workbench.stack.rejection import MISSING, REJECTIONS, reject_column, rejection

TIE = 1e-9
LARGEST = 65_535.0

# every method at its default limits and at others, tight, wide, and with one side switched off
CASES = [
    ("none", {}),
    ("minmax", {"low": 1, "high": 1}),
    ("minmax", {"low": 0, "high": 3}),
    ("percentile", {"low": 0.2, "high": 0.1}),
    ("percentile", {"low": 0.01, "high": 0.02}),
    ("sigma", {"low": 4.0, "high": 3.0}),
    ("sigma", {"low": 1.7, "high": 1.3}),
    ("winsorized", {"low": 4.0, "high": 3.0}),
    ("winsorized", {"low": 2.0, "high": 2.0}),
    ("winsorized", {"low": math.inf, "high": 3.0}),
    ("winsorized", {"low": 4.0, "high": 3.0, "cutoff": 5.0}),
    ("averaged", {"low": 4.0, "high": 3.0}),
    ("averaged", {"low": 1.5, "high": 2.0}),
    ("linear_fit", {"low": 5.0, "high": 2.5}),
    ("linear_fit", {"low": 1.6, "high": 1.3}),
    ("esd", {"fraction": 0.3, "alpha": 0.05}),
    ("esd", {"fraction": 0.5, "alpha": 0.2}),
    ("mad", {"low": 4.0, "high": 3.0}),
    ("mad", {"low": 2.5, "high": 2.0}),
]
NAMES = [f"{method}({', '.join(f'{key}={value:g}' for key, value in limits.items())})" for method, limits in CASES]


def noise(rng, n):
    return rng.normal(1200, 12, n)


def with_hits(rng, n):
    values = rng.normal(1200, 12, n).round()
    hit = rng.random(n) < 0.1
    values[hit] += rng.exponential(800, hit.sum()).round()
    return values


def constant(rng, n):
    return np.full(n, rng.choice([0, 16, 1600, LARGEST, 1234.567]))


def constant_but_one(rng, n):
    values = constant(rng, n)
    values[rng.integers(n)] += rng.choice([-16, 16, 5000])
    return values


def bimodal(rng, n):
    upper = rng.random(n) < rng.uniform(0.05, 0.6)
    return (rng.normal(1200, 6, n) + upper * rng.uniform(10, 200)).round()


def saturated(rng, n):
    return np.minimum(rng.normal(rng.choice([60_000, 65_000, 70_000]), 3000, n).round(), LARGEST)


def two_valued(rng, n):
    return 1600.0 + 16 * (rng.random(n) < rng.uniform(0.02, 0.98))


def few_levels(rng, n):
    return np.round(rng.normal(100, 0.6, n)) * 16


def about_zero(rng, n):
    return rng.normal(rng.choice([0, 3]), 4, n)


def of_a_unit_interval(rng, n):
    return rng.normal(0.02, 0.0003, n) + 0.3 * (rng.random(n) < 0.05)


def heavy_tailed(rng, n):
    return 5000 + 20 * rng.standard_cauchy(n).clip(-200, 1e5)


KINDS = (
    noise,
    with_hits,
    constant,
    constant_but_one,
    bimodal,
    saturated,
    two_valued,
    few_levels,
    about_zero,
    of_a_unit_interval,
    heavy_tailed,
)
WHOLE_KINDS = (with_hits, constant, constant_but_one, bimodal, saturated, two_valued, few_levels)  # fit for 16 bits


@dataclass
class Tally:
    """What a comparison found."""

    pixels: int = 0
    near: int = 0
    ties: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, outcome: reference.Outcome, words: str, *, same: bool) -> None:
        self.pixels += 1
        self.near += outcome.margin < TIE
        if not same:
            (self.ties if outcome.margin < TIE else self.faults).append(words)

    def report(self, name: str) -> None:
        sys.stdout.write(f"\n{name}: {self.pixels} pixels, {self.near} within {TIE:g} of a limit, ")
        sys.stdout.write(f"{len(self.ties)} of them differ" + "".join(f"\n  {tie}" for tie in self.ties[:10]) + "\n")
        assert not self.faults, f"{name}: {len(self.faults)} of {self.pixels} pixels differ, such as {self.faults[:3]}"
        assert len(self.ties) <= max(3, 1e-3 * self.pixels)


def compare(name, method, limits, stacks) -> Tally:
    chosen = rejection(method, **limits)
    tally = Tally()
    for k, (kind, values) in enumerate(stacks):
        outcome = reference.reject(values, method, **limits)
        states = reject_column(values, chosen)
        if k % 10 == 0:  # what is missing changes nothing for the others
            place = k % (len(values) + 1)
            gaps = reject_column(np.insert(values, place, np.nan), chosen)
            assert gaps[place] == MISSING
            np.testing.assert_array_equal(np.delete(gaps, place), states)
        # which of two equal values goes is nobody's rule: the pairs are compared, not the places
        same = Counter(zip(values.tolist(), states.tolist(), strict=True)) == Counter(
            zip(outcome.values, outcome.states, strict=True)
        )
        found = [int((states == state).sum()) for state in (reference.LOW, reference.HIGH)]
        due = [outcome.states.count(state) for state in (reference.LOW, reference.HIGH)]
        words = f"{kind}, n = {len(values)}: {found} rejected, {due} due: {np.sort(values).tolist()}"
        tally.note(outcome, words, same=same)
    tally.report(name)
    return tally


def stacks_of(n_pixels, seed, longest=200):
    """Yield stacks of every kind and every length; short ones are the more frequent, as there is more to go wrong."""
    rng = np.random.default_rng(seed)
    lengths = np.arange(1, longest + 1)
    shares = 1 / (lengths + 10)
    counts = np.ceil(n_pixels * shares / shares.sum()).astype(int)
    for n, count in zip(lengths.tolist(), counts.tolist(), strict=True):
        for k in range(count):
            kind = KINDS[(k + n) % len(KINDS)]
            yield kind.__name__, kind(rng, n)


def test_the_reference_knows_every_method():
    assert set(reference.METHODS) == set(REJECTIONS)


@pytest.mark.parametrize(("method", "limits"), CASES, ids=NAMES)
def test_each_method_keeps_the_samples_of_the_reference(method, limits, request):
    compare(request.node.callspec.id, method, limits, stacks_of(600, seed=11, longest=40))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "limits"), CASES, ids=NAMES)
def test_each_method_keeps_the_samples_of_the_reference_at_200_000_pixels(method, limits, request):
    share = math.ceil(200_000 / sum(method == other for other, _ in CASES))
    tally = compare(request.node.callspec.id, method, limits, stacks_of(share, seed=12))
    assert tally.pixels >= share


def image_of(kinds, n, n_pixels, seed):
    rng = np.random.default_rng(seed)
    columns = [kinds[k % len(kinds)](rng, n) for k in range(n_pixels)]
    return np.stack(columns, axis=1).reshape(n, -1, 10)


def compare_image(found, image, method, limits, name):
    """Compare counts, signal and error of a combination with the reference's, pixel by pixel."""
    tally = Tally()
    planes = {name: found.data[name].to_numpy().ravel() for name in found.data}
    for k, values in enumerate(image.reshape(len(image), -1).T):
        outcome = reference.reject(values, method, **limits)
        due = len(outcome.survivors), outcome.states.count(reference.LOW), outcome.states.count(reference.HIGH)
        counts = tuple(int(planes[plane][k]) for plane in ("n_kept", "rejected_low", "rejected_high"))
        words = f"n = {len(image)}: {counts} kept, low, high, {due} due: {np.sort(values).tolist()}"
        tally.note(outcome, words, same=counts == due)
        if counts == due:
            signal = reference.combine(outcome, "mean")
            # half a unit of the last place of float32, and the sums' own rounding where the mean is near zero
            assert planes["signal"][k] == pytest.approx(signal, rel=2**-24 * 1.001, abs=1e-10)
            error = reference.error_of_mean(outcome)
            assert planes["std_error"][k] == pytest.approx(error, rel=2e-6, abs=1e-9, nan_ok=True)
            assert bool(planes["flags"][k] & 1) == (not outcome.survivors)
    tally.report(name)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
@pytest.mark.parametrize("method", sorted(reference.METHODS))
def test_float_stacks_combine_to_the_reference(method, n):
    image = image_of(KINDS, n, 80, seed=n)
    found = combine(xr.DataArray(image, dims=("frame", "y", "x")), rejection=method)
    compare_image(found, image, method, {}, f"{method}, float, {n} frames")


@pytest.fixture(scope="module")
def integer_stack(tmp_path_factory):
    """Make 16-bit frames on the disk, as the path for whole frames of a camera takes them."""
    made = {}

    def make(n, n_pixels=300):
        if n not in made:
            folder = tmp_path_factory.mktemp("frames")
            image = image_of(WHOLE_KINDS, n, n_pixels, seed=n).clip(0, LARGEST).astype(np.uint16)
            image = np.concatenate([image[:, ::2], image[:, 1::2]], axis=1)  # kinds side by side within a tile
            for k, pixels in enumerate(image):
                fits.PrimaryHDU(pixels).writeto(folder / f"dark_{k:03}.fits")
            files = sorted(folder.glob("*.fits"))
            rows = pd.DataFrame({"file": [f.name for f in files], "source": [read_frame_file(f).source for f in files]})
            made[n] = load_stack(rows), image
        return made[n]

    return make


@pytest.mark.parametrize("n", [1, 3, 5, 20, 33])
@pytest.mark.parametrize("method", sorted(reference.METHODS))
def test_frames_of_a_camera_combine_to_the_reference(integer_stack, method, n):
    stack, image = integer_stack(n)
    found = combine(stack, rejection=method)
    compare_image(found, image.astype(np.float64), method, {}, f"{method}, 16 bits, {n} frames")


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 7, 14, 20, 50, 200])
@pytest.mark.parametrize("limits", [{"low": 4.0, "high": 3.0}, {"low": 2.0, "high": 1.8}], ids=["4/3", "2/1.8"])
def test_screening_loses_no_pixel_of_a_camera(integer_stack, n, limits):
    stack, image = integer_stack(n, 35_000)
    found = combine(stack, rejection="winsorized", **limits)
    compare_image(found, image.astype(np.float64), "winsorized", limits, f"winsorized, 16 bits, {n} frames")


@pytest.mark.parametrize("rejecting", ["none", "winsorized"])
def test_frames_and_floats_combine_by_every_method_to_the_reference(integer_stack, rejecting):
    stack, image = integer_stack(20)
    floats = xr.DataArray(image.astype(np.float32), dims=("frame", "y", "x"))
    outcomes = [reference.reject(values, rejecting) for values in image.reshape(len(image), -1).T]
    for method in ("mean", "median", "sum", "min", "max"):
        due = [reference.combine(outcome, method) for outcome in outcomes]
        for one in (stack, floats):
            found = combine(one, method=method, rejection=rejecting, maps=False).data["signal"].to_numpy().ravel()
            np.testing.assert_allclose(found, due, rtol=2**-24 * 1.001)
