"""Services by their calls: rate, errors, durations, apdex, operations, versions, neighbours and exceptions.

The figures are those of every call, counted before anything was sampled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.telemetry import client
from quarterdeck.telemetry.charting import Grid, grid_of
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.telemetry.error_kinds import IS_ERROR
from quarterdeck.telemetry.requests import NOTHING, RED, SLOWEST, Operation, Red, red_of
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.edges import Edge, edges
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import items_of_services, scope_of
from quarterdeck.tracing.search import nanoseconds

# Up to this a caller is satisfied, up to four times as much still content. See https://www.apdex.org
APDEX_NS = 500 * 10**6
SERVICES_MAX = 1000
_BUCKETS_PER_DOUBLING = 4


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service with the calls that it answered. `item` is the id of its item, None where there is none to see."""

    name: str
    item: int | None
    red: Red
    apdex: float | None
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version of a service, and when it first answered or called."""

    service: str
    version: str
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """Calls that one version answered, and when it was first and last seen at all."""

    name: str
    first_seen: datetime
    last_seen: datetime
    red: Red


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """Exceptions of one type and text, of spans and of error events together; the trace is that of the latest."""

    type: str
    message: str
    count: int
    first_seen: datetime
    last_seen: datetime
    trace_id: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service in [`grid.start`, `grid.end`). `points[i]` are its calls of the step from `start + i * step`."""

    name: str
    item: int | None
    grid: Grid
    answered: Red
    apdex: float | None
    points: list[Red]
    operations: list[Operation]
    versions: list[Version]
    edges: list[Edge]
    exceptions: list[ExceptionRow]


def apdex(durations: Mapping[int, int], threshold_ns: int = APDEX_NS) -> float | None:
    """Return (satisfied + content / 2) / all of `{bucket: calls}`, 0 to 1; None without calls."""
    total = sum(durations.values())
    if not total:
        return None
    middles = {bucket: 2 ** ((bucket + 0.5) / _BUCKETS_PER_DOUBLING) for bucket in durations}
    satisfied = sum(calls for bucket, calls in durations.items() if middles[bucket] <= threshold_ns)
    content = sum(calls for bucket, calls in durations.items() if threshold_ns < middles[bucket] <= 4 * threshold_ns)
    return (satisfied + content / 2) / total


@fairly
def services(actor: Actor, since: datetime, until: datetime, *, selector: str = "") -> list[ServiceRow]:
    """Return the services that called or were called, those with most calls first. Raises Denied, Unavailable."""
    scope = scope_of(actor, selector)
    rows = client.query(_SERVICES.format(where=scope.service().text), _range(since, until), options=options())
    items = {name: item.pk for name, item in items_of_services(actor).items()}
    return [
        ServiceRow(name, items.get(name), red_of(*figures), apdex(figures[-1]), last) for name, last, *figures in rows
    ]


@fairly
def service(actor: Actor, name: str, since: datetime, until: datetime, step_seconds: int = 60) -> Service:
    """Return one service. Raises Denied, NotFound, BadInput, Unavailable."""
    scope = scope_of(actor)
    if not client.query(_KNOWN.format(where=scope.service().text), {"service": name}, options=options()):
        raise NotFound(
            _('no service "%(name)s" has sent a call') % {"name": name[:80]},
            hint=_("`qd services list` and the page Services show those that have"),
        )
    grid = grid_of(since, until, max(60, step_seconds // 60 * 60))
    asked = {"service": name, "since": max(0, grid.start), "until": grid.end, "step": grid.step}
    points = [NOTHING] * grid.points
    for slot, *figures in client.query(_POINTS, asked, options=options()):
        points[int(slot)] = red_of(*figures)
    answered = client.query(_ANSWERED, asked, options=options())[0]
    item = items_of_services(actor).get(name)
    return Service(
        name, item.pk if item else None, grid, red_of(*answered), apdex(answered[-1]), points, _operations(asked),
        _versions(asked), edges(scope, since, until, service=name), _exceptions(name, since, until),
    )  # fmt: skip


def _operations(asked: Mapping[str, Any]) -> list[Operation]:
    return [
        Operation(name, kind, red_of(*figures), trace if trace.strip("0") else "")
        for name, kind, trace, *figures in client.query(_OPERATIONS, asked, options=options())
    ]


def _versions(asked: Mapping[str, Any]) -> list[Version]:
    return [
        Version(name, first, last, red_of(*figures))
        for name, first, last, *figures in client.query(_VERSIONS, asked, options=options())
    ]


@fairly
def deployments(
    actor: Actor, since: datetime, until: datetime, *, services: Collection[str] | None = None, limit: int = 50
) -> list[Deployment]:
    """Return the versions that were first seen in [`since`, `until`), newest first: of all services, or of some.

    Raises Denied, Unavailable.
    """
    where = scope_of(actor).service()
    if services is not None:
        where &= Sql("service IN {services:Array(String)}", {"services": list(services)})
    asked = {**_range(since, until), **where.parameters, "limit": limit}
    rows = client.query(_DEPLOYMENTS.format(where=where.text), asked, options=options())
    return [Deployment(*row) for row in rows]


def _exceptions(name: str, since: datetime, until: datetime) -> list[ExceptionRow]:
    asked = {"service": name, "low": nanoseconds(since), "high": nanoseconds(until)}
    rows = client.query(_EXCEPTIONS, asked, options=options())
    return [ExceptionRow(kind, text, int(count), *rest) for kind, text, count, *rest in rows]


def _range(since: datetime, until: datetime) -> dict[str, Any]:
    return {"since": nanoseconds(since) // 10**9 // 60 * 60, "until": nanoseconds(until) // 10**9 + 1}


_WITHIN = "ts >= toDateTime({{since:Int64}}, 'UTC') AND ts < toDateTime({{until:Int64}}, 'UTC')"
_HERE = _WITHIN.replace("{{", "{").replace("}}", "}")
_SERVED = "kind NOT IN ('client', 'producer')"
_SERVICES = f"""
    SELECT service, max(ts) AS last_seen, sumIf(red_1m.count, {_SERVED}) AS calls, sumIf(red_1m.errors, {_SERVED}),
        sumIf(red_1m.duration_ns_sum, {_SERVED}), maxIf(red_1m.duration_ns_max, {_SERVED}),
        sumMapIf(red_1m.durations, {_SERVED})
    FROM red_1m WHERE {_WITHIN} AND service != '' AND {{where}}
    GROUP BY service ORDER BY calls DESC, service LIMIT {SERVICES_MAX}"""
_KNOWN = "SELECT 1 FROM red_1m WHERE service = {{service:String}} AND {where} LIMIT 1"
_OF_SERVICE = f"FROM red_1m WHERE service = {{service:String}} AND {_HERE}"
_ANSWERED = f"SELECT {RED} {_OF_SERVICE} AND {_SERVED}"
_POINTS = f"""
    SELECT intDiv(toUnixTimestamp(ts) - {{since:Int64}}, {{step:Int64}}) AS slot, {RED}
    {_OF_SERVICE} AND {_SERVED} GROUP BY slot ORDER BY slot"""
_OPERATIONS = f"""
    SELECT name, kind, {SLOWEST}, {RED}
    {_OF_SERVICE} GROUP BY name, kind ORDER BY sum(red_1m.count) DESC, name, kind LIMIT 100"""
_VERSIONS = f"""
    SELECT version, first_seen, last_seen, calls, errors, total, longest, durations FROM (
        SELECT version, min(ts) AS first_seen, max(ts) AS last_seen FROM red_1m
        WHERE service = {{service:String}} AND version != '' GROUP BY version
    ) AS known INNER JOIN (
        SELECT version, sum(red_1m.count) AS calls, sum(red_1m.errors) AS errors, sum(red_1m.duration_ns_sum) AS total,
            max(red_1m.duration_ns_max) AS longest, sumMap(red_1m.durations) AS durations
        {_OF_SERVICE} AND {_SERVED} GROUP BY version
    ) AS here USING version ORDER BY first_seen DESC LIMIT 50"""
_DEPLOYMENTS = f"""
    SELECT service, version, min(ts) AS first_seen FROM red_1m WHERE (service, version) IN (
        SELECT service, version FROM red_1m WHERE {_WITHIN} AND service != '' AND version != '' AND {{where}}
    ) GROUP BY service, version HAVING first_seen >= toDateTime({{{{since:Int64}}}}, 'UTC')
    ORDER BY first_seen DESC, service, version LIMIT {{{{limit:UInt32}}}}"""
_EXCEPTIONS = f"""
    SELECT type, message, count() AS times, min(at), max(at) AS latest, argMax(trace, at) FROM (
        SELECT event.attributes['exception.type'] AS type,
            toValidUTF8(substring(event.attributes['exception.message'], 1, 500)) AS message,
            toDateTime64(event.ts, 6, 'UTC') AS at, lower(hex(trace_id)) AS trace
        FROM spans ARRAY JOIN events AS event
        WHERE service = {{service:String}} AND ts >= fromUnixTimestamp64Nano({{low:Int64}})
            AND ts < fromUnixTimestamp64Nano({{high:Int64}}) AND event.name = 'exception'
        UNION ALL
        SELECT type, toValidUTF8(substring(error_events.message, 1, 500)), ts, trace_id FROM error_events
        WHERE service = {{service:String}} AND ts >= fromUnixTimestamp64Nano({{low:Int64}})
            AND ts < fromUnixTimestamp64Nano({{high:Int64}}) AND {IS_ERROR} LIMIT 1 BY project, event_id
    ) GROUP BY type, message ORDER BY times DESC, latest DESC LIMIT 50"""
