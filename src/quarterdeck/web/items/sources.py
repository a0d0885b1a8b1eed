"""What each source says of an item, whose word counts, and where that differs from what people wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import BadInput, NotFound, Unavailable
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import TypeSpec, catalogue
from quarterdeck.inventory.models import Drift, Item, Observation
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.web.differences import Part, difference
from quarterdeck.web.formatting import plain
from quarterdeck.web.forms import next_of
from quarterdeck.web.items.heads import head
from quarterdeck.web.items.titles import title_of
from quarterdeck.web.pages import PageRequest, page

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Said:
    """One field: the value in force, what people wish, what each source says, and the order of authority."""

    title: str
    value: str
    wish: str
    said: list[str]
    authority: str
    differs: bool


def _value(item: Item, field: str) -> Any:
    if field.startswith("label."):
        return item.labels.get(field.removeprefix("label."))
    return item.attributes[field] if field in item.attributes else getattr(item, field, None)


def matrix(spec: TypeSpec, item: Item, observations: list[Observation]) -> list[Said]:
    """Return a row per field that anybody says anything about."""
    fields = dict.fromkeys([field for one in observations for field in one.attributes] + list(item.desired))
    rows = []
    for field in sorted(fields):
        attribute = spec.attributes.get(field)
        unit = attribute.unit if attribute else ""
        said = [plain(one.attributes.get(field), unit) for one in observations]
        wish = plain(item.desired[field], unit) if field in item.desired else ""
        distinct = {text for text in [*said, wish] if text and text != "–"}
        authority = " > ".join(attribute.authority) if attribute else ""
        rows.append(
            Said(title_of(spec, field), plain(_value(item, field), unit), wish, said, authority, len(distinct) > 1)
        )
    return rows


def with_parts(rows: list[Drift]) -> list[tuple[Drift, str, list[Part]]]:
    """Return each difference with its field's title and what differs, marked."""
    types = catalogue()
    result = []
    for row in rows:
        spec = types.by_id[row.item.type_id]
        attribute = spec.attributes.get(row.field)
        parts = difference(row.desired, row.observed, attribute.unit if attribute else "")
        result.append((row, title_of(spec, row.field), parts))
    return result


def _senders(request: PageRequest, item: Item) -> dict[str, Any]:
    """Return who sends telemetry for the item, or why that is not known now."""
    if not may(request.actor, "telemetry.query", item):
        return {}
    try:
        return {"senders": telemetry.senders(request.actor, item)}
    except Unavailable as error:
        return {"senders_unavailable": error}


@require_GET
@page("inventory.view")
def sources(request: PageRequest, pk: int) -> HttpResponse:
    item = queries.get_item(request.actor, pk)
    context = head(request, item, "sources")
    observations = list(queries.observations(item))
    drifts = list(queries.drift(request.actor, f"id:{item.pk} lifecycle:*", acknowledged=None))
    context |= {
        "observations": observations,
        "rows": matrix(context["spec"], item, observations),
        "drifts": with_parts(drifts),
        "merges": list(queries.merges(request.actor).filter(kept=item, undone_at=None).select_related("other")),
    }
    context |= _senders(request, item)
    return render(request, "web/items/sources.html", context)


@require_GET
@page("inventory.view")
def drifts(request: PageRequest) -> HttpResponse:
    """Every open difference between wish and observation that the actor may see."""
    rows = list(queries.drift(request.actor)[: SHOWN + 1])
    return render(request, "web/items/drift.html", {"rows": with_parts(rows[:SHOWN]), "is_cut": len(rows) > SHOWN})


@require_POST
@page("inventory.edit")
def settle(request: PageRequest, pk: int) -> HttpResponse:
    """Accept what is observed, or note that the difference is known."""
    wanted = request.POST.get("drift", "")
    rows = queries.drift(request.actor, f"id:{pk} lifecycle:*", acknowledged=None)
    drift = rows.filter(pk=int(wanted)).first() if wanted.isdecimal() else None
    if drift is None:
        raise NotFound(_("This difference is over."), hint=_("Load the page again."))
    if request.POST.get("decision") == "accept":
        actions.accept_drift(request.actor, drift)
        messages.success(request, _("What is observed counts now."))
    elif request.POST.get("decision") == "acknowledge":
        actions.acknowledge_drift(request.actor, drift, note=request.POST.get("note", ""))
        messages.success(request, _("Noted: this difference is known."))
    else:
        raise BadInput(_("There is no such decision."), hint="accept, acknowledge")
    return HttpResponseRedirect(next_of(request, reverse("web:item_sources", args=[pk])))
