"""The header of a master: built from what its frames have in common and how they were combined, copied from none."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from astropy.io import fits

from workbench import __version__
from workbench.frames.formats import read_frame_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.frames.formats import Card
    from workbench.results import Verdict
    from workbench.stack.noise_evaluation import NoiseEvaluation
    from workbench.stack.recipe import Recipe

    Columns: TypeAlias = pd.DataFrame | Mapping[str, NDArray[Any]]

__all__ = ["FRAME_TYPES", "MADE_BY", "date_text", "master_header", "row_order", "text_card"]

MADE_BY = "dark-frame workbench"
FRAME_TYPES = {
    "bias": "Master Bias",
    "dark": "Master Dark",
    "darkflat": "Master Dark Flat",
    "flat": "Master Flat",
    "light": "Master Light",
}
_LIBRARIES = {"NUMPYVER": "numpy", "NUMBAVER": "numba", "ASTROVER": "astropy"}
_LIMITS = {"low": "REJLOW", "high": "REJHIGH", "cutoff": "REJCUT", "fraction": "REJFRAC", "alpha": "REJALPHA"}
_MJD_ZERO = np.datetime64("1858-11-17", "us")
# keyword, column of the catalogue, comment: written where every frame says the same
_COMMON = (
    ("INSTRUME", "camera", "camera"),
    ("READOUTM", "readout_mode", "readout mode"),
    ("GAIN", "gain_setting", "gain setting of the driver"),
    ("OFFSET", "offset_setting", "offset setting of the driver"),
    ("EGAIN", "claimed_gain", "[electron/adu] gain that the frames claim"),
    ("SET-TEMP", "set_temperature", "[degC] set point of the cooler"),
    ("XPIXSZ", "pixel_size", "[um] pixel pitch"),
    ("YPIXSZ", "pixel_size", "[um] pixel pitch"),
    ("BAYERPAT", "bayer_pattern", "colours of the sensor"),
    ("FILTER", "filter", "filter"),
)


def master_header(
    rows: Columns,
    recipe: Recipe,
    facts: Mapping[str, Any],
    *,
    bias_inside: bool | None,
    verdict: Verdict | None,
    noise: NoiseEvaluation | None,
) -> fits.Header:
    """Write what a master has to say of itself.

    Parameters
    ----------
    rows
        Of the catalogue, or columns as it has them: the frames that were combined.
    recipe
        How.
    facts
        Further keywords with ``(value, comment)``: what combining gave.
    bias_inside
        Whether the bias is still in the pixels; None when nobody knows.
    verdict
        May a dark like this be scaled (``dark_scaling``); None writes nothing of it.
    noise
        Of the master from pixel to pixel.

    Returns
    -------
    astropy.io.fits.Header
        Without the cards that describe the array. It holds no time of writing: equal frames make equal masters.
    """
    header = fits.Header()
    header["EXTNAME"] = ("SCI", "the combined pixels")
    header["BUNIT"] = ("adu", "as the frames are stored")
    header["IMAGETYP"] = (FRAME_TYPES[str(_column(rows, "kind")[0])], "type of frame")
    n_frames = len(rows["file"])
    header["NCOMBINE"] = (n_frames, "frames combined")
    header["STACKCNT"] = (n_frames, "frames combined")
    for card in (*_times(rows), *_temperatures(rows), *_common(rows), *_recipe_cards(recipe)):
        header.append(card)
    for key, (value, comment) in facts.items():
        header[key] = (value, comment)
    if noise is not None:
        header["NOISE"] = (_short(noise.sigma), "[adu] from pixel to pixel")
        header["NOISEMET"] = (noise.method, "how it was evaluated")
    header["BIASIN"] = (fits.card.UNDEFINED if bias_inside is None else bias_inside, "is the bias in the pixels?")
    if verdict is not None:
        scalable = {"scale": True, "match": False}.get(str(verdict.value), fits.card.UNDEFINED)
        header["SCALABLE"] = (scalable, "may it be scaled to other exposures?")
        header["SCALREAS"] = text_card(verdict.reason)
    header["PROGRAM"] = (f"{MADE_BY} {__version__}", "what combined the frames")
    for key, library in _LIBRARIES.items():
        header[key] = (version(library), f"version of {library}")
    header["HISTORY"] = f"{n_frames} frames combined: {recipe.words}"
    header["HISTORY"] = "the table INPUTS names them, with sha256 and DATASUM of each"
    return header


def text_card(text: str) -> str:
    """Return text as a card can hold it: printable ASCII.

    Examples
    --------
    >>> text_card("-10 °C")
    '-10 ?C'
    """
    ascii_text = " ".join(text.split()).encode("ascii", "replace").decode()
    return "".join(one if one.isprintable() else "?" for one in ascii_text)


def _short(value: float) -> float:
    """Return a number with seven digits: more are no knowledge, and crowd a card."""
    return float(f"{value:.7g}")


def date_text(moment: np.datetime64) -> str:
    """Write a date (UTC) as FITS does, to the millisecond; nothing where it is not known."""
    return "" if np.isnat(moment) else str(np.datetime_as_string(moment, unit="ms"))


def _column(rows: Columns, name: str) -> NDArray[Any]:
    return np.asarray(rows[name])


def _times(rows: Columns) -> Iterator[fits.Card]:
    every = _column(rows, "exposure").astype(np.float64)
    known = every[np.isfinite(every)]
    if known.size:
        alike = math.isclose(known.min(), known.max(), rel_tol=1e-9)
        comment = "[s] exposure of one frame" if alike else "[s] exposure of one frame, mean"
        yield fits.Card("EXPTIME", float(known[0]) if alike else _short(known.mean()), comment)
        if not alike:
            yield fits.Card("EXPMIN", float(known.min()), "[s] shortest of them")
            yield fits.Card("EXPMAX", float(known.max()), "[s] longest of them")
    dates = _column(rows, "date").astype("datetime64[us]")
    if not np.isnat(dates).all():
        last = int(np.argmax(np.where(np.isnat(dates), dates[~np.isnat(dates)].min(), dates)))
        yield from _moment("OBS", dates[~np.isnat(dates)].min(), "UTC start of the first frame")
        if np.isfinite(every[last]):
            end = dates[last] + np.timedelta64(round(1e6 * every[last]), "us")
            yield from _moment("END", end, "UTC end of the last frame")


def _moment(name: str, moment: np.datetime64, comment: str) -> Iterator[fits.Card]:
    """Write a date twice: programs that look for celestial coordinates complain where the number is missing."""
    yield fits.Card(f"DATE-{name}", date_text(moment), comment)
    yield fits.Card(f"MJD-{name}", round(float((moment - _MJD_ZERO) / np.timedelta64(1, "D")), 8), "the same [d]")


def _temperatures(rows: Columns) -> Iterator[fits.Card]:
    every = _column(rows, "temperature").astype(np.float64)
    known = every[np.isfinite(every)]
    if not known.size:
        return
    mean = float(f"{known.mean():.4f}")
    of = "" if known.size == every.size else f" of {known.size} frames"
    yield fits.Card("CCD-TEMP", mean, "[degC] temperature of the sensor, mean")
    yield fits.Card("TEMPMEAN", mean, f"[degC] mean temperature{of}")
    yield fits.Card("TEMPRMS", float(f"{known.std():.4f}"), "[degC] rms about that mean")


def _common(rows: Columns) -> Iterator[fits.Card]:
    for key, column, comment in _COMMON:
        first, *others = _column(rows, column).tolist()
        known = first is not None and first == first  # noqa: PLR0124 - what is not known of a number is NaN
        if known and all(value == first for value in others):
            yield fits.Card(key, _plain(first), comment)
    binning = _column(rows, "binning")[0]
    if isinstance(binning, str):
        for key, number, axis in zip(("XBINNING", "YBINNING"), binning.split("x"), ("columns", "rows"), strict=True):
            yield fits.Card(key, int(number), f"binning across {axis}")
    known_orders = rows["row_order"] if "row_order" in rows else (row_order(_cards(path)) for path in rows["path"])
    orders = set(known_orders)
    if len(orders) == 1 and (order := orders.pop()):
        yield fits.Card("ROWORDER", text_card(order), "as in the frames")


def row_order(cards: Sequence[Card]) -> str:
    """Return what the catalogue does not read, and some programs need to find the colours."""
    return next((card.text.strip() for card in cards if card.key == "ROWORDER"), "")


def _cards(path: str) -> Sequence[Card]:
    return read_frame_file(path).cards


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return text_card(value)
    return int(value) if float(value).is_integer() else float(value)


def _recipe_cards(recipe: Recipe) -> Iterator[fits.Card]:
    yield fits.Card("COMBMETH", recipe.method, "how samples of a pixel were combined")
    yield fits.Card("REJMETH", recipe.rejection.name, "how samples were rejected")
    for name, value in asdict(recipe.rejection).items():
        if value is not None:
            shown = value if math.isfinite(value) else "none"
            yield fits.Card(_LIMITS[name], shown, f"its {name} limit" if name in ("low", "high") else f"its {name}")
    yield fits.Card("NORMOUT", recipe.normalisation, "normalisation before combining")
    yield fits.Card("NORMREJ", recipe.rejection_normalisation, "normalisation before rejecting")
    weights = recipe.weights if isinstance(recipe.weights, str) else "given"
    yield fits.Card("WEIGHTS", weights, "weights of the frames")
    for key, limit, sign in (("RANGELOW", recipe.range_low, "<="), ("RANGEHI", recipe.range_high, ">=")):
        if limit is not None and math.isfinite(limit):
            yield fits.Card(key, limit, f"[adu] samples {sign} this were rejected")
    yield fits.Card("RECIPE", json.dumps(recipe.to_dict(), separators=(",", ":")), "")
