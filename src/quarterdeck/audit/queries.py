"""Reading the audit log. Who may read is asked one floor up, in `access.auditing`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from django.db.models import QuerySet

from quarterdeck.audit.fields import AuditFields
from quarterdeck.audit.models import AuditEvent
from quarterdeck.audit.verifying import Verdict, verify
from quarterdeck.core.query import compile_q, parse

__all__ = ["Verdict", "event_record", "events", "export_csv", "export_jsonl", "page", "verify"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def events(query: str = "") -> QuerySet[AuditEvent]:
    """Return the events that `query` selects, newest first. Raises BadQuery."""
    return AuditEvent.objects.filter(compile_q(parse(query), AuditFields())).order_by("-seq")


def page(query: str = "", *, before_seq: int | None = None, limit: int = 50) -> tuple[list[AuditEvent], int | None]:
    """Return `(events, before_seq of the next page)`: a page costs the same at any depth."""
    found = events(query)
    if before_seq is not None:
        found = found.filter(seq__lt=before_seq)
    rows = list(found[: limit + 1])
    return rows[:limit], rows[limit - 1].seq if len(rows) > limit else None


def event_record(event: AuditEvent) -> dict[str, Any]:
    """Return an event as plain values: `{"seq", "at", "actor": {...}, "verb", "object": {...}, "before", ...}`."""
    names = ("uuid", "verb", "detail", "before", "after", "reason", "result", "error", "request_id", "source_ip",
             "user_agent", "prev_hash", "hash", "key_id")  # fmt: skip
    return {
        "seq": event.seq,
        "at": event.at.isoformat(timespec="microseconds"),
        "actor": {
            "kind": event.actor_kind,
            "id": event.actor_id,
            "name": event.actor_name,
            "auth_method": event.auth_method,
        },
        "object": {"kind": event.object_kind, "id": event.object_id, "name": event.object_name},
        **{name: getattr(event, name) for name in names},
    }


def export_jsonl(query: str = "") -> Iterator[bytes]:
    """Yield the selected events, oldest first, one JSON object a line."""
    for event in events(query).order_by("seq").iterator(chunk_size=2000):
        yield orjson.dumps(event_record(event)) + b"\n"


def export_csv(query: str = "") -> Iterator[bytes]:
    """Yield the selected events as CSV (RFC 4180) that no spreadsheet takes for formulas."""
    columns = ("seq", "at", "actor", "verb", "object", "result", "detail", "before", "after", "reason", "error",
               "source_ip", "request_id", "hash")  # fmt: skip
    yield _csv_line(columns)
    for event in events(query).order_by("seq").iterator(chunk_size=2000):
        row = event_record(event) | {
            "actor": event.actor_name,
            "object": f"{event.object_kind}:{event.object_name}".strip(":"),
            "before": event.before_json,
            "after": event.after_json,
        }
        yield _csv_line(tuple(row[name] for name in columns))


def _csv_line(values: tuple[object, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_no_formula("" if value is None else str(value)) for value in values])
    return line.getvalue().encode()


def _no_formula(text: str) -> str:
    """Quote what a spreadsheet would run. See https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
