"""A tracker → an ONNX graph, by torch's TorchScript exporter.

It is the only path to opsets 16 and 17 (docs/decisions/002-exporter.md). A Python value that
depends on a traced size would become a constant and the file would be silently wrong at other
shapes; the tracer warns of each, and here every such warning is an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from locoexport.contract.interface import FileRole, GraphInterface
from locoexport.contract.profile import ExportProfile
from locoexport.contract.seams import Seam, traced_seams
from locoexport.errors import GraphCheckFailedError
from locoexport.machine.writing.drafts import scratch_folder
from locoexport.models.locotrack import LocoTrack
from locoexport.models.locotrack.live import follow_newest
from locoexport.models.locotrack.states import ByLevel, FeatureGrids, TrackingResult
from locoexport.network.recording import model_seams, record_seams

__all__ = ["TracedGraph", "trace"]

# Sizes that differ from one another and from 1, so that no two axes can be mistaken.
_TRACED = {"batch": 2, "frames": 3, "points": 5, "height": 41, "width": 59, "past": 7}


@dataclass(frozen=True)
class TracedGraph:
    """A graph as the exporter wrote it, before any pass.

    Its seams are outputs after those of the interface: that gives them their names and keeps them
    through simplification (``graphs.exposed_values`` withdraws them).
    """

    model: onnx.ModelProto
    torch_version: str

    @property
    def node_count(self) -> int:
        """Nodes of the main graph."""
        return len(self.model.graph.node)


def trace(
    model: LocoTrack, profile: ExportProfile, interface: GraphInterface, role: FileRole = "whole"
) -> TracedGraph:
    """Trace the resize-first path of ``model`` at the profile's opset, or one split file's share.

    Raises:
        GraphCheckFailedError: the model holds Python values that depend on traced sizes, or the
            exporter wrote another opset than was asked for.
    """
    seams = traced_seams(model_seams(model), role)
    # Without no_grad every activation of the traced run is kept: 2 GB for b5.
    with scratch_folder() as folder, _shape_safe_tracing(), torch.no_grad():
        path = folder / "traced.onnx"
        torch.onnx.export(
            _module_of(model, profile, role, [seam.tensor for seam in seams]).eval(),
            _example_inputs(interface),
            str(path),
            dynamo=False,
            opset_version=profile.opset,
            input_names=list(interface.inputs),
            output_names=[*interface.outputs, *(seam.tensor for seam in seams)],
            dynamic_axes=interface.dynamic_axes() | _open_axes(seams),
        )
        graph = onnx.load(path)
    written = {entry.domain: entry.version for entry in graph.opset_import}
    if written.get("") != profile.opset:
        raise GraphCheckFailedError(
            f"The exporter wrote opset {written}, not {profile.opset} as asked."
        )
    return TracedGraph(graph, torch.__version__)


@contextmanager
def _shape_safe_tracing() -> Iterator[None]:
    """Raise afterwards if the tracer turned a size of the model's own code into a constant.

    Warnings from inside torch are its own checks of sizes; they leave nothing in the graph.
    The exporter's other warnings (that it is deprecated, what it did not fold) go no further.
    """
    torch_folder = str(Path(torch.__file__).parent)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        own_code = not warning.filename.startswith(torch_folder)
        if issubclass(warning.category, TracerWarning) and own_code:
            reason = str(warning.message).splitlines()[0]
            raise GraphCheckFailedError(
                f"The model cannot be traced for every shape: {reason} "
                f"({warning.filename}:{warning.lineno})"
            )


class _Traced(nn.Module):
    """``run``'s outputs, and the seams of those names."""

    def __init__(self, tracker: LocoTrack, seams: Sequence[str]) -> None:
        super().__init__()
        self.tracker = tracker
        self._seams = tuple(seams)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        with record_seams(self.tracker) as tensors:
            outputs = self.run(*inputs)
        return (*outputs, *(tensors[name] for name in self._seams))

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError


class _Whole(_Traced):
    """Frames and query points in, the three outputs out."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        result = self.tracker.track_resized(inputs[0], inputs[1])
        return result.tracks, result.occlusion, result.expected_dist


class _WholeFromFrames(_Traced):
    """uint8 frames of any size and query points in their pixels in, outputs in their pixels out."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        video, query_points = inputs
        working_hw = self.tracker.config.working_hw
        height, width = video.shape[2], video.shape[3]
        first, last = self.tracker.extract_levels(video, self.tracker.config.levels)
        # Multiplied first: a working resolution is small, so that this is exact or nearly so.
        t, y, x = query_points.unbind(-1)
        scaled = torch.stack((t, y * working_hw[0] / height, x * working_hw[1] / width), -1)
        result = self.tracker.track(first, last, scaled, working_hw)
        x, y = result.tracks.unbind(-1)
        tracks = torch.stack((x * width / working_hw[1], y * height / working_hw[0]), -1)
        return tracks, result.occlusion, result.expected_dist


class _Encoder(_Traced):
    """Frames in, the three grids out, and two of the first level where that is another."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        levels = self.tracker.config.levels
        first, last = self.tracker.extract_levels(inputs[0], levels, resize=False)
        if first is last:
            return tuple(last.grids)
        return (*last.grids, first.grids.hires, first.grids.lowres)


class _Query(_Traced):
    """Grids and query points in, supports out."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        *grids, queries = inputs
        first, last = _features_of(self.tracker, grids)
        working_hw = self.tracker.config.working_hw
        supports = self.tracker.sample_supports(last, queries, working_hw)
        if first is last:
            return tuple(supports)
        initial = self.tracker.sample_first_supports(first, queries, working_hw)
        return (*supports, initial.hires, initial.lowres)


class _Tracker(_Traced):
    """Grids, supports and query points in, the three outputs out."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        *features, queries = inputs
        count = len(features) // 2
        first, last = _features_of(self.tracker, features[:count])
        initial, supports = _levels_of(features[count:])
        result = self.tracker.track_supports(
            first, last, initial, supports, queries, self.tracker.config.working_hw
        )
        return result.tracks, result.occlusion, result.expected_dist


class _Live(_Traced):
    """Grids of the newest frame, supports, query points and memory in; tracks and memory out."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        *features, queries, memory = inputs
        count = len(features) // 2
        first, last = _features_of(self.tracker, features[:count])
        initial, supports = _levels_of(features[count:])
        estimate, kept = follow_newest(
            self.tracker, first, last, initial, supports, queries, memory
        )
        config = self.tracker.config
        result = TrackingResult.of(estimate, (), config.resolution_hw, config.working_hw)
        return result.tracks, result.occlusion, result.expected_dist, kept


def _features_of(tracker: LocoTrack, grids: Sequence[Tensor]) -> tuple[FeatureGrids, FeatureGrids]:
    """The features of the first and of the last level, of what an encoder gave."""
    first, last = _levels_of(grids)
    first_hw, last_hw = tracker.config.levels
    features = tracker.features_of(last, last_hw)
    return (features if first is last else tracker.features_of(first, first_hw)), features


def _levels_of(tensors: Sequence[Tensor]) -> tuple[ByLevel[Tensor], ByLevel[Tensor]]:
    """Three tensors of the last level, and two of the first where that is another."""
    last = ByLevel(*tensors[:3])
    if len(tensors) == 3:
        return last, last
    hires, lowres = tensors[3:]
    # Nothing reads the finest grid of the first level: any tensor may stand in its place.
    return ByLevel(hires, lowres, highest=lowres), last


_MODULES: dict[FileRole, Callable[[LocoTrack, Sequence[str]], nn.Module]] = {
    "whole": _Whole,
    "encoder": _Encoder,
    "query": _Query,
    "tracker": _Tracker,
    "live": _Live,
}


def _module_of(
    model: LocoTrack, profile: ExportProfile, role: FileRole, seams: Sequence[str]
) -> nn.Module:
    if profile.input_type == "uint8":
        return _WholeFromFrames(model, seams)
    return _MODULES[role](model, seams)


def _open_axes(seams: Sequence[Seam]) -> dict[str, dict[int, str]]:
    """No size of a seam is stated: a stated one is the trace's, and simplifiers believe it."""
    return {
        seam.tensor: {axis: f"{seam.tensor}_{axis}" for axis in range(len(seam.axes))}
        for seam in seams
    }


def _example_inputs(interface: GraphInterface) -> tuple[Tensor, ...]:
    # Only sizes matter to a trace; constants keep the bytes of the file the same.
    return tuple(
        torch.zeros(
            [size if isinstance(size, int) else _TRACED[size] for size in shape],
            dtype=getattr(torch, interface.type_of(name)),
        )
        for name, shape in interface.inputs.items()
    )
