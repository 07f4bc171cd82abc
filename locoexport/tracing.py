"""A tracker → an ONNX graph, by torch's TorchScript exporter.

It is the only path to opsets 16 and 17 (ARCHITECTURE.md, "Exporter"). A Python value that depends
on a traced size would become a constant and the file would be silently wrong at other shapes;
the tracer warns of each, and here every such warning is an error.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from locoexport.artifact import OUTPUT_NAMES, QUERY_INPUT, VIDEO_INPUT
from locoexport.errors import GraphCheckFailedError
from locoexport.profile import AxisSizes, ExportProfile
from locotrack import LocoTrack

__all__ = ["TracedGraph", "trace"]

# Sizes that differ from one another and from 1, so that no two axes can be mistaken.
_TRACED_BATCH, _TRACED_FRAMES, _TRACED_POINTS = 2, 3, 5


@dataclass(frozen=True)
class TracedGraph:
    """A graph as the exporter wrote it, before any pass."""

    model: onnx.ModelProto
    torch_version: str

    @property
    def node_count(self) -> int:
        """Nodes of the main graph."""
        return len(self.model.graph.node)


def trace(model: LocoTrack, profile: ExportProfile) -> TracedGraph:
    """Trace the resize-first path of ``model`` at the profile's opset and axes.

    Raises:
        GraphCheckFailedError: the model holds Python values that depend on traced sizes, or the
            exporter wrote another opset than was asked for.
    """
    video, queries = _example_inputs(profile)
    # Without no_grad every activation of the traced run is kept: 2 GB for b5.
    with tempfile.TemporaryDirectory() as folder, _shape_safe_tracing(), torch.no_grad():
        path = Path(folder) / "traced.onnx"
        torch.onnx.export(
            _Graph(model).eval(),
            (video, queries),
            str(path),
            dynamo=False,
            opset_version=profile.opset,
            input_names=[VIDEO_INPUT, QUERY_INPUT],
            output_names=list(OUTPUT_NAMES),
            dynamic_axes=dynamic_axes(profile.axes),
        )
        graph = onnx.load(path)
    written = {entry.domain: entry.version for entry in graph.opset_import}
    if written.get("") != profile.opset:
        raise GraphCheckFailedError(
            f"The exporter wrote opset {written}, not {profile.opset} as asked."
        )
    return TracedGraph(graph, torch.__version__)


def dynamic_axes(axes: AxisSizes) -> dict[str, dict[int, str]]:
    """The axes left open, as torch's exporter wants them: by tensor, by dimension."""
    by_name = {"batch": axes.batch, "frames": axes.frames, "points": axes.points}
    layout = {
        VIDEO_INPUT: ("batch", "frames"),
        QUERY_INPUT: ("batch", "points"),
        **dict.fromkeys(OUTPUT_NAMES, ("batch", "points", "frames")),
    }
    return {
        tensor: {i: axis for i, axis in enumerate(names) if by_name[axis] is None}
        for tensor, names in layout.items()
    }


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


class _Graph(nn.Module):
    """What is exported: arrays in, the three outputs out."""

    def __init__(self, tracker: LocoTrack) -> None:
        super().__init__()
        self.tracker = tracker

    def forward(self, video: Tensor, query_points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        result = self.tracker.track_resized(video, query_points)
        return result.tracks, result.occlusion, result.expected_dist


def _example_inputs(profile: ExportProfile) -> tuple[Tensor, Tensor]:
    axes, (height, width) = profile.axes, profile.resolution_hw
    batch = axes.batch or _TRACED_BATCH
    frames = axes.frames or _TRACED_FRAMES
    points = axes.points or _TRACED_POINTS
    # Only sizes matter to a trace; constants keep the bytes of the file the same.
    return torch.zeros((batch, frames, height, width, 3)), torch.zeros((batch, points, 3))
