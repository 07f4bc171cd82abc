"""Local functions that hold what is to be rewritten, written out where they are called.

A function's body has no types of its own: one call may sample a volume and the next a plane, in
another precision, with the mode as an attribute of the call. So functions that sample a volume at
any call, and functions that call those, are inlined; then every GridSample has a type. Functions
that only sample planes stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
from onnx import inliner

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.values.inference import infer_from_inputs
from locoexport.graphs.walking import iterate_nested
from locoexport.lowering.volumetric.samplers.node import (
    VOLUME_RANK,
    grid_sample_rank,
    is_grid_sample,
)

__all__ = ["inline_functions_with", "inline_volumetric_functions"]

_ORIGIN = "locoexport.origin"
_FunctionId = tuple[str, str]


def inline_volumetric_functions(
    model: onnx.ModelProto,
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model with those functions inlined, and their names; the same object if there are none.

    Raises:
        GraphCheckFailedError: such a function cannot be inlined (another opset, overloads).
    """
    sampling = [_id(function) for function in model.functions if _samples(function)]
    if not sampling:
        return model, ()
    volumetric = _volumetric_origins(model, sampling)
    if not volumetric:
        return model, ()
    return _inlined(model, volumetric)


def inline_functions_with(
    model: onnx.ModelProto, wanted: Callable[[onnx.NodeProto], bool]
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model with the functions inlined that hold such nodes, and their names; the same object
    if there are none.

    Raises:
        GraphCheckFailedError: such a function cannot be inlined (another opset, overloads).
    """
    holding = {
        _id(function)
        for function in model.functions
        if any(wanted(node) for node in iterate_nested(function.node))
    }
    return _inlined(model, holding) if holding else (model, ())


def _inlined(
    model: onnx.ModelProto, functions: set[_FunctionId]
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    chosen = _with_callers(model, functions)
    return _inline(model, chosen), tuple(f"{domain}.{name}" for domain, name in sorted(chosen))


def _samples(function: onnx.FunctionProto) -> bool:
    return any(is_grid_sample(node) for node in iterate_nested(function.node))


def _volumetric_origins(model: onnx.ModelProto, sampling: list[_FunctionId]) -> set[_FunctionId]:
    """Which of the sampling functions sample a volume, or nobody knows what, at some call."""
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    for function in marked.functions:
        for node in iterate_nested(function.node):
            if is_grid_sample(node):
                node.metadata_props.add(key=_ORIGIN, value="\n".join(_id(function)))
    everywhere = infer_from_inputs(_inline(marked, _with_callers(model, set(sampling))))
    origins = set()
    seen = set()
    for sampler in ir.traversal.RecursiveGraphIterator(ir.from_proto(everywhere).graph):
        origin = sampler.metadata_props.get(_ORIGIN)
        if not origin or not is_grid_sample(sampler):
            continue
        domain, name = origin.split("\n")
        seen.add((domain, name))
        if grid_sample_rank(sampler) in (VOLUME_RANK, None):
            origins.add((domain, name))
    # Nobody knows what a function that is never called samples; inlined, it is gone.
    return origins | (set(sampling) - seen)


def _with_callers(model: onnx.ModelProto, chosen: set[_FunctionId]) -> set[_FunctionId]:
    chosen = set(chosen)
    while True:
        callers = {
            _id(function)
            for function in model.functions
            if any((node.domain, node.op_type) in chosen for node in iterate_nested(function.node))
        }
        if callers <= chosen:
            return chosen
        chosen |= callers


def _inline(model: onnx.ModelProto, chosen: set[_FunctionId]) -> onnx.ModelProto:
    try:
        inlined = inliner.inline_selected_functions(model, sorted(chosen))
    except Exception as error:
        raise GraphCheckFailedError(
            f"Local functions {sorted(chosen)} cannot be inlined: {error}"
        ) from error
    left = sorted(_id(function) for function in inlined.functions if _id(function) in chosen)
    if left:
        raise GraphCheckFailedError(
            f"Local functions {left} are to be rewritten and cannot be inlined: they import "
            "another opset than the model. Bring both to one opset first."
        )
    return inlined


def _id(function: onnx.FunctionProto) -> _FunctionId:
    return (function.domain, function.name)
