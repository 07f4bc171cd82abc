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


def test_every_row_has_a_source_and_every_table_a_date() -> None:
    for table in kernel_tables().values():
        assert table["source"]
        assert table["read"].year >= 2026
        rows = [*table.get("notes", ()), *table.get("restricted", {}).values()]
        assert all(row["source"] for row in rows)
        assert all(source.startswith("https://") for source in table.get("added", {}).values())
        named = [*table["operators"], *table.get("restricted", {}), *table.get("added", {})]
        assert len(named) == len(set(named))


def test_the_facts_about_gridsample() -> None:
    rules = {name: table["restricted"]["GridSample"] for name, table in kernel_tables().items()}
    assert rules["cuda"]["types"] == ["float32"]
    assert "1.25" in rules["cuda"]["note"]
    assert all(text in rules["tensorrt"]["note"] for text in ("8.5", "11.2", "nearest"))
    ranks = {name: rule["ranks"] for name, rule in rules.items()}
    four = {name: [4] for name in ("openvino", "dml", "coreml", "webgpu")}
    assert ranks == {"cuda": [4, 5], "tensorrt": [4, 5], **four}


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("cuda", "uint8, kernels for int8"),
        ("tensorrt", "no kernel"),
        ("openvino", ""),
        ("dml", ""),
        ("coreml", "no kernel"),
    ],
)
def test_products_of_8_bits_with_ranges_of_each_run(provider: str, reason: str) -> None:
    """What --precision int8 makes of the transformer."""
    graph = model(
        "g (float[2, 4] x, int8[4, 3] w) => (int32[2, 3] y) "
        "{ q, s, z = DynamicQuantizeLinear(x) y = MatMulInteger(q, w, z) }"
    )
    (forecast,) = forecast_providers(graph, [provider])
    products = [group.reason for group in forecast.uncovered if group.op_type == "MatMulInteger"]
    assert products == ([reason] if reason else [])


def test_notes_say_where_they_are_from() -> None:
    (forecast,) = forecast_providers(grid_sample(4, 17), ["webgpu"])
    assert len(forecast.notes) == len(forecast.note_sources) == 2
    assert "32275" in forecast.note_sources[1]


def test_the_tables_know_operators_of_the_standard_only() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    for table in kernel_tables().values():
        named = {*table["operators"], *table.get("restricted", {}), *table.get("added", {})}
        assert named <= known


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
