"""Random inputs for a whole model, at sizes that were never stated.

Many models take only some sizes (multiples of 32, three channels, two inputs of one size), and no
file says which. So there is a ladder of sizes, and whoever climbs it keeps what the model runs at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from locoexport.lowering.proof.cut_out import NotProvenError

__all__ = [
    "Binding",
    "ModelInput",
    "bindings",
    "integer_kinds",
    "make_arrays",
    "moved",
    "read_inputs",
]

Arrays = list[NDArray[np.generic]]

_INTEGERS = ("mixed", "ones", "zeros")
"""What integers are, in turn: indices, counts or sizes, and 0 and 1 are most often allowed."""
_DTYPES: dict[str, type[np.generic]] = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "bool": np.bool_,
    "string": np.object_,
    **{name: np.dtype(name).type for name in ("int8", "int16", "int32", "int64")},
    **{name: np.dtype(name).type for name in ("uint8", "uint16", "uint32", "uint64")},
}
_MOST_VALUES, _MOST_CHOSEN = 2**25, 2**22
"""Of all inputs together; larger sizes are not tried, nor chosen where there is a choice."""
_BATCHES = (2, 3)
_UNITS = ((1, (5, 7)), (8, (2, 3)), (16, (1, 3)), (32, (1, 2)), (64, (1, 2)))
"""Lengths of other axes: multiples of the unit, from either start, one apart: all distinct."""
_CHANNELS = (3, 1)
"""What an open second axis is where no other length runs: it may be one that weights fix."""
_SPREAD = 1.2
_LENGTHS_APART = 2.0**-22
"""Two units in the last place of a float32, relative: how far inputs are moved."""
_HALF_APART = 2.0**-10


@dataclass(frozen=True)
class ModelInput:
    """An input that has to be given: a length is known, named, or None."""

    name: str
    dtype: type[np.generic]
    shape: tuple[int | str | None, ...]

    @property
    def open_axes(self) -> tuple[int, ...]:
        """Axes of no fixed length."""
        return tuple(axis for axis, size in enumerate(self.shape) if not isinstance(size, int))


@dataclass(frozen=True)
class Binding:
    """Every input's shape; ``told`` are the lengths of open axes, as a reader knows them.

    ``lengths`` are those of every open axis in turn, and None where the model may allow but one.
    """

    shapes: tuple[tuple[int, ...], ...]
    told: str
    lengths: tuple[int | None, ...]

    @property
    def free(self) -> bool:
        """Whether every open axis has a length of its own."""
        return None not in self.lengths

    def differs(self, other: Binding) -> bool:
        """Whether no open axis is of the same length in both."""
        pairs = zip(self.lengths, other.lengths, strict=True)
        return all(one is None or two is None or one != two for one, two in pairs)


def read_inputs(session: onnxruntime.InferenceSession) -> tuple[ModelInput, ...]:
    """What has to be given to a model.

    Raises:
        NotProvenError: an input is no dense tensor, or of a type that numpy has not.
    """
    inputs = []
    for value in session.get_inputs():
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        dtype = _DTYPES.get(kind)
        if dtype is None:
            raise NotProvenError(f"its input {value.name[:80]!r} is of type {value.type}")
        shape = tuple(
            size if isinstance(size, str) or (isinstance(size, int) and size >= 0) else None
            for size in value.shape
        )
        inputs.append(ModelInput(value.name, dtype, shape))
    return tuple(inputs)


def bindings(inputs: Sequence[ModelInput], *, shortest: int = 1) -> list[Binding]:
    """The ladder, from small to large, and for each unit from what tells most to what runs most
    often. With no open axis, the one binding. Sizes too large to try are left out, and those with
    an open axis shorter than ``shortest`` that is neither batch nor channel.
    """
    rungs: dict[Binding, tuple[int, ...]] = {}
    fallbacks = tuple(product((None, 1), (None, *_CHANNELS)))
    for (nth, (unit, starts)), (level, (one, channels)), sharing in product(
        enumerate(_UNITS), enumerate(fallbacks), (0, 1, 2)
    ):
        if unit < shortest:
            continue
        for start, batch in zip(starts, _BATCHES, strict=True):
            rung = _binding(inputs, sharing, (unit, start), one or batch, channels, one)
            size = sum(math.prod(shape) for shape in rung.shapes)
            if size <= (_MOST_CHOSEN if rung.lengths else _MOST_VALUES):
                rungs.setdefault(rung, (nth, level, sharing, size))
    return sorted(rungs, key=lambda rung: rungs[rung])


def integer_kinds(inputs: Sequence[ModelInput]) -> Iterator[str]:
    """What integers are tried as: nothing to choose where none is given."""
    chosen = any(np.dtype(one.dtype).kind in "iu" for one in inputs)
    yield from _INTEGERS if chosen else _INTEGERS[:1]


def make_arrays(inputs: Sequence[ModelInput], binding: Binding, integers: str, seed: int) -> Arrays:
    """Random values of these shapes."""
    random = np.random.default_rng(seed)
    pairs = zip(inputs, binding.shapes, strict=True)
    return [_array(random, one.dtype, shape, integers) for one, shape in pairs]


def moved(arrays: Sequence[NDArray[np.generic]], *, half: bool) -> Arrays:
    """The same with each float moved by some units in the last place, up or down by chance.

    ``half``: by units of float16, for models that compute in it.
    """
    random = np.random.default_rng(1)
    result = []
    for array in arrays:
        if array.dtype.kind == "f":
            apart = _HALF_APART if half or array.dtype == np.float16 else _LENGTHS_APART
            factors = 1 + apart * random.choice((-1.0, 1.0), array.shape)
            array = np.asarray(array.astype(np.float64) * factors).astype(array.dtype)
        result.append(array)
    return result


def _binding(
    inputs: Sequence[ModelInput],
    sharing: int,
    step: tuple[int, int],
    batch: int,
    channels: int | None,
    only_batch: int | None,
) -> Binding:
    """``sharing``: 0, axes of one name share a length; 1, those of one place; 2, all do."""
    unit, start = step
    given: dict[object, int] = {}
    shapes, lengths = [], []
    told: dict[str, int] = {}
    firsts = {one.shape[0] for one in inputs if one.shape}
    for one in inputs:
        shape = []
        for axis, size in enumerate(one.shape):
            if isinstance(size, int):
                shape.append(size)
                continue
            key: object = size if size is not None and not sharing else (len(one.shape), axis)
            pinned = None
            if axis == 0 or (size is not None and size in firsts):
                length, pinned = batch, only_batch
            elif axis == 1 and len(one.shape) > 2 and channels is not None:
                length = pinned = channels
            elif sharing == 2:
                length = unit * (start + 1)
            else:
                length = given.setdefault(key, unit * (start + len(given)))
            shape.append(length)
            known = size is not None and told.get(size, length) == length
            told[size if known and size else f"{one.name}[{axis}]"] = length
            lengths.append(None if pinned is not None else length)
        shapes.append(tuple(shape))
    text = ", ".join(f"{name[:40]}={length}" for name, length in told.items())
    return Binding(tuple(shapes), text, tuple(lengths))


def _array(
    random: np.random.Generator, dtype: type[np.generic], shape: tuple[int, ...], integers: str
) -> NDArray[np.generic]:
    kind = np.dtype(dtype).kind
    if kind == "f":
        return np.asarray(random.uniform(-_SPREAD, _SPREAD, shape)).astype(dtype)
    if kind == "O":
        return np.asarray(random.choice(["a", "b", "c"], shape), dtype=object)
    if integers != "mixed" and kind != "b":
        return np.full(shape, integers == "ones").astype(dtype)
    if np.dtype(dtype).itemsize == 1 and kind == "u":  # pictures
        return np.asarray(random.integers(0, 256, shape)).astype(dtype)
    return np.asarray(random.integers(0, 2, shape)).astype(dtype)
