"""``locoexport doctor``: what was found, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from locoexport.rendering.parts.forecast import forecast_document
from locoexport.rendering.parts.placement import elsewhere_text, nodes_text
from locoexport.rendering.parts.tables import facts, gigabytes, headed, megabytes, severity, titled

if TYPE_CHECKING:
    from locoexport.pipeline.diagnosis.outlook import ModelOutlook
    from locoexport.pipeline.diagnosis.report import DoctorReport, Installation, Problem

__all__ = ["doctor_document", "doctor_text"]

_SHOWN_FEATURES = ("AVX2", "FMA", "F16C", "AVX-512", "AVX-512 VNNI", "AVX VNNI", "AMX")
_X86 = ("x86_64", "AMD64", "i686")


def doctor_text(report: DoctorReport) -> RenderableType:
    """The machine, the packages, the providers, and the problems."""
    return Group(
        _identity(report),
        Text(),
        _providers(report.found),
        Text(),
        *([] if report.outlook is None else [_outlook(report.outlook), Text()]),
        _problems(report.problems),
    )


def doctor_document(report: DoctorReport) -> dict[str, Any]:
    """``locoexport.doctor/1``."""
    found = report.found
    return {
        "schema": "locoexport.doctor/1",
        "works": found.cpu_provider_works,
        "version": report.version,
        "python": report.python,
        "system": report.system,
        "packages": {package.name: package.version for package in found.packages},
        "import_failures": dict(found.broken),
        "providers": [asdict(state) for state in found.providers],
        "onnxruntime_built_for": found.built_for,
        "nvidia_driver": found.driver,
        "cpu": asdict(found.cpu),
        "memory": asdict(found.memory),
        "cache": asdict(found.cache) | {"path": str(found.cache.path)},
        "problems": [asdict(problem) for problem in report.problems],
        "model": None if report.outlook is None else _outlook_document(report.outlook),
    }


def _identity(report: DoctorReport) -> Table:
    found = report.found
    cpu, memory, cache = found.cpu, found.memory, found.cache
    packages = {p.name: p.version for p in found.packages}  # two extras may bring the same one
    versions = [f"{name} {version}" for name, version in packages.items() if version is not None]
    missing = [name for name, version in packages.items() if version is None]
    limit = "" if memory.limit is None else f", container limit {gigabytes(memory.limit)}"
    free = "" if cache.free_bytes is None else f", {gigabytes(cache.free_bytes)} free on the disk"
    return facts(
        [
            ("locoexport", f"{report.version}, Python {report.python}, {report.system}"),
            ("packages", ", ".join(versions)),
            ("not installed", ", ".join(missing) or "nothing that is used here"),
            (
                "processor",
                f"{cpu.model}: {cpu.usable_cores} of {cpu.logical_cores} logical cores usable"
                f", {cpu.physical_cores or 'unknown number of'} physical",
            ),
            ("features", _features(found)),
            (
                "memory",
                f"{gigabytes(memory.available)} of {gigabytes(memory.total)} free{limit}",
            ),
            (
                "cache",
                f"{cache.path} ({'writable' if cache.writable else 'NOT writable'}, "
                f"{megabytes(cache.size_bytes)} in it{free})",
            ),
            ("NVIDIA driver", found.driver or "none"),
        ]
    )


def _features(found: Installation) -> str:
    features = found.cpu.features
    if features is None:
        return "this operating system does not tell"
    if found.cpu.architecture not in _X86:
        return ", ".join(features) or "none of those that matter"
    said = [f"{name} {'yes' if name in features else 'no'}" for name in _SHOWN_FEATURES]
    return ", ".join(said)


def _providers(found: Installation) -> RenderableType:
    title = "execution providers (a one-node model was run on each)"
    table = headed(("provider", "", "why not", "to get it"))
    for state in found.providers:
        mark = Text("works", "bold green") if state.works else Text("no", "dim")
        table.add_row(state.name, mark, Text(state.missing), Text(state.remedy))
    return titled(title, table)


def _outlook(outlook: ModelOutlook) -> RenderableType:
    """A row for each provider: where the file's nodes ran, or would."""
    table = headed(("provider", "", "nodes", "elsewhere, by part of the model"))
    for placement in outlook.ran:
        if placement.failure:
            table.add_row(placement.asked, Text("failed", "bold red"), "", Text(placement.failure))
        else:
            nodes = Text(nodes_text(placement.nodes))
            elsewhere = Text(elsewhere_text(placement.elsewhere) or "-")
            table.add_row(placement.asked, Text("ran", "bold green"), nodes, elsewhere)
    for forecast in outlook.forecasts:
        unknown = f", {forecast.undecided} unknown" if forecast.undecided else ""
        nodes = Text(f"{forecast.covered} of {forecast.total}{unknown}")
        table.add_row(forecast.provider, Text("forecast", "dim"), nodes, forecast.groups or "-")
    dates = ", ".join(sorted({forecast.read for forecast in outlook.forecasts}))
    known = f" (forecasts from lists of kernels, read {dates})" if dates else ""
    title = f"where the nodes of {outlook.path} run{known}"
    if outlook.note:
        return Group(titled(title, table), Text(outlook.note, style="yellow"))
    return titled(title, table)


def _outlook_document(outlook: ModelOutlook) -> dict[str, Any]:
    return {
        "file": str(outlook.path),
        "ran": [
            {
                "provider": placement.asked,
                "node_placement": dict(placement.nodes),
                "elsewhere": [asdict(group) for group in placement.elsewhere],
                "failure": placement.failure or None,
            }
            for placement in outlook.ran
        ],
        "providers_forecast": forecast_document(outlook.forecasts),
        "no_forecast": outlook.note or None,
    }


def _problems(problems: tuple[Problem, ...]) -> RenderableType:
    if not problems:
        return Text("nothing is missing", style="green")
    table = headed(("", "problem", "what to do"))
    for problem in problems:
        table.add_row(severity(problem.severity), Text(problem.text), Text(problem.command))
    return titled("problems", table)
