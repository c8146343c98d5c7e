"""Workers in processes of their own give the same bits as threads of this one."""

import os
import sys

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from workbench.errors import FrameError, InputError
from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack import workers
from workbench.stack.combine import combine
from workbench.stack.workers import connected

distributed = pytest.importorskip("distributed")

N_FRAMES, HEIGHT, WIDTH = 7, 40, 60


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    ) as local:
        yield local


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as one:
        yield one


@pytest.fixture(autouse=True)
def many_bands(monkeypatch):
    monkeypatch.setattr(workers, "_BAND_BYTES", 6000)


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(4)
    values = rng.normal(1000, 12, (N_FRAMES, HEIGHT, WIDTH))
    values[rng.random(values.shape) < 0.03] += 2000
    return values.round().astype(np.uint16)


@pytest.fixture
def load(write_fits, pixels):
    def write(suffix=".fits", values=pixels):
        paths = [write_fits(f"dark_{k}{suffix}", frame) for k, frame in enumerate(values)]
        sources = [read_frame_file(path).source for path in paths]
        exposures = np.linspace(10, 20, len(paths))
        return load_stack(
            pd.DataFrame({"file": [path.name for path in paths], "source": sources, "exposure": exposures})
        ), paths

    return write


def assert_same(found, expected):
    assert list(found.data) == list(expected.data)
    for name in expected.data:
        np.testing.assert_array_equal(found.data[name].to_numpy(), expected.data[name].to_numpy(), strict=True)
    pd.testing.assert_frame_equal(found.frames, expected.frames)


@pytest.mark.parametrize(
    "options",
    [
        {"rejection": "winsorized"},
        {"rejection": "sigma", "method": "median"},
        {"rejection": "mad", "normalisation": "additive_scaling", "rejection_normalisation": "multiplicative"},
        {"weights": "noise", "scale": "sn", "maps": False},
        {"weights": "exposure", "range_high": 3000},
    ],
)
def test_workers_that_read_files_give_the_same_bits(client, load, options):
    stack, _ = load()
    assert_same(combine(stack, client=client, **options), combine(stack, **options))


@pytest.mark.parametrize("suffix", [".fits.gz", ".fits.fz"])
def test_compressed_files_give_the_same_bits(client, load, suffix):
    stack, _ = load(suffix)
    options = {"rejection": "winsorized", "normalisation": "additive"}
    assert_same(combine(stack, client=client, **options), combine(stack, **options))


@pytest.mark.parametrize(
    "change",
    [
        lambda stack: stack * np.float32(1.5) - 3,
        lambda stack: stack[:, 5:, 3:20],
        lambda stack: stack.astype(np.float64).chunk(frame=2, y=7, x=11),
        lambda stack: stack.load(),
        lambda stack: stack.astype(np.float32).load(),
    ],
    ids=["arithmetic", "cut out", "other chunks", "in memory", "floats in memory"],
)
def test_stacks_that_are_no_whole_files_give_the_same_bits(client, load, change):
    stack = change(load()[0].copy())
    assert_same(combine(stack, rejection="winsorized", client=client), combine(stack, rejection="winsorized"))


def test_masks_go_to_the_workers(client, load, pixels):
    stack, _ = load()
    rng = np.random.default_rng(3)
    for mask in (rng.random(pixels.shape[1:]) < 0.1, rng.random(pixels.shape) < 0.1):
        for one in (stack, stack * 1.0, stack.copy().load()):
            options = {"mask": mask, "rejection": "sigma", "normalisation": "additive"}
            assert_same(combine(one, client=client, **options), combine(one, **options))


def test_the_address_of_a_scheduler_will_do(cluster, load):
    stack, _ = load()
    assert_same(combine(stack, client=cluster.scheduler_address), combine(stack))


@pytest.mark.parametrize("options", [{}, {"normalisation": "additive"}, {"range_low": 0}])
def test_a_worker_names_the_file_that_is_cut(client, load, options):
    stack, paths = load()
    os.truncate(paths[3], 4000)
    with pytest.raises(FrameError) as refused:
        combine(stack, client=client, **options)
    assert str(refused.value).startswith(f"{paths[3]}: is truncated: it was cut after its header was read; ")
    os.truncate(paths[3], 0)
    paths[3].unlink()
    with pytest.raises(FrameError) as refused:
        combine(stack * 1.0, client=client, **options)
    assert str(refused.value).startswith(f"{paths[3]}: cannot be read (No such file or directory); ")


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(
            InputError,
            match=r"^scheduler: needs the package distributed, which is not installed; "
            r"install it: pip install 'dark-frame-workbench\[distributed\]'$",
        ),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "nonsense://somewhere:1"])
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, address):
    monkeypatch.setattr(workers, "_WAIT", "1s")
    with pytest.raises(InputError) as refused, connected(address):
        pass
    assert str(refused.value).startswith(f"{address}: cannot be reached as a scheduler (")
    assert "\n" not in str(refused.value)


def test_workers_of_another_version_are_named(client, load, monkeypatch):
    monkeypatch.setattr(workers, "version", lambda _: "99.0")
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://worker": "0.0.1", "tcp://other": "99.0"})
    with pytest.raises(InputError, match=r"^tcp://worker: this worker has version 0.0.1 of it, here is 99.0; install"):
        combine(load()[0], client=client)


def test_a_scheduler_without_workers_is_named():
    with (
        distributed.LocalCluster(n_workers=0, processes=True, host="127.0.0.1", dashboard_address=":0") as empty,
        pytest.raises(InputError, match=r"^scheduler: has no workers; start some: dask worker tcp://ADDRESS:PORT$"),
    ):
        combine(xr.DataArray(np.ones((2, 3, 4)), dims=("frame", "y", "x")), client=empty.scheduler_address)


def test_a_worker_that_dies_over_a_task_is_one_line():
    def die(_):
        os._exit(1)

    ones = da.ones((2, 8, 8), chunks=(2, 8, 8)).map_blocks(die, dtype=float, meta=np.empty((0, 0, 0)))
    stack = xr.DataArray(ones, dims=("frame", "y", "x"))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=1, host="127.0.0.1", dashboard_address=":0") as fragile,
        distributed.Client(fragile, set_as_default=False) as one,
        pytest.raises(InputError, match=r"^scheduler: lost its workers \(KilledWorker\); see that its scheduler and "),
    ):
        combine(stack, client=one)
