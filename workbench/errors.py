"""Named errors. Each message says the value, the rule and the next step, in one line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class WorkbenchError(Exception):
    """Anything that the workbench refuses for a reason that its user can act upon."""


class InputError(WorkbenchError):
    """A file, folder, option or manifest that cannot be used.

    Parameters
    ----------
    file
        What is wrong: a path, an option's name, a key of a manifest.
    rule
        The rule that it breaks, with the value that breaks it.
    next_step
        What its user can do about it.

    Examples
    --------
    >>> print(InputError("darks/", "holds no FITS file", "name a folder with frames"))
    darks/: holds no FITS file; name a folder with frames
    """

    def __init__(self, file: object, rule: str, next_step: str) -> None:
        self.file = str(file)
        self.rule = " ".join(rule.split())
        self.next_step = " ".join(next_step.split())
        super().__init__(f"{self.file}: {self.rule}; {self.next_step}")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """Survive the way back from a worker process: three arguments, not one message."""
        return type(self), (self.file, self.rule, self.next_step)


class FrameError(InputError):
    """One file that holds no usable frame: truncated, empty, not an image, three-dimensional."""


class ManifestError(InputError):
    """A ``workbench.toml`` or a data manifest that breaks its own rules."""


class MixedStackError(InputError):
    """Frames that may not stand in one stack: shape, binning or gain setting differ."""


class NotMeasurableError(WorkbenchError):
    """A quantity that these frames cannot tell; the survey turns it into a ``NotMeasured`` record.

    Parameters
    ----------
    reason
        Why not, and what would have to be shot to measure it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = " ".join(reason.split())
        super().__init__(self.reason)


def did_you_mean(word: object, known: Iterable[str], otherwise: str) -> str:
    """Return the next step for who wrote a word that is not known: the nearest that is, or what ``otherwise`` says.

    Examples
    --------
    >>> did_you_mean("drak", ("bias", "dark"), "name a kind")
    "did you mean 'dark'?"
    """
    near = get_close_matches(str(word), list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise
