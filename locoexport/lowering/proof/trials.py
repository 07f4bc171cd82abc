"""Both sides of a cut-out on the same inputs: random values of the shapes that the model tells.

Open lengths are tried as one length for each name, as 2 and as 1 for all. What only another version
reads computes nothing else, so the two must be equal bit by bit; what was written anew states its
tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from locoexport.graphs.inference import infer_shapes
from locoexport.graphs.known_values import KnownValue, is_float
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError
from locoexport.lowering.proof.runners import (
    Arrays,
    CannotRunError,
    Runner,
    on_onnxruntime,
    on_reference,
    worst_difference,
)
from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance

__all__ = ["CutOutProof", "check_affordable", "prove_cut_out"]

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


@dataclass(frozen=True)
class CutOutProof:
    """How far both sides were apart, and what they were tried on: ``shapes`` of the inputs of each
    trial, ``points`` (values compared) in all.
    """

    worst_error: float
    tolerance: ProofTolerance
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


def check_affordable(subject: CutOut) -> None:
    """Count what a cut-out makes, as far as inference knows, before it is run: a constant of a few
    bytes may ask for any number of values.

    Raises:
        NotProvenError: there are too many to try.
    """
    for length in _FOR_ALL:
        if _output_size(subject, _shapes(subject.inputs, length)) > _MOST_VALUES:
            raise NotProvenError(f"its outputs have over {_MOST_VALUES} values")


def prove_cut_out(subject: CutOut) -> CutOutProof:
    """Run both sides on the same inputs, on ONNX Runtime or else on the reference evaluator.

    Raises:
        NotProvenError: neither runs the original on any inputs tried, or it is random.
    """
    reasons = []
    load_unoptimised = partial(on_onnxruntime, optimised=False)
    for name, load in (("ONNX Runtime CPU", load_unoptimised), ("ONNX reference", on_reference)):
        try:
            return _prove(subject, name, load)
        except (CannotRunError, NotProvenError) as error:
            reasons.append(f"{name}: {error}")
    raise NotProvenError("; ".join(reasons))


def _prove(subject: CutOut, runtime: str, load: Callable[[bytes], Runner]) -> CutOutProof:
    original = load(subject.before)
    worst, compared, shapes, refusal = 0.0, 0, [], "nothing ran"
    try:
        replacement = load(subject.after)
    except CannotRunError:
        replacement = None
    for inputs in _trials(subject):
        try:
            expected, again = original(inputs), original(inputs)
        except CannotRunError as error:
            refusal = str(error)
            continue
        if worst_difference(expected, again):
            raise NotProvenError("it is random")
        try:
            found = [] if replacement is None else replacement(inputs)
        except CannotRunError:
            found = []
        worst = max(worst, worst_difference(expected, found))
        compared += sum(value.size for value in expected)
        shapes.append(tuple(value.shape for value in inputs))
    if not shapes:
        raise NotProvenError(refusal)
    return CutOutProof(worst, subject.tolerance, tuple(dict.fromkeys(shapes)), compared, runtime)


def _trials(subject: CutOut) -> Iterator[Arrays]:
    assignments = dict.fromkeys(_shapes(subject.inputs, length) for length in _FOR_ALL)
    for seed, shapes in enumerate(assignments):
        size = sum(math.prod(shape) for shape in shapes)
        if size > _MOST_VALUES:
            raise NotProvenError(f"its inputs have over {_MOST_VALUES} values")
        exact = subject.tolerance == EXACT or size > _MANY_VALUES
        for again in range(1 if exact else _ROUNDS):
            yield from _arrays(subject, shapes, seed, np.random.default_rng((seed, again)))


def _output_size(subject: CutOut, shapes: Sequence[tuple[int, ...]]) -> int:
    """How many values the original makes of inputs of these shapes, as far as inference knows."""
    model = onnx.load_from_string(subject.before)
    for value, shape in zip(model.graph.input, shapes, strict=True):
        for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = size
    outputs = (value.type.tensor_type.shape.dim for value in infer_shapes(model).graph.output)
    return sum(math.prod(max(dim.dim_value, 1) for dim in dims) for dims in outputs)


def _arrays(
    subject: CutOut,
    shapes: Sequence[tuple[int, ...]],
    trial: int,
    random: np.random.Generator,
) -> Iterator[Arrays]:
    for integers in _INTEGERS:
        arrays = [
            _array(random, known, shape, integers, subject, index)
            for index, (known, shape) in enumerate(zip(subject.inputs, shapes, strict=True))
        ]
        for index, known in enumerate(subject.inputs):
            if is_float(known) and index != subject.grid:
                spread = np.asarray(arrays[index].astype(np.float64) * _SPREADS[trial])
                arrays[index] = spread.astype(arrays[index].dtype)
        if subject.sizes is not None:
            lengths = (shapes[0][0], *_SIZES[1:])
            arrays[subject.sizes] = np.array(lengths, np.int64)[: shapes[subject.sizes][0]]
        yield arrays
        if all(is_float(known) for known in subject.inputs):
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
    if is_float(known):
        return np.asarray(random.standard_normal(shape)).astype(dtype)
    if integers == "mixed":
        return np.asarray(random.integers(0, 2, shape)).astype(dtype)
    return np.full(shape, integers == "ones").astype(dtype)
