"""How many clips of panning MOVi-E one core makes in a second: ``python benchmarks/movi_e.py``.

Writes a few records of the published size into a temporary folder: 24 frames of 256x256 as PNG, and
two flows of 3.1 million numbers each. It then times samples of 256 points from the file to the
arrays, on one core. The scene is that of kubric's golden, enlarged, in 20 parts, with noise, so
that its files are as large as rendered ones. Half a minute; use an idle machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from locoexport.machine.hardware import CpuWatch, measure_load, read_cpu
from locoexport.training.data.rendered.movi_e import open_movi_e
from locoexport.training.data.source import SampleWish

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from rendered_records import (  # noqa: E402
    TRAIN,
    Feature,
    PackedInts,
    encode_example,
    golden_arrays,
    scene_features,
    varints,
    write_records,
)

FRAMES, SIDE, POINTS, INSTANCES = 24, 256, 256, 20
WISH = SampleWish(FRAMES, POINTS, (SIDE, SIDE))


def main() -> None:
    """Write, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=4)
    parser.add_argument("--clips", type=int, default=20)
    asked = parser.parse_args()
    use_one_core()
    before, watch = measure_load().busy_share, CpuWatch()
    with tempfile.TemporaryDirectory(prefix="locoexport-movi-e-") as folder:
        path = Path(folder) / TRAIN.format(0, 1)
        write_records(path, (make_record(number) for number in range(asked.records)))
        size = path.stat().st_size / asked.records / 1e6
        source = open_movi_e(Path(folder), seed=0)
        source.sample(0, WISH)
        seconds = [timed(lambda n=n: source.sample(n, WISH)) for n in range(1, asked.clips + 1)]
    a_clip = statistics.median(seconds)
    print(f"{read_cpu().model}, one core; records of {size:.1f} MB")
    print(f"others took {before:.0%} of the core before, {watch.share_of_others():.0%} during it")
    print(
        f"{1 / a_clip:.1f} clips a second: {a_clip * 1e3:.0f} ms each, {max(seconds):.2f} s at most"
    )


def use_one_core() -> None:
    """As in a worker process beside others."""
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def make_record(seed: int) -> bytes:
    """An example as large as a published one."""
    random = np.random.default_rng(seed)
    features = scene_features(enlarge(golden_arrays(), random), f"scene {seed}")
    flows: dict[str, Feature] = {
        f"{way}_flow": PackedInts(varints(random.integers(0, 1 << 16, FRAMES * SIDE * SIDE * 2)))
        for way in ("forward", "backward")
    }
    return encode_example(features | flows)


def enlarge(golden: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, np.ndarray]:
    """The scene at 256x256 and 24 frames, its two boxes cut into 20 instances."""
    pixels = SIDE // golden["video"].shape[1]
    frames = FRAMES // len(golden["video"])

    def larger(maps: np.ndarray, noise: int) -> np.ndarray:
        grown = maps.repeat(frames, 0).repeat(pixels, 1).repeat(pixels, 2).astype(np.int64)
        grown += random.integers(-noise, noise + 1, grown.shape)
        return grown.clip(0, np.iinfo(maps.dtype).max).astype(maps.dtype)

    boxes = larger(golden["segmentations"], 0).astype(np.int64)
    part = 2 * (np.arange(SIDE) // 24 % (INSTANCES // 2))
    return golden | {
        "video": larger(golden["video"], 8),
        "segmentations": (boxes + part[None, None, :, None] * (boxes > 0)).astype(np.uint8),
        "depth": larger(golden["depth"], 64),
        "normal": larger(golden["normal"], 128),
        "object_coordinates": larger(golden["object_coordinates"], 128),
        "bboxes_3d": np.tile(golden["bboxes_3d"].repeat(frames, 1), (INSTANCES // 2, 1, 1, 1)),
        "quaternions": np.tile(golden["quaternions"].repeat(frames, 1), (INSTANCES // 2, 1, 1)),
        "camera_positions": golden["camera_positions"].repeat(frames, 0),
        "camera_quaternions": golden["camera_quaternions"].repeat(frames, 0),
    }


if __name__ == "__main__":
    main()
