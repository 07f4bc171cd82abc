"""Every volumetric GridSample of a model, lowered.

Replaces: GridSample of rank 5 anywhere in the main graph and in bodies of If, Loop and Scan.

Identity and why: ``gather`` and ``planar``, over ``axis``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import onnx
import onnx_ir as ir
from onnx_ir.passes import InPlacePass, PassResult, PostconditionError

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.domains import default_version
from locoexport.graphs.drafts import Draft, Names
from locoexport.lowering.volumetric.gather import lower_to_gather
from locoexport.lowering.volumetric.memory import gather_peak_bytes, planar_peak_bytes
from locoexport.lowering.volumetric.planar import AXIS_NAMES, lower_to_planar, sliced_axis
from locoexport.lowering.volumetric.samplers.node import (
    VOLUME_RANK,
    VolumetricSample,
    grid_sample_rank,
    is_grid_sample,
    name_of,
    read_volumetric,
)

__all__ = [
    "LOWERINGS",
    "LoweredSample",
    "Lowering",
    "VolumetricGridSample",
    "predicted_peak_bytes",
    "volumetric_left",
]

Lowering = Literal["planar", "gather"]
LOWERINGS: tuple[Lowering, ...] = get_args(Lowering)

_LOWEST_OPSETS: dict[Lowering, int] = {"planar": 16, "gather": 13}
"""GridSample itself is of 16; Unsqueeze takes its axes as an input from 13 on."""
_WRITERS: dict[Lowering, Callable[[Draft, VolumetricSample, ir.Value, ir.Value], ir.Value]] = {
    "planar": lower_to_planar,
    "gather": lower_to_gather,
}
_PREDICTIONS: dict[Lowering, Callable[[VolumetricSample], int | None]] = {
    "planar": planar_peak_bytes,
    "gather": gather_peak_bytes,
}


@dataclass(frozen=True)
class LoweredSample:
    """One rewritten node: what it was, and the very nodes that stand in its place.

    ``replacement`` takes ``volume_name`` and ``grid_name`` and makes ``output_name``.
    """

    sample: VolumetricSample
    to: Lowering
    after: str
    volume_name: str
    grid_name: str
    output_name: str
    replacement: tuple[onnx.NodeProto, ...]

    @property
    def nodes_added(self) -> int:
        """How many nodes more there are than before."""
        return len(self.replacement) - 1


class VolumetricGridSample(InPlacePass):
    """Precondition: shapes were inferred; functions with volumetric sampling were inlined.

    Postcondition: no GridSample of rank 5, and none of unknown rank, is left outside functions.
    ``lowered`` holds what was rewritten by the last call, in order.
    """

    def __init__(self, to: Lowering) -> None:
        super().__init__()
        self._to = to
        self.lowered: tuple[LoweredSample, ...] = ()

    def call(self, model: ir.Model) -> PassResult:
        """Rewrite ``model`` in place.

        Raises:
            GraphCheckFailedError, ModelFileError: see ``read_volumetric``, or the model's opset
                lacks what is to be written; nothing is rewritten.
        """
        opset = default_version(model.opset_imports)
        found = []
        for node in ir.traversal.RecursiveGraphIterator(model.graph):
            if is_grid_sample(node) and (sample := read_volumetric(node, opset)) is not None:
                found.append((node, sample))
        if found:
            _check_opset(found[0][1], self._to)
        names = Names.of(model)
        self.lowered = tuple(_lower(node, sample, self._to, names) for node, sample in found)
        return PassResult(model, bool(self.lowered))

    def ensures(self, model: ir.Model) -> None:
        """Raise PostconditionError where a volumetric GridSample is left."""
        if left := volumetric_left(model):
            raise PostconditionError(f"GridSample of rank 5 or unknown rank is left: {left}")


def predicted_peak_bytes(sample: VolumetricSample, to: Lowering) -> int | None:
    """What one run takes at its peak, see ``memory``; None where a size is open."""
    return _PREDICTIONS[to](sample)


def volumetric_left(model: ir.Model) -> list[str]:
    """Names of the GridSample nodes outside functions whose rank is 5 or unknown."""
    return [
        name_of(node)
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        if is_grid_sample(node) and grid_sample_rank(node) in (VOLUME_RANK, None)
    ]


def _check_opset(sample: VolumetricSample, to: Lowering) -> None:
    needed = _LOWEST_OPSETS[to]
    if sample.opset < needed:
        other = ""
        if sample.opset >= min(_LOWEST_OPSETS.values()):
            other = ", or lower it with --to gather"
        raise GraphCheckFailedError(
            f"GridSample {sample.name!r} is of rank {VOLUME_RANK}, and what stands in its place "
            f"({to}) needs opset {needed}; the model is at opset {sample.opset}. Export it at "
            f"opset {needed} or later{other}."
        )


def _lower(node: ir.Node, sample: VolumetricSample, to: Lowering, names: Names) -> LoweredSample:
    graph, output = node.graph, node.outputs[0]
    volume, grid = node.inputs[0], node.inputs[1]
    assert graph is not None
    assert volume is not None
    assert grid is not None
    draft = Draft(node.name or str(output.name), names)
    result = _WRITERS[to](draft, sample, volume, grid)
    _tell_rank_of_planes(draft, sample.work_dtype)
    ir.convenience.replace_nodes_and_values(graph, node, [node], draft.nodes, [output], [result])
    after = "gather"
    if to == "planar":
        axis = sliced_axis(sample)
        length = sample.volume_shape[axis]
        after = f"planar, slices of {AXIS_NAMES[axis]} ({'unknown' if length is None else length})"
    return LoweredSample(
        sample=sample,
        to=to,
        after=after,
        volume_name=str(volume.name),
        grid_name=str(grid.name),
        output_name=str(result.name),
        replacement=tuple(ir.to_proto(written) for written in draft.nodes),
    )


def _tell_rank_of_planes(draft: Draft, work_dtype: ir.DataType) -> None:
    """The rank of what the 4D GridSample samples, for the postcondition."""
    for node in draft.nodes:
        if is_grid_sample(node):
            node.outputs[0].shape = ir.Shape([None] * 4)
            node.outputs[0].dtype = work_dtype
