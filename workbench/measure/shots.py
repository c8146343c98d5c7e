"""One line of an acquisition plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MISSING, BETTER, LIGHTS = "missing", "better", "for your lights"
SAME_CAMERA = "same gain setting, offset setting, readout mode and binning"


@dataclass(frozen=True)
class Shots:
    """One line of an acquisition plan.

    Parameters
    ----------
    need
        ``missing``: without it something is not measured; ``better``: it makes a number more certain;
        ``for your lights``: what to shoot beside the lights themselves.
    group
        Of the report; empty for all.
    kind
        Of the frames; or what to do with files that are there.
    exposures, counts
        [s] and how many frames of each; without exposures one count, and ``how`` tells the exposure.
    temperatures
        [deg_C], each with all these frames; empty: that of the other frames.
    order
        The exposures [s] of all these frames, one temperature, in the shuffled order in which to shoot them.
    how
        Settings and exposure in words.
    enables
        Quantities and verdicts that these frames serve.
    precision
        How precise they will be, where that can be predicted.
    why
        What is wrong without them.
    """

    need: str
    group: str
    kind: str
    counts: tuple[int, ...]
    why: str
    enables: tuple[str, ...]
    how: str = ""
    exposures: tuple[float, ...] = ()
    temperatures: tuple[float, ...] = ()
    order: tuple[float, ...] = ()
    precision: str = ""

    @property
    def n_frames(self) -> int:
        """Frames in all, over all temperatures."""
        return sum(self.counts) * max(1, len(self.temperatures))

    @property
    def seconds(self) -> float:
        """Exposure time in all [s], as far as exposures are known."""
        known = sum(exposure * n for exposure, n in zip(self.exposures, self.counts, strict=False))
        return known * max(1, len(self.temperatures))

    def row(self) -> dict[str, Any]:
        """Return a row for a table or a file."""
        record = {key: list(one) if isinstance(one, tuple) else one for key, one in asdict(self).items()}
        return {**record, "n_frames": self.n_frames, "seconds": self.seconds}
