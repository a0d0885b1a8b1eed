"""The first page: how the fleet is, what needs attention, what happened."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item, State
from quarterdeck.monitoring.queries import this_machine
from quarterdeck.web.items.views import sparks
from quarterdeck.web.overview.concerns import concerns, list_of
from quarterdeck.web.overview.happenings import happenings
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.templatetags.qd import tone
from quarterdeck.web.viewing import selector_of

MOMENTS = 12


def _by_type(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the types that have items: `[{"spec": TypeSpec, "count": 3, "url": "/items?q=type:host"}]`."""
    types = catalogue().types
    return [{"spec": types[code], "count": count, "url": list_of(f"type:{code}")} for code, count in counts.items()]


def _by_state(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the states that occur, with their share of all and where it starts, in percent."""
    total = sum(counts.values()) or 1
    rows: list[dict[str, Any]] = []
    offset = 0.0
    for code, title in State.choices:
        if not counts.get(code):
            continue
        percent = 100 * counts[code] / total
        row = {"title": title, "tone": tone(code), "count": counts[code], "url": list_of(f"state:{code}")}
        # As text: SVG takes no decimal comma.
        rows.append(row | {"offset": f"{offset:.2f}", "percent": f"{percent:.2f}"})
        offset += percent
    return rows


def _machine(actor: Actor) -> Item | None:
    """Return the item of the machine that this runs on, if the actor may see it."""
    pk = this_machine()
    if pk is None or not may(actor, "telemetry.query"):
        return None
    try:
        return queries.get_item(actor, pk)
    except NotFound:
        return None


@require_GET
@page("inventory.view")
def overview(request: PageRequest) -> HttpResponse:
    selector = selector_of(request)
    try:
        counts = queries.counts(request.actor, selector)
        moments = queries.moments(request.actor, q=selector, limit=MOMENTS * 10)
    except BadQuery:
        # Types can be removed under a selector that names them.
        request.session["selector"] = ""
        counts = queries.counts(request.actor)
        moments = queries.moments(request.actor, limit=MOMENTS * 10)
    machine = _machine(request.actor)
    context = {
        "total": counts["total"],
        "types": _by_type(counts["by_type"]),
        "states": _by_state(counts["by_state"]),
        "happenings": list(happenings(moments, MOMENTS)),
        "machine": machine,
        "sparks": sparks(request, machine) if machine else [],
        "may_import": may(request.actor, "inventory.import"),
        "may_edit": may(request.actor, "inventory.edit"),
    }
    return render(request, "web/overview/overview.html", context)


@require_GET
@page("inventory.view")
def attention(request: PageRequest) -> HttpResponse:
    """The concerns as a fragment: asking the engine must not hold up the page."""
    return render(request, "web/overview/attention.html", {"concerns": concerns(request)})
