"""The tables of kernels: sources, and what a row says."""

import onnx
import pytest

from locoexport.inspection.kernel_tables import Kernel, kernel_tables, list_versions

TABLES = kernel_tables()


def test_every_table_has_a_source_a_version_and_a_date() -> None:
    assert list(TABLES) == ["cpu", "cuda", "tensorrt", "openvino", "dml", "coreml", "webgpu"]
    for table in TABLES.values():
        assert table.source.startswith(("https://", "asked itself: "))
        assert table.version
        assert table.read >= "2026-11-29"
        assert table.without_kernel
        assert all(remark.source and remark.text for remark in table.remarks)
        assert all(rule.source for rule in table.restricted.values())
        assert all(source.startswith("https://") for source in table.added.values())


def test_no_table_contradicts_itself() -> None:
    for table in TABLES.values():
        assert not table.refused & set(table.operators)
        assert not table.refused & set(table.added)
        assert not set(table.operators) & set(table.added)
        # What lists every kernel has no need to say what it has none for.
        assert not (table.complete and table.refused)


def test_the_tables_know_operators_of_the_standard() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    invented = {"ParametricSoftplus", "ImageScaler", "ScaledTanh", "Affine", "Crop", "Scale"}
    invented |= {"DynamicSlice", "SimplifiedLayerNormalization", "GroupNorm"}
    for table in TABLES.values():
        named = {name for name in (*table.operators, *table.refused) if "::" not in name}
        assert named - known <= invented | {"MemcpyToHost", "MemcpyFromHost"}


@pytest.mark.parametrize(
    ("written", "covered"),
    [("6-12", {6, 9, 12}), ("13+", {13}), ("14", {14}), ("*", {1, 5, 6, 9, 12, 13, 14, 19, 25})],
)
def test_versions(written: str, covered: set[int]) -> None:
    """``13+`` is the operator of opset 13 and no later one, as ONNX Runtime reads it."""
    kernel = Kernel((written,), {})
    tried = {1, 5, 6, 9, 12, 13, 14, 19, 25}
    assert {version for version in tried if kernel.covers(version)} == covered
    assert list_versions([kernel, kernel]) == written


def test_the_facts_about_gridsample() -> None:
    versions = {name: list_versions(t.operators["GridSample"]) for name, t in TABLES.items()}
    registered = "16-19, 20-21, 22+"
    assert versions == {
        **dict.fromkeys(("cpu", "cuda"), registered),
        **dict.fromkeys(("tensorrt", "coreml"), "*"),
        "openvino": "16, 20, 22",
        "dml": "16+",
        "webgpu": "16-19",
    }
    ranks = {name: t.restricted["GridSample"].ranks for name, t in TABLES.items() if name != "cpu"}
    four = dict.fromkeys(("openvino", "dml", "coreml", "webgpu"), (4,))
    assert ranks == {"cuda": (4, 5), "tensorrt": (4, 5), **four}
