"""The machine's rate of fp32 matrix products: the ceiling that shares are told of."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from locoexport.runtime.session.providers import create_session
from locoexport.runtime.session.single import session_options

__all__ = ["measure_gemm"]

_SIDE = {"cpu": 1536, "cuda": 8192, "tensorrt": 8192}
_RUNS = 8


def measure_gemm(provider: str) -> tuple[float, str] | None:
    """(FLOP/s, by what): the best of several square products; None where it cannot be measured.

    On the CPU the better of numpy's library and ONNX Runtime's; on CUDA ONNX Runtime's with both
    operands on the device. A ceiling from a slower library would flatter the model.
    """
    rates = []
    if provider == "cpu":
        rates.append((_best_rate(_numpy_product(_SIDE["cpu"]), _SIDE["cpu"]), "numpy"))
    if provider in _SIDE and importlib.util.find_spec("onnx") is not None:
        side = _SIDE[provider]
        rates.append((_best_rate(_graph_product(side, provider), side), "ONNX Runtime"))
    return max(rates) if rates else None


def _best_rate(product: Callable[[], object], side: int) -> float:
    product()
    best = float("inf")
    for _ in range(_RUNS):
        started = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def _numpy_product(side: int) -> Callable[[], object]:
    left, right = _matrices(side)
    result = np.empty_like(left)
    return lambda: np.matmul(left, right, out=result)


def _graph_product(side: int, provider: str) -> Callable[[], object]:
    import onnxruntime

    session: Any = create_session(_product_model(), provider, session_options(provider))
    device = "cpu" if provider == "cpu" else "cuda"
    binding = session.io_binding()
    for name, matrix in zip("ab", _matrices(side), strict=True):
        value = onnxruntime.OrtValue.ortvalue_from_numpy(matrix, device, 0)
        binding.bind_ortvalue_input(name, value)
    binding.bind_output("c", device, 0)

    def product() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return product


def _product_model() -> bytes:
    import onnx.parser

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        "product (float[n,n] a, float[n,n] b) => (float[n,n] c) { c = MatMul(a, b) }"
    )
    return bytes(model.SerializeToString())


def _matrices(side: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((side, side), np.float32) for _ in range(2))
    return left, right
