"""How ``track-many`` scales here: ``python benchmarks/many_clips.py [--ray] [--json FILE]``.

Prints Markdown tables for docs/many-clips.md: clips a minute of both engines with 1 and 2 workers,
threads shared out and not, overhead a clip, memory a worker, and the size of rows against nested
lists. Some minutes on two cores; run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from locoexport.machine import measure_load, read_cpu
from locoexport.runtime.video import write_mp4

_CLIPS, _FRAMES, _SIZE, _POINTS = 8, 48, 256, "grid:8"
_FEW, _MANY, _SHORT_FRAMES = 10, 60, 2


@dataclass(frozen=True)
class Setting:
    """One line of the table."""

    engine: str
    workers: int
    threads: int

    @property
    def text(self) -> str:
        """For the table."""
        return f"{self.engine}, {self.workers} x {self.threads}"


@dataclass(frozen=True)
class Measured:
    """What a run took. ``peaks`` are of the workers, in bytes (unique to each, by the kernel)."""

    setting: Setting
    seconds: float
    frames: int
    peaks: tuple[int, ...]


def main() -> None:
    """Make clips, run all settings in turn, twice, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ray", action="store_true", help="measure Ray as well")
    parser.add_argument("--backbone", default="b0")
    parser.add_argument("--model", type=Path, help="in place of an export of --backbone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clips", type=int, default=_CLIPS, help="long ones, of 48 frames")
    parser.add_argument("--few", type=int, default=_FEW, help="short clips, to tell the start")
    parser.add_argument("--many", type=int, default=_MANY, help="short clips, to tell a clip")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = read_cpu().usable_cores
    engines = ("local", "ray") if options.ray else ("local",)
    settings = [
        Setting(engine, workers, threads)
        for engine in engines
        for workers, threads in ((1, 1), (1, cores), (2, max(1, cores // 2)), (2, cores))
    ]
    with tempfile.TemporaryDirectory(prefix="locoexport-many-") as scratch:
        folder = Path(scratch)
        model = options.model or _export(options.backbone, folder)
        _make_clips(folder / "long", options.clips, _FRAMES)
        _make_clips(folder / "few", options.few, _SHORT_FRAMES)
        _make_clips(folder / "many", options.many, _SHORT_FRAMES)
        load = measure_load(2.0)
        print(
            f"Machine: {read_cpu().model}, {cores} cores; others before it: {load.busy_share:.0%}."
        )
        runs = [
            _run(setting, model, folder / "long", folder / f"long-{number}-{index}")
            for number in range(options.rounds)
            for index, setting in enumerate(settings)
        ]
        short = {
            name: [
                _run(setting, model, folder / name, folder / f"{name}-{index}", "grid:1")
                for index, setting in enumerate(settings)
            ]
            for name in ("few", "many")
        }
        _print_scaling(settings, runs)
        _print_overhead(short, model, folder, options.few, options.many)
        _print_sizes(folder)
    if options.json is not None:
        document = [
            vars(run) | {"setting": vars(run.setting)}
            for run in (*runs, *short["few"], *short["many"])
        ]
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _export(backbone: str, folder: Path) -> Path:
    from locoexport.pipeline.export import export_model
    from locoexport.profile import load_profile

    export_model(load_profile(backbone), folder / "model.onnx", verify=False)
    return folder / "model.onnx"


def _make_clips(folder: Path, count: int, frames: int) -> None:
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        texture = (
            rng.integers(0, 256, (_SIZE // 8, _SIZE // 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        )
        images = [texture[:, t % 64 : t % 64 + _SIZE] for t in range(frames)]
        write_mp4(folder / f"{number:03d}.mp4", images, 25)


def _run(setting: Setting, model: Path, clips: Path, out: Path, points: str = _POINTS) -> Measured:
    command = [sys.executable, "-m", "locoexport", "track-many", str(clips), "--model", str(model)]
    command += ["--out", str(out), "--engine", setting.engine, "--points", points, "--json", "-"]
    command += ["--workers", str(setting.workers), "--threads", str(setting.threads)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    watch = _Peaks(process.pid)
    watch.start()
    stdout, _ = process.communicate()
    peaks = watch.end()
    report = json.loads(stdout)
    assert report["passed"], report
    print(f"  {setting.text}: {report['seconds']:.1f} s", file=sys.stderr)
    workers = sorted(peaks.values(), reverse=True)[: setting.workers]
    return Measured(setting, report["seconds"], report["frames"], tuple(workers))


class _Peaks(threading.Thread):
    """The most memory of each process below one, unique to it, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._peaks: dict[int, int] = {}

    def run(self) -> None:
        while not self._over.wait(0.1):
            try:
                for child in self._process.children(recursive=True):
                    used = child.memory_full_info().uss
                    self._peaks[child.pid] = max(self._peaks.get(child.pid, 0), used)
            except psutil.Error:
                continue

    def end(self) -> dict[int, int]:
        self._over.set()
        self.join()
        return self._peaks


def _print_scaling(settings: list[Setting], runs: list[Measured]) -> None:
    base = _median([run.seconds for run in runs if run.setting == settings[0]])
    print(f"\nClips of {_FRAMES} frames, {_POINTS} points\n")
    print("| engine, workers x threads | seconds (each run) | frames/s | times | MB a worker |")
    print("|---|---|---|---|---|")
    for setting in settings:
        mine = [run for run in runs if run.setting == setting]
        seconds = _median([run.seconds for run in mine])
        peak = max((peak for run in mine for peak in run.peaks), default=0) / 1e6
        each = ", ".join(f"{run.seconds:.1f}" for run in mine)
        print(
            f"| {setting.text} | {each} | {mine[0].frames / seconds:.1f} | "
            f"{base / seconds:.2f} | {peak:.0f} |"
        )


def _print_overhead(
    short: dict[str, list[Measured]], model: Path, folder: Path, fewer: int, more: int
) -> None:
    """What a clip costs beside the model, from two runs of different numbers of short clips."""
    from locoexport.runtime.split import open_model
    from locoexport.runtime.video import read_clip

    session = open_model(model, threads=1)
    clip = read_clip(next((folder / "few").iterdir())).frames_rgb
    video = (clip[None] / np.float32(127.5) - 1).astype(np.float32)
    query = np.array([[[0, _SIZE / 2, _SIZE / 2]]], np.float32)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        session.run(video, query)
        times.append(time.perf_counter() - started)
    print(f"\nClips of {_SHORT_FRAMES} frames, one point; the model alone takes ")
    print(f"{_median(times[2:]) * 1e3:.0f} ms a clip on one thread.\n")
    print("| engine, workers x threads | seconds to start and end | ms a clip |")
    print("|---|---|---|")
    for few, many in zip(short["few"], short["many"], strict=True):
        slope = (many.seconds - few.seconds) / (more - fewer)
        print(f"| {few.setting.text} | {few.seconds - fewer * slope:.1f} | {slope * 1e3:.0f} |")


def _print_sizes(folder: Path) -> None:
    """The same tracks as rows and as nested lists."""
    import pyarrow.parquet

    part = max((folder / "long-0-0" / "tracks").iterdir(), key=lambda path: path.stat().st_size)
    rows = pyarrow.parquet.read_table(part)
    lists = rows.group_by(["clip", "clip_id", "point", "query_t", "query_y", "query_x"]).aggregate(
        [(name, "list") for name in ("x", "y", "visible", "confidence")]
    )
    nested = folder / "nested.parquet"
    pyarrow.parquet.write_table(lists, nested, compression="zstd")
    count = rows.num_rows
    print("\n| layout | bytes a point and frame |\n|---|---|")
    print(f"| a row a point and frame (as written) | {part.stat().st_size / count:.2f} |")
    print(f"| a row a point, lists of frames | {os.stat(nested).st_size / count:.2f} |")


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
