"""What an item sends: its newest log lines, its spans, the calls of a service, and who sends for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Id, Line, moment
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.telemetry import queries
from quarterdeck.telemetry.recent import ROWS_MAX

router = Router()
Rows = Annotated[int, Query(100, ge=1, le=ROWS_MAX)]


class LogRow(TypedDict):
    """A line. `level` is trace, debug, info, warning, error, fatal or ""; `message` as it was sent, at most 8 KB."""

    ts: str
    level: str
    service: str
    host: str
    component: str
    source: str
    message: str
    trace_id: str
    span_id: str


class Logs(Schema):
    items: list[LogRow]


class SpanRow(TypedDict):
    """A span. `kind` is internal, server, client, producer or consumer; ids are in hex."""

    ts: str
    duration_ns: int
    service: str
    name: str
    kind: str
    is_error: bool
    status_message: str
    host: str
    http_status: int
    trace_id: str
    span_id: str
    parent_id: str


class Spans(Schema):
    items: list[SpanRow]


class ErrorRow(TypedDict):
    """An error as its SDK reported it. `grouping_hash` is the same for events that are the same error."""

    ts: str
    level: str
    type: str
    message: str
    culprit: str
    is_handled: bool
    service: str
    host: str
    release: str
    environment: str
    event_id: str
    grouping_hash: str
    trace_id: str


class Errors(Schema):
    items: list[ErrorRow]


class RedRow(TypedDict):
    """How calls went: durations in nanoseconds, quantiles within 9 %; null where nothing was called."""

    count: int
    errors: int
    mean_ns: float | None
    p50_ns: float | None
    p95_ns: float | None
    p99_ns: float | None


class OperationRow(RedRow):
    """The same of one operation, with the trace of a late call."""

    name: str
    kind: str
    trace_id: str


class RequestsRow(Schema):
    """Calls of a service. `answered` and `points` are those that it answered; `operations` also those that it made.

    `points[i]` belongs to the time `since + i * step_seconds`.
    """

    since: str
    until: str
    step_seconds: int
    answered: RedRow
    points: list[RedRow]
    operations: list[OperationRow]


class SenderRow(TypedDict):
    """Who sends for an item by one protocol; `key` is the intake key's name, "" for loopback without one."""

    kind: str
    name: str
    protocol: str
    key: str
    first_seen: str
    last_seen: str
    identities: dict[str, str]


class Senders(Schema):
    items: list[SenderRow]


def _window(since: str, until: str) -> tuple[datetime, datetime | None]:
    at = now()
    return at_time(since, "since", at), at_time(until, "until", at) if until else None


@router.get("/items/{int:item_id}/logs", response=Logs)
def logs(request: HttpRequest, item_id: Id, since: Line = "1h", until: Line = "", limit: Rows = 100) -> dict[str, Any]:
    """List the newest log lines of an item. `since` and `until` are 30m, 6h, 7d ago or ISO 8601."""
    actor = identify(request)
    start, end = _window(since, until)
    found = queries.logs(actor, find(actor, item_id), start, until=end, limit=limit)
    names = [name for name in LogRow.__annotations__ if name != "ts"]
    return {"items": [{"ts": moment(one.at), **{name: getattr(one, name) for name in names}} for one in found]}


@router.get("/items/{int:item_id}/spans", response=Spans)
def spans(
    request: HttpRequest,
    item_id: Id,
    since: Line = "1h",
    until: Line = "",
    order: Literal["latest", "slowest", "errors"] = "latest",
    limit: Rows = 100,
) -> dict[str, Any]:
    """List spans of an item: the latest, the slowest, or the latest that failed. Times as for the logs."""
    actor = identify(request)
    start, end = _window(since, until)
    found = queries.spans(actor, find(actor, item_id), start, until=end, order=order, limit=limit)
    names = [name for name in SpanRow.__annotations__ if name != "ts"]
    return {"items": [{"ts": moment(one.at), **{name: getattr(one, name) for name in names}} for one in found]}


@router.get("/items/{int:item_id}/errors", response=Errors)
def errors(
    request: HttpRequest, item_id: Id, since: Line = "1h", until: Line = "", limit: Rows = 100
) -> dict[str, Any]:
    """List the newest error events of an item. Times as for the logs."""
    actor = identify(request)
    start, end = _window(since, until)
    found = queries.errors(actor, find(actor, item_id), start, until=end, limit=limit)
    names = [name for name in ErrorRow.__annotations__ if name != "ts"]
    return {"items": [{"ts": moment(one.at), **{name: getattr(one, name) for name in names}} for one in found]}


@router.get("/items/{int:item_id}/requests", response=RequestsRow)
def requests(
    request: HttpRequest,
    item_id: Id,
    since: Line = "1h",
    step_seconds: Annotated[int, Query(60, ge=60, le=31_536_000)] = 60,
) -> dict[str, Any]:
    """Answer rate, errors and durations of a service's calls until now, in steps of whole minutes, at most 11,000."""
    actor, at = identify(request), now()
    found = queries.requests(actor, find(actor, item_id), at_time(since, "since", at), step_seconds)
    return {
        "since": moment(found.since),
        "until": moment(found.until),
        "step_seconds": found.step_seconds,
        "answered": _red(found.answered),
        "points": [_red(point) for point in found.points],
        "operations": [
            {"name": one.name, "kind": one.kind, "trace_id": one.trace_id, **_red(one.red)} for one in found.operations
        ],
    }


def _red(one: queries.Red) -> RedRow:
    return {name: getattr(one, name) for name in RedRow.__annotations__}  # type: ignore[return-value]


@router.get("/items/{int:item_id}/senders", response=Senders)
def senders(request: HttpRequest, item_id: Id) -> dict[str, Any]:
    """List who sends telemetry for an item, by which protocols, and when last."""
    actor = identify(request)
    return {
        "items": [
            {
                "kind": one.kind,
                "name": one.name,
                "protocol": one.protocol,
                "key": one.key,
                "first_seen": moment(one.first_seen),
                "last_seen": moment(one.last_seen),
                "identities": one.identities,
            }
            for one in queries.senders(actor, find(actor, item_id))
        ]
    }
