"""Traces as Jaeger writes them: times in microseconds, tags as a list, services as processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.tracing.queries import Trace, TraceSpan


def answer(
    data: list[Any] | None, errors: list[dict[str, Any]] | None = None, *, is_counted: bool = False
) -> dict[str, Any]:
    """Return the envelope of every answer."""
    total = len(data) if data is not None and is_counted else 0
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}


def trace_id(key: str) -> str:
    """Return an id as Jaeger writes it: 16 digits where the upper half is empty, else 32."""
    return key[16:] if key.startswith("0" * 16) else key


def of_trace(trace: Trace) -> dict[str, Any]:
    """Return a trace; times are adjusted for skew as Jaeger adjusts them, with a warning at the span."""
    processes: dict[tuple[str, str], str] = {}
    described: dict[str, Any] = {}
    spans = []
    for node in trace.nodes:
        key = (node.span.service, node.span.host)
        if key not in processes:
            processes[key] = f"p{len(processes) + 1}"
            described[processes[key]] = _process(node.span)
        spans.append(_span(node.span, processes[key], node.start_ns, node.skew_ns))
    return {"traceID": trace_id(trace.trace_id), "spans": spans, "processes": described, "warnings": None}


def _process(span: TraceSpan) -> dict[str, Any]:
    tags = dict(span.resource)
    tags.pop("service.name", None)
    if span.host:
        tags.setdefault("host.name", span.host)
    if span.version:
        tags.setdefault("service.version", span.version)
    return {"serviceName": span.service, "tags": _tags(tags)}


def _span(span: TraceSpan, process: str, start_ns: int, skew_ns: int) -> dict[str, Any]:
    of_trace_ = trace_id(span.trace_id)
    references = [("CHILD_OF", of_trace_, span.parent_id)] if span.parent_id else []
    references += [("FOLLOWS_FROM", trace_id(linked), span_id) for linked, span_id in span.links]
    moved = f"This span's timestamps were adjusted by {skew_ns / 1e6:g}ms"
    return {
        "traceID": of_trace_,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": [{"refType": kind, "traceID": one, "spanID": other} for kind, one, other in references],
        "startTime": start_ns // 1000,
        "duration": span.duration_ns // 1000,
        "tags": _span_tags(span),
        "logs": [
            {
                "timestamp": (event.at_ns + skew_ns) // 1000,
                "fields": _tags({"event": event.name, **event.attributes}),
            }
            for event in span.events
        ],
        "processID": process,
        "warnings": [moved] if skew_ns else None,
    }


def _span_tags(span: TraceSpan) -> list[dict[str, Any]]:
    tags = _tags(span.attributes)
    if span.kind != "internal" or "span.kind" not in span.attributes:
        tags.append({"key": "span.kind", "type": "string", "value": span.kind})
    if span.is_error:
        tags = [tag for tag in tags if tag["key"] != "error"]
        tags.append({"key": "error", "type": "bool", "value": True})
        tags.append({"key": "otel.status_code", "type": "string", "value": "ERROR"})
    if span.status_message:
        tags.append({"key": "otel.status_description", "type": "string", "value": span.status_message})
    return tags


def _tags(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "type": "string", "value": value} for key, value in values.items()]
