"""What the telescope points at: stars and a nebula, seen in every light through other air and at another angle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from workbench.camera.events import slow_wander
from workbench.camera.parameters import check_ranges, term
from workbench.camera.starlight import FWHM_PER_SIGMA, cloud_light, star_light

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    FloatMap = NDArray[np.float64]
    Floats = NDArray[np.float64]

# number of each random stream: part of the recipe, never renumbered; below 100 are the camera's maps
_STREAM = {"stars": 7, "nebula": 110, "air": 111, "pointing": 112}
_BRIGHTEST = 1000.0  # times the faintest star
_CORRELATION = 0.8  # of the air from one light to the next
_MARGIN = 12.0  # pixels: stars this far outside of every light are drawn too, their wings fall inside
_FILAMENTS = 28


@dataclass(frozen=True)
class Night:
    """How one night's lights lie, compared with the first night's, and how uneven its sky is.

    Parameters
    ----------
    rotation
        By how much the picture is turned about the frame's centre, from x towards y [deg].
    x_shift, y_shift
        By how much the telescope missed the first night's field, as the picture moved [pixel].
    x_gradient, y_gradient
        How much brighter the sky is at the last column than at the first, and at the last row, as a share of its mean.
    """

    rotation: float = term(0.0, "deg", -180.0, 180.0)
    x_shift: float = term(0.0, "pixel", -1e4, 1e4)
    y_shift: float = term(0.0, "pixel", -1e4, 1e4)
    x_gradient: float = term(0.0, "1", -0.9, 0.9)
    y_gradient: float = term(0.0, "1", -0.9, 0.9)

    def __post_init__(self) -> None:
        check_ranges("night", self)


@dataclass(frozen=True)
class Target:
    """A field of the sky and the air above it; :class:`Sky` realises one of it.

    Parameters
    ----------
    name
        What the capture program calls it.
    stars
        Number of stars in a frame, on average.
    star_flux
        Flux of the faintest star [electron / s]; brighter ones are rarer, N(>f) ~ 1/f, up to 1000 times this.
    nebula
        Greatest brightness of the nebula, before the air blurs it [electron / s] per pixel.
    fwhm
        Full width at half maximum of the stars, Gaussian, before the pixels average over them: the median over the
        lights [pixel].
    fwhm_spread
        Standard deviation of its natural logarithm over the lights.
    extinction_spread
        How much light the air takes from stars and nebula: a share ``1 - exp(-|z|)``, with ``z`` normal of this rms.
    sky_spread
        Standard deviation of the natural logarithm of the sky's brightness over the lights.
    dither
        Rms of the telescope's step off the field from light to light, along each axis [pixel].
    nights
        One for each night of the plan.
    """

    name: str
    stars: int = term(0, "1")
    star_flux: float = term(0.0, "electron / s")
    nebula: float = term(0.0, "electron / s")
    fwhm: float = term(3.0, "pixel", 0.5)
    fwhm_spread: float = term(0.0, "1", 0.0, 1.0)
    extinction_spread: float = term(0.0, "1", 0.0, 1.0)
    sky_spread: float = term(0.0, "1", 0.0, 1.0)
    dither: float = term(0.0, "pixel")
    nights: tuple[Night, ...] = (Night(),)

    def __post_init__(self) -> None:
        check_ranges(f"target {self.name}", self)


@dataclass(frozen=True, eq=False)
class View:
    """How one light sees the sky.

    Parameters
    ----------
    matrix
        3 x 3: takes ``(x, y, 1)`` of the reference light, the first one, to this light's pixel. x is the column, y the
        row, from zero, whole numbers at the centres of pixels.
    fwhm
        Of the stars, before the pixels average over them [pixel].
    transparency
        Share of the light of stars and nebula that the air lets through.
    sky_level
        Brightness of the sky in units of the planned one.
    night
        The tilt of the sky is this one's.
    """

    matrix: Floats
    fwhm: float
    transparency: float
    sky_level: float
    night: Night


class Sky:
    """The truth of one field: its stars and its nebula, and how every light of a session sees them.

    Parameters
    ----------
    target
        The model of field and air.
    shape
        (rows, columns) of the light-sensitive pixels.
    seed
        The specimen.
    lights
        Number of the night, from 1, of every light by its file, in order of time. The first is the reference.
    """

    def __init__(self, target: Target, shape: tuple[int, int], seed: int, lights: Mapping[str, int]) -> None:
        self.target = target
        self.shape = shape
        self.seed = seed
        self.views = _views(target, shape, seed, lights)

    @cached_property
    def stars(self) -> Floats:
        """Stars, shape ``(n, 3)``: x and y in the reference light [pixel] and flux above the air [electron / s]."""
        rng = _stream(self.seed, "stars")
        rows, columns = self.shape
        centre = np.array(_centre(self.shape))
        corners = np.array([[x, y, 1.0] for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5)]).T
        seen = np.hstack([(np.linalg.inv(view.matrix) @ corners)[:2] for view in self.views.values()])
        radius = np.hypot(*(seen - centre[:, np.newaxis])).max() + _MARGIN
        n = round(self.target.stars * np.pi * radius**2 / (rows * columns))
        distance, angle = radius * np.sqrt(rng.random(n)), 2.0 * np.pi * rng.random(n)
        flux = self.target.star_flux * np.minimum(1.0 / (1.0 - rng.random(n)), _BRIGHTEST)
        return np.stack([centre[0] + distance * np.cos(angle), centre[1] + distance * np.sin(angle), flux], axis=1)

    def positions(self, file: str) -> tuple[Floats, Floats]:
        """Return x and y of every star in one light [pixel], those outside of the frame too."""
        x, y = _moved(self.views[file].matrix, self.stars[:, 0], self.stars[:, 1])
        return x, y

    def nebula(self, file: str | None = None) -> FloatMap:
        """Light of the nebula [electron / s] in one light; without a file in the reference, through clear still air."""
        x, y, flux, covariance = self._clouds
        if file is None:
            return cloud_light(self.shape, x, y, flux, covariance)
        view = self.views[file]
        turn = view.matrix[:2, :2]
        blur = (view.fwhm / FWHM_PER_SIGMA) ** 2 + 1.0 / 12.0
        seen = turn @ covariance @ turn.T + blur * np.eye(2)
        return cloud_light(self.shape, *_moved(view.matrix, x, y), flux * view.transparency, seen)

    def starlight(self, file: str) -> FloatMap:
        """Light of the stars in one light [electron / s]."""
        view = self.views[file]
        return star_light(self.shape, *self.positions(file), self.stars[:, 2] * view.transparency, view.fwhm)

    def background(self, file: str, brightness: float) -> FloatMap:
        """Light of the sky itself in one light [electron / s], where that much is planned."""
        view, (rows, columns) = self.views[file], self.shape
        across = (np.arange(columns) - (columns - 1) / 2.0) / columns
        down = ((np.arange(rows) - (rows - 1) / 2.0) / rows)[:, np.newaxis]
        tilt: FloatMap = 1.0 + view.night.x_gradient * across + view.night.y_gradient * down
        return brightness * view.sky_level * tilt

    def light(self, file: str, brightness: float) -> FloatMap:
        """All that falls on the pixels in one light [electron / s], before vignetting, dust and PRNU."""
        return self.background(file, brightness) + self.nebula(file) + self.starlight(file)

    @cached_property
    def _clouds(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The nebula: one wide cloud, and filaments along a broken ring; x, y, flux and covariance in the reference."""
        rng = _stream(self.seed, "nebula")
        length = float(self.shape[1])
        phase = rng.uniform(0.0, 1.6 * np.pi, _FILAMENTS)  # the ring is open on one side
        radius = length * (0.21 + 0.02 * rng.standard_normal(_FILAMENTS))
        centre_x, centre_y = _centre(self.shape)
        x = np.append(centre_x + radius * np.cos(phase), centre_x)
        y = np.append(centre_y + 0.7 * radius * np.sin(phase), centre_y)
        along = np.append(length * rng.uniform(0.03, 0.07, _FILAMENTS), 0.22 * length)
        across = np.append(length * rng.uniform(0.008, 0.02, _FILAMENTS), 0.15 * length)
        tangent = np.arctan2(0.7 * np.cos(phase), -np.sin(phase)) + 0.3 * rng.standard_normal(_FILAMENTS)
        angle = np.append(tangent, 0.3)
        peak = np.append(np.exp(0.5 * rng.standard_normal(_FILAMENTS)), 0.8)
        turn = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), 2, 0)
        axes = np.zeros((angle.size, 2, 2))
        axes[:, 0, 0], axes[:, 1, 1] = along**2, across**2
        covariance = turn @ axes @ np.swapaxes(turn, 1, 2)
        flux = 2.0 * np.pi * along * across * peak
        brightest = float(cloud_light(self.shape, x, y, flux, covariance).max())
        return x, y, flux * (self.target.nebula / brightest), covariance


def _views(target: Target, shape: tuple[int, int], seed: int, lights: Mapping[str, int]) -> dict[str, View]:
    air, pointing = _stream(seed, "air"), _stream(seed, "pointing")
    blur, loss, glare = (slow_wander(len(lights), _CORRELATION, air) for _ in range(3))
    steps = target.dither * pointing.standard_normal((len(lights), 2))
    nights = [target.nights[number - 1] for number in lights.values()]
    poses = [_pose(shape, night, step) for night, step in zip(nights, steps, strict=True)]
    return {
        file: View(
            matrix=poses[place] @ np.linalg.inv(poses[0]) if place else np.eye(3),
            fwhm=float(target.fwhm * np.exp(target.fwhm_spread * blur[place])),
            transparency=float(np.exp(-abs(target.extinction_spread * loss[place]))),
            sky_level=float(np.exp(target.sky_spread * glare[place])),
            night=nights[place],
        )
        for place, file in enumerate(lights)
    }


def _pose(shape: tuple[int, int], night: Night, step: Floats) -> Floats:
    """Turn about the frame's centre, then shift: from the field as the first night aimed at it to pixels."""
    x, y = _centre(shape)
    turn = np.radians(night.rotation)
    cosine, sine = np.cos(turn), np.sin(turn)
    x_shift, y_shift = night.x_shift + step[0], night.y_shift + step[1]
    return np.array(
        [
            [cosine, -sine, x - cosine * x + sine * y + x_shift],
            [sine, cosine, y - sine * x - cosine * y + y_shift],
            [0.0, 0.0, 1.0],
        ]
    )


def _moved(matrix: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    moved = matrix @ np.stack([x, y, np.ones_like(x)])
    return moved[0], moved[1]


def _centre(shape: tuple[int, int]) -> tuple[float, float]:
    """Give x and y of the middle of a frame."""
    return (shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM[name],)))
