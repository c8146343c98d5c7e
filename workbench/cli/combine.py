"""``workbench combine``: frames into a master."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.arguments import add_frames_options, count, limit

if TYPE_CHECKING:
    import argparse

    from workbench.calibrate.made_master import Master
    from workbench.cli.arguments import Parser

_RECIPE = (
    *("method", "rejection", "low", "high", "cutoff", "normalisation", "rejection_normalisation"),
    *("scale", "weights", "range_low", "range_high"),
)


def add_combine(parser: Parser) -> None:
    """Add what the command takes."""
    parser.add_argument("files", metavar="FILES", nargs="+", help="frames, or folders of frames, of one kind")
    parser.option("-o", "--out", metavar="MASTER", required=True, help="the file to write")
    parser.option("--method", metavar="NAME", help="mean, median, sum, min or max (default: mean)")
    parser.option(
        "--rejection",
        metavar="NAME",
        help="none, minmax, percentile, sigma, winsorized, averaged, linear_fit, esd or mad (default: winsorized)",
    )
    parser.option(
        "--low", metavar="L", type=limit, help="limit below (default: 4 sigma, or that of the rejection); inf for none"
    )
    parser.option("--high", metavar="H", type=limit, help="limit above (default: 3 sigma, or that of the rejection)")
    parser.option("--cutoff", metavar="C", type=limit, help="of winsorized rejection: its later variant, such as 5")
    parser.option(
        "--normalisation",
        metavar="NAME",
        help="none, additive, multiplicative, additive_scaling or multiplicative_scaling (default: none; of flats "
        "multiplicative)",
    )
    parser.option("--rejection-normalisation", metavar="NAME", help="the same, before samples are compared")
    parser.option("--scale", metavar="NAME", help="estimator of a frame's scale: mad, biweight, iksigma, sn or qn")
    parser.option("--weights", metavar="NAME", help="none, exposure or noise (default: none)")
    parser.option("--range-low", metavar="V", type=limit, help="reject samples at or below this value [adu]")
    parser.option("--range-high", metavar="V", type=limit, help="reject samples at or above this value [adu]")
    parser.option(
        "--verdict", metavar="RESULTS", help="results.json of a report: may these darks be scaled? goes into the header"
    )
    parser.option("--no-maps", action="store_true", help="the pixels alone: no errors, no counts of rejected samples")
    parser.option(
        "--quick",
        action="store_true",
        help="the pixels and the names of the frames alone, and fast: no maps, no hashes, no look for odd ones",
    )
    parser.option("--compress", action="store_true", help="pack counts and flags, without loss")
    parser.option("--overwrite", action="store_true", help="replace MASTER")
    parser.option("--threads", metavar="N", type=count, help="default: as many as there are processors")
    parser.option("--scheduler", metavar="tcp://HOST:PORT", help="let the workers of a dask scheduler share the work")
    add_frames_options(parser)
    parser.set_defaults(run=_combine)


def _combine(options: argparse.Namespace) -> int:
    recipe = {name: value for name in _RECIPE if (value := getattr(options, name)) is not None}
    master = (_quick_master(options, recipe) if options.quick else None) or _make_master(options, recipe)
    from workbench.show.combining import combining_json, combining_text  # noqa: PLC0415

    print(json.dumps(combining_json(master), indent=1) if options.json else combining_text(master))
    return 0


def _quick_master(options: argparse.Namespace, recipe: dict[str, Any]) -> Master | None:
    """Make the pixels alone of frames that leave nothing to ask; what combines them begins while the rest is loaded."""
    if any((options.scheduler, options.manifest, options.verdict, options.accept)):
        return None
    from workbench.stack.ahead import begun  # noqa: PLC0415
    from workbench.stack.recipe import default_recipe  # noqa: PLC0415

    how = {"threads": options.threads, "progress": True}
    paths = [Path(one) for one in options.files]
    with begun(paths, **how, **{**default_recipe("dark"), **recipe}) as ahead:
        from workbench.calibrate.quick_master import quick_master  # noqa: PLC0415

        return quick_master(paths, options.out, overwrite=options.overwrite, ahead=ahead, **how, **recipe)


def _make_master(options: argparse.Namespace, recipe: dict[str, Any]) -> Master:
    from workbench.calibrate.masters import make_master  # noqa: PLC0415
    from workbench.frames.paths import catalogue_of  # noqa: PLC0415
    from workbench.results import Results  # noqa: PLC0415

    verdict = Results.read(options.verdict).verdicts.get("dark_scaling") if options.verdict else None
    frames = catalogue_of(options.files, manifest=options.manifest, accept=options.accept, progress=True)
    return make_master(
        frames,
        options.out,
        verdict=verdict,
        accept=options.accept,
        overwrite=options.overwrite,
        compress=options.compress,
        maps=not options.no_maps,
        quick=options.quick,
        threads=options.threads,
        client=options.scheduler,
        progress=True,
        **recipe,
    )
