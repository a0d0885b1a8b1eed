"""A measured value before it is bound to an item."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reading:
    """`metric` has its unit in its name, in OpenTelemetry's words and Prometheus' spelling.

    See https://opentelemetry.io/docs/specs/semconv/system/system-metrics/
    """

    metric: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)
