"""Which opset the written nodes need, for models that are older than GridSample.

From opset 16 on, every operator that a lowering writes is there. A model below it can hold a
volumetric sampler all the same (a plugin's), and some of the operators came later than its opset.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.schemas import schema_at
from locoexport.lowering.volumetric.grid_sample import LoweredSample

__all__ = ["check_opset"]

_GRID_SAMPLE_OPSET = 16


def check_opset(lowered: Iterable[LoweredSample]) -> None:
    """Refuse nodes that the model's opset does not have.

    Raises:
        GraphCheckFailedError: it lacks an operator, an input or an attribute that was written.
    """
    for sample in lowered:
        opset = sample.sample.opset
        if opset >= _GRID_SAMPLE_OPSET:
            continue
        for node in sample.replacement:
            if _is_known(node, opset):
                continue
            need = next(
                (later for later in range(opset, _GRID_SAMPLE_OPSET) if _all_known(sample, later)),
                _GRID_SAMPLE_OPSET,
            )
            raise GraphCheckFailedError(
                f"{sample.sample.name!r} samples a volume; what replaces it ({sample.to}) needs "
                f"opset {need} (for {node.op_type}); the model is at opset {opset}. Export it at "
                f"opset {need} or later."
            )


def _all_known(sample: LoweredSample, opset: int) -> bool:
    return all(_is_known(node, opset) for node in sample.replacement)


def _is_known(node: onnx.NodeProto, opset: int) -> bool:
    schema = schema_at(node.op_type, opset)
    if schema is None:
        return False
    attributes = {attribute.name for attribute in node.attribute}
    return len(node.input) <= schema.max_input and attributes <= schema.attributes.keys()
