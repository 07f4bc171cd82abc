"""An operator's body as ONNX's own schema defines it, from onnx's inliner."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_ir as ir
from onnx import helper, inliner

from locoexport.graphs.drafts import Draft
from locoexport.graphs.inference import infer_shapes
from locoexport.lowering.opset.own_bodies import CannotExpandError

__all__ = ["write_function_body"]

_IR_VERSION = 10


def write_function_body(
    draft: Draft, node: ir.Node, opset: int, *, newer: frozenset[str]
) -> Sequence[ir.Value]:
    """The node's body at ``opset``; a CastLike whose types are known becomes a Cast.

    Operators in ``newer`` are written out within the body too.

    Raises:
        CannotExpandError: there is no body for these inputs, or it holds control flow.
    """
    inlined = _inlined(node, opset, newer)
    body = ir.from_proto(infer_shapes(inlined)).graph
    made: dict[ir.Value, ir.Value | None] = {}
    for value in body.inputs:
        made[value] = node.inputs[int(str(value.name)[1:])]
    for inner in body:
        if inner.op_type == node.op_type:
            raise CannotExpandError(
                "older operators cannot express it: onnx has no function body for these inputs"
            )
        if any(attribute.type == ir.AttributeType.GRAPH for attribute in inner.attributes.values()):
            raise CannotExpandError("its function body holds control flow")
        inputs = [None if value is None else made[value] for value in inner.inputs]
        results = _write(draft, inner, inputs)
        made.update(zip(inner.outputs, results, strict=True))
    outputs = []
    for value in body.outputs:
        result = made.get(value)
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


def _inlined(node: ir.Node, opset: int, newer: frozenset[str]) -> onnx.ModelProto:
    proto = ir.to_proto(node)
    inputs = []
    for index, value in enumerate(node.inputs):
        if value is None:
            continue
        if value.dtype is None:
            raise CannotExpandError(f"the type of its input {value.name!r} is unknown")
        shape = None
        if value.shape is not None:
            shape = [size if isinstance(size, int) else None for size in value.shape]
        inputs.append(helper.make_tensor_value_info(f"i{index}", int(value.dtype), shape))
        proto.input[index] = f"i{index}"
    given = {attribute.name for attribute in proto.attribute}
    for name, known in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in given and known.default_value.name:
            proto.attribute.append(known.default_value)  # the inliner drops what is not written
    proto.output[:] = [f"o{index}" for index in range(len(proto.output))]
    graph = helper.make_graph(
        [proto], "body", inputs, [onnx.ValueInfoProto(name=name) for name in proto.output]
    )
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)
    try:
        return inliner.inline_selected_functions(
            model, [("", name) for name in sorted(newer)], inline_schema_functions=True
        )
    except Exception as error:  # its errors have no common class
        raise CannotExpandError(f"onnx's inliner refuses it: {error}") from error
