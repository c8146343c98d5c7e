"""Are the stated errors the scatter around the truth? A bank of simulated cameras, measured as any other would be.

Each camera is simulated to FITS files, catalogued and surveyed, and every number is held against the camera's truth.
"""

from __future__ import annotations

import multiprocessing
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench.camera.session import Camera, simulate
from workbench.frames.catalogue import catalogue
from workbench.measure.bank_cameras import TEMPERATURE, bank_camera
from workbench.measure.bank_truth import Bench, not_claimed
from workbench.measure.lines import fit_line
from workbench.measure.survey import measure_camera
from workbench.results import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from workbench.results import Results

__all__ = ["bank_camera", "bank_table", "run_bank", "trial"]

_WITHIN = {"coverage_68": 0.994458, "coverage_95": 1.959964}  # standard errors of these intervals
_LEFT_ASIDE = ("lattice", "native_gain", "saturation", "full_well", "dynamic_range", "dark_mean")


def trial(number: int, folder: str | Path) -> list[dict[str, Any]]:
    """Simulate one camera of the bank, measure it, and compare its numbers with the truth.

    Of the numbers that each exposure has, those of the longest darks at the reference temperature are taken: numbers
    of one camera share its gain and its bias, and are no independent trials.

    Parameters
    ----------
    number
        Which camera.
    folder
        Where its frames are written; they are removed again.

    Returns
    -------
    list of dict
        One row a number: ``camera``, ``name``, ``method``, ``value``, ``std_error``, ``truth``, ``pull``, ``ideal``
        (standard error of an ideal estimator, or None), ``not_claimed`` (why the method does not claim the truth here,
        else ""), ``reason`` (why it was not measured, else "").
    """
    sensor, plan = bank_camera(number)
    with TemporaryDirectory(dir=folder) as here:
        frames = catalogue(simulate(sensor, plan, Path(here) / "frames", seed=number))
        results = measure_camera(frames)
        camera = Camera(sensor, number)
        ceiling = next((one.value for one in results.select("saturation")), float(sensor.adc_top))
        bench = Bench(camera, frames, ceiling)
        found = [*results.measurements, *_curvature(results)]
        rows = [_compared(one, bench) for one in found if _counts(one.name, one.conditions, bench)]
    missing = [
        {"name": one.name, "method": one.conditions.get("method", ""), "not_claimed": "", "reason": one.reason}
        for one in results.not_measured
        if _counts(one.name, one.conditions, bench)
    ]
    return [{"camera": number, **row} for row in [*rows, *missing] if row is not None]


def _counts(name: str, conditions: Any, bench: Bench) -> bool:
    here = conditions.get("temperature", TEMPERATURE) == TEMPERATURE or name == "doubling_temperature"
    longest = bench.exposures[-1]
    return name not in _LEFT_ASIDE and here and conditions.get("exposure", longest) == longest


def _compared(one: Measurement, bench: Bench) -> dict[str, Any] | None:
    truth = bench.truth(one)
    if truth is None:
        return None
    return {
        "name": one.name,
        "method": one.method,
        "value": one.value,
        "std_error": one.std_error,
        "truth": truth,
        "pull": one.pull(truth),
        "ideal": bench.ideal(one),
        "not_claimed": not_claimed(one, bench.camera),
        "reason": "",
    }


def _curvature(results: Results) -> Iterator[Measurement]:
    """Fit the quadratic [adu / s2] whatever model is preferred: to choose by the data would favour large values."""
    table = results.table("dark_mean")
    for temperature, rows in table.groupby("temperature") if len(table) else ():
        if len(rows) >= 4:
            line = fit_line(rows["exposure"], rows["mean"], rows["std_error"], degree=2)
            value, error = float(line.coefficients[2]), float(line.std_errors[2])
            where = {"temperature": temperature}
            n_frames = int(rows["n_frames"].sum())
            yield Measurement("curvature", value, error, "adu / s2", "quadratic of the dark mean", where, n_frames)


def run_bank(
    numbers: Iterable[int], *, processes: int = 2, folder: str | Path | None = None, progress: bool = False
) -> pd.DataFrame:
    """Run the trials of many cameras.

    Parameters
    ----------
    numbers
        Which cameras.
    processes
        How many run at once.
    folder
        Where their frames are written meanwhile; the system's folder of temporary files where not given.
    progress
        Show a bar on stderr when that is a terminal.

    Returns
    -------
    pandas.DataFrame
        The rows of :func:`trial`, in order of the cameras.
    """
    chosen = list(numbers)
    rows: dict[int, list[dict[str, Any]]] = {}
    with (
        TemporaryDirectory(dir=folder, prefix="bank.") as here,
        tqdm(total=len(chosen), unit="camera", desc="measuring", disable=None if progress else True) as bar,
    ):
        if processes == 1:
            for number in chosen:
                rows[number] = trial(number, here)
                bar.update()
        else:
            # spawned, not forked: the threads of this process would not survive that
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(processes, mp_context=context) as pool:
                waiting = {pool.submit(trial, number, here): number for number in chosen}
                for done in as_completed(waiting):
                    rows[waiting[done]] = done.result()
                    bar.update()
    return pd.DataFrame([row for number in chosen for row in rows[number]])


def bank_table(pulls: pd.DataFrame) -> pd.DataFrame:
    """Summarise the trials by quantity and method.

    Parameters
    ----------
    pulls
        From :func:`run_bank`.

    Returns
    -------
    pandas.DataFrame
        Index ``name, method``; columns ``cameras``, ``measured`` (and claimed), ``not_claimed``, ``excused`` (not
        measured, with a reason), ``mean_pull`` and its ``spread``, ``coverage_68``, ``coverage_95`` of the stated
        intervals, ``bias`` (mean deviation relative to the truth, weighted with its precision), ``efficiency``
        (variance of an ideal estimator over the squared scatter, that within which 68 % of the cameras lie, since a
        method may rightly state a large error on a few) and ``reasons`` of the excused.
    """
    n_cameras = pulls["camera"].nunique()
    given = pulls[pulls["reason"] == ""]
    rows = []
    for (name, method), same in given.groupby(["name", "method"], sort=False):
        claimed = same[same["not_claimed"] == ""]
        excuses = _excuses(pulls, name, method, set(same["camera"]))
        counted = Counter(excuses)
        rows.append(
            {
                "name": name,
                "method": method,
                "cameras": n_cameras,
                "measured": len(claimed),
                "not_claimed": len(same) - len(claimed),
                "excused": len(excuses),
                **_summary(claimed),
                "reasons": "; ".join(f"{count} x {reason}" for reason, count in counted.most_common()),
            }
        )
    return pd.DataFrame(rows).set_index(["name", "method"])


def _summary(rows: pd.DataFrame) -> dict[str, float]:
    pull = rows["pull"].to_numpy(dtype=np.float64)
    if len(pull) < 2:
        return {}
    apart = (rows["value"] - rows["truth"]).to_numpy(dtype=np.float64)
    truth, error = (rows[key].to_numpy(dtype=np.float64) for key in ("truth", "std_error"))
    ideal = rows["ideal"].to_numpy(dtype=np.float64)
    weight = float((truth**2 / error**2).sum())
    known = np.isfinite(ideal)
    return {
        "mean_pull": float(pull.mean()),
        "spread": float(pull.std(ddof=1)),
        **{key: float(np.mean(np.abs(pull) < within)) for key, within in _WITHIN.items()},
        "bias": float((apart * truth / error**2).sum() / weight) if weight else float("nan"),
        "efficiency": _efficiency(apart[known] / ideal[known]) if known.any() else float("nan"),
    }


def _efficiency(deviations: NDArray[np.float64]) -> float:
    """Compare deviations from the truth, in ideal standard errors, with those of a normal law, by their 68 % range."""
    return float((_WITHIN["coverage_68"] / np.quantile(np.abs(deviations), 0.68)) ** 2)


def _excuses(pulls: pd.DataFrame, name: str, method: str, measured: set[int]) -> list[str]:
    """Return the reason of every camera that gave none of this, figures taken out: one line for one kind of reason."""
    absent = pulls[(pulls["reason"] != "") & (pulls["name"] == name) & pulls["method"].isin(["", method])]
    first = absent[~absent["camera"].isin(measured)].drop_duplicates("camera")
    return [re.sub(r"\d[\d.]*", "#", reason.split(":")[0].split(";")[0]) for reason in first["reason"]]
