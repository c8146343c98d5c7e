"""How the command line is read: a parser whose errors are one line, and the numbers that its options take."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Parser", "add_frames_options", "count", "limit", "positive", "shape"]

_CHOICE = re.compile(r"invalid choice: '(.*?)'")
_CHOICES = re.compile(r"\(choose from (.*)\)")
_ARGUMENT = re.compile(r"argument (\S+): (.*)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: what, which rule, and the nearest thing that there is."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.options: list[str] = ["--help"]
        self.commands: dict[str, Parser] = {}

    def option(self, *names: str, **rest: Any) -> None:
        """Add an option, and remember how it is spelt."""
        self.options += [name for name in names if name.startswith("--")]
        self.add_argument(*names, **rest)

    def error(self, message: str) -> NoReturn:
        """Raise, in the words of the workbench, what argparse found wrong."""
        advice = f"see `{self.prog} --help`"
        wrong = _CHOICE.search(message)
        if wrong and self.commands:
            self.unknown("no such command", wrong[1], list(self.commands))
        named = _ARGUMENT.fullmatch(message)
        if named:
            choices = _CHOICES.search(message)
            known = [one.strip("' ") for one in choices[1].split(",")] if choices else []
            advice = did_you_mean(wrong[1], known, advice) if wrong else advice
            raise InputError(f"{self.prog} {named[1]}", named[2], advice)
        raise InputError(self.prog, message, advice)

    def unknown(self, what: str, word: str, known: Sequence[str]) -> NoReturn:
        """Refuse a word that the command line does not know, and suggest the nearest that it does."""
        raise InputError(self.prog, f"{what}: {word}", did_you_mean(word, known, f"see `{self.prog} --help`"))


def add_frames_options(parser: Parser) -> None:
    """Add what every command takes that reads the headers of frames."""
    parser.option(
        "--manifest", metavar="FILE", help="corrections to the headers (default: workbench.toml beside the frames)"
    )
    parser.option("--accept", action="store_true", help="use frames that do not look raw, or are the odd ones out")
    parser.option("--json", action="store_true", help="print JSON for another program")


def positive(text: str) -> float:
    """Read a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is no finite number above 0")
    return value


def limit(text: str) -> float:
    """Read a number; infinity is one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text} is no number")
    return value


def count(text: str) -> int:
    """Read a whole number from 0 on."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 on")
    return int(text)


def shape(text: str) -> tuple[int, int]:
    """Read rows and columns."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no shape such as 880x1164, rows first")
    return int(found[1]), int(found[2])
