"""The PyTorch side: the unrewritten model, eager, compiled, or eager under bfloat16 autocast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from locoexport.benchmarking.fresh_process import FreshTask
from locoexport.errors import MachineError
from locoexport.machine.cores import usable_threads
from locoexport.models.locotrack import LocoTrack, TrackingResult
from locoexport.runtime.session.single import RawTracks

__all__ = ["TorchMode", "TorchModel"]

Floats = NDArray[np.float32]
TorchMode = Literal["eager", "compile", "autocast"]
_NAMES: dict[TorchMode, str] = {
    "eager": "torch eager",
    "compile": "torch compile",
    "autocast": "torch bf16 autocast",
}


class TorchModel:
    """``LocoTrack.track_resized``: all queries in one call, as the graph takes them.

    ``autocast`` is torch's own choice of what is computed in bfloat16 (docs.pytorch.org/docs/stable
    /amp.html): convolutions and products are, sampling is not, and on the CPU softmax is. Nothing
    is kept in float32 by hand, so the cost volume and the initial positions are bfloat16 too. On a
    processor without such instructions (AVX-512 BF16, AMX) torch converts, and is slower.
    """

    def __init__(self, model: LocoTrack, variant: str, *, mode: TorchMode, device: str) -> None:
        """``device`` is torch's name for it; the model is moved there.

        On the CPU this process's torch is given the threads that ONNX Runtime has: torch heeds the
        affinity mask and no quota.
        """
        if device == "cpu":
            torch.set_num_threads(usable_threads())
        self.name = _NAMES[mode]
        if device != "cpu":
            self.name += f" ({device})"
        self.resolution_hw = model.config.working_hw
        self.threads: int | None = torch.get_num_threads() if device == "cpu" else None
        self._device, self._mode, self._variant = device, mode, variant
        self._config = model.config
        model = model.to(device)
        self._track: Callable[..., TrackingResult] = model.track_resized
        if mode == "compile":
            self._track = torch.compile(model.track_resized)

    def prepare(self, video: Floats, query_points_tyx: Floats) -> None:
        """See ``Contender``."""
        self._inputs = tuple(
            torch.from_numpy(array).to(self._device) for array in (video, query_points_tyx)
        )

    def run(self) -> None:
        """See ``Contender``; waits for the device."""
        try:
            with torch.inference_mode(), self._precision():
                self._result = self._track(*self._inputs)
                if self._device != "cpu":
                    torch.cuda.synchronize()
        except RuntimeError as error:  # out of memory, and everything that torch.compile raises
            reason = " ".join(str(error).split())[:300]
            raise MachineError(
                f"{self.name} failed: {reason}. Time fewer frames or points, or choose another "
                "--against."
            ) from error

    def outputs(self) -> RawTracks:
        """See ``Contender``; float32, whatever they were computed in."""
        result = self._result
        arrays = (result.tracks, result.occlusion, result.expected_dist)
        return RawTracks(*(x.float().cpu().numpy() for x in arrays))

    def transfers(self) -> None:
        """Not measured on this side."""

    def fresh_task(self, frames: int, points: int) -> FreshTask | None:
        """Not where compiled, which would take minutes again, nor on a GPU, whose memory is not
        this process's. The weights are seeded, which takes the same memory."""
        if self._mode == "compile" or self._device != "cpu":
            return None
        return FreshTask(
            frames,
            points,
            self.resolution_hw,
            variant=self._variant,
            initial_hw=self._config.resolution_hw,
            first_hw=self._config.levels[0],
            refinements=self._config.refinements,
            autocast=self._mode == "autocast",
        )

    def _precision(self) -> torch.autocast:
        enabled = self._mode == "autocast"
        return torch.autocast(self._device, dtype=torch.bfloat16, enabled=enabled)
