"""Who calls whom: the edges of the service map, from every minute that is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import client
from quarterdeck.telemetry.requests import Red, red_of
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import Scope, items_of_services, scope_of
from quarterdeck.tracing.search import nanoseconds

EDGES_MAX = 2000


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls from one service to another, or to a database, a queue or an address. `kind` is call, messaging, database
    or external."""

    caller: str
    callee: str
    kind: str
    red: Red


@dataclass(frozen=True, slots=True)
class ServiceNode:
    """An end of an edge. `kind` is service, database, messaging or external; `item` where it is an item to see."""

    name: str
    kind: str
    item: Item | None


@dataclass(frozen=True, slots=True)
class ServiceMap:
    """`is_cut`: there are more edges, with fewer calls."""

    nodes: list[ServiceNode]
    edges: list[Edge]
    is_cut: bool


@fairly
def service_map(actor: Actor, since: datetime, until: datetime, *, selector: str = "") -> ServiceMap:
    """Return the services that called each other in the range. Raises Denied, BadQuery, Unavailable."""
    found = edges(scope_of(actor, selector), since, until)
    items = items_of_services(actor)
    kinds: dict[str, str] = {}
    for edge in found:
        kinds[edge.caller] = "service"
        kinds.setdefault(edge.callee, "service" if edge.kind == "call" else edge.kind)
    nodes = [ServiceNode(name, "service" if name in items else kind, items.get(name)) for name, kind in kinds.items()]
    return ServiceMap(sorted(nodes, key=lambda node: node.name), found[:EDGES_MAX], len(found) > EDGES_MAX)


def edges(scope: Scope, since: datetime, until: datetime, *, service: str = "") -> list[Edge]:
    """Return the edges that may be read, of all or of one service, those with most calls first."""
    only = "AND (caller = {service:String} OR callee = {service:String})" if service else ""
    asked = {"low": nanoseconds(since) // 10**9 // 60 * 60, "high": nanoseconds(until) // 10**9 + 1, "service": service}
    rows = client.query(_EDGES.format(where=f"{scope.edge().text} {only}"), asked, options=options())
    return [
        Edge(caller, callee, kind, red_of(count, errors, total, 2**63, durations))
        for caller, callee, kind, count, errors, total, durations in rows
    ]


_EDGES = f"""
    SELECT caller, callee, kind, sum(edges_1m.count) AS calls, sum(edges_1m.errors), sum(edges_1m.duration_ns_sum),
        sumMap(edges_1m.durations)
    FROM edges_1m
    WHERE ts >= toDateTime({{{{low:Int64}}}}, 'UTC') AND ts < toDateTime({{{{high:Int64}}}}, 'UTC') AND {{where}}
    GROUP BY caller, callee, kind ORDER BY calls DESC, caller, callee, kind LIMIT {EDGES_MAX + 1}"""
