"""What comes before every pass: nodes in order, and foreign samplers as GridSample.

Both are needed before shapes can be inferred. What comes out is what the passes, and the checks of
the whole model, take for the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from locoexport.graphs.ordering import in_order
from locoexport.graphs.values.known_values import constants_of, known_values
from locoexport.graphs.weights.external_data import with_small_tensors
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError, cut_out
from locoexport.lowering.volumetric.samplers.foreign_samplers import (
    ForeignSampler,
    normalise_samplers,
)
from locoexport.notices import Listener, Notice
from locoexport.pipeline.rewriting.proof import Rewritten
from locoexport.pipeline.rewriting.report import NodeRewrite
from locoexport.pipeline.rewriting.request import VOLUMETRIC, RewriteRequest

__all__ = ["Prepared", "prepare"]

_RUN_HERE = "com.microsoft"
"""The only foreign domain whose sampler ONNX Runtime has a kernel for (of rank 4)."""
_RUN_RANK = 4


@dataclass(frozen=True)
class Prepared:
    """The model, the very one that was handed in where nothing was to be done, and what was done.

    ``reordered`` names the graphs that were not in topological order; ``left`` says, in sentences,
    which samplers are not known.
    """

    model: onnx.ModelProto
    rows: tuple[Rewritten, ...]
    reordered: tuple[str, ...]
    inlined_functions: tuple[str, ...]
    left: tuple[str, ...]


def prepare(
    model: onnx.ModelProto,
    request: RewriteRequest,
    opset: int,
    folder: Path | None,
    notify: Listener,
) -> Prepared:
    """Put the nodes in order and, for the volumetric pass, write foreign samplers as GridSample.

    Raises:
        ModelFileError: the nodes have no order (see ``in_order``).
        GraphCheckFailedError: a local function with a foreign sampler cannot be inlined.
    """
    model, reordered = in_order(model)
    if reordered:
        notify(Notice(f"{_not_in_order(reordered)}; they are now", warning=True))
    if VOLUMETRIC not in request.chosen:
        return Prepared(model, (), reordered, (), ())
    found = normalise_samplers(model, opset)
    for sampler in found.samplers:
        for caution in sampler.sampling.cautions:
            notify(Notice(f"{sampler.before} {sampler.name!r}: {caution}", warning=True))
    left = tuple(str(sampler) for sampler in found.left)
    for sentence in left:
        notify(Notice(sentence, warning=True))
    rows = _rows(found.samplers, found.model, opset, folder)
    return Prepared(found.model, rows, reordered, found.inlined_functions, left)


def _not_in_order(graphs: tuple[str, ...]) -> str:
    return f"The nodes of {', '.join(graphs)} were not in topological order"


def _rows(
    samplers: tuple[ForeignSampler, ...], model: onnx.ModelProto, opset: int, folder: Path | None
) -> tuple[Rewritten, ...]:
    if not samplers:
        return ()
    small = with_small_tensors(model, folder)
    values, constants = known_values(small), constants_of(small)

    def subject(sampler: ForeignSampler) -> CutOut | str:
        told = f"taken from its published definition, {sampler.published.source}"
        volume = values.get(sampler.sampling.inputs[0])
        rank = None if volume is None or volume.shape is None else len(volume.shape)
        if sampler.original.domain != _RUN_HERE or rank != _RUN_RANK:
            return told
        try:
            return cut_out(
                ([sampler.original], opset),
                ([sampler.node], opset),
                (sampler.original.output, sampler.node.output),
                values,
                constants,
            )
        except NotProvenError as reason:
            return f"{told}; {reason}"

    return tuple(
        Rewritten(
            NodeRewrite(sampler.name, VOLUMETRIC, sampler.before, sampler.after, 0),
            (subject(sampler),),
        )
        for sampler in samplers
    )
