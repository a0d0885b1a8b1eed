"""Events: errors and messages. See https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarterdeck.telemetry.receivers.sentry import grouping, payloads
from quarterdeck.telemetry.receivers.sentry.batches import EVENTS, Batch
from quarterdeck.telemetry.receivers.sentry.values import (
    TEXT_MAX,
    first,
    hex_id,
    mapping,
    objects,
    tags,
    text,
    unix_ns,
)

_FINGERPRINT_MAX = 20


def add_event(event: dict[str, Any], batch: Batch, kind: str = "") -> str:
    """Add an event to the batch; return its id, which the envelope's header says before the event does."""
    event_id = batch.id_of(event)
    event["event_id"] = event_id
    exceptions = objects(event.get("exception"))
    template, message = messages_of(event)
    main = exceptions[-1] if exceptions else {}
    marks = tags(event.get("tags"))
    fingerprint = [text(part) for part in _list(event.get("fingerprint"))[:_FINGERPRINT_MAX]]
    parts = payloads.payload_of(event)
    trace = mapping(mapping(event.get("contexts")).get("trace"))
    batch.add(
        EVENTS,
        text(event.get("server_name")),
        service_of(event, marks),
        batch.project,
        unix_ns(event.get("timestamp")) or batch.received_ns,
        event_id,
        kind or ("error" if exceptions else "message"),
        text(event.get("level"), 20) or "error",
        text(event.get("logger")),
        text(event.get("platform")),
        sdk_of(event),
        text(event.get("release")),
        text(event.get("environment")),
        text(main.get("type")),
        text(main.get("value"), TEXT_MAX),
        _title(main, message),
        culprit_of(event, main),
        text(event.get("transaction")),
        user_of(event),
        hex_id(trace.get("trace_id"), 32),
        hex_id(trace.get("span_id"), 16),
        all(mapping(one.get("mechanism")).get("handled") is not False for one in exceptions),
        marks,
        fingerprint,
        grouping.VERSION,
        grouping.grouping_hash(event, exceptions, template, fingerprint),
        parts.pieces,
        parts.raws,
        parts.prefixes,
        parts.tail,
    )
    return event_id


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def messages_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the message as it stands in the program ("paid %s") and as it was ("paid 7"); they may be the same."""
    entry = event.get("logentry") or event.get("sentry.interfaces.Message") or event.get("message")
    if not isinstance(entry, dict):
        plain = text(entry, TEXT_MAX)
        return plain, plain
    # Parameters are not put in here: a format may ask for gigabytes.
    template = text(entry.get("message"), TEXT_MAX)
    formatted = text(entry.get("formatted"), TEXT_MAX)
    return template or formatted, formatted or template


def _title(main: Mapping[str, Any], message: str) -> str:
    """Return the line that says what happened: "ValueError: no such order"."""
    named = [part for part in (text(main.get("type")), text(main.get("value"), TEXT_MAX)) if part]
    return ": ".join(named) or message


def culprit_of(event: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    """Return where it happened: what the client says, else the innermost function of the application."""
    given = text(event.get("culprit"))
    frames = grouping.in_app(grouping.frames_of(main) or grouping.frames_of(event))
    if given or not frames:
        return given or text(event.get("transaction"))
    where, function = first(frames[-1], "module", "filename", "abs_path"), text(frames[-1].get("function"))
    return f"{where} in {function}" if where and function else where or function


def sdk_of(event: Mapping[str, Any]) -> str:
    """Return the SDK and its version, "sentry.python/2.75.0"."""
    sdk = mapping(event.get("sdk"))
    return "/".join(part for part in (text(sdk.get("name")), text(sdk.get("version"), 40)) if part)


def user_of(event: Mapping[str, Any]) -> str:
    """Return what tells users apart."""
    return first(mapping(event.get("user")), "id", "username", "email", "ip_address")


def service_of(event: Mapping[str, Any], marks: Mapping[str, str]) -> str:
    """Return the service as the client names it, "" where it does not: the key or the project says it then."""
    resource = mapping(mapping(mapping(event.get("contexts")).get("otel")).get("resource"))
    return first(marks, "service", "service.name") or first(resource, "service.name") or first(event, "service")
