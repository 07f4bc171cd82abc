"""What of a graph will not run, or will run slowly or wrongly, and where.

Each rule names the runtime it speaks of and the source it stands on.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from locoexport.graphs.domains import DEFAULT_DOMAINS
from locoexport.inspection.lint_rules import RULES, Severity, Subject
from locoexport.inspection.shapes import GraphShapes

__all__ = ["Finding", "Severity", "lint"]

_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing found. An ``error`` will not run or gives wrong results there, a ``warning`` runs
    slowly or may fail, an ``info`` is good to know. ``nodes`` are names of nodes or values."""

    rule: str
    severity: Severity
    runtime: str
    message: str
    source: str
    nodes: tuple[str, ...]


def lint(model: onnx.ModelProto, shapes: GraphShapes) -> tuple[Finding, ...]:
    """Every finding, the worst first."""
    opset = max(
        (entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS),
        default=0,
    )
    subject = Subject(model, shapes, opset)
    findings = []
    for rule in RULES:
        nodes = tuple(dict.fromkeys(rule.find(subject)))
        if nodes:
            findings.append(
                Finding(rule.name, rule.severity, rule.runtime, rule.message, rule.source, nodes)
            )
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
