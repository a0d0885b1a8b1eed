"""The map: how items hang together."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.core.errors import BadQuery
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.web.items.listing import marked
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.topology.graphs import MAX_DEPTH, MAX_NODES, Picture, around, as_json, directions, listed, of_query
from quarterdeck.web.viewing import within_selector


def _depth(request: PageRequest) -> int:
    text = request.GET.get("depth", "")
    return min(max(int(text), 1), MAX_DEPTH) if text.isdecimal() else 2


def _direction(request: PageRequest) -> str:
    asked = request.GET.get("direction", "both")
    return asked if asked in ("both", "in", "out") else "both"


def picture(request: PageRequest) -> Picture:
    """Return the picture around `?item=`, else of `?q=`. Raises BadQuery, NotFound."""
    root = request.GET.get("item", "")
    if root.isdecimal():
        item = queries.get_item(request.actor, int(root))
        return around(request.actor, item, _depth(request), _direction(request))
    return of_query(request.actor, within_selector(request, request.GET.get("q", "")))


@require_GET
@page("inventory.view")
def topology(request: PageRequest) -> HttpResponse:
    """The graph, its legend, and the same as a list."""
    query = request.GET.get("q", "")
    context = {
        "query": query,
        "depth": _depth(request),
        "depths": range(1, MAX_DEPTH + 1),
        "direction": _direction(request),
        "directions": directions(),
        "types": catalogue().types,
        "limit": MAX_NODES,
        "picture_query": request.GET.urlencode(),
    }
    try:
        found = picture(request)
    except BadQuery as error:
        context |= {"query_error": error, "marked": marked(query, error)}
        return render(request, "web/topology/topology.html", context, status=error.status)
    return render(request, "web/topology/topology.html", context | {"picture": found, "rows": listed(found)})


@require_GET
@page("inventory.view")
def graph(request: PageRequest) -> JsonResponse:
    return JsonResponse(as_json(picture(request)))
