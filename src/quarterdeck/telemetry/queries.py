"""Reading telemetry. Callers pass the item itself (or several), which `require` checks against the actor's roles."""

from __future__ import annotations

from quarterdeck.telemetry.charting import Chart, Series, chart, fleet
from quarterdeck.telemetry.latest import Latest, Metric, TypeMetric, latest, metrics_of, metrics_of_many
from quarterdeck.telemetry.recent import ErrorEvent, LogLine, SenderSeen, Span, errors, logs, senders, spans
from quarterdeck.telemetry.requests import Operation, Red, Requests, requests
from quarterdeck.telemetry.status import EngineStatus, TableStatus, engine_status

__all__ = [
    "Chart",
    "EngineStatus",
    "ErrorEvent",
    "Latest",
    "LogLine",
    "Metric",
    "Operation",
    "Red",
    "Requests",
    "SenderSeen",
    "Series",
    "Span",
    "TableStatus",
    "TypeMetric",
    "chart",
    "engine_status",
    "errors",
    "fleet",
    "latest",
    "logs",
    "metrics_of",
    "metrics_of_many",
    "requests",
    "senders",
    "spans",
]
