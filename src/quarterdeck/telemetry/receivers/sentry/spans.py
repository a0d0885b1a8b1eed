"""Transactions with their spans, spans that come alone, and streamed spans (version 2).

See https://develop.sentry.dev/sdk/telemetry/spans/span-protocol/ and .../foundations/data-model/event-payloads/transaction/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from quarterdeck.telemetry.canonical import SpanRow
from quarterdeck.telemetry.receivers.sentry.batches import Batch
from quarterdeck.telemetry.receivers.sentry.events import sdk_of, service_of
from quarterdeck.telemetry.receivers.sentry.values import (
    TEXT_MAX,
    attributes,
    first,
    hex_id,
    mapping,
    objects,
    tags,
    text,
    unix_ns,
)

_FINE = frozenset({"", "ok", "unset", "cancelled"})
# See https://develop.sentry.dev/sdk/telemetry/traces/span-operations/
_KINDS = (
    (("http.server", "rpc.server", "grpc.server", "websocket.server", "graphql.server"), "server"),
    (("queue.publish", "queue.submit", "topic.send"), "producer"),
    (("queue.process", "queue.task", "queue.receive", "topic.process"), "consumer"),
    (("http.client", "http", "db", "cache", "rpc", "grpc", "rpc.client", "grpc.client", "gen_ai"), "client"),
)  # fmt: skip
_STATEMENT = re.compile(
    r"\s*(select|insert|update|delete|create|drop|alter|begin|commit|rollback|with)\b", re.IGNORECASE
)


def _kind(op: str) -> str:
    for names, kind in _KINDS:
        if any(op == name or op.startswith(f"{name}.") for name in names):
            return kind
    return "internal"


def _name(op: str, description: str) -> str:
    """Return a name that many calls share: a statement of SQL or an address with its query would be one of a kind."""
    if op == "db" or op.startswith("db."):
        word = _STATEMENT.match(description)
        return f"{op} {word[1].upper()}" if word else op
    return re.sub(r"[?#].*", "", description, flags=re.DOTALL)[:200] or op


def add_transaction(event: dict[str, Any], batch: Batch) -> str:
    """Add a transaction, which is a span itself, with the spans that it holds; return its id."""
    event_id = batch.id_of(event)
    trace = mapping(mapping(event.get("contexts")).get("trace"))
    release, environment = text(event.get("release")), text(event.get("environment"))
    shared = {
        "service": service_of(event, tags(event.get("tags"))),
        "host": text(event.get("server_name")),
        "version": release,
        "env": environment,
        "resource": batch.resource(release, environment, sdk_of(event)),
    }
    own = {
        **trace,
        "start_timestamp": event.get("start_timestamp"),
        "timestamp": event.get("timestamp"),
        "description": text(event.get("transaction")),
        "data": {**_own_attributes(event), **mapping(trace.get("data"))},
    }
    _add(own, shared, batch, name=text(event.get("transaction")))
    for span in objects(event.get("spans")):
        span.setdefault("trace_id", trace.get("trace_id"))
        _add(span, shared, batch)
    return event_id


def _own_attributes(event: Mapping[str, Any]) -> dict[str, Any]:
    request = mapping(event.get("request"))
    values = {"url.full": request.get("url"), "http.request.method": request.get("method")}
    measured = {
        f"measurement.{name}": inner.get("value")
        for name, inner in mapping(event.get("measurements")).items()
        if isinstance(inner, dict)
    }
    return {**values, **measured, **{f"tag.{name}": value for name, value in tags(event.get("tags")).items()}}


def _add(span: dict[str, Any], shared: Mapping[str, Any], batch: Batch, name: str = "") -> None:
    """Add a span of version 1. One without ids or times is left out."""
    op, description = text(span.get("op")), text(span.get("description"), TEXT_MAX)
    status = text(span.get("status"), 40)
    found = attributes(span.get("data"))
    found |= {f"tag.{key}": value for key, value in tags(span.get("tags")).items()}
    found |= {"sentry.op": op, "sentry.origin": text(span.get("origin"))}
    if op.startswith("db") and description and not first(found, "db.query.text", "db.statement"):
        found["db.query.text"] = description
    elif description and description != name:
        found["sentry.description"] = description
    _append(
        batch,
        span,
        span.get("timestamp"),
        name=name or _name(op, description),
        kind=_kind(op),
        is_error=status not in _FINE,
        status_message="" if status in _FINE else status,
        attributes={key: value for key, value in found.items() if value},
        **shared,
    )


def _append(batch: Batch, span: Mapping[str, Any], end: Any, **columns: Any) -> None:
    trace_id, span_id = hex_id(span.get("trace_id"), 32), hex_id(span.get("span_id"), 16)
    start_ns, end_ns = unix_ns(span.get("start_timestamp")), unix_ns(end)
    if not trace_id or not span_id or start_ns is None:
        batch.refuse("no_id" if start_ns is not None else "no_time")
        return
    links = [(hex_id(one.get("trace_id"), 32), hex_id(one.get("span_id"), 16)) for one in objects(span.get("links"))]
    row = SpanRow(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(span.get("parent_span_id"), 16),
        ts_ns=start_ns,
        duration_ns=max(0, (end_ns or start_ns) - start_ns),
        links=[link for link in links if all(link)],
        **columns,
    )
    batch.spans.append(row)


def add_span(span: dict[str, Any], batch: Batch) -> None:
    """Add a span that came alone (version 1), as browsers send for web vitals."""
    found = attributes(span.get("data"))
    release, environment = first(found, "release", "sentry.release"), first(found, "environment", "sentry.environment")
    shared = {
        "service": first(found, "service.name"),
        "version": release,
        "env": environment,
        "resource": batch.resource(release, environment, first(found, "sentry.sdk.name")),
    }
    _add(span, shared, batch)


# Attributes that have columns of their own, or that stand in the resource.
_MOVED = frozenset({"sentry.release", "sentry.environment", "sentry.sdk.name", "sentry.sdk.version"})


def add_streamed(span: dict[str, Any], batch: Batch) -> None:
    """Add a span of version 2."""
    found = attributes(span.get("attributes"))
    op, given, status = found.get("sentry.op", ""), text(span.get("name"), TEXT_MAX), text(span.get("status"), 40)
    kept = {key: value for key, value in found.items() if key not in _MOVED and value}
    if op.startswith("db") and given and not first(found, "db.query.text", "db.statement"):
        kept["db.query.text"] = given
    _append(
        batch,
        span,
        span.get("end_timestamp"),
        name=given[:200] if span.get("is_segment") is True and given else _name(op, given),
        kind=_kind(op),
        is_error=status not in _FINE,
        status_message="" if status in _FINE else first(found, "sentry.status.message") or status,
        service=first(found, "service.name", "service"),
        host=first(found, "host.name", "sentry.server_name"),
        version=found.get("sentry.release", ""),
        env=found.get("sentry.environment", ""),
        attributes=kept,
        resource=batch.resource(
            found.get("sentry.release", ""), found.get("sentry.environment", ""), _sdk(found)
        ),
    )  # fmt: skip


def _sdk(found: Mapping[str, str]) -> str:
    return "/".join(part for part in (found.get("sentry.sdk.name", ""), found.get("sentry.sdk.version", "")) if part)
