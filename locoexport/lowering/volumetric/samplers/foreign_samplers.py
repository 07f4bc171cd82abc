"""Samplers of plugins and exporters as GridSample of the default domain.

Replaces: the operators of ``published_samplers.PUBLISHED``, in the main graph and in bodies; local
functions that hold one are inlined first, since their attributes may be those of the call.

Identity: the published definitions; only the spelling of the attributes differs.

Why: ONNX knows no type of what a foreign node makes, and nothing can be run beside it. As
GridSample the node has both, so this comes before shape inference. Of a model below opset 16, which
has no GridSample, only volumetric samplers are taken: their lowering removes them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
from onnx import helper

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.values.known_values import KnownValue, constants_of, known_values
from locoexport.graphs.walking import iterate_graphs, iterate_nodes
from locoexport.lowering.volumetric.samplers.local_functions import inline_functions_with
from locoexport.lowering.volumetric.samplers.node import VOLUME_RANK, respelled_mode
from locoexport.lowering.volumetric.samplers.published_samplers import (
    PUBLISHED,
    UNLISTED,
    PublishedSampler,
    Sampling,
    UnreadableError,
)

__all__ = ["ForeignSampler", "LeftSampler", "Normalised", "normalise_samplers"]

_GRID_SAMPLE_OPSET = 16
_ADVICE = (
    "Export the model with GridSample of ONNX itself (PyTorch: opset 20 for volumes, 16 for images)"
)

_IsForeign = Callable[[onnx.NodeProto], bool]


@dataclass(frozen=True)
class ForeignSampler:
    """One node that is a GridSample now: ``original`` as it was, and ``node``."""

    name: str
    published: PublishedSampler
    sampling: Sampling
    original: onnx.NodeProto
    node: onnx.NodeProto

    @property
    def before(self) -> str:
        """What the report calls the original."""
        return f"{_operator(self.original)} ({self.published.writer})"

    @property
    def after(self) -> str:
        """What the report calls the GridSample."""
        how = self.sampling
        return f"GridSample, {how.mode}, {how.padding}, align_corners={int(how.align_corners)}"


@dataclass(frozen=True)
class LeftSampler:
    """A node that looks like a sampler and stays as it is."""

    name: str
    operator: str
    reason: str

    def __str__(self) -> str:
        return f"{self.operator} {self.name!r} is left as it is: {self.reason}."


@dataclass(frozen=True)
class Normalised:
    """The model, the very one that was handed in where nothing was found, and what was done."""

    model: onnx.ModelProto
    samplers: tuple[ForeignSampler, ...]
    left: tuple[LeftSampler, ...]
    inlined_functions: tuple[str, ...]


def normalise_samplers(model: onnx.ModelProto, opset: int) -> Normalised:
    """Write every published sampler as GridSample; ``opset`` is the model's of the default domain.

    Raises:
        GraphCheckFailedError: a local function that holds one cannot be inlined.
    """
    is_foreign = _foreign(model)
    if not any(is_foreign(node) for node in iterate_nodes(model)):
        return Normalised(model, (), (), ())
    model, inlined = inline_functions_with(model, is_foreign)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    planes = _typed_before_grid_sample(result, is_foreign) if opset < _GRID_SAMPLE_OPSET else set()
    constants = constants_of(model)
    samplers, left = [], []
    for node in iterate_nodes(result):
        if not is_foreign(node):
            continue
        published = next((entry for entry in PUBLISHED if entry.matches(node)), None)
        found = _read(node, published, constants, is_plane=node.output[0] in planes, opset=opset)
        if isinstance(found, LeftSampler):
            left.append(found)
        elif published is not None:
            original = onnx.NodeProto()
            original.CopyFrom(node)
            _write(node, found, opset)
            samplers.append(ForeignSampler(_name(node), published, found, original, node))
    if not samplers:
        return Normalised(model, (), tuple(left), inlined)
    _forget_domains(result, {sampler.original.domain for sampler in samplers})
    return Normalised(result, tuple(samplers), tuple(left), inlined)


def _foreign(model: onnx.ModelProto) -> _IsForeign:
    """True for what is, or is named like, a sampler of somebody else's.

    A model's own local function is none, whatever its name is.
    """
    own = {(function.domain, function.name) for function in model.functions}

    def is_foreign(node: onnx.NodeProto) -> bool:
        if (node.domain, node.op_type) in own or not node.output:
            return False
        if node.op_type == "GridSample" and node.domain in DEFAULT_DOMAINS:
            return False
        looks_alike = "gridsample" in node.op_type.lower().replace("_", "")
        return looks_alike or any(entry.matches(node) for entry in PUBLISHED)

    return is_foreign


def _read(
    node: onnx.NodeProto,
    published: PublishedSampler | None,
    constants: dict[str, onnx.TensorProto],
    *,
    is_plane: bool,
    opset: int,
) -> Sampling | LeftSampler:
    def left(reason: str) -> LeftSampler:
        return LeftSampler(_name(node), _operator(node), reason)

    if published is None:
        reason = UNLISTED.get(node.op_type)
        if reason is None:
            reason = "it looks like a sampler, and no published definition of it is known here"
        return left(f"{reason}. {_ADVICE}")
    if len(node.output) != 1:
        return left(f"it has {len(node.output)} outputs, and a sampler has one. {_ADVICE}")
    if is_plane:
        return left(
            f"it samples images, and GridSample enters ONNX with opset {_GRID_SAMPLE_OPSET}; the "
            f"model is at {opset}. Export it at a later opset"
        )
    try:
        return published.read(node, constants)
    except UnreadableError as reason:
        return left(f"{reason} (see {published.source}). {_ADVICE}")


def _write(node: onnx.NodeProto, sampling: Sampling, opset: int) -> None:
    """In place: the node keeps its name, its output and its documentation."""
    node.op_type, node.domain = "GridSample", ""
    node.ClearField("overload")
    node.input[:] = sampling.inputs
    del node.attribute[:]
    node.attribute.extend(
        [
            helper.make_attribute("mode", respelled_mode(sampling.mode, opset)),
            helper.make_attribute("padding_mode", sampling.padding),
            helper.make_attribute("align_corners", int(sampling.align_corners)),
        ]
    )


def _typed_before_grid_sample(model: onnx.ModelProto, is_foreign: _IsForeign) -> set[str]:
    """Tell what samplers make where the opset has no GridSample, which inference passes over;
    returns the outputs of those that sample images.

    One may sample what another has made, so it is asked until nothing more is known.
    """
    planes: set[str] = set()
    told: set[str] = set()
    while True:
        values = known_values(model)
        before = len(told)
        for graph in iterate_graphs(model):
            for node in graph.node:
                output = node.output[0] if node.output else ""
                if not is_foreign(node) or len(node.input) < 2 or output in told:
                    continue
                volume, rank = values.get(node.input[0]), _rank(node, values)
                if volume is None or rank is None:
                    continue
                told.add(output)
                if rank != VOLUME_RANK:
                    planes.add(output)
                known = {value.name for value in (*graph.value_info, *graph.output)}
                if output not in known:
                    graph.value_info.append(
                        helper.make_tensor_value_info(output, volume.elem_type, [None] * rank)
                    )
        if len(told) == before:
            return planes


def _rank(node: onnx.NodeProto, values: dict[str, KnownValue]) -> int | None:
    for name in (*node.input[:2], node.output[0]):
        known = values.get(name)
        if known is not None and known.shape is not None:
            return len(known.shape)
    return None


def _forget_domains(model: onnx.ModelProto, domains: set[str]) -> None:
    """Take away the imports of domains whose last node is gone."""
    used = {node.domain for node in iterate_nodes(model)}
    used |= {function.domain for function in model.functions} | set(DEFAULT_DOMAINS)
    kept = [entry for entry in model.opset_import if entry.domain not in domains - used]
    copies = [helper.make_opsetid(entry.domain, entry.version) for entry in kept]
    del model.opset_import[:]
    model.opset_import.extend(copies)


def _operator(node: onnx.NodeProto) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain else node.op_type


def _name(node: onnx.NodeProto) -> str:
    return node.name or node.output[0]
