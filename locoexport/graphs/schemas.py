"""onnx's schemas, each asked for once: asking onnx takes milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from onnx import defs

__all__ = ["attributes_of", "first_version", "schema_at", "versions_between", "versions_of"]


@cache
def schema_at(name: str, opset: int, domain: str = "") -> defs.OpSchema | None:
    """An operator as ``opset`` of its domain has it; None where it has none of that name."""
    try:
        return defs.get_schema(name, opset, domain)
    except defs.SchemaError:
        return None


@cache
def versions_of() -> Mapping[str, tuple[int, ...]]:
    """The versions of every operator of the default domain, in order, by its name."""
    found: dict[str, set[int]] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            found.setdefault(schema.name, set()).add(schema.since_version)
    return {name: tuple(sorted(versions)) for name, versions in found.items()}


def versions_between(name: str, above: int, to: int) -> list[int]:
    """The versions of an operator that are newer than ``above``, up to ``to``."""
    return [version for version in versions_of().get(name, ()) if above < version <= to]


def first_version(name: str) -> int:
    """The opset that an operator came with."""
    return versions_of()[name][0]


@cache
def attributes_of(name: str, opset: int) -> Mapping[str, defs.OpSchema.Attribute]:
    """An operator's attributes at ``opset`` by name; none where it has no such operator."""
    schema = schema_at(name, opset)
    return {} if schema is None else dict(schema.attributes)
