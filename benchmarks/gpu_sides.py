"""The contenders of the GPU benchmark, how they take turns, and how far each is from the oracle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import locoexport  # noqa: F401  it switches ONNX Runtime's telemetry off, which has to come first

# isort: split
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from locoexport.benchmarking.contenders import Contender, DeviceGraph
from locoexport.benchmarking.report import paired_ratios, spread
from locoexport.benchmarking.timing import settle, take_turns
from locoexport.contract.metadata import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.contract.profile import SCORED_HW
from locoexport.contract.visibility import visible_from_logits
from locoexport.evaluation.datasets.synthetic import SyntheticSettings, make_sequence
from locoexport.evaluation.metrics import sample_queries
from locoexport.models.locotrack import LocoTrack
from locoexport.network.oracle import run_reference
from locoexport.parity.probes import Probe
from locoexport.runtime.session.model_file import read_model_file
from locoexport.runtime.session.provider_options import provider_name
from locoexport.runtime.session.single import (
    ModelSession,
    OpenedFile,
    RawTracks,
    create_checked_session,
    session_options,
)
from locoexport.runtime.video.frames import scale_queries_to_model, to_model_input

__all__ = [
    "CapturedGraph",
    "TorchSide",
    "make_sequences",
    "measure_distance",
    "one_line",
    "open_bound",
    "race",
]

_SECONDS_A_RACE = 8.0
_FEWEST_ROUNDS, _MOST_ROUNDS = 5, 30

Row = dict[str, Any]
Answer = tuple[Probe, RawTracks | None]
"""Inputs and what the oracle answers to them; None: all are compared with the first side."""


def open_bound(path: Path, provider: str, name: str) -> DeviceGraph:
    """A file whose inputs and outputs stay where the provider computes."""
    opened = create_checked_session(path, provider, profile_prefix=None, threads=None, cached=False)
    on = "cpu" if provider_name(provider) == "cpu" else "cuda"
    return DeviceGraph(ModelSession(opened, provider), opened.session, name, device=on)


class CapturedGraph(DeviceGraph):
    """A file of one size whose kernels are launched as one graph (``enable_cuda_graph``).

    ONNX Runtime captures the launches in the first runs and repeats them: inputs and outputs have
    to stay at their addresses, so the outputs are allocated here. Where ``capture`` is False the
    same file and the same binding run without it.
    """

    def __init__(self, path: Path, provider: str, name: str, *, capture: bool) -> None:
        """Open a file with three fixed axes.

        Raises:
            ORT_ERRORS: the graph cannot be captured: control flow, or nodes on the CPU.
        """
        on = "cpu" if provider == "cpu" else "cuda"
        chain: list[Any] = ["CPUExecutionProvider"]
        if on == "cuda":
            chosen = {"use_tf32": "0", "enable_cuda_graph": str(int(capture))}
            chain = [("CUDAExecutionProvider", chosen), "CPUExecutionProvider"]
        bound = onnxruntime.InferenceSession(
            str(path), session_options(provider), providers=chain, enable_fallback=0
        )
        opened = OpenedFile(bound, read_model_file(path), "opened to be captured")
        super().__init__(ModelSession(opened, provider), bound, name, device=on)

    def prepare(self, video: NDArray[Any], query_points_tyx: NDArray[np.float32]) -> None:
        """Bind the inputs, and outputs at addresses that stay."""
        batch, frames, points = *video.shape[:2], query_points_tyx.shape[1]
        shapes = ((batch, points, frames, 2), (batch, points, frames), (batch, points, frames))
        arrays = {VIDEO_INPUT: video, QUERY_INPUT: query_points_tyx}
        self._arrays = arrays
        self._values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, self._device, 0)
            for name, array in arrays.items()
        }
        self._outputs = [
            onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
            for shape in shapes
        ]
        self._binding = self._bound.io_binding()
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in zip(OUTPUT_NAMES, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, value)

    def outputs(self) -> RawTracks:
        """See ``Contender``."""
        return RawTracks(*(value.numpy() for value in self._outputs))


class TorchSide:
    """The unrewritten model in PyTorch, in one of the ways in which people run it."""

    def __init__(
        self,
        model: LocoTrack,
        device: str,
        name: str,
        *,
        backend: str | None = None,
        tf32: bool = False,
        autocast: torch.dtype | None = None,
    ) -> None:
        """Copy the model to ``device``.

        ``tf32``: products and convolutions may round their inputs to 10 bits of mantissa. PyTorch's
        own default is True for convolutions and False for products; here both are the same.
        ``autocast`` is the type that torch's autocast computes in, ``backend`` what torch.compile
        compiles with.
        """
        self.name, self.resolution_hw = name, model.config.working_hw
        self.threads: int | None = None
        self._device, self._tf32, self._autocast = device, tf32, autocast
        self._track = copy.deepcopy(model).to(device).track_resized
        if backend is not None:
            # What was compiled of another variant counts against the limit of this one's forms.
            torch._dynamo.reset()
            self._track = torch.compile(self._track, backend=backend)

    def prepare(self, video: NDArray[Any], query_points_tyx: NDArray[np.float32]) -> None:
        """See ``Contender``."""
        self._inputs = tuple(
            torch.from_numpy(array).to(self._device) for array in (video, query_points_tyx)
        )

    def run(self) -> None:
        """See ``Contender``; waits for the device."""
        casting = torch.autocast(
            self._device, dtype=self._autocast, enabled=self._autocast is not None
        )
        with torch.inference_mode(), _rounding(self._tf32), casting:
            self._result = self._track(*self._inputs)
            if self._device == "cuda":
                torch.cuda.synchronize()

    def outputs(self) -> RawTracks:
        """See ``Contender``; float32 whatever it was computed in."""
        result = self._result
        found = (result.tracks, result.occlusion, result.expected_dist)
        return RawTracks(*(x.float().cpu().numpy() for x in found))

    def transfers(self) -> None:
        """Not measured on this side."""

    def fresh_task(self, frames: int, points: int) -> None:
        """Not measured on this side."""


@contextmanager
def _rounding(tf32: bool) -> Iterator[None]:
    """Whether torch may use TF32, as long as this lasts; both switches are torch's own."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def race(
    openers: Mapping[str, Callable[[], Contender]],
    inputs: Answer,
    *,
    rounds: int | None = None,
) -> list[Row]:
    """Open every contender, let all take turns on one input, and say how far each is off.

    A contender that fails says why and the others go on; the first is what the others are compared
    with, so its failure is everyone's.

    Args:
        openers: how each is opened, by name.
        inputs: the probe that is timed, and the oracle's answer to it.
        rounds: how often each runs; by default as often as some seconds allow.
    """
    rows: list[Row] = []
    racing: list[tuple[Row, Contender]] = []
    probe, expected = inputs
    for name, opener in openers.items():
        row: Row = {"name": name, "error": None}
        rows.append(row)
        try:
            side = opener()
            side.prepare(probe.video, probe.query_points_tyx)
            settle(side)
            expected = expected or side.outputs()
            row |= measure_distance([(side.outputs(), expected)], side.resolution_hw)
        # Whatever one contender dies of, the others are measured.
        except Exception as error:
            if not racing:
                raise
            row["error"] = one_line(error)
            continue
        racing.append((row, side))
    sides = [side for _, side in racing]
    seconds = take_turns(sides, rounds or _count_rounds(sides), progress=lambda done: None)
    for (row, _), taken in zip(racing, seconds, strict=True):
        row["ms"] = {key: value * 1e3 for key, value in asdict(spread(taken)).items()}
        row["ratio"] = asdict(paired_ratios(taken, seconds[0]))
        row["rounds"] = len(taken)
    return rows


def _count_rounds(sides: Sequence[Contender]) -> int:
    (once,) = zip(*take_turns(sides, 1, progress=lambda done: None), strict=True)
    return int(min(max(_SECONDS_A_RACE / sum(once), _FEWEST_ROUNDS), _MOST_ROUNDS))


def make_sequences(
    model: LocoTrack, count: int, frames: int, points: int
) -> Iterator[tuple[Probe, RawTracks]]:
    """Sequences whose motion is known, at the working size, and the oracle's answers to them."""
    working_hw = model.config.working_hw
    for index in range(count):
        clip = make_sequence(index, SyntheticSettings(frames=frames, points=points, seed=0))
        truth = clip.points * np.array(SCORED_HW[::-1], np.float64)
        asked = sample_queries(clip.occluded, truth, "first")["query_points"].astype(np.float32)
        video = np.ascontiguousarray(to_model_input(clip.video, working_hw))
        queries = scale_queries_to_model(asked, SCORED_HW, working_hw)
        probe = Probe(f"sequence {index}", "sequence", video, queries)
        yield probe, run_reference(model, video, queries).outputs


def measure_distance(
    answers: Sequence[tuple[RawTracks, RawTracks]], working_hw: tuple[int, int]
) -> Row:
    """Pixels of 256x256 between pairs (found, expected), and flips of visibility.

    Distances are taken where the oracle says visible; where it never does, they are None.
    """
    scale_xy = np.array([SCORED_HW[1] / working_hw[1], SCORED_HW[0] / working_hw[0]])
    distances, flips, compared, finite = [], 0, 0, True
    for found, expected in answers:
        said, _ = visible_from_logits(expected.occlusion, expected.expected_dist)
        says, _ = visible_from_logits(found.occlusion, found.expected_dist)
        offset_xy = (found.tracks_xy.astype(np.float64) - expected.tracks_xy) * scale_xy
        distances.append(np.sqrt(np.square(offset_xy).sum(axis=-1))[said])
        flips, compared = flips + int((said != says).sum()), compared + said.size
        finite = finite and bool(np.isfinite(found.tracks_xy).all())
    pixels = np.concatenate(distances)
    row: Row = {"p50_px": None, "p99_px": None, "max_px": None}
    if finite and pixels.size:
        p50, p99 = np.quantile(pixels, (0.5, 0.99))
        row = {"p50_px": float(p50), "p99_px": float(p99), "max_px": float(pixels.max())}
    return row | {"flips": flips, "compared": compared, "finite": finite}


def one_line(error: BaseException) -> str:
    """Its type and text, short, without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:400]
