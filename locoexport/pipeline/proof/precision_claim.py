"""Does a file compute in the precision that it names? Read from its bytes: no onnx, no torch.

A file that calls itself fp16 is held to fp16's limits, which are sixty times float32's and more. So
the name has to be borne out by what the graph holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from locoexport.contract.profile import Precision
from locoexport.errors import InputError, ModelFileError
from locoexport.machine.reading.wire_format import read_fields

__all__ = ["check_precision_claim"]

# Field numbers and types of onnx.proto (ONNX IR version 8 to 12).
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OP_TYPE, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11
_TENSOR_TYPE = 2
_UINT8, _INT8, _FLOAT16 = 2, 3, 10

_DEEPEST = 20
_INTEGER_OPERATORS = frozenset(
    {"DequantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul"}
)


def check_precision_claim(files_sha256: Mapping[Path, str], precision: Precision) -> None:
    """Check that a model computes in a precision, as far as what it holds can tell.

    Args:
        files_sha256: the files of an open model, and of which bytes it was made.
        precision: what its metadata says.

    Raises:
        ModelFileError: it says fp16 and holds no float16 weights, or says int8 and holds no
            weights of 8 bits that an integer operator reads; or a file was replaced since.
        InputError: a file cannot be read.
    """
    if precision == "fp32":
        return
    types, operators = set[int](), set[str]()
    path = Path()
    for path, sha256 in files_sha256.items():
        try:
            data = memoryview(path.read_bytes())
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModelFileError(f"{path} was replaced while it was verified; try again.")
        try:
            for kind, value in _marks(data):
                if kind == "type":
                    types.add(int(value))
                else:
                    operators.add(str(value))
        except ValueError as error:
            raise ModelFileError(f"{path} is no ONNX file ({error}).") from error
    borne_out = (
        _FLOAT16 in types
        if precision == "fp16"
        else bool(types & {_UINT8, _INT8} and operators & _INTEGER_OPERATORS)
    )
    if not borne_out:
        held = "float16" if precision == "fp16" else "8-bit"
        raise ModelFileError(
            f"{path} contradicts itself: its metadata says that it computes in {precision}, its "
            f"graph holds no {held} weights. Its limits would be those of {precision}. Export it "
            "again."
        )


def _marks(model: memoryview) -> Iterator[tuple[str, int | str]]:
    """("type", element type) of every stored tensor, ("operator", name) of every node."""
    for number, value in read_fields(model):
        if number == _MODEL_GRAPH and isinstance(value, memoryview):
            yield from _graph_marks(value, 0)


def _graph_marks(graph: memoryview, depth: int) -> Iterator[tuple[str, int | str]]:
    if depth > _DEEPEST:
        raise ValueError(f"its graphs are nested more than {_DEEPEST} deep")
    for number, value in read_fields(graph):
        if not isinstance(value, memoryview):
            continue
        if number == _GRAPH_INITIALIZER:
            yield from _tensor_marks(value)
        elif number == _GRAPH_NODE:
            for inner, part in read_fields(value):
                if not isinstance(part, memoryview):
                    continue
                if inner == _NODE_OP_TYPE:
                    yield "operator", bytes(part).decode("utf-8", "replace")
                elif inner == _NODE_ATTRIBUTE:
                    yield from _attribute_marks(part, depth)


def _attribute_marks(attribute: memoryview, depth: int) -> Iterator[tuple[str, int | str]]:
    for number, value in read_fields(attribute):
        if not isinstance(value, memoryview):
            continue
        if number == _ATTRIBUTE_TENSOR:
            yield from _tensor_marks(value)
        elif number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            yield from _graph_marks(value, depth + 1)


def _tensor_marks(tensor: memoryview) -> Iterator[tuple[str, int]]:
    for number, value in read_fields(tensor):
        if number == _TENSOR_TYPE and isinstance(value, int):
            yield "type", value
