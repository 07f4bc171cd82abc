"""The rules of the lint: what each finds, of which runtime it speaks and on what it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto

from locoexport.graphs.domains import DEFAULT_DOMAINS, plain_domain, qualified_name
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.inspection.labels import label_node
from locoexport.inspection.shapes import GraphShapes, operand
from locoexport.inspection.validity import complaint_of_checker, unsorted_nodes, unstated_types
from locoexport.lowering.volumetric.samplers.published_samplers import PUBLISHED

__all__ = ["RULES", "Rule", "Severity", "Subject"]

Severity = Literal["error", "warning", "info"]

_ORT_NAME = "ONNX Runtime"
_CUDA = "ONNX Runtime CUDA"
_TENSORRT = "TensorRT"
_ORT = "https://github.com/microsoft/onnxruntime/"
_TRT_OPERATORS = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"
_INDEXED = {"Gather": 1, "GatherElements": 1, "GatherND": 1, "ScatterElements": 1, "ScatterND": 1}


@dataclass(frozen=True)
class Rule:
    """What is said where ``find`` names any nodes or values; as ``Finding``."""

    name: str
    severity: Severity
    runtime: str
    message: str
    source: str
    find: Callable[[Subject], Iterable[str]]


@dataclass(frozen=True)
class Subject:
    """A graph as the rules see it; ``opset`` is that of the default domain."""

    model: onnx.ModelProto
    shapes: GraphShapes
    opset: int

    def nodes(self, *kinds: str) -> Iterator[onnx.NodeProto]:
        """Nodes of those kinds in the default domain, bodies included."""
        for node in (*self.shapes.nodes, *self.shapes.hidden):
            if node.domain in DEFAULT_DOMAINS and node.op_type in kinds:
                yield node


def _text(node: onnx.NodeProto, name: str, default: str) -> str:
    for attribute in node.attribute:
        if attribute.name == name:
            return str(attribute.s.decode(errors="replace"))
    return default


def _volumetric(subject: Subject) -> Iterator[str]:
    for node in subject.nodes("GridSample"):
        if subject.shapes.rank(operand(node, 0)) == 5:
            yield label_node(node)


def _volumetric_before_20(subject: Subject) -> Iterator[str]:
    if subject.opset < 20:
        yield from _volumetric(subject)


def _volumetric_from_20(subject: Subject) -> Iterator[str]:
    if subject.opset >= 20:
        yield from _volumetric(subject)


def _unknown_rank(subject: Subject) -> Iterator[str]:
    for node in subject.nodes("GridSample"):
        if subject.shapes.rank(operand(node, 0)) is None:
            yield label_node(node)


def _renamed_modes(subject: Subject) -> Iterator[str]:
    for node in subject.nodes("GridSample"):
        # One that states no mode is read as bilinear, which is right: that is TensorRT's default.
        if subject.opset >= 20 and _text(node, "mode", "") in ("linear", "cubic"):
            yield label_node(node)


def _renamed_modes_of_images(subject: Subject) -> Iterator[str]:
    """Those of volumes are refused for their rank, by every version."""
    volumes = set(_volumetric(subject))
    yield from (label for label in _renamed_modes(subject) if label not in volumes)


def _half_grid_samples(subject: Subject) -> Iterator[str]:
    for node in subject.nodes("GridSample"):
        halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
        if subject.shapes.element_type(operand(node, 0)) in halves:
            yield label_node(node)


def _from_opset_19(kind: str) -> Callable[[Subject], Iterator[str]]:
    def find(subject: Subject) -> Iterator[str]:
        if subject.opset >= 19:
            yield from map(label_node, subject.nodes(kind))

    return find


def _computed_int64_indices(subject: Subject) -> Iterator[str]:
    """Only indices that depend on the data: those of shapes are known when an engine is built."""
    shapes = subject.shapes
    for node in subject.nodes(*_INDEXED):
        indices = operand(node, _INDEXED[node.op_type])
        if shapes.element_type(indices) == TensorProto.INT64 and indices not in shapes.values:
            yield label_node(node)


def _squeezes(subject: Subject) -> Iterator[str]:
    for node in subject.nodes("Squeeze"):
        stated = next((list(a.ints) for a in node.attribute if a.name == "axes"), None)
        if stated is None and len(node.input) > 1 and node.input[1] in subject.shapes.values:
            stated = subject.shapes.values[node.input[1]].reshape(-1).tolist()
        if stated is None or len(stated) != 1:
            yield label_node(node)


def _foreign_domains(subject: Subject) -> Iterator[str]:
    known = (*DEFAULT_DOMAINS, "ai.onnx.ml")
    for node in (*subject.shapes.nodes, *subject.shapes.hidden):
        if node.domain not in known:
            yield f"{label_node(node)} ({node.domain}::{node.op_type})"


def _doubles(subject: Subject) -> Iterator[str]:
    double = TensorProto.DOUBLE
    for name, kind in subject.shapes.types.items():
        if kind.tensor_type.elem_type == double:
            yield name
    for node in subject.nodes("Cast"):
        if any(a.name == "to" and a.i == double for a in node.attribute):
            yield label_node(node)


def _duplicates_in_one_graph(subject: Subject) -> Iterator[str]:
    for graph in iterate_graphs(subject.model):
        yield from _repeated(node.name for node in graph.node)


def _duplicates_apart(subject: Subject) -> Iterator[str]:
    """In two graphs of the file: legal, but profiles and quantisers tell nodes by name."""
    refused = set(_duplicates_in_one_graph(subject))
    every = _repeated(node.name for node in iterate_nodes(subject.model))
    yield from (name for name in every if name not in refused)


def _repeated(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in filter(None, names):
        if name in seen:
            yield name
        seen.add(name)


def _foreign_samplers(subject: Subject) -> Iterator[str]:
    """Samplers that are published under other names, of volumes or of what is not known."""
    functions = {(function.domain, function.name) for function in subject.model.functions}
    for node in (*subject.shapes.nodes, *subject.shapes.hidden):
        own = (plain_domain(node.domain), node.op_type) in functions
        if own or not any(entry.matches(node) for entry in PUBLISHED):
            continue
        if subject.shapes.rank(operand(node, 0)) in (None, 5):
            yield f"{label_node(node)} ({qualified_name(node)})"


RULES = (
    Rule(
        "valid",
        "error",
        "onnx.checker, and most runtimes",
        "onnx.checker refuses the model: it breaks the ONNX standard.",
        "https://onnx.ai/onnx/api/checker.html",
        lambda subject: complaint_of_checker(subject.model),
    ),
    Rule(
        "unstated-type",
        "info",
        "onnx.checker",
        "The file does not state a shape or a type for these inputs and outputs (or a name for its "
        "graph). onnx.checker refuses that; ONNX Runtime loads the model.",
        "https://onnx.ai/onnx/api/checker.html",
        lambda subject: unstated_types(subject.model),
    ),
    Rule(
        "unsorted",
        "warning",
        "onnx.checker, and tools that read nodes in their order",
        "These nodes stand before those that make their inputs, which the standard does not allow. "
        "ONNX Runtime and OpenVINO load such a model. `locoexport rewrite` sorts the nodes.",
        "https://github.com/onnx/onnx/blob/main/docs/IR.md#graphs",
        lambda subject: unsorted_nodes(subject.model),
    ),
    Rule(
        "gridsample-foreign",
        "warning",
        "every runtime but the one it was made for",
        "A sampler of volumes under a name that is not the standard's (or of a rank that is not "
        "known): `locoexport rewrite` lowers it to operators of the standard.",
        "https://onnx.ai/onnx/operators/onnx__GridSample.html",
        _foreign_samplers,
    ),
    Rule(
        "gridsample-5d-opset",
        "error",
        "every runtime",
        "GridSample samples images of rank 4 only before opset 20; this one is given rank 5.",
        "https://onnx.ai/onnx/operators/text_diff_GridSample_16_20.html",
        _volumetric_before_20,
    ),
    Rule(
        "gridsample-5d",
        "error",
        "TensorRT before 11.2",
        "GridSample of rank 5 is refused: `locoexport rewrite` lowers it.",
        "https://github.com/NVIDIA/TensorRT/issues/2738",
        _volumetric,
    ),
    Rule(
        "gridsample-5d",
        "error",
        "OpenVINO",
        "GridSample of rank 5 is refused: `locoexport rewrite` lowers it.",
        "https://github.com/openvinotoolkit/openvino/issues/37770",
        _volumetric,
    ),
    Rule(
        "gridsample-5d",
        "warning",
        f"{_CUDA} before 1.25",
        "GridSample of rank 5 has no CUDA kernel: it runs on the CPU, with copies both ways.",
        f"{_ORT}pull/27201",
        _volumetric_from_20,
    ),
    Rule(
        "gridsample-unknown-rank",
        "warning",
        "every runtime",
        "The rank of GridSample's input is unknown: a runtime may expect rank 4.",
        "https://onnx.ai/onnx/operators/onnx__GridSample.html",
        _unknown_rank,
    ),
    Rule(
        "gridsample-mode-spelling",
        "error",
        _TENSORRT,
        "The opset-20 spellings linear and cubic are read as nearest: no error, wrong results. "
        "Export at opset 19 or lower for TensorRT, or `locoexport rewrite --opset 19`.",
        "https://github.com/NVIDIA/TensorRT/issues/4646",
        _renamed_modes,
    ),
    Rule(
        "gridsample-mode-spelling",
        "error",
        "OpenVINO before 2026.3",
        "The opset-20 spellings linear and cubic are refused, for images too. "
        "`locoexport rewrite --opset 19` writes bilinear and bicubic.",
        "https://github.com/openvinotoolkit/openvino/pull/36070",
        _renamed_modes_of_images,
    ),
    Rule(
        "gridsample-fp16",
        "warning",
        _CUDA,
        "The CUDA kernel of GridSample is float32 only: a half-precision one runs on the CPU, "
        "with copies both ways. Keep GridSample in float32.",
        f"{_ORT}issues/20191",
        _half_grid_samples,
    ),
    Rule(
        "resize-19",
        "warning",
        f"{_CUDA} before 1.25",
        "Resize of opset 19 and later has no CUDA kernel: it runs on the CPU. Export at 18 or "
        "lower, or use ONNX Runtime 1.25.",
        f"{_ORT}pull/27415",
        _from_opset_19("Resize"),
    ),
    Rule(
        "pad-19",
        "warning",
        f"{_CUDA} before 1.25",
        "Pad of opset 19 and later has no CUDA kernel: it runs on the CPU. Export at 18 or "
        "lower, or use ONNX Runtime 1.25.",
        f"{_ORT}issues/26393",
        _from_opset_19("Pad"),
    ),
    Rule(
        "squeeze-axes",
        "warning",
        "ncnn, OpenVINO's older importers, TensorRT",
        "Squeeze without exactly one constant axis: converters refuse several axes, and one "
        "without axes changes meaning with the shape.",
        "https://github.com/Tencent/ncnn/issues/2331",
        _squeezes,
    ),
    Rule(
        "foreign-domain",
        "warning",
        "every runtime but the one it was made for",
        "Operators outside the ONNX standard run only where their domain is registered.",
        "https://github.com/onnx/onnx/blob/main/docs/IR.md#operator-sets",
        _foreign_domains,
    ),
    Rule(
        "float64",
        "warning",
        "TensorRT, and every GPU",
        "float64 values: TensorRT casts them to float32 and clamps, GPUs run them at a fraction "
        "of the float32 rate.",
        _TRT_OPERATORS,
        _doubles,
    ),
    Rule(
        "int64-indices",
        "info",
        "TensorRT before 10",
        "int64 indices computed at run time: TensorRT had no int64 before version 10 and casts "
        "them to int32, values out of range clamped.",
        _TRT_OPERATORS,
        _computed_int64_indices,
    ),
    Rule(
        "duplicate-names",
        "error",
        _ORT_NAME,
        "Several nodes of one graph share a name: ONNX Runtime does not load the model.",
        "https://github.com/onnx/onnx/blob/main/docs/IR.md#names-within-a-graph",
        _duplicates_in_one_graph,
    ),
    Rule(
        "duplicate-names",
        "info",
        "profilers and quantisers",
        "Nodes of different graphs of the file share a name: tools that identify nodes by name "
        "confuse them.",
        "https://github.com/onnx/onnx/blob/main/docs/IR.md#names-within-a-graph",
        _duplicates_apart,
    ),
)
