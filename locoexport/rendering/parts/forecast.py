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


_NOTES_SHOWN = 5
"""Of each provider; all are in the JSON."""


def forecast_table(forecasts: Sequence[Forecast]) -> Group:
    """A row for each provider: nodes with a kernel, without and unknown; then which, and why."""
    numbers = ("nodes with kernel", "without", "unknown")
    table = headed(("provider", *numbers), right=numbers)
    rows: list[tuple[str, str]] = []
    for forecast in forecasts:
        counts = (forecast.covered, forecast.missing, forecast.undecided)
        table.add_row(forecast.provider, *map(str, counts))
        told = _told(forecast)
        rows += [(forecast.provider if not index else "", text) for index, text in enumerate(told)]
    dates = {forecast.read for forecast in forecasts}
    title = f"providers, forecast from their lists of kernels (read {', '.join(sorted(dates))})"
    parts: list[RenderableType] = [titled(title, table)]
    if rows:
        parts += [Text(), facts(rows)]
    return Group(*parts)


def _told(forecast: Forecast) -> list[str]:
    told = [f"without: {forecast.groups}"] if forecast.groups else []
    told += [f"unknown: {forecast.unknown_groups}"] if forecast.unknown else []
    told += forecast.notes[:_NOTES_SHOWN]
    more = len(forecast.notes) - _NOTES_SHOWN
    return told + ([f"and {more} more remarks (--json has them)"] if more > 0 else [])


def forecast_document(forecasts: Sequence[Forecast]) -> list[dict[str, Any]]:
    """The ``providers_forecast`` of ``locoexport.inspect/1``."""
    return [
        asdict(forecast) | {"missing": forecast.missing, "undecided": forecast.undecided}
        for forecast in forecasts
    ]
