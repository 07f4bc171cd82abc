"""Small models run for a proof: in ONNX Runtime on the CPU, or in ONNX's reference evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

__all__ = [
    "Arrays",
    "CannotRunError",
    "Runner",
    "StumbledError",
    "on_onnxruntime",
    "on_reference",
    "worst_difference",
]

Arrays = Sequence[NDArray[np.generic]]
"""The values of a model's inputs, or of its outputs, in the graph's order."""
Runner = Callable[[Arrays], list[NDArray[np.generic]]]


class CannotRunError(Exception):
    """A runtime lacks a kernel, an opset or a type; the text is one line of its own words."""


class StumbledError(CannotRunError):
    """A runtime took a model and failed while it ran."""


def on_onnxruntime(model: bytes, *, optimised: bool) -> Runner:
    """The model in ONNX Runtime's CPU provider, on one thread.

    The runner that comes back raises ``StumbledError`` where the model fails on its inputs.

    Raises:
        CannotRunError: ONNX Runtime does not take the model.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise CannotRunError(_one_line(error)) from error
    names = [value.name for value in session.get_inputs()]

    def run(inputs: Arrays) -> list[NDArray[np.generic]]:
        try:
            found = session.run(None, dict(zip(names, inputs, strict=True)))
        except Exception as error:
            raise StumbledError(_one_line(error)) from error
        return [np.asarray(value) for value in found]

    return run


def on_reference(model: bytes) -> Runner:
    """The model in ONNX's reference evaluator; what it cannot run, it may say only when it runs.

    Raises:
        CannotRunError: it cannot take the model; the runner raises it too.
    """
    try:
        evaluator = ReferenceEvaluator(onnx.load_from_string(model))
    except Exception as error:
        raise CannotRunError(_one_line(error)) from error

    def run(inputs: Arrays) -> list[NDArray[np.generic]]:
        try:
            found = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))
        except Exception as error:
            raise CannotRunError(_one_line(error)) from error
        return [np.asarray(value) for value in found]

    return run


def worst_difference(expected: Arrays, found: Arrays) -> float:
    """The largest difference of any value; infinite where types, shapes or NaNs differ.

    Numbers of every type are told apart in double; what is no number (strings, truth values) is
    equal or infinitely far.
    """
    if len(expected) != len(found):
        return math.inf
    pairs = zip(expected, found, strict=True)
    return max((_difference(first, second) for first, second in pairs), default=0.0)


def _difference(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    if first.shape != second.shape or first.dtype != second.dtype:
        return math.inf
    equal = first == second
    if np.all(equal):
        return 0.0
    if first.dtype.kind not in "fiuV":  # V: bfloat16 and the 8-bit floats of ml_dtypes
        return math.inf
    one, other = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other)[~(equal | (np.isnan(one) & np.isnan(other)))]
    return math.inf if np.isnan(apart).any() else float(apart.max(initial=0.0))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
