"""Reading telemetry. Callers pass the item itself (or several), which `require` checks against the actor's roles."""

from __future__ import annotations

from quarterdeck.telemetry.charting import Chart, Series, chart
from quarterdeck.telemetry.latest import Latest, Metric, latest, metrics_of
from quarterdeck.telemetry.status import EngineStatus, TableStatus, engine_status

__all__ = [
    "Chart",
    "EngineStatus",
    "Latest",
    "Metric",
    "Series",
    "TableStatus",
    "chart",
    "engine_status",
    "latest",
    "metrics_of",
]
