"""Domains of operators. ONNX's own has two spellings, and files use both."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

__all__ = [
    "DEFAULT_DOMAINS",
    "default_version",
    "imported_versions",
    "plain_domain",
    "qualified_name",
]

DEFAULT_DOMAINS = ("", "ai.onnx")
"""ONNX's own domain."""


def plain_domain(domain: str) -> str:
    """The domain, ONNX's own in its short spelling."""
    return "" if domain in DEFAULT_DOMAINS else domain


def qualified_name(node: onnx.NodeProto) -> str:
    """``Conv``; outside ONNX's own domain ``com.microsoft::FusedConv``."""
    return node.op_type if node.domain in DEFAULT_DOMAINS else f"{node.domain}::{node.op_type}"


def imported_versions(model: onnx.ModelProto) -> dict[str, int]:
    """The versions that a model imports, by ``plain_domain``."""
    return {plain_domain(entry.domain): entry.version for entry in model.opset_import}


def default_version(imports: Mapping[str, int]) -> int:
    """The version of ONNX's own domain among ``onnx_ir.Model.opset_imports``; 0 without one."""
    return next((imports[domain] for domain in DEFAULT_DOMAINS if imports.get(domain)), 0)
