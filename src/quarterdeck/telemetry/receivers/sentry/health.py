"""What is no event: sessions, check-ins, attachments, feedback, and what clients say they did not send.

See https://develop.sentry.dev/sdk/telemetry/ (sessions, check-ins, attachments, feedbacks, client-reports)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from quarterdeck.telemetry.receivers.sentry.batches import (
    ATTACHMENTS,
    CHECK_INS,
    CLIENT_REPORTS,
    FEEDBACK,
    SESSIONS,
    Batch,
)
from quarterdeck.telemetry.receivers.sentry.events import service_of
from quarterdeck.telemetry.receivers.sentry.values import (
    TEXT_MAX,
    compact,
    first,
    hex_id,
    mapping,
    number,
    objects,
    tags,
    text,
    unix_ns,
    whole,
)

ATTACHMENT_MAX_BYTES = 10 << 20
_SESSION_STATES = frozenset({"ok", "exited", "crashed", "abnormal", "errored", "unhandled"})
_CHECK_IN_STATES = frozenset({"in_progress", "ok", "error", "missed", "timeout"})
_ROWS_MAX = 1000
_LOST = ("discarded_events", "rate_limited_events", "filtered_sampling_events", "filtered_events")
_MAX_64 = (1 << 63) - 1


def _user_hash(user: Any) -> int:
    """Users are only counted: a hash tells them apart, and tells nobody who they are."""
    plain = text(user)
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "big") if plain else 0


def add_session(session: dict[str, Any], batch: Batch) -> None:
    """Add an update of a session. The row with the highest `seq` says how the session is."""
    shared = mapping(session.get("attrs"))
    release, status = text(shared.get("release")), text(session.get("status"), 20) or "ok"
    session_id = hex_id(session.get("sid"), 32)
    at_ns = unix_ns(session.get("timestamp")) or batch.received_ns
    if not release or not session_id or status not in _SESSION_STATES:
        batch.refuse("no_release" if session_id and not release else "malformed")
        return
    batch.add(
        SESSIONS,
        "",
        batch.project,
        unix_ns(session.get("started")) or at_ns,
        session_id,
        whole(session.get("seq"), _MAX_64) or at_ns // 1_000_000,
        release,
        text(shared.get("environment")),
        status,
        whole(session.get("errors")),
        max(0.0, number(session.get("duration")) or 0.0),
        _user_hash(session.get("did")),
        1,
    )


def add_sessions(found: dict[str, Any], batch: Batch) -> None:
    """Add sessions that a server counted by minute and outcome."""
    shared = mapping(found.get("attrs"))
    release = text(shared.get("release"))
    if not release:
        batch.refuse("no_release")
        return
    for group in objects(found.get("aggregates"))[:_ROWS_MAX]:
        started = unix_ns(group.get("started")) or batch.received_ns
        user = _user_hash(group.get("did"))
        for status in sorted(_SESSION_STATES - {"ok"}):
            count = whole(group.get(status))
            if count:
                errors = count if status in ("errored", "unhandled") else 0
                batch.add(
                    SESSIONS, "", batch.project, started, batch.made_id(), 0, release, text(shared.get("environment")),
                    status, errors, 0.0, user, count,
                )  # fmt: skip


def add_check_in(found: dict[str, Any], batch: Batch) -> None:
    """Add a report of a scheduled job. A client that knows no id of its own sends zeros and gets one."""
    monitor, status = text(found.get("monitor_slug")), text(found.get("status"), 20)
    if not monitor or status not in _CHECK_IN_STATES:
        batch.refuse("malformed")
        return
    config = mapping(found.get("monitor_config"))
    batch.add(
        CHECK_INS,
        text(found.get("server_name")),
        service_of(found, tags(found.get("tags"))),
        batch.project,
        unix_ns(found.get("timestamp")) or batch.received_ns,
        hex_id(found.get("check_in_id"), 32) or batch.made_id(),
        monitor,
        status,
        max(0.0, number(found.get("duration")) or 0.0),
        text(found.get("environment")) or "production",
        text(found.get("release")),
        hex_id(mapping(mapping(found.get("contexts")).get("trace")).get("trace_id"), 32),
        compact(config) if config else "",
    )


def add_attachment(header: Mapping[str, Any], content: bytes, batch: Batch) -> None:
    """Add a file that belongs to the envelope's event."""
    if not batch.event_id:
        batch.refuse("no_id")
    elif len(content) > ATTACHMENT_MAX_BYTES:
        batch.refuse("attachment_too_large")
    else:
        batch.add(
            ATTACHMENTS,
            batch.project,
            batch.event_id,
            text(header.get("filename")) or "attachment",
            text(header.get("content_type"), 100) or "application/octet-stream",
            text(header.get("attachment_type"), 100) or "event.attachment",
            len(content),
            hashlib.sha256(content).hexdigest(),
            base64.b64encode(content).decode(),
        )


def add_client_report(found: dict[str, Any], batch: Batch) -> None:
    """Add what a client says that it did not send, by reason and category."""
    at_ns = unix_ns(found.get("timestamp")) or batch.received_ns
    lost = [one for name in _LOST for one in objects(found.get(name))][:_ROWS_MAX]
    for one in lost:
        reason, category, quantity = text(one.get("reason")), text(one.get("category")), whole(one.get("quantity"))
        if reason and category and quantity:
            batch.add(CLIENT_REPORTS, batch.project, at_ns, reason, category, quantity)
        else:
            batch.refuse("malformed")


def add_feedback(event: dict[str, Any], batch: Batch) -> str:
    """Add what a person wrote; return its id."""
    said = mapping(mapping(event.get("contexts")).get("feedback"))
    event_id = batch.id_of(event)
    message = text(said.get("message"), TEXT_MAX)
    if not message:
        batch.refuse("malformed")
        return event_id
    marks = tags(event.get("tags"))
    batch.add(
        FEEDBACK,
        text(event.get("server_name")),
        service_of(event, marks),
        batch.project,
        unix_ns(event.get("timestamp")) or batch.received_ns,
        event_id,
        hex_id(said.get("associated_event_id"), 32),
        message,
        text(said.get("name")),
        text(said.get("contact_email")),
        text(said.get("url"), 1000),
        text(event.get("release")),
        text(event.get("environment")),
        hex_id(mapping(mapping(event.get("contexts")).get("trace")).get("trace_id"), 32),
        marks,
    )
    return event_id


def add_user_report(found: dict[str, Any], batch: Batch) -> None:
    """Add feedback of the older form, which is about an event."""
    event_id = hex_id(found.get("event_id"), 32) or batch.event_id
    message = text(found.get("comments"), TEXT_MAX)
    if not event_id or not message:
        batch.refuse("malformed")
        return
    batch.add(
        FEEDBACK, "", "", batch.project, batch.received_ns, event_id, event_id, message, text(found.get("name")),
        first(found, "email"), "", "", "", "", {},
    )  # fmt: skip
