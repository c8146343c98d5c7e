"""The truth of a whole session, frame by frame: what its lights see, and what a calibration of them should leave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from workbench.errors import InputError

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from workbench.camera.plans import Plan, PlannedFrame
    from workbench.camera.sensor import Camera
    from workbench.camera.sky import Sky, View

    FloatMap = NDArray[np.float64]

_SAFE = 4.0  # sigmas of photon noise below the full well: then a star does not saturate


@dataclass(frozen=True, eq=False)
class SessionTruth:
    """Every expected value of a session's frames; the frames themselves are drawn from it.

    Files are named as the catalogue of the session's folder names them, ``light/light_600s_-20C_001.fits``; a path to
    the file serves too. Maps cover the light-sensitive pixels ``[y, x]``. Positions are zero-based, x the column and y
    the row, whole numbers at the centres of pixels.

    Parameters
    ----------
    camera
        The camera that takes the frames.
    plan
        What it takes.
    """

    camera: Camera
    plan: Plan

    @cached_property
    def frames(self) -> dict[str, PlannedFrame]:
        """Every frame by its file, in order of time."""
        return {frame.file: frame for frame in self.plan.frames(self.camera.seed)}

    @cached_property
    def lights(self) -> tuple[str, ...]:
        """Files of the lights in order of time; the first is the reference of all positions."""
        return tuple(file for file, frame in self.frames.items() if frame.kind == "light")

    @cached_property
    def sky(self) -> Sky | None:
        """Stars and nebula; None where the plan has no target."""
        return self.plan.sky(self.camera.sensor.shape, self.camera.seed)

    @cached_property
    def flat_field(self) -> FloatMap:
        """Response to an even light with mean one: what a master flat over its mean should be."""
        field: FloatMap = self.camera.response / self.flat_mean
        return field

    @cached_property
    def flat_mean(self) -> float:
        """Mean response over the pixels; one would be that of the average pixel at the centre, were there no dust."""
        return float(self.camera.response.mean())

    def drift(self, file: str | PathLike[str]) -> float:
        """Step of the ADC reference in one frame [adu]."""
        return float(self._drifts[self.frame(file).index])

    def frame(self, file: str | PathLike[str]) -> PlannedFrame:
        """Find a frame by its file.

        Raises
        ------
        InputError
            When it is none of the session's.
        """
        name = "/".join(PurePath(file).parts[-2:])
        if name not in self.frames:
            first = next(iter(self.frames))
            raise InputError(file, f"is no frame of the session {self.plan.name}", f"name one such as {first}")
        return self.frames[name]

    def view(self, file: str | PathLike[str]) -> View:
        """Tell how a light sees the sky: the transform from the reference light, the stars' width, the air.

        Raises
        ------
        InputError
            When it is no light of the session, or the session has no target.
        """
        return self._sky_of(file).views[self.frame(file).file]

    def light(self, file: str | PathLike[str]) -> float | FloatMap:
        """Light that falls on the pixels, before vignetting, dust and PRNU [electron / s]; one number where even."""
        frame = self.frame(file)
        if frame.kind == "light" and self.sky is not None:
            return self.sky.light(frame.file, frame.light)
        return frame.light

    def electrons(self, file: str | PathLike[str]) -> FloatMap:
        """Return the electrons that every pixel of a frame expects: thermal, glow and light; cosmic rays apart."""
        frame = self.frame(file)
        expected = self.camera.dark_electrons(frame.exposure, frame.temperature)
        if frame.kind in ("flat", "light"):
            expected = expected + self.camera.light_electrons(frame.exposure, self.light(file))
        return expected

    def signal(self, file: str | PathLike[str]) -> FloatMap:
        """Return the value that every pixel of a frame expects [adu], its drift included, cosmic rays apart.

        It holds where a pixel neither saturates nor clips at zero.
        """
        frame = self.frame(file)
        net = self.electrons(file) - self.camera.clamp_electrons(frame.exposure, frame.temperature)
        return self.camera.offset_map + self.drift(file) + net / self.camera.gain

    def calibrated(self, file: str | PathLike[str]) -> FloatMap:
        """Return what a light calibrated without error holds [electron]: ``(L - D) / f`` with a flat of mean one.

        Dividing by such a flat leaves the light that the mean pixel gathers, :attr:`flat_mean` times that of the
        centre. Multiply by nothing else; divide by the camera's gain for adu.
        """
        scale = self.frame(file).exposure * self.flat_mean
        return np.broadcast_to(np.asarray(self.light(file)) * scale, self.camera.sensor.shape)

    def stars(self, file: str | PathLike[str] | None = None) -> pd.DataFrame:
        """List the stars as one light sees them, those outside of the frame too.

        Parameters
        ----------
        file
            The light; the reference where not given.

        Returns
        -------
        pandas.DataFrame
            One row a star, the index ``star`` the same for every light. ``x``, ``y`` [pixel]; ``flux`` above the air
            at the centre of the field [electron / s]; ``electrons``, the sum over the star in the calibrated light;
            ``nearest``, the distance to the next star [pixel]; ``inside`` the frame; ``saturated`` in its centre.

        Raises
        ------
        InputError
            When it is no light of the session, or the session has no target.
        """
        light = self.frame(file if file is not None else self._reference())
        sky = self._sky_of(light.file)
        x, y = sky.positions(light.file)
        rows, columns = self.camera.sensor.shape
        row, column = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        peak = np.zeros(x.size)
        peak[inside] = self.electrons(light.file)[row[inside], column[inside]]
        peak -= self.camera.clamp_electrons(light.exposure, light.temperature)
        flux = sky.stars[:, 2]
        places = sky.stars[:, :2]
        near = np.asarray(cKDTree(places).query(places, k=2)[0])[:, 1]  # inf for a star that is alone
        table = pd.DataFrame(
            {
                "x": x,
                "y": y,
                "flux": flux,
                "electrons": flux * sky.views[light.file].transparency * light.exposure * self.flat_mean,
                "nearest": near,
                "inside": inside,
                "saturated": peak + _SAFE * np.sqrt(np.maximum(peak, 0.0)) > self.camera.full_well,
            }
        )
        return table.rename_axis(index="star")

    @cached_property
    def _drifts(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(np.random.SeedSequence(self.camera.seed, spawn_key=(101,)))
        return self.camera.drifts(len(self.frames), rng)

    def _reference(self) -> str:
        if not self.lights:
            raise InputError(self.plan.name, "has no lights", "choose a session that has some")
        return self.lights[0]

    def _sky_of(self, file: str | PathLike[str]) -> Sky:
        if self.sky is None:
            raise InputError(self.plan.name, "points at nothing: it has no target", "choose a session with a target")
        if self.frame(file).kind != "light":
            raise InputError(file, "is no light", f"name one such as {self._reference()}")
        return self.sky
