"""The light of a field that its others are laid upon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.calibrate.register import FEWEST_STARS
from workbench.errors import InputError
from workbench.results import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from workbench.calibrate.night_plan import NightPlan
    from workbench.calibrate.night_registration import Calibrated

__all__ = ["named_reference", "reference_of"]

_BEST = "it has most stars for their width"


def named_reference(plan: NightPlan, wanted: str | None) -> str | None:
    """Return the light that a user means by a file, a path, or a name without folders; None where none is named.

    Raises
    ------
    InputError
        When no planned light is called so, or several are.
    """
    if wanted is None:
        return None
    lights = list(plan.lights)
    exact = [light.file for light in lights if wanted in (light.file, str(light.row["path"]))]
    found = exact or [light.file for light in lights if wanted == Path(light.file).name]
    if not found:
        step = f"name one such as {lights[0].file}"
        raise InputError(wanted, "is none of the lights that can be calibrated", step)
    if len(found) > 1:
        more = f" and {len(found) - 2} more" if len(found) > 2 else ""
        raise InputError(wanted, f"may be {found[0]} or {found[1]}{more}", "name it with its folder")
    return found[0]


def reference_of(
    lights: Sequence[Calibrated], planned: Collection[str], wanted: str | None
) -> tuple[Calibrated, str, Problem | None]:
    """Choose the light that the others of its field are laid upon.

    Parameters
    ----------
    lights
        Of the field, calibrated.
    planned
        Files of all lights of the field.
    wanted
        File of the light that the user named, of this field or another; None where none was.

    Returns
    -------
    tuple
        The light: that which was named, else the one with most stars for their width; why; and what is wrong with the
        one that was named, if it cannot serve.
    """
    named = next((one for one in lights if one.plan.file == wanted), None)
    if named is not None and named.facts["n_stars"] >= FEWEST_STARS:
        return named, "named by its user", None
    best = max(lights, key=lambda one: one.facts["n_stars"] / (one.facts["fwhm"] or 1.0))
    if wanted is None or wanted not in planned:
        return best, _BEST, None
    short = "was not calibrated" if named is None else f"shows {named.facts['n_stars']} stars"
    rule = f"cannot be the reference: it {short}" + ("" if named is None else f", and {FEWEST_STARS} are needed")
    problem = Problem(wanted, rule, f"lights are registered to {best.plan.file} instead: {_BEST}")
    return best, f"{_BEST}; {wanted}, named by its user, {short}", problem
