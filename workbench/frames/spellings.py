"""Which keywords of which programs hold which quantity, the most trustworthy first.

A keyword is a FITS keyword or the id of an XISF property. Every spelling names the reader that turns its card into a
value. Spellings that mean the same are compared, and a disagreement is a conflict; ``Spelling.compared`` is False where
both may rightly differ (``INSTRUME`` and a serial number, ``EXPTIME`` and ``DARKTIME``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workbench.frames import readers as read

if TYPE_CHECKING:
    from workbench.frames.readers import Reader


class Spelling(NamedTuple):
    """One keyword for a quantity."""

    key: str
    reader: Reader
    compared: bool = True


def _same(reader: Reader, *keys: str) -> tuple[Spelling, ...]:
    return tuple(Spelling(key, reader) for key in keys)


def _first_of(reader: Reader, *keys: str) -> tuple[Spelling, ...]:
    return tuple(Spelling(key, reader, compared=False) for key in keys)


SPELLINGS: dict[str, tuple[Spelling, ...]] = {
    "kind": (
        *_same(
            read.kind,
            "IMAGETYP",
            "IMAGETYPE",
            "IMGTYPE",
            "FRAMETYP",
            "FRAMETYPE",
            "OBSTYPE",
            "OBS_TYPE",
            "TGTYPE",
            "CALFRAME",
        ),
        *_same(read.loose_kind, "FRAME", "XISF:ImageType", "imageType"),
        *_same(read.integration, "INTEGRAT"),
    ),
    "master": _same(
        read.master,
        "IMAGETYP",
        "IMAGETYPE",
        "IMGTYPE",
        "FRAMETYP",
        "CALFRAME",
        "FRAME",
        "XISF:ImageType",
        "imageType",
        "INTEGRAT",
    ),
    # before the date: a program that writes the end of the exposure needs it
    "exposure": (
        *_same(
            read.exposure_s,
            "EXPTIME",
            "EXPOSURE",
            "XPOSURE",
            "EXP",
            "EXP_TIME",
            "EXPOSED",
            "ITIME",
            "INTTIME",
            "TELAPSE",
        ),
        *_same(read.exposure_us, "EXPOINUS"),
        *_same(read.exposure_ms, "IMG_EXP", "EXPOINMS", "EXP_MS"),
        *_same(read.exposure_s, "Instrument:ExposureTime"),
        *_first_of(read.exposure_s, "DARKTIME"),
    ),
    "temperature": (
        *_same(
            read.temperature,
            "CCD-TEMP",
            "CCD_TEMP",
            "CCDTEMP",
            "DET-TEMP",
            "DET_TEMP",
            "DETTEMP",
            "SENSTEMP",
            "CHIPTEMP",
        ),
        *_same(read.temperature, "TEMPERAT", "CAMTCCD", "CAMTEMP", "CAM-TEMP", "Instrument:Sensor:Temperature"),
        *_same(read.temperature_kelvin, "CCDTEMPK", "DETTEMPK", "CCD_TMPK", "TEMPK"),
    ),
    "set_temperature": _same(
        read.temperature,
        "SET-TEMP",
        "SET_TEMP",
        "SETTEMP",
        "CCD-TSET",
        "CCDTSET",
        "TEMPSET",
        "Instrument:Sensor:TargetTemperature",
    ),
    "gain_setting": (
        *_same(read.gain_setting, "GAIN"),
        *_same(read.gain_property_setting, "Instrument:Camera:Gain"),
        *_first_of(read.setting, "ISOSPEED", "ISO", "ISO-SPD", "Instrument:Camera:ISOSpeed"),
    ),
    "offset_setting": _same(read.setting, "OFFSET", "BLKLEVEL", "Instrument:Camera:Offset"),
    "claimed_gain": (
        *_same(read.claim, "EGAIN", "CVF"),
        *_same(read.gain_claim, "GAIN"),
        *_same(read.gain_property_claim, "Instrument:Camera:Gain"),
    ),
    "camera": _first_of(
        read.text,
        "INSTRUME",
        "CAM_ID",
        "CAMMODEL",
        "CAMNAME",
        "CAMERA",
        "Instrument:Camera:Name",
        "DETECTOR",
        "DETNAM",
        "CAMERAID",
        "CAMSN",
        "CAM_SN",
    ),
    "readout_mode": _first_of(read.text, "READOUTM", "READMODE", "READ-MOD", "RDMODE", "READOUT"),
    "binning": (
        *_same(read.binning, "XBINNING", "CCDXBIN", "BINX", "XBIN", "CCDBINX", "Instrument:Camera:XBinning"),
        *_same(read.binning_text, "BINNING", "CCDSUM"),
    ),
    "bayer_pattern": (
        *_same(read.bayer, "BAYERPAT", "CFAIMAGE", "PCL:CFASourcePattern"),
        *_same(read.bayer_elsewhere, "COLORTYP", "FILTER"),
    ),
    "filter": _first_of(read.text, "FILTER", "FILTER1", "FILTERS", "Instrument:Filter:Name"),
    "date": (
        *_same(read.date_obs, "DATE-OBS", "DATE-BEG", "DATE-STA", "DATE_OBS", "UTC-OBS", "Observation:Time:Start"),
        *_first_of(read.date_obs, "IMG_TS", "DATESTRT"),
        *_first_of(read.date_avg, "DATE-AVG"),
        *_first_of(read.date_end, "DATE-END", "Observation:Time:End"),
    ),
    "stack_count": (
        *_same(read.count, "STACKCNT", "NCOMBINE", "NUMFRAME", "SNAPSHOT"),
        *_first_of(read.count_above_one, "RESTACK"),
    ),
    "software": (
        *_first_of(read.text, "SWCREATE", "CREATOR", "SOFTWARE", "PROGRAM", "XISF:CreatorApplication", "ORIGIN"),
        *_first_of(read.generated_by, "COMMENT", "HISTORY"),
    ),
    "pixel_size": (
        *_same(read.size, "XPIXSZ", "XPIXELSZ", "Instrument:Sensor:XPixelSize"),
        *_same(read.unbinned_size, "PIXSIZE1"),
    ),
    "saturation_claim": (
        *_first_of(read.positive, "SATURATE", "SATLEVEL"),
        *_first_of(read.full_scale, "DATAMAX"),
    ),
    "object": _first_of(read.text, "OBJECT", "Observation:Object:Name", "FIELD"),
}
