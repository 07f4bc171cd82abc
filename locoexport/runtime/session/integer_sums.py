"""Does this processor add 8-bit products without overflow? Asked of ONNX Runtime itself.

On x86 without VNNI, ONNX Runtime's kernels add two products of 8 bits in 16 bits, and what does not
fit is cut off: a file whose weights use all 8 bits is wrong there without a word (ONNX Runtime's
documentation, "Quantize ONNX models", section "When and why do I need to try U8U8").
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnxruntime

from locoexport.contract.metadata import ArtifactMetadata
from locoexport.errors import ProviderUnavailableError

__all__ = ["adds_eight_bits", "check_weight_bits"]

# y = a · b by MatMulInteger, a uint8[1, 64], b int8[64, 16], opset 16, IR 8. Made once with
# onnx.helper; tests/runtime/session/test_integer_sums.py makes it again and compares the bytes.
_MODEL = (
    b'\x08\x08:`\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x05probeZ\x13\n\x01a\x12\x0e\n'
    b"\x0c\x08\x02\x12\x08\n\x02\x08\x01\n\x02\x08@Z\x13\n\x01b\x12\x0e\n\x0c\x08\x03\x12\x08\n"
    b"\x02\x08@\n\x02\x08\x10b\x13\n\x01y\x12\x0e\n\x0c\x08\x06\x12\x08\n\x02\x08\x01\n\x02\x08"
    b"\x10B\x04\n\x00\x10\x10"
)


@functools.cache
def adds_eight_bits() -> bool:
    """Whether the largest products of uint8 and int8 are added exactly here."""
    session = onnxruntime.InferenceSession(_MODEL, providers=["CPUExecutionProvider"])
    a, b = np.full((1, 64), 255, np.uint8), np.full((64, 16), 127, np.int8)
    (sums,) = session.run(None, {"a": a, "b": b})
    return bool(np.array_equal(sums, a.astype(np.int32) @ b.astype(np.int32)))


def check_weight_bits(path: Path, metadata: ArtifactMetadata, provider: str) -> None:
    """Check that the weights of an int8 file fit this processor.

    Raises:
        ProviderUnavailableError: they use 8 bits, and sums would overflow.
    """
    form = metadata.integer_form
    if form is None or form.weight_bits != 8 or provider != "cpu" or adds_eight_bits():
        return
    raise ProviderUnavailableError(
        f"{path} has weights of 8 bits for processors that add 8-bit products in 32 bits (VNNI, "
        "dot products), and this one adds them in 16: its tracks would be wrong. Export it with "
        "`--for-cpu any`, or run a float32 file."
    )
