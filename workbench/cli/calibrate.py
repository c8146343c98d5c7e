"""``workbench calibrate``: a night's lights from raw frames to images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workbench.cli.arguments import add_frames_options, limit, positive

if TYPE_CHECKING:
    import argparse

    from workbench.cli.arguments import Parser

_SCALE_BY = ("exposure", "noise", "hot-pixels")
_OWN = "that of the rejection"
_RECIPE = ("method", "rejection", "low", "high", "cutoff")


def add_calibrate(parser: Parser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="folders of lights and of what calibrates them, or a dataset"
    )
    parser.option("-o", "--out", metavar="OUT", required=True, help="folder of the results; a later run goes on there")
    parser.option("--dry-run", action="store_true", help="show what goes with what and why, and stop")
    parser.option("--no-flat", action="store_true", help="use no flats: lights are not divided")
    parser.option("--no-overscan", action="store_true", help="neither subtract nor cut off what is named as overscan")
    parser.option(
        "--results",
        metavar="RESULTS",
        help="results.json of a report: its doubling temperature tells which darks match, its verdict which scale",
    )
    parser.option(
        "--scale-darks",
        action="store_true",
        help="scale a longer dark down where none matches, unless the verdict of --results speaks against it",
    )
    parser.option(
        "--scale-by", metavar="HOW", choices=_SCALE_BY, help=f"{', '.join(_SCALE_BY)} (default: {_SCALE_BY[0]})"
    )
    parser.option("--gain", metavar="G", type=positive, help="electron / adu: lights then carry their uncertainties")
    parser.option(
        "--pedestal", metavar="P", type=positive, default=0.0, help="added to calibrated lights [adu] (default: 0)"
    )
    parser.option("--reference", metavar="FILE", help="the light that others are registered to (default: most stars)")
    kernels = ("lanczos3", "bicubic", "nearest")
    parser.option(
        "--kernel",
        metavar="NAME",
        choices=kernels,
        default=kernels[0],
        help=f"{', '.join(kernels)} (default: {kernels[0]})",
    )
    parser.option("--method", metavar="NAME", help="of the integration: mean or median (default: mean)")
    parser.option("--rejection", metavar="NAME", help="of the integration, as for combine (default: winsorized)")
    parser.option("--low", metavar="L", type=limit, help=f"its limit below (default: {_OWN}, winsorized 4)")
    parser.option("--high", metavar="H", type=limit, help=f"its limit above (default: {_OWN}, winsorized 3)")
    cutoff = "of winsorized rejection: its later variant, such as 5 (default: none)"
    parser.option("--cutoff", metavar="C", type=limit, help=cutoff)
    parser.option("--compress", action="store_true", help="pack lights without loss (.fits.fz)")
    add_frames_options(parser)
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from workbench.calibrate.night import run_night  # noqa: PLC0415
    from workbench.calibrate.night_folder import check_out  # noqa: PLC0415
    from workbench.calibrate.night_plan import plan_night  # noqa: PLC0415
    from workbench.calibrate.night_reference import named_reference  # noqa: PLC0415
    from workbench.frames.paths import catalogue_of  # noqa: PLC0415
    from workbench.show.night_log import write_night_log  # noqa: PLC0415
    from workbench.show.night_words import night_json, night_text, plan_json, plan_text  # noqa: PLC0415
    from workbench.show.source import dataset_names, frames_of  # noqa: PLC0415

    chosen = _options(options)
    check_out(options.out)
    names = dataset_names()
    paths = [frames_of(one, progress=True) if one in names else one for one in options.paths]
    frames = catalogue_of(paths, manifest=options.manifest, accept=options.accept, progress=True)
    plan = plan_night(
        frames,
        out=options.out,
        use_flats=not options.no_flat,
        use_overscan=not options.no_overscan,
        **_judged(options),
    )
    named_reference(plan, chosen.reference)
    if options.dry_run:
        print(json.dumps(plan_json(plan), indent=1) if options.json else plan_text(plan))
        return 0
    if not options.json:
        print(plan_text(plan), end="\n\n", flush=True)
    night = run_night(plan, options.out, chosen, progress=True)
    log = write_night_log(night)
    print(json.dumps(night_json(night, log), indent=1) if options.json else night_text(night, log))
    return 0


def _options(options: argparse.Namespace) -> Any:
    from workbench.calibrate.integrate import integration_recipe  # noqa: PLC0415
    from workbench.calibrate.night import NightOptions  # noqa: PLC0415

    recipe = {name: value for name in _RECIPE if (value := getattr(options, name)) is not None}
    names = ("pedestal", "gain", "compress", "accept", "kernel", "reference")
    return NightOptions(recipe=integration_recipe(**recipe), **{name: getattr(options, name) for name in names})


def _judged(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a report measured of darks, where one is named, and how they are scaled, where that is asked for."""
    from workbench.calibrate.night_scaling import Scaling  # noqa: PLC0415
    from workbench.errors import InputError  # noqa: PLC0415
    from workbench.results import Results  # noqa: PLC0415

    if options.scale_by and not options.scale_darks:
        raise InputError(f"--scale-by {options.scale_by}", "scales nothing by itself", "add --scale-darks")
    results = Results.read(options.results) if options.results is not None else None
    verdict = results.verdicts.get("dark_scaling") if results else None
    by: Any = options.scale_by or _SCALE_BY[0]
    scaling = Scaling(by, verdict) if options.scale_darks else None
    found = list(results.select("doubling_temperature")) if results else []
    if results and not found and not (scaling and verdict):
        step = "leave --results out, and a doubling temperature of 6 K is assumed"
        raise InputError(options.results, "holds no doubling temperature", step)
    groups = sorted({str(one.conditions.get("group")) for one in found})
    if len(groups) > 1:
        rule = f"holds doubling temperatures of several groups of frames, {', '.join(groups)}"
        raise InputError(options.results, rule, "report on the frames of this camera and setting alone")
    measured = min(found, key=lambda one: one.std_error) if found else None
    return {"doubling_temperature": measured, "scaling": scaling}
