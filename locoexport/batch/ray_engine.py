"""Clips shared out by Ray Data: actors that hold the model, on a cluster or on this machine."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from locoexport.batch.clip_work import MAX_ATTEMPTS, ClipWorker, OutputFolder
from locoexport.batch.events import ClipDone, Event
from locoexport.batch.jobs import ClipJob, ClipOutcome, WorkSettings, job_id
from locoexport.errors import MachineError, OutputError
from locoexport.machine.hardware import read_cpu
from locoexport.runtime.session.single import one_line

__all__ = ["TrackingActor", "run_ray"]

_GPU_PROVIDERS = ("cuda", "tensorrt")


class TrackingActor:
    """What ``map_batches`` calls: it opens the model once and does one job a call."""

    def __init__(self, settings: WorkSettings) -> None:
        """Open the model; raises LocoExportError."""
        self._worker = ClipWorker(settings)
        self._settings, self._model = settings, settings.model_sha256
        self._folder = OutputFolder(settings.out)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do the jobs of a batch: columns index and job (pickled) → index and outcome (pickled)."""
        outcomes: list[ClipOutcome | OutputError] = []
        for packed in batch["job"]:
            try:
                outcomes.append(self._work(pickle.loads(packed)))
            except OutputError as error:
                outcomes.append(error)
        return {"index": batch["index"], "outcome": [pickle.dumps(each) for each in outcomes]}

    def _work(self, job: ClipJob) -> ClipOutcome:
        """Do one job, unless actors died of it before: Ray would begin it again for ever."""
        tally = self._folder.tally(job_id(job, self._model, self._settings.options_of(job)))
        try:
            with open(tally, "ab") as file:
                file.write(b"|")
            begun = tally.stat().st_size
        except OSError as error:
            raise OutputError(f"Cannot write {tally}: {error.strerror or error}.") from error
        if begun > MAX_ATTEMPTS:
            outcome = ClipOutcome(job.clip, "lost", f"its actor died {MAX_ATTEMPTS} times")
        else:
            outcome = self._worker.work(job)
        with suppress(OSError):
            tally.unlink()
        return outcome


def run_ray(
    jobs: Sequence[ClipJob], settings: WorkSettings, workers: int, address: str | None
) -> Iterator[Event]:
    """Do jobs by ``workers`` actors; yields each clip when its outcome arrives.

    Each actor asks Ray for ``settings.threads`` CPUs, and one GPU where the provider needs it. All
    nodes must have this package, and reach the clips, the model and the output folder under the
    same paths. An actor that dies is started anew by Ray and its clip begun again.

    Args:
        jobs: what to do.
        settings: for every actor.
        workers: how many actors.
        address: of a running cluster; None starts one on this machine and ends it again.

    Raises:
        OutputError: nothing can be written any more.
        MachineError: the cluster cannot be reached, or an actor cannot open the model.
    """
    import ray

    ours = not ray.is_initialized()
    if ours:
        _connect(ray, settings, workers, address)
    try:
        yield from _stream(ray, jobs, settings, workers)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, settings: WorkSettings, workers: int, address: str | None) -> None:
    # Ray sends statistics over the net unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(
                num_cpus=max(read_cpu().usable_cores, workers * settings.threads),
                include_dashboard=False,
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises this very class where its processes do not come up
        where = "on this machine" if address is None else f"at {address}"
        raise MachineError(f"There is no Ray cluster {where}: {one_line(error)}.") from error


def _stream(
    ray: Any, jobs: Sequence[ClipJob], settings: WorkSettings, workers: int
) -> Iterator[Event]:
    data = importlib.import_module("ray.data")
    missing = set(range(len(jobs)))
    with _data_context(data):
        items = [{"index": i, "job": pickle.dumps(job)} for i, job in enumerate(jobs)]
        # A block a clip: what Ray gives up is one clip, not its neighbours too.
        outcomes = data.from_items(items, override_num_blocks=len(items)).map_batches(
            TrackingActor,
            fn_constructor_args=(settings,),
            batch_size=1,
            compute=data.ActorPoolStrategy(
                # One clip waits while another is tracked, so that the last ones are spread evenly.
                min_size=1,
                max_size=min(workers, len(jobs)),
                max_tasks_in_flight_per_actor=2,
            ),
            num_cpus=settings.threads,
            num_gpus=1 if settings.provider in _GPU_PROVIDERS else None,
        )
        try:
            for row in outcomes.iter_rows():
                outcome = pickle.loads(row["outcome"])
                if isinstance(outcome, OutputError):
                    raise outcome
                missing.discard(int(row["index"]))
                yield ClipDone(int(row["index"]), outcome)
        except ray.exceptions.RayError as error:
            raise MachineError(f"Ray gave up: {one_line(error)}.") from error
    for index in sorted(missing):
        yield ClipDone(index, ClipOutcome(jobs[index].clip, "lost", "Ray gave it up"))


@contextmanager
def _data_context(data: Any) -> Iterator[None]:
    """No bars of Ray's own, and a clip that is given up does not end the others."""
    context = data.DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    context.max_errored_blocks, context.enable_progress_bars = -1, False
    try:
        yield
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
