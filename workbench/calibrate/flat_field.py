"""A master flat as calibration divides by it: without its bias, its mean over the pixels whose response it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.calibrate.light_rules import check_pair
from workbench.calibrate.master_frame import as_master
from workbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.calibrate.master_frame import MasterFrame

    Plane = NDArray[Any]

__all__ = ["LEAST_RESPONSE", "LEAST_SURE", "MASKED", "MASKED_CARD", "FlatField", "check_bias_of_flat", "flat_field"]

LEAST_RESPONSE = 0.05  # of the mean: what is darker would be brightened, with its noise, more than twenty times
LEAST_SURE = 5.0  # standard errors of the flat itself: what is fainter would be more than a fifth off
_SHARE = f"{100 * LEAST_RESPONSE:g} %"
MASKED = f"less than {_SHARE} of the mean response, or than {LEAST_SURE:g} times its standard error"
MASKED_CARD = f"NaN: flat below {_SHARE} of its mean or {LEAST_SURE:g} errors"  # as much as a card holds
_MOST_MASKED = 0.5  # of the pixels: more without response are no flat
_SAME_EXPOSURE = 0.1  # relative, between a flat and its darkflat; the dark signal of seconds is nothing
_SHORT = 10.0  # s: below, the dark signal is small beside a flat's light


@dataclass(frozen=True, eq=False)
class FlatField:
    """The response of every pixel.

    Parameters
    ----------
    master
        The flat.
    response
        Shape (y, x), the bias removed [adu]; where colours are scaled apart, over the mean of each colour. 0 where it
        is masked.
    mean
        Of the response over the pixels that are not masked.
    n_masked
        Pixels that are masked, for they tell nothing of the light: those that have less than 5 % of the mean response
        (of their colour, on a Bayer sensor), or less than 5 times its standard error where that is known. The response
        of dead pixels is noise about 0, on either side.
    bias
        What was subtracted from the flat; None when nothing was.
    """

    master: MasterFrame
    response: Plane
    mean: float
    n_masked: int
    bias: MasterFrame | None = None

    @property
    def name(self) -> str:
        """File of the flat."""
        return self.master.name

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.master.shape

    def normalised(self) -> NDArray[np.float64]:
        """Return the response with mean 1, NaN where it is masked."""
        values = np.where(self.response > 0, self.response, np.nan) / self.mean
        return np.asarray(values, np.float64)


def flat_field(flat: Any, *, bias: Any = None, by_colour: bool | None = None) -> FlatField:
    """Prepare a master flat for division.

    Parameters
    ----------
    flat
        A :class:`FlatField`, or a master flat in any form that :func:`as_master` takes; its level does not matter.
    bias
        Master bias or darkflat, to be subtracted where the flat still holds its bias.
    by_colour
        Give every colour of a Bayer sensor a mean of its own, so that lights keep their white balance; by default where
        the master names a Bayer pattern. The reference program of 2017 used one mean for all.

    Raises
    ------
    InputError
        When the flat still holds its bias and none is given, or its bias would go twice; when the bias is of another
        camera or setting, or a dark of another exposure; when more than half of its pixels would be masked.
    """
    if isinstance(flat, FlatField):
        return flat
    master = as_master(flat, "flat")
    base = None if bias is None else as_master(bias, "bias")
    check_bias_of_flat(master, base)
    response = master.signal
    if base is not None:
        check_pair(master, base)
        response = response.astype(np.float64) - base.signal
    apart = bool(master.bayer_pattern) if by_colour is None else by_colour
    good = _telling(
        response, [one for one in (master, base) if one is not None], 2 if apart or master.bayer_pattern else 1
    )
    n_masked = int(good.size - np.count_nonzero(good))
    _check_masked(master.name, response, n_masked)
    if n_masked:
        response = np.where(good, response, 0)
    if apart:
        return FlatField(master, _by_colour(response, good), 1.0, n_masked, base)
    mean = float(np.mean(response, where=good, dtype=np.float64))
    return FlatField(master, response, mean, n_masked, base)


def _telling(response: Plane, masters: Sequence[MasterFrame], step: int) -> NDArray[np.bool_]:
    """Mark the pixels whose response the flat tells; every ``step`` pixels each way they are of one colour."""
    good = np.asarray(response > 0)
    for colour in _colours(step):
        if good[colour].any():
            mean = np.mean(response[colour], where=good[colour], dtype=np.float64)
            good[colour] &= response[colour] >= LEAST_RESPONSE * mean
    errors = [one.std_error for one in masters if one.std_error is not None]
    if errors:
        sigma = np.sqrt(sum(np.square(one.astype(np.float64)) for one in errors))
        good &= ~(response < LEAST_SURE * sigma)  # of one sample no error is known, which forbids nothing
    return good


def _check_masked(name: str, response: Plane, n_masked: int) -> None:
    if n_masked <= _MOST_MASKED * response.size:
        return
    none = response.size - int(np.count_nonzero(response > 0))
    if none > _MOST_MASKED * response.size:
        rule = f"{none} of its {response.size} pixels are not above 0"
        raise InputError(name, rule, "subtract the bias that belongs to it, and once only")
    rule = f"{n_masked} of its {response.size} pixels have {MASKED}"
    raise InputError(name, rule, "shoot flats that have light all over, and more of them")


def _by_colour(response: Plane, good: NDArray[np.bool_]) -> Plane:
    scaled = response.astype(np.float64)
    for colour in _colours(2):
        if good[colour].any():
            scaled[colour] /= np.mean(scaled[colour], where=good[colour])
    return scaled


def _colours(step: int) -> Iterator[tuple[slice, ...]]:
    return (tuple(slice(start, None, step) for start in place) for place in np.ndindex(step, step))


def check_bias_of_flat(flat: MasterFrame, bias: MasterFrame | None) -> None:
    """Refuse a bias that does not belong to a flat, goes twice, or is missing."""
    if flat.bias_inside is None:
        rule = "does not say whether the bias is still in its pixels"
        raise InputError(flat.name, rule, "say it: as_master(file, 'flat', bias_inside=False)")
    if bias is None:
        if flat.bias_inside:
            rule = "still holds its bias: dividing by it corrects too little"
            raise InputError(flat.name, rule, "give its master bias or darkflat (flat_bias)")
        return
    if not flat.bias_inside:
        rule = f"its bias was subtracted already: {bias.name} would be subtracted a second time"
        raise InputError(flat.name, rule, "leave flat_bias out")
    if bias.bias_inside is False:
        raise InputError(bias.name, "holds no bias to subtract from the flat", "give a master of raw bias frames")
    if bias.kind == "bias" or bias.exposure is None:
        return
    longest = max(_SHORT if flat.exposure is None else flat.exposure * (1 + _SAME_EXPOSURE), 0.0)
    if bias.exposure > longest:
        of = "of no known exposure" if flat.exposure is None else f"of {flat.exposure:g} s"
        rule = f"is a {bias.kind} of {bias.exposure:g} s, and the flats are {of}: it takes too much from them"
        raise InputError(bias.name, rule, "give the master bias, or darkflats of the flats' exposure")
