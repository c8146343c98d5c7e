"""What the steps of a night share, and the first of them: masters. None is done twice."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.calibrate.flats import make_master_flat
from workbench.calibrate.integrate import integration_recipe
from workbench.calibrate.masters import make_master
from workbench.calibrate.night_overscan import overscan_preparation
from workbench.calibrate.night_record import NightRecord, made_from, sha256_of
from workbench.calibrate.resample import CLAMPING
from workbench.results import Problem
from workbench.threads import in_threads, processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pandas as pd

    from workbench.calibrate.calibration import Calibration
    from workbench.calibrate.night_plan import LightPlan, MasterPlan
    from workbench.calibrate.resample import Kernel
    from workbench.errors import InputError
    from workbench.stack.recipe import Recipe

__all__ = ["NightOptions", "Workshop", "lights_at_a_time", "make_masters"]

_LEFT_OUT = "left out"
_MOST_BYTES = 3 * 2**29  # what the lights that are worked on at a time may take, beside the masters
# bytes a pixel of a light, at most, as measured
_LIGHT_BYTES = 18  # searched for stars, resampled and packed
_PACKED_ERRORS_BYTES = 22  # packed with its uncertainties
_SCALING_BYTES = {"noise": 60, "hot-pixels": 36}  # a dark is scaled to it by its own pixels


@dataclass(frozen=True)
class NightOptions:
    """How a night is worked upon.

    Parameters
    ----------
    pedestal
        Added to calibrated lights [adu].
    gain
        Of the lights' adu [electron / adu]; with it calibrated lights carry their uncertainties.
    compress
        Pack lights without loss, and the counts of masters.
    accept
        Use frames that are the odd ones out.
    kernel, clamping
        See :func:`workbench.calibrate.resample.resample`.
    recipe
        Of the integrations, see :func:`workbench.calibrate.integrate.integration_recipe`.
    reference
        File of the light that others are registered to; None takes, of each field, the one with most stars for their
        width.
    """

    pedestal: float = 0.0
    gain: float | None = None
    compress: bool = False
    accept: bool = False
    kernel: Kernel = "lanczos3"
    clamping: float | None = CLAMPING
    recipe: Recipe = field(default_factory=integration_recipe)
    reference: str | None = None


@dataclass
class Workshop:
    """What the steps share: where results go, what is there, what went wrong, and who is told of progress."""

    out: Path
    options: NightOptions
    record: NightRecord
    advance: Callable[[str], None]
    problems: list[Problem] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    stars: dict[str, pd.DataFrame] = field(default_factory=dict)
    masters: dict[str, dict[str, Any]] = field(default_factory=dict)
    calibrations: dict[tuple[str, ...], Calibration] = field(default_factory=dict)

    def name(self, file: str, error: InputError) -> None:
        """Note a light that stays out, and why."""
        self.problems.append(Problem(file, error.rule, f"{_LEFT_OUT}; {error.next_step}"))

    def finish(self, file: str, key: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Record a file that was written."""
        self.record.add(file, key, facts)
        self.made.append(file)
        self.advance(file)
        return facts

    def known(self, file: str, key: str) -> dict[str, Any] | None:
        """Return the facts of a file that need not be made again."""
        facts = self.record.known(file, key)
        if facts is not None:
            self.kept.append(file)
            self.advance(file)
        return facts


def lights_at_a_time(lights: Iterable[LightPlan], options: NightOptions | None = None) -> int:
    """Return how many lights may be worked on at a time: one a processor, fewer where they would take over 1.5 GiB.

    Parameters
    ----------
    lights
        What is planned of each.
    options
        Where they are calibrated; None where they are registered.
    """
    largest = max(int(light.row["height"]) * int(light.row["width"]) * _bytes(light, options) for light in lights)
    return max(1, min(processors(), _MOST_BYTES // largest))


def _bytes(light: LightPlan, options: NightOptions | None) -> int:
    if options is None:
        return _LIGHT_BYTES
    errors = _PACKED_ERRORS_BYTES if options.gain is not None and options.compress else _LIGHT_BYTES
    return max(errors, _SCALING_BYTES.get(light.scaling.by, 0) if light.scaling else 0)


def make_masters(shop: Workshop, plans: Iterable[MasterPlan]) -> None:
    """Make the masters that are not there, what flats need first.

    Raises
    ------
    InputError
        When frames make no master; the message names the frame.
    """
    for plan in sorted(plans, key=lambda one: one.kind == "flat"):
        if plan.ready:
            shop.masters[plan.file] = {"path": plan.file, "sha256": sha256_of(shop.out / plan.file)}
            shop.advance(plan.file)
        else:
            facts = _make_master(shop, plan)
            path = str(shop.out / plan.file)
            shop.masters[plan.file] = {"path": path, "sha256": shop.record.sha256(plan.file), **facts}
            shop.problems += [Problem(**one) for one in facts["problems"]]


def _make_master(shop: Workshop, plan: MasterPlan) -> dict[str, Any]:
    bias = shop.masters[plan.bias.file] if plan.bias else None
    inputs = list(in_threads(sha256_of, [shop.out / path for path in plan.rows["path"]]))
    options: dict[str, Any] = {"accept": shop.options.accept, "compress": shop.options.compress}
    said = plan.rows[["exposure", "temperature", "filter"]].astype(str).to_numpy().tolist()  # as a manifest may
    less = plan.overscan.places if plan.overscan else None
    key = made_from(f"master {plan.kind}", [options, said, less], [*inputs, *([bias["sha256"]] if bias else [])])
    facts = shop.known(plan.file, key)
    if facts is not None:
        return facts
    (shop.out / plan.file).parent.mkdir(exist_ok=True)
    if bias is not None:
        options |= {"bias": bias["path"], "overscan": plan.overscan}
        master = make_master_flat(plan.rows, shop.out / plan.file, overwrite=True, **options)
    else:
        options["preparation"] = overscan_preparation(plan.overscan)
        master = make_master(plan.rows, shop.out / plan.file, overwrite=True, **options)
    facts = {
        "kind": plan.kind,
        "n_frames": len(master.inputs),
        "words": master.combination.recipe.words,
        "share_low": master.share_rejected("low"),
        "share_high": master.share_rejected("high"),
        "noise": None if master.noise is None else master.noise.sigma,
        "std_error": master.std_error,
        "problems": [asdict(one) for one in master.problems],
    }
    return shop.finish(plan.file, key, facts)
