"""A live tracker for as long as one likes: does its memory grow, does a push take longer?

    python benchmarks/live_for_ever.py model.onnx --pushes 100000

Pushes small frames of a moving texture and follows a few points, of which one is replaced now and
then. Prints a line every so often, and at the end the memory and the time of a push early and late.
``model.onnx`` is a live export; at 64x64 a day of frames passes in minutes::

    locoexport export --backbone b0-tiny --resolution 64x64 --live open -o model.onnx
"""

from __future__ import annotations

import argparse
import gc
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from locoexport import LiveTracker

WARM_UP = 0.1
"""Of all pushes: what is taken once is taken in these."""


@dataclass(frozen=True)
class Endurance:
    """Resident bytes, and median CPU milliseconds of a push: after warming up, and at last."""

    pushes: int
    first_bytes: int
    last_bytes: int
    first_ms: float
    last_ms: float

    @property
    def growth(self) -> float:
        """Of memory, as a share."""
        return self.last_bytes / self.first_bytes - 1


def endure(model: Path, pushes: int, *, points: int = 4, told: int = 10) -> Endurance:
    """Push so many frames; prints ``told`` lines."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (96, 96, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    process = psutil.Process()
    every = max(1, pushes // max(told, 10))
    taken_ms: list[float] = []
    marks: list[tuple[int, float]] = []
    with LiveTracker(model, threads=1) as tracker:
        tracker.add(rng.uniform(8, 56, (points, 2)))
        for index in range(pushes):
            top, left = index % 64, (index * 2) % 128
            begun_s = time.process_time()
            tracker.push(np.ascontiguousarray(texture[top : top + 64, left : left + 64]))
            taken_ms.append((time.process_time() - begun_s) * 1e3)
            if index % 100 == 99:
                tracker.remove(tracker.ids[:1])
                tracker.add(rng.uniform(8, 56, (1, 2)))
            if index % every == every - 1:
                gc.collect()
                marks.append((process.memory_info().rss, float(np.median(taken_ms))))
                taken_ms.clear()
                if told:
                    rss, ms = marks[-1]
                    print(f"{index + 1:8d} pushes  {rss / 1e6:8.2f} MB  {ms:6.2f} ms", flush=True)
    first = marks[int(len(marks) * WARM_UP)]
    return Endurance(pushes, first[0], marks[-1][0], first[1], marks[-1][1])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--pushes", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=4)
    options = parser.parse_args()
    found = endure(options.model, options.pushes, points=options.points)
    print(
        f"{found.pushes} pushes: {found.first_bytes / 1e6:.1f} MB, at last "
        f"{found.last_bytes / 1e6:.1f} MB ({found.growth:+.2%}); a push {found.first_ms:.2f} ms of "
        f"CPU, at last {found.last_ms:.2f} ms"
    )


if __name__ == "__main__":
    main()
