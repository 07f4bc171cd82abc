"""Kill workers at random while clips are tracked: ``python benchmarks/fault_run.py [--clips 200]``.

The same short clips are tracked once undisturbed and once while a worker is killed by SIGKILL after
every few clips, and the driver twice as well; then the disturbed run is started again until all
is done. Every clip has to be in the dataset once, with the bytes of the undisturbed run. Exit code
1 where that is not so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from locoexport.runtime.video.mp4 import write_mp4

_SIZE, _FRAMES = 64, 4


def main() -> None:
    """Make clips and model, run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--drivers", type=int, default=2, help="how often the driver is killed too")
    parser.add_argument("--model", type=Path, help="instead of b0-tiny at 64x64")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="locoexport-fault-") as scratch:
        folder = Path(scratch)
        model = options.model or _export(folder)
        clips = folder / "clips"
        clips.mkdir()
        for number in range(options.clips):
            frames = np.random.default_rng(number).integers(
                0, 256, (_FRAMES, _SIZE, _SIZE, 3), np.uint8
            )
            write_mp4(clips / f"{number:04d}.mp4", frames, 10)
        command = [sys.executable, "-m", "locoexport", "--quiet", "track-many", str(clips)]
        command += ["--model", str(model), "--workers", str(options.workers), "--points", "grid:2"]
        started = time.perf_counter()
        calm = _run([*command, "--out", str(folder / "calm")])
        print(f"undisturbed: {calm['tracked']} tracked, {time.perf_counter() - started:.1f} s")
        stormy = folder / "stormy"
        for left in range(options.drivers, -1, -1):
            killed, report = _run_and_kill(
                [*command, "--out", str(stormy)],
                stormy,
                driver_after=options.clips // 4 if left else None,
                seed=left,
            )
            parts = _count_parts(stormy)
            how = "driver killed" if report is None else _summary(report)
            print(f"disturbed: {killed} workers killed, {how}; {parts} clips in the dataset")
        again = _run([*command, "--out", str(stormy)])
        print(f"rerun: {_summary(again)}")
        sys.exit(_compare(folder / "calm", stormy, clips))


def _export(folder: Path) -> Path:
    from locoexport.contract.profile import load_profile
    from locoexport.pipeline.export import export_model

    profile = load_profile("b0-tiny").with_options(resolution_hw=(_SIZE, _SIZE))
    export_model(profile, folder / "model.onnx", verify=False)
    return folder / "model.onnx"


def _run(command: list[str]) -> dict:
    done = subprocess.run([*command, "--json", "-"], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _run_and_kill(
    command: list[str], out: Path, *, driver_after: int | None, seed: int
) -> tuple[int, dict | None]:
    """How many workers were killed, and the report; None where the driver was killed as well.

    A worker is killed each time that 3 to 9 more clips are done, so that slow machines get on too.
    """
    chance = random.Random(seed)
    before = _count_parts(out)
    driver = subprocess.Popen([*command, "--json", "-"], stdout=subprocess.PIPE, text=True)
    killed, due = 0, before + chance.randint(1, 5)
    while driver.poll() is None:
        time.sleep(0.02)
        done = _count_parts(out)
        if driver_after is not None and done - before >= driver_after:
            driver.kill()
            driver.communicate()
            return killed, None
        workers = _workers(driver.pid) if done >= due else []
        if workers:
            time.sleep(chance.uniform(0, 0.3))
            due = done + chance.randint(3, 9)
            try:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
    return killed, json.loads(driver.communicate()[0])


def _count_parts(out: Path) -> int:
    return len(list(out.glob("tracks/[!.]*.parquet")))


def _workers(pid: int) -> list[int]:
    try:
        children = psutil.Process(pid).children()
        return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def _summary(report: dict) -> str:
    counts = f"{report['tracked']} tracked ({report['skipped']} of them earlier)"
    return f"{counts}, {report['lost']} lost, {report['worker_deaths']} workers died"


def _compare(calm: Path, stormy: Path, clips: Path) -> int:
    """0 where each clip is there once and the same."""
    import pyarrow.dataset

    first = (pyarrow.dataset.field("point") == 0) & (pyarrow.dataset.field("frame") == 0)
    table = pyarrow.dataset.dataset(stormy / "tracks").to_table(columns=["clip"], filter=first)
    times = Counter(table["clip"].to_pylist())
    wanted = {str(path) for path in clips.iterdir()}
    once = sum(times[clip] == 1 for clip in wanted)
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("tracks/*")}
        for out in (calm, stormy)
    ]
    same = sum(digests[1].get(name) == digest for name, digest in digests[0].items())
    left = [path for path in stormy.rglob(".*") if path.name != ".lock"]
    print(f"{once} of {len(wanted)} clips are there exactly once, {len(times)} in all")
    print(f"{same} of {len(digests[0])} files have the bytes of the undisturbed run")
    print(f"{len(left)} half-written files are left")
    good = once == len(wanted) == len(times) == same == len(digests[1]) and not left
    print("GOOD" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    main()
