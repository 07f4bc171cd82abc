"""The last steps on a graph: single-axis squeezes, IR version, metadata, bytes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir

from locoexport.contract.interface import GraphInterface
from locoexport.lowering.opset.single_axis_squeeze import SingleAxisSqueeze

__all__ = ["finish_graph", "name_axes", "to_bytes", "with_properties"]

_PRODUCER = "locoexport"


def finish_graph(model: onnx.ModelProto, *, producer_version: str) -> onnx.ModelProto:
    """Single-axis squeezes, the lowest IR version that the opset allows, our name as producer."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    passed = SingleAxisSqueeze()(ir.from_proto(inferred))
    finished = ir.to_proto(passed.model) if passed.modified else model
    finished.ir_version = onnx.helper.find_min_ir_version_for(
        list(finished.opset_import), ignore_unknown=True
    )
    finished.producer_name, finished.producer_version = _PRODUCER, producer_version
    return finished


def name_axes(model: onnx.ModelProto, interface: GraphInterface) -> onnx.ModelProto:
    """The model with the shapes that are known: the exporter invents a name for an axis where it
    could not follow a size."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    shapes = interface.shapes
    for value in (*named.graph.input, *named.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for dimension, size in zip(dimensions, shapes.get(value.name, ()), strict=False):
            if isinstance(size, int):
                dimension.dim_value = size
            else:
                dimension.dim_param = size
    return named


def with_properties(model: onnx.ModelProto, properties: Mapping[str, str]) -> onnx.ModelProto:
    """A copy of the model whose metadata is exactly ``properties``, in order."""
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    del stamped.metadata_props[:]
    for key, value in properties.items():
        stamped.metadata_props.add(key=key, value=value)
    return stamped


def to_bytes(model: onnx.ModelProto) -> bytes:
    """The file's bytes; the same model gives the same bytes."""
    return bytes(model.SerializeToString(deterministic=True))
