"""The map of services: its nodes are items where they are known as such."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from quarterdeck.tracing import queries
from quarterdeck.web.formatting import as_percent, nanoseconds
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.tracing.addresses import of_service
from quarterdeck.web.tracing.common import item_url, shown, times_of
from quarterdeck.web.viewing import range_of, selector_of

# Above this share of failed calls a node is red, above the other one amber.
_BAD_RATIO, _WARN_RATIO = 0.05, 0.01


def _found(request: PageRequest) -> queries.ServiceMap:
    return queries.service_map(request.actor, *times_of(request), selector=selector_of(request))


@require_GET
@page("telemetry.query")
def service_map(request: PageRequest) -> HttpResponse:
    """The map, and the same as a list."""

    def read() -> dict[str, Any]:
        found = _found(request)
        kinds = {node.name: node for node in found.nodes}
        rows = [(edge, _address(kinds[edge.caller]), _address(kinds[edge.callee])) for edge in found.edges]
        return {"map": found, "rows": rows, "seconds": range_of(request).seconds}

    return shown(request, "web/tracing/map.html", {}, read)


def _address(node: queries.ServiceNode) -> str:
    """Return where a node leads: to its item, else to the service's page; a database or address leads nowhere."""
    if node.item:
        return item_url(node.item.pk)
    return of_service(node.name) if node.kind == "service" else ""


@require_GET
@page("telemetry.query")
def graph(request: PageRequest) -> JsonResponse:
    """What islands/graph.ts draws."""
    found = _found(request)
    titles = {
        "service": _("Service"),
        "database": _("Database"),
        "messaging": _("Queue"),
        "external": _("Other address"),
    }
    numbers = {node.name: number for number, node in enumerate(found.nodes)}
    return JsonResponse(
        {
            "root": None,
            "kinds": [{"code": code, "title": title} for code, title in titles.items()],
            "nodes": [_node(found, node, numbers[node.name], titles) for node in found.nodes],
            "edges": [
                {"source": numbers[edge.caller], "target": numbers[edge.callee], "title": _edge_title(edge)}
                for edge in found.edges
            ],
        }
    )


def _node(found: queries.ServiceMap, node: queries.ServiceNode, number: int, titles: dict[str, str]) -> dict[str, Any]:
    answered = [edge.red for edge in found.edges if edge.callee == node.name]
    calls, errors = sum(red.count for red in answered), sum(red.errors for red in answered)
    ratio = errors / calls if calls else 0
    tone = "bad" if ratio >= _BAD_RATIO else "warn" if ratio >= _WARN_RATIO else "good"
    kind = node.kind if node.kind in titles else "external"
    detail = f"{titles[kind]} · {_('%(share)s failed') % {'share': as_percent(ratio)}}" if calls else titles[kind]
    return {"id": number, "name": node.name, "kind": kind, "detail": detail, "tone": tone, "url": _address(node)}


def _edge_title(edge: queries.Edge) -> str:
    facts = {
        "caller": edge.caller,
        "callee": edge.callee,
        "calls": edge.red.count,
        "share": as_percent(edge.red.error_ratio),
        "p95": nanoseconds(edge.red.p95_ns),
    }
    return _("%(caller)s → %(callee)s: %(calls)s calls, %(share)s failed, p95 %(p95)s") % facts
