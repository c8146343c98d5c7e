"""The header of a master: built from what its frames have in common and how they were combined, copied from none."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from astropy.io import fits

from workbench import __version__
from workbench.frames.formats import read_frame_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.results import Verdict
    from workbench.stack.noise_evaluation import NoiseEvaluation
    from workbench.stack.recipe import Recipe

__all__ = ["FRAME_TYPES", "MADE_BY", "master_header", "text_card"]

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
_MJD_ZERO = pd.Timestamp("1858-11-17")
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
    rows: pd.DataFrame,
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
        Of the catalogue: the frames that were combined.
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
    header["IMAGETYP"] = (FRAME_TYPES[str(rows["kind"].iloc[0])], "type of frame")
    header["NCOMBINE"] = (len(rows), "frames combined")
    header["STACKCNT"] = (len(rows), "frames combined")
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
    header["HISTORY"] = f"{len(rows)} frames combined: {recipe.words}"
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


def _times(rows: pd.DataFrame) -> Iterator[fits.Card]:
    exposures = rows["exposure"].dropna()
    if len(exposures):
        alike = math.isclose(exposures.min(), exposures.max(), rel_tol=1e-9)
        comment = "[s] exposure of one frame" if alike else "[s] exposure of one frame, mean"
        yield fits.Card("EXPTIME", float(exposures.iloc[0]) if alike else _short(exposures.mean()), comment)
        if not alike:
            yield fits.Card("EXPMIN", float(exposures.min()), "[s] shortest of them")
            yield fits.Card("EXPMAX", float(exposures.max()), "[s] longest of them")
    dates = rows[rows["date"].notna()].sort_values("date")
    if len(dates):
        last = dates.iloc[-1]
        yield from _moment("OBS", dates["date"].iloc[0], "UTC start of the first frame")
        if pd.notna(last["exposure"]):
            end = last["date"] + pd.Timedelta(seconds=float(last["exposure"]))
            yield from _moment("END", end, "UTC end of the last frame")


def _moment(name: str, moment: pd.Timestamp, comment: str) -> Iterator[fits.Card]:
    """Write a date twice: programs that look for celestial coordinates complain where the number is missing."""
    yield fits.Card(f"DATE-{name}", str(moment.isoformat(timespec="milliseconds")), comment)
    days = (moment - _MJD_ZERO) / pd.Timedelta(days=1)
    yield fits.Card(f"MJD-{name}", round(days, 8), "the same [d]")


def _temperatures(rows: pd.DataFrame) -> Iterator[fits.Card]:
    known = rows["temperature"].dropna().to_numpy(np.float64)
    if not known.size:
        return
    mean = float(f"{known.mean():.4f}")
    of = "" if known.size == len(rows) else f" of {known.size} frames"
    yield fits.Card("CCD-TEMP", mean, "[degC] temperature of the sensor, mean")
    yield fits.Card("TEMPMEAN", mean, f"[degC] mean temperature{of}")
    yield fits.Card("TEMPRMS", float(f"{known.std():.4f}"), "[degC] rms about that mean")


def _common(rows: pd.DataFrame) -> Iterator[fits.Card]:
    for key, column, comment in _COMMON:
        values = list(rows[column])
        if pd.notna(values[0]) and all(value == values[0] for value in values):
            yield fits.Card(key, _plain(values[0]), comment)
    binning = rows["binning"].iloc[0]
    if isinstance(binning, str):
        for key, number, axis in zip(("XBINNING", "YBINNING"), binning.split("x"), ("columns", "rows"), strict=True):
            yield fits.Card(key, int(number), f"binning across {axis}")
    orders = {_row_order(path) for path in rows["path"]}
    if len(orders) == 1 and (order := orders.pop()):
        yield fits.Card("ROWORDER", text_card(order), "as in the frames")


def _row_order(path: str) -> str:
    """Return what the catalogue does not read, and some programs need to find the colours."""
    return next((card.text.strip() for card in read_frame_file(path).cards if card.key == "ROWORDER"), "")


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
