"""The newest lines, spans and errors of one item, and who sends for it. Every read is bounded in time and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from django.db.models import Model
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.telemetry import client
from quarterdeck.telemetry.error_kinds import IS_ERROR
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.telemetry.owners import owners_of

ROWS_MAX = 1000
# A page waits no longer; over it the engine answers that the range is too long.
_OPTIONS = {"max_execution_time": 10}
_LAST_SECOND = 2.0**32 - 1
# What is shown of one text: a line may hold a whole dump.
_TEXT_BYTES = 8192
Order = Literal["latest", "slowest", "errors"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `level` is trace, debug, info, warning, error, fatal or "" for unknown; `source` is the protocol."""

    at: datetime
    level: str
    service: str
    host: str
    component: str
    source: str
    message: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One call or step. `kind` is internal, server, client, producer or consumer; ids are in hex."""

    at: datetime
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


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error as its SDK reported it. `grouping_hash`, in hex, is the same for events that are the same error."""

    at: datetime
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


@dataclass(frozen=True, slots=True)
class SenderSeen:
    """Who sends for an item by one protocol. `key` is the intake key's name, "" for loopback without one."""

    kind: str
    name: str
    protocol: str
    key: str
    first_seen: datetime
    last_seen: datetime
    identities: dict[str, str]


def senders(actor: Actor, item: Model) -> list[SenderSeen]:
    """Return who sends for the item, who spoke last first. Raises Denied, Unavailable."""
    require(actor, "telemetry.query", [item])
    rows = client.query(_SENDERS, {"owners": _owners(item)}, options=_OPTIONS)
    names = dict(IntakeKey.objects.filter(pk__in={row[3] for row in rows}).values_list("pk", "name"))
    return [
        SenderSeen(kind, name, protocol, names.get(key, f"#{key}" if key else ""), first, last, dict(said))
        for kind, name, protocol, key, first, last, said in rows
    ]


def logs(
    actor: Actor, item: Model, since: datetime, *, until: datetime | None = None, limit: int = 100
) -> list[LogLine]:
    """Return the newest lines of [`since`, `until`), newest first, each text cut at 8 KB.

    Of a service they are those that name it, whoever sent them. Raises Denied, Unavailable.
    """
    require(actor, "telemetry.query", [item])
    condition, parameters = whose(item)
    sql = _LOGS.format(condition=condition)
    rows = client.query(sql, parameters | _window(since, until, limit), options=_OPTIONS)
    return [LogLine(*row) for row in rows]


def spans(
    actor: Actor,
    item: Model,
    since: datetime,
    *,
    until: datetime | None = None,
    order: Order = "latest",
    limit: int = 100,
) -> list[Span]:
    """Return spans that began in [`since`, `until`): the latest, the slowest, or the latest that failed.

    Of a service they are its own, wherever it runs. Raises Denied, BadInput, Unavailable.
    """
    require(actor, "telemetry.query", [item])
    if order not in get_args(Order):
        raise BadInput(
            _('unknown order "%(name)s"') % {"name": str(order)[:40]},
            hint=_("one of %(names)s") % {"names": ", ".join(get_args(Order))},
            field="order",
        )
    condition, parameters = whose(item)
    if order == "errors":
        condition += " AND spans.is_error"
    sql = _SPANS.format(condition=condition, order="spans.duration_ns" if order == "slowest" else "spans.ts")
    rows = client.query(sql, parameters | _window(since, until, limit), options=_OPTIONS)
    return [Span(*row) for row in rows]


def errors(
    actor: Actor, item: Model, since: datetime, *, until: datetime | None = None, limit: int = 100
) -> list[ErrorEvent]:
    """Return the newest error events of [`since`, `until`), newest first. Raises Denied, Unavailable."""
    require(actor, "telemetry.query", [item])
    condition, parameters = whose(item)
    sql = _ERRORS.format(condition=condition)
    rows = client.query(sql, parameters | _window(since, until, limit), options=_OPTIONS)
    return [ErrorEvent(*row) for row in rows]


def services_of(item: Model) -> list[str]:
    """Return the service names under which the item's senders speak; [] for what is no service."""
    return [str(name) for (name,) in client.query(_SERVICES, {"owners": _owners(item)}, options=_OPTIONS)]


def whose(item: Model) -> tuple[str, dict[str, Any]]:
    """Return SQL that selects the item's rows of `logs`, `spans` or `error_events`, with its parameters.

    A service is asked for by its name, which the tables are ordered by; anything else by who sent.
    """
    if names := services_of(item):
        return "service IN {services:Array(String)}", {"services": names}
    return "sender IN {owners:Array(UInt64)}", {"owners": _owners(item)}


def _owners(item: Model) -> list[int]:
    return list(owners_of([int(item.pk)]))


def _window(since: datetime, until: datetime | None, limit: int) -> dict[str, Any]:
    # The tables' days are 16 bits: nothing lies outside.
    end = min(until.timestamp(), _LAST_SECOND) if until else _LAST_SECOND
    return {"since": max(0.0, since.timestamp()), "until": max(0.0, end), "limit": max(1, min(limit, ROWS_MAX))}


_SENDERS = """
    SELECT anyLast(senders.kind), anyLast(senders.name), protocol, key, min(senders.first_seen),
        max(senders.last_seen) AS spoke, anyLast(senders.identities)
    FROM senders WHERE sender IN {owners:Array(UInt64)}
    GROUP BY sender, protocol, key ORDER BY spoke DESC, protocol, key LIMIT 1000"""
_SERVICES = """
    SELECT DISTINCT name FROM senders WHERE sender IN {owners:Array(UInt64)} AND kind = 'service' ORDER BY name"""
_WITHIN = "ts >= toDateTime64({{since:Float64}}, 9, 'UTC') AND ts < toDateTime64({{until:Float64}}, 9, 'UTC')"
_LOGS = f"""
    SELECT ts, level, service, host, component, source,
        toValidUTF8(substring(logs.message, 1, {_TEXT_BYTES})), trace_id, span_id
    FROM logs WHERE {{condition}} AND {_WITHIN}
    ORDER BY ts DESC LIMIT {{{{limit:UInt32}}}}"""
# A span that was sent twice is two rows until they are merged.
_SPANS = f"""
    SELECT ts, duration_ns, service, name, kind, is_error,
        toValidUTF8(substring(status_message, 1, {_TEXT_BYTES})), host, http_status,
        lower(hex(spans.trace_id)), lower(hex(spans.span_id)),
        if(parent_id = toFixedString('', 8), '', lower(hex(spans.parent_id)))
    FROM spans WHERE {{condition}} AND {_WITHIN}
    ORDER BY {{order}} DESC LIMIT 1 BY spans.trace_id, spans.span_id, spans.kind LIMIT {{{{limit:UInt32}}}}"""
# An event that came twice is two rows until they are merged.
_ERRORS = f"""
    SELECT ts, level, type, toValidUTF8(substring(error_events.message, 1, {_TEXT_BYTES})), culprit, handled, service,
        host, release, environment, event_id, lower(hex(grouping_hash)), trace_id
    FROM error_events WHERE {{condition}} AND {_WITHIN} AND {IS_ERROR}
    ORDER BY ts DESC LIMIT 1 BY project, event_id LIMIT {{{{limit:UInt32}}}}"""
