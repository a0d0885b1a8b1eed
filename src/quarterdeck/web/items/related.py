"""What an item is related to: the graph, the list, adding and removing by hand."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page

SHOWN = 500


@require_GET
@page("inventory.view")
def relations(request: PageRequest, pk: int) -> HttpResponse:
    item = queries.get_item(request.actor, pk)
    rows = list(queries.relations(request.actor, item)[: SHOWN + 1])
    context = head(request, item, "relations") | {
        "outgoing": [row for row in rows[:SHOWN] if row.src_id == item.pk],
        "incoming": [row for row in rows[:SHOWN] if row.dst_id == item.pk],
        "is_cut": len(rows) > SHOWN,
        "types": catalogue().types,
        "relation_types": sorted(queries.relation_types()),
    }
    return render(request, "web/items/relations.html", context)


def _other(request: PageRequest) -> int:
    target = request.POST.get("target", "")
    if not target.isdecimal():
        raise BadInput(_("No item is chosen."), hint=_("Search for it by name and choose it."), field="target")
    return int(target)


@require_POST
@page("inventory.edit")
def add(request: PageRequest, pk: int) -> HttpResponse:
    """Relate the item to `target`, or with `direction=in` the target to the item."""
    item, other = queries.get_item(request.actor, pk), queries.get_item(request.actor, _other(request))
    src, dst = (other, item) if request.POST.get("direction") == "in" else (item, other)
    actions.relate(request.actor, src, request.POST.get("type", "").strip(), dst)
    messages.success(request, _("The relation is added."))
    return HttpResponseRedirect(reverse("web:item_relations", args=[pk]))


@require_POST
@page("inventory.edit")
def remove(request: PageRequest, pk: int) -> HttpResponse:
    item, other = queries.get_item(request.actor, pk), queries.get_item(request.actor, _other(request))
    src, dst = (other, item) if request.POST.get("direction") == "in" else (item, other)
    actions.unrelate(request.actor, src, request.POST.get("type", ""), dst)
    messages.success(request, _("The relation is removed."))
    return HttpResponseRedirect(reverse("web:item_relations", args=[pk]))
