"""The forecast of providers: operators, versions, types and ranks."""

import onnx
import onnx.helper
import onnx.parser
import pytest

from locoexport.inspection.forecast import Forecast, forecast_providers


def model(text: str, opset: int = 17) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')


def grid_sample(rank: int, opset: int, kind: str = "float") -> onnx.ModelProto:
    sizes = ", ".join("4" for _ in range(rank))
    grid = ", ".join("4" for _ in range(rank - 1)) + f", {rank - 2}"
    return model(
        f"g ({kind}[{sizes}] x, {kind}[{grid}] grid) => ({kind}[{sizes}] y) "
        "{ y = GridSample(x, grid) }",
        opset,
    )


def states(graph: onnx.ModelProto) -> dict[str, str]:
    """Of a graph of one node: ``kernel``, or ``none: WHY``, or ``unknown: WHY``, by provider."""
    return {forecast.provider: state(forecast) for forecast in forecast_providers(graph)}


def state(forecast: Forecast) -> str:
    if forecast.covered:
        return "kernel"
    (group,) = forecast.uncovered or forecast.unknown
    return f"{'none' if forecast.uncovered else 'unknown'}: {group.reason}"


EVERYONE = ("cpu", "cuda", "tensorrt", "openvino", "dml", "coreml", "webgpu")


@pytest.mark.parametrize(
    ("call", "others"),
    [
        ("MaxPool<kernel_shape = [2, 2]>(x)", {}),
        ("LeakyRelu(x)", {}),
        ("Abs(x)", {"coreml": "unknown: not in its table"}),
        (
            "Det(x)",
            {
                **dict.fromkeys(("cuda", "dml", "webgpu"), "none: no kernel"),
                **dict.fromkeys(("tensorrt", "openvino"), "none: listed as not supported"),
                "coreml": "unknown: not in its table",
            },
        ),
    ],
)
def test_a_kernel_none_or_unknown(call: str, others: dict[str, str]) -> None:
    graph = model(f"g (float[1, 3, 8, 8] x) => (float y) {{ y = {call} }}")
    assert states(graph) == dict.fromkeys(EVERYONE, "kernel") | others


def test_an_operator_that_the_standard_defines_by_others_is_unknown_where_it_has_no_kernel() -> (
    None
):
    found = states(model("g (float[2, 3] x) => (float y) { y = Celu(x) }"))
    assert found["cpu"] == "kernel"
    assert found["cuda"] == "unknown: no kernel of its own: its definition's operators run instead"


@pytest.mark.parametrize(
    ("kind", "cuda"), [("float", "kernel"), ("float16", "unknown: float16, whose kernels")]
)
def test_operators_of_onnx_runtime(kind: str, cuda: str) -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> '
        f"g ({kind}[1, 2, 4, 4] x, {kind}[1, 4, 4, 2] g) => ({kind} y) "
        "{ y = com.microsoft.GridSample(x, g) }"
    )
    found = states(graph)
    assert found["cuda"].startswith(cuda.partition(",")[0])
    assert found["webgpu"] == "none: no kernel"
    assert found["tensorrt"] == "unknown: not in its table"


def test_a_domain_that_no_table_speaks_of_is_unknown() -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "my" : 1]> '
        "g (float[2] x) => (float y) { y = my.Warp(x) }"
    )
    assert set(states(graph).values()) == {"unknown: my is no domain of the standard"}


def test_functions_of_the_model_are_forecast_by_what_is_in_them() -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17, "my" : 1]> '
        "g (float[2] x) => (float[2] y) { y = my.Twice(x) } "
        '<domain: "my", opset_import: ["" : 17]> Twice (a) => (c) { b = Abs(a) c = Relu(b) }'
    )
    (forecast,) = forecast_providers(graph, ["cuda"])
    assert (forecast.covered, forecast.missing, forecast.undecided) == (2, 0, 0)


def test_one_name_for_two_values_in_two_branches_says_nothing_of_either() -> None:
    graph = model(
        "g (bool c, float[2] x, double[2] d) => (float[2] y) { y = If(c) <"
        "then_branch = a () => (float[2] t) { v = Abs(x) t = Relu(v) }, "
        "else_branch = b () => (float[2] e) { v = Sqrt(d) e = Cast<to = 1>(v) }> }"
    )
    (forecast,) = forecast_providers(graph, ["webgpu"])
    assert [(group.op_type, group.count) for group in forecast.uncovered] == [("Sqrt", 1)]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("cpu", ""),
        ("cuda", "none: uint8, kernels for int8"),
        ("tensorrt", "none: listed as not supported"),
        ("openvino", ""),
        ("dml", ""),
        ("coreml", "unknown: not in its table"),
    ],
)
def test_products_of_8_bits_with_ranges_of_each_run(provider: str, expected: str) -> None:
    """What --precision int8 makes of the transformer."""
    graph = model(
        "g (float[2, 4] x, int8[4, 3] w) => (int32[2, 3] y) "
        "{ q, s, z = DynamicQuantizeLinear(x) y = MatMulInteger(q, w, z) }"
    )
    (forecast,) = forecast_providers(graph, [provider])
    products = [
        f"{state}: {group.reason}"
        for state, groups in (("none", forecast.uncovered), ("unknown", forecast.unknown))
        for group in groups
        if group.op_type == "MatMulInteger"
    ]
    assert products == ([expected] if expected else [])


def test_notes_say_where_they_are_from() -> None:
    (forecast,) = forecast_providers(grid_sample(4, 17), ["webgpu"])
    assert len(forecast.notes) == len(forecast.note_sources) == 3
    assert "32275" in forecast.note_sources[2]


def test_notes_on_operators_that_are_not_there_are_left_out() -> None:
    graph = model("g (float[2] x) => (float y) { y = Abs(x) }")
    for forecast in forecast_providers(graph):
        assert not any("GridSample" in note or "Resize" in note for note in forecast.notes)


def respelled(graph: onnx.ModelProto, mode: str) -> onnx.ModelProto:
    graph.graph.node[0].attribute.append(onnx.helper.make_attribute("mode", mode))
    return graph


@pytest.mark.parametrize(
    ("graph", "others"),
    [
        (grid_sample(4, 17), {}),
        (grid_sample(4, 17, "float16"), {"cuda": "float16, kernels for float32"}),
        (
            grid_sample(4, 20),
            {"dml": "version 20, kernels for 16+", "webgpu": "version 20, kernels for 16-19"},
        ),
        (
            respelled(grid_sample(4, 20), "linear"),
            {
                "tensorrt": "mode linear: read as nearest",
                "dml": "version 20, kernels for 16+",
                "webgpu": "version 20, kernels for 16-19",
            },
        ),
        (
            grid_sample(5, 20),
            dict.fromkeys(("openvino", "dml", "coreml", "webgpu"), "rank 5, kernels for 4"),
        ),
    ],
)
def test_grid_sample(graph: onnx.ModelProto, others: dict[str, str]) -> None:
    found = states(graph)
    expected = dict.fromkeys(found, "kernel")
    assert found == expected | {name: f"none: {reason}" for name, reason in others.items()}


def test_nodes_without_a_kernel_are_told_by_part() -> None:
    graph = model("g (float[2] x) => (float[2] y) { a = Floor(x) y = Erf(a) }")
    graph.graph.node[0].op_type = "Mod"
    graph.graph.node[0].input.append("x")
    graph.graph.node[0].name = "/cost_volume/Mod"
    graph.graph.node[1].name = "/encoder/Erf"
    forecasts = {f.provider: f for f in forecast_providers(graph)}
    (group,) = forecasts["coreml"].unknown
    assert (group.op_type, group.part, group.count) == ("Mod", "cost volume", 1)
    assert forecasts["coreml"].unknown_groups == "1 Mod of cost volume (not in its table)"
    (group,) = forecasts["webgpu"].uncovered
    assert (group.op_type, group.part, group.count) == ("Mod", "cost volume", 1)
    webgpu = forecasts["webgpu"]
    assert (webgpu.covered, webgpu.missing, webgpu.undecided, webgpu.total) == (1, 1, 0, 2)
