"""What a measurement returns: numbers with errors, refusals with reasons, verdicts, and the file they are kept in."""

from __future__ import annotations

import html
import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import InputError
from workbench.schema import SCHEMA_NAME, schema_faults, validate
from workbench.units import NOMENCLATURE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd
    import xarray as xr
    from uncertainties.core import AffineScalarFunc

_TINY = 1e-4  # below it a row of zeros after the point is harder to read than a power of ten


def rounded(value: float, std_error: float) -> tuple[str, str]:
    """Write a value and its error with two digits of the error when it starts with 1 or 2, else one.

    Examples
    --------
    >>> rounded(0.0051234, 0.0000312)
    ('0.00512', '0.00003')
    >>> rounded(1369.21, 1.44)
    ('1369.2', '1.4')
    >>> rounded(16, 0)
    ('16', '0')
    >>> rounded(-4.682e-05, 6.17e-06)
    ('-4.7e-05', '0.6e-05')
    """
    if std_error == 0 or not math.isfinite(std_error):
        return f"{value:.10g}", f"{std_error:.2g}"
    if 0 < max(abs(value), std_error) < _TINY:
        power = math.floor(math.log10(max(abs(value), std_error)))
        mantissa, spread = rounded(value / 10.0**power, std_error / 10.0**power)
        return f"{mantissa}e{power:03d}", f"{spread}e{power:03d}"
    exponent = math.floor(math.log10(std_error))
    lead = std_error / 10**exponent
    decimals = (1 if lead < 2.95 else 0) - exponent
    if decimals < 0:
        return f"{round(value, decimals):.0f}", f"{round(std_error, decimals):.0f}"
    return f"{value:.{decimals}f}", f"{std_error:.{decimals}f}"


@dataclass(frozen=True)
class Measurement:
    """A measured number: never without its error, its unit and the way it was found.

    Parameters
    ----------
    name
        A name of :data:`workbench.units.NOMENCLATURE`.
    value, std_error
        In ``unit``; the error is one standard deviation and not negative.
    unit
        An astropy unit string.
    method
        How it was measured.
    conditions
        Under which conditions: group, region, temperature, exposure, ...
    n_frames
        How many frames entered.
    notes
        What a reader must know before using the number.

    Raises
    ------
    ValueError
        When value or error is not finite, or the error is negative.

    Examples
    --------
    >>> print(Measurement("dark_current", 0.0051234, 0.0000312, "electron / s", "pair", n_frames=2))
    0.00512 +/- 0.00003 electron / s
    """

    name: str
    value: float
    std_error: float
    unit: str
    method: str
    conditions: Mapping[str, Any] = field(default_factory=dict)
    n_frames: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.std_error)) or self.std_error < 0:
            message = (
                f"{self.name}: value {self.value} +/- {self.std_error} is no measurement; say why it is not_measured"
            )
            raise ValueError(message)

    def __str__(self) -> str:
        value, error = rounded(self.value, self.std_error)
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{value} +/- {error}{unit}"

    def _repr_html_(self) -> str:
        cells = (
            self.name,
            str(self),
            self.method,
            _words(self.conditions),
            f"{self.n_frames} frames",
            "; ".join(self.notes),
        )
        return "<table><tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr></table>"

    def pull(self, truth: float) -> float:
        """Return the distance from the truth in standard errors (0 where both agree exactly)."""
        return 0.0 if self.value == truth else (self.value - truth) / self.std_error if self.std_error else math.inf

    @classmethod
    def of(cls, name: str, number: AffineScalarFunc, method: str, **rest: Any) -> Measurement:
        """Build one from a number of the ``uncertainties`` package, in the unit of the nomenclature."""
        return cls(name, float(number.nominal_value), float(number.std_dev), NOMENCLATURE[name].unit, method, **rest)


@dataclass(frozen=True)
class NotMeasured:
    """A quantity that these frames cannot tell, and why."""

    name: str
    reason: str
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        where = _words(self.conditions)
        return f"{self.name}: not measured{f' ({where})' if where else ''}: {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """An answer in one word, with the reason in a sentence and the figures behind it."""

    value: bool | str | None
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, or with the frames together, and what was done about it."""

    file: str
    rule: str
    action: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}; {self.action}"


def _words(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in conditions.items())


@dataclass
class Results:
    """Everything that one survey of a catalogue found; ``write`` keeps it as ``results.json``.

    ``maps`` holds small pictures (xarray, at most a few hundred pixels a side) for plots, ``pixel_classes`` the
    class of every pixel by group and region; they are not written.
    """

    dataset: dict[str, Any]
    groups: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    not_measured: list[NotMeasured] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    workbench: str = ""
    maps: dict[str, xr.DataArray] = field(default_factory=dict, repr=False, compare=False)
    pixel_classes: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def select(self, name: str, method: str | None = None, **conditions: Any) -> Iterator[Measurement]:
        """Yield the measurements of that name, method and conditions, in the order in which they were made."""
        for one in self.measurements:
            same = all(one.conditions.get(key) == value for key, value in conditions.items())
            if one.name == name and method in (None, one.method) and same:
                yield one

    def find(self, name: str, method: str | None = None, **conditions: Any) -> Measurement:
        """Return the one measurement of that name, method and conditions.

        Raises
        ------
        LookupError
            When there is none, with the reason if one is known, or more than one.
        """
        found = list(self.select(name, method, **conditions))
        if len(found) == 1:
            return found[0]
        reasons = [str(one) for one in self.not_measured if one.name == name]
        if found:
            reasons = ["name the method and conditions (method='pair', exposure=600.0), or take all with select()"]
        how_many = (
            f"{len(found)} measurements of {name} ({method or 'any method'}, {_words(conditions) or 'any condition'})"
        )
        raise LookupError("; ".join([how_many, *reasons]))

    def table(self, name: str) -> pd.DataFrame:
        """Return one of the tables as a pandas table; ``measurements`` is one of them."""
        import pandas as pd  # noqa: PLC0415 - a second of import that a reader of JSON does not need

        if name != "measurements":
            return pd.DataFrame(self.tables.get(name, []))
        rows = [
            {"name": one.name, "value": str(one), "method": one.method, **one.conditions, "n_frames": one.n_frames}
            for one in self.measurements
        ]
        return pd.DataFrame(rows).fillna("")

    def to_json(self) -> dict[str, Any]:
        """Return the record that ``results.json`` holds."""
        record: dict[str, Any] = {"schema": SCHEMA_NAME, "workbench": self.workbench}
        for key in ("versions", "parameters", "dataset", "groups"):
            record[key] = getattr(self, key)
        record["measurements"] = [asdict(one) | {"notes": list(one.notes)} for one in self.measurements]
        record["not_measured"] = [asdict(one) for one in self.not_measured]
        record["tables"] = self.tables
        record["fits"] = self.fits
        record["verdicts"] = {
            name: {"value": verdict.value, "reason": verdict.reason, **verdict.details}
            for name, verdict in self.verdicts.items()
        }
        record["problems"] = [asdict(one) for one in self.problems]
        return record

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Check the record against the schema and write it whole or not at all.

        Raises
        ------
        InputError
            When the folder cannot be written.
        """
        record = self.to_json()
        validate(record)
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        target = Path(path)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            # a file name need not be UTF-8; what is not becomes an escape, which is JSON
            part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(
                target, f"cannot be written ({error.strerror})", "choose a folder that you may write"
            ) from error
        return target

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Results:
        """Read a ``results.json``.

        Raises
        ------
        InputError
            When the file is missing, is no JSON or breaks the schema.
        """
        record = _read_record(Path(path))
        fixed = ("value", "reason")
        return cls(
            measurements=[Measurement(**one | {"notes": tuple(one["notes"])}) for one in record["measurements"]],
            not_measured=[NotMeasured(**one) for one in record["not_measured"]],
            problems=[Problem(**one) for one in record["problems"]],
            verdicts={
                name: Verdict(one["value"], one["reason"], {key: one[key] for key in one if key not in fixed})
                for name, one in record["verdicts"].items()
            },
            **{
                key: record[key]
                for key in ("dataset", "groups", "tables", "fits", "parameters", "versions", "workbench")
            },
        )


def _read_record(path: Path) -> dict[str, Any]:
    advice = "name a results.json that `workbench report` wrote"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", advice) from error
    except ValueError as error:
        raise InputError(path, f"is not JSON ({error})", advice) from error
    faults = schema_faults(record)
    if faults:
        raise InputError(path, faults[0], advice)
    return record
