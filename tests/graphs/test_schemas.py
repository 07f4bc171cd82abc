"""Schemas are onnx's own, and what does not exist is None."""

from onnx import defs

from locoexport.graphs.schemas import (
    attributes_of,
    first_version,
    schema_at,
    versions_between,
    versions_of,
)


def test_an_operator_is_of_the_version_that_the_opset_reads() -> None:
    schema = schema_at("GridSample", 19)
    assert schema is not None
    assert schema.since_version == 16
    newer = schema_at("GridSample", 20)
    assert newer is not None
    assert newer.since_version == 20


def test_what_an_opset_does_not_have_is_none() -> None:
    assert schema_at("GridSample", 15) is None
    assert schema_at("NoSuchOperator", 20) is None
    assert schema_at("Conv", 0) is None


def test_other_domains_have_schemas_too() -> None:
    assert schema_at("LabelEncoder", 4, "ai.onnx.ml") is not None
    assert schema_at("LabelEncoder", 20) is None


def test_versions() -> None:
    assert versions_of()["GridSample"][:2] == (16, 20)
    assert versions_between("GridSample", 16, 20) == [20]
    assert versions_between("GridSample", 15, 19) == [16]
    assert versions_between("NoSuchOperator", 1, 20) == []
    assert first_version("LayerNormalization") == 17
    for name, versions in versions_of().items():
        assert list(versions) == sorted(set(versions)), name


def test_attributes_are_those_of_the_version() -> None:
    assert "axes" in attributes_of("ReduceMean", 17)
    assert "axes" not in attributes_of("ReduceMean", 18)
    assert attributes_of("NoSuchOperator", 20) == {}
    mode = attributes_of("GridSample", 20)["mode"]
    assert isinstance(mode, defs.OpSchema.Attribute)
