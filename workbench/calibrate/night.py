"""A night of lights from raw frames to images: calibrated, registered, integrated, and taken up where it stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench.calibrate.flat_field import MASKED
from workbench.calibrate.night_folder import results_folder
from workbench.calibrate.night_image import Registered, integrate_target
from workbench.calibrate.night_lights import calibrate_light, prepare
from workbench.calibrate.night_record import NightRecord
from workbench.calibrate.night_reference import named_reference, reference_of
from workbench.calibrate.night_registration import Calibrated, brightness_problem, register_light, stars_of
from workbench.calibrate.night_steps import NightOptions, Workshop, lights_at_a_time, make_masters
from workbench.errors import InputError, NotMeasurableError
from workbench.results import Problem
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from workbench.calibrate.night_plan import NightPlan, Target

__all__ = ["Image", "Night", "NightOptions", "run_night"]

_FEWEST = 2  # lights that make an image
_LISTED = 5  # files that a message names


@dataclass(frozen=True, eq=False)
class Image:
    """The integrated lights of a target.

    Parameters
    ----------
    name
        Of the target; the file is called after it.
    facts
        ``n_lights``, ``total_exposure`` [s], ``words`` of the recipe, ``noise`` from pixel to pixel [adu] and its
        standard error ``noise_error`` were pixels independent, ``full_coverage``, the share of pixels to which all
        lights contribute, ``no_value``, how many none does; in ``frames`` of each light its ``weight``, ``offset``
        [adu], and the shares of its samples rejected.
    lights
        What went in.
    """

    name: str
    facts: dict[str, Any]
    lights: tuple[Registered, ...]


@dataclass(frozen=True, eq=False)
class Night:
    """What became of a night.

    Parameters
    ----------
    plan
        What was to be done.
    out
        The folder of the results.
    masters
        Facts of the masters by their files.
    calibrated, registered
        Facts of the lights that are; those of a sensor with a Bayer pattern are not registered.
    images
        One for each target of which two lights are registered.
    problems
        What is wrong with frames, and what was done about it.
    made, kept
        Files that this run made, and those that were there and intact.
    made_on
        When each of these was made, UTC, in ISO 8601; None where nobody noted it.
    """

    plan: NightPlan
    out: Path
    masters: dict[str, dict[str, Any]]
    calibrated: tuple[Calibrated, ...]
    registered: tuple[Registered, ...]
    images: tuple[Image, ...]
    problems: tuple[Problem, ...]
    made: tuple[str, ...]
    kept: tuple[str, ...]
    made_on: dict[str, str | None]


def run_night(
    plan: NightPlan, out: str | os.PathLike[str], options: NightOptions | None = None, *, progress: bool = False
) -> Night:
    """Do what was planned; what an earlier run did, is intact, and was made of the same things in the same way, stays.

    Parameters
    ----------
    plan
        From :func:`workbench.calibrate.night_plan.plan_night`.
    out
        A folder: ``masters/``, ``calibrated/`` (``_c``), ``registered/`` (``_c_r``), an image a target, and the record
        ``night.json``. Every file appears whole or not at all; what a run that was killed left half-written goes.
    options
        How.
    progress
        Show a bar on stderr when that is a terminal.

    Returns
    -------
    Night
        Lights that cannot be read, calibrated or matched are left out, and named in ``problems``.

    Raises
    ------
    InputError
        When a master cannot be made, no light is left, the named reference is none of the lights or may be several,
        the folder cannot be written, or another run is at work there.
    """
    chosen = NightOptions() if options is None else options
    chosen = replace(chosen, reference=named_reference(plan, chosen.reference))
    with results_folder(out) as folder:
        return _run(plan, folder, chosen, progress=progress)


def _run(plan: NightPlan, folder: Path, chosen: NightOptions, *, progress: bool) -> Night:
    targets = plan.targets
    n_lights = sum(len(target.lights) * (1 if target.colour else 2) for target in targets)
    total = len(plan.masters) + n_lights + sum(not target.colour for target in targets)
    with tqdm(total=total, unit="file", delay=1, leave=False, disable=None if progress else True) as bar:

        def advance(file: str) -> None:
            bar.set_description(Path(file).parent.name or "integrated", refresh=False)
            bar.update()

        shop = Workshop(folder, chosen, NightRecord(folder), advance, [*plan.problems])
        make_masters(shop, plan.masters)
        prepare(shop, plan.lights)
        shop.problems += _masked(shop)
        calibrated = _calibrate(shop, plan)
        registered = _register(shop, targets, calibrated)
        images = tuple(_integrate(shop, targets, registered))
    shop.problems += _of_earlier_runs(shop)
    made_on = {file: shop.record.made_on(file) for file in (*shop.made, *shop.kept)}
    return Night(
        plan, folder, shop.masters, calibrated, registered, images,
        tuple(dict.fromkeys(shop.problems)), tuple(shop.made), tuple(shop.kept), made_on,
    )  # fmt: skip


def _of_earlier_runs(shop: Workshop) -> list[Problem]:
    """Name what is in the folder and no part of this night: whoever stacks the folder would stack it too."""
    files = shop.record.left_over({*shop.made, *shop.kept})
    if not files:
        return []
    name = files[0] if len(files) == 1 else f"{len(files)} files"
    listed = "" if len(files) == 1 else f": {', '.join(files[:_LISTED])}" + (", ..." if len(files) > _LISTED else "")
    return [
        Problem(
            name,
            f"of an earlier run, no part of this one{listed}",
            "left where it is; remove it if you stack the folder",
        )
    ]


def _calibrate(shop: Workshop, plan: NightPlan) -> tuple[Calibrated, ...]:
    done = []
    threads = lights_at_a_time(plan.lights, shop.options)
    for light, file, facts in _each(shop, plan.lights, calibrate_light, lambda light: light.file, threads):
        done.append(Calibrated(light, file, facts))
    if not done:
        first = shop.problems[-1]
        raise InputError(first.file, f"{first.rule}; no light is left", first.action.partition("; ")[2] or "see above")
    return tuple(done)


def _register(shop: Workshop, targets: Iterable[Target], calibrated: tuple[Calibrated, ...]) -> tuple[Registered, ...]:
    done = []
    for field in dict.fromkeys(target.field for target in targets if not target.colour):
        files = {light.file for target in targets if target.field == field for light in target.lights}
        lights = [one for one in calibrated if one.plan.file in files]
        if len(lights) < _FEWEST:
            continue
        reference, why, problem = reference_of(lights, files, shop.options.reference)
        shop.reasons[reference.plan.file] = why
        shop.problems += [problem] if problem else []
        stars_of(shop, reference)  # once, before threads share it
        threads = lights_at_a_time(one.plan for one in lights)
        share = max(1, processors() // threads)  # of the processors, where memory leaves some idle

        def work(shop: Workshop, light: Calibrated, reference: Calibrated = reference, share: int = share) -> Any:
            return register_light(shop, light, reference, share)

        for light, file, facts in _each(shop, lights, work, lambda light: light.plan.file, threads):
            done.append(Registered(light, file, facts))
            problem = brightness_problem(light, facts)
            shop.problems += [problem] if problem else []
    return tuple(done)


def _masked(shop: Workshop) -> Iterator[Problem]:
    """Say of which flats how many pixels tell nothing."""
    for (_, file, _), calibration in shop.calibrations.items():
        if calibration.flat is not None and calibration.flat.n_masked:
            rule = f"{calibration.flat.n_masked} of its pixels have {MASKED}"
            yield Problem(file, rule, "masked: lights have no value there")


def _each(
    shop: Workshop, items: Iterable[Any], work: Callable[..., Any], name: Callable[[Any], str], threads: int
) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Work on lights in threads; record each that is done, name each that cannot be, and go on."""

    def attempt(item: Any) -> Any:
        try:
            return item, work(shop, item)
        except InputError as error:
            return item, error
        except NotMeasurableError as error:
            return item, InputError(name(item), error.reason, "look at it")

    for item, result in in_threads(attempt, items, threads):
        if isinstance(result, InputError):
            if Path(result.file).is_relative_to(shop.out):
                raise result  # the results cannot be written: no fault of this light
            shop.name(name(item), result)
            shop.advance(name(item))
            continue
        file, key, facts, made = result
        if made:
            shop.finish(file, key, facts)
        else:
            shop.kept.append(file)
            shop.advance(file)
        yield item, file, facts


def _integrate(shop: Workshop, targets: Iterable[Target], registered: tuple[Registered, ...]) -> Iterator[Image]:
    for target in targets:
        if target.colour:
            rule = "its lights have a Bayer pattern: interpolating would mix their colours"
            shop.problems.append(Problem(target.name, rule, "calibrated only; debayer them, then register"))
            continue
        files = {light.file for light in target.lights}
        lights = [one for one in registered if one.light.plan.file in files]
        if len(lights) < _FEWEST:
            rule = f"{'one light' if lights else 'no light'} of it is registered, and an image needs two"
            shop.problems.append(Problem(target.name, rule, "not integrated"))
            shop.advance(target.name)
            continue
        yield Image(target.name, integrate_target(shop, target.name, lights), tuple(lights))
