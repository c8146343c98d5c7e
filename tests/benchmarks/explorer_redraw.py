"""What one redraw of each explorer costs the kernel, over the whole range of its sliders.

Run as ``python tests/benchmarks/explorer_redraw.py``. Beside the milliseconds stands the ratio to a bare PNG encode of
the same picture by Pillow at its quickest level, which a noisy machine slows down alike.
"""

import io
import itertools
import statistics
import sys
import time

import numpy as np
from PIL import Image

from workbench.show.explorers import explore_dark_mean, explore_difference


def _clocked(action) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def _positions(explorer, per_slider: int) -> list[dict[str, float]]:
    """Move one slider after the other through its range, back and forth, the others standing at their ends."""
    ranges = {}
    for name, slider in explorer.sliders.items():
        steps = round((slider.max - slider.min) / slider.step)
        chosen = np.unique(np.linspace(0, steps, per_slider).round())
        ranges[name] = [slider.min + step * slider.step for step in chosen]
    corners = [
        dict(zip(ranges, ends, strict=True)) for ends in itertools.product(*([r[0], r[-1]] for r in ranges.values()))
    ]
    corners = corners[:: max(1, len(corners) // 4)]
    return [corner | {name: value} for corner in corners for name, values in ranges.items() for value in values]


def _measure(name: str, explore) -> None:
    explorer = explore().explorer
    scales = {knob.name: knob.scale for knob in explorer._scene.knobs}
    redraws, encodes = [], []
    for position in _positions(explorer, 9):
        values = {key: value * scales[key] for key, value in position.items()}
        redraws.append(_clocked(lambda values=values: explorer.update(**values)))
        picture = Image.open(io.BytesIO(explorer.image.value)).convert("RGB")
        encodes.append(_clocked(lambda picture=picture: picture.save(io.BytesIO(), "png", compress_level=1)))
    for clock, label in enumerate(("wall", "cpu")):
        times, bare = ([one[clock] for one in series] for series in (redraws, encodes))
        median, encode = statistics.median(times), statistics.median(bare)
        late = sorted(times)[int(0.95 * len(times))]
        numbers = (f"{median:10.1f} {late:8.1f} {max(times):8.1f}", f"{encode:12.1f} {median / encode:6.2f}")
        sys.stdout.write(f"{name:20} {label:5} {len(times):7} {' '.join(numbers)}\n")


def main() -> None:
    """Print the table."""
    numbers = f"{'median ms':>10} {'95 %':>8} {'most':>8} {'bare PNG ms':>12} {'ratio':>6}"
    sys.stdout.write(f"{'explorer':20} {'clock':5} {'redraws':>7} {numbers}\n")
    _measure("explore_dark_mean", explore_dark_mean)
    _measure("explore_difference", explore_difference)


if __name__ == "__main__":
    main()
