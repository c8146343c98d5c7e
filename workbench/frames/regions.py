"""Parts of a frame that are measured apart: the taps of a CCD, overscan, inactive columns, Bayer planes."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.frames.readers import BAYER_PATTERNS

ROLES = ("tap", "overscan", "optical_black", "inactive")


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels, or every second, third, ... of its rows and columns.

    Parameters
    ----------
    name
        What numbers of this region are labelled with.
    rows, columns
        ``(start, stop, step)`` as in Python: zero-based, the first row is the first of the file, ``stop`` is exclusive.
    role
        ``"tap"`` (pixels that see light, with an amplifier of their own), ``"overscan"`` (read without a pixel),
        ``"optical_black"`` (covered pixels) or ``"inactive"`` (pixels that mean nothing).
    """

    name: str
    rows: tuple[int, int, int]
    columns: tuple[int, int, int]
    role: str

    def slices(self) -> tuple[slice, slice]:
        """Return the index of the region in an array ``[..., y, x]``.

        Examples
        --------
        >>> Region("left", (0, 520, 1), (50, 1074, 1), "tap").slices()
        (slice(0, 520, 1), slice(50, 1074, 1))
        """
        return slice(*self.rows), slice(*self.columns)


def bayer_regions(shape: tuple[int, int], pattern: str) -> tuple[Region, Region, Region, Region]:
    """Return the four colour planes of a Bayer sensor as regions R, G1 (in the red rows), G2 (in the blue rows) and B.

    Parameters
    ----------
    shape
        ``(rows, columns)`` of the frame.
    pattern
        Colours of the first 2 x 2 pixels, row by row, such as ``"RGGB"``.

    Raises
    ------
    ValueError
        When the pattern is no Bayer pattern.

    Examples
    --------
    >>> [(plane.name, plane.rows[0], plane.columns[0]) for plane in bayer_regions((960, 1280), "GRBG")]
    [('R', 0, 1), ('G1', 0, 0), ('G2', 1, 1), ('B', 1, 0)]
    """
    if pattern not in BAYER_PATTERNS:
        raise ValueError(f"{pattern!r} is none of {', '.join(BAYER_PATTERNS)}")
    red, blue = divmod(pattern.index("R"), 2), divmod(pattern.index("B"), 2)

    def plane(name: str, row: int, column: int) -> Region:
        return Region(name, (row, shape[0], 2), (column, shape[1], 2), "tap")

    return (
        plane("R", *red),
        plane("G1", red[0], blue[1]),
        plane("G2", blue[0], red[1]),
        plane("B", *blue),
    )
