"""A node, cut out of its graph and run beside what stands in its place.

For every pass but the volumetric one (``grid_proof``). Small constants among a node's inputs stay
what they are; every other input is random, of the type and shape that the model tells. Open lengths
are tried as one length for each name, as 2 and as 1 for all. What only another version reads
computes nothing else, so the two must be equal bit by bit; what was written anew states its
tolerance.

A node that cannot be run by itself (an input of unknown type, a shape that only the rest of the
graph could compute) is no pass: it is told as not proven, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from locoexport.graphs.known_values import KnownValue
from locoexport.lowering.volumetric.proof import SampleTolerance

__all__ = ["EXACT", "CutOut", "CutOutProof", "NotProvenError", "cut_out", "prove_cut_out"]

_IR_VERSION = 10
_LARGE_CONSTANT = 1024
_MOST_VALUES = 2**24
_LENGTHS = (3, 5, 4, 7, 6, 9, 8)
_UNNAMED = 3
_FOR_ALL = (None, 2, 1)
"""What every open length is, in turn; None is a length of its own for each name."""
_SPREADS = (1.0, 4.0, 0.1)
"""Standard deviations of random floats, one for each of those."""
_ROUNDS, _MANY_VALUES = 8, 2**14
_SIZES = (4, 2, 3, 5, 4)
_INTEGERS = ("mixed", "zeros", "ones")
"""Integers are indices, sizes or steps: what runs is among 0 and 1."""
EXACT = SampleTolerance(
    0.0, "the same arithmetic, in ONNX Runtime the same kernel: equal bit by bit, or wrong"
)
_Arrays = list[NDArray[np.generic]]
_Runner = Callable[[_Arrays], _Arrays]


class NotProvenError(Exception):
    """Why a node could not be run by itself."""


@dataclass(frozen=True)
class CutOut:
    """Both sides, over the same inputs ``i0``, ``i1``, ...; what they make is ``o0``, ``o1``, ...

    Two cut-outs that are equal need one proof. ``grid``, ``shape`` and ``sizes`` say which input is
    a grid of coordinates, the shape that a Reshape takes, or the size that an AffineGrid takes.
    """

    before: bytes
    after: bytes
    inputs: tuple[KnownValue, ...]
    grid: int | None
    shape: int | None
    sizes: int | None
    tolerance: SampleTolerance


@dataclass(frozen=True)
class CutOutProof:
    """How far both sides were apart, and what they were tried on: ``shapes`` of the inputs of each
    trial, ``points`` (values compared) in all.
    """

    worst_error: float
    tolerance: SampleTolerance
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    points: int
    runtime: str

    @property
    def reduced(self) -> bool:
        """Never: what is too large is not proven."""
        return False

    @property
    def passed(self) -> bool:
        """True where every value is the same."""
        return self.worst_error <= self.tolerance.worst


def cut_out(
    before: tuple[Sequence[onnx.NodeProto], int],
    after: tuple[Sequence[onnx.NodeProto], int],
    outputs: tuple[Sequence[str], Sequence[str]],
    values: Mapping[str, KnownValue],
    constants: Mapping[str, onnx.TensorProto],
    *,
    tolerance: SampleTolerance = EXACT,
) -> CutOut:
    """Both sides as models.

    Args:
        before: the original node or nodes, and their opset.
        after: what stands in their place, and its opset.
        outputs: what the two sides make, in the same order.
        values: types and shapes of what the nodes may take, by name.
        constants: those of them that are constants.
        tolerance: how far the two may be apart.

    Raises:
        NotProvenError: an input's type or rank is unknown.
    """
    taken = list(dict.fromkeys(name for name in _taken(before[0]) if name))
    kept = [name for name in taken if name in constants and not _is_large(constants[name])]
    free = [name for name in taken if name not in kept]
    inputs = tuple(_known(name, values, constants) for name in free)
    renamed = {name: f"i{number}" for number, name in enumerate(free)}
    renamed |= {name: f"c{number}" for number, name in enumerate(kept)}
    sides = []
    for (nodes, opset), made in zip((before, after), outputs, strict=True):
        names = renamed | {name: f"o{number}" for number, name in enumerate(made) if name}
        initializers = [_named(constants[name], renamed[name]) for name in kept]
        sides.append(_model(nodes, opset, names, inputs, initializers))
    return CutOut(
        before=sides[0],
        after=sides[1],
        inputs=inputs,
        grid=_second_input(before[0], "GridSample", free),
        shape=_second_input(before[0], "Reshape", free),
        sizes=_second_input(before[0], "AffineGrid", free),
        tolerance=tolerance,
    )


def prove_cut_out(subject: CutOut) -> CutOutProof:
    """Run both sides on the same inputs, on ONNX Runtime or else on the reference evaluator.

    Raises:
        NotProvenError: neither runs the original on any inputs tried, or it is random.
    """
    reasons = []
    for name, load in (("ONNX Runtime CPU", _on_onnxruntime), ("ONNX reference", _on_reference)):
        try:
            return _prove(subject, name, load)
        except NotProvenError as error:
            reasons.append(f"{name}: {error}")
    raise NotProvenError("; ".join(reasons))


def _prove(subject: CutOut, runtime: str, load: Callable[[bytes], _Runner]) -> CutOutProof:
    original = load(subject.before)
    worst, compared, shapes, refusal = 0.0, 0, [], "nothing ran"
    try:
        replacement = load(subject.after)
    except NotProvenError:
        replacement = None
    for inputs in _trials(subject):
        try:
            expected, again = original(inputs), original(inputs)
        except NotProvenError as error:
            refusal = str(error)
            continue
        if _difference(expected, again):
            raise NotProvenError("it is random")
        try:
            found = [] if replacement is None else replacement(inputs)
        except NotProvenError:
            found = []
        worst = max(worst, _difference(expected, found))
        compared += sum(value.size for value in expected)
        shapes.append(tuple(value.shape for value in inputs))
    if not shapes:
        raise NotProvenError(refusal)
    return CutOutProof(worst, subject.tolerance, tuple(dict.fromkeys(shapes)), compared, runtime)


def _trials(subject: CutOut) -> Iterator[_Arrays]:
    assignments = dict.fromkeys(_shapes(subject.inputs, length) for length in _FOR_ALL)
    for seed, shapes in enumerate(assignments):
        size = sum(math.prod(shape) for shape in shapes)
        if size > _MOST_VALUES:
            raise NotProvenError(f"its inputs have over {_MOST_VALUES} values")
        exact = subject.tolerance == EXACT or size > _MANY_VALUES
        for again in range(1 if exact else _ROUNDS):
            yield from _arrays(subject, shapes, seed, np.random.default_rng((seed, again)))


def _arrays(
    subject: CutOut,
    shapes: Sequence[tuple[int, ...]],
    trial: int,
    random: np.random.Generator,
) -> Iterator[_Arrays]:
    for integers in _INTEGERS:
        arrays = [
            _array(random, known, shape, integers, subject, index)
            for index, (known, shape) in enumerate(zip(subject.inputs, shapes, strict=True))
        ]
        for index, known in enumerate(subject.inputs):
            if _is_float(known) and index != subject.grid:
                spread = np.asarray(arrays[index].astype(np.float64) * _SPREADS[trial])
                arrays[index] = spread.astype(arrays[index].dtype)
        if subject.sizes is not None:
            lengths = (shapes[0][0], *_SIZES[1:])
            arrays[subject.sizes] = np.array(lengths, np.int64)[: shapes[subject.sizes][0]]
        yield arrays
        if all(_is_float(known) for known in subject.inputs):
            return


def _shapes(inputs: Sequence[KnownValue], for_all: int | None) -> tuple[tuple[int, ...], ...]:
    """The inputs' shapes with open lengths ``for_all``, or one length for each name."""
    lengths: dict[str, int] = {}
    shapes = []
    for known in inputs:
        shape = []
        for size in known.shape or ():
            if isinstance(size, int):
                shape.append(size)
            elif for_all is not None:
                shape.append(for_all)
            elif size is None:
                shape.append(_UNNAMED)
            else:
                fresh = _LENGTHS[len(lengths) % len(_LENGTHS)]
                shape.append(lengths.setdefault(size, fresh))
        shapes.append(tuple(shape))
    return tuple(shapes)


def _array(
    random: np.random.Generator,
    known: KnownValue,
    shape: tuple[int, ...],
    integers: str,
    subject: CutOut,
    index: int,
) -> NDArray[np.generic]:
    if known.elem_type == onnx.TensorProto.STRING:
        return np.array(random.choice(["a", "b", "c"], shape), dtype=object)
    dtype = helper.tensor_dtype_to_np_dtype(known.elem_type)
    if index == subject.shape:
        return np.array([-1] + [1] * (math.prod(shape) - 1), dtype)  # a shape that always fits
    if index == subject.grid:
        exact = random.choice((-1.0, 0.0, 1.0, -3.0, 3.0), shape)
        return np.where(random.random(shape) < 0.3, exact, random.uniform(-1.6, 1.6, shape)).astype(
            dtype
        )
    if _is_float(known):
        return np.asarray(random.standard_normal(shape)).astype(dtype)
    if integers == "mixed":
        return np.asarray(random.integers(0, 2, shape)).astype(dtype)
    return np.full(shape, integers == "ones").astype(dtype)


def _difference(expected: _Arrays, found: _Arrays) -> float:
    if len(expected) != len(found):
        return math.inf
    worst = 0.0
    for first, second in zip(expected, found, strict=True):
        if first.shape != second.shape or first.dtype != second.dtype:
            return math.inf
        equal = first == second
        if first.dtype.kind == "f":
            equal |= np.isnan(first) & np.isnan(second)
        if np.all(equal):
            continue
        if first.dtype.kind not in "fiu":
            return math.inf
        with np.errstate(invalid="ignore"):
            apart = np.abs(first.astype(np.float64) - second.astype(np.float64))[~equal]
        worst = max(worst, math.inf if np.isnan(apart).any() else float(apart.max()))
    return worst


def _taken(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    made = {name for node in nodes for name in node.output}
    return [name for node in nodes for name in node.input if name not in made]


def _known(
    name: str, values: Mapping[str, KnownValue], constants: Mapping[str, onnx.TensorProto]
) -> KnownValue:
    if name in constants:
        return KnownValue(constants[name].data_type, tuple(constants[name].dims))
    known = values.get(name)
    if known is None or known.shape is None:
        raise NotProvenError(
            f"the {'type' if known is None else 'rank'} of its input {name!r} is unknown"
        )
    return known


def _second_input(nodes: Sequence[onnx.NodeProto], op_type: str, free: list[str]) -> int | None:
    """Which free input is the second one of a node of this kind."""
    seconds = [node.input[1] for node in nodes if node.op_type == op_type and len(node.input) > 1]
    return free.index(seconds[0]) if seconds and seconds[0] in free else None


def _is_large(tensor: onnx.TensorProto) -> bool:
    known = KnownValue(tensor.data_type, ())
    return _is_float(known) and math.prod(tensor.dims) > _LARGE_CONSTANT


def _is_float(known: KnownValue) -> bool:
    return known.elem_type in (
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    )


def _named(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _model(
    nodes: Sequence[onnx.NodeProto],
    opset: int,
    names: Mapping[str, str],
    inputs: Sequence[KnownValue],
    initializers: list[onnx.TensorProto],
) -> bytes:
    copies = []
    inner: dict[str, str] = {}
    for number, node in enumerate(nodes):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"n{number}"
        copy.ClearField("doc_string")
        copy.ClearField("metadata_props")
        for field in (copy.input, copy.output):
            for name in field:
                inner.setdefault(name, f"m{len(inner)}")
            field[:] = [names.get(name, inner[name]) if name else "" for name in field]
        copies.append(copy)
    made = {name for copy in copies for name in copy.output}
    outputs = [f"o{number}" for number in range(len(names)) if f"o{number}" in made]
    graph = helper.make_graph(
        copies,
        "cut_out",
        [
            helper.make_tensor_value_info(f"i{number}", known.elem_type, [None] * len(known.shape))
            for number, known in enumerate(inputs)
            if known.shape is not None
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        initializer=initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=_IR_VERSION
    )
    return bytes(model.SerializeToString(deterministic=True))


def _on_onnxruntime(model: bytes) -> _Runner:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise NotProvenError(_one_line(error)) from error
    names = [value.name for value in session.get_inputs()]

    def run(inputs: _Arrays) -> _Arrays:
        try:
            found = session.run(None, dict(zip(names, inputs, strict=True)))
        except Exception as error:
            raise NotProvenError(_one_line(error)) from error
        return [np.asarray(value) for value in found]

    return run


def _on_reference(model: bytes) -> _Runner:
    try:
        evaluator = ReferenceEvaluator(onnx.load_from_string(model))
    except Exception as error:
        raise NotProvenError(_one_line(error)) from error

    def run(inputs: _Arrays) -> _Arrays:
        named = {f"i{number}": value for number, value in enumerate(inputs)}
        try:
            found = evaluator.run(None, named)
        except Exception as error:
            raise NotProvenError(_one_line(error)) from error
        return [np.asarray(value) for value in found]

    return run


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
