"""ONNX's own node tests, rewritten to every opset that they can be brought down to.

Each has inputs, and outputs that its authors computed: what ``rewrite`` writes is run on the
inputs and compared with them, whatever its own proofs said.
"""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from locoexport.errors import GraphCheckFailedError, LocoExportError
from locoexport.lowering.opset.versions import default_opset
from locoexport.notices import Notice
from locoexport.pipeline.rewrite import RewriteFailedError, rewrite

__all__ = [
    "OUTCOMES",
    "TARGETS",
    "Attempt",
    "NodeCase",
    "attempt",
    "cases_of",
    "kind_of",
    "node_cases",
    "targets_of",
]

TARGETS = (None, 16, 17, 18, 19, 20)
"""``--opset``; None is the default pass alone."""
OUTCOMES = ("right", "unchanged", "refused", "not judged", "wrong", "traceback")
_SECONDS = 120
"""What one rewrite may take; the slowest of the suite takes a few seconds."""
_IR_VERSION = 10
"""The newest onnx writes its tests in an IR version that no ONNX Runtime takes yet."""
_PROOF = "the proof failed"
_UNLOADABLE = "ONNX Runtime loads the original and not the rewritten model"
_RULES = (
    (r"tensor\(\w+\) is newer", "an element type is newer"),
    (r"new in opset|onnx's inliner|unknown at opset", "an operator is newer"),
    (r"are computed|is computed", "axes that became an input are computed"),
    (r"is newer|changed in opset|empty axes", "an attribute, an input or a meaning is newer"),
    (r"not valid ONNX", "the rewritten graph is not valid"),
    (r"keeps the model at opset", "GridSample of rank 5 is left"),
    (r"imports no version", "no version of the default domain is imported"),
    (r"cannot be understood", "the graph cannot be understood"),
)
"""What a refusal's text shows, and its kind; the first that fits."""


@dataclass(frozen=True)
class NodeCase:
    """A node test: a model, its inputs in the graph's order, and the outputs that are due."""

    name: str
    model: onnx.ModelProto
    inputs: tuple[Any, ...]
    expected: tuple[Any, ...]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Attempt:
    """One rewrite: its outcome (of ``OUTCOMES``), the reason's kind, and what was said.

    ``in_truth`` is, of a refusal, the outcome that the model would have had that was not written;
    ``unproven`` is the first reason why a node was not proven.
    """

    name: str
    opset: int
    target: int | None
    to: str
    outcome: str
    kind: str = ""
    detail: str = ""
    in_truth: str = ""
    unproven: str = ""

    @property
    def is_false_alarm(self) -> bool:
        """The rewritten model is right, and was refused by a check of what was written."""
        return self.outcome == "refused" and self.in_truth == "right"


@cache
def node_cases() -> tuple[NodeCase, ...]:
    """Every node test of the installed onnx, in its order; some seconds for the first call."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's own, while the expected outputs are computed
        return _cases(load_model_tests(kind="node"))


@cache
def cases_of(module: str) -> dict[str, NodeCase]:
    """The node tests of one module of onnx (``gridsample``) by name, without the others."""
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module(f"{node.__name__}.{module}")
    return {case.name: case for case in _cases(node._NodeTestCases)}


def _cases(tests: Sequence[Any]) -> tuple[NodeCase, ...]:
    return tuple(
        NodeCase(test.name, test.model, _arrays(inputs), _arrays(outputs), test.rtol, test.atol)
        for test in tests
        for inputs, outputs in test.data_sets or ()
    )


def _arrays(values: Sequence[Any]) -> tuple[Any, ...]:
    """Types that numpy lacks are given as tensors, and some scalars as numbers."""
    return tuple(
        onnx.numpy_helper.to_array(value)
        if isinstance(value, onnx.TensorProto)
        else np.asarray(value)
        if isinstance(value, np.generic)
        else value
        for value in values
    )


def targets_of(case: NodeCase) -> Iterator[tuple[int | None, str]]:
    """The opsets that a case can be brought down to, and how volumes are sampled."""
    opset = default_opset(case.model) or 0
    samples = any(node.op_type == "GridSample" for node in case.model.graph.node)
    for target in TARGETS:
        if target is None or target <= opset:
            yield from ((target, to) for to in ("gather", "planar")[: 2 if samples else 1])


def attempt(case: NodeCase, target: int | None, to: str) -> Attempt:
    """Rewrite a case, and run what came out beside what is due."""
    opset = default_opset(case.model) or 0

    warned: list[str] = []

    def made(outcome: str, kind: str = "", detail: str = "", **more: str) -> Attempt:
        told = " ".join((*detail.split(), *warned))
        return Attempt(case.name, opset, target, to, outcome, kind, told, **more)

    def hear(notice: Notice) -> None:
        if notice.warning:
            warned.append(f"[{notice.text}]")

    try:
        with _limit(_SECONDS):
            report = rewrite(case.model, to=to, opset=target, notify=hear)  # type: ignore[arg-type]
    except RewriteFailedError as error:
        apart = "inf apart" if "inf apart" in str(error) else "some way apart"
        truth = _unchecked(case, target, to)
        return made("refused", f"{_PROOF}: {apart}", str(error), in_truth=truth)
    except LocoExportError as error:
        truth = ""
        if isinstance(error, GraphCheckFailedError):
            truth = _unchecked(case, target, to)
        return made("refused", kind_of(str(error)), str(error), in_truth=truth)
    except TimeoutError:
        return made("traceback", f"over {_SECONDS} s")
    except Exception as error:  # a traceback is what is looked for
        return made("traceback", type(error).__name__, str(error)[:500])
    if not report.changed:
        return made("unchanged")
    unproven = "; ".join(node.unproven for node in report.unproven)[:300]
    outcome, why = _judge(case, report.model)
    if outcome == _UNLOADABLE:
        return made("refused", _UNLOADABLE, why, unproven=unproven)
    kind = why.partition(":")[0] if outcome == "not judged" else ""
    return made(outcome, kind, why, unproven=unproven)


def kind_of(message: str) -> str:
    """The kind of reason that a refusal gives; its own first words where no kind is known."""
    return next((kind for sign, kind in _RULES if re.search(sign, message)), message[:80])


def _unchecked(case: NodeCase, target: int | None, to: str) -> str:
    """The outcome of what would have been written; "" where nothing would."""
    try:
        report = rewrite(case.model, to=to, opset=target, check=False)  # type: ignore[arg-type]
    except Exception:  # the refusal is no check's of what was written
        return ""
    outcome, why = _judge(case, report.model)
    return outcome if outcome in ("right", _UNLOADABLE) else f"{outcome}: {why}"


def _judge(case: NodeCase, rewritten: onnx.ModelProto) -> tuple[str, str]:
    """``right``, ``wrong``, ``not judged`` or that it no longer loads, and what was seen."""
    loads = [_session(model) for model in (case.model, rewritten)]
    if not isinstance(loads[0], str) and isinstance(loads[1], str):
        return _UNLOADABLE, loads[1]
    reasons = []
    apart = ""
    for runtime in (_in_onnxruntime, _in_reference):
        name = runtime.__name__.removeprefix("_in_")
        found = runtime(rewritten, case.inputs)
        if isinstance(found, str):
            reasons.append(f"{name}: {found}")
            continue
        if _close(case, case.expected, found):
            return "right", f"{name}: as the test expects"
        original = runtime(case.model, case.inputs)
        if isinstance(original, str):
            apart = f"{name}: {_distance(case.expected, found)} from what the test expects"
            continue
        if not _close(case, original, runtime(case.model, case.inputs)):
            return "not judged", "it is random"
        if _close(case, original, found):
            return "right", f"{name}: as the original does, and not as the test expects"
        return "wrong", f"{name}: {_distance(original, found)} from the original"
    if apart:
        return "wrong", apart
    return "not judged", "no runtime runs what was written: " + "; ".join(reasons)[:300]


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession | str:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    taken = onnx.ModelProto()
    taken.CopyFrom(model)
    taken.ir_version = min(taken.ir_version, _IR_VERSION)
    try:
        return onnxruntime.InferenceSession(
            taken.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no common class
        return " ".join(str(error).split())[:200]


def _in_onnxruntime(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any] | str:
    session = _session(model)
    if isinstance(session, str):
        return session
    try:
        names = [value.name for value in model.graph.input]
        return list(session.run(None, dict(zip(names, inputs, strict=True))))
    except Exception as error:
        return " ".join(str(error).split())[:200]


def _in_reference(model: onnx.ModelProto, inputs: Sequence[Any]) -> list[Any] | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = ReferenceEvaluator(model)
            names = [value.name for value in model.graph.input]
            return list(evaluator.run(None, dict(zip(names, inputs, strict=True))))
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _close(case: NodeCase, expected: Any, found: Any) -> bool:
    """Equal within the test's own tolerance, in type and shape too."""
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(expected) == len(found)
            and all(_close(case, *pair) for pair in zip(expected, found, strict=True))
        )
    if expected is None or found is None:
        return expected is found
    one, other = np.asarray(expected), np.asarray(found)
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "OSU":
        return other.dtype.kind in "OSU" and bool(np.all(one.astype(str) == other.astype(str)))
    if one.dtype != other.dtype:
        return False
    if one.dtype.kind in "biu":
        return bool(np.array_equal(one, other))
    wide = np.complex128 if one.dtype.kind == "c" else np.float64
    with np.errstate(all="ignore"):
        return bool(
            np.allclose(one.astype(wide), other.astype(wide), case.rtol, case.atol, equal_nan=True)
        )


def _distance(expected: Any, found: Any) -> str:
    """How far apart, for a reader."""
    for one, other in zip(expected, found, strict=False):
        if isinstance(one, list | tuple) or one is None or other is None:
            continue
        one, other = np.asarray(one), np.asarray(other)
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"{other.dtype}{list(other.shape)} for {one.dtype}{list(one.shape)}, far"
        if one.dtype.kind in "fiub" and one.size:
            with np.errstate(all="ignore"):
                apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
            if np.nanmax(apart, initial=0.0) > 0:
                return f"{np.nanmax(apart):.3g} apart"
    return "some way"


class _limit:  # noqa: N801
    """A block that may take so many seconds."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._stop)
        signal.alarm(self._seconds)

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self._before)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        raise TimeoutError
