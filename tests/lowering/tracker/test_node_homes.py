"""A fused node stands where what it writes was written, or where its reader stands."""

import onnx.parser

from locoexport.lowering.tracker.node_homes import node_homes


def test_homes_of_fused_nodes() -> None:
    model = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["" : 17]>
g (float[n,4] x) => (float[n,4] y)
<float[4,4] w = {1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1}, float[4] b = {0,0,0,0}, int64[2] s = {-1, 4}>
{
  rows = Reshape(x, s)
  product = Gemm(rows, w, b)
  sum = Reshape(product, s)
  y = Relu(sum)
}
""")
    rows, product, back, relu = model.graph.node
    rows.name, product.name, back.name, relu.name = (
        "Reshape_2",
        "Gemm_3",
        "Reshape_7",
        "/mixer/Relu",
    )
    back.output[0] = relu.input[0] = "/mixer/query_proj/Add_output_0"
    homes = node_homes(model.graph)
    home = "/mixer/query_proj/Add_output_0"
    assert homes == {
        "Reshape_2": home,
        "Gemm_3": home,
        "Reshape_7": home,
        "/mixer/Relu": "/mixer/Relu",
    }


def test_a_graph_without_scopes_has_no_homes() -> None:
    model = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["" : 17]>
g (float[n] x) => (float[n] y) { y = Relu(x) }
""")
    assert set(node_homes(model.graph).values()) == {""}
