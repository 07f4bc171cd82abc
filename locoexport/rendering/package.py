"""A packaged model → text and JSON."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.rendering.parts.tables import facts, file_size, headed

if TYPE_CHECKING:
    from locoexport.pipeline.package import PackageReport

__all__ = ["package_document", "package_text"]


def package_text(report: PackageReport) -> RenderableType:
    """What was written, file by file, and what to run next."""
    by, fine = (
        ("schema", "fits Triton's own")
        if report.server == "triton"
        else ("OpenVINO", "compiles the file")
    )
    readme = next((path for path in report.files if path.name.startswith("README")), None)
    rows = [
        ("folder", str(report.folder)),
        ("model", report.name),
        (by, fine if report.schema_checked else "not checked"),
        *(("" if index else "tuning", text) for index, text in enumerate(report.tuning)),
    ]
    table = headed(("file", "size"), right=("size",))
    for path in report.files:
        table.add_row(str(path.relative_to(report.folder)), file_size(path.stat().st_size))
    start = [f"cd {shlex.quote(str(report.folder))}", *report.start]
    # As it is typed: a shell takes no line that was broken elsewhere.
    commands = [Text(f"    {line}", no_wrap=True, overflow="ignore") for line in start]
    parts: list[RenderableType] = [facts(rows), Text(), table]
    if report.start:
        parts += [Text(), Text("Start the server:"), Text(), *commands]
    if readme is not None:
        parts += [Text(), Text(f"A client to try is in {readme}.")]
    return Group(*parts)


def package_document(report: PackageReport) -> dict[str, Any]:
    """``locoexport.package/1``."""
    return {
        "schema": "locoexport.package/1",
        "server": report.server,
        "folder": str(report.folder),
        "model": str(report.model),
        "name": report.name,
        "models": list(report.models),
        "files": [str(path.relative_to(report.folder)) for path in report.files],
        "schema_checked": report.schema_checked,
        "tuning": list(report.tuning),
        "start_command": "\n".join(report.start) or None,
    }
