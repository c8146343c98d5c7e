"""The schema of ``results.json``, a file of the package, and the check against it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA_NAME = "workbench-results/1"


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of ``results.json``, a file of the package."""
    text = resources.files("workbench").joinpath("results.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def schema_faults(record: object) -> Sequence[str]:
    """List, in words, where a record breaks the schema."""
    import jsonschema  # noqa: PLC0415 - slow to import, needed only to write and read reports

    validator = jsonschema.Draft202012Validator(schema())
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(record)]


def validate(record: object) -> None:
    """Raise ``ValueError`` where a record that this package built breaks its own schema."""
    faults = schema_faults(record)
    if faults:
        raise ValueError("results.json breaks its schema: " + "; ".join(faults[:3]))
