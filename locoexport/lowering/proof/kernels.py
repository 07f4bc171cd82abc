"""Operators that ONNX Runtime computes with another kernel at another version, and how far the two
may be apart.

Found by ``benchmarks/version_kernels.py``, which runs ONNX's node suite (opsets 17 to 26) and
random poolings beside themselves at opsets 16 to 20: of some 100 pairs of versions, these alone
give other bits in ONNX Runtime 1.31.1. Everything else stays equal bit by bit.
"""

from __future__ import annotations

from onnx import TensorProto

from locoexport.lowering.proof.tolerance import EXACT, ProofTolerance

__all__ = ["kernel_tolerance"]

_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_OTHER_KERNELS: dict[tuple[str, int], tuple[int, ...]] = {
    ("AveragePool", 19): (TensorProto.FLOAT, TensorProto.DOUBLE, *_HALF),
    ("HardSigmoid", 22): _HALF,
    ("HardSwish", 22): _HALF,
    ("Mish", 22): _HALF,
    ("Softplus", 22): _HALF,
}
"""By the version that brought another kernel: the element types for which it did."""

_FLOAT = ProofTolerance(
    5e-6,
    "two kernels of AveragePool that sum in another order: measured at most 9.6e-7 over 400 random "
    "models of pooling with windows up to 5 and the node suite, values of deviation up to 4 "
    "(benchmarks/version_kernels.py), and 1.2e-6 in benchmarks/rewrite_speed.py's model; the rest "
    "is for other processors",
)
_TOLERANCES: dict[int, ProofTolerance] = {
    TensorProto.FLOAT: _FLOAT,
    TensorProto.DOUBLE: _FLOAT,  # tried in float32: ONNX Runtime has no such kernel
    TensorProto.FLOAT16: ProofTolerance(
        8e-3,
        "one unit in the last place of a float16 of 8 to 16: one kernel rounds after each step, "
        "the other at the end; measured at most 2e-3 (benchmarks/version_kernels.py)",
    ),
    TensorProto.BFLOAT16: ProofTolerance(
        6.3e-2, "one unit in the last place of a bfloat16 of 8 to 16, as for float16"
    ),
}


def kernel_tolerance(
    operator: str, before: int, after: int, element_type: int | None
) -> ProofTolerance:
    """What is allowed between versions ``before`` and ``after`` (the older) of an operator."""
    for (name, brought), types in _OTHER_KERNELS.items():
        if name == operator and after < brought <= before and element_type in types:
            return _TOLERANCES[element_type]
    return EXACT
