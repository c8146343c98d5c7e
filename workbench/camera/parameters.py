"""The sensor's parameters: every term of the frame model with its unit, its legal range and how to switch it off."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import TYPE_CHECKING, Any

from workbench.camera.manifests import Quantity, camera_path, read_quantities
from workbench.errors import InputError, ManifestError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


def term(default: float | None, unit: str, low: float = 0.0, high: float = inf) -> Any:
    """Describe one parameter: its neutral value (None where it must be given), its unit and its legal range."""
    metadata = {"unit": unit, "low": low, "high": high}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)


def check_ranges(label: str, described: Any) -> None:
    """Refuse the first value of a dataclass that is outside the range which its :func:`term` gives.

    Raises
    ------
    InputError
        The message begins with the label, and names the value and its range.
    """
    for item in fields(described):
        if "low" not in item.metadata:
            continue
        value, low, high = getattr(described, item.name), item.metadata["low"], item.metadata["high"]
        if not low <= value <= high:
            given = f"{item.name} = {value} {item.metadata['unit']} is not within {low:g} to {high:g}"
            raise InputError(label, given, "give a value in that range")


# what each term is without its effect; a term may be several parameters
TERMS_OFF: dict[str, dict[str, Any]] = {
    "fixed_pattern": {"pixel_pattern": 0.0, "row_pattern": 0.0, "column_pattern": 0.0},
    "clamp": {"clamp_share": 0.0},
    "overscan": {"overscan_columns": 0},
    "drift": {"drift": 0.0},
    "dark_current": {"dark_current": 0.0, "hot_fraction": 0.0, "dark_telegraph_fraction": 0.0},
    "dark_spread": {"dark_spread": 0.0},
    "hot_pixels": {"hot_fraction": 0.0},
    "glow": {"glow_linear": 0.0, "glow_quadratic": 0.0},
    "read_noise": {"read_noise": 0.0, "row_noise": 0.0, "read_telegraph_fraction": 0.0},
    "read_noise_spread": {"read_noise_spread": 0.0},
    "row_noise": {"row_noise": 0.0},
    "read_telegraph": {"read_telegraph_fraction": 0.0},
    "dark_telegraph": {"dark_telegraph_fraction": 0.0},
    "dead_pixels": {"dead_fraction": 0.0},
    "cosmic_rays": {"cosmic_ray_rate": 0.0},
    "prnu": {"prnu": 0.0},
    "vignetting": {"vignetting": 0.0},
    "dust": {"dust": 0},
    "well": {"well_capacity": inf},
}


@dataclass(frozen=True)
class Sensor:
    """Everything that makes one model of camera; :class:`workbench.camera.sensor.Camera` realises one specimen of it.

    Only the first five have no neutral value: a ``Sensor`` of these alone counts photons, without offset, noise, dark
    current or defects. ``dataclasses.replace`` changes a value, :meth:`without` switches whole terms off.

    Parameters
    ----------
    name
        What the capture program calls the camera.
    shape
        (rows, columns) of the light-sensitive pixels.
    pixel_size
        Pixel pitch [um].
    adc_bits
        Bits of the ADC, 8 to 16, written to the top of 16: the lattice is ``2**(16 - adc_bits)`` adu.
    native_gain
        Electrons per ADC step [electron / adu]; the file's gain is ``native_gain / lattice``.
    bias_level
        Mean offset [adu].
    pixel_pattern, row_pattern, column_pattern
        Rms of the offset's fixed pattern from pixel to pixel, from row to row and from column to column [adu].
    drift
        Rms of the ADC reference from frame to frame [adu].
    drift_correlation
        Correlation of the drift between consecutive frames of a session, 0 to just below 1.
    clamp_share
        Share of the shielded pixels' mean signal that the optical-black clamp subtracts: 0 no clamp, 1 all of it.
    shielded_dark_ratio
        Mean dark current of the shielded pixels over that of the frame.
    overscan_columns
        Columns after the last light-sensitive one that hold offset, drift and read noise only.
    read_noise
        Median over the pixels of the rms read noise [electron].
    read_noise_spread
        Standard deviation of its natural logarithm over the pixels.
    row_noise
        Rms of the noise that the pixels of a row share in one read, drawn anew for every row and frame [electron].
    read_telegraph_fraction, read_telegraph_amplitude, read_telegraph_duty
        Share of pixels whose level jumps from read to read, the median height of the jump [electron] (log-normal,
        spread 0.5) and the share of reads in the upper level. The offset stays the mean of both levels.
    read_telegraph_three_levels
        Share of these pixels that hold two such traps of one height, and so three levels.
    reference_temperature
        Temperature to which the dark currents refer [deg_C].
    dark_current
        Mean dark current of the normal pixels [electron / s].
    dark_spread
        Standard deviation of its natural logarithm over the pixels.
    dark_energy
        Arrhenius energy of the normal pixels [eV].
    hot_fraction, hot_current, hot_spread, hot_energy
        Share of hot pixels, the median of the current that they have on top [electron / s], the standard deviation of
        its natural logarithm, and its Arrhenius energy [eV].
    dark_telegraph_fraction, dark_telegraph_current, dark_telegraph_duty, dark_telegraph_dwell
        Share of pixels whose dark current switches during an exposure, the current that the upper state adds
        [electron / s] (with the energy of hot pixels), the share of time in it, and its correlation time [s].
    dead_fraction
        Share of pixels that gather no electrons: neither light nor dark current nor hits; they are read like others.
    glow_linear, glow_quadratic
        Growth of the amp glow with exposure [electron / s] and its square [electron / s2], mean over the living pixels.
    glow_row, glow_column
        Where the glow comes from, as fractions of the rows and columns: (0, 1) is the end of the first row.
    glow_reach
        Distance over which the glow falls by e, as a fraction of the number of columns.
    glow_shielded
        Glow of the shielded pixels over the mean of the frame: above 1 the dark mean falls with exposure.
    cosmic_ray_rate
        Hits per cm2 and minute.
    prnu
        Rms of the pixels' response to light, as a fraction.
    vignetting
        Loss of light at the corners, as a fraction; it grows with the square of the distance from the centre.
    dust, dust_depth, dust_radius
        Number of dust grains whose shadows fall on the sensor, the median share of light that a shadow takes and its
        median radius [pixel]; both are log-normal with a spread of 0.3.
    well_capacity
        Electrons that a pixel holds at most.
    gain_setting, offset_setting, readout_mode
        What the driver says in the header; no physics hangs on them.
    claimed_gain
        The header's EGAIN [electron / adu]; 0 where the driver claims none.
    """

    name: str
    shape: tuple[int, int]
    pixel_size: float = term(None, "um")
    adc_bits: int = term(None, "bit", 8, 16)
    native_gain: float = term(None, "electron / adu")
    bias_level: float = term(0.0, "adu", 0.0, 65535.0)
    pixel_pattern: float = term(0.0, "adu")
    row_pattern: float = term(0.0, "adu")
    column_pattern: float = term(0.0, "adu")
    drift: float = term(0.0, "adu")
    drift_correlation: float = term(0.0, "1", 0.0, 0.999)
    clamp_share: float = term(0.0, "1", 0.0, 1.0)
    shielded_dark_ratio: float = term(1.0, "1")
    overscan_columns: int = term(0, "pixel")
    read_noise: float = term(0.0, "electron")
    read_noise_spread: float = term(0.0, "1")
    row_noise: float = term(0.0, "electron")
    read_telegraph_fraction: float = term(0.0, "1", 0.0, 1.0)
    read_telegraph_amplitude: float = term(0.0, "electron")
    read_telegraph_duty: float = term(0.5, "1", 0.01, 0.99)
    read_telegraph_three_levels: float = term(0.0, "1", 0.0, 1.0)
    reference_temperature: float = term(-20.0, "deg_C", -150.0, 60.0)
    dark_current: float = term(0.0, "electron / s")
    dark_spread: float = term(0.0, "1")
    dark_energy: float = term(0.6, "eV")
    hot_fraction: float = term(0.0, "1", 0.0, 1.0)
    hot_current: float = term(0.0, "electron / s")
    hot_spread: float = term(0.0, "1")
    hot_energy: float = term(0.6, "eV")
    dark_telegraph_fraction: float = term(0.0, "1", 0.0, 1.0)
    dark_telegraph_current: float = term(0.0, "electron / s")
    dark_telegraph_duty: float = term(0.5, "1", 0.01, 0.99)
    dark_telegraph_dwell: float = term(300.0, "s", 1.0)
    dead_fraction: float = term(0.0, "1", 0.0, 1.0)
    glow_linear: float = term(0.0, "electron / s")
    glow_quadratic: float = term(0.0, "electron / s2")
    glow_row: float = term(0.0, "1", 0.0, 1.0)
    glow_column: float = term(1.0, "1", 0.0, 1.0)
    glow_reach: float = term(0.12, "1", 0.01, 10.0)
    glow_shielded: float = term(1.0, "1")
    cosmic_ray_rate: float = term(0.0, "1 / (min cm2)")
    prnu: float = term(0.0, "1", 0.0, 0.2)
    vignetting: float = term(0.0, "1", 0.0, 1.0)
    dust: int = term(0, "1")
    dust_depth: float = term(0.03, "1", 0.0, 0.3)
    dust_radius: float = term(12.0, "pixel", 1.0)
    well_capacity: float = term(inf, "electron")
    gain_setting: int = term(0, "1")
    offset_setting: int = term(0, "1")
    readout_mode: str = ""
    claimed_gain: float = term(0.0, "electron / adu")

    def __post_init__(self) -> None:
        check_ranges(f"sensor {self.name}", self)
        for name, value in (
            ("pixel_size", self.pixel_size),
            ("native_gain", self.native_gain),
            ("shape", min(self.shape)),
        ):
            if value <= 0:
                raise InputError(f"sensor {self.name}", f"{name} = {value} is not above 0", "give a positive value")

    @classmethod
    def from_manifest(cls, name: str | Path) -> Self:
        """Read a camera of ``data_manifests/cameras`` by its name, or any camera manifest by its path.

        Raises
        ------
        ManifestError
            When there is no such camera, or its manifest breaks a rule.
        """
        path = camera_path(name)
        legal = {item.name: Quantity(str(item.type), item.metadata.get("unit")) for item in fields(cls)}
        values = read_quantities(path, legal)
        missing = [key for key in ("name", "shape", "pixel_size", "adc_bits", "native_gain") if key not in values]
        if missing:
            raise ManifestError(path, f"has no [{missing[0]}]", "every camera manifest must give it")
        try:
            return cls(**values)
        except InputError as error:
            raise ManifestError(path, error.rule, error.next_step) from error

    def without(self, *terms: str) -> Self:
        """Return this sensor with whole terms switched off.

        Parameters
        ----------
        *terms
            Names of :data:`TERMS_OFF`, such as ``"clamp"``, ``"glow"``, ``"drift"``, ``"cosmic_rays"``; or
            ``"lattice"``, which gives the ADC 16 bits and keeps the file's gain.

        Raises
        ------
        InputError
            When there is no such term.

        Examples
        --------
        >>> sensor = Sensor("sketch", (4, 4), 3.8, 12, 0.5, clamp_share=1.0, drift=2.0)
        >>> quiet = sensor.without("clamp", "drift", "lattice")
        >>> quiet.clamp_share, quiet.drift, quiet.native_gain, quiet.lattice
        (0.0, 0.0, 0.03125, 1)
        """
        off: dict[str, Any] = {}
        for term in terms:
            if term == "lattice":
                off |= {"adc_bits": 16, "native_gain": self.gain}
            elif term in TERMS_OFF:
                off |= TERMS_OFF[term]
            else:
                raise InputError(term, "is no term of the sensor", f"choose from lattice, {', '.join(TERMS_OFF)}")
        return replace(self, **off)

    @property
    def lattice(self) -> int:
        """Step of the stored values [adu]."""
        return 1 << (16 - self.adc_bits)

    @property
    def gain(self) -> float:
        """Electrons per adu of the file."""
        return self.native_gain / self.lattice

    @property
    def adc_top(self) -> int:
        """Greatest value that the ADC writes [adu]."""
        return ((1 << self.adc_bits) - 1) * self.lattice

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(rows, columns) of a frame, overscan included."""
        return self.shape[0], self.shape[1] + self.overscan_columns
