"""What both sides of a cut-out are tried on: random values of the shapes that the model tells.

Open lengths are tried as one length for each name, as 2 and as 1 for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from locoexport.graphs.values.known_values import KnownValue, is_float
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError
from locoexport.lowering.proof.runners import Arrays
from locoexport.lowering.proof.tolerance import EXACT

__all__ = ["MOST_VALUES", "Shapes", "count_trials", "inputs_of", "shapes_tried"]

Shapes = tuple[tuple[int, ...], ...]
"""Of each input."""

MOST_VALUES = 2**24
_LENGTHS = (3, 5, 4, 7, 6, 9, 8)
_UNNAMED = 3
_FOR_ALL = (None, 2, 1)
"""What every open length is, in turn; None is a length of its own for each name."""
_SPREADS = (1.0, 4.0, 0.1)
"""Standard deviations of random floats, one for each of those."""
_ROUNDS, _MANY_VALUES = 8, 2**14
_POOL = 1_048_573
"""A prime: however long the axes are, equal values do not stand in line."""
_SIZES = (4, 2, 3, 5, 4)
_INTEGERS = ("mixed", "zeros", "ones")
"""Integers are indices, sizes or steps: what runs is among 0 and 1."""


def shapes_tried(subject: CutOut) -> list[Shapes]:
    """The inputs' shapes of each trial, equal ones once."""
    shapes = (_shapes(subject.inputs, length) for length in _FOR_ALL)
    fitting = (_with_one_batch(subject, _with_whole_window(subject, each)) for each in shapes)
    return list(dict.fromkeys(fitting))


def count_trials(subject: CutOut) -> int:
    """How many lists of inputs ``inputs_of`` gives."""
    each = 1 if _all_float(subject) else len(_INTEGERS)
    return sum(_rounds(subject, _size(shapes)) * each for shapes in shapes_tried(subject))


def inputs_of(subject: CutOut) -> Iterator[Arrays]:
    """The inputs of each trial; raises NotProvenError where they are too large."""
    for seed, shapes in enumerate(shapes_tried(subject)):
        size = _size(shapes)
        if size > MOST_VALUES:
            raise NotProvenError(f"its inputs have over {MOST_VALUES} values")
        for again in range(_rounds(subject, size)):
            yield from _arrays(subject, shapes, seed, np.random.default_rng((seed, again)))


def _with_whole_window(subject: CutOut, shapes: Shapes) -> Shapes:
    """Open spatial axes of the first input as long as one window at least."""
    known = subject.inputs[0].shape if subject.inputs else None
    if not subject.least or known is None or len(known) != len(subject.least) + 2:
        return shapes
    spatial = zip(known[2:], shapes[0][2:], subject.least, strict=True)
    lengths = (n if isinstance(size, int) else max(n, least) for size, n, least in spatial)
    return ((*shapes[0][:2], *lengths), *shapes[1:])


def _with_one_batch(subject: CutOut, shapes: Shapes) -> Shapes:
    """A grid of as many samples as there are in what it samples, where either is open.

    Inference often has no name, or another, for a grid's batch. Of two batches GridSample computes
    nothing, and one cut-out that fails takes all that are run beside it along.
    """
    if subject.grid != 1 or not shapes[0] or not shapes[1]:
        return shapes
    told = [known.shape[0] for known in subject.inputs[:2] if known.shape]
    batch = next((size for size in told if isinstance(size, int)), shapes[0][0])
    first, second = (
        (size if isinstance(size, int) else batch, *shape[1:])
        for size, shape in zip(told, shapes[:2], strict=True)
    )
    return (first, second, *shapes[2:])


def _size(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _rounds(subject: CutOut, size: int) -> int:
    """A stated tolerance takes many values to be reached; equal bits differ at the first."""
    return 1 if subject.tolerance == EXACT or size > _MANY_VALUES else _ROUNDS


def _all_float(subject: CutOut) -> bool:
    return all(is_float(known) for known in subject.inputs)


def _arrays(
    subject: CutOut, shapes: Shapes, trial: int, random: np.random.Generator
) -> Iterator[Arrays]:
    for integers in _INTEGERS:
        arrays = [
            _array(random, known, shape, integers, subject, index, _SPREADS[trial])
            for index, (known, shape) in enumerate(zip(subject.inputs, shapes, strict=True))
        ]
        if subject.sizes is not None:
            lengths = (shapes[0][0], *_SIZES[1:])
            arrays[subject.sizes] = np.array(lengths, np.int64)[: shapes[subject.sizes][0]]
        yield arrays
        if _all_float(subject):
            return


def _shapes(inputs: Sequence[KnownValue], for_all: int | None) -> Shapes:
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
    spread: float,
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
    if known.elem_type == onnx.TensorProto.DOUBLE:
        return np.asarray(random.standard_normal(shape) * spread)
    if is_float(known):
        return (_normal(random, shape) * np.float32(spread)).astype(dtype, copy=False)
    if integers == "mixed":
        return np.asarray(random.integers(0, 2, shape)).astype(dtype)
    return np.full(shape, integers == "ones").astype(dtype)


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal values of deviation 1 out of a pool, from a random place on: drawing anew takes longer
    than all kernels together."""
    pool, size = _pool(), math.prod(shape)
    start = int(random.integers(len(pool)))
    if start + size <= len(pool):
        return pool[start : start + size].reshape(shape)
    return np.resize(np.roll(pool, -start), shape)


@cache
def _pool() -> NDArray[np.float32]:
    pool = np.random.default_rng(0).standard_normal(_POOL, np.float32)
    pool.setflags(write=False)
    return pool
