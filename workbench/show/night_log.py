"""The log of a night: one page that says what went with what and why, and shows every light and image small."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import __version__
from workbench.calibrate.night_image import MEAN_SCALE
from workbench.errors import NotMeasurableError
from workbench.frames.formats import read_frame_file
from workbench.frames.whole_file import whole_file
from workbench.show.markup import Html, beneath, joined, table, tag
from workbench.show.night_words import agreement, in_minutes, kept_line, with_error
from workbench.show.page import POLICY
from workbench.show.stretch import auto_stretch
from workbench.show.words import digits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.calibrate.night import Image, Night
    from workbench.calibrate.night_plan import LightPlan, Target
    from workbench.calibrate.night_registration import Calibrated
    from workbench.show.stretch import Stretch

    Plane = NDArray[Any]

__all__ = ["write_night_log"]

LOG = "night.html"
_LARGE, _SMALL = 800, 120  # pixels along the longer side
_FULL_SCALE = 65535.0  # adu
_EMPTY = 60  # grey of pixels without a value


def write_night_log(night: Night) -> Path:
    """Write the log of a night beside its results, as one page that asks for no other file.

    Returns
    -------
    pathlib.Path
        ``night.html``.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    style = "".join(
        resources.files("workbench.show").joinpath(name).read_text(encoding="utf-8")
        for name in ("report.css", "night.css")
    )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"dark-frame-workbench {__version__}"),
        tag("title", f"Night log: {night.plan.root.name}"),
        tag("style", Html(style)),
    ]
    body = [
        tag(
            "header",
            tag("h1", f"Night log: {night.plan.root.name}"),
            tag("p", f"Made on {when} by dark-frame-workbench {__version__}", class_="about"),
        ),
        tag(
            "main",
            _summary(night),
            _problems(night),
            *(_target(night, one) for one in night.plan.targets),
            _masters(night),
        ),
        tag("footer", "All numbers and hashes stand in night.json, beside this page."),
    ]
    page = f"<!DOCTYPE html>\n{tag('html', tag('head', *head), tag('body', *body), lang='en')}\n"
    target = night.out / LOG
    with whole_file(target) as part:
        part.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    return target


def _summary(night: Night) -> Html:
    n_planned = sum(len(target.lights) for target in night.plan.targets)
    used = sum(image.facts["n_lights"] for image in night.images)
    images = f"{len(night.images)} image{'s' if len(night.images) != 1 else ''}"
    done = f"{len(night.calibrated)} calibrated, {len(night.registered)} registered"
    lines = [f"{images} of {used} lights; {n_planned} lights were planned, {done}."]
    if night.kept:
        lines.append(f"{kept_line(night)}.")
    return joined(tag("p", line) for line in lines)


def _problems(night: Night) -> Html:
    if not night.problems:
        return tag("p", "Nothing was wrong with any frame.")
    rows = [(one.file, one.rule, one.action) for one in night.problems]
    return joined([tag("h2", "What was wrong"), table(("file", "what", "what was done"), rows)])


def _target(night: Night, target: Target) -> Html:
    image = next((one for one in night.images if one.name == target.name), None)
    parts = [tag("h2", target.name)]
    if image is not None:
        parts += _image(night, image)
    files = {light.file for light in target.lights}
    lights = [one for one in night.calibrated if one.plan.file in files]
    parts += [tag("h3", "Why these masters"), _reasons(target)]
    if lights:
        parts += [tag("h3", "The lights"), _lights(night, lights, image)]
    return joined(parts)


def _image(night: Night, image: Image) -> Iterator[Html]:
    facts = image.facts
    plane = _shrunk(night.out / f"{image.name}.fits", _LARGE)
    alt = f"{image.name}: integration of {facts['n_lights']} lights, automatically stretched"
    yield _picture(plane, _stretch(plane), alt)
    when = _made_on(night, f"{image.name}.fits")
    lights = f"{facts['n_lights']} lights, {facts['total_exposure']:g} s in all"
    yield tag("p", f"{lights}. Integrated by {facts['words']}{f' on {when}' if when else ''}.")
    yield tag(
        "p",
        f"Its brightness is {MEAN_SCALE}, its level the background of {facts['level_of']}. Lights are registered to "
        f"{facts['reference']}: {facts['reference_reason']}.",
    )
    if facts["noise"] is not None:
        best = min(one.light.facts["noise"] for one in image.lights)
        gain, noise = best / facts["noise"], with_error(facts["noise"], facts["noise_error"])
        yield tag(
            "p",
            f"Noise from pixel to pixel: {noise} adu, {gain:.2f} times below the best light's; "
            "resampling smooths noise over neighbours, so that this can exceed the square root of their number. "
            "The error is that of pixels that are independent, which neighbours here are not quite.",
        )
    share = 100 * facts["full_coverage"]
    yield tag(
        "p",
        f"All lights cover {share:.3g} % of the pixels. Where fewer do, at edges and corners, there is more noise, "
        "and what their backgrounds differ in shows as a step: the extension COVERAGE counts them.",
    )


def _reasons(target: Target) -> Html:
    rows: list[tuple[str, ...]] = []
    seen: dict[tuple[str, str], list[LightPlan]] = {}
    for light in target.lights:
        seen.setdefault((light.dark.file, light.flat.file if light.flat else ""), []).append(light)
    for (dark, flat), lights in seen.items():
        said = joined(beneath(line) for line in agreement(lights[0]))
        count = f"{len(lights)} lights"
        rows.append((count, joined([f"{dark} ({len(lights[0].dark.rows)} frames)", said])))
        reason = lights[0].flat_match.reason.partition(": ")[2] if lights[0].flat_match else ""
        if lights[0].flat is not None:
            bias = lights[0].flat.bias
            less = f", less {bias.file}" if bias else ""
            rows.append(("", joined([f"{flat} ({len(lights[0].flat.rows)} frames{less})", beneath(reason)])))
        else:
            rows.append(("", "no flat"))
    return table(("for", "master, and why"), rows)


_ERRORS = (
    "Stars and rejected samples are counted. Noise and level are those of up to 2048 x 2048 pixels in the middle: N of "
    "them tell the noise to one part in the root of N, and the level to 1.25 times the noise over that root. Weights "
    "follow from noise and brightness."
)
_COLUMNS = ("light", "", "stars", "registered", "brightness", "weight", "rejected")


def _lights(night: Night, lights: list[Calibrated], image: Image | None) -> Html:
    registered = {one.light.plan.file: one.facts for one in night.registered}
    frames = image.facts["frames"] if image else {}
    planes = [_shrunk(night.out / one.file, _SMALL) for one in lights]
    stretch = _stretch(planes[0])  # one for all: clouds then show
    rows = []
    for light, plane in zip(lights, planes, strict=True):
        file, facts = light.plan.file, light.facts
        stars = f"{facts['n_stars']}" + (f", FWHM {facts['fwhm']:.2f} px" if facts["fwhm"] else "")
        noise = beneath(f"noise {digits(facts['noise'], 3)} adu, level {digits(facts['level'], 3)} adu")
        when = _made_on(night, light.file)
        made = [beneath(when)] if when else []
        rows.append(
            (
                joined([file, beneath(f"{light.plan.row['exposure']:g} s{_scale(facts)}"), *made]),
                _picture(plane, stretch, f"{file}, calibrated"),
                joined([stars, noise]),
                *_registration(registered.get(file), file),
                *_share(frames.get(file)),
            )
        )
    return joined([table(_COLUMNS, rows), tag("p", _ERRORS)])


def _scale(facts: dict[str, Any]) -> str:
    if facts["k"] is None:
        return ""
    if facts["k_error"] is None:
        return f", dark x {facts['k']:.4g}; its error is not known"
    if facts["k_error"] == 0:
        return f", dark x {facts['k']:.4g}, exactly: the ratio of the exposures"
    return f", dark x {with_error(facts['k'], facts['k_error'])}"


def _registration(facts: dict[str, Any] | None, file: str) -> tuple[str, str]:
    if facts is None:
        return "no", ""
    if facts["reference"] == file:
        return "the reference", "1, exactly"
    x, y = facts["shift"]
    where = f"shift {x:+.1f}, {y:+.1f} px; turned {facts['rotation']:+.3f} deg"
    words = joined(
        [f"{facts['n_matched']} stars, rms {with_error(facts['rms'], facts['rms_error'])} px", beneath(where)]
    )
    if facts["factor_error"] is None:
        return words, f"x {facts['factor']:.3g} by exposure: {facts['factor_stars']} stars are too few"
    return words, f"x {with_error(facts['factor'], facts['factor_error'])}"


def _share(facts: dict[str, float] | None) -> tuple[str, str]:
    if facts is None:
        return "", "not integrated"
    return f"{facts['weight']:.3f}", f"{100 * facts['share_low']:.2g} % low, {100 * facts['share_high']:.2g} % high"


def _masters(night: Night) -> Html:
    rows = []
    for file, facts in night.masters.items():
        if "n_frames" not in facts:
            rows.append((file, "was there", "", "", ""))
            continue
        noise = "" if facts["std_error"] is None else f"{digits(facts['std_error'], 3)} adu"
        rejected = f"{100 * facts['share_low']:.2g} % low, {100 * facts['share_high']:.2g} % high"
        rows.append((file, f"{facts['n_frames']} frames: {facts['words']}", _made_on(night, file), rejected, noise))
    columns = ("file", "made of", "made on", "rejected", "noise of a pixel")
    return joined([tag("h2", "The masters"), table(columns, rows)])


def _made_on(night: Night, file: str) -> str:
    when = night.made_on.get(file)
    return "" if when is None else f"{in_minutes(when)} UTC"


# ---- pictures -------------------------------------------------------------------------------------------------------


def _shrunk(path: Path, longest: int) -> Plane:
    """Return an image shrunk by whole factors, means of its pixels, read in bands."""
    source = read_frame_file(path).source
    rows, columns = source.shape
    step = max(1, -(-max(rows, columns) // longest))
    high, wide = rows // step, columns // step
    whole = None if source.mappable else source.read()
    out = np.empty((high, wide), np.float32)
    for row in range(high):
        start = row * step
        band = source.read_rows(start, start + step) if whole is None else whole[start : start + step]
        out[row] = band[:, : wide * step].reshape(step, wide, step).mean(axis=(0, 2))
    return out


def _stretch(plane: Plane) -> Stretch | None:
    known = plane[np.isfinite(plane)]
    if not known.size:
        return None
    low = float(known.min())
    try:
        return auto_stretch(plane, low=low, high=low + _FULL_SCALE)
    except NotMeasurableError:
        return None


def _picture(plane: Plane, stretch: Stretch | None, alt: str) -> Html:
    """Draw an image, the first row of the file at the top."""
    from PIL import Image as Pillow  # noqa: PLC0415 - only pages with pictures wait for it

    grey = np.full(plane.shape, _EMPTY, np.uint8)
    if stretch is not None:
        known = np.isfinite(plane)
        grey[known] = np.rint(255 * stretch(plane)[known]).astype(np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(grey).save(buffer, "PNG", optimize=True)
    return tag("img", src=f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", alt=alt)
