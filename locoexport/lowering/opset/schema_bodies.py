"""An operator's body as ONNX's own schema defines it, from onnx's inliner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import onnx_ir as ir
from onnx import helper, inliner

from locoexport.graphs.drafts import Draft
from locoexport.graphs.schemas import attributes_of, schema_at
from locoexport.lowering.opset.own_bodies import CannotExpandError

__all__ = ["write_function_body"]

_IR_VERSION = 10
_DOMAIN = "locoexport.body"


def write_function_body(
    draft: Draft, node: ir.Node, opset: int, *, lower: Callable[[onnx.ModelProto], ir.Model]
) -> Sequence[ir.Value]:
    """The node's body at ``opset``; a CastLike whose types are known becomes a Cast.

    ``lower`` writes newer operators within the body in older ones too; the model that it takes has
    the body as its graph.

    Raises:
        CannotExpandError: there is no body for these inputs, or it holds control flow.
    """
    body = lower(_inlined(node, opset)).graph
    made: dict[ir.Value, ir.Value | None] = {}
    for value in body.inputs:
        made[value] = node.inputs[int(str(value.name)[1:])]
    for inner in body:
        if any(attribute.type == ir.AttributeType.GRAPH for attribute in inner.attributes.values()):
            raise CannotExpandError("its function body holds control flow")
        inputs = [None if value is None else made[value] for value in inner.inputs]
        results = _write(draft, inner, inputs)
        for old, new in zip(inner.outputs, results, strict=True):
            made[old] = new
            # What is known within the body, inference need not find again.
            new.type, new.shape = new.type or old.type, new.shape or old.shape
    by_name = {value.name: value for value in body.outputs}
    outputs: list[ir.Value] = []
    for index, wanted in enumerate(node.outputs):
        if not wanted.name:
            outputs.append(ir.Value(name=""))
            continue
        result = made.get(by_name[f"o{index}"])
        if result is None:
            raise CannotExpandError("its function body leaves an output out")
        # A value that the node only passes on keeps its own name.
        outputs.append(draft.op("Identity", result) if result in node.inputs else result)
    return outputs


def _write(draft: Draft, inner: ir.Node, inputs: Sequence[ir.Value | None]) -> Sequence[ir.Value]:
    if inner.op_type == "CastLike":
        value, source, target = inputs[0], inner.inputs[0], inner.inputs[1]
        assert source is not None
        assert target is not None
        if value is not None and source.dtype is not None and target.dtype is not None:
            return [draft.cast(value, source.dtype, target.dtype)]
    return draft.node(inner.op_type, inputs, dict(inner.attributes), len(inner.outputs))


def _inlined(node: ir.Node, opset: int) -> onnx.ModelProto:
    """The body in place of the node, as a model that takes ``i0``, ``i1``, ... by their place."""
    proto = ir.to_proto(node)
    inputs, types = [], []
    for index, value in enumerate(node.inputs):
        if value is None:
            types.append(onnx.TypeProto())
            continue
        inputs.append(_told(value, f"i{index}"))
        types.append(inputs[-1].type)
        proto.input[index] = f"i{index}"
    given = {attribute.name for attribute in proto.attribute}
    for name, known in attributes_of(node.op_type, opset).items():
        if name not in given and known.default_value.name:
            proto.attribute.append(known.default_value)  # the inliner drops what is not written
    outputs = []
    for index, name in enumerate(proto.output):
        if name:
            proto.output[index] = f"o{index}"
            outputs.append(onnx.ValueInfoProto(name=f"o{index}"))
    try:
        function = _function(proto, types, opset)
    except ValueError as error:  # of a builder that its inputs do not suit
        raise CannotExpandError(f"onnx builds no function body for it: {error}") from error
    proto.domain = function.domain = _DOMAIN
    graph = helper.make_graph([proto], "body", inputs, outputs)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(_DOMAIN, 1)]
    model = helper.make_model(
        graph, opset_imports=imports, functions=[function], ir_version=_IR_VERSION
    )
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # its errors have no common class
        raise CannotExpandError(f"onnx's inliner refuses it: {error}") from error


def _told(value: ir.Value, name: str) -> onnx.ValueInfoProto:
    """A value under another name; one that is no tensor keeps its kind."""
    if value.dtype is None:
        raise CannotExpandError(f"the type of its input {value.name!r} is unknown")
    if not isinstance(value.type, ir.TensorType):
        info: onnx.ValueInfoProto = ir.to_proto(value)
        info.name = name
        return info
    shape = None
    if value.shape is not None:
        shape = [size if isinstance(size, int) else None for size in value.shape]
    return helper.make_tensor_value_info(name, int(value.dtype), shape)


def _function(
    node: onnx.NodeProto, types: Sequence[onnx.TypeProto], opset: int
) -> onnx.FunctionProto:
    """The node's body, of the version that ``opset`` has of it."""
    schema: Any = schema_at(node.op_type, opset)  # onnx's stubs lack functions' versions
    function = onnx.FunctionProto()
    if schema is not None:
        told = node.SerializeToString()
        kinds = [kind.SerializeToString() for kind in types]
        for version in sorted(schema.context_dependent_function_opset_versions, reverse=True):
            if version <= opset:
                function.ParseFromString(
                    schema.get_context_dependent_function_with_opset_version(version, told, kinds)
                )
                break
        for version in sorted(schema.function_opset_versions, reverse=True):
            if version <= opset and not function.node:
                function.ParseFromString(schema.get_function_with_opset_version(version))
    if not function.node:
        raise CannotExpandError(
            "older operators cannot express it: onnx has no function body for these inputs"
        )
    function.name = node.op_type
    for entry in function.opset_import:
        if not entry.domain:
            entry.version = opset
    return function
