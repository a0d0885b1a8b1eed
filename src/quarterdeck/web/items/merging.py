"""Two items that are one thing: proposals, merging by hand, undoing."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.inventory import actions, queries
from quarterdeck.inventory.catalogue import TypeSpec, catalogue
from quarterdeck.inventory.models import Item
from quarterdeck.web.formatting import plain
from quarterdeck.web.items.heads import head
from quarterdeck.web.pages import PageRequest, page

SHOWN = 50


def compared(spec: TypeSpec, first: Item, second: Item) -> list[tuple[str, str, str]]:
    """Return `(title, value of the first, value of the second)` where two items differ."""
    rows = [
        (_("Name"), first.name, second.name),
        (_("Main address"), plain(first.primary_ip), plain(second.primary_ip)),
    ]
    for code, attribute in spec.attributes.items():
        one, other = first.attributes.get(code), second.attributes.get(code)
        if one != other:
            rows.append((attribute.title, plain(one, attribute.unit)[:200], plain(other, attribute.unit)[:200]))
    return [row for row in rows if row[1] != row[2]]


@require_GET
@page("inventory.view")
def proposals(request: PageRequest) -> HttpResponse:
    """Open proposals with their evidence and what differs."""
    types = catalogue()
    rows = [
        (proposal, compared(types.by_id[proposal.first.type_id], proposal.first, proposal.second))
        for proposal in queries.proposals(request.actor)[:SHOWN]
    ]
    return render(request, "web/items/proposals.html", {"rows": rows, "types": types.types})


@require_POST
@page("inventory.merge")
def decide(request: PageRequest, pk: int) -> HttpResponse:
    """Merge (`keep` is the id that stays) or refuse."""
    proposal = queries.proposals(request.actor).filter(pk=pk).first()
    if proposal is None:
        raise NotFound(_("There is no such open proposal."), hint=_("Somebody may have decided it already."))
    keep = request.POST.get("keep", "")
    kept = next((one for one in (proposal.first, proposal.second) if str(one.pk) == keep), None)
    done = actions.decide(request.actor, proposal, kept is not None, keep=kept)
    if done is None:
        messages.success(request, _("The proposal is refused; these two will not be proposed again."))
        return HttpResponseRedirect(reverse("web:merge_proposals"))
    messages.success(request, _("The items are merged."))
    return HttpResponseRedirect(reverse("web:item", args=[done.kept_id]))


@require_http_methods(["GET", "POST"])
@page("inventory.merge")
def merge(request: PageRequest, pk: int) -> HttpResponse:
    """Choose the other item, look at what differs, merge. This item stays; with `?into=` it is the other one."""
    item = queries.get_item(request.actor, pk)
    into = request.GET.get("into", "")
    if into.isdecimal():
        return HttpResponseRedirect(f"{reverse('web:item_merge', args=[int(into)])}?target={pk}")
    chosen = request.POST.get("target", "") or request.GET.get("target", "")
    other = queries.get_item(request.actor, int(chosen)) if chosen.isdecimal() else None
    if request.method == "POST":
        if other is None:
            raise BadInput(_("No item is chosen."), hint=_("Search for it by name and choose it."), field="target")
        actions.merge(request.actor, item, other, reason=request.POST.get("reason", "")[:500])
        messages.success(request, _('"%(name)s" is merged into this item.') % {"name": other.name})
        return HttpResponseRedirect(reverse("web:item", args=[pk]))
    context = head(request, item, "summary")
    context |= {
        "is_into": "into" in request.GET,
        "other": other,
        "rows": compared(context["spec"], item, other) if other else [],
    }
    return render(request, "web/items/merge.html", context)


@require_POST
@page("inventory.merge")
def undo(request: PageRequest, pk: int) -> HttpResponse:
    """Undo the merge `pk`; both items are there again."""
    done = queries.merges(request.actor).filter(pk=pk).first()
    if done is None:
        raise NotFound(_("There is no such merge."), hint=_("It may have been undone already."))
    other = actions.unmerge(request.actor, done)
    messages.success(request, _('"%(name)s" is an item of its own again.') % {"name": other.name})
    return HttpResponseRedirect(reverse("web:item", args=[other.pk]))
