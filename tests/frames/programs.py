"""One header of every capture program, cut to the cards that matter, with what must be read from it."""

# ruff: noqa: DTZ001 - dates of the vocabulary are UTC and carry no zone
from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import numpy as np

from workbench.frames.formats import Card

_LINE = re.compile(r"(?:HIERARCH )?([^=]+?)\s*=\s*(?:'((?:[^']|'')*)'|([^/]*?))\s*(?:/\s?(.*))?$")


def cards(text):
    """Read lines such as ``EXPTIME = 1.0 / [s] Exposure`` as the cards that a FITS reader makes of them."""
    made = []
    for line in text.strip("\n").splitlines():
        if line.startswith(("HISTORY ", "COMMENT ")):
            made.append(Card(line[:7], line[8:].strip(), ""))
            continue
        match = _LINE.match(line.strip())
        assert match, line
        value = match[2].rstrip() if match[2] is not None else match[3].strip()
        made.append(Card(match[1].strip(), value, (match[4] or "").strip()))
    return made


class Program(NamedTuple):
    """A header, where its file lies, what it says, and which quantities of it are guesses."""

    header: str
    path: str
    expected: dict
    guesses: tuple = ()


PROGRAMS = {
    "N.I.N.A.": Program(
        """
IMAGETYP= 'DARK'               / Type of exposure
EXPOSURE=                  1.0 / [s] Exposure duration
EXPTIME =                  1.0 / [s] Exposure duration
DATE-LOC= '2025-09-09T20:25:08.1655624' / Time of observation (local)
DATE-OBS= '2025-09-10T03:25:08.1655624' / Time of observation (UTC)
DATE-AVG= '2025-09-10T03:25:08.8793252' / Averaged midpoint time (UTC)
XBINNING=                    1 / X axis binning factor
YBINNING=                    1 / Y axis binning factor
GAIN    =                  100 / Sensor gain
OFFSET  =                   50 / Sensor gain offset
EGAIN   =    0.242862924933434 / [e-/ADU] Electrons per A/D unit
XPIXSZ  =                 3.76 / [um] Pixel X axis size
INSTRUME= 'ZWO ASI2600MC Duo'  / Imaging instrument name
CAMERAID= 'ZWOptical_ZWO ASI2600MC Duo_' / Imaging instrument identifier
SET-TEMP=                -10.0 / [degC] CCD temperature setpoint
CCD-TEMP=                -10.5 / [degC] CCD temperature
BAYERPAT= 'RGGB'               / Sensor Bayer pattern
XBAYROFF=                    0 / Bayer pattern X axis offset
YBAYROFF=                    0 / Bayer pattern Y axis offset
READOUTM= 'High Full Well'     / Sensor readout mode
FILTER  = 'Dark'               / Active filter name
FOCTEMP =                 24.5 / [degC] Focuser temperature
SWCREATE= 'N.I.N.A. 3.2.0.2008 (x64)' / Software that created this file
""",
        "2025-09-09_20-25-08_Dark_-10.50_1.00s_0001.fits",
        {
            "kind": "dark",
            "exposure": 1.0,
            "temperature": -10.5,
            "set_temperature": -10.0,
            "gain_setting": 100.0,
            "offset_setting": 50.0,
            "claimed_gain": 0.242862924933434,
            "camera": "ZWO ASI2600MC Duo",
            "readout_mode": "High Full Well",
            "binning": "1x1",
            "bayer_pattern": "RGGB",
            "filter": "Dark",
            "date": datetime(2025, 9, 10, 3, 25, 8, 165562),
            "software": "N.I.N.A. 3.2.0.2008 (x64)",
            "pixel_size": 3.76,
        },
    ),
    "Sequence Generator Pro": Program(
        """
OBJECT  = 'M57     '           / Object name
DATE-LOC= '2020-05-30T02:22:49.0968820' / Local observation date
DATE-OBS= '2020-05-30T00:22:49.0968820' / UTC observation date
IMAGETYP= 'LIGHT   '           / Type of frame
CREATOR = 'Sequence Generator Pro v3.1.0.479' / Capture software
INSTRUME= 'ZWO ASI294MC Pro'   / Instrument name
FOCTEMP =               14.162 / Focuser temperature
FILTER  = 'HaOIII  '           / Filter name
EXPOSURE=                   30 / Exposure time in seconds
CCD-TEMP=                -17.5 / Camera cooler temperature
SET-TEMP=                  -18 / Camera cooler target temperature
XBINNING=                    2 / Camera X Bin
CCDXBIN =                    2 / Camera X Bin
YBINNING=                    2 / Camera Y Bin
CCDYBIN =                    2 / Camera Y Bin
GAIN    =                  120 / Camera gain
EGAIN   =     3.99000000953674 / Electrons Per ADU
OFFSET  =                   30 / Camera offset
""",
        "M57_0001.fit",
        {
            "kind": "light",
            "exposure": 30.0,
            "temperature": -17.5,
            "set_temperature": -18.0,
            "gain_setting": 120.0,
            "offset_setting": 30.0,
            "claimed_gain": 3.99000000953674,
            "camera": "ZWO ASI294MC Pro",
            "binning": "2x2",
            "filter": "HaOIII",
            "date": datetime(2020, 5, 30, 0, 22, 49, 96882),
            "software": "Sequence Generator Pro v3.1.0.479",
            "object": "M57",
        },
    ),
    "MaxIm DL": Program(
        """
DATE-OBS= '2018-07-04T14:03:03' / [ISO 8601] UTC date/time of exposure start
EXPTIME =   3.00000000000E+002 / [sec] Duration of exposure
EXPOSURE=   3.00000000000E+002 / [sec] Duration of exposure
SET-TEMP=  -35.000000000000000 /CCD temperature setpoint in C
CCD-TEMP=  -34.993802250000002 /CCD temperature at start of exposure in C
XPIXSZ  =   7.4000000000000004 /Pixel Width in microns (after binning)
XBINNING=                    1 / Binning level along the X-axis
YBINNING=                    1 / Binning level along the Y-axis
EGAIN   =   1.2500000000000000 / Electronic gain in e-/ADU
READOUTM= 'Monochrome' /        Readout mode of image
IMAGETYP= 'Dark Frame' /        Type of image
SWCREATE= 'MaxIm DL Version 5.24 140126 0KJR5' /Name of software that created
SWMODIFY= 'MaxIm DL Version 6.00 140126 0KJR5' /Name of software that modified
PEDESTAL=                 -100 /Correction to add for zero-based ADU
INSTRUME= 'Apogee USB/Net'     / Detector instrument name
DATE    = '04/07/18'           / [old format] UTC date of exposure start
""",
        "d1.fts",
        {
            "kind": "dark",
            "exposure": 300.0,
            "temperature": -34.993802250000002,
            "set_temperature": -35.0,
            "claimed_gain": 1.25,
            "camera": "Apogee USB/Net",
            "readout_mode": "Monochrome",
            "binning": "1x1",
            "date": datetime(2018, 7, 4, 14, 3, 3),
            "software": "MaxIm DL Version 5.24 140126 0KJR5",
            "pixel_size": 7.4,
        },
    ),
    "APT": Program(
        """
OBJECT  = 'TEST    '           / The name of Object Imaged
INSTRUME= 'ZWO ASI294MC Pro'   / The model Camera used
DATE-OBS= '2018-09-17T21:04:46' / The UTC date and time at the start of the expo
HIERARCH CAMERA-DATE-OBS = '2018-09-17T21:04:46' / The UTC date and time at the
EXPTIME =                 240. / The total exposure time in seconds
XPIXSZ  =                 4.63 / Pixel width in microns (after binning)
XBINNING=                    1 / Binning factor in width
YBINNING=                    1 / Binning factor in height
EGAIN   =     1.00224268436432 / Electronic gain in e-/ADU
SWCREATE= 'Astro Photography Tool - APT v.3.54.1' / Imaging software
SNAPSHOT=                    1 / Number of images combined
SET-TEMP=                 -15. / The setpoint of the cooling in C
IMAGETYP= 'Dark Frame'         / The type of image
GAIN    =                  120 / The gain set (if supported)
""",
        "D_0001.fit",
        {
            "kind": "dark",
            "exposure": 240.0,
            "set_temperature": -15.0,
            "gain_setting": 120.0,
            "claimed_gain": 1.00224268436432,
            "camera": "ZWO ASI294MC Pro",
            "binning": "1x1",
            "date": datetime(2018, 9, 17, 21, 4, 46),
            "stack_count": 1,
            "software": "Astro Photography Tool - APT v.3.54.1",
            "pixel_size": 4.63,
            "object": "TEST",
        },
    ),
    "SharpCap": Program(
        """
SWCREATE= 'SharpCap'           /
CCD-TEMP=                 12.7 /
YBINNING=                    1 /
XBINNING=                    1 /
EXPTIME =                    2 /
GAIN    =                  300 /
BLKLEVEL=                   20 /
DATE-OBS= '2019-04-29T20:25:29.8219583' / System Clock-Frame Grabbed
XPIXSZ  =     2.90000009536743 /
INSTRUME= 'ZWO ASI290MM Mini'  /
""",
        "Capture_0001.fits",
        {
            "exposure": 2.0,
            "temperature": 12.7,
            "gain_setting": 300.0,
            "offset_setting": 20.0,
            "camera": "ZWO ASI290MM Mini",
            "binning": "1x1",
            "date": datetime(2019, 4, 29, 20, 25, 29, 821958),
            "software": "SharpCap",
            "pixel_size": 2.90000009536743,
        },
    ),
    "ASIAIR": Program(
        """
CREATOR = 'ZWO ASIAIR Plus'    / Capture software
OFFSET  =                   50 / camera offset
SET-TEMP=                  -10 / CCD temperature setpoint in degrees C
EGAIN   =    0.242862924933434 / Electronic gain in e-/ADU
XBINNING=                    1 / Camera X Bin
YBINNING=                    1 / Camera Y Bin
CCDXBIN =                    1 / Camera X Bin
CCDYBIN =                    1 / Camera Y Bin
XPIXSZ  =     3.75999999046326 / pixel size in microns (with binning)
IMAGETYP= 'Bias    '           / Type of image
STACKCNT=                  100 / Stack frames
EXPOSURE=  0.00100000004749745 / Exposure time in seconds
EXPTIME =  0.00100000004749745 / Exposure time in seconds
CCD-TEMP=    -9.80000019073486 / sensor temperature in C
DATE-OBS= '2025-07-21T12:45:55.540072' / Image exposure start time
FILTER  = 'None    '           / Filter used when taking image
INSTRUME= 'ZWO ASI2600MC Duo'  / Camera model
GUIDECAM= 'ZWO ASI220MM Mini'  / Guide camera model
BAYERPAT= 'RGGB    '           / Bayer pattern
GAIN    =                  100 / Gain Value
""",
        "MasterBias_1.0ms_-9.8C_gain100_2600MC_20250721-054720.fit",
        {
            "kind": "bias",
            "master": True,
            "exposure": 0.00100000004749745,
            "temperature": -9.80000019073486,
            "set_temperature": -10.0,
            "gain_setting": 100.0,
            "offset_setting": 50.0,
            "claimed_gain": 0.242862924933434,
            "camera": "ZWO ASI2600MC Duo",
            "binning": "1x1",
            "bayer_pattern": "RGGB",
            "filter": "None",
            "date": datetime(2025, 7, 21, 12, 45, 55, 540072),
            "stack_count": 100,
            "software": "ZWO ASIAIR Plus",
            "pixel_size": 3.75999999046326,
        },
    ),
    "Seestar": Program(
        """
CREATOR = 'ZWO Seestar S50'    / Capture software
PRODUCER= 'ZWO     '           / Powered by ZWO
PROGRAM = '4.43    '           / The name of the software task that created the
XBINNING=                    1 / Camera X Bin
YBINNING=                    1 / Camera Y Bin
IMAGETYP= 'Light   '           / Type of image
STACKCNT=                  187 / Stack frames
EXPOSURE=                  10. / Exposure time in seconds
EXPTIME =                  10. / Exposure time in seconds
CCD-TEMP=               21.875 / sensor temperature in C
DATE-OBS= '2025-05-13T22:48:35.751879' / Image created time
FILTER  = 'IRCUT   '           / Filter used when taking image
INSTRUME= 'Seestar S50'        / Camera model
BAYERPAT= 'GRBG    '           / Bayer pattern
GAIN    =                   80 / Gain Value
OBJECT  = 'NGC 6027A'          / name or catalog number of object being imaged
TOTALEXP=                1870. / Total Exposure Time in seconds
""",
        "Stacked_187_NGC 6027A_10.0s_IRCUT_20250513-224835.fit",
        {
            "kind": "light",
            "master": True,
            "exposure": 10.0,
            "temperature": 21.875,
            "gain_setting": 80.0,
            "camera": "Seestar S50",
            "binning": "1x1",
            "bayer_pattern": "GRBG",
            "filter": "IRCUT",
            "date": datetime(2025, 5, 13, 22, 48, 35, 751879),
            "stack_count": 187,
            "software": "ZWO Seestar S50",
            "object": "NGC 6027A",
        },
    ),
    "INDI and KStars": Program(
        """
ROWORDER= 'TOP-DOWN'           / Row Order
INSTRUME= 'CCD Simulator'      / CCD Name
OBJECT  = 'Unknown '           / Object name
EXPTIME =                 60.5 / Total Exposure Time (s)
DARKTIME=                 61.2 / Total Dark Exposure Time (s)
CCD-TEMP=                 -20. / CCD Temperature (Celsius)
PIXSIZE1=                  5.2 / Pixel Size 1 (microns)
PIXSIZE2=                  5.2 / Pixel Size 2 (microns)
XBINNING=                    2 / Binning factor in width
YBINNING=                    2 / Binning factor in height
XPIXSZ  =                 10.4 / X binned pixel size in microns
FRAME   = 'Dark    '           / Frame Type
IMAGETYP= 'Dark Frame'         / Frame Type
GAIN    =                  90. / Gain
OFFSET  =                  10. / Offset
DATE-OBS= '2023-01-25T16:26:06.994' / UTC start date of observation
COMMENT Generated by INDI
""",
        "Dark_001.fits",
        {
            "kind": "dark",
            "exposure": 60.5,
            "temperature": -20.0,
            "gain_setting": 90.0,
            "offset_setting": 10.0,
            "camera": "CCD Simulator",
            "binning": "2x2",
            "date": datetime(2023, 1, 25, 16, 26, 6, 994000),
            "software": "INDI",
            "pixel_size": 10.4,
        },
    ),
    "old INDI": Program(
        """
INSTRUME= 'SBIG CCD'           / CCD Name
EXPTIME =                   5. / Total Exposure Time (s)
PIXSIZE1=                    9 / Pixel Size 1 (microns)
XBINNING=                    2 / Binning factor in width
YBINNING=                    2 / Binning factor in height
FRAME   = 'Flat Field'         / Frame Type
DATE-OBS= '2014-05-01T02:00:00.5' / UTC start date of observation
COMMENT Generated by INDI
""",
        "one.fits",
        {
            "kind": "flat",
            "exposure": 5.0,
            "camera": "SBIG CCD",
            "binning": "2x2",
            "date": datetime(2014, 5, 1, 2, 0, 0, 500000),
            "software": "INDI",
            "pixel_size": 18.0,
        },
    ),
    "Dwarf II": Program(
        """
DATE-OBS= '2023-06-10T21:38:19.442' / Time start to exposure
DATE    = '2023-06-10T21:38:35.938' / Fits written to sd card
EXP     =                  15. / [s] Sub Exposure Time
GAIN    =                  110 / Sub Gain
BINNING = '2*2     '           / n*n pixels add together
OBJECT  = '        '           / Observe object
BAYERPAT= 'GBRG    '           / Bayer pattern
INSTRUME= 'DWARFII '           / DWARF II instrument
ORIGIN  = 'DWARFLAB'           / DWARF II's creator
""",
        "DWARF_RAW_M 33_EXP_15_GAIN_110/0001.fits",
        {
            "exposure": 15.0,
            "gain_setting": 110.0,
            "camera": "DWARFII",
            "binning": "2x2",
            "bayer_pattern": "GBRG",
            "date": datetime(2023, 6, 10, 21, 38, 19, 442000),
            "software": "DWARFLAB",
        },
    ),
    "Dwarf III": Program(
        """
DATE-OBS= '2025-10-20T03:23:10.186' / Time end of exposure
EXPTIME =                  60. / [s] Exposure Time
GAIN    =                   60 / Gain
RESTACK =                    0 / is Mega Stack
XBINNING=                    1 / binning factor used on X axis
YBINNING=                    1 / binning factor used on Y axis
FILTER  = ''                   / selected filter
CAMERA  = 'TELE    '           / shooting camera
XPIXSZ  =                   2. / [um] pixel size in microns (with binning)
DET-TEMP=                   20 / Detector temperature in C
OBJECT  = ''                   / Observe object
BAYERPAT= 'RGGB    '           / Bayer pattern
INSTRUME= 'DWARFIII'           / DWARF III instrument
ORIGIN  = 'DWARFLAB'           / DWARF III's creator
""",
        "DWARF_DARK/tele_exp_60_gain_60_bin_1_2025-10-20-03-20-10-952/raw_60s_60_0002_20251020-032310186_20C.fits",
        {
            "kind": "dark",
            "exposure": 60.0,
            "temperature": 20.0,
            "gain_setting": 60.0,
            "camera": "DWARFIII",
            "binning": "1x1",
            "bayer_pattern": "RGGB",
            "date": datetime(2025, 10, 20, 3, 22, 10, 186000),
            "software": "DWARFLAB",
            "pixel_size": 2.0,
        },
        ("kind",),
    ),
    "Dwarf III master": Program(
        "BAYERPAT= 'RGGB    '           / Bayer pattern",
        "CALI_FRAME/dark/cam_0/dark_exp_60.000000_gain_60_bin_1_20C_stack_8.fits",
        {
            "kind": "dark",
            "master": True,
            "exposure": 60.0,
            "temperature": 20.0,
            "gain_setting": 60.0,
            "bayer_pattern": "RGGB",
            "stack_count": 8,
        },
        ("kind", "master", "exposure", "temperature", "gain_setting", "stack_count"),
    ),
    "PRISM": Program(
        """
IMAGETYP= 'Dark    '           / Type of image
EXPOSURE=                300.0 / [s] Total exposure time
CCD-TEMP=                -25.0 / [C]
BINX    =                    1
BINY    =                    1
XPIXELSZ=                  9.0 / [um]
CVF     =                 1.34 / [e-/ADU]
PROGRAM = 'PRISM 10'
INSTRUME= 'ATIK 460EX'
DATE-OBS= '2019-02-03T20:11:12.345'
""",
        "p.fits",
        {
            "kind": "dark",
            "exposure": 300.0,
            "temperature": -25.0,
            "claimed_gain": 1.34,
            "camera": "ATIK 460EX",
            "binning": "1x1",
            "date": datetime(2019, 2, 3, 20, 11, 12, 345000),
            "software": "PRISM 10",
            "pixel_size": 9.0,
        },
    ),
    "Astro Pixel Processor": Program(
        """
DATE    = '2024-03-09T11:57:12' / creation date of MasterFlat
SOFTWARE= 'Astro Pixel Processor by Aries Productions' / software
VERSION = '2.0.0-beta28'       / Astro Pixel Processor version
CALFRAME= 'MasterFlat'         / master flat frame
INSTRUME= 'ZWO ASI294MC Pro'   / instrument name
CFAIMAGE= 'RGGB    '           / Color Filter Array pattern
EXPTIME =                 1.28 / exposure time (s)
GAIN    =                120.0 / gain or ISO depending on instrument
NUMFRAME=                   30 / # number of frames used in MasterFlat creation
""",
        "MF-HaOIII-session_1.fits",
        {
            "kind": "flat",
            "master": True,
            "exposure": 1.28,
            "gain_setting": 120.0,
            "camera": "ZWO ASI294MC Pro",
            "bayer_pattern": "RGGB",
            "stack_count": 30,
            "software": "Astro Pixel Processor by Aries Productions",
        },
    ),
    "Astro Pixel Processor, integration": Program(
        """
SOFTWARE= 'Astro Pixel Processor by Aries Productions' / software
INTEGRAT= 'Integration'        / integration of light frames
CFAIMAGE= 'no      '           / Color Filter Array pattern
GAIN    =                  0.0 / gain or ISO depending on instrument
EXPTIME =                900.0 / exposure time (s)
NOISE-1 = ' 9,41E-04'          / noise level of channel 1
""",
        "result.fits",
        {
            "kind": "light",
            "master": True,
            "exposure": 900.0,
            "gain_setting": 0.0,
            "software": "Astro Pixel Processor by Aries Productions",
        },
    ),
    "Siril": Program(
        """
PROGRAM = 'Siril 1.2.1'        / Software that created this HDU
DATE-OBS= '2024-01-02T03:04:05.678' / YYYY-MM-DDThh:mm:ss observation start, UT
EXPTIME =                 120. / [s] Exposure time duration
LIVETIME=                2400. / [s] Exposure time after deadtime correction
STACKCNT=                   20 / Stack frames
CCD_TEMP=                  -10 / [degC] CCD temperature
INSTRUME= 'QHY268M '           / instrument name
XBINNING=                    1 / Camera binning mode
YBINNING=                    1 / Camera binning mode
CVF     =                 0.81 / [e-/ADU] Electrons per A/D unit
GAIN    =                   56 / Sensor gain
OFFSET  =                   25 / Sensor gain offset
IMAGETYP= 'Master Dark'        / Type of image
""",
        "dark_stacked.fit",
        {
            "kind": "dark",
            "master": True,
            "exposure": 120.0,
            "temperature": -10.0,
            "gain_setting": 56.0,
            "offset_setting": 25.0,
            "claimed_gain": 0.81,
            "camera": "QHY268M",
            "binning": "1x1",
            "date": datetime(2024, 1, 2, 3, 4, 5, 678000),
            "stack_count": 20,
            "software": "Siril 1.2.1",
        },
    ),
    "POCS": Program(
        """
ISO     =                  100
EXPTIME =                120.4
CAMTEMP = '11 C    '           / Celsius - From CR2
COLORTMP=                 5386 / From CR2
DATE-OBS= '2016-09-09T08:12:26'
CAMSN   = '012070048413'       / From CR2
FILTER  = 'RGGB    '
FIELD   = 'KIC 8462852'
CREATOR = 'POCSv0.1.1'         / POCS Software version
INSTRUME= 'XXXXXX  '           / Camera ID
ORIGIN  = 'Project PANOPTES'
""",
        "20160909T081314.fits",
        {
            "exposure": 120.4,
            "temperature": 11.0,
            "gain_setting": 100.0,
            "camera": "XXXXXX",
            "bayer_pattern": "RGGB",
            "filter": "RGGB",
            "date": datetime(2016, 9, 9, 8, 12, 26),
            "software": "POCSv0.1.1",
            "object": "KIC 8462852",
        },
        ("bayer_pattern",),
    ),
    "ASIImg": Program(
        """
XBINNING=                    1 / Binning factor in width
YBINNING=                    1 / Binning factor in height
EXPOINUS=                   32 / Exposure time in us
GAIN    =                    0 / The ratio of output / input
OFFSET  =                  340 / Brightness(offset) of image
PEDESTAL=                    0 / Correction to add for zero-based ADU
SWCREATE= 'ASIImg  '           / Name of software that created the image
SWOWNER = 'ZWO     '           / Licensed owner of software
DATE-OBS= '2024-04-18T14:14:04.649' / UTC start date of observation
DATE-STA= '2024-04-18T14:14:04.649' / UTC start date of exposure
DATE-END= '2024-04-18T14:14:04.649' / UTC end date of exposure
BAYERPAT= 'RGGB    '           / Debayer pattern,such as RGGB,BGGR,GRBG,GBRG
COLORTYP= 'RAW16   '           / Color space, such as RAW8,RAW16,RGB24
INPUTFMT= 'FITS    '           / Format of file from which image was read
INSTRUME= 'ZWO ASI178MC'       / Camera model
XPIXSZ  =                  2.4 / Pixel Width in um
EXPOSURE= '3,2E-05 '           / Exposure time in seconds
EXPTIME = '3,2E-05 '           / Total Exposure Time (s)
CCD-TEMP=                 35.3 / CMOS sensor temperature in C
GPSSTIME= '        '           / Start Line Date&Time of OBS.(UTC) from GPS
""",
        "Bias/Bias_ASIImg_frame0001.fit",
        {
            "kind": "bias",
            "exposure": 3.2e-5,
            "temperature": 35.3,
            "gain_setting": 0.0,
            "offset_setting": 340.0,
            "camera": "ZWO ASI178MC",
            "binning": "1x1",
            "bayer_pattern": "RGGB",
            "date": datetime(2024, 4, 18, 14, 14, 4, 649000),
            "software": "ASIImg",
            "pixel_size": 2.4,
        },
        ("kind",),
    ),
    "ccdciel": Program(
        """
DATE-OBS= '2023-11-12T18:19:20.123' / UTC start date of observation
IMAGETYP= 'Bias    '           / Type of frame
EXPTIME =               0.0001 / [s] Total Exposure Time
INSTRUME= 'QHY600M '
XPIXSZ  =                 3.76 / [um] Pixel Size X, binned
XBINNING=                    1 / Binning factor X
YBINNING=                    1 / Binning factor Y
CCD-TEMP=                -10.1 / CCD temperature (Celsius)
SET-TEMP=                -10.0 / CCD temperature set point (Celsius)
GAIN    =                   26 / Camera gain setting in manufacturer units
OFFSET  =                   60 / Camera offset setting in manufacturer units
READOUTM= 'Extend Fullwell'    / Camera readout mode
SWCREATE= 'CCDciel 0.9.85'     / Acquisition software
""",
        "b.fits",
        {
            "kind": "bias",
            "exposure": 0.0001,
            "temperature": -10.1,
            "set_temperature": -10.0,
            "gain_setting": 26.0,
            "offset_setting": 60.0,
            "camera": "QHY600M",
            "readout_mode": "Extend Fullwell",
            "binning": "1x1",
            "date": datetime(2023, 11, 12, 18, 19, 20, 123000),
            "software": "CCDciel 0.9.85",
            "pixel_size": 3.76,
        },
    ),
    "XISF by PixInsight": Program(
        """
EXPTIME = 1. / Total Exposure Time (s)
DATAMIN = 0. / Minimum value
DATAMAX = 9. / Maximum value
IMAGETYP= 'Light Frame'
FRAME   = 'Light   '
Instrument:Camera:Name = 'CCD Simulator'
Instrument:Camera:Gain = 1.42
Instrument:Camera:XBinning = 1
Instrument:Camera:YBinning = 1
Instrument:Camera:ISOSpeed = 800
Instrument:ExposureTime = 1
Instrument:Sensor:Temperature = -10.2
Instrument:Sensor:TargetTemperature = -10
Instrument:Sensor:XPixelSize = 5.2
Instrument:Filter:Name = 'Red'
Observation:Object:Name = 'M 31'
Observation:Time:Start = '2023-01-25T16:26:06.994Z'
XISF:CreatorApplication = 'PixInsight 1.8.9-1'
""",
        "one.xisf",
        {
            "kind": "light",
            "exposure": 1.0,
            "temperature": -10.2,
            "set_temperature": -10.0,
            "gain_setting": 800.0,
            "claimed_gain": 1.42,
            "camera": "CCD Simulator",
            "binning": "1x1",
            "filter": "Red",
            "date": datetime(2023, 1, 25, 16, 26, 6, 994000),
            "software": "PixInsight 1.8.9-1",
            "pixel_size": 5.2,
            "object": "M 31",
        },
    ),
    "XISF by N.I.N.A.": Program(
        """
IMAGETYP= 'DARK'
EXPOSURE= 300.0
EXPTIME = 300.0
GAIN    = 100
OFFSET  = 50
EGAIN   = 0.2428
INSTRUME= 'ZWO ASI2600MM Pro'
SET-TEMP= -10.0
CCD-TEMP= -9.9
SWCREATE= 'N.I.N.A. 3.1 HF2'
Instrument:Camera:Name = 'ZWO ASI2600MM Pro'
Instrument:Camera:Gain = 0.2428
Instrument:ExposureTime = 300
Instrument:Sensor:Temperature = -9.9
Instrument:Sensor:TargetTemperature = -10
Observation:Time:Start = '2024-05-06T07:08:09.123Z'
XISF:CreatorApplication = 'N.I.N.A. - Nighttime Imaging N Astronomy'
""",
        "DARK_300s.xisf",
        {
            "kind": "dark",
            "exposure": 300.0,
            "temperature": -9.9,
            "set_temperature": -10.0,
            "gain_setting": 100.0,
            "offset_setting": 50.0,
            "claimed_gain": 0.2428,
            "camera": "ZWO ASI2600MM Pro",
            "date": datetime(2024, 5, 6, 7, 8, 9, 123000),
            "software": "N.I.N.A. 3.1 HF2",
        },
    ),
    "XISF by INDIGO": Program(
        """
Instrument:Camera:Name = 'ZWO ASI1600MM Pro #0'
Instrument:Camera:Gain = 139
Instrument:Camera:Offset = 21
Instrument:Camera:XBinning = 1
Instrument:Camera:YBinning = 1
Instrument:ExposureTime = 180
Instrument:Sensor:Temperature = -20.1
Instrument:Sensor:TargetTemperature = -20
Instrument:Sensor:XPixelSize = 3.8
Observation:Time:Start = '2021-02-03T04:05:06.789Z'
XISF:CreatorApplication = 'INDIGO 2.0-150'
IMAGETYP= 'Dark    '
""",
        "one.xisf",
        {
            "kind": "dark",
            "exposure": 180.0,
            "temperature": -20.1,
            "set_temperature": -20.0,
            "gain_setting": 139.0,
            "offset_setting": 21.0,
            "camera": "ZWO ASI1600MM Pro #0",
            "binning": "1x1",
            "date": datetime(2021, 2, 3, 4, 5, 6, 789000),
            "software": "INDIGO 2.0-150",
            "pixel_size": 3.8,
        },
    ),
    "an observatory's CCD": Program(
        """
INSTRUME= 'STE3 CCD'                   /
DATE-OBS= '2013-07-13'                 / UT date
OBJECT  = 'rf0420                    ' /
IMAGETYP= 'object    '                 / IRAF image type
FILTERS =                   48         / Filters 10*A+B
UT      = '00:57:33'                   / UT at Exposure start
EXPTIME =              150.040         / integration time in secs
GAIN    =                  1.9         / e-/ADU
RDNOISE =                  5.0         / e-(rms) read noise
CCD-TEMP=                180.2         / CCD Cu block temperature
MJD-OBS =              56486.0
""",
        "a8280271.fits",
        {
            "kind": "light",
            "exposure": 150.04,
            "temperature": -92.95,
            "claimed_gain": 1.9,
            "camera": "STE3 CCD",
            "filter": "48",
            "date": datetime(2013, 7, 13, 0, 57, 33),
            "object": "rf0420",
        },
        ("temperature",),
    ),
    "a sounding rocket's CCD": Program(
        """
IMG_TS  = '2017-07-12T18:32:31.951Z' / Image Timestamp
CAM_ID  = 'ESIS1   '           / Camera ID
CAM_SN  =                    6 / Camera Serial Number
IMG_EXP =                 1999 / Exposure (ms)
MEAS_EXP=             79999999 / Measured Exposure (ticks)
RUN_MODE= 'Synchronous External Trigger' / Run Mode
FPGATEMP=                 2595 / FPGA Temperature (counts)
ADCTEMP1=                 1457 / ADC Temperature1 (counts)
""",
        "led/ESIS1_04803.fit.gz",
        {"exposure": 1.999, "camera": "ESIS1", "date": datetime(2017, 7, 12, 18, 32, 31, 951000)},
    ),
}


def write_frame(path, header, shape=(4, 6), level=1000):
    """Write a small FITS file whose cards are these lines as they stand, right or wrong; its pixels differ by name."""
    structure = [
        "SIMPLE  = T",
        "BITPIX  = 16",
        "NAXIS   = 2",
        f"NAXIS1  = {shape[1]}",
        f"NAXIS2  = {shape[0]}",
        "BZERO   = 32768",
    ]
    lines = [*structure, *header.strip("\n").splitlines(), "END"]
    text = b"".join(line[:80].ljust(80).encode("latin-1") for line in lines if line)
    noise = np.random.default_rng(list(str(path.name).encode())).integers(0, 50, shape)
    pixels = (noise + level - 32768).astype(">i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text + b" " * (-len(text) % 2880) + pixels + b"\0" * (-len(pixels) % 2880))
    return path
