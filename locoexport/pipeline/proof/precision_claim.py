"""Does a file compute in the precision that it names? Read from its bytes: no onnx, no torch.

A file that calls itself fp16 is held to fp16's limits, which are sixty times float32's and more. So
the name has to be borne out by what the graph holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from locoexport.contract.profile import Precision
from locoexport.errors import InputError, ModelFileError
from locoexport.machine.reading.onnx_message import (
    iterate_nodes,
    iterate_tensors,
    operator_of,
    type_of,
)

__all__ = ["check_precision_claim"]

# TensorProto.DataType
_UINT8, _INT8, _FLOAT16 = 2, 3, 10
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
            types.update(map(type_of, iterate_tensors(data)))
            operators.update(map(operator_of, iterate_nodes(data)))
        except ValueError as error:
            raise ModelFileError(f"{path} is not an ONNX file ({error}).") from error
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
