"""Spans as Zipkin writes them: times in microseconds, kinds in capitals, an endpoint instead of a service.

See https://github.com/openzipkin/zipkin/blob/master/zipkin/src/main/java/zipkin2/internal/V2SpanWriter.java
"""

from __future__ import annotations

from typing import Any

from quarterdeck.tracing.queries import Trace, TraceSpan

_KINDS = {"server": "SERVER", "client": "CLIENT", "producer": "PRODUCER", "consumer": "CONSUMER"}
# What the receiver put among the attributes, which Zipkin has a place of its own for.
_OWN = frozenset({"peer.service", "network.peer.address", "network.peer.port", "zipkin.shared"})


def of_trace(trace: Trace) -> list[dict[str, Any]]:
    """Return the spans of a trace, with the times that were sent: Zipkin's UI corrects clocks itself."""
    return [_span(node.span) for node in trace.nodes]


def trace_id(key: str) -> str:
    """Return an id as Zipkin writes it: 16 digits, or 32."""
    return key[16:] if key.startswith("0" * 16) else key


def _span(span: TraceSpan) -> dict[str, Any]:
    written: dict[str, Any] = {
        "traceId": trace_id(span.trace_id),
        "parentId": span.parent_id,
        "id": span.span_id,
        "kind": _KINDS.get(span.kind, ""),
        "name": span.name.lower(),
        "timestamp": span.start_ns // 1000,
        # Zero would mean unknown.
        "duration": max(1, span.duration_ns // 1000) if span.duration_ns else 0,
        "localEndpoint": _endpoint(span.service, span.resource.get("host.ip", ""), ""),
        "remoteEndpoint": _endpoint(
            span.attributes.get("peer.service", "") or span.peer,
            span.attributes.get("network.peer.address", ""),
            span.attributes.get("network.peer.port", ""),
        ),
        "annotations": [
            {"timestamp": one.at_ns // 1000, "value": one.name} for one in sorted(span.events, key=lambda e: e.at_ns)
        ],
        "tags": _tags(span),
    }
    if span.attributes.get("zipkin.shared") == "true":
        written["shared"] = True
    return {name: value for name, value in written.items() if value}


def _endpoint(service: str, address: str, port: str) -> dict[str, Any]:
    found: dict[str, Any] = {"serviceName": service.lower()} if service else {}
    if address:
        found["ipv6" if ":" in address else "ipv4"] = address
    if port.isdecimal() and int(port):
        found["port"] = int(port)
    return found


def _tags(span: TraceSpan) -> dict[str, str]:
    tags = {key: value for key, value in span.attributes.items() if key not in _OWN}
    if span.is_error:
        tags.setdefault("error", span.status_message or "true")
    return tags
