"""Many cut-outs side by side in one pair of models: loading a session takes longer than running it.

A batch says only which of its cut-outs are proven. One that cannot be loaded or run is halved until
the cut-outs at fault are alone, and whatever a batch does not find equal is tried by itself, where
its outcome is decided.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx

from locoexport.graphs.values.inference import infer_shapes
from locoexport.lowering.proof.cut_out import CutOut
from locoexport.lowering.proof.differences import Value
from locoexport.lowering.proof.inputs import Shapes, count_trials, shapes_tried
from locoexport.lowering.proof.runners import Arrays, Runner

__all__ = ["Batch", "batches_of", "output_sizes"]

_MOST_TOGETHER = 64
_MOST_VALUES_TOGETHER = 2**21


@dataclass(frozen=True)
class Batch:
    """Cut-outs, and both sides of all of them as two models."""

    subjects: tuple[CutOut, ...]

    @property
    def halves(self) -> tuple[Batch, Batch]:
        """Two smaller ones; of more than one."""
        middle = len(self.subjects) // 2
        return Batch(self.subjects[:middle]), Batch(self.subjects[middle:])

    def load(self, load: Callable[[bytes], Runner]) -> tuple[_BatchRunner, _BatchRunner]:
        """Both sides in a runtime; raises what the runtime raises."""
        before = _merged([subject.before for subject in self.subjects])
        after = _merged([subject.after for subject in self.subjects])
        return _BatchRunner(load, *before), _BatchRunner(load, *after)


class _BatchRunner:
    """One side of a batch: a list of inputs for each cut-out in, a list of values for each out."""

    def __init__(
        self, load: Callable[[bytes], Runner], model: onnx.ModelProto, counts: Sequence[int]
    ) -> None:
        self._run = load(bytes(model.SerializeToString()))
        self._counts = counts

    def __call__(self, inputs: Iterable[Arrays]) -> list[list[Value]]:
        found = iter(self._run([value for arrays in inputs for value in arrays]))
        return [[next(found) for _ in range(count)] for count in self._counts]


def batches_of(
    subjects: Sequence[CutOut], sizes: Sequence[int]
) -> Iterator[tuple[Batch, tuple[int, ...]]]:
    """Cut-outs that go together, and where each stands among ``subjects``.

    Of one kind, so that what a runtime does not take is together too: operators, opsets, types, and
    the number of trials. ``sizes`` are how many values each makes.
    """
    kinds: dict[object, list[int]] = defaultdict(list)
    for place, subject in enumerate(subjects):
        kinds[(subject.kind, subject.tolerance, count_trials(subject))].append(place)
    for places in kinds.values():
        together: list[int] = []
        total = 0
        for place in places:
            size = sizes[place] + max(
                (math.prod(shape) for shapes in shapes_tried(subjects[place]) for shape in shapes),
                default=0,
            )
            if together and (
                len(together) == _MOST_TOGETHER or total + size > _MOST_VALUES_TOGETHER
            ):
                yield Batch(tuple(subjects[one] for one in together)), tuple(together)
                together, total = [], 0
            together.append(place)
            total += size
        yield Batch(tuple(subjects[one] for one in together)), tuple(together)


def output_sizes(subjects: Sequence[CutOut]) -> list[int]:
    """How many values each original makes at most, as far as inference knows."""
    sizes = [0] * len(subjects)
    for start in range(0, len(subjects), _MOST_TOGETHER):
        chunk = subjects[start : start + _MOST_TOGETHER]
        tried = [shapes_tried(subject) for subject in chunk]
        for trial in range(max((len(shapes) for shapes in tried), default=0)):
            of_trial = [shapes[min(trial, len(shapes) - 1)] for shapes in tried]
            for place, size in enumerate(_output_sizes(chunk, of_trial)):
                sizes[start + place] = max(sizes[start + place], size)
    return sizes


def _output_sizes(subjects: Sequence[CutOut], shapes: Sequence[Shapes]) -> list[int]:
    by_opset: dict[int, list[int]] = defaultdict(list)
    for place, subject in enumerate(subjects):
        by_opset[subject.opsets[0]].append(place)
    sizes = [0] * len(subjects)
    for places in by_opset.values():
        model, counts = _merged([subjects[place].before for place in places])
        lengths = iter([shape for place in places for shape in shapes[place]])
        for value in model.graph.input:
            dims = value.type.tensor_type.shape.dim
            for dimension, size in zip(dims, next(lengths), strict=True):
                dimension.dim_value = size
        inferred = infer_shapes(model)
        if inferred is model and len(places) > 1:  # one of them spoils it for all
            for place in places:
                (sizes[place],) = _output_sizes([subjects[place]], [shapes[place]])
            continue
        outputs = iter(inferred.graph.output)
        for place, count in zip(places, counts, strict=True):
            made = [next(outputs).type.tensor_type.shape.dim for _ in range(count)]
            sizes[place] = sum(math.prod(max(dim.dim_value, 1) for dim in dims) for dims in made)
    return sizes


def _merged(sides: Sequence[bytes]) -> tuple[onnx.ModelProto, list[int]]:
    """Models of one opset as one, without a link between them; and how many outputs each has."""
    merged = onnx.ModelProto()
    counts = []
    for number, side in enumerate(sides):
        model = onnx.load_from_string(side)
        counts.append(len(model.graph.output))
        if len(sides) > 1:
            _rename(model.graph, f"k{number}_")
        if not number:
            merged = model
            continue
        for field in ("node", "initializer", "input", "output"):
            getattr(merged.graph, field).MergeFrom(getattr(model.graph, field))
    return merged, counts


def _rename(graph: onnx.GraphProto, prefix: str) -> None:
    for node in graph.node:
        node.name = prefix + node.name
        for names in (node.input, node.output):
            names[:] = [prefix + name if name else "" for name in names]
    for field in (graph.initializer, graph.input, graph.output):
        for value in field:
            value.name = prefix + value.name
