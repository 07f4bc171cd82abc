"""Versions of an operator that ONNX Runtime computes with different kernels."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, parser

import locoexport
from locoexport.lowering.proof.kernels import kernel_tolerance
from locoexport.lowering.proof.tolerance import EXACT
from locoexport.pipeline.rewrite import RewriteFailedError


def pooling(attributes: str = "kernel_shape = [3, 3], pads = [1, 1, 1, 1]") -> onnx.ModelProto:
    header = '<ir_version: 10, opset_import: ["" : 22]> g (float[2, 3, 16, 17] x) => (y)'
    return parser.parse_model(f"{header} {{ y = AveragePool <{attributes}> (x) }}")


@pytest.mark.parametrize("opset", [16, 17, 18])
def test_averages_are_equal_within_a_measured_rounding(opset: int) -> None:
    report = locoexport.rewrite(pooling(), opset=opset)
    (row,) = report.rewritten
    assert row.proof is not None
    assert row.proof.worst_error <= 1e-6 < row.proof.tolerance.worst
    assert "measured" in row.proof.tolerance.origin


def test_another_window_is_no_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    from locoexport.pipeline import rewrite

    def lower_wrongly(model: onnx.ModelProto, *arguments: object) -> object:
        lowered = rewrite_lower(model, *arguments)
        for node in lowered.nodes:
            node.after.attribute[0].ints[:] = [1, 1]
        return lowered

    rewrite_lower = rewrite.lower_opset
    monkeypatch.setattr(rewrite, "lower_opset", lower_wrongly)
    with pytest.raises(RewriteFailedError, match="does not compute"):
        locoexport.rewrite(pooling("kernel_shape = [2, 2]"), opset=17)


def test_equal_bits_are_the_rule() -> None:
    assert kernel_tolerance("AveragePool", 22, 19, TensorProto.FLOAT) == EXACT
    assert kernel_tolerance("AveragePool", 19, 11, TensorProto.FLOAT) != EXACT
    assert kernel_tolerance("MaxPool", 22, 12, TensorProto.FLOAT) == EXACT
    assert kernel_tolerance("Mish", 22, 18, TensorProto.FLOAT) == EXACT
    assert kernel_tolerance("Mish", 22, 18, TensorProto.FLOAT16) != EXACT
