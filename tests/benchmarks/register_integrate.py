"""What it costs to register and integrate 18 lights, against Siril's register and stack of the same frames.

Run as ``python tests/benchmarks/register_integrate.py [ROUNDS]``. The lights are float32 FITS of 4656 x 3522 pixels
between 0 and 1, as Siril keeps them, of two nights turned by 7 degrees against each other, made in a temporary folder
(TMPDIR) and warm in the page cache. Both detect stars, match them, write the registered lights (Lanczos, clamped) and
integrate those: additive normalisation with scaling, weights by noise, winsorized 4/3. "By stars" is what ``workbench
calibrate`` does: scales from the stars' fluxes, noise from the middle of each light before it is registered. "By
statistics" leaves both to ``combine``, which evaluates every registered frame, as Siril does. All are whole processes,
in turn, so that a noisy machine slows them alike, after one of each of ours that does not count, since it compiles.
Memory is what the kernel holds for a process at its peak and cannot give back (see master.py).
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from master import Runs, run, stack_of, write

from workbench.calibrate.integrate import brightness, integrate
from workbench.calibrate.register import register
from workbench.calibrate.resample import resample
from workbench.calibrate.stars import find_stars
from workbench.frames.formats import read_frame_file
from workbench.stack.combine import combine
from workbench.stack.noise_evaluation import mrs_noise
from workbench.stack.recipe import recipe_of

SHAPE = 3522, 4656
N_LIGHTS = 18
N_STARS = 3000
MIDDLE = np.s_[737:2785, 1304:3352]  # 2048 x 2048 pixels
SIGMA = 3.0  # of a star [pixel]
SCALES = "stars", "statistics"
RECIPE = recipe_of(rejection="winsorized", low=4, high=3, normalisation="additive_scaling", weights="noise",
                   rejection_normalisation="additive_scaling")  # fmt: skip
SCRIPT = """requires 1.0.0
setext fits
set32bits
setcpu {threads}
setmem 0.9
cd {lights}
link light -out={home}/siril
cd {home}/siril
register light -interp=lanczos4
stack r_light rej w 4 3 -norm=addscale -weighted -out={home}/siril_stack
"""


def make(folder: Path) -> None:
    """Write the lights: the same stars dithered, the second night turned, sky and noise."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    middle = np.array(SHAPE[::-1]) / 2
    places = rng.uniform(-middle, middle, (N_STARS, 2))
    fluxes = np.exp(rng.uniform(np.log(3_000), np.log(600_000), N_STARS))
    noise = rng.standard_normal(SHAPE, dtype=np.float32) * np.float32(12)
    span = np.arange(-15, 16)
    for k in range(N_LIGHTS):
        turn = np.radians(7.0 if k >= N_LIGHTS // 2 else 0.0)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        frame = 1000 + 10 * k + np.roll(noise, (977 * k, 1009 * k), axis=(0, 1))
        for (x, y), flux in zip(places @ rotation + middle + rng.uniform(-20, 20, 2), fluxes, strict=True):
            column, row = round(x), round(y)
            if 15 <= column < SHAPE[1] - 15 and 15 <= row < SHAPE[0] - 15:
                along, down = (
                    np.exp(-0.5 * ((span + whole - at) / SIGMA) ** 2) for whole, at in ((column, x), (row, y))
                )
                star = flux / (2 * np.pi * SIGMA**2) * down[:, None] * along
                frame[row - 15 : row + 16, column - 15 : column + 16] += star.astype(np.float32)
        write(frame / np.float32(65_535), folder / f"light_{k + 1:05}.fits")


def ours(lights: Path, home: Path, threads: int, scales: str) -> None:
    """Register and integrate, as many frames at a time as there are threads; keep how long each step took."""
    files, out = sorted(lights.glob("*.fits")), emptied(home / "registered")
    spent = dict.fromkeys(("read", "stars", "noise", "match", "resample", "write"), 0.0)

    def step(name: str, action):
        start = time.perf_counter()
        done = action()
        spent[name] += time.perf_counter() - start
        return done

    start = time.perf_counter()
    reference = find_stars(read_frame_file(files[0]).source.read(), bin=2)

    def lay(file: Path) -> tuple[float, float, float]:
        values = step("read", read_frame_file(file).source.read)
        stars = step("stars", lambda: find_stars(values, bin=2))
        found = step("match", lambda: register(stars, reference, SHAPE, file=file.name))
        noise = step("noise", lambda: mrs_noise(values[MIDDLE]).sigma) if scales == "stars" else 0.0
        laid, _ = step("resample", lambda: resample(values, found.matrix, SHAPE, threads=1))
        step("write", lambda: write(laid, out / file.name))
        return found.rms, brightness(stars, reference, found).factor, noise

    with ThreadPoolExecutor(threads) as pool:
        rms, factors, noises = zip(*pool.map(lay, files), strict=True)
    registered = time.perf_counter()
    stack = stack_of(sorted(out.glob("*.fits")))
    if scales == "stars":
        combination = integrate(stack, factors, noises, threads=threads).combination
    else:
        combination = combine(stack, RECIPE, maps=False, threads=threads)
    write(combination.data["signal"].to_numpy(), home / f"{scales}.fits")
    walls = {"register": registered - start, "integrate": time.perf_counter() - registered}
    threaded = {f"{name} (a thread)": seconds / threads for name, seconds in spent.items()}
    (home / f"{scales}.json").write_text(json.dumps({"rms": max(rms), "seconds": walls | threaded}))


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["ours"]:
        ours(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return
    rounds, threads = int(sys.argv[1]) if len(sys.argv) > 1 else 3, os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        lights = home / "lights"
        make(lights)
        (home / "run.ssf").write_text(SCRIPT.format(threads=threads, home=home, lights=lights))
        program = [sys.executable, __file__, "ours", str(lights), str(home), str(threads)]
        commands = {f"by {scales}": [*program, scales] for scales in SCALES}
        for command in commands.values():
            run(command, home)
        if shutil.which("siril-cli"):
            commands["Siril"] = ["siril-cli", "-s", str(home / "run.ssf"), "-d", str(home)]
        results = {name: Runs() for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                emptied(home / "siril")
                os.sync()
                for number, store in zip(run(command, home), vars(results[name]).values(), strict=True):
                    store.append(number)
        steps = {scales: json.loads((home / f"{scales}.json").read_text()) for scales in SCALES}
    sys.stdout.write(
        f"{N_LIGHTS} lights, {threads} threads, {rounds} rounds; worst rms {steps['stars']['rms']:.3f} pixel\n"
    )
    sys.stdout.write(f"{'':14} {'best s':>8} {'median':>8} {'cpu':>8} {'MiB':>8} {'x Siril':>8}\n")
    for name, runs in results.items():
        middle = statistics.median(runs.wall)
        ratio = f"{middle / statistics.median(results['Siril'].wall):8.2f}" if "Siril" in results else ""
        numbers = f"{min(runs.wall):8.1f} {middle:8.1f} {statistics.median(runs.cpu):8.1f} {max(runs.memory):8.0f}"
        sys.stdout.write(f"{name:14} {numbers} {ratio}\n")
    for scales, kept in steps.items():
        sys.stdout.write(f"by {scales}, the last round:\n")
        for name, seconds in kept["seconds"].items():
            sys.stdout.write(f"  {name:24} {seconds:6.1f} s\n")


if __name__ == "__main__":
    main()
