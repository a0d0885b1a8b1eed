"""All that one call changed, and undoing it."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from quarterdeck.access.checks import may
from quarterdeck.core.errors import Conflict
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import ChangeSet
from quarterdeck.web.formatting import how_many_items
from quarterdeck.web.forms import next_of
from quarterdeck.web.items.views import shown_changes
from quarterdeck.web.pages import PageRequest, page

ROWS = 200


def _context(request: PageRequest, found: ChangeSet) -> dict[str, Any]:
    after = request.GET.get("after", "")
    rows = queries.changes_of(request.actor, found, int(after) if after.isdecimal() else None, ROWS + 1)
    types = catalogue().by_id
    groups = []
    for _pk, group in groupby(rows[:ROWS], key=lambda row: row.item_id):
        changes = list(group)
        item = changes[0].item
        is_new = any(not change.field for change in changes)
        groups.append((item, is_new, shown_changes(types[item.type_id], changes)))
    return {
        "change_set": found,
        "touched": queries.touched(request.actor, found),
        "groups": groups,
        "may_edit": may(request.actor, "inventory.edit"),
        "next_cursor": str(rows[ROWS - 1].pk) if len(rows) > ROWS else "",
    }


@require_GET
@page("inventory.view")
def show(request: PageRequest, pk: int) -> HttpResponse:
    """Who changed what of which items."""
    return render(request, "web/items/change.html", _context(request, queries.change_set(request.actor, pk)))


@require_POST
@page("inventory.edit")
def undo(request: PageRequest, pk: int) -> HttpResponse:
    """Take the change set back. When items changed since, say which, and offer to undo only the others."""
    untouched_only = request.POST.get("untouched_only") == "1"
    try:
        done = actions.revert(request.actor, pk, untouched_only=untouched_only, reason=request.POST.get("reason", ""))
    except Conflict as error:
        context = _context(request, queries.change_set(request.actor, pk))
        return render(request, "web/items/change.html", context | {"conflict": error}, status=error.status)
    messages.success(request, _("Undone: %(items)s.") % {"items": how_many_items(done.count)})
    if done.kept:
        messages.warning(
            request, _("Left as they are, since they changed: %(items)s.") % {"items": how_many_items(len(done.kept))}
        )
    return HttpResponseRedirect(next_of(request, reverse("web:change", args=[done.change_set_id])))
