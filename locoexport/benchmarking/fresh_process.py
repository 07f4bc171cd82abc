"""Memory and load time, measured in a process of their own.

What a process holds is not what one model needs: allocators keep what was freed, and the other
contender lives in the same memory. So a new process imports the libraries, makes the inputs, notes
what it holds, opens the model, runs it twice, and tells the most it ever held. ``python -m
locoexport.benchmarking.fresh_process JSON`` is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from locoexport.benchmarking.report import FreshRun
from locoexport.machine.cores import usable_threads
from locoexport.machine.hardware import peak_memory, process_memory, reset_peak_memory

__all__ = ["FreshTask", "run_fresh"]

_RUNS = 2


@dataclass(frozen=True)
class FreshTask:
    """What to run. ``graph`` is an .onnx file, run on so many ``threads`` of the CPU (None: the
    usual number); without one it is torch eager on the CPU.

    ``resolution_hw`` is that of the frames. Of torch's side, ``initial_hw`` and ``first_hw`` are
    the initial resolution and the first level, where they are others; with ``autocast`` it runs
    under bfloat16 autocast.
    """

    frames: int
    points: int
    resolution_hw: tuple[int, int]
    provider: str = "cpu"
    graph: str | None = None
    variant: str | None = None
    initial_hw: tuple[int, int] | None = None
    first_hw: tuple[int, int] | None = None
    refinements: int = 4
    autocast: bool = False
    threads: int | None = None


def run_fresh(task: FreshTask) -> FreshRun | str:
    """Measure in a new process; where that fails, why in one line (the benchmark goes on)."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(task))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode < 0:
        return f"the process was ended by signal {-done.returncode} (9: out of memory)"
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    return FreshRun(**json.loads(done.stdout.splitlines()[-1]))


def measure(task: FreshTask) -> FreshRun:
    """The same in this process, which must not have done anything before."""
    from locoexport.parity.probes import make_probe

    probe = make_probe(
        "textured",
        batch=1,
        frames=task.frames,
        points=task.points,
        size_hw=task.resolution_hw,
        seed=0,
    )
    opener = _graph_opener(task) if task.graph is not None else _torch_opener(task)
    reset_peak_memory()
    before = process_memory()
    started = time.perf_counter()
    run = opener()
    load_seconds = time.perf_counter() - started
    for _ in range(_RUNS):
        run(probe.video, probe.query_points_tyx)
    return FreshRun(load_seconds, before, peak_memory())


def _graph_opener(task: FreshTask) -> Callable[[], Callable[..., object]]:
    from locoexport.benchmarking.inputs import as_taken
    from locoexport.runtime.session.single import open_session, require_provider

    require_provider(task.provider)
    path = Path(task.graph or "")

    def open_graph() -> Callable[..., object]:
        session = open_session(path, task.provider, threads=task.threads, require_metadata=False)
        return lambda video, queries: session.run(as_taken(session, video), queries)

    return open_graph


def _torch_opener(task: FreshTask) -> Callable[[], Callable[..., object]]:
    import torch

    from locoexport.models import locotrack

    assert task.variant is not None
    config = replace(
        locotrack.VARIANTS[task.variant],
        resolution_hw=task.initial_hw or task.resolution_hw,
        refinement_resolutions=(task.first_hw or task.resolution_hw, task.resolution_hw),
        refinements=task.refinements,
    )

    torch.set_num_threads(usable_threads())

    def open_model() -> Callable[..., object]:
        model = locotrack.create_model(config)

        def run(video: object, queries: object) -> None:
            precision = torch.autocast("cpu", dtype=torch.bfloat16, enabled=task.autocast)
            with torch.inference_mode(), precision:
                model.track_resized(torch.as_tensor(video), torch.as_tensor(queries))

        return run

    return open_model


if __name__ == "__main__":
    document = json.loads(sys.argv[1])
    for name in ("resolution_hw", "initial_hw", "first_hw"):
        document[name] = None if document[name] is None else tuple(document[name])
    print(json.dumps(asdict(measure(FreshTask(**document)))))
