"""The front door: reads the command line, calls what does the work, says in one line what is wrong.

Exit codes: 0 done; 1 the workbench itself failed; 2 the input or the usage is wrong; 130 stopped by Ctrl-C.
Everything heavy is imported by the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from workbench import __version__
from workbench.cli.arguments import Parser, add_frames_options, count, positive, shape
from workbench.cli.calibrate import add_calibrate
from workbench.cli.combine import add_combine
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

_EPILOG = """\
examples:
  workbench report                          measure the embedded, simulated camera
  workbench inspect my-frames               what is in a folder, and what is wrong with it
  workbench report my-frames --gain 0.25    measure the camera that took these frames
  workbench combine darks -o master.fits    one master of many frames
  workbench calibrate my-night -o images    lights calibrated, registered and integrated
  workbench lab                             the notebooks
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        The words after ``workbench``; those of the process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        if argv is None:
            gc.freeze()  # else a process that ends looks through all it has for cycles: 0.2 s with pandas and astropy
    except WorkbenchError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tasks cut short have nothing to add
        return _say("stopped", 130)
    except BrokenPipeError:
        # whoever reads has seen enough; keep the interpreter from flushing into the closed pipe once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(argv: Sequence[str]) -> int:
    parser = _parser()
    options, extra = parser.parse_known_args(argv)
    command: Callable[[argparse.Namespace], int] | None = getattr(options, "run", None)
    chosen: Parser = getattr(options, "parser", parser)
    if extra:
        known = chosen.options
        chosen.unknown(
            "no such option" if extra[0].startswith("-") else "one word too many", extra[0].split("=")[0], known
        )
    if command is None:
        chosen.print_help()
        return 0
    return command(options)


def _say(message: str, code: int) -> int:
    from workbench.show.words import printable  # noqa: PLC0415

    print(printable(" ".join(message.split())), file=sys.stderr)
    return code


def _parser() -> Parser:
    parser = Parser(
        prog="workbench",
        description="Measure dark current, gain and read noise of a camera from its own frames.",
        epilog=_EPILOG,
    )
    parser.option("--version", action="version", version=f"workbench {__version__}")
    commands = _subcommands(parser)
    _add_inspect(commands("inspect", "list the frames of a folder, and what is wrong with them"))
    _add_report(commands("report", "measure a camera and write the report"))
    add_combine(commands("combine", "combine frames into a master"))
    add_calibrate(commands("calibrate", "calibrate, register and integrate the lights of a night"))
    _add_simulate(commands("simulate", "write the frames of a simulated camera"))
    _add_dataset(commands("dataset", "the simulated datasets"))
    _add_lab(commands("lab", "open the notebooks in JupyterLab"))
    return parser


def _subcommands(parser: Parser) -> Callable[[str, str], Parser]:
    places = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)

    def add(name: str, what: str) -> Parser:
        command = places.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        command.set_defaults(parser=command)
        parser.commands[name] = command
        return command

    return add


def _add_inspect(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="a folder of frames, or one frame")
    add_frames_options(parser)
    parser.set_defaults(run=_inspect)


def _add_report(parser: Parser) -> None:
    parser.add_argument(
        "dataset",
        metavar="PATH|DATASET",
        nargs="?",
        default="embedded",
        help="a folder of frames or a dataset (default: embedded)",
    )
    parser.option(
        "-o",
        "--out",
        metavar="OUT",
        default="workbench-report",
        help="folder of the report (default: workbench-report)",
    )
    parser.option("--gain", metavar="G", type=positive, help="electron / adu, where the frames cannot tell it")
    parser.option("--gain-error", metavar="E", type=positive, help="standard error of that gain")
    parser.option("--per-bayer", action="store_true", help="numbers for each colour of the Bayer pattern")
    parser.option("--use-bias", action="store_true", help="let bias frames enter the fit of the dark mean")
    add_frames_options(parser)
    parser.set_defaults(run=_report)


def _add_simulate(parser: Parser) -> None:
    parser.add_argument("camera", metavar="CAMERA", help="a camera of the workbench, or a camera's .toml")
    parser.option("-o", "--out", metavar="DIR", required=True, help="a new folder for the frames")
    parser.option("--seed", metavar="N", type=count, default=0, help="same seed, same frames (default: 0)")
    parser.option("--shape", metavar="ROWSxCOLUMNS", type=shape, help="a smaller sensor (default: the camera's)")
    parser.set_defaults(run=_simulate)


def _add_dataset(parser: Parser) -> None:
    commands = _subcommands(parser)
    listing = commands("list", "list the datasets and where they are on this machine")
    listing.option("--json", action="store_true", help="print JSON for another program")
    listing.set_defaults(run=_dataset_list)
    create = commands("create", "make a dataset on this machine, or check the one that is there")
    create.add_argument("name", metavar="NAME", help="a name from `workbench dataset list`")
    create.set_defaults(run=_dataset_create)


def _add_lab(parser: Parser) -> None:
    parser.option("-o", "--out", metavar="DIR", help="work on a copy of the notebooks in this folder")
    parser.option("--port", metavar="N", type=count, help="default: a free one")
    parser.option("--no-browser", action="store_true", help="do not open a browser")
    parser.set_defaults(run=_lab)


def _inspect(options: argparse.Namespace) -> int:
    from workbench.frames.catalogue import catalogue  # noqa: PLC0415
    from workbench.show.inspection import inspection_json, inspection_text  # noqa: PLC0415

    table = catalogue(options.path, manifest=options.manifest, accept=options.accept, progress=True)
    print(json.dumps(inspection_json(table), indent=1) if options.json else inspection_text(table))
    return 0


def _report(options: argparse.Namespace) -> int:
    if options.gain_error is not None and options.gain is None:
        options.parser.error("argument --gain-error: is the error of a gain that is not given")
    from workbench.results import Results  # noqa: PLC0415
    from workbench.show.report import ReportFailure, write_report  # noqa: PLC0415
    from workbench.show.terminal import results_table  # noqa: PLC0415

    names = ("gain", "gain_error", "manifest", "accept", "per_bayer", "use_bias")
    chosen = {name: getattr(options, name) for name in names}
    try:
        paths = write_report(options.dataset, options.out, progress=True, **chosen)
    except ReportFailure as error:
        return _say(str(error), 1)
    if options.json:
        print(paths.results.read_text(encoding="utf-8"), end="")
        return 0
    print(results_table(Results.read(paths.results)), "", *paths, sep="\n")
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from dataclasses import replace  # noqa: PLC0415

    from workbench.camera.session import Sensor, default_plan, simulate  # noqa: PLC0415

    sensor = Sensor.from_manifest(options.camera)
    if options.shape:
        sensor = replace(sensor, shape=options.shape)
    print(simulate(sensor, default_plan(sensor), options.out, options.seed, progress=True))
    return 0


def _dataset_list(options: argparse.Namespace) -> int:
    from workbench.camera.session import list_datasets  # noqa: PLC0415

    datasets = list_datasets()
    if options.json:
        print(json.dumps(datasets, indent=1))
        return 0
    from workbench.show.terminal import aligned  # noqa: PLC0415

    head = ["name", "frames", "size", "where", "what"]
    rows = [
        [
            one["name"],
            str(one["frames"]),
            f"{one['size'] / 1e6:.0f} MB",
            one["path"] if one["cached"] else "not made yet",
            one["title"],
        ]
        for one in datasets
    ]
    print(*aligned([head, *rows]), sep="\n")
    return 0


def _dataset_create(options: argparse.Namespace) -> int:
    from workbench.camera.session import open_dataset  # noqa: PLC0415

    print(open_dataset(options.name, progress=True))
    return 0


def _lab(options: argparse.Namespace) -> int:
    from workbench.show.lab import run_lab  # noqa: PLC0415

    run_lab(options.out, port=options.port, browser=not options.no_browser)
    return 0
