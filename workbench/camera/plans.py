"""What a simulated session shoots: sets of frames, shuffled in time, from a dataset manifest or by default."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.camera.manifests import check_keys, read_table, read_toml
from workbench.camera.sensor import KINDS, Sensor
from workbench.camera.sky import Night, Sky, Target
from workbench.errors import InputError, ManifestError
from workbench.resources import folder

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "workbench-simulated-dataset/1"
_START = datetime(2017, 11, 11, 18, 0, tzinfo=UTC)
_SETTLE = timedelta(minutes=15)  # the cooler's way to another temperature
_READOUT = timedelta(seconds=2)
_HEAD = {"title": "str", "camera": "str", "seed": "int", "shape": "tuple[int, int]", "licence": "str"}
_OFF = {"terms": "tuple[str, ...]", "reason": "str"}
_FRAMES = {"kind": "str", "count": "int", "exposure": "float", "temperature": "float", "light": "float", "block": "int"}
_FRAMES |= {"filter": "str", "night": "int"}
_MAY_MISS = ("light", "block", "filter", "night")
_SENSOR = {item.name: str(item.type) for item in fields(Sensor) if item.name not in ("name", "shape")}
_NIGHT = {item.name: str(item.type) for item in fields(Night)}
_TARGET = {item.name: str(item.type) for item in fields(Target)} | {"nights": "list"}


@dataclass(frozen=True)
class FrameSet:
    """Some frames alike: how many, of which kind, at which exposure [s], temperature [deg_C] and light [electron / s].

    Sets of one ``block`` are shuffled together, so that a drift of the camera does not line up with the exposure. A
    block stands in one ``night``, and does not begin before it. The ``light`` of lights is that of the sky itself.
    """

    kind: str
    count: int
    exposure: float
    temperature: float
    light: float = 0.0
    block: int = 1
    filter: str = ""
    night: int = 1

    def __post_init__(self) -> None:
        label = f"{self.count} {self.kind} frames of {self.exposure:g} s"
        if self.kind not in KINDS:
            raise InputError(label, f"kind {self.kind} does not exist", f"choose from {', '.join(KINDS)}")
        if self.count < 1 or not self.exposure >= 0 or not self.light >= 0:
            raise InputError(label, "count is below 1, or exposure or light below 0", "correct that set of frames")
        if self.light and self.kind not in ("flat", "light"):
            raise InputError(label, f"light = {self.light:g} electron / s behind a closed shutter", "leave light out")
        if self.night < 1:
            raise InputError(label, f"night = {self.night} is below 1", "count the nights from 1")


@dataclass(frozen=True)
class PlannedFrame:
    """One frame of a plan: its random stream's ``index``, what to expose, when, and the ``file`` it goes to."""

    index: int
    kind: str
    exposure: float
    temperature: float
    light: float
    date: datetime
    file: str
    filter: str = ""
    night: int = 1
    target: str = ""


@dataclass(frozen=True)
class Plan:
    """The frames of one session; ``name`` goes into the report as the dataset's."""

    name: str
    sets: tuple[FrameSet, ...]
    start: datetime = _START
    target: Target | None = None

    def __post_init__(self) -> None:
        for block in sorted({item.block for item in self.sets}):
            nights = sorted({item.night for item in self.sets if item.block == block})
            if len(nights) > 1:
                both = " and ".join(map(str, nights[:2]))
                raise InputError(
                    self.name, f"block {block} stands in the nights {both}", "give each night its own block"
                )
        last = max((item.night for item in self.sets if item.kind == "light"), default=1)
        if self.target and last > len(self.target.nights):
            raise InputError(self.name, f"the target has no night {last}", "describe every night of the lights")

    def sky(self, shape: tuple[int, int], seed: int) -> Sky | None:
        """Realise what the telescope points at; None where nothing but an even light falls on the lights.

        Parameters
        ----------
        shape
            (rows, columns) of the light-sensitive pixels.
        seed
            Of the camera.
        """
        if self.target is None:
            return None
        lights = {frame.file: frame.night for frame in self.frames(seed) if frame.kind == "light"}
        return Sky(self.target, shape, seed, lights)

    def frames(self, seed: int) -> list[PlannedFrame]:
        """Lay the frames out in time, every block shuffled by itself.

        Parameters
        ----------
        seed
            Of the shuffling; the same seed gives the same order.
        """
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(100,)))
        planned: list[PlannedFrame] = []
        counts: dict[str, int] = {}
        now = self.start
        for block in sorted({item.block for item in self.sets}):
            waiting = [item for item in self.sets if item.block == block for _ in range(item.count)]
            now = max(now, self.start + timedelta(days=waiting[0].night - 1))
            for place in rng.permutation(len(waiting)):
                item = waiting[place]
                length = "" if item.kind == "bias" else f"_{item.exposure:g}s"
                stem = f"{item.kind}/{item.kind}{length}_{item.temperature:+g}C"
                counts[stem] = counts.get(stem, 0) + 1
                planned.append(
                    PlannedFrame(
                        index=len(planned),
                        kind=item.kind,
                        exposure=item.exposure,
                        temperature=item.temperature,
                        light=item.light,
                        date=now,
                        file=f"{stem}_{counts[stem]:03d}.fits",
                        filter=item.filter,
                        night=item.night,
                        target=self.target.name if self.target and item.kind == "light" else "",
                    )
                )
                now += timedelta(seconds=item.exposure) + _READOUT
            now += _SETTLE
        return planned


@dataclass(frozen=True)
class Dataset:
    """One simulated dataset as its manifest describes it: ``reason`` says why some terms are ``switched_off``."""

    name: str
    title: str
    licence: str
    sensor: Sensor
    seed: int
    plan: Plan
    switched_off: tuple[str, ...]
    reason: str

    @property
    def n_frames(self) -> int:
        """How many frames it has."""
        return sum(item.count for item in self.plan.sets)


def default_plan(sensor: Sensor, *, name: str = "session") -> Plan:
    """Plan a session that measures any camera: bias, darks at 8 exposures, flat pairs at 6 levels, two temperatures.

    Parameters
    ----------
    sensor
        Its reference temperature and full well set the temperatures and the lamp.
    name
        The name of the dataset.
    """
    cold = sensor.reference_temperature
    darks = tuple(FrameSet("dark", 6, exposure, cold) for exposure in (10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 420.0))
    lamp = min((sensor.adc_top - sensor.bias_level) * sensor.gain, sensor.well_capacity) / 10.0  # full in 10 s
    levels = (0.3, 1.0, 2.0, 3.5, 5.0, 6.5)  # s: up to 65 % of saturation
    return Plan(
        name,
        (
            FrameSet("bias", 10, 5e-5, cold),
            *darks,
            FrameSet("dark", 8, 600.0, cold),
            *(FrameSet("flat", 2, exposure, cold, lamp, block=2) for exposure in levels),
            *(FrameSet("dark", 4, 300.0, cold + 5.0 * step, block=2 + step) for step in (1, 2)),
        ),
    )


def dataset_paths() -> list[Path]:
    """Find the manifests of simulated datasets; other manifests in the same folder are not theirs."""
    paths = sorted(folder("data_manifests").glob("*.toml"))
    return [path for path in paths if read_toml(path).get("schema") == SCHEMA]


def read_dataset(path: Path) -> Dataset:
    """Read the manifest of a simulated dataset.

    Raises
    ------
    ManifestError
        When it breaks a rule; the message names the key, and the nearest legal one.
    """
    document = read_toml(path)
    check_keys(path, "the manifest", document, ("schema", "dataset", "sensor", "switched_off", "target", "frames"))
    if document.get("schema") != SCHEMA:
        raise ManifestError(path, f"schema = {document.get('schema')!r}", f"this version reads {SCHEMA!r}")
    head = read_table(path, "dataset", document.get("dataset"), _HEAD)
    changed = read_table(path, "sensor", document.get("sensor", {}), _SENSOR, optional=_SENSOR)
    off = read_table(path, "switched_off", document["switched_off"], _OFF) if "switched_off" in document else {}
    try:
        sensor = replace(Sensor.from_manifest(head["camera"]), **changed).without(*off.get("terms", ()))
        return Dataset(
            name=path.stem,
            title=head["title"],
            licence=head["licence"],
            sensor=replace(sensor, shape=head["shape"]),
            seed=head["seed"],
            plan=Plan(
                path.stem, _frame_sets(path, document.get("frames")), target=_target(path, document.get("target"))
            ),
            switched_off=off.get("terms", ()),
            reason=off.get("reason", ""),
        )
    except ManifestError:
        raise
    except InputError as error:  # a value out of its range
        raise ManifestError(path, f"{error.file}: {error.rule}", error.next_step) from error


def _frame_sets(path: Path, tables: Any) -> tuple[FrameSet, ...]:
    if not isinstance(tables, list) or not tables:
        raise ManifestError(path, "has no [[frames]]", "add at least one set of frames")
    return tuple(
        FrameSet(**read_table(path, f"frames {number}", table, _FRAMES, optional=_MAY_MISS))
        for number, table in enumerate(tables, start=1)
    )


def _target(path: Path, table: Any) -> Target | None:
    if table is None:
        return None
    given = read_table(path, "target", table, _TARGET, optional=set(_TARGET) - {"name"})
    nights = tuple(
        Night(**read_table(path, f"target.nights {number}", night, _NIGHT, optional=_NIGHT))
        for number, night in enumerate(given.pop("nights", [{}]), start=1)
    )
    return Target(**given, nights=nights)
