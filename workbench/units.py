"""The vocabulary: one name and one unit for each quantity, in code, columns, JSON and notebooks.

Units are astropy unit *strings*. xarray keeps ``attrs`` through arithmetic, so an inherited unit is silently wrong:
every public function sets the unit of what it returns with :func:`set_units`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Term:
    """One line of the nomenclature: a name, its unit and its meaning."""

    name: str
    unit: str
    meaning: str


_TERMS = (
    # what a frame is
    Term("exposure", "s", "requested exposure time of a frame"),
    Term("temperature", "deg_C", "temperature measured at the sensor"),
    Term("set_temperature", "deg_C", "set point of the cooler"),
    Term("gain_setting", "1", "the driver's gain number, never a physical gain"),
    Term("offset_setting", "1", "the driver's offset number"),
    Term("signal", "adu", "pixel values as stored"),
    # what a camera is
    Term("gain", "electron / adu", "electrons per adu of the file"),
    Term("native_gain", "electron / adu", "electrons per step of the ADC"),
    Term("lattice", "adu", "greatest common divisor of the stored values: 16 for 12 bits in 16"),
    Term("read_noise", "electron", "rms noise per pixel and read"),
    Term("bias_level", "adu", "mean of a frame without light and without exposure"),
    Term("offset_drift", "adu", "rms of the frame mean from frame to frame"),
    Term("saturation", "adu", "the value at which pixels stop counting"),
    Term("full_well", "electron", "electrons between the bias level and saturation"),
    Term(
        "linearity_error", "1", "greatest bow of the flat signal off a straight line, as a fraction of the fitted range"
    ),
    Term("dynamic_range", "1", "full well over read noise"),
    # what the dark does
    Term("dark_mean", "adu", "mean of a dark frame"),
    Term("dark_signal", "electron", "thermal electrons, and glow where it is not masked, per pixel"),
    Term("dark_current", "electron / s", "thermal electrons, and glow where it is not masked, per pixel and second"),
    Term("dark_current_typical", "electron / s", "median of the dark current map, glow and hot pixels left out"),
    Term("dark_mean_rate", "adu / s", "change of the dark mean with exposure"),
    Term("dark_variance_rate", "adu2 / s", "growth of the temporal variance of a dark with exposure"),
    Term("variance", "adu2", "temporal variance per pixel, frame means removed, ddof 1"),
    Term("glow_exponent", "1", "exponent of the glow's growth with exposure"),
    Term("hot_pixel_fraction", "1", "share of pixels above 5 times the typical dark current"),
    Term("telegraph_fraction", "1", "share of pixels that jump between levels"),
    Term("cosmic_ray_rate", "1 / (min cm2)", "cosmic ray hits on the sensor"),
    Term("doubling_temperature", "K", "warming that doubles the dark current, at a stated temperature"),
    Term("activation_energy", "eV", "Arrhenius energy of the dark current"),
)

NOMENCLATURE: dict[str, Term] = {term.name: term for term in _TERMS}


def unit_of(name: str) -> str:
    """Return the unit string of a quantity of the nomenclature.

    Raises
    ------
    KeyError
        When the name is not in the nomenclature.

    Examples
    --------
    >>> unit_of("dark_current")
    'electron / s'
    """
    return NOMENCLATURE[name].unit


def set_units(array: xr.DataArray, unit: str, *, long_name: str) -> xr.DataArray:
    """Return a copy of ``array`` whose attributes are just this unit and this name.

    Parameters
    ----------
    array
        Any shape; its values are shared, its attributes are not.
    unit
        An astropy unit string, such as ``"adu"`` or ``"electron / s"``.
    long_name
        The label of an axis or a colour bar.
    """
    labelled = array.copy(deep=False)
    labelled.attrs = {"units": unit, "long_name": long_name}
    return labelled
