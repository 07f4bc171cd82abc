"""Every model of the standard's node tests, and odd ones, is inspected: no crash, no untruth."""

import importlib
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.parser
import onnxruntime
import pytest
from onnx.backend.test.case import node as node_tests
from onnx.backend.test.case.node import collect_testcases

from locoexport.inspection.forecast import forecast_providers
from locoexport.pipeline.inspect import InspectReport, inspect_here

MODULES = (
    "scan",
    "loop",
    "if_",
    "optionalhaselement",
    "sequence_map",
    "splittosequence",
    "gridsample",
)
MODULES += ("string_split", "det", "adam", "celu", "size")
"""Of onnx's node tests: bodies, sequences, optionals, strings, functions, and what nothing runs."""


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from ((case.name, case.model) for case in collect_testcases(None))


@cache
def some_models() -> tuple[tuple[str, onnx.ModelProto], ...]:
    """A few at most of each module; to collect all of them takes seconds."""
    if not node_tests._NodeTestCases:
        for module in MODULES:
            importlib.import_module(f"onnx.backend.test.case.node.{module}")
    cases = node_tests._NodeTestCases
    return tuple((case.name, case.model) for case in cases[:: max(1, len(cases) // 60)])


def inspected(model: onnx.ModelProto, folder: Path) -> InspectReport:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return inspect_here(path, {})


def assert_true_of(name: str, model: onnx.ModelProto, report: InspectReport) -> None:
    rules = {finding.rule for finding in report.facts.findings}
    assert not rules & {"valid", "unsorted", "unstated-type"}, name
    totals = {forecast.total for forecast in report.forecasts}
    assert len(totals) == 1, name
    assert len(model.graph.node) <= totals.pop(), name


def test_representatives(tmp_path: Path) -> None:
    assert len(some_models()) > 40
    for name, model in some_models():
        assert_true_of(name, model, inspected(model, tmp_path))


@pytest.mark.exhaustive
def test_every_node_test(tmp_path: Path) -> None:
    for name, model in models():
        assert_true_of(name, model, inspected(model, tmp_path))


def loads_on_cpu(model: bytes) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # ONNX Runtime's errors have no common class
        return False
    return True


def loads_on_openvino(model: bytes) -> bool:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    try:
        core.compile_model(core.read_model(model), "CPU")
    except RuntimeError:
        return False
    return True


LOADERS = {"cpu": loads_on_cpu, "openvino": loads_on_openvino}


def assert_never_denied(name: str, model: onnx.ModelProto, provider: str) -> bool:
    """What loads there has no node of which the forecast says that it has no kernel."""
    (forecast,) = forecast_providers(model, [provider])
    if forecast.uncovered:
        assert not LOADERS[provider](model.SerializeToString()), (name, forecast.groups)
    return bool(forecast.uncovered)


@pytest.mark.parametrize("provider", LOADERS)
def test_what_loads_here_is_not_denied(provider: str) -> None:
    denied = [assert_never_denied(name, model, provider) for name, model in some_models()]
    assert any(denied)


@pytest.mark.exhaustive
@pytest.mark.parametrize("provider", LOADERS)
def test_nothing_that_loads_here_is_denied(provider: str) -> None:
    for name, model in models():
        assert_never_denied(name, model, provider)


def test_a_scan_of_opset_8(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 3, opset_import: ["" : 8]> g (float[1, 2] s, float[1, 3, 2] x) '
        "=> (float[1, 2] y, float[1, 3, 2] z) { y, z = Scan<num_scan_inputs = 1, "
        "body = b (float[2] a, float[2] n) => (float[2] c, float[2] o) "
        "{ c = Add(a, n) o = Identity(c) }>(, s, x) }"
    )
    report = inspected(model, tmp_path)
    assert {finding.rule for finding in report.facts.findings} <= {"valid"}


def test_sparse_initializers(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) { y = Add(x, w) }'
    )
    values = onnx.numpy_helper.from_array(np.array([2.0], np.float32), "w")
    indices = onnx.numpy_helper.from_array(np.array([1], np.int64), "at")
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [4]))
    report = inspected(model, tmp_path)
    assert not [f for f in report.facts.findings if f.severity != "info"]
    assert {forecast.covered for forecast in report.forecasts} == {1}
