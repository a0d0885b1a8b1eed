"""Structured logs and metrics, which come many in one item.

See https://develop.sentry.dev/sdk/telemetry/logs/ and https://develop.sentry.dev/sdk/telemetry/metrics/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from quarterdeck.telemetry.canonical import LogRow, MetricRow
from quarterdeck.telemetry.receivers.sentry.batches import Batch
from quarterdeck.telemetry.receivers.sentry.values import attributes, first, hex_id, number, text, unix_ns

_LINE_MAX = 256 << 10
_LABELS_MAX = 100
_INNER = re.compile(r"[^a-zA-Z0-9_]")
_OWN = frozenset(
    {
        "sentry.release", "sentry.environment", "sentry.sdk.name", "sentry.sdk.version", "server.address", "service.name",
        "service", "logger.name", "sentry.severity_number", "sentry.severity_text", "sentry.trace.parent_span_id",
    }
)  # fmt: skip
# What would make a series of every process, user or sample.
_NO_LABELS = ("user.", "process.", "thread.", "sentry.", "server.")
_UNITS = {"byte": "bytes", "bit": "bits", "ratio": "ratio", "percent": "percent", "none": ""}


def _sdk(found: Mapping[str, str]) -> str:
    return "/".join(part for part in (found.get("sentry.sdk.name", ""), found.get("sentry.sdk.version", "")) if part)


def add_log(line: dict[str, Any], batch: Batch) -> None:
    """Add a line of structured logs."""
    found = attributes(line.get("attributes"))
    release, environment = found.get("sentry.release", ""), found.get("sentry.environment", "")
    batch.logs.append(
        LogRow(
            ts_ns=unix_ns(line.get("timestamp")) or batch.received_ns,
            message=text(line.get("body"), _LINE_MAX),
            service=first(found, "service.name", "service"),
            host=found.get("server.address", "")[:200],
            component=first(found, "logger.name"),
            level=text(line.get("level"), 20) or first(found, "sentry.severity_text"),
            trace_id=hex_id(line.get("trace_id"), 32),
            span_id=hex_id(line.get("span_id") or found.get("sentry.trace.parent_span_id"), 16),
            attributes={name: value for name, value in found.items() if name not in _OWN},
            resource=batch.resource(release, environment, _sdk(found)),
        )
    )


Series = tuple[str, str, tuple[tuple[str, str], ...]]


def add_metrics(found: list[dict[str, Any]], batch: Batch) -> None:
    """Add the samples of an item. A counter's value is what was added, so its series ends in `_delta` (as OTLP's do)."""
    series: dict[Series, dict[int, float]] = {}
    for one in found:
        value, name = number(one.get("value")), _metric_name(one)
        labels = _labels(attributes(one.get("attributes")), batch)
        if value is None or not name or len(labels) > _LABELS_MAX:
            batch.refuse("no_value" if value is None else "no_name" if not name else "too_many_labels")
            continue
        at_ms = (unix_ns(one.get("timestamp")) or batch.received_ns) // 1_000_000
        kind = text(one.get("type"), 20)
        _put(series.setdefault((kind, name, tuple(sorted(labels.items()))), {}), kind, at_ms, value)
    batch.metrics.extend(
        MetricRow(name, dict(labels), sorted(samples.items())) for (_, name, labels), samples in series.items()
    )


def _put(samples: dict[int, float], kind: str, at_ms: int, value: float) -> None:
    """Keep a sample. A series has one for each millisecond: counts are added up, what was measured moves on."""
    if kind == "counter":
        samples[at_ms] = samples.get(at_ms, 0.0) + value
    elif kind == "gauge":
        samples[at_ms] = value
    else:
        while at_ms in samples:
            at_ms += 1
        samples[at_ms] = value


def _metric_name(one: Mapping[str, Any]) -> str:
    name = _INNER.sub("_", text(one.get("name")))
    if not name.strip("_"):
        return ""
    unit = text(one.get("unit"), 20).lower()
    suffix = _UNITS.get(unit, f"{unit}s" if unit.isascii() and unit.isalpha() else "")
    if suffix and not name.endswith(suffix):
        name = f"{name}_{suffix}"
    if one.get("type") == "counter":
        name = f"{name}_delta"
    return f"_{name}" if name[0].isdigit() else name


def _labels(found: Mapping[str, str], batch: Batch) -> dict[str, str]:
    named = {
        _INNER.sub("_", name): value[:1000]
        for name, value in found.items()
        if name not in _OWN and not name.startswith(_NO_LABELS)
    }
    own = {
        "service": first(found, "service.name", "service") or f"project-{batch.project}",
        "host": found.get("server.address", "")[:200],
        "version": found.get("sentry.release", ""),
        "env": found.get("sentry.environment", ""),
    }
    return {name: value for name, value in {**named, **own}.items() if value and name}
