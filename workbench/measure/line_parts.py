"""A variance over the pixels of a sensor in three parts: of single pixels, of rows and of columns.

The split is that of EMVA Standard 1288, Release 4.0 (General), section on spatial nonuniformity: the variances of the
pixels, of the rows' means and of the columns' means make three equations for three parts. Here they are exact for any
size and hold for rows and columns that miss pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import NotMeasurableError
from workbench.stack.power_sums import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """How the used pixels lie: their number in every row and column; lines without any are left out."""

    keep: BoolArray
    rows: BoolArray
    columns: BoolArray
    row_counts: FloatArray
    column_counts: FloatArray

    @classmethod
    def of(cls, excluded: BoolArray) -> Lines:
        """Count the pixels that are not excluded.

        Raises
        ------
        NotMeasurableError
            With fewer than 4 rows or columns.
        """
        keep = ~excluded
        per_row, per_column = keep.sum(axis=1, dtype=np.float64), keep.sum(axis=0, dtype=np.float64)
        rows, columns = per_row > 0, per_column > 0
        if min(rows.sum(), columns.sum()) < 4:
            raise NotMeasurableError("fewer than 4 rows or columns hold pixels that count: no pattern can be told")
        return cls(keep, rows, columns, per_row[rows], per_column[columns])

    @property
    def n_pixels(self) -> float:
        """Used pixels N."""
        return float(self.row_counts.sum())

    def equations(self) -> FloatArray:
        """Give the expected sums of squares of all pixels, of row means and of column means for parts of variance one.

        With n_r pixels in row r and m_c in column c, sums of squares about the mean, lines weighted with their pixels.
        """
        n, rows, columns = self.n_pixels, len(self.row_counts), len(self.column_counts)
        row_share, column_share = (self.row_counts**2).sum() / n, (self.column_counts**2).sum() / n
        return np.array(
            [
                [n - 1, n - row_share, n - column_share],
                [rows - 1, n - row_share, rows - column_share],
                [columns - 1, columns - row_share, n - column_share],
            ]
        )


@dataclass(frozen=True)
class Parts:
    """A variance [adu2] in parts of pixels, rows and columns that add up to it; ``covariance`` is theirs [adu4]."""

    values: FloatArray
    covariance: FloatArray

    @property
    def total(self) -> Estimate:
        """The sum of the parts."""
        return Estimate(float(self.values.sum()), float(max(self.covariance.sum(), 0.0) ** 0.5))

    def estimates(self) -> tuple[Estimate, Estimate, Estimate]:
        """Parts of pixels, rows, columns."""
        errors = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        pixels, rows, columns = map(Estimate, self.values.tolist(), errors.tolist())
        return pixels, rows, columns

    @property
    def shared(self) -> float:
        """What the pixels of a row or column share; 0 where it came out negative."""
        return float(np.maximum(self.values[1:], 0.0).sum())

    def minus(self, other: Parts, n: float = 1.0) -> Parts:
        """Subtract 1/n of independent parts."""
        return Parts(self.values - other.values / n, self.covariance + other.covariance / n**2)


def parts_of(lines: Lines, sums: FloatArray, errors: FloatArray) -> Parts:
    """Solve for the parts; the errors (squared) are those of what rows and columns leave, of rows and of columns."""
    equations = lines.equations()
    solve = (equations[0] / (lines.n_pixels - 1))[:, None] * np.linalg.inv(equations)
    mixed = solve @ np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return Parts(solve @ sums, (mixed * errors) @ mixed.T)
