"""Does a rewritten model still pass the checks, and load where the original does?"""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime

from locoexport.errors import GraphCheckFailedError
from locoexport.graphs.external_data import without_external

__all__ = ["check_still_loads", "check_still_valid"]

_SERIALISED_LIMIT = 2**31 - 2**20


def check_still_valid(original: onnx.ModelProto, rewritten: onnx.ModelProto) -> None:
    """Check a rewritten model with ``onnx.checker`` (full check), its external data left out.

    A fault that the original had too is not this rewrite's: many files in use have some.

    Raises:
        GraphCheckFailedError: the rewritten model is not valid and the original is.
    """
    fault = _fault(rewritten)
    if fault is not None and _fault(original) is None:
        raise GraphCheckFailedError(f"The rewritten graph is not valid ONNX: {fault}")


def check_still_loads(original: Path, rewritten: Path) -> str | None:
    """Load the rewritten file in ONNX Runtime; returns why not where neither file loads.

    Raises:
        GraphCheckFailedError: the original loads and the rewritten file does not.
    """
    reason = _refusal(rewritten)
    if reason is not None and _refusal(original) is None:
        raise GraphCheckFailedError(
            f"ONNX Runtime loads the original and not the rewritten file: {reason}"
        )
    return reason


def _fault(model: onnx.ModelProto) -> str | None:
    if model.ByteSize() > _SERIALISED_LIMIT:
        return None
    try:
        onnx.checker.check_model(without_external(model), full_check=True)
    except Exception as error:  # its errors have no common class
        return str(error)
    return None


def _refusal(path: Path) -> str | None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Whether it loads is asked, not how fast it is.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        return str(error)
    return None
