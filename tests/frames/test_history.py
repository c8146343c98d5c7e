import pytest

from workbench.frames.history import tells_of_processing


@pytest.mark.parametrize(
    "line",
    [
        "Calibrated with a master dark",
        "Calibrated with a master flat, normalization of 0.480",
        "Cosmetic correction of 120 hot pixels",
        "mean stacking with winsorized sigma rejection, low 3 high 3",
        "Calibration with ImageCalibration module",
        "ImageIntegration.pixelCombination: average",
        "Dark Subtraction (Dark 1, 600s, Temp -20C)",
        "Bias Subtraction (Bias 3, 2072 x 2072)",
        "1  Calibrated by ASTAP www.hnsky.org",
        "Bias subtracted",
        "flat-field corrected",
        "zerocombine: 20 images",
        "Median combined",
        "20 frames stacked",
        "hot pixels removed",
        "debayered with VNG",
        "Not flat-fielded; dark subtracted",
    ],
)
def test_what_programs_write_of_their_processing_is_understood(line):
    assert tells_of_processing(line)


@pytest.mark.parametrize(
    "line",
    [
        "no dark subtraction",
        "Dark subtraction: off",
        "not calibrated with darks",
        "Taken for dark subtraction of tonight's lights",
        "dark subtraction required",
        "uncorrected dark",
        "Shot in the darkroom, lens correction on",
        "dark current 0.01 e/s",
        "CCD temperature averaged over the exposure",
        "Telescope light path, field flattener with coma correction",
        "clock calibrated with GPS",
        "FITS (Flexible Image Transport System) format is defined in 'Astronomy",
        "and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
        "Integration time 30 s, frame 2",
        "flat panel brightness 30",
        "",
    ],
)
def test_what_only_sounds_like_processing_is_none(line):
    assert not tells_of_processing(line)
