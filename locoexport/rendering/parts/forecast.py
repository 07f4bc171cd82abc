"""The forecast of providers → text and JSON. Imports data types only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group

from locoexport.rendering.parts.tables import headed, titled

if TYPE_CHECKING:
    from locoexport.inspection.forecast import Forecast

__all__ = ["forecast_document", "forecast_table"]


def forecast_table(forecasts: Sequence[Forecast]) -> Group:
    """A row for each provider: nodes with and without a kernel, and what to know."""
    table = headed(("provider", "with kernel", "without", "which, in which part", "to know"))
    for forecast in forecasts:
        table.add_row(
            forecast.provider,
            str(forecast.covered),
            str(forecast.missing) if forecast.missing else "-",
            forecast.groups or "-",
            "; ".join(forecast.notes) or "-",
        )
    dates = {forecast.read for forecast in forecasts}
    title = f"providers, forecast from their lists of kernels (read {', '.join(sorted(dates))})"
    return titled(title, table)


def forecast_document(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    """The ``providers_forecast`` of ``locoexport.inspect/1``."""
    return [asdict(forecast) | {"missing": forecast.missing} for forecast in forecasts]
