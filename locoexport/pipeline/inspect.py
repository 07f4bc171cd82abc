"""An .onnx file → what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from locoexport.contract.metadata import METADATA_PREFIX, TuningStamp
from locoexport.errors import ModelFileError
from locoexport.graphs.reading import model_file_size, naming, read_model
from locoexport.inspection.facts import ModelFacts, inspect_model
from locoexport.inspection.forecast import Forecast, forecast_providers
from locoexport.inspection.shapes import dynamic_axes
from locoexport.machine.bounded_child import file_allowance, run_bounded

__all__ = ["InspectReport", "inspect_file", "inspect_here"]

_DEFAULT_SIZES = {"batch": 1, "frames": 24, "points": 64, "height": 256, "width": 256}


@dataclass(frozen=True)
class InspectReport:
    """A file, the facts about it, and where its nodes would run on other providers.

    ``tuning`` is how it says that it runs fastest; None where it does not, or not legibly.
    """

    path: Path
    size_bytes: int
    facts: ModelFacts
    forecasts: tuple[Forecast, ...]
    tuning: TuningStamp | None = None

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

    The file is read in a process of its own, since its contents may be made to do harm.

    Raises:
        ModelFileError: the file cannot be read as an ONNX model, or only with more time or memory
            than a file of its size needs.
        UsageError: ``axes`` names an axis that the graph does not have.
    """
    path = Path(path)
    return run_bounded(
        inspect_here,
        path,
        dict(axes or {}),
        allowance=file_allowance(model_file_size(path)),
        subject=path,
        error_type=ModelFileError,
    )


def inspect_here(path: Path, axes: Mapping[str, int]) -> InspectReport:
    """``inspect_file`` in this process, which a file made to do harm may take down."""
    model = read_model(path)
    open_axes = dynamic_axes(model)
    sizes = {name: size for name, size in _DEFAULT_SIZES.items() if name in open_axes}
    with naming(path):
        facts = inspect_model(model, sizes | dict(axes))
    tuning = _read_tuning(facts.metadata.get(f"{METADATA_PREFIX}tuning"))
    return InspectReport(path, path.stat().st_size, facts, forecast_providers(model), tuning)


def _read_tuning(text: str | None) -> TuningStamp | None:
    if text is None:
        return None
    try:
        return TuningStamp.parse(text)
    except ModelFileError:
        return None  # the metadata is shown as it is
