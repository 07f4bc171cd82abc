"""OpenVINO's table is what the installed OpenVINO really compiles."""

import subprocess
import sys
import tomllib
from pathlib import Path

import onnx.parser
import pytest

from locoexport.inspection.kernel_tables import kernel_tables

openvino = pytest.importorskip("openvino")

UNARY = ("Cos", "Erf", "Exp", "Floor", "Gelu", "Identity", "Log", "Neg", "Reciprocal", "Relu")
UNARY += ("Round", "Sigmoid", "Sin", "Softmax", "Sqrt", "Tanh", "Flatten", "GlobalAveragePool")
BINARY = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "MatMul")
COMPARED = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
REDUCED = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")
X, B, K = "float[N, 4, 6, 6] x", "bool[N, 4] b", "int64[N, 4] i"

GRAPHS = {
    **{name: f"({X}) => (float y) {{ y = {name}(x) }}" for name in UNARY},
    **{name: f"({X}) => (float y) {{ y = {name}(x, x) }}" for name in BINARY},
    **{name: f"({X}) => (bool y) {{ y = {name}(x, x) }}" for name in COMPARED},
    **{name: f"({X}) => (float y) {{ y = {name}<keepdims = 1>(x) }}" for name in REDUCED},
    "And": f"({B}) => (bool y) {{ y = And(b, b) }}",
    "Or": f"({B}) => (bool y) {{ y = Or(b, b) }}",
    "Not": f"({B}) => (bool y) {{ y = Not(b) }}",
    "ArgMax": f"({X}) => (int64 y) {{ y = ArgMax<axis = 1>(x) }}",
    "Cast": f"({X}) => (int64 y) {{ y = Cast<to = 7>(x) }}",
    "Clip": f"({X}) => (float y) <float low = {{0.0}}> {{ y = Clip(x, low) }}",
    "Concat": f"({X}) => (float y) {{ y = Concat<axis = 1>(x, x) }}",
    "Constant": f"({X}) => (float y) {{ c = Constant<value_float = 2.0>() y = Mul(x, c) }}",
    "ConstantOfShape": f"({X}) => (float y) {{ s = Shape(x) y = ConstantOfShape(s) }}",
    "Conv": f"({X}, float[3, 4, 3, 3] w) => (float y) {{ y = Conv(x, w) }}",
    "DequantizeLinear": "(uint8[N, 4] q) => (float y) <float s = {0.5}, uint8 z = {3}> "
    "{ y = DequantizeLinear(q, s, z) }",
    "DynamicQuantizeLinear": f"({X}) => (uint8 q, float s, uint8 z) "
    "{ q, s, z = DynamicQuantizeLinear(x) }",
    "Expand": f"({X}) => (float y) <int64[5] s = {{2, 1, 1, 1, 1}}> {{ y = Expand(x, s) }}",
    "Gather": f"({X}, {K}) => (float y) {{ y = Gather<axis = 2>(x, i) }}",
    "GatherElements": f"(float[N, 4] x, {K}) => (float y) {{ y = GatherElements<axis = 1>(x, i) }}",
    "GatherND": "(float[3, 4] x, int64[N, 2] i) => (float y) { y = GatherND(x, i) }",
    "Gemm": "(float[N, 4] x, float[4, 3] w) => (float y) { y = Gemm(x, w) }",
    "GridSample": f"({X}, float[N, 5, 5, 2] g) => (float y) {{ y = GridSample(x, g) }}",
    "InstanceNormalization": f"({X}, float[4] s) => (float y) "
    "{ y = InstanceNormalization(x, s, s) }",
    "LayerNormalization": f"({X}, float[6] s) => (float y) {{ y = LayerNormalization(x, s, s) }}",
    "MatMulInteger": "(uint8[N, 4] a, int8[4, 3] w) => (int32 y) <uint8 z = {3}> "
    "{ y = MatMulInteger(a, w, z) }",
    "Mod": f"({K}) => (int64 y) <int64 two = {{2}}> {{ y = Mod(i, two) }}",
    "Pad": f"({X}) => (float y) <int64[8] p = {{0, 0, 1, 1, 0, 0, 1, 1}}> {{ y = Pad(x, p) }}",
    "QuantizeLinear": f"({X}) => (uint8 y) <float s = {{0.5}}, uint8 z = {{3}}> "
    "{ y = QuantizeLinear(x, s, z) }",
    "Range": "(int64 n) => (int64[K] y) <int64 zero = {0}, int64 one = {1}> "
    "{ y = Range(zero, n, one) }",
    "Reshape": f"({X}) => (float y) <int64[2] s = {{-1, 6}}> {{ y = Reshape(x, s) }}",
    "Resize": f"({X}) => (float y) <float[4] s = {{1.0, 1.0, 2.0, 2.0}}> "
    '{ y = Resize<mode = "linear">(x, , s) }',
    "Scan": "(float[N, 4] xs) => (float[N, 4] ys) { ys = Scan<num_scan_inputs = 1, "
    "body = each (float[4] x) => (float[4] y) { y = Relu(x) }>(xs) }",
    "Shape": f"({X}) => (int64 y) {{ y = Shape(x) }}",
    "Size": f"({X}) => (int64 y) {{ y = Size(x) }}",
    "Slice": f"({X}) => (float y) <int64[1] a = {{1}}, int64[1] b = {{3}}> "
    "{ y = Slice(x, a, b, a) }",
    "Split": f"({X}) => (float y, float z) {{ y, z = Split<axis = 1>(x) }}",
    "Squeeze": "(float[N, 1, 4] x) => (float y) <int64[1] a = {1}> { y = Squeeze(x, a) }",
    "Tile": f"({X}) => (float y) <int64[4] r = {{1, 2, 1, 1}}> {{ y = Tile(x, r) }}",
    "Transpose": f"({X}) => (float y) {{ y = Transpose<perm = [0, 2, 3, 1]>(x) }}",
    "Unsqueeze": f"({X}) => (float y) <int64[1] a = {{1}}> {{ y = Unsqueeze(x, a) }}",
    "Where": f"(bool[N, 1, 1, 1] c, {X}) => (float y) {{ y = Where(c, x, x) }}",
}


def compiled(text: str, opset: int) -> object:
    header = f'<ir_version: 8, opset_import: ["" : {opset}]>'
    model = onnx.parser.parse_model(f"{header} g {text}")
    core = openvino.Core()
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU")


def test_all_that_our_own_exports_need_is_in_the_table() -> None:
    assert set(GRAPHS) <= set(kernel_tables()["openvino"].operators) | {"Constant"}


def test_what_the_table_refuses_does_not_compile() -> None:
    assert "Det" in kernel_tables()["openvino"].refused
    with pytest.raises(RuntimeError, match="No conversion rule"):
        compiled("(float[N, 3, 3] x) => (float y) { y = Det(x) }", 17)


@pytest.mark.exhaustive
def test_the_table_is_what_the_script_hears(tmp_path: Path) -> None:
    """Some two minutes: every node test of the standard, at every version."""
    script = Path(__file__).parents[2] / "benchmarks" / "update_kernels.py"
    command = [sys.executable, str(script), "--ask", "openvino", "--into", str(tmp_path)]
    subprocess.run(command, check=True)
    heard = tomllib.loads((tmp_path / "openvino.toml").read_text(encoding="utf-8"))
    table = kernel_tables()["openvino"]
    if heard["version"] != table.version:
        pytest.skip(f"the table is of {table.version}, this is {heard['version']}")
    assert set(heard["operators"]) == set(table.operators)
    assert set(heard["refused"]) == table.refused


@pytest.mark.parametrize("name", GRAPHS)
def test_it_compiles(name: str) -> None:
    assert compiled(GRAPHS[name], 20 if name == "Gelu" else 17)


def test_gridsample_of_volumes_does_not() -> None:
    volume = (
        "(float[N, 4, 3, 6, 6] x, float[N, 3, 5, 5, 3] g) => (float y) { y = GridSample(x, g) }"
    )
    with pytest.raises(RuntimeError, match="4D"):
        compiled(volume, 20)
    assert compiled(GRAPHS["GridSample"], 20)
