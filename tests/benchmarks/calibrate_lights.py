"""What it costs to calibrate 20 lights to float32, against nothing but writing the same bytes, and at Siril's.

Run as ``python tests/benchmarks/calibrate_lights.py [ROUNDS]``. The lights are 16-bit FITS of 4656 x 3522 pixels, made
in a temporary folder (TMPDIR) and warm in the page cache; dark and flat are masters of float32. All take turns, each
after the disk has everything of the one before, and into an empty folder: to delete what an earlier round wrote is no
part of any time. Before each, as much is written and deleted, for a virtual machine takes longer for memory that it has
not used of late. The floor writes the very bytes that calibration makes, from memory, with as many threads and as
whole: beside the target, flushed to the disk, renamed. "Unflushed" leaves the flushing out of both, as Siril does: no
more than copies of memory, on a machine whose memory takes all. Siril runs as a process; that it starts and reads its
masters is a part of what it takes.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
from astropy.io import fits

from workbench.calibrate.light_files import write_lights
from workbench.calibrate.lights import matched_calibration
from workbench.frames import whole_file as flushing
from workbench.frames.formats import read_frame_file
from workbench.frames.whole_file import whole_file
from workbench.threads import processors

SHAPE = 3522, 4656
N_LIGHTS = 20
BLOCK = 2**19  # bytes that the floor hands over at a time: with less or more it takes longer
SCRIPT = """requires 1.0.0
setext fits
set32bits
setcpu {threads}
setmem 0.9
cd {home}/lights
link light -out={home}/siril
cd {home}/siril
preprocess light -dark={home}/dark -flat={home}/flat
"""


def make(home: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write the lights, and the masters as Siril reads them; return the masters [adu]."""
    rng = np.random.default_rng(1)
    dark = rng.normal(1600, 40, SHAPE).astype(np.float32)
    hot = rng.integers(0, dark.size, 4000)
    dark.flat[hot] = rng.uniform(2000, 60_000, hot.size)
    flat = rng.normal(28_000, 300, SHAPE).astype(np.float32)
    noise = rng.normal(400, 60, SHAPE).astype(np.float32)
    (home / "lights").mkdir()
    for k in range(N_LIGHTS):
        pixels = (dark + np.roll(noise, (977 * k, 1009 * k), axis=(0, 1))).round().clip(0, 65_535).astype(np.uint16)
        fits.PrimaryHDU(pixels).writeto(home / "lights" / f"light_{k + 1:05}.fits")
    for name, plane in (("dark", dark), ("flat", flat)):
        fits.PrimaryHDU(plane / np.float32(65_535)).writeto(home / f"{name}.fits")
    return dark, flat


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def clocked(action) -> tuple[float, float]:
    os.sync()
    before, wall = os.times(), time.perf_counter()
    action()
    wall, after = time.perf_counter() - wall, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def floor(out: Path, contents: list[np.ndarray], threads: int) -> None:
    def write(number: int) -> None:
        left = memoryview(contents[number])
        with whole_file(out / f"{number}.fits") as part, part.open("wb", buffering=0) as file:
            while left:
                left = left[file.write(left[:BLOCK]) :]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(N_LIGHTS)))


def siril(home: Path, threads: int) -> None:
    script = home / "go.ssf"
    script.write_text(SCRIPT.format(threads=threads, home=home))
    command = ["siril-cli", "-s", str(script), "-d", str(home)]
    environment = {**os.environ, "HOME": str(home)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    if len(list((home / "siril").glob("pp_*.fits"))) != N_LIGHTS:
        sys.exit(ran.stdout)


def unflushed(action) -> None:
    with patch.object(flushing, "_flush", lambda _: None):
        action()


def race(home: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Let all take turns, after a run of our own that does not count: it compiles, and makes what the floor writes."""
    threads = 4 * processors()  # of ours and of the floor, and best for both: most wait for the disk
    calibration = matched_calibration(*make(home))
    sources = [read_frame_file(file).source for file in sorted((home / "lights").glob("*.fits"))]
    ours, theirs, empty = (home / name for name in ("ours", "siril", "floor"))

    def calibrate() -> None:
        for one in write_lights(sources, [ours / f"{k}.fits" for k in range(N_LIGHTS)], calibration, threads=threads):
            if isinstance(one, Exception):
                raise one

    emptied(ours)
    calibrate()
    contents = [np.fromfile(ours / f"{k}.fits", np.uint8) for k in range(N_LIGHTS)]
    contestants = {
        "write only": lambda: floor(empty, contents, threads),
        "calibrate": calibrate,
        "write only, unflushed": lambda: unflushed(lambda: floor(empty, contents, threads)),
        "calibrate, unflushed": lambda: unflushed(calibrate),
    }
    if shutil.which("siril-cli"):
        contestants["Siril preprocess"] = lambda: siril(home, processors())
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, action in contestants.items():
            for folder in (ours, theirs, empty):
                emptied(folder)
            unflushed(lambda: floor(empty, contents, threads))
            emptied(empty)
            times[name].append(clocked(action))
    return times


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        times = race(Path(folder), rounds)
    size = N_LIGHTS * SHAPE[0] * SHAPE[1] * 4 / 1e9
    sys.stdout.write(f"{N_LIGHTS} lights, {size:.2f} GB to write, {processors()} processors, {rounds} rounds\n")
    sys.stdout.write(f"{'':24} {'best s':>8} {'median':>8} {'cpu':>8} {'best/floor':>11} {'median/floor':>13}\n")
    for name, clocks in times.items():
        reference = times["write only, unflushed" if name.endswith(("unflushed", "preprocess")) else "write only"]
        walls, lowest = [wall for wall, _ in clocks], [wall for wall, _ in reference]
        numbers = (
            f"{min(walls):8.2f} {statistics.median(walls):8.2f} {statistics.median(cpu for _, cpu in clocks):8.2f}"
        )
        ratios = f"{min(walls) / min(lowest):11.2f} {statistics.median(walls) / statistics.median(lowest):13.2f}"
        sys.stdout.write(f"{name:24} {numbers} {ratios}\n")


if __name__ == "__main__":
    main()
