"""How ``track-many`` scales here: ``python benchmarks/many_clips.py [--ray] [--write]``.

Prints Markdown tables, and puts them into docs/many-clips.md with ``--write``: frames a second of
both engines with 1 and 2 workers, threads shared out and not, overhead a clip, memory a worker, and
the size of rows against nested lists. Some minutes on two cores; run it on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from marked_pages import write_between
from quiet_machine import require_quiet

from locoexport.machine.hardware import measure_load, read_cpu
from locoexport.runtime.video.mp4 import write_mp4

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- scaling: begin (written by `python benchmarks/many_clips.py --ray --write`) -->"
END = "<!-- scaling: end -->"
_CLIPS, _FRAMES, _SIZE, _POINTS = 6, 48, 256, "grid:8"
_FEW, _MANY, _SHORT_FRAMES = 8, 40, 2


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
    """What a run took. ``peaks`` are the workers' peak RSS, in bytes."""

    setting: Setting
    seconds: float
    frames: int
    peaks: tuple[int, ...]


def main() -> None:
    """Make clips, run all settings in turn, some times over, print, and write where asked."""
    options = _parse()
    cores = read_cpu().usable_cores
    engines = ("local", "ray") if options.ray else ("local",)
    settings = [
        Setting(engine, workers, threads)
        for engine in engines
        for workers, threads in ((1, 1), (1, cores), (2, max(1, cores // 2)), (2, cores))
    ]
    # What a clip costs does not depend on oversubscription: one and two workers of shared cores.
    short_settings = [s for s in settings if s.workers * s.threads <= cores and s.threads == 1]
    watch = _Watch(options.rounds * len(settings) + 2 * len(short_settings))
    with tempfile.TemporaryDirectory(prefix="locoexport-many-") as scratch:
        folder = Path(scratch)
        model = options.model or _export(options.backbone, folder)
        _make_clips(folder / "long", options.clips, _FRAMES)
        _make_clips(folder / "few", options.few, _SHORT_FRAMES)
        _make_clips(folder / "many", options.many, _SHORT_FRAMES)
        load = measure_load(2.0)
        runs = [
            watch.run(setting, model, folder / "long", folder / f"long-{number}-{index}")
            for number in range(options.rounds)
            for index, setting in enumerate(settings)
        ]
        short = {
            name: [
                watch.run(setting, model, folder / name, folder / f"{name}-{index}", "grid:1")
                for index, setting in enumerate(short_settings)
            ]
            for name in ("few", "many")
        }
        text = "\n".join(
            (
                f"{read_cpu().model}, {cores} cores, {load.busy_share:.0%} busy with other work; "
                f"{options.model.name if options.model else options.backbone}.\n",
                *_scaling_lines(settings, runs, options.clips),
                *_overhead_lines(short, model, folder, options.few, options.many),
                *_size_lines(folder),
            )
        )
    sys.stdout.write(f"{text}\n")
    document = [
        vars(run) | {"setting": vars(run.setting)} for run in (*runs, *short["few"], *short["many"])
    ]
    if options.write:
        require_quiet({"before the benchmark": load.busy_share}, document, "many-clips")
        write_between(ROOT / "docs" / "many-clips.md", BEGIN, END, text)
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ray", action="store_true", help="measure Ray as well")
    parser.add_argument("--backbone", default="b0")
    parser.add_argument("--model", type=Path, help="in place of an export of --backbone")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clips", type=int, default=_CLIPS, help="long ones, of 48 frames")
    parser.add_argument("--few", type=int, default=_FEW, help="short clips, to tell the start")
    parser.add_argument("--many", type=int, default=_MANY, help="short clips, to tell a clip")
    parser.add_argument("--write", action="store_true", help="put tables into docs/many-clips.md")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.few >= options.many:
        parser.error("--many must be more than --few: the difference tells what a clip costs")
    if options.ray and importlib.util.find_spec("ray") is None:
        parser.error("ray is not installed (pip install 'locoexport[ray]')")
    return options


def _export(backbone: str, folder: Path) -> Path:
    from locoexport.contract.profile import load_profile
    from locoexport.pipeline.export import export_model

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


class _Watch:
    """Runs of the command one after another, with a line of progress for each."""

    def __init__(self, runs: int) -> None:
        self._runs, self._done, self._started = runs, 0, time.monotonic()

    def run(
        self, setting: Setting, model: Path, clips: Path, out: Path, points: str = _POINTS
    ) -> Measured:
        command = [sys.executable, "-m", "locoexport", "track-many", clips, "--model", model]
        command += ["--out", out, "--engine", setting.engine, "--points", points, "--json", "-"]
        command += ["--workers", setting.workers, "--threads", setting.threads]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        peaks = _Peaks(process.pid, "ray::" if setting.engine == "ray" else "")
        peaks.start()
        stdout, stderr = process.communicate()
        found = peaks.end()
        if process.returncode:
            sys.exit(f"{setting.text} failed:\n{stderr[-2000:]}")
        report = json.loads(stdout)
        self._done += 1
        spent = time.monotonic() - self._started
        sys.stderr.write(
            f"{self._done} of {self._runs}: {setting.text}, {clips.name}: "
            f"{report['seconds']:.1f} s ({spent:.0f} s in all)\n"
        )
        workers = sorted(found.values(), reverse=True)[: setting.workers]
        return Measured(setting, report["seconds"], report["frames"], tuple(workers))


class _Peaks(threading.Thread):
    """The peak RSS of each process below one whose title begins so, looked at ten times a second.

    Ray's actors call themselves ``ray::...``; its other processes are no workers.
    """

    def __init__(self, pid: int, title: str) -> None:
        super().__init__(daemon=True)
        self._process, self._title = psutil.Process(pid), title
        self._over = threading.Event()
        self._peaks: dict[int, int] = {}

    def run(self) -> None:
        while not self._over.wait(0.1):
            for child in self._children():
                # It may end between two looks.
                with suppress(psutil.Error):
                    if "".join(child.cmdline()[:1]).startswith(self._title):
                        used = child.memory_info().rss
                        self._peaks[child.pid] = max(self._peaks.get(child.pid, 0), used)

    def end(self) -> dict[int, int]:
        self._over.set()
        self.join()
        return self._peaks

    def _children(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return self._process.children(recursive=True)
        return []


def _scaling_lines(settings: list[Setting], runs: list[Measured], clips: int) -> Iterator[str]:
    base = _median([run.seconds for run in runs if run.setting == settings[0]])
    yield f"{clips} clips of {_FRAMES} frames, {_POINTS} points:\n"
    yield "| engine, workers x threads | seconds, each run | frames/s | speedup | peak RSS, MB |"
    yield "|---|---|---|---|---|"
    for setting in settings:
        mine = [run for run in runs if run.setting == setting]
        seconds = _median([run.seconds for run in mine])
        peak = max((peak for run in mine for peak in run.peaks), default=0) / 1e6
        each = ", ".join(f"{run.seconds:.1f}" for run in mine)
        yield (
            f"| {setting.text} | {each} | {mine[0].frames / seconds:.1f} | "
            f"{base / seconds:.2f} | {peak:.0f} |"
        )


def _overhead_lines(
    short: dict[str, list[Measured]], model: Path, folder: Path, fewer: int, more: int
) -> Iterator[str]:
    """What a clip costs beside the model, from two runs of different numbers of short clips."""
    alone = _model_seconds(model, folder)
    yield (
        f"\nClips of {_SHORT_FRAMES} frames with one point, from runs of {fewer} and {more} clips. "
        f"The model alone takes {alone * 1e3:.0f} ms a clip on one thread:\n"
    )
    yield "| engine, workers x threads | seconds to start and end | ms a clip |"
    yield "|---|---|---|"
    for few, many in zip(short["few"], short["many"], strict=True):
        slope = (many.seconds - few.seconds) / (more - fewer)
        yield f"| {few.setting.text} | {few.seconds - fewer * slope:.1f} | {slope * 1e3:.0f} |"


def _model_seconds(model: Path, folder: Path) -> float:
    from locoexport.runtime.session.opening import open_model
    from locoexport.runtime.video.clips import read_clip

    session = open_model(model, threads=1)
    clip = read_clip(next((folder / "few").iterdir())).frames_rgb
    video = (clip[None] / np.float32(127.5) - 1).astype(np.float32)
    query = np.array([[[0, _SIZE / 2, _SIZE / 2]]], np.float32)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        session.run(video, query)
        times.append(time.perf_counter() - started)
    return _median(times[2:])


def _size_lines(folder: Path) -> Iterator[str]:
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
    yield "\n| layout | bytes a point and frame |\n|---|---|"
    yield f"| one row per point and frame (as written) | {part.stat().st_size / count:.2f} |"
    yield f"| one row per point, with lists of frames | {os.stat(nested).st_size / count:.2f} |"


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
