"""A packaged model → text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from locoexport.rendering.parts.tables import facts, megabytes

if TYPE_CHECKING:
    from locoexport.pipeline.package import PackageReport

__all__ = ["package_document", "package_text"]


def package_text(report: PackageReport) -> RenderableType:
    """What was written, file by file."""
    by, fine = (
        ("schema", "fits Triton's own")
        if report.server == "triton"
        else ("OpenVINO", "compiles the file")
    )
    checked = fine if report.schema_checked else "not checked"
    rows = [
        ("repository", str(report.folder)),
        ("model", report.name),
        (by, checked),
        *(
            ("", f"{path.relative_to(report.folder)}  {megabytes(path.stat().st_size)}")
            for path in report.files
        ),
    ]
    return facts(rows)


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
    }
