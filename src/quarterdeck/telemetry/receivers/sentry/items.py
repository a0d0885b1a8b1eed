"""Which item goes where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.telemetry.receivers.sentry import health, spans
from quarterdeck.telemetry.receivers.sentry.batches import Batch
from quarterdeck.telemetry.receivers.sentry.containers import add_log, add_metrics
from quarterdeck.telemetry.receivers.sentry.envelopes import Item
from quarterdeck.telemetry.receivers.sentry.events import add_event
from quarterdeck.telemetry.receivers.sentry.values import load_object, objects
from quarterdeck.telemetry.receiving import Refused

EVENT_MAX_BYTES = 1 << 20
CONTAINER_MAX_BYTES = 10 << 20
# What is known and not kept; everything else is counted as `item_unknown`.
_SKIPPED = frozenset(
    {
        "profile", "profile_chunk", "replay_event", "replay_recording", "replay_video", "statsd", "metric_meta",
        "metric_buckets", "nel", "raw_security", "form_data", "otel_log", "user_feedback", "unreal_report",
    }
)  # fmt: skip


def add_any_event(event: dict[str, Any], batch: Batch) -> None:
    """Add an event, which in older SDKs may be a transaction."""
    if event.get("type") == "transaction":
        spans.add_transaction(event, batch)
    else:
        add_event(event, batch)


def _spans(found: dict[str, Any], batch: Batch) -> None:
    if isinstance(found.get("items"), list):
        for span in objects(found["items"]):
            spans.add_streamed(span, batch)
    else:
        spans.add_span(found, batch)


def _logs(found: dict[str, Any], batch: Batch) -> None:
    for line in objects(found.get("items", found)):
        add_log(line, batch)


def _metrics(found: dict[str, Any], batch: Batch) -> None:
    add_metrics(objects(found.get("items", found)), batch)


_HANDLERS: dict[str, Callable[[dict[str, Any], Batch], object]] = {
    "event": add_any_event,
    "transaction": spans.add_transaction,
    "feedback": health.add_feedback,
    "user_report": health.add_user_report,
    "session": health.add_session,
    "sessions": health.add_sessions,
    "check_in": health.add_check_in,
    "client_report": health.add_client_report,
    "span": _spans,
    "log": _logs,
    "trace_metric": _metrics,
    "metric": _metrics,
}
_CONTAINERS = frozenset({"span", "log", "trace_metric", "metric", "transaction"})


def add_item(item: Item, batch: Batch) -> None:
    """Add an item's content to the batch; what is not taken is counted there. Raises Refused for one too large."""
    if item.kind == "attachment":
        health.add_attachment(item.header, item.payload, batch)
        return
    handler = _HANDLERS.get(item.kind)
    if handler is None:
        batch.refuse(f"item_{item.kind}" if item.kind in _SKIPPED else "item_unknown")
        return
    check_size(item.payload, CONTAINER_MAX_BYTES if item.kind in _CONTAINERS else EVENT_MAX_BYTES, item.kind)
    try:
        handler(load_object(item.payload), batch)
    except Refused as error:
        batch.refuse(error.reason)


def check_size(content: bytes, limit: int, what: str) -> None:
    """Raises Refused for content that is too large."""
    if len(content) > limit:
        raise Refused(f"the {what} is larger than {limit >> 20} MB", reason="too_large", status=413)
