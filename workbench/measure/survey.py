"""The whole measurement of a catalogue: what notebook 90, the report and the command line present."""

from __future__ import annotations

import hashlib
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from workbench.errors import InputError
from workbench.measure.acquisition import acquisition_plan
from workbench.measure.group import GroupSurvey
from workbench.measure.numbers import number
from workbench.measure.options import Options
from workbench.results import Problem, Results, Verdict
from workbench.threads import in_threads

if TYPE_CHECKING:
    import pandas as pd
    from uncertainties.core import AffineScalarFunc

    from workbench.frames.manifests import Manifest

_LIBRARIES = ("astropy", "dask", "numpy", "pandas", "scipy", "uncertainties", "xarray")


def measure_camera(
    catalogue: pd.DataFrame,
    *,
    gain: float | None = None,
    gain_error: float | None = None,
    accept: bool = False,
    per_bayer: bool = False,
    use_bias: bool = False,
    progress: bool = False,
) -> Results:
    """Measure everything that the frames of a catalogue can tell, group by group.

    Parameters
    ----------
    catalogue
        From :func:`workbench.catalogue`; any selection of its rows.
    gain, gain_error
        A gain [electron/adu] to convert with instead of the measured one, and its standard error. A gain in the
        catalogue's manifest serves likewise; the argument wins.
    accept
        Use frames although they do not look raw.
    per_bayer
        Give numbers for each plane of the colour mosaic.
    use_bias
        Let bias frames enter the fit of the dark mean, at their own exposure.
    progress
        Show a bar on stderr when that is a terminal.

    Returns
    -------
    Results
        With ``not_measured`` saying why, where something could not be measured.

    Raises
    ------
    InputError
        When no usable dark is among the frames, or an option does not fit them.
    """
    used = catalogue[catalogue["usable"].astype(bool)]
    used.attrs = {}  # pandas copies them, deeply, with every selection of rows
    manifest = catalogue.attrs.get("manifest")
    name = Path(str(catalogue.attrs.get("root", "frames"))).name
    if not (used["kind"] == "dark").any():
        next_step = "add darks, or name them in workbench.toml (`workbench inspect` shows what is there)"
        raise InputError(name, "holds no usable dark frame", next_step)
    options = Options(
        gain=_given_gain(manifest, gain, gain_error),
        accept=accept,
        per_bayer=per_bayer,
        use_bias=use_bias,
        regions=() if manifest is None else tuple(manifest.regions),
    )
    results = Results(
        dataset={"name": name, "n_frames": len(catalogue), "n_used": 0, "sha256": _digest(used)},
        tables={"dark_mean": [], "variance": [], "convergence": []},
        fits={"dark_mean": []},
        problems=[*catalogue.attrs.get("problems", ()), *(one for row in catalogue["problems"] for one in row)],
        parameters=_parameters(options),
        versions={"python": platform.python_version(), **{library: version(library) for library in _LIBRARIES}},
        workbench=version("dark-frame-workbench"),
    )
    refusals: list[InputError] = []
    verdicts: dict[str, list[dict[str, Any]]] = {"dark_below_bias": [], "dark_scaling": []}
    with tqdm(total=len(used), unit="frame", desc="measuring", disable=None if progress else True, leave=False) as bar:
        for group in sorted(used["group"].unique(), key=_group_number):
            survey = GroupSurvey(group, used[used["group"] == group], results, options, bar.update)
            try:
                found = survey.run()
            except InputError as error:  # one group's frames, or an option that does not fit them: the rest goes on
                refusals.append(error)
                results.problems.append(Problem(f"group {group}: {error.file}", error.rule, error.next_step))
                continue
            for region, judged in found.items():
                where = {"group": group} | ({"region": region} if region else {})
                for name, one in judged.items():
                    verdicts[name].append({**where, "value": one.value, "reason": one.reason, **one.details})
            results.dataset["n_used"] += len(survey.rows)
    if refusals and not results.dataset["n_used"]:
        raise refusals[0]
    results.verdicts["dark_below_bias"] = _overall(verdicts["dark_below_bias"], undecided=None)
    results.verdicts["dark_scaling"] = _overall(verdicts["dark_scaling"], undecided="not_judged")
    results.tables["acquisition_plan"] = [one.row() for one in acquisition_plan(results)]
    return results


def _parameters(options: Options) -> dict[str, Any]:
    given = options.gain
    return {
        "gain": None if given is None else given.nominal_value,
        "gain_error": None if given is None else given.std_dev or None,  # 0: it was given without one
        "accept": options.accept,
        "per_bayer": options.per_bayer,
        "use_bias": options.use_bias,
    }


def _given_gain(manifest: Manifest | None, gain: float | None, gain_error: float | None) -> AffineScalarFunc | None:
    if gain is None and manifest is not None:
        gain, gain_error = manifest.gain, manifest.gain_error
    if gain is None:
        return None
    if not (math.isfinite(gain) and gain > 0):
        raise InputError("gain", f"{gain} is not a positive number", "give electrons per adu of the file, such as 0.25")
    if gain_error is not None and not (math.isfinite(gain_error) and gain_error >= 0):
        raise InputError(
            "gain_error", f"{gain_error} is negative or not finite", "give a standard error in electron / adu"
        )
    return number(gain, gain_error or 0.0, "gain")


def _group_number(group: str) -> tuple[int, str]:
    digits = group.removeprefix("g")
    return (int(digits) if digits.isdigit() else 0, group)


def _digest(used: pd.DataFrame) -> str:
    """Return one hash over the hashes of the files, sorted: the same frames give the same, wherever they lie."""
    hashes = sorted(in_threads(_file_hash, used["path"]))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _file_hash(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _overall(verdicts: list[dict[str, Any]], *, undecided: str | None) -> Verdict:
    """Return the one answer where all groups and regions agree, else none, with each of them beside it."""
    if not verdicts:
        return Verdict(undecided, "no darks to judge", {"by_group": []})
    first = verdicts[0]
    figures = {key: value for key, value in first.items() if key not in ("group", "region", "value", "reason")}
    if len(verdicts) == 1 or len({one["value"] for one in verdicts}) == 1:
        return Verdict(first["value"], first["reason"], {**figures, "by_group": verdicts})
    reason = "the groups or regions differ; each is judged by itself"
    return Verdict(undecided, reason, {**dict.fromkeys(figures), "by_group": verdicts})
