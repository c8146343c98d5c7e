"""Where a survey writes down what it finds, each number under the conditions of its group, region and temperature."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import NotMeasurableError
from workbench.results import Measurement, NotMeasured, Problem, Results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from uncertainties.core import AffineScalarFunc


@dataclass(frozen=True)
class Record:
    """A view of the results under fixed conditions."""

    results: Results
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def under(self, **conditions: Any) -> Record:
        """Return a view with further conditions; those that are None are left out."""
        known = {key: value for key, value in conditions.items() if value is not None}
        return replace(self, conditions={**self.conditions, **known})

    @property
    def place(self) -> str:
        """Group and region as one name."""
        return "/".join(str(self.conditions[key]) for key in ("group", "region") if key in self.conditions)

    def measured(
        self, name: str, number: AffineScalarFunc, method: str, n_frames: int, notes: tuple[str, ...] = ()
    ) -> None:
        """Write down a number in the unit of the nomenclature."""
        rest = {"conditions": dict(self.conditions), "n_frames": n_frames, "notes": notes}
        self.add(Measurement.of(name, number, method, **rest))

    def add(self, measurement: Measurement) -> None:
        """Write down a measurement; its own conditions come on top of those of the view."""
        conditions = {**self.conditions, **measurement.conditions}
        self.results.measurements.append(replace(measurement, conditions=conditions))

    def missing(self, name: str, reason: str) -> None:
        """Write down why a quantity was not measured; of two reasons the first stands."""
        conditions = dict(self.conditions)
        known = ((one.name, one.conditions) for one in self.results.not_measured)
        if (name, conditions) not in known:
            self.results.not_measured.append(NotMeasured(name, reason, conditions))

    def attempt(self, *names: str) -> Attempt:
        """Turn a :class:`NotMeasurableError` of the block into ``not_measured`` entries for these names."""
        return Attempt(self, names)

    def row(self, table: str, **values: Any) -> None:
        """Append a row to a table; group and region come first."""
        where = {key: self.conditions[key] for key in ("group", "region") if key in self.conditions}
        self.results.tables.setdefault(table, []).append({**where, **values})

    def fit(self, name: str, record: Mapping[str, Any]) -> None:
        """Append the record of a fit; group and region come first."""
        where = {key: self.conditions[key] for key in ("group", "region") if key in self.conditions}
        self.results.fits.setdefault(name, []).append({**where, **record})

    def problem(self, where: str, rule: str, action: str) -> None:
        """Write down what is wrong with the frames and what was done about it."""
        self.results.problems.append(Problem(where, rule, action))


@dataclass(frozen=True)
class Attempt:
    """The context manager of :meth:`Record.attempt`; a class, so that type checkers know that it ends exceptions."""

    record: Record
    names: tuple[str, ...]

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, NotMeasurableError):
            return False
        for name in self.names:
            self.record.missing(name, error.reason)
        return True
