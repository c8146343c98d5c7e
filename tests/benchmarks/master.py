"""What a master dark costs here, at the peers', and at the least: map the files, swap their bytes, write the master.

Run as ``python tests/benchmarks/master.py``; ``--help`` tells of more frames, of frames that are there already, and of
how the time grows. The frames are 16-bit FITS of 4656 x 3522 pixels with glow, hot pixels and cosmic rays, warm in the
page cache; the method is winsorized 4/3 (ccdproc has none: its nearest, one pass of sigma clipping about the median).
"Pixels alone" are the combined pixels in a plain FITS file; "combine" is the command, which also reads all headers,
hashes all files, looks for frames that do not belong and keeps a record, with errors and counts; --quick leaves all
of that out.
All take turns, so that a noisy machine slows all alike. "In process" is a call in a warm process, written file
included; the others are whole processes from start to exit. Memory is what the kernel holds for a process at its peak
and cannot give back (RssAnon): mapped files are not in it, the interpreter and its libraries' data are.
"""

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

from workbench.calibrate.masters import make_master
from workbench.frames.catalogue import catalogue
from workbench.frames.formats import read_frame_file
from workbench.frames.load import load_stack
from workbench.stack.combine import combine
from workbench.stack.recipe import recipe_of

SHAPE = 3522, 4656
SIGMA = 12
RECIPE = recipe_of(rejection="winsorized", low=4, high=3)
FLOOR, SIRIL, CCDPROC = "floor, in process", "Siril 'rej w 4 3'", "ccdproc sigma clip"
SIRIL_SCRIPT = """requires 1.0.0
setext fits
setcpu {threads}
set32bits
setmem 0.9
cd {folder}
link dark -out={home}
cd {home}
stack dark rej w 4 3 -nonorm -out={out}
"""
CCDPROC_PROGRAM = """
import sys, numpy, ccdproc
ccdproc.combine(sys.argv[2:], sys.argv[1], method="average", unit="adu", sigma_clip=True, sigma_clip_low_thresh=4,
    sigma_clip_high_thresh=3, sigma_clip_func="median", sigma_clip_dev_func="std", mem_limit=8e9, dtype=numpy.float32,
    overwrite_output=True)
"""


@dataclass
class Runs:
    """What was measured of one contestant, a number a round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def make_frames(folder: Path, n_frames: int) -> None:
    """Write darks whose glow, hot pixels and tracks of cosmic rays are as a cooled CMOS camera has them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    down, right = np.ogrid[0 : 1 : SHAPE[0] * 1j, 0 : 1 : SHAPE[1] * 1j]
    pattern = (1200 + 300 * np.exp(-((right - 1) ** 2 + down**2) / 0.02)).astype(np.float32)
    hot = rng.integers(0, pattern.size, pattern.size // 1000)
    pattern.flat[hot] += rng.exponential(2000, hot.size)
    for k in range(n_frames):
        path = folder / f"dark_{k + 1:05}.fits"
        if path.exists():
            continue
        rng = np.random.default_rng(1000 + k)
        values = pattern + SIGMA * rng.standard_normal(SHAPE, dtype=np.float32)
        for _ in range(400):
            length, angle = int(rng.integers(1, 25)), rng.uniform(0, math.pi)
            rows = (rng.integers(SHAPE[0]) + np.arange(length) * math.sin(angle)).astype(int) % SHAPE[0]
            columns = (rng.integers(SHAPE[1]) + np.arange(length) * math.cos(angle)).astype(int) % SHAPE[1]
            values[rows, columns] += rng.uniform(80, 20_000)
        frame = fits.PrimaryHDU(values.round().clip(0, 65_535).astype(np.uint16))
        frame.header.update({"EXPTIME": 600.0, "IMAGETYP": "DARK", "CCD-TEMP": -20.0, "GAIN": 174, "INSTRUME": "Bench"})
        frame.writeto(path)


def stack_of(files: list[Path], share: float = 1.0):
    """Return the stack of these frames, or of the first rows of each."""
    sources = [read_frame_file(file).source for file in files]
    sources = [replace(source, shape=(round(share * source.shape[0]), source.shape[1])) for source in sources]
    return load_stack(pd.DataFrame({"file": [file.name for file in files], "source": sources}))


def write(signal: np.ndarray, out: Path) -> None:
    fits.PrimaryHDU(signal).writeto(out, overwrite=True)


def floor(files: list[Path], out: Path, threads: int) -> None:
    """Bring every value of every frame into the machine's byte order, a band at a time, and write one frame."""
    sources = [read_frame_file(file).source for file in files]
    rows, columns = sources[0].shape
    mapped = [np.memmap(s.path, ">u2", "r", s.offset, s.shape) for s in sources]
    band = 16

    def swap(start: int) -> None:
        room = np.empty((band, columns), np.uint16)
        for frame in mapped:
            part = frame[start : start + band]
            np.copyto(room[: len(part)], part)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(swap, range(0, rows, band)))
    write(np.zeros((rows, columns), np.float32), out)


def pixels_alone(files: list[Path], out: Path, threads: int) -> None:
    combination = combine(stack_of(files), RECIPE, maps=False, threads=threads)
    write(combination.data["signal"].to_numpy(), out)


def full_master(files: list[Path], out: Path) -> None:
    """Make the master with its error plane, its maps of rejection, and the table of its hashed inputs."""
    rows = catalogue(files[0].parent)
    make_master(rows[: len(files)], out, RECIPE, overwrite=True)


def clocked(action) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def private_memory(pid: int) -> float:
    """Return the resident memory of a process that no file backs [MiB]; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in fields) / 2**10


def run(command: list[str], home: Path) -> tuple[float, float, float]:
    """Return seconds of wall and CPU and the peak of private memory [MiB] of one process."""
    before, peak = os.times(), 0.0
    start = time.perf_counter()
    environment = {**os.environ, "HOME": str(home)} if command[0] == "siril-cli" else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.005):
            peak = max(peak, private_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, complaint = process.communicate()
    wall = time.perf_counter() - start
    ended.set()
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command[:4])} ... ended with {process.returncode}\n{complaint}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, peak


def commands(files: list[Path], home: Path, threads: int, peers: list[str]) -> dict[str, list[str]]:
    """Return the whole processes that take part."""
    names = [str(file) for file in files]
    program = [sys.executable, "-m", "workbench", "combine", *names, "--threads", str(threads), "--overwrite"]
    found = {
        "pixels alone, program": [sys.executable, __file__, *names, "--alone", str(home / "alone.fits")],
        "combine --quick": [*program, "--quick", "-o", str(home / "recorded.fits")],
        "combine": [*program, "-o", str(home / "full.fits")],
    }
    if "siril" in peers and shutil.which("siril-cli"):
        chosen = home / "chosen"
        chosen.mkdir()
        for file in files:
            (chosen / file.name).symlink_to(file.resolve())
        script = home / "master.ssf"
        script.write_text(SIRIL_SCRIPT.format(threads=threads, folder=chosen, home=home, out=home / "siril"))
        found[SIRIL] = ["siril-cli", "-s", str(script), "-d", str(home)]
    if "ccdproc" in peers and find_spec("ccdproc"):
        found[CCDPROC] = [sys.executable, "-c", CCDPROC_PROGRAM, str(home / "ccdproc.fits"), *names]
    return found


def race(files: list[Path], home: Path, arguments: argparse.Namespace) -> dict[str, Runs]:
    """Let all take turns, after a first round of our own that does not count: it compiles and warms."""
    threads = arguments.threads
    calls = {
        FLOOR: lambda: floor(files, home / "floor.fits", threads),
        "pixels alone, in process": lambda: pixels_alone(files, home / "pixels.fits", threads),
        "full master, in process": lambda: full_master(files, home / "maps.fits"),
    }
    for name, call in calls.items():
        wall, _ = clocked(call)
        sys.stdout.write(f"first time: {name} {wall:.2f} s\n")
    processes = commands(files, home, threads, arguments.peers)
    results = {name: Runs() for name in (*calls, *processes)}
    for turn in range(arguments.rounds):
        for name, call in calls.items():
            for _ in range(3):
                wall, cpu = clocked(call)
                results[name].wall.append(wall)
                results[name].cpu.append(cpu)
        for name, command in processes.items():
            if name == CCDPROC and turn:
                continue  # it takes longer than all the others together
            for number, store in zip(run(command, home), vars(results[name]).values(), strict=True):
                store.append(number)
    return results


def print_race(results: dict[str, Runs]) -> None:
    least = statistics.median(results[FLOOR].wall)
    peers = [name for name in (SIRIL, CCDPROC) if name in results]
    heads = "".join(f"{'x ' + name.split(maxsplit=1)[0]:>12}" for name in peers)
    sys.stdout.write(f"\n{'':26} {'best s':>8} {'median':>8} {'cpu':>8} {'MiB':>8} {'/ floor':>9}{heads}\n")
    for name, runs in results.items():
        middle = statistics.median(runs.wall)
        memory = f"{max(runs.memory):8.0f}" if runs.memory else f"{'-':>8}"
        ahead = "".join(f"{statistics.median(results[peer].wall) / middle:12.1f}" for peer in peers)
        numbers = (
            f"{min(runs.wall):8.3f} {middle:8.3f} {statistics.median(runs.cpu):8.2f} {memory} {middle / least:9.2f}"
        )
        sys.stdout.write(f"{name:26} {numbers}{ahead}\n")


def growth(files: list[Path], threads: int, rounds: int) -> None:
    """Print how the time in process grows with pixels and with frames, the file's writing left out."""

    def best(chosen: list[Path], share: float = 1.0) -> float:
        stack = stack_of(chosen, share)
        return min(clocked(lambda: combine(stack, RECIPE, maps=False, threads=threads))[0] for _ in range(rounds))

    fewest = files[:20]
    sys.stdout.write(f"\n{len(fewest)} frames, share of the rows   best s   ns / pixel\n")
    for share in (0.25, 0.5, 1.0):
        seconds = best(fewest, share)
        sys.stdout.write(f"{share:30.2f} {seconds:8.3f} {1e9 * seconds / (share * math.prod(SHAPE)):12.1f}\n")
    sys.stdout.write("\nframes   best s   ns / sample   ns / (sample log2 n)\n")
    for n_frames in (n for n in (20, 50, 100, 200) if n <= len(files)):
        seconds = best(files[:n_frames])
        sample = 1e9 * seconds / (n_frames * math.prod(SHAPE))
        sys.stdout.write(f"{n_frames:6} {seconds:8.3f} {sample:13.3f} {sample / math.log2(n_frames):22.4f}\n")


def by_workers(files: list[Path], n_workers: int, rounds: int) -> None:
    """Print what the workers of a scheduler take on this machine, one core each, and what as many threads take."""
    from distributed import Client, LocalCluster

    stack = stack_of(files)
    size = sum(file.stat().st_size for file in files) / 1e6
    cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        calls = {"threads": {"threads": n_workers}, "workers": {"client": client}}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, options in calls.items():
                wall, _ = clocked(partial(combine, stack, RECIPE, maps=True, **options))
                seconds[name] += [wall] if turn else []  # the first imports and compiles
    sys.stdout.write(f"\n{n_workers} of each   best s   median   MB/s each\n")
    for name, walls in seconds.items():
        each = size / statistics.median(walls) / n_workers
        sys.stdout.write(f"{name:11} {min(walls):8.3f} {statistics.median(walls):8.3f} {each:11.0f}\n")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=20, help="how many frames take part (20)")
    parser.add_argument("--folder", type=Path, help="where they are, or are to be kept; else a temporary folder")
    parser.add_argument("--rounds", type=int, default=3, help="how often all take turns (3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="for all alike (all there are)")
    parser.add_argument("--peers", nargs="*", default=["siril", "ccdproc"], help="who else takes part")
    parser.add_argument("--workers", action="store_true", help="only threads beside the workers of a scheduler")
    parser.add_argument("--growth", action="store_true", help="only how the time grows with pixels and frames")
    arguments = parser.parse_args()
    if arguments.alone:
        pixels_alone(arguments.files, arguments.alone, arguments.threads)
        return
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        folder = arguments.folder or home / "frames"
        make_frames(folder, arguments.frames)
        files = sorted(folder.glob("dark_*.fits"))[: arguments.frames]
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        sys.stdout.write(f"{len(files)} frames, {megabytes:.0f} MB, {arguments.threads} threads\n")
        if arguments.workers:
            by_workers(files, arguments.threads, arguments.rounds)
        elif arguments.growth:
            growth(files, arguments.threads, arguments.rounds)
        else:
            print_race(race(files, home, arguments))


if __name__ == "__main__":
    main()
