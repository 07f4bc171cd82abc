"""What is timed: a graph in ONNX Runtime, on the CPU or bound to a device.

The PyTorch side is in ``torch_model``, so that a machine without torch can time a graph.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

import onnxruntime

from locoexport.benchmarking.fresh_process import FreshTask
from locoexport.benchmarking.inputs import Floats, as_taken
from locoexport.benchmarking.report import Transfers, spread
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.errors import MachineError
from locoexport.machine.cores import usable_threads
from locoexport.runtime.session.provider_options import RunChoice, provider_name
from locoexport.runtime.session.providers import ORT_ERRORS
from locoexport.runtime.session.single import (
    ModelSession,
    RawTracks,
    create_checked_session,
    open_session,
)

__all__ = ["Contender", "DeviceGraph", "HostGraph", "open_graph"]


_ON_DEVICE = ("cuda", "tensorrt")
_TRANSFER_RUNS = 10


class Contender(Protocol):
    """Something that tracks points and can be timed."""

    name: str
    resolution_hw: tuple[int, int]
    threads: int | None

    def prepare(self, video: Floats, query_points_tyx: Floats) -> None:
        """Take the inputs of the runs to come: (1, T, H, W, 3) in [-1, 1] and (1, N, 3)."""

    def run(self) -> None:
        """One call, ended only when its results are there."""

    def outputs(self) -> RawTracks:
        """Results of the last call, in this process's memory."""

    def transfers(self) -> Transfers | None:
        """Time of the copies that ``run`` leaves out; None where there are none."""

    def fresh_task(self, frames: int, points: int) -> FreshTask | None:
        """How to measure this contender's memory in a new process; None where that says nothing."""


def open_graph(
    path: Path, provider: str, name: str, choice: RunChoice | None = None
) -> HostGraph | DeviceGraph:
    """Open a file with our inputs and outputs; on CUDA its inputs and outputs stay on the device.

    ``choice`` says with how many threads, and who chose ``provider``; None is the caller.

    Raises:
        ModelFileError, ProviderUnavailableError: see ``open_session``.
    """
    choice = choice or RunChoice(provider)
    if provider_name(provider) not in _ON_DEVICE:
        session = open_session(
            path, provider, threads=choice.threads, require_metadata=False, choice=choice
        )
        return HostGraph(session, name)
    opened = create_checked_session(path, provider, profile_prefix=None, threads=None, cached=False)
    session = ModelSession(opened, provider, require_metadata=False, choice=choice)
    return DeviceGraph(session, opened.session, name)


class HostGraph:
    """A graph whose inputs and outputs lie in this process's memory."""

    def __init__(self, session: ModelSession, name: str) -> None:
        """``session`` stays open for as long as this does."""
        self.name, self.session = name, session
        self.resolution_hw = session.resolution_hw
        usual = usable_threads() if session.provider == "cpu" else None
        self.threads: int | None = session.choice.threads or usual

    def prepare(self, video: Floats, query_points_tyx: Floats) -> None:
        """See ``Contender``."""
        self._inputs = (as_taken(self.session, video), query_points_tyx)

    def run(self) -> None:
        """See ``Contender``."""
        self._outputs = self.session.run(*self._inputs)

    def outputs(self) -> RawTracks:
        """See ``Contender``."""
        return self._outputs

    def transfers(self) -> None:
        """Nothing is copied."""

    def fresh_task(self, frames: int, points: int) -> FreshTask:
        """See ``Contender``."""
        return _fresh_task(self.session, frames, points)


class DeviceGraph:
    """A graph whose inputs and outputs stay in a device's memory between calls (IO binding).

    Written to ONNX Runtime's documented API (onnxruntime.ai/docs/performance/tune-performance/
    iobinding.html) and tested with the CPU as the device; it has not been run on a GPU.
    """

    def __init__(
        self, session: ModelSession, bound: Any, name: str, *, device: str = "cuda"
    ) -> None:
        """``bound`` is the ``onnxruntime.InferenceSession`` that ``session`` has checked;
        ``device`` is ONNX Runtime's name of the kind of memory."""
        self.name, self.session = name, session
        self.resolution_hw = session.resolution_hw
        self.threads: int | None = None
        self._bound, self._device = bound, device

    def prepare(self, video: Floats, query_points_tyx: Floats) -> None:
        """Upload the inputs, and bind the outputs to memory that the device allocates."""
        self._arrays = {
            VIDEO_INPUT: as_taken(self.session, video),
            QUERY_INPUT: query_points_tyx,
        }
        self._values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, self._device, 0)
            for name, array in self._arrays.items()
        }
        self._binding = self._bound.io_binding()
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        for name in OUTPUT_NAMES:
            self._binding.bind_output(name, self._device, 0)
        self._binding.synchronize_inputs()

    def run(self) -> None:
        """See ``Contender``; waits for the device."""
        try:
            self._bound.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
        except ORT_ERRORS as error:
            raise MachineError(
                f"ONNX Runtime failed on {self.session.provider} while running "
                f"{self.session.path}: {' '.join(str(error).split())}. If the device's memory ran "
                "out, time fewer frames or points."
            ) from error

    def outputs(self) -> RawTracks:
        """See ``Contender``."""
        return RawTracks(*self._binding.copy_outputs_to_cpu())

    def transfers(self) -> Transfers:
        """Copies of all inputs into the memory they are bound to, and of all outputs back."""
        uploads, downloads = [], []
        for _ in range(_TRANSFER_RUNS):
            started = time.perf_counter()
            for name, value in self._values.items():
                value.update_inplace(self._arrays[name])
            self._binding.synchronize_inputs()
            uploaded = time.perf_counter()
            self._binding.copy_outputs_to_cpu()
            uploads.append(uploaded - started)
            downloads.append(time.perf_counter() - uploaded)
        return Transfers(spread(uploads), spread(downloads))

    def fresh_task(self, frames: int, points: int) -> FreshTask:
        """See ``Contender``; the memory is this machine's, not the device's."""
        return _fresh_task(self.session, frames, points)


def _fresh_task(session: ModelSession, frames: int, points: int) -> FreshTask:
    return FreshTask(
        *(frames, points, session.resolution_hw, session.provider),
        graph=str(session.path),
        threads=session.choice.threads,
    )
