"""A model as inference and the IR take it: one name for ONNX's own domain, no sparse constants.

The copy is for asking. Grafting puts new nodes into the original, which keeps what it had.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.graphs.walking import iterate_nodes, iterate_scopes

__all__ = ["plain"]

_MOST_VALUES = 1 << 20


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model itself where it is plain; else a copy.

    ``ai.onnx`` is written as the empty domain. Sparse initializers of the main graph are inputs.
    Sparse constants elsewhere are dense up to a million values, and of known type alone beyond.
    """
    if not _is_odd(model):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _write_one_domain(copy)
    for sparse in copy.graph.sparse_initializer:
        kind = helper.make_tensor_type_proto(sparse.values.data_type, list(sparse.dims))
        if all(value.name != sparse.values.name for value in copy.graph.input):
            copy.graph.input.add(name=sparse.values.name).type.CopyFrom(kind)
    del copy.graph.sparse_initializer[:]
    for graph in iterate_scopes(copy.graph):
        _fill_sparse(graph)
    return copy


def _is_odd(model: onnx.ModelProto) -> bool:
    return (
        any(entry.domain == "ai.onnx" for entry in model.opset_import)
        or any(graph.sparse_initializer for graph in iterate_scopes(model.graph))
        or any(
            node.domain == "ai.onnx" or any(a.HasField("sparse_tensor") for a in node.attribute)
            for node in iterate_nodes(model)
        )
    )


def _write_one_domain(model: onnx.ModelProto) -> None:
    for node in iterate_nodes(model):
        if node.domain == "ai.onnx":
            node.domain = ""
    for owner in (model, *model.functions):
        own = [entry for entry in owner.opset_import if entry.domain in DEFAULT_DOMAINS]
        for entry in own[1:]:
            owner.opset_import.remove(entry)
        for entry in own[:1]:
            entry.domain = ""


def _fill_sparse(graph: onnx.GraphProto) -> None:
    for sparse in list(graph.sparse_initializer):
        if (dense := _dense(sparse)) is not None:
            graph.initializer.append(dense)
            graph.sparse_initializer.remove(sparse)
    for node in graph.node:
        if node.op_type != "Constant" or not node.output:
            continue
        for attribute in node.attribute:
            if not attribute.HasField("sparse_tensor"):
                continue
            sparse = onnx.SparseTensorProto()
            sparse.CopyFrom(attribute.sparse_tensor)
            kind = helper.make_tensor_type_proto(sparse.values.data_type, list(sparse.dims))
            dense = _dense(sparse)
            del node.attribute[:]
            if dense is None:
                graph.value_info.add(name=node.output[0]).type.CopyFrom(kind)
            else:
                node.attribute.append(helper.make_attribute("value", dense))
            break


def _dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto | None:
    """The same values; None where they are many, or lie in another file."""
    outside = onnx.TensorProto.EXTERNAL
    if math.prod(sparse.dims) > _MOST_VALUES or outside in (
        sparse.values.data_location,
        sparse.indices.data_location,
    ):
        return None
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    try:
        if indices.ndim == 1:
            dense.reshape(-1)[indices] = values
        else:
            dense[tuple(indices.T)] = values
    except (IndexError, ValueError):
        return None
    return numpy_helper.from_array(dense, sparse.values.name)
