"""The passes of a rewrite, run in their order."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from locoexport.contract.metadata import METADATA_PREFIX
from locoexport.errors import GraphCheckFailedError, ModelFileError, UsageError
from locoexport.graphs.external_data import with_small_tensors
from locoexport.graphs.grafting import graft
from locoexport.graphs.inference import infer_shapes
from locoexport.lowering.opset.newer_operators import LeftNode, NewerOperators
from locoexport.lowering.opset.single_axis_squeeze import SingleAxisSqueeze
from locoexport.lowering.opset.versions import default_opset
from locoexport.lowering.volumetric.grid_sample import (
    LoweredSample,
    VolumetricGridSample,
    volumetric_left,
)
from locoexport.lowering.volumetric.opset_need import check_opset
from locoexport.notices import Listener, Notice
from locoexport.pipeline.rewriting.proof import (
    Rewritten,
    of_expanded,
    of_sample,
    of_squeeze,
)
from locoexport.pipeline.rewriting.request import NEWER, SQUEEZE, VOLUMETRIC, RewriteRequest

__all__ = ["check_ranks", "run_passes", "to_ir", "with_true_opset"]

_VOLUMETRIC_OPSET = 20
_SQUEEZE_OPSET = 13
_OPSET_PROPERTY = f"{METADATA_PREFIX}opset"


def run_passes(
    model: onnx.ModelProto, request: RewriteRequest, folder: Path | None, notify: Listener
) -> tuple[onnx.ModelProto, list[Rewritten]]:
    """The graph passes, and what they did to each node."""
    chosen, opset = request.chosen, request.opset
    if SQUEEZE in chosen and (default_opset(model) or 0) < _SQUEEZE_OPSET:
        raise UsageError(f"--pass {SQUEEZE} needs opset {_SQUEEZE_OPSET} or later.")
    notify(Notice("reading the graph"))
    graph = to_ir(model, folder)
    volumetric, squeeze = VolumetricGridSample(request.to), SingleAxisSqueeze()
    modified = False
    done: list[Rewritten] = []
    if VOLUMETRIC in chosen:
        modified |= volumetric(graph).modified
        check_opset(volumetric.lowered)
        _warn_of_unknown_axes(volumetric.lowered, notify)
        done += [of_sample(sample, VOLUMETRIC) for sample in volumetric.lowered]
    if SQUEEZE in chosen:
        modified |= squeeze(graph).modified
        done += [of_squeeze(split, SQUEEZE) for split in squeeze.split]
    if NEWER in chosen and opset is not None:
        newer = NewerOperators(opset)
        modified |= newer(graph).modified
        _warn_of_left(newer.left, notify)
        done += [of_expanded(node, NEWER) for node in newer.expanded]
    if not modified:
        return model, []
    return graft(model, ir.to_proto(graph)), done


def with_true_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Our own exports say in their metadata which opset they are at."""
    if not any(entry.key == _OPSET_PROPERTY for entry in model.metadata_props):
        return model
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    for entry in stamped.metadata_props:
        if entry.key == _OPSET_PROPERTY:
            entry.value = str(opset)
    return stamped


def _warn_of_unknown_axes(lowered: tuple[LoweredSample, ...], notify: Listener) -> None:
    for sample in lowered:
        if sample.to == "planar" and None in sample.sample.volume_shape[2:]:
            notify(
                Notice(
                    f"{sample.sample.name}: not every axis of the volume has a known length; "
                    f"{sample.after}. At run time another axis may be shorter.",
                    warning=True,
                )
            )


def _warn_of_left(left: tuple[LeftNode, ...], notify: Listener) -> None:
    for node in left:
        notify(Notice(f"{node.op_type} {node.name} is left unchanged: {node.reason}", warning=True))


def check_ranks(model: onnx.ModelProto, opset: int, folder: Path | None) -> None:
    """Refuse an opset below the one that has volumetric GridSample where some is left.

    Raises:
        GraphCheckFailedError: a GridSample is of rank 5, or of unknown rank.
    """
    if opset >= _VOLUMETRIC_OPSET:
        return
    if left := volumetric_left(to_ir(model, folder)):
        raise GraphCheckFailedError(
            f"GridSample of rank 5, or of unknown rank, keeps the model at opset "
            f"{_VOLUMETRIC_OPSET}: {', '.join(left)}. Run --pass {VOLUMETRIC} as well."
        )


def to_ir(model: onnx.ModelProto, folder: Path | None) -> ir.Model:
    """The model as passes take it, with its shapes; raises ModelFileError where it cannot be."""
    try:
        return ir.from_proto(infer_shapes(with_small_tensors(model, folder)))
    except Exception as error:  # its errors have no common class
        raise ModelFileError(f"The model's graph cannot be understood: {error}") from error
