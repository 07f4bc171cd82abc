"""An .onnx file → what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from locoexport.graphs.reading import read_model
from locoexport.inspection.facts import ModelFacts, inspect_model
from locoexport.inspection.forecast import Forecast, forecast_providers
from locoexport.inspection.shapes import dynamic_axes

__all__ = ["InspectReport", "inspect_file"]

_DEFAULT_SIZES = {"batch": 1, "frames": 24, "points": 64, "height": 256, "width": 256}


@dataclass(frozen=True)
class InspectReport:
    """A file, the facts about it, and where its nodes would run on other providers."""

    path: Path
    size_bytes: int
    facts: ModelFacts
    forecasts: tuple[Forecast, ...]

    @property
    def has_faults(self) -> bool:
        """Whether the lint found an error or a warning."""
        return any(finding.severity != "info" for finding in self.facts.findings)


def inspect_file(path: str | Path, axes: Mapping[str, int] | None = None) -> InspectReport:
    """Inspect any .onnx file.

    Args:
        path: the file; it need not be one of ours.
        axes: sizes by the names of open axes, to count costs at. Our own axes are 1 batch, 24
            frames and 64 points where nothing else is said; others stay open.

    Raises:
        ModelFileError: the file cannot be read as an ONNX model.
        UsageError: ``axes`` names an axis that the graph does not have.
    """
    path = Path(path)
    model = read_model(path)
    sizes = {name: size for name, size in _DEFAULT_SIZES.items() if name in dynamic_axes(model)}
    facts = inspect_model(model, sizes | dict(axes or {}))
    return InspectReport(path, path.stat().st_size, facts, forecast_providers(model))
