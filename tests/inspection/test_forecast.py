"""The forecast of providers: operators, versions, types and ranks."""

import onnx
import onnx.helper
import onnx.parser
import pytest

from locoexport.inspection.forecast import forecast_providers, kernel_tables


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


def by_provider(graph: onnx.ModelProto) -> dict[str, str]:
    return {
        forecast.provider: "; ".join(group.reason for group in forecast.uncovered)
        for forecast in forecast_providers(graph)
    }


def test_every_table_has_a_source_and_a_date() -> None:
    for table in kernel_tables().values():
        assert table["source"]
        assert table["read"].year >= 2026
        assert not set(table["operators"]) & set(table.get("restricted", {}))


def test_the_tables_know_operators_of_the_standard_only() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    for table in kernel_tables().values():
        assert set(table["operators"]) | set(table.get("restricted", {})) <= known


@pytest.mark.parametrize(
    ("rank", "opset", "kind", "expected"),
    [
        (4, 17, "float", {}),
        (4, 17, "float16", {"cuda": "float16, kernels for float32"}),
        (
            4,
            20,
            "float",
            {
                "tensorrt": "version 20, kernels up to 16",
                "dml": "version 20, kernels up to 16",
                "webgpu": "version 20, kernels up to 16",
            },
        ),
        (
            5,
            20,
            "float",
            {
                "tensorrt": "version 20, kernels up to 16",
                "openvino": "rank 5, kernels for 4",
                "dml": "rank 5, kernels for 4",
                "coreml": "rank 5, kernels for 4",
                "webgpu": "rank 5, kernels for 4",
            },
        ),
    ],
)
def test_grid_sample(rank: int, opset: int, kind: str, expected: dict[str, str]) -> None:
    found = by_provider(grid_sample(rank, opset, kind))
    assert {name: reason for name, reason in found.items() if reason} == expected


def test_nodes_without_a_kernel_are_told_by_part() -> None:
    graph = model("g (float[2] x) => (float[2] y) { a = Floor(x) y = Erf(a) }")
    graph.graph.node[0].op_type = "Mod"
    graph.graph.node[0].input.append("x")
    graph.graph.node[0].name = "/cost_volume/Mod"
    graph.graph.node[1].name = "/encoder/Erf"
    forecast = {f.provider: f for f in forecast_providers(graph)}["coreml"]
    (group,) = forecast.uncovered
    assert (group.op_type, group.part, group.count) == ("Mod", "cost volume", 1)
    assert (forecast.covered, forecast.missing) == (1, 1)
