"""The values that a camera stores: which steps they take, and where they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.frames.rawness import histogram, step_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ValueRange:
    """Step of the stored values [adu], None for fractions, and the value [adu] from which on a pixel does not count."""

    lattice: int | None
    saturation: float | None


@dataclass
class StoredValues:
    """Which whole numbers the frames of a group hold, and in how many pixels."""

    top: float | None = None
    levels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    whole: bool = True

    def add(self, pixels: NDArray[Any]) -> None:
        """Count the pixels of one more frame of any type [adu]."""
        levels, counts = histogram(pixels)
        if not len(levels):
            self.whole = False
            return
        merged, index = np.unique(np.concatenate([self.levels, levels]), return_inverse=True)
        self.counts = np.bincount(index, weights=np.concatenate([self.counts, counts])).astype(np.int64)
        self.levels = merged
        if pixels.dtype.kind in "iu":
            self.top = float(np.iinfo(pixels.dtype).max)

    @property
    def lattice(self) -> int | None:
        """Greatest common divisor of the steps between the values [adu]; None where they are no whole numbers."""
        return step_of(self.levels) or None if self.whole and len(self.levels) else None

    @property
    def ceiling(self) -> float | None:
        """The greatest value that the type and the lattice allow [adu]; None for values without a type of integers."""
        if self.lattice is None or self.top is None:
            return None
        return self.top // self.lattice * self.lattice

    def pile(self) -> float:
        """Return the value [adu] at which pixels pile up.

        Raises
        ------
        NotMeasurableError
            When the greatest value is no pile: no frame reaches saturation.
        """
        if self.lattice is None:
            raise NotMeasurableError("the values are not whole numbers: no pile-up can be told")
        top, count = int(self.levels[-1]), int(self.counts[-1])
        tail = self.counts[(self.levels < top) & (self.levels >= top - 64 * self.lattice)].sum() / 64
        # a pile: far more pixels at the end than the tail leads to expect, or a few at the very end of the type
        at_the_end = self.ceiling is not None and top >= self.ceiling and count >= 3
        if not at_the_end and (count < 10 or count < 10 * tail):
            raise NotMeasurableError(
                f"no frame reaches saturation (greatest value {top} adu); shoot one overexposed flat"
            )
        return float(top)
