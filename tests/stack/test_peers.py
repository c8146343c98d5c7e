"""Masters are those of Siril and of ccdproc where the definitions are the same, and differ where they differ.

:func:`keep` states Siril 1.0.6's rules for 16-bit frames beside ours, so that every difference has a name. Siril goes
through the frames in their order and stops rejecting while four are left, counting what earlier passes rejected twice;
it winsorizes to bounds rounded to whole adu, and its inner loop may end at the first turn. Its linear fit is another
method of the same name: least squares, with the mean absolute residual for sigma, not twice that, and the moments of
all ranks even after some are rejected. ccdproc clips once, by the standard deviation of a population (n, not n - 1).
"""

import sys
import warnings

import ccdproc
import numpy as np
import pandas as pd
import pytest
import reference_combination as reference
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning

from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack.combine import combine

N_FRAMES, SHAPE = 20, (256, 300)
SAME = 0.005  # adu; Siril writes float32 of a range of 65535, which tells values apart that are 0.004 adu apart
FEW = 1e-5  # share of pixels that rounding may decide

SIRIL = {
    "mean": "rej n",
    "median": "med",
    "percentile": "rej p 0.2 0.1",
    "percentile, tight": "rej p 0.02 0.015",
    "sigma": "rej s 4 3",
    "sigma, tight": "rej s 3 2.5",
    "winsorized": "rej w 4 3",
    "winsorized, tight": "rej w 3 2.5",
    "linear_fit": "rej l 5 2.5",
}
LIMITS = {
    "percentile": (0.2, 0.1),
    "percentile, tight": (0.02, 0.015),
    "sigma": (4, 3),
    "sigma, tight": (3, 2.5),
    "winsorized": (4, 3),
    "winsorized, tight": (3, 2.5),
}
AS_IN_SIRIL = ("percentile", "percentile, tight", "sigma", "sigma, tight")  # no guard and no rounding comes into play


def darks():
    """Frames with hot pixels, telegraph pixels and cosmic rays; no zero among them, which Siril takes for missing."""
    rng = np.random.default_rng(4)
    pattern = rng.normal(1200, 10, SHAPE)
    hot = rng.integers(0, pattern.size, pattern.size // 200)
    pattern.flat[hot] += rng.exponential(3000, hot.size)
    frames = pattern + rng.normal(0, 12, (N_FRAMES, *SHAPE))
    telegraph = rng.random(SHAPE) < 0.02
    frames += telegraph * 60 * (rng.random(frames.shape) < 0.3)
    hits = rng.random(frames.shape) < 2e-3
    frames[hits] += 60 + rng.exponential(1500, hits.sum())
    return frames.round().clip(1, 65_535).astype(np.uint16)


@pytest.fixture(scope="module")
def frames():
    return darks()


@pytest.fixture(scope="module")
def folder(frames, tmp_path_factory):
    home = tmp_path_factory.mktemp("darks")
    for k, pixels in enumerate(frames):
        fits.PrimaryHDU(pixels).writeto(home / f"dark_{k + 1:05}.fits")
    return home


@pytest.fixture(scope="module")
def stack(folder):
    files = sorted(folder.glob("dark_*.fits"))
    return load_stack(
        pd.DataFrame({"file": [f.name for f in files], "source": [read_frame_file(f).source for f in files]})
    )


@pytest.fixture(scope="module")
def siril(folder, run_siril, tmp_path_factory):
    """Let Siril combine the frames in every way, in one run, and return its masters in adu."""
    home = tmp_path_factory.mktemp("siril")
    outputs = {name: home / f"master_{k}" for k, name in enumerate(SIRIL)}
    ways = [f"stack dark_ {SIRIL[name]} -nonorm -out={out}" for name, out in outputs.items()]
    run_siril(home, "setext fits", "setcpu 1", "set32bits", f"cd {folder}", *ways)
    return {name: 65_535 * fits.getdata(out.with_suffix(".fits")).astype(np.float64) for name, out in outputs.items()}


def middle(values, kept):
    """Return the median of what is kept of each pixel; (frame, pixel) -> (pixel,)."""
    ascending = np.sort(np.where(kept, values, np.inf), axis=0)
    count = kept.sum(axis=0)
    pick = lambda place: np.take_along_axis(ascending, place[np.newaxis], axis=0)[0]  # noqa: E731
    return (pick((count - 1) // 2) + pick(count // 2)) / 2


def spread(values, kept):
    count = kept.sum(axis=0)
    off = np.where(kept, values - np.where(kept, values, 0).sum(axis=0) / count, 0)
    return np.sqrt((off**2).sum(axis=0) / (count - 1))


def winsorized_spread(values, kept, *, as_siril):
    centre, sigma = middle(values, kept), spread(values, kept)
    clamped, turn = values.copy(), 0
    moving = np.flatnonzero(sigma > 0)
    while moving.size:
        turn += 1
        low, high = (centre[moving] + sign * 1.5 * sigma[moving] for sign in (-1, 1))
        if as_siril:
            low, high = np.floor(low + 0.5), np.floor(high + 0.5)
        clamped[:, moving] = np.clip(clamped[:, moving], low, high)
        before = sigma[moving]
        sigma[moving] = 1.134 * spread(clamped[:, moving], kept[:, moving])
        settled = np.abs(before - sigma[moving]) < 0.0005 * before
        if turn == 1 and not as_siril:
            settled[:] = False
        moving = moving[~settled & (sigma[moving] > 1e-12 * centre[moving])]
    return sigma


def keep(values, method, low, high, *, as_siril):
    """Tell which values (frame, pixel) survive, by our rules or by Siril's, and the pixels where its guard steps in."""
    kept = np.ones(values.shape, bool)
    gone, guarded = np.zeros(values.shape[1], int), np.zeros(values.shape[1], bool)
    active = np.arange(values.shape[1])
    while active.size:
        part, alive = values[:, active], kept[:, active]
        centre, count = middle(part, alive), alive.sum(axis=0)
        if method == "percentile":
            sigma = centre
        elif method == "sigma":
            sigma = spread(part, alive)
        else:
            sigma = winsorized_spread(part, alive, as_siril=as_siril)
        out = alive & ((centre - part > low * sigma) | (part - centre > high * sigma)) & (sigma > 1e-12 * centre)
        if as_siril and method != "percentile":
            for k in range(len(out)):
                stopped = out[k] & (count - gone[active] <= 4)
                guarded[active] |= stopped
                out[k] &= ~stopped
                gone[active] += out[k]
        kept[:, active] &= ~out
        left = count - out.sum(axis=0)
        again = out.any(axis=0) & (left >= (4 if as_siril else 3)) & (method != "percentile")
        active = active[again]
    return kept, guarded


def mean_of(values, kept):
    """Return the mean of what is kept, of all where nothing is (Siril's median; it does not occur here)."""
    assert kept.any(axis=0).all()
    return np.where(kept, values, 0).sum(axis=0) / kept.sum(axis=0)


def share_that_differs(one, other):
    return np.mean(np.abs(np.asarray(one).ravel() - np.asarray(other).ravel()) > SAME)


def ours(stack, **options):
    return combine(stack, maps=False, **options).data["signal"].to_numpy().astype(np.float64)


def test_the_mean_and_the_median_are_those_of_siril(stack, siril):
    for method in ("mean", "median"):
        assert share_that_differs(ours(stack, method=method), siril[method]) <= FEW


@pytest.mark.parametrize("name", LIMITS)
def test_what_differs_from_siril_is_what_its_rules_make_differ(frames, stack, siril, name):
    method, (low, high) = name.split(",")[0], LIMITS[name]
    values = frames.reshape(N_FRAMES, -1).astype(np.float64)
    own, _ = keep(values, method, low, high, as_siril=False)
    theirs, guarded = keep(values, method, low, high, as_siril=True)
    master = ours(stack, rejection=method, low=low, high=high)
    assert share_that_differs(master, mean_of(values, own)) <= FEW
    # which values are left when the guard steps in depends on the order in which Siril's median leaves them
    free = ~guarded
    assert share_that_differs(siril[name].ravel()[free], mean_of(values, theirs)[free]) <= FEW
    rules, found = np.mean((own != theirs).any(axis=0) | guarded), share_that_differs(master, siril[name])
    sys.stdout.write(f"\n{name}: {found:.3%} of pixels differ from Siril's; its rules say {rules:.3%}")
    sys.stdout.write(f" ({guarded.mean():.3%} guarded); at most {np.abs(master - siril[name]).max():.2f} adu\n")
    assert found <= rules + FEW
    if name in AS_IN_SIRIL:
        assert found <= FEW
    else:
        assert found > 1e-3


def siril_line(values, low, high):
    """Return the mean and the number of the values that Siril's linear fit keeps of each pixel."""
    n = len(values)
    part, count = np.sort(values, axis=0), np.full(values.shape[1], n)
    gone = np.zeros_like(count)
    rank = np.arange(float(n))[:, np.newaxis]
    off_centre = rank - rank.mean()  # of all ranks, whatever is left
    active = np.arange(values.shape[1])
    while active.size:
        some, left = part[:, active], count[active]
        alive = rank < left
        level = np.where(alive, some, 0).sum(axis=0) / left
        slope = np.where(alive, off_centre * (some - level), 0).sum(axis=0) / left / (off_centre**2).mean()
        residual = some - (level + slope * off_centre)
        sigma = np.where(alive, np.abs(residual), 0).sum(axis=0) / left
        out = alive & ((-residual > low * sigma) | (residual > high * sigma))
        for k in range(n):
            out[k] &= left - gone[active] > 4
            gone[active] += out[k]
        part[:, active] = np.sort(np.where(alive & ~out, some, np.inf), axis=0)
        count[active] -= out.sum(axis=0)
        active = active[out.any(axis=0) & (count[active] > 3)]
    return np.where(rank < count, part, 0).sum(axis=0) / count, count


def test_linear_fit_has_sirils_name_alone(frames, stack, siril):
    """Least squares bend to the hit that they are to find, and half of our sigma rejects what is no hit at all."""
    values = frames.reshape(N_FRAMES, -1).astype(np.float64)
    theirs, kept = siril_line(values, 5, 2.5)
    assert share_that_differs(siril["linear_fit"], theirs) < 5e-4  # sums in float32 decide a pixel in some thousands
    found = combine(stack, rejection="linear_fit", low=5, high=2.5)
    master = found.data["signal"].to_numpy().astype(np.float64)
    rejected = 1 - found.data["n_kept"].to_numpy().mean() / N_FRAMES, 1 - kept.mean() / N_FRAMES
    differ, bias = share_that_differs(master, siril["linear_fit"]), np.median(siril["linear_fit"] - master)
    sys.stdout.write(f"\nlinear fit: {differ:.1%} of pixels differ; ours rejects {rejected[0]:.2%} of samples, ")
    sys.stdout.write(f"Siril's {rejected[1]:.2%}; median difference {bias:+.2f} adu\n")
    assert rejected[1] > 2 * rejected[0]
    # with twice the limits Siril's sigma is as wide as ours: what is left is least squares against absolute deviations
    wide, _ = siril_line(values, 10, 5)
    assert share_that_differs(master, wide) < share_that_differs(master, theirs)
    truth = reference.reject(values[:, 0], "linear_fit")
    assert found.data["n_kept"].to_numpy().ravel()[0] == len(truth.survivors)


@pytest.fixture
def combiner(frames):
    return ccdproc.Combiner([CCDData(pixels.astype(np.float64), unit="adu") for pixels in frames])


def test_the_median_is_that_of_ccdproc(combiner, stack):
    assert share_that_differs(ours(stack, method="median"), combiner.median_combine().data) <= FEW


def test_min_max_rejection_is_that_of_ccdproc(combiner, stack):
    combiner.clip_extrema(nlow=1, nhigh=2)
    assert share_that_differs(ours(stack, rejection="minmax", low=1, high=2), combiner.average_combine().data) <= FEW


def deviation_of_a_sample(values, axis):
    return np.nanstd(values, axis=axis, ddof=1)


@pytest.mark.parametrize(("low", "high"), [(4, 3), (3, 2.5)])
def test_sigma_clipping_is_that_of_ccdproc_repeated_with_the_deviation_of_a_sample(combiner, stack, low, high):
    once = ccdproc.Combiner([CCDData(pixels, unit="adu") for pixels in combiner.data_arr.data])
    once.sigma_clipping(low, high, func="median", dev_func="std")
    values, before = combiner.data_arr.data, -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # about the NaN that stand for what is clipped
        while (clipped := int(np.isnan(values).sum())) > before:
            before = clipped
            enough = np.isfinite(values).sum(axis=0) >= 3
            combiner.sigma_clipping(low, high, func="median", dev_func=deviation_of_a_sample)
            values[combiner.data_arr.mask & enough] = np.nan
            combiner.data_arr.mask = np.isnan(values)
    master = ours(stack, rejection="sigma", low=low, high=high)
    assert share_that_differs(master, np.nanmean(values, axis=0)) <= FEW
    differ = share_that_differs(master, once.average_combine().data)
    sys.stdout.write(f"\nsigma clipping {low}/{high}: {differ:.2%} of pixels differ from one pass of ccdproc\n")
    assert differ > 1e-3
