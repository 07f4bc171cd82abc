"""The passes of a rewrite, run in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from locoexport.contract.metadata import METADATA_PREFIX
from locoexport.errors import (
    GraphCheckFailedError,
    LocoExportError,
    ModelFileError,
    UsageError,
)
from locoexport.graphs.grafting import graft
from locoexport.graphs.walking import iterate_nodes
from locoexport.lowering.opset.ir_version import lower_ir_version, with_ir_version
from locoexport.lowering.opset.newer_operators import LeftNode, NewerOperators
from locoexport.lowering.opset.single_axis_squeeze import SingleAxisSqueeze
from locoexport.lowering.opset.versions import default_opset
from locoexport.lowering.volumetric.grid_sample import (
    LOWERINGS,
    LoweredSample,
    VolumetricGridSample,
    predicted_peak_bytes,
    volumetric_left,
)
from locoexport.lowering.volumetric.opset_need import check_opset
from locoexport.notices import Listener, Notice
from locoexport.pipeline.rewriting.known_types import with_known_types
from locoexport.pipeline.rewriting.proof import (
    Rewritten,
    of_expanded,
    of_sample,
    of_squeeze,
)
from locoexport.pipeline.rewriting.request import NEWER, SQUEEZE, VOLUMETRIC, RewriteRequest

__all__ = [
    "Passed",
    "at_ir_version",
    "check_ranks",
    "run_passes",
    "samplers_left",
    "with_true_opset",
]

_VOLUMETRIC_OPSET = 20
_SQUEEZE_OPSET = 13
_MUCH_MEMORY = 10**9
_SEVERAL_TIMES = 3
_WORTH_SAYING = 10**8
_OPSET_PROPERTY = f"{METADATA_PREFIX}opset"


@dataclass(frozen=True)
class Passed:
    """A model after the graph passes, and what they did to each node.

    ``known`` is a copy for asking that states the types and shapes of its values, of those too that
    the passes wrote: inference does not find each of them again.
    """

    model: onnx.ModelProto
    rows: tuple[Rewritten, ...]
    known: onnx.ModelProto


def run_passes(
    model: onnx.ModelProto, request: RewriteRequest, folder: Path | None, notify: Listener
) -> Passed:
    """The graph passes, one after the other.

    Raises:
        UsageError: a pass needs a later opset; or see ``with_known_types``.
        ModelFileError: the graph cannot be understood.
    """
    chosen, opset = request.chosen, request.opset
    if SQUEEZE in chosen and (default_opset(model) or 0) < _SQUEEZE_OPSET:
        raise UsageError(f"--pass {SQUEEZE} needs opset {_SQUEEZE_OPSET} or later.")
    notify(Notice("reading the graph"))
    known = with_known_types(model, folder, request.assumed_types)
    graph = _to_ir(known)
    volumetric, squeeze = VolumetricGridSample(request.to), SingleAxisSqueeze()
    modified = False
    done: list[Rewritten] = []
    if VOLUMETRIC in chosen:
        modified |= volumetric(graph).modified
        check_opset(volumetric.lowered)
        _warn_of_unknown_axes(volumetric.lowered, notify)
        _warn_of_memory(volumetric.lowered, notify)
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
        return Passed(model, (), known)
    rewritten = ir.to_proto(graph)
    return Passed(graft(model, rewritten), tuple(done), rewritten)


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


def at_ir_version(
    model: onnx.ModelProto, request: RewriteRequest, notify: Listener
) -> onnx.ModelProto:
    """The model at the IR version that was asked for, or at its opset's where that was lowered."""
    if request.ir_version is not None:
        lowered = with_ir_version(model, request.ir_version)
    elif request.opset is not None:
        lowered = lower_ir_version(model, request.opset)
    else:
        return model
    for name in lowered.dropped_imports:
        notify(Notice(f"the import of {name}, which no node uses, was dropped", warning=True))
    if lowered.held:
        notify(Notice(lowered.held, warning=True))
    return lowered.model


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


def _warn_of_memory(lowered: tuple[LoweredSample, ...], notify: Listener) -> None:
    for sample in lowered:
        found = {to: predicted_peak_bytes(sample.sample, to) for to in LOWERINGS}
        peak = found.pop(sample.to)
        ((other, less),) = found.items()
        if peak is None or less is None or peak < _WORTH_SAYING:
            continue
        better = peak >= _SEVERAL_TIMES * less
        if better or peak > _MUCH_MEMORY:
            text = f"{sample.sample.name}: --to {sample.to} takes about {_gigabytes(peak)} a run"
            verb = "would take" if better else "is predicted to take"
            notify(Notice(f"{text}; --to {other} {verb} {_gigabytes(less)}.", warning=True))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{size / 1e6:.0f} MB"


def _warn_of_left(left: tuple[LeftNode, ...], notify: Listener) -> None:
    for node in left:
        notify(Notice(f"{node.op_type} {node.name} is left unchanged: {node.reason}", warning=True))


def check_ranks(
    model: onnx.ModelProto, opset: int, folder: Path | None, assumed: Mapping[str, str]
) -> None:
    """Refuse an opset below the one that has volumetric GridSample where some is left.

    Raises:
        GraphCheckFailedError: a GridSample is of rank 5, or of unknown rank.
    """
    if opset >= _VOLUMETRIC_OPSET:
        return
    if left := samplers_left(model, folder, assumed):
        raise GraphCheckFailedError(
            f"GridSample of rank 5, or of unknown rank, keeps the model at opset "
            f"{_VOLUMETRIC_OPSET}: {', '.join(left)}. Run --pass {VOLUMETRIC} as well."
        )


def samplers_left(
    model: onnx.ModelProto, folder: Path | None, assumed: Mapping[str, str]
) -> list[str]:
    """Names of the GridSample nodes of rank 5 or of unknown rank."""
    if not any(node.op_type == "GridSample" for node in iterate_nodes(model)):
        return []  # of thousands of nodes, types take seconds to find
    return volumetric_left(_to_ir(with_known_types(model, folder, assumed)))


def _to_ir(known: onnx.ModelProto) -> ir.Model:
    """A model with known types as passes take it; raises ModelFileError where it makes no sense."""
    try:
        return ir.from_proto(known)
    except LocoExportError:
        raise
    except Exception as error:  # its errors have no common class
        raise ModelFileError(f"The model's graph cannot be understood: {error}") from error
