"""``locoexport inspect``: facts, costs and findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.by_part import by_part_document
from locoexport.rendering.parts.forecast import forecast_document, forecast_table
from locoexport.rendering.parts.metadata import tuning_rows
from locoexport.rendering.parts.tables import facts, file_size, headed, severity, titled

if TYPE_CHECKING:
    from locoexport.inspection.facts import Costs, ModelFacts, Port
    from locoexport.inspection.lint import Finding
    from locoexport.pipeline.inspect import InspectReport

__all__ = ["costs_document", "inspect_document", "inspect_text"]

_NAMES_SHOWN = 3
_LETTERS_SHOWN = 1000
_LINES_SHOWN = 100
"""Of inputs, metadata or parts: a stranger's file may have any number. JSON has them all."""

_Row = TypeVar("_Row")


def inspect_text(report: InspectReport) -> RenderableType:
    """Everything ``inspect`` found, for a terminal."""
    model = report.facts
    return Group(
        _identity(report),
        Text(),
        _parts_table(model),
        Text(),
        _costs_facts(model.costs),
        Text(),
        forecast_table(report.forecasts),
        Text(),
        _findings(model.findings),
    )


def inspect_document(report: InspectReport) -> dict[str, Any]:
    """``locoexport.inspect/1``."""
    model = report.facts
    return {
        "schema": "locoexport.inspect/1",
        "file": str(report.path),
        "size_bytes": report.size_bytes,
        "ir_version": model.ir_version,
        "opsets": dict(model.opsets),
        "producer": model.producer,
        "inputs": [asdict(port) for port in model.inputs],
        "outputs": [asdict(port) for port in model.outputs],
        "dynamic_axes": list(model.dynamic_axes),
        "operators": dict(model.operators),
        "functions": model.functions,
        "metadata": dict(model.metadata),
        "external_files": list(model.external_files),
        "parameters": {
            "total": model.parameters.total,
            "of_8_bits_or_fewer": model.parameters.quantised,
            "size_bytes": model.parameters.size_bytes,
            "by_part": by_part_document(model.parameters.by_part),
        },
        "costs": costs_document(model.costs),
        "findings": [asdict(finding) for finding in model.findings],
        "providers_forecast": forecast_document(report.forecasts),
    }


def costs_document(costs: Costs) -> dict[str, Any]:
    """The costs at one set of sizes; what could not be resolved is named."""
    return {
        "axes": dict(costs.axes),
        "unbound_axes": list(costs.unbound),
        "flops": {
            "total": costs.flops.total,
            "complete": not costs.flops.unresolved and not costs.flops.not_counted,
            "counts": "convolutions and matrix products, 2 for a multiply-add",
            "products_counted": costs.flops.counted,
            "products_unresolved": list(costs.flops.unresolved),
            "operators_without_formula": dict(costs.flops.not_counted),
            "by_part": by_part_document(costs.flops.by_part),
        },
        "peak_activations": asdict(costs.memory) | {"complete": not costs.memory.unknown},
        "nodes": costs.nodes,
        "unresolved_nodes": list(costs.unresolved),
    }


def _identity(report: InspectReport) -> Table:
    model = report.facts
    opsets = _listed(f"{domain} {version}" for domain, version in model.opsets.items())
    operators = _listed(f"{count} {name}" for name, count in model.operators.items())
    parameters = f"{model.parameters.total:,}"
    if model.parameters.quantised:
        parameters += f" and {model.parameters.quantised:,} of 8 bits or fewer"
    rows = [
        ("file", f"{report.path} ({file_size(report.size_bytes)})"),
        ("made by", model.producer or "not said"),
        ("opset", f"{opsets}; IR {model.ir_version}"),
        *_ports("input", model.inputs),
        *_ports("output", model.outputs),
        ("dynamic axes", _listed(model.dynamic_axes) or "none"),
        ("operators", f"{sum(model.operators.values())}: {operators}"),
        ("parameters", f"{parameters} ({file_size(model.parameters.size_bytes)} of constants)"),
    ]
    if model.functions:
        rows.append(("functions", str(model.functions)))
    if model.external_files:
        rows.append(("weights in", _listed(model.external_files)))
    metadata, more = _first(list(model.metadata.items()))
    rows += [(name, _shortened(text)) for name, text in tuning_rows(report.tuning)]
    rows += [(_shortened(name), _shortened(value)) for name, value in metadata]
    if more:
        rows.append(("", f"and {more:,} more entries of metadata"))
    return facts(rows)


def _ports(name: str, ports: Sequence[Port]) -> list[tuple[str, str]]:
    shown, more = _first(ports)
    told = [_port(port) for port in shown] + ([f"and {more:,} more"] if more else [])
    return [("" if index else f"{name}s", text) for index, text in enumerate(told)]


def _first(rows: Sequence[_Row]) -> tuple[Sequence[_Row], int]:
    """As many as are shown, and how many are not."""
    return rows[:_LINES_SHOWN], max(len(rows) - _LINES_SHOWN, 0)


def _listed(names: Iterable[str]) -> str:
    shown, more = _first(list(names))
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _port(port: Port) -> str:
    shape = "no shape" if port.shape is None else f"({', '.join(map(str, port.shape))})"
    return f"{port.name} {port.element_type} {shape}"


def _shortened(value: str) -> str:
    """A stranger's text may have any length; what is left out ends at a blank, not in a number."""
    if len(value) <= _LETTERS_SHOWN:
        return value
    kept = value[:_LETTERS_SHOWN].rsplit(maxsplit=1)[0]
    return f"{kept} [and {len(value) - len(kept):,} more characters]"


def _parts_table(model: ModelFacts) -> RenderableType:
    """A row for each part, iterations put together."""
    flops: dict[str, int] = {}
    for part, operations in model.costs.flops.by_part.items():
        flops[part.name] = flops.get(part.name, 0) + operations
    parameters = {part.name: count for part, count in model.parameters.by_part.items()}
    columns = ("part", "parameters", "GFLOP", "share")
    table = headed(columns, right=columns[1:])
    total = model.costs.flops.total or 1
    names = sorted(
        dict.fromkeys((*flops, *parameters)), key=lambda name: flops.get(name, 0), reverse=True
    )
    shown, more = _first(names)
    for name in shown:
        operations = flops.get(name, 0)
        table.add_row(
            Text(name),
            f"{parameters.get(name, 0):,}",
            _giga(operations),
            f"{operations / total:.0%}",
        )
    if more:
        table.add_row(Text(f"and {more:,} more parts"))
    return titled("by part", table)


def _giga(operations: int) -> str:
    """In 1e9, to three places; a little is not nothing."""
    giga = operations / 1e9
    return f"{giga:.3f}" if giga >= 0.001 or not operations else "<0.001"


def _costs_facts(costs: Costs) -> Table:
    flops, memory = costs.flops, costs.memory
    sizes = _listed(f"{name} {size}" for name, size in costs.axes.items()) or "fixed sizes"
    open_flops = bool(flops.unresolved or flops.not_counted)
    rows = [
        ("at", sizes),
        (
            "FLOPs",
            f"{'at least ' if open_flops else ''}{_giga(flops.total)} G in {flops.counted} "
            "convolutions and matrix products (2 to a multiply-add)",
        ),
        (
            "activations",
            f"{'at least ' if memory.unknown else ''}{file_size(memory.size_bytes)} at their peak, "
            f"in {memory.at}",
        ),
    ]
    if costs.unbound:
        rows.append(("still open", f"{_listed(costs.unbound)} (bind with --axis NAME=SIZE)"))
    if costs.unresolved:
        rows.append(
            (
                "unresolved",
                f"{len(costs.unresolved)} of {costs.nodes} nodes have outputs of unknown size",
            )
        )
    if flops.unresolved:
        rows.append(("not in FLOPs", f"{len(flops.unresolved)} products of unknown size"))
    if flops.not_counted:
        named = _listed(f"{count} {name}" for name, count in flops.not_counted.items())
        rows.append(("not in FLOPs", f"{named}: no formula"))
    return facts(rows)


def _findings(findings: tuple[Finding, ...]) -> RenderableType:
    if not findings:
        return Text("lint: nothing found", style="green")
    table = headed(("", "rule", "where", "what"))
    for finding in findings:
        shown = ", ".join(finding.nodes[:_NAMES_SHOWN])
        more = len(finding.nodes) - _NAMES_SHOWN
        named = f"{shown}{f' and {more} more' if more > 0 else ''}"
        what = Group(Text(finding.message), Text(named), Text(finding.source))
        table.add_row(severity(finding.severity), finding.rule, finding.runtime, what)
    return titled("lint", table)
