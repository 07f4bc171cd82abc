"""The ways to run both sides of a cut-out, the best first; none runs: not proven, with reasons."""

from __future__ import annotations

import onnx
import pytest
from onnx import parser

import locoexport
from locoexport.graphs.values.known_values import known_values
from locoexport.lowering.proof.cut_out import CutOut, NotProvenError, cut_out
from locoexport.lowering.proof.settings import settings_for
from locoexport.lowering.proof.trials import prove_cut_out


def both(text: str, given: str, opsets: tuple[int, int] = (22, 20)) -> CutOut:
    """One node as it is read at two opsets."""
    sides = []
    for opset in opsets:
        header = f'<ir_version: 10, opset_import: ["" : {opset}]> g ({given}) => (y)'
        sides.append(parser.parse_model(f"{header} {{ {text} }}"))
    nodes = [list(side.graph.node) for side in sides]
    outputs = (nodes[0][-1].output, nodes[1][-1].output)
    pairs = tuple(zip(nodes, opsets, strict=True))
    return cut_out(pairs[0], pairs[1], outputs, known_values(sides[0]), {})


def names(subject: CutOut) -> list[str]:
    return [setting.name for setting in settings_for(subject)]


def test_one_runtime_for_both_comes_before_one_for_each() -> None:
    found = names(both("y = Softplus(x)", "float[2, 3] x"))
    assert found[:2] == ["ONNX Runtime CPU", "ONNX reference"]
    assert all("the original on" in name for name in found[2:])


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("y = GridSample(x, g)", "float[1, 2, 4, 4] x, float[1, 3, 3, 2] g"),
        ("y = Softplus(x)", "bfloat16[2, 3] x"),
    ],
)
def test_runtimes_that_differ_or_were_not_measured_do_not_vouch_for_each_other(
    text: str, given: str
) -> None:
    assert not [name for name in names(both(text, given)) if "the original on" in name]


def test_another_float_is_tried_in_float32_where_it_has_no_kernel() -> None:
    subject = both("y = GridSample(v, g)", "double[1, 2, 4, 4] v, double[1, 3, 3, 2] g", (20, 16))
    proof = prove_cut_out(subject)
    assert proof.passed
    assert "float32" in proof.runtime


def test_where_nothing_runs_the_reasons_are_told() -> None:
    subject = both("y = LinearAttentionOfNobody(x)", "float[2, 3] x")
    with pytest.raises(NotProvenError, match=r"ONNX Runtime CPU: .*ONNX reference: "):
        prove_cut_out(subject)


def test_an_opset_newer_than_the_runtime_is_no_difference() -> None:
    header = '<ir_version: 10, opset_import: ["" : 28]> g (uint8[4] x) => (float[4] y)'
    body = "s = Constant<value_float = 0.1>() y = DequantizeLinear(x, s)"
    report = locoexport.rewrite(parser.parse_model(f"{header} {{ {body} }}"), opset=17)
    assert report.passed
    assert isinstance(report.model, onnx.ModelProto)
    assert all(row.proof is None or row.proof.worst_error == 0 for row in report.rewritten)
