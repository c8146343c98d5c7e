"""Strict reading of the TOML files that describe simulated cameras and datasets: a typo is an error, not a default."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ManifestError, did_you_mean
from workbench.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Quantity:
    """What a manifest may say of one key: the type of its value, as Python spells it, and its unit, or none."""

    kind: str
    unit: str | None = None


def camera_path(name: str | Path) -> Path:
    """Find a camera manifest by its plain name among those of the project, or by its path.

    Raises
    ------
    ManifestError
        When there is none; the message lists the cameras that there are.
    """
    cameras = folder("data_manifests") / "cameras"
    plain = _PLAIN_NAME.fullmatch(str(name)) is not None
    path = cameras / f"{name}.toml" if plain else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in cameras.glob("*.toml")))
        raise ManifestError(name, "is no camera and no camera manifest", f"choose from {known}, or name a .toml file")
    return path


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file, or say in one line why it is none.

    Raises
    ------
    ManifestError
        When the file is not UTF-8 or breaks TOML's syntax.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(path, f"is not valid TOML: {error}", "correct it there") from error


def check_keys(path: Path, where: str, given: Iterable[str], legal: Iterable[str]) -> None:
    """Refuse the first key that is not legal, and name the nearest that is.

    Raises
    ------
    ManifestError
        When a key is not legal.
    """
    known = list(legal)
    for key in given:
        if key not in known:
            advice = did_you_mean(key, known, f"legal keys are {', '.join(known)}")
            raise ManifestError(path, f"unknown key {key} in {where}", advice)


def check_value(path: Path, where: str, value: Any, kind: str) -> Any:
    """Return a value of the right type, an integer as a float where a float belongs.

    Raises
    ------
    ManifestError
        When the type is another one.
    """
    if kind == "tuple[int, int]":
        if not (isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value)):
            raise ManifestError(path, f"{where} = {value!r} is no pair of integers", "give [rows, columns]")
        return tuple(value)
    if kind == "tuple[str, ...]":
        if not (isinstance(value, list) and all(type(item) is str for item in value)):
            raise ManifestError(path, f"{where} = {value!r} is no list of strings", "give a list of strings")
        return tuple(value)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise ManifestError(path, f"{where} = {value!r} is no {kind}", f"give a {kind}")
    return value


def read_table(
    path: Path, where: str, table: Any, legal: Mapping[str, str], optional: Iterable[str] = ()
) -> dict[str, Any]:
    """Check one TOML table: only legal keys, all but the optional ones there, each of its type.

    Parameters
    ----------
    path, where
        The file and the table's name, for the message.
    table
        What the parser returned for it.
    legal
        Each key's type, as Python spells it.
    optional
        Keys that may be left out.

    Raises
    ------
    ManifestError
        When the table breaks a rule.
    """
    if not isinstance(table, dict):
        raise ManifestError(path, f"{where} is no table", f"write it as [{where}]")
    check_keys(path, where, table, legal)
    missing = [key for key in legal if key not in table and key not in optional]
    if missing:
        raise ManifestError(path, f"{where} has no {missing[0]}", "add it there")
    return {key: check_value(path, f"{where}.{key}", value, legal[key]) for key, value in table.items()}


def read_quantities(path: Path, legal: Mapping[str, Quantity]) -> dict[str, Any]:
    """Read a manifest of quantities, one table each: ``value``, ``unit``, ``source`` and, where it is so, ``assumed``.

    Parameters
    ----------
    path
        The manifest.
    legal
        Every quantity that it may hold.

    Returns
    -------
    dict
        Quantity -> value.

    Raises
    ------
    ManifestError
        At a key that is not legal (with the nearest that is), a value of the wrong type, another unit than the
        quantity's own, or a value without a source.
    """
    document = read_toml(path)
    check_keys(path, "the manifest", document, legal)
    values = {}
    for key, table in document.items():
        kind, unit = legal[key].kind, legal[key].unit
        entry_keys = {"value": kind, "unit": "str", "source": "str", "assumed": "bool"}
        entry = read_table(path, key, table, entry_keys, optional=("assumed",) if unit else ("assumed", "unit"))
        if entry.get("unit") != unit:
            raise ManifestError(
                path, f"{key} is in {entry.get('unit')}", f"give it in {unit}" if unit else "leave the unit out"
            )
        values[key] = entry["value"]
    return values
