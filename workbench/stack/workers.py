"""The frames of a stack combined on many machines, by the workers of a ``distributed`` scheduler.

A task is a band of rows: a worker reads it out of the files itself, and runs what a thread of this machine would run.
Where the files cannot be read in bands, dask brings the band together; what is in memory here is sent.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from dask.delayed import delayed
from tqdm import tqdm

from workbench.errors import InputError
from workbench.frames.load import load_stack
from workbench.stack.assembly import Assembly, Mask, combine_files, files_of, row_bands
from workbench.stack.columns import combine_values
from workbench.stack.frame_statistics import FrameStatistics, frame_statistics, has_bayer_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr
    from distributed import Client, Future
    from numpy.typing import NDArray

    from workbench.frames.source import FrameSource
    from workbench.stack.columns import Plan
    from workbench.stack.planes import Planes

    BoolArray = NDArray[np.bool_]

__all__ = ["combine_there", "connected", "statistics_there"]

_BAND_BYTES = 32 * 2**20  # of what a worker reads for one task: a scheduler spends a millisecond on each
_AHEAD = 3  # tasks that wait for a thread of a worker
_WAIT = "10s"  # for a scheduler to answer
_PACKAGE = "dark-frame-workbench"
_NEXT_STEP = "see that its scheduler and workers run, or leave it out to work on this machine"


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler for a while.

    Raises
    ------
    InputError
        When ``distributed`` is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client  # an optional extra  # noqa: PLC0415
    except ImportError as error:
        step = f"install it: pip install '{_PACKAGE}[distributed]'"
        raise InputError("scheduler", "needs the package distributed, which is not installed", step) from error
    try:
        client = Client(address, timeout=_WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(address, f"cannot be reached as a scheduler ({error})", _NEXT_STEP) from error
    with client:
        yield client


def combine_there(client: Client, stack: xr.DataArray, plan: Plan, mask: Mask, *, progress: bool) -> Assembly:
    """Combine a stack on the workers of a client, as :func:`workbench.stack.assembly.combine_here` does here.

    Raises
    ------
    FrameError
        When a worker finds that a file has gone, or is damaged.
    InputError
        When there are no workers, they have another version, or they are lost.
    """
    _check_workers(client)
    whole = Assembly((stack.shape[1], stack.shape[2]), plan)
    with _bar(stack.shape[1], "row", "combining", progress=progress) as bar:
        for rows, planes in _results(client, _bands(client, stack, plan, mask)):
            whole.add(rows, planes)
            bar.update(rows.stop - rows.start)
    return whole


def statistics_there(
    client: Client, stack: xr.DataArray, estimator: str, mask: Mask, *, noise: bool, progress: bool
) -> FrameStatistics:
    """Find the statistics of whole frames, a frame a task where workers can read the files.

    Raises
    ------
    FrameError, InputError
        As :func:`combine_there` and :func:`workbench.stack.frame_statistics.frame_statistics`.
    """
    sources = files_of(stack)
    if sources is None:
        return frame_statistics(stack, estimator, noise=noise, mask=mask.samples, progress=progress)
    _check_workers(client)
    files = [str(file) for file in stack["file"].to_numpy()]
    looks = {"noise": noise, "bayer": has_bayer_pattern(stack)}
    submitted = (
        (number, client.submit(_statistics_of, *one, _sent(client, mask.frame(number)), estimator, looks, pure=False))
        for number, one in enumerate(zip(files, sources, strict=True))
    )
    found: dict[int, FrameStatistics] = {}
    with _bar(len(files), "frame", "normalising", progress=progress) as bar:
        for number, one in _results(client, submitted):
            found[number] = one
            bar.update()
    ordered = [found[number] for number in range(len(files))]
    noises = [one.noise for one in ordered if one.noise is not None]
    return FrameStatistics(
        tuple(files),
        np.concatenate([one.location for one in ordered]),
        np.concatenate([one.scale for one in ordered]),
        np.concatenate(noises) if noises else None,
    )


def _bands(client: Client, stack: xr.DataArray, plan: Plan, mask: Mask) -> Iterator[tuple[slice, Future[Any]]]:
    """Have bands combined: the next when it is asked for, where they do not depend on each other."""
    sources = files_of(stack)
    rows_of = row_bands(stack.shape, stack.dtype.itemsize, _BAND_BYTES)
    if sources is not None:
        job = client.submit(_job, sources, plan, pure=False)
        for rows in rows_of:
            yield rows, client.submit(_files_band, job, rows, _sent(client, mask.band(rows)), pure=False)
    elif stack.chunks is None:
        for rows in rows_of:
            band = np.ascontiguousarray(stack.isel(y=rows).to_numpy().reshape(plan.n_frames, -1))
            yield (
                rows,
                client.submit(combine_values, _sent(client, band), _sent(client, mask.band(rows)), plan, pure=False),
            )
    else:
        cuts = list(rows_of)
        blocks = stack.data.rechunk({0: -1, 1: tuple(rows.stop - rows.start for rows in cuts), 2: -1}).to_delayed()
        combined = [
            delayed(_block_band, pure=False)(block, _sent(client, mask.band(rows)), plan)
            for block, rows in zip(blocks.reshape(-1), cuts, strict=True)
        ]
        yield from zip(cuts, client.compute(combined), strict=True)


def _job(sources: Sequence[FrameSource], plan: Plan) -> tuple[Sequence[FrameSource], Plan]:
    """Hold what all tasks share: as a task it is sent once a worker, and not lost with one."""
    return sources, plan


def _files_band(job: tuple[Sequence[FrameSource], Plan], rows: slice, missing: BoolArray | None) -> Planes:
    sources, plan = job
    return combine_files(sources, rows, missing, plan)


def _block_band(block: NDArray[Any], missing: BoolArray | None, plan: Plan) -> Planes:
    return combine_values(np.ascontiguousarray(block.reshape(plan.n_frames, -1)), missing, plan)


def _statistics_of(
    file: str,
    source: FrameSource,
    missing: BoolArray | None,
    estimator: str,
    looks: dict[str, bool],
) -> FrameStatistics:
    stack = load_stack(pd.DataFrame({"file": [file], "source": [source]}))
    return frame_statistics(stack, estimator, mask=missing, threads=1, **looks)


def _sent(client: Client, array: NDArray[Any] | None) -> Any:
    """Send an array ahead of the task that needs it: task descriptions are to be small."""
    return None if array is None else client.scatter(array, hash=False)


def _results(client: Client, submitted: Iterator[tuple[Any, Future[Any]]]) -> Iterator[tuple[Any, Any]]:
    """Give results as they come, with a few tasks waiting for each thread of the workers and no more."""
    from distributed import KilledWorker, as_completed  # see connected()  # noqa: PLC0415
    from distributed.comm import CommClosedError  # type: ignore[attr-defined]  # noqa: PLC0415

    keys: dict[Future[Any], Any] = {}
    done = as_completed(loop=client.loop)

    def more(number: int) -> None:
        for key, future in islice(submitted, number):
            keys[future] = key
            done.add(future)

    try:
        more(_AHEAD * sum(client.nthreads().values()))
        for future in done:
            yield keys.pop(future), future.result()
            more(1)
    except (KilledWorker, CancelledError, CommClosedError) as error:
        rule = f"lost its workers ({type(error).__name__})"
        raise InputError("scheduler", rule, _NEXT_STEP) from error
    finally:
        client.cancel(list(keys))


def _check_workers(client: Client) -> None:
    versions = client.run(version, _PACKAGE, on_error="return")
    if not versions:
        raise InputError("scheduler", "has no workers", "start some: dask worker tcp://ADDRESS:PORT")
    for worker, found in versions.items():
        if found != version(_PACKAGE):
            which = "no dark-frame workbench" if isinstance(found, Exception) else f"version {found} of it"
            raise InputError(worker, f"this worker has {which}, here is {version(_PACKAGE)}", "install the same on all")


def _bar(total: int, unit: str, words: str, *, progress: bool) -> Any:
    return tqdm(total=total, unit=unit, desc=words, disable=None if progress else True, leave=False)
