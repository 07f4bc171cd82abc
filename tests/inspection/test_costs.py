"""FLOPs and memory, against numbers worked out by hand."""

import onnx
import onnx.parser
import pytest

from locoexport.inspection.costs import count_flops, peak_activations
from locoexport.inspection.parts import Part, assign_parts
from locoexport.inspection.shapes import resolve_shapes


def flops(text: str, **sizes: int):
    shapes = resolve_shapes(model := parse(text), sizes)
    assert model.graph.name
    return count_flops(shapes, assign_parts(shapes.nodes))


def parse(text: str) -> onnx.ModelProto:
    if "opset_import" not in text:
        text = f'<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> {text}'
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        # 1·16·5·5 outputs, each 8·3·3 multiply-adds
        (
            "g (float[1,8,5,5] x, float[16,8,3,3] w) => (float[a,b,c,d] y) "
            "{ y = Conv<pads = [1,1,1,1]>(x, w) }",
            2 * 16 * 25 * 8 * 9,
        ),
        # stride 2 → 3x3 outputs; depthwise: 1·3·3 each
        (
            "g (float[2,8,5,5] x, float[8,1,3,3] w, float[8] b) => (float[a,b,c,d] y) "
            "{ y = Conv<pads = [1,1,1,1], strides = [2,2], group = 8>(x, w, b) }",
            2 * 2 * 8 * 9 * 9,
        ),
        # every input cell meets every kernel cell of 4 output channels
        (
            "g (float[1,8,5,5] x, float[8,4,2,2] w) => (float[a,b,c,d] y) "
            "{ y = ConvTranspose<strides = [2,2]>(x, w) }",
            2 * 8 * 25 * 4 * 4,
        ),
        (
            "g (float[3,1,4,5] x, float[6,5,7] w) => (float[a,b,c,d] y) { y = MatMul(x, w) }",
            2 * 3 * 6 * 4 * 5 * 7,
        ),
        ("g (float[5] x, float[5] w) => (float y) { y = MatMul(x, w) }", 2 * 5),
        (
            "g (float[5,4] x, float[7,5] w) => (float[a,b] y) "
            "{ y = Gemm<transA = 1, transB = 1>(x, w) }",
            2 * 4 * 5 * 7,
        ),
        (
            "g (float[2,3,4] x, float[2,5,4] w) => (float[a,b,c] y) "
            '{ y = Einsum<equation = "bik, bjk -> bij">(x, w) }',
            2 * 2 * 3 * 4 * 5,
        ),
        ("g (float[9,9] x) => (float[9,9] y) { z = Add(x, x)  y = Relu(z) }", 0),
    ],
)
def test_products_by_hand(graph: str, expected: int) -> None:
    counted = flops(graph)
    assert counted.total == expected
    assert counted.unresolved == ()


def test_cost_follows_the_sizes() -> None:
    graph = "g (float[t,4] x, float[4,n] w) => (float[t,n] y) { y = MatMul(x, w) }"
    assert flops(graph, t=3, n=5).total == 2 * 3 * 4 * 5
    assert flops(graph, t=6, n=5).total == 2 * flops(graph, t=3, n=5).total


def test_a_product_of_unknown_size_is_named_not_counted_as_nothing() -> None:
    graph = "g (float[t,4] x, float[4,n] w) => (float[t,n] y) { y = MatMul(x, w) }"
    counted = flops(graph, t=3)
    assert (counted.total, counted.counted) == (0, 0)
    assert counted.unresolved == ("MatMul → y",)


def test_products_without_a_formula_are_named() -> None:
    counted = flops(
        "g (float[5,1,4] x, float[1,12,4] w, float[1,12,3] r) => (float[a,b,c,d] y) "
        "{ y = LSTM<hidden_size = 3>(x, w, r) }"
    )
    assert counted.not_counted == {"LSTM": 1}


def test_products_are_told_by_part() -> None:
    model = parse(
        "g (float[2,2] x) => (float[2,2] y) { a = MatMul(x, x)  b = Relu(a)  y = MatMul(b, b) }"
    )
    for node, name in zip(
        model.graph.node,
        ("/encoder/stem/MatMul", "/encoder/Relu", "/refinement_3/torch_pips_mixer/MatMul"),
        strict=True,
    ):
        node.name = name
    shapes = resolve_shapes(model, {})
    counted = count_flops(shapes, assign_parts(shapes.nodes))
    assert counted.by_part == {Part("backbone"): 16, Part("transformer", 3): 16}


def peak(text: str, **sizes: int):
    shapes = resolve_shapes(model := parse(text), sizes)
    return peak_activations(shapes, model.graph)


def test_peak_of_a_chain_is_the_input_and_two_neighbours() -> None:
    found = peak(
        "g (float[100] x) => (float[100] y) { a = Relu(x)  b = Relu(a)  c = Relu(b)  y = Relu(c) }"
    )
    assert found.size_bytes == 3 * 400
    assert found.unknown == 0


def test_a_skip_connection_keeps_its_value_alive() -> None:
    found = peak(
        "g (float[100] x) => (float[100] y) "
        "{ a = Relu(x)  b = Relu(a)  c = Relu(b)  y = Add(c, a) }"
    )
    assert found.size_bytes == 4 * 400  # x; a, b, c or a, c, y
    assert found.at == "Relu → c"


def test_views_are_free_and_keep_what_they_show_alive() -> None:
    found = peak(
        "g (float[100] x) => (float[100] y) <int64[2] s = {10, 10}, int64[1] f = {100}> "
        "{ a = Relu(x)  v = Reshape(a, s)  b = Relu(a)  w = Reshape(v, f)  y = Add(w, b) }"
    )
    assert found.size_bytes == 4 * 400  # x, a (shown by w), b, y


def test_weights_are_no_activations() -> None:
    found = peak("g (float[4] x) => (float[4] y) <float[4] w = {1,1,1,1}> { y = Add(x, w) }")
    assert found.size_bytes == 2 * 16


def test_unknown_values_are_counted() -> None:
    found = peak("g (float[t] x) => (float[t] y) { a = Relu(x)  y = Relu(a) }")
    assert (found.size_bytes, found.unknown) == (0, 3)


def test_the_body_of_a_scan_counts_once_a_trip() -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[frames, 4, 8] x) => (float[frames, 4, 6] y)
    <float[8, 6] w = {WEIGHTS}> {
      y = Scan <num_scan_inputs = 1, body = b (float[4, 8] row) => (float[4, 6] out) {
        out = MatMul(row, w)
      }> (x)
    }
    """.replace("WEIGHTS", ", ".join(["0"] * 48))
    shapes = resolve_shapes(onnx.parser.parse_model(text), {"frames": 5})
    flops = count_flops(shapes, assign_parts(shapes.nodes))
    assert flops.total == 5 * 2 * 4 * 8 * 6
    assert flops.not_counted == {}
    assert list(shapes.unresolved()) == []
    assert shapes.shape("y") == (5, 4, 6)
