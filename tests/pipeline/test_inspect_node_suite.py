"""Every model of the standard's node tests, and odd ones, is inspected: no crash, no untruth."""

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
from onnx.backend.test.case.node import collect_testcases

from locoexport.inspection.forecast import forecast_providers
from locoexport.pipeline.inspect import InspectReport, inspect_here

REPRESENTATIVES = (
    *("test_scan_sum", "test_loop13_seq", "test_loop16_seq_none", "test_if_opt", "test_if_seq"),
    *("test_optional_has_element_empty_optional_input", "test_sequence_map_add_2_sequences"),
    *("test_split_to_sequence_1", "test_constant_pad", "test_gridsample_volumetric_bilinear"),
    *("test_ai_onnx_ml_label_encoder_string_int", "test_adam", "test_string_split_basic"),
)
DENIED = ("test_det_2d", "test_bitcast_float32_to_int32", "test_matmul_2d", "test_gelu_tanh_1")


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from ((case.name, case.model) for case in collect_testcases(None))


@cache
def some_models() -> tuple[tuple[str, onnx.ModelProto], ...]:
    return tuple(row for row in models() if row[0] in REPRESENTATIVES or row[0] in DENIED)


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
    names = {name for name, _ in some_models()}
    assert len(names) >= len(REPRESENTATIVES)  # some are named otherwise in other releases
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
