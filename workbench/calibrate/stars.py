"""Stars of a calibrated light: where they are, how bright and how wide. What registration matches.

They are found by SEP, the library of Source Extractor's algorithms, on a frame that may be binned for speed, and
measured where they stand on the frame itself: in a cut-out about each of the brightest, all of them side by side in one
small image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Image = NDArray[np.float32]

__all__ = ["aperture_fluxes", "find_stars"]

FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in its standard deviations
_UNITS = {
    "x": "pix",
    "y": "pix",
    "flux": "adu",
    "flux_error": "adu",
    "fwhm": "pix",
    "peak": "adu",
    "position_error": "pix",
}
_AREA = {1: 5, 2: 3}  # adjoining pixels above the threshold that make a star: a hot pixel has one, a short track few
_BUFFER = 300_000  # pixels above the threshold that SEP holds at once, unless a frame needs more
_MESH = 64  # pixels of the frame: the background is fitted in boxes of this size
_APERTURE = 2.5  # radius within which a star's flux is summed, in its FWHM
_MARGIN = 1.4  # the first guess of the width comes from the pixels above the threshold, and is too small
_MOMENTS = 12  # each iteration halves what the width is off
_WIDTHS = 0.4, 2.5  # of the median width: what is sharper is a defect, what is wider is a galaxy or a nebula's knot
_ROUND = 0.4  # minor over major axis, below which it is a trail
_CENTROID = 0.3  # of the width of a star: farther from where it was found, the centroid ran to a neighbour


def find_stars(
    image: NDArray[Any],
    *,
    sigma: float = 5.0,
    bin: int = 1,  # noqa: A002 - the word of the trade
    saturation: float | None = None,
    most: int = 500,
) -> pd.DataFrame:
    """Find the stars of a frame and measure the brightest.

    Parameters
    ----------
    image
        A calibrated frame [adu], shape (y, x); pixels without a value are NaN.
    sigma
        How far above the background each of a star's pixels lies, in the noise of a pixel of the image searched.
    bin
        1 to search the frame, 2 to search means of 2 x 2 pixels, four times quicker. Either way positions, widths and
        fluxes are measured on the frame as it is.
    saturation
        Stars that have a pixel of so many adu or more are left out: flat tops have no centre.
    most
        How many stars to measure, the brightest.

    Returns
    -------
    pandas.DataFrame
        Sorted by flux, the brightest first. ``x``, ``y`` [pixel]: the windowed centroid, zero at the centre of the
        first pixel; ``flux``, ``flux_error`` [adu]: the sum within 2.5 FWHM and its error from the background's noise;
        ``fwhm`` [pixel]: of the Gaussian whose weight gives the star its own width; ``peak`` [adu] above the
        background; ``position_error`` [pixel]: standard error along each axis, sigma_psf / (flux / flux_error).

    Raises
    ------
    ValueError
        When the image has not two dimensions, or ``bin`` is neither 1 nor 2.

    Notes
    -----
    The windowed centroid is XWIN_IMAGE of Source Extractor. The width is the fixed point of
    s^2 = sum(w I r^2) / sum(w I) with w = exp(-r^2 / 2 s^2), which for a Gaussian is its sigma^2 (Bernstein and Jarvis
    2002, adaptive moments).
    """
    import pandas as pd  # noqa: PLC0415 - with the rest that only those wait for who look for stars

    if image.ndim != 2 or bin not in _AREA:
        raise ValueError(f"an image of {image.ndim} dimensions, searched in bins of {bin}: two are needed, and 1 or 2")
    found, background, noise = _search(image, sigma, bin, most)
    columns = _measure(image, found, background, noise * bin, saturation, bin) if len(found) else _nothing()
    table = pd.DataFrame(columns).sort_values("flux", ascending=False, ignore_index=True)
    table.attrs["units"] = dict(_UNITS)
    return table


def aperture_fluxes(
    image: NDArray[Any], x: Floats, y: Floats, radius: float, annulus: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Sum a frame within circles, less the mean of the ring about each: what a star's flux is where its place is known.

    Parameters
    ----------
    image
        Frame [adu], shape (y, x); NaN counts as no pixel.
    x, y
        Centres [pixel], shape (star,).
    radius, annulus
        Of the circle, and the inner and outer radius of the ring [pixel].

    Returns
    -------
    tuple
        Fluxes [adu], and how many pixels' area of each circle has values, both of shape (star,).
    """
    import sep  # noqa: PLC0415 - only those wait for it who look at stars

    missing = ~np.isfinite(image)
    values = np.where(missing, np.float32(0), image).astype(np.float32)
    where = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    flux, _, _ = sep.sum_circle(values, *where, radius, mask=missing, bkgann=annulus)
    area, _, _ = sep.sum_circle((~missing).astype(np.float32), *where, radius)
    return flux, area


def _search(image: NDArray[Any], sigma: float, size: int, most: int) -> tuple[NDArray[Any], Image, float]:
    """Return what SEP finds on the binned image, brightest first, its background and the noise of its pixels."""
    import sep  # noqa: PLC0415 - see above

    values = _binned(image, size)
    missing = ~np.isfinite(values)
    mask = missing if missing.any() else None
    if mask is not None:
        values[mask] = 0
    background = sep.Background(values, mask=mask, bw=_MESH // size, bh=_MESH // size)
    noise = float(background.globalrms)
    level = background.back()
    if not noise > 0:  # no noise at all is a frame of one value, or of none
        return np.empty(0), level, 0.0
    values -= level
    above = int(np.count_nonzero(values > sigma * noise))
    sep.set_extract_pixstack(max(_BUFFER, above + values.shape[1]))
    found = sep.extract(values, sigma, err=noise, mask=mask, minarea=_AREA[size], filter_kernel=None)
    found = found[found["b"] > _ROUND * found["a"]]
    return found[np.argsort(found["flux"])[::-1][:most]], level, noise


def _binned(image: NDArray[Any], size: int) -> Image:
    """Return a copy in float32, of the means of ``size`` x ``size`` pixels; a last odd row or column is left out."""
    if size == 1:
        return np.array(image, dtype=np.float32, order="C")
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    values = image[0:height:2, 0:width:2].astype(np.float32)
    for i, j in ((0, 1), (1, 0), (1, 1)):
        values += image[i:height:2, j:width:2]
    values *= np.float32(0.25)
    return values


def _nothing() -> dict[str, Floats]:
    return {name: np.empty(0) for name in _UNITS}


def _measure(
    image: NDArray[Any], found: NDArray[Any], background: Image, noise: float, saturation: float | None, size: int
) -> dict[str, Floats]:
    """Measure the stars in cut-outs; those at the frame's edge, without all pixels or of a wrong width drop out."""
    import sep  # noqa: PLC0415 - see above

    guess = _MARGIN * size * float(np.median(np.sqrt(found["a"] * found["b"])))
    half = math.ceil(_APERTURE * FWHM * guess) + 1
    x, y = (size * found[axis] + (size - 1) / 2 for axis in ("x", "y"))
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column >= half) & (column < image.shape[1] - half) & (row >= half) & (row < image.shape[0] - half)
    cuts, raw_peak = _cut_outs(image, background, row[inside], column[inside], half, size)
    whole = np.isfinite(raw_peak) & (raw_peak < (np.inf if saturation is None else saturation))
    if not whole.any():
        return _nothing()
    cuts, x, y, column, row = cuts[whole], *(values[inside][whole] for values in (x, y, column, row))
    edge = cuts.shape[1]
    corner = np.arange(len(cuts)) * edge + half  # row of each cut-out's middle, one standing below the other
    tall = cuts.reshape(-1, edge)
    x_in, y_in, _ = sep.winpos(tall, x - column + half, y - row + corner, guess / _MARGIN)
    x_in, y_in = x_in - half, y_in - corner
    width = _widths(cuts, x_in, y_in, guess, half)
    typical = float(np.median(width))
    radius = min(_APERTURE * FWHM * typical, half - 1.0)
    flux, error, _ = sep.sum_circle(tall, x_in + half, y_in + corner, radius, err=noise)
    moved = np.hypot(x_in + column - x, y_in + row - y)
    good = (width > _WIDTHS[0] * typical) & (width < _WIDTHS[1] * typical) & (flux > error)
    good &= moved < _CENTROID * FWHM * typical
    columns = {
        "x": x_in + column, "y": y_in + row, "flux": flux, "flux_error": error, "fwhm": FWHM * width,
        "peak": cuts.max(axis=(1, 2)).astype(np.float64), "position_error": width * error / np.where(good, flux, 1.0),
    }  # fmt: skip
    return {name: values[good] for name, values in columns.items()}


def _cut_outs(
    image: NDArray[Any], background: Image, row: NDArray[Any], column: NDArray[Any], half: int, size: int
) -> tuple[Image, Floats]:
    """Return squares of the frame above its background, shape (star, y, x), and their highest pixels as stored."""
    span = np.arange(-half, half + 1)
    cuts = image[(row[:, None] + span)[:, :, None], (column[:, None] + span)[:, None, :]].astype(np.float32)
    peaks = cuts.max(axis=(1, 2), initial=-np.inf)
    bottom, right = (length - 1 for length in background.shape)
    cuts -= background[np.minimum(row // size, bottom), np.minimum(column // size, right)][:, None, None]
    return cuts, peaks.astype(np.float64)


def _widths(cuts: Image, x: Floats, y: Floats, guess: float, half: int) -> Floats:
    """Return the standard deviations [pixel] of the Gaussians that have the cut-outs' weighted moments."""
    span = np.arange(-half, half + 1)
    square = (span[:, None] - y[:, None, None]) ** 2 + (span - x[:, None, None]) ** 2
    variance = np.full(len(cuts), guess**2)
    for _ in range(_MOMENTS):
        weighted = cuts * np.exp(-square / (2 * variance[:, None, None]))
        total, moment = weighted.sum(axis=(1, 2)), (weighted * square).sum(axis=(1, 2))
        sharp = 1 / FWHM**2  # a FWHM of a pixel, where the pixels are too coarse for a moment
        ratio = np.divide(moment, total, out=np.full_like(total, sharp), where=total > 0)
        variance = np.clip(ratio, sharp, float(half) ** 2)
    return np.asarray(np.sqrt(variance))
