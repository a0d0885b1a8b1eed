"""Services by their calls, the map of who calls whom, and the statements that they send."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.recent import OperationRow, RedRow
from quarterdeck.api.shapes import Line, UrlQuery, moment
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.telemetry.requests import Red
from quarterdeck.tracing import queries
from quarterdeck.tracing.statements import Category

router = Router()


class ServiceListRow(RedRow):
    """A service with the calls that it answered; `item` is its item's id. `apdex` is of 500 ms, by duration alone."""

    name: str
    item: int | None
    apdex: float | None
    last_seen: str


class Services(Schema):
    items: list[ServiceListRow]


class VersionRow(RedRow):
    """Calls that one version answered; when it was first and last seen does not depend on the range."""

    name: str
    first_seen: str
    last_seen: str


class EdgeRow(RedRow):
    """Calls of one by the other; `kind` is call, messaging, database or external."""

    caller: str
    callee: str
    kind: str


class ExceptionRow(TypedDict):
    type: str
    message: str
    count: int
    first_seen: str
    last_seen: str
    trace_id: str


class ServiceRow(Schema):
    """A service. `points[i]` belongs to the time `since + i * step_seconds`."""

    name: str
    item: int | None
    since: str
    until: str
    step_seconds: int
    apdex: float | None
    answered: RedRow
    points: list[RedRow]
    operations: list[OperationRow]
    versions: list[VersionRow]
    edges: list[EdgeRow]
    exceptions: list[ExceptionRow]


class MapNode(TypedDict):
    """An end of an edge: service, database, messaging or external; `item` is its item's id."""

    name: str
    kind: str
    item: int | None


class ServiceMap(Schema):
    """Who calls whom. Minutes count two minutes after they are over. `is_cut`: there are more edges."""

    nodes: list[MapNode]
    edges: list[EdgeRow]
    is_cut: bool


class StatementRow(TypedDict):
    """Calls of one form: SQL without its values, or an operation's name; the trace is that of the slowest call."""

    statement: str
    system: str
    target: str
    callers: list[str]
    operations: list[str]
    count: int
    errors: int
    total_ns: int
    p50_ns: float
    p95_ns: float
    max_ns: int
    trace_id: str


class Statements(Schema):
    items: list[StatementRow]


def _red(one: Red) -> dict[str, Any]:
    return {name: getattr(one, name) for name in RedRow.__annotations__}


def _range(since: str, until: str) -> tuple[datetime, datetime]:
    at = now()
    return at_time(since, "since", at), at_time(until, "until", at) if until else at


def _edge(edge: queries.Edge) -> dict[str, Any]:
    return {"caller": edge.caller, "callee": edge.callee, "kind": edge.kind, **_red(edge.red)}


@router.get("/services", response=Services)
def list_(request: HttpRequest, since: Line = "1h", until: Line = "", selector: UrlQuery = "") -> dict[str, Any]:
    """List services with rate, errors and durations of all calls that they answered."""
    found = queries.services(identify(request), *_range(since, until), selector=selector)
    return {
        "items": [
            {
                "name": one.name,
                "item": one.item,
                "apdex": one.apdex,
                "last_seen": moment(one.last_seen),
                **_red(one.red),
            }
            for one in found
        ]
    }


@router.get("/services/{path:name}", response=ServiceRow)
def read(
    request: HttpRequest,
    name: Line,
    since: Line = "1h",
    until: Line = "",
    step_seconds: Annotated[int, Query(60, ge=60, le=31_536_000)] = 60,
) -> dict[str, Any]:
    """Answer one service: figures, operations, versions, neighbours and exceptions."""
    found = queries.service(identify(request), name, *_range(since, until), step_seconds)
    grid = found.grid
    return {
        "name": found.name,
        "item": found.item,
        "since": moment(datetime.fromtimestamp(grid.start, now().tzinfo)),
        "until": moment(datetime.fromtimestamp(grid.end, now().tzinfo)),
        "step_seconds": grid.step,
        "apdex": found.apdex,
        "answered": _red(found.answered),
        "points": [_red(point) for point in found.points],
        "operations": [
            {"name": one.name, "kind": one.kind, "trace_id": one.trace_id, **_red(one.red)} for one in found.operations
        ],
        "versions": [_version(one) for one in found.versions],
        "edges": [_edge(edge) for edge in found.edges],
        "exceptions": [_exception(one) for one in found.exceptions],
    }


def _version(one: queries.Version) -> dict[str, Any]:
    seen = {"first_seen": moment(one.first_seen), "last_seen": moment(one.last_seen)}
    return {"name": one.name, **seen, **_red(one.red)}


def _exception(one: queries.ExceptionRow) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in ExceptionRow.__annotations__}
    return row | {"first_seen": moment(one.first_seen), "last_seen": moment(one.last_seen)}


@router.get("/service-map", response=ServiceMap)
def service_map(request: HttpRequest, since: Line = "1h", until: Line = "", selector: UrlQuery = "") -> dict[str, Any]:
    """Answer the map of services: who calls whom, how often, how well."""
    found = queries.service_map(identify(request), *_range(since, until), selector=selector)
    nodes = [{"name": one.name, "kind": one.kind, "item": one.item.pk if one.item else None} for one in found.nodes]
    return {"nodes": nodes, "edges": [_edge(edge) for edge in found.edges], "is_cut": found.is_cut}


@router.get("/statements", response=Statements)
def statements(
    request: HttpRequest,
    since: Line = "1h",
    until: Line = "",
    category: Category = "database",
    service: Line = "",
    selector: UrlQuery = "",
) -> dict[str, Any]:
    """List what services ask of databases, caches, queues or other addresses, by what took longest in sum."""
    actor = identify(request)
    found = queries.statements(actor, *_range(since, until), category=category, service=service, selector=selector)
    return {"items": [{name: getattr(one, name) for name in StatementRow.__annotations__} for one in found]}
