"""The steps of a night, one by one: masters, calibrated lights, registered lights, images. None is done twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.flats import make_master_flat
from workbench.calibrate.integrate import integration_recipe
from workbench.calibrate.light_files import write_light
from workbench.calibrate.lights import matched_calibration
from workbench.calibrate.masters import make_master
from workbench.calibrate.night_files import header_of, name_of, pack
from workbench.calibrate.night_record import NightRecord, made_from, sha256_of
from workbench.calibrate.resample import CLAMPING
from workbench.calibrate.stars import find_stars
from workbench.calibrate.uncertainty import ErrorModel
from workbench.frames.formats import read_frame_file
from workbench.results import Problem
from workbench.stack.fused import processors
from workbench.stack.noise_evaluation import mrs_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.calibrate.calibration import Calibration
    from workbench.calibrate.night_plan import LightPlan, MasterPlan
    from workbench.calibrate.resample import Kernel
    from workbench.errors import InputError
    from workbench.stack.recipe import Recipe

__all__ = ["NightOptions", "Workshop", "calibrate_light", "in_threads", "look_for_stars", "make_masters", "prepare"]

_WINDOW = 2048  # pixels a side of what the noise is evaluated on
_LARGE = 6_000_000  # pixels of a frame, from where on stars are looked for in bins of 2 x 2
_PILED = 3  # pixels at the very highest value, from where on that is saturation
_FLAT_TOP = 0.8  # of saturation: stars that reach it have no centre that can be trusted
_LEFT_OUT = "left out"


@dataclass(frozen=True)
class NightOptions:
    """How a night is worked upon.

    Parameters
    ----------
    pedestal
        Added to calibrated lights [adu].
    gain
        Of the lights' adu [electron / adu]; with it calibrated lights carry their uncertainties.
    compress
        Pack lights without loss, and the counts of masters.
    accept
        Use frames that are the odd ones out.
    kernel, clamping
        See :func:`workbench.calibrate.resample.resample`.
    recipe
        Of the integrations, see :func:`workbench.calibrate.integrate.integration_recipe`.
    reference
        File of the light that others are registered to; None takes, of each field, the one with most stars for their
        width.
    """

    pedestal: float = 0.0
    gain: float | None = None
    compress: bool = False
    accept: bool = False
    kernel: Kernel = "lanczos3"
    clamping: float | None = CLAMPING
    recipe: Recipe = field(default_factory=integration_recipe)
    reference: str | None = None


@dataclass
class Workshop:
    """What the steps share: where results go, what is there, what went wrong, and who is told of progress."""

    out: Path
    options: NightOptions
    record: NightRecord
    advance: Callable[[str], None]
    problems: list[Problem] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    stars: dict[str, pd.DataFrame] = field(default_factory=dict)
    masters: dict[str, dict[str, Any]] = field(default_factory=dict)
    calibrations: dict[tuple[str, str], Calibration] = field(default_factory=dict)

    def name(self, file: str, error: InputError) -> None:
        """Note a light that stays out, and why."""
        self.problems.append(Problem(file, error.rule, f"{_LEFT_OUT}; {error.next_step}"))

    def finish(self, file: str, key: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Record a file that was written."""
        self.record.add(file, key, facts)
        self.made.append(file)
        self.advance(file)
        return facts

    def known(self, file: str, key: str) -> dict[str, Any] | None:
        """Return the facts of a file that need not be made again."""
        facts = self.record.known(file, key)
        if facts is not None:
            self.kept.append(file)
            self.advance(file)
        return facts


def in_threads(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield results in order, worked out by as many threads as there are processors; stop at once when stopped."""
    pool = ThreadPoolExecutor(processors())
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


# ---- masters --------------------------------------------------------------------------------------------------------


def make_masters(shop: Workshop, plans: Iterable[MasterPlan]) -> None:
    """Make the masters that are not there, what flats need first.

    Raises
    ------
    InputError
        When frames make no master; the message names the frame.
    """
    for plan in sorted(plans, key=lambda one: one.kind == "flat"):
        if plan.ready:
            shop.masters[plan.file] = {"path": plan.file, "sha256": sha256_of(shop.out / plan.file)}
            shop.advance(plan.file)
        else:
            facts = _make_master(shop, plan)
            path = str(shop.out / plan.file)
            shop.masters[plan.file] = {"path": path, "sha256": shop.record.sha256(plan.file), **facts}
            shop.problems += [Problem(**one) for one in facts["problems"]]


def _make_master(shop: Workshop, plan: MasterPlan) -> dict[str, Any]:
    bias = shop.masters[plan.bias.file] if plan.bias else None
    inputs = list(in_threads(sha256_of, [shop.out / path for path in plan.rows["path"]]))
    options: dict[str, Any] = {"accept": shop.options.accept, "compress": shop.options.compress}
    said = plan.rows[["exposure", "temperature", "filter"]].astype(str).to_numpy().tolist()  # as a manifest may
    key = made_from(f"master {plan.kind}", [options, said], [*inputs, *([bias["sha256"]] if bias else [])])
    facts = shop.known(plan.file, key)
    if facts is not None:
        return facts
    (shop.out / plan.file).parent.mkdir(exist_ok=True)
    if bias is not None:
        master = make_master_flat(plan.rows, shop.out / plan.file, bias=bias["path"], overwrite=True, **options)
    else:
        master = make_master(plan.rows, shop.out / plan.file, overwrite=True, **options)
    facts = {
        "kind": plan.kind,
        "n_frames": len(master.inputs),
        "words": master.combination.recipe.words,
        "share_low": master.share_rejected("low"),
        "share_high": master.share_rejected("high"),
        "noise": None if master.noise is None else master.noise.sigma,
        "std_error": master.std_error,
        "problems": [asdict(one) for one in master.problems],
    }
    return shop.finish(plan.file, key, facts)


# ---- lights ---------------------------------------------------------------------------------------------------------


def calibrate_light(shop: Workshop, light: LightPlan) -> tuple[str, str, dict[str, Any] | None, bool]:
    """Calibrate a light and look for its stars, unless that is done; return file, key, facts, and whether it was done.

    Raises
    ------
    InputError
        When the light cannot be read, or does not fit its masters.
    """
    options = shop.options
    file = f"calibrated/{name_of(light.name, '_c', compress=options.compress)}"
    dark = shop.masters[light.dark.file]
    flat = shop.masters[light.flat.file] if light.flat else None
    told: dict[str, Any] = {"pedestal": options.pedestal, "gain": options.gain, "compress": options.compress}
    told |= {name: str(light.row[name]) for name in ("exposure", "temperature", "filter", "object", "camera")}
    inputs = [sha256_of(shop.out / light.row["path"]), dark["sha256"], *([flat["sha256"]] if flat else [])]
    key = made_from("calibrate", told, inputs)
    facts = shop.record.known(file, key)
    if facts is not None:
        return file, key, facts, False
    calibration = _calibration(shop, light)
    errors = None if options.gain is None else ErrorModel(options.gain)
    plain = shop.out / (f"calibrated/.{light.name}.fits" if options.compress else file)
    source = light.row["source"]
    written = write_light(source, plain, calibration, header=header_of(light.row), errors=errors)
    values = read_frame_file(plain).source.read()
    if options.compress:
        try:
            pack(plain, shop.out / file)
        finally:
            plain.unlink(missing_ok=True)
    saturation = _saturation(source.read(), calibration)
    stars = shop.stars[file] = look_for_stars(values, saturation)
    middle = _middle(values)
    facts = {
        "n_stars": len(stars),
        "fwhm": float(stars["fwhm"].median()) if len(stars) else None,
        "level": float(np.nanmedian(middle)),
        "noise": mrs_noise(middle).sigma,
        "n_masked": written.n_masked,
        "n_negative": written.n_negative,
        "saturation": saturation,
    }
    return file, key, facts, True


def prepare(shop: Workshop, lights: Iterable[LightPlan]) -> None:
    """Read the masters once, before threads share them."""
    for light in lights:
        _calibration(shop, light)


def _calibration(shop: Workshop, light: LightPlan) -> Calibration:
    key = light.dark.file, light.flat.file if light.flat else ""
    if key not in shop.calibrations:
        flat = flat_bias = None
        if light.flat is not None:
            flat = shop.masters[light.flat.file]["path"]
            if light.flat.ready and light.flat.bias is not None:  # its bias is still inside
                flat_bias = shop.masters[light.flat.bias.file]["path"]
        dark = shop.masters[light.dark.file]["path"]
        shop.calibrations[key] = matched_calibration(dark, flat, flat_bias=flat_bias, pedestal=shop.options.pedestal)
    return shop.calibrations[key]


def _saturation(pixels: NDArray[Any], calibration: Calibration) -> float | None:
    """Return from which calibrated value on a star's top is not to be trusted; None where nothing piles up."""
    top = pixels.max()
    if pixels.dtype.kind == "f" or np.count_nonzero(pixels == top) < _PILED:
        return None
    return _FLAT_TOP * (float(top) - float(np.median(calibration.masters[0][1].signal)))


def look_for_stars(values: NDArray[np.float32], saturation: float | None) -> pd.DataFrame:
    """Find the stars of a calibrated light, in bins of 2 x 2 pixels where it is large."""
    return find_stars(values, bin=2 if values.size > _LARGE else 1, saturation=saturation)


def _middle(plane: NDArray[Any]) -> NDArray[Any]:
    starts = (max(size - _WINDOW, 0) // 2 for size in plane.shape)
    return plane[tuple(slice(start, start + _WINDOW) for start in starts)]
