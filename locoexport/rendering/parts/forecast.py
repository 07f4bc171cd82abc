"""The forecast of providers → text and JSON. Imports data types only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from locoexport.rendering.parts.tables import facts, headed, titled

if TYPE_CHECKING:
    from locoexport.inspection.forecast import Forecast

__all__ = ["forecast_document", "forecast_table"]


def forecast_table(forecasts: Sequence[Forecast]) -> Group:
    """A row for each provider: nodes with and without a kernel; then which, and what to know."""
    numbers = ("nodes with kernel", "without")
    table = headed(("provider", *numbers), right=numbers)
    rows: list[tuple[str, str]] = []
    for forecast in forecasts:
        table.add_row(forecast.provider, str(forecast.covered), str(forecast.missing))
        told = [f"without: {forecast.groups}"] if forecast.groups else []
        told += forecast.notes
        rows += [(forecast.provider if not index else "", text) for index, text in enumerate(told)]
    dates = {forecast.read for forecast in forecasts}
    title = f"providers, forecast from their lists of kernels (read {', '.join(sorted(dates))})"
    parts: list[RenderableType] = [titled(title, table)]
    if rows:
        parts += [Text(), facts(rows)]
    return Group(*parts)


def forecast_document(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    """The ``providers_forecast`` of ``locoexport.inspect/1``."""
    return [asdict(forecast) | {"missing": forecast.missing} for forecast in forecasts]
