"""Network → finished graph: rewritten, traced, simplified, checked. Everything up to the bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from locoexport.contract.interface import FileRole, GraphInterface, GridShapes, interface_of
from locoexport.contract.metadata import QUERY_INPUT, VIDEO_INPUT, ArtifactMetadata
from locoexport.contract.profile import ExportProfile
from locoexport.graphs.exposed_values import open_seams, withdraw_seams
from locoexport.lowering.tracker.finishing import finish_graph, name_axes
from locoexport.lowering.tracker.frame_scan import FRAME_SCAN, scan_frames
from locoexport.lowering.tracker.promises import check_promises
from locoexport.lowering.tracker.simplification import Simplified
from locoexport.lowering.tracker.simplification import simplify as simplify_graph
from locoexport.models.locotrack.live import memory_channels
from locoexport.network.loading import Network
from locoexport.network.tracing import trace
from locoexport.notices import Listener, Notice
from locoexport.parity.probes import make_probe, to_uint8
from locoexport.pipeline.assembly.precision import lower_graph
from locoexport.rewrites import apply_rewrites, select_passes, select_rewrites
from locoexport.version import __version__

__all__ = ["FinishedGraph", "build_graph", "lower_precision"]

_SQUEEZE_PASS = "single-axis-squeeze"
_SIZES = {"batch": 1, "frames": 2, "points": 6, "height": 120, "width": 88, "past": 3}
"""Dynamic axes of the inputs that the simplifier's result is compared on: not the traced ones."""


@dataclass(frozen=True)
class FinishedGraph:
    """A graph that keeps its promises, what it says of itself, and how it came about.

    ``flat`` is the same before its encoder went into a Scan: what a smaller precision is made of.
    """

    model: onnx.ModelProto
    metadata: ArtifactMetadata
    nodes_traced: int
    simplifier_refusal: str | None
    flat: onnx.ModelProto


def build_graph(
    profile: ExportProfile,
    network: Network,
    *,
    simplify: bool,
    notify: Listener,
    role: FileRole = "whole",
    window: int | None = None,
) -> FinishedGraph:
    """The graph of ``network``, or what one file of a split holds of it, as ``profile`` asks.

    ``window`` is how many frames a live file looks at, the newest included; None is any number.

    Raises:
        UsageError: a rewrite that the profile names does not exist or is required.
        GraphCheckFailedError: the graph breaks a promise that every file keeps.
    """
    rewrites = select_rewrites(profile)
    # A split encoder is called with a few frames at a time: it needs no Scan.
    passes = select_passes(profile) if role == "whole" else ()
    interface = interface_of(
        role,
        profile.axes,
        profile.working_hw,
        _grid_shapes(network, profile),
        profile.input_type,
        memory=(None if window is None else window - 1, memory_channels(network.model.config)),
    )
    if role in ("whole", "encoder"):
        notify(Notice("rewriting " + ", ".join(rewrite.name for rewrite in rewrites)))
    rewritten = apply_rewrites(network.model, rewrites)
    what = profile.variant if role == "whole" else f"the {role} of {profile.variant}"
    notify(Notice(f"tracing {what} at opset {profile.opset}"))
    traced = trace(rewritten, profile, interface, role)
    simplified = Simplified(open_seams(traced.model, interface.outputs), "none", None)
    if simplify:
        simplified = _simplify(simplified.model, interface, notify)
    notify(Notice("checking the graph"))
    flat = name_axes(withdraw_seams(simplified.model, interface.outputs), interface)
    model = scan_frames(flat) if FRAME_SCAN in passes else flat
    model = finish_graph(model, producer_version=__version__)
    check_promises(model, opset=profile.opset, interface=interface)
    metadata = ArtifactMetadata(
        version=__version__,
        profile=profile.name,
        variant=profile.variant,
        resolution_hw=profile.working_hw,
        settings=profile.trained,
        opset=profile.opset,
        precision="fp32",
        sampling=profile.sampling,
        target=profile.target,
        rewrites=(*(rewrite.name for rewrite in rewrites), *passes, _SQUEEZE_PASS),
        weights=network.weights,
        simplifier=simplified.simplifier,
        torch_version=traced.torch_version,
        part=role,
        input_type=profile.input_type,
        shape_ranges=_ranges(profile) if profile.target == "tensorrt" else None,
    )
    return FinishedGraph(model, metadata, traced.node_count, simplified.refused, flat)


def lower_precision(
    graph: FinishedGraph, profile: ExportProfile, calibrate: Sequence[Path], notify: Listener
) -> FinishedGraph:
    """``graph``, of a single file, in the profile's precision.

    Raises:
        GraphCheckFailedError: it breaks a promise, or nothing of it can be lowered.
        VideoError: a clip to calibrate on cannot be read.
    """
    interface = interface_of("whole", profile.axes, profile.working_hw, ())
    scan = FRAME_SCAN in select_passes(profile)
    lowered = lower_graph(
        graph.flat, profile, interface, scan=scan, calibrate=calibrate, notify=notify
    )
    metadata = replace(
        graph.metadata, precision=profile.precision, integer_form=profile.integer_form
    )
    return replace(graph, model=lowered, metadata=metadata)


def _simplify(model: onnx.ModelProto, interface: GraphInterface, notify: Listener) -> Simplified:
    notify(Notice("simplifying"))
    simplified = simplify_graph(model, _example(interface), list(interface.outputs))
    if simplified.refused is not None:
        notify(Notice(simplified.refused, warning=True))
    return simplified


def _grid_shapes(network: Network, profile: ExportProfile) -> GridShapes:
    """Of the last level, and of the two grids of the first that are read where it is another."""
    first_hw, last_hw = profile.levels
    shapes = tuple(network.model.grid_shapes(last_hw))
    if first_hw == last_hw:
        return shapes
    first = network.model.grid_shapes(first_hw)
    return (*shapes, first.hires, first.lowres)


def _ranges(profile: ExportProfile) -> tuple[tuple[int, int, int], ...]:
    """Smallest, usual and largest (batch, frames, points); a fixed axis has one size."""
    sizes = [
        (fixed, fixed, fixed) if fixed is not None else ranges
        for fixed, ranges in zip(astuple(profile.axes), astuple(profile.shape_ranges), strict=True)
    ]
    return tuple(zip(*sizes, strict=True))


def _example(interface: GraphInterface) -> Mapping[str, NDArray[Any]]:
    """Inputs that the simplifier's result is compared on."""
    shapes = {
        name: [size if isinstance(size, int) else _SIZES[size] for size in shape]
        for name, shape in interface.inputs.items()
    }
    random = np.random.default_rng(0)
    example: dict[str, NDArray[Any]] = {
        name: random.standard_normal(shape, np.float32) / np.float32(shape[-1]) ** np.float32(0.5)
        for name, shape in shapes.items()
    }
    if VIDEO_INPUT in shapes:
        batch, frames, height, width, _ = shapes[VIDEO_INPUT]
        points = shapes.get(QUERY_INPUT, [0, 1])[1]
        probe = make_probe(
            "textured",
            batch=batch,
            frames=frames,
            points=points,
            size_hw=(height, width),
            seed=0,
        )
        video: NDArray[Any] = probe.video
        if interface.type_of(VIDEO_INPUT) == "uint8":
            video = to_uint8(probe.video)
        given = {VIDEO_INPUT: video, QUERY_INPUT: probe.query_points_tyx}
        example |= {name: given[name] for name in shapes}
    elif QUERY_INPUT in shapes:
        tyx = random.random(shapes[QUERY_INPUT], np.float32) * np.array([1, 99, 99], np.float32)
        example[QUERY_INPUT] = tyx
    return example
