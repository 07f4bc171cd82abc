"""onnxsim's result is kept where it helps, and refused where it grew or changed the graph."""

import numpy as np
import onnx
import onnx.parser
import onnxsim
import pytest

from locoexport.lowering.tracker.simplification import simplify

EXAMPLE = {"x": np.linspace(-1, 1, 4, dtype=np.float32)}


def parse(body: str, initializers: str = "") -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) '
        f"<float[1] two = {{2}}{initializers}> {body}"
    )


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.fixture
def chain() -> onnx.ModelProto:
    """y = 4·x, with a constant to fold and an identity to drop; large enough for small growth."""
    zeros = ",".join("0" * 4000)
    return parse(
        "{ four = Mul(two, two) same = Identity(x) scaled = Mul(same, four) "
        "nothing = ReduceMax<axes = [0]>(zeros) y = Add(scaled, nothing) }",
        f", float[4000] zeros = {{{zeros}}}",
    )


def test_a_better_graph_is_kept(chain, capsys) -> None:
    simplified = simplify(chain, EXAMPLE)
    assert simplified.simplifier.startswith("onnxsim ")
    assert simplified.refused is None
    assert operators(simplified.model) == ["Mul"]
    assert len(operators(chain)) == 5  # the argument stays as it was
    assert capsys.readouterr().out == ""  # stdout belongs to results


def test_a_graph_that_grew_is_refused() -> None:
    """Folding a constant of 40,000 numbers puts them into the file."""
    body = """{
      large = Expand(two, size)
      sum = ReduceMean<axes = [0], keepdims = 1>(large)
      more = Concat<axis = 0>(large, x)
      part = ReduceMax<axes = [0], keepdims = 1>(more)
      scaled = Mul(part, sum)
      y = Mul(x, scaled)
    }"""
    model = parse(body, ", int64[1] size = {40000}")
    folded, _ = onnxsim.simplify(model, check_n=0)
    assert folded.ByteSize() > 100 * model.ByteSize()
    simplified = simplify(model, EXAMPLE)
    assert simplified.model is model
    assert simplified.simplifier == "none"
    assert simplified.refused.startswith("onnxsim ")
    sizes = f"it grew the graph from {model.ByteSize()} to {folded.ByteSize()} bytes"
    assert simplified.refused.endswith(f" refused: {sizes}")


def replaced_by(monkeypatch, body: str) -> None:
    monkeypatch.setattr(onnxsim, "simplify", lambda model, **options: (parse(body), True))


@pytest.mark.parametrize(
    ("body", "change"),
    [
        ("{ y = Add(x, two) }", "5"),
        ("{ big = Mul(x, two) y = Mul(big, two) }", None),
        ("{ none = Sub(two, two) y = Div(none, none) }", "inf"),
        ("{ none = Sub(x, x) y = Div(none, none) }", "inf"),
        ("{ y = Concat<axis = 0>(x, x) }", "inf"),
    ],
    ids=["other", "equal", "other-shape-nan", "nan", "longer"],
)
def test_a_graph_that_changed_its_outputs_is_refused(
    body: str, change: str | None, chain, monkeypatch
) -> None:
    replaced_by(monkeypatch, body)
    simplified = simplify(chain, EXAMPLE)
    if change is None:
        assert simplified.refused is None
        return
    assert simplified.model is chain
    assert simplified.simplifier == "none"
    assert simplified.refused.split("it changed the outputs by ")[1] == change


def test_float_noise_is_no_change(chain, monkeypatch) -> None:
    constants = ", float[1] four = {4}, float[1] little = {0.005}"
    near = parse("{ big = Mul(x, four) y = Add(big, little) }", constants)
    monkeypatch.setattr(onnxsim, "simplify", lambda model, **options: (near, True))
    assert simplify(chain, EXAMPLE).model is near
