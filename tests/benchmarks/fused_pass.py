"""What one pass over 14 dark frames costs, against nothing but reading their bytes into memory that is there already.

Run as ``python tests/benchmarks/fused_pass.py [THREADS]``. The frames are 16-bit FITS of 4656 x 3522 pixels, 459 MB
together, made in a temporary folder (TMPDIR) and warm in the page cache. Reading and measuring take turns, with as many
threads: a noisy machine slows both alike. One pass yields the whole 2-14 convergence table, all pairs, the temporal
variance, their errors, the frames' means, and the pixels out of range, none of which is known to it before.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack.variance import difference_moments, levels

SHAPE = 3522, 4656
N_FRAMES = 14
SATURATION = 65_520
ROUNDS = 15


def _make(folder: Path) -> None:
    """Write darks of a 12-bit camera in steps of 16 adu, with hot pixels, some of them saturated."""
    rng = np.random.default_rng(1)
    pattern = rng.normal(1600, 40, SHAPE).astype(np.float32)
    hot = rng.integers(0, pattern.size, 400)
    pattern.flat[hot] = rng.uniform(2000, 90_000, hot.size)
    noise = rng.normal(0, 48, SHAPE).astype(np.float32)
    for k in range(N_FRAMES):
        values = pattern + np.roll(noise, (977 * k, 1009 * k), axis=(0, 1))
        pixels = (np.rint(values / 16).clip(0, 4095) * 16).astype(np.uint16)
        fits.PrimaryHDU(pixels).writeto(folder / f"dark_{k:02}.fits")


def _stack(folder: Path):
    files = sorted(folder.glob("*.fits"))
    sources = [read_frame_file(file).source for file in files]
    return load_stack(pd.DataFrame({"file": [file.name for file in files], "source": sources}))


def _clocked(action) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def _reader(folder: Path, threads: int):
    files = sorted(folder.glob("*.fits"))
    room = np.empty((N_FRAMES, files[0].stat().st_size), dtype=np.uint8)
    room.fill(0)

    def read(k: int) -> None:
        with files[k].open("rb", buffering=0) as file:
            file.readinto(memoryview(room[k]))

    def read_all() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(read, range(N_FRAMES)))

    return read_all


def _status(field: str) -> float:
    """Return a size from what Linux tells of this process [MiB]."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields[field].split()[0]) / 2**10


def _memory(folder: Path) -> None:
    stack = _stack(folder)
    before = _status("VmRSS")
    difference_moments(stack, saturation=SATURATION)
    sys.stdout.write(f"{before:.0f} {_status('VmHWM'):.0f}\n")


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["memory"]:
        _memory(Path(sys.argv[2]))
        return
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        _make(folder)
        stack = _stack(folder)
        first, _ = _clocked(lambda: difference_moments(stack, saturation=SATURATION, threads=threads))
        passes = {
            "readinto": _reader(folder, threads),
            "all in one pass": lambda: difference_moments(stack, saturation=SATURATION, threads=threads),
            "levels alone": lambda: levels(stack, SATURATION, threads=threads),
            "with both maps": lambda: difference_moments(stack, saturation=SATURATION, threads=threads, maps=True),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in passes}
        for _ in range(ROUNDS):
            for name, action in passes.items():
                times[name].append(_clocked(action))
        command = [sys.executable, __file__, "memory", str(folder)]
        before, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    sys.stdout.write(f"{stack.nbytes / 1e6:.0f} MB, {threads} threads, {ROUNDS} rounds; first call {first:.0f} ms\n")
    sys.stdout.write(f"{'':16} {'best ms':>8} {'median':>8} {'cpu':>8} {'ratio of best':>14} {'of medians':>11}\n")
    floor = [wall for wall, _ in times["readinto"]]
    for name, clocks in times.items():
        walls = [wall for wall, _ in clocks]
        cpu = statistics.median(cpu for _, cpu in clocks)
        ratios = min(walls) / min(floor), statistics.median(walls) / statistics.median(floor)
        numbers = f"{min(walls):8.1f} {statistics.median(walls):8.1f} {cpu:8.1f} {ratios[0]:14.2f} {ratios[1]:11.2f}"
        sys.stdout.write(f"{name:16} {numbers}\n")
    sys.stdout.write(
        f"a process that does nothing else: {before} MiB before the pass, at most {peak} MiB, mapped files included\n"
    )


if __name__ == "__main__":
    main()
